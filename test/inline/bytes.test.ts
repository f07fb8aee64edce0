import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { diffBytes, formatDiff } from '../../src/bytes/hexdump.ts';
import { isErr, type Result } from '../../src/errno.ts';
import {
  createInlineData,
  destroyInlineData,
  findInlineData,
  type InlineBytes,
  inlineSpans,
  MIN_INLINE_DATA_SIZE,
  maxInlineSize,
  maxInlineXattrValueSize,
  readInlineData,
  restoreInlineData,
  truncateInlineData,
  updateInlineData,
  writeInlineData,
} from '../../src/inline/bytes.ts';
import { inodeChecksumOk, sealInode } from '../../src/inode/checksum.ts';
import { S_IFBLK } from '../../src/inode/layout.ts';
import { checkIbody, ibodyEntries, inodeByteLabel, setIbodyEntry } from '../../src/xattr/ibody.ts';
import { bareInode, goldenInode } from '../inode/sample.ts';

const ok = <T>(result: Result<T>): T => {
  if (isErr(result)) throw new Error(result.errno);
  return result;
};
const withXattr = (raw: Bytes, name: string, size: number): Bytes => {
  const next = setIbodyEntry(raw, 1, name, Bytes.fill(0x76, size));
  return isErr(next) ? raw : next; // what does not fit goes to the external block
};
const inline = (raw: Bytes, data: Bytes): InlineBytes => {
  const made = ok(createInlineData(raw, data.length));
  return { ...made, raw: writeInlineData(made.raw, made, 0, data) };
};
const count = (n: number): Bytes => Bytes.of(Array.from({ length: n }, (_, i) => i + 1));
const at = (raw: Bytes) => ({ inlineOff: 0, inlineSize: 0, ...(findInlineData(raw) as object) });

describe('the golden inode', () => {
  test('is found and read', () => {
    expect(findInlineData(goldenInode)).toEqual({ inlineOff: 0xa4, inlineSize: 100 });
    expect(readInlineData(goldenInode, at(goldenInode), 100).equals(count(100))).toBe(true);
    expect(readInlineData(goldenInode, at(goldenInode), 60).equals(count(60))).toBe(true);
    expect(readInlineData(goldenInode, at(goldenInode), 0).length).toBe(0);
    expect(inlineSpans(goldenInode, at(goldenInode))).toEqual([
      { pos: 0, at: 0x28, size: 60 },
      { pos: 60, at: 0xd8, size: 40 },
    ]);
  });

  test('comes out of create and write', () => {
    const made = inline(bareInode(), count(100));
    const window = (raw: Bytes) => raw.slice(0x28, 0x64).toHex() + raw.slice(0xa0).toHex();
    expect(window(made.raw)).toBe(window(goldenInode));
    expect([made.inlineOff, made.inlineSize]).toEqual([0xa4, 100]);
  });

  test('reading or writing past inlineSize is for a BUG_ON, not for here', () => {
    const place = at(goldenInode);
    expect(() => readInlineData(goldenInode, place, 101)).toThrow(RangeError);
    expect(() => writeInlineData(goldenInode, place, 99, count(2))).toThrow(RangeError);
    expect(() => writeInlineData(goldenInode, place, -1, count(2))).toThrow(RangeError);
    expect(() => writeInlineData(goldenInode, { inlineOff: 0, inlineSize: 100 }, 0, count(2))).toThrow(
      RangeError,
    );
  });
});

