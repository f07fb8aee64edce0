/**
 * check: is this volume consistent? Stricter than `e2fsck -fn`, and read only.
 *
 *     superblock → groups → inodes (claim blocks) → directories → tree and links → bitmaps and counts
 *
 * Verified: what the headers of `checkSuper.ts`, `checkInode.ts`, `checkJournal.ts` and `checkDir.ts` say, and here:
 * counts of descriptors and superblock, group flags, bitmaps against actual use, their padding and checksums, reserved
 * inodes, the orphan list.
 *
 * Where e2fsck is silent and this is not: an inline file whose i_size exceeds its inline bytes (note), system.data
 * beyond i_size (note), attribute values that share bytes, a stale copy of the superblock (note).
 *
 * Not verified: the journal's contents (an image that needs recovery is checked as it is, with a note), quota
 * files, htree hashes, clusters of bigalloc, anything in a feature that makes the volume read-only here.
 *
 * A broken volume ends a check early, never breaks it: every loop is bounded by the size of the file.
 */
import { Bytes } from '../bytes/bytes.ts';
import { BadImage, hex } from './badImage.ts';
import { blockBitmapChecksum, countFree, inodeBitmapChecksum, isPadded } from './bitmap.ts';
import { blockPlace, type CheckContext, Claims, inodePlace } from './checkContext.ts';
import { checkDirectories } from './checkDir.ts';
import { checkInodeChecksum, checkUsedInode } from './checkInode.ts';
import { checkJournal } from './checkJournal.ts';
import { checkSuperblock, superPlace } from './checkSuper.ts';
import { checkEaInodes, checkXattrRefcounts } from './checkXattr.ts';
import { type Complaint, Complaints, Enough, type Place } from './complaint.ts';
import {
  BAD_INO,
  blocksInGroup,
  type Geometry,
  groupDescLocation,
  groupFirstBlock,
  groupOfInode,
  ROOT_INO,
} from './geometry.ts';
import { BG_FLAGS, type GroupDesc, storedBitmapCsum } from './groupDesc.ts';
import { Image } from './image.ts';
import { INODE_FLAGS, type RawInode, rawInodeLayout, readRawInode } from './rawInode.ts';
import { type FeatureName, FS_STATE, freeBlocksCountOf, hasFeature, superblockLayout } from './superblock.ts';

export type { Complaint } from './complaint.ts';

/**
 * @param input  a file, which is not changed, or an image
 * @returns      complaints in the order of the passes; empty when the volume is consistent
 */
export function checkImage(input: Uint8Array | Image): Complaint[] {
  const complaints = new Complaints();
  try {
    const image = input instanceof Image ? input : Image.load(input);
    checkVolume(image, complaints);
  } catch (error) {
    if (error instanceof BadImage) {
      complaints.list.push({
        code: 'bad-image',
        severity: 'error',
        structure: error.structure,
        offset: error.offset,
        ...(error.expected === undefined ? {} : { expected: error.expected }),
        ...(error.found === undefined ? {} : { found: error.found }),
        message: error.message,
      });
    } else if (!(error instanceof Enough)) throw error;
  }
  return complaints.list;
}

function checkVolume(image: Image, complaints: Complaints): void {
  const geo = image.geometry;
  checkSuperblock(image, complaints);
  if (hasFeature(geo.features, 'bigalloc')) {
    const place = superPlace('featureRoCompat');
    complaints.note('not-checked', place, 'beyond its superblock a bigalloc volume is not checked');
    return;
  }
  const ctx: CheckContext = {
    image,
    geo,
    complaints,
    claims: new Claims(geo),
    used: new Map(),
    xattrBlocks: new Map(),
    orphans: orphanList(image, complaints),
    unnamed: unnamedInodes(image),
    eaReferences: [],
  };
  claimMmpBlock(ctx);
  for (const { block, what } of ctx.claims.overlaps) {
    complaints.error('metadata-overlap', blockPlace(geo, 'block', block), `${what} overlaps other metadata`);
  }
  for (let group = 0; group < geo.groupCount; group++) scanInodes(ctx, group);
  checkXattrRefcounts(ctx);
  checkEaInodes(ctx);
  checkJournal(ctx);
  checkDirectories(ctx);
  checkGroups(ctx);
}

