/**
 * Bitmaps: bit n of byte n >> 3, lowest bit first; set means in use. One block per group and kind; bits past the
 * end of the group are set.
 *
 * A bitmap's checksum lies in its group descriptor and covers blocks-per-group / 8 (inodes-per-group / 8) bytes,
 * not the whole block. Whoever changes a bitmap changes three things: the bitmap, the descriptor's count and
 * checksums (`withBlockBitmap`, `withInodeBitmap` do both), and the superblock's free count.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { crc32cBytes } from '../bytes/crc32c.ts';
import type { Geometry } from './geometry.ts';
import {
  BG_FLAGS,
  putGroupDesc,
  readGroupDesc,
  storedBitmapCsum,
  withGroupDescChecksum,
} from './groupDesc.ts';

export function testBit(bits: Bytes, index: number): boolean {
  return (bits.u8(index >> 3) & (1 << (index & 7))) !== 0;
}

/** Bits `[index, index + count)` set. */
export function setBits(bits: Bytes, index: number, count = 1): Bytes {
  return bits.edit((target) => {
    for (let i = index; i < index + count; i++) target[i >> 3]! |= 1 << (i & 7);
  });
}

/** Bits `[index, index + count)` cleared. */
export function clearBits(bits: Bytes, index: number, count = 1): Bytes {
  return bits.edit((target) => {
    for (let i = index; i < index + count; i++) target[i >> 3]! &= ~(1 << (i & 7));
  });
}

/**
 * The first run of `count` clear bits at or after `from`.
 * @param limit  bits that may be looked at; bits per bitmap by default
 * @returns      index of the run's first bit; undefined when there is none
 */
export function findFree(
  bits: Bytes,
  from: number,
  count = 1,
  limit: number = bits.length * 8,
): number | undefined {
  return bits.reading((view) => {
    let run = 0;
    for (let i = from; i < limit; i++) {
      if ((i & 7) === 0 && view[i >> 3] === 0xff) {
        run = 0;
        i += 7;
        continue;
      }
      run = view[i >> 3]! & (1 << (i & 7)) ? 0 : run + 1;
      if (run === count) return i - count + 1;
    }
    return undefined;
  });
}

/** Clear bits among the first `limit`. @source fs/ext4/bitmap.c ext4_count_free */
export function countFree(bits: Bytes, limit: number): number {
  return bits.reading((view) => {
    const whole = limit >> 3;
    let used = 0;
    for (let i = 0; i < whole; i++) used += POPCOUNT[view[i]!]!;
    if (limit & 7) used += POPCOUNT[view[whole]! & ((1 << (limit & 7)) - 1)]!;
    return limit - used;
  });
}

/** True when every bit from `limit` on is set. */
export function isPadded(bits: Bytes, limit: number): boolean {
  return bits.reading((view) => {
    let at = limit >> 3;
    if (limit & 7) {
      if ((view[at]! | ((1 << (limit & 7)) - 1)) !== 0xff) return false;
      at++;
    }
    while (at < view.length && view[at] === 0xff) at++;
    return at === view.length;
  });
}

/** The bitmap with every bit from `limit` on set. @source fs/ext4/ialloc.c ext4_mark_bitmap_end */
export function withBitmapEnd(bits: Bytes, limit: number): Bytes {
  return setBits(bits, limit, bits.length * 8 - limit);
}

/** @returns 32 bits; 0 without metadata_csum. @source fs/ext4/bitmap.c ext4_block_bitmap_csum_set */
export function blockBitmapChecksum(geo: Geometry, bits: Bytes): number {
  return geo.metadataCsum ? crc32cBytes(geo.csumSeed, bits, 0, geo.blocksPerGroup >> 3) : 0;
}

/** @returns 32 bits; 0 without metadata_csum. @source fs/ext4/bitmap.c ext4_inode_bitmap_csum_set */
export function inodeBitmapChecksum(geo: Geometry, bits: Bytes): number {
  return geo.metadataCsum ? crc32cBytes(geo.csumSeed, bits, 0, geo.inodesPerGroup >> 3) : 0;
}

/**
 * The descriptor after its block bitmap became `bits`: checksum, free count, BLOCK_UNINIT cleared, own checksum.
 * @param desc   the descriptor's `descSize` bytes
 * @param limit  blocks in the group (`blocksInGroup`)
 */
export function withBlockBitmap(
  geo: Geometry,
  group: number,
  desc: Bytes,
  bits: Bytes,
  limit: number,
): Bytes {
  const next = putGroupDesc(desc, {
    freeBlocks: countFree(bits, limit),
    flags: readGroupDesc(desc).flags & ~BG_FLAGS.BLOCK_UNINIT,
    ...(geo.metadataCsum
      ? { blockBitmapCsum: storedBitmapCsum('block', geo.descSize, blockBitmapChecksum(geo, bits)) }
      : {}),
  });
  return withGroupDescChecksum(geo, group, next);
}

/**
 * The descriptor after its inode bitmap became `bits`: checksum, free count, INODE_UNINIT cleared, the count of
 * never used inodes lowered so that the highest used inode is covered, own checksum.
 * @param usedDirs  directories in the group now; left as it is when undefined
 * @source          fs/ext4/ialloc.c __ext4_new_inode, ext4_free_inode
 */
export function withInodeBitmap(
  geo: Geometry,
  group: number,
  desc: Bytes,
  bits: Bytes,
  usedDirs?: number,
): Bytes {
  const before = readGroupDesc(desc);
  const hasFlags = geo.metadataCsum || geo.gdtCsum;
  let highest = geo.inodesPerGroup - 1;
  while (highest >= 0 && !testBit(bits, highest)) highest--;
  const neverUsed = geo.inodesPerGroup - 1 - highest;
  const unusedBefore = before.flags & BG_FLAGS.INODE_UNINIT ? geo.inodesPerGroup : before.itableUnused;
  const next = putGroupDesc(desc, {
    freeInodes: countFree(bits, geo.inodesPerGroup),
    flags: before.flags & ~BG_FLAGS.INODE_UNINIT,
    ...(hasFlags ? { itableUnused: Math.min(unusedBefore, neverUsed) } : {}),
    ...(usedDirs === undefined ? {} : { usedDirs }),
    ...(geo.metadataCsum
      ? { inodeBitmapCsum: storedBitmapCsum('inode', geo.descSize, inodeBitmapChecksum(geo, bits)) }
      : {}),
  });
  return withGroupDescChecksum(geo, group, next);
}

const POPCOUNT: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest !== 0; rest &= rest - 1) count++;
  return count;
});
