import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { counterexample, shortest, shrink, tell } from '../../src/explore/counterexample.ts';
import { exhaustive } from '../../src/explore/exhaustive.ts';
import { sample } from '../../src/explore/random.ts';
import { formatSchedule, replay, runsOf } from '../../src/explore/schedule.ts';
import { NO_DEADLOCK } from '../../src/explore/subject.ts';
import { Walk } from '../../src/explore/walk.ts';
import { iRwsem, lock, unlock } from '../../src/locks/lock.ts';
import { Machine } from '../../src/sched/machine.ts';
import { step } from '../../src/task.ts';
import { programs, subjectOf } from './programs.ts';
import { bruteForce, invariant, less, type Program, toy } from './toy.ts';

/** Reads, writes back one more: a lost update takes one preemption. */
const racy = (before: number): Program =>
  function* (k) {
    for (let i = 0; i < before; i++) yield* step(k, 'before', () => undefined);
    const seen = yield* step(k, 'load', () => k.inode(20).nlink);
    yield* step(k, 'store', () => {
      k.inode(20).nlink = seen + 1;
    });
  };
const sum = invariant('sum', 'end', (k) => (k.inode(20).nlink === 2 ? null : `${k.inode(20).nlink} of 2`));

describe('the shortest story', () => {
  test('a lost update: one preemption, two switches', () => {
    const walk = new Walk(toy([racy(3), racy(3)], { invariants: [sum] }));
    const story = counterexample(walk, exhaustive(walk.subject, {}, walk), 'sum');
    expect(formatSchedule(story.schedule)).toBe('A4B5A');
    expect(story).toMatchObject({ preemptions: 1, switches: 2, steps: 10, message: '1 of 2' });
  });

  test('a deadlock: up to the state where nobody can run, and the cycle of that state', () => {
    const both = (first: number, second: number): Program =>
      function* (k) {
        yield* step(k, 'before', () => undefined);
        yield* lock(k, iRwsem(first));
        yield* lock(k, iRwsem(second));
        yield* unlock(k, iRwsem(second));
        yield* unlock(k, iRwsem(first));
      };
    const walk = new Walk(toy([both(12, 13), both(13, 12)]));
    const story = counterexample(walk, exhaustive(walk.subject, {}, walk), NO_DEADLOCK);
    expect(formatSchedule(story.schedule)).toBe('A2B2');
    expect(story.message).toMatch(/^deadlock: CPU0 waits .* held by CPU1; CPU1 waits .* held by CPU0$/);
  });

  test('without the graph: bounded searches find the same', () => {
    const walk = new Walk(toy([racy(3), racy(3), racy(0)], { invariants: [sum] }));
    const searched = exhaustive(walk.subject, {}, walk);
    const quick = counterexample(walk, searched, 'sum');
    const slow = counterexample(walk, { ...searched, graph: null }, 'sum');
    expect(slow).toEqual(quick);
  });

  test('an invariant that holds has no story', () => {
    const walk = new Walk(toy([racy(1)], { invariants: [sum] }));
    expect(() => counterexample(walk, exhaustive(walk.subject, {}, walk), NO_DEADLOCK)).toThrow(
      'nothing wrong',
    );
    expect(tell(walk, [0], 'sum')).toBeNull();
    expect(() => tell(walk, [0], 'other')).toThrow('no invariant other');
  });
});

describe('laws over random programs', () => {
  test('no schedule has fewer preemptions, or as many and fewer switches, or fewer steps', () => {
    fc.assert(
      fc.property(programs, (each) => {
        const brute = bruteForce(() => subjectOf(each));
        const walk = new Walk(subjectOf(each));
        const searched = exhaustive(walk.subject, {}, walk);
        for (const { invariant: id, where } of searched.found) {
          const story = counterexample(walk, searched, id);
          expect([story.preemptions, story.switches, story.steps]).toEqual(brute.cheapest[id]);
          expect(shortest(searched.graph!, where)).toEqual(story.schedule);
          // It replays on live generators, and breaks there what it says.
          const { k, world, specs, invariants } = subjectOf(each);
          const machine = new Machine(k, specs);
          for (const task of story.schedule) machine.resume(task);
          if (id === NO_DEADLOCK) expect(machine.runnable()).toEqual([]);
          else expect(invariants.find((one) => one.id === id)!.check(k)).toBe(story.message);
          expect(world.digest()).not.toBe('');
        }
      }),
      { numRuns: 150, seed: 11 },
    );
  });

  test('shrinking keeps the violation, never costs more, and has nothing left to join', () => {
    fc.assert(
      fc.property(programs, fc.nat(), (each, seed) => {
        const walk = new Walk(subjectOf(each));
        const { found } = sample(walk.subject, { strategy: 'random', seed, schedules: 20 }, walk);
        for (const { invariant: id, schedule } of found) {
          const before = tell(walk, schedule, id)!;
          const story = shrink(walk, schedule, id);
          const cost = [story.preemptions, story.switches, story.steps];
          expect(less([before.preemptions, before.switches, before.steps], cost)).toBe(false);
          expect(tell(walk, story.schedule, id)).toEqual(story);
          expect(shrink(walk, story.schedule, id)).toEqual(story);
          const runs = runsOf(story.schedule);
          for (let i = 0; i < runs.length; i++) {
            const rest = runs.toSpliced(i, 1).flatMap(([task, count]) => Array<number>(count).fill(task));
            const machine = new Machine(...kAndSpecs(each));
            try {
              const taken = replay(machine, rest);
              const shorter = tell(walk, taken, id);
              if (shorter !== null)
                expect(less([shorter.preemptions, shorter.switches, shorter.steps], cost)).toBe(false);
            } catch {
              // The rest cannot be followed: the run is needed.
            }
          }
        }
      }),
      { numRuns: 60, seed: 5 },
    );
  });
});

const kAndSpecs = (each: Parameters<typeof subjectOf>[0]) => {
  const { k, specs } = subjectOf(each);
  return [k, specs] as const;
};
