/**
 * Files as they are on disk: content and directory listings read from an image, with no page cache, no journal
 * replay and no notion of a mount.
 *
 *     inline     i_block (60 bytes), then the value of system.data; zeros up to i_size
 *     mapped     written blocks, through extents or an indirect map; holes and unwritten blocks read as zeros
 *
 * A lying i_size never sizes an allocation: a read of more than 64 MiB is EFBIG, and longer files are read by range.
 *
 * Encrypted content and names are given as they are stored.
 */
import { Bytes } from '../bytes/bytes.ts';
import { err, isErr, type Result } from '../errno.ts';
import { walkBlockMap } from './blockMap.ts';
import { type Dirent, hasDirentTail, readDirents } from './dirent.ts';
import { BAD_CHECKSUM, type TreeLimits, type TreeWalk, walkTree } from './extent.ts';
import type { Image } from './image.ts';
import { fileKind, INODE_FLAGS, inodeChecksumSeed, type RawInode } from './rawInode.ts';
import { ibodyOf, SYSTEM_DATA, type XattrEntry } from './rawXattr.ts';

/** Bytes of i_block. */
const IBLOCK = 60;

/** What a reader may be asked to allocate: files larger than this are read by range. */
export const MAX_READ_BYTES: number = 64 * 2 ** 20;

/**
 * The blocks of an inode, through its extent tree or its indirect map; nothing for inodes that have none (inline,
 * fast symlinks, special files).
 * @param mayEnter  see `TreeLimits`
 */
export function fileMap(
  image: Image,
  ino: number,
  inode: RawInode,
  mayEnter?: (block: number) => boolean,
): TreeWalk {
  const { firstDataBlock, blocksCount, metadataCsum, csumSeed, blockSize } = image.geometry;
  const inodeSeed = metadataCsum ? inodeChecksumSeed(csumSeed, ino, inode.generation) : undefined;
  const limits: TreeLimits = { firstDataBlock, blocksCount, inodeSeed, mayEnter };
  const read = (nr: number) => image.block(nr);
  if (inode.flags & INODE_FLAGS.EXTENTS) return walkTree(inode.iBlock, read, limits);
  return hasBlockMap(image, inode) ? walkBlockMap(inode.iBlock, blockSize, read, limits) : NO_BLOCKS;
}

const NO_BLOCKS: TreeWalk = { extents: [], treeBlocks: [], problems: [] };

/** True when i_block is an indirect map. The bad blocks inode has one and no mode. */
function hasBlockMap(image: Image, inode: RawInode): boolean {
  if (inode.flags & (INODE_FLAGS.EXTENTS | INODE_FLAGS.INLINE_DATA)) return false;
  if (isFastSymlink(image, inode)) return false;
  const kind = fileKind(inode.mode);
  return inode.mode === 0 || kind === 'file' || kind === 'directory' || kind === 'symlink';
}

/**
 * The bytes an inline inode holds: the first 60 in i_block, the rest in system.data.
 * @returns  undefined when the flag is not set or there is no system.data entry, as the kernel sees it
 * @source   fs/ext4/inline.c ext4_has_inline_data, ext4_read_inline_data
 */
export function inlineBytes(image: Image, ino: number): Bytes | undefined {
  const raw = image.rawInode(ino);
  const inode = image.inode(ino);
  if ((inode.flags & INODE_FLAGS.INLINE_DATA) === 0) return undefined;
  const entry = systemData(raw, inode);
  return entry === undefined ? undefined : Bytes.concat([inode.iBlock, entry.value]);
}

/** The value of system.data; undefined when the inode has none, or none that can be read. */
export function systemData(raw: Bytes, inode: RawInode): (XattrEntry & { value: Bytes }) | undefined {
  const entry = ibodyOf(raw, inode.extraIsize).entries.find(
    (e) => e.nameIndex === SYSTEM_DATA.nameIndex && e.name.toText() === SYSTEM_DATA.name,
  );
  return entry?.value === undefined ? undefined : { ...entry, value: entry.value };
}

/** Bytes of the longest attribute value. @source include/uapi/linux/limits.h XATTR_SIZE_MAX */
const XATTR_SIZE_MAX = 65536;

/**
 * The value of an attribute, from its area or from the inode that holds it.
 * @returns undefined when it cannot be read
 * @source  fs/ext4/xattr.c ext4_xattr_inode_get
 */
export function xattrValue(image: Image, entry: XattrEntry): Bytes | undefined {
  const { valueInum: ino, valueSize } = entry;
  if (ino === 0) return entry.value;
  if (!image.geometry.eaInode || ino > image.geometry.inodesCount || valueSize > XATTR_SIZE_MAX)
    return undefined;
  const inode = image.inode(ino);
  if ((inode.flags & INODE_FLAGS.EA_INODE) === 0 || inode.size !== valueSize) return undefined;
  const value = readFile(image, ino);
  return isErr(value) ? undefined : value;
}

/**
 * The content of a regular file or symlink.
 * @param from  first byte, default 0
 * @param to    one past the last byte, default and limit i_size
 * @returns     the bytes; EISDIR, EINVAL for special files, EFBIG above 64 MiB, EUCLEAN or EBADMSG for a broken
 *              extent tree or block map
 * @throws      RangeError when there is no such inode
 */
