/** Runs side by side: every step in one row, every run in its order, as much in one row as can be. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { align } from '../../src/viewer/align.ts';

const keys = fc.uniqueArray(fc.constantFrom(...'abcdefghijklmno'), { maxLength: 12 });

/** Length of a longest common subsequence, the slow way. */
function common(a: readonly string[], b: readonly string[]): number {
  const table = [...a, ''].map(() => [...b, ''].map(() => 0));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      table[i]![j] =
        a[i] === b[j] ? table[i + 1]![j + 1]! + 1 : Math.max(table[i + 1]![j]!, table[i]![j + 1]!);
  return table[0]![0]!;
}

describe('align', () => {
  it('puts shared places into one row', () => {
    expect(align([[...'abcd'], [...'axc']])).toEqual([
      [0, 0],
      [1, null],
      [null, 1],
      [2, 2],
      [3, null],
    ]);
  });

  it('keeps every step, in order, beside steps of the same key only', () => {
    fc.assert(
      fc.property(fc.array(keys, { minLength: 1, maxLength: 4 }), (runs) => {
        const rows = align(runs);
        runs.forEach((run, at) => {
          expect(rows.flatMap((row) => row[at] ?? [])).toEqual(run.map((_, step) => step));
        });
        for (const row of rows) {
          const here = row.flatMap((step, at) => (step === null ? [] : [runs[at]![step]!]));
          expect(here.length).toBeGreaterThan(0);
          expect(new Set(here).size).toBe(1);
        }
      }),
    );
  });

  it('shares as many rows of two runs as there can be', () => {
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        expect(align([a, b]).length).toBe(a.length + b.length - common(a, b));
      }),
    );
  });
});
