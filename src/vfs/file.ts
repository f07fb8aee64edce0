/**
 * Open files: the list a task keeps, open(2) and close(2) on it.
 *
 * As in xfs_io, a task has a list of open files and one of them is current; closing takes the current one out, later
 * ones move down, and the next one, or the last, becomes current. The list of mappings works the same way.
 */
import { discardPreallocations, writers } from '../balloc/mballoc.ts';
import { err, isErr, type Result } from '../errno.ts';
import { hasFlag } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { iDataSem, locked } from '../locks/lock.ts';
import { munmap } from '../pagecache/fault.ts';
import { forgetReadahead } from '../pagecache/readahead.ts';
import type { Rec } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { nameBytes } from '../volume/dirent.ts';
import { filemapFlush } from '../writeback/writepages.ts';
import { evictAll, evictIfUnused, hold, pathPut, releaseHeld } from './evict.ts';
import { closeRecord } from './mount.ts';
import { NEW_FILE_MODE, openHeld, openTmpfile } from './namei.ts';
import { ftruncate } from './truncate.ts';

/** Flags of open(2). What is left out is not set. */
export interface OpenFlags {
  readonly create: boolean;
  readonly truncate: boolean;
  readonly readonly: boolean;
  readonly append: boolean;
  readonly direct: boolean;
  readonly sync: boolean;
  readonly exclusive?: boolean;
  readonly nofollow?: boolean;
  readonly directory?: boolean;
  readonly tmpfile?: boolean;
  /** Permissions of a new file, before the umask. Left out: 0600. */
  readonly mode?: number;
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

/**
 * A file that this call makes is not truncated: nothing takes it for one that was emptied.
 * @returns the inode number; what `openHeld` and a truncation answer; EINVAL for flags that do not go together
 * @source  fs/open.c build_open_flags; fs/namei.c do_open
 */
export function* open(k: Kernel, path: string, flags: OpenFlags): Op<Result<number>> {
  const { create, directory = false, tmpfile = false } = flags;
  if (create && (directory || tmpfile)) return err('EINVAL');
  if (tmpfile && flags.readonly) return err('EINVAL');
  const how = { ...flags, readonly: flags.readonly && !flags.truncate };
  const opened = yield* call(k, 'do_filp_open', () =>
    tmpfile ? openTmpfile(k, path, how.mode ?? NEW_FILE_MODE) : openHeld(k, path, how),
  );
  if (isErr(opened)) {
    yield* call(k, 'path_put', () => pathPut(k));
    return opened;
  }
  const { ino, dir, name, created } = opened;
  const { dying, refused } = yield* step(k, 'fd_install', () => {
    const why = how.readonly ? '' : refusesWriters(k, ino);
    if (why !== '') return { dying: releaseHeld(k), refused: why };
    const slot = openCount(k);
    const file = k.file(k.task, slot);
    file.open = true;
    file.id = freshId(k);
    forgetReadahead(k, file.id);
    file.ino = ino;
    file.readonly = flags.readonly;
    file.append = flags.append;
    file.direct = flags.direct;
    file.sync = flags.sync;
    file.dentryDir = dir;
    file.dentryName = nameBytes(name);
    k.taskRecord(k.task).file = slot;
    return { dying: releaseHeld(k), refused: '' as const };
  });
  yield* evictAll(k, dying);
  if (refused !== '') return err(refused);
  const asked = yield* k.hooks.open(k, ino, !how.readonly);
  const ret =
    isErr(asked) || !flags.truncate || created
      ? asked
      : yield* call(k, 'handle_truncate', () => ftruncate(k, ino, 0));
  if (!isErr(ret)) return ino;
  yield* call(k, 'close', () => close(k));
  return ret;
}

/**
 * Why the file may not be opened for writing: verity is being enabled, or is. Inside a step.
 * @source fs/open.c do_dentry_open (get_write_access); fs/verity/open.c __fsverity_file_open
 */
function refusesWriters(k: Kernel, ino: number): 'ETXTBSY' | 'EPERM' | '' {
  if (k.inode(ino).denyWrite > 0) return 'ETXTBSY';
  return hasFlag(k, ino, 'verity') ? 'EPERM' : '';
}

/**
 * A number that no open file description has. Each task has its own, so that who opened first is no part of the
 * state. Inside a step.
 */
function freshId(k: Kernel): number {
  for (let id = k.task + 1; ; id += 32) if (!isLive(k, id)) return id;
}

/** Does a file list or a mapping still refer to this open file description? Inside a step. */
function isLive(k: Kernel, id: number): boolean {
  for (const task of k.world.firstKeys('file')) {
    for (const slot of k.world.secondKeys('file', task)) {
      if (k.file(task, slot).open && k.file(task, slot).id === id) return true;
    }
  }
  return isMapped(k, id);
}

/** How many entries of file lists name this open file description: fork copies them. Inside a step. */
function openEntries(k: Kernel, id: number): number {
  let count = 0;
  for (const task of k.world.firstKeys('file')) {
    for (const slot of k.world.secondKeys('file', task)) {
      const file = k.file(task, slot);
      if (file.open && file.id === id) count++;
    }
  }
  return count;
}

function isMapped(k: Kernel, id: number): boolean {
  return k.world
    .firstKeys('vma')
    .some((mm) =>
      k.world.secondKeys('vma', mm).some((slot) => k.vma(mm, slot).live && k.vma(mm, slot).file === id),
    );
}

/**
 * The last reference to an open file description goes, at close or at munmap. A file that was truncated to zero and
 * has delayed blocks is flushed (auto_da_alloc); the last writer takes the preallocations with it.
 * @param lastWriter  it may write, and no other that is left may
 * @source fs/ext4/file.c ext4_release_file; fs/ext4/inode.c ext4_alloc_da_blocks
 */
function* releaseFile(k: Kernel, ino: number, lastWriter: boolean): Op<void> {
  const flush = yield* step(k, 'ext4_release_file', () => {
    const inode = k.inode(ino);
    return inode.daAllocClose && inode.reserved > 0;
  });
  if (flush) yield* call(k, 'filemap_flush', () => filemapFlush(k, ino));
  yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_discard_preallocations', () => {
    const inode = k.inode(ino);
    inode.daAllocClose = false;
    if (lastWriter && inode.reserved === 0) discardPreallocations(k, ino);
  });
}

