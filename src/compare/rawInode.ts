/**
 * Raw inodes of two machines, made comparable.
 *
 * What no two runs share is masked: times, generation, checksum, i_version, dtime (also the orphan link), the numbers
 * of blocks. What is left must agree byte for byte: sizes, flags, inline bytes, the whole xattr area with the bytes
 * that nothing points at, and the extents as (logical block, length, unwritten).
 *
 * Two forms. `maskInode` keeps the structure and gives physical blocks names in order of appearance: what a recording
 * stores. `compareInodes` goes further: physically split extents that touch logically count as one, since allocators
 * may differ.
 *
 * Not verified: which block holds what, tree nodes below the root (only the depth is compared), checksums (e2fsck and
 * the golden vectors look at those).
 */
import type { Bytes } from '../bytes/bytes.ts';
import {
  GOOD_OLD_INODE_SIZE,
  I_BLOCK_AT,
  I_BLOCK_SIZE,
  INODE_FLAG,
  type InodeField,
  inodeLayout,
} from '../inode/layout.ts';
import { ibodyStart, inodeByteLabel } from '../xattr/ibody.ts';

/** Fields of struct ext4_inode that differ from run to run. */
const VOLATILE: readonly InodeField[] = [
  'atime',
  'ctime',
  'mtime',
  'dtime',
  'diskVersion',
  'generation',
  'checksumLo',
  'checksumHi',
  'ctimeExtra',
  'mtimeExtra',
  'atimeExtra',
  'crtime',
  'crtimeExtra',
  'versionHi',
];

const EXTENT_MAGIC = 0xf30a;
const MAX_WRITTEN_LEN = 32768;

/** A row of an extent root. `start` is a physical block, or a name that stands for one. */
interface Extent {
  readonly logical: number;
  readonly length: number;
  readonly unwritten: boolean;
  readonly start: number;
}

/** Numbers physical blocks from 1 in order of first appearance, so that where an allocator put them does not show. */
export class BlockNames {
  readonly #names = new Map<number, number>();

  /** The name of the first of `length` blocks; the others get theirs too. */
  name(block: number, length = 1): number {
    for (let each = block; each < block + length; each++) {
      if (!this.#names.has(each)) this.#names.set(each, this.#names.size + 1);
    }
    return this.#names.get(block)!;
  }
}

/** True when `iBlock` holds an extent root. */
function hasExtentRoot(raw: Bytes): boolean {
  const flags = inodeLayout.get(raw, 'flags');
  return (
    (flags & INODE_FLAG.extents) !== 0 &&
    (flags & INODE_FLAG.inlineData) === 0 &&
    raw.u16(I_BLOCK_AT) === EXTENT_MAGIC
  );
}

/** The rows of a root of depth 0; undefined for a deeper tree. */
function extentsOf(raw: Bytes): readonly Extent[] | undefined {
  if (raw.u16(I_BLOCK_AT + 6) !== 0) return undefined;
  const extents: Extent[] = [];
  for (let i = 0; i < Math.min(4, raw.u16(I_BLOCK_AT + 2)); i++) {
    const at = I_BLOCK_AT + 12 + 12 * i;
    const len = raw.u16(at + 4);
    const unwritten = len > MAX_WRITTEN_LEN;
    extents.push({
      logical: raw.u32(at),
      length: unwritten ? len - MAX_WRITTEN_LEN : len,
      unwritten,
      start: raw.u16(at + 6) * 0x1_0000_0000 + raw.u32(at + 8),
    });
  }
  return extents;
}

function putU32(target: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) target[at + i] = value >>> (8 * i);
}

/**
 * The inode with volatile fields zero and blocks renamed.
 * @param raw    s_inode_size bytes
 * @param names  one per recording, so that a block keeps its name from line to line
 */
export function maskInode(raw: Bytes, names: BlockNames): Bytes {
  const acl = raw.u32(0x68) + raw.u16(0x76) * 0x1_0000_0000;
  const extents = hasExtentRoot(raw) ? extentsOf(raw) : [];
  return raw.edit((target) => {
    for (const name of VOLATILE) {
      const field = inodeLayout.fields[name];
      if (field.at + field.size <= fieldsEnd(raw)) target.fill(0, field.at, field.at + field.size);
    }
    putU32(target, 0x68, acl === 0 ? 0 : names.name(acl));
    target.fill(0, 0x76, 0x78);
    if (!hasExtentRoot(raw)) return;
    // Rows past the last one are leftovers that hold block numbers; so does an index.
    const rows = extents ?? [];
    target.fill(0, I_BLOCK_AT + 12 + 12 * rows.length, I_BLOCK_AT + I_BLOCK_SIZE);
    rows.forEach((extent, i) => {
      target.fill(0, I_BLOCK_AT + 12 + 12 * i + 6, I_BLOCK_AT + 12 + 12 * i + 8);
      putU32(target, I_BLOCK_AT + 12 + 12 * i + 8, names.name(extent.start, extent.length));
    });
  });
}

