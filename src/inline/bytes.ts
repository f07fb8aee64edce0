/**
 * Inline data at byte level: file bytes 0..59 live in i_block, the rest in the value of the ibody xattr system.data.
 *
 * ```
 * file bytes   0 ……………… 59 │ 60 ………………………… inlineSize
 * raw inode    0x28 … 0x63   │ value of entry (index 7, "data")   the entry exists even when the value is empty
 * ```
 *
 * `inlineOff` is the byte offset of the system.data *entry* from the inode start, never 0 for an inline inode;
 * `inlineSize` is 60 + its value size. The op layer keeps both in the in-memory inode, where they may be stale, and
 * hands them in: nothing here refreshes them behind its back.
 *
 * Nothing here touches flags (INLINE_DATA, EXTENTS), MAY_INLINE_DATA, size, times, i_data or checksums: they live in
 * the in-memory inode and reach the raw bytes through fillRawInode. Raw inodes are expected to pass `checkIbody`.
 */
import { Bytes } from '../bytes/bytes.ts';
import { err, isErr, type Result } from '../errno.ts';
import {
  EMPTY_EXTENT_ROOT,
  extraIsizeOf,
  GOOD_OLD_INODE_SIZE,
  I_BLOCK_AT,
  I_BLOCK_SIZE,
  isDir,
  isLnk,
  isReg,
} from '../inode/layout.ts';
import { entryLen, isLastEntry, valueSpan, XATTR_MAGIC } from '../xattr/entry.ts';
import { hasIbody, hasXattrSpace, ibodyStart, setIbodyEntryAt } from '../xattr/ibody.ts';

/** Inline bytes that need no value. @source fs/ext4/inline.c EXT4_MIN_INLINE_DATA_SIZE */
export const MIN_INLINE_DATA_SIZE = 60;

/** Name index and name of the xattr that marks an inode as inline. */
export const SYSTEM_DATA_INDEX = 7;
export const SYSTEM_DATA_NAME = 'data';

const SYSTEM_DATA_ENTRY_LEN = entryLen(SYSTEM_DATA_NAME.length);

const clearIBlock = (u8: Uint8Array): void => {
  u8.fill(0, I_BLOCK_AT, I_BLOCK_AT + I_BLOCK_SIZE);
};
const writeExtentRoot = (u8: Uint8Array): void => {
  clearIBlock(u8);
  u8.set(EMPTY_EXTENT_ROOT, I_BLOCK_AT);
};

/** Where a value is put together before it is laid into the inode; never read before it is written. */
const scratchValue = new Uint8Array(0x10000);

/** Where the inline data is: byte offset of the system.data entry, and 60 + its value size. */
export interface InlinePlace {
  readonly inlineOff: number;
  readonly inlineSize: number;
}

/** The raw inode after an operation, and where its inline data is now. */
export interface InlineBytes extends InlinePlace {
  readonly raw: Bytes;
}

/**
 * Finds system.data. `undefined` leaves the in-memory place as it was, as the kernel does.
 * @returns 'corrupt' (EFSCORRUPTED) when the list runs off the inode or the value is in an ea inode
 * @source  fs/ext4/inline.c ext4_find_inline_data_nolock
 */
export function findInlineData(raw: Bytes): InlinePlace | undefined | 'corrupt' {
  const at = systemDataAt(raw);
  if (at < 0) return undefined;
  if (at === 0 || raw.u32(at + 4) !== 0) return 'corrupt';
  return { inlineOff: at, inlineSize: (MIN_INLINE_DATA_SIZE + raw.u32(at + 8)) & 0xffff };
}

/**
 * Like findEntryAt: the entry, minus the end of the list (or of nothing: -first), or 0 when the list is corrupt.
 * Written out because every inline operation starts with it.
 */
function systemDataAt(raw: Bytes): number {
  if (!hasIbody(raw)) return -(ibodyStart(raw) + 4);
  return raw.glance(systemDataIn);
}

const systemDataIn = (view: Uint8Array): number => {
  let at = GOOD_OLD_INODE_SIZE + (view[0x80]! | (view[0x81]! << 8)) + 4;
  while (!isLastEntry(view, at)) {
    const nameLen = view[at]!;
    const next = at + entryLen(nameLen);
    if (next >= view.length) return 0;
    if (
      nameLen === 4 &&
      view[at + 1] === SYSTEM_DATA_INDEX &&
      view[at + 0x10] === 0x64 &&
      view[at + 0x11] === 0x61 &&
      view[at + 0x12] === 0x74 &&
      view[at + 0x13] === 0x61
    ) {
      return at;
    }
    at = next;
  }
  return -at;
};

