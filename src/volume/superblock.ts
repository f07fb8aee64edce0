/**
 * The superblock: 1024 bytes at byte 1024 of the volume (block 1 of a 1k volume, the second kilobyte of block 0
 * otherwise). Copies sit at the start of the groups `groupHasSuper` names; only the first is read here.
 *
 * Invariants of a good one: magic 0xEF53 at 0x38; with metadata_csum, the last four bytes are the crc32c of the
 * 1020 before them, started from ~0 and not inverted.
 *
 * Feature names are the ones mke2fs prints and takes; an unnamed bit is printed in hex.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { crc32cBytes } from '../bytes/crc32c.ts';
import { layout, type Record_, raw, u8, u16, u32, u64 } from '../bytes/layout.ts';

/** Bytes from the start of the volume. */
export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_SIZE = 1024;
export const EXT4_MAGIC = 0xef53;

/** @source fs/ext4/ext4.h struct ext4_super_block */
export const superblockLayout = layout('ext4_super_block', SUPERBLOCK_SIZE, {
  inodesCount: u32(0x000),
  blocksCountLo: u32(0x004),
  rBlocksCountLo: u32(0x008, 'blocks reserved for the super user'),
  freeBlocksCountLo: u32(0x00c),
  freeInodesCount: u32(0x010),
  firstDataBlock: u32(0x014, '1 for 1k blocks, else 0'),
  logBlockSize: u32(0x018, 'block size is 1024 << this'),
  logClusterSize: u32(0x01c),
  blocksPerGroup: u32(0x020),
  clustersPerGroup: u32(0x024),
  inodesPerGroup: u32(0x028),
  mtime: u32(0x02c, 'last mount, seconds'),
  wtime: u32(0x030, 'last write, seconds'),
  mntCount: u16(0x034),
  maxMntCount: u16(0x036, '0xFFFF is no limit'),
  magic: u16(0x038, '0xEF53'),
  state: u16(0x03a, '1 clean, 2 errors, 4 orphans'),
  errors: u16(0x03c, '1 continue, 2 remount read-only, 3 panic'),
  minorRevLevel: u16(0x03e),
  lastcheck: u32(0x040),
  checkinterval: u32(0x044),
  creatorOs: u32(0x048, '0 is Linux'),
  revLevel: u32(0x04c, '1 is dynamic'),
  defResuid: u16(0x050),
  defResgid: u16(0x052),
  firstIno: u32(0x054, 'first inode that is not reserved'),
  inodeSize: u16(0x058),
  blockGroupNr: u16(0x05a, 'group of this copy'),
  featureCompat: u32(0x05c),
  featureIncompat: u32(0x060),
  featureRoCompat: u32(0x064),
  uuid: raw(0x068, 16),
  volumeName: raw(0x078, 16),
  lastMounted: raw(0x088, 64),
  algorithmUsageBitmap: u32(0x0c8),
  preallocBlocks: u8(0x0cc),
  preallocDirBlocks: u8(0x0cd),
  reservedGdtBlocks: u16(0x0ce),
  journalUuid: raw(0x0d0, 16),
  journalInum: u32(0x0e0),
  journalDev: u32(0x0e4),
  lastOrphan: u32(0x0e8, 'head of the orphan list'),
  hashSeed: raw(0x0ec, 16),
  defHashVersion: u8(0x0fc, '1 is half-MD4'),
  jnlBackupType: u8(0x0fd),
  descSize: u16(0x0fe),
  defaultMountOpts: u32(0x100),
  firstMetaBg: u32(0x104),
  mkfsTime: u32(0x108),
  jnlBlocks: raw(0x10c, 68, 'copy of the journal inode: i_block, size high, size low'),
  blocksCountHi: u32(0x150),
  rBlocksCountHi: u32(0x154),
  freeBlocksCountHi: u32(0x158),
  minExtraIsize: u16(0x15c),
  wantExtraIsize: u16(0x15e, 'i_extra_isize of a new inode'),
  flags: u32(0x160, '1 signed hash, 2 unsigned hash, 4 test file system'),
  raidStride: u16(0x164),
  mmpUpdateInterval: u16(0x166),
  mmpBlock: u64(0x168),
  raidStripeWidth: u32(0x170),
  logGroupsPerFlex: u8(0x174),
  checksumType: u8(0x175, '1 is crc32c'),
  encryptionLevel: u8(0x176),
  reservedPad: u8(0x177),
  kbytesWritten: u64(0x178),
  snapshotInum: u32(0x180),
  snapshotId: u32(0x184),
  snapshotRBlocksCount: u64(0x188),
  snapshotList: u32(0x190),
  errorCount: u32(0x194),
  firstErrorTime: u32(0x198),
  firstErrorIno: u32(0x19c),
  firstErrorBlock: u64(0x1a0),
  firstErrorFunc: raw(0x1a8, 32),
  firstErrorLine: u32(0x1c8),
  lastErrorTime: u32(0x1cc),
  lastErrorIno: u32(0x1d0),
  lastErrorLine: u32(0x1d4),
  lastErrorBlock: u64(0x1d8),
  lastErrorFunc: raw(0x1e0, 32),
  mountOpts: raw(0x200, 64),
  usrQuotaInum: u32(0x240),
  grpQuotaInum: u32(0x244),
  overheadClusters: u32(0x248),
  backupBg0: u32(0x24c, 'sparse_super2: first group with a copy'),
  backupBg1: u32(0x250, 'sparse_super2: second group with a copy'),
  encryptAlgos: u32(0x254),
  encryptPwSalt: raw(0x258, 16),
  lpfIno: u32(0x268),
  prjQuotaInum: u32(0x26c),
  checksumSeed: u32(0x270, 'in force with metadata_csum_seed'),
  wtimeHi: u8(0x274),
  mtimeHi: u8(0x275),
  mkfsTimeHi: u8(0x276),
  lastcheckHi: u8(0x277),
  firstErrorTimeHi: u8(0x278),
  lastErrorTimeHi: u8(0x279),
  firstErrorErrcode: u8(0x27a),
  lastErrorErrcode: u8(0x27b),
  encoding: u16(0x27c),
  encodingFlags: u16(0x27e),
  orphanFileInum: u32(0x280),
  reserved: raw(0x284, 376),
  checksum: u32(0x3fc, 'crc32c of the 1020 bytes before'),
});

