/**
 * read(2) and write(2): pread and pwrite on an open file.
 */
import { Bytes } from '../bytes/bytes.ts';
import { err, isErr, type Result } from '../errno.ts';
import { readpageInline } from '../inline/ops.ts';
import { bitmapMaxBytes, fileMaxBytes } from '../inode/limits.ts';
import { fileModified } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { iRwsem, lock, mightFault, sbWriters, unlock } from '../locks/lock.ts';
import { modelExtend, modelPromise, modelSnapshot, modelWrite } from '../model.ts';
import { filemapRead, type ReadHow } from '../pagecache/filemap.ts';
import { folioData, offsetIn, setFolioData } from '../pagecache/folio.ts';
import { balanceDirtyPages, isThrottled } from '../pagecache/throttle.ts';
import { zeroGapBefore } from '../pagecache/zero.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { syncFile } from '../writeback/sync.ts';
import { directRead, directWrite, flushFallback, type Written } from './directIo.ts';
import {
  bufferSlice,
  copyAtomic,
  copyOutTo,
  faultInReadable,
  type MappedBuffer,
  type UserBuffer,
} from './userMemory.ts';

/**
 * @param direct  the file was opened with O_DIRECT
 * @param into    where the bytes go, when that is a mapping of this task
 * @returns       the bytes read, fewer at the end of the file; EINVAL, EFAULT
 */
export function* pread(
  k: Kernel,
  ino: number,
  pos: number,
  length: number,
  direct = false,
  into?: MappedBuffer,
  how: Omit<ReadHow, 'to'> = {},
): Op<Result<Bytes>> {
  if (direct && length > 0) {
    const got = yield* call(k, 'ext4_dio_read_iter', () => directRead(k, ino, pos, length, into));
    if (got !== 'buffered') return got;
  }
  const to = into === undefined ? undefined : copyOutTo(k, into);
  return yield* call(k, 'filemap_read', () =>
    filemapRead(k, ino, pos, length, readpageInline, { ...how, to }),
  );
}

/** How the file was opened. */
export interface WriteFlags {
  /** O_APPEND: the position is the size at the time the lock is held. */
  readonly append?: boolean;
  /** O_DIRECT. */
  readonly direct?: boolean;
  /** O_SYNC: what was written is synced, and no more. */
  readonly sync?: boolean;
  /** RWF_DSYNC: as fdatasync does it. */
  readonly dsync?: boolean;
}

/**
 * @param data  bytes, or a mapping of this task that they are read from
 * @returns  bytes written; ENOSPC, EIO, ERANGE, EINVAL, EFAULT
 * @locks    sb_writers shared ▸ i_rwsem (▸ mmap_lock shared, for a mapping)
 * @source   fs/ext4/file.c ext4_file_write_iter
 */
export function* pwrite(
  k: Kernel,
  ino: number,
  pos: number,
  data: UserBuffer,
  { append = false, direct = false, sync = false, dsync = false }: WriteFlags = {},
): Op<Result<number>> {
  // Of nothing: O_DIRECT gives up inline data before it looks at the length.
  if (data.length === 0 && !direct) return 0;
  yield* lock(k, sbWriters, 'shared');
  const past = direct
    ? yield* call(k, 'ext4_dio_write_iter', () => directWrite(k, ino, pos, data, append))
    : 'buffered';
  let written: Result<Written>;
  if (data.length === 0) written = { start: pos, count: 0 };
  else if (past === 'buffered' || past === 'cached') {
    written = yield* call(k, 'ext4_buffered_write_iter', () => bufferedWrite(k, ino, pos, data, append));
    if (past === 'cached' && !isErr(written)) {
      const { start, count } = written;
      yield* call(k, 'filemap_write_and_wait_range', () => flushFallback(k, ino, start, start + count));
    }
  } else written = past;
  let ret: Result<unknown> = written;
  if ((sync || dsync) && !isErr(written) && written.count > 0) {
    const { start, count } = written;
    const end = start + count;
    const promise = yield* step(k, 'O_SYNC', () => modelSnapshot(k, ino));
    ret = yield* call(k, 'generic_write_sync', () => syncFile(k, ino, !sync, start, end));
    if (!isErr(ret)) {
      yield* step(k, 'O_SYNC write returns', () =>
        modelPromise(k, promise, start - offsetIn(start), Math.ceil(end / PAGE_SIZE) * PAGE_SIZE),
      );
    }
  }
  yield* unlock(k, sbWriters);
  if (isErr(ret)) return ret;
  return isErr(written) ? written : written.count;
}

