/**
 * A failure with nothing to spare: lines of the scenario are left out as long as some schedule still breaks the
 * invariant. What is left is 1-minimal: without any one of its lines, or one of its lanes, every schedule keeps it.
 *
 *   lanes, longest tail first ─▶ lines of lanes ─▶ after ─▶ setup          and again, until nothing goes
 *
 * A scenario that cannot be run any more (a line whose open is gone) does not break anything.
 */
import type { Design } from '../designs/design.ts';
import { exhaustive } from '../explore/exhaustive.ts';
import { StepError } from '../explore/walk.ts';
import { INVARIANTS } from '../invariants/index.ts';
import type { Line } from '../scenario/ast.ts';
import { ScenarioError } from '../scenario/error.ts';
import type { MountOption } from '../scenario/image.ts';
import type { Scenario, ScenarioFile } from '../scenario/schema.ts';
import { startSession } from '../scenario/session.ts';
import type { Image } from '../volume/image.ts';

export interface MinimalOptions {
  /** Most transitions of one search. */
  readonly budget?: number;
  /** Polled: true gives what there is. */
  readonly stop?: () => boolean;
}

const DEFAULT_BUDGET = 5_000_000;

/** Does some schedule break it? A scenario that cannot be run breaks nothing. */
export function breaks(
  scenario: Scenario,
  image: Image,
  design: Design,
  mount: readonly MountOption[],
  invariant: string,
  { budget = DEFAULT_BUDGET, stop = () => false }: MinimalOptions = {},
): boolean {
  try {
    const { k, world, specs } = startSession(scenario, image, design, mount);
    const invariants = INVARIANTS.filter(({ id }) => id === invariant);
    const search = (stopAtFirst: boolean): readonly string[] =>
      exhaustive({ k, world, specs, invariants }, { budget, stop, stopAtFirst, graph: false }).found.map(
        (each) => each.invariant,
      );
    const first = search(true);
    // A deadlock that came first is not what was asked for.
    return first.length > 0 && (first.includes(invariant) || search(false).includes(invariant));
  } catch (error) {
    const cause = error instanceof StepError ? error.cause : error;
    if (cause instanceof ScenarioError) return false;
    throw error;
  }
}

/**
 * @param invariant  one that some schedule of the scenario breaks
 * @returns          the scenario with the lines that it takes
 */
export function minimalScenario(
  scenario: Scenario,
  ...how: [Image, Design, readonly MountOption[], string, MinimalOptions?]
): Scenario {
  let least = scenario;
  for (let smaller: Scenario | undefined = least; smaller !== undefined; ) {
    least = smaller;
    smaller = undefined;
    for (const tried of smallerOnes(least)) {
      if (!breaks(tried, ...how)) continue;
      smaller = tried;
      break;
    }
  }
  return least;
}

/** Every scenario with one thing less: a lane, or a line. */
export function* smallerOnes(scenario: Scenario): Generator<Scenario> {
  const { lanes, setup, after } = scenario;
  // Lanes that are threads name each other by number.
  if (lanes.length > 1 && lanes.every(({ mm }) => mm === undefined))
    for (let i = lanes.length - 1; i >= 0; i--) yield { ...scenario, lanes: lanes.toSpliced(i, 1) };
  for (const [i, lane] of lanes.entries())
    for (const lines of without(lane.lines)) yield { ...scenario, lanes: lanes.with(i, { ...lane, lines }) };
  for (const lines of without(after)) yield { ...scenario, after: lines };
  for (const lines of without(setup)) yield { ...scenario, setup: lines };
}

function* without(lines: readonly Line[]): Generator<readonly Line[]> {
  for (let i = lines.length - 1; i >= 0; i--) yield lines.toSpliced(i, 1);
}

/** The scenario as a file, for one mount and without verdicts. */
export function scenarioFile(scenario: Scenario, mount: readonly MountOption[]): ScenarioFile {
  const { name, question, freeBlocks, dirtyLimit, setup, lanes, after } = scenario;
  const texts = (lines: readonly Line[]): string[] => lines.map(({ text }) => text);
  const hasFlusher = lanes.some(({ lines }) => lines.some(({ command }) => command.verb === '@flusher'));
  const processes = new Map<number, string[]>();
  for (const lane of lanes)
    if (lane.mm !== undefined) processes.set(lane.mm, [...(processes.get(lane.mm) ?? []), lane.name]);
  return {
    name,
    question,
    image: structuredClone(scenario.image) as ScenarioFile['image'],
    mount: [...mount],
    ...(freeBlocks === null ? {} : { freeBlocks }),
    ...(dirtyLimit === null || !hasFlusher ? {} : { dirtyLimit }),
    ...(setup.length === 0 ? {} : { setup: texts(setup) }),
    tasks: Object.fromEntries(lanes.map((lane) => [lane.name, texts(lane.lines)])),
    ...(processes.size === 0 ? {} : { threads: [...processes.values()] }),
    ...(after.length === 0 ? {} : { after: texts(after) }),
  };
}
