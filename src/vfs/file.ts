/**
 * Open files: the list a task keeps, open(2) and close(2) on it.
 *
 * As in xfs_io, a task has a list of open files and one of them is current; closing takes the current one out, later
 * ones move down, and the next one, or the last, becomes current. The list of mappings works the same way.
 */
import { isErr, type Result } from '../errno.ts';
import type { Kernel } from '../kernel.ts';
import type { Rec } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { filemapFlush } from '../writeback/writepages.ts';
import { closeRecord } from './mount.ts';
import { evictIfUnused, openPath } from './namei.ts';
import { ftruncate } from './truncate.ts';

export interface OpenFlags {
  readonly create: boolean;
  readonly truncate: boolean;
  readonly readonly: boolean;
  readonly append: boolean;
  readonly direct: boolean;
  readonly sync: boolean;
}

/** How many files a task has open. Inside a step. */
function openCount(k: Kernel): number {
  let count = 0;
  while (k.file(k.task, count).open) count++;
  return count;
}

/** The current file; null when there is none. Inside a step. */
export function currentFile(k: Kernel): Rec<'file'> | null {
  const file = k.file(k.task, k.taskRecord(k.task).file);
  return file.open ? file : null;
}

/** @returns the inode number; what `openPath` and a truncation answer */
export function* open(k: Kernel, path: string, flags: OpenFlags): Op<Result<number>> {
  const ino = yield* call(k, 'do_filp_open', () => openPath(k, path, flags.create));
  if (isErr(ino)) return ino;
  yield* step(k, 'fd_install', () => {
    const slot = openCount(k);
    const file = k.file(k.task, slot);
    file.open = true;
    file.ino = ino;
    file.readonly = flags.readonly;
    file.append = flags.append;
    file.direct = flags.direct;
    file.sync = flags.sync;
    k.taskRecord(k.task).file = slot;
  });
  if (flags.truncate) {
    const ret = yield* call(k, 'handle_truncate', () => ftruncate(k, ino, 0));
    if (isErr(ret)) {
      yield* call(k, 'close', () => close(k));
      return ret;
    }
  }
  return ino;
}

/**
 * Closes the current file. A file that was truncated to zero and has delayed blocks is flushed (auto_da_alloc).
 * @source fs/ext4/file.c ext4_release_file; fs/ext4/inode.c ext4_alloc_da_blocks
 */
export function* close(k: Kernel): Op<void> {
  const { ino, flush } = yield* step(k, 'ext4_release_file', () => {
    const found = currentFile(k)!.ino;
    const inode = k.inode(found);
    const wants = inode.daAllocClose && inode.reserved > 0;
    inode.daAllocClose = false;
    return { ino: found, flush: wants };
  });
  if (flush) yield* call(k, 'filemap_flush', () => filemapFlush(k, ino));
  yield* step(k, 'fput', () => removeCurrent(k));
  yield* call(k, 'iput', () => evictIfUnused(k, ino));
}

/** Inside a step: the current entry leaves the list. */
function removeCurrent(k: Kernel): void {
  const task = k.taskRecord(k.task);
  const count = openCount(k);
  for (let slot = task.file; slot + 1 < count; slot++) {
    const { ino, readonly, append, direct, sync } = k.file(k.task, slot + 1);
    Object.assign(k.file(k.task, slot), { ino, readonly, append, direct, sync });
  }
  closeRecord(k, k.task, count - 1);
  task.file = Math.max(0, Math.min(task.file, count - 2));
}
