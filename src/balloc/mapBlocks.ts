/**
 * Logical to physical: ext4_map_blocks and its delayed-allocation sibling.
 *
 *   lookup (i_data_sem shared) ─ mapped ─▶ done
 *            └ hole, create ─▶ i_data_sem exclusive: look again, allocate, insert the extent ─▶ done
 *
 * A call maps a run: as many blocks as are alike and lie together, the asked number at most.
 *
 * Files from ext3 are read, cut and deleted; their block maps do not grow (EOPNOTSUPP).
 *
 * The extent-status tree is modelled by its delayed extents (`inode.delayed`) and by the end of a hole that it knows
 * only a part of (`inode.holeEnd`); written extents are always looked up in the tree.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { readBuffer, setBuffer } from '../device/buffer.ts';
import { addOrderedInode, dirtyMetadata, getWriteAccess, updateFsyncTrans } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { shouldOrderData } from '../inode/journalMode.ts';
import { isDir, isLnk, isReg } from '../inode/layout.ts';
import { hasFlag, hasInlineData, iData, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { iDataSem, locked } from '../locks/lock.ts';
import type { Op } from '../task.ts';
import { cutBlockMap, lookupBlockMap } from '../volume/blockMap.ts';
import * as extent from '../volume/extent.ts';
import { releaseSpace, reserveSpace } from './balloc.ts';
import { ExtentTree } from './extents.ts';
import { discardPreallocations, freeBlocks, isOpenForWrite, newBlocks } from './mballoc.ts';

/** Where a run of logical blocks is. `isNew`: allocated, or made writable, by this very call. */
export interface Mapping {
  readonly state: 'hole' | 'delayed' | 'mapped' | 'unwritten';
  readonly block: number;
  readonly isNew: boolean;
  /** Blocks. */
  readonly length: number;
}

/** Mappings are values that ops remember: one object per content, so that a search can merge them. */
const interned = new Map<string, Mapping>();
const mapping = (state: Mapping['state'], block: number, isNew: boolean, length: number): Mapping => {
  const key = `${state} ${block} ${isNew} ${length}`;
  let value = interned.get(key);
  if (value === undefined) interned.set(key, (value = Object.freeze({ state, block, isNew, length })));
  return value;
};

/**
 * Looks a run of blocks up in the extent tree. Inside a step.
 * @param length  at most this many
 * @returns       EUCLEAN when i_block holds no extent tree
 * @source        fs/ext4/extents.c ext4_ext_map_blocks
 */
export function lookupBlock(k: Kernel, ino: number, lblk: number, length = 1): Result<Mapping> {
  if (isDelayed(k, ino, lblk)) return mapping('delayed', 0, false, delayedRun(k, ino, lblk, length));
  const hole = mapping('hole', 0, false, length);
  const root = iData(k, ino);
  if (!hasFlag(k, ino, 'extents')) return hasInlineData(k, ino) ? hole : lookupMap(k, root, lblk, length);
  if (k.bugOn('extents-no-header', root.u16(0) !== 0xf30a)) return err('EUCLEAN');
  const found = extent.lookup(root, lblk, (block) => readBuffer(k, block));
  if (isErr(found)) return found;
  if (found.kind === 'hole') {
    const { delayed, holeEnd } = k.inode(ino);
    const nextDelayed = delayed?.find((each) => each > lblk) ?? Number.POSITIVE_INFINITY;
    const known = holeEnd > lblk ? holeEnd : Number.POSITIVE_INFINITY;
    return mapping('hole', 0, false, Math.min(length, found.length, nextDelayed - lblk, known - lblk));
  }
  const state = found.unwritten ? 'unwritten' : 'mapped';
  return mapping(state, found.pblk, false, Math.min(length, found.length));
}

/** A run of blocks of a file from ext3. @source fs/ext4/indirect.c ext4_ind_map_blocks */
function lookupMap(k: Kernel, root: Bytes, lblk: number, most: number): Mapping {
  const at = (nr: number) => lookupBlockMap(root, nr, k.blockSize, (block) => readBuffer(k, block));
  const start = at(lblk);
  let length = 1;
  while (length < most && at(lblk + length) === (start === 0 ? 0 : start + length)) length++;
  return start === 0 ? mapping('hole', 0, false, length) : mapping('mapped', start, false, length);
}

