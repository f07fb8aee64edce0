import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PACKED_HEX, packHex, unpackHex } from '../../src/compare/hexRuns.ts';

test('repetitions of eight and more are written short', () => {
  expect(packHex('')).toBe('');
  expect(packHex('41'.repeat(7))).toBe('41414141414141');
  expect(packHex('41'.repeat(8))).toBe('41*8');
  expect(packHex(`0a0d${'00'.repeat(4046)}4242`)).toBe('0a0d 00*4046 4242');
  expect(packHex(`${'41'.repeat(50)}${'00'.repeat(10)}`)).toBe('41*50 00*10');
});

test('law: unpacking gives back what was packed, and the text has the documented form', () => {
  const bytes = fc.array(fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 1, max: 20 })));
  fc.assert(
    fc.property(bytes, (runs) => {
      const hex = runs.map(([byte, n]) => byte.toString(16).padStart(2, '0').repeat(n)).join('');
      expect(unpackHex(packHex(hex))).toBe(hex);
      expect(packHex(hex)).toMatch(PACKED_HEX);
    }),
  );
});

test.each(['4', '41*', '41*0', 'zz', '41  42', ' 41', '41 ', '4142**3', '41*2*3'])(
  '%j is no packed hex',
  (text) => {
    expect(() => unpackHex(text)).toThrow(RangeError);
  },
);
