import { describe, expect, test } from 'vitest';
import { exhaustive } from '../../src/explore/exhaustive.ts';
import { sample } from '../../src/explore/random.ts';
import { folioLock, lock, unlock } from '../../src/locks/lock.ts';
import { call, step, waitFor } from '../../src/task.ts';
import { invariant, type Program, toy } from './toy.ts';

/** Comes back to every place of the other task. */
const other: Program = function* (k) {
  for (let i = 0; i < 4; i++) {
    yield* step(k, 'other', () => {
      k.inode(21).nlink ^= 1;
    });
  }
};
const check = (program: Program) => () => exhaustive(toy([program, other]), { paranoid: 1 });

describe('a closure that captures a variable which is assigned later', () => {
  test('is caught by what it writes, and named', () => {
    const stale = check(function* (k) {
      let next = 0;
      while (next < 3) {
        yield* step(k, 'write next', () => {
          k.inode(20).size = next;
        });
        next++;
      }
    });
    expect(stale).toThrow(
      /CPU0: 'write next' run again differs from a fresh one in its effect on the state.*captures a variable that is assigned later/,
    );
  });

  test('by what it returns', () => {
    const stale = check(function* (k) {
      let last = 'none';
      yield* step(k, 'give last', () => last);
      last = 'changed';
      yield* step(k, 'after', () => undefined);
    });
    expect(stale).toThrow(/'give last' run again gives "changed", a fresh one gives "none"/);
  });

  test('by when it is ready', () => {
    const stale = check(function* (k) {
      let never = false;
      yield* waitFor(k, 'wait', () => !never);
      never = true;
      yield* step(k, 'after', () => undefined);
    });
    expect(stale).toThrow(/'wait' run again differs from a fresh one in its readiness: false, fresh true/);
  });

  test('by the function that it calls', () => {
    const stale = check(function* (k) {
      let which = 1;
      yield* call(k, 'inner', function* () {
        const at = which;
        yield* step(k, 'write', () => {
          k.inode(20).nlink = at;
        });
        yield* step(k, 'write again', () => {
          k.inode(20).nlink = which;
        });
      });
      which = 2;
      yield* step(k, 'after', () => undefined);
    });
    expect(stale).toThrow(/'write again' run again differs/);
  });

  test('by an op whose way depends on what no step returned', () => {
    let outside = 0;
    const stale = check(function* (k) {
      yield* step(k, outside++ === 0 ? 'first time' : 'later', () => undefined);
      yield* step(k, 'after', () => undefined);
    });
    expect(stale).toThrow(
      /'first time' run again differs from a fresh one in its label: first time, fresh later/,
    );
  });

  test('by a step that reads what is not in the state', () => {
    let clock = 0;
    const stale = check(function* (k) {
      yield* step(k, 'tick', () => {
        clock = 1;
      });
      yield* step(k, 'time', () => {
        k.inode(20).size = clock;
      });
    });
    expect(stale).not.toThrow();
    const late: Program = function* (k) {
      yield* step(k, 'time', () => {
        k.inode(22).size = clock;
      });
    };
    const tick: Program = function* (k) {
      yield* step(k, 'tick', () => {
        clock++;
      });
    };
    expect(() => exhaustive(toy([tick, late, other]), { paranoid: 1 })).toThrow(
      /'time' (did one thing on a state|run again differs)/,
    );
  });

  test('in samples too', () => {
    const stale: Program = function* (k) {
      let next = 0;
      while (next < 3) {
        yield* step(k, 'write next', () => {
          k.inode(20).size = next;
        });
        next++;
      }
    };
    expect(() => sample(toy([stale, other]), { strategy: 'random', schedules: 5, paranoid: 1 })).toThrow(
      "'write next'",
    );
  });
});

test('constants, locks and results are fine', () => {
  const fine: Program = function* (k) {
    for (let i = 0; i < 3; i++) {
      const at = i;
      yield* lock(k, folioLock(12, at));
      const seen = yield* step(k, 'look', () => ({ nlink: k.inode(21).nlink }));
      yield* step(k, 'write', () => {
        k.inode(20).size = at + seen.nlink;
      });
      yield* unlock(k, folioLock(12, at));
    }
  };
  expect(check(fine)).not.toThrow();
});

test('an invariant that remembers is caught', () => {
  let last = 0;
  const forgetful = invariant('remembers', 'always', (k) => {
    const was = last;
    last = k.inode(21).nlink;
    return was === 1 ? 'it was one' : null;
  });
  expect(() => exhaustive(toy([other], { invariants: [forgetful] }), { paranoid: 1 })).toThrow(
    /invariant remembers said .* it remembers something, or reads past the facade/,
  );
});

test('an invariant is asked again only when a step wrote what it read', () => {
  let asked = 0;
  const counting = invariant('counting', 'always', (k) => {
    asked++;
    return k.inode(20).nlink > 5 ? 'big' : null;
  });
  const found = exhaustive(
    toy(
      [
        function* (k) {
          for (let i = 0; i < 10; i++) {
            yield* lock(k, folioLock(12, 0));
            yield* unlock(k, folioLock(12, 0));
          }
          yield* step(k, 'write', () => {
            k.inode(20).nlink = 6;
          });
          yield* step(k, 'nothing', () => undefined);
        },
      ],
      { invariants: [counting] },
    ),
    { paranoid: 0 },
  );
  expect(found.states).toBe(23);
  expect(found.found[0]?.where.size).toBe(2);
  // At the start, at the write, and for the message.
  expect(asked).toBe(3);
});
