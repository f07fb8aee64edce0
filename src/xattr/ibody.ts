/**
 * Xattrs in the inode body: what follows the extra fields, up to the end of the inode.
 *
 * ```
 * 0x80 + extraIsize ┌ header: magic 0xEA020000 ┐  there exactly while at least one entry is
 *              + 4  │ entries, in creation order …  (xattr/entry.ts; offsets count from here)
 *   s_inode_size    └ … values, the newest lowest
 * ```
 *
 * A raw inode is a `Bytes` of s_inode_size bytes whose extraIsize has been stored; a new inode whose raw bytes are
 * still zero has none yet. `EXT4_STATE_XATTR` is not consulted: for every inode that iget accepted it equals "the
 * magic is there". After anything that removes an entry the system.data entry may have moved: the op layer calls
 * `findInlineData` again, as ext4_xattr_set_entry does.
 *
 * Functions that do not say so expect bytes that `checkIbody` accepts.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { err, type Result } from '../errno.ts';
import { extraIsizeOf, GOOD_OLD_INODE_SIZE, inodeLayout } from '../inode/layout.ts';
import {
  checkEntries,
  decodeEntries,
  decodeEntry,
  entryLen,
  findEntryAt,
  freeBytes,
  setEntry,
  valueSpan,
  XATTR_MAGIC,
  type XattrEntry,
  xattrEntryLayout,
} from './entry.ts';

export type { XattrEntry } from './entry.ts';

/** Byte offset of the ibody header; the first entry is 4 bytes further. @source fs/ext4/xattr.h IHDR */
export function ibodyStart(raw: Bytes): number {
  return GOOD_OLD_INODE_SIZE + extraIsizeOf(raw);
}

/** Room for a header and a terminator? @source fs/ext4/xattr.h EXT4_INODE_HAS_XATTR_SPACE */
export function hasXattrSpace(raw: Bytes, inodeSize: number = raw.length): boolean {
  const extra = extraIsizeOf(raw);
  return extra !== 0 && GOOD_OLD_INODE_SIZE + extra + 8 <= inodeSize;
}

/** True when the inode body holds at least one xattr: space, and the magic. */
export function hasIbody(raw: Bytes, inodeSize: number = raw.length): boolean {
  return hasXattrSpace(raw, inodeSize) && raw.u32(ibodyStart(raw)) === XATTR_MAGIC;
}

/** The entries in list order, which is creation order; empty without a header. */
export function ibodyEntries(raw: Bytes): readonly XattrEntry[] {
  if (!hasIbody(raw)) return [];
  const first = ibodyStart(raw) + 4;
  return raw.reading((view) => decodeEntries(view, first, first, view.length));
}

/**
 * Where the entry is, without decoding or allocating it.
 * @param name  one char per byte, without the prefix
 * @returns     byte offset from the inode start; 0 when there is none; -1 when the list is corrupt
 * @source      fs/ext4/xattr.c ext4_xattr_ibody_find
 */
export function ibodyEntryAt(raw: Bytes, nameIndex: number, name: string): number {
  if (!hasIbody(raw)) return 0;
  const at = raw.reading((view) =>
    findEntryAt(view, ibodyStart(raw) + 4, view.length, nameIndex, name, false),
  );
  return at > 0 ? at : at === 0 ? -1 : 0;
}

/**
 * The entry, undefined when there is none, EUCLEAN when the list runs off the inode.
 * @source fs/ext4/xattr.c ext4_xattr_ibody_find
 */
export function findIbodyEntry(raw: Bytes, nameIndex: number, name: string): Result<XattrEntry | undefined> {
  const at = ibodyEntryAt(raw, nameIndex, name);
  if (at < 0) return err('EUCLEAN');
  return at === 0 ? undefined : raw.reading((view) => decodeEntry(view, at, ibodyStart(raw) + 4));
}

/** The value of an entry that is stored here (not in an ea inode). */
export function ibodyValue(raw: Bytes, entry: XattrEntry): Bytes {
  return entry.valueSize === 0 ? raw.slice(0, 0) : raw.slice(entry.valueAt, entry.valueAt + entry.valueSize);
}

/**
 * Bytes that a new entry and its padded value may take together; what the terminator needs is already off.
 * @returns bytes, 0 without xattr space
 */
export function ibodyFreeBytes(raw: Bytes): number {
  if (!hasXattrSpace(raw)) return 0;
  const first = ibodyStart(raw) + 4;
  if (!hasIbody(raw)) return raw.length - first - 4;
  return raw.reading((view) => freeBytes(view, first, first, view.length));
}

/** Would a new entry of this name and value size fit? */
export function fitsIbody(raw: Bytes, nameLen: number, valueSize: number): boolean {
  return hasXattrSpace(raw) && entryLen(nameLen) + valueSpan(valueSize) <= ibodyFreeBytes(raw);
}

/**
 * Creates, replaces or (value null) removes an entry: byte for byte what ext4_xattr_ibody_find followed by
 * ext4_xattr_ibody_set leaves, entry hash 0 and header magic included.
 *
 * Left to the op layer: EXT4_STATE_XATTR, re-finding system.data after a removal, the "value did not change" short
 * cut of ext4_xattr_set_handle, ctime, i_version, the checksum.
 *
 * @param name   one char per byte, without the prefix, at most 255
 * @returns      the new raw inode; ENOSPC when it does not fit; ENODATA when there is nothing to remove; EUCLEAN
 *               when the list is corrupt
 * @source       fs/ext4/xattr.c ext4_xattr_ibody_set, ext4_xattr_set_entry
 */
