/**
 * read(2) and write(2): pread and pwrite on an open file.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { err, isErr, type Result } from '../errno.ts';
import { readpageInline } from '../inline/ops.ts';
import { fileModified } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { iRwsem, lock, sbWriters, unlock } from '../locks/lock.ts';
import { modelWrite } from '../model.ts';
import { filemapRead } from '../pagecache/filemap.ts';
import { folioData, offsetIn, setFolioData } from '../pagecache/folio.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { syncFile } from '../writeback/sync.ts';
import { directRead, directWrite, flushFallback, type Written } from './directIo.ts';

/**
 * @param direct  the file was opened with O_DIRECT
 * @returns       the bytes read, fewer at the end of the file; EINVAL
 */
export function* pread(
  k: Kernel,
  ino: number,
  pos: number,
  length: number,
  direct = false,
): Op<Result<Bytes>> {
  if (direct && length > 0) {
    const got = yield* call(k, 'ext4_dio_read_iter', () => directRead(k, ino, pos, length));
    if (got !== 'buffered') return got;
  }
  return yield* call(k, 'filemap_read', () => filemapRead(k, ino, pos, length, readpageInline));
}

/** How the file was opened. */
export interface WriteFlags {
  /** O_APPEND: the position is the size at the time the lock is held. */
  readonly append?: boolean;
  /** O_DIRECT. */
  readonly direct?: boolean;
  /** O_SYNC: what was written is synced, and no more. */
  readonly sync?: boolean;
}

/**
 * @returns  bytes written; ENOSPC, EIO, ERANGE, EINVAL
 * @locks    sb_writers shared ▸ i_rwsem
 * @source   fs/ext4/file.c ext4_file_write_iter
 */
export function* pwrite(
  k: Kernel,
  ino: number,
  pos: number,
  data: Bytes,
  { append = false, direct = false, sync = false }: WriteFlags = {},
): Op<Result<number>> {
  if (data.length === 0) return 0;
  yield* lock(k, sbWriters, 'shared');
  const past = direct
    ? yield* call(k, 'ext4_dio_write_iter', () => directWrite(k, ino, pos, data, append))
    : 'inline';
  let written: Result<Written>;
  if (past === 'inline' || past === 'cached') {
    written = yield* call(k, 'ext4_buffered_write_iter', () => bufferedWrite(k, ino, pos, data, append));
    if (past === 'cached' && !isErr(written)) {
      const { start, count } = written;
      yield* call(k, 'filemap_write_and_wait_range', () => flushFallback(k, ino, start, start + count));
    }
  } else written = past;
  let ret: Result<unknown> = written;
  if (sync && !isErr(written)) {
    const { start, count } = written;
    ret = yield* call(k, 'generic_write_sync', () => syncFile(k, ino, false, start, start + count));
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
  data: Bytes,
  append: boolean,
): Op<Result<Written>> {
  yield* lock(k, iRwsem(ino));
  const start = append ? yield* step(k, 'generic_write_checks: O_APPEND', () => k.inode(ino).size) : pos;
  yield* fileModified(k, ino);
  const count = yield* call(k, 'generic_perform_write', () => performWrite(k, ino, start, data));
  yield* unlock(k, iRwsem(ino));
  return isErr(count) ? count : { start, count };
}

/** Page by page: begin, copy, end. @source mm/filemap.c generic_perform_write */
function* performWrite(k: Kernel, ino: number, start: number, data: Bytes): Op<Result<number>> {
  let done = 0;
  while (done < data.length) {
    const pos = start + done;
    const len = Math.min(data.length - done, PAGE_SIZE - offsetIn(pos));
    const piece = data.slice(done, done + len);
    const begin = yield* call(k, 'ext4_write_begin', () => k.hooks.writeBegin(k, ino, pos, len));
    if (isErr(begin)) return done > 0 ? done : begin;
    yield* step(k, 'copy_folio_from_iter_atomic', () => {
      const { index } = begin;
      setFolioData(k, ino, index, folioData(k, ino, index).splice(offsetIn(pos), piece));
      modelWrite(k, ino, pos, piece);
    });
    const end = yield* call(k, 'ext4_write_end', () => k.hooks.writeEnd(k, ino, pos, len, len, begin));
    if (isErr(end)) return done > 0 ? done : end;
    if (end === 0) return done > 0 ? done : err('EIO');
    done += end;
  }
  return done;
}
