import { expect, test } from 'vitest';
import type { Bytes } from '../../src/bytes/bytes.ts';
import { BlockNames, compareInodes, maskInode } from '../../src/compare/rawInode.ts';
import { goldenInode } from '../inode/sample.ts';

/** The golden inode as a block file: two rows, the second unwritten. */
const extents = (rows: readonly (readonly [logical: number, len: number, start: number])[]): Bytes =>
  goldenInode
    .putU32(0x20, 0x00080000)
    .fillRange(0, 0x28, 0x64)
    .fillRange(0, 0xa0, 0x100)
    .edit((raw) => {
      raw.set([0x0a, 0xf3, rows.length, 0, 4, 0, 0, 0, 0, 0, 0, 0], 0x28);
      rows.forEach(([logical, len, start], i) => {
        const view = new DataView(raw.buffer, raw.byteOffset + 0x34 + 12 * i, 12);
        view.setUint32(0, logical, true);
        view.setUint16(4, len, true);
        view.setUint32(8, start, true);
      });
    });

const differences = (a: Bytes, b: Bytes): string[] =>
  compareInodes(a, b).map((d) => `${d.field}: ${d.expected} / ${d.actual}`);

test('an inode is equal to itself', () => {
  expect(compareInodes(goldenInode, goldenInode)).toEqual([]);
});

test('times, generation, checksum and version make no difference', () => {
  let other = goldenInode;
  for (const at of [0x08, 0x0c, 0x10, 0x14, 0x24, 0x64, 0x84, 0x88, 0x8c, 0x90, 0x94, 0x98]) {
    other = other.putU32(at, 0x5eed5eed);
  }
  other = other.putU16(0x7c, 0x1234).putU16(0x82, 0x5678);
  expect(differences(goldenInode, other)).toEqual([]);
  expect(maskInode(other, new BlockNames()).equals(maskInode(goldenInode, new BlockNames()))).toBe(true);
});

test('a 128-byte inode has none of the extra fields', () => {
  const small = goldenInode.slice(0, 128);
  expect(differences(small, small.putU32(0x08, 1).putU16(0x7c, 2))).toEqual([]);
  expect(differences(small, small.putU16(0x1a, 2))).toEqual(['linksCount: 1 (0x1) / 2 (0x2)']);
});

test('a difference is named after its field, as a number', () => {
  expect(differences(goldenInode, goldenInode.putU32(0x04, 99))).toEqual(['sizeLo: 100 (0x64) / 99 (0x63)']);
  expect(differences(goldenInode, goldenInode.putU16(0xa6, 0x38))).toEqual([
    '7:data.valueOffs: 52 (0x34) / 56 (0x38)',
  ]);
});

test('in a long field the first byte that differs is named', () => {
  expect(differences(goldenInode, goldenInode.putU8(0x28 + 7, 0xff).putU8(0x28 + 20, 0xff))).toEqual([
    'iBlock[7]: 08090a0b0c0d0e0f1011121314151617 / ff090a0b0c0d0e0f1011121314ff1617',
  ]);
  expect(differences(goldenInode, goldenInode.putU8(0xd8 + 39, 0))).toEqual(['7:data value[39]: 64 / 00']);
});

test('bytes that nothing points at are compared too', () => {
  expect(differences(goldenInode, goldenInode.putU8(0xc0, 0x77))).toEqual([
    'ibody free[8]: 00000000000000000000000000000000 / 77000000000000000000000000000000',
  ]);
});

test('where blocks are makes no difference, which blocks are mapped does', () => {
  const raw = extents([[0, 2, 1000]]);
  expect(differences(raw, extents([[0, 2, 7777]]))).toEqual([]);
  expect(
    differences(
      raw,
      extents([
        [0, 1, 5],
        [1, 1, 9],
      ]),
    ),
  ).toEqual([]);
  expect(differences(raw, extents([[0, 3, 1000]]))).toEqual(['extents: 0..1 written / 0..2 written']);
  expect(differences(raw, extents([[0, 32768 + 2, 1000]]))).toEqual([
    'extents: 0..1 written / 0..1 unwritten',
  ]);
  expect(differences(raw, extents([]))).toEqual(['extents: 0..1 written / none']);
});

test('leftover rows past the last one make no difference', () => {
  expect(
    differences(
      extents([[0, 1, 5]]),
      extents([[0, 1, 5]]).edit((raw) => raw.fill(0x99, 0x40, 0x64)),
    ),
  ).toEqual([]);
});

test('of a deeper tree only the depth is compared', () => {
  const deep = extents([[0, 1, 5]]).putU16(0x2e, 1);
  expect(differences(deep, deep.putU32(0x3c, 12345))).toEqual([]);
  expect(differences(deep, extents([[0, 1, 5]]))).toEqual(['extents: tree of depth 1 / 0..0 written']);
});

test('that there is an xattr block is compared, its number is not', () => {
  const block = goldenInode.putU32(0x68, 1288);
  expect(differences(block, goldenInode.putU32(0x68, 4711))).toEqual([]);
  expect(differences(block, goldenInode)).toEqual(['fileAclLo: 1 (0x1) / 0 (0x0)']);
});

test('blocks are named in order of appearance and keep their names', () => {
  const names = new BlockNames();
  const start = (raw: Bytes): number => maskInode(raw, names).u32(0x3c);
  expect(start(extents([[0, 2, 1000]]))).toBe(1);
  expect(start(extents([[0, 1, 70]]))).toBe(3);
  expect(start(extents([[5, 1, 1001]]))).toBe(2);
});

test('law: masking twice is masking once', () => {
  const once = maskInode(extents([[0, 2, 1000]]), new BlockNames());
  expect(maskInode(once, new BlockNames()).toHex()).toBe(once.toHex());
});
