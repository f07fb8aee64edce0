/**
 * Inode allocation: bitmap, group descriptor, a fresh raw inode. The first free one in the parent's group, or in the
 * groups after it.
 *
 * Not modelled: spreading first-level directories over groups (Orlov), which a volume of one group has no use for;
 * default ACLs; without a journal, that the inode of a file deleted in an earlier second is left alone for a while
 * (time stands still here).
 *
 * All functions run inside a step of a task with a handle.
 */
import { Bytes } from '../bytes/bytes.ts';
import { rawInode, readBuffer, setBuffer, setRawInode } from '../device/buffer.ts';
import { dirtyMetadata, getInodeWriteAccess, getWriteAccess, updateFsyncTrans } from '../device/journal.ts';
import { err, type Result } from '../errno.ts';
import {
  EMPTY_EXTENT_ROOT,
  I_BLOCK_SIZE,
  INODE_FLAG,
  inodeLayout,
  isDir,
  isReg,
  S_ISGID,
} from '../inode/layout.ts';
import { markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { clearBits, findFree, setBits, testBit, withInodeBitmap } from '../volume/bitmap.ts';
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

/** Is the inode's bit set? */
export function isAllocated(k: Kernel, ino: number): boolean {
  const bits = readInodeBitmap(k, groupOfInode(k.geo, ino));
  return testBit(bits, (ino - 1) % k.geo.inodesPerGroup);
}

/** Free inodes by the descriptors. */
export function countFreeInodes(k: Kernel): number {
  let free = 0;
  for (let group = 0; group < k.geo.groupCount; group++) free += readGroupDesc(readDesc(k, group)).freeInodes;
  return free;
}

/** What a new inode takes over from its directory. @source fs/ext4/ext4.h EXT4_FL_INHERITED */
const INHERITED =
  INODE_FLAG.secrm |
  INODE_FLAG.unrm |
  INODE_FLAG.compr |
  INODE_FLAG.sync |
  INODE_FLAG.nodump |
  INODE_FLAG.noatime |
  INODE_FLAG.nocompr |
  INODE_FLAG.journalData |
  INODE_FLAG.notail |
  INODE_FLAG.dirsync |
  INODE_FLAG.projinherit |
  INODE_FLAG.casefold |
  INODE_FLAG.dax;
/** @source fs/ext4/ext4.h EXT4_REG_FLMASK, EXT4_OTHER_FLMASK */
const DIR_ONLY = INODE_FLAG.dirsync | INODE_FLAG.topdir | INODE_FLAG.casefold | INODE_FLAG.projinherit;
const OTHER_MASK = INODE_FLAG.nodump | INODE_FLAG.noatime;

/** @source fs/ext4/ext4.h ext4_mask_flags */
function inheritedFlags(parentFlags: number, mode: number): number {
  const flags = parentFlags & INHERITED;
  if (isDir(mode)) return flags;
  return isReg(mode) ? flags & ~DIR_ONLY : flags & OTHER_MASK;
}

/**
 * A new inode in core and in the inode table; it carries MAY_INLINE_DATA when the volume has inline data.
 * @param parent  its directory, in core: it gives the group, flags, and a set-group-ID directory the owning group
 * @returns       its number; ENOSPC
 * @source        fs/ext4/ialloc.c __ext4_new_inode, find_group_other; fs/inode.c inode_init_owner
 */
export function newInode(k: Kernel, parent: number, wantedMode: number): Result<number> {
  const from = k.inode(parent);
  const inheritsGroup = (from.mode & S_ISGID) !== 0;
  const mode = inheritsGroup && isDir(wantedMode) ? wantedMode | S_ISGID : wantedMode;
  const home = groupOfInode(k.geo, parent);
  for (let i = 0; i < k.geo.groupCount; i++) {
    const group = (home + i) % k.geo.groupCount;
    const bits = readInodeBitmap(k, group);
    const first = group === 0 ? k.geo.firstIno - 1 : 0;
    const bit = findFree(bits, first, 1, k.geo.inodesPerGroup);
    if (bit === undefined) continue;
    changeInodes(k, group, setBits(bits, bit), isDir(mode) ? 1 : 0);
    const ino = group * k.geo.inodesPerGroup + bit + 1;
    k.sb.freeInodes--;
    getInodeWriteAccess(k, ino);
    setRawInode(k, ino, freshRaw(k, inheritsGroup ? rawInode(k, parent) : null));
    const inode = k.inode(ino);
    inode.inCore = true;
    inode.mode = mode;
    inode.nlink = isDir(mode) ? 2 : 1;
    inode.extraIsize = k.geo.wantExtraIsize;
    inode.flags = inheritedFlags(from.flags, mode) | (k.geo.extents ? INODE_FLAG.extents : 0);
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

/**
 * A raw inode with the fields the in-memory inode does not track: generation, times, owners.
 * @param groupFrom  the raw inode whose group it gets; null for the group of root
 */
function freshRaw(k: Kernel, groupFrom: Bytes | null): Bytes {
  const { now, geo } = k;
  const group =
    groupFrom === null
      ? {}
      : { gid: inodeLayout.get(groupFrom, 'gid'), gidHigh: inodeLayout.get(groupFrom, 'gidHigh') };
  const raw = inodeLayoutOf(geo.inodeSize, {
    ...group,
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
 * Gives an inode back: bitmap, descriptor. Its bytes stay on the disk, as in the kernel.
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
