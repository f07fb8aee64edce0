/**
 * The lab: one volume, one design, one program that works on it, and everything there is to see of it.
 *
 *   createLab ─▶ lab.fs …            the program: node:fs calls, mappings
 *                lab.writepages …    what happens beside it: writeback, reclaim, commits, power failure
 *                lab.inode … diff    looking: raw bytes, decoded fields, folios, states and what changed between them
 *                lab.race            the same state under every design and every schedule of several lanes
 *
 * Deterministic: the same calls give the same bytes, on every machine; the clock stands still. Calls run one at a time
 * and to their end; what needs two tasks at once is what `race` is for.
 */
import type { Design } from '../designs/design.ts';
import { INVARIANTS, invariantById } from '../invariants/index.ts';
import type { Invariant } from '../invariants/invariant.ts';
import type { Command, LineResult } from '../scenario/ast.ts';
import { type MountOption, mountSchema } from '../scenario/image.ts';
import { parseLane } from '../scenario/lane.ts';
import { saveImage } from '../scenario/save.ts';
import type { LineOutcome } from '../state/effects.ts';
import { FINDING_IDS, FINDINGS, type FindingId, type FindingKind } from '../state/findings.ts';
import type { Snapshot } from '../state/world.ts';
import { peekLookup } from '../vfs/peek.ts';
import { Image } from '../volume/image.ts';
import { type MkfsOptions, mkfsImage } from '../volume/mkfs.ts';
import { diffStates, type FieldDiff } from './diff.ts';
import { Engine } from './engine.ts';
import { FsError, type FsErrorCode } from './errors.ts';
import { LabFs } from './fs.ts';
import { OpenFiles, type OpenMemory } from './openFiles.ts';
import { designNamed, type Lanes, type Race, type RaceOptions, race } from './race.ts';
import { type BlockView, type FolioView, type InodeView, viewBlock, viewFolio, viewInode } from './views.ts';

/** What a lab starts from. */
export interface LabOptions {
  /** A fresh volume; default: 8 MiB of 4096-byte blocks with 256-byte inodes and a journal. */
  readonly mkfs?: MkfsOptions;
  /** A volume made by mke2fs or by `saveImage`, instead of a fresh one. It is copied. */
  readonly image?: Uint8Array;
  /** Default: what the kernel does, which is delalloc. */
  readonly mount?: readonly MountOption[];
  /** Id or design; default `mkwrite-convert`, the current kernel. */
  readonly design?: string | Design;
}

/** Something the kernel said about itself, or the plain model about the kernel. */
export interface FindingView {
  readonly id: FindingId;
  readonly kind: FindingKind;
  readonly message: string;
  /** File and function in the kernel. */
  readonly source: string;
}

/** An invariant that the present state breaks. */
export interface BrokenInvariant {
  readonly invariant: string;
  readonly message: string;
}

/**
 * @throws BadImage for a file that is no ext4 volume, ScenarioError for one that cannot be mounted for writing here,
 *         RangeError for an unknown design or mkfs options that do not go together, TypeError for unknown mount options
 */
export function createLab(options: LabOptions = {}): Lab {
  if (options.mkfs !== undefined && options.image !== undefined)
    throw new TypeError('a lab is made from mkfs options or from an image, not from both');
  const { mount = ['delalloc'], design = 'mkwrite-convert' } = options;
  const parsed = mountSchema.safeParse(mount);
  if (!parsed.success)
    throw new TypeError(`mount ${JSON.stringify(mount)}: ${parsed.error.issues[0]!.message}`);
  const image = options.image === undefined ? fresh(options.mkfs) : Image.load(options.image.slice());
  return new Lab(new Engine(image, typeof design === 'string' ? designNamed(design) : design, mount));
}

const fresh = (options: MkfsOptions = {}): Image =>
  mkfsImage({ ...options, features: ['has_journal', ...(options.features ?? [])] });

/** A volume, a design and a program: what `createLab` makes. */
export class Lab {
  /** The program's calls, in the shape of node:fs. */
  readonly fs: LabFs;
  readonly #engine: Engine;
  readonly #files: OpenFiles;
  /** Which handles were open when a snapshot was taken. */
  readonly #memories = new WeakMap<Snapshot, OpenMemory>();

