/**
 * The kernel facade `k`: what every op is handed. It gives the records of the state by their names, the constants
 * of the mounted volume, the design under test as a table of hooks, and ways to say what happened.
 *
 * Records may be read and assigned only inside a step. Everything else here is constant for a run.
 */
import type { Bytes } from './bytes/bytes.ts';
import type { Hooks } from './hooks.ts';
import type { LockRecord, LockRef } from './locks/lock.ts';
import { LOCK_SPAN } from './locks/lock.ts';
import type { Effect } from './state/effects.ts';
import { FINDINGS, type FindingId, findingNumber } from './state/findings.ts';
import type { Rec } from './state/tables.ts';
import { tableIndex } from './state/tables.ts';
import type { World } from './state/world.ts';
import type { Op, Tracked, Tracker } from './task.ts';
import type { Geometry } from './volume/geometry.ts';
import type { Image } from './volume/image.ts';

/** Bytes of a page, whatever the block size. */
export const PAGE_SIZE = 4096;

/** Options of the mount, constant for a run. */
export interface MountOptions {
  readonly delalloc: boolean;
  /** data= mode; no journal means writeback. */
  readonly data: 'ordered' | 'writeback' | 'journal';
  /**
   * dioread_nolock, the default with delalloc: writeback allocates unwritten extents and converts them after the
   * I/O. Never without delalloc. @source fs/ext4/ext4_jbd2.h ext4_should_dioread_nolock
   */
  readonly dioreadNolock: boolean;
  /** barrier, the default: a commit flushes the device's cache before its record and with it. Only a crash can tell. */
  readonly barrier: boolean;
  /** auto_da_alloc, the default: close flushes a file that was truncated to zero and written again. */
  readonly autoDaAlloc: boolean;
}

/** What a kernel is made of; the same for all tasks. */
export interface KernelSetup {
  readonly world: World;
  readonly geo: Geometry;
  /** A block of the loaded image, before anything was written. */
  readonly baseBlock: (block: number) => Bytes;
  /** The loaded image: with it every unmount is checked. */
  readonly image?: Image;
  readonly mount: MountOptions;
  readonly hooks: Hooks;
  /** Seconds since 1970 that every timestamp gets: time stands still. */
  readonly now: number;
  /** i_generation of new inodes. */
  readonly generation: number;
  /** Power may fail at any step: what no flush has followed is kept apart, and the plain model keeps its past. */
  readonly powerFails?: boolean;
  /** A lane is the flusher; left out: nobody waits for one. */
  readonly flusher?: FlusherSetup;
  /** What an allocation does that `@direct-reclaim` chose. Above the page cache, as mm/ calls shrinkers. */
  readonly directReclaim?: (k: Kernel) => Op<void>;
}

/** What a flusher lane needs to know. */
export interface FlusherSetup {
  /** Tasks that it works for, and that wait for it; when all have ended it ends, too. */
  readonly lanes: readonly number[];
  /** Most dirty pages before who dirties more has to wait; null: no limit. */
  readonly dirtyLimit: number | null;
}

/** What all views of one kernel share. */
interface Shared {
  readonly tracker: Tracker;
  /** Somebody listens to effects. */
  readonly sink: { listen: ((effect: Effect) => void) | null };
  /** Places that were reached by any step since somebody cleared it; not part of the state. */
  readonly reached: Set<string>;
}

/** The facade `k` that every op is handed. */
export class Kernel implements Tracked {
  readonly setup: KernelSetup;
  readonly world: World;
  readonly geo: Geometry;
  readonly mount: MountOptions;
  readonly hooks: Hooks;
  /** The task this view of the kernel belongs to. */
  readonly task: number;
  /** Its address space: threads of one process share it. */
  readonly mm: number;
  readonly tracker: Tracker;
  readonly sink: Shared['sink'];
  readonly reached: Set<string>;

  constructor(setup: KernelSetup, task = 0, mm: number = task, shared?: Shared) {
    this.setup = setup;
    this.world = setup.world;
    this.geo = setup.geo;
    this.mount = setup.mount;
    this.hooks = setup.hooks;
    this.task = task;
    this.mm = mm;
    this.tracker = shared?.tracker ?? { pending: null, sites: false };
    this.sink = shared?.sink ?? { listen: null };
    this.reached = shared?.reached ?? new Set();
  }

  /** The same kernel as seen by one task. */
  forTask(task: number, mm: number = task): Kernel {
    return new Kernel(this.setup, task, mm, this);
  }

  // ---- records

