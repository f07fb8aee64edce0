/**
 * A search as a page asks a worker for it: plain data there and back. What stops it is the caller's.
 */
import { type CrashCell, crashCell } from '../compare/crash.ts';
import { type Cell, raceCell } from '../compare/race.ts';
import type { Design } from '../designs/design.ts';
import { CLAIM_DESIGNS } from '../designs/drawn.ts';
import { designById } from '../designs/index.ts';
import type { LockOrderData } from '../locks/lockdep.ts';
import { makeVolume } from '../scenario/image.ts';
import { mountLabel, readScenario } from '../scenario/schema.ts';
import { Image } from '../volume/image.ts';

export interface SearchJob {
  readonly id: number;
  /** The scenario's JSON. */
  readonly text: string;
  readonly file: string;
  /** The image's bytes; null: the scenario says mkfs. */
  readonly image: Uint8Array | null;
  readonly design: string;
  /** Label. */
  readonly mount: string;
  /** Most preemptions; null: as the scenario says. */
  readonly preemptions: number | null;
  /** Most seconds; null: no limit. */
  readonly seconds: number | null;
  /** Power failures instead of schedules. */
  readonly power: boolean;
  /** The order of locks too. */
  readonly lockdep: boolean;
  /** Set to 1 by the page: the search ends. Null where memory cannot be shared. */
  readonly stop: Int32Array | null;
}

export interface SearchResult {
  readonly cell: Cell | CrashCell;
  readonly lockOrder: LockOrderData | null;
}

export type SearchAnswer =
  | { readonly id: number; readonly states: number }
  | { readonly id: number; readonly result: SearchResult }
  | { readonly id: number; readonly error: { readonly name: string; readonly message: string } };

/** Bundled, or one that only claims use. */
export const anyDesign = (id: string): Design | undefined =>
  designById(id) ?? CLAIM_DESIGNS.find((design) => design.id === id);

/**
 * @param watch  polled: true ends the search; told the states seen so far
 * @throws       ScenarioError, BadImage: what is wrong with the scenario or its image
 */
export function runSearch(job: SearchJob, watch: (states: number) => boolean): SearchResult {
  const scenario = readScenario(job.text, job.file);
  const design = anyDesign(job.design);
  if (design === undefined) throw new Error(`no design ${job.design}`);
  const mount = scenario.mounts.find((each) => mountLabel(each) === job.mount);
  if (mount === undefined) throw new Error(`${scenario.name} has no mount ${job.mount}`);
  const spec = scenario.image;
  const image = 'mkfs' in spec ? makeVolume(spec.mkfs, job.file) : Image.load(job.image ?? new Uint8Array());
  let states = 0;
  const options = {
    lockdep: job.lockdep,
    ...(job.preemptions === null ? {} : { preemptions: job.preemptions }),
    stop: () => watch(states),
    onProgress: (seen: number) => {
      states = seen;
    },
  };
  if (job.power) return { cell: crashCell(scenario, image, design, mount, options).cell, lockOrder: null };
  const { cell, lockOrder } = raceCell(scenario, image, design, mount, options);
  return { cell, lockOrder };
}
