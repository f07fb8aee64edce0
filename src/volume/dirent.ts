/**
 * Linear directory blocks: records one after another, the last reaching the end of the block, or the checksum
 * tail when the volume has metadata_csum.
 *
 *     record   inode le32 · rec_len le16 · name_len u8 · file_type u8 · name, padded to a multiple of 4
 *     tail     00000000 · 0c00 · 00 · de · checksum le32                        (12 bytes, looks like an empty record)
 *
 * Invariants: rec_len is a multiple of 4, at least 12, at least 8 + name_len; records tile the block. Inode 0
 * marks a free record. Deleting gives the record's bytes to the one before it, and wipes them.
 *
 * An inline directory's chunks hold the same records without a tail: `readDirents` reads them too. An htree's
 * root and inner blocks look like almost empty linear blocks to this file, which is what the format intends.
 *
 * Every changing function leaves the checksum stale; `withDirBlockChecksum` makes it right when the block leaves.
 */
import { Bytes } from '../bytes/bytes.ts';
import { crc32cBytes } from '../bytes/crc32c.ts';
import { layout, u8, u16, u32 } from '../bytes/layout.ts';
import { err, type KernelError, type Result } from '../errno.ts';
import { DIRENT_TYPE } from './rawInode.ts';

/** @source fs/ext4/ext4.h struct ext4_dir_entry_2 (without the name) */
export const direntLayout = layout('ext4_dir_entry_2', 8, {
  inode: u32(0x00, '0 is free'),
  recLen: u16(0x04),
  nameLen: u8(0x06),
  fileType: u8(0x07),
});

/** @source fs/ext4/ext4.h struct ext4_dir_entry_tail */
export const direntTailLayout = layout('ext4_dir_entry_tail', 12, {
  reservedZero1: u32(0x00),
  recLen: u16(0x04, '12'),
  reservedZero2: u8(0x06),
  reservedFt: u8(0x07, '0xDE'),
  checksum: u32(0x08),
});

export const DIRENT_TAIL_SIZE = 12;
/** @source fs/ext4/ext4.h EXT4_NAME_LEN */
export const NAME_MAX = 255;

/** One record. Offsets and lengths are bytes from the start of the block. */
export interface Dirent {
  readonly offset: number;
  /** 0 for a free record. */
  readonly ino: number;
  readonly recLen: number;
  readonly fileType: number;
  readonly name: Bytes;
}

/** A name as callers have it: text is taken as UTF-8. */
export type Name = string | Bytes;

/** What bounds a record besides its block. */
export interface DirentRules {
  /** Inodes of the volume; any number passes when undefined. */
  readonly inodesCount?: number | undefined;
  /** The volume has metadata_csum, so that 12 bytes may stay after the last record. */
  readonly hasTail?: boolean | undefined;
}

export interface DirentProblem {
  readonly offset: number;
  /** In the kernel's words. */
  readonly problem: string;
  readonly found: string;
}

/** Bytes a record with a name of this many bytes takes. @source fs/ext4/ext4.h ext4_dir_rec_len */
export function direntLen(nameLen: number): number {
  return (8 + nameLen + 3) & ~3;
}

/**
 * The records of a block, or of one chunk of an inline directory; the tail is not among them.
 * @returns  records up to the first broken one, and what is wrong with that one
 * @source   fs/ext4/dir.c __ext4_check_dir_entry
 */
export function readDirents(
  chunk: Bytes,
  rules: DirentRules = {},
): { entries: Dirent[]; problem?: DirentProblem } {
  const entries: Dirent[] = [];
  const end = rules.hasTail ? chunk.length - DIRENT_TAIL_SIZE : chunk.length;
  for (let offset = 0; offset < end; ) {
    const problem = direntProblem(chunk, offset, end, rules);
    if (problem !== undefined) return { entries, problem };
    const entry = direntAt(chunk, offset);
    entries.push(entry);
    offset += entry.recLen;
  }
  return { entries };
}

/**
 * What is wrong with the record at `offset`; undefined when nothing is.
 * @param end     where the records must end
 * @source        fs/ext4/dir.c __ext4_check_dir_entry
 */
