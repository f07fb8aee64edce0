/**
 * mkfs: a new volume, byte for byte what `mke2fs` (1.47) makes of the same options without flex_bg and
 * resize_inode, apart from the count of kilobytes written and, on volumes of several groups, UNINIT flags.
 *
 *     group 0    super · descriptors · block bitmap · inode bitmap · inode table · root · lost+found · …
 *     group n    (super · descriptors) · block bitmap · inode bitmap · inode table · …
 *     journal    in the emptiest group around the middle of the volume
 *
 * Inodes: 1 bad blocks (empty), 2 root, 8 journal, 11 lost+found; 3…10 reserved. Every bitmap and inode table is
 * initialised: no group is marked UNINIT, which mke2fs does do for groups without inodes.
 *
 * Deterministic: same options, same bytes. Time, uuid and hash seed are options with fixed defaults.
 * Not made: flex_bg, resize_inode, meta_bg, bigalloc, indirect block maps, quota files.
 */
import { Bytes } from '../bytes/bytes.ts';
import { countFree, findFree, setBits, withBitmapEnd, withBlockBitmap, withInodeBitmap } from './bitmap.ts';
import { emptyDirBlock, insert as insertDirent, newDirBlock, withDirBlockChecksum } from './dirent.ts';
import { emptyRoot, insert as insertExtent, WRITTEN_MAX_LEN } from './extent.ts';
import {
  BAD_INO,
  baseMetaBlocks,
  blocksInGroup,
  type Geometry,
  GOOD_OLD_FIRST_INO,
  GOOD_OLD_INODE_SIZE,
  groupFirstBlock,
  groupHasSuper,
  JOURNAL_INO,
  ROOT_INO,
  readGeometry,
} from './geometry.ts';
import { BG_FLAGS, putGroupDesc, withGroupDescChecksum } from './groupDesc.ts';
import { Image, initialBlockBitmap } from './image.ts';
import {
  JOURNAL_MAGIC,
  JOURNAL_SUPERBLOCK_V2,
  journalSuperblockLayout,
  MIN_JOURNAL_BLOCKS,
} from './journalSuper.ts';
import {
  DIRENT_TYPE,
  INODE_FLAGS,
  inodeChecksumSeed,
  rawInodeExtraLayout,
  rawInodeLayout,
  S_IFDIR,
  S_IFREG,
  withRawInodeChecksum,
} from './rawInode.ts';
import {
  checksumSeedOf,
  EXT4_MAGIC,
  type Features,
  FS_FLAGS,
  FS_STATE,
  featureBit,
  hasFeature,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockLayout,
  withSuperblockChecksum,
} from './superblock.ts';

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
/**
 * Makes a volume.
 * @returns  the whole file, `blocks * blockSize` bytes
 * @throws   RangeError naming the option that cannot be
 */
export function mkfs(options: MkfsOptions = {}): Uint8Array {
  const plan = planVolume(options);
  const file = new Uint8Array(plan.blocks * plan.blockSize);
  const geo = writeSkeleton(file, plan);
  const fill = new Filling(file, geo, plan);
  fill.reservedInodes();
  fill.rootAndLostFound();
  if (plan.journalBlocks > 0) fill.journal();
  fill.finish();
  return file;
}

/** A made volume, loaded. */
export function mkfsImage(options: MkfsOptions = {}): Image {
  return Image.load(mkfs(options));
}

interface Plan {
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
  '64bit',
  'metadata_csum_seed',
  'large_dir',
  'stable_inodes',
  'verity',
];

function refuse(problem: string): never {
  throw new RangeError(`mkfs: ${problem}`);
}

