/**
 * struct ext4_inode: the 160 bytes that have names, the flags, the modes, the reserved numbers.
 *
 * ```
 * 0x00 ┌ the good old inode ───────────────────┐
 * 0x28 │ iBlock, 60 bytes: extent root, block  │
 * 0x64 │ map, fast symlink or inline data      │
 * 0x80 ├ extraIsize bytes of extra fields ─────┤  only when the inode is larger than 128 bytes
 * 0x80 + extraIsize ┌ ibody xattrs (xattr/ibody.ts) … to the end of the inode
 * ```
 *
 * A raw inode is a `Bytes` of exactly s_inode_size bytes. Fields at or past 0x80 + extraIsize are not fields of
 * this inode even though the table names them: ask `fitsInInode` first.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { type Field, type Layout, layout, raw as rawField, u16, u32 } from '../bytes/layout.ts';

const fields = {
  mode: u16(0x00, 'file type and permissions'),
  uid: u16(0x02, 'low 16 bits of the owner'),
  sizeLo: u32(0x04, 'low 32 bits of i_disksize'),
  atime: u32(0x08),
  ctime: u32(0x0c),
  mtime: u32(0x10),
  dtime: u32(0x14, 'deletion time; next inode while on the orphan list'),
  gid: u16(0x18, 'low 16 bits of the group'),
  linksCount: u16(0x1a),
  blocksLo: u32(0x1c, 'units of 512 bytes unless hugeFile'),
  flags: u32(0x20),
  diskVersion: u32(0x24, 'osd1: low 32 bits of i_version'),
  iBlock: rawField(0x28, 60, 'extent root, block map, symlink or inline data'),
  generation: u32(0x64),
  fileAclLo: u32(0x68, 'external xattr block'),
  sizeHigh: u32(0x6c),
  obsoFaddr: u32(0x70),
  blocksHigh: u16(0x74, 'osd2'),
  fileAclHigh: u16(0x76, 'osd2'),
  uidHigh: u16(0x78, 'osd2'),
  gidHigh: u16(0x7a, 'osd2'),
  checksumLo: u16(0x7c, 'osd2: low half of the crc32c'),
  reserved: u16(0x7e, 'osd2'),
  extraIsize: u16(0x80, 'bytes of extra fields from 0x80'),
  checksumHi: u16(0x82),
  ctimeExtra: u32(0x84, 'nsec << 2 | epoch'),
  mtimeExtra: u32(0x88, 'nsec << 2 | epoch'),
  atimeExtra: u32(0x8c, 'nsec << 2 | epoch'),
  crtime: u32(0x90),
  crtimeExtra: u32(0x94, 'nsec << 2 | epoch'),
  versionHi: u32(0x98),
  projid: u32(0x9c),
} satisfies Record<string, Field>;

/** @source fs/ext4/ext4.h struct ext4_inode */
export const inodeLayout: Layout<typeof fields> = layout('ext4_inode', 0xa0, fields);

export type InodeField = keyof typeof fields;

/** Bytes of the inode that every ext4 inode has; where `extraIsize` starts counting. */
export const GOOD_OLD_INODE_SIZE = 0x80;
/** Byte offset of `iBlock`, and the bytes it holds. */
export const I_BLOCK_AT = 0x28;
export const I_BLOCK_SIZE = 60;

/** Inode flags as bits of `flags`. @source fs/ext4/ext4.h EXT4_*_FL */
export const INODE_FLAG = {
  secrm: 0x00000001,
  unrm: 0x00000002,
  compr: 0x00000004,
  sync: 0x00000008,
  immutable: 0x00000010,
  append: 0x00000020,
  nodump: 0x00000040,
  noatime: 0x00000080,
  dirty: 0x00000100,
  comprblk: 0x00000200,
  nocompr: 0x00000400,
  encrypt: 0x00000800,
  index: 0x00001000,
  imagic: 0x00002000,
  journalData: 0x00004000,
  notail: 0x00008000,
  dirsync: 0x00010000,
  topdir: 0x00020000,
  hugeFile: 0x00040000,
  extents: 0x00080000,
  verity: 0x00100000,
  eaInode: 0x00200000,
  dax: 0x02000000,
  inlineData: 0x10000000,
  projinherit: 0x20000000,
  casefold: 0x40000000,
} as const;

