/**
 * One xattr entry, and the list that the inode body and the external block share.
 *
 * ```
 * first ┌ entry ┐ 0x10 bytes + name, padded to 4; entries grow up
 *       │ entry │
 *       │ 0 0 0 0  the terminator: a zero word, always kept free
 *       │   …
 *       │ value │ padded to 4 with zeros; values grow down from `end`
 *   end └ value ┘
 * ```
 *
 * `valueOffs` counts from `base`: the first entry in the inode body, the start of the block in an external block.
 * A zero-length value has valueOffs 0 and no bytes. Names are byte strings: one char per byte (Latin-1), without
 * the prefix that `nameIndex` stands for.
 *
 * Nothing here checks a list that has not passed `checkEntries`: offsets are followed as the kernel follows them.
 * Values in ea inodes (valueInum ≠ 0) are decoded; replacing one forgets it, dropping its reference is the caller's.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { type Field, type Layout, layout, u8, u16, u32 } from '../bytes/layout.ts';
import type { Errno } from '../errno.ts';

const fields = {
  nameLen: u8(0x00),
  nameIndex: u8(0x01),
  valueOffs: u16(0x02, 'from the first entry (inode body) or from the start of the block'),
  valueInum: u32(0x04, 'inode that holds the value, 0 for here'),
  valueSize: u32(0x08),
  hash: u32(0x0c, '0 in the inode body'),
} satisfies Record<string, Field>;

/** @source fs/ext4/xattr.h struct ext4_xattr_entry */
export const xattrEntryLayout: Layout<typeof fields> = layout('ext4_xattr_entry', 0x10, fields);

export const XATTR_MAGIC = 0xea020000;
/** Larger values are corruption. @source fs/ext4/xattr.h EXT4_XATTR_SIZE_MAX */
export const XATTR_SIZE_MAX = 1 << 24;

/** An entry decoded. `at` and `valueAt` are byte offsets from the start of the inode or of the block. */
export interface XattrEntry {
  readonly at: number;
  readonly nameIndex: number;
  /** One char per byte, without the prefix. */
  readonly name: string;
  /** Where the value starts; meaningless when `valueSize` is 0 or `valueInum` is not. */
  readonly valueAt: number;
  readonly valueSize: number;
  readonly valueInum: number;
  readonly hash: number;
}

/**
 * Bytes an entry takes, name and padding included.
 * @param nameLen  bytes of the name without its prefix, 0…255
 * @source         fs/ext4/xattr.h EXT4_XATTR_LEN
 */
export const entryLen = (nameLen: number): number => (nameLen + 3 + 0x10) & ~3;

/** Bytes a value takes, padding included. @source fs/ext4/xattr.h EXT4_XATTR_SIZE */
export const valueSpan = (size: number): number => (size + 3) & ~3;

const getU16 = (u8: Uint8Array, at: number): number => u8[at]! | (u8[at + 1]! << 8);
const getU32 = (u8: Uint8Array, at: number): number =>
  (u8[at]! | (u8[at + 1]! << 8) | (u8[at + 2]! << 16) | (u8[at + 3]! << 24)) >>> 0;
const putU16 = (u8: Uint8Array, at: number, value: number): void => {
  u8[at] = value;
  u8[at + 1] = value >>> 8;
};
const putU32 = (u8: Uint8Array, at: number, value: number): void => {
  putU16(u8, at, value);
  putU16(u8, at + 2, value >>> 16);
};

/** @source fs/ext4/xattr.h IS_LAST_ENTRY */
export const isLastEntry = (u8: Uint8Array, at: number): boolean =>
  (u8[at]! | u8[at + 1]! | u8[at + 2]! | u8[at + 3]!) === 0;

const compareName = (u8: Uint8Array, at: number, nameIndex: number, name: string): number => {
  const byIndex = nameIndex - u8[at + 1]!;
  if (byIndex !== 0) return byIndex;
  const byLength = name.length - u8[at]!;
  if (byLength !== 0) return byLength;
  for (let i = 0; i < name.length; i++) {
    const byByte = name.charCodeAt(i) - u8[at + 0x10 + i]!;
    if (byByte !== 0) return byByte;
  }
  return 0;
};

/**
 * Where the entry is, without allocating.
 * @param sorted  stop at the first larger entry, which is where a new one belongs (external block)
 * @returns       offset of the entry when found; minus the offset where it would be inserted when not;
 *                0 when an entry runs past `end` (EFSCORRUPTED)
 * @source        fs/ext4/xattr.c xattr_find_entry
 */
