/**
 * Paths: from text to inodes, component by component; open(2) with O_CREAT.
 *
 *   walk ─ one step per component: look up, iget, follow a symlink ─▶ Place { dir, name, ino }
 *
 * What a walk has reached stays referred to by the running system call (`task.held`) until its `pathPut`, so that
 * nobody evicts it meanwhile. Lookups take no lock: the kernel finds names in its dentry cache, and every change of a
 * directory is one step. A system call that changes a directory looks again under the directory's i_rwsem.
 *
 * A walk cannot leave the volume: `..` of the root is the root, and a symlink to an absolute path begins there.
 *
 * Not modelled: permissions (every lane is root), mount points, casefolding and encryption.
 */

import { Bytes } from '../bytes/bytes.ts';
import { journalStart, journalStop } from '../device/journal.ts';
import { type Errno, err, isErr, type Result } from '../errno.ts';
import { findInlineData } from '../inline/bytes.ts';
import { isDir, isLnk, isReg, RESERVED_INO, S_IFREG } from '../inode/layout.ts';
import { orphanAdd } from '../inode/orphan.ts';
import { iget, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { dirRwsem, lock, sbWriters, unlock } from '../locks/lock.ts';
import { modelBirth } from '../model.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import * as dirent from '../volume/dirent.ts';
import { newInodeIn } from './acl.ts';
import {
  type DirEntry,
  dirParent,
  type FoundDirent,
  findEntry,
  linkText,
  listDirectory,
  readLink,
} from './directory.ts';
import { addEntry, dirSource } from './entry.ts';
import { hold, pathPut, unhold } from './evict.ts';
import { modelAdopt } from './mediumFile.ts';

/** @source include/linux/namei.h MAXSYMLINKS */
const MAX_SYMLINKS = 40;
/** Bytes of a path, its end included. @source include/uapi/linux/limits.h PATH_MAX */
export const PATH_MAX = 4096;

/** Brings an inode into core, with its system.data found. Inside a step. */
export function igetInode(k: Kernel, ino: number): Result<void> {
  const got = iget(k, ino, findInlineData);
  if (isErr(got)) return got;
  if (isReg(k.inode(ino).mode) && !k.ghost(ino).live) modelAdopt(k, ino);
}

/** A directory that may be looked into: in core, not removed. Inside a step. */
function checkDir(k: Kernel, dir: number): Result<void> {
  const got = igetInode(k, dir);
  if (isErr(got)) return got;
  const { mode, unlinked } = k.inode(dir);
  if (!isDir(mode)) return err('ENOTDIR');
  return unlinked ? err('ENOENT') : undefined;
}

/**
 * The entry of a name; undefined when there is none. Inside a step.
 * @returns ENOTDIR, ENAMETOOLONG, EUCLEAN, EBADMSG; ENOENT for a directory that was removed
 * @source  fs/ext4/namei.c ext4_lookup
 */
export function lookupEntry(k: Kernel, dir: number, name: string): Result<FoundDirent | undefined> {
  const ok = checkDir(k, dir);
  if (isErr(ok)) return ok;
  const bytes = dirent.nameBytes(name);
  if (bytes.length > dirent.NAME_MAX) return err('ENAMETOOLONG');
  const found = findEntry(dirSource(k, dir), bytes);
  if (found === undefined || isErr(found)) return found;
  const { ino } = found.entry;
  const valid = ino === RESERVED_INO.root || (ino >= k.geo.firstIno && ino <= k.geo.inodesCount);
  return valid && ino !== dir ? found : err('EUCLEAN');
}

/** The inode of a name, in core; ENOENT when there is none. Inside a step. */
export function lookupName(k: Kernel, dir: number, name: string): Result<number> {
  const found = lookupEntry(k, dir, name);
  if (isErr(found)) return found;
  if (found === undefined) return err('ENOENT');
  const got = igetInode(k, found.entry.ino);
  // A name of a free inode.
  if (isErr(got)) return got.errno === 'ENOENT' ? err('EUCLEAN') : got;
  return found.entry.ino;
}

/**
 * Names of a directory in the order of readdir, without `.` and `..`. Inside a step.
 * @returns ENOTDIR, ENOENT for a directory that was removed, EUCLEAN, EBADMSG
 */
export function listNames(k: Kernel, dir: number): Result<string[]> {
  const entries = listEntries(k, dir);
  return isErr(entries) ? entries : entries.map(({ name }) => dirent.nameText(name));
}

/** As `listNames`, with what the names name. Inside a step. */
export function listEntries(k: Kernel, dir: number): Result<DirEntry[]> {
  const ok = checkDir(k, dir);
  return isErr(ok) ? ok : listDirectory(dirSource(k, dir));
}

/** Where a path leads. */
export interface Place {
  /** The directory that holds the last component; for a path without one, the inode itself. */
  readonly dir: number;
  /** The last component; '' when there is none (`/`), `.` and `..` as they are. */
  readonly name: string;
  /** What the path names; 0 when the last component was not looked up, or is not there. */
  readonly ino: number;
  /** The path ends in a slash: it must name a directory. */
  readonly slash: boolean;
}

/**
 * What becomes of the last component.
 *   parent    it is not looked up                              (what the last name of mkdir, rm, mv, ln is)
 *   nofollow  it is looked up, and a symlink stays a symlink
 *   follow    a symlink is followed
 *   create    as follow, and it need not be there
 *   createNofollow  as nofollow, and it need not be there
 */
export type WalkMode = 'parent' | 'nofollow' | 'follow' | 'create' | 'createNofollow';

const components = (path: string): string[] => path.split('/').filter((part) => part !== '');

/**
 * Walks a path. What it reached is held until `pathPut`, also when it failed.
 * @returns ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG, EUCLEAN, EBADMSG
 * @source  fs/namei.c path_lookupat, link_path_walk
 */
export function* walk(k: Kernel, path: string, mode: WalkMode): Op<Result<Place>> {
  if (path === '') return err('ENOENT');
  if (dirent.nameBytes(path).length >= PATH_MAX) return err('ENAMETOOLONG');
  let todo = components(path);
  let slash = todo.length > 0 && path.endsWith('/');
  let dir: number = RESERVED_INO.root;
  let symlinks = 0;
  for (;;) {
    const here = dir;
    const [name, ...rest] = todo;
    if (name === undefined) {
      const root = yield* step(k, 'link_path_walk', () => igetInode(k, here));
      return isErr(root) ? root : { dir: here, name: '', ino: here, slash };
    }
    const last = rest.length === 0;
    if (last && mode === 'parent') return { dir: here, name, ino: 0, slash };
    const follow = !last || slash || (mode !== 'nofollow' && mode !== 'createNofollow');
    const mustBeDir = !last || slash;
    const found = yield* step(k, 'link_path_walk', () => walkComponent(k, here, name, follow, mustBeDir));
    if (isErr(found)) {
      const missing = last && mode.startsWith('create') && found.errno === 'ENOENT';
      return missing ? { dir: here, name, ino: 0, slash } : found;
    }
    if (typeof found === 'number') {
      if (last) return { dir: here, name, ino: found, slash };
      dir = found;
      todo = rest;
      continue;
    }
    symlinks++;
    if (symlinks > MAX_SYMLINKS) return err('ELOOP');
    if (found === '') return err('ENOENT');
    if (last && found.endsWith('/')) slash = true;
    todo = [...components(found), ...rest];
    if (found.startsWith('/')) dir = RESERVED_INO.root;
  }
}

/**
 * One component: the inode, held instead of the directory it was found in, or the target of a symlink to follow.
 * Inside a step.
 * @source fs/namei.c walk_component, step_into
 */
function walkComponent(
  k: Kernel,
  dir: number,
  name: string,
  follow: boolean,
  mustBeDir: boolean,
): Result<number | string> {
  const ok = checkDir(k, dir);
  if (isErr(ok)) return ok;
  let ino: Result<number>;
  if (name === '.') ino = dir;
  else if (name === '..') ino = dir === RESERVED_INO.root ? dir : dirParent(dirSource(k, dir));
  else ino = lookupName(k, dir, name);
  if (isErr(ino)) return ino;
  const got = igetInode(k, ino);
  if (isErr(got)) return got;
  const { mode } = k.inode(ino);
  if (follow && isLnk(mode)) {
    const target = readLink(dirSource(k, ino));
    return isErr(target) ? target : linkText(target);
  }
  if (mustBeDir && !isDir(mode)) return err('ENOTDIR');
  unhold(k, dir);
  hold(k, ino);
  return ino;
}

/**
 * The directory that holds the last component, held, and that component.
 * @returns the errno of the walk; `special` for a path whose last component is no name (`/`, `.`, `..`)
 */
export function* parentOf(
  k: Kernel,
  path: string,
  special: (last: string) => Result<never>,
): Op<Result<Place>> {
  const place = yield* call(k, 'path_parentat', () => walk(k, path, 'parent'));
  if (isErr(place)) return place;
  return isName(place.name) ? place : special(place.name);
}

/** Is the last component a name? @source include/linux/namei.h LAST_NORM */
export function isName(last: string): boolean {
  return last !== '' && last !== '.' && last !== '..';
}

/** The inode of a path, in core and held until `pathPut`. @returns the errno of the walk */
export function* resolve(
  k: Kernel,
  path: string,
  mode: 'nofollow' | 'follow' = 'follow',
): Op<Result<number>> {
  const place = yield* call(k, 'filename_lookup', () => walk(k, path, mode));
  return isErr(place) ? place : place.ino;
}

/** Runs `body` on the inode of a path. @returns what the body answers, or the errno of the walk */
export function* withPath<T>(k: Kernel, path: string, body: (ino: number) => Op<Result<T>>): Op<Result<T>> {
  const ino = yield* resolve(k, path);
  const ret = isErr(ino) ? ino : yield* body(ino);
  yield* call(k, 'path_put', () => pathPut(k));
  return ret;
}

/**
 * A new inode with a name, in one step. When the name cannot be added the inode is an orphan, held, and goes with
 * `pathPut`. Inside a step with a handle, under the directory's i_rwsem.
 * @param init  what the inode begins with
 * @source fs/ext4/namei.c ext4_create, ext4_mkdir, ext4_symlink, ext4_add_nondir
 */
export function makeInode(
  k: Kernel,
  dir: number,
  name: string,
  mode: number,
  init: (ino: number) => Result<void> = () => undefined,
): Result<number> {
  const bytes = dirent.nameBytes(name);
  const ino = newInodeIn(k, dir, mode, bytes);
  if (isErr(ino)) return ino;
  const begun = init(ino);
  if (!isErr(begun)) markInodeDirty(k, ino);
  const added = isErr(begun) ? begun : addEntry(k, dir, bytes, ino);
  if (!isErr(added)) {
    markInodeDirty(k, ino);
    return ino;
  }
  const inode = k.inode(ino);
  inode.nlink = 0;
  inode.unlinked = true;
  orphanAdd(k, ino);
  markInodeDirty(k, ino);
  hold(k, ino);
  return added;
}

/**
 * Opens a path, making it when asked. The inode and the directory it was found in are held until `pathPut`.
 * @returns EISDIR, EEXIST, ENOTDIR, ELOOP, ENXIO, ENOSPC, and what the walk answers
 * @locks   sb_writers shared ▸ directory i_rwsem ▸ handle, only to create
 * @source  fs/namei.c path_openat, open_last_lookups, do_open, may_open; fs/ext4/namei.c ext4_create
 */
export function* openHeld(k: Kernel, path: string, how: OpenHow): Op<Result<Opened>> {
  const { create, exclusive = false, nofollow = false } = how;
  const mode = walkModeOf(create, nofollow || (create && exclusive));
  const place = yield* call(k, 'path_openat', () => walk(k, path, mode));
  if (isErr(place)) return place;
  const { dir, name, ino, slash } = place;
  if (create && (slash || !isName(name))) return err('EISDIR');
  if (ino !== 0) {
    const bad = yield* step(k, 'may_open', () => {
      hold(k, dir);
      return mayOpen(k.inode(ino).mode, how);
    });
    return bad === null ? { ino, dir, name, created: false } : err(bad);
  }
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, dirRwsem(dir));
  const there = yield* step(k, 'lookup_open', () => lookupHeld(k, dir, name));
  let made: Result<number> = there;
  if (there === 0) {
    yield* journalStart(k);
    made = yield* step(k, 'ext4_create', () => {
      const fresh = makeInode(k, dir, name, S_IFREG | (how.mode ?? NEW_FILE_MODE));
      if (isErr(fresh)) return fresh;
      hold(k, fresh);
      modelBirth(k, fresh, 0);
      return fresh;
    });
    yield* journalStop(k);
  }
  yield* unlock(k, dirRwsem(dir));
  yield* unlock(k, sbWriters);
  if (isErr(made)) return made;
  // Somebody else made the name meanwhile: it is opened as any other.
  return there === 0
    ? { ino: made, dir, name, created: true }
    : yield* call(k, 'step_into', () => openHeld(k, path, how));
}

