/**
 * Group descriptors: one per block group, packed from the block after the superblock's.
 *
 * 32 bytes, or `s_desc_size` (64 and up) with 64bit; the second half holds the high halves of the first. Without
 * 64bit those fields do not exist, so a bitmap's checksum is cut to 16 bits there.
 *
 * Checksum (0x1E, 16 bit): with metadata_csum the low half of crc32c(seed, le32 group, descriptor with the field
 * zeroed); with uninit_bg alone crc16(uuid, le32 group, descriptor without the field).
 */
import type { Bytes } from '../bytes/bytes.ts';
import { crc32c, crc32cU32 } from '../bytes/crc32c.ts';
import { layout, u16, u32 } from '../bytes/layout.ts';

/** @source fs/ext4/ext4.h struct ext4_group_desc (its first half, all there is without 64bit) */
export const groupDesc32Layout = layout('ext4_group_desc', 32, {
  blockBitmapLo: u32(0x00),
  inodeBitmapLo: u32(0x04),
  inodeTableLo: u32(0x08),
  freeBlocksLo: u16(0x0c),
  freeInodesLo: u16(0x0e),
  usedDirsLo: u16(0x10),
  flags: u16(0x12, '1 INODE_UNINIT, 2 BLOCK_UNINIT, 4 INODE_ZEROED'),
  excludeBitmapLo: u32(0x14),
  blockBitmapCsumLo: u16(0x18),
  inodeBitmapCsumLo: u16(0x1a),
  itableUnusedLo: u16(0x1c, 'inodes never used, at the end of the table'),
  checksum: u16(0x1e),
});

/** @source fs/ext4/ext4.h struct ext4_group_desc */
export const groupDesc64Layout = layout('ext4_group_desc', 64, {
  ...groupDesc32Layout.fields,
  blockBitmapHi: u32(0x20),
  inodeBitmapHi: u32(0x24),
  inodeTableHi: u32(0x28),
  freeBlocksHi: u16(0x2c),
  freeInodesHi: u16(0x2e),
  usedDirsHi: u16(0x30),
  itableUnusedHi: u16(0x32),
  excludeBitmapHi: u32(0x34),
  blockBitmapCsumHi: u16(0x38),
  inodeBitmapCsumHi: u16(0x3a),
  reserved: u32(0x3c),
});

/** Bits of `bg_flags`. @source fs/ext4/ext4.h EXT4_BG_INODE_UNINIT */
export const BG_FLAGS = { INODE_UNINIT: 1, BLOCK_UNINIT: 2, INODE_ZEROED: 4 } as const;

/** A descriptor with low and high halves joined. Counts are counts; the three locations are block numbers. */
export interface GroupDesc {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  readonly usedDirs: number;
  readonly itableUnused: number;
  readonly flags: number;
  readonly blockBitmapCsum: number;
  readonly inodeBitmapCsum: number;
  readonly checksum: number;
}

/** What checksums of a volume depend on; a `Geometry` has it all. */
export interface ChecksumRules {
  readonly metadataCsum: boolean;
  /** uninit_bg without metadata_csum: crc16 over descriptors, nothing else. */
  readonly gdtCsum: boolean;
  readonly csumSeed: number;
  /** 32 hex digits. */
  readonly uuid: string;
}

/** Bytes a bitmap checksum must have room for in the descriptor to be 32 bit wide. */
const BLOCK_BITMAP_CSUM_HI_END = 0x3a;
const INODE_BITMAP_CSUM_HI_END = 0x3c;

/** @param desc  one descriptor, 32 bytes or `s_desc_size` ≥ 64 */
export function readGroupDesc(desc: Bytes): GroupDesc {
  const wide = desc.length >= 64;
  const lo = <N extends keyof typeof groupDesc32Layout.fields>(name: N) => groupDesc32Layout.get(desc, name);
  const hi = (name: keyof typeof groupDesc64Layout.fields) => (wide ? groupDesc64Layout.get(desc, name) : 0);
  return {
    blockBitmap: lo('blockBitmapLo') + hi('blockBitmapHi') * 2 ** 32,
    inodeBitmap: lo('inodeBitmapLo') + hi('inodeBitmapHi') * 2 ** 32,
    inodeTable: lo('inodeTableLo') + hi('inodeTableHi') * 2 ** 32,
    freeBlocks: lo('freeBlocksLo') + hi('freeBlocksHi') * 2 ** 16,
    freeInodes: lo('freeInodesLo') + hi('freeInodesHi') * 2 ** 16,
    usedDirs: lo('usedDirsLo') + hi('usedDirsHi') * 2 ** 16,
    itableUnused: lo('itableUnusedLo') + hi('itableUnusedHi') * 2 ** 16,
    flags: lo('flags'),
    blockBitmapCsum: lo('blockBitmapCsumLo') + hi('blockBitmapCsumHi') * 2 ** 16,
    inodeBitmapCsum: lo('inodeBitmapCsumLo') + hi('inodeBitmapCsumHi') * 2 ** 16,
    checksum: lo('checksum'),
  };
}

