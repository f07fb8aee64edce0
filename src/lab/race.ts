/**
 * The race from a lab's state: lanes of scenario lines, every schedule of them, one verdict per design. The same
 * engine as the command `race`; the lab itself is not touched.
 *
 * Every lane is a process of its own. What the lab's program has open and mapped stays so, by a task that does nothing.
 */
import type { Design } from '../designs/design.ts';
import { DESIGNS, designById } from '../designs/index.ts';
import { explore, type Reach, verdictText } from '../explore/explore.ts';
import { formatSchedule } from '../explore/schedule.ts';
import { INVARIANTS } from '../invariants/index.ts';
import type { Invariant } from '../invariants/invariant.ts';
import { renderCpuDiagram } from '../report/cpuDiagram.ts';
import { lockdepSplats, type Splat } from '../report/lockdep.ts';
import { storyOf } from '../report/story.ts';
import type { MountOption } from '../scenario/image.ts';
import { parseLanes } from '../scenario/lane.ts';
import { laneTask } from '../scenario/program.ts';
import { runSession } from '../scenario/run.ts';
import type { Lane } from '../scenario/schema.ts';
import { forkedLanes, makeKernel, mountOptions, startSession } from '../scenario/session.ts';
import type { TaskSpec } from '../sched/machine.ts';
import { FlatWorld } from '../state/flat.ts';
import type { Snapshot } from '../state/world.ts';
import type { Image } from '../volume/image.ts';

/** Lanes by name, in the order in which they are listed. */
export type Lanes = Readonly<Record<string, readonly string[]>>;

/** Which designs are raced, and how far. */
export interface RaceOptions {
  /** Ids, designs, or `all`; default: the lab's own. */
  readonly designs?: 'all' | readonly (string | Design)[];
  /** Other mount options: the volume is unmounted and mounted first, and nothing is open then. */
  readonly mount?: readonly MountOption[];
  /** Most preemptions in a schedule; null, the default, is every schedule. */
  readonly preemptions?: number | null;
  /** Most transitions of one search; default 20 million. */
  readonly budget?: number;
  readonly strategy?: 'exhaustive' | 'pct' | 'random';
  /** Sampling: the seed, and how many schedules. */
  readonly seed?: number;
  readonly schedules?: number;
  /** What must hold; default: everything in `INVARIANTS`. */
  readonly invariants?: readonly Invariant[];
}

/** An invariant that some schedule breaks, with the shortest such schedule. */
export interface RaceViolation {
  /** `no-deadlock` for tasks that wait for each other. */
  readonly invariant: string;
  readonly message: string;
  /** The shortest schedule that breaks it: a letter per lane, and how many steps in a row. */
  readonly schedule: string;
  readonly preemptions: number;
  readonly steps: number;
  /** The schedule as a diagram, a column per lane; computed when asked. */
  story(): string;
}

/** One design: what its schedules break, and how far the search went. */
export interface RaceCell {
  readonly design: string;
  readonly verdict: 'holds' | 'violates' | 'inconclusive';
  /** Ids of the invariants that some schedule breaks, in the order of the list. */
  readonly violates: readonly string[];
  readonly violations: readonly RaceViolation[];
  readonly reach: Reach;
  /** Digests of the states in which the lanes ended, sorted. */
  readonly endStates: readonly string[];
  /** One line, with how far the verdict reaches. */
  readonly text: string;
  /** What lockdep says of the locks of these schedules, and of waits that it does not follow. */
  readonly lockdep: readonly Splat[];
}

/** Verdicts by design: what `lab.race` gives. */
export interface Race {
  readonly lanes: readonly string[];
  readonly cells: readonly RaceCell[];
}

/** Where a race starts. */
export interface Start {
  readonly image: Image;
  readonly options: readonly MountOption[];
  readonly design: Design;
  readonly state: Snapshot;
  /** The program has files open or mapped. */
  readonly busy: boolean;
}