export function setIbodyEntry(
  raw: Bytes,
  nameIndex: number,
  name: string,
  value: Bytes | null,
): Result<Bytes> {
  if (!hasXattrSpace(raw)) return err(value === null ? 'ENODATA' : 'ENOSPC');
  const start = ibodyStart(raw);
  const first = start + 4;
  let here = first;
  let found = false;
  if (raw.u32(start) === XATTR_MAGIC) {
    const at = raw.reading((view) => findEntryAt(view, first, view.length, nameIndex, name, false));
    if (at === 0) return err('EUCLEAN');
    found = at > 0;
    here = found ? at : -at;
  }
  if (!found && value === null) return err('ENODATA');
  return setIbodyEntryAt(raw, here, found, nameIndex, name, value);
}

/**
 * `setIbodyEntry` for a caller that has already looked: `here` is the entry, or where the list ends.
 * @param value     bytes to store; a Uint8Array is only read, and must not be the inode's own
 * @param alsoEdit  more to change in the same copy, when the entry could be set (inline data clears i_block)
 */
export function setIbodyEntryAt(
  raw: Bytes,
  here: number,
  found: boolean,
  nameIndex: number,
  name: string,
  value: Bytes | Uint8Array | null,
  alsoEdit?: (scratch: Uint8Array) => void,
): Result<Bytes> {
  const start = ibodyStart(raw);
  const first = start + 4;
  let failed: ReturnType<typeof setEntry>;
  const next = raw.edit((u8) => {
    failed = setEntry(u8, first, first, u8.length, here, found, nameIndex, name, value, false);
    if (failed !== undefined) return;
    const magic = (u8[first]! | u8[first + 1]! | u8[first + 2]! | u8[first + 3]!) === 0 ? 0 : XATTR_MAGIC;
    u8[start] = magic;
    u8[start + 1] = magic >>> 8;
    u8[start + 2] = magic >>> 16;
    u8[start + 3] = magic >>> 24;
    alsoEdit?.(u8);
  });
  return failed === undefined ? next : err(failed);
}

/**
 * Why iget refuses the inode body, in the kernel's words, or undefined; a body without header is not looked at.
 * @param validEaIno  which ea inode numbers are possible; left out when the ea_inode feature is off
 * @source            fs/ext4/inode.c ext4_iget_extra_inode, fs/ext4/xattr.c check_xattrs
 */
export function checkIbody(raw: Bytes, validEaIno?: (ino: number) => boolean): string | undefined {
  if (!hasIbody(raw)) return undefined;
  const first = ibodyStart(raw) + 4;
  return raw.reading((view) => checkEntries(view, first, view.length, first, validEaIno));
}

/**
 * What byte `at` of a raw inode is, for diffs and hexdumps: a field of struct ext4_inode, the ibody header, a field
 * of an entry (`7:data.valueOffs`), a byte of a value (`7:data value`), or `ibody free`.
 */
export function inodeByteLabel(raw: Bytes, at: number): string {
  const start = ibodyStart(raw);
  if (at < GOOD_OLD_INODE_SIZE || at < start) return inodeLayout.fieldAt(at) ?? 'extra';
  if (!hasIbody(raw)) return 'ibody free';
  if (at < start + 4) return 'ibodyHeader.magic';
  for (const entry of ibodyEntries(raw)) {
    const label = `${entry.nameIndex}:${entry.name}`;
    const offset = at - entry.at;
    if (offset >= 0 && offset < entryLen(entry.name.length)) {
      return `${label}.${xattrEntryLayout.fieldAt(offset) ?? 'name'}`;
    }
    if (entry.valueInum === 0 && at >= entry.valueAt && at < entry.valueAt + valueSpan(entry.valueSize)) {
      return `${label} value`;
    }
  }
  return 'ibody free';
}

/**
 * The inode with more extra fields: header and entries move up, values stay where they are. The new fields of
 * struct ext4_inode are zero; what is behind them keeps the bytes that were there.
 * @param extra  bytes, not less than now; what is between the entries and the values must have room for the difference
 * @source       fs/ext4/inode.c __ext4_expand_extra_isize; fs/ext4/xattr.c ext4_xattr_shift_entries
 */
export function withExtraIsize(raw: Bytes, extra: number): Bytes {
  const from = ibodyStart(raw);
  const to = GOOD_OLD_INODE_SIZE + extra;
  const moves = hasIbody(raw);
  const entries = ibodyEntries(raw);
  const length = 4 + entries.reduce((sum, { name }) => sum + entryLen(name.length), 0) + 4;
  return raw.edit((u8) => {
    for (const { at, valueAt, valueSize, valueInum } of moves ? entries : []) {
      if (valueInum !== 0 || valueSize === 0) continue;
      const offs = valueAt - to - 4;
      u8[at + 2] = offs;
      u8[at + 3] = offs >>> 8;
    }
    if (moves) u8.copyWithin(to, from, from + length);
    u8.fill(0, from, moves ? Math.min(to, STRUCT_END) : to);
    u8[0x80] = extra;
    u8[0x81] = extra >>> 8;
  });
}

/** Bytes of struct ext4_inode. */
const STRUCT_END = 160;
