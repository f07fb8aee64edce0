/**
 * mkfs: a new volume, byte for byte what `mke2fs` (1.47) makes of the same options, apart from the count of kilobytes
 * written (in the superblock and its copies).
 *
 *     group 0    super · descriptors (· kept for descriptors) · bitmaps · inode table · root · lost+found · …
 *     group n    (super · descriptors) · block bitmap · inode bitmap · inode table · …
 *     journal    in the emptiest group around the middle of the volume
 *
 * Inodes: 1 bad blocks (empty), 2 root, 7 resize, 8 journal, 11 lost+found; 3…10 reserved. Where descriptors have
 * checksums, a group without inodes or files is marked UNINIT, and its bitmaps are not written.
 *
 * Deterministic: same options, same bytes. Time, uuid and hash seed are options with fixed defaults.
 * Not made: meta_bg, bigalloc, indirect block maps, quota files, an orphan file, mmp.
 */
import { Bytes } from '../bytes/bytes.ts';
import { countFree, findFree, setBits, withBitmapEnd, withBlockBitmap, withInodeBitmap } from './bitmap.ts';
import { emptyDirBlock, insert as insertDirent, newDirBlock, withDirBlockChecksum } from './dirent.ts';
import { emptyRoot, IBLOCK_SIZE, insert as insertExtent, WRITTEN_MAX_LEN } from './extent.ts';
import {
  BAD_INO,
  baseMetaBlocks,
  blocksInGroup,
  type Geometry,
  GOOD_OLD_FIRST_INO,
  GOOD_OLD_INODE_SIZE,
  groupFirstBlock,
  groupHasSuper,
  groupOfBlock,
  JOURNAL_INO,
  RESIZE_INO,
  ROOT_INO,
  readGeometry,
} from './geometry.ts';
import { BG_FLAGS, putGroupDesc, readGroupDesc, withGroupDescChecksum } from './groupDesc.ts';
import { Image, initialBlockBitmap } from './image.ts';
import { JOURNAL_MAGIC, JOURNAL_SUPERBLOCK_V2, journalSuperblockLayout } from './journalSuper.ts';
import { type MkfsOptions, type Plan, planVolume, refuse } from './mkfsPlan.ts';
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
  FS_FLAGS,
  FS_STATE,
  hasFeature,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockLayout,
  withSuperblockChecksum,
} from './superblock.ts';

export {
  DEFAULT_FEATURES,
  DEFAULT_HASH_SEED,
  DEFAULT_MKFS_TIME,
  DEFAULT_UUID,
  type MkfsOptions,
} from './mkfsPlan.ts';
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
  if (hasFeature(plan.features, 'resize_inode')) fill.resizeInode();
  if (plan.journalBlocks > 0) fill.journal();
  fill.finish();
  return file;
}

/** A made volume, loaded. */
export function mkfsImage(options: MkfsOptions = {}): Image {
  return Image.load(mkfs(options));
}

