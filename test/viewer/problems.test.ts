/** What the editor says is wrong stands where it is wrong. */

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bundledFiles, loadScenario } from '../../src/cli/scenarioFiles.ts';
import { problemsOf } from '../../src/viewer/problems.ts';
import { formatScenario } from '../../src/viewer/scenarioText.ts';

const GOOD = formatScenario({
  name: 'good',
  question: 'Is it read?',
  image: { mkfs: { features: ['has_journal'] } },
  setup: ['open -f /f', 'pwrite -S 0x41 0 50'],
  tasks: { CPU0: ['open /f', 'pread 0 50'], CPU1: ['open /f', 'fsync'] },
});

/** The text with `⟦…⟧` around what each problem marks. */
function marked(text: string): string {
  let out = text;
  for (const { from, to } of problemsOf(text).sort((a, b) => b.from - a.from))
    out = `${out.slice(0, from)}⟦${out.slice(from, to)}⟧${out.slice(to)}`;
  return out;
}

describe('a problem', () => {
  it('is none in any bundled scenario', () => {
    expect(problemsOf(GOOD)).toEqual([]);
    for (const file of bundledFiles()) expect(problemsOf(readFileSync(file, 'utf8'))).toEqual([]);
  });

  it('of the JSON is at its character', () => {
    const text = '{\n  "name": "x",\n}';
    const [problem] = problemsOf(text);
    expect(problem).toMatchObject({ line: 2, column: 14, from: 15 });
    expect(problem!.message).toContain('a comma before }');
    expect(problemsOf('')).toMatchObject([{ from: 0, to: 0, line: 1, column: 1 }]);
  });

  it('of the schema is at its key or value, all of them', () => {
    const text = GOOD.replace('"features"', '"feature"').replace('"Is it read?"', '"Is it read"');
    expect(problemsOf(text).map(({ line, column }) => [line, column])).toEqual([
      [3, 15],
      [4, 24],
    ]);
    expect(marked(text)).toContain('⟦"feature"⟧');
    expect(marked(text)).toContain('⟦"Is it read"⟧');
  });

  it('of a lane is at the word in its line, one for every lane', () => {
    const text = GOOD.replace('pwrite -S 0x41 0 50', 'pwrite -s 0x41 0 50')
      .replace('pread 0 50', 'preat 0 50')
      .replace('"fsync"', '"fsync 1"');
    expect(marked(text)).toMatch(/"pwrite ⟦-s⟧ 0x41 0 50"/);
    expect(marked(text)).toMatch(/"⟦preat⟧ 0 50"/);
    expect(marked(text)).toMatch(/"fsync ⟦1⟧"/);
    expect(problemsOf(text)).toHaveLength(3);
    expect(problemsOf(text)[1]!.message).toBe('unknown verb "preat" (did you mean pread?)');
  });

  it('counts characters through escapes', () => {
    const text = GOOD.replace('pread 0 50', '\\u0070read \\"0\\" 5x');
    expect(marked(text)).toContain('⟦5x⟧');
  });

  it('of an image that is not there is at its name', () => {
    const text = GOOD.replace(/"image": .*,\n/, '"image": { "file": "../images/nope.img" },\n');
    expect(problemsOf(text)).toEqual([]);
    const [problem] = problemsOf(text, ['4k.img.gz']);
    expect(problem!.message).toContain('there is no nope.img here');
    expect(text.slice(problem!.from, problem!.to)).toBe('"../images/nope.img"');
  });
});

it('a scenario keeps its meaning when it is laid out', () => {
  for (const file of bundledFiles()) {
    const json = JSON.parse(readFileSync(file, 'utf8'));
    const text = formatScenario(json);
    expect(JSON.parse(text)).toEqual(json);
    expect(loadScenario(file).name).toBe(json.name);
  }
});
