import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { err } from '../../src/errno.ts';
import { same } from '../../src/explore/automaton.ts';
import { exhaustive } from '../../src/explore/exhaustive.ts';
import { Rng } from '../../src/explore/rng.ts';
import { Walk } from '../../src/explore/walk.ts';
import type { Kernel } from '../../src/kernel.ts';
import { Machine } from '../../src/sched/machine.ts';
import { call, type Op, step } from '../../src/task.ts';
import { programs, subjectOf } from './programs.ts';
import { type Program, toy, toyKernel } from './toy.ts';

/** Changes cell 20 `times` times, and leaves it as it was. */
const flicker = (times: number): Program =>
  function* (k) {
    for (let i = 0; i < times; i++) {
      yield* step(k, 'flip', () => {
        k.inode(20).nlink ^= 1;
      });
    }
  };

describe('what a task remembers', () => {
  const look = (k: Kernel) => step(k, 'look', () => k.inode(20).nlink);

  test('results are remembered, and forgotten when the function that saw them returns', () => {
    const plain: Program = function* (k) {
      yield* look(k);
      yield* look(k);
      yield* step(k, 'after', () => undefined);
    };
    const framed: Program = function* (k) {
      yield* call(k, 'looks', function* (): Op<void> {
        yield* look(k);
        yield* look(k);
      });
      yield* step(k, 'after', () => undefined);
    };
    const remembering = exhaustive(toy([plain, flicker(1)]));
    const forgetting = exhaustive(toy([framed, flicker(1)]));
    // Without the frame, 'after' is three places: saw 0 0, 0 1, 1 1. With it, one.
    expect(remembering.states - forgetting.states).toBe(2);
    expect(forgetting.schedules).toBe(remembering.schedules);
    expect(forgetting.endStates).toEqual(remembering.endStates);
    // With the flip before or behind: at the start 2, saw 0 or 1: 3, at 'after' 2, finished 2.
    expect(forgetting.states).toBe(9);
  });

  test('a value that is returned survives, its reasons do not', () => {
    const caller: Program = function* (k) {
      const odd = yield* call(k, 'odd', function* (): Op<boolean> {
        const a = yield* look(k);
        const b = yield* look(k);
        return (a + b) % 2 === 1;
      });
      yield* step(k, odd ? 'it was odd' : 'it was even', () => undefined);
    };
    const walk = new Walk(toy([caller, flicker(2)]));
    exhaustive(walk.subject, {}, walk);
    // look, look after 0 and after 1, two answers, the call itself, the end: 7; and 3 places of the other.
    expect(walk.automaton.nodes).toBe(7 + 3);
  });

  test('a function without steps, and calls in calls', () => {
    const deep: Program = function* (k) {
      const value = yield* call(k, 'outer', function* (): Op<number> {
        const none = yield* call(k, 'none', function* (): Op<number> {
          return 5;
        });
        return (
          none +
          (yield* call(k, 'inner', function* (): Op<number> {
            return yield* look(k);
          }))
        );
      });
      yield* step(k, `value ${value}`, () => {
        k.inode(21).size = value;
      });
    };
    const walk = new Walk(toy([deep]));
    const inner = walk.at[0]!;
    expect(walk.automaton.stack(inner)).toEqual(['outer', 'inner']);
    exhaustive(walk.subject, {}, walk);
    walk.search(() => {
      walk.step(0);
      expect(walk.at[0]!.request?.label).toBe('value 5');
      walk.step(0);
      expect(walk.k.inode(21).size).toBe(5);
    });
  });
});

