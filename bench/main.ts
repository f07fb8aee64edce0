/**
 * `npm run bench`: how fast, as ratios measured in one run, beside the floors and targets of the project.
 *
 *   --quick   two rounds and the smaller protocol: a minute instead of four
 *   --json    rows as JSON
 *   --failures  only: time, states and schedules to the first violation, each known failure × each strategy
 *
 * Speed never fails: the exit code is 1 only when a count is not what it must be.
 */
import { crashStates } from './crash.ts';
import { failureRows, failuresAsText, knownFailures } from './failures.ts';
import { againstFastCheck } from './fastCheck.ts';
import { fileOperations } from './fileOps.ts';
import { ALL, COMBINATIONS } from './mirror/mirror.ts';
import { objections } from './objections.ts';
import { markOf, type Row, rowsAsJson, rowsAsText } from './rows.ts';
import { againstSpin, CountsDiffer, editToAnswer, equalCounts } from './spin.ts';
import { referenceScenario, worlds } from './worlds.ts';

const isQuick = process.argv.includes('--quick');
const isJson = process.argv.includes('--json');
const rounds = isQuick ? 2 : 5;
const spinRounds = isQuick ? 2 : 5;

if (process.argv.includes('--failures')) {
  const failures = knownFailures();
  process.stdout.write(
    isJson
      ? `${JSON.stringify(failures, null, 2)}\n`
      : `${failuresAsText(failures, process.stdout.columns ?? 160)}\n`,
  );
  process.exit(failureRows(failures).lost.length > 0 ? 1 : 0);
}

const rows: Row[] = [];
let differs = false;

async function measure(
  what: string,
  rowsOf: () => Row | readonly Row[] | Promise<Row | readonly Row[]>,
): Promise<void> {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${what} …`);
  try {
    rows.push(...[await rowsOf()].flat());
  } catch (error) {
    if (!(error instanceof CountsDiffer)) throw error;
    differs = true;
    rows.push({ what, measured: null, unit: '', goal: null, note: `DIFFERENT: ${error.message}` });
  }
}

await measure('counts', () => {
  const row = equalCounts();
  differs ||= markOf(row) !== 'target met';
  return row;
});
await measure('SPIN', () =>
  againstSpin(isQuick ? COMBINATIONS.find(({ name }) => name === 'WMTPRV')! : ALL, spinRounds),
);
await measure('edit to answer', () => editToAnswer(rounds));
await measure('fast-check', () => againstFastCheck(rounds));
await measure('small writes', () => fileOperations(rounds));
await measure('worlds', () => worlds(rounds, isQuick ? 1000 : 4000));
await measure('reference scenario', () => referenceScenario(isQuick ? 1 : rounds));
await measure('crash states', () => crashStates(rounds));
await measure('known failures', () => {
  const { rows: told, lost } = failureRows(knownFailures());
  differs ||= lost.length > 0;
  return told;
});
await measure('objections', objections);

if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
process.stdout.write(
  isJson ? `${rowsAsJson(rows)}\n` : `${rowsAsText(rows, process.stdout.columns ?? 160)}\n`,
);
process.exitCode = differs ? 1 : 0;
