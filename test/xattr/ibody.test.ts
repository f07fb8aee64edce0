import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { isErr, type Result } from '../../src/errno.ts';
import { entryLen, valueSpan } from '../../src/xattr/entry.ts';
import {
  checkIbody,
  findIbodyEntry,
  fitsIbody,
  hasIbody,
  hasXattrSpace,
  ibodyEntries,
  ibodyEntryAt,
  ibodyFreeBytes,
  ibodyStart,
  ibodyValue,
  inodeByteLabel,
  setIbodyEntry,
} from '../../src/xattr/ibody.ts';
import { bareInode, goldenInode } from '../inode/sample.ts';

const ok = <T>(result: Result<T>): T => {
  if (isErr(result)) throw new Error(result.errno);
  return result;
};
const text = Bytes.fromText;
const set = (raw: Bytes, name: string, value: Bytes | null): Bytes => ok(setIbodyEntry(raw, 1, name, value));
const body = (raw: Bytes): string => raw.slice(ibodyStart(raw)).toHex();

test('the golden inode holds one entry, system.data', () => {
  expect(ibodyStart(goldenInode)).toBe(0xa0);
  expect(hasIbody(goldenInode, 256)).toBe(true);
  expect(ibodyEntries(goldenInode)).toEqual([
    { at: 0xa4, nameIndex: 7, name: 'data', valueAt: 0xd8, valueSize: 40, valueInum: 0, hash: 0 },
  ]);
  expect(ibodyEntryAt(goldenInode, 7, 'data')).toBe(0xa4);
  expect(ibodyEntryAt(goldenInode, 1, 'data')).toBe(0);
  expect(ibodyFreeBytes(goldenInode)).toBe(92 - 20 - 40 - 4);
  expect(checkIbody(goldenInode)).toBeUndefined();
});

test('user.alpha = "12345" gives the bytes the kernel gave', () => {
  const raw = set(bareInode(), 'alpha', text('12345'));
  expect(body(raw)).toBe(
    `000002ea${'05015400000000000500000000000000616c706861000000'}${'00'.repeat(60)}3132333435000000`,
  );
  const entry = ok(findIbodyEntry(raw, 1, 'alpha'))!;
  expect(ibodyValue(raw, entry).toText()).toBe('12345');
});

test('the header comes with the first entry and goes with the last', () => {
  const bare = bareInode();
  const one = set(bare, 'a', text('1'));
  expect([hasIbody(bare), hasIbody(one)]).toEqual([false, true]);
  const none = set(one, 'a', null);
  expect(none.equals(bare)).toBe(true);
});

test('new entries are appended, new values go below the lowest', () => {
  let raw = set(bareInode(), 'b', text('first'));
  raw = set(raw, 'a', text('second!!'));
  raw = set(raw, 'empty', Bytes.zero(0));
  const entries = ibodyEntries(raw);
  expect(entries.map((entry) => entry.name)).toEqual(['b', 'a', 'empty']);
  expect(entries.map((entry) => entry.valueAt - 0xa4)).toEqual([84, 76, 0]);
  expect(raw.slice(256 - 8).toHex()).toBe(`${text('first').toHex()}000000`);
});

test('the same padded size is overwritten in place, padding zeroed', () => {
  let raw = set(bareInode(), 'a', text('12345678'));
  raw = set(raw, 'b', text('xxxx'));
  const shorter = set(raw, 'a', text('abcde'));
  expect(ibodyEntries(shorter)[0]).toMatchObject({ valueAt: 0xa4 + 84, valueSize: 5 });
  expect(shorter.slice(248).toHex()).toBe('6162636465000000');
});

test('another size cuts the old value out and puts the new one lowest', () => {
  let raw = set(bareInode(), 'a', text('aaaaaaaa'));
  raw = set(raw, 'b', text('bbbb'));
  raw = set(raw, 'a', text('AAAAAAAAAAAA'));
  expect(ibodyEntries(raw).map(({ name, valueAt }) => [name, valueAt - 0xa4])).toEqual([
    ['a', 76],
    ['b', 88],
  ]);
  raw = set(raw, 'b', Bytes.zero(0));
  expect(ibodyEntries(raw).map(({ name, valueAt }) => [name, valueAt - 0xa4])).toEqual([
    ['a', 80],
    ['b', 0],
  ]);
});