/** Files that are found through the superblock: journal, quotas, the orphan file. */
function unnamedInodes({ geometry: geo, superblock }: Image): ReadonlySet<number> {
  const sb = superblockLayout.decode(superblock);
  const has = (name: FeatureName) => hasFeature(geo.features, name);
  return new Set([
    ...(geo.hasJournal ? [geo.journalInum] : []),
    ...(has('quota') ? [sb.usrQuotaInum, sb.grpQuotaInum] : []),
    ...(has('quota') && has('project') ? [sb.prjQuotaInum] : []),
    ...(has('orphan_file') ? [sb.orphanFileInum] : []),
  ]);
}

/** Multiple mount protection keeps a block. @source fs/ext4/mmp.c read_mmp_block */
function claimMmpBlock({ image, geo, claims, complaints }: CheckContext): void {
  if (!hasFeature(geo.features, 'mmp')) return;
  const block = superblockLayout.get(image.superblock, 'mmpBlock');
  if (block > geo.firstDataBlock && block < geo.blocksCount) claims.claimMetadata(block, 'MMP block');
  else
    complaints.error('superblock', superPlace('mmpBlock'), 'MMP block outside the volume', undefined, block);
}

/** Follows s_last_orphan through i_dtime. @source fs/ext4/orphan.c ext4_orphan_cleanup */
function orphanList(image: Image, complaints: Complaints): ReadonlySet<number> {
  const geo = image.geometry;
  const orphans = new Set<number>();
  let place = superPlace('lastOrphan');
  let ino = superblockLayout.get(image.superblock, 'lastOrphan');
  while (ino !== 0) {
    if (ino < geo.firstIno || ino > geo.inodesCount) {
      complaints.error(
        'orphan-list',
        place,
        'orphan list leads to no file',
        `${geo.firstIno}..${geo.inodesCount}`,
        ino,
      );
      break;
    }
    if (orphans.has(ino)) {
      complaints.error('orphan-list', place, `orphan list comes back to inode ${ino}`);
      break;
    }
    orphans.add(ino);
    place = inodePlace(geo, ino, AT_DTIME);
    complaints.note('orphan', place, 'on the orphan list, to be finished at the next mount');
    ino = image.inode(ino).dtime;
  }
  return orphans;
}

/** True where descriptors carry flags and the count of unused inodes. */
const hasGroupFlags = (geo: Geometry): boolean => geo.metadataCsum || geo.gdtCsum;

/** Finds and checks the used inodes of a group. @source e2fsprogs e2fsck/pass1.c e2fsck_pass1 */
function scanInodes(ctx: CheckContext, group: number): void {
  const { geo, image } = ctx;
  const desc = image.groupDesc(group);
  if (hasGroupFlags(geo) && desc.flags & BG_FLAGS.INODE_UNINIT) return;
  const first = group * geo.inodesPerGroup + 1;
  const scanned = hasGroupFlags(geo)
    ? Math.max(0, geo.inodesPerGroup - desc.itableUnused)
    : geo.inodesPerGroup;
  const perBlock = geo.blockSize / geo.inodeSize;
  for (let index = 0; index < scanned; index++) {
    if (index % perBlock === 0) {
      const block = image.block(geo.groups[group]!.inodeTable + index / perBlock);
      if (block === Bytes.zero(geo.blockSize) || block.isZero()) {
        index += perBlock - 1;
        continue;
      }
    }
    scanInode(ctx, first + index);
  }
}

