/**
 * Names of what is no directory: link(2), symlink(2), mknod(2), unlink(2).
 *
 *   sb_writers shared ▸ directory i_rwsem ▸ look again ▸ inode i_rwsem ▸ handle: one step changes directory and inode
 */
import { Bytes } from '../bytes/bytes.ts';
import { journalStart, journalStop } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { I_BLOCK_SIZE, isDir, isLnk, isReg, S_IFLNK, S_IFMT } from '../inode/layout.ts';
import { orphanAdd, orphanDel } from '../inode/orphan.ts';
import { iData, markInodeDirty, setFlag } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { iRwsem, lock, parentRwsem, sbWriters, unlock } from '../locks/lock.ts';
import { modelBirth } from '../model.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { nameBytes } from '../volume/dirent.ts';
import { readLink } from './directory.ts';
import { addEntry, deleteEntry, dirSource, initSymlinkBlock } from './entry.ts';
import { pathPut } from './evict.ts';
import { lookupEntry, lookupHeld, makeInode, PATH_MAX, type Place, parentOf, resolve } from './namei.ts';

/** @source fs/ext4/ext4.h EXT4_LINK_MAX */
export const LINK_MAX = 65000;

const exists = (): Result<never> => err('EEXIST');

/**
 * The directory in which a name is to be made, locked: sb_writers and its i_rwsem are held when it returns a Place.
 * @returns EEXIST, ENOENT for a trailing slash where no directory is made, and what the walk answers
 * @source  fs/namei.c filename_create
 */
export function* filenameCreate(k: Kernel, path: string, wantDir: boolean): Op<Result<Place>> {
  const parent = yield* parentOf(k, path, exists);
  if (isErr(parent)) return parent;
  const { dir, name, slash } = parent;
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, parentRwsem(dir));
  const there = yield* step(k, 'filename_create', () => lookupHeld(k, dir, name));
  const bad = isErr(there) ? there : there !== 0 ? err('EEXIST') : slash && !wantDir ? err('ENOENT') : null;
  if (bad === null) return parent;
  yield* donePathCreate(k, dir);
  return bad;
}

/** @source fs/namei.c done_path_create */
export function* donePathCreate(k: Kernel, dir: number): Op<void> {
  yield* unlock(k, parentRwsem(dir));
  yield* unlock(k, sbWriters);
}

/**
 * unlink(2). The inode lives on while it is referred to.
 * @returns ENOENT, EISDIR, ENOTDIR, and what the walk answers
 * @locks   sb_writers shared ▸ directory i_rwsem ▸ inode i_rwsem ▸ handle; the last reference goes under sb_writers
 * @source  fs/namei.c do_unlinkat, vfs_unlink; fs/ext4/namei.c __ext4_unlink
 */
export function* unlink(k: Kernel, path: string): Op<Result<void>> {
  const parent = yield* parentOf(k, path, () => err('EISDIR'));
  if (isErr(parent)) {
    yield* call(k, 'path_put', () => pathPut(k));
    return parent;
  }
  const { dir, name, slash } = parent;
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, parentRwsem(dir));
  const ino = yield* step(k, 'may_delete', (): Result<number> => {
    const found = lookupHeld(k, dir, name);
    if (isErr(found)) return found;
    if (found === 0) return err('ENOENT');
    if (isDir(k.inode(found).mode)) return err('EISDIR');
    return slash ? err('ENOTDIR') : found;
  });
  let ret: Result<void> = undefined;
  if (isErr(ino)) ret = ino;
  else {
    yield* lock(k, iRwsem(ino));
    yield* journalStart(k);
    ret = yield* step(k, 'ext4_unlink', (): Result<void> => {
      const found = lookupEntry(k, dir, name);
      if (isErr(found)) return found;
      if (found === undefined) return err('ENOENT');
      const deleted = deleteEntry(k, dir, found);
      if (isErr(deleted)) return deleted;
      dropLink(k, ino);
      markInodeDirty(k, ino);
    });
    yield* journalStop(k);
    yield* unlock(k, iRwsem(ino));
  }
  yield* unlock(k, parentRwsem(dir));
  yield* call(k, 'iput', () => pathPut(k));
  yield* unlock(k, sbWriters);
  return ret;
}

