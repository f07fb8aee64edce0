/**
 * Block allocation: bitmaps and group descriptors in the bdev cache, the free-block counter, delayed-allocation
 * reservations. First fit from the inode's group on: the kernel's goals, preallocation and buddy structures decide
 * *which* block, never *whether*, and block numbers are masked wherever the kernel is the referee.
 *
 * All functions run inside a step of a task with a handle, unless they say otherwise.
 */

import type { Bytes } from '../bytes/bytes.ts';
import { readBuffer, setBuffer } from '../device/buffer.ts';
import { dirtyMetadata, forgetBuffer, getWriteAccess } from '../device/journal.ts';
import { err, type Result } from '../errno.ts';
import { isReg } from '../inode/layout.ts';
import type { Kernel } from '../kernel.ts';
import { clearBits, countFree, findFree, setBits, testBit, withBlockBitmap } from '../volume/bitmap.ts';
import {
  blocksInGroup,
  groupDescLocation,
  groupFirstBlock,
  groupOfBlock,
  groupOfInode,
} from '../volume/geometry.ts';
import { BG_FLAGS, readGroupDesc } from '../volume/groupDesc.ts';
import { initialBlockBitmap } from '../volume/image.ts';

/** EXT4_FREECLUSTERS_WATERMARK on two CPUs: 4 × percpu batch (32) × CPUs. @source fs/ext4/ext4.h */
export const FREECLUSTERS_WATERMARK = 256;

/** One group descriptor as the bdev cache has it. */
export function readDesc(k: Kernel, group: number): Bytes {
  const { block, offset } = groupDescLocation(k.geo, group);
  return readBuffer(k, block).slice(offset, offset + k.geo.descSize);
}

/** Stores a group descriptor, sealed by the caller, journalled. */
export function writeDesc(k: Kernel, group: number, desc: Bytes): void {
  const { block, offset } = groupDescLocation(k.geo, group);
  const before = readBuffer(k, block);
  getWriteAccess(k, block);
  setBuffer(k, block, before.splice(offset, desc));
  dirtyMetadata(k, block);
}

/** The block bitmap of a group, made up when the group is BLOCK_UNINIT. @source ext4_read_block_bitmap_nowait */
function readBlockBitmap(k: Kernel, group: number, desc: Bytes): Bytes {
  if ((readGroupDesc(desc).flags & BG_FLAGS.BLOCK_UNINIT) !== 0) return initialBlockBitmap(k.geo, group);
  return readBuffer(k, k.geo.groups[group]!.blockBitmap);
}

function changeBlocks(k: Kernel, group: number, bits: Bytes): void {
  const { blockBitmap } = k.geo.groups[group]!;
  getWriteAccess(k, blockBitmap);
  setBuffer(k, blockBitmap, bits);
  dirtyMetadata(k, blockBitmap);
  writeDesc(k, group, withBlockBitmap(k.geo, group, readDesc(k, group), bits, blocksInGroup(k.geo, group)));
}

/** Free blocks by the bitmaps: what the counter starts from at mount. Not journalled, only reads. */
export function countFreeBlocks(k: Kernel): number {
  let free = 0;
  for (let group = 0; group < k.geo.groupCount; group++) {
    free += countFree(readBlockBitmap(k, group, readDesc(k, group)), blocksInGroup(k.geo, group));
  }
  return free;
}

/** Blocks kept back for metadata that must not fail: 2 %, at most 4096. @source fs/ext4/super.c ext4_set_resv_clusters */
export function reservedBlocks(k: Kernel): number {
  return k.geo.extents ? Math.min(Math.floor(k.geo.blocksCount / 50), 4096) : 0;
}

/**
 * May `count` blocks be promised? Root may use its own reserve, and every lane is root.
 * @source fs/ext4/balloc.c ext4_has_free_clusters
 */
export function hasFreeBlocks(k: Kernel, count: number): boolean {
  return k.sb.freeBlocks - k.sb.dirtyBlocks - reservedBlocks(k) >= count;
}

/**
 * Reserves blocks for delayed allocation.
 * @returns ENOSPC
 * @source  fs/ext4/inode.c ext4_da_reserve_space
 */
export function reserveSpace(k: Kernel, ino: number, count: number): Result<void> {
  if (!hasFreeBlocks(k, count)) return err('ENOSPC');
  k.sb.dirtyBlocks += count;
  k.inode(ino).reserved += count;
}