/** What open(2) is asked for; the flags of `OpenFlags` that matter to the name. */
export interface OpenHow {
  readonly create: boolean;
  readonly exclusive?: boolean;
  readonly nofollow?: boolean;
  readonly directory?: boolean;
  /** A directory may be opened too. */
  readonly readonly: boolean;
  /** Permissions of a new file, before the umask. Left out: 0600, as xfs_io has it. */
  readonly mode?: number;
}

/** Permissions of a new file when nobody says which. */
export const NEW_FILE_MODE = 0o600;

/** What was opened, and by which dentry. */
export interface Opened {
  readonly ino: number;
  readonly dir: number;
  readonly name: string;
  /** This call made it: FMODE_CREATED. */
  readonly created: boolean;
}

const walkModeOf = (create: boolean, nofollow: boolean): WalkMode =>
  create ? (nofollow ? 'createNofollow' : 'create') : nofollow ? 'nofollow' : 'follow';

/** Why something that is there is not opened; null when it is. @source fs/namei.c do_open, may_open */
function mayOpen(mode: number, { create, exclusive, directory, readonly }: OpenHow): Errno | null {
  if (create && exclusive === true) return 'EEXIST';
  if (isDir(mode)) return create || !readonly ? 'EISDIR' : null;
  if (directory === true) return 'ENOTDIR';
  if (isLnk(mode)) return 'ELOOP';
  return isReg(mode) ? null : 'ENXIO';
}

