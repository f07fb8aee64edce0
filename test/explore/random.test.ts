import { describe, expect, test } from 'vitest';
import { exhaustive } from '../../src/explore/exhaustive.ts';
import { type SampleStrategy, sample } from '../../src/explore/random.ts';
import { Rng } from '../../src/explore/rng.ts';
import { replay } from '../../src/explore/schedule.ts';
import { folioLock, lock, unlock } from '../../src/locks/lock.ts';
import { Machine } from '../../src/sched/machine.ts';
import { step } from '../../src/task.ts';
import { invariant, type Program, toy } from './toy.ts';

const STRATEGIES: readonly SampleStrategy[] = ['random', 'pct', 'round-robin'];

const work = (steps: number): Program =>
  function* (k) {
    for (let i = 0; i < steps; i++) {
      const seen = yield* step(k, 'load', () => k.inode(20).nlink);
      yield* step(k, 'store', () => {
        k.inode(20).nlink = (seen * 3 + k.task + 1) & 63;
      });
    }
    yield* lock(k, folioLock(12, 0));
    yield* unlock(k, folioLock(12, 0));
  };
const subject = () =>
  toy([work(2), work(2), work(1)], {
    invariants: [invariant('seven', 'end', (k) => (k.inode(20).nlink === 7 ? 'it is seven' : null))],
  });

describe.each(STRATEGIES)('%s', (strategy) => {
  test('the same seed, the same answer; every schedule replays on live generators', () => {
    const once = sample(subject(), { strategy, seed: 3, schedules: 50 });
    expect(sample(subject(), { strategy, seed: 3, schedules: 50 })).toEqual(once);
    expect(once).toMatchObject({ complete: true, schedules: 50, deadlocks: 0, halted: 0, depth: 16 });
    expect(once.transitions).toBe(50 * 16);
    for (const { schedule } of once.found) {
      const { k, specs } = subject();
      expect(replay(new Machine(k, specs), schedule)).toEqual(schedule);
    }
  });

  test('never finds what the exhaustive search does not have', () => {
    const all = exhaustive(subject());
    const found = sample(subject(), { strategy, seed: 9, schedules: 300 });
    expect(found.states).toBeLessThanOrEqual(all.states);
    for (const digest of found.endStates) expect(all.endStates).toContain(digest);
    if (strategy === 'random') expect(found.endStates.length).toBeGreaterThan(all.endStates.length / 2);
  });

  test('a budget cuts it short', () => {
    const found = sample(subject(), { strategy, seed: 1, schedules: 50, budget: 40 });
    expect(found).toMatchObject({ complete: false, schedules: 2, transitions: 40 });
  });
});

test('round-robin takes turns: one step each from every task, then two each', () => {
  // The order of the steps is the state, so that every schedule has an end of its own.
  const steps: Program = function* (k) {
    for (let i = 0; i < 4; i++) {
      yield* step(k, 'step', () => {
        const digits = k.inode(20);
        digits.size = digits.size * 3 + k.task + 1;
      });
    }
  };
  const order = (size: number): string => {
    let text = '';
    for (let rest = size; rest > 0; rest = Math.floor(rest / 3)) text = 'AB'[(rest % 3) - 1] + text;
    return text;
  };
  const seen: string[] = [];
  const told = invariant('order', 'end', (k) => {
    seen.push(order(k.inode(20).size));
    return null;
  });
  sample(toy([steps, steps], { invariants: [told] }), { strategy: 'round-robin', schedules: 5 });
  expect(seen).toEqual(['ABABABAB', 'BABABABA', 'AABBAABB', 'BBAABBAA', 'AAABBBAB']);
});

describe('finding', () => {
  /** Broken only when CPU1 comes between two given steps of CPU0. */
  const needle = () =>
    toy(
      [
        function* (k) {
          for (let i = 0; i < 20; i++) {
            const next = i;
            yield* step(k, 'work', () => {
              k.inode(20).nlink = next;
            });
          }
        },
        function* (k) {
          yield* step(k, 'look', () => {
            k.inode(21).nlink = k.inode(20).nlink;
          });
        },
      ],
      { invariants: [invariant('needle', 'always', (k) => (k.inode(21).nlink === 5 ? 'met' : null))] },
    );

  test.each(['random', 'pct'] as const)(
    '%s finds a needle, and stops at the first when asked',
    (strategy) => {
      const { found, complete, schedules } = sample(needle(), {
        strategy,
        seed: 1,
        schedules: 2000,
        depth: 2,
        stopAtFirst: true,
      });
      expect(found.map((each) => each.invariant)).toEqual(['needle']);
      expect(complete).toBe(false);
      expect(schedules).toBeLessThan(2000);
    },
  );

  test('pct of depth 1 changes no priority: two tasks have two schedules', () => {
    const { states } = sample(needle(), { strategy: 'pct', seed: 1, schedules: 500, depth: 1 });
    expect(states).toBe(1 + 21 + 21);
  });
});

describe('numbers', () => {
  test('are in range, spread, and decided by the seed', () => {
    const rng = new Rng(42);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) counts[rng.below(10)]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
    expect([new Rng(1).next(), new Rng(2).next()]).not.toEqual([new Rng(2).next(), new Rng(1).next()]);
    expect(new Rng(7).next()).toBe(new Rng(7).next());
    const list = [0, 1, 2, 3, 4, 5, 6, 7];
    rng.shuffle(list);
    expect([...list].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});