const DEFAULT_BUDGET = 20_000_000;

/** @param unmounted  the image that an unmount of the start state leaves; asked for when the mount options differ */
export function race(lanes: Lanes, options: RaceOptions, start: Start, unmounted: () => Image): Race {
  const lines = parseLanes(lanes);
  const parsed: Lane[] = Object.keys(lanes).map((name) => ({ name, lines: lines[name]! }));
  const { mount } = options;
  const other = mount !== undefined && mount.join() !== start.options.join();
  const image = other ? unmounted() : start.image;
  return {
    lanes: parsed.map((lane) => lane.name),
    cells: designsOf(options.designs, start.design).map((design) => {
      const { k, world, first } = other ? remounted(image, design, mount) : resumed(start, design);
      const made = forkedLanes(parsed, undefined, first.length).map((lane, i) =>
        laneTask(lane.name, lane.lines, first.length + i, false, lane.made),
      );
      const specs = [...first, ...made];
      const invariants = options.invariants ?? INVARIANTS;
      const {
        strategy = 'exhaustive',
        preemptions = null,
        budget = DEFAULT_BUDGET,
        seed,
        schedules,
      } = options;
      const result = explore(
        { k, world, specs, invariants },
        {
          ...{ strategy, preemptions, budget, lockdep: true },
          ...(seed === undefined ? {} : { seed }),
          ...(schedules === undefined ? {} : { schedules }),
        },
      );
      const violations = result.violations.map((each) =>
        withStory(
          {
            invariant: each.invariant,
            message: each.message,
            schedule: formatSchedule(each.schedule.map((task) => task - first.length)),
            preemptions: each.preemptions,
            steps: each.steps,
          },
          () => {
            const { trace } = runSession(
              { image, mount: k.mount, design, powerFails: false, world, k, specs },
              each.schedule,
            );
            return renderCpuDiagram(
              storyOf(trace, {
                title: `${design.id} breaks ${each.invariant}`,
                footer: each.message,
                upTo: Math.max(0, Math.min(each.steps, trace.steps.length) - 1),
                broken: each.invariant,
              }),
            );
          },
        ),
      );
      return {
        design: design.id,
        verdict: result.verdict,
        violates: violations.map((violation) => violation.invariant),
        violations,
        reach: result.reach,
        endStates: result.endStates,
        text: verdictText(result),
        lockdep: lockdepSplats(result.lockOrder!, `design ${design.id}`),
      };
    }),
  };
}

/** The story is no part of the answer: two answers are equal without it, and JSON does not have it. */
function withStory(violation: Omit<RaceViolation, 'story'>, story: () => string): RaceViolation {
  return Object.defineProperty(violation, 'story', { value: story }) as RaceViolation;
}

/** @throws RangeError for an id that no design has */
export function designsOf(asked: RaceOptions['designs'], own: Design): readonly Design[] {
  if (asked === 'all') return DESIGNS;
  return asked?.map((each) => (typeof each === 'string' ? designNamed(each) : each)) ?? [own];
}

/** @throws RangeError for an id that no design has */
export function designNamed(id: string): Design {
  const design = designById(id);
  if (design === undefined)
    throw new RangeError(`no design '${id}': there are ${DESIGNS.map((each) => each.id).join(', ')}`);
  return design;
}

/** The lab's state under a design; the program keeps what it has, and does nothing. */
function resumed({ image, options, state, busy }: Start, design: Design) {
  const world = new FlatWorld();
  world.restore(state);
  const k = makeKernel(world, image, mountOptions(options, image.geometry.hasJournal), design);
  const program: TaskSpec = { name: 'program', mm: 0, last: false, *program() {} };
  return { k, world, first: busy ? [program] : [] };
}

function remounted(image: Image, design: Design, mount: readonly MountOption[]) {
  const { k, world } = startSession(
    { setup: [], lanes: [], after: [], freeBlocks: null },
    image,
    design,
    mount,
  );
  return { k, world, first: [] };
}