test('exactly full fits, one value byte more does not', () => {
  const raw = bareInode();
  const room = ibodyFreeBytes(raw) - entryLen(1);
  expect(room).toBe(68);
  expect(fitsIbody(raw, 1, room)).toBe(true);
  expect(ibodyFreeBytes(set(raw, 'k', Bytes.fill(1, room)))).toBe(0);
  expect(fitsIbody(raw, 1, room + 1)).toBe(false);
  expect(setIbodyEntry(raw, 1, 'k', Bytes.fill(1, room + 1))).toEqual({ errno: 'ENOSPC' });
});

test('what fails leaves an error, not bytes', () => {
  const raw = bareInode();
  expect(setIbodyEntry(raw, 1, 'nope', null)).toEqual({ errno: 'ENODATA' });
  expect(setIbodyEntry(set(raw, 'a', text('1')), 1, 'nope', null)).toEqual({ errno: 'ENODATA' });
  const small = bareInode(128);
  expect(hasXattrSpace(small)).toBe(false);
  expect(setIbodyEntry(small, 1, 'a', text('1'))).toEqual({ errno: 'ENOSPC' });
  expect(setIbodyEntry(bareInode(256, 124), 1, 'a', text('1'))).toEqual({ errno: 'ENOSPC' });
  expect(setIbodyEntry(bareInode(256, 120), 1, 'a', text('1'))).toEqual({ errno: 'ENOSPC' });
});

test('a hash written by others is zeroed when the value is replaced', () => {
  const raw = set(bareInode(), 'a', text('1')).putU32(0xa4 + 12, 0xdeadbeef);
  expect(ibodyEntries(raw)[0]!.hash).toBe(0xdeadbeef);
  expect(ibodyEntries(set(raw, 'a', text('2')))[0]!.hash).toBe(0);
});

test('checkIbody says what the kernel says', () => {
  const raw = set(set(bareInode(), 'a', text('1234')), 'b', text('5678'));
  const bad: [string, Bytes][] = [
    ['e_name out of bounds', raw.putU8(0xa4, 255)],
    ['bad e_name length', raw.putU8(0xa4 + 0x10, 0)],
    ['ea_inode specified without ea_inode feature enabled', raw.putU32(0xa4 + 4, 50)],
    ['e_value size too large', raw.putU32(0xa4 + 8, (1 << 24) + 1)],
    ['e_value out of bounds', raw.putU16(0xa4 + 2, 93)],
    ['overlapping e_value ', raw.putU16(0xa4 + 2, 8)],
    ['overlapping e_value ', raw.putU32(0xa4 + 8, 5)],
  ];
  for (const [message, bytes] of bad) expect(checkIbody(bytes)).toBe(message);
  const inInode = raw.putU32(0xa4 + 4, 50);
  expect(checkIbody(inInode, (ino) => ino === 50)).toBeUndefined();
  expect(checkIbody(inInode, () => false)).toBe('invalid ea_ino');
  expect(checkIbody(raw.putU32(0xa4 + 4, 2), () => true)).toBe('invalid ea_ino');
  expect(checkIbody(inInode.putU32(0xa4 + 8, 0), () => true)).toBe('invalid size in ea xattr');
  expect(checkIbody(raw.putU32(0xa0, 0))).toBeUndefined();
});

test('a list that runs off the inode is EUCLEAN to find and to set', () => {
  const raw = set(bareInode(), 'a', text('1234')).putU8(0xa4, 255);
  expect(ibodyEntryAt(raw, 1, 'a')).toBe(-1);
  expect(findIbodyEntry(raw, 1, 'a')).toEqual({ errno: 'EUCLEAN' });
  expect(setIbodyEntry(raw, 1, 'x', text('1'))).toEqual({ errno: 'EUCLEAN' });
  expect(ibodyEntries(raw)).toEqual([]);
});

