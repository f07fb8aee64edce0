/**
 * Blocks, counted: bitmaps and group descriptors in the bdev cache, the free-block counter, delayed-allocation
 * reservations. *Which* blocks somebody gets is the business of `mballoc.ts`.
 *
 * All functions run inside a step of a task with a handle, unless they say otherwise.
 */

import type { Bytes } from '../bytes/bytes.ts';
import { readBuffer, setBuffer } from '../device/buffer.ts';
import { dirtyMetadata, getWriteAccess } from '../device/journal.ts';
import { err, type Result } from '../errno.ts';
import type { Kernel } from '../kernel.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { countFree, findFree, setBits, testBit, withBlockBitmap } from '../volume/bitmap.ts';
import { blocksInGroup, groupDescLocation, groupFirstBlock, groupOfBlock } from '../volume/geometry.ts';
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
export function readBlockBitmap(k: Kernel, group: number, desc: Bytes): Bytes {
  if ((readGroupDesc(desc).flags & BG_FLAGS.BLOCK_UNINIT) !== 0) return initialBlockBitmap(k.geo, group);
  return readBuffer(k, k.geo.groups[group]!.blockBitmap);
}

export function changeBlocks(k: Kernel, group: number, bits: Bytes): void {
  const { blockBitmap } = k.geo.groups[group]!;
  getWriteAccess(k, blockBitmap);
  setBuffer(k, blockBitmap, bits);
  dirtyMetadata(k, blockBitmap);
  writeDesc(k, group, withBlockBitmap(k.geo, group, readDesc(k, group), bits, blocksInGroup(k.geo, group)));
}

/** What a percpu counter may be behind on one CPU. @source lib/percpu_counter.c compute_batch_value */
export const PERCPU_BATCH = 32;

/** Blocks become free, or taken. @source lib/percpu_counter.c percpu_counter_add_batch */
export function addFreeBlocks(k: Kernel, count: number): void {
  const { sb, geo } = k;
  sb.freeBlocks += count;
  if (geo.groupCount === 1) return;
  if (Math.abs(sb.freeBlocks - sb.shownFreeBlocks) >= PERCPU_BATCH) sb.shownFreeBlocks = sb.freeBlocks;
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
 * @param useReserved  EXT4_MB_USE_RESERVED: what is kept back for metadata, too
 * @source fs/ext4/balloc.c ext4_has_free_clusters
 */
export function hasFreeBlocks(k: Kernel, count: number, useReserved = false): boolean {
  return k.sb.freeBlocks - k.sb.dirtyBlocks - (useReserved ? 0 : reservedBlocks(k)) >= count;
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
  addFreeBlocks(k, -count);
  k.inode(ino).blocks += (k.blockSize / 512) * count;
}

/** Is half of what is free promised? Time to have the flusher write. Inside a step. @source fs/ext4/inode.c ext4_nonda_switch */
export function isMostlyPromised(k: Kernel): boolean {
  const { freeBlocks, dirtyBlocks } = k.sb;
  return dirtyBlocks > 0 && freeBlocks < 2 * dirtyBlocks;
}

/** Is delayed allocation too risky now? Inside a step. @source fs/ext4/inode.c ext4_nonda_switch */
export function nondaSwitch(k: Kernel): boolean {
  const { freeBlocks, dirtyBlocks } = k.sb;
  return 2 * freeBlocks < 3 * dirtyBlocks || freeBlocks < dirtyBlocks + FREECLUSTERS_WATERMARK;
}

/**
 * After ENOSPC: is it worth another try? Blocks that were freed and wait for a commit are worth one.
 * @param retries  how many there were, this one included
 * @source fs/ext4/balloc.c ext4_should_retry_alloc
 */
export function* shouldRetryAlloc(k: Kernel, retries: number, commit: (k: Kernel) => Op<void>): Op<boolean> {
  if (!k.hasJournal || retries > 3) return false;
  const how = yield* step(k, 's_mb_free_pending?', () => {
    if (k.sb.freed !== null || k.sb.freedCommitting !== null) return 'commit';
    return hasFreeBlocks(k, 1) ? 'again' : 'no';
  });
  if (how === 'commit') yield* call(k, 'jbd2_journal_force_commit_nested', () => commit(k));
  return how !== 'no';
}
