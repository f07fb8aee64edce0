/**
 * One used inode: flags, sizes, attributes, block map.
 *
 * Verified: checksum; mode; flags against features and against each other; i_extra_isize; attributes in the inode
 * and in an external block; extent tree or block map, every block inside the volume, owned once and no metadata;
 * i_blocks; i_size against blocks or inline bytes; symlink targets.
 * Not verified: times, owner, project, ACL contents, quota, the order of blocks on disk.
 */
import { Bytes } from '../bytes/bytes.ts';
import { hex } from './badImage.ts';
import {
  blockPlace,
  type CheckContext,
  complainOfOwner,
  inodePlace,
  type UsedInode,
} from './checkContext.ts';
import { checkXattrBlock, noteEaReferences } from './checkXattr.ts';
import type { Place } from './complaint.ts';
import { extentHeaderLayout, extentLayout, type TreeWalk } from './extent.ts';
import { fileMap, isFastSymlink, systemData } from './file.ts';
import { BAD_INO, GOOD_OLD_INODE_SIZE, metadataRanges, RESIZE_INO } from './geometry.ts';
import {
  type FileKind,
  fileKind,
  INODE_FLAGS,
  type RawInode,
  rawInodeChecksum,
  rawInodeLayout,
} from './rawInode.ts';
import { ibodyOf } from './rawXattr.ts';
import { hasFeature } from './superblock.ts';

/** Bytes of i_block; bytes an inline inode holds before it needs system.data. */
const IBLOCK = 60;

/** Byte offsets in struct ext4_inode that complaints point at. */
const AT = {
  mode: 0x00,
  size: 0x04,
  dtime: 0x14,
  links: 0x1a,
  blocks: 0x1c,
  flags: 0x20,
  iBlock: 0x28,
  fileAcl: 0x68,
  checksum: 0x7c,
  extraIsize: 0x80,
} as const;

/** More flags than the volume itself needs. @source fs/ext4/ext4.h EXT4_ENCRYPT_FL */
const ENCRYPT_FL = 0x0000_0800;
const IMAGIC_FL = 0x0000_2000;
const CASEFOLD_FL = 0x4000_0000;

/** A checksum that does not fit the bytes. All-zero inodes never had one. @source fs/ext4/inode.c ext4_inode_csum_verify */
export function checkInodeChecksum(ctx: CheckContext, ino: number, raw: Bytes, inode: RawInode): void {
  if (!ctx.geo.metadataCsum || raw.isZero()) return;
  const stored = inode.checksum;
  const computed = rawInodeChecksum(ctx.geo, ino, raw);
  if (stored === computed) return;
  ctx.complaints.error(
    'inode-checksum',
    inodePlace(ctx.geo, ino, AT.checksum),
    'wrong checksum',
    hex(computed),
    hex(stored),
  );
}

