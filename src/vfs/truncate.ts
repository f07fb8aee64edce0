/**
 * truncate(2) and its helpers.
 *
 *   i_rwsem ▸ (grow past the inline bytes: convert) ▸ invalidate_lock exclusive ▸ handle: i_disksize, i_size
 *           ▸ truncate_pagecache ▸ ext4_truncate: inline cut, or extents
 *
 * A shrinking inode is on the orphan list from the handle that sets i_size to the one that has cut the last block.
 */
import { truncateBlockMap, truncateExtents } from '../balloc/mapBlocks.ts';
import { journalStart, journalStop, tryJournalStart } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { inlineDataTruncate } from '../inline/ops.ts';
import { mayJournalData, shouldJournalData, shouldOrderData } from '../inode/journalMode.ts';
import { isReg } from '../inode/layout.ts';
import { fileMaxBytes } from '../inode/limits.ts';
import { orphanAdd, orphanDel } from '../inode/orphan.ts';
import { hasFlag, hasInlineData, markInodeDirty, vfsMarkInodeDirty } from '../inode/update.ts';
import { type Kernel, PAGE_SIZE } from '../kernel.ts';
import { iDataSem, invalidateLock, iRwsem, lock, locked, sbWriters, unlock } from '../locks/lock.ts';
import { modelExtend, modelTruncate } from '../model.ts';
import { invalidateBuffers } from '../pagecache/buffers.ts';
import { truncateInodePages, truncatePagecache } from '../pagecache/filemap.ts';
import { blocksOfPage, lockIfPresent, unlockFolio } from '../pagecache/folio.ts';
import { blockZeroPageRange, pagecacheIsizeExtended, zeroTailBefore } from '../pagecache/zero.ts';
import { TX_COMMITTING } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, step, waitFor } from '../task.ts';
import { SYNC_ALL, WHOLE_FILE, waitWriteback, writepages } from '../writeback/writepages.ts';

/**
 * ftruncate(2).
 * @returns ENOSPC from a conversion, EINVAL, EFBIG
 * @locks   sb_writers shared ▸ i_rwsem ▸ …
 * @source  fs/open.c do_ftruncate; fs/attr.c notify_change; fs/ext4/inode.c ext4_setattr
 */
export function* ftruncate(k: Kernel, ino: number, size: number): Op<Result<void>> {
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, iRwsem(ino));
  const ret = yield* call(k, 'ext4_setattr', () => setattrSize(k, ino, size));
  yield* unlock(k, iRwsem(ino));
  yield* unlock(k, sbWriters);
  return ret;
}

function* setattrSize(k: Kernel, ino: number, size: number): Op<Result<void>> {
  const bad = yield* step(k, 'setattr_prepare', (): string => {
    if (!isReg(k.inode(ino).mode)) return 'EINVAL';
    return size > fileMaxBytes(k, ino) ? 'EFBIG' : '';
  });
  if (bad !== '') return err(bad as 'EINVAL' | 'EFBIG');
  const converted = yield* k.hooks.setattrSize(k, ino, size);
  if (isErr(converted)) return converted;
  const { oldSize, first } = yield* step(k, 'i_size', () => {
    modelExtend(k, ino, size);
    const { size: old } = k.inode(ino);
    return { oldSize: old, first: size > old && k.hooks.zeroGapFirst(k) };
  });
  const shrink = size < oldSize;
  if (shrink && k.hasJournal && k.mount.data === 'ordered') {
    // ext4_begin_ordered_truncate: data of the committing transaction past the new end goes out first.
    const ordered = yield* step(
      k,
      'jbd2_journal_begin_ordered_truncate',
      () => shouldOrderData(k, ino) && (k.inode(ino).orderedTx & TX_COMMITTING) !== 0,
    );
    if (ordered) {
      yield* call(k, 'ext4_writepages', () => writepages(k, ino, { ...SYNC_ALL, start: size }));
      yield* waitWriteback(k, ino);
    }
  }
  yield* lock(k, invalidateLock(ino));
  if (size !== oldSize) {
    const started = yield* tryJournalStart(k);
    if (isErr(started)) {
      yield* unlock(k, invalidateLock(ino));
      return started;
    }
    if (first) yield* zeroTailBefore(k, ino, oldSize, size);
    if (!shrink && oldSize % k.blockSize !== 0) {
      const length = k.blockSize - (oldSize % k.blockSize);
      yield* call(k, 'ext4_block_truncate_page', () => blockZeroPageRange(k, ino, oldSize, length));
    }
    yield* locked(k, iDataSem(ino), 'exclusive', 'i_disksize = i_size = new size', () => {
      const inode = k.inode(ino);
      if (shrink) orphanAdd(k, ino);
      inode.disksize = size;
      markInodeDirty(k, ino);
      inode.size = size;
      modelTruncate(k, ino, size);
    });
    yield* journalStop(k);
    if (!shrink)
      yield* call(k, 'pagecache_isize_extended', () => pagecacheIsizeExtended(k, ino, oldSize, size));
    else if (mayJournalData(k))
      yield* call(k, 'ext4_wait_for_tail_page_commit', () => waitForTailPageCommit(k, ino, size));
  }
  yield* call(k, 'truncate_pagecache', () => truncatePagecache(k, ino, size));
  let ret: Result<void> = undefined;
  if (size <= oldSize) ret = yield* call(k, 'ext4_truncate', () => truncate(k, ino));
  yield* unlock(k, invalidateLock(ino));
  if (!isErr(ret)) {
    yield* journalStart(k);
    yield* step(k, 'mark_inode_dirty', () => vfsMarkInodeDirty(k, ino));
    yield* journalStop(k);
  }
  return ret;
}