/**
 * Largest value system.data may have, in bytes, with the kernel's arithmetic: rounding up after taking 3 bytes of
 * slack off (not yet inline), no slack (already inline), and negative for areas too small for the entry.
 * @param inlineOff  of the in-memory inode; 0 when it is not inline
 * @returns          bytes; 0 also when the list is corrupt; may be negative
 * @source           fs/ext4/inline.c get_max_inline_xattr_value_size
 */
export function maxInlineXattrValueSize(raw: Bytes, inlineOff: number): number {
  if (!hasXattrSpace(raw)) return 0;
  const start = GOOD_OLD_INODE_SIZE + raw.u16(0x80);
  if (raw.u32(start) !== XATTR_MAGIC) {
    return valueSpan(raw.length - start - 4 - SYSTEM_DATA_ENTRY_LEN - 3 - 4);
  }
  let free = raw.glance(listFree);
  if (free === CORRUPT) return 0;
  if (inlineOff !== 0) return (free + valueSpan(raw.u32(inlineOff + 8))) | 0;
  free -= SYSTEM_DATA_ENTRY_LEN;
  return free > 3 ? valueSpan(free - 3) : 0;
}

const CORRUPT = -0x8000_0000;

const listFree = (view: Uint8Array): number => {
  const first = GOOD_OLD_INODE_SIZE + (view[0x80]! | (view[0x81]! << 8)) + 4;
  let minOffs = view.length - first;
  let at = first;
  while (!isLastEntry(view, at)) {
    const next = at + entryLen(view[at]!);
    if (next >= view.length) return CORRUPT;
    if (
      (view[at + 4]! | view[at + 5]! | view[at + 6]! | view[at + 7]!) === 0 &&
      (view[at + 8]! | view[at + 9]! | view[at + 10]! | view[at + 11]!) !== 0
    ) {
      const offs = view[at + 2]! | (view[at + 3]! << 8);
      if (offs < minOffs) minOffs = offs;
    }
    at = next;
  }
  return minOffs - (at - first) - 4;
};

/**
 * How large the file may get without leaving the inode. 0 whenever no byte of *value* is left, even though 60 bytes
 * would fit (a full inode body; the "exactly full" hole).
 * @param inlineOff  of the in-memory inode; 0 when it is not inline
 * @returns          bytes
 * @source           fs/ext4/inline.c ext4_get_max_inline_size
 */
export function maxInlineSize(raw: Bytes, inlineOff: number): number {
  if (extraIsizeOf(raw) === 0) return 0;
  const value = maxInlineXattrValueSize(raw, inlineOff);
  return value === 0 ? 0 : value + MIN_INLINE_DATA_SIZE;
}

const valueAtOf = (raw: Bytes, place: InlinePlace): number =>
  ibodyStart(raw) + 4 + raw.u16(place.inlineOff + 2);

/**
 * The first `lengthBytes` file bytes; fewer when the stored value is shorter than `place` says.
 * @throws RangeError past inlineSize: the kernel has a BUG_ON there, which the op layer reports before calling
 * @source fs/ext4/inline.c ext4_read_inline_data
 */
export function readInlineData(raw: Bytes, place: InlinePlace, lengthBytes: number): Bytes {
  if (lengthBytes > place.inlineSize)
    throw new RangeError(`read ${lengthBytes} of ${place.inlineSize} inline bytes`);
  if (lengthBytes <= MIN_INLINE_DATA_SIZE) return raw.slice(I_BLOCK_AT, I_BLOCK_AT + lengthBytes);
  const inValue = Math.min(lengthBytes - MIN_INLINE_DATA_SIZE, raw.u32(place.inlineOff + 8));
  const valueAt = valueAtOf(raw, place);
  const out = new Uint8Array(MIN_INLINE_DATA_SIZE + inValue);
  raw.copyTo(out, 0, I_BLOCK_AT, I_BLOCK_AT + I_BLOCK_SIZE);
  if (inValue > 0) raw.copyTo(out, MIN_INLINE_DATA_SIZE, valueAt, valueAt + inValue);
  return Bytes.adopt(out);
}

/**
 * Lays `data[from..to)` over the file bytes from `pos`, split between i_block and the value. Grows nothing.
 * @throws RangeError when not inline or past inlineSize: the kernel has BUG_ONs there, which the op layer reports
 *         before calling
 * @source fs/ext4/inline.c ext4_write_inline_data
 */
