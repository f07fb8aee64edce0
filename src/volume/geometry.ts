/**
 * Geometry: what a mounted volume never changes, read once from the superblock and the group descriptors.
 *
 * A Geometry is plain, deeply frozen and small; it holds no counts and no state flags. Reading one is where a
 * lying superblock is caught: every number used later as a divisor, a length or a block number is checked here,
 * so that nothing downstream can divide by zero, read outside the file or allocate by a lie.
 *
 *     block 0 …            group 0 …                                             group 1 …
 *     [boot] super gdt… (reserved gdt…) block-bitmap inode-bitmap inode-table…  | (super gdt…) …
 *
 * Not modelled: writing volumes with ea_inode, mmp, encrypt, casefold, quota, bigalloc or fast_commit, or without
 * extents; they are read.
 *
 * Not verified here: that structures of different groups do not overlap, and everything that `check` verifies.
 */
import { Bytes } from '../bytes/bytes.ts';
import { BadImage, hex } from './badImage.ts';
import { type ChecksumRules, groupDescChecksum, readGroupDesc } from './groupDesc.ts';
import {
  blocksCountOf,
  checksumSeedOf,
  EXT4_MAGIC,
  type Features,
  FS_FLAGS,
  featureNamesOf,
  featuresOf,
  hasFeature,
  INCOMPAT,
  RO_COMPAT,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockChecksum,
  superblockLayout,
} from './superblock.ts';

/** Block numbers of one group's own metadata. */
export interface GroupLocation {
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  /** First of `inodeTableBlocks` blocks. */
  readonly inodeTable: number;
}

export interface Geometry extends ChecksumRules {
  readonly blockSize: number;
  readonly inodeSize: number;
  readonly blocksCount: number;
  readonly inodesCount: number;
  /** First block of group 0: 1 for 1k blocks, else 0. */
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly inodesPerGroup: number;
  readonly groupCount: number;
  /** Bytes of one group descriptor: 32, or `s_desc_size` with 64bit. */
  readonly descSize: number;
  /** First block of the primary descriptor table. */
  readonly gdtBlock: number;
  /** Blocks of the descriptor table that lie together, behind every copy of the superblock. */
  readonly gdtBlocks: number;
  /** Every block of the descriptor table; with meta_bg some lie in the groups that they describe. */
  readonly descBlocks: readonly number[];
  /** Blocks kept after each descriptor table for growth (resize_inode). */
  readonly reservedGdtBlocks: number;
  /** Groups of a flex group; 1 without flex_bg. */
  readonly flexSize: number;
  /** Blocks of one group's inode table. */
  readonly inodeTableBlocks: number;
  readonly features: Features;
  readonly hasJournal: boolean;
  readonly extents: boolean;
  readonly inlineData: boolean;
  /** Directory entries carry a file type. */
  readonly filetype: boolean;
  readonly dirIndex: boolean;
  /** Directories may have an htree of three levels, and a size of 64 bits. */
  readonly largeDir: boolean;
  /** Large attribute values lie in inodes of their own. */
  readonly eaInode: boolean;
  /** i_blocks is 48 bits wide, and may count file system blocks. */
  readonly hugeFile: boolean;
  /** The file that orphans are kept in; 0 without the feature orphan_file. */
  readonly orphanFileInum: number;
  readonly firstIno: number;
  /** i_extra_isize of a new inode, as the kernel reckons it: at least 32; 0 for 128-byte inodes. */
  readonly wantExtraIsize: number;
  readonly minExtraIsize: number;
  /** Four little-endian words, 32 hex digits in on-disk order. */
  readonly hashSeed: string;
  readonly defHashVersion: number;
  /** Names are hashed as signed chars unless `s_flags` says unsigned. */
  readonly hashUnsigned: boolean;
  /** 0 without has_journal. */
  readonly journalInum: number;
  /** sparse_super2: the groups that hold a copy of the superblock. */
  readonly backupGroups: readonly number[];
  /** Why this volume may only be read; undefined when it may be written. */
  readonly readOnlyReason: string | undefined;
  readonly groups: readonly GroupLocation[];
}

/** Where an inode's bytes are. */
export interface InodeLocation {
  readonly block: number;
  /** Bytes from the start of that block. */
  readonly offset: number;
}

/** @source fs/ext4/ext4.h EXT4_BAD_INO, EXT4_ROOT_INO, EXT4_RESIZE_INO, EXT4_JOURNAL_INO */
export const BAD_INO = 1;
export const ROOT_INO = 2;
export const RESIZE_INO = 7;
export const JOURNAL_INO = 8;
export const GOOD_OLD_FIRST_INO = 11;
export const GOOD_OLD_INODE_SIZE = 128;