describe('capacity', () => {
  // Inode size, extra_isize, user xattr as [name, value size] or none, largest inline file.
  const rows: [number, number, [string, number] | undefined, number][] = [
    [128, 0, undefined, 0],
    [256, 32, undefined, 128],
    [256, 28, undefined, 132],
    [256, 24, undefined, 136],
    [256, 4, undefined, 156],
    [256, 0, undefined, 0],
    [512, 32, undefined, 384],
    [1024, 32, undefined, 896],
    [2048, 32, undefined, 1920],
    [256, 32, ['a', 0], 108],
    [256, 32, ['a', 1], 104],
    [256, 32, ['a', 4], 104],
    [256, 32, ['a', 5], 100],
    [256, 32, ['abcdefgh', 16], 88],
    [256, 32, ['k', 40], 68],
    [256, 32, ['k', 44], 64],
    [256, 32, ['k', 48], 0],
    [256, 32, ['k', 70], 128],
    [512, 32, ['k', 100], 264],
    [1024, 32, ['k', 100], 776],
    // With user.a of 20 bytes.
    [256, 32, ['a', 20], 88],
    [512, 32, ['a', 20], 344],
    [1024, 32, ['a', 20], 856],
  ];
  test.each(rows)('inode %i, extra_isize %i, %j: %i bytes', (inodeSize, extra, xattr, capacity) => {
    const bare = bareInode(inodeSize, extra);
    const raw = xattr === undefined ? bare : withXattr(bare, ...xattr);
    expect(maxInlineSize(raw, 0)).toBe(capacity);
    if (capacity === 0) return;
    // In one go and grown a byte at a time, the limit is the same.
    const whole = ok(createInlineData(raw, capacity));
    expect(checkIbody(whole.raw)).toBeUndefined();
    expect(maxInlineSize(whole.raw, whole.inlineOff)).toBe(capacity);
    let grown = ok(createInlineData(raw, 1));
    for (let size = 1; size < capacity; size++) {
      expect(maxInlineSize(grown.raw, grown.inlineOff)).toBe(capacity);
      grown = ok(updateInlineData(grown.raw, grown, size + 1));
    }
    expect(grown.inlineSize).toBe(Math.max(60, capacity));
    expect(updateInlineData(grown.raw, grown, capacity + 4)).toEqual({ errno: 'ENOSPC' });
    expect(createInlineData(raw, capacity + 4)).toEqual({ errno: 'ENOSPC' });
  });

  const recorded = JSON.parse(readFileSync(new URL('recorded/capacity.json', import.meta.url), 'utf8')) as {
    tables: { inodeSize: number; extraIsize: number; rows: [number, number][] }[];
  };
  test.each(recorded.tables)('as a kernel had it: inode $inodeSize, extra_isize $extraIsize', (table) => {
    for (const [xattr, largest] of table.rows) {
      const bare = bareInode(table.inodeSize, table.extraIsize);
      const raw = xattr < 0 ? bare : withXattr(bare, 'k', xattr);
      const max = maxInlineSize(raw, 0);
      // Where the area is too small even for the entry, the formula promises what create then refuses.
      const reached = max > 0 && !isErr(createInlineData(raw, 1)) ? max : 0;
      expect([xattr, reached]).toEqual([xattr, largest]);
    }
  });

  test('the holes: a full inode body makes an inline file have no capacity at all', () => {
    const small = inline(bareInode(), count(60));
    expect(maxInlineSize(small.raw, small.inlineOff)).toBe(128);
    const room48 = withXattr(small.raw, 'k', 48);
    expect(room48).not.toBe(small.raw);
    expect(maxInlineXattrValueSize(room48, small.inlineOff)).toBe(0);
    expect(maxInlineSize(room48, small.inlineOff)).toBe(0);
    const room44 = withXattr(small.raw, 'k', 44);
    expect(maxInlineSize(room44, small.inlineOff)).toBe(64);
    const full = inline(bareInode(), count(128));
    expect(withXattr(full.raw, 'k', 4)).toBe(full.raw);
    expect(maxInlineSize(full.raw, full.inlineOff)).toBe(128);
  });

  test('areas too small for the entry give a negative value size, as the kernel computes it', () => {
    expect(
      [96, 100, 104, 108, 112, 116, 120, 124].map((x) => maxInlineXattrValueSize(bareInode(256, x), 0)),
    ).toEqual([4, 0, -4, -8, -12, -16, -20, 0]);
    expect(maxInlineSize(bareInode(256, 104), 0)).toBe(56);
    expect(createInlineData(bareInode(256, 104), 1)).toEqual({ errno: 'ENOSPC' });
  });

  test('a stale place is believed, a corrupt list is 0', () => {
    const small = inline(bareInode(), count(60));
    expect(maxInlineSize(small.raw.putU8(0xa4, 255), small.inlineOff)).toBe(0);
    const stale = small.raw.putU32(0xa4 + 8, 8);
    expect(maxInlineXattrValueSize(stale, small.inlineOff)).toBe(0 - 20 - 4 + 8);
  });
});

