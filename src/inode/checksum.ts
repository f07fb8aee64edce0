/**
 * The inode checksum: crc32c over the whole raw inode with both checksum fields read as zero, seeded with the
 * file system seed, the inode number and the generation.
 *
 * Low half at 0x7C; high half at 0x82 when `extraIsize` covers it (≥ 4), otherwise only 16 bits are kept and the
 * two bytes at 0x82 are hashed as they are.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { crc32c, crc32cU32 } from '../bytes/crc32c.ts';
import { fitsInInode, GOOD_OLD_INODE_SIZE } from './layout.ts';

const CHECKSUM_LO_AT = 0x7c;
const CHECKSUM_HI_AT = 0x82;

/**
 * The seed of everything that belongs to one inode: its own checksum, its directory block tails, its extent blocks.
 * @param fsSeed      s_checksum_seed, or crc32c(~0, uuid)
 * @source            fs/ext4/inode.c __ext4_iget (i_csum_seed)
 */
export function inodeSeed(ino: number, generation: number, fsSeed: number): number {
  return crc32cU32(crc32cU32(fsSeed, ino), generation);
}

/**
 * The 32-bit checksum of a raw inode, whatever its checksum fields hold now; the generation is read from `raw`.
 * @returns unsigned 32 bits; only the low 16 are stored when checksumHi does not fit
 * @source  fs/ext4/inode.c ext4_inode_csum
 */
export function inodeChecksum(raw: Bytes, ino: number, fsSeed: number): number {
  const seed = inodeSeed(ino, raw.u32(0x64), fsSeed);
  const copy = raw.length <= scratch.length ? scratch : new Uint8Array(raw.length);
  raw.copyTo(copy, 0);
  copy[CHECKSUM_LO_AT] = copy[CHECKSUM_LO_AT + 1] = 0;
  if (fitsInInode(raw, 'checksumHi')) copy[CHECKSUM_HI_AT] = copy[CHECKSUM_HI_AT + 1] = 0;
  return crc32c(seed, copy, 0, raw.length);
}

/** Where an inode is put to be summed with its checksum fields zero. */
const scratch = new Uint8Array(4096);

/**
 * The raw inode with its checksum stored.
 * @source fs/ext4/inode.c ext4_inode_csum_set
 */
export function sealInode(raw: Bytes, ino: number, fsSeed: number): Bytes {
  const hi = fitsInInode(raw, 'checksumHi') ? CHECKSUM_HI_AT : -1;
  return raw.withSum(CHECKSUM_LO_AT, hi, (base) => inodeChecksum(base, ino, fsSeed));
}

/** The checksum as stored: 32 bits, or 16 when checksumHi does not fit. */
export function storedInodeChecksum(raw: Bytes): number {
  const hi = raw.length > GOOD_OLD_INODE_SIZE && fitsInInode(raw, 'checksumHi') ? raw.u16(CHECKSUM_HI_AT) : 0;
  return (raw.u16(CHECKSUM_LO_AT) | (hi << 16)) >>> 0;
}

/**
 * False is what makes the kernel answer EBADMSG (EFSBADCRC) at iget.
 * @source fs/ext4/inode.c ext4_inode_csum_verify
 */
export function inodeChecksumOk(raw: Bytes, ino: number, fsSeed: number): boolean {
  const sum = inodeChecksum(raw, ino, fsSeed);
  return storedInodeChecksum(raw) === (fitsInInode(raw, 'checksumHi') ? sum : sum & 0xffff);
}
