/**
 * copy_file_range(2) between files of the volume. ext4 has no such operation: the pages of the source go through a pipe
 * of 16 pages, and what is in it is one write(2) of the target.
 */
import { err, isErr, type Result } from '../errno.ts';
import { isDir, isReg } from '../inode/layout.ts';
import { maxBytes } from '../inode/limits.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { pread, pwrite, type WriteFlags } from './rw.ts';

/** Pages of a pipe. @source include/linux/pipe_fs_i.h PIPE_DEF_BUFFERS */
const PIPE_PAGES = 16;

export interface CopyRequest {
  readonly from: number;
  readonly fromPos: number;
  /** The source was opened with O_DIRECT. */
  readonly fromDirect: boolean;
  /** Its open file description. */
  readonly fromFile: number;
  readonly to: number;
  readonly toPos: number;
  readonly length: number;
  /** How the target was opened. */
  readonly toReadonly: boolean;
  readonly flags: WriteFlags;
}

/**
 * @returns bytes copied, fewer at the end of the source; EISDIR, EINVAL for ranges of one file that overlap, EBADF for
 *          a target opened with O_APPEND, EFBIG, and what the read and the write answer
 * @source  fs/read_write.c vfs_copy_file_range, generic_copy_file_checks; fs/splice.c do_splice_direct,
 *          iter_file_splice_write
 */
export function* copyFileRange(k: Kernel, request: CopyRequest): Op<Result<number>> {
  const { from, fromPos, fromDirect, fromFile, to, toPos, flags } = request;
  const count = yield* step(k, 'generic_copy_file_checks', () => checkCopy(k, request));
  if (isErr(count)) return count;
  let done = 0;
  while (done < count) {
    const pos = fromPos + done;
    const take = Math.min(count - done, PIPE_PAGES * PAGE_SIZE - (fromDirect ? 0 : pos % PAGE_SIZE));
    const how = { file: fromFile, splice: !fromDirect };
    const reader = fromDirect ? 'copy_splice_read' : 'filemap_splice_read';
    const read = yield* call(k, reader, () => pread(k, from, pos, take, fromDirect, undefined, how));
    if (isErr(read) || read.length === 0) return done > 0 || !isErr(read) ? done : read;
    const at = toPos + done;
    const written = yield* call(k, 'iter_file_splice_write', () => pwrite(k, to, at, read, flags));
    if (isErr(written)) return done > 0 ? done : written;
    done += written;
    if (written < read.length) break;
  }
  return done;
}

/** How much is to be copied. Inside a step. */
function checkCopy(k: Kernel, request: CopyRequest): Result<number> {
  const { from, fromPos, to, toPos, length, toReadonly, flags } = request;
  const [source, target] = [k.inode(from), k.inode(to)];
  if (isDir(source.mode) || isDir(target.mode)) return err('EISDIR');
  if (!isReg(source.mode) || !isReg(target.mode)) return err('EINVAL');
  if (toReadonly || flags.append === true) return err('EBADF');
  let count = Math.max(0, Math.min(length, source.size - fromPos));
  if (count > 0) {
    if (toPos >= maxBytes(k)) return err('EFBIG');
    count = Math.min(count, maxBytes(k) - toPos);
  }
  if (from === to && toPos + count > fromPos && toPos < fromPos + count) return err('EINVAL');
  return count;
}