describe('results', () => {
  /** How many places there are after a step that gives `make(0 … 3)`. */
  const places = (make: (n: number) => unknown): number => {
    const labels = new Set<string>();
    const walk = new Walk(
      toy([
        function* (k) {
          yield* step(k, 'result', () => make(k.inode(20).nlink));
          yield* step(k, 'after', () => undefined);
        },
      ]),
    );
    const nodes = new Set<unknown>();
    for (let twice = 0; twice < 2; twice++) {
      for (let n = 0; n < 4; n++) {
        walk.subject.k.inode(20).nlink = n;
        walk.search(() => {
          walk.step(0);
          nodes.add(walk.at[0]);
          labels.add(walk.at[0]!.request!.label);
        });
      }
    }
    expect([...labels]).toEqual(['after']);
    return nodes.size;
  };

  test('equal content is one place, different content is another', () => {
    expect(places(() => undefined)).toBe(1);
    expect(places((n) => n)).toBe(4);
    expect(places((n) => n > 1)).toBe(2);
    expect(places((n) => (n === 0 ? null : n === 1 ? undefined : n === 2 ? 0 : false))).toBe(4);
    expect(places((n) => `${n}`)).toBe(4);
    expect(places((n) => (n % 2 === 0 ? err('EIO') : err('ENOSPC')))).toBe(2);
    expect(places((n) => Bytes.of([n & 1, 2, 3]))).toBe(2);
    expect(places(() => Bytes.zero(4096).putU8(5, 5))).toBe(1);
    expect(places((n) => ({ at: 1, data: Bytes.of([n]) }))).toBe(4);
    expect(places((n) => [{ list: [n & 1, null, 'x'] }, Bytes.zero(3)])).toBe(2);
    expect(places((n) => (n < 2 ? { a: undefined } : { a: null }))).toBe(2);
    expect(places((n) => (n < 2 ? { a: 1, b: 2 } : { b: 2, a: 1 }))).toBe(1);
    expect(places(() => Number.NaN)).toBe(1);
  });

  test('are frozen, all the way down, so that no op can change what the others share', () => {
    const list = { inner: [1, 2] };
    places(() => list);
    expect(Object.isFrozen(list)).toBe(true);
    expect(Object.isFrozen(list.inner)).toBe(true);
  });

  test('that cannot be remembered are refused by the name of their step', () => {
    expect(() => places(() => () => 1)).toThrow("the step 'result' in CPU0 returned a function");
    expect(() => places(() => new Map())).toThrow('returned a Map');
    expect(() => places(() => ({ deep: [new Uint8Array(2)] }))).toThrow('returned a Uint8Array');
    const { k } = toyKernel();
    expect(() => places(() => k)).toThrow('returned a Kernel: an op may remember only primitives, Bytes');
  });

  test('same is equality of content', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(null, undefined, true, 0, 1, 'a', Number.NaN),
        fc.array(tie('any'), { maxLength: 2 }),
        fc.dictionary(fc.constantFrom('a', 'b'), tie('any'), { maxKeys: 2, noNullPrototype: true }),
      ),
    })).any;
    fc.assert(
      fc.property(value, value, (a, b) => {
        expect(same(a, structuredClone(a))).toBe(true);
        let equal = true;
        try {
          expect(a).toStrictEqual(b);
        } catch {
          equal = false;
        }
        expect(same(a, b)).toBe(equal);
      }),
    );
  });
});

describe('mistakes', () => {
  test('a forgotten yield* names its line', () => {
    const forgetful: Program = function* (k) {
      yield* step(k, 'first', () => undefined);
      step(k, 'forgotten', () => undefined);
      yield* step(k, 'second', () => undefined);
    };
    expect(() => exhaustive(toy([forgetful]))).toThrow(
      /'forgotten' was made and never run: did you forget yield\* at .*automaton\.test\.ts/,
    );
    const atTheEnd: Program = function* (k) {
      yield* step(k, 'first', () => undefined);
      step(k, 'forgotten', () => undefined);
    };
    expect(() => exhaustive(toy([atTheEnd]))).toThrow(/'forgotten' was made .*automaton\.test\.ts/);
    const inside: Program = function* (k) {
      yield* step(k, 'first', () => {
        step(k, 'forgotten', () => undefined);
      });
    };
    expect(() => exhaustive(toy([inside]))).toThrow("'forgotten' was made and never run");
  });

  test('more tasks than a mask has room for', () => {
    const many = Array.from({ length: 31 }, () => flicker(1));
    expect(() => exhaustive(toy(many))).toThrow('31 tasks: a schedule has at most 30');
  });
});

test('generators that were dropped are fed again', () => {
  // Every branch of the reader is left and come back to.
  const reader: Program = function* (k) {
    let sum = 0;
    for (let i = 0; i < 5; i++) sum += yield* step(k, 'look', () => k.inode(20).nlink);
    yield* step(k, `saw ${sum}`, () => {
      k.inode(21).nlink = sum;
    });
  };
  const walk = new Walk(toy([reader, flicker(5)]));
  const found = exhaustive(walk.subject, { paranoid: 1 }, walk);
  expect(walk.automaton.rebuilt).toBeGreaterThan(10);
  expect(found.endStates).toHaveLength(6);
});

test('in step with the machine: who can run, and the digest after every step', () => {
  fc.assert(
    fc.property(programs, fc.nat(), (each, seed) => {
      const walk = new Walk(subjectOf(each));
      const live = subjectOf(each);
      const machine = new Machine(live.k, live.specs);
      const rng = new Rng(seed);
      walk.search(() => {
        for (;;) {
          const runnable = machine.runnable();
          const mask = walk.runnable();
          expect(runnable).toEqual(live.specs.flatMap((_, task) => ((mask >>> task) & 1 ? [task] : [])));
          if (runnable.length === 0) break;
          const task = runnable[rng.below(runnable.length)]!;
          expect(walk.at[task]!.request!.label).toBe(machine.next(task)!.request.label);
          expect(walk.automaton.stack(walk.at[task]!)).toEqual(machine.next(task)!.stack);
          machine.resume(task);
          walk.step(task);
          expect(walk.digest()).toBe(live.world.digest());
        }
        expect(walk.alive === 0).toBe(machine.allFinished);
      });
    }),
    { numRuns: 200, seed: 3 },
  );
});
