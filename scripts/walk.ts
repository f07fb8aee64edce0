/**
 * Saved volumes, read by the running kernel: e2fsck must be silent, then each is mounted read-only and walked, and
 * names, types, modes, owners, sizes, links, contents, targets and xattrs must be those that our own reader finds.
 *
 *   sudo npx tsx scripts/walk.ts --count 1000 --seed 1     (--record keeps the figures in scripts/images/figures.json)
 *
 * Volumes come from every bundled scenario, from random scripts on volumes of every geometry, and from a script on a
 * volume of mke2fs for every feature; equal ones count once. Needs root, loop devices, e2fsprogs, python3.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Bytes } from '../src/bytes/bytes.ts';
import { imageOf, readImageFile } from '../src/cli/images.ts';
import { randomScript } from '../src/cli/kernel/random.ts';
import { FIXTURE_IMAGES_FOLDER } from '../src/cli/kernel/recordingFiles.ts';
import { loadScenarios } from '../src/cli/scenarioFiles.ts';
import { generateLines } from '../src/compare/generate.ts';
import { MAIN_DESIGNS } from '../src/designs/index.ts';
import { isErr } from '../src/errno.ts';
import { runSession } from '../src/scenario/run.ts';
import { saveImage } from '../src/scenario/save.ts';
import { mountLabel } from '../src/scenario/schema.ts';
import { startSession } from '../src/scenario/session.ts';
import { describeInode, paths } from '../src/volume/describe.ts';
import { readFile } from '../src/volume/file.ts';
import { Image } from '../src/volume/image.ts';
import { type MkfsOptions, mkfsImage } from '../src/volume/mkfs.ts';
import { aclForUser } from '../src/xattr/acl.ts';
import { filled } from './images/bases.ts';
import { WRITTEN } from './images/features.ts';
import { recordFigures } from './images/figures.ts';

/** What a walk finds at one path. */
interface Entry {
  readonly ino: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
  /** Nanoseconds since 1970. */
  readonly mtime: string;
  /** Name to hex. */
  readonly xattrs: Readonly<Record<string, string>>;
  /** Regular files: SHA-256 of the first 4 MiB. */
  readonly content?: string;
  /** Symlinks: hex. */
  readonly target?: string;
}

export type Found = Readonly<Record<string, Entry>>;

export interface Walked {
  readonly count: number;
  readonly entries: number;
  readonly failures: readonly string[];
}

interface Saved {
  readonly name: string;
  readonly image: Image;
}

const LIMIT = 4 << 20;

/** A value as getxattr(2) gives it: ACLs have a form of their own on the disk. */
const userValue = (name: string, hex: string): string =>
  name.startsWith('system.posix_acl_') ? aclForUser(Bytes.fromHex(hex)).toHex() : hex;

/** Everything on a volume as our own reader sees it, in the words of `scripts/images/walk.py`. */
export function walkImage(image: Image): Found {
  const found: Record<string, Entry> = {};
  for (const [path, ino] of paths(image)) {
    const inode = describeInode(image, ino);
    const shown = [...inode.ibodyXattrs, ...(inode.xattrBlock?.xattrs ?? [])]
      .filter(({ name }) => name !== 'system.data')
      .map(({ name, value }): [string, string] => [
        name,
        value === undefined ? 'unreadable' : userValue(name, value),
      ])
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const [seconds, nanoseconds] = inode.times.mtime.split('.') as [string, string];
    const entry = {
      ino,
      mode: Number.parseInt(inode.mode, 8),
      uid: inode.uid,
      gid: inode.gid,
      size: inode.size,
      links: inode.links,
      mtime: String(BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)),
      xattrs: Object.fromEntries(shown),
    };
    const content =
      inode.kind === 'file' || inode.kind === 'symlink' ? readFile(image, ino, 0, LIMIT) : undefined;
    if (content === undefined) found[path] = entry;
    else if (isErr(content)) found[path] = { ...entry, content: content.errno };
    else if (inode.kind === 'symlink') found[path] = { ...entry, target: content.toHex() };
    else
      found[path] = { ...entry, content: createHash('sha256').update(content.toUint8Array()).digest('hex') };
  }
  return found;
}

/** Different volumes, without end unless the generators run dry. */
function* savedVolumes(seed: number): Generator<Saved> {
  for (const { name, args } of WRITTEN) {
    const image = Image.load(mke2fs(args));
    for (let i = 0; i < 2; i++)
      yield { name: `${name}, script ${seed + i}`, image: randomly(image, seed + i) };
  }
  for (let round = 0; ; round++) {
    for (const [at, options] of GEOMETRIES.entries()) {
      const number = seed + 1000 * round + at;
      yield {
        name: `${JSON.stringify(options)}, script ${number}`,
        image: randomly(mkfsImage(options), number),
      };
    }
    for (let i = 0; i < 6; i++) {
      const number = seed + 6 * round + i;
      const { ground, lines } = randomScript(number);
      const image = readImageFile(join(FIXTURE_IMAGES_FOLDER, ground.image.file));
      yield { name: `random script ${number}`, image: filled(image, lines.join('\n')) };
    }
    if (round === 0) yield* scenarioVolumes();
  }
}

function* scenarioVolumes(): Generator<Saved> {
  for (const scenario of loadScenarios([])) {
    for (const mount of scenario.mounts) {
      for (const design of MAIN_DESIGNS) {
        const session = startSession(scenario, imageOf(scenario), design, mount);
        const { trace, findings } = runSession(session);
        if (trace.unfinished.length > 0 || findings.some(({ id }) => id === 'fsck' || id === 'durability'))
          continue;
        yield {
          name: `${scenario.name} ${mountLabel(mount)} ${design.id}`,
          image: saveImage(session, trace.end),
        };
      }
    }
  }
}

