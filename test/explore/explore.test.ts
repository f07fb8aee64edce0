import { describe, expect, test } from 'vitest';
import { countText, explore, reachText, verdictText } from '../../src/explore/explore.ts';
import { formatSchedule } from '../../src/explore/schedule.ts';
import { folioLock, iRwsem, lock, sWritepagesRwsem, tryLock, unlock } from '../../src/locks/lock.ts';
import { Machine } from '../../src/sched/machine.ts';
import { AGAIN, loop, step } from '../../src/task.ts';
import { invariant, type Program, specsOf, toy, toyKernel } from './toy.ts';

const racy: Program = function* (k) {
  const seen = yield* step(k, 'load', () => k.inode(20).nlink);
  yield* step(k, 'store', () => {
    k.inode(20).nlink = seen + 1;
  });
};
const safe: Program = function* (k) {
  yield* lock(k, folioLock(12, 0));
  yield* racy(k);
  yield* unlock(k, folioLock(12, 0));
};
const stuck: Program = function* (k) {
  yield* lock(k, folioLock(12, 1));
};
const sum = invariant('sum', 'end', (k) => (k.inode(20).nlink === 3 ? null : `${k.inode(20).nlink} of 3`));
const subject = (program: Program) => toy([program, program, program], { invariants: [sum] });

describe('verdicts', () => {
  test('holds, and how far', () => {
    const answer = explore(subject(safe));
    expect(answer).toMatchObject({ verdict: 'holds', violations: [], deadlocks: 0, halted: 0 });
    expect(answer.reach).toMatchObject({ preemptions: null, schedules: 6, complete: true });
    expect(verdictText(answer)).toBe(`holds (exhaustive, ${answer.reach.states} states, 6 schedules)`);
    expect(answer).not.toHaveProperty('ms');
  });

  test('violates, with the shortest story of each', () => {
    const answer = explore(subject(racy));
    expect(answer.verdict).toBe('violates');
    expect(answer.violations).toEqual([
      {
        invariant: 'sum',
        message: '2 of 3',
        schedule: [0, 0, 1, 2, 2, 1],
        preemptions: 1,
        switches: 3,
        steps: 6,
      },
    ]);
    expect(verdictText(answer)).toMatch(/^violates sum \(exhaustive, \d+ states, 90 schedules\)$/);
  });

  test('a bound that keeps something out is named; one that does not is not', () => {
    const bounded = explore(subject(racy), { preemptions: 0 });
    expect(bounded).toMatchObject({
      verdict: 'holds',
      reach: { preemptions: 0, schedules: 6, complete: true },
    });
    expect(verdictText(bounded)).toBe('holds (≤0 preemptions, 6 schedules)');
    expect(explore(subject(racy), { preemptions: 1 }).verdict).toBe('violates');
    const enough = explore(subject(racy), { preemptions: 9 });
    expect(enough.reach).toMatchObject({ preemptions: null, schedules: 90 });
    expect(enough.violations).toEqual(explore(subject(racy)).violations);
    expect(enough.reach.states).toBe(explore(subject(racy)).reach.states);
  });

  test('a deadlock is a violation of its own', () => {
    const answer = explore(toy([stuck, stuck]));
    expect(answer).toMatchObject({ verdict: 'violates', deadlocks: 2 });
    expect(answer.violations[0]).toMatchObject({ invariant: 'no-deadlock', schedule: [0], preemptions: 0 });
  });

  test('stopAtFirst finds fewest preemptions first', () => {
    const answer = explore(subject(racy), { stopAtFirst: true });
    expect(answer.violations.map((each) => each.preemptions)).toEqual([1]);
    expect(answer.violations).toEqual(explore(subject(racy)).violations);
    expect(explore(subject(safe), { stopAtFirst: true })).toEqual(explore(subject(safe)));
  });

  test('a budget that runs out is inconclusive, unless something was found', () => {
    const answer = explore(subject(safe), { budget: 10 });
    expect(answer).toMatchObject({ verdict: 'inconclusive', reach: { complete: false, transitions: 10 } });
    expect(verdictText(answer)).toMatch(/^no violation found: cut short after \d+ states, 10 transitions$/);
    expect(explore(subject(racy), { budget: 60 }).verdict).toBe('violates');
    expect(explore(subject(safe), { preemptions: 1, budget: 10, stop: () => false }).verdict).toBe(
      'inconclusive',
    );
  });
});