describe('value size and offset', () => {
  test.each([
    [60, 0, 0],
    [61, 1, 88],
    [63, 3, 88],
    [64, 4, 88],
    [100, 40, 0x34],
    [128, 68, 0x18],
  ])('%i bytes: value of %i at %i', (size, valueSize, valueOffs) => {
    const { raw, inlineOff } = inline(bareInode(), count(size));
    expect([raw.u32(inlineOff + 8), raw.u16(inlineOff + 2)]).toEqual([valueSize, valueOffs]);
    if (valueSize > 0) expect(raw.isZero(0xa4 + valueOffs + valueSize, 256)).toBe(true);
  });

  test.each([
    [50, 60],
    [100, 102],
    [126, 128],
  ])('two bytes at %i of a new file: the hole is zero', (pos, inlineSize) => {
    const made = ok(createInlineData(bareInode(), pos + 2));
    expect(made.inlineSize).toBe(inlineSize);
    const raw = writeInlineData(made.raw, made, pos, Bytes.fromText('hi'));
    const read = readInlineData(raw, made, pos + 2);
    expect(read.isZero(0, pos)).toBe(true);
    expect(read.slice(pos).toText()).toBe('hi');
  });

  test('a write across byte 60 is split between i_block and the value', () => {
    const made = inline(bareInode(), Bytes.fill(0, 70));
    const raw = writeInlineData(made.raw, made, 55, Bytes.fromText('0123456789'));
    expect(raw.slice(0x28 + 55, 0x64).toText()).toBe('01234');
    expect(
      raw
        .slice(0xa4 + raw.u16(made.inlineOff + 2))
        .slice(0, 5)
        .toText(),
    ).toBe('56789');
  });
});

describe('find', () => {
  test('nothing without the entry, the header or room for it', () => {
    expect(findInlineData(bareInode())).toBeUndefined();
    expect(findInlineData(bareInode(128))).toBeUndefined();
    expect(findInlineData(withXattr(bareInode(), 'data', 3))).toBeUndefined();
    expect(findInlineData(goldenInode.putU32(0xa0, 0))).toBeUndefined();
    expect(findInlineData(goldenInode.putU16(0x80, 0))).toBeUndefined();
  });

  test('corrupt: a value in an ea inode, a list that runs off', () => {
    expect(findInlineData(goldenInode.putU32(0xa4 + 4, 77))).toBe('corrupt');
    expect(findInlineData(goldenInode.putU8(0xa4, 250))).toBe('corrupt');
  });

  test('removing an entry before it moves it', () => {
    const before = inline(withXattr(bareInode(), 'a', 5), count(70));
    expect(before.inlineOff).toBe(0xa4 + 20);
    const raw = ok(setIbodyEntry(before.raw, 1, 'a', null));
    expect(findInlineData(raw)).toEqual({ inlineOff: 0xa4, inlineSize: 70 });
    expect(readInlineData(raw, at(raw), 70).equals(count(70))).toBe(true);
  });
});

