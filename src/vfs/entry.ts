/**
 * Changing directories: adding, deleting and redirecting entries, new directories, `..`.
 *
 *   inline ── chunk 1 full ─▶ inline, all of system.data ── full ─▶ one block ── full ─▶ htree (dir_index), else two blocks
 *
 * A directory is never made smaller, nor inline again. All functions run inside a step with a handle, under the
 * directory's i_rwsem; each is one change of one directory, and the inode has been marked dirty when it returns.
 * xattr_sem and i_data_sem of a directory are not taken: whoever takes them for one holds its i_rwsem, or is one step.
 *
 * Errors leave behind what they leave in the kernel: an inline directory that could not be converted stays inline with
 * its second chunk; one whose leaf could not be split is an htree of one leaf.
 *
 * Not modelled: adding a block to a directory that is mapped without extents (EOPNOTSUPP).
 */
import { createBlock } from '../balloc/mapBlocks.ts';
import { Bytes } from '../bytes/bytes.ts';
import { rawInode, readBuffer, setBuffer, setRawInode } from '../device/buffer.ts';
import { dirtyMetadata, getInodeWriteAccess, getWriteAccess } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { MIN_INLINE_DATA_SIZE, readInlineData } from '../inline/bytes.ts';
import {
  emptyInlineDir,
  inlineDirToBlock,
  insertInlineDirent,
  removeInlineDirent,
  setInlineDirent,
  setInlineDirParent,
} from '../inline/dir.ts';
import { createInlineData, destroyInlineData, maxInlineSize, restoreInlineData } from '../inline/ops.ts';
import { direntTypeOf, I_BLOCK_AT } from '../inode/layout.ts';
import { hasFlag, hasInlineData, markInodeDirty, setFlag } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { modelName } from '../modelNames.ts';
import * as dirent from '../volume/dirent.ts';
import {
  byteString,
  type DirSource,
  dirBlocks,
  direntRules,
  dirSeed,
  type FoundDirent,
  indexReader,
  isIndexed,
  readDirBlock,
  setVerified,
} from './directory.ts';
import { addIndexed, type IndexStore, makeIndexed, nodeChecksum } from './htree.ts';

/** The directory as the bdev cache has it now. */
export function dirSource(k: Kernel, dir: number): DirSource {
  return { ino: dir, geo: k.geo, raw: rawInode(k, dir), block: (nr) => readBuffer(k, nr) };
}

/** The type that an entry of this inode has. */
const typeOf = (k: Kernel, ino: number): number => (k.geo.filetype ? direntTypeOf(k.inode(ino).mode) : 0);

/** Stores a directory block with its checksum, journalled. @source fs/ext4/namei.c ext4_handle_dirty_dirblock */
function writeDirBlock(k: Kernel, dir: number, nr: number, data: Bytes, kind: 'leaf' | 'node'): void {
  let sealed = data;
  if (k.geo.metadataCsum) {
    const seed = dirSeed(dirSource(k, dir));
    if (kind === 'leaf') sealed = dirent.withDirBlockChecksum(seed, data);
    else {
      const node = nodeChecksum(seed, data);
      if (node !== undefined) sealed = data.putU32(node.at, node.checksum);
    }
    setVerified(sealed, seed);
  }
  getWriteAccess(k, nr);
  setBuffer(k, nr, sealed);
  dirtyMetadata(k, nr, dir);
}

/**
 * One more block at the end: its logical and physical number. Its content is the caller's to write.
 * @source fs/ext4/namei.c ext4_append
 */
function append(k: Kernel, dir: number): Result<{ lblk: number; block: number }> {
  if (!hasFlag(k, dir, 'extents')) return err('EOPNOTSUPP');
  const inode = k.inode(dir);
  const lblk = Math.floor(inode.size / k.blockSize);
  const mapped = createBlock(k, dir, lblk, { create: true, unwritten: false });
  if (isErr(mapped)) return mapped;
  if (!mapped.isNew) return err('EUCLEAN');
  inode.size = inode.disksize = (lblk + 1) * k.blockSize;
  markInodeDirty(k, dir);
  return { lblk, block: mapped.block };
}

/** A directory's blocks for the htree code. */
function indexStore(k: Kernel, dir: number): IndexStore {
  const blocks = dirBlocks(dirSource(k, dir));
  const known = isErr(blocks) ? [] : blocks;
  return {
    ...indexReader(dirSource(k, dir), known),
    read: (lblk, kind) => (isErr(blocks) ? blocks : readDirBlock(dirSource(k, dir), known, lblk, kind)),
    write: (lblk, data, kind) => writeDirBlock(k, dir, known[lblk]!, data, kind),
    append() {
      const fresh = append(k, dir);
      if (isErr(fresh)) return fresh;
      known[fresh.lblk] = fresh.block;
      return fresh.lblk;
    },
  };
}