export type Superblock = Record_<typeof superblockLayout.fields>;

/** Bits of `s_state`. @source fs/ext4/ext4.h EXT4_VALID_FS */
export const FS_STATE = { VALID: 0x0001, ERROR: 0x0002, ORPHAN: 0x0004, FC_REPLAY: 0x0020 } as const;

/** Bits of `s_flags`. @source fs/ext4/ext4.h EXT2_FLAGS_SIGNED_HASH */
export const FS_FLAGS = { SIGNED_HASH: 0x0001, UNSIGNED_HASH: 0x0002, TEST_FILESYS: 0x0004 } as const;

/** @source fs/ext4/ext4.h EXT4_FEATURE_COMPAT_* ; names: e2fsprogs lib/e2p/feature.c */
export const COMPAT = {
  dir_prealloc: 0x0001,
  imagic_inodes: 0x0002,
  has_journal: 0x0004,
  ext_attr: 0x0008,
  resize_inode: 0x0010,
  dir_index: 0x0020,
  sparse_super2: 0x0200,
  fast_commit: 0x0400,
  stable_inodes: 0x0800,
  orphan_file: 0x1000,
} as const;

/** @source fs/ext4/ext4.h EXT4_FEATURE_INCOMPAT_* */
export const INCOMPAT = {
  compression: 0x0001,
  filetype: 0x0002,
  needs_recovery: 0x0004,
  journal_dev: 0x0008,
  meta_bg: 0x0010,
  extent: 0x0040,
  '64bit': 0x0080,
  mmp: 0x0100,
  flex_bg: 0x0200,
  ea_inode: 0x0400,
  dirdata: 0x1000,
  metadata_csum_seed: 0x2000,
  large_dir: 0x4000,
  inline_data: 0x8000,
  encrypt: 0x10000,
  casefold: 0x20000,
} as const;

/** @source fs/ext4/ext4.h EXT4_FEATURE_RO_COMPAT_* */
export const RO_COMPAT = {
  sparse_super: 0x0001,
  large_file: 0x0002,
  btree_dir: 0x0004,
  huge_file: 0x0008,
  uninit_bg: 0x0010,
  dir_nlink: 0x0020,
  extra_isize: 0x0040,
  quota: 0x0100,
  bigalloc: 0x0200,
  metadata_csum: 0x0400,
  'read-only': 0x1000,
  project: 0x2000,
  shared_blocks: 0x4000,
  verity: 0x8000,
  orphan_present: 0x10000,
} as const;

export type FeatureName = keyof typeof COMPAT | keyof typeof INCOMPAT | keyof typeof RO_COMPAT;

/** The three feature words of a superblock. */
export interface Features {
  readonly compat: number;
  readonly incompat: number;
  readonly roCompat: number;
}

