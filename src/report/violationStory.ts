/** The story of one violation: what led there as a diagram, what broke, and the line that replays it. */
import { tokenOf, type Violation } from '../compare/race.ts';
import type { Trace } from '../trace/transaction.ts';
import type { Diagram } from './cpuDiagram.ts';
import { storyOf } from './story.ts';

/** What a run is a run of, as tokens name it. */
export interface RunNames {
  readonly scenario: string;
  readonly design: string;
  readonly mount: string;
}

/** @param trace  of the violation's schedule, and of what follows it */
export function violationStory(
  trace: Trace,
  { scenario, design, mount }: RunNames,
  { invariant, message, schedule, steps }: Omit<Violation, 'preemptions'>,
): Diagram {
  return storyOf(trace, {
    title: `${scenario}: ${design} (${mount}) breaks ${invariant}`,
    footer: `${message}\n$ npm run ext4lab -- replay '${tokenOf(scenario, design, mount, schedule)}'`,
    upTo: Math.max(0, Math.min(steps, trace.steps.length) - 1),
    broken: invariant,
  });
}
