/**
 * fallocate(2): allocate, punch, zero, collapse, insert. Whatever the mode, an inline file is converted first, even
 * when the mode is refused afterwards.
 *
 *   allocate   unwritten blocks for holes                      zero    unwritten blocks for everything, edges zeroed
 *   punch      blocks freed, edges zeroed in the page cache    collapse, insert   whole blocks, what follows moves
 *
 * Locks: sb_writers shared ▸ i_rwsem ▸ (conversion) ▸ invalidate_lock exclusive for all but allocate ▸ handle.
 */
import { ExtentTree } from '../balloc/extents.ts';
import { lookupBlock, mapBlocks, removeDelayed, removeSpace } from '../balloc/mapBlocks.ts';
import { discardPreallocations } from '../balloc/mballoc.ts';
import { journalStart, journalStop, tryJournalStart, updateFsyncTrans } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { shouldJournalData } from '../inode/journalMode.ts';
import { isReg } from '../inode/layout.ts';
import { maxBytes } from '../inode/limits.ts';
import { fileModified, hasFlag, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { iDataSem, invalidateLock, iRwsem, lock, locked, sbWriters, unlock } from '../locks/lock.ts';
import { modelExtend, modelGrow, modelShift, modelZero } from '../model.ts';
import { truncatePagecache, truncatePagecacheRange } from '../pagecache/filemap.ts';
import {
  cleanFolioPtes,
  pagecacheIsizeExtended,
  zeroGapBefore,
  zeroPartialBlocks,
} from '../pagecache/zero.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { UNWRITTEN_MAX_LEN } from '../volume/extent.ts';
import {
  commit,
  completeTransaction,
  retryAlloc,
  WHOLE_FILE,
  writeAndWait,
} from '../writeback/writepages.ts';

export type FallocMode = 'allocate' | 'punch' | 'zero' | 'collapse' | 'insert';

export interface FallocRequest {
  readonly mode: FallocMode;
  /** FALLOC_FL_KEEP_SIZE, for allocate and zero. */
  readonly keepSize?: boolean;
  readonly offset: number;
  readonly length: number;
  /** The file was opened with O_SYNC. */
  readonly sync?: boolean;
}

/**
 * @returns ENOSPC, EOPNOTSUPP, EINVAL, EFBIG, EISDIR, ENODEV
 * @locks   see above
 * @source  fs/open.c vfs_fallocate; fs/ext4/extents.c ext4_fallocate
 */
export function* fallocate(k: Kernel, ino: number, request: FallocRequest): Op<Result<void>> {
  if (request.length <= 0) return err('EINVAL');
  if (request.offset + request.length > maxBytes(k)) return err('EFBIG');
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, iRwsem(ino));
  let ret = yield* k.hooks.convert(k, ino);
  if (!isErr(ret)) {
    yield* fileModified(k, ino, () => modelExtend(k, ino, request.offset + request.length));
    ret = yield* request.mode === 'allocate' ? doFallocate(k, ino, request) : dropping(k, ino, request);
  }
  yield* unlock(k, iRwsem(ino));
  yield* unlock(k, sbWriters);
  return ret;
}

/** The modes that drop page cache, under invalidate_lock. */
function* dropping(k: Kernel, ino: number, request: FallocRequest): Op<Result<void>> {
  const { mode, offset, length } = request;
  yield* lock(k, invalidateLock(ino));
  let ret: Result<void>;
  switch (mode) {
    case 'punch':
      ret = yield* call(k, 'ext4_punch_hole', () => punchHole(k, ino, offset, length));
      break;
    case 'zero':
      ret = yield* call(k, 'ext4_zero_range', () => zeroRange(k, ino, request));
      break;
    case 'collapse':
      ret = yield* call(k, 'ext4_collapse_range', () => collapseRange(k, ino, offset, length));
      break;
    default:
      ret = yield* call(k, 'ext4_insert_range', () => insertRange(k, ino, offset, length));
  }
  yield* unlock(k, invalidateLock(ino));
  return ret;
}

const isExtentFile = (k: Kernel, ino: number): boolean =>
  isReg(k.inode(ino).mode) && hasFlag(k, ino, 'extents');

/** The size that a request without KEEP_SIZE brings; 0: the size stays. Inside a step. */
function newSizeOf(k: Kernel, ino: number, { keepSize, offset, length }: FallocRequest): number {
  const { size, disksize } = k.inode(ino);
  const end = offset + length;
  return !keepSize && (end > size || end > disksize) ? end : 0;
}