/** Is there a delayed extent over this block? Inside a step. */
export function isDelayed(k: Kernel, ino: number, lblk: number): boolean {
  return k.inode(ino).delayed?.includes(lblk) ?? false;
}

function delayedRun(k: Kernel, ino: number, lblk: number, most: number): number {
  let length = 1;
  while (length < most && isDelayed(k, ino, lblk + length)) length++;
  return length;
}

/** Inside a step. @source fs/ext4/extents_status.c ext4_es_insert_delayed_extent */
function addDelayed(k: Kernel, ino: number, lblk: number): void {
  const list = [...(k.inode(ino).delayed ?? []), lblk].sort((a, b) => a - b);
  k.inode(ino).delayed = list;
}

/** Drops delayed extents in [from, to) and gives their reservation back. @source ext4_es_remove_extent */
export function removeDelayed(k: Kernel, ino: number, from: number, to: number): void {
  const inode = k.inode(ino);
  const list = inode.delayed ?? [];
  const keep = list.filter((lblk) => lblk < from || lblk >= to);
  if (keep.length === list.length) return;
  inode.delayed = keep.length === 0 ? null : keep;
  releaseSpace(k, ino, list.length - keep.length);
}

/** What to do about a hole, and about unwritten blocks. @source fs/ext4/ext4.h EXT4_GET_BLOCKS_… */
export interface CreateFlags {
  /** CREATE. */
  readonly create: boolean;
  /** UNWRIT_EXT: new blocks are unwritten, and unwritten ones stay so. */
  readonly unwritten: boolean;
  /** PRE_IO: blocks for data that is about to be written; the end of the I/O makes them written. */
  readonly preIo?: boolean;
  /** CONVERT: the end of that I/O. */
  readonly convert?: boolean;
  /** CONVERT_UNWRITTEN: written blocks become unwritten. */
  readonly convertUnwritten?: boolean;
  /** NO_NORMALIZE: exactly what is asked, no preallocation. */
  readonly noNormalize?: boolean;
  /** METADATA_NOFAIL: may dip into the reserve. */
  readonly nofail?: boolean;
  /** IO_SUBMIT: the data is about to be submitted, the commit need not write it. */
  readonly ioSubmit?: boolean;
}

/**
 * @param length  blocks; the mapping may be shorter
 * @returns       a mapping; for `create`, ENOSPC, ENOMEM
 * @locks   i_data_sem shared, then exclusive to allocate; a handle for `create`
 * @source  fs/ext4/inode.c ext4_map_blocks
 */
export function* mapBlocks(
  k: Kernel,
  ino: number,
  lblk: number,
  flags: CreateFlags,
  length = 1,
): Op<Result<Mapping>> {
  const found = yield* locked(k, iDataSem(ino), 'shared', 'ext4_map_query_blocks', () => {
    const answer = lookupBlock(k, ino, lblk, length);
    const inode = k.inode(ino);
    // A lookup past what is known learns the whole hole.
    if (!isErr(answer) && answer.state === 'hole' && inode.holeEnd <= lblk) inode.holeEnd = 0;
    return answer;
  });
  if (isErr(found) || !flags.create) return found;
  if (found.state === 'mapped' && !flags.convertUnwritten) return found;
  return yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_map_create_blocks', () =>
    // ext4_find_extent allocates the path; writeback would only try again.
    !flags.nofail && k.allocFails() ? err('ENOMEM') : createBlock(k, ino, lblk, flags, found.length),
  );
}