export function direntProblem(
  chunk: Bytes,
  offset: number,
  end: number,
  rules: DirentRules = {},
): DirentProblem | undefined {
  const bad = (problem: string, found: string): DirentProblem => ({ offset, problem, found });
  if (offset + direntLayout.size > chunk.length || offset + direntLen(1) > end) {
    return bad('directory entry overrun', `${end - offset} bytes`);
  }
  const record = direntLayout.decode(chunk, offset);
  const next = offset + record.recLen;
  const recLen = `rec_len ${record.recLen}`;
  if (record.recLen < direntLen(1)) return bad('rec_len is smaller than minimal', recLen);
  if (record.recLen % 4 !== 0) return bad('rec_len % 4 != 0', recLen);
  if (record.recLen < direntLen(record.nameLen)) {
    return bad('rec_len is too small for name_len', `${recLen}, name_len ${record.nameLen}`);
  }
  if (next > end) return bad('directory entry overrun', recLen);
  if (next > end - direntLen(1) && next !== end) return bad('directory entry too close to block end', recLen);
  if (rules.inodesCount !== undefined && record.inode > rules.inodesCount) {
    return bad('inode out of bounds', `inode ${record.inode}`);
  }
  if (next === end && record.nameLen === 1 && chunk.u8(offset + 8) === DOT) {
    return bad("'.' directory cannot be the last in data block", recLen);
  }
  return undefined;
}

/**
 * The record with this name.
 * @returns  undefined when there is none; EUCLEAN when a record before it is broken
 * @source   fs/ext4/namei.c ext4_search_dir
 */
export function lookup(block: Bytes, name: Name, rules: DirentRules = {}): Result<Dirent | undefined> {
  const wanted = nameBytes(name);
  const { entries, problem } = readDirents(block, rules);
  const found = entries.find((entry) => entry.ino !== 0 && entry.name.equals(wanted));
  if (found !== undefined) return found;
  return problem === undefined ? undefined : err('EUCLEAN');
}

/**
 * The block with one more name, in the first record with room: a free one, or the slack behind a name.
 * @param fileType  as `direntTypeOf` gives; 0 without the filetype feature
 * @returns         'full' when no record has room; EEXIST; EUCLEAN for a broken record; checksum left stale
 * @source          fs/ext4/namei.c add_dirent_to_buf, ext4_find_dest_de, ext4_insert_dentry
 */
export function insert(
  block: Bytes,
  ino: number,
  name: Name,
  fileType: number,
  rules: DirentRules = {},
): Bytes | 'full' | KernelError {
  const wanted = nameBytes(name);
  if (wanted.length === 0 || wanted.length > NAME_MAX)
    throw new RangeError(`a name has 1..${NAME_MAX} bytes`);
  const need = direntLen(wanted.length);
  const end = rules.hasTail ? block.length - DIRENT_TAIL_SIZE : block.length;
  for (let offset = 0; offset <= end - need; ) {
    if (direntProblem(block, offset, end, rules) !== undefined) return err('EUCLEAN');
    const entry = direntAt(block, offset);
    if (entry.ino !== 0 && entry.name.equals(wanted)) return err('EEXIST');
    const used = entry.ino === 0 ? 0 : direntLen(entry.name.length);
    if (entry.recLen - used >= need) {
      const at = offset + used;
      return block.edit((target) => {
        if (used > 0) direntLayout.write(target, { recLen: used }, offset);
        direntLayout.write(
          target,
          { inode: ino, recLen: entry.recLen - used, nameLen: wanted.length, fileType },
          at,
        );
        wanted.copyTo(target, at + direntLayout.size);
      });
    }
    offset += entry.recLen;
  }
  return 'full';
}

/**
 * The block without one name. The record joins the one before it and is wiped; the first record of the block is
 * only emptied.
 * @returns  ENOENT when the name is not there; EUCLEAN for a broken record; checksum left stale
 * @source   fs/ext4/namei.c ext4_generic_delete_entry
 */
export function remove(block: Bytes, name: Name, rules: DirentRules = {}): Result<Bytes> {
  const found = lookup(block, name, rules);
  if (found === undefined) return err('ENOENT');
  if ('errno' in found) return found;
  const { entries } = readDirents(block, rules);
  const before = entries[entries.findIndex((entry) => entry.offset === found.offset) - 1];
  return block.edit((target) => {
    if (before === undefined) {
      direntLayout.write(target, { inode: 0 }, found.offset);
      target.fill(0, found.offset + direntLayout.fields.nameLen.at, found.offset + found.recLen);
    } else {
      direntLayout.write(target, { recLen: before.recLen + found.recLen }, before.offset);
      target.fill(0, found.offset, found.offset + found.recLen);
    }
  });
}

/**
 * The block with one name pointing to another inode, as rename over it and `..` of a moved directory need.
 * @returns  ENOENT when the name is not there; EUCLEAN for a broken record; checksum left stale
 * @source   fs/ext4/namei.c ext4_setent
 */
