/** Comparisons of bundled scenarios, for the tests of what is shown of them. */
import { imageOf } from '../../src/cli/images.ts';
import { loadScenarios } from '../../src/cli/scenarioFiles.ts';
import { designById } from '../../src/designs/index.ts';
import { parseSchedule } from '../../src/explore/schedule.ts';
import type { MountOption } from '../../src/scenario/image.ts';
import { type Comparison, compare } from '../../src/viewer/comparison.ts';

export interface Asked {
  readonly scenario: string;
  readonly designs: readonly string[];
  readonly schedule?: string;
  readonly medium?: number;
  readonly mount?: readonly MountOption[];
}

/** The schedule is of the first design. */
export function compared({ scenario: name, designs, schedule, medium, mount }: Asked): Comparison {
  const [scenario] = loadScenarios([name]);
  return compare({
    scenario: scenario!,
    image: imageOf(scenario!),
    mount: mount ?? scenario!.mounts[0]!,
    designs: designs.map((id) => designById(id)!),
    schedule: schedule === undefined ? null : parseSchedule(schedule),
    of: designs[0]!,
    crash: medium === undefined ? null : { medium },
  });
}

/** The kernel's BUG of one store and one small write, beside three designs that do not have it. */
export const bug = (): Comparison =>
  (known ??= compared({
    scenario: 'small-write-beside-store',
    designs: ['mkwrite-convert', 'defer', 'decision-pinning', 'page-cache-convert'],
    schedule: 'A29B23A10B2',
  }));
let known: Comparison | undefined;
