/**
 * The multi-block allocator: which blocks a request gets.
 *
 *   request ─▶ preallocation of the file (large files) or of the CPU (small files) ── has room ─▶ done
 *                 └ none ─▶ normalise: ask for more than is needed
 *                            └▶ goal ─▶ groups, from fast and picky to slow and content ─▶ best chunk
 *                                        what is more than was asked becomes a preallocation
 *
 * A group's *free map* is what the buddy of the kernel knows: the block bitmap, minus preallocated runs, minus blocks
 * that were freed in a transaction that is not committed. The buddy itself is not kept: its chunks are the largest
 * aligned powers of two that are free, and are worked out from the map when somebody searches.
 *
 * Preallocations are promises in memory only: free in the bitmap, gone when nobody writes the file any more, at
 * truncate, at eviction and at unmount.
 *
 * Not modelled: one locality group per CPU (here there is one), lists of groups by fragment size (groups are scanned
 * in order, as the kernel does below 16 groups), stripes, bigalloc, discard.
 *
 * All functions run inside a step; those that change bitmaps belong to a task with a handle.
 */
import { forgetBuffer, revokeBlock } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { shouldJournalData, shouldWritebackData } from '../inode/journalMode.ts';
import { isReg } from '../inode/layout.ts';
import type { Kernel } from '../kernel.ts';
import type { GroupPrealloc, InodePrealloc } from '../state/tables.ts';
import { clearBits, setBits } from '../volume/bitmap.ts';
import { blocksInGroup, groupFirstBlock, groupOfBlock, groupOfInode } from '../volume/geometry.ts';
import {
  addFreeBlocks,
  changeBlocks,
  hasFreeBlocks,
  readBlockBitmap,
  readDesc,
  releaseSpace,
} from './balloc.ts';

/** Files of at most this many blocks share the CPU's preallocation. @source fs/ext4/mballoc.h MB_DEFAULT_STREAM_THRESHOLD */
const STREAM_REQUEST = 16;
/** Blocks of a locality group's preallocation. @source fs/ext4/mballoc.h MB_DEFAULT_GROUP_PREALLOC */
const GROUP_PREALLOC = 512;
/** Chunks looked at before a search ends with the best, and before it may. @source fs/ext4/mballoc.h MB_DEFAULT_MAX_TO_SCAN */
const MAX_TO_SCAN = 200;
const MIN_TO_SCAN = 10;
/** Smallest order that is searched by order. @source fs/ext4/mballoc.h MB_DEFAULT_ORDER2_REQS */
const ORDER2_REQS = 2;
/** Lists of group preallocations by order, and how long one may grow. @source fs/ext4/mballoc.c ext4_mb_add_n_trim */
const PREALLOC_ORDERS = 10;
const PREALLOC_LIST_MAX = 8;
const PREALLOC_LIST_KEEP = 5;
/** Groups of a flex group from which on the first is for directories. @source fs/ext4/ext4.h EXT4_FLEX_SIZE_DIR_ALLOC_SCHEME */
const FLEX_SIZE_DIR_ALLOC = 4;
/** One past the largest logical block. */
const EXT_MAX_BLOCKS = 0xffffffff;

/** @source fs/ext4/mballoc.h enum criteria */
const CRITERIA = ['power2-aligned', 'goal-len-fast', 'best-avail-len', 'goal-len-slow', 'any-free'] as const;
type Criterion = (typeof CRITERIA)[number];

/** What is asked for. @source fs/ext4/ext4.h struct ext4_allocation_request */
export interface AllocRequest {
  /** Physical block to begin at. */
  readonly goal: number;
  /** Blocks, ≥ 1. */
  readonly length: number;
  /** Logical block the run is for. */
  readonly lblk: number;
  /** Nearest allocated blocks to the left and right; physical 0 is none. */
  readonly left: { readonly lblk: number; readonly pblk: number };
  readonly right: { readonly lblk: number; readonly pblk: number };
  /** EXT4_MB_HINT_DATA: file data, which may be preallocated. */
  readonly data: boolean;
  /** EXT4_MB_HINT_NOPREALLOC. */
  readonly noPrealloc?: boolean;
  /** EXT4_MB_HINT_TRY_GOAL. */
  readonly tryGoal?: boolean;
  /** EXT4_MB_DELALLOC_RESERVED: the blocks were promised before. */
  readonly delallocReserved?: boolean;
  /** EXT4_MB_USE_RESERVED: may dip into the 2 % that are kept back. */
  readonly useReserved?: boolean;
}

