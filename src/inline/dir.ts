/**
 * Inline directories: the entries of a small directory in the inode.
 *
 * ```
 * 0x28 i_block  ┌ parent ino, 4 bytes: all that is kept of ".."; "." is not kept ┐
 * 0x2c          │ chunk 1, 56 bytes of entries                                    │
 * value of      │ chunk 2, all that system.data can get at once, or nothing       │
 * system.data   └─────────────────────────────────────────────────────────────────┘
 * ```
 *
 * Entry: inode u32, recLen u16, nameLen u8, fileType u8, name; at least round4(8 + nameLen) bytes, a multiple of 4.
 * Entries never cross chunks, and the last one of a chunk reaches its end. inode 0 is an unused record.
 * There is no tail and no checksum of its own: the inode's covers the bytes.
 *
 * Names are byte strings (one char per byte). Nothing here touches size, links, times, i_version, INLINE_DATA or
 * checksums; `inlineOff` and `inlineSize` come back and are for the op layer to keep. Hash order (dir_index readdir)
 * is the caller's; casefolded and encrypted directories, whose entries carry hashes, are not modelled.
 */
import { Bytes } from '../bytes/bytes.ts';
import { type Field, type Layout, layout, u8, u16, u32 } from '../bytes/layout.ts';
import { err, isErr, type Result } from '../errno.ts';
import { DIRENT_TYPE, I_BLOCK_AT } from '../inode/layout.ts';
import { ibodyStart } from '../xattr/ibody.ts';
import {
  type InlineBytes,
  type InlinePlace,
  MIN_INLINE_DATA_SIZE,
  maxInlineXattrValueSize,
  readInlineData,
  updateInlineData,
} from './bytes.ts';

const fields = {
  inode: u32(0x00, '0: unused record'),
  recLen: u16(0x04),
  nameLen: u8(0x06),
  fileType: u8(0x07, '0 without the filetype feature'),
} satisfies Record<string, Field>;

/** The head of a directory entry; the name follows. @source fs/ext4/ext4.h struct ext4_dir_entry_2 */
export const direntLayout: Layout<typeof fields> = layout('ext4_dir_entry_2', 8, fields);

/** Bytes of i_block that hold the parent. @source fs/ext4/inline.c EXT4_INLINE_DOTDOT_SIZE */
export const INLINE_DOTDOT_SIZE = 4;

/** Bytes an entry needs at least. @source fs/ext4/ext4.h ext4_dir_rec_len */
export const direntLen = (nameLen: number): number => (nameLen + 8 + 3) & ~3;

/** An entry decoded; `at` is its byte offset from the inode start. */
export interface InlineDirent {
  readonly at: number;
  readonly ino: number;
  readonly recLen: number;
  readonly fileType: number;
  /** One char per byte. */
  readonly name: string;
}

/** A run of entries: byte offset from the inode start, and bytes. */
export interface InlineDirChunk {
  readonly at: number;
  readonly size: number;
}

const chunk1: InlineDirChunk = {
  at: I_BLOCK_AT + INLINE_DOTDOT_SIZE,
  size: MIN_INLINE_DATA_SIZE - INLINE_DOTDOT_SIZE,
};

/** @source fs/ext4/inline.c ext4_get_inline_xattr_pos */
const valueChunk = (raw: Bytes, place: InlinePlace): InlineDirChunk => ({
  at: ibodyStart(raw) + 4 + raw.u16(place.inlineOff + 2),
  size: place.inlineSize - MIN_INLINE_DATA_SIZE,
});

/** The chunk in i_block, and the one in the system.data value when that is not empty. */
export function inlineDirChunks(raw: Bytes, place: InlinePlace): readonly InlineDirChunk[] {
  return place.inlineSize > MIN_INLINE_DATA_SIZE ? [chunk1, valueChunk(raw, place)] : [chunk1];
}

/** The inode number of "..". */
export function inlineDirParent(raw: Bytes): number {
  return raw.u32(I_BLOCK_AT);
}

/** Points ".." elsewhere, as renaming a directory does. @source fs/ext4/namei.c ext4_rename_dir_finish */
export function setInlineDirParent(raw: Bytes, parent: number): Bytes {
  return raw.putU32(I_BLOCK_AT, parent);
}