  /** @internal */
  constructor(engine: Engine) {
    this.#engine = engine;
    this.#files = new OpenFiles(engine);
    this.fs = new LabFs(engine, this.#files);
  }

  get design(): Design {
    return this.#engine.design;
  }

  // ---- what happens beside the program

  /** Runs scenario lines (`pwrite -S 0x61 0 50`, `@flush`) as a process of their own, to the end. */
  exec(lines: readonly string[]): LineResult[] {
    return this.#engine.exec(parseLane(lines, { lane: 'lab' }));
  }

  /** Writes a file's dirty pages and waits, as sync_file_range does: no metadata. */
  writepages(path: string): void {
    this.#actor({ verb: '@writepages', path }, 'sync_file_range', path);
  }

  /** The flusher: writes dirty pages of every file, waits for nothing. */
  flush(): void {
    this.#actor({ verb: '@flush' }, 'flush');
  }

  /** Commits the running transaction. */
  commit(): void {
    this.#actor({ verb: '@commit' }, 'commit');
  }

  /** sync(2): everything, to the medium. */
  sync(): void {
    this.#actor({ verb: 'sync' }, 'sync');
  }

  /** Reclaim looks at every folio of a file: page tables let go of them, clean ones are dropped. */
  reclaim(path: string): void {
    this.#actor({ verb: '@reclaim', path }, 'reclaim', path);
  }

  /** echo 3 > drop_caches: clean folios, inodes and buffers that nobody uses. */
  dropCaches(): void {
    this.#actor({ verb: '@drop_caches' }, 'drop_caches');
  }

  /** Unmounts and mounts again. @throws FsError EBUSY while a file is open or mapped */
  remount(): void {
    this.#actor({ verb: '@remount' }, 'umount', '/');
  }

  /**
   * The power fails; the journal is replayed, the volume mounted. Open files and mappings are gone. A machine that hit
   * a BUG_ON runs again afterwards.
   */
  crash(): void {
    this.#engine.reset();
    this.#actor({ verb: '@crash', flush: false }, 'crash');
    this.#files.forget();
  }

  #actor(command: Command, syscall: string, path?: string): LineOutcome {
    const answer = this.#engine.actor(command);
    if (answer.errno !== undefined) throw new FsError(answer.errno as FsErrorCode, syscall, path);
    return answer;
  }

  // ---- looking; nothing here changes the state

  /** @throws FsError ENOENT */
  inode(which: string | number): InodeView {
    return viewInode(this.#engine.k, this.#ino(which));
  }

  /** @param index  page of the file, 0 for its first 4096 bytes */
  folio(which: string | number, index = 0): FolioView {
    return viewFolio(this.#engine.k, this.#ino(which), index);
  }

  /** A block in the bdev cache and on the medium. */
  block(nr: number): BlockView {
    const { k, image } = this.#engine;
    if (!(Number.isInteger(nr) && nr >= 0 && nr < image.blocksCount))
      throw new RangeError(`no block ${nr}: the volume has 0 to ${image.blocksCount - 1}`);
    return viewBlock(k, nr);
  }

  #ino(which: string | number): number {
    const { k } = this.#engine;
    if (typeof which === 'string') {
      const ino = peekLookup(k, which);
      if (ino === undefined) throw new FsError('ENOENT', 'stat', which);
      return ino;
    }
    if (!(Number.isInteger(which) && which >= 1 && which <= k.geo.inodesCount))
      throw new RangeError(`no inode ${which}: the volume has 1 to ${k.geo.inodesCount}`);
    return which;
  }

  /** What was found so far: warnings, errors of the file system, bytes that are not those of the plain model. */
  findings(): FindingView[] {
    const { k } = this.#engine;
    return FINDING_IDS.filter((id) => k.finding(id).hit).map((id) => ({ id, ...FINDINGS[id] }));
  }

  /**
   * The invariants that the present state breaks; empty when it is sound.
   * @param which  an id, or an invariant of your own; left out: all in `INVARIANTS`
   */
  check(which?: string | Invariant): BrokenInvariant[] {
    const { k } = this.#engine;
    const asked =
      which === undefined ? INVARIANTS : [typeof which === 'string' ? invariantNamed(which) : which];
    return asked.flatMap((invariant) => {
      const message = invariant.check(k);
      return message === null ? [] : [{ invariant: invariant.id, message }];
    });
  }

  /** 16 hex digits: the same for equal states. */
  digest(): string {
    return this.#engine.world.digest();
  }

  // ---- states

  /** The whole state as plain frozen data. */
  snapshot(): Snapshot {
    this.#engine.checkIdle();
    const state = this.#engine.world.snapshot();
    this.#memories.set(state, this.#files.remember());
    return state;
  }

  /**
   * Goes to a state. Handles and mappings are as they were when it was taken; those of another lab's snapshot are
   * found in `fs.openFiles` and `fs.mappings`.
   */
  restore(state: Snapshot): void {
    this.#engine.restore(state);
    const memory = this.#memories.get(state);
    if (memory === undefined) this.#files.adopt();
    else this.#files.recall(memory);
  }

  /** What changed since `before`, field by field; content by runs of bytes. */
  diff(before: Snapshot, after: Snapshot = this.#engine.world.snapshot()): FieldDiff[] {
    return diffStates(before, after);
  }

  /** The image that an unmount would leave, all programs gone. The lab goes on as it is. */
  saveImage(): Uint8Array {
    return this.#image().toUint8Array();
  }

  #image(): Image {
    const { image, mount, design } = this.#engine;
    return saveImage({ image, mount, design }, this.snapshot());
  }

  /**
   * Runs lanes of scenario lines from here under every schedule, under each design.
   * @example lab.race({ CPU0: ['open /f', 'pwrite 0 100'], CPU1: ['@writepages /f'] }, { designs: 'all' })
   */
  race(lanes: Lanes, options: RaceOptions = {}): Race {
    const { image, options: mount, design } = this.#engine;
    const busy = this.#files.files.length > 0 || this.#files.mappings.length > 0;
    const start = { image, options: mount, design, state: this.snapshot(), busy };
    return race(lanes, options, start, () => this.#image());
  }

  /** Every later call throws. */
  [Symbol.dispose](): void {
    this.#files.forget();
    this.#engine.end();
  }
}

function invariantNamed(id: string): Invariant {
  const found = invariantById(id);
  if (found === undefined)
    throw new RangeError(`no invariant '${id}': there are ${INVARIANTS.map((each) => each.id).join(', ')}`);
  return found;
}
