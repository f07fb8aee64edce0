/**
 * One kernel, two worlds: the searching world and the recording world agree after every step, and the same schedule
 * gives the same trace every time. Over every bundled scenario, mount and design, on the schedule that runs the lanes
 * one after another and on seeded mixtures.
 */
import { describe, expect, it } from 'vitest';
import { runSession } from '../../src/scenario/run.ts';
import { startSession } from '../../src/scenario/session.ts';
import { CASES } from '../support/scenarios.ts';
import { worldsAgree } from '../support/worlds.ts';

describe('the two worlds', () => {
  it.each(CASES)('agree after every step: $label', (each) => worldsAgree(each, [0, 1]));

  it('the same schedule gives the same trace', () => {
    for (const { scenario, image, design, mount } of CASES.slice(0, 12)) {
      const runs = [1, 2].map(() => runSession(startSession(scenario, image, design, mount)));
      const [one, two] = runs.map(({ trace, tasks, final }) => ({
        digest: trace.digest,
        labels: trace.steps.map((step) => [...step.stack, step.label].join('>')),
        tasks,
        final,
      }));
      expect(one).toEqual(two);
    }
  });
});
