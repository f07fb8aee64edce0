/** The law of the two worlds, for one scenario under one design: they agree after every step, on seeded mixtures. */
import { expect } from 'vitest';
import { flatKernel, recordingKernel, startSession } from '../../src/scenario/session.ts';
import { Machine } from '../../src/sched/machine.ts';
import { normalize } from '../../src/state/recording.ts';
import type { Case } from './scenarios.ts';

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

/** @param seeds  0 runs the lanes one after another */
export function worldsAgree({ scenario, image, design, mount }: Case, seeds: readonly number[]): void {
  const session = startSession(scenario, image, design, mount);
  for (const seed of seeds) {
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
}