/** Closes the current file. What a mapping keeps alive is released when that goes. */
export function* close(k: Kernel): Op<void> {
  const { ino, dir, last, lastWriter } = yield* step(k, 'filp_close', () => {
    const file = currentFile(k)!;
    return {
      ino: file.ino,
      dir: file.dentryDir,
      last: !isMapped(k, file.id) && openEntries(k, file.id) === 1,
      lastWriter: !file.readonly && writers(k, file.ino) === 1,
    };
  });
  if (last) yield* call(k, '__fput', () => releaseFile(k, ino, lastWriter));
  yield* step(k, 'fput', () => removeCurrent(k));
  yield* call(k, 'iput', () => evictIfUnused(k, ino, dir));
}

/** munmap(2) of a whole mapping, and of the file with it when nothing else refers to it. */
export function* unmapFile(k: Kernel, slot: number): Op<void> {
  const { ino, dir, id, lastWriter } = yield* step(k, 'find_vma', () => {
    const vma = k.vma(k.mm, slot);
    hold(k, vma.ino);
    const { ino, file: id, dentryDir: dir } = vma;
    return { ino, dir, id, lastWriter: vma.mayWrite && writers(k, ino) === 1 };
  });
  yield* call(k, 'munmap', () => munmap(k, slot));
  const last = yield* step(k, 'fput', () => {
    if (isLive(k, id)) return false;
    forgetReadahead(k, id);
    return true;
  });
  if (last) yield* call(k, '__fput', () => releaseFile(k, ino, lastWriter));
  yield* call(k, 'iput', () => evictIfUnused(k, ino, dir, true));
}

/** Inside a step: the current entry leaves the list. */
function removeCurrent(k: Kernel): void {
  const task = k.taskRecord(k.task);
  const count = openCount(k);
  const { id: closed } = k.file(k.task, task.file);
  if (!isMapped(k, closed) && openEntries(k, closed) === 1) forgetReadahead(k, closed);
  for (let slot = task.file; slot + 1 < count; slot++) {
    const { id, ino, readonly, append, direct, sync, dentryDir, dentryName } = k.file(k.task, slot + 1);
    const moved = { id, ino, readonly, append, direct, sync, dentryDir, dentryName };
    Object.assign(k.file(k.task, slot), moved);
  }
  closeRecord(k, k.task, count - 1);
  task.file = Math.max(0, Math.min(task.file, count - 2));
}
