/**
 * rename(2), within a directory and from one to another, over what is there.
 *
 *   same directory      sb_writers ▸ its i_rwsem                                          ▸ children ▸ handle
 *   two directories     sb_writers ▸ s_vfs_rename_mutex ▸ the ancestor's i_rwsem first    ▸ children ▸ handle
 *   children            directories that get another parent or lose their name, source first; then files by inode number
 *
 * Entries, link counts and `..` change in one step. An inline directory that grows out of its inode while it takes the
 * new name has moved its old one too: the old name is looked up again before it is deleted.
 *
 * RENAME_EXCHANGE lets two names change places, RENAME_WHITEOUT leaves a character device 0:0 under the old name.
 */
import { journalStart, journalStop } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { DIRENT_TYPE, isDir, RESERVED_INO, S_IFCHR } from '../inode/layout.ts';
import { markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import {
  childRwsem,
  dirRwsem,
  iRwsem,
  iRwsemSecond,
  type LockRef,
  lock,
  parentRwsem,
  sbWriters,
  secondParentRwsem,
  sVfsRenameMutex,
  unlock,
} from '../locks/lock.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { nameBytes } from '../volume/dirent.ts';
import { filemapFlush } from '../writeback/writepages.ts';
import { newInodeIn } from './acl.ts';
import { exchangeDentries, moveDentry } from './dentry.ts';
import { dirParent, type FoundDirent, isEmptyDirectory } from './directory.ts';
import { addEntry, deleteEntry, dirSource, setEntry, setParent } from './entry.ts';
import { hold, iput, pathPut } from './evict.ts';
import { dropLink, initSpecial } from './link.ts';
import { clearDirLinks, decDirCount, incDirCount, isDirLinkMax } from './mkdir.ts';
import { igetInode, isName, lookupEntry, lookupHeld, type Place, walk } from './namei.ts';

/** Flags of renameat2(2). What is left out is not set. */
export interface RenameFlags {
  /** RENAME_NOREPLACE: the new name must not be there. */
  readonly noreplace?: boolean;
  /** RENAME_EXCHANGE: both names must be there, and change places. Goes with no other. */
  readonly exchange?: boolean;
  /** RENAME_WHITEOUT. */
  readonly whiteout?: boolean;
}

/**
 * @returns ENOENT, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL for a directory into itself and for flags that do not go together,
 *          EBUSY for a path without a name, EEXIST, EMLINK, ENOSPC, and what the walks answer
 * @locks   see above; the replaced inode's last reference goes under the directories' locks
 * @source  fs/namei.c do_renameat2, vfs_rename; fs/ext4/namei.c ext4_rename2
 */
export function* rename(k: Kernel, from: string, to: string, flags: RenameFlags = {}): Op<Result<void>> {
  if (flags.exchange === true && (flags.noreplace === true || flags.whiteout === true)) return err('EINVAL');
  const ret = yield* renameHeld(k, from, to, flags);
  yield* call(k, 'path_put', () => pathPut(k));
  return ret;
}

function* renameHeld(k: Kernel, from: string, to: string, flags: RenameFlags): Op<Result<void>> {
  // Names are only looked at when both walks have succeeded.
  const source = yield* call(k, 'path_parentat', () => walk(k, from, 'parent'));
  if (isErr(source)) return source;
  const target = yield* call(k, 'path_parentat', () => walk(k, to, 'parent'));
  if (isErr(target)) return target;
  if (!isName(source.name)) return err('EBUSY');
  if (!isName(target.name)) return err(flags.noreplace === true ? 'EEXIST' : 'EBUSY');
  yield* lock(k, sbWriters, 'shared');
  const order = yield* lockRename(k, target.dir, source.dir);
  const ret = isErr(order)
    ? order
    : yield* call(k, 'vfs_rename', () => renameLocked(k, source, target, order.trap, flags));
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
    yield* lock(k, parentRwsem(a));
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
  yield* lock(k, parentRwsem(order.first));
  yield* lock(k, secondParentRwsem(order.second));
  return order;
}

function* unlockRename(k: Kernel, a: number, b: number): Op<void> {
  yield* unlock(k, parentRwsem(a));
  if (a === b) return;
  yield* unlock(k, parentRwsem(b));
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
function lookBoth(
  k: Kernel,
  from: Place,
  to: Place,
  trap: number,
  { noreplace, exchange = false }: RenameFlags,
): Result<Renamed> {
  const source = lookupHeld(k, from.dir, from.name);
  if (isErr(source)) return source;
  if (source === 0) return err('ENOENT');
  const target = lookupHeld(k, to.dir, to.name);
  if (isErr(target)) return target;
  const isDirectory = isDir(k.inode(source).mode);
  const targetIsDirectory = target !== 0 && isDir(k.inode(target).mode);
  if (noreplace === true && target !== 0) return err('EEXIST');
  if (exchange) {
    if (target === 0) return err('ENOENT');
    if (!targetIsDirectory && to.slash) return err('ENOTDIR');
  }
  if (!isDirectory && (from.slash || (to.slash && !exchange))) return err('ENOTDIR');
  if (trap !== 0 && source === trap) return err('EINVAL');
  if (trap !== 0 && target === trap) return err(exchange ? 'EINVAL' : 'ENOTEMPTY');
  if (!exchange && target !== 0 && target !== source && isDirectory !== targetIsDirectory) {
    return err(isDirectory ? 'ENOTDIR' : 'EISDIR');
  }
  return { source, isDirectory, target, targetIsDirectory };
}

/** What is locked beside the directories, in order. @source fs/namei.c vfs_rename, lock_two_nondirectories */
function childrenOf(both: Renamed, across: boolean, exchange: boolean): LockRef[] {
  const { source, target, isDirectory, targetIsDirectory } = both;
  const directories = [
    ...(isDirectory && across ? [childRwsem(source)] : []),
    ...(targetIsDirectory && (across || !exchange)
      ? [isDirectory ? dirRwsem(target) : childRwsem(target)]
      : []),
  ];
  const files = [
    ...(isDirectory ? [] : [source]),
    ...(target === 0 || targetIsDirectory ? [] : [target]),
  ].sort((a, b) => a - b);
  return [...directories, ...files.map((file, i) => (i === 0 ? iRwsem(file) : iRwsemSecond(file)))];
}

function* renameLocked(
  k: Kernel,
  from: Place,
  to: Place,
  trap: number,
  flags: RenameFlags,
): Op<Result<void>> {
  const both = yield* step(k, 'lookup_one_qstr_excl', () => lookBoth(k, from, to, trap, flags));
  if (isErr(both)) return both;
  const { source, target } = both;
  if (source === target) return;
  const { exchange = false, whiteout = false } = flags;
  const children = childrenOf(both, from.dir !== to.dir, exchange);
  for (const child of children) yield* lock(k, child);
  if (target !== 0 && !exchange && k.mount.autoDaAlloc) {
    const delayed = yield* step(k, 'ext4_alloc_da_blocks', () => k.inode(source).reserved > 0);
    if (delayed) yield* call(k, 'filemap_flush', () => filemapFlush(k, source));
  }
  yield* journalStart(k);
  const ret = exchange
    ? yield* step(k, 'ext4_cross_rename', () => exchangeEntries(k, from, to, both))
    : yield* step(k, 'ext4_rename', () => renameEntries(k, from, to, both, whiteout));
  yield* journalStop(k);
  for (const child of children) yield* unlock(k, child);
  if (target !== 0) yield* call(k, 'dput', () => iput(k, target));
  return ret;
}

/** Inside a step with a handle. @source fs/ext4/namei.c ext4_rename */
function renameEntries(k: Kernel, from: Place, to: Place, both: Renamed, whiteout: boolean): Result<void> {
  const old = lookupEntry(k, from.dir, from.name);
  if (isErr(old)) return old;
  if (old === undefined) return err('ENOENT');
  const left = whiteout ? newInodeIn(k, from.dir, S_IFCHR, nameBytes(from.name)) : 0;
  if (isErr(left)) return left;
  if (left !== 0) initSpecial(k, left, { major: 0, minor: 0 });
  const ret = moveEntry(k, from, to, both, old, left);
  if (isErr(ret)) {
    if (left !== 0) {
      const there = lookupEntry(k, from.dir, from.name);
      if (there !== undefined && !isErr(there)) {
        setEntry(k, from.dir, there, both.source, old.entry.fileType);
      }
      dropLink(k, left);
      markInodeDirty(k, left);
      hold(k, left);
    }
    return ret;
  }
  moveDentry(k, both.source, from, to);
}

/**
 * The entry under its new name, links and `..`.
 * @param whiteout  the inode that the old name gets; 0: the old name goes
 */
function moveEntry(
  k: Kernel,
  from: Place,
  to: Place,
  both: Renamed,
  old: FoundDirent,
  whiteout: number,
): Result<void> {
  const { source, target, isDirectory } = both;
  const across = from.dir !== to.dir;
  if (isDirectory) {
    if (target !== 0) {
      if (!isEmptyDirectory(dirSource(k, target))) return err('ENOTEMPTY');
    } else if (across && isDirLinkMax(k, to.dir)) return err('EMLINK');
    if (across && dirParent(dirSource(k, source)) !== from.dir) return err('EUCLEAN');
  }
  if (whiteout !== 0) {
    const set = setEntry(k, from.dir, old, whiteout, DIRENT_TYPE.chr);
    if (isErr(set)) return set;
    markInodeDirty(k, whiteout);
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
  if (whiteout === 0) {
    // force_reread and htree splits: the old name may be somewhere else by now.
    const stale = lookupEntry(k, from.dir, from.name);
    if (stale !== undefined && !isErr(stale)) deleteEntry(k, from.dir, stale);
  }
  if (isDirectory) {
    if (across) {
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

/** Two names change places. Inside a step with a handle. @source fs/ext4/namei.c ext4_cross_rename */
function exchangeEntries(k: Kernel, from: Place, to: Place, both: Renamed): Result<void> {
  const { source, target, isDirectory, targetIsDirectory } = both;
  const across = from.dir !== to.dir;
  const old = lookupEntry(k, from.dir, from.name);
  if (isErr(old)) return old;
  const there = lookupEntry(k, to.dir, to.name);
  if (isErr(there)) return there;
  if (old === undefined || there === undefined) return err('ENOENT');
  if (across && isDirectory && dirParent(dirSource(k, source)) !== from.dir) return err('EUCLEAN');
  if (across && targetIsDirectory && dirParent(dirSource(k, target)) !== to.dir) return err('EUCLEAN');
  if (across && isDirectory !== targetIsDirectory) {
    if (isDirLinkMax(k, isDirectory ? to.dir : from.dir)) return err('EMLINK');
  }
  const first = setEntry(k, to.dir, there, source, old.entry.fileType);
  if (isErr(first)) return first;
  // Both may be in one block: the old entry is where it was, its block is another value.
  const second = setEntry(k, from.dir, old, target, there.entry.fileType);
  if (isErr(second)) return second;
  markInodeDirty(k, source);
  markInodeDirty(k, target);
  if (across) {
    for (const [moved, is, parent] of [
      [source, isDirectory, to.dir],
      [target, targetIsDirectory, from.dir],
    ] as const) {
      const set = is ? setParent(k, moved, parent) : undefined;
      if (isErr(set)) return set;
    }
    if (isDirectory !== targetIsDirectory) {
      const [loses, gains] = isDirectory ? [from.dir, to.dir] : [to.dir, from.dir];
      decDirCount(k, loses);
      incDirCount(k, gains);
      markInodeDirty(k, from.dir);
      markInodeDirty(k, to.dir);
    }
  }
  exchangeDentries(k, from, to);
}
