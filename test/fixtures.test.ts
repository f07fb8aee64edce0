/**
 * Every recorded verdict is computed again: each bundled scenario under each mount and design, over all
 * interleavings. Nothing in `expect` was typed in; `ext4lab race --update` wrote it.
 */
import { describe, expect, it } from 'vitest';
import { crashCell, crashStory } from '../src/compare/crash.ts';
import { asExpected, expectationFor, raceCell, tokenOf } from '../src/compare/race.ts';
import { shrink } from '../src/explore/counterexample.ts';
import { formatSchedule, parseSchedule } from '../src/explore/schedule.ts';
import { Walk } from '../src/explore/walk.ts';
import { INVARIANTS } from '../src/invariants/index.ts';
import { type RunResult, runSession } from '../src/scenario/run.ts';
import { expectationOf } from '../src/scenario/schema.ts';
import { CASES, SCENARIOS } from './support/scenarios.ts';

const cells = new Map<string, ReturnType<typeof raceCell>>();

describe('recorded verdicts', () => {
  it('there are at least 15 scenarios, each with a verdict for every design and mount', () => {
    expect(SCENARIOS.length).toBeGreaterThanOrEqual(15);
    for (const { scenario, design, mount } of CASES) {
      const who = `${scenario.name} ${design.id}`;
      expect(expectationOf(scenario, design.id, mount), who).not.toBeNull();
      expect(expectationOf(scenario, design.id, mount, 'crash'), `${who}, power failure`).not.toBeNull();
    }
  });

  it.each(CASES)('$label', ({ label, scenario, image, design, mount }) => {
    const raced = raceCell(scenario, image, design, mount);
    cells.set(label, raced);
    expect(asExpected(scenario, raced.cell, mount), JSON.stringify(expectationFor(raced.cell))).toBe(true);
    expect(raced.cell.reach.complete).toBe(true);
  });

  it.each(CASES)('$label, when power fails', ({ scenario, image, design, mount }) => {
    const { cell, session, crasher } = crashCell(scenario, image, design, mount);
    expect(asExpected(scenario, cell, mount, 'crash'), JSON.stringify(expectationFor(cell))).toBe(true);
    expect(cell.reach.complete).toBe(true);
    for (const violation of cell.violations)
      expect(crashStory(session, crasher, violation).failure.message).toBe(violation.message);
  });

  it.each(CASES)(
    'replaying each violation of $label shows it',
    ({ label, scenario, image, design, mount }) => {
      const { cell, session } = cells.get(label) ?? raceCell(scenario, image, design, mount);
      const { k, world, specs } = session;
      const walk = new Walk({ k, world, specs, invariants: INVARIANTS });
      // What one schedule breaks is found in one run of it.
      const runs = new Map<string, RunResult['findings']>();
      for (const { invariant, schedule, steps } of cell.violations) {
        // No context switch can be left out, and no two runs of steps be joined.
        expect(formatSchedule(shrink(walk, parseSchedule(schedule), invariant).schedule)).toBe(schedule);
        const token = tokenOf(scenario.name, design.id, cell.mount, schedule);
        expect(token.length, token).toBeLessThanOrEqual(200);
        if (invariant === 'no-deadlock') continue;
        const findings = runs.get(schedule) ?? runSession(session, parseSchedule(schedule)).findings;
        runs.set(schedule, findings);
        const found = findings.find(({ kind, id }) => kind === 'invariant' && id === invariant);
        expect(found, `${invariant} on ${schedule}`).toBeDefined();
        expect(found!.step).toBe(steps - 1);
      }
    },
  );

  it('what a scenario says it reaches is reached under some design', () => {
    for (const scenario of SCENARIOS) {
      const all = CASES.filter((each) => each.scenario === scenario).map(
        ({ label }) => cells.get(label)!.cell,
      );
      for (const name of scenario.reaches)
        expect(
          all.some((cell) => !cell.unreached.includes(name)),
          `${scenario.name}: ${name}`,
        ).toBe(true);
    }
  });
});

describe('what must come out', () => {
  const cell = (scenario: string, mount: string, design: string) =>
    cells.get(`${scenario} ${mount} ${design}`)!.cell;

  it('no-conversion meets the BUG_ON of 7b4cc9787fe3 with its own reproducer', () => {
    expect(cell('evict-inline-on-mmap-write', 'delalloc', 'no-conversion').violates).toContain('bug-on');
  });

  it.each(['delalloc', 'nodelalloc'])('mkwrite-convert loses the fsynced store (%s)', (mount) => {
    const lost = cell('mmap-store-then-fsync', mount, 'mkwrite-convert');
    expect(lost.violates).toContain('durability');
    expect(lost.violates).not.toContain('strict');
    expect(lost.violations.find(({ invariant }) => invariant === 'durability')!.message).toContain(
      'byte 0 is 0x41 on the medium, should be 0x42',
    );
  });

  it('truncate-up-then-append and pending-second-page-read lose bytes under the current kernel', () => {
    expect(cell('truncate-up-then-append', 'delalloc', 'mkwrite-convert').violates).toContain('durability');
    expect(cell('pending-second-page-read', 'delalloc', 'mkwrite-convert').violates).toContain('durability');
  });

  it('mkwrite-convert keeps settled everywhere, but where a conversion fails under a write(2)', () => {
    const broken = CASES.filter(
      ({ label, design }) =>
        design.id === 'mkwrite-convert' && cells.get(label)!.cell.violates.includes('settled'),
    );
    expect([...new Set(broken.map(({ scenario }) => scenario.name))]).toEqual([
      'failed-conversion-beside-write',
    ]);
  });

  it('defer keeps the file inline and loses what small-write-beside-store puts beside it', () => {
    expect(cell('mmap-store-then-fsync', 'delalloc', 'defer').violates).toEqual(['strict', 'settled']);
    expect(cell('small-write-beside-store', 'delalloc', 'defer').violates).toContain('durability');
  });
});
