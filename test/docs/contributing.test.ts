/** CONTRIBUTING.md: its worked examples are complete, run as they stand, and come to what is said of them. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { scenarioNamed } from '../../scripts/docs/blocks.ts';
import { ROOT } from '../../scripts/docs/source.ts';
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
import { ext4lab } from '../support/command.ts';

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

describe('a design in a file of its own', () => {
  mkdirSync(join(ROOT, 'tmp'), { recursive: true });
  const folder = mkdtempSync(join(ROOT, 'tmp', 'own-'));
  const write = (name: string, code: string): string => {
    const file = join(folder, name);
    writeFileSync(file, code);
    return file;
  };
  const worked = workedCode('Add a design', 'ts')
    .replaceAll(/from '\.\/[a-z-]+\.ts'/g, `from '../../src/designs/index.ts'`)
    .replace("invalidate-lock-pins'", "my-design'");
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is raced beside the bundled ones, and replayed', async () => {
    const file = write('my-design.ts', worked);
    const raced = await ext4lab(
      ...['race', 'small-write-beside-store', '--designs', `mkwrite-convert,${file}`, '--json'],
    );
    const { cells } = JSON.parse(raced.out) as {
      cells: { design: string; violates: string[]; token: string }[];
    };
    const own = cells.find(({ design }) => design === 'my-design')!;
    expect(own.violates).toContain('durability');
    expect(own.violates).not.toContain('bug-on');
    const replayed = await ext4lab('replay', own.token, '--design', file);
    expect(replayed.code).toBe(1);
    expect(replayed.out).toContain(own.violates[0]!);
  });

  it.each([
    ['nothing.ts', 'export const x = 1;', /nothing\.ts exports no design \(export one value made with/],
    [
      'misspelt.ts',
      worked.replace('*pageMkwrite', '*pageMkWrite'),
      /misspelt\.ts: no hook pageMkWrite \(did you mean "?pageMkwrite"?\?\)/,
    ],
    ['broken.ts', 'export const x = ;', /broken\.ts: /],
  ])('%s is refused with what is wrong', async (name, code, message) => {
    const { code: exit, err } = await ext4lab(
      ...['explore', 'small-write-beside-store', '--design', write(name, code)],
    );
    expect(exit).toBe(2);
    expect(err).toMatch(message);
  });

  it('is not recorded', async () => {
    const { code, err } = await ext4lab(
      ...['race', 'small-write-beside-store', '--designs', write('again.ts', worked), '--update'],
    );
    expect(code).toBe(2);
    expect(err).toMatch(/--update records the designs of this project, and my-design is none/);
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
