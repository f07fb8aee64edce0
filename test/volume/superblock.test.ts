import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { mkfs } from '../../src/volume/mkfs.ts';
import {
  checksumSeedOf,
  featureBit,
  featureNames,
  featureNamesOf,
  SUPERBLOCK_OFFSET,
  superblockChecksum,
  superblockLayout,
  withSuperblockChecksum,
} from '../../src/volume/superblock.ts';
import { debugfs, refereed } from '../support/referee.ts';

const superblockOf = (file: Uint8Array) => Bytes.of(file.slice(SUPERBLOCK_OFFSET, SUPERBLOCK_OFFSET + 1024));

describe('superblock', () => {
  test('Do the fields tile all 1024 bytes, in on-disk order, without a gap?', () => {
    let at = 0;
    for (const field of Object.values(superblockLayout.fields)) {
      expect(field.at).toBe(at);
      at += field.size;
    }
    expect(at).toBe(1024);
  });

  test('Is the seed of the golden uuid 0xB720167D?', () => {
    const uuid = Bytes.fromHex('00112233445566778899aabbccddeeff');
    const sb = superblockLayout.put(Bytes.zero(1024), { uuid });
    expect(checksumSeedOf(sb)).toBe(0xb720167d);
  });

  test('Does metadata_csum_seed win over the uuid?', () => {
    const sb = superblockLayout.put(Bytes.zero(1024), {
      featureIncompat: featureBit('metadata_csum_seed')!.bit,
      checksumSeed: 0x12345678,
    });
    expect(checksumSeedOf(sb)).toBe(0x12345678);
  });

  test('Is the checksum right after a change, and wrong for any flipped byte?', () => {
    const sb = withSuperblockChecksum(superblockLayout.put(superblockOf(mkfs()), { mntCount: 7 }));
    const stored = superblockLayout.get(sb, 'checksum');
    expect(superblockChecksum(sb)).toBe(stored);
    for (const at of [0, 0x38, 0x1ff, 0x3fb]) {
      expect(superblockChecksum(sb.putU8(at, sb.u8(at) ^ 1))).not.toBe(stored);
    }
  });

  test('Is an unnamed feature bit printed in hex?', () => {
    expect(featureNamesOf('incompat', 0x80000042)).toEqual(['filetype', 'extent', '0x80000000']);
    expect(featureBit('extents')).toEqual(featureBit('extent'));
    expect(featureBit('no_such')).toBeUndefined();
  });

  refereed('Does debugfs print the same feature names and the same checksum?', ['debugfs'], () => {
    const file = mkfs({ features: ['has_journal', '64bit', 'metadata_csum_seed', 'verity'] });
    const sb = superblockOf(file);
    const stats = debugfs(file, 'stats');
    const names = featureNames({
      compat: superblockLayout.get(sb, 'featureCompat'),
      incompat: superblockLayout.get(sb, 'featureIncompat'),
      roCompat: superblockLayout.get(sb, 'featureRoCompat'),
    });
    expect(/Filesystem features:\s+(.*\S)/.exec(stats)?.[1]).toBe(names.join(' '));
    const checksum = superblockLayout.get(sb, 'checksum').toString(16).padStart(8, '0');
    expect(/Checksum:\s+0x([0-9a-f]+)/.exec(stats)?.[1]).toBe(checksum);
  });
});
