/**
 * Designs side by side on one schedule: what the compare view shows, without a page.
 *
 *   base design   its schedule, recorded ──┬─▶ run ─┐
 *   other design  follows the switches ────┴─▶ run ─┴─▶ rows: the same place of each in one row
 *
 * Everything that a view asks of a single step is computed when it asks.
 */
import { crashToken } from '../compare/crash.ts';
import { tokenOf } from '../compare/race.ts';
import { Crasher } from '../crash/crash.ts';
import { DEFAULT_MEDIA, media } from '../crash/media.ts';
import type { Design } from '../designs/design.ts';
import { formatSchedule } from '../explore/schedule.ts';
import type { Kernel } from '../kernel.ts';
import { type CrashEnd, crashEnd } from '../report/crashText.ts';
import type { MountOption } from '../scenario/image.ts';
import { type RunResult, runSession } from '../scenario/run.ts';
import { mountLabel, type Scenario } from '../scenario/schema.ts';
import { recordingKernel, type Session, startSession } from '../scenario/session.ts';
import type { Snapshot } from '../state/world.ts';
import type { Choose, Transaction } from '../trace/transaction.ts';
import type { Image } from '../volume/image.ts';
import { type AlignedRow, align } from './align.ts';
import { type Divergence, follow } from './follow.ts';
import { type Place, placesOf } from './place.ts';

export interface CompareInput {
  readonly scenario: Scenario;
  readonly image: Image;
  readonly mount: readonly MountOption[];
  /** In the order of the columns. */
  readonly designs: readonly Design[];
  /** Null: the lowest lane that can run always goes on. */
  readonly schedule: readonly number[] | null;
  /** Id of the design that the schedule was found under, one of `designs`; the others follow it as far as they can. */
  readonly of: string;
  /** Power fails when the schedule is used up, or everything has ended; which medium it leaves under `of`. */
  readonly crash?: { readonly medium: number } | null;
}

/** Something that a step broke, or that ends a run. */
export interface Mark {
  /** `bug-on`, `warn-on`, `error`, `lock`: the kernel says it; `invariant`, `deadlock`, `crash`: we do. */
  readonly kind: string;
  readonly id: string;
  readonly step: number;
  readonly message: string;
}

/** Power fails after the last step of a run. */
export interface CrashOutcome {
  /** Number of the medium that is shown, among all that a power failure there may leave. */
  readonly medium: number;
  readonly media: number;
  readonly token: string;
  readonly end: CrashEnd;
}

/** One design's run. */
export interface DesignRun {
  readonly design: Design;
  readonly mount: string;
  readonly session: Session;
  readonly result: RunResult;
  readonly steps: readonly Transaction[];
  readonly places: readonly Place[];
  /** Row of each step. */
  readonly rowOf: readonly number[];
  /** What was broken, in the order of steps. */
  readonly marks: readonly Mark[];
  /** Where it could not go as the base went. */
  readonly divergences: readonly Divergence[];
  readonly crash: CrashOutcome | null;
  /** What the command line replays this run by. */
  readonly token: string;
  /** A kernel to look at a state of this run with; it is another state's at the next call. */
  readonly at: (state: Snapshot) => Kernel;
}

export interface Comparison {
  readonly scenario: string;
  readonly question: string;
  readonly mount: string;
  readonly of: string;
  /** The schedule as text; `-` when there is none. */
  readonly schedule: string;
  readonly lanes: readonly string[];
  readonly runs: readonly DesignRun[];
  readonly rows: readonly AlignedRow[];
  /** Rows in which something breaks, ascending. */
  readonly markedRows: readonly number[];
}

/**
 * @throws ScheduleMismatch when the schedule cannot be followed under `of`; ScenarioError as `startSession`
 */