/** @source fs/ext4/extents.c ext4_do_fallocate */
function* doFallocate(k: Kernel, ino: number, request: FallocRequest): Op<Result<void>> {
  const newSize = yield* step(k, 'ext4_do_fallocate', () =>
    isExtentFile(k, ino) ? newSizeOf(k, ino, request) : -1,
  );
  if (newSize < 0) return err('EOPNOTSUPP');
  const { offset, length } = request;
  const ret = yield* call(k, 'ext4_alloc_file_blocks', () =>
    allocFileBlocks(k, ino, offset, offset + length, newSize, false),
  );
  if (isErr(ret)) return ret;
  if (request.sync && k.hasJournal) {
    yield* call(k, 'ext4_fc_commit', () => completeTransaction(k, ino, false));
  }
  return undefined;
}

/**
 * Unwritten blocks under bytes [from, to), one handle a run.
 * @param newSize   i_size at the end; 0: it stays
 * @param unwritten what is written becomes unwritten
 * @returns ENOSPC
 * @source  fs/ext4/extents.c ext4_alloc_file_blocks
 */
function* allocFileBlocks(
  k: Kernel,
  ino: number,
  from: number,
  to: number,
  newSize: number,
  unwritten: boolean,
): Op<Result<void>> {
  const bs = k.blockSize;
  const end = Math.ceil(to / bs);
  const flags = {
    create: true,
    unwritten: true,
    convertUnwritten: unwritten,
    noNormalize: end - Math.floor(from / bs) <= UNWRITTEN_MAX_LEN,
  };
  const { oldSize, first } = yield* step(k, 'i_size_read', () => {
    const { size } = k.inode(ino);
    return { oldSize: size, first: newSize > size && k.hooks.zeroGapFirst(k) };
  });
  if (first) yield* zeroGapBefore(k, ino, oldSize, newSize);
  let lblk = Math.floor(from / bs);
  let retries = 0;
  while (lblk < end) {
    const at = lblk;
    const started = yield* tryJournalStart(k);
    if (isErr(started)) return started;
    const mapped = yield* call(k, 'ext4_map_blocks', () => mapBlocks(k, ino, at, flags, end - at));
    if (isErr(mapped)) {
      yield* step(k, 'ext4_mark_inode_dirty', () => markInodeDirty(k, ino));
      yield* journalStop(k);
      retries++;
      if (yield* retryAlloc(k, mapped, retries)) continue;
      return mapped;
    }
    retries = 0;
    lblk += mapped.length;
    if (newSize > 0) {
      const reached = Math.min(newSize, lblk * bs);
      yield* step(k, 'ext4_update_inode_size', () => {
        const inode = k.inode(ino);
        inode.size = Math.max(inode.size, reached);
        inode.disksize = Math.max(inode.disksize, reached);
        modelGrow(k, ino, reached);
      });
      if (reached > oldSize) {
        yield* call(k, 'pagecache_isize_extended', () => pagecacheIsizeExtended(k, ino, oldSize, reached));
        if (!first)
          yield* call(k, 'ext4_zero_partial_blocks', () => zeroPartialBlocks(k, ino, oldSize, reached));
      }
    }
    yield* step(k, 'ext4_mark_inode_dirty', () => {
      markInodeDirty(k, ino);
      updateFsyncTrans(k, ino, true);
    });
    yield* journalStop(k);
  }
}

/** What was written before the hole reaches the disk with it. @source fs/ext4/inode.c ext4_update_disksize_before_punch */
function* updateDisksizeBeforePunch(k: Kernel, ino: number, offset: number, length: number): Op<void> {
  const size = yield* step(k, 'i_disksize?', () => {
    const inode = k.inode(ino);
    if (offset > inode.size) return 0;
    const end = Math.min(inode.size, offset + length);
    return inode.disksize >= end ? 0 : end;
  });
  if (size === 0) return;
  yield* journalStart(k);
  yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_update_i_disksize', () => {
    const inode = k.inode(ino);
    inode.disksize = Math.max(inode.disksize, size);
  });
  yield* step(k, 'ext4_mark_inode_dirty', () => markInodeDirty(k, ino));
  yield* journalStop(k);
}

/**
 * Drops bytes [from, to) from the page cache; journalled data goes home first.
 * @returns EIO
 * @source  fs/ext4/inode.c ext4_truncate_page_cache_block_range
 */
