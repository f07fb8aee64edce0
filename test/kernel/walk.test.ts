/** Saved volumes, mounted read-only and walked by this machine's kernel. `scripts/walk.ts` takes as many as one likes. */
import { expect, test } from 'vitest';
import { walkMany } from '../../scripts/walk.ts';

test('a hundred saved volumes hold for this kernel what they hold for us', () => {
  const { count, entries, failures } = walkMany({ count: 100, seed: 7 });
  expect(failures).toEqual([]);
  expect(count).toBe(100);
  expect(entries).toBeGreaterThan(250);
}, 600_000);