function scanInode(ctx: CheckContext, ino: number): void {
  const { geo, image, complaints, orphans } = ctx;
  const raw = image.rawInode(ino);
  if (raw.isZero()) return;
  const inode = readRawInode(geo, raw);
  checkInodeChecksum(ctx, ino, raw, inode);
  const reserved = ino < geo.firstIno && ino !== ROOT_INO;
  const orphan = orphans.has(ino);
  if (inode.linksCount === 0 && !orphan && inode.dtime !== 0 && inode.dtime < geo.inodesCount) {
    const place = inodePlace(geo, ino, AT_DTIME);
    complaints.error(
      'inode-dtime',
      place,
      'the deletion time is a link of an orphan list that is gone',
      0,
      inode.dtime,
    );
  }
  if (inode.linksCount === 0 && !orphan && ino !== BAD_INO) {
    if (inode.mode !== 0 && inode.dtime === 0 && !reserved) {
      complaints.error('inode-dtime', inodePlace(geo, ino, AT_DTIME), 'a deleted inode has no deletion time');
    }
    if (reserved && hasContent(raw)) {
      complaints.error('reserved-inode', inodePlace(geo, ino), 'a reserved inode without links has content');
    }
    return;
  }
  if (ino === BAD_INO) checkBadBlocksInode(ctx, raw, inode);
  if (inode.linksCount > 0 && inode.dtime !== 0 && !orphan) {
    complaints.error(
      'inode-dtime',
      inodePlace(geo, ino, AT_DTIME),
      'a used inode has a deletion time',
      0,
      inode.dtime,
    );
  }
  if (reserved && ino !== BAD_INO) checkReserved(ctx, ino, inode.mode);
  ctx.used.set(ino, checkUsedInode(ctx, ino, raw, inode));
}

/** Byte of i_dtime. */
const AT_DTIME = rawInodeLayout.fields.dtime.at;

/** Anything but times in an inode without links. */
function hasContent(raw: Bytes): boolean {
  const inode = rawInodeLayout.decode(raw);
  const { mode, sizeLo, sizeHigh, blocksLo, blocksHigh, flags, iBlock, fileAclLo } = inode;
  return (mode | sizeLo | sizeHigh | blocksLo | blocksHigh | flags | fileAclLo) !== 0 || !iBlock.isZero();
}

/** The list of bad blocks is a block map without an owner. @source e2fsprogs e2fsck/pass1.c e2fsck_pass1_run (PR_1_INVALID_BAD_INODE) */
function checkBadBlocksInode({ geo, complaints }: CheckContext, raw: Bytes, inode: RawInode): void {
  const { uidLo, gidLo } = rawInodeLayout.decode(raw);
  const inline = inode.flags & INODE_FLAGS.INLINE_DATA;
  if ((inode.mode | uidLo | gidLo | inode.linksCount | inline) === 0 && inode.fileAcl === 0) return;
  complaints.error(
    'reserved-inode',
    inodePlace(geo, BAD_INO),
    'the bad blocks inode has mode, owner, links or attributes',
  );
}

/** Reserved inodes are files without names. */
function checkReserved(ctx: CheckContext, ino: number, mode: number): void {
  if ((mode & 0xf000) === 0x8000) return;
  const place = inodePlace(ctx.geo, ino);
  ctx.complaints.error(
    'reserved-inode',
    place,
    'a reserved inode is not a regular file',
    undefined,
    `0${mode.toString(8)}`,
  );
}

/** Bitmaps, descriptors and the superblock's counts against what is in use. @source e2fsprogs e2fsck/pass5.c */
function checkGroups(ctx: CheckContext): void {
  const { geo, image, complaints } = ctx;
  const usage = inodeUsage(ctx);
  let freeBlocks = 0;
  let freeInodes = 0;
  for (let group = 0; group < geo.groupCount; group++) {
    const desc = image.groupDesc(group);
    freeBlocks += checkBlockBitmap(ctx, group, desc);
    freeInodes += checkInodeBitmap(ctx, group, desc, usage);
  }
  const { superblock } = image;
  const blocks = freeBlocksCountOf(superblock);
  const inodes = superblockLayout.get(superblock, 'freeInodesCount');
  const complain = isMounted(image) ? complaints.note.bind(complaints) : complaints.error.bind(complaints);
  if (blocks !== freeBlocks) {
    complain('free-blocks', superPlace('freeBlocksCountLo'), 'wrong free block count', freeBlocks, blocks);
  }
  if (inodes !== freeInodes) {
    complain('free-inodes', superPlace('freeInodesCount'), 'wrong free inode count', freeInodes, inodes);
  }
}