function* truncatePageCacheBlockRange(k: Kernel, ino: number, from: number, to: number): Op<Result<void>> {
  const aligned = from % PAGE_SIZE === 0 && to % PAGE_SIZE === 0;
  const where = yield* step(k, 'i_size_read', () => {
    if (shouldJournalData(k, ino)) return 'journalled';
    return from < k.inode(ino).size ? 'inside' : 'outside';
  });
  const inside = where === 'inside';
  if (where === 'journalled') {
    const written = yield* call(k, 'filemap_write_and_wait_range', () => writeAndWait(k, ino, from, to));
    if (isErr(written)) return written;
  }
  if (!aligned && k.blockSize < PAGE_SIZE && inside) {
    const boundary = Math.ceil(from / PAGE_SIZE) * PAGE_SIZE;
    yield* call(k, 'ext4_truncate_folio', () => truncateFolio(k, ino, from, Math.min(boundary, to)));
    if (to > boundary) {
      const tail = Math.floor(to / PAGE_SIZE) * PAGE_SIZE;
      yield* call(k, 'ext4_truncate_folio', () => truncateFolio(k, ino, tail, to));
    }
  }
  yield* call(k, 'truncate_pagecache_range', () => truncatePagecacheRange(k, ino, from, to));
}

/** Blocks of a folio go: its page-table entries fault again. @source fs/ext4/inode.c ext4_truncate_folio */
function* truncateFolio(k: Kernel, ino: number, from: number, to: number): Op<void> {
  const bs = k.blockSize;
  if (Math.ceil(from / bs) >= Math.floor(to / bs)) return;
  yield* cleanFolioPtes(k, ino, Math.floor(from / PAGE_SIZE));
}

/** @source fs/ext4/inode.c ext4_punch_hole */
function* punchHole(k: Kernel, ino: number, offset: number, length: number): Op<Result<void>> {
  const bs = k.blockSize;
  const size = yield* step(k, 'i_size', () => k.inode(ino).size);
  if (offset >= size) return;
  const end = offset + length > size ? Math.ceil(size / PAGE_SIZE) * PAGE_SIZE : offset + length;
  yield* call(k, 'ext4_update_disksize_before_punch', () =>
    updateDisksizeBeforePunch(k, ino, offset, end - offset),
  );
  const cut = yield* call(k, 'ext4_truncate_page_cache_block_range', () =>
    truncatePageCacheBlockRange(k, ino, offset, end),
  );
  if (isErr(cut)) return cut;
  yield* journalStart(k);
  yield* call(k, 'ext4_zero_partial_blocks', () => zeroPartialBlocks(k, ino, offset, end));
  const first = Math.ceil(offset / bs);
  const past = Math.floor(end / bs);
  const ret = yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_ext_remove_space', (): Result<void> => {
    modelZero(k, ino, offset, Math.min(end, size));
    if (past <= first) return;
    return hasFlag(k, ino, 'extents') ? removeSpace(k, ino, first, past) : err('EOPNOTSUPP');
  });
  if (!isErr(ret)) {
    yield* step(k, 'ext4_mark_inode_dirty', () => {
      markInodeDirty(k, ino);
      updateFsyncTrans(k, ino, true);
    });
  }
  yield* journalStop(k);
  return ret;
}

/** @source fs/ext4/extents.c ext4_zero_range */
function* zeroRange(k: Kernel, ino: number, request: FallocRequest): Op<Result<void>> {
  const { offset, length } = request;
  const bs = k.blockSize;
  const end = offset + length;
  const newSize = yield* step(k, 'ext4_zero_range', () =>
    isExtentFile(k, ino) ? newSizeOf(k, ino, request) : -1,
  );
  if (newSize < 0) return err('EOPNOTSUPP');
  const ragged = offset % bs !== 0 || end % bs !== 0;
  if (ragged) {
    const edges = yield* call(k, 'ext4_alloc_file_blocks', () =>
      allocFileBlocks(k, ino, offset, end, newSize, false),
    );
    if (isErr(edges)) return edges;
  }
  yield* call(k, 'ext4_update_disksize_before_punch', () =>
    updateDisksizeBeforePunch(k, ino, offset, length),
  );
  const cut = yield* call(k, 'ext4_truncate_page_cache_block_range', () =>
    truncatePageCacheBlockRange(k, ino, offset, end),
  );
  if (isErr(cut)) return cut;
  yield* step(k, 'the range reads as zeros', () => modelZero(k, ino, offset, end));
  const first = Math.ceil(offset / bs);
  const past = Math.floor(end / bs);
  if (past > first) {
    const inner = yield* call(k, 'ext4_alloc_file_blocks', () =>
      allocFileBlocks(k, ino, first * bs, past * bs, newSize, true),
    );
    if (isErr(inner)) return inner;
  }
  if (!ragged) return;
  yield* journalStart(k);
  yield* call(k, 'ext4_zero_partial_blocks', () => zeroPartialBlocks(k, ino, offset, end));
  yield* step(k, 'ext4_update_inode_size; ext4_mark_inode_dirty', () => {
    const inode = k.inode(ino);
    inode.size = Math.max(inode.size, newSize);
    inode.disksize = Math.max(inode.disksize, newSize);
    modelGrow(k, ino, newSize);
    markInodeDirty(k, ino);
    updateFsyncTrans(k, ino, true);
  });
  yield* journalStop(k);
  if (request.sync) yield* call(k, 'ext4_handle_sync', () => commit(k));
}

