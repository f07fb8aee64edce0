/**
 * No dirty folio ever exists on an inline inode: for each design either over every schedule of every scenario (the
 * recorded verdicts, which other tests compute again, and some of them here), or the exact schedule that shows one.
 */
import { describe, expect, it } from 'vitest';
import { imageOf } from '../../src/cli/images.ts';
import { raceCell, tokenOf } from '../../src/compare/race.ts';
import { DESIGNS, type Design } from '../../src/designs/index.ts';
import { parseSchedule } from '../../src/explore/schedule.ts';
import { runSession } from '../../src/scenario/run.ts';
import { expectationOf, mountLabel } from '../../src/scenario/schema.ts';
import { startSession } from '../../src/scenario/session.ts';
import { SCENARIOS } from '../support/scenarios.ts';

const NEVER = ['defer-inode-dirty', 'folio-lock-switch'];

/**
 * The cells of a design in which `strict` is broken; the recorded schedule is of the first invariant, which it is.
 * Scenarios that start from a pending file show nothing: their setup has the dirty folio.
 */
const counterexamples = (design: Design) =>
  SCENARIOS.filter(({ setup }) => setup.at(-1)?.text.startsWith('pwrite') !== true)
    .flatMap((scenario) =>
      scenario.mounts.flatMap((mount) => {
        const expected = expectationOf(scenario, design.id, mount);
        if (expected === null || !('violates' in expected) || !expected.violates.includes('strict'))
          return [];
        return [{ scenario, mount, schedule: expected.schedule! }];
      }),
    )
    .sort((a, b) => a.schedule.length - b.schedule.length);

describe('no dirty folio ever exists on an inline inode', () => {
  it('two designs keep it, the others have a counterexample', () => {
    const kept = DESIGNS.filter((design) => counterexamples(design).length === 0);
    expect(kept.map(({ id }) => id)).toEqual(NEVER);
  });

  const shown = DESIGNS.flatMap((design) =>
    counterexamples(design)
      .slice(0, 2)
      .map(({ scenario, mount, schedule }) => ({
        token: tokenOf(scenario.name, design.id, mountLabel(mount), schedule),
        scenario,
        mount,
        schedule,
        design,
      })),
  );
  it.each(shown)('$token shows one', ({ scenario, mount, schedule, design }) => {
    const session = startSession(scenario, imageOf(scenario), design, mount);
    const lanes = session.specs.map(({ name }) => name);
    const { findings } = runSession(session, parseSchedule(schedule, lanes));
    const found = findings.find(({ kind, id }) => kind === 'invariant' && id === 'strict');
    expect(found, JSON.stringify(findings)).toBeDefined();
    expect(found!.message).toMatch(
      /^ino \d+ is inline.* folio \d+ is (dirty|clean but its DIRTY tag is set)$/,
    );
  });

  const small = SCENARIOS.filter(({ lanes }) => lanes.length === 1);
  it.each(DESIGNS.filter(({ id }) => NEVER.includes(id)).map((design) => [design.id, design] as const))(
    '%s: every step of every schedule of each scenario with one lane, and of the first race',
    (_, design) => {
      const races = SCENARIOS.filter(({ name }) =>
        ['first-write-beside-store', 'small-write-beside-store', 'store-beside-growing-write'].includes(name),
      );
      expect(small.length).toBeGreaterThan(15);
      for (const scenario of [...small, ...races]) {
        for (const mount of scenario.mounts) {
          const { cell } = raceCell(scenario, imageOf(scenario), design, mount);
          expect(cell.reach.complete, scenario.name).toBe(true);
          expect(cell.violates, scenario.name).not.toContain('strict');
        }
      }
    },
  );
});
