/**
 * Runs SPIN on every combination and writes what it counts to counts.json: `tsx bench/mirror/record.ts`.
 * Nothing of ours goes into that file.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ALL, COMBINATIONS, COUNTS_FILE, type Counts, type RecordedCounts, verified } from './mirror.ts';
import { SCENARIO_NAME, verifiedScenarioWithVerdict } from './scenario.ts';

const spin = execFileSync('spin', ['-V'], { encoding: 'utf8' }).trim();
const combinations: Record<string, Counts> = {};
for (const each of [...COMBINATIONS, ALL]) {
  combinations[each.name] = verified(each, 24);
  const { states, transitions, deadlocks, ends } = combinations[each.name]!;
  process.stdout.write(
    `${each.name}: ${states} states, ${transitions} transitions, ${deadlocks} deadlocks, ${ends.length} end states\n`,
  );
}
const scenarios = { [SCENARIO_NAME]: verifiedScenarioWithVerdict() };
const recorded: RecordedCounts = { spin, combinations, scenarios };
writeFileSync(COUNTS_FILE, `${JSON.stringify(recorded, null, 2)}\n`);
execFileSync('npx', ['biome', 'format', '--write', fileURLToPath(COUNTS_FILE)], { stdio: 'ignore' });
