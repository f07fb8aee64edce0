import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { countFree } from '../../src/volume/bitmap.ts';
import { blocksInGroup } from '../../src/volume/geometry.ts';
import { BG_FLAGS } from '../../src/volume/groupDesc.ts';
import { BadImage, Image } from '../../src/volume/image.ts';
import { mkfs, mkfsImage } from '../../src/volume/mkfs.ts';
import { superblockLayout, withSuperblockChecksum } from '../../src/volume/superblock.ts';
import { debugfs, mke2fs, refereed } from '../support/referee.ts';

describe('image', () => {
  test('Is a block the identical value every time, across descendants too?', () => {
    const image = mkfsImage();
    const before = image.block(132);
    expect(image.block(132)).toBe(before);
    const next = image.with(new Map([[200, Bytes.fill(7, 4096)]]));
    expect(next.block(132)).toBe(before);
    expect(next.block(2)).toBe(image.block(2));
    expect(image.block(1999)).toBe(Bytes.zero(4096));
  });

  test('Does with change only the descendant, and save only the changed blocks?', () => {
    const file = mkfs();
    const image = Image.load(file);
    const seven = Bytes.fill(7, 4096);
    const next = image.with(
      new Map([
        [200, seven],
        [2047, seven],
      ]),
    );
    expect(next.block(200)).toBe(seven);
    expect(image.block(200).isZero()).toBe(true);
    const saved = next.toUint8Array();
    const differ = new Set<number>();
    for (let i = 0; i < saved.length; i += 4096) {
      if (Buffer.compare(saved.subarray(i, i + 4096), file.subarray(i, i + 4096)) !== 0) differ.add(i / 4096);
    }
    expect([...differ]).toEqual([200, 2047]);
    expect(Buffer.compare(image.toUint8Array(), file)).toBe(0);
    expect(image.toUint8Array() === file).toBe(false);
    expect(next.with(new Map([[200, seven]]))).toBe(next);
  });

  test('Are a foreign block number and a foreign block size refused?', () => {
    const image = mkfsImage();
    expect(() => image.block(2048)).toThrow('block 2048 is outside 0..2047');
    expect(() => image.block(-1)).toThrow(RangeError);
    expect(() => image.with(new Map([[3, Bytes.zero(1024)]]))).toThrow('block 3 takes 4096 bytes, not 1024');
    expect(() => image.with(new Map([[9999, Bytes.zero(4096)]]))).toThrow(RangeError);
  });

  test('Does the geometry follow a changed superblock, and complain of a broken one?', () => {
    const image = mkfsImage();
    const sb = withSuperblockChecksum(superblockLayout.put(image.superblock, { wantExtraIsize: 64 }));
    const wider = image.with(new Map([[0, image.block(0).splice(1024, sb)]]));
    expect(wider.geometry.wantExtraIsize).toBe(64);
    expect(image.geometry.wantExtraIsize).toBe(32);
    const broken = image.with(new Map([[0, Bytes.zero(4096)]]));
    expect(() => broken.geometry).toThrow(BadImage);
    expect(broken.block(2)).toBe(image.block(2));
    expect(broken.with(new Map([[0, image.block(0)]])).geometry).toEqual(image.geometry);
  });

  test('Are bytes past the last block kept?', () => {
    const file = new Uint8Array(8192 * 1024 + 5);
    file.set(mkfs());
    file.set([1, 2, 3, 4, 5], 8192 * 1024);
    expect(Buffer.compare(Image.load(file.slice()).toUint8Array(), file)).toBe(0);
  });

  test('When does an image need recovery?', () => {
    const image = mkfsImage({ features: ['has_journal'] });
    expect(image.needsRecovery).toBe(false);
    const first = 136;
    expect(image.journalBlock(0)).toBe(image.block(first));
    const incompat = superblockLayout.get(image.superblock, 'featureIncompat') | 4;
    const sb = withSuperblockChecksum(superblockLayout.put(image.superblock, { featureIncompat: incompat }));
    const flagged = image.with(new Map([[0, image.block(0).splice(1024, sb)]]));
    expect(flagged.needsRecovery).toBe(false);
    const start = image.block(first).splice(0x1c, Uint8Array.of(0, 0, 0, 1));
    expect(flagged.with(new Map([[first, start]])).needsRecovery).toBe(true);
    expect(image.with(new Map([[first, start]])).needsRecovery).toBe(false);
    const noJournal = flagged.with(new Map([[4, Bytes.zero(4096)]]));
    expect(() => noJournal.needsRecovery).toThrow('journal inode at byte');
  });

  refereed('Is the bitmap of an UNINIT group the one the kernel would make?', ['mke2fs', 'debugfs'], () => {
    const file = mke2fs(['-t', 'ext4', '-b', '1024', '-O', 'inline_data', '-E', 'lazy_itable_init=1', '48M']);
    const image = Image.load(file);
    let uninit = 0;
    for (let group = 0; group < image.geometry.groupCount; group++) {
      const desc = image.groupDesc(group);
      if (desc.flags & BG_FLAGS.BLOCK_UNINIT) uninit++;
      expect(countFree(image.blockBitmap(group), blocksInGroup(image.geometry, group))).toBe(desc.freeBlocks);
      expect(countFree(image.inodeBitmap(group), image.geometry.inodesPerGroup)).toBe(desc.freeInodes);
    }
    expect(uninit).toBeGreaterThan(0);
    expect(debugfs(file, 'stats')).toContain('Block not init');
  });
});