/**
 * The 60 bytes of i_block of a new directory: the parent, and one unused record over the rest. The op layer creates
 * inline data of 60 bytes (`createInlineData`) and writes these at 0; size 60 and 2 links are its too.
 * @source fs/ext4/inline.c ext4_try_create_inline_dir
 */
export function emptyInlineDir(parent: number): Bytes {
  return Bytes.zero(MIN_INLINE_DATA_SIZE).edit((u8) => {
    putU32(u8, 0, parent);
    putU16(u8, INLINE_DOTDOT_SIZE + 4, chunk1.size);
  });
}

/**
 * All entries in use, chunk 1 first, without "." and "..".
 * @returns EUCLEAN when a record fails the kernel's check
 */
export function inlineDirEntries(
  raw: Bytes,
  place: InlinePlace,
  inodesCount?: number,
): Result<InlineDirent[]> {
  return raw.reading((view) => {
    const entries: InlineDirent[] = [];
    for (const { at: start, size } of inlineDirChunks(raw, place)) {
      for (let at = start; at < start + size; at += recLenAt(view, at)) {
        if (checkDirent(view, start, size, at, inodesCount) !== undefined) return err('EUCLEAN');
        if (inodeAt(view, at) !== 0) entries.push(decodeDirent(view, at));
      }
    }
    return entries;
  });
}

/**
 * The entry of this name, undefined when there is none. "." and ".." are not entries: `inlineDirParent`.
 * @param name  one char per byte
 * @returns     EUCLEAN when the record found fails the check, or a recLen is 0
 * @source      fs/ext4/inline.c ext4_find_inline_entry; fs/ext4/namei.c ext4_search_dir
 */
export function findInlineDirent(
  raw: Bytes,
  place: InlinePlace,
  name: string,
  inodesCount?: number,
): Result<InlineDirent | undefined> {
  return raw.reading((view) => {
    for (const { at: start, size } of inlineDirChunks(raw, place)) {
      for (let at = start; at < start + size - 8; ) {
        if (at + 8 + view[at + 6]! <= start + size && matches(view, at, name)) {
          return checkDirent(view, start, size, at, inodesCount) === undefined
            ? decodeDirent(view, at)
            : err('EUCLEAN');
        }
        const recLen = recLenAt(view, at);
        if (recLen === 0) return err('EUCLEAN');
        at += recLen;
      }
    }
    return undefined;
  });
}

/** What adding an entry left: where it is, or undefined when the directory must be converted to a block. */
export interface InlineDirInsert extends InlineBytes {
  readonly at: number | undefined;
}

/**
 * Adds an entry: to chunk 1, else to chunk 2, which is created at full size when there is none. When neither has
 * room `at` is undefined and the caller converts **these** bytes, grown chunk included, then adds to the block.
 * @param entry   name: one char per byte, 1…255
 * @returns       EEXIST when the scan for room passes the same name; EUCLEAN when a record fails the check
 * @source        fs/ext4/inline.c ext4_try_add_inline_entry, ext4_add_dirent_to_inline
 */
export function insertInlineDirent(
  raw: Bytes,
  place: InlinePlace,
  entry: { readonly ino: number; readonly name: string; readonly fileType: number },
  inodesCount?: number,
): Result<InlineDirInsert> {
  const inFirst = insertInChunk(raw, chunk1, entry, inodesCount);
  if (isErr(inFirst)) return inFirst;
  if (inFirst !== undefined) return { ...inFirst, inlineOff: place.inlineOff, inlineSize: place.inlineSize };

  let now: InlineBytes = { raw, inlineOff: place.inlineOff, inlineSize: place.inlineSize };
  if (now.inlineSize === MIN_INLINE_DATA_SIZE) {
    const grown = growInlineDir(raw, now);
    if (!isErr(grown)) now = grown;
    else if (grown.errno !== 'ENOSPC') return grown;
  }
  if (now.inlineSize > MIN_INLINE_DATA_SIZE) {
    const inSecond = insertInChunk(now.raw, valueChunk(now.raw, now), entry, inodesCount);
    if (isErr(inSecond)) return inSecond;
    if (inSecond !== undefined) return { ...now, ...inSecond };
  }
  return { ...now, at: undefined };
}

/**
 * Gives system.data all the room that is left and covers it with one unused record (or stretches the last record of
 * a value that is there). Size and disksize become inlineSize: the op layer's.
 * @returns ENOSPC when no more than one smallest entry (12 bytes) would be won
 * @source  fs/ext4/inline.c ext4_update_inline_dir, ext4_update_final_de
 */