/** While a volume is mounted the kernel keeps counts in descriptors only. @source fs/ext4/super.c ext4_update_super */
function isMounted(image: Image): boolean {
  const clean = superblockLayout.get(image.superblock, 'state') & FS_STATE.VALID;
  return !clean || hasFeature(image.geometry.features, 'needs_recovery');
}

function descPlace(geo: Geometry, group: number, field: number): Place {
  const at = groupDescLocation(geo, group);
  return { structure: `group descriptor ${group}`, offset: at.block * geo.blockSize + at.offset + field };
}

/** @returns free blocks of the group, by use */
function checkBlockBitmap(ctx: CheckContext, group: number, desc: GroupDesc): number {
  const { geo, image, complaints, claims } = ctx;
  const bits = image.blockBitmap(group);
  const limit = blocksInGroup(geo, group);
  const start = groupFirstBlock(geo, group);
  const nr = geo.groups[group]!.blockBitmap;
  const place = (bit: number) => blockPlace(geo, `block bitmap ${group}, block`, nr, bit >> 3);
  const free = compareBits(bits, limit, claims.bitmap(start, limit), (bit, count, used) => {
    const which = `${range(start + bit, count)} ${used ? 'in use, marked free' : 'not in use, marked used'}`;
    complaints.error('block-bitmap', place(bit), which);
  });
  if (!isPadded(bits, limit)) {
    complaints.error('block-bitmap-padding', place(limit), `bits from ${limit} on are not all set`);
  }
  const uninit = hasGroupFlags(geo) && (desc.flags & BG_FLAGS.BLOCK_UNINIT) !== 0;
  if (uninit && group === geo.groupCount - 1) {
    complaints.error('group-flags', descPlace(geo, group, 0x12), 'BLOCK_UNINIT on the last group');
  }
  if (geo.metadataCsum && !uninit) {
    const expected = storedBitmapCsum('block', geo.descSize, blockBitmapChecksum(geo, bits));
    if (desc.blockBitmapCsum !== expected) {
      const at = descPlace(geo, group, 0x18);
      complaints.error(
        'block-bitmap-checksum',
        at,
        'wrong block bitmap checksum',
        hex(expected),
        hex(desc.blockBitmapCsum),
      );
    }
  }
  if (desc.freeBlocks !== free) {
    complaints.error(
      'free-blocks',
      descPlace(geo, group, 0x0c),
      'wrong free block count',
      free,
      desc.freeBlocks,
    );
  }
  return free;
}