export type InodeFlag = keyof typeof INODE_FLAG;

/** The names of the set bits of `flags`, in bit order; for messages and diffs. */
export function inodeFlagNames(flags: number): InodeFlag[] {
  return (Object.keys(INODE_FLAG) as InodeFlag[]).filter((name) => (flags & INODE_FLAG[name]) !== 0);
}

export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;
/** A directory with it gives its group to what is made in it. */
export const S_ISGID = 0o2000;
export const S_ISUID = 0o4000;
export const S_IXGRP = 0o010;

export const isReg = (mode: number): boolean => (mode & S_IFMT) === S_IFREG;
export const isDir = (mode: number): boolean => (mode & S_IFMT) === S_IFDIR;
export const isLnk = (mode: number): boolean => (mode & S_IFMT) === S_IFLNK;

/** Directory entry file types. @source fs/ext4/ext4.h EXT4_FT_* */
export const DIRENT_TYPE = {
  unknown: 0,
  reg: 1,
  dir: 2,
  chr: 3,
  blk: 4,
  fifo: 5,
  sock: 6,
  lnk: 7,
  dirCsum: 0xde,
} as const;

/** The directory entry file type of an inode mode. @source fs/ext4/ext4.h ext4_type_by_mode */
export function direntTypeOf(mode: number): number {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return DIRENT_TYPE.reg;
    case S_IFDIR:
      return DIRENT_TYPE.dir;
    case S_IFCHR:
      return DIRENT_TYPE.chr;
    case S_IFBLK:
      return DIRENT_TYPE.blk;
    case S_IFIFO:
      return DIRENT_TYPE.fifo;
    case S_IFSOCK:
      return DIRENT_TYPE.sock;
    case S_IFLNK:
      return DIRENT_TYPE.lnk;
    default:
      return DIRENT_TYPE.unknown;
  }
}

/** Inode numbers with a meaning. @source fs/ext4/ext4.h EXT4_*_INO */
export const RESERVED_INO = {
  bad: 1,
  root: 2,
  usrQuota: 3,
  grpQuota: 4,
  bootLoader: 5,
  undelDir: 6,
  resize: 7,
  journal: 8,
  /** The first number mke2fs gives to a file (lost+found). */
  goodOldFirst: 11,
} as const;

/**
 * `extraIsize` of a raw inode; 0 for 128-byte inodes, which have no room for the field.
 * @returns bytes
 */
export function extraIsizeOf(raw: Bytes): number {
  return raw.length > GOOD_OLD_INODE_SIZE ? raw.u16(0x80) : 0;
}

/** @source fs/ext4/ext4.h EXT4_FITS_IN_INODE */
export function fitsInInode(raw: Bytes, name: InodeField): boolean {
  const field = fields[name];
  return field.at + field.size <= GOOD_OLD_INODE_SIZE + extraIsizeOf(raw);
}

/**
 * Why iget refuses this `extraIsize`, or undefined.
 * @source fs/ext4/inode.c __ext4_iget
 */
export function checkExtraIsize(raw: Bytes): string | undefined {
  const extra = extraIsizeOf(raw);
  if (GOOD_OLD_INODE_SIZE + extra <= raw.length && (extra & 3) === 0) return undefined;
  return `iget: bad extra_isize ${extra} (inode size ${raw.length})`;
}

/** i_disksize as stored: both halves, in bytes. Directories without large_dir use the low half only. */
export function rawSize(raw: Bytes): number {
  return raw.u32(0x04) + raw.u32(0x6c) * 0x1_0000_0000;
}

/** Number of the external xattr block, 0 for none. */
export function rawFileAcl(raw: Bytes): number {
  return raw.u32(0x68) + raw.u16(0x76) * 0x1_0000_0000;
}

/** i_blocks as stored, both halves: units of 512 bytes, or of blocks when `hugeFile` is set. */
export function rawBlocks(raw: Bytes): number {
  return raw.u32(0x1c) + raw.u16(0x74) * 0x1_0000_0000;
}

/**
 * The 60 bytes of an empty extent root: magic 0xF30A, 0 entries, room for 4, depth 0, generation 0.
 * @source fs/ext4/extents.c ext4_ext_tree_init
 */
export const EMPTY_EXTENT_ROOT: readonly number[] = [0x0a, 0xf3, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0];
