/**
 * One xattr of an inode: found, set, removed; in the inode body first, then in the external block.
 *
 * `system.data` is never pushed out to make room. Inodes with the same set of external xattrs share one block.
 * Everything here runs inside a step. Not modelled: writing values into inodes of their own (ea_inode).
 */
import { freeBlocks, newBlock } from '../balloc/mballoc.ts';
import type { Bytes } from '../bytes/bytes.ts';
import { rawInode, readBuffer, setBuffer, setRawInode } from '../device/buffer.ts';
import { dirtyMetadata, getInodeWriteAccess, getWriteAccess } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { findInlineDataNolock } from '../inline/ops.ts';
import { markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import * as block from '../xattr/block.ts';
import { findIbodyEntry, hasIbody, hasXattrSpace, ibodyValue, setIbodyEntry } from '../xattr/ibody.ts';
import { cacheXattrBlock, findXattrBlock, uncacheXattrBlock } from './xattrCache.ts';

/** XATTR_CREATE, XATTR_REPLACE. */
export type XattrOnly = 'create' | 'replace';

/**
 * The value; undefined when there is none. The external block that was read goes into the cache.
 * @returns EUCLEAN
 * @source  fs/ext4/xattr.c ext4_xattr_get
 */
export function findXattr(k: Kernel, ino: number, index: number, name: string): Result<Bytes | undefined> {
  const raw = rawInode(k, ino);
  const inBody = hasIbody(raw, k.geo.inodeSize) ? findIbodyEntry(raw, index, name) : undefined;
  if (isErr(inBody)) return inBody;
  if (inBody !== undefined) return ibodyValue(raw, inBody);
  const { fileAcl } = k.inode(ino);
  if (fileAcl === 0) return undefined;
  const bytes = readBuffer(k, fileAcl);
  cacheXattrBlock(k, fileAcl);
  const found = block.findXattrBlockEntry(bytes, index, name);
  return found === undefined || isErr(found) ? found : block.xattrBlockValue(bytes, found);
}

/**
 * Sets or (value null) removes an xattr: in the inode body where it fits, else in the external block.
 * Inside a step with a handle, under xattr_sem exclusive.
 * @param only  'create': it must not be there, 'replace': it must
 * @returns ENOSPC, ENODATA, EEXIST, EUCLEAN
 * @source  fs/ext4/xattr.c ext4_xattr_set_handle
 */
export function setXattrHandle(
  k: Kernel,
  ino: number,
  index: number,
  name: string,
  value: Bytes | null,
  only?: XattrOnly,
): Result<void> {
  const inode = k.inode(ino);
  const raw = rawInode(k, ino);
  const room = hasXattrSpace(raw, k.geo.inodeSize);
  const inBody = room ? findIbodyEntry(raw, index, name) : undefined;
  if (isErr(inBody)) return inBody;
  const outside =
    inode.fileAcl === 0 ? undefined : block.findXattrBlockEntry(readBuffer(k, inode.fileAcl), index, name);
  if (isErr(outside)) return outside;
  const isThere = inBody !== undefined || outside !== undefined;
  if (only === 'create' && isThere) return err('EEXIST');
  if (only === 'replace' && !isThere) return err('ENODATA');
  if (value === null) {
    if (inBody !== undefined) setXattrInBody(k, ino, index, name, null);
    else if (outside !== undefined) {
      const removed = setXattrInBlock(k, ino, index, name, null);
      if (isErr(removed)) return removed;
    } else return err('ENODATA');
    inode.noExpand = false;
    markInodeDirty(k, ino);
    return;
  }
  if (inBody !== undefined && ibodyValue(raw, inBody).equals(value)) return;
  if (outside !== undefined && block.xattrBlockValue(readBuffer(k, inode.fileAcl), outside).equals(value))
    return;
  const body = room ? setXattrInBody(k, ino, index, name, value) : err('ENOSPC');
  if (!isErr(body)) {
    if (outside !== undefined) {
      const removed = setXattrInBlock(k, ino, index, name, null);
      if (isErr(removed)) return removed;
    }
  } else {
    if (body.errno !== 'ENOSPC') return body;
    const put = setXattrInBlock(k, ino, index, name, value);
    if (isErr(put)) return put;
    if (inBody !== undefined) setXattrInBody(k, ino, index, name, null);
  }
  markInodeDirty(k, ino);
}

/** @source fs/ext4/xattr.c ext4_xattr_ibody_set */
export function setXattrInBody(
  k: Kernel,
  ino: number,
  index: number,
  name: string,
  value: Bytes | null,
): Result<void> {
  const next = setIbodyEntry(rawInode(k, ino), index, name, value);
  if (isErr(next)) return next;
  getInodeWriteAccess(k, ino);
  setRawInode(k, ino, next);
  k.inode(ino).xattr = hasIbody(next, k.geo.inodeSize);
  return findInlineDataNolock(k, ino);
}

/**
 * The external block with this xattr set or removed: changed in place when nobody shares it, cloned otherwise, and
 * given up for an identical one that is known.
 * @source fs/ext4/xattr.c ext4_xattr_block_set
 */
export function setXattrInBlock(
  k: Kernel,
  ino: number,
  index: number,
  name: string,
  value: Bytes | null,
): Result<void> {
  const old = k.inode(ino).fileAcl;
  let base = block.emptyXattrBlock(k.blockSize);
  let alone = false;
  if (old !== 0) {
    getWriteAccess(k, old);
    base = readBuffer(k, old);
    alone = block.xattrBlockRefcount(base) === 1;
    if (alone) uncacheXattrBlock(k, old);
    else base = block.withRefcount(base, 1);
  }
  const next =
    value === null
      ? block.removeXattrBlockEntry(base, index, name)
      : block.setXattrBlockEntry(base, index, name, value);
  if (isErr(next)) return next;
  if (alone) putXattrBlock(k, ino, old, next);
  const chosen = block.isEmptyXattrBlock(next) ? 0 : placeOutside(k, ino, next, alone ? old : 0);
  if (isErr(chosen)) return chosen;
  k.inode(ino).fileAcl = chosen;
  if (old !== 0 && old !== chosen) dropXattrBlock(k, ino, old);
}

/** Where this content lives: an identical block with one more user, the block it was changed in, or a new one. */
function placeOutside(k: Kernel, ino: number, content: Bytes, inPlace: number): Result<number> {
  const same = findXattrBlock(k, content);
  if (same !== 0) {
    if (same === inPlace) return same;
    const bytes = readBuffer(k, same);
    getWriteAccess(k, same);
    putXattrBlock(k, ino, same, block.withRefcount(bytes, block.xattrBlockRefcount(bytes) + 1));
    // Every user is charged for it, whoever allocated it.
    k.inode(ino).blocks += k.blockSize / 512;
    return same;
  }
  const home = inPlace === 0 ? newBlock(k, ino, false) : inPlace;
  if (isErr(home)) return home;
  if (inPlace === 0) {
    getWriteAccess(k, home);
    putXattrBlock(k, ino, home, content);
  }
  cacheXattrBlock(k, home);
  return home;
}

function putXattrBlock(k: Kernel, ino: number, home: number, content: Bytes): void {
  setBuffer(k, home, block.sealXattrBlock(content, home, k.geo.csumSeed));
  dirtyMetadata(k, home, ino);
}

/** One user less; the block is freed with the last. @source fs/ext4/xattr.c ext4_xattr_release_block */
function dropXattrBlock(k: Kernel, ino: number, home: number): void {
  const bytes = readBuffer(k, home);
  const users = block.xattrBlockRefcount(bytes);
  if (users === 1) {
    uncacheXattrBlock(k, home);
    freeBlocks(k, ino, home, 1, true);
    return;
  }
  getWriteAccess(k, home);
  putXattrBlock(k, ino, home, block.withRefcount(bytes, users - 1));
  k.inode(ino).blocks -= k.blockSize / 512;
}

/** Lets go of the external block of an inode that is going away. Inside a step with a handle. @source ext4_xattr_delete_inode */
export function releaseXattrBlock(k: Kernel, ino: number): void {
  const { fileAcl } = k.inode(ino);
  if (fileAcl === 0) return;
  k.inode(ino).fileAcl = 0;
  dropXattrBlock(k, ino, fileAcl);
}
