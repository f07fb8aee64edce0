/**
 * rename(2), within a directory and from one to another, over what is there.
 *
 *   same directory      sb_writers ▸ its i_rwsem                                          ▸ children ▸ handle
 *   two directories     sb_writers ▸ s_vfs_rename_mutex ▸ the ancestor's i_rwsem first    ▸ children ▸ handle
 *   children            a moved directory (two directories only), then a replaced one; else files by inode number
 *
 * Entries, link counts and `..` change in one step. An inline directory that grows out of its inode while it takes the
 * new name has moved its old one too: the old name is looked up again before it is deleted.
 *
 * Not modelled: RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT.
 */
import { journalStart, journalStop } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { isDir, RESERVED_INO } from '../inode/layout.ts';
import { markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { iRwsem, lock, sbWriters, sVfsRenameMutex, unlock } from '../locks/lock.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { nameBytes } from '../volume/dirent.ts';
import { filemapFlush } from '../writeback/writepages.ts';
import { dirParent, isEmptyDirectory } from './directory.ts';
import { addEntry, deleteEntry, dirSource, setEntry, setParent } from './entry.ts';
import { iput, pathPut } from './evict.ts';
import { dropLink } from './link.ts';
import { clearDirLinks, decDirCount, incDirCount, isDirLinkMax } from './mkdir.ts';
import { igetInode, lookupEntry, lookupHeld, type Place, parentOf } from './namei.ts';

const busy = (): Result<never> => err('EBUSY');

/**
 * @returns ENOENT, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL for a directory into itself, EBUSY for a path without a name,
 *          EMLINK, ENOSPC, and what the walks answer
 * @locks   see above; the replaced inode's last reference goes under the directories' locks
 * @source  fs/namei.c do_renameat2, vfs_rename; fs/ext4/namei.c ext4_rename
 */
export function* rename(k: Kernel, from: string, to: string): Op<Result<void>> {
  const ret = yield* renameHeld(k, from, to);
  yield* call(k, 'path_put', () => pathPut(k));
  return ret;
}

function* renameHeld(k: Kernel, from: string, to: string): Op<Result<void>> {
  const source = yield* parentOf(k, from, busy);
  if (isErr(source)) return source;
  const target = yield* parentOf(k, to, busy);
  if (isErr(target)) return target;
  yield* lock(k, sbWriters, 'shared');
  const order = yield* lockRename(k, target.dir, source.dir);
  const ret = isErr(order)
    ? order
    : yield* call(k, 'vfs_rename', () => renameLocked(k, source, target, order.trap));
  if (!isErr(order)) yield* unlockRename(k, target.dir, source.dir);
  yield* unlock(k, sbWriters);
  return ret;
}

/** Which of two directories is locked first, and the child of it that leads to the other; 0 when there is none. */
interface LockOrder {
  readonly first: number;
  readonly second: number;
  readonly trap: number;
}

/** @source fs/namei.c lock_rename, lock_two_directories */
function* lockRename(k: Kernel, a: number, b: number): Op<Result<LockOrder>> {
  if (a === b) {
    yield* lock(k, iRwsem(a));
    return { first: a, second: a, trap: 0 };
  }
  yield* lock(k, sVfsRenameMutex);
  const order = yield* step(k, 'lock_two_directories', (): Result<LockOrder> => {
    const below = childTowards(k, b, a);
    if (isErr(below)) return below;
    if (below !== 0) return { first: b, second: a, trap: below };
    const above = childTowards(k, a, b);
    if (isErr(above)) return above;
    return { first: a, second: b, trap: above };
  });
  if (isErr(order)) {
    yield* unlock(k, sVfsRenameMutex);
    return order;
  }
  yield* lock(k, iRwsem(order.first));
  yield* lock(k, iRwsem(order.second));
  return order;
}

function* unlockRename(k: Kernel, a: number, b: number): Op<void> {
  yield* unlock(k, iRwsem(a));
  if (a === b) return;
  yield* unlock(k, iRwsem(b));
  yield* unlock(k, sVfsRenameMutex);
}

/** The child of `ancestor` on the way to `dir`; 0 when `dir` is not below it. Inside a step. */
function childTowards(k: Kernel, ancestor: number, dir: number): Result<number> {
  const seen = new Set<number>();
  for (let here = dir; here !== RESERVED_INO.root && !seen.has(here); ) {
    seen.add(here);
    const got = igetInode(k, here);
    if (isErr(got)) return got;
    const parent = dirParent(dirSource(k, here));
    if (isErr(parent)) return parent;
    if (parent === ancestor) return here;
    here = parent;
  }
  return 0;
}

/** What is renamed, and what is replaced. */
interface Renamed {
  readonly source: number;
  readonly isDirectory: boolean;
  /** 0 when there is nothing. */
  readonly target: number;
  readonly targetIsDirectory: boolean;
}

/** Inside a step, under both directories' locks: the checks up to vfs_rename's. */
function lookBoth(k: Kernel, from: Place, to: Place, trap: number): Result<Renamed> {
  const source = lookupHeld(k, from.dir, from.name);
  if (isErr(source)) return source;
  if (source === 0) return err('ENOENT');
  const target = lookupHeld(k, to.dir, to.name);
  if (isErr(target)) return target;
  const isDirectory = isDir(k.inode(source).mode);
  const targetIsDirectory = target !== 0 && isDir(k.inode(target).mode);
  if (!isDirectory && (from.slash || to.slash)) return err('ENOTDIR');
  if (trap !== 0 && source === trap) return err('EINVAL');
  if (trap !== 0 && target === trap) return err('ENOTEMPTY');
  if (target !== 0 && target !== source && isDirectory !== targetIsDirectory) {
    return err(isDirectory ? 'ENOTDIR' : 'EISDIR');
  }
  return { source, isDirectory, target, targetIsDirectory };
}

function* renameLocked(k: Kernel, from: Place, to: Place, trap: number): Op<Result<void>> {
  const both = yield* step(k, 'lookup_one_qstr_excl', () => lookBoth(k, from, to, trap));
  if (isErr(both)) return both;
  const { source, target, isDirectory } = both;
  if (source === target) return;
  const children = isDirectory
    ? [...(from.dir === to.dir ? [] : [source]), ...(target === 0 ? [] : [target])]
    : [source, ...(target === 0 ? [] : [target])].sort((a, b) => a - b);
  for (const child of children) yield* lock(k, iRwsem(child));
  if (target !== 0 && k.mount.autoDaAlloc) {
    const delayed = yield* step(k, 'ext4_alloc_da_blocks', () => k.inode(source).reserved > 0);
    if (delayed) yield* call(k, 'filemap_flush', () => filemapFlush(k, source));
  }
  yield* journalStart(k);
  const ret = yield* step(k, 'ext4_rename', () => renameEntries(k, from, to, both));
  yield* journalStop(k);
  for (const child of children) yield* unlock(k, iRwsem(child));
  if (target !== 0) yield* call(k, 'dput', () => iput(k, target));
  return ret;
}

/** Inside a step with a handle. @source fs/ext4/namei.c ext4_rename */
function renameEntries(k: Kernel, from: Place, to: Place, both: Renamed): Result<void> {
  const { source, target, isDirectory } = both;
  const old = lookupEntry(k, from.dir, from.name);
  if (isErr(old)) return old;
  if (old === undefined) return err('ENOENT');
  if (isDirectory) {
    if (target !== 0) {
      if (!isEmptyDirectory(dirSource(k, target))) return err('ENOTEMPTY');
    } else if (from.dir !== to.dir && isDirLinkMax(k, to.dir)) return err('EMLINK');
    if (from.dir !== to.dir && dirParent(dirSource(k, source)) !== from.dir) return err('EUCLEAN');
  }
  if (target === 0) {
    const added = addEntry(k, to.dir, nameBytes(to.name), source);
    if (isErr(added)) return added;
  } else {
    const there = lookupEntry(k, to.dir, to.name);
    if (isErr(there)) return there;
    if (there === undefined) return err('ENOENT');
    const set = setEntry(k, to.dir, there, source, old.entry.fileType);
    if (isErr(set)) return set;
  }
  markInodeDirty(k, source);
  if (k.inode(source).dentryDir === from.dir) k.inode(source).dentryDir = to.dir;
  // force_reread and htree splits: the old name may be somewhere else by now.
  const stale = lookupEntry(k, from.dir, from.name);
  if (stale !== undefined && !isErr(stale)) deleteEntry(k, from.dir, stale);
  if (isDirectory) {
    if (from.dir !== to.dir) {
      const set = setParent(k, source, to.dir);
      if (isErr(set)) return set;
    }
    decDirCount(k, from.dir);
    if (target !== 0) clearDirLinks(k, target);
    else {
      incDirCount(k, to.dir);
      markInodeDirty(k, to.dir);
    }
  } else if (target !== 0) dropLink(k, target);
  markInodeDirty(k, from.dir);
  if (target !== 0) markInodeDirty(k, target);
}