describe('a task that spins', () => {
  const spinning = (also: Program) =>
    toy([
      function* (k) {
        yield* lock(k, folioLock(12, 1));
      },
      also,
    ]);
  const spin: Program = function* (k) {
    for (;;) {
      const got = yield* tryLock(k, folioLock(12, 1));
      if (got) return;
    }
  };

  test('ends the search, which says where', () => {
    const answer = explore(spinning(spin));
    expect(answer).toMatchObject({
      verdict: 'inconclusive',
      endless: "CPU1 at 'try folio_lock(12:1)'",
      reach: { complete: false },
    });
    expect(verdictText(answer)).toMatch(/, CPU1 at 'try folio_lock\(12:1\)' for ever$/);
  });

  /** The same, with turns that remember nothing. */
  const turns: Program = function* (k) {
    yield* loop(k, 'turn', function* () {
      const got = yield* tryLock(k, folioLock(12, 1));
      if (got) yield* unlock(k, folioLock(12, 1));
      return got || AGAIN;
    });
  };
  const holder = (gives: boolean): Program =>
    function* (k) {
      yield* lock(k, folioLock(12, 1));
      yield* step(k, 'work', () => {});
      if (gives) yield* unlock(k, folioLock(12, 1));
    };

  test.each([false, true])(
    'in a loop has few states, and an end as long as the lock is let go; reduced: %s',
    (reduce) => {
      const answer = explore(toy([holder(true), turns]), { reduce });
      expect(answer).toMatchObject({
        verdict: 'holds',
        endless: null,
        deadlocks: 0,
        reach: { schedules: null },
      });
      expect(answer.reach.states).toBeLessThan(20);
      expect(verdictText(answer)).toMatch(/endlessly many schedules\)$/);
    },
  );

  test('in a loop for a lock that nobody gives back does not hold', () => {
    const answer = explore(toy([holder(false), turns]));
    expect(answer).toMatchObject({
      verdict: 'inconclusive',
      endless: "CPU1 at 'try folio_lock(12:1)'",
      reach: { complete: true },
    });
  });

  test('and leaks a lock in every turn has an order of locks all the same', () => {
    const leaks: Program = function* (k) {
      yield* loop(k, 'turn', function* () {
        yield* lock(k, iRwsem(12), 'shared');
        yield* lock(k, sWritepagesRwsem);
        yield* unlock(k, sWritepagesRwsem);
        const got = yield* tryLock(k, folioLock(12, 1));
        return got || AGAIN;
      });
    };
    const { lockOrder } = explore(toy([holder(true), leaks]), { lockdep: true });
    expect(lockOrder!.edges.map(({ from, to }) => `${from} > ${to}`)).toContain(
      '&sb->s_type->i_mutex_key > &sbi->s_writepages_rwsem',
    );
  });

  test('comes round in the machine', () => {
    const { k } = toyKernel();
    const program: Program = function* (k) {
      yield* loop(k, 'turn', function* () {
        const count = yield* step(k, 'count', () => ++k.inode(20).nlink);
        return count < 3 ? AGAIN : count;
      });
    };
    const machine = new Machine(k, specsOf([program]));
    let steps = 0;
    for (; !machine.allFinished; steps++) machine.resume(0);
    expect([steps, k.inode(20).nlink]).toEqual([3, 3]);
  });

  test('and the sampling', () => {
    const answer = explore(spinning(spin), { strategy: 'round-robin', schedules: 5 });
    expect(answer).toMatchObject({ verdict: 'inconclusive', endless: "CPU1 at 'try folio_lock(12:1)'" });
  });
});

describe('sampling', () => {
  test.each(['random', 'pct', 'round-robin'] as const)('%s tells a shrunk story', (strategy) => {
    const answer = explore(subject(racy), { strategy, seed: 4, schedules: 60 });
    expect(answer.verdict).toBe('violates');
    expect(answer.violations[0]).toMatchObject({ preemptions: 1, switches: 3, steps: 6 });
    expect(formatSchedule(answer.violations[0]!.schedule)).toMatch(/^([ABC]2?){4}$/);
    expect(explore(subject(racy), { strategy, seed: 4, schedules: 60 })).toEqual(answer);
  });

  test('never says holds', () => {
    const answer = explore(subject(safe), { strategy: 'random', seed: 1, schedules: 2000 });
    expect(answer.verdict).toBe('inconclusive');
    expect(verdictText(answer)).toBe('no violation in 2,000 random schedules');
  });
});

describe('words', () => {
  test('counts', () => {
    expect(countText(0)).toBe('0');
    expect(countText(999)).toBe('999');
    expect(countText(649_862_558)).toBe('649,862,558');
    expect(countText('29148230974829374928374928374')).toBe('2.9·10²⁸');
  });

  test('reach', () => {
    const reach = {
      strategy: 'exhaustive',
      preemptions: null,
      schedules: 649_862_558,
      states: 1050,
      transitions: 2000,
      complete: true,
      reduced: false,
    } as const;
    expect(reachText(reach)).toBe('exhaustive, 1,050 states, 649,862,558 schedules');
    expect(reachText({ ...reach, preemptions: 3, schedules: 41_022 })).toBe(
      '≤3 preemptions, 41,022 schedules',
    );
    expect(reachText({ ...reach, preemptions: 1, schedules: 1 })).toBe('≤1 preemption, 1 schedule');
    expect(reachText({ ...reach, preemptions: 1, complete: false })).toBe(
      '≤1 preemption, cut short after 1,050 states, 2,000 transitions',
    );
    expect(reachText({ ...reach, states: 310, schedules: 4096, reduced: true })).toBe(
      'exhaustive, reduced to 310 states, at least 4,096 schedules',
    );
    expect(reachText({ ...reach, strategy: 'random', schedules: 10_000 })).toBe('10,000 random schedules');
  });
});
