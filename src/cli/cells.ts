/**
 * Cells of a race, on all cores: each worker thread (`cellWorker.ts`) takes the next one when it is done with the last.
 * What comes back is in the order asked for, and the same with any number of workers.
 *
 * Short questions are answered in this thread. A search does not let the event loop turn, so ^C stops one here between
 * two cells, and one in a worker in the middle.
 */
import { Worker } from 'node:worker_threads';
import { type CrashCell, crashCell } from '../compare/crash.ts';
import { type Cell, type RaceOptions, raceCell } from '../compare/race.ts';
import type { Design } from '../designs/design.ts';
import type { Cut } from '../explore/part.ts';
import type { LockOrderData } from '../locks/lockdep.ts';
import { mountLabel, type Scenario } from '../scenario/schema.ts';
import { blaming, isFromFile, PARANOID } from './designFile.ts';
import { mountNamed, wordOf } from './designOption.ts';
import { imageOf } from './images.ts';

export type CellOptions = Omit<RaceOptions, 'stop' | 'onProgress'>;

export interface Asked {
  readonly scenario: Scenario;
  readonly design: Design;
  /** Its label. */
  readonly mount: string;
}

/** How a cell is searched. */
export interface CellHow {
  readonly options: CellOptions;
  /** Power failures too. */
  readonly crash: boolean;
  /** Milliseconds since 1970; then the search ends. */
  readonly until: number;
}

/** A cell as it goes to a worker: hooks do not, so the design goes by the word that `designOf` finds it by. */
export interface CellJob {
  readonly index: number;
  readonly scenario: Scenario;
  readonly design: string;
  readonly mount: string;
  readonly how: CellHow;
}

export interface Searched {
  readonly cell: Cell;
  /** The same lanes when power may fail at any step; null where that was not asked. */
  readonly crash: CrashCell | null;
  /** The orders in which locks were taken, where `lockdep` was asked for. */
  readonly lockOrder: LockOrderData | null;
  /** Where the search of a part was cut off; null for all others. */
  readonly cut: Cut | null;
}

/** What all threads see: a word that says stop, and by worker the states of its search. */
export type Shared = Int32Array<SharedArrayBuffer>;
export const STOP = 0;

/** What a worker answers. */
export type CellAnswer =
  | { readonly index: number; readonly searched: Searched }
  | {
      readonly index: number;
      readonly error: { readonly name: string; readonly message: string; readonly stack: string };
    };

/** @param watch  polled: true ends the search; told the states seen so far */
export function searchCell(
  { scenario, design, mount }: Asked,
  how: CellHow,
  watch: (states: number) => boolean,
): Searched {
  let states = 0;
  const options: RaceOptions = {
    ...how.options,
    ...(isFromFile(design) ? { paranoid: PARANOID } : {}),
    stop: () => watch(states) || Date.now() > how.until,
    onProgress: (seen) => {
      states = seen;
    },
  };
  const what = [scenario, imageOf(scenario), design, mountNamed(scenario, mount)] as const;
  return blaming(design, () => {
    const { cell, lockOrder, cut } = raceCell(...what, options);
    return { cell, lockOrder, cut, crash: how.crash ? crashCell(...what, options).cell : null };
  });
}

export interface CellRun {
  /** Threads; 0: search here. */
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly options?: CellOptions;
  /** Power failures too. Default false. */
  readonly crash?: boolean;
  /** Most seconds in all. */
  readonly seconds?: number;
  /** Told now and then: cells that are done, and states of those under way. */
  readonly onProgress: (done: number, states: number, name: string) => void;
  readonly breathe: () => Promise<void>;
}

/** @returns a cell for each asked for; undefined where the run was interrupted before */
export async function runCells(asked: readonly Asked[], run: CellRun): Promise<(Searched | undefined)[]> {
  const until = run.seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + run.seconds * 1000;
  const how: CellHow = { options: run.options ?? {}, crash: run.crash ?? false, until };
  const cells: (Searched | undefined)[] = asked.map(() => undefined);
  const patience = run.workers > 0 ? performance.now() + HERE_MS : Number.POSITIVE_INFINITY;
  for (const [index, each] of asked.entries()) {
    if (run.signal.aborted) break;
    const { name } = each.scenario;
    let isLong = performance.now() > patience;
    run.onProgress(index, 0, name);
    const cell = isLong
      ? undefined
      : searchCell(each, how, (states) => {
          run.onProgress(index, states, name);
          isLong = performance.now() > patience;
          return isLong || run.signal.aborted;
        });
    if (isLong) {
      const jobs = asked.map(
        ({ scenario, design, mount }, number): CellJob => ({
          index: number,
          scenario,
          design: wordOf(design),
          mount,
          how,
        }),
      );
      await onWorkers(jobs.slice(index), cells, run);
      break;
    }
    cells[index] = cell;
    await run.breathe();
  }
  return cells;
}

/** What is searched here before threads are started: most questions are answered by then. */
const HERE_MS = 300;
const PROGRESS_MS = 100;

async function onWorkers(
  jobs: readonly CellJob[],
  cells: (Searched | undefined)[],
  { workers, signal, onProgress }: CellRun,
): Promise<void> {
  const count = Math.min(workers, jobs.length);
  const shared: Shared = new Int32Array(new SharedArrayBuffer(4 * (count + 1)));
  let next = 0;
  let done = cells.filter((cell) => cell !== undefined).length;
  const tell = (): void => {
    const states = shared.subarray(1).reduce((sum, each) => sum + each, 0);
    onProgress(done, states, jobs[Math.min(next, jobs.length) - 1]?.scenario.name ?? '');
  };
  const stop = (): void => {
    Atomics.store(shared, STOP, 1);
  };
  signal.addEventListener('abort', stop);
  const timer = setInterval(tell, PROGRESS_MS);
  const work = (number: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = startWorker({ shared, number });
      const give = (): void => {
        const job = signal.aborted ? undefined : jobs[next++];
        if (job !== undefined) worker.postMessage(job);
        else void worker.terminate().then(() => resolve());
      };
      worker.on('message', (answer: CellAnswer) => {
        if ('error' in answer) {
          void worker.terminate();
          reject(Object.assign(new Error(answer.error.message), answer.error));
          return;
        }
        cells[answer.index] = answer.searched;
        done++;
        give();
      });
      worker.on('error', reject);
      give();
    });
  try {
    await Promise.all(Array.from({ length: count }, (_, number) => work(number + 1)));
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', stop);
    stop();
  }
}

/** A build starts the file as it is; the sources need tsx first, in every thread anew. */
function startWorker(workerData: { readonly shared: Shared; readonly number: number }): Worker {
  if (!import.meta.url.endsWith('.ts'))
    return new Worker(new URL('./cellWorker.js', import.meta.url), { workerData });
  const url = (specifier: string): string => JSON.stringify(import.meta.resolve(specifier));
  const code = `import(${url('tsx/esm/api')}).then(({ register }) => (register(), import(${url('./cellWorker.ts')})))`;
  return new Worker(code, { workerData, eval: true });
}

/** Every scenario under each of its mounts and these designs, in the order of the matrix. */
export function cellsOf(scenarios: readonly Scenario[], designs: readonly Design[]): Asked[] {
  return scenarios.flatMap((scenario) =>
    scenario.mounts.flatMap((mount) =>
      designs.map((design) => ({ scenario, design, mount: mountLabel(mount) })),
    ),
  );
}