/** @source fs/ext4/file.c ext4_buffered_write_iter */
function* bufferedWrite(
  k: Kernel,
  ino: number,
  pos: number,
  data: UserBuffer,
  append: boolean,
): Op<Result<Written>> {
  yield* lock(k, iRwsem(ino));
  const start = append ? yield* step(k, 'generic_write_checks: O_APPEND', () => k.inode(ino).size) : pos;
  const isBelow = start + data.length <= bitmapMaxBytes(k);
  let count = isBelow ? data.length : yield* writeChecks(k, ino, start, data.length);
  if (!isErr(count)) {
    const within = bufferSlice(data, 0, count);
    const end = start + count;
    const gapFrom = yield* fileModified(k, ino, () => {
      mightFault(k, 'generic_perform_write', 'fault_in_iov_iter_readable');
      modelExtend(k, ino, end);
      return k.hooks.zeroGapFirst(k) ? k.inode(ino).size : start;
    });
    if (gapFrom < start) yield* zeroGapBefore(k, ino, gapFrom, start);
    count = yield* call(k, 'generic_perform_write', () => performWrite(k, ino, start, within));
  }
  yield* unlock(k, iRwsem(ino));
  return isErr(count) ? count : { start, count };
}

/**
 * How much may be written. No step for what is below every limit.
 * @returns EFBIG
 * @source  fs/ext4/file.c ext4_generic_write_checks
 */
export function* writeChecks(k: Kernel, ino: number, start: number, length: number): Op<Result<number>> {
  if (start + length <= bitmapMaxBytes(k)) return length;
  const limit = yield* step(k, 'ext4_generic_write_checks', () => fileMaxBytes(k, ino));
  return start >= limit ? err('EFBIG') : Math.min(length, limit - start);
}

/**
 * Page by page: begin, copy, end. The pages of a mapped source are brought in before the target's folio is locked; the
 * copy itself may not fault, and stops where one is gone again.
 * @source mm/filemap.c generic_perform_write
 */
function* performWrite(k: Kernel, ino: number, start: number, data: UserBuffer): Op<Result<number>> {
  let done = 0;
  /** Most bytes of the next round: what a copy that write_end rejected had come to. */
  let most = Number.POSITIVE_INFINITY;
  while (done < data.length) {
    const pos = start + done;
    const len = Math.min(data.length - done, PAGE_SIZE - offsetIn(pos), most);
    const piece = bufferSlice(data, done, done + len);
    if (isThrottled(k)) yield* call(k, 'balance_dirty_pages_ratelimited', () => balanceDirtyPages(k));
    if (!(piece instanceof Bytes)) {
      const there = yield* call(k, 'fault_in_iov_iter_readable', () => faultInReadable(k, piece));
      if (there === 0) return done > 0 ? done : err('EFAULT');
    }
    const begin = yield* call(k, 'ext4_write_begin', () => k.hooks.writeBegin(k, ino, pos, len));
    if (isErr(begin)) return done > 0 ? done : begin;
    const { index } = begin;
    const copied = yield* step(k, 'copy_folio_from_iter_atomic', () =>
      copyIntoFolio(k, ino, index, pos, piece),
    );
    const end = yield* call(k, 'ext4_write_end', () => k.hooks.writeEnd(k, ino, pos, len, copied, begin));
    if (isErr(end)) return done > 0 ? done : end;
    if (end === 0 && piece instanceof Bytes) return done > 0 ? done : err('EIO');
    most = end === 0 && copied > 0 ? copied : Number.POSITIVE_INFINITY;
    done += end;
  }
  return done;
}

/** Inside a step. Bytes that write_end will not take, because the folio is not uptodate, are not in the file yet. */
function copyIntoFolio(k: Kernel, ino: number, index: number, pos: number, piece: UserBuffer): number {
  const bytes = piece instanceof Bytes ? piece : copyAtomic(k, piece);
  setFolioData(k, ino, index, folioData(k, ino, index).splice(offsetIn(pos), bytes));
  if (bytes.length === piece.length || k.folio(ino, index).uptodate) modelWrite(k, ino, pos, bytes);
  if (bytes.length < piece.length) k.reach('short-copy');
  return bytes.length;
}