export function replace(
  block: Bytes,
  name: Name,
  ino: number,
  fileType: number,
  rules: DirentRules = {},
): Result<Bytes> {
  const found = lookup(block, name, rules);
  if (found === undefined) return err('ENOENT');
  if ('errno' in found) return found;
  return direntLayout.put(block, { inode: ino, fileType }, found.offset);
}

/** What the first block of a new directory is made of. */
export interface NewDirBlock {
  readonly blockSize: number;
  /** metadata_csum: leave room for the tail, and write it. */
  readonly hasTail: boolean;
  /** Records carry a file type. */
  readonly filetype: boolean;
}

/**
 * A directory's first block: `.` and `..`, the second reaching the end; checksum left zero.
 * @source fs/ext4/namei.c ext4_init_new_dir, ext4_init_dot_dotdot
 */
export function newDirBlock(ino: number, parent: number, shape: NewDirBlock): Bytes {
  const fileType = shape.filetype ? DIRENT_TYPE.directory : 0;
  const end = shape.hasTail ? shape.blockSize - DIRENT_TAIL_SIZE : shape.blockSize;
  const block = Bytes.zero(shape.blockSize).edit((target) => {
    direntLayout.write(target, { inode: ino, recLen: 12, nameLen: 1, fileType }, 0);
    target[8] = DOT;
    direntLayout.write(target, { inode: parent, recLen: end - 12, nameLen: 2, fileType }, 12);
    target.fill(DOT, 20, 22);
  });
  return shape.hasTail ? withTail(block) : block;
}

/** A further block: one free record; checksum left zero. @source fs/ext4/namei.c ext4_add_entry */
export function emptyDirBlock(shape: Omit<NewDirBlock, 'filetype'>): Bytes {
  const end = shape.hasTail ? shape.blockSize - DIRENT_TAIL_SIZE : shape.blockSize;
  const block = direntLayout.put(Bytes.zero(shape.blockSize), { recLen: end });
  return shape.hasTail ? withTail(block) : block;
}

/** The block with a tail in its last 12 bytes, checksum zero. @source fs/ext4/namei.c ext4_initialize_dirent_tail */
export function withTail(block: Bytes): Bytes {
  return block.edit((target) => {
    const at = block.length - DIRENT_TAIL_SIZE;
    target.fill(0, at);
    direntTailLayout.write(target, { recLen: DIRENT_TAIL_SIZE, reservedFt: 0xde }, at);
  });
}

/** True when the last 12 bytes are a checksum tail. @source fs/ext4/namei.c get_dirent_tail */
export function hasDirentTail(block: Bytes): boolean {
  const tail = direntTailLayout.decode(block, block.length - DIRENT_TAIL_SIZE);
  return (
    tail.reservedZero1 === 0 &&
    tail.recLen === DIRENT_TAIL_SIZE &&
    tail.reservedZero2 === 0 &&
    tail.reservedFt === 0xde
  );
}

/**
 * @param inodeSeed  of the directory's inode
 * @source           fs/ext4/namei.c ext4_dirblock_csum
 */
export function dirBlockChecksum(inodeSeed: number, block: Bytes): number {
  return crc32cBytes(inodeSeed, block, 0, block.length - DIRENT_TAIL_SIZE);
}

/** The block with the checksum of its tail made right; it must have a tail. */
export function withDirBlockChecksum(inodeSeed: number, block: Bytes): Bytes {
  return block.putU32(block.length - 4, dirBlockChecksum(inodeSeed, block));
}

export function nameBytes(name: Name): Bytes {
  return typeof name === 'string' ? Bytes.fromText(name) : name;
}

/** A name as text: UTF-8, with `\xNN` for bytes that are not, for `\` and for control characters. */
export function nameText(name: Bytes): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(name.toUint8Array());
    return Array.from(text, (char) =>
      char < ' ' || char === '\\' || char === '\x7f' ? escaped(char.charCodeAt(0)) : char,
    ).join('');
  } catch {
    return Array.from(name.toUint8Array(), (byte) =>
      byte < 0x20 || byte > 0x7e || byte === 0x5c ? escaped(byte) : String.fromCharCode(byte),
    ).join('');
  }
}

const DOT = 0x2e;

const escaped = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;

function direntAt(chunk: Bytes, offset: number): Dirent {
  const record = direntLayout.decode(chunk, offset);
  const from = offset + direntLayout.size;
  return {
    offset,
    ino: record.inode,
    recLen: record.recLen,
    fileType: record.fileType,
    name: chunk.slice(from, Math.min(from + record.nameLen, chunk.length)),
  };
}