/** Incompat features under which a volume is read, and not written. */
const READABLE_INCOMPAT = INCOMPAT.mmp | INCOMPAT.ea_inode | INCOMPAT.encrypt | INCOMPAT.casefold;

/** Incompat features this emulator knows how to honour. */
const SUPPORTED_INCOMPAT =
  INCOMPAT.filetype |
  INCOMPAT.needs_recovery |
  INCOMPAT.meta_bg |
  INCOMPAT.extent |
  INCOMPAT['64bit'] |
  INCOMPAT.flex_bg |
  INCOMPAT.metadata_csum_seed |
  INCOMPAT.large_dir |
  INCOMPAT.inline_data |
  READABLE_INCOMPAT;

/** Ro_compat features under which this emulator may write. */
const WRITABLE_RO_COMPAT =
  RO_COMPAT.sparse_super |
  RO_COMPAT.large_file |
  RO_COMPAT.huge_file |
  RO_COMPAT.uninit_bg |
  RO_COMPAT.dir_nlink |
  RO_COMPAT.extra_isize |
  RO_COMPAT.metadata_csum |
  RO_COMPAT.orphan_present |
  RO_COMPAT.verity;

/**
 * @param ino  inode number, 1…inodesCount
 * @throws     RangeError for any other number
 * @source     fs/ext4/inode.c __ext4_get_inode_loc
 */
export function inodeLocation(geo: Geometry, ino: number): InodeLocation {
  const group = groupOfInode(geo, ino);
  const offset = ((ino - 1) % geo.inodesPerGroup) * geo.inodeSize;
  return {
    block: geo.groups[group]!.inodeTable + Math.floor(offset / geo.blockSize),
    offset: offset % geo.blockSize,
  };
}

/** @throws RangeError when `ino` is not 1…inodesCount */
export function groupOfInode(geo: Geometry, ino: number): number {
  if (!(Number.isInteger(ino) && ino >= 1 && ino <= geo.inodesCount)) {
    throw new RangeError(`inode ${ino} is outside 1..${geo.inodesCount}`);
  }
  return Math.floor((ino - 1) / geo.inodesPerGroup);
}

/** @throws RangeError when `block` is not firstDataBlock…blocksCount-1 */
export function groupOfBlock(geo: Geometry, block: number): number {
  if (!(Number.isInteger(block) && block >= geo.firstDataBlock && block < geo.blocksCount)) {
    throw new RangeError(`block ${block} is outside ${geo.firstDataBlock}..${geo.blocksCount - 1}`);
  }
  return Math.floor((block - geo.firstDataBlock) / geo.blocksPerGroup);
}

/** @source fs/ext4/ext4.h ext4_group_first_block_no */
export function groupFirstBlock(geo: Geometry, group: number): number {
  return geo.firstDataBlock + group * geo.blocksPerGroup;
}

/** Blocks in this group; only the last may be short. @source fs/ext4/balloc.c num_clusters_in_group */
export function blocksInGroup(geo: Geometry, group: number): number {
  return Math.min(geo.blocksPerGroup, geo.blocksCount - groupFirstBlock(geo, group));
}

/** Block numbers of the two bitmaps of a group. */
export function bitmapBlocksOf(geo: Geometry, group: number): { block: number; inode: number } {
  const at = geo.groups[group];
  if (at === undefined) throw new RangeError(`group ${group} is outside 0..${geo.groupCount - 1}`);
  return { block: at.blockBitmap, inode: at.inodeBitmap };
}

/** Where a group's descriptor is. */
export function groupDescLocation(
  geo: Pick<Geometry, 'descBlocks' | 'descSize' | 'blockSize'>,
  group: number,
): InodeLocation {
  const at = group * geo.descSize;
  return { block: geo.descBlocks[Math.floor(at / geo.blockSize)]!, offset: at % geo.blockSize };
}

/** True when the group starts with a copy of the superblock. @source fs/ext4/balloc.c ext4_bg_has_super */
export function groupHasSuper(geo: Pick<Geometry, 'features' | 'backupGroups'>, group: number): boolean {
  if (group === 0) return true;
  if (hasFeature(geo.features, 'sparse_super2')) return geo.backupGroups.includes(group);
  if (group === 1 || !hasFeature(geo.features, 'sparse_super')) return true;
  return group % 2 === 1 && [3, 5, 7].some((root) => isPowerOf(group, root));
}

