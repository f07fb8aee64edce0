/**
 * Directories: records, checksums, names, and the tree they make.
 *
 * Verified: every record as the kernel would; `.` and `..`; tails and checksums of linear blocks; an htree's nodes,
 * checksums and order, that it leads to every block once, and that every name's hash leads to its block; names well
 * formed and unique; entries naming used inodes, with the right type; every used inode reachable from the root; one
 * parent per directory; link counts.
 * Not verified: encrypted or case-folded names, whose volumes are refused when loaded.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { hex } from './badImage.ts';
import { blockPlace, type CheckContext, inodePlace, type UsedInode } from './checkContext.ts';
import type { Place } from './complaint.ts';
import { type Dirent, dirBlockChecksum, hasDirentTail, nameText, readDirents } from './dirent.ts';
import { dirHash } from './dirHash.ts';
import type { TreeWalk } from './extent.ts';
import { inlineDirChunks } from './file.ts';
import { ROOT_INO } from './geometry.ts';
import { type HtreeLeaf, readHtree } from './htree.ts';
import { DIRENT_TYPE, INODE_FLAGS, inodeChecksumSeed } from './rawInode.ts';
import { hasFeature } from './superblock.ts';

/** Byte of i_block and of i_links_count in an inode. */
const AT_IBLOCK = 0x28;
const AT_LINKS = 0x1a;
/** @source fs/ext4/ext4.h EXT4_LINK_MAX */
const LINK_MAX = 65000;

/** Reads every used directory, then the tree they make. */
export function checkDirectories(ctx: CheckContext): void {
  for (const dir of ctx.used.values()) {
    if (dir.kind !== 'directory') continue;
    const names = new Set<string>();
    if (dir.inline !== undefined) checkInlineDir(ctx, dir, dir.inline, names);
    else checkDirBlocks(ctx, dir, names);
  }
  checkTree(ctx);
  checkLinks(ctx);
}

function checkInlineDir(ctx: CheckContext, dir: UsedInode, inline: Bytes, names: Set<string>): void {
  const { geo, complaints } = ctx;
  const place = (at: number): Place => inodePlace(geo, dir.ino, at < 60 ? AT_IBLOCK + at : 0);
  dir.dotDot = { ino: inline.u32(0), place: place(0) };
  for (const chunk of inlineDirChunks(inline)) {
    const { entries, problem } = readDirents(chunk.bytes, { inodesCount: geo.inodesCount });
    for (const entry of entries) {
      if (entry.ino !== 0) checkEntry(ctx, dir, entry, place(chunk.at + entry.offset), names);
    }
    if (problem !== undefined) {
      const where = `inline directory byte ${chunk.at + problem.offset}: ${problem.problem}`;
      complaints.error('dirent', place(chunk.at + problem.offset), where, undefined, problem.found);
    }
  }
}

function checkDirBlocks(ctx: CheckContext, dir: UsedInode, names: Set<string>): void {
  const { geo, image, complaints } = ctx;
  const seed = inodeChecksumSeed(geo.csumSeed, dir.ino, dir.inode.generation);
  const place = (nr: number) => (at: number) => blockPlace(geo, 'directory block', nr, at, dir.ino);
  const blocks = dirBlocks(dir.map, geo.blocksCount);
  const htree = checkHtree(ctx, dir, blocks, seed);
  for (const [lblk, nr] of blocks) {
    const block = image.block(nr);
    const within = place(nr);
    const hasTail = geo.metadataCsum && !htree?.nodes.has(lblk);
    if (hasTail) checkTail(ctx, seed, block, within);
    const { entries, problem } = readDirents(block, { inodesCount: geo.inodesCount, hasTail });
    for (const [k, entry] of entries.entries()) {
      if (lblk === 0 && k < 2) checkDots(ctx, dir, block, entry, k, within(entry.offset));
      else if (entry.ino !== 0) checkEntry(ctx, dir, entry, within(entry.offset), names);
    }
    const leaf = htree?.leaves.get(lblk);
    if (leaf !== undefined) checkLeaf(ctx, leaf, htree!.hashVersion, entries, within);
    if (problem !== undefined) {
      complaints.error('dirent', within(problem.offset), problem.problem, undefined, problem.found);
    }
    if (lblk === 0 && entries.length < 2) complaints.error('dir-dot', within(0), 'no `.` and `..`');
  }
  if (!blocks.has(0) && (dir.inode.flags & INODE_FLAGS.INLINE_DATA) === 0) {
    complaints.error('dir-dot', inodePlace(geo, dir.ino, AT_IBLOCK), 'a directory without a first block');
  }
}

