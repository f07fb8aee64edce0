/** The same schedule under another design: switched at the same places, and it is said where that cannot be. */
import { describe, expect, it } from 'vitest';
import { imageOf } from '../../src/cli/images.ts';
import { designById, mkwriteConvert } from '../../src/designs/index.ts';
import { parseSchedule, runsOf } from '../../src/explore/schedule.ts';
import { compare } from '../../src/viewer/comparison.ts';
import { SCENARIOS } from '../support/scenarios.ts';
import { bug, compared } from './compared.ts';

describe('following a schedule', () => {
  it('switches after the last step that both designs have', () => {
    const [base, defer] = bug().runs as [never, never];
    const lanes = (run: { steps: readonly { lane: string; label: string }[] }) =>
      run.steps.map(({ lane, label }) => `${lane} ${label}`);
    const [a, b] = [lanes(base), lanes(defer)];
    // The base was left before its conversion; defer has none, so it is left at the lock before it.
    const left = b.findIndex((step) => step.startsWith('CPU1')) - 1;
    expect(b[left]).toMatch(/filemap_invalidate_lock_shared/);
    expect(a[a.findIndex((step) => step.startsWith('CPU1')) - 1]).toMatch(/jbd2_journal_start/);
    expect(bug().runs[1]!.divergences[0]!.text).toMatch(/^CPU0 does not come to 'jbd2_journal_start'/);
    expect(bug().runs[0]!.divergences).toEqual([]);
  });

  it('takes the write between the store’s look and its conversion, in every design', () => {
    for (const { steps, design } of bug().runs) {
      const [first, second] = runsOf(steps.map(({ task }) => task));
      expect([first![0], second![0]], design.id).toEqual([0, 1]);
      expect(second![1], design.id).toBeGreaterThan(20);
    }
  });

  it('says who waits where the other went on', () => {
    const waits = bug().runs[2]!.divergences.map(({ text }) => text);
    expect(waits).toContainEqual(expect.stringMatching(/^CPU0 waits at 'folio_lock\(12:0\)'/));
  });

  it('gives the same run again under the same design by another name', () => {
    const twin = { ...mkwriteConvert, id: 'twin' };
    for (const scenario of SCENARIOS) {
      const [key, recorded] =
        Object.entries(scenario.expect ?? {}).find(
          ([name, each]) => name.startsWith('mkwrite-convert') && 'schedule' in each,
        ) ?? [];
      if (key === undefined || !('schedule' in recorded!)) continue;
      const label = key.split('@')[1];
      const mount = scenario.mounts.find((each) => label === undefined || each.join(',') === label)!;
      const { runs, rows } = compare({
        scenario,
        image: imageOf(scenario),
        mount,
        designs: [designById('mkwrite-convert')!, twin],
        schedule: parseSchedule(recorded.schedule!),
        of: 'mkwrite-convert',
      });
      expect(runs[1]!.divergences, scenario.name).toEqual([]);
      expect(runs[1]!.result.trace.digest, scenario.name).toBe(runs[0]!.result.trace.digest);
      expect(
        rows.every(([a, b]) => a === b),
        scenario.name,
      ).toBe(true);
    }
  });

  it('without a schedule lets the lowest lane go on', () => {
    const { runs } = compared({ scenario: 'small-write-beside-store', designs: ['defer', 'no-conversion'] });
    for (const { result } of runs) expect(runsOf([...result.schedule])[0]![0]).toBe(0);
  });

  it('refuses a design that the schedule is not of', () => {
    const [scenario] = SCENARIOS;
    expect(() =>
      compare({
        scenario: scenario!,
        image: imageOf(scenario!),
        mount: [],
        designs: [mkwriteConvert],
        schedule: null,
        of: 'defer',
      }),
    ).toThrow('the schedule is of defer, which is not compared');
  });
});