/** Checks one inode that is in use, and claims its blocks. */
export function checkUsedInode(ctx: CheckContext, ino: number, raw: Bytes, inode: RawInode): UsedInode {
  const { geo, complaints } = ctx;
  const kind = fileKind(inode.mode);
  const at = (field: number) => inodePlace(geo, ino, field);
  const error = complaints.error.bind(complaints);

  if (kind === undefined && ino !== BAD_INO) {
    error('inode-mode', at(AT.mode), 'mode names no kind of file', undefined, `0${inode.mode.toString(8)}`);
  }
  checkFlags(ctx, ino, inode, kind);
  checkExtraIsize(ctx, ino, inode, raw);
  checkUnusedFields(ctx, ino, raw, kind);
  const body = ibodyOf(raw, inode.extraIsize, geo.eaInode);
  for (const problem of body.problems) {
    error('ibody-xattr', at(problem.offset), problem.problem, problem.expected, problem.found);
  }
  noteEaReferences(ctx, body.entries, at);

  const flaggedInline = (inode.flags & INODE_FLAGS.INLINE_DATA) !== 0;
  const both = flaggedInline && (inode.flags & INODE_FLAGS.EXTENTS) !== 0;
  const inline = flaggedInline && !both ? inlineContent(ctx, ino, inode, raw, kind) : undefined;
  const mapped = !flaggedInline && (kind === undefined ? ino === BAD_INO : MAPPED.has(kind));
  const map = mapped
    ? fileMap(ctx.image, ino, inode, (nr) => !ctx.claims.isUsed(nr) || ino === RESIZE_INO)
    : NO_MAP;
  for (const problem of map.problems) {
    const place =
      problem.block === 0
        ? at(AT.iBlock + problem.offset)
        : blockPlace(geo, 'tree block', problem.block, problem.offset, ino);
    error('extent', place, problem.problem, problem.expected, problem.found);
  }
  if (mapped && inode.flags & INODE_FLAGS.EXTENTS) checkCapacities(ctx, ino, inode, map);
  if (ino === RESIZE_INO && hasFeature(geo.features, 'resize_inode')) checkResizeInode(ctx, map);
  const owned = claimBlocks(ctx, ino, map);
  const xattrBlocks = checkXattrBlock(ctx, ino, inode);
  if (!both && ino !== BAD_INO) checkBlocks(ctx, ino, inode, owned + xattrBlocks);

  if (kind === 'symlink') checkSymlink(ctx, ino, inode, inline, map);
  else if (kind === 'directory') checkDirSize(ctx, ino, inode, inline, map);
  else if (kind === 'file') checkFileSize(ctx, ino, inode, inline, map);
  else if (kind !== undefined && inode.size !== 0) {
    error('i-size', at(AT.size), `a ${kind} has no size`, 0, inode.size);
  }
  return {
    ino,
    inode,
    kind,
    inline,
    map,
    names: 0,
    subdirs: 0,
    parent: undefined,
    dotDot: undefined,
    children: [],
  };
}

/** A node that has less room than its block; two entries may be kept back. @source e2fsprogs lib/ext2fs/extent.c ext2fs_extent_header_verify */
function checkCapacities(ctx: CheckContext, ino: number, inode: RawInode, map: TreeWalk): void {
  const { geo, image, complaints } = ctx;
  const check = (node: Bytes, place: Place) => {
    const max = extentHeaderLayout.get(node, 'max');
    const room = Math.floor(node.length / extentLayout.size) - 1;
    if (max < room - 2) complaints.error('extent', place, 'eh_max is too small', `${room - 2}..${room}`, max);
  };
  const { at } = extentHeaderLayout.fields.max;
  check(inode.iBlock, inodePlace(geo, ino, AT.iBlock + at));
  for (const nr of map.treeBlocks) check(image.block(nr), blockPlace(geo, 'tree block', nr, at, ino));
}

/** It maps what is kept for descriptors, in every group that has a copy, and nothing else. @source e2fsprogs e2fsck/super.c check_resize_inode */
function checkResizeInode(ctx: CheckContext, map: TreeWalk): void {
  const { geo, claims, complaints } = ctx;
  const place = inodePlace(geo, RESIZE_INO, AT.iBlock);
  const [top, ...rest] = map.treeBlocks;
  let kept = 0;
  for (const { what, count } of metadataRanges(geo)) if (what === 'reserved descriptors') kept += count;
  let found = 0;
  const look = (block: number) => {
    found++;
    if (!claims.isReserved(block))
      complaints.error('resize-inode', place, `block ${block} is not kept for descriptors`);
  };
  for (const nr of rest) look(nr);
  for (const { pblk, length } of map.extents) {
    for (let block = pblk; block < pblk + length && found <= kept; block++) look(block);
  }
  if (found !== kept)
    complaints.error('resize-inode', place, 'maps another number of blocks than are kept', kept, found);
  if (top === undefined && kept > 0) complaints.error('resize-inode', place, 'has no double indirect block');
}

const NO_MAP: TreeWalk = { extents: [], treeBlocks: [], problems: [] };
const MAPPED: ReadonlySet<FileKind> = new Set<FileKind>(['file', 'directory', 'symlink']);

