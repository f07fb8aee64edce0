import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PathCounts } from '../../src/explore/pathCounts.ts';
import { Rng } from '../../src/explore/rng.ts';
import { ExactVisited, StateSet, Visited } from '../../src/explore/visited.ts';

describe('fingerprints', () => {
  test('are numbered as they come, and known the second time, through every growth', () => {
    const visited = new Visited();
    const rng = new Rng(1);
    const prints = Array.from({ length: 20_000 }, () => [rng.next() | 0, rng.next() | 0] as const);
    prints.forEach(([h1, h2], number) => {
      expect(visited.insert(h1, h2)).toBe(number);
    });
    prints.forEach(([h1, h2], number) => {
      expect(visited.insert(h1, h2)).toBe(-1 - number);
    });
    expect(visited.size).toBe(20_000);
    expect(visited.bytes / visited.size).toBeLessThan(26);
  });

  test('of few different halves, and of all zeros', () => {
    const visited = new Visited();
    const pairs = fc.tuple(fc.constantFrom(0, 1, -1, 5), fc.constantFrom(0, 1, -1, 0x7fffffff));
    const exact = new ExactVisited();
    fc.assert(
      fc.property(fc.array(pairs), (list) => {
        for (const [h1, h2] of list) expect(visited.insert(h1, h2)).toBe(exact.insert(`${h1},${h2}`));
      }),
    );
    expect(visited.size).toBe(exact.size);
    expect(visited.insert(0, 0)).toBeLessThan(0);
  });
});

test('a set of states', () => {
  const set = new StateSet();
  for (const state of [0, 7, 8, 100_000, 7]) set.add(state);
  expect(set.size).toBe(4);
  expect([0, 7, 8, 100_000].every((state) => set.has(state))).toBe(true);
  expect([1, 9, 99_999, 10_000_000].some((state) => set.has(state))).toBe(false);
});

test('paths are counted exactly past any word', () => {
  // A ladder of diamonds: two ways each, so 2^n paths; left in the order of a depth-first search.
  const counts = new PathCounts();
  const rungs = 200;
  for (let depth = 0; depth < rungs; depth++) counts.enter(depth, depth);
  for (let depth = rungs - 1; depth >= 0; depth--) {
    if (depth === rungs - 1) {
      counts.addEnd(depth, 1);
      counts.setEnd(rungs);
    }
    expect(counts.addState(depth, depth + 1)).toBe(true);
    if (depth > 0) counts.leave(depth, depth);
  }
  expect(counts.addState(0, 0)).toBe(false);
  expect(counts.total(0)).toEqual({ paths: 2n ** BigInt(rungs), longest: rungs });
});
