/**
 * The superblock and its copies.
 *
 * Verified: state, revision, feature bits that nobody knows, fields that must agree with a feature, reserved blocks,
 * the copies' magic, group number, uuid and checksum.
 * Not verified: times, counts of mounts, error records, mount options.
 */
import { hex } from './badImage.ts';
import { blockPlace } from './checkContext.ts';
import type { Complaints, Place } from './complaint.ts';
import { groupFirstBlock, groupHasSuper } from './geometry.ts';
import type { Image } from './image.ts';
import {
  blocksCountOf,
  COMPAT,
  EXT4_MAGIC,
  FS_STATE,
  featureNamesOf,
  hasFeature,
  RO_COMPAT,
  reservedBlocksCountOf,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockChecksum,
  superblockLayout,
} from './superblock.ts';

/** Where a field of the superblock is. */
export function superPlace(field: keyof typeof superblockLayout.fields): Place {
  return { structure: 'superblock', offset: SUPERBLOCK_OFFSET + superblockLayout.fields[field].at };
}

export function checkSuperblock(image: Image, complaints: Complaints): void {
  const { geometry: geo, superblock: sb } = image;
  const state = superblockLayout.get(sb, 'state');
  if (state & FS_STATE.ERROR)
    complaints.error('fs-state', superPlace('state'), 'the volume is marked as having errors');
  if (!(state & FS_STATE.VALID)) complaints.note('fs-state', superPlace('state'), 'not cleanly unmounted');
  if (image.readOnlyReason !== undefined)
    complaints.note('read-only', superPlace('featureRoCompat'), image.readOnlyReason);
  checkFeatures(image, complaints);
  checkFields(image, complaints);
  for (let group = 1; group < geo.groupCount; group++) {
    if (groupHasSuper(geo, group)) checkBackup(image, complaints, group);
  }
}

const bitsOf = (table: Readonly<Record<string, number>>): number =>
  Object.values(table).reduce((all, bit) => all | bit, 0);

/** Bits without a name: e2fsck does not touch such a volume. @source e2fsprogs lib/ext2fs/ext2fs.h EXT2_LIB_FEATURE_COMPAT_SUPP */
function checkFeatures(image: Image, complaints: Complaints): void {
  const { compat, roCompat } = image.geometry.features;
  const unknown = (word: 'compat' | 'roCompat', bits: number) => {
    if (bits === 0) return;
    const place = superPlace(word === 'compat' ? 'featureCompat' : 'featureRoCompat');
    complaints.error(
      'unknown-feature',
      place,
      `features that nobody knows: ${featureNamesOf(word, bits).join(' ')}`,
    );
  };
  unknown('compat', compat & ~bitsOf(COMPAT));
  unknown('roCompat', roCompat & ~(bitsOf(RO_COMPAT) & ~RO_COMPAT.btree_dir));
  if (hasFeature(image.geometry.features, 'needs_recovery') && !image.geometry.hasJournal) {
    complaints.error('superblock', superPlace('featureIncompat'), 'needs_recovery without has_journal');
  }
}

/** Bytes of the longest descriptor. @source fs/ext4/ext4.h EXT4_MAX_DESC_SIZE */
const MAX_DESC_SIZE = 1024;

/** @source e2fsprogs e2fsck/super.c check_super_block */
function checkFields(image: Image, complaints: Complaints): void {
  const sb = superblockLayout.decode(image.superblock);
  const wrong = (field: keyof typeof superblockLayout.fields, expected: string, found: number) =>
    complaints.error('superblock', superPlace(field), `bad ${field}`, expected, found);
  if (sb.revLevel > 1) wrong('revLevel', '0 or 1', sb.revLevel);
  const reserved = reservedBlocksCountOf(image.superblock);
  const half = Math.floor(blocksCountOf(image.superblock) / 2);
  if (reserved > half) wrong('rBlocksCountLo', `${half} or less`, reserved);
  if (sb.descSize > MAX_DESC_SIZE || (sb.descSize & (sb.descSize - 1)) !== 0)
    wrong('descSize', `a power of two, ${MAX_DESC_SIZE} or less`, sb.descSize);
  if (sb.logGroupsPerFlex > 31) wrong('logGroupsPerFlex', '31 or less', sb.logGroupsPerFlex);
}

/** A copy matters only to who repairs the volume; kernels do not keep it fresh. */
function checkBackup(image: Image, complaints: Complaints, group: number): void {
  const geo = image.geometry;
  const nr = groupFirstBlock(geo, group);
  const copy = image.read(nr * geo.blockSize, SUPERBLOCK_SIZE);
  const get = (field: 'magic' | 'blockGroupNr' | 'checksum') => superblockLayout.get(copy, field);
  const note = (at: number, problem: string, expected: unknown, found: unknown) =>
    complaints.note(
      'backup-superblock',
      blockPlace(geo, 'superblock copy in block', nr, at),
      problem,
      expected,
      found,
    );
  if (get('magic') !== EXT4_MAGIC) return note(0x38, 'wrong magic', hex(EXT4_MAGIC), hex(get('magic')));
  if (get('blockGroupNr') !== group) note(0x5a, 'wrong group number', group, get('blockGroupNr'));
  if (geo.metadataCsum && get('checksum') !== superblockChecksum(copy)) {
    note(0x3fc, 'wrong checksum', hex(superblockChecksum(copy), 8), hex(get('checksum'), 8));
  }
  const uuid = superblockLayout.get(copy, 'uuid').toHex();
  if (uuid !== geo.uuid) note(0x68, 'another uuid', geo.uuid, uuid);
  return undefined;
}