/**
 * Buffers past a new size that are being committed cannot leave a folio that stays: the commit is waited for.
 * @locks   folio lock
 * @source  fs/ext4/inode.c ext4_wait_for_tail_page_commit
 */
function* waitForTailPageCommit(k: Kernel, ino: number, size: number): Op<void> {
  const offset = size % PAGE_SIZE;
  if (offset === 0 || offset > PAGE_SIZE - k.blockSize) return;
  const index = Math.floor(size / PAGE_SIZE);
  for (;;) {
    const there = yield* step(
      k,
      'filemap_lock_folio',
      () => shouldJournalData(k, ino) && k.folio(ino, index).present,
    );
    if (!there || !(yield* lockIfPresent(k, ino, index))) return;
    const busy = yield* step(k, '__ext4_journalled_invalidate_folio', () => {
      const past = blocksOfPage(k, index).slice(Math.ceil(offset / k.blockSize));
      if (past.some((lblk) => (k.fbuf(ino, lblk).tx & TX_COMMITTING) !== 0)) return true;
      invalidateBuffers(k, ino, index, offset, PAGE_SIZE);
      return false;
    });
    yield* unlockFolio(k, ino, index);
    if (!busy) return;
    yield* waitFor(k, 'jbd2_log_wait_commit', () => !k.journal.committing);
  }
}

/**
 * Cuts blocks and inline bytes past i_size.
 * @locks   handle ▸ i_data_sem exclusive; i_rwsem and invalidate_lock held by the caller
 * @source  fs/ext4/inode.c ext4_truncate
 */
export function* truncate(k: Kernel, ino: number): Op<Result<void>> {
  const inline = yield* step(k, 'ext4_has_inline_data?', () => {
    if (k.inode(ino).size === 0 && k.mount.autoDaAlloc) k.inode(ino).daAllocClose = true;
    return hasInlineData(k, ino);
  });
  if (inline) {
    const cut = yield* call(k, 'ext4_inline_data_truncate', () => inlineDataTruncate(k, ino));
    if (isErr(cut)) return cut;
    if (cut) return;
  }
  const size = yield* step(k, 'i_size', () => k.inode(ino).size);
  const started = yield* tryJournalStart(k);
  if (isErr(started)) return started;
  if (size % k.blockSize !== 0) {
    const length = k.blockSize - (size % k.blockSize);
    yield* call(k, 'ext4_block_truncate_page', () => blockZeroPageRange(k, ino, size, length));
  }
  yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_ext_truncate', () => {
    const inode = k.inode(ino);
    inode.disksize = inode.size;
    const cut = hasFlag(k, ino, 'extents') ? truncateExtents : truncateBlockMap;
    cut(k, ino, Math.ceil(inode.size / k.blockSize));
    if (inode.nlink > 0) orphanDel(k, ino);
  });
  yield* journalStop(k);
}

/**
 * Takes back what a failed write instantiated past i_size.
 * @locks   invalidate_lock exclusive; i_rwsem held by the caller
 * @source  fs/ext4/truncate.h ext4_truncate_failed_write
 */
export function* truncateFailedWrite(k: Kernel, ino: number, end: number): Op<void> {
  const past = yield* step(k, 'wrote past i_size?', () => (end > k.inode(ino).size ? k.inode(ino).size : -1));
  if (past < 0) return;
  yield* lock(k, invalidateLock(ino));
  yield* call(k, 'truncate_inode_pages', () => truncateInodePages(k, ino, past, WHOLE_FILE));
  yield* call(k, 'ext4_truncate', () => truncate(k, ino));
  yield* unlock(k, invalidateLock(ino));
}