/** Where a feature's bit lives; undefined for a name that mke2fs does not know. */
export function featureBit(name: string): { word: keyof Features; bit: number } | undefined {
  const canonical = name === 'extents' ? 'extent' : name;
  for (const [word, table] of WORDS) {
    const bit = table[canonical];
    if (bit !== undefined) return { word, bit };
  }
  return undefined;
}

export function hasFeature(features: Features, name: FeatureName): boolean {
  const where = featureBit(name)!;
  return (features[where.word] & where.bit) !== 0;
}

/** Names of the set bits of one word, lowest bit first; an unnamed bit is its hex value. */
export function featureNamesOf(word: keyof Features, value: number): string[] {
  const table = WORDS.find(([key]) => key === word)![1];
  const names: string[] = [];
  for (let i = 0; i < 32; i++) {
    const bit = 2 ** i;
    if ((value & (1 << i)) === 0) continue;
    const name = Object.keys(table).find((key) => table[key] === bit);
    names.push(name ?? `0x${bit.toString(16)}`);
  }
  return names;
}

/** All names in the order dumpe2fs prints them: compat, incompat, ro_compat. */
export function featureNames(features: Features): string[] {
  return WORDS.flatMap(([word]) => featureNamesOf(word, features[word]));
}

export function featuresOf(sb: Bytes): Features {
  return {
    compat: superblockLayout.get(sb, 'featureCompat'),
    incompat: superblockLayout.get(sb, 'featureIncompat'),
    roCompat: superblockLayout.get(sb, 'featureRoCompat'),
  };
}

/** Blocks of the volume; the high half counts only with 64bit. @source fs/ext4/ext4.h ext4_blocks_count */
export function blocksCountOf(sb: Bytes): number {
  return split64(sb, 'blocksCountLo', 'blocksCountHi');
}

/** @source fs/ext4/ext4.h ext4_free_blocks_count */
export function freeBlocksCountOf(sb: Bytes): number {
  return split64(sb, 'freeBlocksCountLo', 'freeBlocksCountHi');
}

/** Blocks kept for the super user. @source fs/ext4/ext4.h ext4_r_blocks_count */
export function reservedBlocksCountOf(sb: Bytes): number {
  return split64(sb, 'rBlocksCountLo', 'rBlocksCountHi');
}

/** Both halves of the free block count, for `superblockLayout.put`. */
export function freeBlocksCountFields(
  count: number,
): Pick<Superblock, 'freeBlocksCountLo' | 'freeBlocksCountHi'> {
  return { freeBlocksCountLo: count >>> 0, freeBlocksCountHi: Math.floor(count / 2 ** 32) };
}

/**
 * @param sb  the 1024 bytes
 * @returns   crc32c of bytes 0…0x3FB, unsigned 32 bit
 * @source    fs/ext4/super.c ext4_superblock_csum
 */
export function superblockChecksum(sb: Bytes): number {
  return crc32cBytes(0xffffffff, sb, 0, superblockLayout.fields.checksum.at);
}

/** The superblock with its checksum made right; unchanged without metadata_csum. */
export function withSuperblockChecksum(sb: Bytes): Bytes {
  if (!hasFeature(featuresOf(sb), 'metadata_csum')) return sb;
  return superblockLayout.put(sb, { checksum: superblockChecksum(sb) });
}

/**
 * The register every other metadata checksum starts from.
 * @returns  `s_checksum_seed` with metadata_csum_seed, else crc32c of the uuid
 * @source   fs/ext4/super.c ext4_init_metadata_csum
 */
export function checksumSeedOf(sb: Bytes): number {
  if (hasFeature(featuresOf(sb), 'metadata_csum_seed')) return superblockLayout.get(sb, 'checksumSeed');
  const { at, size } = superblockLayout.fields.uuid;
  return crc32cBytes(0xffffffff, sb, at, at + size);
}

const WORDS: readonly (readonly [keyof Features, Readonly<Record<string, number>>])[] = [
  ['compat', COMPAT],
  ['incompat', INCOMPAT],
  ['roCompat', RO_COMPAT],
];

function split64(
  sb: Bytes,
  lo: 'blocksCountLo' | 'rBlocksCountLo' | 'freeBlocksCountLo',
  hi: 'blocksCountHi' | 'rBlocksCountHi' | 'freeBlocksCountHi',
): number {
  const high = hasFeature(featuresOf(sb), '64bit') ? superblockLayout.get(sb, hi) : 0;
  return superblockLayout.get(sb, lo) + high * 2 ** 32;
}
