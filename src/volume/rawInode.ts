/**
 * The few inode fields the volume itself needs, to find, to check and to make files. The whole structure, its
 * flags and its rules are `src/inode`; this is the volume's own minimal view so that neither waits for the other.
 *
 * Checksum: crc32c(crc32c(crc32c(seed, le32 ino), le32 generation), inode with both fields zeroed); low half at
 * 0x7C, high half at 0x82 when i_extra_isize covers it.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { crc32c, crc32cU32 } from '../bytes/crc32c.ts';
import { layout, raw, u16, u32 } from '../bytes/layout.ts';
import { type Geometry, GOOD_OLD_INODE_SIZE } from './geometry.ts';

/** The first 128 bytes. @source fs/ext4/ext4.h struct ext4_inode */
export const rawInodeLayout = layout('ext4_inode', GOOD_OLD_INODE_SIZE, {
  mode: u16(0x00),
  uidLo: u16(0x02),
  sizeLo: u32(0x04),
  atime: u32(0x08),
  ctime: u32(0x0c),
  mtime: u32(0x10),
  dtime: u32(0x14),
  gidLo: u16(0x18),
  linksCount: u16(0x1a),
  blocksLo: u32(0x1c),
  flags: u32(0x20),
  versionLo: u32(0x24),
  iBlock: raw(0x28, 60),
  generation: u32(0x64),
  fileAclLo: u32(0x68),
  sizeHigh: u32(0x6c),
  obsoFaddr: u32(0x70),
  blocksHigh: u16(0x74),
  fileAclHigh: u16(0x76),
  uidHigh: u16(0x78),
  gidHigh: u16(0x7a),
  checksumLo: u16(0x7c),
  reserved: u16(0x7e),
});

/** From byte 0x80 on, when the inode is larger than 128 bytes. @source fs/ext4/ext4.h struct ext4_inode */
export const rawInodeExtraLayout = layout('ext4_inode', 0xa0, {
  extraIsize: u16(0x80),
  checksumHi: u16(0x82),
  ctimeExtra: u32(0x84),
  mtimeExtra: u32(0x88),
  atimeExtra: u32(0x8c),
  crtime: u32(0x90),
  crtimeExtra: u32(0x94),
  versionHi: u32(0x98),
  projid: u32(0x9c),
});

/** Bits of i_flags the volume asks about. @source fs/ext4/ext4.h EXT4_EXTENTS_FL */
export const INODE_FLAGS = {
  INDEX: 0x0000_1000,
  HUGE_FILE: 0x0004_0000,
  EXTENTS: 0x0008_0000,
  VERITY: 0x0010_0000,
  EA_INODE: 0x0020_0000,
  INLINE_DATA: 0x1000_0000,
} as const;

export const S_IFMT = 0xf000;
export const S_IFIFO = 0x1000;
export const S_IFCHR = 0x2000;
export const S_IFDIR = 0x4000;
export const S_IFBLK = 0x6000;
export const S_IFREG = 0x8000;
export const S_IFLNK = 0xa000;
export const S_IFSOCK = 0xc000;

/** What the file is, as `stat` would say; undefined for a mode that names nothing. */
export type FileKind = 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo' | 'socket';

export function fileKind(mode: number): FileKind | undefined {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return 'file';
    case S_IFDIR:
      return 'directory';
    case S_IFLNK:
      return 'symlink';
    case S_IFCHR:
      return 'char';
    case S_IFBLK:
      return 'block';
    case S_IFIFO:
      return 'fifo';
    case S_IFSOCK:
      return 'socket';
    default:
      return undefined;
  }
}

/** Directory entry type of a mode; 0 for a mode that names nothing. @source fs/ext4/ext4.h ext4_set_de_type */
export function direntTypeOf(mode: number): number {
  const kind = fileKind(mode);
  return kind === undefined ? 0 : DIRENT_TYPE[kind];
}

/** @source fs/ext4/ext4.h EXT4_FT_REG_FILE */
export const DIRENT_TYPE: Readonly<Record<FileKind, number>> = {
  file: 1,
  directory: 2,
  char: 3,
  block: 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
};

