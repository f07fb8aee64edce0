/**
 * Handing over: values that take their parent's buffer are still values. Whatever is done to whichever value, old ones
 * included, and whenever the mode is switched, each reads as it did when it was made.
 */
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { Bytes, setHandOver } from '../../src/bytes/bytes.ts';

afterEach(() => {
  setHandOver(false);
});

type Step =
  | { kind: 'splice'; of: number; at: number; length: number; byte: number }
  | { kind: 'fill'; of: number; from: number; to: number; byte: number }
  | { kind: 'put16'; of: number; at: number; value: number }
  | { kind: 'edit'; of: number; from: number; to: number; byte: number | null }
  | { kind: 'slice'; of: number; from: number; to: number }
  | { kind: 'lay'; of: number; source: number; at: number; skip: number }
  | { kind: 'sum'; of: number; lo: number; hi: number | null }
  | { kind: 'mode'; on: boolean }
  | { kind: 'look'; of: number };

const at = fc.nat(400);
const of = fc.nat(1000);
const byte = fc.nat(255);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('splice' as const), of, at, length: fc.nat(40), byte }),
  },
  fc.record({ kind: fc.constant('fill' as const), of, from: at, to: at, byte }),
  fc.record({ kind: fc.constant('put16' as const), of, at, value: fc.nat(0xffff) }),
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('edit' as const), of, from: at, to: at, byte: fc.option(byte) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('slice' as const), of, from: at, to: at }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('lay' as const), of, source: of, at, skip: fc.nat(40) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('sum' as const), of, lo: at, hi: fc.option(at) }) },
  fc.record({ kind: fc.constant('mode' as const), on: fc.boolean() }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('look' as const), of }) },
);

interface Pair {
  readonly value: Bytes;
  readonly plain: readonly number[];
}

const clip = (n: number, length: number): number => Math.min(n, length);

function apply(pairs: Pair[], s: Step): void {
  if (s.kind === 'mode') {
    setHandOver(s.on);
    return;
  }
  // Mostly the newest value, as a file system does; sometimes any other.
  const { value, plain } = pairs[s.of % 3 === 0 ? s.of % pairs.length : pairs.length - 1]!;
  const n = plain.length;
  const next = plain.slice();
  switch (s.kind) {
    case 'splice': {
      const from = clip(s.at, n);
      const length = Math.min(s.length, n - from);
      next.fill(s.byte, from, from + length);
      pairs.push({ value: value.splice(from, new Uint8Array(length).fill(s.byte)), plain: next });
      break;
    }
    case 'fill': {
      const [from, to] = [clip(s.from, n), clip(s.to, n)];
      if (to > from) next.fill(s.byte, from, to);
      pairs.push({ value: value.fillRange(s.byte, from, to), plain: next });
      break;
    }
    case 'put16': {
      if (n < 2) return;
      const from = Math.min(s.at, n - 2);
      next[from] = s.value & 0xff;
      next[from + 1] = s.value >>> 8;
      pairs.push({ value: value.putU16(from, s.value), plain: next });
      break;
    }
    case 'edit': {
      const [from, to] = [clip(Math.min(s.from, s.to), n), clip(Math.max(s.from, s.to), n)];
      if (s.byte !== null) next.fill(s.byte, from, to);
      const edited = value.edit(
        (u8) => {
          if (s.byte !== null) u8.fill(s.byte, from, to);
        },
        from,
        to,
      );
      if (next.every((b, i) => b === plain[i])) expect(edited).toBe(value);
      pairs.push({ value: edited, plain: next });
      break;
    }
    case 'slice': {
      const [from, to] = [clip(Math.min(s.from, s.to), n), clip(Math.max(s.from, s.to), n)];
      pairs.push({ value: value.slice(from, to), plain: plain.slice(from, to) });
      break;
    }
    case 'lay': {
      const source = pairs[s.source % pairs.length]!;
      const from = clip(s.at, n);
      const skip = clip(s.skip, source.plain.length);
      const part = source.plain.slice(skip, skip + n - from);
      next.splice(from, part.length, ...part);
      pairs.push({ value: value.splice(from, source.value, skip, skip + part.length), plain: next });
      break;
    }
    case 'sum': {
      if (n < 4) return;
      const lo = Math.min(s.lo, n - 2);
      const hi = s.hi === null ? -1 : Math.min(s.hi, n - 2);
      if (hi >= 0 && Math.abs(hi - lo) < 2) return;
      const fields = [lo, lo + 1, ...(hi < 0 ? [] : [hi, hi + 1])];
      const add = (bytes: ArrayLike<number>): number =>
        Array.from(bytes).reduce((sum, b, i) => (fields.includes(i) ? sum : (sum * 31 + b) | 0), 7);
      const sum = add(plain);
      next[lo] = sum & 0xff;
      next[lo + 1] = (sum >>> 8) & 0xff;
      if (hi >= 0) {
        next[hi] = (sum >>> 16) & 0xff;
        next[hi + 1] = sum >>> 24;
      }
      pairs.push({ value: value.withSum(lo, hi, (base) => base.reading(add)), plain: next });
      break;
    }
    case 'look':
      expect([...value.toUint8Array()]).toEqual(plain);
  }
}

