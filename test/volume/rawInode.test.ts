import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { mkfsImage } from '../../src/volume/mkfs.ts';
import {
  direntTypeOf,
  fileKind,
  inodeChecksumSeed,
  rawInodeChecksum,
  rawInodeExtraLayout,
  rawInodeLayout,
  readRawInode,
  withRawInodeChecksum,
} from '../../src/volume/rawInode.ts';
import { GOLDEN_INODE } from './build.ts';

const geo = mkfsImage().geometry;

describe('raw inode', () => {
  test('Do the fields tile the first 160 bytes?', () => {
    let at = 0;
    for (const field of [
      ...Object.values(rawInodeLayout.fields),
      ...Object.values(rawInodeExtraLayout.fields),
    ]) {
      expect(field.at).toBe(at);
      at += field.size;
    }
    expect(at).toBe(0xa0);
  });

  test('Are seed and checksum of the golden inode the recorded ones?', () => {
    const inode = readRawInode(geo, GOLDEN_INODE);
    expect(inode).toMatchObject({ mode: 0o100644, size: 100, linksCount: 1, blocks: 0, extraIsize: 32 });
    expect(inode.generation).toBe(0xab6150ee);
    expect(inodeChecksumSeed(geo.csumSeed, 12, inode.generation)).toBe(0xe74408b6);
    expect(inode.checksum).toBe(0x3eeabc47);
    expect(rawInodeChecksum(geo, 12, GOLDEN_INODE)).toBe(0x3eeabc47);
    expect(rawInodeChecksum(geo, 13, GOLDEN_INODE)).not.toBe(0x3eeabc47);
    expect(withRawInodeChecksum(geo, 12, GOLDEN_INODE.putU32(0x7c, 0)).equals(GOLDEN_INODE)).toBe(true);
  });

  test('Is the checksum 16 bits wide where the inode has no room for more?', () => {
    const small = mkfsImage({ inodeSize: 128 }).geometry;
    const bytes = withRawInodeChecksum(small, 12, GOLDEN_INODE.slice(0, 128));
    expect(bytes.length).toBe(128);
    expect(readRawInode(small, bytes).checksum).toBe(rawInodeChecksum(small, 12, bytes));
    expect(readRawInode(small, bytes).checksum).toBeLessThan(65536);
    const noExtra = withRawInodeChecksum(geo, 3, Bytes.zero(256));
    expect(noExtra.u16(0x82)).toBe(0);
    expect(noExtra.u16(0x7c)).toBe(rawInodeChecksum(geo, 3, noExtra));
  });

  test('Does i_size_high count for files only, as in the kernel?', () => {
    const high = rawInodeLayout.put(GOLDEN_INODE, { sizeHigh: 1 });
    expect(readRawInode(geo, high).size).toBe(2 ** 32 + 100);
    expect(readRawInode(geo, rawInodeLayout.put(high, { mode: 0o40755 })).size).toBe(100);
  });

  test('Are all seven kinds of file told apart?', () => {
    const kinds = [0x1000, 0x2000, 0x4000, 0x6000, 0x8000, 0xa000, 0xc000, 0, 0xf000].map((mode) =>
      fileKind(mode | 0o644),
    );
    expect(kinds).toEqual([
      'fifo',
      'char',
      'directory',
      'block',
      'file',
      'symlink',
      'socket',
      undefined,
      undefined,
    ]);
    expect([0x8000, 0x4000, 0xa000, 0].map(direntTypeOf)).toEqual([1, 2, 7, 0]);
  });
});