/** Where the fields of this inode end: 0x80 without extra fields. */
function fieldsEnd(raw: Bytes): number {
  return raw.length > GOOD_OLD_INODE_SIZE ? ibodyStart(raw) : GOOD_OLD_INODE_SIZE;
}

/** Extents in words: `0..1 written, 4..4 unwritten`; rows that touch and are alike count as one. */
function extentText(raw: Bytes): string {
  const rows = extentsOf(raw);
  if (rows === undefined) return `tree of depth ${raw.u16(I_BLOCK_AT + 6)}`;
  const merged: Extent[] = [];
  for (const row of rows) {
    const last = merged.at(-1);
    if (
      last !== undefined &&
      last.unwritten === row.unwritten &&
      last.logical + last.length === row.logical
    ) {
      merged[merged.length - 1] = { ...last, length: last.length + row.length };
    } else merged.push(row);
  }
  if (merged.length === 0) return 'none';
  return merged
    .map((e) => `${e.logical}..${e.logical + e.length - 1} ${e.unwritten ? 'unwritten' : 'written'}`)
    .join(', ');
}

/** One field on which two inodes disagree. */
export interface InodeDifference {
  /** A field of struct ext4_inode, a part of an xattr entry (`7:data.valueOffs`), `extents`, `iBlock[7]`. */
  readonly field: string;
  readonly expected: string;
  readonly actual: string;
}

/** Where two inodes disagree, in on-disk order; empty when they are the same but for what no two runs share. */
export function compareInodes(expected: Bytes, actual: Bytes): InodeDifference[] {
  if (expected.length !== actual.length) {
    return [{ field: 'length', expected: `${expected.length} bytes`, actual: `${actual.length} bytes` }];
  }
  const differences: InodeDifference[] = [];
  let [left, right] = [comparable(expected), comparable(actual)];
  if (hasExtentRoot(expected) && hasExtentRoot(actual)) {
    const [want, got] = [extentText(expected), extentText(actual)];
    if (want !== got) differences.push({ field: 'extents', expected: want, actual: got });
    left = left.fillRange(0, I_BLOCK_AT, I_BLOCK_AT + I_BLOCK_SIZE);
    right = right.fillRange(0, I_BLOCK_AT, I_BLOCK_AT + I_BLOCK_SIZE);
  }
  for (let at = 0; at < left.length; ) {
    if (left.u8(at) === right.u8(at)) {
      at++;
      continue;
    }
    const field = labelOf(expected, actual, at);
    let [from, to] = [at, at + 1];
    while (from > 0 && labelOf(expected, actual, from - 1) === field) from--;
    while (to < left.length && labelOf(expected, actual, to) === field) to++;
    differences.push(differenceOf(field, left, right, from, to, at));
    at = to;
  }
  return differences;
}

/** A small field is a number; in a long one the first byte that differs is named. */
function differenceOf(
  field: string,
  left: Bytes,
  right: Bytes,
  from: number,
  to: number,
  at: number,
): InodeDifference {
  if (to - from <= 4) {
    const number = (bytes: Bytes): string => {
      let value = 0;
      for (let i = to - 1; i >= from; i--) value = value * 256 + bytes.u8(i);
      return `${value} (0x${value.toString(16)})`;
    };
    return { field, expected: number(left), actual: number(right) };
  }
  const end = Math.min(to, at + 16);
  return {
    field: `${field}[${at - from}]`,
    expected: left.slice(at, end).toHex(),
    actual: right.slice(at, end).toHex(),
  };
}

/** What the byte is for the kernel, or for the other side where the kernel has nothing there. */
function labelOf(expected: Bytes, actual: Bytes, at: number): string {
  const label = inodeByteLabel(expected, at);
  return label === 'ibody free' ? inodeByteLabel(actual, at) : label;
}

function comparable(raw: Bytes): Bytes {
  return maskInode(raw, new BlockNames()).edit((target) => {
    if (target.subarray(0x68, 0x6c).some((byte) => byte !== 0)) target.set([1, 0, 0, 0], 0x68);
  });
}