/** @source fs/ext4/inode.c __ext4_iget; e2fsprogs e2fsck/pass1.c e2fsck_pass1_run */
function checkFlags(ctx: CheckContext, ino: number, inode: RawInode, kind: FileKind | undefined): void {
  const { geo, complaints } = ctx;
  const place = inodePlace(geo, ino, AT.flags);
  const set = (flag: number) => (inode.flags & flag) !== 0;
  const wrong = (problem: string) =>
    complaints.error('inode-flags', place, problem, undefined, hex(inode.flags, 8));
  const inline = set(INODE_FLAGS.INLINE_DATA);
  const extents = set(INODE_FLAGS.EXTENTS);

  if (inline && extents) {
    complaints.error(
      'inline-and-extents',
      place,
      'INLINE_DATA together with EXTENTS',
      undefined,
      hex(inode.flags, 8),
    );
  }
  if (inline && !geo.inlineData) {
    complaints.error('inline-without-feature', place, 'INLINE_DATA on a volume without inline_data');
  }
  if (extents && !geo.extents) wrong('EXTENTS on a volume without extent');
  if ((inline || extents) && kind !== undefined && !MAPPED.has(kind))
    wrong(`a ${kind} with EXTENTS or INLINE_DATA`);
  if (set(INODE_FLAGS.INDEX) && kind !== 'directory') wrong('INDEX on something that is no directory');
  if (set(INODE_FLAGS.INDEX) && !geo.dirIndex) wrong('INDEX on a volume without dir_index');
  if (set(INODE_FLAGS.INDEX) && inline) wrong('INDEX together with INLINE_DATA');
  if (set(INODE_FLAGS.EA_INODE) && !geo.eaInode) wrong('EA_INODE on a volume without ea_inode');
  if (set(INODE_FLAGS.EA_INODE) && kind !== 'file') wrong('EA_INODE on something that is no file');
  if (set(ENCRYPT_FL) && !hasFeature(geo.features, 'encrypt')) wrong('ENCRYPT on a volume without encrypt');
  if (set(CASEFOLD_FL) && !hasFeature(geo.features, 'casefold'))
    wrong('CASEFOLD on a volume without casefold');
  if (set(CASEFOLD_FL) && kind !== 'directory') wrong('CASEFOLD on something that is no directory');
  if (set(INODE_FLAGS.HUGE_FILE) && !geo.hugeFile) wrong('HUGE_FILE on a volume without huge_file');
  if (set(INODE_FLAGS.VERITY) && !hasFeature(geo.features, 'verity'))
    wrong('VERITY on a volume without verity');
  if (set(IMAGIC_FL) && !hasFeature(geo.features, 'imagic_inodes'))
    wrong('IMAGIC on a volume without imagic_inodes');
}

/** @source fs/ext4/inode.c __ext4_iget; e2fsprogs e2fsck/pass1.c check_inode_extra_space */
function checkExtraIsize(ctx: CheckContext, ino: number, inode: RawInode, raw: Bytes): void {
  if (raw.length === GOOD_OLD_INODE_SIZE) return;
  const room = raw.length - GOOD_OLD_INODE_SIZE;
  const { extraIsize } = inode;
  if (extraIsize % 4 === 0 && extraIsize <= room) return;
  const place = inodePlace(ctx.geo, ino, AT.extraIsize);
  ctx.complaints.error(
    'extra-isize',
    place,
    'i_extra_isize does not fit',
    `a multiple of 4, 0..${room}`,
    extraIsize,
  );
}

/** Fields that this volume, or this kind of file, does not use. @source e2fsprogs e2fsck/pass4.c, pass1.c */
function checkUnusedFields(ctx: CheckContext, ino: number, raw: Bytes, kind: FileKind | undefined): void {
  const { geo, complaints } = ctx;
  const field = (name: 'obsoFaddr' | 'fileAclHigh' | 'sizeHigh' | 'blocksHigh') => {
    const value = rawInodeLayout.get(raw, name);
    const place = inodePlace(geo, ino, rawInodeLayout.fields[name].at);
    if (value !== 0) complaints.error('unused-field', place, `${name} is not zero`, 0, value);
  };
  if (ino === BAD_INO) return;
  field('obsoFaddr');
  if (geo.descSize < 64) field('fileAclHigh');
  if (!geo.hugeFile) field('blocksHigh');
  if (kind !== 'file') field('sizeHigh');
}

