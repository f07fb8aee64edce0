/**
 * Both explorers on the protocol: ours over `protocol.ts`, SPIN over `protocol.pml`.
 *
 * SPIN is Debian's `spin` with `gcc`. Exact: whole states are stored (`-DSAFETY -DNOREDUCE`, no compression, no
 * hashing), every transition counted, no statement merging, no search stopped at an error.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exhaustive } from '../../src/explore/exhaustive.ts';
import type { Subject } from '../../src/explore/subject.ts';
import { toyKernel } from '../../test/explore/toy.ts';
import { type Plant, prepare, specsOf, type Tuples, tuplesInto } from './protocol.ts';
import type { ScenarioCounts } from './scenario.ts';

export { type Tuples, tuplesInto };

/** Everything that both must agree on. */
export interface Counts {
  readonly states: number;
  readonly transitions: number;
  /** States where unfinished tasks wait for each other. */
  readonly deadlocks: number;
  /** The data of the states where every task is finished, sorted. */
  readonly ends: readonly string[];
}

export interface Combination {
  /** `WMTP`, `WMJ inverted` */
  readonly name: string;
  readonly tasks: string;
  readonly plant: Plant | null;
}

const combination = (tasks: string, plant: Plant | null = null): Combination => ({
  name: plant === null ? tasks : `${tasks} ${plant}`,
  tasks,
  plant,
});

export const COMBINATIONS: readonly Combination[] = [
  combination('WM'),
  combination('MU'),
  combination('WMP'),
  combination('WTJ'),
  combination('MTRU'),
  combination('WMTP'),
  combination('WMRV'),
  combination('WMTPV'),
  combination('MPJU'),
  combination('WMTPRV'),
  combination('WM', 'abba'),
  combination('WMTP', 'abba'),
  combination('WMJ', 'inverted'),
  combination('WMTJ', 'inverted'),
  combination('WM', 'recursive'),
  combination('WMPV', 'recursive'),
];

/** All tasks at once: what speed is measured on. */
export const ALL: Combination = combination('WMTPRVJU');

export function subjectOf({ tasks, plant }: Combination): Subject {
  const { k, world } = toyKernel();
  prepare(k);
  return { k, world, specs: specsOf(tasks, plant), invariants: [] };
}

/** Counts of our explorer. */
export function explored(each: Combination): Counts {
  const tuples: Tuples = new Set();
  const subject = { ...subjectOf(each), invariants: [tuplesInto(tuples)] };
  const { states, transitions, deadlocks, complete } = exhaustive(subject, { graph: false });
  if (!complete) throw new Error(`${each.name}: the search was cut short`);
  return { states, transitions, deadlocks, ends: [...tuples].sort() };
}

export const PML: URL = new URL('protocol.pml', import.meta.url);
export const COUNTS_FILE: URL = new URL('counts.json', import.meta.url);

/** What a run of SPIN counted; `record.ts` writes it. */
export interface RecordedCounts {
  /** As `spin -V` prints it. */
  readonly spin: string;
  /** By name. */
  readonly combinations: Readonly<Record<string, Counts>>;
  readonly scenarios: Readonly<Record<string, ScenarioCounts>>;
}

export function recordedCounts(): RecordedCounts {
  return JSON.parse(readFileSync(COUNTS_FILE, 'utf8')) as RecordedCounts;
}

/** Why SPIN cannot be asked here; null when it can. */
export function spinMissing(): string | null {
  for (const [program, flag] of [
    ['spin', '-V'],
    ['gcc', '--version'],
  ] as const) {
    try {
      execFileSync(program, [flag], { stdio: 'ignore' });
    } catch {
      return `${program} is not installed (apt-get install spin gcc)`;
    }
  }
  return null;
}

/** The verifier that SPIN makes of a model. */
export interface Pan {
  readonly folder: string;
  /** Runs it to the end of its search. @returns what it printed */
  run(...options: string[]): string;
  remove(): void;
}

/** @param defines  for the model, `-DT_W` …; @param optimise  for gcc */
export function buildPan(model: URL, defines: readonly string[], optimise: readonly string[] = ['-O1']): Pan {
  const folder = mkdtempSync(join(tmpdir(), 'ext4lab-spin-'));
  const run = (command: string, args: readonly string[]): string =>
    execFileSync(command, args, { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 28 });
  try {
    run('spin', ['-a', '-o1', '-o2', '-o3', ...defines, model.pathname]);
    run('gcc', ['-w', ...optimise, '-DSAFETY', '-DNOREDUCE', '-DMEMLIM=8192', '-o', 'pan', 'pan.c']);
  } catch (error) {
    rmSync(folder, { recursive: true });
    throw error;
  }
  return {
    folder,
    run: (...options) => run('./pan', ['-c0', '-n', '-m100000', ...options]),
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** The options of a combination for `protocol.pml`. */
export function definesOf({ tasks, plant }: Combination): string[] {
  return [
    ...[...tasks].map((task) => `-DT_${task}`),
    `-DNTASKS=${tasks.length}`,
    ...(plant === null ? [] : [`-D${plant.toUpperCase()}`]),
  ];
}

/** Reads the counts off what a verifier printed. @throws Error when it did not see everything */
export function countsOf(report: string): Counts {
  const number = (pattern: RegExp): number => {
    const found = pattern.exec(report)?.[1];
    if (found === undefined) throw new Error(`SPIN printed no ${pattern}:\n${report}`);
    return Number(found);
  };
  if (/max search depth too small|reached -DMEMLIM|out of memory/.test(report)) {
    throw new Error(`SPIN did not see everything:\n${report}`);
  }
  return {
    states: number(/(\d+) states, stored/),
    // The initial state counts as one.
    transitions: number(/(\d+) transitions/) - 1,
    deadlocks: number(/errors: (\d+)/),
    ends: [...new Set([...report.matchAll(/^end (.*)$/gm)].map(([, tuple]) => tuple!))].sort(),
  };
}

/** Counts of SPIN, from a fresh build. */
export function verified(each: Combination, hashBits = 18): Counts {
  // What is compiled in a second runs in a tenth of one: only the search of all tasks is worth an optimiser.
  const pan = buildPan(PML, [...definesOf(each), '-DTUPLES'], [each === ALL ? '-O2' : '-O0']);
  try {
    return countsOf(pan.run(`-w${hashBits}`));
  } finally {
    pan.remove();
  }
}