/** Why a range cannot be cut out or put in; empty when it can. Inside a step. */
function shiftRefused(k: Kernel, ino: number, offset: number, length: number, mode: FallocMode): string {
  if (!isExtentFile(k, ino)) return 'EOPNOTSUPP';
  if (offset % k.blockSize !== 0 || length % k.blockSize !== 0) return 'EINVAL';
  const { size } = k.inode(ino);
  if (mode === 'collapse') return offset + length >= size ? 'EINVAL' : '';
  if (offset >= size) return 'EINVAL';
  return length > maxBytes(k) - size ? 'EFBIG' : '';
}

/** @source fs/ext4/extents.c ext4_collapse_range */
function* collapseRange(k: Kernel, ino: number, offset: number, length: number): Op<Result<void>> {
  const refused = yield* step(k, 'ext4_collapse_range', () =>
    shiftRefused(k, ino, offset, length, 'collapse'),
  );
  if (refused !== '') return err(refused as 'EINVAL' | 'EOPNOTSUPP');
  const end = offset + length;
  const start = Math.floor(offset / PAGE_SIZE) * PAGE_SIZE;
  let ret = yield* call(k, 'filemap_write_and_wait_range', () => writeAndWait(k, ino, start, offset + 1));
  if (!isErr(ret)) {
    ret = yield* call(k, 'filemap_write_and_wait_range', () => writeAndWait(k, ino, end, WHOLE_FILE));
  }
  if (isErr(ret)) return ret;
  yield* call(k, 'truncate_pagecache', () => truncatePagecache(k, ino, start));
  yield* journalStart(k);
  const first = offset / k.blockSize;
  const past = end / k.blockSize;
  const moved = yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_ext_shift_extents', (): Result<void> => {
    removeDelayed(k, ino, first, Number.POSITIVE_INFINITY);
    const removed = removeSpace(k, ino, first, past);
    if (isErr(removed)) return removed;
    const tree = new ExtentTree(k, ino);
    const shifted = tree.shift(past, first - past);
    tree.flush();
    if (isErr(shifted)) return shifted;
    const inode = k.inode(ino);
    inode.size -= length;
    inode.disksize = inode.size;
    modelShift(k, ino, offset, end, 'collapse');
  });
  if (!isErr(moved)) {
    yield* step(k, 'ext4_mark_inode_dirty', () => {
      markInodeDirty(k, ino);
      updateFsyncTrans(k, ino, true);
    });
  }
  yield* journalStop(k);
  return moved;
}

/** @source fs/ext4/extents.c ext4_insert_range */
function* insertRange(k: Kernel, ino: number, offset: number, length: number): Op<Result<void>> {
  const refused = yield* step(k, 'ext4_insert_range', () => shiftRefused(k, ino, offset, length, 'insert'));
  if (refused !== '') return err(refused as 'EINVAL' | 'EOPNOTSUPP' | 'EFBIG');
  const start = Math.floor(offset / PAGE_SIZE) * PAGE_SIZE;
  const written = yield* call(k, 'filemap_write_and_wait_range', () =>
    writeAndWait(k, ino, start, WHOLE_FILE),
  );
  if (isErr(written)) return written;
  yield* call(k, 'truncate_pagecache', () => truncatePagecache(k, ino, start));
  yield* journalStart(k);
  yield* step(k, 'ext4_mark_inode_dirty', () => {
    const inode = k.inode(ino);
    inode.size += length;
    inode.disksize += length;
    modelShift(k, ino, offset, offset + length, 'insert');
    markInodeDirty(k, ino);
  });
  const first = offset / k.blockSize;
  const moved = yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_ext_shift_extents', (): Result<void> => {
    discardPreallocations(k, ino);
    const tree = new ExtentTree(k, ino);
    const split = tree.splitBefore(first);
    if (isErr(split)) return split;
    removeDelayed(k, ino, first, Number.POSITIVE_INFINITY);
    const shifted = tree.shift(first, length / k.blockSize);
    tree.flush();
    // What the extent-status tree knew from there on is gone: a hole before it ends there now.
    const before = first > 0 ? lookupBlock(k, ino, first - 1) : null;
    if (before !== null && !isErr(before) && before.state === 'hole') k.inode(ino).holeEnd = first;
    return shifted;
  });
  if (!isErr(moved)) yield* step(k, 'ext4_update_inode_fsync_trans', () => updateFsyncTrans(k, ino, true));
  yield* journalStop(k);
  return moved;
}