/** The bytes an inline inode holds; undefined, with a complaint, when there is no system.data. */
function inlineContent(
  ctx: CheckContext,
  ino: number,
  inode: RawInode,
  raw: Bytes,
  kind: FileKind | undefined,
): Bytes | undefined {
  if (kind !== undefined && !MAPPED.has(kind)) return undefined;
  const data = systemData(raw, inode);
  if (data !== undefined) return Bytes.concat([inode.iBlock, data.value]);
  const place = inodePlace(ctx.geo, ino, AT.flags);
  ctx.complaints.error('inline-no-data', place, 'INLINE_DATA without a readable system.data attribute');
  return undefined;
}

/** @returns blocks the inode owns, its tree blocks included */
function claimBlocks(ctx: CheckContext, ino: number, map: TreeWalk): number {
  const { geo, claims } = ctx;
  let owned = 0;
  let conflicts = 0;
  const take = (block: number) => {
    owned++;
    const owner = claims.claim(block, ino);
    if (owner === undefined || ++conflicts > MAX_CONFLICTS) return;
    complainOfOwner(ctx, inodePlace(geo, ino, AT.iBlock), block, owner);
  };
  for (const block of map.treeBlocks) take(block);
  for (const e of map.extents) {
    if (owned > geo.blocksCount) {
      const place = inodePlace(geo, ino, AT.iBlock);
      ctx.complaints.error(
        'extent',
        place,
        'maps more blocks than the volume has',
        `${geo.blocksCount} at most`,
      );
      break;
    }
    const end = Math.min(e.pblk + e.length, geo.blocksCount);
    for (let block = e.pblk; block < end; block++) take(block);
  }
  return owned;
}

/** Conflicting blocks named one by one for each inode. */
const MAX_CONFLICTS = 16;

/** i_blocks counts 512-byte units, or blocks of the volume with HUGE_FILE. @source fs/ext4/inode.c ext4_inode_blocks */
function checkBlocks(ctx: CheckContext, ino: number, inode: RawInode, owned: number): void {
  const huge = ctx.geo.hugeFile && (inode.flags & INODE_FLAGS.HUGE_FILE) !== 0;
  const expected = huge ? owned : (owned * ctx.geo.blockSize) / 512;
  if (inode.blocks === expected) return;
  ctx.complaints.error(
    'i-blocks',
    inodePlace(ctx.geo, ino, AT.blocks),
    'wrong i_blocks',
    expected,
    inode.blocks,
  );
}

/** Logical block after the last one mapped, and after the last one written. */
function mapEnds(map: TreeWalk): { mapped: number; written: number } {
  let mapped = 0;
  let written = 0;
  for (const e of map.extents) {
    mapped = Math.max(mapped, e.lblk + e.length);
    if (!e.unwritten) written = Math.max(written, e.lblk + e.length);
  }
  return { mapped, written };
}

function checkFileSize(
  ctx: CheckContext,
  ino: number,
  inode: RawInode,
  inline: Bytes | undefined,
  map: TreeWalk,
): void {
  const { geo, complaints } = ctx;
  const place = inodePlace(geo, ino, AT.size);
  const most = maxFileSize(geo.blockSize, inode);
  if (inode.size > most)
    complaints.error('i-size', place, 'i_size beyond any file', `${most} or less`, inode.size);
  if (inline !== undefined) {
    if (inode.size > inline.length) {
      complaints.note(
        'inline-size',
        place,
        'i_size beyond the inline bytes',
        `${inline.length} or less`,
        inode.size,
      );
    } else if (inline.length > IBLOCK && inode.size < inline.length) {
      complaints.note('inline-slack', place, 'system.data reaches beyond i_size', inline.length, inode.size);
    }
    return;
  }
  if (inode.flags & INODE_FLAGS.INLINE_DATA) return;
  const { written } = mapEnds(map);
  const verity = (inode.flags & INODE_FLAGS.VERITY) !== 0;
  const needed = Math.ceil(inode.size / geo.blockSize);
  if (written <= needed || verity) return;
  const expected = `more than ${(written - 1) * geo.blockSize}`;
  if (inode.size < (written - 1) * geo.blockSize) {
    complaints.error(
      'i-size',
      place,
      `i_size leaves written block ${written - 1} outside`,
      expected,
      inode.size,
    );
  } else
    complaints.note(
      'i-size',
      place,
      `i_size ends where written block ${written - 1} starts`,
      expected,
      inode.size,
    );
}