describe('create, update, destroy, truncate, restore', () => {
  test('create clears i_block, and refuses a second entry', () => {
    const made = ok(createInlineData(bareInode(), 10));
    expect(made.raw.isZero(0x28, 0x64)).toBe(true);
    expect(made).toMatchObject({ inlineOff: 0xa4, inlineSize: 60 });
    expect(createInlineData(made.raw, 10)).toEqual({ errno: 'EUCLEAN' });
    expect(createInlineData(bareInode(128), 10)).toEqual({ errno: 'ENOSPC' });
  });

  test('update within inlineSize does not look at the bytes', () => {
    const made = inline(bareInode(), count(70));
    expect(ok(updateInlineData(made.raw, made, 70)).raw).toBe(made.raw);
    const grown = ok(updateInlineData(made.raw, made, 90));
    expect(grown).toMatchObject({ inlineOff: 0xa4, inlineSize: 90 });
    expect(readInlineData(grown.raw, grown, 90).toHex()).toBe(count(70).toHex() + '00'.repeat(20));
  });

  test('update with a stale place: ERANGE, and EUCLEAN without an entry', () => {
    const made = inline(bareInode(), count(100));
    expect(updateInlineData(made.raw, { inlineOff: 0xa4, inlineSize: 60 }, 80)).toEqual({ errno: 'ERANGE' });
    expect(updateInlineData(bareInode(), made, 128)).toEqual({ errno: 'EUCLEAN' });
    expect(updateInlineData(made.raw, made, 100_000)).toEqual({ errno: 'ENOSPC' });
  });

  test('destroy undoes create, extent root included', () => {
    const bare = withXattr(bareInode(), 'a', 5);
    const made = inline(bare, count(80));
    expect(destroyInlineData(made.raw).equals(bare)).toBe(true);
    expect(destroyInlineData(made.raw, false).isZero(0x28, 0x64)).toBe(true);
    const device = made.raw.putU16(0, S_IFBLK | 0o600);
    expect(destroyInlineData(device).isZero(0x28, 0x64)).toBe(true);
    expect(() => destroyInlineData(bare)).toThrow(RangeError);
  });

  test('truncate: 120 to 70 to 55 to 0 keeps the entry and wipes the rest', () => {
    let now = inline(bareInode(), count(120));
    for (const size of [70, 55, 0]) {
      now = ok(truncateInlineData(now.raw, now, size));
      const inlineSize = Math.max(60, size);
      expect(now).toMatchObject({ inlineOff: 0xa4, inlineSize });
      expect(readInlineData(now.raw, now, inlineSize).toHex()).toBe(
        count(size).toHex() + '00'.repeat(inlineSize - size),
      );
      expect(findInlineData(now.raw)).toEqual({ inlineOff: 0xa4, inlineSize });
    }
    expect(now.raw.isZero(0xb8, 256)).toBe(true);
  });

  test('truncate to inlineSize or more changes nothing; a value that is not there neither', () => {
    const made = inline(bareInode(), count(70));
    expect(ok(truncateInlineData(made.raw, made, 70)).raw).toBe(made.raw);
    expect(ok(truncateInlineData(made.raw, made, 200))).toMatchObject({ inlineSize: 70 });
    const small = inline(bareInode(), count(60));
    const stale = { inlineOff: small.inlineOff, inlineSize: 70 };
    expect(ok(truncateInlineData(small.raw, stale, 10)).raw).toBe(small.raw);
    expect(truncateInlineData(bareInode(), stale, 10)).toEqual({ errno: 'EUCLEAN' });
  });

  test('restore puts back what destroy took', () => {
    const made = inline(withXattr(bareInode(), 'a', 5), count(90));
    const back = ok(restoreInlineData(destroyInlineData(made.raw), count(90)));
    expect(back.raw.equals(made.raw)).toBe(true);
    expect(restoreInlineData(bareInode(), count(200))).toEqual({ errno: 'ENOSPC' });
  });
});

