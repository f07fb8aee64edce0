/**
 * Logical to physical: ext4_map_blocks and its delayed-allocation sibling, one block at a time.
 *
 *   lookup (i_data_sem shared) ─ mapped ─▶ done
 *            └ hole, create ─▶ i_data_sem exclusive: look again, allocate, insert the extent ─▶ done
 *
 * The extent-status tree is modelled only by its delayed extents (`inode.delayed`); written extents are always
 * looked up in the tree. Extent trees deeper than the root are read, not grown: a file that needs a fifth extent
 * gets ENOSPC here, and says so in the fidelity table.
 */
import { readBuffer } from '../device/buffer.ts';
import { addOrderedInode, updateFsyncTrans } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { isReg } from '../inode/layout.ts';
import { hasFlag, hasInlineData, iData, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { iDataSem, locked } from '../locks/lock.ts';
import type { Op } from '../task.ts';
import * as extent from '../volume/extent.ts';
import { freeBlocks, newBlock, releaseSpace, reserveSpace } from './balloc.ts';

/** Where a logical block is. `new`: it was allocated by this very call. */
export interface Mapping {
  readonly state: 'hole' | 'delayed' | 'mapped' | 'unwritten';
  readonly block: number;
  readonly isNew: boolean;
}

const HOLE: Mapping = Object.freeze({ state: 'hole', block: 0, isNew: false });
const DELAYED: Mapping = Object.freeze({ state: 'delayed', block: 0, isNew: false });
const DELAYED_NEW: Mapping = Object.freeze({ state: 'delayed', block: 0, isNew: true });

/** Mappings are values that ops remember: one object per content, so that a search can merge them. */
const interned = new Map<string, Mapping>();
const mapping = (state: Mapping['state'], block: number, isNew: boolean): Mapping => {
  const key = `${state} ${block} ${isNew}`;
  let value = interned.get(key);
  if (value === undefined) interned.set(key, (value = Object.freeze({ state, block, isNew })));
  return value;
};

/**
 * Looks a block up in the extent tree. Inside a step.
 * @returns EUCLEAN when i_block holds no extent tree
 * @source  fs/ext4/extents.c ext4_ext_map_blocks
 */
export function lookupBlock(k: Kernel, ino: number, lblk: number): Result<Mapping> {
  if (isDelayed(k, ino, lblk)) return DELAYED;
  if (!hasFlag(k, ino, 'extents')) return HOLE;
  const root = iData(k, ino);
  if (k.bugOn('extents-no-header', root.u16(0) !== 0xf30a)) return err('EUCLEAN');
  const found = extent.lookup(root, lblk, (block) => readBuffer(k, block));
  if (isErr(found)) return found;
  if (found.kind === 'hole') return HOLE;
  return mapping(found.unwritten ? 'unwritten' : 'mapped', found.pblk, false);
}

/** Is there a delayed extent over this block? Inside a step. */
export function isDelayed(k: Kernel, ino: number, lblk: number): boolean {
  return k.inode(ino).delayed?.includes(lblk) ?? false;
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

/** What to do about a hole. */
export interface CreateFlags {
  /** EXT4_GET_BLOCKS_CREATE. */
  readonly create: boolean;
  /** EXT4_GET_BLOCKS_UNWRIT_EXT / IO_CREATE_EXT: new blocks are unwritten. */
  readonly unwritten: boolean;
  /** EXT4_GET_BLOCKS_IO_SUBMIT: the data is about to be submitted, the commit need not write it. */
  readonly ioSubmit?: boolean;
}

/**
 * @returns a mapping; for `create`, ENOSPC
 * @locks   i_data_sem shared, then exclusive to allocate; a handle for `create`
 * @source  fs/ext4/inode.c ext4_map_blocks
 */
export function* mapBlocks(k: Kernel, ino: number, lblk: number, flags: CreateFlags): Op<Result<Mapping>> {
  const found = yield* locked(k, iDataSem(ino), 'shared', 'ext4_map_query_blocks', () =>
    lookupBlock(k, ino, lblk),
  );
  if (isErr(found) || !flags.create) return found;
  if (found.state === 'mapped' || (found.state === 'unwritten' && flags.unwritten)) return found;
  return yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_map_create_blocks', () =>
    createBlock(k, ino, lblk, flags),
  );
}

/** Inside a step, under i_data_sem exclusive: the second half of `mapBlocks`, and all of it for directories. */
export function createBlock(k: Kernel, ino: number, lblk: number, flags: CreateFlags): Result<Mapping> {
  const inode = k.inode(ino);
  const delayed = isDelayed(k, ino, lblk);
  if (delayed) inode.delayed = nullIfEmpty(inode.delayed!.filter((each) => each !== lblk));
  const known = lookupBlock(k, ino, lblk);
  if (isErr(known)) return known;
  if (known.state === 'mapped') {
    if (delayed) releaseSpace(k, ino, 1);
    return known;
  }
  if (known.state === 'unwritten') {
    if (delayed) releaseSpace(k, ino, 1);
    if (flags.unwritten) return known;
    const written = extent.markWritten(iData(k, ino), lblk, 1);
    if (written === 'full') return err('ENOSPC');
    inode.iData = written;
    markInodeDirty(k, ino);
    updateFsyncTrans(k, ino, true);
    return mapping('mapped', known.block, false);
  }
  if (!hasFlag(k, ino, 'extents')) return err('EUCLEAN');
  const block = newBlock(k, ino, delayed);
  if (isErr(block)) {
    if (delayed) addDelayed(k, ino, lblk);
    return block;
  }
  const root = extent.insert(iData(k, ino), lblk, block, 1, flags.unwritten);
  if (root === 'full') {
    freeBlocks(k, ino, block, 1);
    return err('ENOSPC');
  }
  inode.iData = root;
  markInodeDirty(k, ino);
  updateFsyncTrans(k, ino, !flags.unwritten);
  if (!flags.unwritten && isReg(inode.mode)) addOrderedInode(k, ino);
  return mapping(flags.unwritten ? 'unwritten' : 'mapped', block, true);
}

const nullIfEmpty = <T>(list: readonly T[]): readonly T[] | null => (list.length === 0 ? null : list);

/**
 * Finds a block or promises one: nothing is allocated.
 * @returns a mapping, `delayed` with `isNew` when it was reserved by this call; ENOSPC
 * @locks   i_data_sem shared, then exclusive
 * @source  fs/ext4/inode.c ext4_da_map_blocks, ext4_insert_delayed_blocks
 */
export function* daMapBlocks(k: Kernel, ino: number, lblk: number): Op<Result<Mapping>> {
  const query = (): Result<Mapping> => {
    if (isDelayed(k, ino, lblk)) return DELAYED;
    return hasInlineData(k, ino) ? HOLE : lookupBlock(k, ino, lblk);
  };
  const found = yield* locked(k, iDataSem(ino), 'shared', 'ext4_da_map_blocks: look', query);
  if (isErr(found) || found.state !== 'hole') return found;
  return yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_insert_delayed_blocks', (): Result<Mapping> => {
    const again = query();
    if (isErr(again) || again.state !== 'hole') return again;
    const reserved = reserveSpace(k, ino, 1);
    if (isErr(reserved)) return reserved;
    addDelayed(k, ino, lblk);
    return DELAYED_NEW;
  });
}

/**
 * Frees every block from `lblk` on. Inside a step, under i_data_sem exclusive.
 * @source fs/ext4/extents.c ext4_ext_truncate
 */
export function truncateExtents(k: Kernel, ino: number, lblk: number): void {
  removeDelayed(k, ino, lblk, Number.POSITIVE_INFINITY);
  const { root, freed } = extent.removeFrom(iData(k, ino), lblk);
  k.inode(ino).iData = root;
  for (const [start, count] of freed) freeBlocks(k, ino, start, count);
  markInodeDirty(k, ino);
}
