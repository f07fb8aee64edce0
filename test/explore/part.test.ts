/** A search in parts: the parts have every schedule once, and together what one search has. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ExhaustiveOptions, exhaustive } from '../../src/explore/exhaustive.ts';
import { rangeOf } from '../../src/explore/part.ts';
import { PathCounts } from '../../src/explore/pathCounts.ts';
import { type SampleStrategy, sample } from '../../src/explore/random.ts';
import { step } from '../../src/task.ts';
import { programs, subjectOf } from './programs.ts';
import { type Program, toy } from './toy.ts';

const COUNTS = [1, 2, 3, 5];
const each = <T>(count: number, body: (part: { index: number; count: number }) => T): T[] =>
  Array.from({ length: count }, (_, i) => body({ index: i + 1, count }));
const union = (lists: readonly (readonly string[])[]): string[] => [...new Set(lists.flat())].sort();

/** Steps that no other task sees. */
const counter = (count: number): Program =>
  function* (k) {
    for (let i = 1; i <= count; i++) {
      const next = i;
      yield* step(k, `count ${next}`, () => {
        k.inode(20 + k.task).size = next;
      });
    }
  };

describe('the parts of an exhaustive search', () => {
  const divided = (make: () => Parameters<typeof exhaustive>[0], options: ExhaustiveOptions): void => {
    const one = exhaustive(make(), options);
    for (const count of COUNTS) {
      const parts = each(count, (part) => exhaustive(make(), { ...options, part }));
      expect(parts.reduce((sum, { schedules }) => sum + schedules!, 0n)).toBe(one.schedules);
      expect(union(parts.map(({ endStates }) => endStates))).toEqual(one.endStates);
      expect(union(parts.map(({ found }) => found.map(({ invariant }) => invariant)))).toEqual(
        union([one.found.map(({ invariant }) => invariant)]),
      );
      expect(parts.every(({ complete }) => complete)).toBe(one.complete);
      expect(parts.reduce((sum, { states }) => sum + states, 0)).toBeGreaterThanOrEqual(one.states);
      for (const { cut, states } of parts) {
        expect(cut).toEqual(parts[0]!.cut);
        expect(states).toBeLessThanOrEqual(one.states);
      }
    }
  };

  test('have every schedule once, all ends and all that is broken, of random programs', () => {
    fc.assert(
      fc.property(programs, fc.constantFrom(null, 0, 1, 2), fc.boolean(), (program, preemptions, exact) =>
        divided(() => subjectOf(program), { preemptions, exact }),
      ),
      { numRuns: 30 },
    );
  });

  test('and find the same when interleavings that cannot matter are left out', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const one = exhaustive(subjectOf(program));
        const parts = each(3, (part) => exhaustive(subjectOf(program), { reduce: true, part }));
        expect(union(parts.map(({ endStates }) => endStates))).toEqual(one.endStates);
        expect(union(parts.map(({ found }) => found.map(({ invariant }) => invariant)))).toEqual(
          union([one.found.map(({ invariant }) => invariant)]),
        );
      }),
      { numRuns: 30 },
    );
  });

  test('of a grid: what each has is known by hand', () => {
    // The widest line of an 11 × 11 grid is its diagonal: 11 nodes, one state each, and 66 states down to it.
    const make = () => toy([counter(10), counter(10)]);
    const parts = each(2, (part) => exhaustive(make(), { part }));
    expect(parts[0]!.cut).toMatchObject({ depth: 10, nodes: 11 });
    // Lane by lane the walk comes to (10, 0) first: 5 nodes are part 1's, and behind them 5 columns of the other half.
    const behind = (nodes: readonly number[]): number => {
      const seen = new Set<string>();
      for (const a of nodes)
        for (let x = a; x <= 10; x++) for (let y = 10 - a; y <= 10; y++) seen.add(`${x},${y}`);
      for (let a = 0; a <= 10; a++) seen.delete(`${a},${10 - a}`);
      return 66 + seen.size;
    };
    expect(parts.map(({ states }) => states)).toEqual([behind([10, 9, 8, 7, 6]), behind([5, 4, 3, 2, 1, 0])]);
    expect(parts.map(({ schedules }) => schedules)).toEqual([60_626n, 184_756n - 60_626n]);
  });

  test('one lane is one part', () => {
    const parts = each(3, (part) => exhaustive(toy([counter(4)]), { part }));
    expect(parts.map(({ schedules }) => schedules)).toEqual([0n, 0n, 1n]);
    expect(each(2, (part) => exhaustive(toy([]), { part }).schedules)).toEqual([1n, 0n]);
  });

  test('a part that is cut short before the cut says so', () => {
    const found = exhaustive(toy([counter(10), counter(10)]), { part: { index: 1, count: 2 }, budget: 5 });
    expect(found).toMatchObject({ complete: false, cut: null, transitions: 5 });
  });
});

describe.each<SampleStrategy>(['random', 'pct', 'round-robin'])('the parts of %s schedules', (strategy) => {
  test('are the schedules of one run', () => {
    const racy: Program = function* (k) {
      for (let i = 0; i < 3; i++)
        yield* step(k, 'digit', () => {
          const digits = k.inode(20);
          digits.size = digits.size * 3 + k.task + 1;
        });
    };
    const make = () => toy([racy, racy]);
    const one = sample(make(), { strategy, seed: 5, schedules: 13 });
    // Each order of the steps is an end of its own.
    expect(one.endStates.length).toBeGreaterThan(5);
    for (const count of COUNTS) {
      const parts = each(count, (part) => sample(make(), { strategy, seed: 5, schedules: 13, part }));
      expect(parts.reduce((sum, { schedules }) => sum + schedules, 0)).toBe(13);
      const first = strategy === 'pct' ? sample(make(), { strategy, seed: 5, schedules: 1 }).endStates : [];
      expect(union([...parts.map(({ endStates }) => endStates), first])).toEqual(one.endStates);
      for (const { endStates } of parts) for (const end of endStates) expect(one.endStates).toContain(end);
    }
  });
});

test('ranges are in order, as even as they can be, and leave nothing out', () => {
  expect(each(3, (part) => rangeOf(part, 10))).toEqual([
    { first: 0, end: 3 },
    { first: 3, end: 6 },
    { first: 6, end: 10 },
  ]);
  expect(each(3, (part) => rangeOf(part, 1)).map(({ first, end }) => end - first)).toEqual([0, 0, 1]);
});

test('a state whose schedules are others’ counts none', () => {
  const counts = new PathCounts();
  counts.enter(0, 0);
  counts.setNone(1);
  counts.setEnd(2);
  expect(counts.addState(0, 1)).toBe(true);
  expect(counts.addState(0, 2)).toBe(true);
  expect(counts.total(0).paths).toBe(1n);
});
