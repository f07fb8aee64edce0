import { expect, test } from 'vitest';
import {
  checkExtraIsize,
  DIRENT_TYPE,
  direntTypeOf,
  extraIsizeOf,
  fitsInInode,
  INODE_FLAG,
  inodeFlagNames,
  inodeLayout,
  isDir,
  isLnk,
  isReg,
  rawBlocks,
  rawFileAcl,
  rawSize,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
} from '../../src/inode/layout.ts';
import { bareInode, goldenInode } from './sample.ts';

test('the fields tile all 160 bytes, in on-disk order, without gap or overlap', () => {
  let at = 0;
  for (const field of Object.values(inodeLayout.fields)) {
    expect(field.at).toBe(at);
    at += field.size;
  }
  expect(at).toBe(inodeLayout.size);
});

test('the golden inode decodes to what debugfs says', () => {
  const inode = inodeLayout.decode(goldenInode);
  expect(inode).toMatchObject({
    mode: 0o100644,
    sizeLo: 100,
    linksCount: 1,
    blocksLo: 0,
    flags: INODE_FLAG.inlineData,
    generation: 0xab6150ee,
    extraIsize: 32,
    checksumLo: 0xbc47,
    checksumHi: 0x3eea,
  });
  expect(inode.iBlock.toHex().startsWith('010203')).toBe(true);
  expect(inodeFlagNames(inode.flags)).toEqual(['inlineData']);
  expect([rawSize(goldenInode), rawFileAcl(goldenInode), rawBlocks(goldenInode)]).toEqual([100, 0, 0]);
});

test('put(decode) gives the same bytes', () => {
  expect(inodeLayout.put(goldenInode, inodeLayout.decode(goldenInode)).equals(goldenInode)).toBe(true);
});

test('sizes and blocks use their high halves', () => {
  const raw = inodeLayout.put(bareInode(), {
    sizeLo: 5,
    sizeHigh: 0x100,
    fileAclLo: 7,
    fileAclHigh: 2,
    blocksLo: 8,
    blocksHigh: 1,
  });
  expect(rawSize(raw)).toBe(2 ** 40 + 5);
  expect(rawFileAcl(raw)).toBe(2 ** 33 + 7);
  expect(rawBlocks(raw)).toBe(2 ** 32 + 8);
});

test('a field fits only as far as extraIsize reaches', () => {
  expect(fitsInInode(bareInode(256, 4), 'checksumHi')).toBe(true);
  expect(fitsInInode(bareInode(256, 0), 'checksumHi')).toBe(false);
  expect(fitsInInode(bareInode(256, 28), 'versionHi')).toBe(true);
  expect(fitsInInode(bareInode(256, 28), 'projid')).toBe(false);
  expect(fitsInInode(bareInode(128), 'checksumHi')).toBe(false);
  expect(extraIsizeOf(bareInode(128))).toBe(0);
});

test('iget refuses an extraIsize that is odd or too large', () => {
  expect(checkExtraIsize(bareInode(256, 32))).toBeUndefined();
  expect(checkExtraIsize(bareInode(256, 128))).toBeUndefined();
  expect(checkExtraIsize(bareInode(256, 132))).toBe('iget: bad extra_isize 132 (inode size 256)');
  expect(checkExtraIsize(bareInode(256, 30))).toBe('iget: bad extra_isize 30 (inode size 256)');
});

test('modes and their directory entry types', () => {
  expect([isReg(S_IFREG | 0o644), isDir(S_IFDIR | 0o755), isLnk(S_IFLNK | 0o777)]).toEqual([
    true,
    true,
    true,
  ]);
  expect(isReg(S_IFLNK)).toBe(false);
  const types = [0o100000, 0o040000, 0o020000, 0o060000, 0o010000, 0o140000, 0o120000, 0].map(direntTypeOf);
  expect(types).toEqual([1, 2, 3, 4, 5, 6, 7, DIRENT_TYPE.unknown]);
});
