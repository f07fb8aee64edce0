import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exhaustive } from '../../src/explore/exhaustive.ts';
import { NO_DEADLOCK } from '../../src/explore/subject.ts';
import { StepError } from '../../src/explore/walk.ts';
import type { Kernel } from '../../src/kernel.ts';
import { folioLock, iRwsem, lock, unlock, xattrSem } from '../../src/locks/lock.ts';
import { type Op, step, waitFor } from '../../src/task.ts';
import { programs, subjectOf } from './programs.ts';
import { bruteForce, invariant, type Program, toy } from './toy.ts';

/** Counts on its own inode: `count` steps that no other task sees. */
const counter = (count: number): Program =>
  function* (k) {
    for (let i = 1; i <= count; i++) {
      const next = i;
      yield* step(k, `count ${next}`, () => {
        k.inode(20 + k.task).size = next;
      });
    }
  };

const binomial = (n: number, of: number): bigint => {
  let out = 1n;
  for (let i = 1; i <= of; i++) out = (out * BigInt(n - of + i)) / BigInt(i);
  return out;
};

describe('counts that can be worked out by hand', () => {
  test('no task: one state, one schedule of no steps', () => {
    const found = exhaustive(toy([]));
    expect(found).toMatchObject({ states: 1, transitions: 0, schedules: 1n, depth: 0, deadlocks: 0 });
    expect(found.endStates).toHaveLength(1);
  });

  test('two tasks of n and m steps: a grid, and binomially many paths through it', () => {
    for (const [n, m] of [
      [1, 1],
      [3, 2],
      [7, 5],
      [40, 40],
      [100, 100],
    ] as const) {
      expect(exhaustive(toy([counter(n), counter(m)]))).toMatchObject({
        complete: true,
        states: (n + 1) * (m + 1),
        transitions: n * (m + 1) + m * (n + 1),
        schedules: binomial(n + m, n),
        depth: n + m,
        deadlocks: 0,
        halted: 0,
      });
    }
  });

  test('three tasks: the multinomial', () => {
    const found = exhaustive(toy([counter(4), counter(4), counter(4)]));
    expect(found.states).toBe(5 ** 3);
    expect(found.transitions).toBe(3 * 4 * 5 * 5);
    expect(found.schedules).toBe(34_650n);
    expect(found.endStates).toHaveLength(1);
  });

  test('one lock, three steps each: 16 − 4 states, no interleaving inside', () => {
    const section: Program = function* (k) {
      yield* lock(k, folioLock(12, 0));
      yield* step(k, 'inside', () => {
        k.inode(20 + k.task).size = 1;
      });
      yield* unlock(k, folioLock(12, 0));
    };
    expect(exhaustive(toy([section, section]))).toMatchObject({
      states: 12,
      transitions: 12,
      schedules: 2n,
      deadlocks: 0,
    });
  });

  test('a writer takes a step to join the queue behind a reader', () => {
    const user = (mode: 'shared' | 'exclusive'): Program =>
      function* (k) {
        yield* lock(k, xattrSem(12), mode);
        yield* unlock(k, xattrSem(12));
      };
    expect(exhaustive(toy([user('exclusive'), user('shared')]))).toMatchObject({
      states: 10,
      transitions: 11,
      schedules: 3n,
      depth: 5,
    });
    // Readers do not see each other.
    expect(exhaustive(toy([user('shared'), user('shared')]))).toMatchObject({
      states: 9,
      transitions: 12,
      schedules: 6n,
    });
  });

  test('a wait condition orders two tasks', () => {
    const found = exhaustive(
      toy([
        function* (k) {
          yield* step(k, 'a', () => {
            k.inode(20).size = 1;
          });
          yield* step(k, 'done', () => {
            k.inode(20).nlink = 1;
          });
        },
        function* (k) {
          yield* waitFor(k, 'until done', () => k.inode(20).nlink === 1);
          yield* step(k, 'b', () => {
            k.inode(21).size = 1;
          });
        },
      ]),
    );
    expect(found).toMatchObject({ states: 5, transitions: 4, schedules: 1n, deadlocks: 0 });
  });

  test('a last task runs when the others are finished', () => {
    const found = exhaustive(toy([counter(2), counter(3), counter(1)], { last: [1] }));
    expect(found).toMatchObject({ states: 3 * 2 + 3, schedules: 3n, depth: 6 });
  });

  test('a BUG_ON halts the machine', () => {
    const found = exhaustive(
      toy([
        function* (k) {
          yield* step(k, 'bug', () => {
            k.bugOn('read-inline-index', true);
          });
        },
        counter(2),
      ]),
    );
    // 0, 1 or 2 steps of the other task before the bug; the three halted states are ends.
    expect(found).toMatchObject({ states: 6, transitions: 5, schedules: 3n, halted: 3, deadlocks: 0 });
    expect(found.endStates).toEqual([]);
  });
});

