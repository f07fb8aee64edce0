import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { crc32cBytes } from '../../src/bytes/crc32c.ts';
import {
  inodeChecksum,
  inodeChecksumOk,
  inodeSeed,
  sealInode,
  storedInodeChecksum,
} from '../../src/inode/checksum.ts';
import { bareInode, GOLDEN_SEED, goldenInode } from './sample.ts';

test('the golden inode has the checksum that the kernel stored', () => {
  expect(inodeSeed(12, 0xab6150ee, GOLDEN_SEED)).toBe(0xe74408b6);
  expect(inodeChecksum(goldenInode, 12, GOLDEN_SEED)).toBe(0x3eeabc47);
  expect(storedInodeChecksum(goldenInode)).toBe(0x3eeabc47);
  expect(inodeChecksumOk(goldenInode, 12, GOLDEN_SEED)).toBe(true);
  expect(sealInode(goldenInode, 12, GOLDEN_SEED)).toBe(goldenInode);
});

test('the seed is crc32c of the UUID, and the inode number counts', () => {
  expect(crc32cBytes(0xffff_ffff, Bytes.fromHex('00112233445566778899aabbccddeeff'))).toBe(GOLDEN_SEED);
  expect(inodeChecksumOk(goldenInode, 13, GOLDEN_SEED)).toBe(false);
});

test('any other byte breaks it, the checksum fields aside', () => {
  for (const at of [0, 0x28, 0x7e, 0x80, 0x84, 0xa4, 0xff]) {
    const bad = goldenInode.putU8(at, goldenInode.u8(at) ^ 1);
    expect(inodeChecksumOk(bad, 12, GOLDEN_SEED)).toBe(false);
  }
});

test('without room for the high half, 16 bits are kept and the bytes at 0x82 are hashed', () => {
  for (const raw of [bareInode(128), bareInode(256, 0)]) {
    const sealed = sealInode(raw, 20, GOLDEN_SEED);
    const sum = inodeChecksum(sealed, 20, GOLDEN_SEED);
    expect(storedInodeChecksum(sealed)).toBe(sum & 0xffff);
    expect(inodeChecksumOk(sealed, 20, GOLDEN_SEED)).toBe(true);
  }
  const sealed = sealInode(bareInode(256, 0), 20, GOLDEN_SEED);
  expect(inodeChecksumOk(sealed.putU16(0x82, 1), 20, GOLDEN_SEED)).toBe(false);
});

test('sealing is idempotent and always checks', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 256, maxLength: 256 }), fc.nat(1000), (bytes, ino) => {
      const sealed = sealInode(Bytes.of(bytes), ino, GOLDEN_SEED);
      expect(inodeChecksumOk(sealed, ino, GOLDEN_SEED)).toBe(true);
      expect(sealInode(sealed, ino, GOLDEN_SEED).equals(sealed)).toBe(true);
    }),
  );
});