export function growInlineDir(raw: Bytes, place: InlinePlace): Result<InlineBytes> {
  const oldSize = place.inlineSize - MIN_INLINE_DATA_SIZE;
  const newSize = maxInlineXattrValueSize(raw, place.inlineOff);
  if (newSize - oldSize <= direntLen(1)) return err('ENOSPC');
  const grown = updateInlineData(raw, place, newSize + MIN_INLINE_DATA_SIZE);
  if (isErr(grown)) return grown;
  const { at, size } = valueChunk(grown.raw, grown);
  return { ...grown, raw: grown.raw.edit((u8) => stretchLast(u8, at, oldSize, size)) };
}

/**
 * Removes the entry at `at`: its record joins the one before it in the chunk, and its bytes are wiped; the first
 * record of a chunk keeps its recLen instead.
 * @param at  byte offset from the inode start, as `findInlineDirent` returned it
 * @returns   ENOENT when no record starts there; EUCLEAN when a record fails the check
 * @source    fs/ext4/inline.c ext4_delete_inline_entry; fs/ext4/namei.c ext4_generic_delete_entry
 */
export function removeInlineDirent(
  raw: Bytes,
  place: InlinePlace,
  at: number,
  inodesCount?: number,
): Result<Bytes> {
  const { at: start, size } = at - I_BLOCK_AT < MIN_INLINE_DATA_SIZE ? chunk1 : valueChunk(raw, place);
  let before = 0;
  const seen = raw.reading((view): Result<number> => {
    for (let here = start; here < start + size; here += recLenAt(view, here)) {
      if (checkDirent(view, start, size, here, inodesCount) !== undefined) return err('EUCLEAN');
      if (here === at) return recLenAt(view, at);
      before = here;
    }
    return err('ENOENT');
  });
  if (isErr(seen)) return seen;
  return raw.edit((u8) => {
    if (before !== 0) {
      putU16(u8, before + 4, recLenAt(u8, before) + seen);
      u8.fill(0, at, at + seen);
    } else {
      putU32(u8, at, 0);
      u8.fill(0, at + 6, at + seen);
    }
  });
}

/**
 * Points an entry at another inode, as rename over an existing name does.
 * @param fileType  left as it is when undefined (no filetype feature)
 * @source          fs/ext4/namei.c ext4_setent
 */
export function setInlineDirent(raw: Bytes, at: number, ino: number, fileType?: number): Bytes {
  return raw.edit((u8) => {
    putU32(u8, at, ino);
    if (fileType !== undefined) u8[at + 7] = fileType;
  });
}

/**
 * May it be removed? False as well when ".." is missing or a record fails the check.
 * @source fs/ext4/inline.c empty_inline_dir
 */
export function isEmptyInlineDir(raw: Bytes, place: InlinePlace, inodesCount?: number): boolean {
  if (inlineDirParent(raw) === 0) return false;
  const entries = inlineDirEntries(raw, place, inodesCount);
  return !isErr(entries) && entries.length === 0;
}

/**
 * The directory block that takes over: "." and "..", then the inline bytes from the first entry on verbatim, the last
 * record stretched to the end, and an empty tail whose checksum the caller fills in (crc32c over block[0 .. −12)).
 * Size and disksize become the block size: the op layer's, as is everything around it (destroyInlineData, the map).
 * @param options.tail      metadata_csum: keep 12 bytes for the tail
 * @param options.filetype  false leaves the types of "." and ".." 0
 * @returns                 EUCLEAN when a record fails the check, before anything is touched
 * @source                  fs/ext4/inline.c ext4_convert_inline_data_nolock, ext4_finish_convert_inline_dir
 */