/** A run of physical blocks. */
export interface Run {
  readonly start: number;
  readonly length: number;
}

const NONE = { lblk: 0, pblk: 0 };

/** A chunk in a group: `start` is a bit number. */
interface Chunk {
  readonly group: number;
  readonly start: number;
  readonly length: number;
}

/** Highest bit set, counted from 1; 0 for 0. */
const fls = (n: number): number => 32 - Math.clz32(n);

// ---- the free map of a group

class FreeMap {
  readonly group: number;
  /** Blocks of the group. */
  readonly limit: number;
  readonly #busy: Uint8Array;
  readonly #maxOrder: number;
  free = 0;
  fragments = 0;

  constructor(k: Kernel, group: number) {
    this.group = group;
    this.limit = blocksInGroup(k.geo, group);
    this.#maxOrder = Math.log2(k.blockSize) + 1;
    this.#busy = readBlockBitmap(k, group, readDesc(k, group)).toUint8Array();
    const first = groupFirstBlock(k.geo, group);
    const take = (start: number, count: number): void => {
      const from = Math.max(0, start - first);
      const to = Math.min(this.limit, start - first + count);
      for (let bit = from; bit < to; bit++) this.#busy[bit >> 3]! |= 1 << (bit & 7);
    };
    for (const pa of k.sb.groupPrealloc ?? []) take(pa.pblk, pa.length);
    for (const ino of k.inodesInCore()) {
      for (const pa of k.inode(ino).prealloc ?? []) take(pa.pblk, pa.length);
    }
    for (const [start, count] of k.sb.freed ?? []) take(start, count);
    for (const [start, count] of k.sb.freedCommitting ?? []) take(start, count);
    for (let bit = this.nextFree(0); bit < this.limit; ) {
      const end = this.nextBusy(bit);
      this.free += end - bit;
      this.fragments++;
      bit = this.nextFree(end);
    }
  }

  isFree(bit: number): boolean {
    return (this.#busy[bit >> 3]! & (1 << (bit & 7))) === 0;
  }

  /** First free bit at or after `bit`; `limit` for none. */
  nextFree(bit: number): number {
    let at = bit;
    while (at < this.limit && !this.isFree(at)) at += (at & 7) === 0 && this.#busy[at >> 3] === 0xff ? 8 : 1;
    return Math.min(at, this.limit);
  }

  /** First busy bit at or after `bit`; `limit` for none. */
  nextBusy(bit: number): number {
    let at = bit;
    while (at < this.limit && this.isFree(at)) at += (at & 7) === 0 && this.#busy[at >> 3] === 0 ? 8 : 1;
    return Math.min(at, this.limit);
  }

  /** Order of the buddy chunk that a free bit lies in. @source fs/ext4/mballoc.c mb_find_order_for_block */
  order(bit: number): number {
    let order = 0;
    while (order < this.#maxOrder) {
      const size = 2 << order;
      const start = bit - (bit % size);
      if (start + size > this.limit || this.nextBusy(start) < start + size) break;
      order++;
    }
    return order;
  }

  /**
   * The free extent at `bit`: whole buddy chunks until `needed` blocks are there.
   * @returns its length; 0 when the bit is in use
   * @source  fs/ext4/mballoc.c mb_find_extent
   */
  extentAt(bit: number, needed: number): number {
    if (!this.isFree(bit)) return 0;
    let order = this.order(bit);
    let length = 2 ** order - (bit % 2 ** order);
    let block = Math.floor(bit / 2 ** order);
    while (needed > length) {
      const next = (block + 1) * 2 ** order;
      if (next >= this.limit || !this.isFree(next)) break;
      order = this.order(next);
      block = Math.floor(next / 2 ** order);
      length += 2 ** order;
    }
    return length;
  }

  /** First chunk of at least this order, smallest order first. */
  chunkOfOrder(from: number): { start: number; order: number } | undefined {
    for (let order = from; order <= this.#maxOrder; order++) {
      for (let bit = this.nextFree(0); bit < this.limit; ) {
        const found = this.order(bit);
        if (found === order) return { start: bit, order };
        bit = this.nextFree(bit + 2 ** found);
      }
    }
    return undefined;
  }

  get largestOrder(): number {
    let largest = -1;
    for (let bit = this.nextFree(0); bit < this.limit; ) {
      const order = this.order(bit);
      largest = Math.max(largest, order);
      bit = this.nextFree(bit + 2 ** order);
    }
    return largest;
  }
}

// ---- the search

/** @source fs/ext4/mballoc.h struct ext4_allocation_context */
class Search {
  readonly #k: Kernel;
  readonly #data: boolean;
  readonly #goal: Chunk;
  readonly #goalLength: number;
  /** Group that the scan begins with. */
  readonly #scanFrom: number;
  #best: Chunk | null = null;
  #found = 0;
  #gaveUp = false;
  #result: Chunk | null = null;
  readonly #maps = new Map<number, FreeMap>();

