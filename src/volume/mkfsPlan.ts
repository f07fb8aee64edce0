/**
 * What mkfs is going to make: options checked, features chosen, sizes reckoned, groups laid out, before a byte is
 * written. Everything as mke2fs (1.47) does it.
 */
import { Bytes } from '../bytes/bytes.ts';
import { GOOD_OLD_FIRST_INO, GOOD_OLD_INODE_SIZE, type GroupLocation, groupHasSuper } from './geometry.ts';
import { MIN_JOURNAL_BLOCKS } from './journalSuper.ts';
import { placeGroups } from './mkfsTables.ts';
import { type Features, featureBit, hasFeature } from './superblock.ts';

/** What mkfs is asked for; what is left out is as mke2fs has it for a volume with inline data. */
export interface MkfsOptions {
  /** 1024, 2048 or 4096; default 4096. */
  readonly blockSize?: number;
  /** A power of two, 128…blockSize; default 256. */
  readonly inodeSize?: number;
  /** Blocks of the volume; default 2048. */
  readonly blocks?: number;
  /** Inodes wanted; rounded up to fill the tables. Default: one per 4096 bytes, fewer on tiny and huge volumes. */
  readonly inodes?: number;
  /** At most 16 bytes. */
  readonly label?: string;
  /** 32 hex digits, dashes allowed. */
  readonly uuid?: string;
  /** 32 hex digits, dashes allowed. */
  readonly hashSeed?: string;
  /** Blocks of the journal, 1024 or more, or 0 for none; default 1024 with has_journal. */
  readonly journalBlocks?: number;
  /** Added to `DEFAULT_FEATURES`; `^name` removes one, `none` removes all before it. Names as mke2fs takes them. */
  readonly features?: readonly string[];
  /** Seconds since 1970, for every time field; default 1600000000. */
  readonly time?: number;
}

/** What a volume has unless told otherwise. inline_data and extra_isize need inodes larger than 128 bytes. */
export const DEFAULT_FEATURES: readonly string[] = [
  'ext_attr',
  'dir_index',
  'filetype',
  'extent',
  'inline_data',
  'sparse_super',
  'large_file',
  'huge_file',
  'dir_nlink',
  'extra_isize',
  'metadata_csum',
];

export const DEFAULT_UUID = '00112233445566778899aabbccddeeff';
export const DEFAULT_HASH_SEED = '00112233445566778899aabbccddee00';
export const DEFAULT_MKFS_TIME = 1600000000;

export interface Plan {
  readonly blockSize: number;
  readonly inodeSize: number;
  readonly blocks: number;
  readonly firstDataBlock: number;
  readonly blocksPerGroup: number;
  readonly groupCount: number;
  readonly inodesPerGroup: number;
  readonly inodeTableBlocks: number;
  readonly descSize: number;
  readonly gdtBlocks: number;
  /** Blocks kept behind each descriptor table (resize_inode). */
  readonly reservedGdtBlocks: number;
  /** 0 without flex_bg. */
  readonly logGroupsPerFlex: number;
  /** sparse_super2: groups with a copy of the superblock, as s_backup_bgs has them. */
  readonly backupGroups: readonly [number, number];
  /** Metadata of each group. */
  readonly groups: readonly GroupLocation[];
  readonly features: Features;
  readonly uuid: Bytes;
  readonly hashSeed: Bytes;
  readonly label: Bytes;
  readonly journalBlocks: number;
  readonly time: number;
}

const MAKEABLE: readonly string[] = [
  ...DEFAULT_FEATURES,
  'has_journal',
  'resize_inode',
  'sparse_super2',
  '64bit',
  'flex_bg',
  'metadata_csum_seed',
  'ea_inode',
  'large_dir',
  'uninit_bg',
  'stable_inodes',
  'verity',
];

/** @throws RangeError naming what cannot be */
export function refuse(problem: string): never {
  throw new RangeError(`mkfs: ${problem}`);
}

