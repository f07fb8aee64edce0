/**
 * Extended attributes as they lie on disk, read with every rule applied. This is a second reader on purpose: what
 * changes attributes is `src/xattr`, and a check that shared its code would share its mistakes.
 *
 *     in the inode   0x80 + i_extra_isize: magic · entries grow up · 4 zero bytes … values grow down · end of inode
 *     in a block     header (32) · entries grow up · 4 zero bytes … values grow down · end of block
 *
 * Value offsets count from the first entry in the inode, from the start of the block in a block.
 *
 * Verified: magic; names and values inside the area, values below no name, no two values sharing bytes; hashes;
 * a block's header, checksum and order. Not verified: that a name's index is one a kernel handles.
 */
import { Bytes } from '../bytes/bytes.ts';
import { crc32cBytes, crc32cU32 } from '../bytes/crc32c.ts';
import { layout, raw, u8, u16, u32 } from '../bytes/layout.ts';
import { hex } from './badImage.ts';
import { nameText } from './dirent.ts';
import { GOOD_OLD_INODE_SIZE } from './geometry.ts';

/** @source fs/ext4/xattr.h struct ext4_xattr_entry (without the name) */
export const xattrEntryLayout = layout('ext4_xattr_entry', 16, {
  nameLen: u8(0x00),
  nameIndex: u8(0x01, '1 user, 4 trusted, 6 security, 7 system'),
  valueOffs: u16(0x02),
  valueInum: u32(0x04, 'inode that holds the value; 0 when it lies here'),
  valueSize: u32(0x08),
  hash: u32(0x0c),
});

/** @source fs/ext4/xattr.h struct ext4_xattr_header */
export const xattrHeaderLayout = layout('ext4_xattr_header', 32, {
  magic: u32(0x00, '0xEA020000'),
  refcount: u32(0x04, 'inodes that share the block'),
  blocks: u32(0x08, '1'),
  hash: u32(0x0c),
  checksum: u32(0x10),
  reserved: raw(0x14, 12),
});

export const XATTR_MAGIC = 0xea020000;
/** @source fs/ext4/xattr.h EXT4_XATTR_REFCOUNT_MAX */
export const XATTR_REFCOUNT_MAX = 1024;

/** The attribute that holds an inline inode's bytes past 60. */
export const SYSTEM_DATA = { nameIndex: 7, name: 'data' } as const;

/** Prefix that an index stands for, as `getfattr` prints it. @source fs/ext4/xattr.c ext4_xattr_handler_map */
export const XATTR_PREFIX: Readonly<Record<number, string>> = {
  1: 'user.',
  2: 'system.posix_acl_access',
  3: 'system.posix_acl_default',
  4: 'trusted.',
  5: 'lustre.',
  6: 'security.',
  7: 'system.',
  8: 'system.richacl',
  9: 'encryption.',
  10: 'gnu.',
};

/** Indexes that are a whole name. */
const NAMELESS: ReadonlySet<number> = new Set([2, 3, 8]);

export interface XattrEntry {
  /** Bytes from the start of the inode or block. */
  readonly offset: number;
  readonly nameIndex: number;
  readonly name: Bytes;
  /** As stored; see the header for what it counts from. */
  readonly valueOffs: number;
  readonly valueInum: number;
  readonly valueSize: number;
  readonly hash: number;
  /** Undefined when the value lies elsewhere, or outside the area. */
  readonly value: Bytes | undefined;
}

export interface XattrProblem {
  /** Bytes from the start of the inode or block. */
  readonly offset: number;
  readonly problem: string;
  readonly expected?: string;
  readonly found?: string;
}

/** One attribute area. `entries` ends at the first entry whose name is out of bounds. */
export interface XattrArea {
  /** False when there is no room, or no magic. */
  readonly present: boolean;
  /** Bytes from the start of the inode or block: first entry, and end of the area. */
  readonly first: number;
  readonly end: number;
  readonly entries: readonly XattrEntry[];
  readonly problems: readonly XattrProblem[];
}

/**
 * The attributes in an inode.
 * @param inode       the whole raw inode
 * @param extraIsize  as stored; 0 or a bad one means there is no area
 * @param eaInode     the volume has ea_inode: a value may be in an inode of its own
 * @source            fs/ext4/xattr.c xattr_check_inode, fs/ext4/inode.c ext4_iget_extra_inode
 */
export function ibodyOf(inode: Bytes, extraIsize: number, eaInode = false): XattrArea {
  const header = GOOD_OLD_INODE_SIZE + extraIsize;
  const first = header + 4;
  const end = inode.length;
  const absent: XattrArea = { present: false, first, end, entries: [], problems: [] };
  if (extraIsize === 0 || extraIsize % 4 !== 0 || first + 4 > end) return absent;
  if (inode.u32(header) !== XATTR_MAGIC) return absent;
  return readArea(inode, first, end, first, eaInode);
}

