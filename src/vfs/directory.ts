/**
 * Reading directories: looking a name up, listing, finding the parent; of all three kinds.
 *
 *   inline    `..` in i_block, entries in i_block and in system.data                 (inline/dir.ts)
 *   linear    blocks of records, one after another                                   (volume/dirent.ts)
 *   indexed   a root that leads by the hash of a name to the block that has it       (vfs/htree.ts)
 *
 * Everything here is a function of the directory's raw inode and its blocks, which are the truth for directories: what
 * is in core is never newer. A `DirSource` says where to read them: from the bdev cache in a step, or past all caches
 * for a look from outside.
 *
 * Names are bytes. A name that is no UTF-8 text cannot be typed in a scenario; listings show it with `\xNN`.
 */
import { Bytes } from '../bytes/bytes.ts';
import { err, isErr, type Result } from '../errno.ts';
import { findInlineData, readInlineData } from '../inline/bytes.ts';
import { findInlineDirent, inlineDirEntries, inlineDirParent, isEmptyInlineDir } from '../inline/dir.ts';
import { inodeSeed } from '../inode/checksum.ts';
import { I_BLOCK_AT, I_BLOCK_SIZE, INODE_FLAG, inodeLayout, rawFileAcl, rawSize } from '../inode/layout.ts';
import { walkBlockMap } from '../volume/blockMap.ts';
import {
  type Dirent,
  type DirentRules,
  dirBlockChecksum,
  hasDirentTail,
  lookup as lookupDirent,
  readDirents,
} from '../volume/dirent.ts';
import { dirHash } from '../volume/dirHash.ts';
import { entries as extentEntries, type ReadBlock } from '../volume/extent.ts';
import type { Geometry } from '../volume/geometry.ts';
import { htreeLevels } from '../volume/htree.ts';
import { findIndexed, type IndexReader, indexedLeaves, nodeChecksum } from './htree.ts';

/** Where a directory is read from. */
export interface DirSource {
  readonly ino: number;
  readonly geo: Geometry;
  /** The raw inode, s_inode_size bytes. */
  readonly raw: Bytes;
  readonly block: ReadBlock;
}

/** A name and what it names. */
export interface DirEntry {
  readonly ino: number;
  readonly name: Bytes;
  /** 0 without the filetype feature. */
  readonly fileType: number;
}

const flagsOf = (src: DirSource): number => src.raw.u32(0x20);

/** The bytes of a name as inline directories are searched for it: one char per byte. */
export function byteString(name: Bytes): string {
  return String.fromCharCode(...name.toUint8Array());
}

/** Where system.data is, when the directory is inline. */
export function inlinePlace(src: DirSource): ReturnType<typeof findInlineData> {
  return (flagsOf(src) & INODE_FLAG.inlineData) === 0 ? undefined : findInlineData(src.raw);
}

export const isIndexed = (src: DirSource): boolean =>
  src.geo.dirIndex && (flagsOf(src) & INODE_FLAG.index) !== 0;

export const direntRules = (geo: Geometry): DirentRules => ({
  inodesCount: geo.inodesCount,
  hasTail: geo.metadataCsum,
});

/** The checksum seed of the directory's blocks. */
export const dirSeed = (src: DirSource): number =>
  inodeSeed(src.ino, inodeLayout.get(src.raw, 'generation'), src.geo.csumSeed);

/**
 * Physical blocks by logical number; 0 is a hole.
 * @returns EUCLEAN, EBADMSG for a broken map
 */
export function dirBlocks(src: DirSource): Result<number[]> {
  const { geo, raw } = src;
  const count = Math.floor(rawSize(raw) / geo.blockSize);
  if (count > geo.blocksCount) return err('EUCLEAN');
  const iBlock = raw.slice(I_BLOCK_AT, I_BLOCK_AT + I_BLOCK_SIZE);
  const mapped =
    (flagsOf(src) & INODE_FLAG.extents) !== 0
      ? extentEntries(iBlock, src.block)
      : walkBlockMap(iBlock, geo.blockSize, src.block, geo).extents;
  if (isErr(mapped)) return mapped;
  const blocks = new Array<number>(count).fill(0);
  for (const { lblk, pblk, length, unwritten } of mapped) {
    if (unwritten) continue;
    for (let i = 0; i < length && lblk + i < count; i++) blocks[lblk + i] = pblk + i;
  }
  return blocks;
}

