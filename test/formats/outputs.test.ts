/** What --json prints is what its published schema says. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { OUTPUTS, type OutputName, outputJsonSchema } from '../../src/formats/outputs.ts';
import { ext4lab } from '../support/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'ext4lab-json-'));
afterAll(() => rmSync(folder, { recursive: true }));
const image = 'fixtures/images/4k-256-journal.img.gz';
writeFileSync(
  join(folder, 's.txt'),
  'mkdir /d\nopen -f /f\npwrite 0 9\nsetfattr -n user.a -v x /f\nstat\nfiemap\nls /\nseek -h 0\npread 0 9\n',
);
const made = join(folder, 'made.img');

const WHAT: readonly (readonly [name: OutputName, words: readonly string[]])[] = [
  [
    'race',
    [
      'race',
      'mmap-store-then-fsync',
      'small-write-beside-store',
      '--designs',
      'mkwrite-convert,decision-pinning,mmap-convert',
    ],
  ],
  ['run', ['run', 'small-write-beside-store', '--design', 'mkwrite-convert']],
  ['run', ['replay', 'small-write-beside-store:mkwrite-convert@delalloc:A29B23A10B2']],
  ['explore', ['explore', 'small-write-beside-store', '--design', 'mmap-convert']],
  [
    'explore',
    ['explore', 'two-appends', '--design', 'mkwrite-convert', '--strategy', 'pct', '--schedules', '5'],
  ],
  ['crash', ['crash', 'crash-pending-beside-fsync', '--design', 'mkwrite-convert']],
  ['lockdep', ['lockdep', '--designs', 'mmap-convert', 'small-write-beside-store', '--edges']],
  ['exec', ['exec', image, '--script', join(folder, 's.txt'), '-o', made]],
  ['inspect-image', ['inspect', made]],
  ['inspect-inode', ['inspect', made, '/f']],
  ['inspect-inode', ['inspect', made, '/']],
  ['check', ['check', made]],
  ['mkfs', ['mkfs', join(folder, 'new.img')]],
  ['designs', ['designs']],
  ['invariants', ['invariants']],
  ['scenarios', ['scenarios']],
];

describe('--json', () => {
  it.each(WHAT.map(([name, words]) => [words.slice(0, 2).join(' '), name, words] as const))(
    'of %s',
    async (_title, name, words) => {
      const { out } = await ext4lab(...words, '--json');
      const parsed = OUTPUTS[name].safeParse(JSON.parse(out));
      expect(parsed.error?.issues.slice(0, 5) ?? []).toEqual([]);
      expect(JSON.parse(out)).toHaveProperty('schemaVersion', 1);
    },
  );

  it('is tried for every schema', () => {
    expect([...new Set(WHAT.map(([name]) => name))].sort()).toEqual(Object.keys(OUTPUTS).sort());
  });
});

describe('schema/', () => {
  it.each(Object.keys(OUTPUTS) as OutputName[])('%s-1.json is up to date (npm run schema)', (name) => {
    expect(readFileSync(`schema/${name}-1.json`, 'utf8')).toBe(
      `${JSON.stringify(outputJsonSchema(name), null, 2)}\n`,
    );
  });

  it('is what ext4lab schema prints', async () => {
    const { out } = await ext4lab('schema', 'race');
    expect(JSON.parse(out)).toEqual(outputJsonSchema('race'));
    expect((await ext4lab('schema', 'nothing')).code).toBe(2);
    expect(JSON.parse((await ext4lab('schema')).out)).toHaveProperty('title', 'ext4lab scenario');
  });
});