/** The attributes in an external block. @source fs/ext4/xattr.c check_xattrs */
export function xattrBlockOf(block: Bytes, eaInode = false): XattrArea {
  const header = xattrHeaderLayout.decode(block);
  const first = xattrHeaderLayout.size;
  const bad = (field: 'magic' | 'blocks', expected: string): XattrArea => {
    const problem = {
      offset: xattrHeaderLayout.fields[field].at,
      problem: `invalid header ${field}`,
      expected,
      found: hex(header[field]),
    };
    return { present: false, first, end: block.length, entries: [], problems: [problem] };
  };
  if (header.magic !== XATTR_MAGIC) return bad('magic', hex(XATTR_MAGIC));
  if (header.blocks !== 1) return bad('blocks', '0x1');
  const area = readArea(block, first, block.length, 0, eaInode);
  const hash = xattrBlockHash(area.entries);
  // Zero keeps the block from being shared, and is what libext2fs writes.
  if (area.problems.length > 0 || header.hash === hash || header.hash === 0) return area;
  const offset = xattrHeaderLayout.fields.hash.at;
  const wrong = { offset, problem: 'wrong block hash', expected: hex(hash, 8), found: hex(header.hash, 8) };
  return { ...area, problems: [wrong] };
}

/** True when entries are in the order the kernel's search in a block relies on. @source fs/ext4/xattr.c xattr_find_entry */
export function isSorted(entries: readonly XattrEntry[]): boolean {
  return entries.every((entry, i) => i === 0 || compareNames(entries[i - 1]!, entry) < 0);
}

/**
 * @param nr  block number
 * @returns   32 bits
 * @source    fs/ext4/xattr.c ext4_xattr_block_csum
 */
export function xattrBlockChecksum(csumSeed: number, nr: number, block: Bytes): number {
  const seed = crc32cU32(crc32cU32(csumSeed, nr), Math.floor(nr / 2 ** 32));
  return crc32cBytes(seed, xattrHeaderLayout.put(block, { checksum: 0 }));
}

/**
 * @param signed  take name bytes as signed chars, as kernels before 6.2 did on most machines
 * @source        fs/ext4/xattr.c ext4_xattr_hash_entry, ext4_xattr_hash_entry_signed
 */
export function xattrEntryHash(name: Bytes, value: Bytes, signed = false): number {
  let hash = 0;
  for (let i = 0; i < name.length; i++) {
    const byte = signed ? (name.u8(i) << 24) >> 24 : name.u8(i);
    hash = (hash << 5) ^ (hash >>> 27) ^ byte;
  }
  const padded = Bytes.zero((value.length + 3) & ~3).splice(0, value);
  for (let at = 0; at < padded.length; at += 4) {
    hash = (hash << 16) ^ (hash >>> 16) ^ padded.u32(at);
  }
  return hash >>> 0;
}

/** @source fs/ext4/xattr.c ext4_xattr_rehash */
export function xattrBlockHash(entries: readonly XattrEntry[]): number {
  let hash = 0;
  for (const entry of entries) {
    if (entry.hash === 0) return 0;
    hash = (hash << 16) ^ (hash >>> 16) ^ entry.hash;
  }
  return hash >>> 0;
}

/** Full name as tools print it. */
export function xattrName(entry: XattrEntry): string {
  return `${XATTR_PREFIX[entry.nameIndex] ?? `index${entry.nameIndex}.`}${nameText(entry.name)}`;
}

/** @param base  where value offsets count from */
function readArea(bytes: Bytes, first: number, end: number, base: number, eaInode: boolean): XattrArea {
  const entries: XattrEntry[] = [];
  const problems: XattrProblem[] = [];
  let at = first;
  while (at + 4 <= end && bytes.u32(at) !== 0) {
    const nameLen = bytes.u8(at);
    const next = at + ((xattrEntryLayout.size + nameLen + 3) & ~3);
    if (next + 4 > end) {
      problems.push({
        offset: at,
        problem: 'e_name out of bounds',
        expected: `end before ${end}`,
        found: `${next}`,
      });
      return { present: true, first, end, entries, problems };
    }
    const entry = xattrEntryLayout.decode(bytes, at);
    const nameAt = at + xattrEntryLayout.size;
    const from = base + entry.valueOffs;
    const here = entry.valueInum === 0 && entry.valueSize > 0;
    const inside = from + entry.valueSize <= end;
    const value = here ? (inside ? bytes.slice(from, from + entry.valueSize) : undefined) : Bytes.zero(0);
    entries.push({
      offset: at,
      nameIndex: entry.nameIndex,
      name: bytes.slice(nameAt, nameAt + nameLen),
      valueOffs: entry.valueOffs,
      valueInum: entry.valueInum,
      valueSize: entry.valueSize,
      hash: entry.hash,
      value: entry.valueInum === 0 ? value : undefined,
    });
    at = next;
  }
  const namesEnd = at + 4;
  for (const entry of entries) problems.push(...entryProblems(entry, namesEnd, end, base, eaInode));
  problems.push(...overlaps(entries, base), ...twins(entries));
  return { present: true, first, end, entries, problems };
}

