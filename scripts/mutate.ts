/**
 * Broken volumes through load, check, inspect and exec: no crash, no hang, no memory without bound.
 *
 *   npx tsx scripts/mutate.ts --count 100000 --seed 1
 *
 *   --count N   mutants, default 2000        --exec N     every Nth also runs a script, default 10
 *   --seed N    default 1                    --one INDEX  this one only, saved as mutant.img
 *   --own       without the volumes of mke2fs
 *   --record    keeps the figures in scripts/images/figures.json
 *
 * A thread does the work; this one watches it: more than two seconds of CPU time on one mutant is a hang (whatever else
 * the machine does), more than 1.5 GB a leak.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { Image } from '../src/volume/image.ts';
import { madeBases, ownBases } from './images/bases.ts';
import { recordFigures } from './images/figures.ts';
import { mutantOf } from './images/mutations.ts';
import { mapOf } from './images/sites.ts';
import { type Crash, cpuMs, STAGES, VERDICTS, WORDS, type Work } from './images/worker.ts';

export interface Mutated {
  readonly seed: number;
  readonly count: number;
  readonly bases: readonly string[];
  readonly scripts: number;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly peakMiB: number;
  readonly failures: readonly Crash[];
}

export interface MutateOptions {
  readonly count: number;
  readonly seed: number;
  readonly execEvery: number;
  readonly own: boolean;
  readonly progress?: (done: number, failures: number) => void;
}

export const HANG_MS = 2000;
const LEAK_BYTES = 1.5 * 2 ** 30;

export async function mutateMany(options: MutateOptions): Promise<Mutated> {
  const bases = [...ownBases(), ...(options.own ? [] : madeBases())];
  const shared = new SharedArrayBuffer(8 * WORDS.count);
  const words = new Float64Array(shared);
  const failures: Crash[] = [];
  let peak = 0;
  for (let from = 0; from < options.count; ) {
    const work: Work = {
      bases,
      seed: options.seed,
      from,
      to: options.count,
      execEvery: options.execEvery,
      shared,
    };
    words[WORDS.since] = Number.POSITIVE_INFINITY;
    from = await new Promise<number>((resolve, reject) => {
      const worker = new Worker(new URL('./images/worker.mjs', import.meta.url), {
        workerData: work,
        resourceLimits: { maxOldGenerationSizeMb: 1024 },
      });
      const fail = (problem: string) => {
        clearInterval(watch);
        const index = words[WORDS.index]!;
        failures.push({
          index,
          base: '',
          changes: [],
          sealed: false,
          stage: STAGES[words[WORDS.stage]!]!,
          problem,
        });
        void worker.terminate().then(() => resolve(index + 1));
      };
      const watch = setInterval(() => {
        const spent = cpuMs() - words[WORDS.since]!;
        const rss = process.memoryUsage.rss();
        peak = Math.max(peak, rss);
        options.progress?.(words[WORDS.index]!, failures.length);
        if (spent > HANG_MS) fail(`more than ${HANG_MS} ms of CPU time`);
        else if (rss > LEAK_BYTES) fail(`${Math.round(rss / 2 ** 20)} MiB of memory`);
      }, 100);
      worker.on('message', ({ crash }: { crash: Crash }) => failures.push(crash));
      worker.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') fail('out of memory');
        else reject(error);
      });
      worker.on('exit', () => {
        clearInterval(watch);
        resolve(words[WORDS.index] === options.count ? options.count : words[WORDS.index]! + 1);
      });
    });
  }
  return {
    seed: options.seed,
    count: options.count,
    bases: bases.map(({ name }) => name),
    scripts: words[WORDS.scripts]!,
    verdicts: Object.fromEntries(VERDICTS.map((name, i) => [name, words[WORDS.verdicts + i]!])),
    slowestMs: Math.round(words[WORDS.slowest]!),
    peakMiB: Math.round(peak / 2 ** 20),
    failures,
  };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '2000' },
      seed: { type: 'string', default: '1' },
      exec: { type: 'string', default: '10' },
      one: { type: 'string' },
      own: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
    },
  });
  const seed = Number(values.seed);
  if (values.one !== undefined) {
    const bases = [...ownBases(), ...(values.own ? [] : madeBases())];
    const maps = bases.map(({ file }) => mapOf(Image.load(file.slice())));
    const { base, changes, sealed, file } = mutantOf(bases, maps, seed, Number(values.one));
    writeFileSync('mutant.img', file);
    console.log(`mutant.img: ${base}, ${changes.join('; ')}${sealed ? '; checksums made right' : ''}`);
    return 0;
  }
  const isTerminal = process.stderr.isTTY === true;
  const result = await mutateMany({
    count: Number(values.count),
    seed,
    execEvery: Number(values.exec),
    own: values.own,
    ...(isTerminal
      ? {
          progress: (done, failed) =>
            process.stderr.write(`\r\u001b[K${done} of ${values.count}, ${failed} failed`),
        }
      : {}),
  });
  if (isTerminal) process.stderr.write('\r\u001b[K');
  const { failures, verdicts } = result;
  const spread = Object.entries(verdicts)
    .map(([name, n]) => `${n} ${name}`)
    .join(', ');
  console.log(`${result.count} mutants of ${result.bases.length} volumes, seed ${seed}: ${spread}`);
  console.log(
    `${result.scripts} ran a script; slowest ${result.slowestMs} ms of CPU time, at most ${result.peakMiB} MiB`,
  );
  for (const { index, base, stage, problem, changes, sealed } of failures) {
    console.log(
      `FAILED ${index} in ${stage}: ${base} ${changes.join('; ')}${sealed ? '; sealed' : ''}\n${problem}`,
    );
  }
  console.log(`${failures.length} failed`);
  if (values.record) recordFigures('mutants', { ...result, failures: failures.length });
  return failures.length > 0 ? 1 : 0;
}

if (process.argv[1]?.endsWith('mutate.ts')) process.exitCode = await main();
