import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { isErr, type Result } from '../../src/errno.ts';
import {
  checkXattrBlock,
  emptyXattrBlock,
  findXattrBlockEntry,
  fitsXattrBlock,
  isEmptyXattrBlock,
  isSharableXattrBlock,
  removeXattrBlockEntry,
  sameXattrs,
  sealXattrBlock,
  setXattrBlockEntry,
  withRefcount,
  XATTR_REFCOUNT_MAX,
  xattrBlockChecksum,
  xattrBlockChecksumOk,
  xattrBlockEntries,
  xattrBlockFreeBytes,
  xattrBlockHash,
  xattrBlockOf,
  xattrBlockRefcount,
  xattrBlockValue,
  xattrEntryHash,
  xattrHeaderLayout,
} from '../../src/xattr/block.ts';
import { entryLen, valueSpan } from '../../src/xattr/entry.ts';
import { GOLDEN_SEED } from '../inode/sample.ts';

const ok = <T>(result: Result<T>): T => {
  if (isErr(result)) throw new Error(result.errno);
  return result;
};
const golden = ok(
  xattrBlockOf(4096, [
    { nameIndex: 4, name: 't', value: Bytes.fill(0x79, 100) },
    { nameIndex: 1, name: 'big', value: Bytes.fill(0x5a, 200) },
  ]),
);

test('the golden block: hashes, checksum', () => {
  const entries = xattrBlockEntries(golden);
  expect(entries.map(({ nameIndex, name, hash }) => [nameIndex, name, hash])).toEqual([
    [1, 'big', 0x00018547],
    [4, 't', 0x790d7979],
  ]);
  expect(xattrHeaderLayout.get(golden, 'hash')).toBe(0xfc4a7978);
  expect(xattrBlockHash(golden)).toBe(0xfc4a7978);
  // The vector was taken with "big" set first: 3896 and 3796.
  const kernelOrder = ok(
    xattrBlockOf(4096, [
      { nameIndex: 1, name: 'big', value: Bytes.fill(0x5a, 200) },
      { nameIndex: 4, name: 't', value: Bytes.fill(0x79, 100) },
    ]),
  );
  expect(xattrBlockEntries(kernelOrder).map((entry) => entry.valueAt)).toEqual([3896, 3796]);
  expect(xattrBlockChecksum(kernelOrder, 1288, GOLDEN_SEED)).toBe(0x18015398);
  const sealed = sealXattrBlock(kernelOrder, 1288, GOLDEN_SEED);
  expect(sealed.u32(0x10)).toBe(0x18015398);
  expect(xattrBlockChecksumOk(sealed, 1288, GOLDEN_SEED)).toBe(true);
  expect(xattrBlockChecksumOk(sealed, 1289, GOLDEN_SEED)).toBe(false);
  expect(sameXattrs(golden, kernelOrder)).toBe(true);
});

test('an empty block has a header only', () => {
  const block = emptyXattrBlock(1024);
  expect(xattrHeaderLayout.decode(block)).toMatchObject({
    magic: 0xea020000,
    refcount: 1,
    blocks: 1,
    hash: 0,
  });
  expect(isEmptyXattrBlock(block)).toBe(true);
  expect(xattrBlockFreeBytes(block)).toBe(1024 - 32 - 4);
  const one = ok(setXattrBlockEntry(block, 1, 'a', Bytes.fromText('x')));
  expect(isEmptyXattrBlock(one)).toBe(false);
  expect(ok(removeXattrBlockEntry(one, 1, 'a')).equals(block)).toBe(true);
});

test('entries are sorted by index, then name length, then name', () => {
  const keys: [number, string][] = [
    [6, 'a'],
    [1, 'zz'],
    [1, 'z'],
    [1, 'abc'],
    [4, 'a'],
    [1, 'a'],
    [1, 'ab'],
    [1, '\xff'],
  ];
  const block = ok(
    xattrBlockOf(
      1024,
      keys.map(([nameIndex, name]) => ({ nameIndex, name, value: Bytes.fill(1, 3) })),
    ),
  );
  expect(xattrBlockEntries(block).map((x) => `${x.nameIndex}${x.name}`)).toEqual([
    '1a',
    '1z',
    '1\xff',
    '1ab',
    '1zz',
    '1abc',
    '4a',
    '6a',
  ]);
});

test('a zero entry hash makes the block hash zero: never shared', () => {
  const block = ok(setXattrBlockEntry(emptyXattrBlock(1024), 1, '', Bytes.zero(0)));
  expect(xattrBlockEntries(block)[0]!.hash).toBe(0);
  expect(isSharableXattrBlock(block)).toBe(false);
  expect(isSharableXattrBlock(golden)).toBe(true);
  expect(isSharableXattrBlock(withRefcount(golden, XATTR_REFCOUNT_MAX))).toBe(false);
  expect(xattrBlockRefcount(withRefcount(golden, 7))).toBe(7);
});