/** Inside a step, under i_data_sem exclusive: the second half of `mapBlocks`, and all of it for directories. */
export function createBlock(
  k: Kernel,
  ino: number,
  lblk: number,
  flags: CreateFlags,
  length = 1,
): Result<Mapping> {
  if (!hasFlag(k, ino, 'extents')) return err('EOPNOTSUPP');
  const tree = new ExtentTree(k, ino);
  const e = tree.lookup(lblk);
  const mapped =
    e === undefined
      ? allocate(k, ino, tree, lblk, length, flags)
      : convert(k, ino, tree, e, lblk, length, flags);
  tree.flush();
  if (isErr(mapped)) return mapped;
  dropDelayed(k, ino, lblk, lblk + mapped.length);
  const ordered = mapped.state === 'mapped' && mapped.isNew && shouldOrderData(k, ino);
  if (ordered) {
    const start = lblk * k.blockSize;
    addOrderedInode(k, ino, start, start + mapped.length * k.blockSize - 1, !flags.ioSubmit);
  }
  return mapped;
}

/** New blocks for a hole. @source fs/ext4/extents.c ext4_ext_map_blocks */
function allocate(
  k: Kernel,
  ino: number,
  tree: ExtentTree,
  lblk: number,
  length: number,
  flags: CreateFlags,
): Result<Mapping> {
  const { left, right } = tree.neighbours(lblk);
  const reserved = isDelayed(k, ino, lblk);
  const most = flags.unwritten ? extent.UNWRITTEN_MAX_LEN : extent.WRITTEN_MAX_LEN;
  const room = right === undefined ? length : Math.min(length, right.lblk - lblk);
  const none = { lblk, pblk: 0 };
  const nofail = flags.nofail ?? false;
  const run = newBlocks(k, ino, {
    goal: tree.goal(lblk),
    length: Math.min(room, most),
    lblk,
    left:
      left === undefined ? none : { lblk: left.lblk + left.length - 1, pblk: left.pblk + left.length - 1 },
    right: right === undefined ? none : { lblk: right.lblk, pblk: right.pblk },
    data: isReg(k.inode(ino).mode),
    noPrealloc: flags.noNormalize ?? false,
    delallocReserved: reserved,
    useReserved: nofail,
  });
  if (isErr(run)) return run;
  const { unwritten } = flags;
  const inserted = tree.insert(
    { lblk, pblk: run.start, length: run.length, unwritten },
    { preIo: flags.preIo ?? false, nofail, reserved },
  );
  if (isErr(inserted)) {
    discardPreallocations(k, ino);
    freeBlocks(k, ino, run.start, run.length);
    return inserted;
  }
  updateFsyncTrans(k, ino, !unwritten);
  return mapping(unwritten ? 'unwritten' : 'mapped', run.start, true, run.length);
}

/** What becomes of blocks that are there. @source fs/ext4/extents.c ext4_ext_handle_unwritten_extents */
function convert(
  k: Kernel,
  ino: number,
  tree: ExtentTree,
  e: extent.Extent,
  lblk: number,
  asked: number,
  flags: CreateFlags,
): Result<Mapping> {
  const block = e.pblk + lblk - e.lblk;
  const length = Math.min(asked, e.lblk + e.length - lblk);
  const treeFlags = { nofail: true };
  if (!e.unwritten) {
    if (!flags.convertUnwritten) return mapping('mapped', block, false, length);
    const done = tree.convertToUnwritten(lblk, length, treeFlags);
    if (isErr(done)) return done;
    updateFsyncTrans(k, ino, true);
    return mapping('unwritten', block, false, Math.min(length, done));
  }
  if (flags.preIo) {
    const done = tree.splitUnwritten(lblk, length, treeFlags);
    return isErr(done) ? done : mapping('unwritten', block, true, Math.min(length, done));
  }
  if (flags.convert) {
    const done = tree.convertEndio(lblk, length);
    if (isErr(done)) return done;
    updateFsyncTrans(k, ino, true);
    return mapping('mapped', block, false, Math.min(length, done));
  }
  if (flags.unwritten) return mapping('unwritten', block, false, length);
  const done = tree.convertToInitialized(lblk, length, treeFlags);
  if (isErr(done)) return done;
  updateFsyncTrans(k, ino, true);
  return mapping('mapped', block, true, Math.min(length, done));
}

