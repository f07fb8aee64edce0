/** The row against fast-check's `scheduler()`: complete random schedules a second of one two-task program. */
import fc from 'fast-check';
import { sample } from '../src/explore/random.ts';
import { Machine } from '../src/sched/machine.ts';
import { race, timed, timedAsync } from './measure.ts';
import { type Combination, subjectOf } from './mirror/mirror.ts';
import type { Row } from './rows.ts';

/** write(2) beside a mapped store: up to 57 steps. */
const PROGRAM: Combination = { name: 'WM', tasks: 'WM', plant: null };

/** Runs the program once, every step handed out by the scheduler. @returns the steps taken */
async function scheduled(scheduler: fc.Scheduler): Promise<number> {
  const { k, specs } = subjectOf(PROGRAM);
  const machine = new Machine(k, specs);
  let steps = 0;
  /** Tasks that wait for a lock; every step may be the one they wait for. */
  let parked: (() => void)[] = [];
  const run = async (task: number): Promise<void> => {
    while (!machine.finished(task)) {
      if (!machine.runnable().includes(task)) {
        await new Promise<void>((resolve) => parked.push(resolve));
        continue;
      }
      await scheduler.schedule(Promise.resolve());
      if (!machine.runnable().includes(task)) continue;
      machine.resume(task);
      steps++;
      for (const wake of parked.splice(0)) wake();
    }
  };
  const all = Promise.all(specs.map((_, task) => run(task)));
  while (!machine.allFinished) await scheduler.waitNext(1);
  await all;
  parked = [];
  return steps;
}

export async function againstFastCheck(rounds: number): Promise<Row> {
  const numRuns = 400;
  const schedules = 8000;
  let steps = 0;
  const rates = await race(
    [
      {
        name: 'ours',
        round: () => {
          const subject = subjectOf(PROGRAM);
          return timed(() => {
            const result = sample(subject, { strategy: 'random', schedules });
            steps = result.transitions / result.schedules;
            return result.schedules;
          });
        },
      },
      {
        name: 'fast-check',
        round: () =>
          timedAsync(async () => {
            const property = fc.asyncProperty(fc.scheduler(), async (scheduler) => {
              await scheduled(scheduler);
            });
            await fc.assert(property, { numRuns, seed: 1 });
            return numRuns;
          }),
      },
    ],
    rounds,
  );
  const rate = (name: string): string => `${(rates[name]! / 1000).toFixed(1)} k/s`;
  return {
    what: 'schedules/s ÷ fast-check scheduler()',
    measured: rates.ours! / rates['fast-check']!,
    unit: '',
    goal: { better: 'higher', floor: 10, target: 20 },
    note: `ours ${rate('ours')}, fast-check ${rate('fast-check')}; write(2) beside a store, ${Math.round(steps)} steps`,
  };
}