/** Blocks whose checksum was right when it was last looked at, with the seed: buffer_verified. */
const verified = new WeakMap<Bytes, number>();

/** The block is what it claims to be; its checksum was right. Also for one that was just written. */
export function setVerified(block: Bytes, seed: number): void {
  verified.set(block, seed);
}

/** @source fs/ext4/namei.c ext4_dirblock_csum_verify, ext4_dx_csum_verify */
function checksumOk(src: DirSource, block: Bytes, kind: 'leaf' | 'node'): boolean {
  if (!src.geo.metadataCsum) return true;
  const seed = dirSeed(src);
  if (verified.get(block) === seed) return true;
  const node = kind === 'node' ? nodeChecksum(seed, block) : undefined;
  const ok =
    kind === 'node'
      ? node !== undefined && block.u32(node.at) === node.checksum
      : hasDirentTail(block) && block.u32(block.length - 4) === dirBlockChecksum(seed, block);
  if (ok) setVerified(block, seed);
  return ok;
}

/** @source fs/ext4/namei.c __ext4_read_dirblock */
export function readDirBlock(
  src: DirSource,
  blocks: readonly number[],
  lblk: number,
  kind: 'leaf' | 'node',
): Result<Bytes> {
  const nr = blocks[lblk] ?? 0;
  if (nr === 0) return err('EUCLEAN');
  const block = src.block(nr);
  return checksumOk(src, block, kind) ? block : err('EBADMSG');
}

/** The directory's index, for reading. */
export function indexReader(src: DirSource, blocks: readonly number[]): IndexReader {
  return {
    blockSize: src.geo.blockSize,
    hasTail: src.geo.metadataCsum,
    inodesCount: src.geo.inodesCount,
    levels: htreeLevels(src.geo.largeDir),
    hashOf: (name, version) => dirHash(name, version, src.geo)?.hash,
    read: (lblk, kind) => readDirBlock(src, blocks, lblk, kind),
  };
}

/** Where a name was found. */
export interface FoundDirent {
  readonly entry: DirEntry;
  /** Byte offset from the inode start, in an inline directory. */
  readonly inlineAt: number;
  /** Physical block, in one that has blocks. */
  readonly block: number;
}

/**
 * The entry of a name; undefined when there is none. `.` and `..` are not looked for here: `dirParent`.
 * @returns EUCLEAN, EBADMSG
 * @source  fs/ext4/namei.c __ext4_find_entry
 */
