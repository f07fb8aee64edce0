/** What a terminal of 80 columns shows is not broken by it; colours are for terminals, and say nothing alone. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { wrapLines } from '../../src/cli/wrap.ts';
import { ext4lab } from '../support/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'ext4lab-columns-'));
afterAll(() => rmSync(folder, { recursive: true }));
writeFileSync(
  join(folder, 'r.sh'),
  "xfs_io -f /mnt/f -c 'pwrite 0 1' -c 'mmap -w 0 1m' -c 'mwrite 0 1' -c fsync\n",
);
const image = 'fixtures/images/4k-256-journal.img.gz';

const COMMANDS: readonly (readonly string[])[] = [
  [
    'race',
    'mmap-store-then-fsync',
    'small-write-beside-store',
    '--designs',
    'all',
    '--no-crash',
    '--budget',
    '20000',
  ],
  ['race', 'crash-pending-beside-fsync', '--designs', 'mkwrite-convert'],
  ['run', 'small-write-beside-store', '--design', 'mkwrite-convert'],
  ['explore', 'small-write-beside-store', '--design', 'mkwrite-convert'],
  ['crash', 'crash-pending-beside-fsync', '--design', 'mkwrite-convert'],
  ['lockdep', '--designs', 'mmap-convert', 'small-write-beside-store', '--edges'],
  ['replay', 'small-write-beside-store:mkwrite-convert@delalloc:A29B23A10B2'],
  ['scenarios'],
  ['scenarios', '--lines'],
  ['designs'],
  ['invariants'],
  ['claims', 'abba-as-drawn'],
  ['inspect', image],
  ['inspect', image, '/'],
  ['inspect', image, '<2>', '--map'],
  ['check', image],
  ['explain', 'fixtures/formats/hidden-stores.syz'],
  ['--help'],
  ...[
    'race',
    'run',
    'explore',
    'crash',
    'lockdep',
    'replay',
    'scenarios',
    'designs',
    'invariants',
    'claims',
    'mkfs',
  ].map((name) => [name, '--help']),
  ...['inspect', 'check', 'exec', 'import', 'export', 'explain', 'schema', 'completion'].map((name) => [
    name,
    '--help',
  ]),
];

/** The command on a terminal. */
async function onTerminal(
  words: readonly string[],
  env: Record<string, string> = {},
  columns = 80,
): Promise<string> {
  let out = '';
  const write = (text: string): void => {
    out += text;
  };
  await main(words as string[], {
    stdout: { write, isTerminal: true, columns },
    stderr: { write() {}, isTerminal: false, columns: undefined },
    env,
    onInterrupt() {},
  });
  return out;
}

const NO_COLOR = { NO_COLOR: '1' };
const length = (line: string): number => [...line].length;

describe('a terminal of 80 columns', () => {
  it.each(COMMANDS.map((words) => [words.join(' '), words] as const))(
    '%s',
    { timeout: 120_000 },
    async (_title, words) => {
      const lines = (await onTerminal(words, NO_COLOR)).split('\n');
      // A word that is longer than the line stays whole, to be copied.
      const long = lines.filter((line) => length(line) > 80 && /\S\s+\S/.test(line.trim()));
      expect(long).toEqual([]);
      expect(lines.length).toBeGreaterThan(1);
    },
  );

  it('loses no word, and nothing is broken where there is no terminal', async () => {
    const words = ['race', 'crash-pending-beside-fsync', '--designs', 'mkwrite-convert', '--stories', 'none'];
    const plain = (await ext4lab(...words)).out;
    expect(plain).toMatch(/^"holds" means: .{100}/m);
    const squeezed = (text: string): string => text.replaceAll(/\s+/g, ' ');
    expect(squeezed(await onTerminal(words, NO_COLOR))).toBe(squeezed(plain));
  });

  it('does not break what is for programs', async () => {
    const trace = await onTerminal(
      ['run', 'two-appends', '--design', 'mkwrite-convert', '--format', 'chrome'],
      NO_COLOR,
    );
    expect(trace.trimEnd().split('\n')).toHaveLength(1);
    const program = await onTerminal(['export', 'mmap-store-then-fsync', '--as', 'c'], NO_COLOR, 40);
    expect(program).toBe((await ext4lab('export', 'mmap-store-then-fsync', '--as', 'c')).out);
    const scenario = await onTerminal(['import', join(folder, 'r.sh')], NO_COLOR, 40);
    expect(scenario).toBe((await ext4lab('import', join(folder, 'r.sh'))).out);
  });
});

describe('colours', () => {
  const ESCAPE = '\u001b[';
  const words = ['inspect', image, '<2>', '--map'];

  it('are for terminals, NO_COLOR and --no-color take them away', async () => {
    expect(await onTerminal(words)).toContain(ESCAPE);
    expect(await onTerminal(words, NO_COLOR)).not.toContain(ESCAPE);
    expect(await onTerminal([...words, '--no-color'])).not.toContain(ESCAPE);
    expect((await ext4lab(...words)).out).not.toContain(ESCAPE);
  });

  it('say nothing that the letters do not', async () => {
    const coloured = await onTerminal(words);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
    expect(coloured.replaceAll(/\u001b\[[0-9;]*m/g, '')).toBe(await onTerminal(words, NO_COLOR));
    expect(await onTerminal(words, NO_COLOR)).toContain('a mode');
  });

  it('have no width', () => {
    const red = (text: string): string => `\u001b[31m${text}\u001b[39m`;
    expect(wrapLines(`  ${red('aaaa')} bbbb cccc`, 16)).toBe(`  ${red('aaaa')} bbbb cccc`);
    expect(wrapLines(`  ${red('aaaa')} bbbb cccc`, 14)).toBe(`  ${red('aaaa')} bbbb\n      cccc`);
    expect(wrapLines('x'.repeat(30), 10)).toBe('x'.repeat(30));
  });
});