/** @returns free inodes of the group, by use */
function checkInodeBitmap(ctx: CheckContext, group: number, desc: GroupDesc, usage: InodeUsage): number {
  const { geo, image, complaints } = ctx;
  const bits = image.inodeBitmap(group);
  const limit = geo.inodesPerGroup;
  const first = group * limit + 1;
  const nr = geo.groups[group]!.inodeBitmap;
  const place = (bit: number) => blockPlace(geo, `inode bitmap ${group}, block`, nr, bit >> 3);
  const free = compareBits(bits, limit, usage.bits[group]!, (bit, count, used) => {
    const which = `inode ${range(first + bit, count)} ${used ? 'in use, marked free' : 'not in use, marked used'}`;
    complaints.error('inode-bitmap', place(bit), which);
  });
  if (!isPadded(bits, limit)) {
    complaints.error('inode-bitmap-padding', place(limit), `bits from ${limit} on are not all set`);
  }
  const flags = hasGroupFlags(geo) ? desc.flags : 0;
  if (flags !== desc.flags && desc.flags & (BG_FLAGS.INODE_UNINIT | BG_FLAGS.BLOCK_UNINIT)) {
    complaints.error(
      'group-flags',
      descPlace(geo, group, 0x12),
      'UNINIT flags on a volume without descriptor checksums',
    );
  }
  const uninit = (flags & BG_FLAGS.INODE_UNINIT) !== 0;
  if (uninit && group === groupOfInode(geo, ROOT_INO)) {
    complaints.error('group-flags', descPlace(geo, group, 0x12), 'INODE_UNINIT on the group of the root');
  }
  if (geo.metadataCsum && !uninit) {
    const expected = storedBitmapCsum('inode', geo.descSize, inodeBitmapChecksum(geo, bits));
    if (desc.inodeBitmapCsum !== expected) {
      const at = descPlace(geo, group, 0x1a);
      complaints.error(
        'inode-bitmap-checksum',
        at,
        'wrong inode bitmap checksum',
        hex(expected),
        hex(desc.inodeBitmapCsum),
      );
    }
  }
  if (hasGroupFlags(geo) && desc.itableUnused > limit) {
    complaints.error(
      'itable-unused',
      descPlace(geo, group, 0x1c),
      'more unused inodes than inodes',
      limit,
      desc.itableUnused,
    );
  }
  if (desc.freeInodes !== free) {
    complaints.error(
      'free-inodes',
      descPlace(geo, group, 0x0e),
      'wrong free inode count',
      free,
      desc.freeInodes,
    );
  }
  const dirs = usage.dirs[group]!;
  if (desc.usedDirs !== dirs) {
    complaints.error('used-dirs', descPlace(geo, group, 0x10), 'wrong directory count', dirs, desc.usedDirs);
  }
  return free;
}

/** Inodes in use and directories among them, by group. */
interface InodeUsage {
  readonly bits: readonly Uint8Array[];
  readonly dirs: readonly number[];
}

function inodeUsage({ geo, used }: CheckContext): InodeUsage {
  const bits = Array.from({ length: geo.groupCount }, () => new Uint8Array(geo.inodesPerGroup >> 3));
  const dirs = new Array<number>(geo.groupCount).fill(0);
  const mark = (ino: number) => {
    const index = (ino - 1) % geo.inodesPerGroup;
    bits[groupOfInode(geo, ino)]![index >> 3]! |= 1 << (index & 7);
  };
  for (let ino = 1; ino < geo.firstIno; ino++) mark(ino);
  for (const { ino, kind } of used.values()) {
    mark(ino);
    if (kind === 'directory') dirs[groupOfInode(geo, ino)]!++;
  }
  return { bits, dirs };
}

/**
 * Compares the first `limit` bits with actual use and reports runs that differ.
 * @param use  a bitmap of what is in use, nothing set from `limit` on
 * @returns    bits that are free by use
 */
function compareBits(
  bits: Bytes,
  limit: number,
  use: Uint8Array,
  report: (bit: number, count: number, used: boolean) => void,
): number {
  const runs: { bit: number; count: number; used: boolean }[] = [];
  bits.reading((view) => {
    for (let at = 0; at < (limit + 7) >> 3; at++) {
      if (view[at] === use[at]) continue;
      for (let bit = at * 8; bit < Math.min(limit, at * 8 + 8); bit++) {
        const used = (use[at]! & (1 << (bit & 7))) !== 0;
        if (used === ((view[at]! & (1 << (bit & 7))) !== 0)) continue;
        const last = runs.at(-1);
        if (last !== undefined && last.used === used && last.bit + last.count === bit) last.count++;
        else runs.push({ bit, count: 1, used });
      }
    }
  });
  for (const run of runs) report(run.bit, run.count, run.used);
  return countFree(Bytes.adopt(use), limit);
}

function range(first: number, count: number): string {
  return count === 1 ? `${first}` : `${first}..${first + count - 1}`;
}