export function findEntryAt(
  view: Uint8Array,
  first: number,
  end: number,
  nameIndex: number,
  name: string,
  sorted: boolean,
): number {
  let at = first;
  while (!isLastEntry(view, at)) {
    const next = at + entryLen(view[at]!);
    if (next >= end) return 0;
    const order = compareName(view, at, nameIndex, name);
    if (order === 0) return at;
    if (order < 0 && sorted) break;
    at = next;
  }
  return -at;
}

/** Decodes the entry at `at`. `base` is where value offsets count from. */
export function decodeEntry(view: Uint8Array, at: number, base: number): XattrEntry {
  let name = '';
  for (let i = 0; i < view[at]!; i++) name += String.fromCharCode(view[at + 0x10 + i]!);
  return {
    at,
    nameIndex: view[at + 1]!,
    name,
    valueAt: base + getU16(view, at + 2),
    valueSize: getU32(view, at + 8),
    valueInum: getU32(view, at + 4),
    hash: getU32(view, at + 12),
  };
}

/** All entries in list order; stops at an entry that runs past `end`. */
export function decodeEntries(view: Uint8Array, base: number, first: number, end: number): XattrEntry[] {
  const entries: XattrEntry[] = [];
  for (let at = first; at + 4 <= end && !isLastEntry(view, at); ) {
    const next = at + entryLen(view[at]!);
    if (next >= end) break;
    entries.push(decodeEntry(view, at, base));
    at = next;
  }
  return entries;
}

/**
 * Bytes between the terminator and the lowest value: what a new entry and its value may take together.
 * @returns bytes, negative or NaN only for a list that `checkEntries` refuses
 */
export function freeBytes(view: Uint8Array, base: number, first: number, end: number): number {
  let minOffs = end - base;
  let last = first;
  while (!isLastEntry(view, last)) {
    const next = last + entryLen(view[last]!);
    if (next >= end) return Number.NaN;
    if (getU32(view, last + 4) === 0 && getU32(view, last + 8) !== 0) {
      const offs = getU16(view, last + 2);
      if (offs < minOffs) minOffs = offs;
    }
    last = next;
  }
  return minOffs - (last - base) - 4;
}

/**
 * Creates (`here` is where it belongs), replaces (`here` is the entry) or removes (`value` null) an entry, in place.
 * @param u8        scratch buffer; untouched when an errno is returned
 * @param inBlock   external block: entry and block hashes are kept; in the inode body the entry hash is 0
 * @returns         undefined when done, 'ENOSPC' when it does not fit, 'EUCLEAN' when the list is corrupt
 * @source          fs/ext4/xattr.c ext4_xattr_set_entry
 */
export function setEntry(
  u8: Uint8Array,
  base: number,
  first: number,
  end: number,
  here: number,
  found: boolean,
  nameIndex: number,
  name: string,
  value: Bytes | Uint8Array | null,
  inBlock: boolean,
): Errno | undefined {
  const oldSize = found && getU32(u8, here + 4) === 0 ? valueSpan(getU32(u8, here + 8)) : 0;
  const newSize = value === null ? 0 : valueSpan(value.length);

  // The same padded size: the value is overwritten where it is.
  if (value !== null && newSize !== 0 && newSize === oldSize) {
    const at = base + getU16(u8, here + 2);
    putU32(u8, here + 8, value.length);
    putValue(u8, at, value, newSize);
    setHash(u8, here, base, newSize, inBlock);
    return undefined;
  }

  let minOffs = end - base;
  let last = first;
  while (!isLastEntry(u8, last)) {
    const next = last + entryLen(u8[last]!);
    if (next >= end) return 'EUCLEAN';
    if (getU32(u8, last + 4) === 0 && getU32(u8, last + 8) !== 0) {
      const offs = getU16(u8, last + 2);
      if (offs < minOffs) minOffs = offs;
    }
    last = next;
  }

  const size = entryLen(name.length);
  if (value !== null) {
    const gap = minOffs - (last - base) - 4;
    // The kernel counts in size_t: a negative gap would pass its test and overrun the list.
    if (gap < 0) return 'EUCLEAN';
    if (gap + (found ? size + oldSize : 0) < size + newSize) return 'ENOSPC';
  }

  // Cut the old value out: values below it move up, their offsets follow.
  if (found && getU32(u8, here + 8) !== 0 && getU32(u8, here + 4) === 0) {
    const firstValue = base + minOffs;
    const offs = getU16(u8, here + 2);
    u8.copyWithin(firstValue + oldSize, firstValue, base + offs);
    u8.fill(0, firstValue, firstValue + oldSize);
    minOffs += oldSize;
    for (let at = first; !isLastEntry(u8, at); at += entryLen(u8[at]!)) {
      const o = getU16(u8, at + 2);
      if (getU32(u8, at + 4) === 0 && getU32(u8, at + 8) !== 0 && o < offs) putU16(u8, at + 2, o + oldSize);
    }
  }

  if (value === null) {
    u8.copyWithin(here, here + size, last + 4);
    u8.fill(0, last - size, last);
  } else if (!found) {
    u8.copyWithin(here + size, here, last + 4);
    u8.fill(0, here, here + size);
    u8[here] = name.length;
    u8[here + 1] = nameIndex;
    for (let i = 0; i < name.length; i++) u8[here + 0x10 + i] = name.charCodeAt(i);
  } else {
    u8.fill(0, here + 2, here + 12);
  }

  if (value !== null) {
    if (value.length !== 0) {
      putU16(u8, here + 2, minOffs - newSize);
      putValue(u8, base + minOffs - newSize, value, newSize);
    }
    putU32(u8, here + 8, value.length);
    setHash(u8, here, base, newSize, inBlock);
  }
  return undefined;
}

