import { expect, test } from 'vitest';
import { generateLines } from '../../src/compare/generate.ts';
import { parseLane } from '../../src/scenario/lane.ts';
import { verbs } from '../../src/scenario/parse.ts';

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
      "open -f -m 0 /a",
      "pwrite -S 0x43 0 61",
      "pwrite -S 0x4a 3785 60",
      "pwrite -S 0x53 0 38",
      "mmap -rw 4096 4096",
      "madvise -d",
      "setfattr -n user.longer-name -V 3336 /a",
      "pwrite -S 0x57 0 38",
      "fsync",
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

/** Recorded by hand only, refused by the recording kernel, or somebody whom no kernel has. */
const NEVER_DRAWN = [
  ...['chattr', '@verity', '@freeze', '@thaw', '@swapon', '@flusher', '@fail-alloc'],
  ...['@fail-handle', '@shrink', '@dontcache', '@direct-reclaim', '@fork'],
];

test('every other verb comes up', () => {
  const drawn = new Set(
    seeds.flatMap((seed) => parsed(seed, { machineWide: true }).map((line) => line.command.verb)),
  );
  const missing = verbs().filter(({ verb }) => !drawn.has(verb));
  expect(missing.map(({ verb }) => verb)).toEqual(NEVER_DRAWN);
});

test('what the whole machine feels is drawn only where it is asked for', () => {
  const drawn = seeds.flatMap((seed) => parsed(seed).map((line) => line.command.verb));
  expect(drawn).not.toContain('sync');
  expect(drawn).not.toContain('@drop_caches');
});

test('without a journal nothing asks for one', () => {
  for (const seed of seeds) {
    const drawn = parsed(seed, { journal: false, machineWide: true }).map((line) => line.command.verb);
    for (const verb of ['@commit', '@crash', 'sync']) expect(drawn).not.toContain(verb);
  }
});

test('a script is as long as asked for, or a little longer', () => {
  for (const lineCount of [1, 5, 40]) {
    const { length } = generateLines({ seed: 3, lineCount });
    expect(length).toBeGreaterThan(lineCount);
    expect(length).toBeLessThan(lineCount + 16);
  }
});