/** Superblock and descriptors without counts: enough to read a Geometry from. */
function writeSkeleton(file: Uint8Array, plan: Plan): Geometry {
  const large = plan.inodeSize > GOOD_OLD_INODE_SIZE;
  const extra = large ? 32 : 0;
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
    reservedGdtBlocks: plan.reservedGdtBlocks,
    backupBg0: plan.backupGroups[0],
    backupBg1: plan.backupGroups[1],
    logGroupsPerFlex: plan.logGroupsPerFlex,
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
    gdtCsum: hasFeature(plan.features, 'uninit_bg'),
    csumSeed: checksumSeedOf(sb),
    uuid: plan.uuid.toHex(),
  };
  const gdtAt = (plan.firstDataBlock + 1) * plan.blockSize;
  for (let group = 0; group < plan.groupCount; group++) {
    const desc = putGroupDesc(Bytes.zero(plan.descSize), {
      ...plan.groups[group]!,
      flags: BG_FLAGS.INODE_ZEROED,
      itableUnused: rules.metadataCsum || rules.gdtCsum ? plan.inodesPerGroup : 0,
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
    for (const { inodeTable, blockBitmap, inodeBitmap } of geo.groups) {
      this.#mark(blockBitmap, 1);
      this.#mark(inodeBitmap, 1);
      this.#mark(inodeTable, geo.inodeTableBlocks);
    }
  }

  #mark(start: number, count: number): void {
    for (let block = start; block < start + count; block++) {
      const group = groupOfBlock(this.#geo, block);
      const at = block - groupFirstBlock(this.#geo, group);
      this.#blockBits[group] = setBits(this.#blockBits[group]!, at, 1);
    }
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

  /**
   * Inode 7 maps what is kept for descriptors: its double indirect block names those of group 0, each of which names
   * those of the copies.
   * @source e2fsprogs lib/ext2fs/res_gdt.c ext2fs_create_resize_inode
   */
  resizeInode(): void {
    const geo = this.#geo;
    const { blockSize, gdtBlock, gdtBlocks, reservedGdtBlocks, blocksPerGroup, groupCount } = geo;
    const perBlock = blockSize / 4;
    const goal = gdtBlock - 1 + gdtBlocks + reservedGdtBlocks + 2 + geo.inodeTableBlocks;
    const top = this.#allocateFrom(goal);
    const backups: number[] = [];
    for (let group = 1; group < groupCount; group++) if (groupHasSuper(geo, group)) backups.push(group);
    let dind = Bytes.zero(blockSize);
    for (let i = 0; i < reservedGdtBlocks; i++) {
      const kept = gdtBlock + gdtBlocks + i;
      dind = dind.putU32(4 * ((gdtBlocks + i) % perBlock), kept);
      const copies = Bytes.zero(blockSize).edit((target) => {
        const view = new DataView(target.buffer, target.byteOffset);
        for (const [at, group] of backups.entries())
          view.setUint32(4 * at, kept + group * blocksPerGroup, true);
      });
      copies.copyTo(this.#file, kept * blockSize);
    }
    dind.copyTo(this.#file, top * blockSize);
    const size = (perBlock ** 2 + perBlock + 12) * blockSize;
    const blocks = 1 + reservedGdtBlocks * (1 + backups.length);
    const root = Bytes.zero(IBLOCK_SIZE).putU32(4 * 13, top);
    const inode = this.#newInode({ mode: S_IFREG | 0o600, linksCount: 1, size, blocks, root });
    this.#putInode(RESIZE_INO, rawInodeLayout.put(inode, { flags: 0 }));
  }

  /** @source e2fsprogs lib/ext2fs/mkjournal.c ext2fs_add_journal_inode3, get_midpoint_journal_block */
  journal(): void {
    const { blockSize, groupCount, blocksCount, firstDataBlock } = this.#geo;
    const length = this.#plan.journalBlocks;
    const middle = groupOfBlock(this.#geo, Math.floor((blocksCount - firstDataBlock) / 2));
    let group = Math.max(0, middle - 1);
    const flexSize = 2 ** this.#plan.logGroupsPerFlex;
    if (this.#plan.logGroupsPerFlex > 0 && middle > flexSize) {
      group = middle - (middle % flexSize);
      while (group < groupCount && this.#freeIn(group) === 0) group++;
      if (group === groupCount) group = 0;
    }
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
      const at = gdtBlock * blockSize + group * descSize;
      const before = Bytes.adopt(this.#file.slice(at, at + descSize));
      const half = withBlockBitmap(geo, group, before, bits, blocksInGroup(geo, group));
      const full = withInodeBitmap(geo, group, half, inodeBits, group === 0 ? 2 : 0);
      const uninit = this.#uninit(group, used);
      const desc = withUninit(geo, group, full, uninit);
      desc.copyTo(this.#file, at);
      if (!(uninit & BG_FLAGS.BLOCK_UNINIT))
        bits.copyTo(this.#file, geo.groups[group]!.blockBitmap * blockSize);
      if (!(uninit & BG_FLAGS.INODE_UNINIT))
        inodeBits.copyTo(this.#file, geo.groups[group]!.inodeBitmap * blockSize);
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

  /** UNINIT flags of a group. The last one's block bitmap has padding, so it is written. @source e2fsprogs lib/ext2fs/csum.c ext2fs_set_gdt_csum */
  #uninit(group: number, usedInodes: number): number {
    const geo = this.#geo;
    if (!geo.metadataCsum && !geo.gdtCsum) return 0;
    const inodes = usedInodes === 0 ? BG_FLAGS.INODE_UNINIT : 0;
    const isLast = group === geo.groupCount - 1;
    const untouched =
      this.#blockBits[group]!.equals(initialBlockBitmap(geo, group)) && !this.#holdsTables(group);
    return inodes | (untouched && !isLast ? BG_FLAGS.BLOCK_UNINIT : 0);
  }

  /** flex_bg: does the group hold bitmaps or tables, its own or another's? */
  #holdsTables(group: number): boolean {
    if (this.#plan.logGroupsPerFlex === 0) return false;
    const start = groupFirstBlock(this.#geo, group);
    const end = start + blocksInGroup(this.#geo, group);
    return this.#geo.groups.some(
      ({ blockBitmap, inodeBitmap, inodeTable }) =>
        [blockBitmap, inodeBitmap].some((block) => block >= start && block < end) ||
        (inodeTable < end && inodeTable + this.#geo.inodeTableBlocks > start),
    );
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

  /** Takes the first free block from `goal` on. */
  #allocateFrom(goal: number): number {
    for (let group = groupOfBlock(this.#geo, goal); group < this.#geo.groupCount; group++) {
      const start = groupFirstBlock(this.#geo, group);
      const limit = blocksInGroup(this.#geo, group);
      const at = findFree(this.#blockBits[group]!, Math.max(0, goal - start), 1, limit);
      if (at === undefined) continue;
      this.#blockBits[group] = setBits(this.#blockBits[group]!, at, 1);
      return start + at;
    }
    return refuse('no free block');
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

/** The descriptor with UNINIT flags; what is not written has no checksum. */
function withUninit(geo: Geometry, group: number, desc: Bytes, flags: number): Bytes {
  if (flags === 0) return desc;
  const next = putGroupDesc(desc, {
    flags: readGroupDesc(desc).flags | flags,
    ...(flags & BG_FLAGS.BLOCK_UNINIT ? { blockBitmapCsum: 0 } : {}),
    ...(flags & BG_FLAGS.INODE_UNINIT ? { inodeBitmapCsum: 0 } : {}),
  });
  return withGroupDescChecksum(geo, group, next);
}
