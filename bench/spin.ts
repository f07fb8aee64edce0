/** Rows that need SPIN: equal counts, states per CPU second, and the time from an edit to the whole answer. */
import { execFileSync, spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { exhaustive } from '../src/explore/exhaustive.ts';
import { race, timed, wallTimed } from './measure.ts';
import {
  buildPan,
  COMBINATIONS,
  type Combination,
  type Counts,
  countsOf,
  definesOf,
  explored,
  type Pan,
  PML,
  recordedCounts,
  spinMissing,
  subjectOf,
  verified,
} from './mirror/mirror.ts';
import { exploredScenario, SCENARIO_NAME, verifiedScenarioWithVerdict } from './mirror/scenario.ts';
import type { Row } from './rows.ts';

/** What the answer is timed on: five tasks. */
export const ANSWERED: Combination = COMBINATIONS.find(({ name }) => name === 'WMTPV')!;
const ANSWER = fileURLToPath(new URL('mirror/answer.ts', import.meta.url));

/**
 * States, transitions, deadlocks and end states of every combination and of the real scenario, and its verdict; the
 * `note` names those that differ.
 */
export function equalCounts(): Row {
  const missing = spinMissing();
  const { combinations, scenarios } = recordedCounts();
  const isSpinHere = missing === null;
  const differs = (ours: Counts, recorded: Counts | undefined, spin: () => Counts): boolean => {
    const wanted = JSON.stringify(recorded);
    return JSON.stringify(ours) !== wanted || (isSpinHere && JSON.stringify(spin()) !== wanted);
  };
  const different = COMBINATIONS.filter((each) =>
    differs(explored(each), combinations[each.name], () => verified(each)),
  ).map(({ name }) => name);
  const scenario = scenarios[SCENARIO_NAME];
  if (differs(exploredScenario(), scenario, verifiedScenarioWithVerdict)) different.push(SCENARIO_NAME);
  const from = isSpinHere ? 'a fresh run of SPIN' : `SPIN as it was recorded (${missing})`;
  const all = COMBINATIONS.length + 1;
  return {
    what: 'models with counts equal to their Promela mirror',
    measured: all - different.length,
    unit: `of ${all}`,
    goal: { better: 'higher', floor: all, target: all },
    note:
      different.length === 0
        ? `states, transitions, deadlocks, end states, against ${from}; one is ${SCENARIO_NAME}`
        : `DIFFERENT: ${different.join(', ')}`,
  };
}

/** @param each  the combination whose states are counted by both */
export async function againstSpin(each: Combination, rounds: number): Promise<Row[]> {
  const missing = spinMissing();
  const what = `states per CPU second ÷ SPIN exact, ${each.tasks.length} tasks`;
  const goal = { better: 'higher', floor: 0.2, target: 0.5 } as const;
  if (missing !== null) return [{ what, measured: null, unit: '', goal, note: missing }];
  const pan = buildPan(PML, definesOf(each), ['-O3', '-march=native']);
  try {
    const { states } = recordedCounts().combinations[each.name]!;
    let bytes = 0;
    const rates = await race(
      [
        {
          name: 'ours',
          round: () =>
            timed(() => {
              const result = exhaustive(subjectOf(each), { graph: false });
              bytes = result.bytes / result.states;
              return sameStates(each, result.states, states);
            }),
        },
        { name: 'SPIN', round: () => panRound(pan, each, states) },
      ],
      rounds,
    );
    const note = `ours ${thousands(rates.ours!)}, SPIN ${thousands(rates.SPIN!)} states/s (-O3 -DSAFETY -DNOREDUCE); ${each.name}, ${states} states`;
    return [
      { what, measured: rates.ours! / rates.SPIN!, unit: '', goal, note },
      {
        what: `bytes per visited state, ${each.tasks.length} tasks`,
        measured: bytes,
        unit: 'B',
        goal: { better: 'lower', floor: 64, target: 32 },
        note: 'fingerprint, number and schedule count of each',
      },
    ];
  } finally {
    pan.remove();
  }
}

const thousands = (rate: number): string => `${Math.round(rate / 1000)} k`;

/** A count is not what SPIN once said it is. */
export class CountsDiffer extends Error {
  override readonly name = 'CountsDiffer';
}

function sameStates({ name }: Combination, states: number, wanted: number): number {
  if (states !== wanted) throw new CountsDiffer(`${name}: ${states} states, SPIN had ${wanted}`);
  return states;
}

/** CPU time of the child, as the shell's `times` has it. Its hash table has room for twice the states. */
function panRound(pan: Pan, each: Combination, wanted: number): { amount: number; seconds: number } {
  const bits = Math.ceil(Math.log2(wanted)) + 1;
  const { stdout, status } = spawnSync('sh', ['-c', `./pan -c0 -n -m100000 -w${bits}; times`], {
    cwd: pan.folder,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const times = stdout.trim().split('\n').at(-1) ?? '';
  const [user, system] = [...times.matchAll(/(\d+)m([\d.]+)s/g)].map(
    ([, m, s]) => Number(m) * 60 + Number(s),
  );
  if (status !== 0 || user === undefined || system === undefined)
    throw new Error(`pan did not run:\n${stdout}`);
  return { amount: sameStates(each, countsOf(stdout).states, wanted), seconds: user + system };
}

/** From a changed model to every state seen: a fresh process of ours, and spin, gcc and pan. On the wall. */
export async function editToAnswer(rounds: number): Promise<Row> {
  const what = 'edit → complete answer ÷ SPIN’s (spin + gcc + pan)';
  const goal = { better: 'lower', floor: 1, target: 0.3 } as const;
  const missing = spinMissing();
  if (missing !== null) return { what, measured: null, unit: '', goal, note: missing };
  const { states } = recordedCounts().combinations[ANSWERED.name]!;
  const ours = (): number =>
    sameStates(
      ANSWERED,
      Number(
        execFileSync(process.execPath, ['--import', 'tsx', ANSWER, ANSWERED.name], { encoding: 'utf8' }),
      ),
      states,
    );
  const theirs = (optimise: string) => (): number => {
    const pan = buildPan(PML, definesOf(ANSWERED), [optimise]);
    try {
      return sameStates(ANSWERED, countsOf(pan.run('-w20')).states, states);
    } finally {
      rmSync(pan.folder, { recursive: true });
    }
  };
  const answers = (work: () => number) => () => ({ amount: 1, seconds: wallTimed(work).seconds });
  const rates = await race(
    [
      { name: 'ours', round: answers(ours) },
      { name: '-O1', round: answers(theirs('-O1')) },
      { name: '-O3', round: answers(theirs('-O3')) },
    ],
    rounds,
  );
  const best = Math.max(rates['-O1']!, rates['-O3']!);
  const seconds = (rate: number): string => `${(1 / rate).toFixed(2)} s`;
  return {
    what,
    measured: best / rates.ours!,
    unit: '',
    goal,
    note: `ours ${seconds(rates.ours!)}, SPIN ${seconds(rates['-O1']!)} with gcc -O1 and ${seconds(rates['-O3']!)} with -O3; ${ANSWERED.name}, ${states} states; wall`,
  };
}