test('a failed conversion on 6.18.44 (fallocate, ENOSPC): the bytes come back, the checksum is the one before them', () => {
  const before = Bytes.fromHex(
    [
      'ed8100005a0000007756016b7756016b7756016b00000000000001000800000000000010030000000102030405060708',
      '090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738',
      '393a3b3c80b973340700000000000000000000000000000000000000d28700002000800d203c288d203c288d203c288d',
      '7756016b203c288d0000000000000000000002ea01015400000000000500000000000000610000000407340000000000',
      '1e00000000000000646174610000000000000000000000003d3e3f404142434445464748494a4b4c4d4e4f5051525354',
      '55565758595a00003132333435000000',
    ].join(''),
  );
  const place = at(before);
  const bytes = readInlineData(before, place, place.inlineSize);
  const made = ok(createInlineData(destroyInlineData(before), bytes.length));
  const sealedTooEarly = sealInode(made.raw, 16, 0xb720167d);
  const after = writeInlineData(sealedTooEarly, made, 0, bytes);
  expect(formatDiff(diffBytes(before, after, (byte) => inodeByteLabel(after, byte)))).toBe(
    '0x007c checksumLo: d287 → 7bab\n0x0082 checksumHi: 800d → c5d4',
  );
  expect(inodeChecksumOk(before, 16, 0xb720167d)).toBe(true);
  expect(inodeChecksumOk(after, 16, 0xb720167d)).toBe(false);
});

test('against a byte array: writes, growth, truncation, other xattrs coming and going', () => {
  const op = fc.oneof(
    fc.record({
      kind: fc.constant('write' as const),
      pos: fc.nat(130),
      data: fc.uint8Array({ minLength: 1, maxLength: 80 }),
    }),
    fc.record({ kind: fc.constant('truncate' as const), size: fc.nat(130) }),
    fc.record({
      kind: fc.constant('xattr' as const),
      name: fc.constantFrom('a', 'bb'),
      size: fc.option(fc.nat(40)),
    }),
  );
  const shape = fc.constantFrom<[number, number]>([256, 32], [256, 4], [512, 32]);
  fc.assert(
    fc.property(shape, fc.array(op, { maxLength: 30 }), ([inodeSize, extra], ops) => {
      let raw = bareInode(inodeSize, extra);
      let place = { inlineOff: 0, inlineSize: 0 };
      let model = new Uint8Array(0);
      for (const op of ops) {
        if (op.kind === 'write') {
          const end = op.pos + op.data.length;
          const capacity = maxInlineSize(raw, place.inlineOff);
          if (end > capacity) continue;
          const made = place.inlineOff === 0 ? createInlineData(raw, end) : updateInlineData(raw, place, end);
          // Capacity is a promise that create and update keep.
          const done = ok(made);
          raw = writeInlineData(done.raw, done, op.pos, Bytes.of(op.data));
          place = { inlineOff: done.inlineOff, inlineSize: done.inlineSize };
          const next = new Uint8Array(Math.max(model.length, end));
          next.set(model);
          next.set(op.data, op.pos);
          model = next;
        } else if (op.kind === 'truncate') {
          if (place.inlineOff === 0) continue;
          const size = Math.min(op.size, model.length);
          const cut = ok(truncateInlineData(raw, place, size));
          raw = cut.raw;
          place = { inlineOff: cut.inlineOff, inlineSize: cut.inlineSize };
          model = model.slice(0, size);
        } else {
          const next = setIbodyEntry(raw, 1, op.name, op.size === null ? null : Bytes.fill(7, op.size));
          if (isErr(next)) continue;
          raw = next;
          const found = findInlineData(raw);
          if (place.inlineOff !== 0) {
            if (found === undefined || found === 'corrupt') throw new Error('system.data got lost');
            expect(found.inlineSize).toBe(place.inlineSize);
            place = found;
          }
        }
        expect(checkIbody(raw)).toBeUndefined();
        if (place.inlineOff === 0) continue;
        expect(findInlineData(raw)).toEqual(place);
        expect(place.inlineSize).toBe(Math.max(place.inlineSize, MIN_INLINE_DATA_SIZE));
        const read = readInlineData(raw, place, place.inlineSize);
        expect(read.slice(0, model.length).toHex()).toBe(Bytes.of(model).toHex());
        expect(read.isZero(model.length)).toBe(true);
        expect(ibodyEntries(raw).filter((entry) => entry.nameIndex === 7)).toHaveLength(1);
      }
    }),
    { numRuns: 80 },
  );
});