/** The descriptor with some fields replaced; high halves are written where the descriptor has them. */
export function putGroupDesc(desc: Bytes, values: Partial<GroupDesc>): Bytes {
  return desc.edit((target) => {
    for (const [key, value] of Object.entries(values) as [keyof GroupDesc, number][]) {
      const [lo, hi] = HALVES[key];
      groupDesc32Layout.write(target, { [lo]: value });
      if (hi === undefined || desc.length < 64) continue;
      const shift = groupDesc32Layout.fields[lo].size * 8;
      groupDesc64Layout.write(target, { [hi]: Math.floor(value / 2 ** shift) });
    }
  });
}

/**
 * @param group  group number
 * @param desc   exactly one descriptor
 * @returns      16 bits; 0 when the volume has neither metadata_csum nor uninit_bg
 * @source       fs/ext4/super.c ext4_group_desc_csum
 */
export function groupDescChecksum(rules: ChecksumRules, group: number, desc: Bytes): number {
  const { at, size } = groupDesc32Layout.fields.checksum;
  return desc.reading((view) => {
    if (rules.metadataCsum) {
      let crc = crc32cU32(rules.csumSeed, group);
      crc = crc32c(crc, view, 0, at);
      crc = crc32c(crc, ZERO16);
      return crc32c(crc, view, at + size) & 0xffff;
    }
    if (!rules.gdtCsum) return 0;
    const uuid = Uint8Array.from({ length: 16 }, (_, i) =>
      Number.parseInt(rules.uuid.slice(2 * i, 2 * i + 2), 16),
    );
    let crc = crc16(0xffff, uuid);
    crc = crc16(crc, Uint8Array.of(group, group >>> 8, group >>> 16, group >>> 24));
    crc = crc16(crc, view.subarray(0, at));
    return view.length > 32 ? crc16(crc, view.subarray(at + size)) : crc;
  });
}

export function withGroupDescChecksum(rules: ChecksumRules, group: number, desc: Bytes): Bytes {
  return groupDesc32Layout.put(desc, { checksum: groupDescChecksum(rules, group, desc) });
}

/** A 32-bit bitmap checksum cut to what the descriptor can hold. @source fs/ext4/bitmap.c */
export function storedBitmapCsum(which: 'block' | 'inode', descSize: number, csum: number): number {
  const end = which === 'block' ? BLOCK_BITMAP_CSUM_HI_END : INODE_BITMAP_CSUM_HI_END;
  return descSize >= end ? csum : csum & 0xffff;
}

/** The register after `data`, polynomial 0xA001 reflected. @source lib/crc16.c crc16 */
export function crc16(seed: number, data: Uint8Array): number {
  let crc = seed;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  }
  return crc;
}

const ZERO16 = new Uint8Array(2);

const HALVES: Readonly<
  Record<
    keyof GroupDesc,
    readonly [keyof typeof groupDesc32Layout.fields, (keyof typeof groupDesc64Layout.fields)?]
  >
> = {
  blockBitmap: ['blockBitmapLo', 'blockBitmapHi'],
  inodeBitmap: ['inodeBitmapLo', 'inodeBitmapHi'],
  inodeTable: ['inodeTableLo', 'inodeTableHi'],
  freeBlocks: ['freeBlocksLo', 'freeBlocksHi'],
  freeInodes: ['freeInodesLo', 'freeInodesHi'],
  usedDirs: ['usedDirsLo', 'usedDirsHi'],
  itableUnused: ['itableUnusedLo', 'itableUnusedHi'],
  flags: ['flags'],
  blockBitmapCsum: ['blockBitmapCsumLo', 'blockBitmapCsumHi'],
  inodeBitmapCsum: ['inodeBitmapCsumLo', 'inodeBitmapCsumHi'],
  checksum: ['checksum'],
};
