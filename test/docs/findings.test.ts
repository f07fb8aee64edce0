/** docs/findings.md: every token replays to what is said of it, every scenario of docs/ is in order. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scenarioNamed } from '../../scripts/docs/blocks.ts';
import { ROOT } from '../../scripts/docs/source.ts';
import { imageOf } from '../../src/cli/images.ts';
import { splitCrash, startCrashSession, stateAt } from '../../src/compare/crash.ts';
import { Crasher } from '../../src/crash/crash.ts';
import { DEFAULT_MEDIA, media } from '../../src/crash/media.ts';
import { designById } from '../../src/designs/index.ts';
import { parseSchedule } from '../../src/explore/schedule.ts';
import { runSession } from '../../src/scenario/run.ts';
import { mountLabel } from '../../src/scenario/schema.ts';
import { startSession } from '../../src/scenario/session.ts';

const text = readFileSync(join(ROOT, 'docs/findings.md'), 'utf8');

/** Plays a token: which invariants are broken, and whether somebody is left who cannot go on. */
function play(token: string): { broken: string[]; stuck: boolean } {
  const [, name, design, mount, schedule] = /^([^:]+):([^:@]+)@([^:]+):([^:]+)$/.exec(token)!;
  const scenario = scenarioNamed(name!);
  const options = scenario.mounts.find((each) => mountLabel(each) === mount)!;
  const { schedule: steps, medium } = splitCrash(schedule!);
  if (medium !== null) {
    const failed = startCrashSession(scenario, imageOf(scenario), designById(design!)!, options);
    const { k } = stateAt(failed, steps);
    const { broken } = new Crasher(failed).outcome(k, media(k, DEFAULT_MEDIA).media[medium]!);
    return {
      broken: Object.entries(broken).flatMap(([id, what]) => (what === null ? [] : [id])),
      stuck: false,
    };
  }
  const session = startSession(scenario, imageOf(scenario), designById(design!)!, options);
  const lanes = session.specs.map((spec) => spec.name);
  const { findings, trace } = runSession(session, parseSchedule(schedule!, lanes));
  return {
    broken: findings.filter(({ kind }) => kind === 'invariant').map(({ id }) => id),
    stuck: trace.unfinished.length > 0 && !findings.some(({ kind }) => kind === 'bug-on'),
  };
}

describe('findings', () => {
  it('each has its row in the table, in order, under the address of its heading', () => {
    const headings = [...text.matchAll(/^## (\d+)\. (.*)$/gm)].map(([, number, title]) => {
      const slug = `${number}. ${title}`
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replace(/\s/g, '-');
      return `[${number}](#${slug})`;
    });
    const rows = [...text.matchAll(/^\| (\[\d+\]\(#[^)]*\)) \|/gm)].map(([, link]) => link);
    expect(rows).toEqual(headings);
  });

  const said = [
    ...text.matchAll(/- `([a-z-]+)`: [^\n]*\n {2}```sh\n {2}npm run ext4lab -- replay '([^']+)'/g),
  ].map(([, invariant, token]) => [token!, invariant!] as const);

  it('there are tokens', () => {
    expect(said.length).toBeGreaterThan(15);
  });

  it.each(said)('%s breaks %s', (token, invariant) => {
    const { broken, stuck } = play(token);
    if (invariant === 'no-deadlock') expect(stuck).toBe(true);
    else expect(broken).toContain(invariant);
  });

  it('every story ends with a token that breaks what its title says', () => {
    const stories = [...text.matchAll(/\) breaks ([a-z-]+)\n[\s\S]*?replay \\\n\s+'([^']+)'/g)];
    expect(stories.length).toBeGreaterThan(0);
    for (const [, invariant, token] of stories) expect(play(token!).broken).toContain(invariant);
  });
});