/** The fields with low and high halves joined. Sizes are bytes; `blocks` is in 512-byte units unless HUGE_FILE. */
export interface RawInode {
  readonly mode: number;
  readonly size: number;
  readonly linksCount: number;
  readonly blocks: number;
  readonly flags: number;
  readonly dtime: number;
  readonly generation: number;
  /** Block number of the external xattr block, 0 for none. */
  readonly fileAcl: number;
  /** 0 in a 128-byte inode. */
  readonly extraIsize: number;
  readonly iBlock: Bytes;
  readonly checksum: number;
}

/** @param bytes  exactly `inodeSize` bytes */
export function readRawInode(geo: Geometry, bytes: Bytes): RawInode {
  const get = (name: Exclude<keyof typeof rawInodeLayout.fields, 'iBlock'>) =>
    rawInodeLayout.get(bytes, name);
  const large = bytes.length > GOOD_OLD_INODE_SIZE;
  const extraIsize = large ? rawInodeExtraLayout.get(bytes, 'extraIsize') : 0;
  const mode = get('mode');
  return {
    mode,
    size: get('sizeLo') + (fileKind(mode) === 'file' ? get('sizeHigh') * 2 ** 32 : 0),
    linksCount: get('linksCount'),
    blocks: get('blocksLo') + (geo.hugeFile ? get('blocksHigh') * 2 ** 32 : 0),
    flags: get('flags'),
    dtime: get('dtime'),
    generation: get('generation'),
    fileAcl: get('fileAclLo') + (geo.descSize >= 64 ? get('fileAclHigh') * 2 ** 32 : 0),
    extraIsize,
    iBlock: rawInodeLayout.get(bytes, 'iBlock'),
    checksum:
      get('checksumLo') + (hasChecksumHi(bytes) ? rawInodeExtraLayout.get(bytes, 'checksumHi') * 2 ** 16 : 0),
  };
}

/** The register that an inode's directory blocks, extent blocks and own checksum start from. @source fs/ext4/inode.c __ext4_iget */
export function inodeChecksumSeed(csumSeed: number, ino: number, generation: number): number {
  return crc32cU32(crc32cU32(csumSeed, ino), generation);
}

/**
 * @returns  32 bits, or 16 when the inode has no room for the high half
 * @source   fs/ext4/inode.c ext4_inode_csum
 */
export function rawInodeChecksum(geo: Geometry, ino: number, bytes: Bytes): number {
  const hi = hasChecksumHi(bytes);
  const seed = inodeChecksumSeed(geo.csumSeed, ino, rawInodeLayout.get(bytes, 'generation'));
  return bytes.reading((view) => {
    let crc = crc32c(crc32c(seed, view, 0, CHECKSUM_LO), ZERO16);
    if (!hi) return crc32c(crc, view, CHECKSUM_LO + 2) & 0xffff;
    crc = crc32c(crc32c(crc, view, CHECKSUM_LO + 2, CHECKSUM_HI), ZERO16);
    return crc32c(crc, view, CHECKSUM_HI + 2);
  });
}

/** The inode with its checksum made right; unchanged without metadata_csum. */
export function withRawInodeChecksum(geo: Geometry, ino: number, bytes: Bytes): Bytes {
  if (!geo.metadataCsum) return bytes;
  const crc = rawInodeChecksum(geo, ino, bytes);
  const low = bytes.putU16(CHECKSUM_LO, crc);
  return hasChecksumHi(bytes) ? low.putU16(CHECKSUM_HI, crc >>> 16) : low;
}

const ZERO16 = new Uint8Array(2);
const CHECKSUM_LO = rawInodeLayout.fields.checksumLo.at;
const CHECKSUM_HI = rawInodeExtraLayout.fields.checksumHi.at;

function hasChecksumHi(bytes: Bytes): boolean {
  return bytes.length > GOOD_OLD_INODE_SIZE && rawInodeExtraLayout.get(bytes, 'extraIsize') >= 4;
}