/** Block numbers of a directory by logical block, in order. */
function dirBlocks(map: TreeWalk, blocksCount: number): Map<number, number> {
  const blocks = new Map<number, number>();
  for (const extent of map.extents) {
    if (extent.unwritten) continue;
    for (let i = 0; i < extent.length && extent.pblk + i < blocksCount && blocks.size < blocksCount; i++) {
      blocks.set(extent.lblk + i, extent.pblk + i);
    }
  }
  return blocks;
}

interface CheckedHtree {
  readonly hashVersion: number;
  readonly nodes: ReadonlySet<number>;
  readonly leaves: ReadonlyMap<number, HtreeLeaf>;
}

/** The index of an indexed directory; undefined for a linear one. @source e2fsprogs e2fsck/pass2.c parse_int_node */
function checkHtree(
  ctx: CheckContext,
  dir: UsedInode,
  blocks: ReadonlyMap<number, number>,
  seed: number,
): CheckedHtree | undefined {
  const { geo, image, complaints } = ctx;
  if ((dir.inode.flags & INODE_FLAGS.INDEX) === 0 || !geo.dirIndex) return undefined;
  const block = (lblk: number) => (blocks.has(lblk) ? image.block(blocks.get(lblk)!) : undefined);
  const htree = readHtree(block, geo.metadataCsum ? seed : undefined, geo.largeDir);
  for (const { lblk, offset, kind, problem, expected, found } of htree.problems) {
    const place = blockPlace(geo, 'directory block', blocks.get(lblk) ?? 0, offset, dir.ino);
    complaints.error(kind === 'checksum' ? 'dir-checksum' : 'dir-index', place, problem, expected, found);
  }
  const leaves = new Map(htree.leaves.map((leaf) => [leaf.lblk, leaf]));
  if (htree.problems.every(({ kind }) => kind === 'checksum')) {
    for (const [lblk, nr] of blocks) {
      if (leaves.has(lblk) || htree.nodes.has(lblk)) continue;
      complaints.error(
        'dir-index',
        blockPlace(geo, 'directory block', nr, 0, dir.ino),
        'the htree does not lead here',
      );
    }
  }
  return { hashVersion: htree.hashVersion, nodes: htree.nodes, leaves };
}

/** Every name of a leaf hashes into the leaf's range. */
function checkLeaf(
  ctx: CheckContext,
  leaf: HtreeLeaf,
  hashVersion: number,
  entries: readonly Dirent[],
  place: (at: number) => Place,
): void {
  for (const entry of entries) {
    if (entry.ino === 0) continue;
    const hash = dirHash(entry.name, hashVersion, ctx.geo)?.hash;
    if (hash === undefined || (hash >= leaf.min && hash <= leaf.max)) continue;
    const range = `${hex(leaf.min, 8)}..${hex(leaf.max, 8)}`;
    const problem = `name ${JSON.stringify(nameText(entry.name))} hashes to another block`;
    ctx.complaints.error('dir-index', place(entry.offset), problem, range, hex(hash, 8));
  }
}

/** @source fs/ext4/namei.c ext4_dirblock_csum_verify */
function checkTail(ctx: CheckContext, seed: number, block: Bytes, place: (at: number) => Place): void {
  if (!hasDirentTail(block)) {
    ctx.complaints.error('dir-block', place(block.length - 12), 'no checksum tail');
    return;
  }
  const stored = block.u32(block.length - 4);
  const computed = dirBlockChecksum(seed, block);
  if (stored === computed) return;
  ctx.complaints.error(
    'dir-checksum',
    place(block.length - 4),
    'wrong checksum',
    hex(computed, 8),
    hex(stored, 8),
  );
}

/** The first two records of a directory. */
function checkDots(
  ctx: CheckContext,
  dir: UsedInode,
  block: Bytes,
  entry: Dirent,
  index: number,
  place: Place,
): void {
  const { complaints, geo } = ctx;
  const expected = index === 0 ? '.' : '..';
  if (entry.ino === 0 || entry.name.toText() !== expected) {
    const code = index === 0 ? 'dir-dot' : 'dir-dotdot';
    complaints.error(code, place, `record ${index} is not \`${expected}\``, undefined, nameText(entry.name));
    return;
  }
  if (block.u8(entry.offset + 8 + expected.length) !== 0) {
    complaints.error('dirent-name', place, `\`${expected}\` is not followed by a NUL`);
  }
  const type = geo.filetype ? DIRENT_TYPE.directory : 0;
  if (entry.fileType !== type)
    complaints.error('dirent-type', place, `wrong file type of \`${expected}\``, type, entry.fileType);
  if (index === 1) dir.dotDot = { ino: entry.ino, place };
  else if (entry.ino !== dir.ino)
    complaints.error('dir-dot', place, '`.` names another inode', dir.ino, entry.ino);
}