/** Blocks got a place: what was promised for them is kept. @source fs/ext4/inode.c ext4_da_update_reserve_space */
function dropDelayed(k: Kernel, ino: number, from: number, to: number): void {
  const inode = k.inode(ino);
  const before = inode.reserved;
  removeDelayed(k, ino, from, to);
  if (inode.reserved !== before && inode.reserved === 0 && !isOpenForWrite(k, ino))
    discardPreallocations(k, ino);
}

/**
 * Finds a block or promises one: nothing is allocated.
 * @returns a mapping, `delayed` with `isNew` when it was reserved by this call; ENOSPC
 * @locks   i_data_sem shared, then exclusive
 * @source  fs/ext4/inode.c ext4_da_map_blocks, ext4_insert_delayed_blocks
 */
export function* daMapBlocks(k: Kernel, ino: number, lblk: number): Op<Result<Mapping>> {
  const query = (): Result<Mapping> => {
    if (isDelayed(k, ino, lblk)) return mapping('delayed', 0, false, 1);
    return hasInlineData(k, ino) ? mapping('hole', 0, false, 1) : lookupBlock(k, ino, lblk);
  };
  const found = yield* locked(k, iDataSem(ino), 'shared', 'ext4_da_map_blocks: look', query);
  if (isErr(found) || found.state !== 'hole') return found;
  return yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_insert_delayed_blocks', (): Result<Mapping> => {
    const again = query();
    if (isErr(again) || again.state !== 'hole') return again;
    if (!hasFlag(k, ino, 'extents') && !hasInlineData(k, ino)) return err('EOPNOTSUPP');
    const reserved = reserveSpace(k, ino, 1);
    if (isErr(reserved)) return reserved;
    addDelayed(k, ino, lblk);
    return mapping('delayed', 0, true, 1);
  });
}

/**
 * Unmaps [from, to) and frees the blocks; truncation has no `to`. Inside a step, under i_data_sem exclusive.
 * @returns ENOSPC when the tree needs a block to be cut
 * @source  fs/ext4/extents.c ext4_ext_truncate, ext4_ext_remove_space
 */
export function removeSpace(
  k: Kernel,
  ino: number,
  from: number,
  to: number = extent.MAX_LBLK,
): Result<void> {
  discardPreallocations(k, ino);
  removeDelayed(k, ino, from, to >= extent.MAX_LBLK ? Number.POSITIVE_INFINITY : to);
  const tree = new ExtentTree(k, ino);
  const removed = tree.removeSpace(from, to);
  tree.flush();
  return removed;
}

/**
 * Frees every block from `lblk` on. Inside a step, under i_data_sem exclusive.
 * @source fs/ext4/extents.c ext4_ext_truncate
 */
export function truncateExtents(k: Kernel, ino: number, lblk: number): void {
  removeSpace(k, ino, lblk);
  const inode = k.inode(ino);
  inode.holeEnd = 0;
  if (inode.size % k.blockSize !== 0) {
    // Zeroing the tail of the last block looked it up.
    const last = lookupBlock(k, ino, lblk - 1);
    if (!isErr(last) && last.state === 'hole') inode.holeEnd = lblk;
  }
  markInodeDirty(k, ino);
}

/**
 * The same for a file from ext3.
 * @source fs/ext4/indirect.c ext4_ind_truncate
 */
export function truncateBlockMap(k: Kernel, ino: number, lblk: number): void {
  const { mode } = k.inode(ino);
  // ext4_can_truncate: i_block of a device is its number.
  if (!isReg(mode) && !isDir(mode) && !isLnk(mode)) return markInodeDirty(k, ino);
  const cut = cutBlockMap(iData(k, ino), lblk, k.blockSize, (block) => readBuffer(k, block));
  for (const [block, data] of cut.changed) {
    getWriteAccess(k, block);
    setBuffer(k, block, data);
    dirtyMetadata(k, block, ino);
  }
  for (const block of cut.freedData) freeBlocks(k, ino, block, 1);
  for (const block of cut.freedMap) freeBlocks(k, ino, block, 1, true);
  k.inode(ino).iData = cut.iBlock;
  markInodeDirty(k, ino);
}