const putValue = (u8: Uint8Array, at: number, value: Bytes | Uint8Array, paddedSize: number): void => {
  if (value instanceof Uint8Array) u8.set(value, at);
  else value.copyTo(u8, at);
  u8.fill(0, at + value.length, at + paddedSize);
};

const setHash = (u8: Uint8Array, here: number, base: number, paddedSize: number, inBlock: boolean): void => {
  const hash = inBlock ? hashEntry(u8, here, base + getU16(u8, here + 2), paddedSize) : 0;
  putU32(u8, here + 12, hash);
};

/**
 * The entry hash: name bytes, then the padded value as little-endian words.
 * @param signedNames  the wrong variant that old kernels wrote and new ones still accept
 * @returns            unsigned 32 bits
 * @source             fs/ext4/xattr.c ext4_xattr_hash_entry, ext4_xattr_hash_entry_signed
 */
export function hashEntry(
  view: Uint8Array,
  at: number,
  valueAt: number,
  paddedSize: number,
  signedNames = false,
): number {
  let hash = 0;
  for (let i = 0; i < view[at]!; i++) {
    const byte = view[at + 0x10 + i]!;
    hash = (hash << 5) ^ (hash >>> 27) ^ (signedNames ? (byte << 24) >> 24 : byte);
  }
  for (let i = 0; i < paddedSize; i += 4) hash = (hash << 16) ^ (hash >>> 16) ^ getU32(view, valueAt + i);
  return hash >>> 0;
}

/**
 * Why the kernel refuses this list (its words), or undefined.
 * @param valueStart   where value offsets count from
 * @param validEaIno   which ea inode numbers are possible; left out when the ea_inode feature is off
 * @source             fs/ext4/xattr.c check_xattrs
 */
export function checkEntries(
  view: Uint8Array,
  first: number,
  end: number,
  valueStart: number,
  validEaIno?: (ino: number) => boolean,
): string | undefined {
  let last = first;
  while (!isLastEntry(view, last)) {
    const next = last + entryLen(view[last]!);
    if (next + 4 > end) return 'e_name out of bounds';
    for (let i = 0; i < view[last]!; i++) if (view[last + 0x10 + i] === 0) return 'bad e_name length';
    last = next;
  }
  for (let at = first; !isLastEntry(view, at); at += entryLen(view[at]!)) {
    const size = getU32(view, at + 8);
    const eaIno = getU32(view, at + 4);
    if (eaIno !== 0) {
      if (validEaIno === undefined) return 'ea_inode specified without ea_inode feature enabled';
      if (eaIno === 2 || !validEaIno(eaIno)) return 'invalid ea_ino';
      if (size === 0) return 'invalid size in ea xattr';
    }
    if (size > XATTR_SIZE_MAX) return 'e_value size too large';
    if (size !== 0 && eaIno === 0) {
      const offs = getU16(view, at + 2);
      if (offs > end - valueStart) return 'e_value out of bounds';
      const value = valueStart + offs;
      if (value < last + 4 || size > end - value || valueSpan(size) > end - value)
        return 'overlapping e_value ';
    }
  }
  return undefined;
}
