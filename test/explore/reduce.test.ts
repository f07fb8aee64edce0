/**
 * The reduced search against the whole one. Every bundled scenario under every design: `test/long/reduce.test.ts`.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Exhausted, exhaustive } from '../../src/explore/exhaustive.ts';
import { explore } from '../../src/explore/explore.ts';
import { NO_DEADLOCK } from '../../src/explore/subject.ts';
import { iLock, lock, sbWriters, unlock } from '../../src/locks/lock.ts';
import { step, waitFor } from '../../src/task.ts';
import { foundReduced, foundWhole } from '../support/reduced.ts';
import { CASES } from '../support/scenarios.ts';
import { programs, subjectOf } from './programs.ts';
import { bruteForce, invariant, type Program, toy } from './toy.ts';

const reduced = (...of: Parameters<typeof toy>): Exhausted => exhaustive(toy(...of), { reduce: true });

/** Counts on its own inode. */
const counter = (count: number): Program =>
  function* (k) {
    for (let i = 1; i <= count; i++) {
      const next = i;
      yield* step(k, `count ${next}`, () => {
        k.inode(20 + k.task).size = next;
      });
    }
  };

describe('what is left', () => {
  test('of tasks that never meet: one schedule', () => {
    const found = reduced([counter(30), counter(30), counter(30)]);
    expect(found).toMatchObject({ complete: true, states: 91, schedules: 1n, graph: null });
    expect(found.endStates).toEqual(exhaustive(toy([counter(30), counter(30), counter(30)])).endStates);
  });

  test('of tasks that meet once: both orders of that, and little else', () => {
    const meets: Program = function* (k) {
      yield* counter(10)(k);
      const seen = yield* step(k, 'load', () => k.inode(12).nlink);
      yield* step(k, 'store', () => {
        k.inode(12).nlink = seen * 2 + k.task;
      });
      yield* counter(10)(k);
    };
    const found = reduced([meets, meets]);
    const whole = exhaustive(toy([meets, meets]));
    expect(found.endStates).toEqual(whole.endStates);
    expect(found.states).toBeLessThan(whole.states / 3);
  });

  test('who holds a lock shared does not mind the others', () => {
    const reader: Program = function* (k) {
      yield* lock(k, sbWriters, 'shared');
      yield* counter(2)(k);
      yield* unlock(k, sbWriters);
    };
    expect(reduced([reader, reader, reader]).schedules).toBe(1n);
    const freezer: Program = function* (k) {
      yield* lock(k, sbWriters);
      yield* unlock(k, sbWriters);
    };
    const found = reduced([reader, reader, freezer]);
    expect(found.schedules).toBeGreaterThan(1n);
    expect(found.endStates).toEqual(exhaustive(toy([reader, reader, freezer])).endStates);
  });
});

describe('nothing is lost', () => {
  test('an invariant over two tasks that never meet', () => {
    const apart = invariant('apart', 'always', (k) => {
      const [a, b] = [k.inode(20).size, k.inode(21).size];
      return a === 1 && b === 3 ? 'seen' : null;
    });
    expect(reduced([counter(4), counter(4)], { invariants: [apart] }).found).toMatchObject([
      { invariant: 'apart', message: 'seen' },
    ]);
  });

  test('a list of keys that grows while the search runs', () => {
    const maker: Program = function* (k) {
      yield* step(k, 'make', () => {
        k.buf(77).dirty = true;
      });
    };
    const lister: Program = function* (k) {
      yield* step(k, 'list', () => {
        k.inode(20).nlink = k.world.firstKeys('buf').filter((block) => k.buf(block).dirty).length;
      });
    };
    expect(reduced([maker, lister]).endStates).toEqual(exhaustive(toy([maker, lister])).endStates);
  });

  test('a deadlock, a wait that nobody ends, a BUG_ON while others go on', () => {
    const both = (first: number, second: number): Program =>
      function* (k) {
        yield* counter(3)(k);
        yield* lock(k, iLock(first));
        yield* lock(k, iLock(second));
        yield* unlock(k, iLock(second));
        yield* unlock(k, iLock(first));
      };
    expect(reduced([both(1, 2), both(2, 1), counter(5)]).found).toMatchObject([{ invariant: NO_DEADLOCK }]);
    const waits: Program = function* (k) {
      yield* waitFor(k, 'three', () => k.inode(20).size === 3);
    };
    const whole = exhaustive(toy([counter(5), waits]));
    expect(whole.deadlocks).toBeGreaterThan(0);
    expect(reduced([counter(5), waits])).toMatchObject({
      deadlocks: whole.deadlocks,
      endStates: whole.endStates,
    });
    const bug: Program = function* (k) {
      yield* step(k, 'bug', () => {
        k.bugOn('read-inline-index', k.inode(20).size === 2);
      });
    };
    expect(reduced([counter(4), bug]).halted).toBeGreaterThan(0);
  });

  test('random programs: the same ends and verdicts as every interleaving on live generators', () => {
    fc.assert(
      fc.property(programs, (each) => {
        const brute = bruteForce(() => subjectOf(each));
        const found = exhaustive(subjectOf(each), { reduce: true });
        expect(found.complete).toBe(true);
        expect(found.endStates).toEqual(brute.endStates);
        expect(found.found.map(({ invariant: id }) => id).sort()).toEqual(brute.broken);
        expect(found.deadlocks > 0).toBe(brute.deadlockStates.length > 0);
        expect(found.halted > 0).toBe(brute.haltedSchedules > 0);
        expect(found.schedules! <= BigInt(brute.schedules)).toBe(true);
      }),
      { numRuns: 400, seed: 11 },
    );
  });

  // The last one has hundreds of dirty blocks, and a thousand places that a task comes to.
  test.each(
    CASES.filter(
      ({ label, scenario: { name } }) =>
        label === 'low-space-write-beside-flusher delalloc no-conversion' ||
        ['small-write-beside-store', 'writepages-beside-truncate', 'reclaim-beside-write'].includes(name),
    ),
  )('$label', (each) => {
    expect(foundReduced(each)).toEqual(foundWhole(each));
  });
});

describe('when it is used', () => {
  test('by itself when the budget is not enough for everything, and the answer says so', () => {
    const subject = () => toy([counter(30), counter(30), counter(30)]);
    const found = explore(subject(), { budget: 5_000 });
    expect(found).toMatchObject({ verdict: 'holds', reach: { complete: true, reduced: true, states: 91 } });
    expect(explore(subject(), { budget: 5_000, reduce: false }).verdict).toBe('inconclusive');
    expect(explore(subject(), { reduce: true }).reach).toMatchObject({ reduced: true, schedules: 1 });
    expect(explore(subject()).reach).toMatchObject({ reduced: false, states: 31 ** 3 });
  });

  test('the story is the shortest all the same', () => {
    const low = invariant('low', 'always', (k) => (k.inode(20).size + k.inode(21).size > 5 ? 'six' : null));
    const subject = () => toy([counter(4), counter(4)], { invariants: [low] });
    const [story] = explore(subject(), { reduce: true }).violations;
    expect(story).toEqual(explore(subject(), { reduce: false }).violations[0]);
  });
});
