/**
 * Direct I/O: reads and writes of a file opened with O_DIRECT go past the page cache, to the medium.
 *
 *   inline file, journalled data ──▶ buffered, and nothing is flushed
 *   read    dirty pages of the range are written ─▶ blocks from the medium, holes and unwritten blocks as zeros
 *   write   dirty pages written, pages dropped ─▶ blocks mapped (unwritten inside i_size, written past it) ─▶ medium
 *           ─▶ unwritten ones become written, i_size and i_disksize grow ─▶ pages dropped again
 *
 * A request that is not in sectors of 512 bytes is EINVAL, found out only when blocks have been mapped: a write past the
 * end is cut off again, which zeros the tail of the last block in the page cache.
 *
 * Locks: i_rwsem shared, exclusive for a write that extends the file, fills a hole or needs zeroing inside a block.
 *
 * Not modelled: completion by somebody else than the caller; a page that cannot be dropped in the middle of a write is
 * the reason for a buffered write of the whole request.
 */
import { type Mapping, mapBlocks } from '../balloc/mapBlocks.ts';
import { Bytes } from '../bytes/bytes.ts';
import { journalStart, journalStop } from '../device/journal.ts';
import { readMedium, writeMedium } from '../device/medium.ts';
import { err, isErr, type Result } from '../errno.ts';
import { shouldJournalData } from '../inode/journalMode.ts';
import { orphanAdd, orphanDel } from '../inode/orphan.ts';
import { fileModified, hasInlineData, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { folioWriteback, iRwsem, lock, mightFault, unlock } from '../locks/lock.ts';
import { modelCheck, modelExtend, modelGrow, modelWrite } from '../model.ts';
import { lockIfPresent, removeFolio, unlockFolio } from '../pagecache/folio.ts';
import { folioMapping, unmapFolio } from '../pagecache/rmap.ts';
import type { Op } from '../task.ts';
import { call, step, waitFor } from '../task.ts';
import { convertUnwritten, retryAlloc, writeAndWait } from '../writeback/writepages.ts';
import { truncateFailedWrite } from './truncate.ts';
import {
  bufferSlice,
  dirtyPinned,
  type MappedBuffer,
  type Pin,
  pinUserPages,
  readPinned,
  type UserBuffer,
  writePinned,
} from './userMemory.ts';

/** Bytes of a logical sector of the device. */
const SECTOR = 512;
/** Blocks mapped at once. @source fs/ext4/inode.c DIO_MAX_BLOCKS */
const MAX_BLOCKS = 4096;

/** Where a write began, and its bytes. */
export interface Written {
  readonly start: number;
  readonly count: number;
}

/**
 * What was written, or why all of it is left to a buffered write: the file does `buffered` I/O only (inline, or its data
 * is journalled), a page stays `cached`.
 */
export type DirectWrite = Result<Written> | 'buffered' | 'cached';

/** Inside a step. @source fs/ext4/inode.c ext4_dio_alignment */
const canDirect = (k: Kernel, ino: number): boolean => !hasInlineData(k, ino) && !shouldJournalData(k, ino);

/**
 * @param into  where the bytes go, when that is a mapping of this task: its pages are pinned under i_rwsem
 * @returns     the bytes read; 'buffered' for an inline file and for journalled data; EINVAL, EFAULT
 * @locks       i_rwsem shared (▸ mmap_lock shared)
 * @source  fs/ext4/file.c ext4_dio_read_iter; fs/iomap/direct-io.c __iomap_dio_rw
 */
export function* directRead(
  k: Kernel,
  ino: number,
  pos: number,
  length: number,
  into?: MappedBuffer,
): Op<Result<Bytes> | 'buffered'> {
  yield* lock(k, iRwsem(ino), 'shared');
  const size = yield* step(k, 'ext4_should_use_dio; i_size_read', () =>
    canDirect(k, ino) ? k.inode(ino).size : -1,
  );
  const ret =
    size < 0
      ? ('buffered' as const)
      : pos >= size
        ? Bytes.zero(0)
        : yield* call(k, 'iomap_dio_rw', () => readRange(k, ino, pos, length, size, into));
  yield* unlock(k, iRwsem(ino));
  return ret;
}

function* readRange(
  k: Kernel,
  ino: number,
  pos: number,
  length: number,
  size: number,
  into: MappedBuffer | undefined,
): Op<Result<Bytes>> {
  const end = pos + length;
  const flushed = yield* call(k, 'kiocb_write_and_wait', () => writeAndWait(k, ino, pos, end));
  if (isErr(flushed)) return flushed;
  const parts: Bytes[] = [];
  for (let next = pos; next < end && next < size; ) {
    const at = next;
    const found = yield* call(k, 'ext4_iomap_begin', () => mapRange(k, ino, at, end));
    if (isErr(found)) return found;
    const stop = runEnd(k, at, end, found);
    if (found.state === 'mapped' && !isAligned(at, stop)) return err('EINVAL');
    const target = into === undefined ? null : bufferSlice(into, at - pos, stop - pos);
    const pins: Result<readonly Pin[]> =
      target === null ? [] : yield* call(k, 'bio_iov_iter_get_pages', () => pinUserPages(k, target, true));
    if (isErr(pins)) return parts.length > 0 ? Bytes.concat(parts) : pins;
    if (pins.length > 0) yield* call(k, 'bio_set_pages_dirty', () => dirtyPinned(k, pins));
    const part = yield* step(k, 'bio', () => {
      mightFault(k, 'bio_iov_iter_get_pages', 'gup_fast_fallback');
      const bytes = found.state === 'mapped' ? mediumRun(k, at, stop, found.block) : Bytes.zero(stop - at);
      const inside = bytes.slice(0, Math.min(stop, size) - at);
      if (target !== null) writePinned(k, target, pins, inside);
      modelCheck(k, ino, at, inside);
      return inside;
    });
    if (pins.length > 0) yield* call(k, 'bio_check_pages_dirty', () => dirtyPinned(k, pins));
    parts.push(part);
    next = stop;
  }
  return parts.length === 1 ? parts[0]! : Bytes.concat(parts);
}

const isAligned = (from: number, to: number): boolean => from % SECTOR === 0 && to % SECTOR === 0;

/** Looks the run up that begins at byte `at`. */
function* mapRange(k: Kernel, ino: number, at: number, end: number): Op<Result<Mapping>> {
  const lblk = Math.floor(at / k.blockSize);
  const count = Math.ceil(end / k.blockSize) - lblk;
  return yield* mapBlocks(k, ino, lblk, { create: false, unwritten: false }, count);
}

/** Where a mapped run ends, in bytes of the file, `end` at most. */
function runEnd(k: Kernel, at: number, end: number, found: Mapping): number {
  return Math.min(end, (Math.floor(at / k.blockSize) + found.length) * k.blockSize);
}

/** Bytes [at, to) of a file as the medium has them; `block` holds byte `at`. */
function mediumRun(k: Kernel, at: number, to: number, block: number): Bytes {
  const bs = k.blockSize;
  const first = at - (at % bs);
  const blocks = Array.from({ length: Math.ceil((to - first) / bs) }, (_, i) => readMedium(k, block + i));
  return Bytes.concat(blocks).slice(at - first, to - first);
}

/**
 * @param append  O_APPEND: `pos` is the size at the time the lock is held
 * @returns       what was written, or why nothing was; EINVAL, ENOSPC
 * @locks         i_rwsem shared or exclusive; sb_writers held by the caller
 * @source        fs/ext4/file.c ext4_dio_write_iter, ext4_dio_write_checks
 */
export function* directWrite(
  k: Kernel,
  ino: number,
  pos: number,
  data: UserBuffer,
  append: boolean,
): Op<DirectWrite> {
  let exclusive = yield* step(k, 'past i_size?', () => {
    const { size } = k.inode(ino);
    return (append ? size : pos) + data.length > size;
  });
  yield* lock(k, iRwsem(ino), exclusive ? 'exclusive' : 'shared');
  const direct = yield* step(k, 'ext4_should_use_dio; clear MAY_INLINE_DATA', () => {
    if (!canDirect(k, ino)) return false;
    k.inode(ino).mayInline = false;
    return true;
  });
  if (!direct || data.length === 0) {
    yield* unlock(k, iRwsem(ino));
    return 'buffered';
  }
  for (;;) {
    const start = append ? yield* step(k, 'generic_write_checks: O_APPEND', () => k.inode(ino).size) : pos;
    const end = start + data.length;
    const extend = yield* step(k, 'ext4_extending_io', () => {
      const { size, disksize } = k.inode(ino);
      return end > size || end > disksize;
    });
    const found = yield* call(k, 'ext4_overwrite_io', () => mapRange(k, ino, start, end));
    if (isErr(found)) {
      yield* unlock(k, iRwsem(ino));
      return found;
    }
    const whole = runEnd(k, start, end, found) === end;
    const overwrite = whole && (found.state === 'mapped' || found.state === 'unwritten');
    const ragged = start % k.blockSize !== 0 || end % k.blockSize !== 0;
    const alone = extend || !overwrite || (ragged && found.state === 'unwritten');
    if (alone && !exclusive) {
      yield* unlock(k, iRwsem(ino));
      exclusive = true;
      yield* lock(k, iRwsem(ino));
      continue;
    }
    yield* fileModified(k, ino, () => modelExtend(k, ino, end));
    const ret = yield* call(k, 'iomap_dio_rw', () => writeRange(k, ino, start, data, extend));
    yield* unlock(k, iRwsem(ino));
    return ret;
  }
}

/** The write itself, and the orphan list around one that makes the file longer. */
function* writeRange(
  k: Kernel,
  ino: number,
  pos: number,
  data: UserBuffer,
  extend: boolean,
): Op<DirectWrite> {
  if (extend) {
    yield* journalStart(k);
    yield* step(k, 'ext4_orphan_add', () => orphanAdd(k, ino));
    yield* journalStop(k);
  }
  const ret = yield* call(k, '__iomap_dio_rw', () => submitRange(k, ino, pos, data));
  if (!extend) return ret;
  if (isErr(ret)) {
    yield* call(k, 'ext4_truncate_failed_write', () => truncateFailedWrite(k, ino, Number.POSITIVE_INFINITY));
  }
  yield* journalStart(k);
  yield* step(k, 'ext4_orphan_del', () => {
    if (k.inode(ino).nlink > 0) orphanDel(k, ino);
  });
  yield* journalStop(k);
  return ret;
}

/** @source fs/iomap/direct-io.c __iomap_dio_rw, iomap_dio_bio_iter, iomap_dio_complete */
function* submitRange(k: Kernel, ino: number, pos: number, data: UserBuffer): Op<DirectWrite> {
  const end = pos + data.length;
  const flushed = yield* call(k, 'filemap_write_and_wait_range', () => writeAndWait(k, ino, pos, end));
  if (isErr(flushed)) return flushed;
  const dropped = yield* call(k, 'invalidate_inode_pages2_range', () => invalidatePages2(k, ino, pos, end));
  if (!dropped) return 'cached';
  let unwritten = false;
  for (let next = pos; next < end; ) {
    const at = next;
    const found = yield* call(k, 'ext4_iomap_begin', () => mapForWrite(k, ino, at, end));
    if (isErr(found)) return found;
    if (found.state === 'unwritten') unwritten = true;
    const stop = runEnd(k, at, end, found);
    if (!isAligned(at, stop)) return err('EINVAL');
    const piece = bufferSlice(data, at - pos, stop - pos);
    const pins: Result<readonly Pin[]> =
      piece instanceof Bytes
        ? []
        : yield* call(k, 'bio_iov_iter_get_pages', () => pinUserPages(k, piece, false));
    if (isErr(pins)) return pins;
    yield* step(k, 'submit_bio', () => {
      const bytes = piece instanceof Bytes ? piece : readPinned(k, piece, pins);
      writeRun(k, ino, at, bytes, found);
      modelWritePages(k, ino, at, bytes);
    });
    next = stop;
  }
  if (unwritten) {
    const lblk = Math.floor(pos / k.blockSize);
    const count = Math.ceil(end / k.blockSize) - lblk;
    yield* call(k, 'ext4_convert_unwritten_extents', () => convertUnwritten(k, ino, [[lblk, count]]));
  }
  const grown = yield* step(k, 'ext4_dio_write_end_io', () => {
    const { size, disksize } = k.inode(ino);
    return end > size || end > disksize;
  });
  if (grown) {
    yield* journalStart(k);
    yield* step(k, 'ext4_handle_inode_extension', () => {
      const inode = k.inode(ino);
      inode.size = Math.max(inode.size, end);
      inode.disksize = Math.max(inode.disksize, end);
      modelGrow(k, ino, end);
      markInodeDirty(k, ino);
      if (inode.nlink > 0) orphanDel(k, ino);
    });
    yield* journalStop(k);
  }
  yield* call(k, 'kiocb_invalidate_post_direct_write', () => invalidatePages2(k, ino, pos, end));
  return { start: pos, count: data.length };
}

/** The blocks under byte `at` and what follows: found, or allocated. @source fs/ext4/inode.c ext4_iomap_begin, ext4_iomap_alloc */
function* mapForWrite(k: Kernel, ino: number, at: number, end: number): Op<Result<Mapping>> {
  const inside = yield* step(k, 'inside i_size?', () => end <= k.inode(ino).size);
  if (inside) {
    const found = yield* mapRange(k, ino, at, end);
    if (isErr(found) || found.state === 'mapped') return found;
  }
  const lblk = Math.floor(at / k.blockSize);
  const count = Math.min(MAX_BLOCKS, Math.ceil(end / k.blockSize) - lblk);
  for (let retries = 1; ; retries++) {
    yield* journalStart(k);
    const past = yield* step(k, 'past i_size?', () => lblk * k.blockSize >= k.inode(ino).size);
    const flags = { create: true, unwritten: !past, preIo: !past };
    const mapped = yield* call(k, 'ext4_map_blocks', () => mapBlocks(k, ino, lblk, flags, count));
    yield* journalStop(k);
    if (!(yield* retryAlloc(k, mapped, retries))) return mapped;
  }
}

/** Inside a step: bytes go to the medium; new and unwritten blocks are zero around them. */
function writeRun(k: Kernel, ino: number, at: number, data: Bytes, found: Mapping): void {
  const bs = k.blockSize;
  const fresh = found.isNew || found.state === 'unwritten';
  const end = at + data.length;
  const past = end >= k.inode(ino).size;
  const first = Math.floor(at / bs);
  for (let lblk = first; lblk * bs < end; lblk++) {
    const block = found.block + (lblk - first);
    const start = lblk * bs;
    const from = Math.max(at, start);
    const to = Math.min(end, start + bs);
    let bytes = readMedium(k, block);
    if (fresh && from > start) bytes = bytes.fillRange(0, 0, from - start);
    if ((fresh || past) && to < start + bs) bytes = bytes.fillRange(0, to - start, bs);
    bytes = bytes.splice(from - start, data.slice(from - at, to - at));
    writeMedium(k, block, bytes, `direct write ino ${ino}`);
  }
}

/** Inside a step: `modelWrite` takes bytes of one page. */
function modelWritePages(k: Kernel, ino: number, pos: number, data: Bytes): void {
  for (let done = 0; done < data.length; ) {
    const take = Math.min(data.length - done, PAGE_SIZE - ((pos + done) % PAGE_SIZE));
    modelWrite(k, ino, pos + done, data.slice(done, done + take));
    done += take;
  }
}

function* pagesIn(k: Kernel, ino: number, from: number, to: number): Op<number[]> {
  const indexes = yield* step(k, 'find_get_entries', () =>
    k
      .folioIndexes(ino)
      .filter((index) => (index + 1) * PAGE_SIZE > from && index * PAGE_SIZE < to)
      .join(','),
  );
  return indexes === '' ? [] : indexes.split(',').map(Number);
}

/**
 * Drops the pages of bytes [from, to), mapped ones too.
 * @returns false when one is dirty again
 * @source  mm/truncate.c invalidate_inode_pages2_range
 */
function* invalidatePages2(k: Kernel, ino: number, from: number, to: number): Op<boolean> {
  let all = true;
  for (const index of yield* pagesIn(k, ino, from, to)) {
    if (!(yield* lockIfPresent(k, ino, index))) continue;
    const gone = yield* waitFor(
      k,
      'folio_wait_writeback',
      () => !k.folio(ino, index).writeback,
      () => {
        unmapFolio(k, ino, index);
        if (k.folio(ino, index).dirty || !k.hooks.releaseFolio(k, ino, index)) return false;
        removeFolio(k, ino, index);
        return true;
      },
      folioWriteback(ino, index),
    );
    all &&= gone;
    yield* unlockFolio(k, ino, index);
  }
  return all;
}

/** Writes what a buffered write in place of a direct one left, and drops the clean pages. @source fs/ext4/file.c ext4_dio_write_iter */
export function* flushFallback(k: Kernel, ino: number, from: number, to: number): Op<void> {
  const ret = yield* call(k, 'filemap_write_and_wait_range', () => writeAndWait(k, ino, from, to));
  if (isErr(ret)) return;
  for (const index of yield* pagesIn(k, ino, from, to)) {
    if (!(yield* lockIfPresent(k, ino, index))) continue;
    yield* step(k, 'mapping_evict_folio', () => {
      const folio = k.folio(ino, index);
      const kept = folio.dirty || folio.writeback || folioMapping(k, ino, index).mapped;
      if (!kept && k.hooks.releaseFolio(k, ino, index)) removeFolio(k, ino, index);
    });
    yield* unlockFolio(k, ino, index);
  }
}