describe('deadlocks', () => {
  const both = (first: number, second: number): Program =>
    function* (k) {
      yield* lock(k, iRwsem(first));
      yield* lock(k, iRwsem(second));
      yield* unlock(k, iRwsem(second));
      yield* unlock(k, iRwsem(first));
    };

  test('ABBA: one state, and the cycle names who holds what', () => {
    const found = exhaustive(toy([both(12, 13), both(13, 12)]));
    expect(found.deadlocks).toBe(1);
    expect(found.found).toHaveLength(1);
    expect(found.found[0]).toMatchObject({
      invariant: NO_DEADLOCK,
      message:
        'deadlock: CPU0 waits for inode_lock(&sb->s_type->i_mutex_key) of 13, held by CPU1; ' +
        'CPU1 waits for inode_lock(&sb->s_type->i_mutex_key) of 12, held by CPU0',
    });
    expect(exhaustive(toy([both(12, 13), both(12, 13)])).deadlocks).toBe(0);
  });

  test('a reader that reads again behind a queued writer', () => {
    const found = exhaustive(
      toy([
        function* (k) {
          yield* lock(k, xattrSem(12), 'shared');
          yield* lock(k, xattrSem(12), 'shared');
          yield* unlock(k, xattrSem(12));
        },
        function* (k) {
          yield* lock(k, xattrSem(12), 'exclusive');
          yield* unlock(k, xattrSem(12));
        },
      ]),
    );
    expect(found.deadlocks).toBe(1);
    expect(found.found[0]?.message).toBe(
      'deadlock: CPU0 waits for down_read(&ei->xattr_sem) of 12, queued behind CPU1; ' +
        'CPU1 waits for down_write(&ei->xattr_sem) of 12, held shared by CPU0',
    );
  });

  test('a task that waits for itself, and a wait that nobody ends', () => {
    const own = exhaustive(
      toy([
        function* (k) {
          yield* lock(k, folioLock(12, 3));
          yield* lock(k, folioLock(12, 3));
        },
      ]),
    );
    expect(own.found[0]?.message).toBe('deadlock: CPU0 waits for folio_lock(12:3), held by CPU0');
    const never = exhaustive(
      toy([
        function* (k) {
          yield* waitFor(k, 'godot', () => false);
        },
      ]),
    );
    expect(never.found[0]).toMatchObject({ message: "nobody can run: CPU0 waits for 'godot'", schedule: [] });
  });
});

describe('violations', () => {
  const racy: Program = function* (k) {
    const seen = yield* step(k, 'load', () => k.inode(20).nlink);
    yield* step(k, 'store', () => {
      k.inode(20).nlink = seen + 1;
    });
  };
  const lost = invariant('sum', 'end', (k) => (k.inode(20).nlink === 2 ? null : `${k.inode(20).nlink}`));
  const low = invariant('low', 'always', (k) => (k.inode(20).nlink > 1 ? 'more than one' : null));

  test('always and end, each with its first message, and the search goes on', () => {
    const found = exhaustive(toy([racy, racy], { invariants: [lost, low] }));
    expect(found.found.map(({ invariant: id, message }) => [id, message])).toEqual([
      ['low', 'more than one'],
      ['sum', '1'],
    ]);
    expect(found.endStates).toHaveLength(2);
    expect(found.schedules).toBe(6n);
  });

  test('stopAtFirst stops there', () => {
    const found = exhaustive(toy([racy, racy], { invariants: [lost] }), { stopAtFirst: true });
    expect(found.complete).toBe(false);
    expect(found.found).toHaveLength(1);
  });

  test('a check that throws names the schedule that leads there', () => {
    const broken = invariant('broken', 'always', (k) => {
      if (k.inode(20).nlink > 0) throw new Error('oops');
      return null;
    });
    const run = () => exhaustive(toy([racy, racy], { invariants: [broken] }));
    expect(run).toThrow(StepError);
    expect(run).toThrow(/oops .*schedule A2\)/);
  });
});

