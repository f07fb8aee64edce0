/**
 * setxattr(2), getxattr(2), removexattr(2): in the inode body first, then in the external block.
 *
 * `system.data` is invisible here, and never pushed out to make room. Not modelled: sharing of external blocks
 * between inodes, ea_inode values, ACL encoding.
 */

import { freeBlocks, newBlock } from '../balloc/mballoc.ts';
import type { Bytes } from '../bytes/bytes.ts';
import { rawInode, readBuffer, setBuffer, setRawInode } from '../device/buffer.ts';
import {
  dirtyMetadata,
  getInodeWriteAccess,
  getWriteAccess,
  journalStart,
  journalStop,
} from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { findInlineDataNolock } from '../inline/ops.ts';
import { markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { iRwsem, lock, locked, sbWriters, unlock, xattrSem } from '../locks/lock.ts';
import type { Op } from '../task.ts';
import { step } from '../task.ts';
import * as block from '../xattr/block.ts';
import { findIbodyEntry, hasIbody, hasXattrSpace, ibodyValue, setIbodyEntry } from '../xattr/ibody.ts';
import { resolveXattrName, XATTR_VALUE_MAX } from '../xattr/names.ts';

/**
 * @param value  null removes
 * @returns      ENOSPC, ENODATA, EOPNOTSUPP, ERANGE
 * @locks        sb_writers shared ▸ i_rwsem ▸ handle ▸ xattr_sem exclusive
 * @source       fs/ext4/xattr.c ext4_xattr_set_handle
 */
export function* setxattr(k: Kernel, ino: number, fullName: string, value: Bytes | null): Op<Result<void>> {
  const name = resolveXattrName(fullName);
  if (isErr(name)) return name;
  if (value !== null && value.length > XATTR_VALUE_MAX) return err('ENOSPC');
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, iRwsem(ino));
  yield* journalStart(k);
  yield* lock(k, xattrSem(ino));
  const ret = yield* step(k, 'ext4_xattr_set_handle', () =>
    setHandle(k, ino, name.nameIndex, name.name, value),
  );
  yield* unlock(k, xattrSem(ino));
  yield* journalStop(k);
  yield* unlock(k, iRwsem(ino));
  yield* unlock(k, sbWriters);
  return ret;
}

/** Inside a step. */
function setHandle(k: Kernel, ino: number, index: number, name: string, value: Bytes | null): Result<void> {
  const inode = k.inode(ino);
  const raw = rawInode(k, ino);
  const room = hasXattrSpace(raw, k.geo.inodeSize);
  const inBody = room ? findIbodyEntry(raw, index, name) : undefined;
  if (isErr(inBody)) return inBody;
  const outside =
    inode.fileAcl === 0 ? undefined : block.findXattrBlockEntry(readBuffer(k, inode.fileAcl), index, name);
  if (isErr(outside)) return outside;
  if (value === null) {
    if (inBody !== undefined) setBody(k, ino, index, name, null);
    else if (outside !== undefined) {
      const removed = setOutside(k, ino, index, name, null);
      if (isErr(removed)) return removed;
    } else return err('ENODATA');
    markInodeDirty(k, ino);
    return;
  }
  if (inBody !== undefined && ibodyValue(raw, inBody).equals(value)) return;
  if (outside !== undefined && block.xattrBlockValue(readBuffer(k, inode.fileAcl), outside).equals(value))
    return;
  const body = room ? setBody(k, ino, index, name, value) : err('ENOSPC');
  if (!isErr(body)) {
    if (outside !== undefined) {
      const removed = setOutside(k, ino, index, name, null);
      if (isErr(removed)) return removed;
    }
  } else {
    if (body.errno !== 'ENOSPC') return body;
    const put = setOutside(k, ino, index, name, value);
    if (isErr(put)) return put;
    if (inBody !== undefined) setBody(k, ino, index, name, null);
  }
  markInodeDirty(k, ino);
}

/** @source fs/ext4/xattr.c ext4_xattr_ibody_set */
function setBody(k: Kernel, ino: number, index: number, name: string, value: Bytes | null): Result<void> {
  const next = setIbodyEntry(rawInode(k, ino), index, name, value);
  if (isErr(next)) return next;
  getInodeWriteAccess(k, ino);
  setRawInode(k, ino, next);
  k.inode(ino).xattr = hasIbody(next, k.geo.inodeSize);
  return findInlineDataNolock(k, ino);
}

/** @source fs/ext4/xattr.c ext4_xattr_block_set */
function setOutside(k: Kernel, ino: number, index: number, name: string, value: Bytes | null): Result<void> {
  const inode = k.inode(ino);
  const before = inode.fileAcl === 0 ? block.emptyXattrBlock(k.blockSize) : readBuffer(k, inode.fileAcl);
  const next =
    value === null
      ? block.removeXattrBlockEntry(before, index, name)
      : block.setXattrBlockEntry(before, index, name, value);
  if (isErr(next)) return next;
  if (block.isEmptyXattrBlock(next)) {
    const old = inode.fileAcl;
    inode.fileAcl = 0;
    freeBlocks(k, ino, old, 1, true);
    return;
  }
  if (inode.fileAcl === 0) {
    const fresh = newBlock(k, ino, false);
    if (isErr(fresh)) return fresh;
    inode.fileAcl = fresh;
  }
  getWriteAccess(k, inode.fileAcl);
  setBuffer(k, inode.fileAcl, block.sealXattrBlock(next, inode.fileAcl, k.geo.csumSeed));
  dirtyMetadata(k, inode.fileAcl, ino);
}

/** Frees the external block of an inode that is going away. Inside a step with a handle. @source ext4_xattr_delete_inode */
export function releaseXattrBlock(k: Kernel, ino: number): void {
  const { fileAcl } = k.inode(ino);
  if (fileAcl === 0) return;
  k.inode(ino).fileAcl = 0;
  freeBlocks(k, ino, fileAcl, 1, true);
}

/**
 * @returns ENODATA, EOPNOTSUPP
 * @locks   xattr_sem shared
 * @source  fs/ext4/xattr.c ext4_xattr_get
 */
export function* getxattr(k: Kernel, ino: number, fullName: string): Op<Result<Bytes>> {
  const name = resolveXattrName(fullName);
  if (isErr(name)) return name;
  return yield* locked(k, xattrSem(ino), 'shared', 'ext4_xattr_get', (): Result<Bytes> => {
    const raw = rawInode(k, ino);
    const inBody = hasIbody(raw, k.geo.inodeSize)
      ? findIbodyEntry(raw, name.nameIndex, name.name)
      : undefined;
    if (isErr(inBody)) return inBody;
    if (inBody !== undefined) return ibodyValue(raw, inBody);
    const { fileAcl } = k.inode(ino);
    if (fileAcl === 0) return err('ENODATA');
    const bytes = readBuffer(k, fileAcl);
    const found = block.findXattrBlockEntry(bytes, name.nameIndex, name.name);
    if (isErr(found)) return found;
    return found === undefined ? err('ENODATA') : block.xattrBlockValue(bytes, found);
  });
}