  /** @param goal  its length is the normalised one */
  constructor(k: Kernel, goal: Chunk, data: boolean, scanFrom: number) {
    this.#k = k;
    this.#goal = goal;
    this.#goalLength = goal.length;
    this.#data = data;
    this.#scanFrom = scanFrom;
  }

  #map(group: number): FreeMap {
    let map = this.#maps.get(group);
    if (map === undefined) this.#maps.set(group, (map = new FreeMap(this.#k, group)));
    return map;
  }

  #use(chunk: Chunk): void {
    this.#result = { ...chunk, length: Math.min(chunk.length, this.#goalLength) };
  }

  /** @source fs/ext4/mballoc.c ext4_mb_regular_allocator */
  run(tryGoal: boolean): Chunk | null {
    if (tryGoal) this.#byGoal();
    if (this.#result !== null) return this.#result;
    const order = fls(this.#goalLength);
    const powerOf2 =
      order >= ORDER2_REQS &&
      order <= Math.log2(this.#k.blockSize) + 2 &&
      2 ** (order - 1) === this.#goalLength;
    for (const criterion of CRITERIA) {
      if (criterion === 'power2-aligned' && !powerOf2) continue;
      this.#scanGroups(criterion, order - 1);
      if (this.#result !== null || this.#gaveUp) break;
    }
    if (this.#result === null && this.#best !== null) {
      const { group, start, length } = this.#best;
      const found = this.#map(group).extentAt(start, length);
      if (found > 0) this.#use({ group, start, length: found });
    }
    return this.#result;
  }

  /** @source fs/ext4/mballoc.c ext4_mb_find_by_goal */
  #byGoal(): void {
    const { group, start } = this.#goal;
    const map = this.#map(group);
    if (map.free === 0 || start >= map.limit) return;
    const length = map.extentAt(start, this.#goalLength);
    if (length >= this.#goalLength) this.#use({ group, start, length });
  }

  /** @source fs/ext4/mballoc.c ext4_mb_scan_groups_linear, ext4_mb_good_group */
  #scanGroups(criterion: Criterion, order: number): void {
    const { groupCount } = this.#k.geo;
    for (let i = 0; i < groupCount; i++) {
      const map = this.#map((this.#scanFrom + i) % groupCount);
      if (!this.#isGood(map, criterion, order)) continue;
      if (criterion === 'power2-aligned') this.#scanByOrder(map, order);
      else this.#scanAll(map, criterion);
      if (this.#result !== null || this.#gaveUp) return;
    }
  }

  #isGood(map: FreeMap, criterion: Criterion, order: number): boolean {
    if (map.free === 0) return false;
    if (criterion !== 'any-free' && map.free < this.#goalLength) return false;
    switch (criterion) {
      case 'power2-aligned': {
        const { flexSize } = this.#k.geo;
        // The first group of a flex group is kept for metadata.
        if (this.#data && flexSize >= FLEX_SIZE_DIR_ALLOC && map.group % flexSize === 0) return false;
        return map.largestOrder >= order;
      }
      case 'goal-len-fast':
      case 'best-avail-len':
        return Math.floor(map.free / map.fragments) >= this.#goalLength;
      case 'goal-len-slow':
      case 'any-free':
        return true;
    }
  }

  /** @source fs/ext4/mballoc.c ext4_mb_simple_scan_group */
  #scanByOrder(map: FreeMap, order: number): void {
    const chunk = map.chunkOfOrder(order);
    if (chunk === undefined) return;
    this.#found++;
    this.#use({ group: map.group, start: chunk.start, length: 2 ** chunk.order });
  }

  /** @source fs/ext4/mballoc.c ext4_mb_complex_scan_group */
  #scanAll(map: FreeMap, criterion: Criterion): void {
    const picky = criterion === 'goal-len-fast' || criterion === 'best-avail-len';
    for (let bit = map.nextFree(0); bit < map.limit; bit = map.nextFree(bit)) {
      if (picky) {
        const end = map.nextBusy(bit);
        if (end - bit < this.#goalLength) {
          bit = end;
          continue;
        }
      }
      const length = map.extentAt(bit, this.#goalLength);
      this.#measure({ group: map.group, start: bit, length });
      if (this.#result !== null || this.#gaveUp) return;
      bit += length;
    }
    this.#checkLimits(true);
  }

  /** @source fs/ext4/mballoc.c ext4_mb_measure_extent */
  #measure(chunk: Chunk): void {
    this.#found++;
    const goal = this.#goalLength;
    if (chunk.length === goal) {
      this.#use(chunk);
      return;
    }
    if (this.#best === null) {
      this.#best = chunk;
      return;
    }
    if (this.#best.length < goal) {
      if (chunk.length > this.#best.length) this.#best = chunk;
    } else if (chunk.length > goal && chunk.length < this.#best.length) this.#best = chunk;
    this.#checkLimits(false);
  }

  /** @source fs/ext4/mballoc.c ext4_mb_check_limits */
  #checkLimits(groupIsDone: boolean): void {
    if (this.#result !== null) return;
    if (this.#found > MAX_TO_SCAN) {
      this.#gaveUp = true;
      return;
    }
    if (this.#best === null || this.#best.length < this.#goalLength) return;
    if (groupIsDone || this.#found > MIN_TO_SCAN) this.#use(this.#best);
  }
}

// ---- allocation

/** Does anybody have the file open for writing? @source fs/ext4/inode.c inode_is_open_for_write */
export function isOpenForWrite(k: Kernel, ino: number): boolean {
  return writers(k, ino) > 0;
}

/** Open file descriptions that may write, those that only a mapping keeps alive included: i_writecount. */
export function writers(k: Kernel, ino: number): number {
  const seen = new Set<number>();
  for (const task of k.world.firstKeys('file')) {
    for (const slot of k.world.secondKeys('file', task)) {
      const file = k.file(task, slot);
      if (file.open && file.ino === ino && !file.readonly) seen.add(file.id);
    }
  }
  for (const mm of k.world.firstKeys('vma')) {
    for (const slot of k.world.secondKeys('vma', mm)) {
      const vma = k.vma(mm, slot);
      if (vma.live && vma.ino === ino && vma.mayWrite) seen.add(vma.file);
    }
  }
  return seen.size;
}

/** How a request is served. @source fs/ext4/mballoc.c ext4_mb_group_or_file */
function policyOf(k: Kernel, ino: number, request: AllocRequest): 'none' | 'inode' | 'group' {
  if (!request.data) return 'none';
  const fileBlocks = Math.ceil(k.inode(ino).size / k.blockSize);
  const end = request.lblk + request.length;
  if (Math.max(end, fileBlocks) <= STREAM_REQUEST) return 'group';
  // Nobody writes the file any more: no room to keep for it.
  return end === fileBlocks && !isOpenForWrite(k, ino) ? 'none' : 'inode';
}

/**
 * Allocates a run for an inode: bitmap, counters and i_blocks.
 * @returns fewer blocks than asked when there is no such run; ENOSPC
 * @source  fs/ext4/mballoc.c ext4_mb_new_blocks
 */
export function newBlocks(k: Kernel, ino: number, asked: AllocRequest): Result<Run> {
  let { length } = asked;
  if (!asked.delallocReserved) {
    while (length > 0 && !hasFreeBlocks(k, length, asked.useReserved)) length >>= 1;
    if (length === 0) return err('ENOSPC');
  }
  const { firstDataBlock, blocksCount, blocksPerGroup } = k.geo;
  const request = {
    ...asked,
    length: Math.min(length, blocksPerGroup),
    goal: asked.goal < firstDataBlock || asked.goal >= blocksCount ? firstDataBlock : asked.goal,
  };
  const policy = policyOf(k, ino, request);
  const run = fromPrealloc(k, ino, request, policy) ?? fromGroups(k, ino, request, policy);
  if (run === null) return err('ENOSPC');
  markUsed(k, ino, run);
  return run;
}

/** One block of metadata near the inode: an xattr block, a directory block. */
export function newBlock(k: Kernel, ino: number, reserved: boolean): Result<number> {
  const run = newBlocks(k, ino, {
    goal: inodeToGoalBlock(k, ino),
    length: 1,
    lblk: 0,
    left: NONE,
    right: NONE,
    data: false,
    delallocReserved: reserved,
  });
  if (isErr(run)) return run;
  if (reserved) releaseSpace(k, ino, 1);
  return run.start;
}

/**
 * Where the blocks of an inode begin. The colour by process id that the kernel adds without delayed allocation is
 * zero for every task here.
 * @source fs/ext4/balloc.c ext4_inode_to_goal_block
 */
export function inodeToGoalBlock(k: Kernel, ino: number): number {
  let group = groupOfInode(k.geo, ino);
  const { flexSize } = k.geo;
  if (flexSize >= FLEX_SIZE_DIR_ALLOC) {
    group -= group % flexSize;
    if (isReg(k.inode(ino).mode)) group++;
  }
  return groupFirstBlock(k.geo, group);
}

/** @source fs/ext4/mballoc.c ext4_mb_use_preallocated */
function fromPrealloc(k: Kernel, ino: number, request: AllocRequest, policy: string): Run | null {
  if (!request.data) return null;
  const inode = k.inode(ino);
  const own = inode.prealloc?.find((pa) => request.lblk >= pa.lblk && request.lblk < pa.lblk + pa.length);
  if (own !== undefined) return fromInodePrealloc(k, ino, own, request);
  if (policy !== 'group') return null;
  let nearest: GroupPrealloc | null = null;
  const order = Math.min(fls(request.length), PREALLOC_ORDERS) - 1;
  for (const pa of k.sb.groupPrealloc ?? []) {
    if (orderOf(pa) < order || pa.length < request.length) continue;
    const nearer =
      nearest === null || Math.abs(request.goal - pa.pblk) < Math.abs(request.goal - nearest.pblk);
    if (nearer) nearest = pa;
  }
  if (nearest === null) return null;
  return fromGroupPrealloc(k, nearest, request.length);
}

const orderOf = (pa: GroupPrealloc): number => Math.min(fls(pa.length), PREALLOC_ORDERS) - 1;

/** @source fs/ext4/mballoc.c ext4_mb_use_inode_pa, ext4_mb_put_pa */
function fromInodePrealloc(k: Kernel, ino: number, pa: InodePrealloc, { lblk, length }: AllocRequest): Run {
  const inode = k.inode(ino);
  const start = pa.pblk + (lblk - pa.lblk);
  const taken = Math.min(pa.pblk + pa.length, start + length) - start;
  const others = (inode.prealloc ?? []).filter((each) => each !== pa);
  const left = pa.free - taken;
  const next = left > 0 ? [...others, { ...pa, free: left }] : others;
  inode.prealloc = nullIfEmpty(next.sort((a, b) => a.lblk - b.lblk));
  return { start, length: taken };
}

/** @source fs/ext4/mballoc.c ext4_mb_use_group_pa, ext4_mb_release_context, ext4_mb_add_n_trim */
function fromGroupPrealloc(k: Kernel, pa: GroupPrealloc, length: number): Run {
  const others = (k.sb.groupPrealloc ?? []).filter((each) => each !== pa);
  k.sb.groupPrealloc = nullIfEmpty(others);
  const rest = { pblk: pa.pblk + length, length: pa.length - length };
  if (rest.length > 0) addGroupPrealloc(k, rest);
  return { start: pa.pblk, length };
}

/** The list is in order of size; what is as long as another comes after it. */
function addGroupPrealloc(k: Kernel, pa: GroupPrealloc): void {
  const list = [...(k.sb.groupPrealloc ?? [])];
  const at = list.findIndex((each) => pa.length < each.length);
  list.splice(at < 0 ? list.length : at, 0, pa);
  const order = orderOf(pa);
  const alike = list.filter((each) => orderOf(each) === order);
  const drop =
    alike.length > PREALLOC_LIST_MAX
      ? alike.filter((each) => each !== pa).slice(0, alike.length - PREALLOC_LIST_KEEP)
      : [];
  k.sb.groupPrealloc = nullIfEmpty(list.filter((each) => !drop.includes(each)));
}

/** @source fs/ext4/mballoc.c ext4_mb_normalize_request, ext4_mb_regular_allocator, ext4_mb_new_preallocation */
function fromGroups(
  k: Kernel,
  ino: number,
  request: AllocRequest,
  policy: 'none' | 'inode' | 'group',
): Run | null {
  const wanted = normalize(k, ino, request, policy);
  const group = groupOfBlock(k.geo, wanted.goal);
  const start = wanted.goal - groupFirstBlock(k.geo, group);
  const scanFrom = policy === 'inode' ? k.sb.lastGroup : group;
  const search = (): Chunk | null =>
    new Search(k, { group, start, length: wanted.length }, request.data, scanFrom).run(wanted.tryGoal);
  let chunk = search();
  if (chunk === null && discardAllPreallocations(k)) chunk = search();
  if (chunk === null) return null;
  if (policy === 'inode') k.sb.lastGroup = chunk.group;
  const first = groupFirstBlock(k.geo, chunk.group) + chunk.start;
  if (chunk.length <= request.length) return { start: first, length: chunk.length };
  if (policy === 'group') {
    return fromGroupPrealloc(k, { pblk: first, length: chunk.length }, request.length);
  }
  const lblk = placeOf(request, wanted, chunk.length);
  return fromInodePrealloc(k, ino, { lblk, pblk: first, length: chunk.length, free: chunk.length }, request);
}

/** Where in the file a preallocation begins that is shorter than was wished. @source fs/ext4/mballoc.c ext4_mb_new_inode_pa */
function placeOf(request: AllocRequest, wanted: Normalized, length: number): number {
  if (length >= wanted.length) return wanted.lblk;
  const atEnd = wanted.lblk + wanted.length - length;
  if (request.lblk >= atEnd) return atEnd;
  if (request.lblk + request.length <= wanted.lblk + length) return wanted.lblk;
  return request.lblk;
}

interface Normalized {
  readonly goal: number;
  readonly lblk: number;
  readonly length: number;
  readonly tryGoal: boolean;
}

const KIB = 1024;
const MIB = 1024 * KIB;

/** @source fs/ext4/mballoc.c ext4_mb_normalize_request, ext4_mb_normalize_group_request */
function normalize(k: Kernel, ino: number, request: AllocRequest, policy: string): Normalized {
  const plain = {
    goal: request.goal,
    lblk: request.lblk,
    length: request.length,
    tryGoal: request.tryGoal ?? false,
  };
  if (!request.data || request.noPrealloc || policy === 'none') return plain;
  if (policy === 'group') return { ...plain, length: GROUP_PREALLOC };
  const bs = k.blockSize;
  const { blocksPerGroup, blocksCount, firstDataBlock } = k.geo;
  const bytes = Math.max((request.lblk + request.length) * bs, k.inode(ino).size);
  const maxChunk = 2 * bs;
  const at = request.lblk * bs;
  let startBytes = 0;
  let sizeBytes: number;
  const small = [16, 32, 64, 128, 256, 512, 1024].find((kib) => bytes <= kib * KIB);
  if (small !== undefined) sizeBytes = small * KIB;
  else if (bytes <= 4 * MIB || maxChunk <= 2 * KIB) {
    sizeBytes = 2 * MIB;
    startBytes = at - (at % sizeBytes);
  } else if (bytes <= 8 * MIB || maxChunk <= 4 * KIB) {
    sizeBytes = 4 * MIB;
    startBytes = at - (at % sizeBytes);
  } else if (request.length <= (8 * MIB) / bs || maxChunk <= 8 * KIB) {
    sizeBytes = 8 * MIB;
    startBytes = at - (at % sizeBytes);
  } else {
    startBytes = at;
    sizeBytes = request.length * bs;
  }
  let size = sizeBytes / bs;
  let start = Math.max(startBytes / bs, request.lblk - (request.lblk % blocksPerGroup));
  if (start + size > EXT_MAX_BLOCKS) size = EXT_MAX_BLOCKS - start;
  const { left, right } = request;
  if (left.pblk !== 0 && start <= left.lblk) {
    size -= left.lblk + 1 - start;
    start = left.lblk + 1;
  }
  if (right.pblk !== 0 && start + size - 1 >= right.lblk) size -= start + size - right.lblk;
  size = Math.min(size, blocksPerGroup);
  let end = start + size;
  for (const pa of k.inode(ino).prealloc ?? []) {
    if (pa.lblk <= request.lblk) start = Math.max(start, pa.lblk + pa.length);
    else end = Math.min(end, pa.lblk);
  }
  const length = end - start;
  let { goal, tryGoal } = plain;
  if (
    right.pblk !== 0 &&
    right.lblk === start + length &&
    right.pblk >= length &&
    right.pblk - length >= firstDataBlock
  ) {
    goal = right.pblk - length;
    tryGoal = true;
  }
  if (left.pblk !== 0 && left.lblk + 1 === start && left.pblk + 1 < blocksCount) {
    goal = left.pblk + 1;
    tryGoal = true;
  }
  return { goal, lblk: start, length, tryGoal };
}

/** @source fs/ext4/mballoc.c ext4_mb_mark_diskspace_used */
function markUsed(k: Kernel, ino: number, { start, length }: Run): void {
  const group = groupOfBlock(k.geo, start);
  const bits = readBlockBitmap(k, group, readDesc(k, group));
  changeBlocks(k, group, setBits(bits, start - groupFirstBlock(k.geo, group), length));
  addFreeBlocks(k, -length);
  k.inode(ino).blocks += (k.blockSize / 512) * length;
}

// ---- giving back

/** Takes an inode's preallocations away. @source fs/ext4/mballoc.c ext4_discard_preallocations */
export function discardPreallocations(k: Kernel, ino: number): void {
  k.inode(ino).prealloc = null;
}

/** Every preallocation goes, because there is no block without. @source fs/ext4/mballoc.c ext4_mb_discard_preallocations */
export function discardAllPreallocations(k: Kernel): boolean {
  let any = k.sb.groupPrealloc !== null;
  k.sb.groupPrealloc = null;
  for (const ino of k.inodesInCore()) {
    if (k.inode(ino).prealloc === null) continue;
    k.inode(ino).prealloc = null;
    any = true;
  }
  return any;
}

/**
 * Frees blocks of an inode. With a journal they are not given out again before the transaction is committed, except
 * for data under data=writeback.
 * @param metadata  EXT4_FREE_BLOCKS_METADATA and _FORGET: the blocks are read through the bdev cache
 * @source          fs/ext4/mballoc.c ext4_free_blocks; fs/ext4/extents.c get_default_free_blocks_flags
 */
export function freeBlocks(
  k: Kernel,
  ino: number,
  start: number,
  count: number,
  metadata: boolean = !isReg(k.inode(ino).mode),
): void {
  const { sb } = k;
  const revoked = shouldJournalData(k, ino) && k.mount.data !== 'journal';
  const deferred = k.hasJournal && (metadata || !shouldWritebackData(k, ino));
  for (let at = start; at < start + count; ) {
    const group = groupOfBlock(k.geo, at);
    const first = groupFirstBlock(k.geo, group);
    const length = Math.min(start + count, first + blocksInGroup(k.geo, group)) - at;
    for (let block = at; block < at + length; block++) {
      if (metadata) forgetBuffer(k, block);
      else if (revoked) revokeBlock(k, block);
    }
    const bits = readBlockBitmap(k, group, readDesc(k, group));
    changeBlocks(k, group, clearBits(bits, at - first, length));
    if (deferred) sb.freed = [...(sb.freed ?? []), [at, length] as const];
    addFreeBlocks(k, length);
    at += length;
  }
  k.inode(ino).blocks -= (k.blockSize / 512) * count;
}

const nullIfEmpty = <T>(list: readonly T[]): readonly T[] | null => (list.length === 0 ? null : list);
