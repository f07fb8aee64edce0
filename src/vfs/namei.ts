/**
 * Names: looking up, creating and removing entries of block-based, linear directories.
 *
 * One path component at a time; a directory's entries are read and changed under its i_rwsem, in one step per
 * directory. Inline and hashed directories are the business of the volume issue: they answer EOPNOTSUPP here.
 */
import { freeInode, newInode } from '../balloc/ialloc.ts';
import { lookupBlock, removeDelayed } from '../balloc/mapBlocks.ts';
import { rawInode, readBuffer, setBuffer, setRawInode } from '../device/buffer.ts';
import { dirtyMetadata, getWriteAccess, journalStart, journalStop } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { findInlineData } from '../inline/bytes.ts';
import { inodeSeed } from '../inode/checksum.ts';
import { direntTypeOf, inodeLayout, isDir, isReg, RESERVED_INO, S_IFREG } from '../inode/layout.ts';
import { forget, hasFlag, hasInlineData, iget, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { iRwsem, lock, sbWriters, unlock } from '../locks/lock.ts';
import { modelBirth, modelDeath } from '../model.ts';
import { removeFolio } from '../pagecache/folio.ts';
import { unmapFolio } from '../pagecache/rmap.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import * as dirent from '../volume/dirent.ts';
import { modelAdopt } from './mediumFile.ts';
import { truncate } from './truncate.ts';
import { releaseXattrBlock } from './xattr.ts';

/** Brings an inode into core, with its system.data found. Inside a step. */
export function igetInode(k: Kernel, ino: number): Result<void> {
  const got = iget(k, ino, findInlineData);
  if (isErr(got)) return got;
  if (isReg(k.inode(ino).mode) && !k.ghost(ino).live) modelAdopt(k, ino);
}

/** The blocks of a directory, in order. Inside a step. */
function dirBlocks(k: Kernel, dir: number): Result<number[]> {
  if (hasInlineData(k, dir) || hasFlag(k, dir, 'index')) return err('EOPNOTSUPP');
  const blocks: number[] = [];
  for (let lblk = 0; lblk < k.inode(dir).size / k.blockSize; lblk++) {
    const found = lookupBlock(k, dir, lblk);
    if (isErr(found)) return found;
    if (found.state !== 'mapped') return err('EUCLEAN');
    blocks.push(found.block);
  }
  return blocks;
}

const rules = (k: Kernel): dirent.DirentRules => ({
  inodesCount: k.geo.inodesCount,
  hasTail: k.geo.metadataCsum,
});

/** Looks a name up in a directory that is in core. Inside a step. */
export function lookupName(k: Kernel, dir: number, name: string): Result<number> {
  if (!isDir(k.inode(dir).mode)) return err('ENOTDIR');
  const blocks = dirBlocks(k, dir);
  if (isErr(blocks)) return blocks;
  for (const block of blocks) {
    const found = dirent.lookup(readBuffer(k, block), name, rules(k));
    if (isErr(found)) return found;
    if (found !== undefined) return found.ino;
  }
  return err('ENOENT');
}

/** Names of a directory in the order they are stored, without `.` and `..`. Inside a step. */
export function listNames(k: Kernel, dir: number): Result<string[]> {
  const blocks = dirBlocks(k, dir);
  if (isErr(blocks)) return blocks;
  return blocks.flatMap((block) =>
    dirent
      .readDirents(readBuffer(k, block), rules(k))
      .entries.filter((entry) => entry.ino !== 0)
      .map((entry) => dirent.nameText(entry.name))
      .filter((name) => name !== '.' && name !== '..'),
  );
}

/** Stores a directory block with its checksum, journalled. Inside a step with a handle. */
function writeDirBlock(k: Kernel, dir: number, block: number, data: ReturnType<typeof readBuffer>): void {
  const seed = inodeSeed(dir, inodeLayout.get(rawInode(k, dir), 'generation'), k.geo.csumSeed);
  getWriteAccess(k, block);
  setBuffer(k, block, k.geo.metadataCsum ? dirent.withDirBlockChecksum(seed, data) : data);
  dirtyMetadata(k, block, dir);
}

/** Inside a step with a handle, under the directory's i_rwsem. @source fs/ext4/namei.c ext4_add_entry */
function addName(k: Kernel, dir: number, name: string, ino: number): Result<void> {
  const blocks = dirBlocks(k, dir);
  if (isErr(blocks)) return blocks;
  for (const block of blocks) {
    const next = dirent.insert(readBuffer(k, block), ino, name, direntTypeOf(k.inode(ino).mode), rules(k));
    if (next === 'full') continue;
    if (isErr(next)) return next;
    writeDirBlock(k, dir, block, next);
    markInodeDirty(k, dir);
    return;
  }
  return err('ENOSPC');
}

/** Inside a step with a handle, under the directory's i_rwsem. @source fs/ext4/namei.c ext4_delete_entry */
function removeName(k: Kernel, dir: number, name: string): Result<void> {
  const blocks = dirBlocks(k, dir);
  if (isErr(blocks)) return blocks;
  for (const block of blocks) {
    const next = dirent.remove(readBuffer(k, block), name, rules(k));
    if (isErr(next)) {
      if (next.errno === 'ENOENT') continue;
      return next;
    }
    writeDirBlock(k, dir, block, next);
    markInodeDirty(k, dir);
    return;
  }
  return err('ENOENT');
}

const parts = (path: string): string[] => path.split('/').filter((part) => part !== '');

/** The directory that holds the last component, and that component. */
export function* parentOf(k: Kernel, path: string): Op<Result<{ dir: number; name: string }>> {
  const names = parts(path);
  const name = names.pop();
  if (name === undefined) return err('EEXIST');
  if (name.length > dirent.NAME_MAX) return err('ENAMETOOLONG');
  const dir = yield* call(k, 'path_parentat', () => walk(k, names));
  return isErr(dir) ? dir : { dir, name };
}

function* walk(k: Kernel, names: readonly string[]): Op<Result<number>> {
  return yield* step(k, 'link_path_walk', () => {
    let ino: number = RESERVED_INO.root;
    const root = igetInode(k, ino);
    if (isErr(root)) return root;
    for (const name of names) {
      const next = lookupName(k, ino, name);
      if (isErr(next)) return next;
      const got = igetInode(k, next);
      if (isErr(got)) return got;
      ino = next;
    }
    return ino;
  });
}

/** The inode of a path, in core. @returns ENOENT, ENOTDIR, EBADMSG, EUCLEAN */
export function* resolve(k: Kernel, path: string): Op<Result<number>> {
  return yield* call(k, 'filename_lookup', () => walk(k, parts(path)));
}

/**
 * Opens a path, making it when asked.
 * @returns the inode number; ENOENT, EISDIR, ENOSPC
 * @locks   sb_writers shared ▸ directory i_rwsem ▸ handle, only to create
 * @source  fs/namei.c open_last_lookups; fs/ext4/namei.c ext4_create
 */
export function* openPath(k: Kernel, path: string, create: boolean): Op<Result<number>> {
  const found = yield* resolve(k, path);
  if (!isErr(found)) {
    const dir = yield* step(k, 'may_open', () => isDir(k.inode(found).mode));
    return dir ? err('EISDIR') : found;
  }
  if (found.errno !== 'ENOENT' || !create) return found;
  const parent = yield* parentOf(k, path);
  if (isErr(parent)) return parent;
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, iRwsem(parent.dir));
  yield* journalStart(k);
  const ino = yield* step(k, 'ext4_create', () => {
    const there = lookupName(k, parent.dir, parent.name);
    if (!isErr(there)) {
      const got = igetInode(k, there);
      return isErr(got) ? got : there;
    }
    const made = newInode(k, S_IFREG | 0o600);
    if (isErr(made)) return made;
    const added = addName(k, parent.dir, parent.name, made);
    if (isErr(added)) {
      freeInode(k, made);
      forget(k, made);
      setRawInode(k, made, rawInode(k, made));
      return added;
    }
    modelBirth(k, made, 0);
    return made;
  });
  yield* journalStop(k);
  yield* unlock(k, iRwsem(parent.dir));
  yield* unlock(k, sbWriters);
  return ino;
}