export function writeInlineData(
  raw: Bytes,
  place: InlinePlace,
  pos: number,
  data: Bytes,
  from = 0,
  to: number = data.length,
): Bytes {
  const end = pos + to - from;
  if (place.inlineOff === 0) throw new RangeError('write to an inode that is not inline');
  if (pos < 0 || end > place.inlineSize) {
    throw new RangeError(`write ${pos}..${end} of ${place.inlineSize} inline bytes`);
  }
  if (end <= MIN_INLINE_DATA_SIZE) return raw.splice(I_BLOCK_AT + pos, data, from, to);
  const valueAt = valueAtOf(raw, place);
  if (pos >= MIN_INLINE_DATA_SIZE) return raw.splice(valueAt + pos - MIN_INLINE_DATA_SIZE, data, from, to);
  const split = from + MIN_INLINE_DATA_SIZE - pos;
  return raw.splice(I_BLOCK_AT + pos, data, from, split).splice(valueAt, data, split, to);
}

/**
 * Makes the inode inline with room for `lengthBytes` zero bytes: adds system.data, clears i_block.
 *
 * Left to the op layer: INLINE_DATA set, EXTENTS cleared, MAY_INLINE_DATA cleared on ENOSPC, EXT4_STATE_XATTR,
 * inlineOff and inlineSize, mark_iloc_dirty.
 *
 * @returns ENOSPC when the entry does not fit; EUCLEAN when there is a system.data already
 * @source  fs/ext4/inline.c ext4_create_inline_data
 */
export function createInlineData(raw: Bytes, lengthBytes: number): Result<InlineBytes> {
  const valueSize = Math.max(0, lengthBytes - MIN_INLINE_DATA_SIZE);
  const at = systemDataAt(raw);
  if (at >= 0) return err('EUCLEAN');
  if (!hasXattrSpace(raw)) return err('ENOSPC');
  const value = Bytes.zero(valueSize);
  const next = setIbodyEntryAt(raw, -at, false, SYSTEM_DATA_INDEX, SYSTEM_DATA_NAME, value, clearIBlock);
  if (isErr(next)) return next;
  return { raw: next, inlineOff: -at, inlineSize: MIN_INLINE_DATA_SIZE + valueSize };
}

/**
 * Grows the value to hold `lengthBytes` file bytes; the bytes that are there stay, new ones are zero. Within the
 * place's inlineSize nothing happens, not even a look at the list.
 *
 * Left to the op layer: MAY_INLINE_DATA set when it grew, inlineOff and inlineSize, mark_iloc_dirty.
 *
 * @returns ENOSPC when it does not fit; EUCLEAN when there is no system.data; ERANGE when the stored value is larger
 *          than asked for (a stale place)
 * @source  fs/ext4/inline.c ext4_update_inline_data
 */
export function updateInlineData(raw: Bytes, place: InlinePlace, lengthBytes: number): Result<InlineBytes> {
  if (lengthBytes <= place.inlineSize)
    return { raw, inlineOff: place.inlineOff, inlineSize: place.inlineSize };
  const at = systemDataAt(raw);
  if (at <= 0) return err('EUCLEAN');
  const newSize = lengthBytes - MIN_INLINE_DATA_SIZE;
  const oldSize = raw.u32(at + 8);
  if (oldSize > newSize) return err('ERANGE');
  if (newSize > raw.length) return err('ENOSPC');
  const value = scratchValue.subarray(0, newSize);
  value.fill(0, oldSize);
  if (oldSize > 0) {
    const valueAt = ibodyStart(raw) + 4 + raw.u16(at + 2);
    raw.copyTo(value, 0, valueAt, valueAt + oldSize);
  }
  const next = setIbodyEntryAt(raw, at, true, SYSTEM_DATA_INDEX, SYSTEM_DATA_NAME, value);
  if (isErr(next)) return next;
  return { raw: next, inlineOff: at, inlineSize: MIN_INLINE_DATA_SIZE + newSize };
}

/**
 * Takes the inline data out: removes system.data, clears i_block and, with the extents feature, writes an empty
 * extent root there for files, directories and symlinks (the mode is read from `raw`).
 *
 * Left to the op layer: INLINE_DATA cleared, EXTENTS set, MAY_INLINE_DATA cleared, i_data cleared and initialised,
 * EXT4_STATE_XATTR, inlineOff and inlineSize 0, mark_iloc_dirty. It returns early when inlineOff is 0.
 *
 * @param extents  does the volume have the extents feature?
 * @throws         RangeError when there is no sound system.data entry: the kernel would run off the inode there
 * @source         fs/ext4/inline.c ext4_destroy_inline_data_nolock
 */
