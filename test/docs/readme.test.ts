/** The README: every command in a code block can be run, and its scenario and its library example do what it says. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeBlocks } from '../../scripts/docs/markers.ts';
import { ROOT } from '../../scripts/docs/source.ts';
import { writtenPages } from '../../scripts/generate-docs.ts';
import { readArgs } from '../../src/cli/args.ts';
import { COMMANDS } from '../../src/cli/commands/index.ts';
import { imageOf } from '../../src/cli/images.ts';
import { raceCell } from '../../src/compare/race.ts';
import { DESIGNS } from '../../src/designs/index.ts';
import { readScenario } from '../../src/scenario/schema.ts';

const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts);

/** Words of a shell line; quotes are taken off. */
const wordsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);

/** The shell lines of a page: blocks of `sh`, and lines that begin with `$ ` elsewhere; folded ones joined. */
function shellLines(text: string): string[] {
  return codeBlocks(text)
    .flatMap(({ language, code }) => {
      const joined = code.replaceAll(/ \\\n\s*/g, ' ').split('\n');
      return language === 'sh'
        ? joined
        : joined.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2));
    })
    .map((line) => line.replace(/\s+#.*$/, '').trim())
    .filter((line) => line !== '')
    .flatMap((line) => line.split(' && '));
}

/** Examples in tables, as code. */
const tableLines = (text: string): string[] =>
  [...text.matchAll(/`((?:npm run|npx|bash) [^`]*)`/g)].map(([, line]) => line!);

/** Why a line cannot be run, or null. */
async function problemOf(line: string): Promise<string | null> {
  const [program, ...words] = wordsOf(line);
  if (program === 'npm') {
    const script = words[0] === 'run' ? words[1]! : words[0]!;
    if (script === 'ci') return null;
    if (!scripts.includes(script)) return `no npm script ${script}`;
    return script === 'ext4lab' ? commandProblem(words.slice(words.indexOf('--') + 1)) : null;
  }
  if (program === 'npx' || program === 'bash') {
    const file = words.find((word) => /\.(ts|js)$|^\./.test(word));
    return file === undefined || existsSync(join(ROOT, file)) ? null : `no file ${file}`;
  }
  return `do not know ${program}`;
}

async function commandProblem(all: readonly string[]): Promise<string | null> {
  const end = all.findIndex((word) => word === '>' || word === '>>');
  const words = end < 0 ? all : all.slice(0, end);
  const entry = COMMANDS.find(
    ({ name }) => words.join(' ').startsWith(name) && words.includes(name.split(' ')[0]!),
  );
  if (entry === undefined) return `no command ${words[0]}`;
  const { default: command } = await entry.load();
  const { options } = readArgs(entry.name, command, words.slice(entry.name.split(' ').length));
  const { design } = options as { design?: string };
  const isFile = design?.endsWith('.ts') === true;
  if (design !== undefined && !isFile && !DESIGNS.some(({ id }) => id === design))
    return `no design ${design}`;
  return null;
}

describe('every command of the documentation can be run', () => {
  it.each(writtenPages())('%s', async (page) => {
    const text = read(page);
    const problems: string[] = [];
    for (const line of [...shellLines(text), ...tableLines(text)]) {
      if (/COMMAND|FILE|\.\.\./.test(line)) continue;
      const problem = await problemOf(line).catch((error: Error) => error.message);
      if (problem !== null) problems.push(`${line}: ${problem}`);
    }
    expect(problems).toEqual([]);
  });
});

describe('the README', () => {
  const blocks = codeBlocks(read('README.md'));

  it('has a scenario that can be raced', () => {
    const [block] = blocks.filter(
      ({ language, heading }) => language === 'json' && heading === 'Add a scenario',
    );
    const scenario = readScenario(block!.code, 'README.md');
    expect(block!.code.split('\n').length).toBeLessThanOrEqual(5);
    const mkwriteConvert = DESIGNS.find(({ id }) => id === 'mkwrite-convert')!;
    const { cell } = raceCell(scenario, imageOf(scenario), mkwriteConvert, scenario.mounts[0]!);
    expect(cell.reach.complete).toBe(true);
    expect(cell.violates).toContain('durability');
  });

  it('says which exit codes there are', async () => {
    const { EXIT } = await import('../../src/cli/errors.ts');
    const [line] = /Exit codes: [\s\S]*?\n\n/.exec(read('README.md'))!;
    const said = [...line!.matchAll(/(?:^|[ \n])(\d+) /g)].map(([, code]) => Number(code));
    expect(said).toEqual([...new Set(Object.values(EXIT))].sort((a, b) => a - b));
  });
});
