/** explore --shard, crash --shard and merge: the parts of a search come to what one search finds. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OUTPUTS } from '../../src/formats/outputs.ts';
import { ext4lab } from '../support/command.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ext4lab-search-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function part(words: readonly string[], which: string): Promise<string> {
  const { out } = await ext4lab(...words, '--json', '--shard', which);
  const file = join(folder, `${which.replace('/', '-of-')}.json`);
  writeFileSync(file, out);
  return file;
}

const ALL = [1, 2, 3, 5];
const SEARCHES: readonly (readonly [words: string, verdict: string, counts: readonly number[]])[] = [
  ['explore chattr-beside-writepages --design mkwrite-convert', 'violates', ALL],
  ['explore chattr-beside-writepages --design decision-pinning', 'holds', ALL],
  ['explore freeze-beside-small-write --design mkwrite-convert --mount nodelalloc', 'violates', [2]],
  ['explore falloc-beside-write --design defer-inode-lock --preemptions 1', 'violates', [3]],
  [
    'explore reclaim-beside-write --design decision-pinning --strategy pct --schedules 7',
    'inconclusive',
    [3],
  ],
  [
    'explore chattr-beside-writepages --design mkwrite-convert --strategy random --schedules 9',
    'violates',
    [2],
  ],
  ['crash chattr-beside-writepages --design mkwrite-convert', 'violates', ALL],
  ['crash reclaim-beside-write --design decision-pinning', 'holds', [2]],
];

describe('merge of a search', () => {
  it.each(SEARCHES)('%s: %s in %j parts', async (text, verdict, counts) => {
    const words = text.split(' ');
    const one = await ext4lab(...words, '--json');
    const { reach, crash, lockdep = [], ...expected } = JSON.parse(one.out);
    expect(expected.verdict).toBe(verdict);
    for (const count of counts) {
      const files: string[] = [];
      for (let index = count; index >= 1; index--) files.push(await part(words, `${index}/${count}`));
      const merged = await ext4lab('merge', ...files);
      expect(merged.code).toBe(one.code);
      const json = JSON.parse(merged.out);
      // All but what is counted once a part: the stories, their messages and tokens, and the end states too.
      expect(json).toMatchObject(expected);
      const { preemptions, schedules, complete, strategy } = reach;
      expect(json.reach).toMatchObject({ preemptions, schedules, complete, strategy, parts: count });
      expect(json.reach.states).toBeGreaterThanOrEqual(reach.states);
      if (count === 1) expect(json.reach.states).toBe(reach.states);
      const summaries = (splats: { summary: string }[]): string[] => splats.map(({ summary }) => summary);
      expect(summaries(json.lockdep ?? [])).toEqual(summaries(lockdep));
      if (crash !== undefined) expect(json.crash.failures).toBeGreaterThanOrEqual(crash.failures);
      const parsed = OUTPUTS[words[0] as 'explore' | 'crash'].safeParse(json);
      expect(parsed.error?.issues ?? []).toEqual([]);
    }
  });

  it('says which part is missing, twice there, of another search, or none', async () => {
    const words = ['explore', 'chattr-beside-writepages', '--design', 'mkwrite-convert'];
    const first = await part(words, '1/2');
    const second = await part(words, '2/2');
    const refused = async (...files: string[]): Promise<string> => {
      const { code, err } = await ext4lab('merge', ...files);
      expect(code).toBe(2);
      return err;
    };
    expect(await refused(first)).toMatch(/missing of 2 parts: 2/);
    expect(await refused(second, second)).toMatch(/part 2\/2, as .* is/);
    const json = JSON.parse(readFileSync(second, 'utf8'));
    const bad = join(folder, 'bad.json');
    const differs = async (change: object): Promise<string> => {
      writeFileSync(bad, JSON.stringify({ ...json, ...change }));
      return refused(first, bad);
    };
    const asked = (change: object): object => ({ asked: { ...json.asked, ...change } });
    expect(await differs(asked({ design: 'defer' }))).toMatch(/of another search than .*: design differs/);
    expect(await differs(asked({ mount: 'nodelalloc' }))).toMatch(/: mount differs/);
    expect(await differs(asked({ scenario: { name: 'other' } }))).toMatch(/: scenario differs/);
    expect(await differs(asked({ options: { preemptions: 1 } }))).toMatch(/: options differs/);
    expect(await differs({ shard: { index: 2, count: 3 } })).toMatch(/: the number of parts differs/);
    expect(await differs({ cut: { ...json.cut, nodes: 1 } })).toMatch(/: the tree of schedules differs/);
    expect(await differs({ shard: { index: 0 } })).toMatch(
      /bad\.json:1:\d+: no part of a search: shard\.index/,
    );
    expect(await differs({ locks: null })).toMatch(/it is not what explore prints/);
    const crash = ['crash', 'reclaim-beside-write', '--design', 'decision-pinning'];
    expect(await refused(first, await part(crash, '2/2'))).toMatch(/: command differs/);
    writeFileSync(bad, (await ext4lab(...words, '--json')).out);
    expect(await refused(first, bad)).toMatch(/this is a whole search, not a part of one/);
    const race = [
      'race',
      'falloc-beside-write',
      '--designs',
      'defer',
      '--no-crash',
      '--json',
      '--shard',
      '1/9',
    ];
    writeFileSync(bad, (await ext4lab(...race)).out);
    expect(await refused(first, bad)).toMatch(/no part of a search, as .* is/);
  });

  it('is inconclusive when a part is, and has what the others found', async () => {
    const words = ['explore', 'chattr-beside-writepages', '--design', 'decision-pinning'];
    const files = [await part(words, '1/2'), await part([...words, '--budget', '900'], '2/2')];
    const { code, out } = await ext4lab('merge', ...files);
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({ verdict: 'inconclusive', reach: { complete: false } });
  });
});

describe('--shard of a search', () => {
  it.each(['explore', 'crash'])('%s: goes with --json, and I/N is looked at', async (command) => {
    const words = [command, 'reclaim-beside-write', '--design', 'defer'];
    expect(await ext4lab(...words, '--shard', '1/2')).toMatchObject({ code: 2 });
    const { code, err } = await ext4lab(...words, '--json', '--shard', '3/2');
    expect(code).toBe(2);
    expect(err).toMatch(/I\/N, the Ith of N parts/);
  });

  it('does not divide the one schedule of crash --schedules one', async () => {
    const words = ['crash', 'reclaim-beside-write', '--design', 'defer', '--schedules', 'one', '--json'];
    expect((await ext4lab(...words, '--shard', '1/2')).err).toMatch(/not with --schedules one/);
  });
});