/** Blocks at the start of a group that hold superblock and descriptors. @source fs/ext4/balloc.c ext4_num_base_meta_blocks */
export function baseMetaBlocks(geo: Geometry, group: number): number {
  const hasSuper = groupHasSuper(geo, group);
  if (inMetaGroup(geo, group)) return (hasSuper ? 1 : 0) + (holdsMetaGroupDesc(geo, group) ? 1 : 0);
  return hasSuper ? 1 + geo.gdtBlocks + geo.reservedGdtBlocks : 0;
}

/** meta_bg: is the group's descriptor in a block that lies among the groups it describes? */
function inMetaGroup(geo: Geometry, group: number): boolean {
  return group >= geo.gdtBlocks * (geo.blockSize / geo.descSize);
}

/** Does the group hold the descriptor block of its metagroup, or a copy? @source fs/ext4/balloc.c ext4_bg_num_gdb_meta */
function holdsMetaGroupDesc(geo: Geometry, group: number): boolean {
  const size = geo.blockSize / geo.descSize;
  return group % size === 0 || group % size === 1 || group % size === size - 1;
}

/** A run of blocks that no file may own. */
export interface MetadataRange {
  readonly start: number;
  readonly count: number;
  readonly what:
    | 'superblock'
    | 'group descriptors'
    | 'reserved descriptors'
    | 'block bitmap'
    | 'inode bitmap'
    | 'inode table';
  readonly group: number;
}

/** Every metadata run, in group order. @source fs/ext4/block_validity.c ext4_setup_system_zone */
export function metadataRanges(geo: Geometry): MetadataRange[] {
  const ranges: MetadataRange[] = [];
  for (let group = 0; group < geo.groupCount; group++) {
    const start = groupFirstBlock(geo, group);
    const hasSuper = groupHasSuper(geo, group);
    if (hasSuper) ranges.push({ start, count: 1, what: 'superblock', group });
    if (inMetaGroup(geo, group)) {
      if (holdsMetaGroupDesc(geo, group))
        ranges.push({ start: hasSuper ? start + 1 : start, count: 1, what: 'group descriptors', group });
    } else if (hasSuper) {
      ranges.push({ start: start + 1, count: geo.gdtBlocks, what: 'group descriptors', group });
      if (geo.reservedGdtBlocks > 0) {
        const reserved = start + 1 + geo.gdtBlocks;
        ranges.push({ start: reserved, count: geo.reservedGdtBlocks, what: 'reserved descriptors', group });
      }
    }
    const at = geo.groups[group]!;
    ranges.push({ start: at.blockBitmap, count: 1, what: 'block bitmap', group });
    ranges.push({ start: at.inodeBitmap, count: 1, what: 'inode bitmap', group });
    ranges.push({ start: at.inodeTable, count: geo.inodeTableBlocks, what: 'inode table', group });
  }
  return ranges;
}

/** The metadata run a block lies in; undefined for a data block. */
export function metadataAt(geo: Geometry, block: number): MetadataRange | undefined {
  return metadataRanges(geo).find((range) => block >= range.start && block < range.start + range.count);
}

/**
 * Reads and validates superblock and group descriptors.
 * @param read       copies `length` bytes at byte `offset`; never asked for bytes outside the file
 * @param sizeBytes  length of the file
 * @throws           BadImage
 * @source           fs/ext4/super.c ext4_load_super, __ext4_fill_super, ext4_check_descriptors
 */
export function readGeometry(read: (offset: number, length: number) => Bytes, sizeBytes: number): Geometry {
  if (sizeBytes < SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE) {
    throw new BadImage(
      'file',
      sizeBytes,
      'too short to hold a superblock',
      `${SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE} bytes or more`,
      `${sizeBytes} bytes`,
    );
  }
  const sb = read(SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE);
  checkIdentity(sb);
  const features = featuresOf(sb);
  checkFeatures(features);
  const shape = readShape(sb, features, sizeBytes);
  const table = shape.descBlocks.map((block) => read(block * shape.blockSize, shape.blockSize));
  const gdt = Bytes.concat(table).slice(0, shape.groupCount * shape.descSize);
  return freeze({ ...shape, groups: readGroups(shape, gdt) });
}

type SuperField = keyof typeof superblockLayout.fields;

/** A BadImage about one superblock field. */
function badField(field: SuperField, problem: string, expected?: string, found?: string): BadImage {
  const at = SUPERBLOCK_OFFSET + superblockLayout.fields[field].at;
  return new BadImage(`superblock.${field}`, at, problem, expected, found);
}

