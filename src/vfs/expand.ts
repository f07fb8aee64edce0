/**
 * Old inodes on a volume that wants more extra fields (s_want_extra_isize): i_extra_isize grows when the inode is
 * marked dirty. Xattrs that are in the way go to the external block, the smallest that makes enough room first;
 * system.data never does. What cannot grow is not tried again until the inode leaves memory or loses an xattr.
 */
import { rawInode, readBuffer, setRawInode } from '../device/buffer.ts';
import { getInodeWriteAccess } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { findInlineDataNolock } from '../inline/ops.ts';
import type { Kernel } from '../kernel.ts';
import { xattrSem } from '../locks/lock.ts';
import { xattrBlockFreeBytes } from '../xattr/block.ts';
import { entryLen, valueSpan, type XattrEntry } from '../xattr/entry.ts';
import { hasIbody, ibodyEntries, ibodyFreeBytes, ibodyValue, withExtraIsize } from '../xattr/ibody.ts';
import { XATTR_INDEX } from '../xattr/names.ts';
import { setXattrInBlock, setXattrInBody } from './xattrSet.ts';

/**
 * Inside a step with a handle. Not while somebody has xattr_sem.
 * @source fs/ext4/inode.c ext4_try_to_expand_extra_isize
 */
export function expandExtraIsize(k: Kernel, ino: number): void {
  const inode = k.inode(ino);
  const sem = k.lockRecord(xattrSem(ino));
  if (inode.noExpand || sem.owner !== 0 || sem.readers !== 0) return;
  inode.noExpand = true;
  inode.noExpand = isErr(expand(k, ino));
}

function expand(k: Kernel, ino: number): Result<void> {
  const { wantExtraIsize, minExtraIsize } = k.geo;
  if (!hasIbody(rawInode(k, ino), k.geo.inodeSize)) {
    grow(k, ino, wantExtraIsize);
    return;
  }
  const wanted = makeRoom(k, ino, wantExtraIsize);
  if (!isErr(wanted) || wanted.errno !== 'ENOSPC' || minExtraIsize === 0) return wanted;
  return makeRoom(k, ino, minExtraIsize);
}

function grow(k: Kernel, ino: number, extra: number): void {
  getInodeWriteAccess(k, ino);
  setRawInode(k, ino, withExtraIsize(rawInode(k, ino), extra));
  k.inode(ino).extraIsize = extra;
}

const sizeOf = ({ name, valueInum, valueSize }: XattrEntry): number =>
  entryLen(name.length) + (valueInum === 0 ? valueSpan(valueSize) : 0);

/** @source fs/ext4/xattr.c ext4_expand_extra_isize_ea, ext4_xattr_make_inode_space */
function makeRoom(k: Kernel, ino: number, extra: number): Result<void> {
  const more = extra - k.inode(ino).extraIsize;
  if (more <= 0) return;
  const { fileAcl } = k.inode(ino);
  let outside = fileAcl === 0 ? k.blockSize : xattrBlockFreeBytes(readBuffer(k, fileAcl));
  let room = ibodyFreeBytes(rawInode(k, ino));
  if (room < more && fileAcl !== 0 && outside + room < more) return err('ENOSPC');
  while (room < more) {
    const entry = bestToMove(ibodyEntries(rawInode(k, ino)), more - room, outside);
    if (entry === undefined) return err('ENOSPC');
    const { nameIndex, name } = entry;
    const put = setXattrInBlock(k, ino, nameIndex, name, ibodyValue(rawInode(k, ino), entry));
    if (isErr(put)) return put;
    const removed = setXattrInBody(k, ino, nameIndex, name, null);
    if (isErr(removed)) return removed;
    room += sizeOf(entry);
    outside -= sizeOf(entry);
  }
  grow(k, ino, extra);
  return findInlineDataNolock(k, ino);
}

/** The smallest entry that is large enough, else the last one that is not. */
function bestToMove(entries: readonly XattrEntry[], needed: number, outside: number): XattrEntry | undefined {
  let best: XattrEntry | undefined;
  let small: XattrEntry | undefined;
  for (const entry of entries) {
    if (entry.nameIndex === XATTR_INDEX.system && entry.name === 'data') continue;
    const size = sizeOf(entry);
    if (size > outside || (best !== undefined && size >= sizeOf(best))) continue;
    if (size < needed) small = entry;
    else best = entry;
  }
  return best ?? small;
}
