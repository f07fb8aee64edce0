import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import {
  bitmapBlocksOf,
  blocksInGroup,
  groupHasSuper,
  groupOfBlock,
  groupOfInode,
  inodeLocation,
  metadataAt,
  metadataRanges,
} from '../../src/volume/geometry.ts';
import { BadImage, Image } from '../../src/volume/image.ts';
import { mkfs } from '../../src/volume/mkfs.ts';
import { SUPERBLOCK_OFFSET, superblockLayout, withSuperblockChecksum } from '../../src/volume/superblock.ts';
import { debugfs, mke2fs, refereed } from '../support/referee.ts';

const small = mkfs({ features: ['has_journal'] });

/** The small volume with some superblock fields lying, checksum made right again. */
function lying(values: Parameters<typeof superblockLayout.put>[1], file: Uint8Array = small): Uint8Array {
  const copy = file.slice();
  const sb = Bytes.of(copy.slice(SUPERBLOCK_OFFSET, SUPERBLOCK_OFFSET + 1024));
  withSuperblockChecksum(superblockLayout.put(sb, values)).copyTo(copy, SUPERBLOCK_OFFSET);
  return copy;
}

function refusal(file: Uint8Array): BadImage {
  try {
    Image.load(file);
  } catch (error) {
    if (error instanceof BadImage) return error;
    throw error;
  }
  throw new Error('the image was accepted');
}