  get sb(): Rec<'sb'> {
    return this.world.recAt(tableIndex.sb, 0, 0) as Rec<'sb'>;
  }
  get journal(): Rec<'journal'> {
    return this.world.recAt(tableIndex.journal, 0, 0) as Rec<'journal'>;
  }
  inode(ino: number): Rec<'inode'> {
    return this.world.recAt(tableIndex.inode, ino, 0) as Rec<'inode'>;
  }
  /** The raw inode's cell; null data means that the inode-table block is not read yet. See `inode/raw.ts`. */
  raw(ino: number): Rec<'raw'> {
    return this.world.recAt(tableIndex.raw, ino, 0) as Rec<'raw'>;
  }
  buf(block: number): Rec<'buf'> {
    return this.world.recAt(tableIndex.buf, block, 0) as Rec<'buf'>;
  }
  medium(block: number): Rec<'medium'> {
    return this.world.recAt(tableIndex.medium, block, 0) as Rec<'medium'>;
  }
  folio(ino: number, index: number): Rec<'folio'> {
    return this.world.recAt(tableIndex.folio, ino, index) as Rec<'folio'>;
  }
  /** The buffer head of logical block `lblk` of a file. */
  fbuf(ino: number, lblk: number): Rec<'fbuf'> {
    return this.world.recAt(tableIndex.fbuf, ino, lblk) as Rec<'fbuf'>;
  }
  pte(mm: number, vpn: number): Rec<'pte'> {
    return this.world.recAt(tableIndex.pte, mm, vpn) as Rec<'pte'>;
  }
  vma(mm: number, slot: number): Rec<'vma'> {
    return this.world.recAt(tableIndex.vma, mm, slot) as Rec<'vma'>;
  }
  file(task: number, slot: number): Rec<'file'> {
    return this.world.recAt(tableIndex.file, task, slot) as Rec<'file'>;
  }
  taskRecord(task: number): Rec<'task'> {
    return this.world.recAt(tableIndex.task, task, 0) as Rec<'task'>;
  }
  ghost(ino: number): Rec<'ghost'> {
    return this.world.recAt(tableIndex.ghost, ino, 0) as Rec<'ghost'>;
  }
  ghostDir(ino: number): Rec<'ghostDir'> {
    return this.world.recAt(tableIndex.ghostDir, ino, 0) as Rec<'ghostDir'>;
  }
  ghostPage(ino: number, index: number): Rec<'ghostPage'> {
    return this.world.recAt(tableIndex.ghostPage, ino, index) as Rec<'ghostPage'>;
  }
  /** struct file_ra_state of an open file description. */
  readahead(file: number): Rec<'readahead'> {
    return this.world.recAt(tableIndex.readahead, file, 0) as Rec<'readahead'>;
  }
  finding(id: FindingId): Rec<'finding'> {
    return this.world.recAt(tableIndex.finding, findingNumber[id], 0) as Rec<'finding'>;
  }
  lockRecord(lock: LockRef): LockRecord {
    return this.world.recAt(
      tableIndex.lock,
      lock.class.number * LOCK_SPAN + lock.instance,
      lock.index,
    ) as LockRecord;
  }

  /** Page indexes of the folios present in a file's page cache, ascending. */
  folioIndexes(ino: number): number[] {
    return this.world.secondKeys('folio', ino).filter((index) => this.folio(ino, index).present);
  }

  /** Inodes in core, ascending. */
  inodesInCore(): number[] {
    return this.world.firstKeys('inode').filter((ino) => this.inode(ino).inCore);
  }

  // ---- constants

  /** A block of the loaded image, before anything was written. */
  baseBlock(block: number): Bytes {
    return this.setup.baseBlock(block);
  }
  /** Seconds that every timestamp gets. */
  get now(): number {
    return this.setup.now;
  }

  get blockSize(): number {
    return this.geo.blockSize;
  }
  get blocksPerPage(): number {
    return PAGE_SIZE / this.geo.blockSize;
  }
  /** Power may fail at any step. */
  get powerFails(): boolean {
    return this.setup.powerFails === true;
  }
  get flusher(): FlusherSetup | undefined {
    return this.setup.flusher;
  }
  get hasJournal(): boolean {
    return this.geo.hasJournal;
  }

  /**
   * Does this allocation of memory fail? The one that `@fail-alloc` chose does. Inside a step.
   * @source lib/fault-inject.c should_fail
   */
  allocFails(): boolean {
    const task = this.taskRecord(this.task);
    if (task.failAlloc === 0) return false;
    task.failAlloc--;
    if (task.failAlloc > 0) return false;
    this.reach('allocation-failed');
    return true;
  }

  /** Does this allocation of memory reclaim? The one that `@direct-reclaim` chose does. Inside a step. */
  allocReclaims(): boolean {
    const task = this.taskRecord(this.task);
    if (task.reclaimAlloc === 0) return false;
    task.reclaimAlloc--;
    return task.reclaimAlloc === 0;
  }

  /** What the allocation does that `allocReclaims` said yes to. */
  directReclaim(): Op<void> {
    const { directReclaim } = this.setup;
    if (directReclaim === undefined) throw new Error('this kernel was made without direct reclaim');
    return directReclaim(this);
  }

  // ---- saying what happened; inside a step

  emit(effect: Effect): void {
    this.sink.listen?.(effect);
  }

  /** Marks a place that a scenario's `reaches` may name. */
  reach(name: string): void {
    this.reached.add(name);
    if (this.sink.listen !== null) this.sink.listen({ type: 'reach', name });
  }

  #find(id: FindingId): void {
    const record = this.finding(id);
    record.hit = true;
    record.task = this.task;
    if (this.sink.listen !== null) this.sink.listen({ type: 'finding', id, message: FINDINGS[id].message });
  }

  /** BUG_ON: when `condition` is true the machine halts. Returns the condition. */
  bugOn(id: FindingId, condition: boolean): boolean {
    if (condition) {
      this.#find(id);
      this.sb.halted = true;
    }
    return condition;
  }

  /** WARN_ON: notes and goes on. Returns the condition. */
  warnOn(id: FindingId, condition: boolean): boolean {
    if (condition) this.#find(id);
    return condition;
  }
}