/** One name less; without names the inode is an orphan. Inside a step with a handle. */
export function dropLink(k: Kernel, ino: number): void {
  const inode = k.inode(ino);
  if (inode.nlink > 0) inode.nlink--;
  if (inode.nlink > 0) return;
  inode.unlinked = true;
  orphanAdd(k, ino);
}

/**
 * link(2); a symlink is linked itself, not what it names.
 * @returns ENOENT, EEXIST, EPERM for a directory, EMLINK, ENOSPC, and what the walks answer
 * @locks   sb_writers shared ▸ directory i_rwsem ▸ inode i_rwsem ▸ handle
 * @source  fs/namei.c do_linkat, vfs_link; fs/ext4/namei.c __ext4_link
 */
export function* link(k: Kernel, from: string, to: string): Op<Result<void>> {
  const ino = yield* resolve(k, from, 'nofollow');
  const ret = isErr(ino) ? ino : yield* linkHeld(k, ino, to);
  yield* call(k, 'path_put', () => pathPut(k));
  return ret;
}

/**
 * linkat(2) with AT_EMPTY_PATH: an open file gets a name, one that was made without any (O_TMPFILE) its first.
 * @returns as `link`; ENOENT for a file that has lost all its names
 */
export function* linkOpenFile(k: Kernel, ino: number, to: string): Op<Result<void>> {
  const ret = yield* linkHeld(k, ino, to);
  yield* call(k, 'path_put', () => pathPut(k));
  return ret;
}

function* linkHeld(k: Kernel, ino: number, to: string): Op<Result<void>> {
  const parent = yield* filenameCreate(k, to, false);
  if (isErr(parent)) return parent;
  const { dir, name } = parent;
  const isDirectory = yield* step(k, 'S_ISDIR?', () => isDir(k.inode(ino).mode));
  let ret: Result<void> = isDirectory ? err('EPERM') : undefined;
  if (!isDirectory) {
    yield* lock(k, iRwsem(ino));
    const bad = yield* step(k, 'i_nlink', () => {
      const { nlink, linkable } = k.inode(ino);
      return nlink === 0 && !linkable ? 'ENOENT' : nlink >= LINK_MAX ? 'EMLINK' : null;
    });
    if (bad !== null) ret = err(bad);
    else {
      yield* journalStart(k);
      ret = yield* step(k, 'ext4_link', () => {
        const inode = k.inode(ino);
        inode.nlink++;
        const added = addEntry(k, dir, nameBytes(name), ino);
        if (isErr(added)) {
          inode.nlink--;
          return added;
        }
        markInodeDirty(k, ino);
        if (inode.nlink === 1) orphanDel(k, ino);
        inode.unlinked = inode.linkable = false;
        return added;
      });
      yield* journalStop(k);
    }
    yield* unlock(k, iRwsem(ino));
  }
  yield* donePathCreate(k, dir);
  return ret;
}

/**
 * symlink(2). Less than 60 bytes are kept in i_block, more in a block.
 * @returns EEXIST, ENOENT for an empty target, ENAMETOOLONG, ENOSPC, and what the walk answers
 * @locks   sb_writers shared ▸ directory i_rwsem ▸ handle
 * @source  fs/namei.c do_symlinkat; fs/ext4/namei.c ext4_symlink
 */
export function* symlink(k: Kernel, target: string, path: string): Op<Result<void>> {
  const bytes = Bytes.fromText(target);
  if (bytes.length === 0) return err('ENOENT');
  if (bytes.length >= PATH_MAX) return err('ENAMETOOLONG');
  const ret = yield* symlinkHeld(k, bytes, path);
  yield* call(k, 'path_put', () => pathPut(k));
  return ret;
}

