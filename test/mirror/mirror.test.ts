/**
 * The explorer against SPIN: the same protocol written twice has the same states, transitions, deadlocks and ends.
 * The recorded counts are SPIN's own (`bench/mirror/record.ts`); where spin and gcc are installed fresh builds are
 * asked as well, of some combinations here, of all by `npm run bench`.
 */
import { describe, expect, test } from 'vitest';
import {
  ALL,
  COMBINATIONS,
  countsOf,
  explored,
  recordedCounts,
  spinMissing,
  verified,
} from '../../bench/mirror/mirror.ts';
import { exploredScenario, SCENARIO_NAME, verifiedScenario } from '../../bench/mirror/scenario.ts';

const recorded = recordedCounts();

describe('the protocol, against the counts that SPIN gave', () => {
  test('every combination is recorded, and nothing else', () => {
    const names = [...COMBINATIONS, ALL].map(({ name }) => name).sort();
    expect(Object.keys(recorded.combinations).sort()).toEqual(names);
  });

  test.each(COMBINATIONS)('$name', (each) => {
    expect(explored(each)).toEqual(recorded.combinations[each.name]);
  });

  test('the plants are found: each deadlocks with its plant, and not without', () => {
    for (const { name, tasks, plant } of COMBINATIONS) {
      expect([name, recorded.combinations[name]!.deadlocks > 0]).toEqual([name, plant !== null]);
      if (plant !== null) expect(explored({ name, tasks, plant: null }).deadlocks).toBe(0);
    }
  });
});

/**
 * When this fails alone, a yield point of these ops has changed: `bench/mirror/dump.ts` prints their steps; bring the
 * Promela model up to date by hand and run `tsx bench/mirror/record.ts scenario`.
 */
test(`${SCENARIO_NAME}: the ops themselves, against the counts and the verdict that SPIN gave`, () => {
  expect(exploredScenario()).toEqual(recorded.scenarios[SCENARIO_NAME]);
});

const missing = spinMissing();

describe(`against SPIN itself${missing === null ? '' : `, skipped: ${missing}`}`, () => {
  const isCi = (process.env.CI ?? '') !== '';
  const asked = COMBINATIONS.filter(({ name }) =>
    ['WMP', 'WM abba', 'WMJ inverted', 'WM recursive'].includes(name),
  );

  test('in CI spin and gcc are there', () => {
    expect(isCi ? missing : null).toBeNull();
  });

  test.skipIf(missing !== null).each(asked)('$name', (each) => {
    expect(verified(each)).toEqual(recorded.combinations[each.name]);
  });

  test.skipIf(missing !== null)(SCENARIO_NAME, () => {
    expect(recorded.scenarios[SCENARIO_NAME]).toMatchObject(verifiedScenario());
  });

  test('a search that SPIN cut short is refused', () => {
    const report = 'error: max search depth too small\n 5 states, stored\n 6 transitions (= x)\nerrors: 0';
    expect(() => countsOf(report)).toThrow('did not see everything');
    expect(() => countsOf('nothing')).toThrow('printed no');
  });
});