/** @source e2fsprogs lib/ext2fs/initialize.c ext2fs_initialize */
export function planVolume(options: MkfsOptions): Plan {
  const { blockSize = 4096, inodeSize = 256, blocks = 2048, time = DEFAULT_MKFS_TIME } = options;
  if (![1024, 2048, 4096].includes(blockSize)) refuse(`blockSize ${blockSize} is not 1024, 2048 or 4096`);
  const power = Number.isInteger(inodeSize) && (inodeSize & (inodeSize - 1)) === 0;
  if (!power || inodeSize < GOOD_OLD_INODE_SIZE || inodeSize > blockSize) {
    refuse(
      `inodeSize ${inodeSize} is not a power of two from ${GOOD_OLD_INODE_SIZE} to blockSize ${blockSize}`,
    );
  }
  if (!Number.isInteger(blocks) || blocks < 1 || blocks >= 2 ** 32)
    refuse(`blocks ${blocks} is not a block count`);
  if (!Number.isInteger(time) || time < 0 || time >= 2 ** 32)
    refuse(`time ${time} is not a 32-bit count of seconds`);
  const features = chooseFeatures(options, inodeSize);
  const journalBlocks = chooseJournal(options, features);

  const firstDataBlock = blockSize === 1024 ? 1 : 0;
  const blocksPerGroup = blockSize * 8;
  const groupCount = Math.ceil((blocks - firstDataBlock) / blocksPerGroup);
  if (groupCount < 1) refuse(`${blocks} blocks hold no group`);
  const wanted = chooseInodes(options, blocks * blockSize, inodeSize);
  const { inodesPerGroup, inodeTableBlocks } = sizeInodeTable(wanted, groupCount, blockSize, inodeSize);
  const descSize = hasFeature(features, '64bit') ? 64 : 32;
  const gdtBlocks = Math.ceil((groupCount * descSize) / blockSize);

  const last = groupCount - 1;
  const reservedGdtBlocks = hasFeature(features, 'resize_inode')
    ? reserveDescriptors(blocks, firstDataBlock, blocksPerGroup, blockSize, descSize, gdtBlocks)
    : 0;
  const backupGroups = hasFeature(features, 'sparse_super2') ? chooseBackups(groupCount) : ([0, 0] as const);
  const lastBlocks = blocks - firstDataBlock - last * blocksPerGroup;
  const hasSuper = groupHasSuper({ features, backupGroups: backupGroups.filter((group) => group > 0) }, last);
  const backup = hasSuper ? 1 + gdtBlocks + reservedGdtBlocks : 0;
  const overhead = 2 + inodeTableBlocks + backup;
  const spare = groupCount === 1 ? 16 : 50;
  if (lastBlocks < overhead + spare) {
    refuse(
      `blocks ${blocks} leaves ${lastBlocks} for group ${last}, which needs ${overhead} for itself and ${spare} to spare`,
    );
  }
  const shape = {
    blockSize,
    inodeSize,
    blocks,
    firstDataBlock,
    blocksPerGroup,
    groupCount,
    inodesPerGroup,
    inodeTableBlocks,
    descSize,
    gdtBlocks,
    reservedGdtBlocks,
    logGroupsPerFlex: hasFeature(features, 'flex_bg') ? LOG_GROUPS_PER_FLEX : 0,
    backupGroups,
    features,
    uuid: hex16('uuid', options.uuid ?? DEFAULT_UUID),
    hashSeed: hex16('hashSeed', options.hashSeed ?? DEFAULT_HASH_SEED),
    label: padded('label', options.label ?? '', 16),
    journalBlocks,
    time,
  };
  return { ...shape, groups: placeGroups(shape) };
}

/** flex_bg_size 16 of mke2fs.conf. */
const LOG_GROUPS_PER_FLEX = 4;

/** Room for the descriptors of a volume 1024 times as large. @source e2fsprogs lib/ext2fs/initialize.c calc_reserved_gdt_blocks */
function reserveDescriptors(
  blocks: number,
  firstDataBlock: number,
  blocksPerGroup: number,
  blockSize: number,
  descSize: number,
  gdtBlocks: number,
): number {
  const most = Math.min(blocks * 1024, 0xffffffff);
  const groups = Math.ceil((most - firstDataBlock) / blocksPerGroup);
  return Math.min(Math.ceil((groups * descSize) / blockSize) - gdtBlocks, blockSize / 4);
}

/** The second and the last group. @source e2fsprogs lib/ext2fs/initialize.c ext2fs_initialize */
function chooseBackups(groupCount: number): readonly [number, number] {
  if (groupCount === 1) return [0, 0];
  return groupCount === 2 ? [0, 1] : [1, groupCount - 1];
}