/**
 * unlink(2). The inode lives on while it is open or mapped.
 * @locks   sb_writers shared ▸ directory i_rwsem ▸ inode i_rwsem ▸ handle
 * @source  fs/namei.c do_unlinkat; fs/ext4/namei.c ext4_unlink
 */
export function* unlink(k: Kernel, path: string): Op<Result<void>> {
  const parent = yield* parentOf(k, path);
  if (isErr(parent)) return parent;
  const ino = yield* resolve(k, path);
  if (isErr(ino)) return ino;
  const dir = yield* step(k, 'may_delete', () => isDir(k.inode(ino).mode));
  if (dir) return err('EISDIR');
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, iRwsem(parent.dir));
  yield* lock(k, iRwsem(ino));
  yield* journalStart(k);
  const ret = yield* step(k, 'ext4_unlink', (): Result<void> => {
    const removed = removeName(k, parent.dir, parent.name);
    if (isErr(removed)) return removed;
    const inode = k.inode(ino);
    inode.nlink--;
    inode.unlinked = inode.nlink === 0;
    markInodeDirty(k, ino);
  });
  yield* journalStop(k);
  yield* unlock(k, iRwsem(ino));
  yield* unlock(k, iRwsem(parent.dir));
  yield* unlock(k, sbWriters);
  yield* call(k, 'iput', () => evictIfUnused(k, ino));
  return ret;
}

/** Is the inode open or mapped by anybody? Inside a step. */
export function inUse(k: Kernel, ino: number): boolean {
  for (const task of k.world.firstKeys('file')) {
    for (const slot of k.world.secondKeys('file', task)) {
      const file = k.file(task, slot);
      if (file.open && file.ino === ino) return true;
    }
  }
  for (const mm of k.world.firstKeys('vma')) {
    for (const slot of k.world.secondKeys('vma', mm)) {
      const vma = k.vma(mm, slot);
      if (vma.live && vma.ino === ino) return true;
    }
  }
  return false;
}

/**
 * The last reference is gone: an inode without links is freed, with its pages and blocks.
 * @locks   handle
 * @source  fs/ext4/inode.c ext4_evict_inode
 */
export function* evictIfUnused(k: Kernel, ino: number): Op<void> {
  const last = yield* step(
    k,
    'iput_final?',
    () => k.inode(ino).inCore && k.inode(ino).unlinked && !inUse(k, ino),
  );
  if (!last) return;
  const blocks = yield* step(k, 'truncate_inode_pages_final', () => {
    const inode = k.inode(ino);
    for (const index of k.folioIndexes(ino)) {
      unmapFolio(k, ino, index);
      removeFolio(k, ino, index);
    }
    inode.size = 0;
    return inode.blocks !== 0;
  });
  if (blocks) yield* call(k, 'ext4_truncate', () => truncate(k, ino));
  yield* journalStart(k);
  yield* step(k, 'ext4_evict_inode', () => {
    removeDelayed(k, ino, 0, Number.POSITIVE_INFINITY);
    releaseXattrBlock(k, ino);
    markInodeDirty(k, ino);
    setRawInode(k, ino, inodeLayout.put(rawInode(k, ino), { dtime: k.now }));
    freeInode(k, ino);
    forget(k, ino);
    modelDeath(k, ino);
  });
  yield* journalStop(k);
}
