/**
 * Directories: mkdir(2), rmdir(2). A directory's link count is 2 and one for each directory in it.
 */
import { journalStart, journalStop } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { isDir, S_IFDIR } from '../inode/layout.ts';
import { orphanAdd } from '../inode/orphan.ts';
import { hasFlag, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { dirRwsem, lock, parentRwsem, sbWriters, unlock } from '../locks/lock.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { hasFeature } from '../volume/superblock.ts';
import { isEmptyDirectory } from './directory.ts';
import { deleteEntry, dirSource, initNewDir } from './entry.ts';
import { iput, pathPut } from './evict.ts';
import { donePathCreate, filenameCreate, LINK_MAX } from './link.ts';
import { lookupEntry, lookupHeld, makeInode, parentOf } from './namei.ts';

/** May it have no further directory in it? @source fs/ext4/ext4.h EXT4_DIR_LINK_MAX */
export function isDirLinkMax(k: Kernel, dir: number): boolean {
  if (k.inode(dir).nlink < LINK_MAX) return false;
  return !(hasFeature(k.geo.features, 'dir_nlink') && k.geo.dirIndex && hasFlag(k, dir, 'index'));
}

/** One directory more in it; an indexed one that has too many counts no more. @source fs/ext4/namei.c ext4_inc_count */
export function incDirCount(k: Kernel, dir: number): void {
  const inode = k.inode(dir);
  inode.nlink++;
  const indexed = k.geo.dirIndex && hasFlag(k, dir, 'index');
  if (indexed && (inode.nlink > LINK_MAX || inode.nlink === 2)) inode.nlink = 1;
}

/** @source fs/ext4/namei.c ext4_dec_count */
export function decDirCount(k: Kernel, dir: number): void {
  const inode = k.inode(dir);
  if (inode.nlink > 2) inode.nlink--;
}

/** A directory that lost its name: no links, an orphan. Inside a step with a handle. @source fs/fs.h clear_nlink */
export function clearDirLinks(k: Kernel, dir: number): void {
  const inode = k.inode(dir);
  inode.nlink = 0;
  inode.unlinked = true;
  orphanAdd(k, dir);
}

/**
 * @param mode  permissions, before the umask
 * @returns EEXIST, ENOENT, EMLINK, ENOSPC, and what the walk answers
 * @locks   sb_writers shared ▸ parent i_rwsem ▸ handle
 * @source  fs/namei.c do_mkdirat; fs/ext4/namei.c ext4_mkdir
 */
export function* mkdir(k: Kernel, path: string, mode = 0o777): Op<Result<void>> {
  const ret = yield* mkdirHeld(k, path, S_IFDIR | (mode & 0o1777));
  yield* call(k, 'path_put', () => pathPut(k));
  return ret;
}

function* mkdirHeld(k: Kernel, path: string, mode: number): Op<Result<void>> {
  const parent = yield* filenameCreate(k, path, true);
  if (isErr(parent)) return parent;
  const { dir, name } = parent;
  const full = yield* step(k, 'EXT4_DIR_LINK_MAX?', () => isDirLinkMax(k, dir));
  let ret: Result<void> = full ? err('EMLINK') : undefined;
  if (!full) {
    yield* journalStart(k);
    ret = yield* step(k, 'ext4_mkdir', (): Result<void> => {
      const ino = makeInode(k, dir, name, mode, (fresh) => initNewDir(k, fresh, dir));
      if (isErr(ino)) return ino;
      incDirCount(k, dir);
      markInodeDirty(k, dir);
    });
    yield* journalStop(k);
  }
  yield* donePathCreate(k, dir);
  return ret;
}

/** What rmdir(2) says of a path without a name at its end. */
const noName = (last: string): Result<never> =>
  err(last === '.' ? 'EINVAL' : last === '..' ? 'ENOTEMPTY' : 'EBUSY');

/**
 * @returns ENOENT, ENOTDIR, ENOTEMPTY, EINVAL and EBUSY for `.` and `/`, and what the walk answers
 * @locks   sb_writers shared ▸ parent i_rwsem ▸ directory i_rwsem ▸ handle; the last reference goes under the parent's
 * @source  fs/namei.c do_rmdir, vfs_rmdir; fs/ext4/namei.c ext4_rmdir
 */
export function* rmdir(k: Kernel, path: string): Op<Result<void>> {
  const ret = yield* rmdirHeld(k, path);
  yield* call(k, 'path_put', () => pathPut(k));
  return ret;
}

function* rmdirHeld(k: Kernel, path: string): Op<Result<void>> {
  const parent = yield* parentOf(k, path, noName);
  if (isErr(parent)) return parent;
  const { dir, name } = parent;
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, parentRwsem(dir));
  const ino = yield* step(k, 'may_delete', (): Result<number> => {
    const found = lookupHeld(k, dir, name);
    if (isErr(found)) return found;
    if (found === 0) return err('ENOENT');
    return isDir(k.inode(found).mode) ? found : err('ENOTDIR');
  });
  let ret: Result<void> = undefined;
  if (isErr(ino)) ret = ino;
  else {
    yield* lock(k, dirRwsem(ino));
    const empty = yield* step(k, 'ext4_empty_dir', () => isEmptyDirectory(dirSource(k, ino)));
    if (!empty) ret = err('ENOTEMPTY');
    else {
      yield* journalStart(k);
      ret = yield* step(k, 'ext4_rmdir', (): Result<void> => {
        const found = lookupEntry(k, dir, name);
        if (isErr(found)) return found;
        if (found === undefined) return err('ENOENT');
        const deleted = deleteEntry(k, dir, found);
        if (isErr(deleted)) return deleted;
        k.inode(ino).size = 0;
        clearDirLinks(k, ino);
        markInodeDirty(k, ino);
        decDirCount(k, dir);
        markInodeDirty(k, dir);
      });
      yield* journalStop(k);
    }
    yield* unlock(k, dirRwsem(ino));
    yield* call(k, 'd_delete', () => iput(k, ino));
  }
  yield* unlock(k, parentRwsem(dir));
  yield* unlock(k, sbWriters);
  return ret;
}