export function inlineDirToBlock(
  raw: Bytes,
  place: InlinePlace,
  ino: number,
  options: {
    readonly blockSize: number;
    readonly tail: boolean;
    readonly filetype?: boolean;
    readonly inodesCount?: number;
  },
): Result<Bytes> {
  const { blockSize, tail, filetype = true, inodesCount } = options;
  const inline = readInlineData(raw, place, place.inlineSize);
  const sound = inline.reading((view) => {
    let at = INLINE_DOTDOT_SIZE;
    for (; at < view.length; at += recLenAt(view, at)) {
      const size = view.length - INLINE_DOTDOT_SIZE;
      if (checkDirent(view, INLINE_DOTDOT_SIZE, size, at, inodesCount) !== undefined) return false;
    }
    return at === view.length;
  });
  if (!sound) return err('EUCLEAN');
  return Bytes.zero(blockSize).edit((u8) => {
    writeDirent(u8, 0, ino, 12, filetype ? DIRENT_TYPE.dir : 0, '.');
    writeDirent(u8, 12, inline.u32(0), 12, filetype ? DIRENT_TYPE.dir : 0, '..');
    inline.copyTo(u8, 24, INLINE_DOTDOT_SIZE, inline.length);
    stretchLast(u8, 0, 24 + inline.length - INLINE_DOTDOT_SIZE, blockSize - (tail ? 12 : 0));
    if (!tail) return;
    putU16(u8, blockSize - 12 + 4, 12);
    u8[blockSize - 12 + 7] = DIRENT_TYPE.dirCsum;
  });
}

/** One line of readdir(3): `pos` is the offset at which it is found, `next` where the following one starts. */
export interface InlineDirLine {
  readonly pos: number;
  readonly next: number;
  readonly ino: number;
  readonly name: string;
  readonly fileType: number;
}

/** "." and ".." take 24 bytes in a block and 4 here: offsets of the other entries are 20 larger than inline ones. */
const EXTRA_OFFSET = 12 + 12 - INLINE_DOTDOT_SIZE;

/**
 * What readdir(3) gives from `pos` on in a volume without dir_index: the offsets of the block directory that this
 * would be. A record that fails the check ends the list.
 * @source fs/ext4/inline.c ext4_read_inline_dir
 */
export function readInlineDir(
  raw: Bytes,
  place: InlinePlace,
  ino: number,
  pos = 0,
  inodesCount?: number,
): InlineDirLine[] {
  const inline = readInlineData(raw, place, place.inlineSize);
  const extraSize = EXTRA_OFFSET + inline.length;
  const lines: InlineDirLine[] = [];
  inline.reading((view) => {
    while (pos < extraSize) {
      let next: number;
      if (pos === 0) {
        lines.push({ pos, next: (next = 12), ino, name: '.', fileType: DIRENT_TYPE.dir });
      } else if (pos === 12) {
        lines.push({ pos, next: (next = 24), ino: inodeAt(view, 0), name: '..', fileType: DIRENT_TYPE.dir });
      } else {
        const at = pos - EXTRA_OFFSET;
        if (at < 0 || at + direntLen(1) > inline.length) break;
        if (checkDirent(view, 0, inline.length, at, inodesCount) !== undefined) break;
        next = pos + recLenAt(view, at);
        if (inodeAt(view, at) !== 0) {
          const { ino: child, name, fileType } = decodeDirent(view, at);
          lines.push({ pos, next, ino: child, name, fileType });
        }
      }
      pos = next;
    }
  });
  return lines;
}

/**
 * Where a readdir that stopped at `pos` goes on after the directory has changed: at the first record that starts at
 * or after it.
 * @source fs/ext4/inline.c ext4_read_inline_dir (the cookie check)
 */
export function resumeInlineDir(raw: Bytes, place: InlinePlace, pos: number): number {
  const inline = readInlineData(raw, place, place.inlineSize);
  const extraSize = EXTRA_OFFSET + inline.length;
  return inline.reading((view) => {
    let at = 0;
    while (at < extraSize && at < pos) {
      if (at === 0) at = 12;
      else if (at === 12) at = 24;
      else {
        if (at + direntLen(1) > extraSize) break;
        const recLen = recLenAt(view, at - EXTRA_OFFSET);
        if (recLen < direntLen(1)) break;
        at += recLen;
      }
    }
    return at;
  });
}

/**
 * Why the kernel refuses the record at `at` of the buffer `[start, start + size)`, in its words, or undefined.
 * @source fs/ext4/dir.c __ext4_check_dir_entry
 */
export function checkDirent(
  view: Uint8Array,
  start: number,
  size: number,
  at: number,
  inodesCount: number = 0xffff_ffff,
): string | undefined {
  const recLen = recLenAt(view, at);
  const nameLen = view[at + 6]!;
  const next = at - start + recLen;
  if (recLen < direntLen(1)) return 'rec_len is smaller than minimal';
  if (recLen % 4 !== 0) return 'rec_len % 4 != 0';
  if (recLen < direntLen(nameLen)) return 'rec_len is too small for name_len';
  if (next > size) return 'directory entry overrun';
  if (next > size - direntLen(1) && next !== size) return 'directory entry too close to block end';
  if (inodeAt(view, at) > inodesCount) return 'inode out of bounds';
  if (next === size && nameLen === 1 && view[at + 8] === 0x2e) {
    return "'.' directory cannot be the last in data block";
  }
  return undefined;
}