/** @source e2fsprogs lib/ext2fs/initialize.c ext2fs_initialize */
function planVolume(options: MkfsOptions): Plan {
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
  const lastBlocks = blocks - firstDataBlock - last * blocksPerGroup;
  const backup = groupHasSuper({ features, backupGroups: [] }, last) ? 1 + gdtBlocks : 0;
  const overhead = 2 + inodeTableBlocks + backup;
  const spare = groupCount === 1 ? 16 : 50;
  if (lastBlocks < overhead + spare) {
    refuse(
      `blocks ${blocks} leaves ${lastBlocks} for group ${last}, which needs ${overhead} for itself and ${spare} to spare`,
    );
  }
  return {
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
    features,
    uuid: hex16('uuid', options.uuid ?? DEFAULT_UUID),
    hashSeed: hex16('hashSeed', options.hashSeed ?? DEFAULT_HASH_SEED),
    label: padded('label', options.label ?? '', 16),
    journalBlocks,
    time,
  };
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

/** Superblock and descriptors without counts: enough to read a Geometry from. */
function writeSkeleton(file: Uint8Array, plan: Plan): Geometry {
  const large = plan.inodeSize > GOOD_OLD_INODE_SIZE;
  const extra = large && hasFeature(plan.features, 'extra_isize') ? 32 : 0;
  let sb = superblockLayout.put(Bytes.zero(SUPERBLOCK_SIZE), {
    inodesCount: plan.inodesPerGroup * plan.groupCount,
    blocksCountLo: plan.blocks,
    rBlocksCountLo: Math.floor(plan.blocks * 0.05),
    firstDataBlock: plan.firstDataBlock,
    logBlockSize: Math.log2(plan.blockSize / 1024),
    logClusterSize: Math.log2(plan.blockSize / 1024),
    blocksPerGroup: plan.blocksPerGroup,
    clustersPerGroup: plan.blocksPerGroup,
    inodesPerGroup: plan.inodesPerGroup,
    wtime: plan.time,
    maxMntCount: 0xffff,
    magic: EXT4_MAGIC,
    state: FS_STATE.VALID,
    errors: 1,
    lastcheck: plan.time,
    revLevel: 1,
    firstIno: GOOD_OLD_FIRST_INO,
    inodeSize: plan.inodeSize,
    featureCompat: plan.features.compat,
    featureIncompat: plan.features.incompat,
    featureRoCompat: plan.features.roCompat,
    uuid: plan.uuid,
    volumeName: plan.label,
    journalInum: plan.journalBlocks > 0 ? JOURNAL_INO : 0,
    hashSeed: plan.hashSeed,
    defHashVersion: 1,
    descSize: plan.descSize > 32 ? plan.descSize : 0,
    defaultMountOpts: 0x000c,
    mkfsTime: plan.time,
    minExtraIsize: extra,
    wantExtraIsize: extra,
    flags: FS_FLAGS.SIGNED_HASH,
    checksumType: hasFeature(plan.features, 'metadata_csum') ? 1 : 0,
  });
  if (hasFeature(plan.features, 'metadata_csum_seed')) {
    const seed = checksumSeedOf(superblockLayout.put(sb, { featureIncompat: 0 }));
    sb = superblockLayout.put(sb, { checksumSeed: seed });
  }
  withSuperblockChecksum(sb).copyTo(file, SUPERBLOCK_OFFSET);

  const rules = {
    metadataCsum: hasFeature(plan.features, 'metadata_csum'),
    gdtCsum: false,
    csumSeed: checksumSeedOf(sb),
    uuid: plan.uuid.toHex(),
  };
  const gdtAt = (plan.firstDataBlock + 1) * plan.blockSize;
  for (let group = 0; group < plan.groupCount; group++) {
    const backup = groupHasSuper({ features: plan.features, backupGroups: [] }, group)
      ? 1 + plan.gdtBlocks
      : 0;
    const start = plan.firstDataBlock + group * plan.blocksPerGroup + backup;
    const desc = putGroupDesc(Bytes.zero(plan.descSize), {
      blockBitmap: start,
      inodeBitmap: start + 1,
      inodeTable: start + 2,
      flags: BG_FLAGS.INODE_ZEROED,
      itableUnused: rules.metadataCsum ? plan.inodesPerGroup : 0,
    });
    withGroupDescChecksum(rules, group, desc).copyTo(file, gdtAt + group * plan.descSize);
  }
  return readGeometry((offset, length) => Bytes.adopt(file.slice(offset, offset + length)), file.length);
}

/** Byte of rec_len in the `..` record of a directory's first block. */
const DOTDOT_REC_LEN = 12 + 4;

/** The volume while it is being filled. */
class Filling {
  readonly #file: Uint8Array;
  readonly #geo: Geometry;
  readonly #plan: Plan;
  readonly #blockBits: Bytes[] = [];
  #journalRoot: Bytes | undefined;

  constructor(file: Uint8Array, geo: Geometry, plan: Plan) {
    this.#file = file;
    this.#geo = geo;
    this.#plan = plan;
    for (let group = 0; group < geo.groupCount; group++) this.#blockBits.push(initialBlockBitmap(geo, group));
  }

  /** Inodes below the first free one exist, empty, with checksums; the bad blocks inode also has times. */
  reservedInodes(): void {
    for (let ino = 1; ino < this.#geo.firstIno; ino++) {
      const times = ino === BAD_INO ? this.#times() : {};
      this.#putInode(ino, rawInodeLayout.put(Bytes.zero(this.#geo.inodeSize), times));
    }
  }

  /**
   * Root has one block. lost+found grows until it has 16 KiB, or 11 times; with inline_data it starts inline, so
   * that the first growth only moves it out of its inode.
   * @source e2fsprogs misc/mke2fs.c create_root_dir, create_lost_and_found
   */
  rootAndLostFound(): void {
    const { blockSize, metadataCsum: hasTail, filetype, inlineData } = this.#geo;
    const shape = { blockSize, hasTail, filetype };
    const lostFound = this.#geo.firstIno;

    const rootBlock = this.#allocate(0, 1);
    const bare = newDirBlock(ROOT_INO, ROOT_INO, shape);
    const root = insertDirent(bare, lostFound, 'lost+found', filetype ? DIRENT_TYPE.directory : 0, {
      hasTail,
    });
    if (!(root instanceof Bytes)) throw new Error('lost+found does not fit the root directory');
    this.#putDirBlock(ROOT_INO, rootBlock, root);
    this.#putDir(ROOT_INO, 0o755, 3, rootBlock, 1, false);

    let grown = 0;
    while (grown < 11 && (grown + 1) * blockSize < 16384) grown++;
    const count = inlineData ? grown : grown + 1;
    const first = this.#allocate(0, count);
    const home = newDirBlock(lostFound, ROOT_INO, shape);
    const split = home.putU16(DOTDOT_REC_LEN, 12).putU16(24 + 4, home.u16(DOTDOT_REC_LEN) - 12);
    this.#putDirBlock(lostFound, first, inlineData ? split : home);
    for (let i = 1; i < count; i++) {
      this.#putDirBlock(lostFound, first + i, emptyDirBlock({ blockSize, hasTail }));
    }
    this.#putDir(lostFound, 0o700, 2, first, count, inlineData);
  }

  /** @source e2fsprogs lib/ext2fs/mkjournal.c ext2fs_add_journal_inode3, get_midpoint_journal_block */
  journal(): void {
    const { blockSize, groupCount, blocksCount, firstDataBlock, blocksPerGroup } = this.#geo;
    const length = this.#plan.journalBlocks;
    const middle = Math.floor((blocksCount - firstDataBlock) / 2 / blocksPerGroup);
    let group = Math.max(0, middle - 1);
    for (let i = group + 1; i <= Math.min(middle + 1, groupCount - 1); i++) {
      if (this.#freeIn(i) > this.#freeIn(group)) group = i;
    }
    let root = emptyRoot();
    for (let done = 0; done < length; ) {
      const run = this.#freeRun(group, Math.min(length - done, WRITTEN_MAX_LEN));
      if (run === undefined) {
        group++;
        if (group >= groupCount) refuse(`journalBlocks ${length} does not fit the volume`);
        continue;
      }
      const next = insertExtent(root, done, run.block, run.length, false);
      if (next === 'full') return refuse(`journalBlocks ${length} needs more than four extents`);
      root = next;
      done += run.length;
    }
    const first = root.u32(12 + 8);
    journalSuperblockLayout.write(
      this.#file,
      {
        magic: JOURNAL_MAGIC,
        blocktype: JOURNAL_SUPERBLOCK_V2,
        blocksize: blockSize,
        maxlen: length,
        first: 1,
        sequence: 1,
        uuid: this.#plan.uuid,
        nrUsers: 1,
      },
      first * blockSize,
    );
    this.#journalRoot = root;
    this.#putInode(
      JOURNAL_INO,
      this.#newInode({
        mode: S_IFREG | 0o600,
        linksCount: 1,
        size: length * blockSize,
        blocks: length,
        root,
      }),
    );
  }

  /** Bitmaps, descriptors, superblock and their copies. */
  finish(): void {
    const { blockSize, groupCount, descSize, gdtBlock, gdtBlocks } = this.#geo;
    const geo = this.#geo;
    let freeBlocks = 0;
    for (let group = 0; group < groupCount; group++) {
      const bits = this.#blockBits[group]!;
      const used = group === 0 ? geo.firstIno : 0;
      const inodeBits = withBitmapEnd(setBits(Bytes.zero(blockSize), 0, used), geo.inodesPerGroup);
      bits.copyTo(this.#file, geo.groups[group]!.blockBitmap * blockSize);
      inodeBits.copyTo(this.#file, geo.groups[group]!.inodeBitmap * blockSize);
      const at = gdtBlock * blockSize + group * descSize;
      const before = Bytes.adopt(this.#file.slice(at, at + descSize));
      const half = withBlockBitmap(geo, group, before, bits, blocksInGroup(geo, group));
      withInodeBitmap(geo, group, half, inodeBits, group === 0 ? 2 : 0).copyTo(this.#file, at);
      freeBlocks += this.#freeIn(group);
    }
    const sbBytes = this.#file.slice(SUPERBLOCK_OFFSET, SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE);
    const sb = superblockLayout.put(Bytes.adopt(sbBytes), {
      freeBlocksCountLo: freeBlocks,
      freeInodesCount: geo.inodesCount - geo.firstIno,
      overheadClusters: this.#overhead(),
      ...(this.#journalRoot === undefined ? {} : { jnlBackupType: 1, jnlBlocks: this.#journalBackup() }),
    });
    withSuperblockChecksum(sb).copyTo(this.#file, SUPERBLOCK_OFFSET);
    const gdt = this.#file.slice(gdtBlock * blockSize, (gdtBlock + gdtBlocks) * blockSize);
    for (let group = 1; group < groupCount; group++) {
      if (!groupHasSuper(geo, group)) continue;
      const at = groupFirstBlock(geo, group) * blockSize;
      withSuperblockChecksum(superblockLayout.put(sb, { blockGroupNr: group, state: 0 })).copyTo(
        this.#file,
        at,
      );
      this.#file.set(gdt, at + blockSize);
    }
  }

  /** Blocks that never hold files. @source e2fsprogs lib/ext2fs/initialize.c (s_overhead_clusters) */
  #overhead(): number {
    let blocks = this.#geo.firstDataBlock + this.#plan.journalBlocks;
    for (let group = 0; group < this.#geo.groupCount; group++) {
      blocks += baseMetaBlocks(this.#geo, group) + 2 + this.#geo.inodeTableBlocks;
    }
    return blocks;
  }

  /** i_block, size high, size low of the journal inode. */
  #journalBackup(): Bytes {
    const size = this.#plan.journalBlocks * this.#geo.blockSize;
    const at60 = Bytes.zero(68).splice(0, this.#journalRoot!);
    return at60.putU32(60, Math.floor(size / 2 ** 32)).putU32(64, size);
  }

  #freeIn(group: number): number {
    return countFree(this.#blockBits[group]!, blocksInGroup(this.#geo, group));
  }

  /** Takes `count` free blocks in a row, first fit from the group's start. */
  #allocate(group: number, count: number): number {
    const limit = blocksInGroup(this.#geo, group);
    const at = findFree(this.#blockBits[group]!, 0, count, limit);
    if (at === undefined) refuse(`no ${count} free blocks in group ${group}`);
    this.#blockBits[group] = setBits(this.#blockBits[group]!, at!, count);
    return groupFirstBlock(this.#geo, group) + at!;
  }

  /** Takes the first free run of a group, at most `most` blocks of it. */
  #freeRun(group: number, most: number): { block: number; length: number } | undefined {
    const limit = blocksInGroup(this.#geo, group);
    const bits = this.#blockBits[group]!;
    const at = findFree(bits, 0, 1, limit);
    if (at === undefined) return undefined;
    let length = 1;
    while (
      length < most &&
      at + length < limit &&
      findFree(bits, at + length, 1, at + length + 1) !== undefined
    ) {
      length++;
    }
    this.#blockBits[group] = setBits(bits, at, length);
    return { block: groupFirstBlock(this.#geo, group) + at, length };
  }

  #times(): { atime: number; ctime: number; mtime: number } {
    return { atime: this.#plan.time, ctime: this.#plan.time, mtime: this.#plan.time };
  }

  #newInode(spec: { mode: number; linksCount: number; size: number; blocks: number; root: Bytes }): Bytes {
    const base = rawInodeLayout.put(Bytes.zero(this.#geo.inodeSize), {
      mode: spec.mode,
      linksCount: spec.linksCount,
      sizeLo: spec.size,
      sizeHigh: Math.floor(spec.size / 2 ** 32),
      blocksLo: (spec.blocks * this.#geo.blockSize) / 512,
      flags: INODE_FLAGS.EXTENTS,
      iBlock: spec.root,
      ...this.#times(),
    });
    if (this.#geo.inodeSize === GOOD_OLD_INODE_SIZE) return base;
    return rawInodeExtraLayout.put(base, { extraIsize: 32, crtime: this.#plan.time });
  }

  /** @param emptyXattrs  leave an empty in-inode xattr header, as mke2fs does for a directory it once made inline */
  #putDir(
    ino: number,
    perms: number,
    links: number,
    block: number,
    count: number,
    emptyXattrs: boolean,
  ): void {
    const root = insertExtent(emptyRoot(), 0, block, count, false);
    if (root === 'full') throw new Error('an empty extent root is full');
    const size = count * this.#geo.blockSize;
    const inode = this.#newInode({ mode: S_IFDIR | perms, linksCount: links, size, blocks: count, root });
    const at = rawInodeExtraLayout.size;
    this.#putInode(ino, emptyXattrs ? inode.putU32(at, 0xea020000) : inode);
  }

  #putDirBlock(ino: number, nr: number, block: Bytes): void {
    const seed = inodeChecksumSeed(this.#geo.csumSeed, ino, 0);
    const sealed = this.#geo.metadataCsum ? withDirBlockChecksum(seed, block) : block;
    sealed.copyTo(this.#file, nr * this.#geo.blockSize);
  }

  #putInode(ino: number, bytes: Bytes): void {
    const at = this.#geo.groups[0]!.inodeTable * this.#geo.blockSize + (ino - 1) * this.#geo.inodeSize;
    withRawInodeChecksum(this.#geo, ino, bytes).copyTo(this.#file, at);
  }
}
