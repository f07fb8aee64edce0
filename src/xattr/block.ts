/**
 * The external xattr block: one block, shared by inodes with the same set of xattrs.
 *
 * ```
 * 0x00 ┌ header: magic 0xEA020000, refcount, blocks = 1, hash, checksum, 12 zero bytes ┐
 * 0x20 │ entries, sorted by (index, name length, name bytes); offsets count from 0x00  │
 *      │ 0 0 0 0                                                                       │
 *  end └ values, growing down                                                          ┘
 * ```
 *
 * Invariants: sorted entries; `entry.hash` covers name and padded value, `header.hash` covers the entry hashes and
 * is 0 when one of them is (never shared); at least one entry (the block is freed with its last).
 * Functions that do not say so expect a block that `checkXattrBlock` accepts.
 * Not here: finding an identical block (the mb cache), cloning policy, allocation; the ea_inode reserve.
 */
import { Bytes } from '../bytes/bytes.ts';
import { crc32c, crc32cU32 } from '../bytes/crc32c.ts';
import { type Field, type Layout, layout, raw, u32 } from '../bytes/layout.ts';
import { err, isErr, type Result } from '../errno.ts';
import {
  checkEntries,
  decodeEntries,
  decodeEntry,
  entryLen,
  findEntryAt,
  freeBytes,
  hashEntry,
  setEntry,
  valueSpan,
  XATTR_MAGIC,
  type XattrEntry,
} from './entry.ts';

const fields = {
  magic: u32(0x00),
  refcount: u32(0x04, 'inodes that use this block'),
  blocks: u32(0x08, 'always 1'),
  hash: u32(0x0c, 'of the entry hashes; 0: never shared'),
  checksum: u32(0x10),
  reserved: raw(0x14, 12),
} satisfies Record<string, Field>;

/** @source fs/ext4/xattr.h struct ext4_xattr_header */
export const xattrHeaderLayout: Layout<typeof fields> = layout('ext4_xattr_header', 0x20, fields);

/** A block with more users is not shared again. @source fs/ext4/xattr.h EXT4_XATTR_REFCOUNT_MAX */
export const XATTR_REFCOUNT_MAX = 1024;

const FIRST = 0x20;

/** A block without entries and with one user, to set the first entry in. @source fs/ext4/xattr.c ext4_xattr_block_set */
export function emptyXattrBlock(blockSize: number): Bytes {
  return xattrHeaderLayout.put(Bytes.zero(blockSize), { magic: XATTR_MAGIC, refcount: 1, blocks: 1 });
}

/** True when the last entry is gone: the inode then drops the block. */
export function isEmptyXattrBlock(block: Bytes): boolean {
  return block.u32(FIRST) === 0;
}

/** The entries in list order, which is sorted order. */
export function xattrBlockEntries(block: Bytes): readonly XattrEntry[] {
  return block.reading((view) => decodeEntries(view, 0, FIRST, view.length));
}

/**
 * The entry, undefined when there is none, EUCLEAN when the list runs off the block.
 * @param name  one char per byte, without the prefix
 * @source      fs/ext4/xattr.c ext4_xattr_block_find
 */
export function findXattrBlockEntry(
  block: Bytes,
  nameIndex: number,
  name: string,
): Result<XattrEntry | undefined> {
  return block.reading((view) => {
    const at = findEntryAt(view, FIRST, view.length, nameIndex, name, true);
    if (at === 0) return err('EUCLEAN');
    return at < 0 ? undefined : decodeEntry(view, at, 0);
  });
}

/** The value of an entry that is stored here (not in an ea inode). */
export function xattrBlockValue(block: Bytes, entry: XattrEntry): Bytes {
  return entry.valueSize === 0 ? Bytes.zero(0) : block.slice(entry.valueAt, entry.valueAt + entry.valueSize);
}

/** Bytes that a new entry and its padded value may take together. */
export function xattrBlockFreeBytes(block: Bytes): number {
  return block.reading((view) => freeBytes(view, 0, FIRST, view.length));
}

/** Would a new entry of this name and value size fit? */
export function fitsXattrBlock(block: Bytes, nameLen: number, valueSize: number): boolean {
  return entryLen(nameLen) + valueSpan(valueSize) <= xattrBlockFreeBytes(block);
}

/**
 * Creates, replaces or (value null) removes an entry, and rehashes. The refcount and the checksum stay as they are:
 * a caller with a shared block clones it first (`withRefcount(block, 1)`), and seals the result.
 * @returns ENOSPC when it does not fit; ENODATA when there is nothing to remove; EUCLEAN when the list is corrupt
 * @source  fs/ext4/xattr.c ext4_xattr_set_entry, ext4_xattr_rehash
 */
export function setXattrBlockEntry(
  block: Bytes,
  nameIndex: number,
  name: string,
  value: Bytes | null,
): Result<Bytes> {
  const at = block.reading((view) => findEntryAt(view, FIRST, view.length, nameIndex, name, true));
  if (at === 0) return err('EUCLEAN');
  if (at < 0 && value === null) return err('ENODATA');
  let failed: ReturnType<typeof setEntry>;
  const next = block.edit((u8) => {
    failed = setEntry(u8, 0, FIRST, u8.length, Math.abs(at), at > 0, nameIndex, name, value, true);
    if (failed === undefined) xattrHeaderLayout.write(u8, { hash: blockHash(u8) });
  });
  return failed === undefined ? next : err(failed);
}

/** Removes an entry; ENODATA when there is none. */
export function removeXattrBlockEntry(block: Bytes, nameIndex: number, name: string): Result<Bytes> {
  return setXattrBlockEntry(block, nameIndex, name, null);
}

