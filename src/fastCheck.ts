/**
 * Arbitraries and model commands for fast-check: volumes, lanes for a race, and random programs on one file that are held
 * against the plain array of bytes that a file is.
 *
 *   fc.assert(fc.property(lanes(), (tasks) => fileLab().race(tasks).cells[0].verdict === 'holds'));
 *   fc.assert(fc.property(fc.commands(fileCommands()), (cmds) => fc.modelRun(() => fileSetup(options), cmds)));
 *
 * Sizes are around what matters: i_block, the inode, a page.
 */
import fc from 'fast-check';
import { createLab, type Lab, type LabOptions } from './lab/lab.ts';
import type { Lanes } from './lab/race.ts';
import type { MkfsOptions } from './volume/mkfs.ts';

const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, '0')}`;
const byte: fc.Arbitrary<number> = fc.integer({ min: 1, max: 255 });

/** A position or a size in bytes. */
const sizeUpTo = (max: number): fc.Arbitrary<number> =>
  fc.oneof(fc.nat(Math.min(70, max)), fc.nat(Math.min(200, max)), fc.nat(max));

const lengthUpTo = (max: number): fc.Arbitrary<number> =>
  fc.oneof(fc.integer({ min: 1, max: Math.min(70, max) }), fc.integer({ min: 1, max }));

/** Volumes that mkfs makes. */
export function volumes(): fc.Arbitrary<MkfsOptions> {
  return fc.record({
    inodeSize: fc.constantFrom(256 as const, 512 as const, 1024 as const),
    blockSize: fc.constantFrom(1024 as const, 2048 as const, 4096 as const),
    blocks: fc.constant(4096),
  });
}

/** What lines an arbitrary lane may have. */
export interface LaneOptions {
  /** The file; it must be there. Default `/f`. */
  readonly path?: string;
  /** Most lines after `open`. Default 3. */
  readonly maxLines?: number;
  /** Largest position and size. Default 300: what fits an inode, and what does not. */
  readonly maxBytes?: number;
}

/** One lane: opens the file and works on it, stores through a mapping included. */
export function lane(options: LaneOptions = {}): fc.Arbitrary<string[]> {
  const { path = '/f', maxLines = 3, maxBytes = 300 } = options;
  const [at, length] = [sizeUpTo(maxBytes), lengthUpTo(maxBytes)];
  const line = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(byte, at, length).map(([b, pos, n]) => `pwrite -S ${hex(b)} ${pos} ${n}`),
    },
    { weight: 3, arbitrary: fc.tuple(byte, fc.nat(40)).map(([b, pos]) => `mwrite -S ${hex(b)} ${pos} 4`) },
    { weight: 2, arbitrary: at.map((size) => `truncate ${size}`) },
    fc.tuple(at, length).map(([pos, n]) => `pread ${pos} ${n}`),
    fc.constantFrom('fsync', 'msync -s', `@writepages ${path}`, `@reclaim ${path}`, '@flush', '@commit'),
  );
  return fc.array(line, { minLength: 1, maxLength: maxLines }).map((lines) => {
    const maps = lines.some((each) => each.startsWith('mwrite') || each.startsWith('msync'));
    return [`open ${path}`, ...(maps ? ['mmap -rw 0 4k'] : []), ...lines];
  });
}

/** Lanes CPU0, CPU1 … for `lab.race`. */
export function lanes(options: LaneOptions & { readonly tasks?: number } = {}): fc.Arbitrary<Lanes> {
  const { tasks = 2 } = options;
  return fc
    .tuple(...Array.from({ length: tasks }, () => lane(options)))
    .map((all) => Object.fromEntries(all.map((lines, task) => [`CPU${task}`, lines])));
}

// ---- model commands

/** What a file is. */
export class FileModel {
  bytes: Uint8Array = new Uint8Array(0);

  /** Keeps what fits; zeros behind it. */
  resize(size: number): void {
    const next = new Uint8Array(size);
    next.set(this.bytes.subarray(0, size));
    this.bytes = next;
  }

  write(pos: number, data: Uint8Array): void {
    if (pos + data.length > this.bytes.length) this.resize(pos + data.length);
    this.bytes.set(data, pos);
  }
}

/** One thing done to the file, in the lab and in the model. */
export type FileCommand = fc.Command<FileModel, Lab>;

/** What commands of a model-based test do. */
export interface FileCommandOptions {
  /** Default `/f`. */
  readonly path?: string;
  /** Largest position and size. Default 9000: three pages. */
  readonly maxBytes?: number;
}

/** A lab with an empty file, and its model, for `fc.modelRun`. */
export function fileSetup(options: LabOptions = {}, path = '/f'): { model: FileModel; real: Lab } {
  const real = createLab(options);
  real.fs.writeFileSync(path, '');
  return { model: new FileModel(), real };
}

/**
 * Commands for `fc.commands`: write, read, truncate, mapped stores and loads, fsync, writeback, reclaim, remount. After
 * each the whole file must read as the model has it.
 * @throws Error from a command whose file differs, with the first byte that does
 */
export function fileCommands(options: FileCommandOptions = {}): fc.Arbitrary<FileCommand>[] {
  const { path = '/f', maxBytes = 9000 } = options;
  const [at, length] = [sizeUpTo(maxBytes), lengthUpTo(Math.min(maxBytes, 5000))];
  const command = (
    text: string,
    run: (model: FileModel, lab: Lab) => void,
    check: (model: Readonly<FileModel>) => boolean = () => true,
  ): FileCommand => ({
    check,
    run(model, lab) {
      run(model, lab);
      agree(model, lab, path, text);
    },
    toString: () => text,
  });
  const withFile = <T>(lab: Lab, work: (file: ReturnType<Lab['fs']['openSync']>) => T): T => {
    const file = lab.fs.openSync(path, 'r+');
    try {
      return work(file);
    } finally {
      file.closeSync();
    }
  };
  return [
    fc.tuple(at, length, byte).map(([pos, n, value]) =>
      command(`write ${pos} ${n} of ${hex(value)}`, (model, lab) => {
        const data = new Uint8Array(n).fill(value);
        withFile(lab, (file) => file.writeSync(data, 0, n, pos));
        model.write(pos, data);
      }),
    ),
    at.map((size) =>
      command(`truncate ${size}`, (model, lab) => {
        withFile(lab, (file) => file.truncateSync(size));
        model.resize(size);
      }),
    ),
    fc.tuple(at, length, byte).map(([pos, n, value]) =>
      command(
        `store ${pos} ${n} of ${hex(value)}`,
        (model, lab) => {
          const data = new Uint8Array(n).fill(value);
          withFile(lab, (file) => {
            const mapping = file.mmapSync({ length: model.bytes.length });
            mapping.store(pos, data);
            mapping.munmap();
          });
          model.write(pos, data);
        },
        (model) => pos + n <= model.bytes.length,
      ),
    ),
    fc.constantFrom(
      command('remount', (_, lab) => lab.remount()),
      command('fsync', (_, lab) => withFile(lab, (file) => file.fsyncSync())),
    ),
    fc.constantFrom(
      command('writepages', (_, lab) => lab.writepages(path)),
      command('flush', (_, lab) => lab.flush()),
      command('commit', (_, lab) => lab.commit()),
      command('reclaim', (_, lab) => lab.reclaim(path)),
    ),
  ];
}

function agree(model: FileModel, lab: Lab, path: string, after: string): void {
  const seen = lab.fs.readFileSync(path);
  const want = model.bytes;
  if (seen.length !== want.length) {
    throw new Error(`after '${after}' ${path} has ${seen.length} bytes and should have ${want.length}`);
  }
  const at = want.findIndex((each, i) => each !== seen[i]);
  if (at >= 0)
    throw new Error(
      `after '${after}' byte ${at} of ${path} is ${hex(seen[at]!)} and should be ${hex(want[at]!)}`,
    );
}