/**
 * Adds a name.
 * @returns EEXIST, ENOSPC, EUCLEAN, EBADMSG
 * @source  fs/ext4/namei.c ext4_add_entry
 */
export function addEntry(k: Kernel, dir: number, name: Bytes, ino: number): Result<void> {
  const added = addSomewhere(k, dir, name, ino);
  if (isErr(added)) return added;
  if (!k.hasJournal) k.inode(ino).newEntryDir = dir;
  modelName(k, dir, byteString(name), ino);
}

function addSomewhere(k: Kernel, dir: number, name: Bytes, ino: number): Result<void> {
  if (hasInlineData(k, dir)) {
    const added = addInline(k, dir, name, ino);
    if (added !== 'converted') return added;
  }
  const insert = (block: Bytes) => dirent.insert(block, ino, name, typeOf(k, ino), direntRules(k.geo));
  if (isIndexed(dirSource(k, dir))) {
    const added = addIndexed(indexStore(k, dir), name, insert);
    if (added !== 'bad') {
      markInodeDirty(k, dir);
      return added;
    }
    if (k.geo.metadataCsum) return err('EUCLEAN');
    setFlag(k, dir, 'index', false);
    return addLinear(k, dir, name, insert, false);
  }
  return addLinear(k, dir, name, insert, k.geo.dirIndex);
}

function addLinear(
  k: Kernel,
  dir: number,
  name: Bytes,
  insert: (block: Bytes) => ReturnType<typeof dirent.insert>,
  mayIndex: boolean,
): Result<void> {
  const src = dirSource(k, dir);
  const blocks = dirBlocks(src);
  if (isErr(blocks)) return blocks;
  for (const [lblk, nr] of blocks.entries()) {
    const block = readDirBlock(src, blocks, lblk, 'leaf');
    if (isErr(block)) return block;
    const next = insert(block);
    if (next === 'full') continue;
    if (isErr(next)) return next;
    writeDirBlock(k, dir, nr, next, 'leaf');
    markInodeDirty(k, dir);
    return;
  }
  if (blocks.length === 1 && mayIndex) {
    const made = makeIndexed(indexStore(k, dir), k.geo.defHashVersion, name, insert, () =>
      setFlag(k, dir, 'index', true),
    );
    markInodeDirty(k, dir);
    return made;
  }
  const fresh = append(k, dir);
  if (isErr(fresh)) return fresh;
  const empty = dirent.emptyDirBlock({ blockSize: k.blockSize, hasTail: k.geo.metadataCsum });
  const next = insert(empty);
  if (next === 'full' || isErr(next)) throw new Error('a name does not fit an empty directory block');
  writeDirBlock(k, dir, fresh.block, next, 'leaf');
  markInodeDirty(k, dir);
}

/** @source fs/ext4/inline.c ext4_try_add_inline_entry */
function addInline(k: Kernel, dir: number, name: Bytes, ino: number): Result<void> | 'converted' {
  const inode = k.inode(dir);
  const place = { inlineOff: inode.inlineOff, inlineSize: inode.inlineSize };
  const entry = { ino, name: byteString(name), fileType: typeOf(k, ino) };
  const next = insertInlineDirent(rawInode(k, dir), place, entry, k.geo.inodesCount);
  if (isErr(next)) {
    markInodeDirty(k, dir);
    return next;
  }
  getInodeWriteAccess(k, dir);
  setRawInode(k, dir, next.raw);
  if (next.inlineSize !== place.inlineSize) {
    inode.inlineOff = next.inlineOff;
    inode.inlineSize = inode.size = inode.disksize = next.inlineSize;
    inode.mayInline = true;
  }
  const converted = next.at === undefined ? convertInlineDir(k, dir) : undefined;
  markInodeDirty(k, dir);
  if (next.at !== undefined) return;
  return isErr(converted) ? converted : 'converted';
}

/** @source fs/ext4/inline.c ext4_convert_inline_data_nolock, ext4_finish_convert_inline_dir */
function convertInlineDir(k: Kernel, dir: number): Result<void> {
  const inode = k.inode(dir);
  const place = { inlineOff: inode.inlineOff, inlineSize: inode.inlineSize };
  const block = inlineDirToBlock(rawInode(k, dir), place, dir, {
    blockSize: k.blockSize,
    tail: k.geo.metadataCsum,
    filetype: k.geo.filetype,
    inodesCount: k.geo.inodesCount,
  });
  if (isErr(block)) return block;
  const saved = readInlineData(rawInode(k, dir), place, place.inlineSize);
  destroyInlineData(k, dir);
  const mapped = hasFlag(k, dir, 'extents')
    ? createBlock(k, dir, 0, { create: true, unwritten: false })
    : err('EOPNOTSUPP');
  if (isErr(mapped)) {
    restoreInlineData(k, dir, saved);
    return mapped;
  }
  inode.size = inode.disksize = k.blockSize;
  writeDirBlock(k, dir, mapped.block, block, 'leaf');
  markInodeDirty(k, dir);
}