test('the hash of old kernels took name bytes as signed', () => {
  const block = ok(setXattrBlockEntry(emptyXattrBlock(1024), 1, '\xc3\xbc', Bytes.fromText('v')));
  const entry = xattrBlockEntries(block)[0]!;
  expect(xattrEntryHash(block, entry)).toBe(entry.hash);
  expect(xattrEntryHash(block, entry, true)).not.toBe(entry.hash);
  const ascii = xattrBlockEntries(golden)[0]!;
  expect(xattrEntryHash(golden, ascii, true)).toBe(ascii.hash);
});

test('errors: nothing to remove, no room, bad blocks', () => {
  expect(removeXattrBlockEntry(golden, 1, 'none')).toEqual({ errno: 'ENODATA' });
  expect(setXattrBlockEntry(golden, 1, 'huge', Bytes.zero(4096))).toEqual({ errno: 'ENOSPC' });
  expect(fitsXattrBlock(golden, 4, 4096)).toBe(false);
  expect(fitsXattrBlock(golden, 4, xattrBlockFreeBytes(golden) - 20)).toBe(true);
  const sealed = sealXattrBlock(golden, 9, GOLDEN_SEED);
  const at = { blockNr: 9, fsSeed: GOLDEN_SEED };
  expect(checkXattrBlock(sealed, at)).toBeUndefined();
  expect(checkXattrBlock(sealed.putU8(0x100, 1), at)).toEqual({
    errno: 'EBADMSG',
    message: 'invalid checksum',
  });
  expect(checkXattrBlock(sealed.putU32(0, 0))).toEqual({ errno: 'EUCLEAN', message: 'invalid header' });
  expect(checkXattrBlock(sealed.putU32(8, 2))).toEqual({ errno: 'EUCLEAN', message: 'invalid header' });
  expect(checkXattrBlock(golden.putU16(0x22, 5000))).toEqual({
    errno: 'EUCLEAN',
    message: 'e_value out of bounds',
  });
  const runsOff = ok(setXattrBlockEntry(emptyXattrBlock(1024), 1, 'a', Bytes.zero(0))).slice(0, 64);
  expect(setXattrBlockEntry(runsOff.putU8(0x20, 200), 1, 'b', Bytes.zero(0))).toEqual({ errno: 'EUCLEAN' });
  expect(findXattrBlockEntry(runsOff.putU8(0x20, 200), 1, 'b')).toEqual({ errno: 'EUCLEAN' });
});

test('blocks differ when a name, a value or the count differs', () => {
  expect(sameXattrs(golden, withRefcount(golden, 9))).toBe(true);
  expect(sameXattrs(golden, ok(setXattrBlockEntry(golden, 4, 't', Bytes.fill(0x78, 100))))).toBe(false);
  expect(sameXattrs(golden, ok(removeXattrBlockEntry(golden, 4, 't')))).toBe(false);
  expect(sameXattrs(golden, ok(setXattrBlockEntry(golden, 4, 'u', Bytes.zero(0))))).toBe(false);
});

test('against a map: order, values, hashes, free bytes', () => {
  const op = fc.record({
    index: fc.constantFrom(1, 4, 6),
    name: fc.constantFrom('a', 'b', 'ab', 'ba', 'abc', '\xe9t\xe9'),
    value: fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null, freq: 3 }),
  });
  fc.assert(
    fc.property(fc.array(op, { maxLength: 20 }), (ops) => {
      let block = emptyXattrBlock(1024);
      const model = new Map<string, Bytes>();
      for (const { index, name, value } of ops) {
        const key = `${index}${String.fromCharCode(name.length)}${name}`;
        const bytes = value === null ? null : Bytes.of(value);
        const known = model.get(key);
        const room =
          xattrBlockFreeBytes(block) +
          (known === undefined ? -entryLen(name.length) : valueSpan(known.length));
        const next = setXattrBlockEntry(block, index, name, bytes);
        if (bytes === null && known === undefined) expect(next).toEqual({ errno: 'ENODATA' });
        else if (bytes !== null && valueSpan(bytes.length) > room) expect(next).toEqual({ errno: 'ENOSPC' });
        else {
          block = ok(next);
          if (bytes === null) model.delete(key);
          else model.set(key, bytes);
        }
        expect(checkXattrBlock(block)).toBeUndefined();
        const entries = xattrBlockEntries(block);
        const keys = entries.map((x) => `${x.nameIndex}${String.fromCharCode(x.name.length)}${x.name}`);
        expect(keys).toEqual([...model.keys()].sort((a, b) => (a < b ? -1 : 1)));
        for (const [i, entry] of entries.entries()) {
          expect(xattrBlockValue(block, entry).equals(model.get(keys[i]!)!)).toBe(true);
          expect(xattrEntryHash(block, entry)).toBe(entry.hash);
        }
        expect(xattrBlockHash(block)).toBe(xattrHeaderLayout.get(block, 'hash'));
      }
    }),
    { numRuns: 50 },
  );
});
