import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import {
  blockBitmapChecksum,
  clearBits,
  countFree,
  findFree,
  inodeBitmapChecksum,
  setBits,
  testBit,
  withBitmapEnd,
  withBlockBitmap,
  withInodeBitmap,
} from '../../src/volume/bitmap.ts';
import { groupDescChecksum, readGroupDesc } from '../../src/volume/groupDesc.ts';
import { Image } from '../../src/volume/image.ts';
import { mkfsImage } from '../../src/volume/mkfs.ts';
import { mke2fs, refereed } from '../support/referee.ts';

describe('bitmap', () => {
  test('Do set, test and clear agree bit by bit?', () => {
    const bits = setBits(Bytes.zero(8), 6, 5);
    expect(bits.toHex()).toBe('c007000000000000');
    expect([5, 6, 10, 11].map((i) => testBit(bits, i))).toEqual([false, true, true, false]);
    expect(clearBits(bits, 7, 2).toHex()).toBe('4006000000000000');
    expect(clearBits(bits, 6, 5).isZero()).toBe(true);
  });

  test('Is the first free run found, across byte borders and within the limit?', () => {
    const bits = clearBits(clearBits(Bytes.fill(0xff, 8), 5), 14, 4);
    expect(findFree(bits, 0)).toBe(5);
    expect(findFree(bits, 6)).toBe(14);
    expect(findFree(bits, 0, 2)).toBe(14);
    expect(findFree(bits, 15, 3)).toBe(15);
    expect(findFree(bits, 0, 4, 18)).toBe(14);
    expect(findFree(bits, 0, 4, 17)).toBeUndefined();
    expect(findFree(bits, 0, 5)).toBeUndefined();
    expect(countFree(bits, 64)).toBe(5);
    expect(countFree(bits, 15)).toBe(2);
    expect(withBitmapEnd(Bytes.zero(4), 13).toHex()).toBe('00e0ffff');
  });

  test('Do the descriptors follow a changed bitmap?', () => {
    const image = mkfsImage({ features: ['64bit'] });
    const geo = image.geometry;
    const blockBits = setBits(image.blockBitmap(0), 1000, 3);
    const one = withBlockBitmap(geo, 0, image.rawGroupDesc(0), blockBits, 2048);
    const before = image.groupDesc(0);
    expect(readGroupDesc(one).freeBlocks).toBe(before.freeBlocks - 3);
    expect(readGroupDesc(one).blockBitmapCsum).toBe(blockBitmapChecksum(geo, blockBits));
    const inodeBits = setBits(image.inodeBitmap(0), 20);
    const two = readGroupDesc(withInodeBitmap(geo, 0, one, inodeBits, 3));
    expect(two).toMatchObject({ freeInodes: before.freeInodes - 1, itableUnused: 2048 - 21, usedDirs: 3 });
    expect(two.inodeBitmapCsum).toBe(inodeBitmapChecksum(geo, inodeBits));
    const back = withInodeBitmap(geo, 0, withInodeBitmap(geo, 0, one, inodeBits, 3), image.inodeBitmap(0), 2);
    expect(readGroupDesc(back).itableUnused).toBe(2048 - 21);
    expect(readGroupDesc(back).checksum).toBe(groupDescChecksum(geo, 0, back));
  });

  refereed('Are the bitmap checksums of mke2fs ours, 16 and 32 bits wide?', ['mke2fs'], () => {
    for (const wide of ['^64bit', '64bit']) {
      const image = Image.load(
        mke2fs(['-t', 'ext4', '-b', '1024', '-O', `${wide},^flex_bg,^has_journal`, '12M']),
      );
      const mask = wide === '64bit' ? 0xffffffff : 0xffff;
      const desc = image.groupDesc(0);
      expect(desc.blockBitmapCsum).toBe(
        (blockBitmapChecksum(image.geometry, image.blockBitmap(0)) & mask) >>> 0,
      );
      expect(desc.inodeBitmapCsum).toBe(
        (inodeBitmapChecksum(image.geometry, image.inodeBitmap(0)) & mask) >>> 0,
      );
    }
  });
});
