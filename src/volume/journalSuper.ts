/**
 * The journal superblock: the first block of the journal file, big endian as all of the journal. mkfs writes it,
 * check reads it; what the rest of the log means is `src/device`.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { crc32cBytes } from '../bytes/crc32c.ts';
import { be32, layout, raw, u8 } from '../bytes/layout.ts';

/** @source include/linux/jbd2.h JBD2_MIN_JOURNAL_BLOCKS */
export const MIN_JOURNAL_BLOCKS = 1024;

/** The journal superblock: big endian, as all of the journal. @source include/linux/jbd2.h struct journal_superblock_s */
export const journalSuperblockLayout = layout('journal_superblock_s', 1024, {
  magic: be32(0x00, '0xC03B3998'),
  blocktype: be32(0x04, '4 is a version 2 superblock'),
  headerSequence: be32(0x08),
  blocksize: be32(0x0c),
  maxlen: be32(0x10, 'blocks of the journal'),
  first: be32(0x14, 'first block of the log'),
  sequence: be32(0x18, 'first commit expected in the log'),
  start: be32(0x1c, 'block the log starts at; 0 when it is empty'),
  errno: be32(0x20),
  featureCompat: be32(0x24),
  featureIncompat: be32(0x28),
  featureRoCompat: be32(0x2c),
  uuid: raw(0x30, 16),
  nrUsers: be32(0x40),
  dynsuper: be32(0x44),
  maxTransaction: be32(0x48),
  maxTransData: be32(0x4c),
  checksumType: u8(0x50),
  numFcBlks: be32(0x54),
  head: be32(0x58),
  padding: raw(0x5c, 160),
  checksum: be32(0xfc),
  users: raw(0x100, 768),
});

export const JOURNAL_MAGIC = 0xc03b3998;
export const JOURNAL_SUPERBLOCK_V2 = 4;

/** @source fs/jbd2/journal.c jbd2_superblock_csum */
export function journalSuperblockChecksum(block: Bytes): number {
  return crc32cBytes(0xffffffff, journalSuperblockLayout.put(block.slice(0, 1024), { checksum: 0 }));
}