describe('values that take a buffer over', () => {
  it('are values: every one reads as it did when it was made', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(1, 7, 256, 401),
        fc.array(step, { minLength: 1, maxLength: 120 }),
        (length, steps) => {
          setHandOver(true);
          const start = Array.from({ length }, (_, i) => i & 0xff);
          const pairs: Pair[] = [{ value: Bytes.of(start), plain: start }];
          for (const s of steps) apply(pairs, s);
          for (const { value, plain } of pairs) {
            expect([...value.toUint8Array()]).toEqual(plain);
            const fresh = Bytes.of(plain);
            expect(value.equals(fresh)).toBe(true);
            expect(value.digest()).toBe(fresh.digest());
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('an edit that throws leaves its value as it was', () => {
    setHandOver(true);
    let value = Bytes.fill(1, 300).splice(3, Uint8Array.of(2));
    value = value.splice(9, Uint8Array.of(3));
    const before = value.toHex();
    expect(() =>
      value.edit(
        (u8) => {
          u8.fill(9, 10, 20);
          throw new Error('no');
        },
        8,
        24,
      ),
    ).toThrow('no');
    expect(value.toHex()).toBe(before);
    expect(value.putU8(0, 7).toHex()).toBe(`07${before.slice(2)}`);
  });

  it('an edit may look at the value that it edits', () => {
    setHandOver(true);
    const value = Bytes.fill(1, 300).splice(3, Uint8Array.of(2)).splice(5, Uint8Array.of(4));
    const next = value.edit(
      (u8) => {
        u8[5] = 9;
        u8[6] = value.u8(5);
      },
      4,
      8,
    );
    expect([next.u8(5), next.u8(6), value.u8(5), value.u8(6)]).toEqual([9, 4, 4, 1]);
  });

  it('many generations are many copies only when somebody looks', () => {
    setHandOver(true);
    const kept: Bytes[] = [];
    let value = Bytes.zero(4096);
    for (let i = 0; i < 1000; i++) {
      value = value.splice((i * 13) % 4000, Uint8Array.of(i, i >> 8));
      kept.push(value);
    }
    const plain = new Uint8Array(4096);
    for (let i = 0; i < 1000; i++) {
      plain.set([i & 0xff, i >> 8], (i * 13) % 4000);
      if (i % 97 === 0) expect(kept[i]!.toUint8Array()).toEqual(plain);
    }
    expect(kept.at(-1)).toBe(value);
  });

  it('a sum is worked out when it is looked at, once, and not when it is written over before', () => {
    setHandOver(true);
    const asked: string[] = [];
    const sum = (name: string) => (): number => {
      asked.push(name);
      return 0x1234_5678;
    };
    let value = Bytes.zero(256).splice(0, Uint8Array.of(1));
    for (const name of ['a', 'b', 'c']) {
      value = value.splice(40, Bytes.fromText(name)).withSum(0x7c, 0x82, sum(name));
      expect(value.u16(0x80)).toBe(0);
      expect(value.u32(0x04)).toBe(0);
      expect(value.glance((view) => view[40])).toBe(name.charCodeAt(0));
    }
    expect(asked).toEqual([]);
    const later = value.splice(200, Uint8Array.of(9));
    expect([later.u16(0x7c), later.u16(0x82)]).toEqual([0x5678, 0x1234]);
    expect(later.slice(0x70, 0x90).toHex()).toBe(
      `${'00'.repeat(12)}785600000000341200000000${'00'.repeat(8)}`,
    );
    expect(asked).toEqual(['c']);
    expect(value.putU16(0x7c, 0).u16(0x82)).toBe(0x1234);
  });

  it('a part of a value is laid over another, and no more than it has', () => {
    const value = Bytes.fromText('hello world');
    expect(value.splice(6, Bytes.fromText('a worms b'), 2, 7).toText()).toBe('hello worms');
    expect(() => value.splice(0, Bytes.fromText('worms'), 2, 7)).toThrow(RangeError);
  });

  it('ranges compare without copies', () => {
    const value = Bytes.fromText('hello world');
    expect(value.rangeEquals(6, Bytes.fromText('a world b'), 2, 7)).toBe(true);
    expect(value.rangeEquals(6, Bytes.fromText('a worms b'), 2, 7)).toBe(false);
    expect(() => value.rangeEquals(9, value, 0, 5)).toThrow(RangeError);
  });
});
