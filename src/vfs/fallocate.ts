/**
 * fallocate(2): allocate and punch. Whatever the mode, an inline file is converted first.
 *
 * Not modelled: zero range, collapse, insert (a scenario that asks is refused when it is read).
 */

import { freeBlocks, newBlock } from '../balloc/balloc.ts';
import { lookupBlock, removeDelayed } from '../balloc/mapBlocks.ts';
import { journalStart, journalStop, updateFsyncTrans } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { hasFlag, iData, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { iDataSem, invalidateLock, iRwsem, lock, locked, sbWriters, unlock } from '../locks/lock.ts';
import { modelGrow, modelZero } from '../model.ts';
import { invalidateBuffers } from '../pagecache/buffers.ts';
import { lockIfPresent, removeFolio, unlockFolio, zeroFolio } from '../pagecache/folio.ts';
import { unmapFolio } from '../pagecache/rmap.ts';
import { pagecacheIsizeExtended, zeroPartialBlocks } from '../pagecache/zero.ts';
import type { Op } from '../task.ts';
import { call, step, waitFor } from '../task.ts';
import * as extent from '../volume/extent.ts';

export type FallocMode = 'allocate' | 'keep-size' | 'punch';

/**
 * @returns ENOSPC, EOPNOTSUPP, EINVAL
 * @locks   sb_writers shared ▸ i_rwsem ▸ (conversion) ▸ invalidate_lock exclusive for a punch ▸ handle
 * @source  fs/ext4/extents.c ext4_fallocate
 */
export function* fallocate(
  k: Kernel,
  ino: number,
  mode: FallocMode,
  offset: number,
  length: number,
): Op<Result<void>> {
  if (length <= 0) return err('EINVAL');
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, iRwsem(ino));
  let ret = yield* k.hooks.convert(k, ino);
  if (!isErr(ret)) {
    if (mode === 'punch') {
      yield* lock(k, invalidateLock(ino));
      ret = yield* call(k, 'ext4_punch_hole', () => punchHole(k, ino, offset, length));
      yield* unlock(k, invalidateLock(ino));
    } else {
      ret = yield* call(k, 'ext4_do_fallocate', () => allocate(k, ino, offset, length, mode === 'keep-size'));
    }
  }
  yield* unlock(k, iRwsem(ino));
  yield* unlock(k, sbWriters);
  return ret;
}

/** @source fs/ext4/extents.c ext4_do_fallocate, ext4_alloc_file_blocks */
function* allocate(
  k: Kernel,
  ino: number,
  offset: number,
  length: number,
  keepSize: boolean,
): Op<Result<void>> {
  const extents = yield* step(k, 'extents?', () => hasFlag(k, ino, 'extents'));
  if (!extents) return err('EOPNOTSUPP');
  yield* journalStart(k);
  const end = offset + length;
  const ret = yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_alloc_file_blocks', (): Result<void> => {
    const inode = k.inode(ino);
    for (let lblk = Math.floor(offset / k.blockSize); lblk < Math.ceil(end / k.blockSize); lblk++) {
      const found = lookupBlock(k, ino, lblk);
      if (isErr(found)) return found;
      if (found.state === 'mapped' || found.state === 'unwritten') continue;
      const delayed = found.state === 'delayed';
      if (delayed) inode.delayed = nullIfEmpty(inode.delayed!.filter((each) => each !== lblk));
      const block = newBlock(k, ino, delayed);
      if (isErr(block)) return block;
      const root = extent.insert(iData(k, ino), lblk, block, 1, true);
      if (root === 'full') {
        freeBlocks(k, ino, block, 1);
        return err('ENOSPC');
      }
      inode.iData = root;
    }
  });
  const oldSize = yield* step(k, 'ext4_update_inode_size', () => {
    const inode = k.inode(ino);
    const before = inode.size;
    if (!isErr(ret) && !keepSize) {
      inode.size = Math.max(inode.size, end);
      inode.disksize = Math.max(inode.disksize, end);
      modelGrow(k, ino, end);
    }
    return before;
  });
  if (!isErr(ret) && !keepSize && end > oldSize) {
    yield* call(k, 'pagecache_isize_extended', () => pagecacheIsizeExtended(k, ino, oldSize, end));
    yield* call(k, 'ext4_zero_partial_blocks', () => zeroPartialBlocks(k, ino, oldSize, end));
  }
  yield* step(k, 'ext4_mark_inode_dirty', () => {
    markInodeDirty(k, ino);
    updateFsyncTrans(k, ino, true);
  });
  yield* journalStop(k);
  return ret;
}

const nullIfEmpty = <T>(list: readonly T[]): readonly T[] | null => (list.length === 0 ? null : list);

/** @source fs/ext4/inode.c ext4_punch_hole */
function* punchHole(k: Kernel, ino: number, offset: number, length: number): Op<Result<void>> {
  const size = yield* step(k, 'i_size', () => k.inode(ino).size);
  if (offset >= size) return;
  const end = offset + length > size ? Math.ceil(size / PAGE_SIZE) * PAGE_SIZE : offset + length;
  const firstBlock = Math.ceil(offset / k.blockSize);
  const endBlock = Math.floor(end / k.blockSize);
  if (endBlock > firstBlock) {
    yield* call(k, 'truncate_pagecache_range', () =>
      dropRange(k, ino, firstBlock * k.blockSize, endBlock * k.blockSize),
    );
  }
  yield* journalStart(k);
  yield* call(k, 'ext4_zero_partial_blocks', () => zeroPartialBlocks(k, ino, offset, end));
  const ret = yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_ext_remove_space', (): Result<void> => {
    modelZero(k, ino, offset, Math.min(end, size));
    if (endBlock > firstBlock) {
      removeDelayed(k, ino, firstBlock, endBlock);
      const cut = extent.removeRange(iData(k, ino), firstBlock, endBlock);
      if (cut === 'full') return err('ENOSPC');
      k.inode(ino).iData = cut.root;
      for (const [start, count] of cut.freed) freeBlocks(k, ino, start, count);
    }
    markInodeDirty(k, ino);
    updateFsyncTrans(k, ino, true);
  });
  yield* journalStop(k);
  return ret;
}

/** Drops whole pages of a block-aligned range, zeros the rest of it. @source mm/truncate.c truncate_pagecache_range */
function* dropRange(k: Kernel, ino: number, from: number, to: number): Op<void> {
  const indexes = yield* step(k, 'find_lock_entries', () =>
    k
      .folioIndexes(ino)
      .filter((index) => (index + 1) * PAGE_SIZE > from && index * PAGE_SIZE < to)
      .join(','),
  );
  for (const index of indexes === '' ? [] : indexes.split(',').map(Number)) {
    if (!(yield* lockIfPresent(k, ino, index))) continue;
    yield* waitFor(
      k,
      'folio_wait_writeback',
      () => !k.folio(ino, index).writeback,
      () => {
        const start = Math.max(0, from - index * PAGE_SIZE);
        const end = Math.min(PAGE_SIZE, to - index * PAGE_SIZE);
        if (start === 0 && end === PAGE_SIZE) {
          unmapFolio(k, ino, index);
          removeFolio(k, ino, index);
          return;
        }
        zeroFolio(k, ino, index, start, end);
        invalidateBuffers(k, ino, index, start, end);
      },
    );
    yield* unlockFolio(k, ino, index);
  }
}