function checkIdentity(sb: Bytes): void {
  const magic = superblockLayout.get(sb, 'magic');
  if (magic !== EXT4_MAGIC) throw badField('magic', 'not an ext4 superblock', hex(EXT4_MAGIC), hex(magic, 4));
  if (!hasFeature(featuresOf(sb), 'metadata_csum')) return;
  const type = superblockLayout.get(sb, 'checksumType');
  if (type !== 1) throw badField('checksumType', 'unknown checksum type', '1 (crc32c)', String(type));
  const stored = superblockLayout.get(sb, 'checksum');
  const computed = superblockChecksum(sb);
  if (stored !== computed) throw badField('checksum', 'wrong checksum', hex(computed, 8), hex(stored, 8));
}

function checkFeatures(features: Features): void {
  const unknown = features.incompat & ~SUPPORTED_INCOMPAT;
  if (unknown === 0) return;
  const names = featureNamesOf('incompat', unknown).join(' ');
  const supported = featureNamesOf('incompat', SUPPORTED_INCOMPAT).join(' ');
  throw badField('featureIncompat', `unsupported incompat features: ${names}`, `only ${supported}`, names);
}

function readOnlyReason(features: Features): string | undefined {
  const readable = features.incompat & READABLE_INCOMPAT;
  if (readable !== 0) {
    return `features that are read, not written: ${featureNamesOf('incompat', readable).join(' ')}`;
  }
  const unknown = features.roCompat & ~WRITABLE_RO_COMPAT;
  if (unknown !== 0) {
    return `unsupported ro_compat features: ${featureNamesOf('roCompat', unknown).join(' ')}`;
  }
  if (!hasFeature(features, 'extent')) return 'no extent feature: block maps are read, and do not grow';
  return hasFeature(features, 'fast_commit') ? 'unsupported compat feature: fast_commit' : undefined;
}