describe('geometry', () => {
  test('Is the default layout the one scenarios count on?', () => {
    const geo = Image.load(small).geometry;
    expect(geo).toMatchObject({
      blockSize: 4096,
      inodeSize: 256,
      blocksCount: 2048,
      inodesCount: 2048,
      firstDataBlock: 0,
      groupCount: 1,
      descSize: 32,
      gdtBlock: 1,
      csumSeed: 0xb720167d,
      metadataCsum: true,
      hasJournal: true,
      extents: true,
      uuid: '00112233445566778899aabbccddeeff',
      firstIno: 11,
      wantExtraIsize: 32,
      minExtraIsize: 32,
      journalInum: 8,
      groups: [{ blockBitmap: 2, inodeBitmap: 3, inodeTable: 4 }],
    });
    expect(Object.isFrozen(geo) && Object.isFrozen(geo.groups) && Object.isFrozen(geo.groups[0])).toBe(true);
  });

  test('Where are inodes, groups and bitmaps?', () => {
    const geo = Image.load(small).geometry;
    expect(inodeLocation(geo, 1)).toEqual({ block: 4, offset: 0 });
    expect(inodeLocation(geo, 17)).toEqual({ block: 5, offset: 0 });
    expect(inodeLocation(geo, 2048)).toEqual({ block: 131, offset: 15 * 256 });
    expect(() => inodeLocation(geo, 0)).toThrow(RangeError);
    expect(() => inodeLocation(geo, 2049)).toThrow('inode 2049 is outside 1..2048');
    expect(bitmapBlocksOf(geo, 0)).toEqual({ block: 2, inode: 3 });
    expect(metadataAt(geo, 131)?.what).toBe('inode table');
    expect(metadataAt(geo, 132)).toBeUndefined();

    const three = Image.load(mkfs({ blockSize: 1024, blocks: 20480 })).geometry;
    expect([1, 8192, 8193, 20479].map((block) => groupOfBlock(three, block))).toEqual([0, 0, 1, 2]);
    expect(() => groupOfBlock(three, 0)).toThrow(RangeError);
    expect([1, 1704, 1705].map((ino) => groupOfInode(three, ino))).toEqual([0, 0, 1]);
    expect(blocksInGroup(three, 2)).toBe(20480 - 1 - 2 * 8192);
    expect(metadataRanges(three).filter((range) => range.what === 'superblock').length).toBe(2);
  });

  test('Which groups have a superblock?', () => {
    const having = (
      features: { compat: number; incompat: number; roCompat: number },
      backupGroups: number[],
    ) =>
      Array.from({ length: 50 }, (_, group) => group).filter((group) =>
        groupHasSuper({ features, backupGroups }, group),
      );
    expect(having({ compat: 0, incompat: 0, roCompat: 1 }, [])).toEqual([0, 1, 3, 5, 7, 9, 25, 27, 49]);
    expect(having({ compat: 0x200, incompat: 0, roCompat: 0 }, [1, 49])).toEqual([0, 1, 49]);
    expect(having({ compat: 0, incompat: 0, roCompat: 0 }, []).length).toBe(50);
  });

  test('Is every lying superblock refused by name, field and offset?', () => {
    const cases: [Parameters<typeof superblockLayout.put>[1], string][] = [
      [
        { magic: 0xef54 },
        'superblock.magic at byte 1080: not an ext4 superblock, expected 0xef53, found 0xef54',
      ],
      [
        { checksumType: 2 },
        'superblock.checksumType at byte 1397: unknown checksum type, expected 1 (crc32c), found 2',
      ],
      [{ logBlockSize: 6 }, 'unsupported block size'],
      [{ logBlockSize: 0xffffffff }, 'unsupported block size'],
      [{ logClusterSize: 5 }, 'cluster size differs'],
      [{ inodeSize: 0 }, 'unsupported inode size'],
      [{ inodeSize: 8192 }, 'unsupported inode size'],
      [{ inodeSize: 200 }, 'unsupported inode size'],
      [{ firstIno: 3 }, 'first inode is reserved'],
      [{ firstDataBlock: 1 }, 'wrong first data block'],
      [{ blocksCountLo: 0 }, 'no blocks'],
      [{ blocksCountLo: 2049 }, 'superblock.blocksCountLo at byte 1028: the file is truncated'],
      [{ blocksCountLo: 0xffffffff }, 'the file is truncated'],
      [{ blocksPerGroup: 0, clustersPerGroup: 0 }, 'does not fit a one-block bitmap'],
      [{ blocksPerGroup: 0xfffffff8, clustersPerGroup: 0xfffffff8 }, 'does not fit a one-block bitmap'],
      [{ inodesPerGroup: 0 }, 'does not fit a one-block bitmap'],
      [{ inodesPerGroup: 0x80000000 }, 'does not fit a one-block bitmap'],
      [{ inodesCount: 0xffffffff }, 'is not inodes per group times groups'],
      [{ reservedGdtBlocks: 0xffff }, 'more than the resize inode can hold'],
      [{ wantExtraIsize: 132 }, 'does not fit the inode'],
      [{ minExtraIsize: 3 }, 'does not fit the inode'],
      [{ journalInum: 5000 }, 'no such inode'],
      [{ blocksPerGroup: 8, clustersPerGroup: 8 }, 'is not inodes per group times groups'],
    ];
    for (const [values, message] of cases) expect(refusal(lying(values)).message).toContain(message);
    const noSum = small.slice();
    noSum[SUPERBLOCK_OFFSET + 0x34] = 9;
    expect(refusal(noSum).message).toMatch(
      /^superblock\.checksum at byte 2044: wrong checksum, expected 0x\w{8}, found 0x\w{8}$/,
    );
  });

  test('Are unknown features refused by name, or named as the reason to only read?', () => {
    const incompat = (bits: number) => lying({ featureIncompat: 0x80c2 | bits, descSize: 64 });
    expect(refusal(incompat(0x1009)).message).toContain(
      'unsupported incompat features: compression journal_dev dirdata',
    );
    expect(refusal(incompat(0x40000000)).found).toBe('0x40000000');
    expect(refusal(incompat(0x100000)).structure).toBe('superblock.featureIncompat');
    const quota = Image.load(lying({ featureRoCompat: 0x46b | 0x100 | 0x40000000 }));
    expect(quota.readOnlyReason).toBe('unsupported ro_compat features: quota 0x40000000');
    expect(Image.load(small).readOnlyReason).toBeUndefined();
  });

  test('Is a lying group descriptor refused, with or without checksums?', () => {
    const at = 4096;
    const flipped = small.slice();
    flipped[at + 0x0c]! ^= 1;
    expect(refusal(flipped).message).toMatch(/^group descriptor 0 at byte 4126: wrong checksum/);
    const plain = mkfs({ features: ['^metadata_csum'] });
    const set = (field: number, block: number) => {
      const copy = plain.slice();
      new DataView(copy.buffer).setUint32(at + field, block, true);
      return refusal(copy).message;
    };
    expect(set(0, 2048)).toContain('group descriptor 0 at byte 4096: block bitmap not in group');
    expect(set(4, 1)).toContain('inode bitmap overlaps superblock or group descriptors');
    expect(set(8, 2000)).toContain('inode table not in group, expected blocks 0..2047, found 2000..2127');
    expect(set(8, 0xffffffff)).toContain('inode table not in group');
  });

  test('Is a short file refused without reading past it?', () => {
    expect(refusal(new Uint8Array(0)).message).toBe(
      'file at byte 0: too short to hold a superblock, expected 2048 bytes or more, found 0 bytes',
    );
    expect(refusal(small.slice(0, 2047)).structure).toBe('file');
    expect(refusal(small.slice(0, 2048)).message).toContain('truncated');
    expect(refusal(small.slice(0, small.length - 1)).message).toContain('truncated');
  });

  refereed(
    'Do debugfs and we agree on a flex_bg, 64bit, sparse_super2 volume?',
    ['mke2fs', 'debugfs'],
    () => {
      const file = mke2fs([
        '-t',
        'ext4',
        '-b',
        '1024',
        '-I',
        '512',
        '-O',
        'inline_data,sparse_super2',
        '-N',
        '400',
        '40M',
      ]);
      const geo = Image.load(file).geometry;
      expect(geo.descSize).toBe(64);
      expect(geo.groupCount).toBe(5);
      const stats = debugfs(file, 'stats');
      for (const [group, at] of geo.groups.entries()) {
        const line = new RegExp(
          `Group +${group}: block bitmap at (\\d+), inode bitmap at (\\d+), inode table at (\\d+)`,
        ).exec(stats);
        expect(line?.slice(1).map(Number)).toEqual([at.blockBitmap, at.inodeBitmap, at.inodeTable]);
      }
      expect(geo.backupGroups).toEqual([1, 4]);
      const imap = debugfs(file, 'imap <399>');
      const where = inodeLocation(geo, 399);
      const expected = `located at block ${where.block}, offset 0x${where.offset.toString(16).padStart(4, '0')}`;
      expect(imap).toContain(expected);
    },
  );
});