/**
 * Deletes an entry that was found.
 * @source fs/ext4/namei.c ext4_delete_entry, ext4_generic_delete_entry; fs/ext4/inline.c ext4_delete_inline_entry
 */
export function deleteEntry(k: Kernel, dir: number, found: FoundDirent): Result<void> {
  if (found.inlineAt !== 0) {
    const { inlineOff, inlineSize } = k.inode(dir);
    const place = { inlineOff, inlineSize };
    const next = removeInlineDirent(rawInode(k, dir), place, found.inlineAt, k.geo.inodesCount);
    if (isErr(next)) return next;
    getInodeWriteAccess(k, dir);
    setRawInode(k, dir, next);
  } else {
    const next = dirent.remove(readBuffer(k, found.block), found.entry.name, direntRules(k.geo));
    if (isErr(next)) return next;
    writeDirBlock(k, dir, found.block, next, 'leaf');
  }
  markInodeDirty(k, dir);
  modelName(k, dir, byteString(found.entry.name), 0);
}

/**
 * Points an entry that was found at another inode.
 * @param fileType  of the entry that moves here, as it stands in its own directory
 * @source          fs/ext4/namei.c ext4_setent
 */
export function setEntry(
  k: Kernel,
  dir: number,
  found: FoundDirent,
  ino: number,
  fileType: number,
): Result<void> {
  if (found.inlineAt !== 0) {
    getInodeWriteAccess(k, dir);
    const type = k.geo.filetype ? fileType : undefined;
    setRawInode(k, dir, setInlineDirent(rawInode(k, dir), found.inlineAt, ino, type));
  } else {
    const type = k.geo.filetype ? fileType : found.entry.fileType;
    const block = readBuffer(k, found.block);
    const next = dirent.replace(block, found.entry.name, ino, type, direntRules(k.geo));
    if (isErr(next)) return next;
    writeDirBlock(k, dir, found.block, next, 'leaf');
  }
  markInodeDirty(k, dir);
  modelName(k, dir, byteString(found.entry.name), ino);
}

/** Points `..` at another directory. The caller has asked `dirParent`. @source fs/ext4/namei.c ext4_rename_dir_finish */
export function setParent(k: Kernel, dir: number, parent: number): Result<void> {
  if (hasInlineData(k, dir)) {
    getInodeWriteAccess(k, dir);
    setRawInode(k, dir, setInlineDirParent(rawInode(k, dir), parent));
    markInodeDirty(k, dir);
    return;
  }
  const src = dirSource(k, dir);
  const blocks = dirBlocks(src);
  if (isErr(blocks)) return blocks;
  const nr = blocks[0]!;
  const block = readBuffer(k, nr);
  writeDirBlock(k, dir, nr, block.putU32(block.u16(4), parent), isIndexed(src) ? 'node' : 'leaf');
}

/**
 * The content of a new directory: inline when that may be, else one block.
 * @returns ENOSPC
 * @source  fs/ext4/namei.c ext4_init_new_dir; fs/ext4/inline.c ext4_try_create_inline_dir
 */
export function initNewDir(k: Kernel, dir: number, parent: number): Result<void> {
  const inode = k.inode(dir);
  if (inode.mayInline && maxInlineSize(k, dir) >= MIN_INLINE_DATA_SIZE) {
    const made = createInlineData(k, dir, MIN_INLINE_DATA_SIZE);
    if (!isErr(made)) {
      setRawInode(k, dir, rawInode(k, dir).splice(I_BLOCK_AT, emptyInlineDir(parent)));
      inode.size = inode.disksize = MIN_INLINE_DATA_SIZE;
      return;
    }
    if (made.errno !== 'ENOSPC') return made;
  }
  const fresh = append(k, dir);
  if (isErr(fresh)) return fresh;
  const { metadataCsum: hasTail, filetype } = k.geo;
  const block = dirent.newDirBlock(dir, parent, { blockSize: k.blockSize, hasTail, filetype });
  writeDirBlock(k, dir, fresh.block, block, 'leaf');
}

/** The target of a long symlink gets a block. @source fs/ext4/namei.c ext4_init_symlink_block */
export function initSymlinkBlock(k: Kernel, ino: number, target: Bytes): Result<void> {
  if (!hasFlag(k, ino, 'extents')) return err('EOPNOTSUPP');
  const mapped = createBlock(k, ino, 0, { create: true, unwritten: false });
  if (isErr(mapped)) return mapped;
  getWriteAccess(k, mapped.block);
  setBuffer(k, mapped.block, Bytes.zero(k.blockSize).splice(0, target));
  dirtyMetadata(k, mapped.block, ino);
}