function checkEntry(
  ctx: CheckContext,
  dir: UsedInode,
  entry: Dirent,
  place: Place,
  names: Set<string>,
): void {
  const { complaints, geo, used } = ctx;
  const label = () => `entry ${JSON.stringify(nameText(entry.name))} of directory ${dir.ino}`;
  const raw = entry.name.toText();
  if (raw === '' || raw === '.' || raw === '..' || raw.includes('/') || raw.includes('\0')) {
    complaints.error('dirent-name', place, `${label()} has a name no file may have`);
  }
  if (names.has(raw)) complaints.error('dirent-duplicate', place, `${label()} is there twice`);
  names.add(raw);
  const target = used.get(entry.ino);
  if (entry.ino < geo.firstIno && entry.ino !== ROOT_INO) {
    complaints.error('dirent-inode', place, `${label()} names reserved inode ${entry.ino}`);
    return;
  }
  if (target === undefined) {
    complaints.error('dirent-inode', place, `${label()} names inode ${entry.ino}, which is not in use`);
    return;
  }
  target.names++;
  dir.children.push(entry.ino);
  const type = target.kind === undefined || !geo.filetype ? 0 : DIRENT_TYPE[target.kind];
  if (entry.fileType !== type)
    complaints.error('dirent-type', place, `${label()} has the wrong file type`, type, entry.fileType);
  if (target.kind !== 'directory') return;
  dir.subdirs++;
  if (target.parent !== undefined || target.ino === ROOT_INO) {
    complaints.error('dir-two-parents', place, `${label()} is a second name of directory ${target.ino}`);
  } else target.parent = dir.ino;
}

/** Reachability from the root, and `..` of every directory. */
function checkTree(ctx: CheckContext): void {
  const { complaints, geo, used, orphans, unnamed } = ctx;
  const root = used.get(ROOT_INO);
  if (root?.kind !== 'directory') {
    complaints.error('root', inodePlace(geo, ROOT_INO), 'the root is not a directory');
    return;
  }
  root.parent = ROOT_INO;
  const reached = new Set<number>([ROOT_INO]);
  const queue = [root];
  for (let dir = queue.pop(); dir !== undefined; dir = queue.pop()) {
    for (const ino of dir.children) {
      if (reached.has(ino)) continue;
      reached.add(ino);
      const child = used.get(ino)!;
      if (child.kind === 'directory') queue.push(child);
    }
  }
  for (const { ino, inode, kind, dotDot, parent } of used.values()) {
    if (kind === 'directory' && dotDot !== undefined && parent !== undefined && dotDot.ino !== parent) {
      complaints.error('dir-dotdot', dotDot.place, `\`..\` of directory ${ino}`, parent, dotDot.ino);
    }
    const isValue = geo.eaInode && (inode.flags & INODE_FLAGS.EA_INODE) !== 0;
    const special = ino < geo.firstIno || ino === geo.journalInum || unnamed.has(ino);
    const nameless = special || orphans.has(ino) || isValue;
    if (!nameless && !reached.has(ino))
      complaints.error('unreachable', inodePlace(geo, ino), 'no path leads to it');
  }
  checkLostAndFound(ctx, root);
}

/** e2fsck misses lost+found when it is gone, so a volume without it is not clean. */
function checkLostAndFound(ctx: CheckContext, root: UsedInode): void {
  const { image, geo, complaints } = ctx;
  const blocks = root.map.extents.flatMap((e) =>
    Array.from({ length: e.length }, (_, i) => image.block(e.pblk + i)),
  );
  const chunks =
    root.inline === undefined ? blocks : inlineDirChunks(root.inline).map((chunk) => chunk.bytes);
  const names = chunks.flatMap((chunk) => readDirents(chunk).entries);
  const found = names.find((entry) => entry.ino !== 0 && entry.name.toText() === 'lost+found');
  if (found === undefined)
    complaints.error('lost-and-found', inodePlace(geo, ROOT_INO), 'there is no /lost+found');
  else if (ctx.used.get(found.ino)?.kind !== 'directory') {
    complaints.error('lost-and-found', inodePlace(geo, ROOT_INO), '/lost+found is not a directory');
  }
}

/** @source fs/ext4/namei.c ext4_inc_count; e2fsprogs e2fsck/pass4.c */
function checkLinks(ctx: CheckContext): void {
  const { complaints, geo, used, orphans, unnamed } = ctx;
  for (const { ino, kind, inode, names, subdirs } of used.values()) {
    if ((ino < geo.firstIno && ino !== ROOT_INO) || unnamed.has(ino) || orphans.has(ino)) continue;
    if (names === 0 && ino !== ROOT_INO) continue; // said to be unreachable already
    const expected = kind === 'directory' ? 2 + subdirs : names;
    const many = kind === 'directory' && inode.linksCount === 1 && hasFeature(geo.features, 'dir_nlink');
    if (inode.linksCount === expected || (many && expected >= LINK_MAX)) continue;
    complaints.error('links', inodePlace(geo, ino, AT_LINKS), 'wrong link count', expected, inode.linksCount);
  }
}
