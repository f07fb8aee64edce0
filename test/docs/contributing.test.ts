/** CONTRIBUTING.md: its worked examples are complete, run as they stand, and come to what is said of them. */
import { describe, expect, it } from 'vitest';
import { scenarioNamed } from '../../scripts/docs/blocks.ts';
import {
  importWorked,
  workedCode,
  workedDesign,
  workedInvariant,
  workedScenario,
} from '../../scripts/docs/worked.ts';
import { imageOf } from '../../src/cli/images.ts';
import { raceCell } from '../../src/compare/race.ts';
import { type Design, mkwriteConvert } from '../../src/designs/index.ts';
import { LOCK } from '../../src/locks/lock.ts';
import type { Scenario } from '../../src/scenario/schema.ts';

const breaks = (scenario: Scenario, design: Design, mount = 0): readonly string[] => {
  const { cell } = raceCell(scenario, imageOf(scenario), design, scenario.mounts[mount]!);
  expect(cell.reach.complete).toBe(true);
  return cell.violates;
};

describe('the worked design', () => {
  it('is under 40 lines without its comment, and inherits what it does not give', async () => {
    const code = workedCode('Add a design', 'ts').replace(/^\/\*\*[\s\S]*?\*\/\n/, '');
    expect(code.split('\n').length).toBeLessThan(40);
    const design = await workedDesign();
    expect(Object.keys(design.hooks).sort()).toEqual(Object.keys(mkwriteConvert.hooks).sort());
    expect(design.hooks.writepagesInline).toBe(mkwriteConvert.hooks.writepagesInline);
    for (const id of design.locks) expect(LOCK).toHaveProperty(id);
  });

  it('keeps what it promises where the current kernel does not, and keeps its finding 1', async () => {
    const design = await workedDesign();
    const scenario = scenarioNamed('small-write-beside-store');
    for (const mount of [0, 1]) {
      const [before, after] = [breaks(scenario, mkwriteConvert, mount), breaks(scenario, design, mount)];
      expect(before).toContain('bug-on');
      for (const promise of ['strict', 'settled', 'pending', 'no-deadlock', ...design.promises])
        expect(after).not.toContain(promise);
      expect(after).toContain('durability');
    }
  });

  it('deadlocks with itself on the worked scenario, which holds under the current kernel', async () => {
    const scenario = workedScenario();
    expect(breaks(scenario, mkwriteConvert)).toEqual([]);
    expect(breaks(scenario, await workedDesign())).toEqual(['no-deadlock']);
  });
});

describe('the worked invariant', () => {
  it('reads the state and says what is wrong', async () => {
    const { id, when, check } = await workedInvariant();
    expect([id, when]).toEqual(['sealed', 'always']);
    expect(check).toBeTypeOf('function');
  });
});

describe('the rules for steps', () => {
  it('a forgotten yield* is found, and the line is named', async () => {
    const code = workedCode('Add a design', 'ts').replace(
      'yield* lock(k, invalidateLock(vma.ino));',
      'lock(k, invalidateLock(vma.ino));',
    );
    const design = Object.values(await importWorked(code, 'designs'))[0] as Design;
    const scenario = scenarioNamed('mmap-store-then-fsync');
    expect(() => breaks(scenario, design)).toThrow(
      /was made and never run: did you forget yield\* at .*:\d+/,
    );
  });
});
