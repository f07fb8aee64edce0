/**
 * Runs SPIN on every model and writes what it counts to counts.json: `tsx bench/mirror/record.ts`; with the word
 * `scenario` only on the real scenario, whose steps change with the ops. Nothing of ours goes into that file.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  ALL,
  COMBINATIONS,
  COUNTS_FILE,
  type Counts,
  type RecordedCounts,
  recordedCounts,
  verified,
} from './mirror.ts';
import { SCENARIO_NAME, verifiedScenarioWithVerdict } from './scenario.ts';

function tell<T extends Counts>(name: string, counts: T): T {
  const { states, transitions, deadlocks, ends } = counts;
  process.stdout.write(
    `${name}: ${states} states, ${transitions} transitions, ${deadlocks} deadlocks, ${ends.length} end states\n`,
  );
  return counts;
}

const spin = execFileSync('spin', ['-V'], { encoding: 'utf8' }).trim();
const combinations: Readonly<Record<string, Counts>> =
  process.argv[2] === 'scenario'
    ? recordedCounts().combinations
    : Object.fromEntries(
        [...COMBINATIONS, ALL].map((each) => [each.name, tell(each.name, verified(each, 24))]),
      );
const scenarios = { [SCENARIO_NAME]: tell(SCENARIO_NAME, verifiedScenarioWithVerdict()) };
const recorded: RecordedCounts = { spin, combinations, scenarios };
writeFileSync(COUNTS_FILE, `${JSON.stringify(recorded, null, 2)}\n`);
execFileSync('npx', ['biome', 'format', '--write', fileURLToPath(COUNTS_FILE)], { stdio: 'ignore' });
