/**
 * read(2) and write(2): pread and pwrite on an open file.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { err, isErr, type Result } from '../errno.ts';
import { readpageInline } from '../inline/ops.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { iRwsem, lock, sbWriters, unlock } from '../locks/lock.ts';
import { modelWrite } from '../model.ts';
import { filemapRead } from '../pagecache/filemap.ts';
import { folioData, offsetIn, setFolioData } from '../pagecache/folio.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';

/** @returns the bytes read, fewer at the end of the file */
export function* pread(k: Kernel, ino: number, pos: number, length: number): Op<Result<Bytes>> {
  return yield* call(k, 'filemap_read', () => filemapRead(k, ino, pos, length, readpageInline));
}

/**
 * @param append  O_APPEND: `pos` is the size at the time the lock is held
 * @returns       bytes written; ENOSPC, EIO, ERANGE
 * @locks         sb_writers shared ▸ i_rwsem
 * @source        fs/ext4/file.c ext4_buffered_write_iter
 */
export function* pwrite(
  k: Kernel,
  ino: number,
  pos: number,
  data: Bytes,
  append = false,
): Op<Result<number>> {
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, iRwsem(ino));
  const start = append ? yield* step(k, 'generic_write_checks: O_APPEND', () => k.inode(ino).size) : pos;
  const ret = yield* call(k, 'generic_perform_write', () => performWrite(k, ino, start, data));
  yield* unlock(k, iRwsem(ino));
  yield* unlock(k, sbWriters);
  return ret;
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