/** Bytes a value takes, padding included. Not with `& ~3`, which a lying size overflows. @source fs/ext4/xattr.h EXT4_XATTR_SIZE */
const valueSpan = (size: number): number => Math.ceil(size / 4) * 4;

function entryProblems(
  entry: XattrEntry,
  namesEnd: number,
  end: number,
  base: number,
  eaInode: boolean,
): XattrProblem[] {
  const { offset } = entry;
  const name = xattrName(entry);
  if (entry.nameIndex === 0)
    return [{ offset: offset + 1, problem: 'an entry of index 0', expected: '1 or more', found: '0' }];
  if (entry.name.length === 0 && !NAMELESS.has(entry.nameIndex))
    return [{ offset, problem: `an entry of index ${entry.nameIndex} without a name` }];
  if (entry.name.toText().includes('\0'))
    return [{ offset, problem: `bad e_name length: ${name} has a NUL` }];
  if (entry.valueInum !== 0) {
    if (eaInode) return [];
    return [
      {
        offset: offset + 4,
        problem: `value of ${name} in an inode without ea_inode`,
        found: `${entry.valueInum}`,
      },
    ];
  }
  const from = base + entry.valueOffs;
  if (entry.valueSize === 0 && from > end) {
    return [
      {
        offset: offset + 2,
        problem: `empty value of ${name} outside the area`,
        expected: `0..${end - base}`,
        found: `${entry.valueOffs}`,
      },
    ];
  }
  const span = valueSpan(entry.valueSize);
  if (entry.valueSize > 0 && (from < namesEnd || from + span > end)) {
    return [
      {
        offset: offset + 2,
        problem: `value of ${name} outside the value area`,
        expected: `${namesEnd}..${end}`,
        found: `${from}..${from + span}`,
      },
    ];
  }
  if (entry.hash === 0) return [];
  const unsigned = xattrEntryHash(entry.name, entry.value!);
  if (entry.hash === unsigned || entry.hash === xattrEntryHash(entry.name, entry.value!, true)) return [];
  return [
    {
      offset: offset + 12,
      problem: `wrong hash of ${name}`,
      expected: hex(unsigned, 8),
      found: hex(entry.hash, 8),
    },
  ];
}

function overlaps(entries: readonly XattrEntry[], base: number): XattrProblem[] {
  const placed = entries
    .filter((entry) => entry.valueInum === 0 && entry.valueSize > 0)
    .map((entry) => ({
      entry,
      from: base + entry.valueOffs,
      to: base + entry.valueOffs + valueSpan(entry.valueSize),
    }))
    .sort((a, b) => a.from - b.from);
  const problems: XattrProblem[] = [];
  for (let i = 1; i < placed.length; i++) {
    const [before, here] = [placed[i - 1]!, placed[i]!];
    if (here.from >= before.to) continue;
    problems.push({
      offset: here.entry.offset + 2,
      problem: `values of ${xattrName(before.entry)} and ${xattrName(here.entry)} share bytes`,
      expected: `${before.to} or more`,
      found: `${here.from}`,
    });
  }
  return problems;
}

function twins(entries: readonly XattrEntry[]): XattrProblem[] {
  const seen = new Set<string>();
  const problems: XattrProblem[] = [];
  for (const entry of entries) {
    const name = `${entry.nameIndex}:${entry.name.toHex()}`;
    if (seen.has(name))
      problems.push({ offset: entry.offset, problem: `${xattrName(entry)} is there twice` });
    seen.add(name);
  }
  return problems;
}

function compareNames(a: XattrEntry, b: XattrEntry): number {
  if (a.nameIndex !== b.nameIndex) return a.nameIndex - b.nameIndex;
  if (a.name.length !== b.name.length) return a.name.length - b.name.length;
  const [x, y] = [a.name.toHex(), b.name.toHex()];
  return x < y ? -1 : x > y ? 1 : 0;
}
