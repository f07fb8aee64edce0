import { expect, test } from 'vitest';
import { generateLines } from '../../src/compare/generate.ts';
import { parseLane } from '../../src/scenario/lane.ts';

const seeds = Array.from({ length: 300 }, (_, seed) => seed);
const parsed = (seed: number, options = {}) =>
  parseLane(generateLines({ seed, ...options }), { lane: 'CPU0' });

test('the same seed gives the same script, another gives another', () => {
  expect(generateLines({ seed: 7 })).toEqual(generateLines({ seed: 7 }));
  expect(new Set(seeds.map((seed) => generateLines({ seed }).join('\n'))).size).toBe(seeds.length);
});

test('seed 42 gives what it always gave', () => {
  expect(generateLines({ seed: 42, lineCount: 8 })).toMatchInlineSnapshot(`
    [
      "open -f /a",
      "pwrite -S 0x45 0 100",
      "close",
      "open -f /b",
      "pwrite -S 0x54 0 60",
      "pwrite -S 0x56 0 13",
      "truncate 60",
      "seek -d 127",
      "pwrite -S 0x41 60 4384",
    ]
  `);
});

test('every script is one that a lane accepts', () => {
  for (const seed of seeds) {
    for (const options of [{}, { inodeSize: 512, journal: false }, { blockSize: 1024, lineCount: 30 }]) {
      expect(() => parsed(seed, options)).not.toThrow();
    }
  }
});

test('all kinds of lines come up', () => {
  const verbs = new Set(seeds.flatMap((seed) => parsed(seed).map((line) => line.command.verb)));
  expect([...verbs].sort()).toEqual(
    [
      ...['open', 'close', 'file', 'pwrite', 'pread', 'truncate', 'falloc', 'fpunch', 'fzero'],
      ...['mmap', 'munmap', 'mapping', 'mwrite', 'mread', 'msync', 'fsync', 'fdatasync', 'syncfs'],
      ...['stat', 'fiemap', 'seek', 'setfattr', 'getfattr', 'rmfattr', 'rm', 'mv', 'ls'],
      ...['@writepages', '@flush', '@commit', '@reclaim', '@remount', '@crash'],
    ].sort(),
  );
});

test('without a journal nothing asks for one', () => {
  for (const seed of seeds) {
    const verbs = parsed(seed, { journal: false }).map((line) => line.command.verb);
    expect(verbs).not.toContain('@commit');
    expect(verbs).not.toContain('@crash');
  }
});

test('a script is as long as asked for, within a line or two', () => {
  for (const lineCount of [1, 5, 40]) {
    const { length } = generateLines({ seed: 3, lineCount });
    expect(length).toBeGreaterThan(lineCount);
    expect(length).toBeLessThan(lineCount + 6);
  }
});