function chooseFeatures(options: MkfsOptions, inodeSize: number): Features {
  const words = { compat: 0, incompat: 0, roCompat: 0 };
  const set = (name: string, on: boolean) => {
    const where = featureBit(name)!;
    words[where.word] = on ? words[where.word] | where.bit : words[where.word] & ~where.bit;
  };
  const small = inodeSize === GOOD_OLD_INODE_SIZE;
  for (const name of DEFAULT_FEATURES) {
    if (!(small && (name === 'inline_data' || name === 'extra_isize'))) set(name, true);
  }
  for (const item of options.features ?? []) {
    const on = !item.startsWith('^');
    const name = on ? item : item.slice(1);
    if (name === 'none' && on) words.compat = words.incompat = words.roCompat = 0;
    else if (featureBit(name) === undefined) refuse(`there is no feature ${name}`);
    else if (on && !MAKEABLE.includes(name === 'extents' ? 'extent' : name))
      refuse(`cannot make feature ${name}`);
    else set(name, on);
  }
  const has = (name: Parameters<typeof hasFeature>[1]) => hasFeature(words, name);
  if (!has('extent')) refuse('needs feature extent: indirect block maps are not supported');
  if (small && has('inline_data')) refuse('inline_data needs inodes larger than 128 bytes');
  if (small && has('extra_isize')) refuse('extra_isize needs inodes larger than 128 bytes');
  if (has('inline_data') && !has('ext_attr')) refuse('inline_data needs ext_attr');
  if (has('resize_inode') && !(has('sparse_super') || has('sparse_super2')))
    refuse('resize_inode needs sparse_super');
  if (has('metadata_csum') && has('uninit_bg')) set('uninit_bg', false);
  if (has('metadata_csum_seed') && !has('metadata_csum')) refuse('metadata_csum_seed needs metadata_csum');
  if (options.journalBlocks !== undefined && options.journalBlocks > 0) set('has_journal', true);
  return words;
}

function chooseJournal(options: MkfsOptions, features: Features): number {
  const wanted = options.journalBlocks;
  if (!hasFeature(features, 'has_journal')) return 0;
  if (wanted === undefined) return MIN_JOURNAL_BLOCKS;
  if (!Number.isInteger(wanted) || wanted < MIN_JOURNAL_BLOCKS) {
    refuse(`journalBlocks ${wanted} with has_journal: the kernel needs ${MIN_JOURNAL_BLOCKS} or more`);
  }
  return wanted;
}

/**
 * One inode per so many bytes, as mke2fs.conf has it for the types floppy, small and default; with large inodes
 * fewer, so that the tables take an eighth of the volume at most.
 */
function chooseInodes(options: MkfsOptions, sizeBytes: number, inodeSize: number): number {
  const MIB = 2 ** 20;
  const ratio = Math.max(sizeBytes < 3 * MIB ? 8192 : sizeBytes < 512 * MIB ? 4096 : 16384, 8 * inodeSize);
  const wanted = options.inodes ?? Math.floor(sizeBytes / ratio);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted >= 2 ** 32)
    refuse(`inodes ${wanted} is not an inode count`);
  return Math.max(wanted, GOOD_OLD_FIRST_INO + 1);
}

/** Fills the table's last block, then keeps a multiple of 8. */
function sizeInodeTable(
  wanted: number,
  groupCount: number,
  blockSize: number,
  inodeSize: number,
): { inodesPerGroup: number; inodeTableBlocks: number } {
  const blocksFor = (inodes: number) => Math.ceil((inodes * inodeSize) / blockSize);
  const first = Math.ceil(wanted / groupCount);
  if (first > blockSize * 8) refuse(`inodes ${wanted} in ${groupCount} groups do not fit one-block bitmaps`);
  const filled = Math.floor((blocksFor(first) * blockSize) / inodeSize);
  const inodesPerGroup = Math.max(8, filled) & ~7;
  return { inodesPerGroup, inodeTableBlocks: blocksFor(inodesPerGroup) };
}

function hex16(option: string, text: string): Bytes {
  const digits = text.replaceAll('-', '').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(digits)) refuse(`${option} ${JSON.stringify(text)} is not 32 hex digits`);
  return Bytes.fromHex(digits);
}

function padded(option: string, text: string, size: number): Bytes {
  const bytes = Bytes.fromText(text);
  if (bytes.length > size) refuse(`${option} ${JSON.stringify(text)} is longer than ${size} bytes`);
  return Bytes.zero(size).splice(0, bytes);
}
