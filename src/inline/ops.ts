/**
 * Inline data as ops: what fs/ext4/inline.c does under which locks. The bytes themselves are moved by `bytes.ts`.
 *
 * Locking strategy: xattr_sem guards the in-inode xattrs, `inlineOff`, `inlineSize` and the raw bytes; readers take
 * it shared. INLINE_DATA and MAY_INLINE_DATA change under it, yet are *read* without any lock almost everywhere:
 * that is what the races are made of. Order: handle ▸ folio lock ▸ xattr_sem ▸ i_data_sem.
 *
 * States: BLOCK (inline 0, may 0) · MAYBE (0, 1) · INLINE (1, 1) · PENDING (1, 0: a delayed block waits
 * for writepages to destroy the inline copy).
 */

import { mapBlocks } from '../balloc/mapBlocks.ts';
import { Bytes } from '../bytes/bytes.ts';
import { rawInode, setBuffer, setRawInode } from '../device/buffer.ts';
import {
  dirtyMetadata,
  getInodeWriteAccess,
  getWriteAccess,
  journalStop,
  tryJournalStart,
} from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { EMPTY_EXTENT_ROOT, I_BLOCK_SIZE } from '../inode/layout.ts';
import { orphanAdd, orphanDel } from '../inode/orphan.ts';
import { hasInlineData, markInodeDirty, setFlag, vfsMarkInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { holds, iDataSem, lock, locked, unlock, xattrSem } from '../locks/lock.ts';
import { blockCommitWrite, blockWriteBegin, daGetBlockPrep, getBlockCreate } from '../pagecache/buffers.ts';
import { folioData, getFolioLocked, markFolioDirty, setFolioData, unlockFolio } from '../pagecache/folio.ts';
import { BH } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { hasIbody } from '../xattr/ibody.ts';
import * as raw from './bytes.ts';

const placeOf = (k: Kernel, ino: number): raw.InlinePlace => {
  const { inlineOff, inlineSize } = k.inode(ino);
  return { inlineOff, inlineSize };
};

/** Inside a step. @source fs/ext4/inline.c ext4_get_max_inline_size */
export function maxInlineSize(k: Kernel, ino: number): number {
  return raw.maxInlineSize(rawInode(k, ino), k.inode(ino).inlineOff);
}

/** Inside a step: refreshes the place from the raw bytes. @source fs/ext4/inline.c ext4_find_inline_data_nolock */
export function findInlineDataNolock(k: Kernel, ino: number): Result<void> {
  const found = raw.findInlineData(rawInode(k, ino));
  if (found === 'corrupt') return err('EUCLEAN');
  if (found === undefined) return;
  const inode = k.inode(ino);
  inode.inlineOff = found.inlineOff;
  inode.inlineSize = found.inlineSize;
}

/** Inside a step, under xattr_sem: the first `length` inline bytes. @source fs/ext4/inline.c ext4_read_inline_data */
export function inlineBytes(k: Kernel, ino: number, length: number): Bytes {
  return raw.readInlineData(rawInode(k, ino), placeOf(k, ino), length);
}

/**
 * Inside a step: what changes inline data is often one step here, so that nobody could notice a lock that is not there.
 * Said as lockdep_assert_held_write would.
 */
export function assertXattrSem(k: Kernel, ino: number): void {
  k.warnOn('inline-write-unlocked', !holds(k, xattrSem(ino)));
}

/**
 * Inside a step, under xattr_sem exclusive, with a handle: lays `data[from..to)` over the file from `pos`.
 * @source fs/ext4/inline.c ext4_write_inline_data
 */
export function writeInlineData(
  k: Kernel,
  ino: number,
  pos: number,
  data: Bytes,
  from = 0,
  to: number = data.length,
): void {
  if (k.sb.shutdown) return;
  assertXattrSem(k, ino);
  const place = placeOf(k, ino);
  if (k.bugOn('write-inline-no-off', place.inlineOff === 0)) return;
  if (k.bugOn('write-inline-beyond', pos + to - from > place.inlineSize)) return;
  setRawInode(k, ino, raw.writeInlineData(rawInode(k, ino), place, pos, data, from, to));
}

/** Inside a step. @source fs/ext4/inline.c ext4_create_inline_data */
export function createInlineData(k: Kernel, ino: number, length: number): Result<void> {
  const inode = k.inode(ino);
  getInodeWriteAccess(k, ino);
  const made = raw.createInlineData(rawInode(k, ino), length);
  if (isErr(made)) {
    if (made.errno === 'ENOSPC') inode.mayInline = false;
    return made;
  }
  setRawInode(k, ino, made.raw);
  inode.xattr = true;
  inode.inlineOff = made.inlineOff;
  inode.inlineSize = made.inlineSize;
  setFlag(k, ino, 'extents', false);
  setFlag(k, ino, 'inlineData', true);
  markInodeDirty(k, ino);
}

/** Inside a step. @source fs/ext4/inline.c ext4_update_inline_data */
function updateInlineData(k: Kernel, ino: number, length: number): Result<void> {
  const inode = k.inode(ino);
  if (length <= inode.inlineSize) return;
  if (k.allocFails()) return err('ENOMEM');
  getInodeWriteAccess(k, ino);
  const grown = raw.updateInlineData(rawInode(k, ino), placeOf(k, ino), length);
  if (isErr(grown)) return grown;
  setRawInode(k, ino, grown.raw);
  inode.inlineOff = grown.inlineOff;
  inode.inlineSize = grown.inlineSize;
  inode.mayInline = true;
  markInodeDirty(k, ino);
}

/**
 * Makes room for `length` inline bytes.
 * @returns ENOSPC when they do not fit or the inode may not be inline
 * @locks   xattr_sem shared for the capacity, then exclusive; a handle
 * @source  fs/ext4/inline.c ext4_prepare_inline_data
 */
export function* prepareInlineData(k: Kernel, ino: number, length: number): Op<Result<void>> {
  const may = yield* step(k, 'MAY_INLINE_DATA?', () => k.inode(ino).mayInline);
  if (!may) return err('ENOSPC');
  const size = yield* locked(k, xattrSem(ino), 'shared', 'ext4_get_max_inline_size', () =>
    maxInlineSize(k, ino),
  );
  if (size < length) return err('ENOSPC');
  yield* lock(k, xattrSem(ino));
  const ret = yield* step(k, 'ext4_update_inline_data', () => {
    const found = findInlineDataNolock(k, ino);
    if (isErr(found)) return found;
    if (!k.hooks.stillInline(k, ino)) return err('ENOSPC');
    assertXattrSem(k, ino);
    return k.inode(ino).inlineOff !== 0 ? updateInlineData(k, ino, length) : createInlineData(k, ino, length);
  });
  yield* unlock(k, xattrSem(ino));
  return ret;
}

/**
 * Inside a step, under xattr_sem and i_data_sem exclusive, with a handle: takes the inline data out of the inode.
 * @source fs/ext4/inline.c ext4_destroy_inline_data_nolock
 */
export function destroyInlineData(k: Kernel, ino: number): void {
  const inode = k.inode(ino);
  if (inode.inlineOff === 0) return;
  getInodeWriteAccess(k, ino);
  const { extents } = k.geo;
  const next = raw.destroyInlineData(rawInode(k, ino), extents);
  setRawInode(k, ino, next);
  inode.xattr = hasIbody(next, k.geo.inodeSize);
  inode.iData = Bytes.zero(I_BLOCK_SIZE);
  if (extents) {
    setFlag(k, ino, 'extents', true);
    inode.iData = Bytes.zero(I_BLOCK_SIZE).splice(0, Uint8Array.from(EMPTY_EXTENT_ROOT));
  }
  setFlag(k, ino, 'inlineData', false);
  markInodeDirty(k, ino);
  inode.inlineOff = 0;
  inode.inlineSize = 0;
  inode.mayInline = false;
}

/** `ext4_destroy_inline_data_nolock` as a step: i_data_sem exclusive around it. The caller holds xattr_sem. */
export function destroyInlineDataNolock(k: Kernel, ino: number) {
  return locked(k, iDataSem(ino), 'exclusive', 'ext4_destroy_inline_data', () => {
    k.reach('ext4_destroy_inline_data');
    assertXattrSem(k, ino);
    destroyInlineData(k, ino);
  });
}

/**
 * @locks  xattr_sem exclusive ▸ i_data_sem exclusive; a handle
 * @source fs/ext4/inline.c ext4_destroy_inline_data
 */
export function* destroyInline(k: Kernel, ino: number): Op<void> {
  yield* lock(k, xattrSem(ino));
  yield* destroyInlineDataNolock(k, ino);
  yield* unlock(k, xattrSem(ino));
}

/** Inside a step, under xattr_sem and the folio lock. @source fs/ext4/inline.c ext4_read_inline_folio */
export function readInlineFolio(k: Kernel, ino: number, index: number): void {
  if (k.bugOn('read-inline-index', index !== 0)) return;
  const inode = k.inode(ino);
  const length = Math.min(inode.inlineSize, inode.size);
  setFolioData(k, ino, 0, Bytes.zero(PAGE_SIZE).splice(0, inlineBytes(k, ino, length)));
  k.folio(ino, 0).uptodate = true;
}

/** Inside a step: folio 0 from the inode, any other all zero (docs/findings.md 5). */
export function fillInlineFolio(k: Kernel, ino: number, index: number): void {
  if (index === 0) readInlineFolio(k, ino, 0);
  else if (!k.folio(ino, index).uptodate) {
    setFolioData(k, ino, index, Bytes.zero(PAGE_SIZE));
    k.folio(ino, index).uptodate = true;
  }
}

/**
 * The inline part of ->read_folio. The caller holds the folio lock and unlocks it.
 * @locks  xattr_sem shared
 * @source fs/ext4/inline.c ext4_readpage_inline
 */
export function* readpageInline(k: Kernel, ino: number, index: number): Op<Result<'done' | 'not-inline'>> {
  const inline = yield* step(k, 'ext4_has_inline_data?', () => hasInlineData(k, ino));
  if (!inline) return 'not-inline';
  return yield* locked(k, xattrSem(ino), 'shared', 'ext4_read_inline_folio', () => {
    if (!hasInlineData(k, ino)) return 'not-inline';
    k.hooks.fillInlineFolio(k, ino, index);
    return 'done';
  });
}

/** What the first half of an inline write decided. */
export type InlineBegin = 'inline' | 'blocks' | 'converted';

/**
 * write_begin for a file that may be inline, delayed allocation. `inline`: handle and folio 0 lock are held.
 * `converted`: the conversion is pending and write_end must not take the inline end.
 * @locks   handle, held for 'inline' ▸ folio 0, held for 'inline' ▸ xattr_sem shared
 * @source  fs/ext4/inline.c ext4_da_write_inline_data_begin
 */
export function* daWriteInlineDataBegin(k: Kernel, ino: number, end: number): Op<Result<InlineBegin>> {
  const started = yield* tryJournalStart(k);
  if (isErr(started)) return started;
  const prepared = yield* call(k, 'ext4_prepare_inline_data', () => prepareInlineData(k, ino, end));
  if (isErr(prepared)) {
    yield* journalStop(k);
    if (prepared.errno !== 'ENOSPC') return prepared;
    return yield* call(k, 'ext4_da_convert_inline_data_to_extent', () => daConvertInlineDataToExtent(k, ino));
  }
  return yield* grabInlineFolio(k, ino);
}

/** The common end of both inline write_begins: folio 0, filled. The caller has a handle; on 'blocks' it is stopped. */
function* grabInlineFolio(k: Kernel, ino: number): Op<Result<InlineBegin>> {
  const got = yield* call(k, '__filemap_get_folio', () => getFolioLocked(k, ino, 0));
  if (isErr(got)) {
    yield* journalStop(k);
    return got;
  }
  const still = yield* locked(k, xattrSem(ino), 'shared', 'ext4_read_inline_folio', () => {
    if (!hasInlineData(k, ino) || !k.hooks.stillInline(k, ino)) return false;
    if (!k.folio(ino, 0).uptodate) readInlineFolio(k, ino, 0);
    getInodeWriteAccess(k, ino);
    return true;
  });
  if (still) return 'inline';
  yield* unlockFolio(k, ino, 0);
  yield* journalStop(k);
  return 'blocks';
}

/**
 * INLINE → PENDING: folio 0 gets a delayed block and becomes dirty; the inode keeps its inline bytes until writepages.
 * MAYBE → BLOCK: nothing to move.
 * @locks   folio 0 ▸ xattr_sem *shared*
 * @source  fs/ext4/inline.c ext4_da_convert_inline_data_to_extent
 */
export function* daConvertInlineDataToExtent(k: Kernel, ino: number): Op<Result<InlineBegin>> {
  const got = yield* call(k, '__filemap_get_folio', () => getFolioLocked(k, ino, 0));
  if (isErr(got)) return got;
  yield* lock(k, xattrSem(ino), 'shared');
  const inlineSize = yield* step(k, 'ext4_has_inline_data?', () => {
    const inode = k.inode(ino);
    if (!hasInlineData(k, ino)) {
      inode.mayInline = false;
      return 0;
    }
    if (!k.folio(ino, 0).uptodate) readInlineFolio(k, ino, 0);
    return inode.inlineSize;
  });
  let ret: Result<InlineBegin> = 'blocks';
  if (inlineSize > 0) {
    const begun = yield* call(k, 'ext4_block_write_begin', () =>
      blockWriteBegin(k, ino, 0, 0, inlineSize, daGetBlockPrep, false),
    );
    if (isErr(begun)) ret = begun;
    else {
      yield* step(k, 'folio_mark_dirty; clear MAY_INLINE_DATA', () => {
        k.reach('pending');
        k.fbuf(ino, 0).state &= ~BH.new;
        markFolioDirty(k, ino, 0);
        k.folio(ino, 0).uptodate = true;
        k.inode(ino).mayInline = false;
      });
      ret = 'converted';
    }
  }
  yield* unlock(k, xattrSem(ino));
  yield* unlockFolio(k, ino, 0);
  return ret;
}

/**
 * write_begin for a file that may be inline, without delayed allocation.
 * @locks   as `daWriteInlineDataBegin`
 * @source  fs/ext4/inline.c ext4_try_to_write_inline_data
 */
export function* tryToWriteInlineData(k: Kernel, ino: number, end: number): Op<Result<InlineBegin>> {
  const fits = yield* locked(
    k,
    xattrSem(ino),
    'shared',
    'ext4_get_max_inline_size',
    () => end <= maxInlineSize(k, ino),
  );
  if (fits) {
    const started = yield* tryJournalStart(k);
    if (isErr(started)) return started;
    const prepared = yield* call(k, 'ext4_prepare_inline_data', () => prepareInlineData(k, ino, end));
    if (!isErr(prepared)) return yield* grabInlineFolio(k, ino);
    yield* journalStop(k);
    if (prepared.errno !== 'ENOSPC') return prepared;
  }
  const converted = yield* k.hooks.convertForWrite(k, ino);
  return isErr(converted) ? converted : 'blocks';
}

/**
 * INLINE → BLOCK through folio 0, in one handle: destroy, allocate, dirty. On ENOSPC the inline bytes are gone from
 * the inode and stay only in the clean folio (docs/findings.md 6).
 * @locks   handle ▸ folio 0 ▸ xattr_sem exclusive ▸ i_data_sem
 * @source  fs/ext4/inline.c ext4_convert_inline_data_to_extent
 */
export function* convertInlineDataToExtent(k: Kernel, ino: number): Op<Result<void>> {
  const inline = yield* step(k, 'ext4_has_inline_data?', () => {
    if (hasInlineData(k, ino)) return true;
    k.inode(ino).mayInline = false;
    return false;
  });
  if (!inline) return;
  const started = yield* tryJournalStart(k);
  if (isErr(started)) return started;
  const got = yield* call(k, '__filemap_get_folio', () => getFolioLocked(k, ino, 0));
  if (isErr(got)) {
    yield* journalStop(k);
    return got;
  }
  yield* lock(k, xattrSem(ino));
  const size = yield* step(k, 'still inline?', () => {
    if (!hasInlineData(k, ino)) return 0;
    if (!k.folio(ino, 0).uptodate) readInlineFolio(k, ino, 0);
    return k.inode(ino).inlineSize;
  });
  let ret: Result<void> = undefined;
  if (size > 0) {
    yield* destroyInlineDataNolock(k, ino);
    ret = yield* call(k, 'ext4_block_write_begin', () =>
      blockWriteBegin(k, ino, 0, 0, size, getBlockCreate, false),
    );
    if (isErr(ret)) {
      yield* unlockFolio(k, ino, 0);
      yield* unlock(k, xattrSem(ino));
      yield* journalStop(k);
      return ret;
    }
    yield* step(k, 'block_commit_write', () => {
      k.fbuf(ino, 0).state &= ~BH.new;
      blockCommitWrite(k, ino, 0, 0, size);
    });
  }
  yield* unlockFolio(k, ino, 0);
  yield* unlock(k, xattrSem(ino));
  yield* journalStop(k);
  return ret;
}

/** A short write made room past i_size: the inode is an orphan until it is cut. The caller has a handle. */
export function orphanIfPast(k: Kernel, ino: number, end: number) {
  return step(k, 'past i_size? ext4_orphan_add', () => {
    if (end > k.inode(ino).size) orphanAdd(k, ino);
  });
}

/**
 * The inline write_end: the bytes go from folio 0 into the inode and PG_dirty is cleared, flag only.
 * @param wanted  bytes of `len` that came; fewer leave the inode on the orphan list when room was made past i_size, and
 *                the caller trims it
 * @param grow    raises i_size and i_disksize, inside the step
 * @returns bytes that are in the file
 * @locks   xattr_sem exclusive; folio 0 held on entry, released; handle released
 * @source  fs/ext4/inline.c ext4_write_inline_data_end
 */
export function* writeInlineDataEnd(
  k: Kernel,
  ino: number,
  pos: number,
  len: number,
  wanted: number,
  grow: (copied: number) => void,
): Op<number> {
  const rejected = wanted < len && !(yield* step(k, 'folio_test_uptodate?', () => k.folio(ino, 0).uptodate));
  const copied = rejected ? 0 : wanted;
  if (copied > 0) {
    yield* lock(k, xattrSem(ino));
    const ok = yield* step(k, 'BUG_ON(!ext4_has_inline_data)', () => {
      if (k.bugOn('write-end-not-inline', !hasInlineData(k, ino))) return false;
      findInlineDataNolock(k, ino);
      getInodeWriteAccess(k, ino);
      // ext4_write_inline_data asserts it before it copies, from a folio that need not be the first.
      if (k.bugOn('write-inline-beyond', pos + copied > k.inode(ino).inlineSize)) return false;
      writeInlineData(k, ino, pos, folioData(k, ino, 0), pos, pos + copied);
      k.folio(ino, 0).uptodate = true;
      k.folio(ino, 0).dirty = false;
      return true;
    });
    yield* unlock(k, xattrSem(ino));
    if (ok) yield* step(k, 'ext4_update_inode_size', () => grow(copied));
  }
  yield* unlockFolio(k, ino, 0);
  if (copied > 0) yield* step(k, 'mark_inode_dirty', () => vfsMarkInodeDirty(k, ino));
  if (copied < len) yield* orphanIfPast(k, ino, pos + len);
  yield* journalStop(k);
  return copied;
}

/**
 * Converts through the *bdev cache*: the bytes go into a journalled metadata buffer, the file's folio is not
 * touched. Used by page_mkwrite, fallocate and growing truncate. From here on the folio and the buffer are two
 * copies of one block, and whoever is written last wins (docs/findings.md 1).
 * @param flush  filemap_flush, for a conversion that is already pending
 * @returns      ENOSPC: the bytes are back in the inode, with a stale checksum (L3)
 * @locks        whatever the caller holds ▸ handle ▸ xattr_sem exclusive ▸ i_data_sem
 * @source       fs/ext4/inline.c ext4_convert_inline_data
 */
export function* convertInlineData(
  k: Kernel,
  ino: number,
  flush: (ino: number) => Op<void>,
): Op<Result<void>> {
  const state = yield* step(k, 'ext4_has_inline_data?', () => {
    const inode = k.inode(ino);
    if (!hasInlineData(k, ino)) {
      inode.mayInline = false;
      return 'blocks';
    }
    return inode.mayInline ? 'inline' : 'pending';
  });
  if (state === 'blocks') return;
  if (state === 'pending') {
    yield* call(k, 'filemap_flush', () => flush(ino));
    const still = yield* step(k, 'still inline?', () => hasInlineData(k, ino));
    if (!still) return;
  }
  const started = yield* tryJournalStart(k);
  if (isErr(started)) return started;
  yield* lock(k, xattrSem(ino));
  const inline = yield* step(k, 'still inline?', () => hasInlineData(k, ino));
  let ret: Result<void> = undefined;
  if (inline) {
    ret = yield* call(k, 'ext4_convert_inline_data_nolock', () => convertInlineDataNolock(k, ino));
  }
  yield* unlock(k, xattrSem(ino));
  yield* journalStop(k);
  return ret;
}

/** @source fs/ext4/inline.c ext4_convert_inline_data_nolock */
function* convertInlineDataNolock(k: Kernel, ino: number): Op<Result<void>> {
  let saved: Bytes | 'reclaim' | null = 'reclaim';
  while (saved === 'reclaim') {
    saved = yield* step(k, 'ext4_read_inline_data', () => {
      if (k.allocReclaims()) return 'reclaim';
      return k.allocFails() ? null : inlineBytes(k, ino, k.inode(ino).inlineSize);
    });
    if (saved === 'reclaim') yield* call(k, '__alloc_pages_direct_reclaim', () => k.directReclaim());
  }
  if (saved === null) return err('ENOMEM');
  const bytes = saved;
  yield* destroyInlineDataNolock(k, ino);
  const mapped = yield* call(k, 'ext4_map_blocks', () =>
    mapBlocks(k, ino, 0, { create: true, unwritten: false }),
  );
  if (isErr(mapped) || mapped.state !== 'mapped') {
    yield* step(k, 'ext4_restore_inline_data', () => restoreInlineData(k, ino, bytes));
    return isErr(mapped) ? mapped : err('EIO');
  }
  const { block } = mapped;
  yield* step(k, 'sb_getblk; memcpy', () => {
    k.reach('ext4_convert_inline_data_nolock');
    getWriteAccess(k, block);
    setBuffer(k, block, Bytes.zero(k.blockSize).splice(0, bytes));
    dirtyMetadata(k, block, ino);
  });
}

/**
 * Puts the bytes back after a failed conversion. They are written after the checksum was computed and the inode is
 * not marked dirty again: its checksum is wrong from here on (docs/findings.md 7).
 * @source fs/ext4/inline.c ext4_restore_inline_data
 */
export function restoreInlineData(k: Kernel, ino: number, saved: Bytes): void {
  k.reach('ext4_restore_inline_data');
  const made = createInlineData(k, ino, saved.length);
  if (isErr(made)) {
    k.warnOn('restore-failed', true);
    return;
  }
  writeInlineData(k, ino, 0, saved);
  k.inode(ino).mayInline = true;
}

/**
 * Cuts inline data down to i_size. `false`: the file is not inline any more. The inode leaves the orphan list; that
 * it would join it here too, within the same handle, is nothing anybody can see.
 * @locks   handle ▸ xattr_sem exclusive ▸ i_data_sem exclusive; the caller holds i_rwsem and invalidate_lock
 * @source  fs/ext4/inline.c ext4_inline_data_truncate
 */
export function* inlineDataTruncate(k: Kernel, ino: number): Op<Result<boolean>> {
  const started = yield* tryJournalStart(k);
  if (isErr(started)) return started;
  yield* lock(k, xattrSem(ino));
  const inline = yield* step(k, 'ext4_has_inline_data?', () => hasInlineData(k, ino));
  let ret: Result<boolean> = inline;
  if (inline) {
    const cut = yield* locked(k, iDataSem(ino), 'exclusive', 'truncate inline bytes', (): Result<void> => {
      const inode = k.inode(ino);
      inode.disksize = inode.size;
      if (inode.size >= inode.inlineSize) return;
      if (!inode.mayInline) k.hooks.truncatePending(k, ino);
      getInodeWriteAccess(k, ino);
      const next = raw.truncateInlineData(rawInode(k, ino), placeOf(k, ino), inode.size);
      if (isErr(next)) return next;
      setRawInode(k, ino, next.raw);
      inode.inlineSize = next.inlineSize;
    });
    if (isErr(cut)) ret = cut;
  }
  yield* unlock(k, xattrSem(ino));
  if (inline) {
    const cut = ret === true;
    yield* step(k, 'ext4_orphan_del; ext4_mark_inode_dirty', () => {
      if (k.inode(ino).nlink > 0) orphanDel(k, ino);
      if (cut) markInodeDirty(k, ino);
    });
  }
  yield* journalStop(k);
  return ret;
}