export function findEntry(src: DirSource, name: Bytes): Result<FoundDirent | undefined> {
  const place = inlinePlace(src);
  if (place === 'corrupt') return err('EUCLEAN');
  if (place !== undefined) {
    const found = findInlineDirent(src.raw, place, byteString(name), src.geo.inodesCount);
    if (isErr(found)) return found;
    if (found === undefined) return undefined;
    return { entry: { ino: found.ino, name, fileType: found.fileType }, inlineAt: found.at, block: 0 };
  }
  const blocks = dirBlocks(src);
  if (isErr(blocks)) return blocks;
  const search = (block: Bytes, lblk: number): Result<FoundDirent | undefined> => {
    const found = lookupDirent(block, name, direntRules(src.geo));
    if (isErr(found)) return found;
    return found === undefined ? undefined : { entry: found, inlineAt: 0, block: blocks[lblk]! };
  };
  if (isIndexed(src)) {
    const found = findIndexed(indexReader(src, blocks), name, search);
    if (found !== 'bad') return found;
  }
  const index = isIndexed(src);
  for (let lblk = 0; lblk < blocks.length; lblk++) {
    if (blocks[lblk] === 0) continue;
    if (index && isNode(src, src.block(blocks[lblk]!), lblk)) continue;
    const block = readDirBlock(src, blocks, lblk, 'leaf');
    if (isErr(block)) return block;
    const found = search(block, lblk);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** @source fs/ext4/namei.c is_dx_internal_node */
function isNode(src: DirSource, block: Bytes, lblk: number): boolean {
  return lblk === 0 || (block.u32(0) === 0 && block.u16(4) === src.geo.blockSize);
}

/** Are names given in hash order? @source fs/ext4/dir.c is_dx_dir */
export function isDxDir(src: DirSource): boolean {
  if (!src.geo.dirIndex) return false;
  const blocks = Math.floor(rawSize(src.raw) / src.geo.blockSize);
  return isIndexed(src) || blocks === 1 || inlinePlace(src) !== undefined;
}

const inUse = (found: readonly Dirent[]): DirEntry[] => found.filter(({ ino }) => ino !== 0);

/** Entries of a chunk up to the first broken record: readdir ignores the rest of a block silently. */
const recordsOf = (src: DirSource, block: Bytes): DirEntry[] =>
  inUse(readDirents(block, direntRules(src.geo)).entries);

const isDot = ({ name }: DirEntry): boolean =>
  name.length > 0 && name.u8(0) === 0x2e && (name.length === 1 || (name.length === 2 && name.u8(1) === 0x2e));

/**
 * The entries in the order in which readdir gives them, without `.` and `..`.
 * @returns EUCLEAN, EBADMSG
 * @source  fs/ext4/dir.c ext4_readdir, ext4_dx_readdir; fs/ext4/inline.c ext4_inlinedir_to_tree, ext4_read_inline_dir
 */
export function listDirectory(src: DirSource): Result<DirEntry[]> {
  const place = inlinePlace(src);
  if (place === 'corrupt') return err('EUCLEAN');
  if (place !== undefined) {
    const found = inlineDirEntries(src.raw, place, src.geo.inodesCount);
    if (isErr(found)) return found;
    const entries = found.map(({ ino, name, fileType }) => ({ ino, fileType, name: fromByteString(name) }));
    return src.geo.dirIndex ? inHashOrder(src, entries, src.geo.defHashVersion) : entries;
  }
  const blocks = dirBlocks(src);
  if (isErr(blocks)) return blocks;
  if (isIndexed(src)) {
    const leaves = indexedLeaves(indexReader(src, blocks));
    if (isErr(leaves)) return leaves;
    if (leaves !== 'bad') {
      const entries: DirEntry[] = [];
      for (const lblk of leaves) {
        const leaf = readDirBlock(src, blocks, lblk, 'leaf');
        if (isErr(leaf)) return leaf;
        entries.push(...recordsOf(src, leaf));
      }
      return inHashOrder(src, entries, src.block(blocks[0]!).u8(28));
    }
  } else if (isDxDir(src)) {
    const block = readDirBlock(src, blocks, 0, 'leaf');
    if (isErr(block)) return block;
    const entries = recordsOf(src, block).filter((entry) => !isDot(entry));
    return inHashOrder(src, entries, src.geo.defHashVersion);
  }
  return blocks.flatMap((_, lblk) => {
    const block = readDirBlock(src, blocks, lblk, 'leaf');
    return isErr(block) ? [] : recordsOf(src, block).filter((entry) => !isDot(entry));
  });
}

function fromByteString(name: string): Bytes {
  return Bytes.of(Array.from(name, (char) => char.charCodeAt(0)));
}

/**
 * By hash, then by minor hash. Of names that agree in both the first stays first and the others come last to first,
 * as they are chained behind it.
 * @source fs/ext4/dir.c ext4_htree_store_dirent
 */
function inHashOrder(src: DirSource, entries: readonly DirEntry[], version: number): DirEntry[] {
  const hashed = entries.map((entry, order) => ({
    entry,
    order,
    key: dirHash(entry.name, version, src.geo),
  }));
  const firstOf = new Map<string, number>();
  const keyOf = (each: (typeof hashed)[number]): string => `${each.key?.hash} ${each.key?.minorHash}`;
  for (const each of hashed) if (!firstOf.has(keyOf(each))) firstOf.set(keyOf(each), each.order);
  hashed.sort((a, b) => {
    const byHash = (a.key?.hash ?? 0) - (b.key?.hash ?? 0);
    if (byHash !== 0) return byHash;
    const byMinor = (a.key?.minorHash ?? 0) - (b.key?.minorHash ?? 0);
    if (byMinor !== 0) return byMinor;
    const first = firstOf.get(keyOf(a));
    if (a.order === first) return -1;
    return b.order === first ? 1 : b.order - a.order;
  });
  return hashed.map(({ entry }) => entry);
}

/**
 * What `..` names.
 * @returns EUCLEAN
 * @source  fs/ext4/namei.c ext4_get_first_dir_block
 */
export function dirParent(src: DirSource): Result<number> {
  const place = inlinePlace(src);
  if (place === 'corrupt') return err('EUCLEAN');
  if (place !== undefined) return inlineDirParent(src.raw);
  const blocks = dirBlocks(src);
  if (isErr(blocks)) return blocks;
  const nr = blocks[0] ?? 0;
  if (nr === 0) return err('EUCLEAN');
  const block = src.block(nr);
  const { entries } = readDirents(block, { inodesCount: src.geo.inodesCount });
  const [dot, dotDot] = entries;
  const sound = dot?.ino === src.ino && dot.name.toText() === '.' && dotDot?.name.toText() === '..';
  return sound && dotDot!.ino !== 0 ? dotDot!.ino : err('EUCLEAN');
}

/**
 * May it be removed? False as well when it makes no sense.
 * @source fs/ext4/namei.c ext4_empty_dir
 */
export function isEmptyDirectory(src: DirSource): boolean {
  const place = inlinePlace(src);
  if (place === 'corrupt') return false;
  if (place !== undefined) return isEmptyInlineDir(src.raw, place, src.geo.inodesCount);
  if (isErr(dirParent(src))) return false;
  const blocks = dirBlocks(src);
  if (isErr(blocks)) return false;
  return blocks.every((nr, lblk) => {
    if (nr === 0) return true;
    // A block's tail and an index look like free records.
    const { entries, problem } = readDirents(src.block(nr), { inodesCount: src.geo.inodesCount });
    return problem === undefined && entries.slice(lblk === 0 ? 2 : 0).every(({ ino }) => ino === 0);
  });
}

/**
 * The target of a symlink: in i_block, in its block, or in an inline symlink, which the kernel reads and never makes.
 * @returns EUCLEAN when its block is not there
 * @source  fs/ext4/inode.c ext4_inode_is_fast_symlink; fs/ext4/symlink.c ext4_get_link; fs/ext4/inline.c
 *          ext4_read_inline_link
 */
export function readLink(src: DirSource): Result<Bytes> {
  const { geo, raw } = src;
  const size = rawSize(raw);
  const place = inlinePlace(src);
  if (place === 'corrupt') return err('EUCLEAN');
  if (place !== undefined) return readInlineData(raw, place, Math.min(size, place.inlineSize));
  const own = raw.u32(0x1c) - (rawFileAcl(raw) === 0 ? 0 : geo.blockSize / 512);
  if (own === 0) return raw.slice(I_BLOCK_AT, I_BLOCK_AT + Math.min(size, I_BLOCK_SIZE - 1));
  const iBlock = raw.slice(I_BLOCK_AT, I_BLOCK_AT + I_BLOCK_SIZE);
  const mapped =
    (flagsOf(src) & INODE_FLAG.extents) !== 0
      ? extentEntries(iBlock, src.block)
      : walkBlockMap(iBlock, geo.blockSize, src.block, geo).extents;
  if (isErr(mapped)) return mapped;
  const first = mapped.find(({ lblk, unwritten }) => lblk === 0 && !unwritten);
  if (first === undefined) return err('EUCLEAN');
  return src.block(first.pblk).slice(0, Math.min(size, geo.blockSize - 1));
}

/** A symlink's target as text: UTF-8. */
export function linkText(target: Bytes): string {
  return new TextDecoder().decode(target.toUint8Array());
}
