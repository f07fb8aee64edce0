/** Two thousand broken volumes under the watchdog: no crash, no hang, no memory without bound. */
import { expect, it } from 'vitest';
import { mutateMany } from '../../scripts/mutate.ts';

it('two thousand broken volumes end in a verdict', async () => {
  const { failures, verdicts, count } = await mutateMany({
    count: 2000,
    seed: 20_250,
    execEvery: 10,
    own: false,
  });
  expect(failures).toEqual([]);
  expect(Object.values(verdicts).reduce((a, b) => a + b, 0)).toBe(count);
});