describe('limits', () => {
  test('a budget gives what was seen, and says that it is not all', () => {
    const found = exhaustive(toy([counter(5), counter(5)]), { budget: 20 });
    expect(found).toMatchObject({ complete: false, transitions: 20 });
    expect(found.schedules).toBeGreaterThan(0n);
    expect(exhaustive(toy([counter(5), counter(5)]), { budget: 60 })).toMatchObject({
      complete: true,
      transitions: 60,
    });
  });

  test('progress is told, and stop is polled', () => {
    const depths: number[] = [];
    const found = exhaustive(toy([counter(200), counter(200)]), {
      onProgress: ({ transitions }) => depths.push(transitions),
      stop: () => depths.length === 3,
    });
    expect(found.complete).toBe(false);
    expect(depths).toHaveLength(3);
    expect(depths[0]).toBeLessThan(depths[1]!);
  });

  test('the world is left as it was, after an error too', () => {
    const subject = toy([counter(3), counter(3)]);
    subject.k.inode(5).size = 77;
    const before = subject.world.digest();
    exhaustive(subject);
    exhaustive(subject, { budget: 3 });
    expect(subject.world.digest()).toBe(before);
    const bad = toy([
      function* (k: Kernel): Op<void> {
        yield* step(k, 'write', () => {
          k.inode(20).size = 1;
        });
        yield* step(k, 'throw', () => {
          throw new Error('a mistake');
        });
      },
    ]);
    expect(() => exhaustive(bad)).toThrow("a mistake (CPU0 at 'throw'; schedule A2)");
    expect(bad.world.digest()).toBe(toy([]).world.digest());
  });
});

describe('laws over random programs', () => {
  const runs = { numRuns: 150, seed: 7 };

  test('the same ends, verdicts and schedule count as every interleaving on live generators', () => {
    fc.assert(
      fc.property(programs, (each) => {
        const brute = bruteForce(() => subjectOf(each));
        const found = exhaustive(subjectOf(each), { paranoid: 1 });
        expect(found.complete).toBe(true);
        expect(found.endStates).toEqual(brute.endStates);
        expect(found.schedules).toBe(BigInt(brute.schedules));
        expect(found.depth).toBe(brute.depth);
        expect(found.found.map(({ invariant: id }) => id).sort()).toEqual(brute.broken);
        expect(found.deadlocks > 0).toBe(brute.deadlockStates.length > 0);
        expect(found.halted > 0).toBe(brute.haltedSchedules > 0);
      }),
      runs,
    );
  });

  test('with a bound on preemptions: exactly the schedules within it', () => {
    fc.assert(
      fc.property(programs, (each) => {
        const brute = bruteForce(() => subjectOf(each));
        let schedules = 0;
        for (let preemptions = 0; preemptions <= 2; preemptions++) {
          schedules += brute.byPreemptions.get(preemptions) ?? 0;
          const found = exhaustive(subjectOf(each), { preemptions });
          expect(found.schedules).toBe(BigInt(schedules));
          expect(found.bounded).toBe(schedules < brute.schedules);
          const within = Object.entries(brute.cheapest).filter(([, [needed]]) => needed <= preemptions);
          expect(found.found.map(({ invariant: id }) => id).sort()).toEqual(within.map(([id]) => id).sort());
        }
      }),
      runs,
    );
  });

  test('fingerprints and whole states number the same states; twice is the same', () => {
    fc.assert(
      fc.property(programs, fc.constantFrom(null, 1), (each, preemptions) => {
        const told = ({
          states,
          transitions,
          schedules,
          endStates,
          deadlocks,
          halted,
          depth,
          found,
        }: ReturnType<typeof exhaustive>) => ({
          states,
          transitions,
          schedules,
          endStates,
          deadlocks,
          halted,
          depth,
          found: found.map(({ invariant: id, message, schedule }) => ({ id, message, schedule })),
        });
        const once = told(exhaustive(subjectOf(each), { preemptions }));
        expect(told(exhaustive(subjectOf(each), { preemptions, exact: true }))).toEqual(once);
        expect(told(exhaustive(subjectOf(each), { preemptions }))).toEqual(once);
      }),
      runs,
    );
  });
});