export function readFile(
  image: Image,
  ino: number,
  from = 0,
  to: number = Number.MAX_SAFE_INTEGER,
): Result<Bytes> {
  const inode = image.inode(ino);
  const kind = fileKind(inode.mode);
  if (kind === 'directory') return err('EISDIR');
  if (kind !== 'file' && kind !== 'symlink') return err('EINVAL');
  return readRange(image, ino, inode, from, Math.min(to, inode.size));
}

function readRange(image: Image, ino: number, inode: RawInode, from: number, to: number): Result<Bytes> {
  const length = Math.max(0, to - from);
  if (length > MAX_READ_BYTES) return err('EFBIG');
  const held = inlineBytes(image, ino) ?? (isFastSymlink(image, inode) ? inode.iBlock : undefined);
  if (held === inode.iBlock && inode.size >= IBLOCK) return err('EUCLEAN');
  if (held === undefined && inode.flags & INODE_FLAGS.INLINE_DATA) return err('EUCLEAN');
  const out = new Uint8Array(length);
  if (held !== undefined) {
    if (from < held.length) held.copyTo(out, 0, from, Math.min(to, held.length));
    return Bytes.adopt(out);
  }
  if (length === 0) return Bytes.adopt(out);
  const { blockSize } = image.geometry;
  const { extents, problems } = fileMap(image, ino, inode);
  const broken = problems[0];
  if (broken !== undefined) return err(broken.problem === BAD_CHECKSUM ? 'EBADMSG' : 'EUCLEAN');
  for (const e of extents) {
    if (e.unwritten) continue;
    const first = Math.max(e.lblk, Math.floor(from / blockSize));
    const last = Math.min(e.lblk + e.length, Math.ceil(to / blockSize));
    for (let lblk = first; lblk < last; lblk++) {
      const start = Math.max(from, lblk * blockSize);
      const end = Math.min(to, (lblk + 1) * blockSize);
      const within = start - lblk * blockSize;
      image.block(e.pblk + lblk - e.lblk).copyTo(out, start - from, within, within + end - start);
    }
  }
  return Bytes.adopt(out);
}

/** A symlink whose target is in i_block: it owns no block but perhaps an xattr block. @source fs/ext4/inode.c ext4_inode_is_fast_symlink */
export function isFastSymlink(image: Image, inode: RawInode): boolean {
  if (fileKind(inode.mode) !== 'symlink' || inode.flags & INODE_FLAGS.INLINE_DATA) return false;
  return inode.blocks === (inode.fileAcl === 0 ? 0 : image.geometry.blockSize / 512);
}

/** A name in a directory. */
export interface DirName {
  readonly name: Bytes;
  readonly ino: number;
  readonly fileType: number;
}

/**
 * The names of a directory in on-disk order, `.` and `..` first; an inline directory's are made up, as they are
 * not stored.
 * @returns  ENOTDIR, EFBIG, EBADMSG, and EUCLEAN for any broken record
 * @throws   RangeError when there is no such inode
 */
export function listDir(image: Image, ino: number): Result<readonly DirName[]> {
  const inode = image.inode(ino);
  if (fileKind(inode.mode) !== 'directory') return err('ENOTDIR');
  const used = (found: readonly Dirent[]) => found.filter((entry) => entry.ino !== 0);
  const inline = inlineBytes(image, ino);
  const { inodesCount, metadataCsum, blockSize, filetype } = image.geometry;
  if (inline !== undefined) {
    const type = filetype ? 2 : 0;
    const names: DirName[] = [
      { name: Bytes.fromText('.'), ino, fileType: type },
      { name: Bytes.fromText('..'), ino: inline.u32(0), fileType: type },
    ];
    for (const chunk of inlineDirChunks(inline)) {
      const { entries, problem } = readDirents(chunk.bytes, { inodesCount });
      if (problem !== undefined) return err('EUCLEAN');
      names.push(...used(entries));
    }
    return names;
  }
  const content = readRange(image, ino, inode, 0, inode.size);
  if (isErr(content)) return content;
  const indexed = (inode.flags & INODE_FLAGS.INDEX) !== 0;
  const names: DirName[] = [];
  for (let at = 0; at + blockSize <= content.length; at += blockSize) {
    const block = content.slice(at, at + blockSize);
    const hasTail = metadataCsum && hasDirentTail(block) && !isNode(block, at === 0 && indexed);
    const { entries, problem } = readDirents(block, { inodesCount, hasTail });
    if (problem !== undefined) return err('EUCLEAN');
    names.push(...used(entries));
  }
  return names;
}

/** A node of an htree: behind its entries may stand the tail of the linear block it once was. */
const isNode = (block: Bytes, isRoot: boolean): boolean =>
  isRoot || (block.u32(0) === 0 && block.u16(4) === block.length);

/** One run of records of an inline directory, and where it starts in the inline bytes. */
export interface InlineDirChunk {
  readonly at: number;
  readonly bytes: Bytes;
}

/** i_block after the parent's number, then the value of system.data when it has one. @source fs/ext4/inline.c ext4_read_inline_dir */
export function inlineDirChunks(inline: Bytes): InlineDirChunk[] {
  const chunks = [{ at: 4, bytes: inline.slice(4, IBLOCK) }];
  if (inline.length > IBLOCK) chunks.push({ at: IBLOCK, bytes: inline.slice(IBLOCK) });
  return chunks;
}