/** Everything but the group locations. */
function readShape(sb: Bytes, features: Features, sizeBytes: number): Omit<Geometry, 'groups'> {
  const get = <N extends SuperField>(name: N) => superblockLayout.get(sb, name);
  const num = (name: SuperField) => get(name) as number;
  const require = (ok: boolean, field: SuperField, problem: string, expected: string) => {
    if (!ok) throw badField(field, problem, expected, String(num(field)));
  };

  require(num('logBlockSize') <= 2, 'logBlockSize', 'unsupported block size', '0, 1 or 2 (1k, 2k or 4k)');
  const blockSize = 1024 << num('logBlockSize');
  const bigalloc = hasFeature(features, 'bigalloc');
  if (!bigalloc) {
    require(num('logClusterSize') ===
      num('logBlockSize'), 'logClusterSize', 'cluster size differs from block size without bigalloc', String(
      num('logBlockSize'),
    ));
    require(num('clustersPerGroup') ===
      num('blocksPerGroup'), 'clustersPerGroup', 'differs from blocks per group without bigalloc', String(
      num('blocksPerGroup'),
    ));
  }
  const dynamic = num('revLevel') > 0;
  const inodeSize = dynamic ? num('inodeSize') : GOOD_OLD_INODE_SIZE;
  const power = (n: number) => (n & (n - 1)) === 0;
  require(inodeSize >= GOOD_OLD_INODE_SIZE &&
    inodeSize <= blockSize &&
    power(inodeSize), 'inodeSize', 'unsupported inode size', `a power of two, 128..${blockSize}`);
  const firstIno = dynamic ? num('firstIno') : GOOD_OLD_FIRST_INO;
  require(firstIno >= GOOD_OLD_FIRST_INO, 'firstIno', 'first inode is reserved', '11 or more');
  require(firstIno <= num('inodesCount'), 'firstIno', 'no such inode', `11..${num('inodesCount')}`);

  const blocksCount = blocksCountOf(sb);
  const firstDataBlock = num('firstDataBlock');
  require(firstDataBlock ===
    (blockSize === 1024 && !bigalloc
      ? 1
      : 0), 'firstDataBlock', 'wrong first data block for this block size', blockSize === 1024 && !bigalloc
    ? '1'
    : '0');
  if (blocksCount <= firstDataBlock) {
    throw badField('blocksCountLo', 'no blocks', `more than ${firstDataBlock}`, String(blocksCount));
  }
  if (blocksCount * blockSize > sizeBytes) {
    throw badField(
      'blocksCountLo',
      'the file is truncated',
      `${blocksCount} blocks of ${blockSize} bytes`,
      `${sizeBytes} bytes`,
    );
  }
  const blocksPerGroup = num('blocksPerGroup');
  const clusterRatio = bigalloc ? 2 ** Math.max(0, num('logClusterSize') - num('logBlockSize')) : 1;
  require(blocksPerGroup >= 8 &&
    blocksPerGroup <= blockSize * 8 * clusterRatio &&
    blocksPerGroup % 8 ===
      0, 'blocksPerGroup', 'does not fit a one-block bitmap', `a multiple of 8, 8..${blockSize * 8 * clusterRatio}`);
  const groupCount = Math.ceil((blocksCount - firstDataBlock) / blocksPerGroup);
  const inodesPerGroup = num('inodesPerGroup');
  const inodesPerBlock = blockSize / inodeSize;
  require(inodesPerGroup >= inodesPerBlock &&
    inodesPerGroup <= blockSize * 8 &&
    inodesPerGroup % 8 ===
      0, 'inodesPerGroup', 'does not fit a one-block bitmap', `a multiple of 8, ${inodesPerBlock}..${blockSize * 8}`);
  require(num('inodesCount') ===
    inodesPerGroup * groupCount, 'inodesCount', 'is not inodes per group times groups', String(
    inodesPerGroup * groupCount,
  ));
  const wide = hasFeature(features, '64bit');
  if (wide) {
    const size = num('descSize');
    require(size >= 64 &&
      size <= 1024 &&
      power(size), 'descSize', 'bad descriptor size', 'a power of two, 64..1024');
  }
  const descSize = wide ? num('descSize') : 32;
  const descBlockCount = Math.ceil((groupCount * descSize) / blockSize);
  const metaBg = hasFeature(features, 'meta_bg');
  if (metaBg)
    require(num('firstMetaBg') <=
      descBlockCount, 'firstMetaBg', 'beyond the descriptors', `0..${descBlockCount}`);
  const gdtBlocks = metaBg ? num('firstMetaBg') : descBlockCount;
  const reservedGdtBlocks = num('reservedGdtBlocks');
  require(reservedGdtBlocks <=
    blockSize / 4, 'reservedGdtBlocks', 'more than the resize inode can hold', `0..${blockSize / 4}`);
  const gdtBlock = Math.floor(SUPERBLOCK_OFFSET / blockSize) + 1;
  const gdtEnd = gdtBlock + gdtBlocks;
  if (gdtEnd > blocksCount) {
    throw badField(
      'blocksCountLo',
      'the group descriptors do not fit',
      `${gdtEnd} or more`,
      String(blocksCount),
    );
  }
  const backupGroups = hasFeature(features, 'sparse_super2')
    ? [num('backupBg0'), num('backupBg1')].filter((group) => group > 0)
    : [];
  const descBlocks = Array.from({ length: descBlockCount }, (_, index) => {
    if (index < gdtBlocks) return gdtBlock + index;
    const group = (index * blockSize) / descSize;
    const start = firstDataBlock + group * blocksPerGroup;
    return groupHasSuper({ features, backupGroups }, group) ? start + 1 : start;
  });
  if (descBlocks.at(-1)! >= blocksCount) throw badField('firstMetaBg', 'the group descriptors do not fit');
  const room = inodeSize - GOOD_OLD_INODE_SIZE;
  const extraIsize = (field: 'wantExtraIsize' | 'minExtraIsize') => {
    if (room === 0 || !hasFeature(features, 'extra_isize')) return 0;
    const value = num(field);
    require(value <= room && value % 4 === 0, field, 'does not fit the inode', `a multiple of 4, 0..${room}`);
    return value;
  };
  const minExtraIsize = extraIsize('minExtraIsize');
  const wantExtraIsize = Math.max(
    room === 0 ? 0 : FULL_EXTRA_ISIZE,
    extraIsize('wantExtraIsize'),
    minExtraIsize,
  );
  const hasJournal = hasFeature(features, 'has_journal');
  const journalInum = hasJournal ? num('journalInum') : 0;
  require(journalInum <= num('inodesCount'), 'journalInum', 'no such inode', `0..${num('inodesCount')}`);
  return {
    blockSize,
    inodeSize,
    blocksCount,
    inodesCount: num('inodesCount'),
    firstDataBlock,
    blocksPerGroup,
    inodesPerGroup,
    groupCount,
    descSize,
    gdtBlock,
    gdtBlocks,
    descBlocks,
    reservedGdtBlocks,
    flexSize: flexSizeOf(features, num('logGroupsPerFlex')),
    inodeTableBlocks: Math.ceil((inodesPerGroup * inodeSize) / blockSize),
    features,
    hasJournal,
    extents: hasFeature(features, 'extent'),
    inlineData: hasFeature(features, 'inline_data'),
    filetype: hasFeature(features, 'filetype'),
    dirIndex: hasFeature(features, 'dir_index'),
    largeDir: hasFeature(features, 'large_dir'),
    eaInode: hasFeature(features, 'ea_inode'),
    hugeFile: hasFeature(features, 'huge_file'),
    orphanFileInum: hasFeature(features, 'orphan_file') ? num('orphanFileInum') : 0,
    metadataCsum: hasFeature(features, 'metadata_csum'),
    gdtCsum: hasFeature(features, 'uninit_bg') && !hasFeature(features, 'metadata_csum'),
    csumSeed: checksumSeedOf(sb),
    uuid: get('uuid').toHex(),
    firstIno,
    wantExtraIsize,
    minExtraIsize,
    hashSeed: get('hashSeed').toHex(),
    defHashVersion: num('defHashVersion'),
    hashUnsigned: (num('flags') & FS_FLAGS.UNSIGNED_HASH) !== 0,
    journalInum,
    backupGroups,
    readOnlyReason: readOnlyReason(features),
  };
}