export function compare(input: CompareInput): Comparison {
  const { designs, of, schedule, scenario } = input;
  const base = designs.find((design) => design.id === of);
  if (base === undefined) throw new RangeError(`the schedule is of ${of}, which is not compared`);
  const crash = input.crash ?? null;
  const lead = ran(input, base, () => ({ choose: schedule, divergences: [] }));
  const switches = schedule === null ? [] : lead.steps.slice(0, schedule.length);
  const runs = designs.map((design) =>
    design === base
      ? lead
      : ran(input, design, (session) => follow(session, switches, crash !== null && schedule !== null)),
  );
  const rows = align(runs.map(({ places }) => places.map(({ key }) => key)));
  rows.forEach((row, at) => {
    row.forEach((step, run) => {
      if (step !== null) runs[run]!.rowOf[step] = at;
    });
  });
  const marked = new Set(
    runs.flatMap(({ marks, rowOf }) => marks.flatMap(({ step }) => (step < 0 ? [] : [rowOf[step]!]))),
  );
  return {
    scenario: scenario.name,
    question: scenario.question,
    mount: mountLabel(input.mount),
    of,
    schedule: formatSchedule(schedule ?? []),
    lanes: lead.session.specs.map(({ name }) => name),
    runs,
    rows,
    markedRows: [...marked].sort((a, b) => a - b),
  };
}

type Ran = DesignRun & { readonly rowOf: number[] };

function ran(
  input: CompareInput,
  design: Design,
  lead: (session: Session) => {
    readonly choose: readonly number[] | Choose | null;
    readonly divergences: readonly Divergence[];
  },
): Ran {
  const powerFails = input.crash != null;
  const session = startSession(input.scenario, input.image, design, input.mount, powerFails);
  const { choose, divergences } = lead(session);
  const result = runSession(session, choose, powerFails && input.schedule !== null);
  const { steps, end } = result.trace;
  const { world, k } = recordingKernel(session);
  const at = (state: Snapshot): Kernel => {
    world.jump(state);
    return k;
  };
  const mount = mountLabel(input.mount);
  const crash =
    input.crash == null
      ? null
      : crashOf(input, design.id === input.of ? input.crash.medium : null, session, result, at(end));
  return {
    design,
    mount,
    session,
    result,
    steps,
    places: placesOf(steps),
    rowOf: [],
    marks: marksOf(result, crash),
    divergences,
    crash,
    token:
      crash?.token ?? tokenOf(input.scenario.name, design.id, mount, formatSchedule([...result.schedule])),
    at,
  };
}

/** @param wanted  number of the medium; null: the first that breaks something */
function crashOf(
  { scenario, mount }: CompareInput,
  wanted: number | null,
  session: Session,
  { trace, schedule }: RunResult,
  k: Kernel,
): CrashOutcome {
  const crasher = new Crasher(session);
  const { media: list } = media(k, DEFAULT_MEDIA);
  const failure = wanted === null ? Object.values(crasher.examine(k)).find((each) => each !== null) : null;
  const number = wanted ?? failure?.medium.number ?? 0;
  const medium = list[number];
  if (medium === undefined)
    throw new RangeError(
      `a power failure there leaves ${list.length} media, 0 to ${list.length - 1}, not ${number}`,
    );
  const outcome = crasher.outcome(k, medium);
  return {
    medium: number,
    media: list.length,
    token: crashToken(
      scenario.name,
      session.design.id,
      mountLabel(mount),
      formatSchedule([...schedule]),
      number,
    ),
    end: crashEnd(trace, trace.steps.length, medium, outcome),
  };
}

function marksOf({ findings, trace }: RunResult, crash: CrashOutcome | null): Mark[] {
  const last = trace.steps.length - 1;
  const marks: Mark[] = [...findings];
  if (trace.deadlock !== null)
    marks.push({ kind: 'deadlock', id: 'no-deadlock', step: last, message: trace.deadlock.text });
  for (const [id, message] of crash?.end.broken ?? [])
    marks.push({ kind: 'crash', id, step: last, message: `after recovery: ${message}` });
  return marks;
}