const GEOMETRIES: readonly MkfsOptions[] = [
  { features: ['has_journal'] },
  { inodeSize: 128 },
  { inodeSize: 512, features: ['has_journal', '64bit'] },
  { inodeSize: 1024, features: ['metadata_csum_seed'] },
  { blockSize: 2048, inodeSize: 512, blocks: 4000, features: ['^metadata_csum'] },
  { blockSize: 1024, blocks: 20_000, features: ['has_journal', '64bit'] },
  { blockSize: 1024, inodeSize: 1024, blocks: 9000, features: ['^dir_index'] },
];

/** A volume after a random script of 14 lines. */
function randomly(image: Image, seed: number): Image {
  const { inodeSize, blockSize, hasJournal } = image.geometry;
  const lines = generateLines({ seed, inodeSize, blockSize, journal: hasJournal, lineCount: 14 });
  return filled(image, lines.join('\n'));
}

const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' };

function mke2fs(args: readonly string[]): Uint8Array {
  const dir = mkdtempSync(join(tmpdir(), 'ext4lab-'));
  try {
    const path = join(dir, 'image');
    execFileSync('mke2fs', ['-q', '-F', ...args.slice(0, -1), path, args.at(-1)!], { env, stdio: 'pipe' });
    return new Uint8Array(readFileSync(path));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

export interface WalkOptions {
  readonly count: number;
  readonly seed: number;
  /** Run before the mount command: such as `flock FILE`. */
  readonly wrap?: readonly string[];
  readonly progress?: (done: number, failures: number) => void;
}

/** Volumes that are mounted in one go. */
const CHUNK = 40;

export function walkMany({ count, seed, wrap = [], progress }: WalkOptions): Walked {
  const failures: string[] = [];
  const digests = new Set<string>();
  let entries = 0;
  let chunk: { name: string; path: string; ours: Found }[] = [];
  const dir = mkdtempSync(join(tmpdir(), 'ext4lab-'));
  const mountChunk = () => {
    const [command, ...words] = [
      ...wrap,
      'python3',
      fileURLToPath(new URL('./images/walk.py', import.meta.url)),
    ];
    const input = chunk.map(({ path }) => `${path}\n`).join('');
    const run = spawnSync(command!, words, { env, input, encoding: 'utf8', maxBuffer: 1 << 28 });
    if (run.status !== 0) failures.push(`the walk failed: ${run.stderr}`);
    const answers = run.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
    for (const [i, { name, ours, path }] of chunk.entries()) {
      const { found, error } = (answers[i] ?? { error: 'no answer' }) as { found?: Found; error?: string };
      if (found === undefined) failures.push(`${name}: ${error}`);
      else failures.push(...differences(ours, found).map((line) => `${name}: ${line}`));
      entries += Object.keys(ours).length;
      rmSync(path, { force: true });
    }
    chunk = [];
    progress?.(digests.size, failures.length);
  };
  try {
    for (const { name, image } of savedVolumes(seed)) {
      const file = image.toUint8Array();
      const digest = createHash('sha256').update(file).digest('hex');
      if (digests.has(digest)) continue;
      digests.add(digest);
      const path = join(dir, `${digests.size}.img`);
      writeFileSync(path, file);
      const { status, stdout } = spawnSync('e2fsck', ['-fn', path], { env, encoding: 'utf8' });
      const talk = stdout
        .split('\n')
        .filter((line) => line !== '' && !/^Pass \d|: \d+\/\d+ files /.test(line));
      if (status !== 0 || talk.length > 0) {
        failures.push(`${name}: e2fsck: ${talk.slice(0, 3).join(' | ')}`);
        rmSync(path, { force: true });
      } else chunk.push({ name, path, ours: walkImage(image) });
      if (chunk.length === CHUNK) mountChunk();
      if (digests.size >= count) break;
    }
    if (chunk.length > 0) mountChunk();
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return { count: digests.size, entries, failures };
}

/** What two walks of one volume do not agree on, a line a path. */
export function differences(ours: Found, theirs: Found): string[] {
  const all = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].sort();
  return all.flatMap((path) => {
    const [a, b] = [JSON.stringify(sorted(ours[path])), JSON.stringify(sorted(theirs[path]))];
    return a === b ? [] : [`${path}: ours ${a}, the kernel ${b}`];
  });
}

const sorted = (entry: Entry | undefined): unknown =>
  entry === undefined ? null : Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)));

function main(): number {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '100' },
      seed: { type: 'string', default: '1' },
      wrap: { type: 'string', default: '' },
      record: { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  const { count, entries, failures } = walkMany({
    count: Number(values.count),
    seed,
    wrap: values.wrap.split(' ').filter((word) => word !== ''),
    progress: (done, failed) => process.stderr.write(`${done} of ${values.count}, ${failed} failed\n`),
  });
  console.log(`${count} different volumes, ${entries} files walked by the kernel, seed ${seed}`);
  for (const failure of failures.slice(0, 50)) console.log(failure);
  console.log(`${failures.length} failed`);
  if (values.record) {
    const kernel = release().split('.').slice(0, 2).join('.');
    recordFigures('walked', { seed, volumes: count, files: entries, failures: failures.length, kernel });
  }
  return failures.length > 0 ? 1 : 0;
}

if (process.argv[1]?.endsWith('walk.ts')) process.exitCode = main();