test('every byte of an inode has a name', () => {
  const raw = set(set(bareInode(), 'a', text('12345')), 'b', Bytes.zero(0));
  for (let at = 0; at < raw.length; at++) expect(inodeByteLabel(raw, at)).not.toBe('');
  const label = (at: number) => inodeByteLabel(raw, at);
  expect([0x84, 0xa1, 0xa4, 0xb4, 0xb8, 0xc8].map(label)).toEqual([
    'ctimeExtra',
    'ibodyHeader.magic',
    '1:a.nameLen',
    '1:a.name',
    '1:b.nameLen',
    '1:b.name',
  ]);
  expect([0xcc, 0xf7, 0xf8, 0xff].map(label)).toEqual(['ibody free', 'ibody free', '1:a value', '1:a value']);
});

// --- laws ------------------------------------------------------------------------------------------------------

type Op = { name: string; index: number; value: Uint8Array | null };
const names = fc.constantFrom('a', 'b', 'ab', 'abc', 'abcd', 'abcde', 'data', 'z'.repeat(40));
const op: fc.Arbitrary<Op> = fc.record({
  name: names,
  index: fc.constantFrom(1, 4, 6, 7),
  value: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: null, freq: 3 }),
});

test('against a list of (name, value): order, values, free bytes, errors', () => {
  const shape = fc.constantFrom([256, 32], [256, 28], [256, 100], [256, 120], [512, 32]);
  fc.assert(
    fc.property(shape, fc.array(op, { maxLength: 25 }), ([inodeSize, extra], ops) => {
      let raw = bareInode(inodeSize!, extra!);
      const outside = raw.slice(0, ibodyStart(raw));
      let model: { key: string; nameLen: number; value: Bytes }[] = [];
      const area = inodeSize! - 128 - extra! - 4;
      const used = (list: typeof model) =>
        list.reduce((sum, x) => sum + entryLen(x.nameLen) + valueSpan(x.value.length), 0);
      for (const { name, index, value } of ops) {
        const key = `${index}:${name}`;
        const known = model.some((x) => x.key === key);
        const bytes = value === null ? null : Bytes.of(value);
        const result = setIbodyEntry(raw, index, name, bytes);
        if (bytes === null) {
          if (!known) expect(result).toEqual({ errno: 'ENODATA' });
          model = model.filter((x) => x.key !== key);
        } else {
          const entry = { key, nameLen: name.length, value: bytes };
          const next = known ? model.map((x) => (x.key === key ? entry : x)) : [...model, entry];
          if (used(next) > area - 4) expect(result).toEqual({ errno: 'ENOSPC' });
          else model = next;
        }
        if (!isErr(result)) raw = result;
        expect(checkIbody(raw)).toBeUndefined();
        const entries = ibodyEntries(raw);
        expect(entries.map((x) => `${x.nameIndex}:${x.name}`)).toEqual(model.map((x) => x.key));
        expect(entries.every((x, i) => ibodyValue(raw, x).equals(model[i]!.value))).toBe(true);
        expect(ibodyFreeBytes(raw)).toBe(area - 4 - used(model));
        expect(raw.slice(0, ibodyStart(raw)).equals(outside)).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});

test('setting a new entry and removing it gives the same bytes', () => {
  fc.assert(
    fc.property(fc.array(op, { maxLength: 6 }), fc.uint8Array({ maxLength: 30 }), (ops, value) => {
      let raw = bareInode(512);
      for (const { name, index, value: v } of ops) {
        const next = setIbodyEntry(raw, index, name, v === null ? null : Bytes.of(v));
        if (!isErr(next)) raw = next;
      }
      const there = ok(setIbodyEntry(raw, 1, 'new', Bytes.of(value)));
      expect(ibodyValue(there, ok(findIbodyEntry(there, 1, 'new'))!).equals(Bytes.of(value))).toBe(true);
      expect(ok(setIbodyEntry(there, 1, 'new', null)).equals(raw)).toBe(true);
    }),
  );
});