/** @source fs/ext4/super.c ext4_fill_flex_info */
function flexSizeOf(features: Features, log: number): number {
  return hasFeature(features, 'flex_bg') && log >= 1 && log <= 31 ? 2 ** log : 1;
}

/** Bytes of struct ext4_inode past the first 128. The superblock can raise the wish, never lower it. @source fs/ext4/super.c ext4_inode_info_init */
const FULL_EXTRA_ISIZE = 32;

function readGroups(shape: Omit<Geometry, 'groups'>, gdt: Bytes): GroupLocation[] {
  const flexBg = hasFeature(shape.features, 'flex_bg');
  const superBlock = shape.gdtBlock - 1;
  const groups: GroupLocation[] = [];
  for (let group = 0; group < shape.groupCount; group++) {
    const at = group * shape.descSize;
    const bytes = gdt.slice(at, at + shape.descSize);
    const desc = readGroupDesc(bytes);
    const structure = `group descriptor ${group}`;
    const where = groupDescLocation(shape, group);
    const offset = where.block * shape.blockSize + where.offset;
    if (shape.metadataCsum || shape.gdtCsum) {
      const computed = groupDescChecksum(shape, group, bytes);
      if (computed !== desc.checksum) {
        throw new BadImage(
          structure,
          offset + 0x1e,
          'wrong checksum',
          hex(computed, 4),
          hex(desc.checksum, 4),
        );
      }
    }
    const first = flexBg ? shape.firstDataBlock : shape.firstDataBlock + group * shape.blocksPerGroup;
    const last =
      flexBg || group === shape.groupCount - 1 ? shape.blocksCount - 1 : first + shape.blocksPerGroup - 1;
    const place = (name: string, block: number, count: number, fieldAt: number): number => {
      const end = block + count - 1;
      if (block < first || end > last) {
        throw new BadImage(
          structure,
          offset + fieldAt,
          `${name} not in group`,
          `blocks ${first}..${last}`,
          `${block}..${end}`,
        );
      }
      if (block <= superBlock + shape.gdtBlocks) {
        throw new BadImage(
          structure,
          offset + fieldAt,
          `${name} overlaps superblock or group descriptors`,
          `after block ${superBlock + shape.gdtBlocks}`,
          String(block),
        );
      }
      return block;
    };
    groups.push({
      blockBitmap: place('block bitmap', desc.blockBitmap, 1, 0x00),
      inodeBitmap: place('inode bitmap', desc.inodeBitmap, 1, 0x04),
      inodeTable: place('inode table', desc.inodeTable, shape.inodeTableBlocks, 0x08),
    });
  }
  return groups;
}

function freeze(geo: Geometry): Geometry {
  for (const group of geo.groups) Object.freeze(group);
  Object.freeze(geo.groups);
  Object.freeze(geo.features);
  Object.freeze(geo.backupGroups);
  Object.freeze(geo.descBlocks);
  return Object.freeze(geo);
}

function isPowerOf(n: number, root: number): boolean {
  let power = root;
  while (power < n) power *= root;
  return power === n;
}
