/** One thread of `scripts/mutate.ts`: mutants from `from` on, its place and stage in shared memory for the watchdog. */
import { parentPort, workerData } from 'node:worker_threads';
import { Image } from '../../src/volume/image.ts';
import type { Base } from './bases.ts';
import { judge, type Verdict } from './judge.ts';
import { mutantOf } from './mutations.ts';
import { mapOf } from './sites.ts';

export interface Work {
  readonly bases: readonly Base[];
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  /** One of so many mutants also runs the script. */
  readonly execEvery: number;
  /** Of `WORDS` doubles; what the watchdog reads and what survives a thread that is ended. */
  readonly shared: SharedArrayBuffer;
}

/** Milliseconds of CPU time of the whole process: the thread that works, and the one that watches and sleeps. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Places in the shared words. `since` is `cpuMs()` when the mutant began. */
export const WORDS = { index: 0, stage: 1, since: 2, scripts: 3, slowest: 4, verdicts: 5, count: 9 } as const;
export const VERDICTS: readonly Verdict[] = ['refused', 'errors', 'notes', 'clean'];

export interface Crash {
  readonly index: number;
  readonly base: string;
  readonly changes: readonly string[];
  readonly sealed: boolean;
  readonly stage: string;
  readonly problem: string;
}

export const STAGES = ['load', 'check', 'inspect', 'exec'] as const;

/** Runs in the thread that was given the work. */
export function work(): void {
  const { bases, seed, from, to, execEvery, shared } = workerData as Work;
  const port = parentPort!;
  const words = new Float64Array(shared);
  const maps = bases.map(({ file }) => mapOf(Image.load(file.slice())));
  for (let index = from; index < to; index++) {
    const { base, changes, sealed, file } = mutantOf(bases, maps, seed, index);
    const exec = index % execEvery === 0;
    words[WORDS.stage] = 0;
    words[WORDS.index] = index;
    words[WORDS.since] = cpuMs();
    try {
      const verdict = judge(file, {
        exec,
        stage: (name) => {
          words[WORDS.stage] = STAGES.indexOf(name);
        },
      });
      words[WORDS.verdicts + VERDICTS.indexOf(verdict)]! += 1;
    } catch (error) {
      const problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
      const stage = STAGES[words[WORDS.stage]!]!;
      port.postMessage({ crash: { index, base, changes, sealed, stage, problem } satisfies Crash });
    }
    if (exec) words[WORDS.scripts]! += 1;
    words[WORDS.slowest] = Math.max(words[WORDS.slowest]!, cpuMs() - words[WORDS.since]!);
  }
  words[WORDS.index] = to;
}
