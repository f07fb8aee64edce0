/**
 * Inode allocation: a group, then its first free inode; bitmap, group descriptor, a fresh raw inode.
 *
 *   directory in the root   the flex group with the fewest directories, looked for from the hash of its name on
 *   other directory         near the last inode made in its parent, where it is not crowded
 *   anything else           the parent's flex group (without flex_bg: its group), then as for a directory
 *
 * The kernel's counters of the whole volume are percpu counters: what it reads of them is what they were when they had
 * last changed by 32. The model has one CPU.
 *
 * Not modelled: without a journal, that the inode of a file deleted in an earlier second is left alone
 * for a while (time stands still here).
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
  isLnk,
  isReg,
  RESERVED_INO,
  S_ISGID,
} from '../inode/layout.ts';
import { markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { clearBits, findFree, setBits, testBit, withInodeBitmap } from '../volume/bitmap.ts';
import { dirHash, HASH_VERSION } from '../volume/dirHash.ts';
import { groupOfInode } from '../volume/geometry.ts';
import { BG_FLAGS, readGroupDesc } from '../volume/groupDesc.ts';
import { initialBlockBitmap, initialInodeBitmap } from '../volume/image.ts';
import { changeBlocks, PERCPU_BATCH, readDesc, writeDesc } from './balloc.ts';

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
 * @param name    a directory's own
 * @returns       its number; ENOSPC
 * @source        fs/ext4/ialloc.c __ext4_new_inode; fs/inode.c inode_init_owner
 */
export function newInode(k: Kernel, parent: number, wantedMode: number, name: Bytes): Result<number> {
  const from = k.inode(parent);
  const inheritsGroup = (from.mode & S_ISGID) !== 0;
  const mode = inheritsGroup && isDir(wantedMode) ? wantedMode | S_ISGID : wantedMode;
  const home =
    k.geo.groupCount === 1 ? 0 : isDir(mode) ? findGroupOrlov(k, parent, name) : findGroupOther(k, parent);
  if (home === undefined) return err('ENOSPC');
  if (k.geo.groupCount > 1) from.lastAllocGroup = home + 1;
  for (let i = 0; i < k.geo.groupCount; i++) {
    const group = (home + i) % k.geo.groupCount;
    if (freeInodesOf(k, group) === 0) continue;
    const bits = readInodeBitmap(k, group);
    const first = group === 0 ? k.geo.firstIno - 1 : 0;
    const bit = findFree(bits, first, 1, k.geo.inodesPerGroup);
    if (bit === undefined) continue;
    if ((readGroupDesc(readDesc(k, group)).flags & BG_FLAGS.BLOCK_UNINIT) !== 0) {
      changeBlocks(k, group, initialBlockBitmap(k.geo, group));
    }
    changeInodes(k, group, setBits(bits, bit), isDir(mode) ? 1 : 0);
    const ino = group * k.geo.inodesPerGroup + bit + 1;
    k.sb.freeInodes--;
    showCounters(k);
    getInodeWriteAccess(k, ino);
    setRawInode(k, ino, freshRaw(k, inheritsGroup ? rawInode(k, parent) : null));
    const inode = k.inode(ino);
    inode.inCore = true;
    inode.mode = mode;
    inode.nlink = isDir(mode) ? 2 : 1;
    inode.extraIsize = k.geo.wantExtraIsize;
    const mapped = k.geo.extents && (isReg(mode) || isDir(mode) || isLnk(mode));
    inode.flags = inheritedFlags(from.flags, mode) | (mapped ? INODE_FLAG.extents : 0);
    inode.iData = mapped
      ? Bytes.zero(I_BLOCK_SIZE).splice(0, Uint8Array.from(EMPTY_EXTENT_ROOT))
      : Bytes.zero(I_BLOCK_SIZE);
    inode.mayInline = k.geo.inlineData && (isReg(mode) || isDir(mode));
    markInodeDirty(k, ino);
    updateFsyncTrans(k, ino, true);
    return ino;
  }
  return err('ENOSPC');
}

/** What the percpu counters begin with. Inside a step, at mount. */
export function initCounters(k: Kernel): void {
  if (k.geo.groupCount === 1) return;
  k.sb.shownFreeInodes = k.sb.freeInodes;
  k.sb.shownFreeBlocks = k.sb.freeBlocks;
  k.sb.shownDirs = statsOf(k, 0, k.geo.groupCount).usedDirs;
}

/** A percpu counter that has changed by a batch shows it. @source lib/percpu_counter.c percpu_counter_add_batch */
function showCounters(k: Kernel): void {
  const { sb, geo } = k;
  if (geo.groupCount === 1) return;
  const behind = (now: number, shown: number): boolean => Math.abs(now - shown) >= PERCPU_BATCH;
  if (behind(sb.freeInodes, sb.shownFreeInodes)) sb.shownFreeInodes = sb.freeInodes;
  const { usedDirs } = statsOf(k, 0, geo.groupCount);
  if (behind(usedDirs, sb.shownDirs)) sb.shownDirs = usedDirs;
}

const freeInodesOf = (k: Kernel, group: number): number => readGroupDesc(readDesc(k, group)).freeInodes;

