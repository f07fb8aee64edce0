import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { diffBytes, formatDiff, hexdump, labelOf } from '../../src/bytes/hexdump.ts';
import { layout, u16, u32 } from '../../src/bytes/layout.ts';
import { inodeByteLabel } from '../../src/xattr/ibody.ts';
import { goldenInode } from '../inode/sample.ts';

const point = layout('point', 8, { x: u32(0), y: u16(4) });

test('without a label: offset, bytes, text', () => {
  expect(hexdump(Bytes.fromText('inline data\n'), { base: 0x28 })).toBe(
    '0028  69 6e 6c 69 6e 65 20 64 61 74 61 0a              |inline data.|',
  );
});

test('equal lines collapse, the last is shown', () => {
  expect(hexdump(Bytes.zero(16), { width: 4 })).toBe(
    '0000  00 00 00 00  |....|\n*\n000c  00 00 00 00  |....|',
  );
  expect(hexdump(Bytes.zero(0))).toBe('');
});

test('with a label: one line per field', () => {
  const bytes = Bytes.fromHex('0102030405060708');
  expect(hexdump(bytes, { label: labelOf(point), width: 4 })).toBe(
    ['0000  01 02 03 04  x', '0004  05 06        y', '0006  07 08'].join('\n'),
  );
  expect(hexdump(bytes, { label: labelOf(point, 4), from: 3, to: 6, width: 4 })).toBe(
    ['0003  04', '0004  05 06        x'].join('\n'),
  );
});

test('a raw inode is labelled to the last byte', () => {
  const label = (at: number) => inodeByteLabel(goldenInode, at);
  const text = hexdump(goldenInode, { label, from: 0x9c });
  expect(text).toContain('009c  00 00 00 00                                      projid');
  expect(text).toContain('00a0  00 00 02 ea                                      ibodyHeader.magic');
  expect(text).toContain('00a6  34 00                                            7:data.valueOffs');
  expect(text).toContain('00b4  64 61 74 61                                      7:data.name');
  expect(text).toContain('ibody free');
  expect(text.split('\n').at(-1)).toContain('7:data value');
});

test('a difference names the field, and ends where the field ends', () => {
  const before = Bytes.fromHex('0102030405060708');
  const after = Bytes.fromHex('010203ff06060709');
  const runs = diffBytes(before, after, labelOf(point));
  expect(runs.map(({ at, field }) => [at, field])).toEqual([
    [3, 'x'],
    [4, 'y'],
    [7, ''],
  ]);
  expect(formatDiff(runs)).toBe('0x0003 x: 04 → ff\n0x0004 y: 05 → 06\n0x0007: 08 → 09');
  expect(diffBytes(before, before)).toEqual([]);
});

test('lengths that differ give a run with one short side', () => {
  const runs = diffBytes(Bytes.fromHex('0102'), Bytes.fromHex('01ff0304'));
  expect(formatDiff(runs)).toBe('0x0001: 02 → ff\n0x0002: – → 0304');
});

test('applying the runs to `before` gives `after`', () => {
  const bytes = fc.uint8Array({ minLength: 24, maxLength: 24, max: 2 });
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      const after = Bytes.of(b);
      let patched = Bytes.of(a);
      for (const run of diffBytes(patched, after, labelOf(point, 8))) {
        expect(patched.slice(run.at, run.at + run.before.length).equals(run.before)).toBe(true);
        patched = patched.splice(run.at, run.after);
      }
      expect(patched.equals(after)).toBe(true);
    }),
  );
});