/**
 * A file without a name (O_TMPFILE), held: an orphan from the beginning, which linkat(2) may give a name.
 * @param path  the directory whose file system, group, owner and default ACL it gets
 * @returns ENOTDIR, ENOSPC, and what the walk answers
 * @locks   sb_writers shared ▸ handle; the directory is not locked
 * @source  fs/namei.c do_tmpfile, vfs_tmpfile; fs/ext4/namei.c ext4_tmpfile
 */
export function* openTmpfile(k: Kernel, path: string, mode: number): Op<Result<Opened>> {
  const dir = yield* resolve(k, path);
  if (isErr(dir)) return dir;
  yield* lock(k, sbWriters, 'shared');
  const bad = yield* step(k, 'vfs_tmpfile', () => checkDir(k, dir)?.errno ?? null);
  let made: Result<number> = bad === null ? 0 : err(bad);
  if (bad === null) {
    yield* journalStart(k);
    made = yield* step(k, 'ext4_tmpfile', () => {
      const fresh = newInodeIn(k, dir, S_IFREG | mode, Bytes.zero(0));
      if (isErr(fresh)) return fresh;
      const inode = k.inode(fresh);
      inode.nlink = 0;
      inode.unlinked = inode.linkable = true;
      orphanAdd(k, fresh);
      markInodeDirty(k, fresh);
      hold(k, fresh);
      modelBirth(k, fresh, 0);
      return fresh;
    });
    yield* journalStop(k);
  }
  yield* unlock(k, sbWriters);
  return isErr(made) ? made : { ino: made, dir, name: '', created: true };
}

/**
 * The inode of a name, held; 0 when there is none, and one may be made. Inside a step, under the directory's i_rwsem.
 * @returns ENOENT for a directory that was removed; else as `lookupEntry`
 * @source  fs/namei.c lookup_one_qstr_excl, may_create
 */
export function lookupHeld(k: Kernel, dir: number, name: string): Result<number> {
  const found = lookupEntry(k, dir, name);
  if (isErr(found)) return found;
  if (found === undefined) return 0;
  const ino = lookupName(k, dir, name);
  if (!isErr(ino)) hold(k, ino);
  return ino;
}

/** As `openHeld`, for a caller that has the volume to itself. */
export function* openPath(k: Kernel, path: string, create: boolean): Op<Result<number>> {
  const opened = yield* openHeld(k, path, { create, readonly: false });
  yield* pathPut(k);
  return isErr(opened) ? opened : opened.ino;
}