/** Bytes of the largest file, by extents or by an indirect map. @source fs/ext4/super.c ext4_max_size, ext4_max_bitmap_size */
function maxFileSize(blockSize: number, inode: RawInode): number {
  if (inode.flags & INODE_FLAGS.EXTENTS) return (2 ** 32 - 1) * blockSize;
  const fanOut = blockSize / 4;
  const blocks = 12 + fanOut + fanOut ** 2 + fanOut ** 3;
  return Math.min(blocks * blockSize, 2 ** 32 * 512);
}

function checkDirSize(
  ctx: CheckContext,
  ino: number,
  inode: RawInode,
  inline: Bytes | undefined,
  map: TreeWalk,
): void {
  const { geo, complaints } = ctx;
  const place = inodePlace(geo, ino, AT.size);
  if (inline !== undefined) {
    if (inode.size !== inline.length) {
      complaints.error('dir-size', place, 'i_size differs from the inline bytes', inline.length, inode.size);
    }
    return;
  }
  if (inode.flags & INODE_FLAGS.INLINE_DATA) return;
  const { mapped } = mapEnds(map);
  const held = map.extents.reduce((sum, e) => sum + e.length, 0);
  if (inode.size === 0 || inode.size % geo.blockSize !== 0) {
    complaints.error('dir-size', place, 'i_size is not a whole number of blocks', undefined, inode.size);
  } else if (inode.size !== mapped * geo.blockSize) {
    complaints.error('dir-size', place, 'i_size differs from the blocks', mapped * geo.blockSize, inode.size);
  }
  if (held < mapped)
    complaints.error('dir-hole', place, `${mapped - held} of ${mapped} blocks are not mapped`);
  if (map.extents.some((e) => e.unwritten)) complaints.error('dir-hole', place, 'some blocks are unwritten');
}

/** @source e2fsprogs e2fsck/pass1.c e2fsck_pass1_check_symlink */
function checkSymlink(
  ctx: CheckContext,
  ino: number,
  inode: RawInode,
  inline: Bytes | undefined,
  map: TreeWalk,
): void {
  const { geo, image } = ctx;
  const place = inodePlace(geo, ino, AT.size);
  const bad = (problem: string, expected?: unknown, found?: unknown) =>
    ctx.complaints.error('symlink', place, problem, expected, found);
  if (inode.size === 0) return bad('empty symlink');
  if (inline !== undefined) {
    if (inode.size !== inline.length) bad('i_size differs from the inline bytes', inline.length, inode.size);
    return undefined;
  }
  if (inode.flags & INODE_FLAGS.INLINE_DATA) return undefined;
  const isCipher = (inode.flags & ENCRYPT_FL) !== 0 && hasFeature(geo.features, 'encrypt');
  if (isFastSymlink(image, inode)) {
    if (inode.flags & INODE_FLAGS.EXTENTS) return bad('a symlink without blocks has EXTENTS');
    return targetLength(inode.iBlock, inode.size, isCipher, bad);
  }
  const first = map.extents[0];
  if (map.problems.length > 0) return undefined;
  if (
    first === undefined ||
    map.extents.length > 1 ||
    first.lblk !== 0 ||
    first.length !== 1 ||
    first.unwritten
  ) {
    return bad('target is not in exactly one block');
  }
  return targetLength(image.block(first.pblk), inode.size, isCipher, bad);
}

/** @param isCipher  an encrypted target has its length before it. @source fs/crypto/fscrypt_private.h struct fscrypt_symlink_data */
function targetLength(
  holder: Bytes,
  size: number,
  isCipher: boolean,
  bad: (problem: string, expected?: unknown, found?: unknown) => void,
): void {
  const length = isCipher ? 2 + holder.u16(0) : holder.toUint8Array().indexOf(0);
  if (length < 0 || length > holder.length) bad('target has no end', `less than ${holder.length} bytes`);
  else if (length !== size) bad('i_size differs from the target', length, size);
}