/**
 * A new block that holds these entries, set one after the other.
 * @returns the first error
 */
export function xattrBlockOf(
  blockSize: number,
  entries: Iterable<{ nameIndex: number; name: string; value: Bytes }>,
): Result<Bytes> {
  let block = emptyXattrBlock(blockSize);
  for (const { nameIndex, name, value } of entries) {
    const next = setXattrBlockEntry(block, nameIndex, name, value);
    if (isErr(next)) return next;
    block = next;
  }
  return block;
}

/**
 * The hash of the entry at `entry.at`, from its bytes.
 * @param signedNames  the variant of old kernels, which is accepted on read
 * @source             fs/ext4/xattr.c ext4_xattr_hash_entry
 */
export function xattrEntryHash(block: Bytes, entry: XattrEntry, signedNames = false): number {
  return block.reading((view) =>
    hashEntry(view, entry.at, entry.valueAt, valueSpan(entry.valueSize), signedNames),
  );
}

/** The hash of all entry hashes, from the stored ones; 0 when one of them is 0. @source fs/ext4/xattr.c ext4_xattr_rehash */
export function xattrBlockHash(block: Bytes): number {
  return block.reading(blockHash);
}

const blockHash = (view: Uint8Array): number => {
  let hash = 0;
  for (let at = FIRST; ; at += entryLen(view[at]!)) {
    if ((view[at]! | view[at + 1]! | view[at + 2]! | view[at + 3]!) === 0) return hash >>> 0;
    const h = view[at + 12]! | (view[at + 13]! << 8) | (view[at + 14]! << 16) | (view[at + 15]! << 24);
    if (h === 0) return 0;
    hash = (hash << 16) ^ (hash >>> 16) ^ h;
  }
};

/**
 * The checksum of a block at `blockNr`, whatever its checksum field holds.
 * @param fsSeed  s_checksum_seed, or crc32c(~0, uuid)
 * @source        fs/ext4/xattr.c ext4_xattr_block_csum
 */
export function xattrBlockChecksum(block: Bytes, blockNr: number, fsSeed: number): number {
  return block.reading((view) => {
    let sum = crc32cU32(fsSeed, blockNr >>> 0);
    sum = crc32cU32(sum, Math.floor(blockNr / 0x1_0000_0000));
    sum = crc32c(sum, view, 0, 0x10);
    sum = crc32cU32(sum, 0);
    return crc32c(sum, view, 0x14, view.length);
  });
}

/** The block with its checksum stored. @source fs/ext4/xattr.c ext4_xattr_block_csum_set */
export function sealXattrBlock(block: Bytes, blockNr: number, fsSeed: number): Bytes {
  return block.putU32(0x10, xattrBlockChecksum(block, blockNr, fsSeed));
}

/** @source fs/ext4/xattr.c ext4_xattr_block_csum_verify */
export function xattrBlockChecksumOk(block: Bytes, blockNr: number, fsSeed: number): boolean {
  return block.u32(0x10) === xattrBlockChecksum(block, blockNr, fsSeed);
}

export function xattrBlockRefcount(block: Bytes): number {
  return block.u32(0x04);
}

/** The block with another number of users; to be sealed again. */
export function withRefcount(block: Bytes, refcount: number): Bytes {
  return block.putU32(0x04, refcount);
}

/** May one more inode use this block? A zero hash means never. */
export function isSharableXattrBlock(block: Bytes): boolean {
  return block.u32(0x0c) !== 0 && xattrBlockRefcount(block) < XATTR_REFCOUNT_MAX;
}

/**
 * Do two blocks hold the same xattrs, so that an inode may use either? Headers and value placement do not count.
 * @source fs/ext4/xattr.c ext4_xattr_cmp
 */
export function sameXattrs(a: Bytes, b: Bytes): boolean {
  const left = xattrBlockEntries(a);
  const right = xattrBlockEntries(b);
  if (left.length !== right.length) return false;
  return left.every((x, i) => {
    const y = right[i]!;
    return (
      x.hash === y.hash &&
      x.nameIndex === y.nameIndex &&
      x.name === y.name &&
      x.valueSize === y.valueSize &&
      x.valueInum === y.valueInum &&
      (x.valueInum !== 0 || xattrBlockValue(a, x).equals(xattrBlockValue(b, y)))
    );
  });
}

/** What the kernel says about a block it refuses, and the errno it answers with. */
export interface XattrBlockDefect {
  readonly errno: 'EUCLEAN' | 'EBADMSG';
  readonly message: string;
}

/**
 * Why the kernel refuses this block, or undefined.
 * @param checksum    block number and seed; left out without metadata_csum
 * @param validEaIno  which ea inode numbers are possible; left out when the ea_inode feature is off
 * @source            fs/ext4/xattr.c check_xattrs
 */
export function checkXattrBlock(
  block: Bytes,
  checksum?: { readonly blockNr: number; readonly fsSeed: number },
  validEaIno?: (ino: number) => boolean,
): XattrBlockDefect | undefined {
  const { magic, blocks } = xattrHeaderLayout.decode(block);
  if (magic !== XATTR_MAGIC || blocks !== 1) return { errno: 'EUCLEAN', message: 'invalid header' };
  if (checksum !== undefined && !xattrBlockChecksumOk(block, checksum.blockNr, checksum.fsSeed)) {
    return { errno: 'EBADMSG', message: 'invalid checksum' };
  }
  const message = block.reading((view) => checkEntries(view, FIRST, view.length, 0, validEaIno));
  return message === undefined ? undefined : { errno: 'EUCLEAN', message };
}
