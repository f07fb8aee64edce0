/**
 * One kernel, two worlds: the searching world and the recording world agree after every step, and the same schedule
 * gives the same trace every time. Over every bundled scenario, mount and design, on the schedule that runs the lanes
 * one after another and on seeded mixtures.
 */
import { describe, expect, it } from 'vitest';
import { runSession } from '../../src/scenario/run.ts';
import { flatKernel, recordingKernel, startSession } from '../../src/scenario/session.ts';
import { Machine } from '../../src/sched/machine.ts';
import { normalize } from '../../src/state/recording.ts';
import { CASES } from '../support/scenarios.ts';

/** A small generator of our own: the same numbers on every machine. */
const mixer = (seed: number) => {
  let x = seed >>> 0 || 1;
  return (below: number): number => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
};

/** Three hundred dirty blocks, each step of them drafted and frozen: minutes, for pages like any other. */
const SLOW = /^low-space-/;

describe('the two worlds', () => {
  it.each(CASES.filter(({ label }) => !SLOW.test(label)))(
    'agree after every step: $label',
    ({ scenario, image, design, mount }) => {
      const session = startSession(scenario, image, design, mount);
      for (const seed of [0, 1, 2]) {
        const flat = flatKernel(session);
        const recording = recordingKernel(session);
        expect(flat.world.digest()).toBe(recording.world.digest());
        const a = new Machine(flat.k, session.specs);
        const b = new Machine(recording.k, session.specs, (_, body) => recording.world.step(body).value);
        const pick = mixer(seed);
        for (;;) {
          const runnable = a.runnable();
          expect(b.runnable()).toEqual(runnable);
          if (runnable.length === 0) break;
          const task = seed === 0 ? runnable[0]! : runnable[pick(runnable.length)]!;
          const { stack, request } = a.next(task)!;
          a.resume(task);
          b.resume(task);
          if (flat.world.digest() !== recording.world.digest()) {
            throw new Error(`the worlds differ after ${[...stack, request.label].join(' > ')}`);
          }
        }
        // Digests could collide; the data cannot.
        expect(normalize(flat.world.snapshot())).toEqual(normalize(recording.world.root));
      }
    },
  );

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
