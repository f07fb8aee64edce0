/**
 * What random scripts have shown, counted: how many of what were run, on which volumes, and how many differed. Kept in
 * a file it grows from run to run, and says with which seed to go on.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { mountLabel } from '../../scenario/schema.ts';
import { UsageError } from '../errors.ts';
import type { RandomOutcome } from './random.ts';

const count = z.int().nonnegative();
const counts = z.record(z.string(), count);

const tallySchema = z.strictObject({
  /** Of every kernel that was asked. */
  kernels: z.array(z.string()),
  /** First and last seed of each run in one piece. */
  seeds: z.array(z.tuple([count, count])),
  scripts: count,
  /** Scripts that could not be run on one of the two, and were not compared. */
  refused: count,
  differing: count,
  lines: count,
  /** Lines that the kernel answered with an error. */
  errors: count,
  /** Lines by verb. */
  verbs: counts,
  /** Scripts by image and mount. */
  volumes: counts,
});

export type Tally = z.infer<typeof tallySchema>;

export const emptyTally = (): Tally => ({
  kernels: [],
  seeds: [],
  scripts: 0,
  refused: 0,
  differing: 0,
  lines: 0,
  errors: 0,
  verbs: {},
  volumes: {},
});

/** Adds one script to the tally. */
export function tallyOutcome(tally: Tally, outcome: RandomOutcome): void {
  const { seed, ground, script, kernel, errors, refused, differences } = outcome;
  const last = tally.seeds.at(-1);
  if (last !== undefined && last[1] === seed - 1) last[1] = seed;
  else tally.seeds.push([seed, seed]);
  tally.scripts++;
  if (kernel !== undefined && !tally.kernels.includes(kernel)) tally.kernels.push(kernel);
  if (refused !== undefined) {
    tally.refused++;
    return;
  }
  if (differences.length > 0) tally.differing++;
  tally.lines += script.length;
  tally.errors += errors;
  const more = (table: Record<string, number>, key: string): void => {
    table[key] = (table[key] ?? 0) + 1;
  };
  for (const { command } of script) more(tally.verbs, command.verb);
  more(tally.volumes, `${ground.image.file.replace('.img.gz', '')} ${mountLabel(ground.mount)}`);
}

/** @throws UsageError for a file that is no tally */
export function readTally(file: string): Tally {
  if (!existsSync(file)) return emptyTally();
  const broken = (why: string): never => {
    throw new UsageError(`${file} is not a tally: ${why}`);
  };
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (problem) {
    return broken((problem as Error).message);
  }
  const read = tallySchema.safeParse(json);
  return read.success ? read.data : broken(read.error.issues[0]!.message);
}

export function writeTally(file: string, tally: Tally): void {
  const sorted = (table: Record<string, number>): Record<string, number> =>
    Object.fromEntries(Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1)));
  const kept = { ...tally, verbs: sorted(tally.verbs), volumes: sorted(tally.volumes) };
  writeFileSync(file, `${JSON.stringify(kept, null, 2)}\n`);
}
