/**
 * write_begin and write_end of ext4, with and without delayed allocation, and page_mkwrite: the address-space
 * operations of the current kernel, which designs take over or replace.
 *
 * write_begin leaves the folio locked, and on the inline path a handle open, for write_end. write_end decides again
 * from MAY_INLINE_DATA and INLINE_DATA: any flip in between is what docs/findings.md 9 to 11 are about.
 */

import { isMostlyPromised, nondaSwitch } from '../balloc/balloc.ts';
import { addOrderedInode, journalStop, stopHandle, tryJournalStart } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import type { VmaView, VmFault, WriteBegin } from '../hooks.ts';
import {
  convertInlineData,
  daWriteInlineDataBegin,
  type InlineBegin,
  orphanIfPast,
  tryToWriteInlineData,
  writeInlineDataEnd,
} from '../inline/ops.ts';
import { shouldJournalData } from '../inode/journalMode.ts';
import { fileModified, hasInlineData, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { folioLock, invalidateLock, lock, sbPagefaults, unlock } from '../locks/lock.ts';
import { modelGrow } from '../model.ts';
import {
  blockCommitWrite,
  blockPageMkwrite,
  blockWriteBegin,
  daGetBlockPrep,
  getBlockCreate,
  zeroNewBuffers,
} from '../pagecache/buffers.ts';
import {
  blocksOfPage,
  createEmptyBuffers,
  getFolioLocked,
  lockIfPresent,
  offsetIn,
  pageOf,
  unlockFolio,
} from '../pagecache/folio.ts';
import { journalFolioBuffers, journalledCommitWrite, journalledZeroNew } from '../pagecache/journalled.ts';
import { isThrottled, tryToWritebackInodesSb } from '../pagecache/throttle.ts';
import { pagecacheIsizeExtended, zeroPartialBlocks } from '../pagecache/zero.ts';
import { BH, TX_RUNNING } from '../state/tables.ts';
import type { Op, Request } from '../task.ts';
import { call, step } from '../task.ts';
import { filemapFlush, retryAlloc, WHOLE_FILE } from '../writeback/writepages.ts';
import { truncateFailedWrite } from './truncate.ts';

/** i_size and i_disksize up to `size`, and the model with them. Inside a step. @source fs/ext4/ext4.h ext4_update_inode_size */
export function updateInodeSize(k: Kernel, ino: number, size: number): boolean {
  const inode = k.inode(ino);
  const changed = size > inode.size || size > inode.disksize;
  inode.size = Math.max(inode.size, size);
  inode.disksize = Math.max(inode.disksize, size);
  modelGrow(k, ino, size);
  return changed;
}

/**
 * @returns ENOSPC, EIO, ENOMEM
 * @locks   see `WriteBegin`: folio locked on success; with a handle on the inline path
 * @source  fs/ext4/inode.c ext4_da_write_begin
 */
export function* daWriteBegin(k: Kernel, ino: number, pos: number, len: number): Op<Result<WriteBegin>> {
  const index = pageOf(pos);
  const { answer: fallBack, low } = yield* askNonda(
    k,
    'ext4_nonda_switch',
    (nonda) => nonda() || k.inode(ino).verityInProgress,
  );
  if (low) yield* waitForSpace(k);
  if (fallBack) return yield* nodelallocWriteBegin(k, ino, pos, len);
  let mode: WriteBegin['mode'] = 'plain';
  const may = yield* step(k, 'MAY_INLINE_DATA?', () => k.inode(ino).mayInline);
  if (may) {
    const begun = yield* beginInline(k, ino, 'ext4_da_write_inline_data_begin', () =>
      daWriteInlineDataBegin(k, ino, pos + len),
    );
    if (isErr(begun)) return begun;
    if (begun === 'inline') return { index: 0, mode: 'plain', inline: true };
    if (begun === 'converted') mode = 'convert';
  }
  const from = offsetIn(pos);
  for (let retries = 1; ; retries++) {
    const got = yield* call(k, '__filemap_get_folio', () => getFolioLocked(k, ino, index));
    if (isErr(got)) return got;
    const ready = yield* call(k, 'ext4_block_write_begin', () =>
      blockWriteBegin(k, ino, index, from, from + len, daGetBlockPrep, false),
    );
    if (!isErr(ready)) return { index, mode, inline: false };
    yield* unlockFolio(k, ino, index);
    yield* call(k, 'ext4_truncate_failed_write', () => truncateFailedWrite(k, ino, pos + len));
    if (!(yield* retryAlloc(k, ready, retries))) return ready;
  }
}

/**
 * A decision that may ask whether delayed allocation is too risky now. `low`: there is a flusher, space is short, and
 * the caller waits for it (`waitForSpace`); the answer is that of before.
 * @param decide  inside a step
 * @source fs/ext4/inode.c ext4_nonda_switch
 */
function askNonda<T>(
  k: Kernel,
  label: string,
  decide: (nonda: () => boolean) => T,
): Request<{ answer: T; low: boolean }> {
  return step(k, label, () => {
    let low = false;
    const answer = decide(() => {
      low = isThrottled(k) && isMostlyPromised(k);
      return nondaSwitch(k);
    });
    return { answer, low };
  });
}

function waitForSpace(k: Kernel): Request<void> {
  return call(k, 'try_to_writeback_inodes_sb', () => tryToWritebackInodesSb(k));
}

/**
 * An inline write_begin, again when its conversion met ENOSPC and a commit frees blocks.
 * @source fs/ext4/inline.c ext4_da_convert_inline_data_to_extent, ext4_convert_inline_data_to_extent: on error
 */
export function* beginInline(
  k: Kernel,
  ino: number,
  name: string,
  begin: () => Op<Result<InlineBegin>>,
): Op<Result<InlineBegin>> {
  for (let retries = 1; ; retries++) {
    const begun = yield* call(k, name, begin);
    if (!isErr(begun)) return begun;
    if (begun.errno === 'ENOSPC')
      yield* call(k, 'ext4_truncate_failed_write', () => truncateFailedWrite(k, ino, WHOLE_FILE));
    if (!(yield* retryAlloc(k, begun, retries))) return begun;
  }
}

/** @source fs/ext4/inode.c ext4_write_begin */
export function* writeBegin(k: Kernel, ino: number, pos: number, len: number): Op<Result<WriteBegin>> {
  return yield* nodelallocWriteBegin(k, ino, pos, len);
}

function* nodelallocWriteBegin(k: Kernel, ino: number, pos: number, len: number): Op<Result<WriteBegin>> {
  const index = pageOf(pos);
  const may = yield* step(k, 'MAY_INLINE_DATA?', () => k.inode(ino).mayInline);
  if (may) {
    const begun = yield* beginInline(k, ino, 'ext4_try_to_write_inline_data', () =>
      tryToWriteInlineData(k, ino, pos + len),
    );
    if (isErr(begun)) return begun;
    if (begun === 'inline') return { index: 0, mode: 'nodelalloc', inline: true };
  }
  const from = offsetIn(pos);
  let retries = 0;
  let again = false;
  for (;;) {
    if (!again) {
      const got = yield* call(k, '__filemap_get_folio', () => getFolioLocked(k, ino, index));
      if (isErr(got)) return got;
      yield* step(k, 'create_empty_buffers', () => createEmptyBuffers(k, ino, index));
      yield* unlockFolio(k, ino, index);
    }
    const started = yield* tryJournalStart(k);
    if (isErr(started)) return started;
    again = yield* lockIfPresent(k, ino, index);
    if (!again) {
      yield* journalStop(k);
      continue;
    }
    const ready = yield* call(k, 'ext4_block_write_begin', () =>
      blockWriteBegin(k, ino, index, from, from + len, getBlockCreate, false),
    );
    if (!isErr(ready)) return { index, mode: 'nodelalloc', inline: false };
    yield* unlockFolio(k, ino, index);
    yield* journalStop(k);
    yield* call(k, 'ext4_truncate_failed_write', () => truncateFailedWrite(k, ino, pos + len));
    retries++;
    if (!(yield* retryAlloc(k, ready, retries))) return ready;
  }
}

/** @source fs/ext4/inode.c ext4_da_write_end */
export function* daWriteEnd(
  k: Kernel,
  ino: number,
  pos: number,
  len: number,
  copied: number,
  begin: WriteBegin,
): Op<Result<number>> {
  if (begin.mode === 'nodelalloc') return yield* writeEnd(k, ino, pos, len, copied, begin);
  const inline = yield* step(
    k,
    'MAY_INLINE_DATA && has_inline_data?',
    () => begin.mode !== 'convert' && k.inode(ino).mayInline && hasInlineData(k, ino),
  );
  if (inline) return yield* inlineEnd(k, ino, pos, len, copied);
  return yield* call(k, 'ext4_da_do_write_end', () => daDoWriteEnd(k, ino, pos, len, copied, begin.index));
}

/**
 * The inline write_end, and what a short copy leaves past i_size cut off.
 * @param also  in the step that raises i_size
 * @source fs/ext4/inline.c ext4_write_inline_data_end
 */
export function* inlineEnd(
  k: Kernel,
  ino: number,
  pos: number,
  len: number,
  copied: number,
  also: () => void = () => {},
): Op<number> {
  const done = yield* call(k, 'ext4_write_inline_data_end', () =>
    writeInlineDataEnd(k, ino, pos, len, copied, (bytes) => {
      updateInodeSize(k, ino, pos + bytes);
      also();
    }),
  );
  if (done < len) yield* cutShortWrite(k, ino, pos + len);
  return done;
}

/** What a write_end with fewer bytes than write_begin made room for ends with. The caller holds i_rwsem. */
export function* cutShortWrite(k: Kernel, ino: number, end: number): Op<void> {
  yield* call(k, 'ext4_truncate_failed_write', () => truncateFailedWrite(k, ino, end));
}

/**
 * Inside a step: `block_write_end`. Fewer bytes than wanted on a folio that is not uptodate are none.
 * @returns bytes that are in the folio
 * @source  fs/buffer.c block_write_end; fs/ext4/inode.c ext4_journalled_write_end
 */
function blockWriteEnd(
  k: Kernel,
  ino: number,
  index: number,
  pos: number,
  len: number,
  wanted: number,
): number {
  const from = offsetIn(pos);
  let copied = wanted;
  const journalled = shouldJournalData(k, ino);
  if (copied < len) {
    if (!k.folio(ino, index).uptodate) copied = 0;
    (journalled ? journalledZeroNew : zeroNewBuffers)(k, ino, index, from + copied, from + len);
  }
  if (!journalled) blockCommitWrite(k, ino, index, from, from + copied);
  else {
    if (copied > 0) journalledCommitWrite(k, ino, index, from, from + copied);
    k.inode(ino).datasyncTx = TX_RUNNING;
  }
  return copied;
}

/**
 * A folio without buffers is EIO here, and a handle that write_begin left open stays open (docs/findings.md 11).
 * @source fs/ext4/inode.c ext4_da_do_write_end
 */
function* daDoWriteEnd(
  k: Kernel,
  ino: number,
  pos: number,
  len: number,
  wanted: number,
  index: number,
): Op<Result<number>> {
  const buffers = yield* step(k, 'folio_buffers?', () => k.folio(ino, index).buffers);
  if (!buffers) {
    yield* unlockFolio(k, ino, index);
    return err('EIO');
  }
  const { oldSize, diskChanged, copied, zeroGap } = yield* step(k, 'block_write_end; i_size_write', () => {
    const inode = k.inode(ino);
    const oldSize = inode.size;
    const copied = blockWriteEnd(k, ino, index, pos, len, wanted);
    const newSize = pos + copied;
    let diskChanged = false;
    if (newSize > oldSize) {
      inode.size = newSize;
      modelGrow(k, ino, newSize);
      const { state } = k.fbuf(ino, Math.floor((newSize - 1) / k.blockSize));
      if (copied > 0 && (state & BH.mapped) !== 0 && (state & (BH.delay | BH.unwritten)) === 0) {
        if (newSize > inode.disksize) inode.disksize = newSize;
        diskChanged = true;
      }
    }
    return { oldSize, diskChanged, copied, zeroGap: pos > oldSize && !k.hooks.zeroGapFirst(k) };
  });
  yield* unlockFolio(k, ino, index);
  if (pos > oldSize)
    yield* call(k, 'pagecache_isize_extended', () => pagecacheIsizeExtended(k, ino, oldSize, pos));
  if (!diskChanged && pos <= oldSize) return copied;
  const started = yield* tryJournalStart(k);
  if (isErr(started)) return started;
  if (zeroGap) yield* call(k, 'ext4_zero_partial_blocks', () => zeroPartialBlocks(k, ino, oldSize, pos));
  yield* step(k, 'ext4_mark_inode_dirty', () => markInodeDirty(k, ino));
  yield* journalStop(k);
  return copied;
}

/** @source fs/ext4/inode.c ext4_write_end, ext4_journalled_write_end */
export function* writeEnd(
  k: Kernel,
  ino: number,
  pos: number,
  len: number,
  wanted: number,
  begin: WriteBegin,
): Op<Result<number>> {
  const { index } = begin;
  const inline = yield* step(
    k,
    'has_inline_data && MAY_INLINE_DATA?',
    () => hasInlineData(k, ino) && k.inode(ino).mayInline,
  );
  if (inline) return yield* inlineEnd(k, ino, pos, len, wanted);
  const { oldSize, changed, copied, zeroGap } = yield* step(
    k,
    'block_write_end; ext4_update_inode_size',
    () => {
      const { size, verityInProgress } = k.inode(ino);
      const copied = blockWriteEnd(k, ino, index, pos, len, wanted);
      // Verity metadata lies behind i_size, and stays there.
      if (verityInProgress) return { oldSize: pos, changed: false, copied, zeroGap: false };
      const changed = updateInodeSize(k, ino, pos + copied);
      return { oldSize: size, changed, copied, zeroGap: pos > size && !k.hooks.zeroGapFirst(k) };
    },
  );
  yield* unlockFolio(k, ino, index);
  if (oldSize < pos)
    yield* call(k, 'pagecache_isize_extended', () => pagecacheIsizeExtended(k, ino, oldSize, pos));
  if (zeroGap) yield* call(k, 'ext4_zero_partial_blocks', () => zeroPartialBlocks(k, ino, oldSize, pos));
  if (copied < len) yield* orphanIfPast(k, ino, pos + len);
  yield* step(k, 'ext4_mark_inode_dirty; jbd2_journal_stop', () => {
    if (changed) markInodeDirty(k, ino);
    stopHandle(k);
  });
  if (copied < len) yield* cutShortWrite(k, ino, pos + len);
  return copied;
}

/** An errno of a fault handler as a fault. @source include/linux/mm_types.h vmf_fs_error */
export function faultOf(ret: Result<unknown>): VmFault {
  if (!isErr(ret)) return 'locked';
  // VM_FAULT_OOM: the program stores again.
  return ret.errno === 'EFAULT' || ret.errno === 'EAGAIN' || ret.errno === 'ENOMEM' ? 'nopage' : 'sigbus';
}

/** What a design does first in page_mkwrite, under sb_pagefaults and invalidate_lock shared. */
export type MkwritePrepare = (k: Kernel, ino: number) => Op<Result<void>>;

/**
 * page_mkwrite around what a design does about inline data.
 * @param prepare  e.g. `convertInlineData`; an error becomes a fault
 * @locks   sb_pagefaults ▸ invalidate_lock shared ▸ what `prepare` takes ▸ folio lock, held for 'locked'
 * @source  fs/ext4/inode.c ext4_page_mkwrite
 */
export function* pageMkwrite(k: Kernel, vma: VmaView, index: number, prepare: MkwritePrepare): Op<VmFault> {
  const { ino } = vma;
  yield* lock(k, sbPagefaults, 'shared');
  yield* fileModified(k, ino);
  yield* lock(k, invalidateLock(ino), 'shared');
  const prepared = yield* prepare(k, ino);
  const fault = isErr(prepared) ? faultOf(prepared) : yield* mkwriteBlocks(k, ino, index);
  yield* unlock(k, invalidateLock(ino));
  yield* unlock(k, sbPagefaults);
  return fault;
}

/** The block part of page_mkwrite. */
export function* mkwriteBlocks(k: Kernel, ino: number, index: number): Op<VmFault> {
  const { answer: way, low } = yield* askNonda(k, 'delalloc?', (nonda) => {
    if (shouldJournalData(k, ino)) return 'journalled';
    return k.mount.delalloc && !nonda() ? 'delalloc' : 'nodelalloc';
  });
  if (low) yield* waitForSpace(k);
  const delalloc = way === 'delalloc';
  if (way === 'nodelalloc') {
    const state = yield* allMapped(k, ino, index);
    if (state !== 'unmapped') return state === 'mapped' ? 'locked' : 'nopage';
  }
  for (let retries = 1; ; retries++) {
    if (!delalloc && isErr(yield* tryJournalStart(k))) return 'sigbus';
    const ret =
      way === 'journalled'
        ? yield* journalledMkwrite(k, ino, index)
        : yield* call(k, 'block_page_mkwrite', () =>
            blockPageMkwrite(k, ino, index, delalloc ? daGetBlockPrep : getBlockCreate, delalloc),
          );
    if (!delalloc) yield* journalStop(k);
    if (!(yield* retryAlloc(k, ret, retries))) return faultOf(ret);
  }
}

/**
 * The folio joins the running transaction with all its buffers, before a byte is stored to it.
 * @returns as `blockPageMkwrite`
 * @locks   handle held by the caller ▸ folio lock, held on success
 * @source  fs/ext4/inode.c ext4_page_mkwrite
 */
function* journalledMkwrite(k: Kernel, ino: number, index: number): Op<Result<void>> {
  if (!(yield* lockIfPresent(k, ino, index))) return err('EFAULT');
  const length = yield* step(k, 'page inside i_size?', () =>
    Math.min(PAGE_SIZE, k.inode(ino).size - index * PAGE_SIZE),
  );
  if (length < 0) {
    yield* unlockFolio(k, ino, index);
    return err('EFAULT');
  }
  const begun = yield* call(k, 'ext4_block_write_begin', () =>
    blockWriteBegin(k, ino, index, 0, length, getBlockCreate, false),
  );
  if (isErr(begun)) {
    yield* unlockFolio(k, ino, index);
    return begun;
  }
  yield* step(k, 'ext4_journal_folio_buffers', () => {
    journalFolioBuffers(k, ino, index, length);
    const pos = index * PAGE_SIZE;
    if (length > 0) addOrderedInode(k, ino, pos, pos + length - 1, true);
    k.inode(ino).datasyncTx = TX_RUNNING;
  });
}

/** Are all buffers inside i_size mapped? 'mapped' keeps the folio locked. */
function* allMapped(k: Kernel, ino: number, index: number): Op<'mapped' | 'unmapped' | 'gone'> {
  yield* lock(k, folioLock(ino, index));
  const state = yield* step(k, 'all buffers mapped?', () => {
    const { size } = k.inode(ino);
    const folio = k.folio(ino, index);
    // At i_size === folio_pos the folio that faulted has left the mapping, whatever stands there now.
    if (!folio.present || index * PAGE_SIZE >= size) return 'gone';
    const end = Math.min(PAGE_SIZE, size - index * PAGE_SIZE);
    if (!folio.buffers) return 'unmapped';
    const inside = blocksOfPage(k, index).slice(0, Math.ceil(end / k.blockSize));
    return inside.every((lblk) => (k.fbuf(ino, lblk).state & BH.mapped) !== 0) ? 'mapped' : 'unmapped';
  });
  if (state !== 'mapped') yield* unlockFolio(k, ino, index);
  return state;
}

/** `ext4_convert_inline_data` with filemap_flush for the pending state. */
export function* convert(k: Kernel, ino: number): Op<Result<void>> {
  return yield* call(k, 'ext4_convert_inline_data', () =>
    convertInlineData(k, ino, (i) => filemapFlush(k, i)),
  );
}
