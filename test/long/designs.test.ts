/**
 * The designs that `npm test` leaves out: every recorded verdict is computed again, over all interleavings, and every
 * violation replays.
 */
import { describe, expect, it } from 'vitest';
import { crashCell } from '../../src/compare/crash.ts';
import { asExpected, expectationFor, raceCell } from '../../src/compare/race.ts';
import { parseSchedule } from '../../src/explore/schedule.ts';
import { runSession } from '../../src/scenario/run.ts';
import { expectationOf } from '../../src/scenario/schema.ts';
import { OTHER_CASES } from '../support/scenarios.ts';

describe('recorded verdicts of the proposed designs', () => {
  it.each(OTHER_CASES)('$label', ({ scenario, image, design, mount }) => {
    expect(expectationOf(scenario, design.id, mount)).not.toBeNull();
    const { cell, session } = raceCell(scenario, image, design, mount);
    expect(asExpected(scenario, cell, mount), JSON.stringify(expectationFor(cell))).toBe(true);
    expect(cell.reach.complete).toBe(true);
    for (const { invariant, schedule, steps } of cell.violations) {
      if (invariant === 'no-deadlock') continue;
      const { findings } = runSession(session, parseSchedule(schedule));
      const found = findings.find(({ kind, id }) => kind === 'invariant' && id === invariant);
      expect(found, `${invariant} on ${schedule}`).toBeDefined();
      expect(found!.step).toBe(steps - 1);
    }
  });

  it.each(OTHER_CASES)('$label, when power fails', ({ scenario, image, design, mount }) => {
    expect(expectationOf(scenario, design.id, mount, 'crash')).not.toBeNull();
    const { cell } = crashCell(scenario, image, design, mount);
    expect(asExpected(scenario, cell, mount, 'crash'), JSON.stringify(expectationFor(cell))).toBe(true);
    expect(cell.reach.complete).toBe(true);
  });
});