function* symlinkHeld(k: Kernel, target: Bytes, path: string): Op<Result<void>> {
  const parent = yield* filenameCreate(k, path, false);
  if (isErr(parent)) return parent;
  const { dir, name } = parent;
  let made: Result<number> = err('ENAMETOOLONG');
  if (target.length < k.blockSize) {
    yield* journalStart(k);
    made = yield* step(k, 'ext4_symlink', () =>
      makeInode(k, dir, name, S_IFLNK | 0o777, (ino) => initSymlink(k, ino, target)),
    );
    yield* journalStop(k);
  }
  yield* donePathCreate(k, dir);
  return isErr(made) ? made : undefined;
}

/**
 * readlink(2): the target, no more of it than a path may have.
 * @returns EINVAL for what is no symlink, and what the walk answers
 * @source  fs/stat.c do_readlinkat
 */
export function* readlink(k: Kernel, path: string): Op<Result<Bytes>> {
  const ino = yield* resolve(k, path, 'nofollow');
  const ret = isErr(ino)
    ? ino
    : yield* step(k, 'vfs_readlink', () =>
        isLnk(k.inode(ino).mode) ? readLink(dirSource(k, ino)) : err('EINVAL'),
      );
  yield* call(k, 'path_put', () => pathPut(k));
  return ret;
}

function initSymlink(k: Kernel, ino: number, target: Bytes): Result<void> {
  const inode = k.inode(ino);
  if (target.length < I_BLOCK_SIZE) {
    // Only the target and its end are written: what is left of the extent root stays behind them.
    setFlag(k, ino, 'extents', false);
    inode.iData = iData(k, ino).splice(0, Bytes.concat([target, Bytes.zero(1)]));
  } else {
    const made = initSymlinkBlock(k, ino, target);
    if (isErr(made)) return made;
  }
  inode.size = inode.disksize = target.length;
}

/** A device number. */
export interface Device {
  readonly major: number;
  readonly minor: number;
}

/** What a device number is in i_block: the old form where it fits, else the new one in the second word. */
function deviceWords({ major, minor }: Device): readonly [old: number, wide: number] {
  if (major < 256 && minor < 256) return [(major << 8) | minor, 0];
  return [0, (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)];
}

/** The content of a new fifo, socket or device. Inside a step. @source fs/ext4/inode.c ext4_fill_raw_inode */
export function initSpecial(k: Kernel, ino: number, device: Device): void {
  const [old, wide] = deviceWords(device);
  k.inode(ino).iData = Bytes.zero(I_BLOCK_SIZE).putU32(0, old).putU32(4, wide);
  markInodeDirty(k, ino);
}

/**
 * mknod(2). An empty regular file can be made so too.
 * @param mode    type and permissions, before the umask
 * @param device  of a device; 0:0 for everything else
 * @returns EEXIST, EPERM for a directory, EINVAL for no type, ENOSPC, and what the walk answers
 * @locks   sb_writers shared ▸ directory i_rwsem ▸ handle
 * @source  fs/namei.c do_mknodat; fs/ext4/namei.c ext4_mknod
 */
export function* mknod(k: Kernel, path: string, mode: number, device: Device): Op<Result<void>> {
  if (isDir(mode)) return err('EPERM');
  if (isLnk(mode) || (mode & S_IFMT) === 0) return err('EINVAL');
  const ret = yield* mknodHeld(k, path, mode, device);
  yield* call(k, 'path_put', () => pathPut(k));
  return ret;
}

function* mknodHeld(k: Kernel, path: string, mode: number, device: Device): Op<Result<void>> {
  const parent = yield* filenameCreate(k, path, false);
  if (isErr(parent)) return parent;
  const { dir, name } = parent;
  yield* journalStart(k);
  const made = yield* step(k, 'ext4_mknod', () =>
    makeInode(k, dir, name, mode, (ino) => {
      if (isReg(mode)) modelBirth(k, ino, 0);
      else initSpecial(k, ino, device);
    }),
  );
  yield* journalStop(k);
  yield* donePathCreate(k, dir);
  return isErr(made) ? made : undefined;
}
