/**
 * Inode allocation: bitmap, group descriptor, a fresh raw inode. First fit.
 *
 * All functions run inside a step of a task with a handle.
 */
import { Bytes } from '../bytes/bytes.ts';
import { readBuffer, setBuffer, setRawInode } from '../device/buffer.ts';
import { dirtyMetadata, getInodeWriteAccess, getWriteAccess, updateFsyncTrans } from '../device/journal.ts';
import { err, type Result } from '../errno.ts';
import { EMPTY_EXTENT_ROOT, I_BLOCK_SIZE, INODE_FLAG, inodeLayout, isDir, isReg } from '../inode/layout.ts';
import { markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { clearBits, findFree, setBits, withInodeBitmap } from '../volume/bitmap.ts';
import { groupOfInode } from '../volume/geometry.ts';
import { BG_FLAGS, readGroupDesc } from '../volume/groupDesc.ts';
import { initialInodeBitmap } from '../volume/image.ts';
import { readDesc, writeDesc } from './balloc.ts';

function readInodeBitmap(k: Kernel, group: number): Bytes {
  const { flags } = readGroupDesc(readDesc(k, group));
  if ((flags & BG_FLAGS.INODE_UNINIT) !== 0) return initialInodeBitmap(k.geo);
  return readBuffer(k, k.geo.groups[group]!.inodeBitmap);
}

function changeInodes(k: Kernel, group: number, bits: Bytes, dirs: number): void {
  const { inodeBitmap } = k.geo.groups[group]!;
  getWriteAccess(k, inodeBitmap);
  setBuffer(k, inodeBitmap, bits);
  dirtyMetadata(k, inodeBitmap);
  const desc = readDesc(k, group);
  const usedDirs = readGroupDesc(desc).usedDirs + dirs;
  writeDesc(k, group, withInodeBitmap(k.geo, group, desc, bits, usedDirs));
}

/** Free inodes by the descriptors. */
export function countFreeInodes(k: Kernel): number {
  let free = 0;
  for (let group = 0; group < k.geo.groupCount; group++) free += readGroupDesc(readDesc(k, group)).freeInodes;
  return free;
}

/**
 * A new inode in core and in the inode table; it carries MAY_INLINE_DATA when the volume has inline data.
 * @returns its number, or ENOSPC
 * @source  fs/ext4/ialloc.c __ext4_new_inode
 */
export function newInode(k: Kernel, mode: number): Result<number> {
  for (let group = 0; group < k.geo.groupCount; group++) {
    const bits = readInodeBitmap(k, group);
    const from = group === 0 ? k.geo.firstIno - 1 : 0;
    const bit = findFree(bits, from, 1, k.geo.inodesPerGroup);
    if (bit === undefined) continue;
    changeInodes(k, group, setBits(bits, bit), isDir(mode) ? 1 : 0);
    const ino = group * k.geo.inodesPerGroup + bit + 1;
    k.sb.freeInodes--;
    getInodeWriteAccess(k, ino);
    setRawInode(k, ino, freshRaw(k));
    const inode = k.inode(ino);
    inode.inCore = true;
    inode.mode = mode;
    inode.nlink = isDir(mode) ? 2 : 1;
    inode.extraIsize = k.geo.wantExtraIsize;
    inode.flags = k.geo.extents ? INODE_FLAG.extents : 0;
    inode.iData = k.geo.extents
      ? Bytes.zero(I_BLOCK_SIZE).splice(0, Uint8Array.from(EMPTY_EXTENT_ROOT))
      : Bytes.zero(I_BLOCK_SIZE);
    inode.mayInline = k.geo.inlineData && (isReg(mode) || isDir(mode));
    markInodeDirty(k, ino);
    updateFsyncTrans(k, ino, true);
    return ino;
  }
  return err('ENOSPC');
}

/** A raw inode with the fields the in-memory inode does not track: generation and times. */
function freshRaw(k: Kernel): Bytes {
  const { now, geo } = k;
  const raw = inodeLayoutOf(geo.inodeSize, {
    atime: now,
    ctime: now,
    mtime: now,
    generation: k.setup.generation,
    diskVersion: 1,
  });
  return geo.inodeSize > 128 ? inodeLayout.put(raw, { crtime: now, extraIsize: geo.wantExtraIsize }) : raw;
}

function inodeLayoutOf(size: number, fields: Parameters<typeof inodeLayout.put>[1]): Bytes {
  return inodeLayout.put(Bytes.zero(size), fields);
}

/**
 * Gives an inode back: bitmap, descriptor, dtime. Its bytes stay on the disk, as in the kernel.
 * @source fs/ext4/ialloc.c ext4_free_inode; fs/ext4/inode.c ext4_evict_inode
 */
export function freeInode(k: Kernel, ino: number): void {
  const group = groupOfInode(k.geo, ino);
  const bits = readInodeBitmap(k, group);
  changeInodes(
    k,
    group,
    clearBits(bits, (ino - 1) % k.geo.inodesPerGroup),
    isDir(k.inode(ino).mode) ? -1 : 0,
  );
  k.sb.freeInodes++;
}