/** Gives reservations back. @source fs/ext4/inode.c ext4_da_release_space */
export function releaseSpace(k: Kernel, ino: number, count: number): void {
  const inode = k.inode(ino);
  const given = Math.min(count, inode.reserved);
  k.warnOn('reserve-underflow', given < count);
  inode.reserved -= given;
  k.sb.dirtyBlocks -= given;
}

/**
 * Allocates one block near the inode.
 * @param reserved  the block comes out of the inode's delayed-allocation reservation
 * @returns         the block number, or ENOSPC
 * @source          fs/ext4/mballoc.c ext4_mb_new_blocks
 */
export function newBlock(k: Kernel, ino: number, reserved: boolean): Result<number> {
  if (!reserved && !hasFreeBlocks(k, 1)) return err('ENOSPC');
  const home = groupOfInode(k.geo, ino);
  // Revoked blocks wait for their commit; the second pass takes them where the kernel would force it.
  for (const revoked of [false, true]) {
    for (let i = 0; i < k.geo.groupCount; i++) {
      const group = (home + i) % k.geo.groupCount;
      const bits = readBlockBitmap(k, group, readDesc(k, group));
      const bit = firstFree(k, group, bits, revoked);
      if (bit === undefined) continue;
      changeBlocks(k, group, setBits(bits, bit));
      k.sb.freeBlocks--;
      const inode = k.inode(ino);
      inode.blocks += k.blockSize / 512;
      if (reserved) releaseSpace(k, ino, 1);
      return groupFirstBlock(k.geo, group) + bit;
    }
  }
  return err('ENOSPC');
}

function firstFree(k: Kernel, group: number, bits: Bytes, revoked: boolean): number | undefined {
  const limit = blocksInGroup(k.geo, group);
  const first = groupFirstBlock(k.geo, group);
  let bit = findFree(bits, 0, 1, limit);
  while (bit !== undefined && !revoked && k.buf(first + bit).revoke !== 0)
    bit = findFree(bits, bit + 1, 1, limit);
  return bit;
}

/** Free runs of a group, ascending. Inside a step. */
export function freeRuns(k: Kernel, group: number): { start: number; count: number }[] {
  const bits = readBlockBitmap(k, group, readDesc(k, group));
  const limit = blocksInGroup(k.geo, group);
  const first = groupFirstBlock(k.geo, group);
  const runs: { start: number; count: number }[] = [];
  for (let bit = findFree(bits, 0, 1, limit); bit !== undefined; ) {
    let end = bit;
    while (end < limit && !testBit(bits, end)) end++;
    runs.push({ start: first + bit, count: end - bit });
    bit = findFree(bits, end, 1, limit);
  }
  return runs;
}

/** Gives a free run inside one group to a file. Inside a step with a handle. */
export function takeRun(k: Kernel, ino: number, start: number, count: number): void {
  const group = groupOfBlock(k.geo, start);
  const bits = readBlockBitmap(k, group, readDesc(k, group));
  changeBlocks(k, group, setBits(bits, start - groupFirstBlock(k.geo, group), count));
  k.sb.freeBlocks -= count;
  k.inode(ino).blocks += (k.blockSize / 512) * count;
}

/**
 * Frees blocks of an inode.
 * @param metadata  EXT4_FREE_BLOCKS_METADATA and _FORGET: the blocks are read through the bdev cache
 * @source          fs/ext4/mballoc.c ext4_free_blocks; fs/ext4/extents.c get_default_free_blocks_flags
 */
export function freeBlocks(
  k: Kernel,
  ino: number,
  start: number,
  count: number,
  metadata: boolean = !isReg(k.inode(ino).mode),
): void {
  for (let block = start; block < start + count; block++) {
    if (metadata) forgetBuffer(k, block);
    const group = groupOfBlock(k.geo, block);
    const bits = readBlockBitmap(k, group, readDesc(k, group));
    changeBlocks(k, group, clearBits(bits, block - groupFirstBlock(k.geo, group)));
    k.sb.freeBlocks++;
  }
  k.inode(ino).blocks -= (k.blockSize / 512) * count;
}

/**
 * Is delayed allocation too risky now? The kernel also starts the flusher here when half of what is free is
 * promised; that wait is not modelled.
 * @source fs/ext4/inode.c ext4_nonda_switch
 */
export function nondaSwitch(k: Kernel): boolean {
  const { freeBlocks, dirtyBlocks } = k.sb;
  return 2 * freeBlocks < 3 * dirtyBlocks || freeBlocks < dirtyBlocks + FREECLUSTERS_WATERMARK;
}