export function destroyInlineData(raw: Bytes, extents = true): Bytes {
  const at = systemDataAt(raw);
  if (at <= 0) throw new RangeError('destroyInlineData: the inode has no system.data entry');
  const mode = raw.u16(0);
  const toExtents = extents && (isDir(mode) || isReg(mode) || isLnk(mode));
  const iBlock = toExtents ? writeExtentRoot : clearIBlock;
  const next = setIbodyEntryAt(raw, at, true, SYSTEM_DATA_INDEX, SYSTEM_DATA_NAME, null, iBlock);
  if (isErr(next)) throw new RangeError(`destroyInlineData: corrupt inode body (${next.errno})`);
  return next;
}

/**
 * Cuts the inline data down to `newSize` file bytes: shrinks the value, clears i_block past the end. A size at or
 * past inlineSize changes nothing; truncating *up* past it is a conversion and not this function's.
 *
 * Left to the op layer: disksize, the extent status tree when MAY_INLINE_DATA is clear, orphan list, times,
 * inlineSize, mark_inode_dirty.
 *
 * @returns EUCLEAN when there is no system.data
 * @source  fs/ext4/inline.c ext4_inline_data_truncate
 */
export function truncateInlineData(raw: Bytes, place: InlinePlace, newSize: number): Result<InlineBytes> {
  if (newSize >= place.inlineSize) return { raw, inlineOff: place.inlineOff, inlineSize: place.inlineSize };
  const inlineSize = Math.max(MIN_INLINE_DATA_SIZE, newSize);
  const clearTail = (u8: Uint8Array): void => {
    if (newSize < I_BLOCK_SIZE) u8.fill(0, I_BLOCK_AT + newSize, I_BLOCK_AT + I_BLOCK_SIZE);
  };
  if (place.inlineSize === MIN_INLINE_DATA_SIZE) {
    return { raw: raw.edit(clearTail), inlineOff: place.inlineOff, inlineSize };
  }
  const at = systemDataAt(raw);
  if (at <= 0) return err('EUCLEAN');
  // A place that says there is a value where there is none: the kernel leaves without an error, and without effect.
  if (raw.u32(at + 8) === 0) return { raw, inlineOff: place.inlineOff, inlineSize: place.inlineSize };
  const keep = inlineSize - MIN_INLINE_DATA_SIZE;
  const value = scratchValue.subarray(0, keep);
  const valueAt = ibodyStart(raw) + 4 + raw.u16(at + 2);
  raw.copyTo(value, 0, valueAt, valueAt + keep);
  const next = setIbodyEntryAt(raw, at, true, SYSTEM_DATA_INDEX, SYSTEM_DATA_NAME, value, clearTail);
  return isErr(next) ? next : { raw: next, inlineOff: place.inlineOff, inlineSize };
}

/**
 * Puts bytes that a failed conversion had taken out back: create, then write. The raw part only: in the kernel the
 * write comes after the checksum was computed, so the op layer seals the inode between the two when it wants that
 * defect (docs/findings.md 7); `createInlineData` and `writeInlineData` are the two halves.
 *
 * Left to the op layer: everything createInlineData leaves, and MAY_INLINE_DATA set.
 *
 * @returns the error of createInlineData: data is lost then, and the kernel says so in its log
 * @source  fs/ext4/inline.c ext4_restore_inline_data
 */
export function restoreInlineData(raw: Bytes, bytes: Bytes): Result<InlineBytes> {
  const created = createInlineData(raw, bytes.length);
  if (isErr(created)) return created;
  return { ...created, raw: writeInlineData(created.raw, created, 0, bytes) };
}

/** One run of file bytes and where it lies in the raw inode. */
export interface InlineSpan {
  readonly pos: number;
  readonly at: number;
  readonly size: number;
}

/** Where every inline file byte lies, i_block first; for byte maps and "who wrote this byte". */
export function inlineSpans(raw: Bytes, place: InlinePlace): readonly InlineSpan[] {
  const head: InlineSpan = { pos: 0, at: I_BLOCK_AT, size: Math.min(place.inlineSize, MIN_INLINE_DATA_SIZE) };
  if (place.inlineSize <= MIN_INLINE_DATA_SIZE) return [head];
  const size = place.inlineSize - MIN_INLINE_DATA_SIZE;
  return [head, { pos: MIN_INLINE_DATA_SIZE, at: valueAtOf(raw, place), size }];
}
