/** Rows about the two worlds: steps and states a second, publishing, and the reference scenario. */

import { loadScenarios } from '../src/cli/scenarioFiles.ts';
import { DESIGNS, type Design, MAIN_DESIGNS } from '../src/designs/index.ts';
import { exhaustive } from '../src/explore/exhaustive.ts';
import { explore } from '../src/explore/explore.ts';
import { sample } from '../src/explore/random.ts';
import { INVARIANTS } from '../src/invariants/index.ts';
import { mountLabel } from '../src/scenario/schema.ts';
import { recordingKernel, type Session, startSession } from '../src/scenario/session.ts';
import { Machine } from '../src/sched/machine.ts';
import { record } from '../src/trace/transaction.ts';
import { type Rates, race, timed } from './measure.ts';
import { figures, type Row } from './rows.ts';
import { imageOf, scenarioSession, subjectOfSession } from './scenarios.ts';

export const REFERENCE = 'writer-store-writepages';
const DESIGN = 'mkwrite-convert';
const MOUNT = 'delalloc';

const fresh = (): Session => scenarioSession(REFERENCE, DESIGN, MOUNT).session;
const told = (what: string, rate: number, unit: string, note: string): Row => ({
  what,
  measured: rate,
  unit,
  goal: null,
  note,
});

/** Speed of the two worlds on the reference scenario, warm. */
export async function worlds(rounds: number, schedules: number): Promise<Row[]> {
  let bytes = 0;
  let transitions = 0;
  const searched = (invariants: boolean) => () => {
    const subject = subjectOfSession(fresh(), invariants ? INVARIANTS : []);
    return timed(() => {
      const result = exhaustive(subject);
      bytes = result.bytes / result.states;
      transitions = result.transitions / result.states;
      return result.states;
    });
  };
  const rates = await race(
    [
      { name: 'states', round: searched(true) },
      { name: 'bare', round: searched(false) },
      {
        name: 'sampled',
        round: () => {
          const subject = subjectOfSession(fresh(), []);
          return timed(() => sample(subject, { strategy: 'random', schedules }).transitions);
        },
      },
      { name: 'recording', round: () => recordingRound(20) },
      { name: 'publishing', round: () => publishingRound(20) },
    ],
    rounds,
  );
  const where = `${REFERENCE}, ${DESIGN}@${MOUNT}`;
  const micros = (rate: number): number => 1e6 / rate;
  return [
    told('searching world: states/s, all invariants', rates.states!, '', where),
    told('searching world: states/s, no invariant', rates.bare!, '', `${figures(transitions)} steps a state`),
    told('searching world: steps/s', rates.bare! * transitions, '', 'exhaustive, each taken back again'),
    told('searching world: steps/s, random schedules', rates.sampled!, '', 'with every state looked up'),
    told('recording world: per step', micros(rates.recording!), 'µs', 'one step, its patches, frozen'),
    {
      what: 'publishing a trace, per step',
      measured: micros(rates.publishing!),
      unit: 'µs',
      goal: { better: 'lower', floor: 50, target: 25 },
      note: 'machine, effects, reads, changes, patches, both states',
    },
    {
      what: 'bytes per visited state, the reference scenario',
      measured: bytes,
      unit: 'B',
      goal: { better: 'lower', floor: 64, target: 32 },
      note: 'fingerprint, number and schedule count of each',
    },
  ];
}

/** Runs the scenario to its end, the lowest task first, so many times. */
function recordingRound(times: number): { amount: number; seconds: number } {
  const session = fresh();
  const start = recordingKernel(session);
  const { root } = start.world;
  return timed(() => {
    let steps = 0;
    for (let i = 0; i < times; i++) {
      start.world.jump(root);
      const machine = new Machine(start.k, session.specs, (_, body) => start.world.step(body).value);
      for (;;) {
        const [task] = machine.runnable();
        if (task === undefined) break;
        machine.resume(task);
        steps++;
      }
    }
    return steps;
  });
}

function publishingRound(times: number): { amount: number; seconds: number } {
  const session = fresh();
  const { world, k } = recordingKernel(session);
  const { root } = world;
  return timed(() => {
    let steps = 0;
    for (let i = 0; i < times; i++) {
      world.jump(root);
      steps += record(world, k, session.specs, (runnable) => runnable[0]!).steps.length;
    }
    return steps;
  });
}

/**
 * All interleavings of the reference scenario, by design: CPU seconds of the slowest mount, in this process.
 * @param rounds  for the designs that are raced by default; the others get two at most
 */
export async function referenceScenario(rounds: number): Promise<Row[]> {
  const scenario = loadScenarios([]).find(({ name }) => name === REFERENCE)!;
  const image = imageOf(scenario);
  const states: Record<string, number> = {};
  const cellsOf = (designs: readonly Design[]) =>
    scenario.mounts.flatMap((mount) =>
      designs.map((design) => ({ design, mount, name: `${design.id}@${mountLabel(mount)}` })),
    );
  const raced = (designs: readonly Design[], times: number): Promise<Rates> =>
    race(
      cellsOf(designs).map(({ design, mount, name }) => ({
        name,
        round: () =>
          timed(() => {
            const session = startSession(scenario, image, design, mount);
            const { reach } = explore(subjectOfSession(session, INVARIANTS));
            if (!reach.complete) throw new Error(`${name}: the search was cut short`);
            states[name] = reach.states;
            return 1;
          }),
      })),
      times,
    );
  const others = DESIGNS.filter((design) => !MAIN_DESIGNS.includes(design));
  const rates = { ...(await raced(MAIN_DESIGNS, rounds)), ...(await raced(others, Math.min(rounds, 2))) };
  const seconds = (name: string): number => 1 / rates[name]!;
  const slowestFirst = (designs: readonly Design[]): string[] =>
    cellsOf(designs)
      .map(({ name }) => name)
      .sort((a, b) => seconds(b) - seconds(a));
  const slowest = slowestFirst(DESIGNS)[0]!;
  const main = cellsOf(MAIN_DESIGNS);
  const sum = main.reduce((all, { name }) => all + seconds(name), 0);
  return [
    {
      what: `${REFERENCE}, all interleavings, slowest design`,
      measured: seconds(slowest),
      unit: 's',
      goal: { better: 'lower', floor: 3, target: 0.5 },
      note: `${slowest}: ${states[slowest]} states; with mount, setup and stories`,
    },
    told('the same, main designs × mounts', sum, 's', `${main.length} searches, one after another`),
    ...DESIGNS.map((design): Row => {
      const last = slowestFirst([design])[0]!;
      return told(`  ${design.id}`, seconds(last), 's', `${last.split('@')[1]}: ${states[last]} states`);
    }),
  ];
}