/**
 * Adds an entry to one run of records, in an inode or in a block; undefined when it has no room.
 * @source fs/ext4/namei.c ext4_find_dest_de, ext4_insert_dentry
 */
export function insertInChunk(
  raw: Bytes,
  chunk: InlineDirChunk,
  entry: { readonly ino: number; readonly name: string; readonly fileType: number },
  inodesCount?: number,
): Result<{ raw: Bytes; at: number }> | undefined {
  const dest = raw.reading((view) => findDest(view, chunk, entry.name, inodesCount));
  if (typeof dest !== 'number') return dest;
  let at = dest;
  const next = raw.edit((u8) => {
    let recLen = recLenAt(u8, dest);
    if (inodeAt(u8, dest) !== 0) {
      const used = direntLen(u8[dest + 6]!);
      at = dest + used;
      recLen -= used;
      putU16(u8, dest + 4, used);
    }
    writeDirent(u8, at, entry.ino, recLen, entry.fileType, entry.name);
  });
  return { raw: next, at };
}

/** The record with room for this name, undefined when none has. @source fs/ext4/namei.c ext4_find_dest_de */
const findDest = (
  view: Uint8Array,
  { at: start, size }: InlineDirChunk,
  name: string,
  inodesCount: number | undefined,
): Result<number> | undefined => {
  const need = direntLen(name.length);
  let at = start;
  while (at <= start + size - need) {
    if (checkDirent(view, start, size, at, inodesCount) !== undefined) return err('EUCLEAN');
    if (matches(view, at, name)) return err('EEXIST');
    const recLen = recLenAt(view, at);
    if ((inodeAt(view, at) !== 0 ? recLen - direntLen(view[at + 6]!) : recLen) >= need) return at;
    at += recLen;
  }
  return undefined;
};

/** @source fs/ext4/inline.c ext4_update_final_de */
const stretchLast = (u8: Uint8Array, start: number, oldSize: number, newSize: number): void => {
  if (oldSize === 0) {
    putU32(u8, start, 0);
    putU16(u8, start + 4, newSize);
    return;
  }
  let last = start;
  for (let at = start; at < start + oldSize; at += recLenAt(u8, at)) last = at;
  putU16(u8, last + 4, recLenAt(u8, last) + newSize - oldSize);
};

const matches = (view: Uint8Array, at: number, name: string): boolean => {
  if (inodeAt(view, at) === 0 || view[at + 6] !== name.length) return false;
  for (let i = 0; i < name.length; i++) if (view[at + 8 + i] !== name.charCodeAt(i)) return false;
  return true;
};

const decodeDirent = (view: Uint8Array, at: number): InlineDirent => {
  let name = '';
  for (let i = 0; i < view[at + 6]!; i++) name += String.fromCharCode(view[at + 8 + i]!);
  return { at, ino: inodeAt(view, at), recLen: recLenAt(view, at), fileType: view[at + 7]!, name };
};

const writeDirent = (
  u8: Uint8Array,
  at: number,
  ino: number,
  recLen: number,
  fileType: number,
  name: string,
): void => {
  putU32(u8, at, ino);
  putU16(u8, at + 4, recLen);
  u8[at + 6] = name.length;
  u8[at + 7] = fileType;
  for (let i = 0; i < name.length; i++) u8[at + 8 + i] = name.charCodeAt(i);
};

const inodeAt = (view: Uint8Array, at: number): number =>
  (view[at]! | (view[at + 1]! << 8) | (view[at + 2]! << 16) | (view[at + 3]! << 24)) >>> 0;
const recLenAt = (view: Uint8Array, at: number): number => view[at + 4]! | (view[at + 5]! << 8);
const putU16 = (u8: Uint8Array, at: number, value: number): void => {
  u8[at] = value;
  u8[at + 1] = value >>> 8;
};
const putU32 = (u8: Uint8Array, at: number, value: number): void => {
  putU16(u8, at, value);
  putU16(u8, at + 2, value >>> 16);
};