/** A file's group: where its directory is. @source fs/ext4/ialloc.c find_group_other */
function findGroupOther(k: Kernel, parent: number): number | undefined {
  const { flexSize, groupCount } = k.geo;
  const home = groupOfInode(k.geo, parent);
  if (flexSize > 1) {
    const last = k.inode(parent).lastAllocGroup - 1;
    for (const near of last < 0 ? [home] : [home, last]) {
      const start = near - (near % flexSize);
      for (let group = start; group < Math.min(start + flexSize, groupCount); group++) {
        if (freeInodesOf(k, group) > 0) return group;
      }
    }
    return findGroupOrlov(k, parent, null);
  }
  const hasRoom = (group: number): boolean => {
    const { freeInodes, freeBlocks } = readGroupDesc(readDesc(k, group));
    return freeInodes > 0 && freeBlocks > 0;
  };
  if (hasRoom(home)) return home;
  let group = (home + parent) % groupCount;
  for (let i = 1; i < groupCount; i *= 2) {
    group = (group + i) % groupCount;
    if (hasRoom(group)) return group;
  }
  for (let i = 1; i <= groupCount; i++) {
    const next = (home + i) % groupCount;
    if (freeInodesOf(k, next) > 0) return next;
  }
  return undefined;
}

/** What Orlov's allocator knows of a flex group, or of a group without flex_bg. */
interface GroupStats {
  readonly freeInodes: number;
  readonly freeBlocks: number;
  readonly usedDirs: number;
}

/** @source fs/ext4/ialloc.c get_orlov_stats */
function statsOf(k: Kernel, first: number, count: number): GroupStats {
  let [freeInodes, freeBlocks, usedDirs] = [0, 0, 0];
  for (let group = first; group < Math.min(first + count, k.geo.groupCount); group++) {
    const desc = readGroupDesc(readDesc(k, group));
    freeInodes += desc.freeInodes;
    freeBlocks += desc.freeBlocks;
    usedDirs += desc.usedDirs;
  }
  return { freeInodes, freeBlocks, usedDirs };
}

/**
 * A directory's group.
 * @param name  its own; null for a file that found no room near its directory
 * @source      fs/ext4/ialloc.c find_group_orlov
 */
function findGroupOrlov(k: Kernel, parent: number, name: Bytes | null): number | undefined {
  const { geo } = k;
  const { flexSize, inodesPerGroup } = geo;
  const count = Math.ceil(geo.groupCount / flexSize);
  const stats = Array.from({ length: count }, (_, i) => statsOf(k, i * flexSize, flexSize));
  showCounters(k);
  const { shownFreeInodes, shownFreeBlocks, shownDirs } = k.sb;
  const mean = {
    freeInodes: Math.floor(shownFreeInodes / count),
    freeBlocks: Math.floor(shownFreeBlocks / count),
  };
  const firstWithInodes = (flexGroup: number): number | undefined => {
    const start = flexGroup * flexSize;
    for (let group = start; group < Math.min(start + flexSize, geo.groupCount); group++) {
      if (flexSize === 1 || freeInodesOf(k, group) > 0) return group;
    }
    return undefined;
  };
  const topLevel = parent === RESERVED_INO.root || (k.inode(parent).flags & INODE_FLAG.topdir) !== 0;
  if (name !== null && topLevel) {
    const start = dirHash(name, HASH_VERSION.halfMd4, { ...geo, hashUnsigned: false })!.hash % count;
    let best: { readonly at: number; readonly usedDirs: number } = { at: -1, usedDirs: inodesPerGroup };
    for (let i = 0; i < count; i++) {
      const at = (start + i) % count;
      const { freeInodes, freeBlocks, usedDirs } = stats[at]!;
      if (freeInodes === 0 || usedDirs >= best.usedDirs) continue;
      if (freeInodes < mean.freeInodes || freeBlocks < mean.freeBlocks) continue;
      best = { at, usedDirs };
    }
    const found = best.at < 0 ? undefined : firstWithInodes(best.at);
    return found ?? anyGroup(k, parent);
  }
  const maxDirs = Math.floor(shownDirs / count) + Math.floor((inodesPerGroup * flexSize) / 16);
  const minInodes = Math.max(1, mean.freeInodes - Math.floor((inodesPerGroup * flexSize) / 4));
  const minBlocks = Math.max(0, mean.freeBlocks - Math.floor((geo.blocksPerGroup * flexSize) / 4));
  const last = k.inode(parent).lastAllocGroup - 1;
  const start = Math.floor((last >= 0 ? last : groupOfInode(geo, parent)) / flexSize);
  for (let i = 0; i < count; i++) {
    const at = (start + i) % count;
    const { freeInodes, freeBlocks, usedDirs } = stats[at]!;
    if (usedDirs >= maxDirs || freeInodes < minInodes || freeBlocks < minBlocks) continue;
    return firstWithInodes(at) ?? anyGroup(k, parent);
  }
  return anyGroup(k, parent);
}

/** The first group from the parent's on with as many free inodes as the mean, else with any. */
function anyGroup(k: Kernel, parent: number): number | undefined {
  const { groupCount } = k.geo;
  for (const least of [Math.max(1, Math.floor(k.sb.shownFreeInodes / groupCount)), 1]) {
    for (let i = 0; i < groupCount; i++) {
      const group = (groupOfInode(k.geo, parent) + i) % groupCount;
      if (freeInodesOf(k, group) >= least) return group;
    }
  }
  return undefined;
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
  showCounters(k);
}
