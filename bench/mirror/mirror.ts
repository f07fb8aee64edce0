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
import { type Plant, prepare, specsOf, tuplesInto } from './protocol.ts';

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
  combination('MPJU'),
  combination('WM', 'abba'),
  combination('WMTP', 'abba'),
  combination('WMJ', 'inverted'),
  combination('WMTJ', 'inverted'),
  combination('WM', 'recursive'),
  combination('WMPV', 'recursive'),
];

/** All tasks at once: what speed is measured on. */
export const ALL: Combination = combination('WMTPRVJU');
