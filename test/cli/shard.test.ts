/** race --shard and merge: the parts of a race come to what one race prints. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ext4lab } from '../support/command.ts';

const RACE = ['race', 'small-write-beside-store', 'write-beside-shrinker', 'falloc-beside-write'];
const DESIGNS = ['--designs', 'mkwrite-convert,mmap-convert,defer-inode-lock', '--json'];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ext4lab-shard-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function part(which: string, words: readonly string[] = [...RACE, ...DESIGNS]): Promise<string> {
  const { out: stdout } = await ext4lab(...words, '--shard', which);
  const file = join(folder, `${which.replace('/', '-of-')}.json`);
  writeFileSync(file, stdout);
  return file;
}

describe('merge', () => {
  it.each([2, 5])(
    'joins %i parts, in any order, to what one race prints, and ends as it does',
    async (count) => {
      const one = await ext4lab(...RACE, ...DESIGNS);
      const files: string[] = [];
      for (let index = count; index >= 1; index--) files.push(await part(`${index}/${count}`));
      const merged = await ext4lab('merge', ...files);
      expect(merged.out).toBe(one.out);
      expect(merged.code).toBe(one.code);
      expect(
        JSON.parse(merged.out).lockdep.some(({ splats }: { splats: unknown[] }) => splats.length > 0),
      ).toBe(true);
    },
  );

  it('says which part is missing, twice there, of another race, cut short, or none', async () => {
    const small = ['race', 'falloc-beside-write', '--designs', 'mkwrite-convert', '--no-crash', '--json'];
    const [first, second] = [await part('1/2', small), await part('2/2', small)];
    const other = await part('2/3', small);
    const refused = async (...files: string[]): Promise<string> => {
      const { code, err } = await ext4lab('merge', ...files);
      expect(code).toBe(2);
      return err;
    };
    expect(await refused(first)).toMatch(/missing of 2 parts: 2/);
    expect(await refused(first, first)).toMatch(/part 1\/2, as .* is/);
    expect(await refused(first, other)).toMatch(/part 2\/3 of another race than/);
    const json = JSON.parse(readFileSync(second, 'utf8'));
    const bad = join(folder, 'bad.json');
    writeFileSync(bad, JSON.stringify({ ...json, cells: [] }));
    expect(await refused(first, bad)).toMatch(/cell 1 is missing or there twice/);
    writeFileSync(bad, JSON.stringify({ ...json, cells: [{ ...json.cells[0], at: 0 }] }));
    expect(await refused(first, bad)).toMatch(/cell 0 is none of part 2\/2/);
    writeFileSync(bad, '{\n  "schemaVersion": 1,\n  "shard": { "index": 0 }\n}');
    expect(await refused(first, bad)).toMatch(/bad\.json:3:\d+: no part of a race: shard\.index/);
    writeFileSync(bad, '{ "schemaVersion": ');
    expect(await refused(bad)).toMatch(/bad\.json:1/);
    writeFileSync(bad, (await ext4lab(...small)).out);
    expect(await refused(bad)).toMatch(/this is a whole race, not a part of one/);
    expect(await refused(join(folder, 'nothing.json'))).toMatch(/no such file/);
  });
});

describe('--shard', () => {
  it.each(['0/2', '3/2', 'a', '1/0', '1/99999', '1'])('%s is refused', async (which) => {
    const { code, err } = await ext4lab(...RACE, ...DESIGNS, '--shard', which);
    expect(code).toBe(2);
    expect(err).toMatch(/I\/N, the Ith of N parts/);
  });

  it('goes with --json, and not with --update', async () => {
    expect((await ext4lab(...RACE, '--shard', '1/2')).err).toMatch(/--shard goes with --json/);
    expect((await ext4lab(...RACE, '--json', '--update', '--shard', '1/2')).code).toBe(2);
  });
});
