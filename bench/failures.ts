/** Rows about finding: how long each strategy looks for each failure that the fixtures record. */
import { loadScenarios } from '../src/cli/scenarioFiles.ts';
import { table } from '../src/cli/table.ts';
import { DESIGNS } from '../src/designs/index.ts';
import { type ExploreOptions, explore } from '../src/explore/explore.ts';
import { INVARIANTS } from '../src/invariants/index.ts';
import { expectationOf, mountLabel } from '../src/scenario/schema.ts';
import { startSession } from '../src/scenario/session.ts';
import { cpuSeconds } from './measure.ts';
import { figures, type Row } from './rows.ts';
import { imageOf, subjectOfSession } from './scenarios.ts';

/** Schedules that a sampling strategy may try. */
const SCHEDULES = 2000;

const STRATEGIES: Readonly<Record<string, ExploreOptions>> = {
  // As the commands search: fewest preemptions first, with the shortest story.
  default: { stopAtFirst: true },
  pct: { strategy: 'pct', stopAtFirst: true, schedules: SCHEDULES },
  random: { strategy: 'random', stopAtFirst: true, schedules: SCHEDULES },
  'round-robin': { strategy: 'round-robin', stopAtFirst: true, schedules: SCHEDULES },
};

export interface Search {
  readonly strategy: string;
  /** The invariant that was broken first; null when none was. */
  readonly found: string | null;
  readonly seconds: number;
  readonly states: number;
  /** Complete schedules seen before it; of the default strategy those that the states stand for. */
  readonly schedules: number | string | null;
}

export interface Failure {
  /** `scenario:design@mount` */
  readonly name: string;
  readonly searches: readonly Search[];
}

/** Every cell that the fixtures record as broken, searched up to its first violation. */
export function knownFailures(): Failure[] {
  const failures: Failure[] = [];
  for (const scenario of loadScenarios([])) {
    const image = imageOf(scenario);
    for (const mount of scenario.mounts) {
      for (const design of DESIGNS) {
        const expected = expectationOf(scenario, design.id, mount);
        if (expected === null || !('violates' in expected)) continue;
        const searches = Object.entries(STRATEGIES).map(([strategy, options]): Search => {
          const subject = subjectOfSession(startSession(scenario, image, design, mount), INVARIANTS);
          const seconds = cpuSeconds();
          const { violations, reach } = explore(subject, options);
          return {
            strategy,
            found: violations[0]?.invariant ?? null,
            seconds: seconds(),
            states: reach.states,
            schedules: reach.schedules,
          };
        });
        failures.push({ name: `${scenario.name}:${design.id}@${mountLabel(mount)}`, searches });
      }
    }
  }
  return failures;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** @returns a row per strategy, and the failures that the default options did not find */
export function failureRows(failures: readonly Failure[]): {
  readonly rows: readonly Row[];
  readonly lost: readonly string[];
} {
  const lost = failures.filter(({ searches }) => searches[0]!.found === null).map(({ name }) => name);
  const rows = Object.keys(STRATEGIES).map((strategy, i): Row => {
    const all = failures.map(({ name, searches }) => ({ name, ...searches[i]! }));
    const found = all.filter((each) => each.found !== null);
    const slowest = found.reduce((a, b) => (a.seconds >= b.seconds ? a : b));
    const seen =
      i === 0 ? '' : `, ${figures(median(found.map(({ schedules }) => Number(schedules))))} schedules`;
    return {
      what:
        i === 0
          ? 'known failures: time to the first violation and its story, slowest'
          : `  by ${strategy}, slowest`,
      measured: slowest.seconds,
      unit: 's',
      goal: i === 0 ? { better: 'lower', floor: 1, target: 0.2 } : null,
      note:
        `${found.length} of ${failures.length} found${i === 0 ? '' : ` in ${SCHEDULES} schedules`}; median ` +
        `${figures(median(found.map(({ seconds }) => seconds)) * 1000)} ms, ` +
        `${figures(median(found.map(({ states }) => states)))} states${seen}; slowest ${slowest.name}`,
    };
  });
  return { rows, lost };
}

export function failuresAsText(failures: readonly Failure[], width: number): string {
  const cells = ({ found, seconds, states, schedules }: Search): string =>
    found === null
      ? `– (${schedules} schedules)`
      : `${figures(seconds * 1000)} ms, ${figures(states)} states${typeof schedules === 'number' && schedules < 1e6 ? `, ${figures(schedules)} sch.` : ''}`;
  return table(
    [
      ['failure', 'breaks', ...Object.keys(STRATEGIES)],
      ...failures.map(({ name, searches }) => [name, searches[0]!.found ?? '–', ...searches.map(cells)]),
    ],
    { width },
  );
}
