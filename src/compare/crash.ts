/**
 * Power failure in the race: one design on one scenario, searched with the invariants of `crash/` alone. The lanes are
 * those of the scenario up to its first `@crash`: here power fails everywhere.
 */
import { Crasher, type CrashInvariantId, type CrashOptions, type Failure } from '../crash/crash.ts';
import type { Design } from '../designs/design.ts';
import { type Exploration, explore } from '../explore/explore.ts';
import type { Cut } from '../explore/part.ts';
import { parseSchedule, runsOf } from '../explore/schedule.ts';
import { MAX_STEPS, type Subject } from '../explore/subject.ts';
import { Walk } from '../explore/walk.ts';
import type { Kernel } from '../kernel.ts';
import type { MountOption } from '../scenario/image.ts';
import { runSession } from '../scenario/run.ts';
import { mountLabel, type Scenario } from '../scenario/schema.ts';
import { flatKernel, type Session, startSession } from '../scenario/session.ts';
import type { Trace } from '../trace/transaction.ts';
import type { Image } from '../volume/image.ts';
import { type Cell, cellOf, exploreOptions, type RaceOptions, tokenOf, type Violation } from './race.ts';

export interface CrashReach {
  /** Power failures tried: media over all states of all schedules. */
  readonly failures: number;
  /** Different media among them, each recovered once. */
  readonly media: number;
  /** Every choice of whole blocks was tried; false: past the limit, one block at a time. */
  readonly all: boolean;
}

export interface CrashCell extends Cell {
  readonly crash: CrashReach;
}

export interface CrashCellOptions extends RaceOptions, CrashOptions {
  /** `one`: only the schedule in which the lowest lane always goes on. Default `all`. */
  readonly which?: 'one' | 'all';
}

/** The scenario as a power failure finds it: its lanes end before an `@crash`. */
export function startCrashSession(
  scenario: Scenario,
  image: Image,
  design: Design,
  mount: readonly MountOption[],
): Session {
  return startSession(scenario, image, design, mount, true);
}

export function crashCell(
  scenario: Scenario,
  image: Image,
  design: Design,
  mount: readonly MountOption[],
  options: CrashCellOptions = {},
): { cell: CrashCell; session: Session; crasher: Crasher; cut: Cut | null } {
  const session = startCrashSession(scenario, image, design, mount);
  const crasher = new Crasher(session, {
    ...(options.limit === undefined ? {} : { limit: options.limit }),
    ...(options.torn === undefined ? {} : { torn: options.torn }),
    onMedium: options.onMedium,
  });
  const { k, world, specs } = session;
  const subject = { k, world, specs, invariants: crasher.invariants };
  const result =
    options.which === 'one' ? oneSchedule(subject) : explore(subject, exploreOptions(scenario, options));
  const violations = result.violations.filter(({ invariant }) => invariant !== 'no-deadlock');
  const found = {
    ...result,
    violations,
    verdict:
      result.verdict === 'violates' && violations.length === 0 ? held(result.reach.complete) : result.verdict,
  };
  const cell = cellOf(scenario, design, mountLabel(mount), found, session.k.reached, crasher.invariants);
  return {
    cell: {
      ...cell,
      ...token(cell),
      crash: { failures: crasher.states, media: crasher.media, all: crasher.all },
    },
    session,
    crasher,
    cut: result.cut,
  };
}

/** The schedule in which the lowest lane always goes on, and what it breaks first. */
function oneSchedule(subject: Subject): Exploration {
  const walk = new Walk(subject);
  return walk.search(() => {
    const schedule: number[] = [];
    const found = new Map<string, { message: string; steps: number }>();
    let can = walk.runnable();
    for (;;) {
      for (const { id, check } of subject.invariants) {
        const message = found.has(id) ? null : check(walk.k);
        if (message !== null) found.set(id, { message, steps: schedule.length });
      }
      if (can === 0 || schedule.length >= MAX_STEPS) break;
      const task = 31 - Math.clz32(can & -can);
      walk.step(task);
      schedule.push(task);
      can = walk.runnable();
    }
    const violations = [...found].map(([invariant, { message, steps }]) => ({
      invariant,
      message,
      schedule: schedule.slice(0, steps),
      preemptions: 0,
      switches: Math.max(0, runsOf(schedule.slice(0, steps)).length - 1),
      steps,
    }));
    const states = schedule.length + 1;
    return {
      verdict: violations.length > 0 ? 'violates' : 'inconclusive',
      violations,
      reach: {
        strategy: 'one',
        preemptions: null,
        schedules: 1,
        states,
        transitions: schedule.length,
        complete: can === 0,
        reduced: false,
      },
      deadlocks: can === 0 && walk.alive !== 0 && !walk.halted ? 1 : 0,
      halted: walk.halted ? 1 : 0,
      endless: null,
      endStates: [walk.digest()],
      lockOrder: null,
      cut: null,
    };
  });
}

const held = (complete: boolean): 'holds' | 'inconclusive' => (complete ? 'holds' : 'inconclusive');

/** Where power fails after the last step. */
const POWER_FAILS = '!';

function token(cell: Cell): { token: string } | Record<string, never> {
  const { scenario, design, mount, schedule } = cell;
  return schedule === undefined ? {} : { token: crashToken(scenario, design, mount, schedule) };
}

/** As `tokenOf`, with a power failure at the end; `medium` is its number among the media of that state. */
export function crashToken(
  scenario: string,
  design: string,
  mount: string,
  schedule: string,
  medium = 0,
): string {
  return tokenOf(scenario, design, mount, `${schedule}${POWER_FAILS}${medium === 0 ? '' : medium}`);
}

/** The schedule of a token, and the medium when power fails at its end; null when it does not. */
export function splitCrash(text: string): { schedule: string; medium: number | null } {
  const match = /^(.*?)(?:!(\d{0,6}))?$/.exec(text)!;
  return { schedule: match[1]!, medium: match[2] === undefined ? null : Number(match[2]) };
}

/** A power failure that breaks something, with what led there. */
export interface CrashStory {
  readonly trace: Trace;
  readonly failure: Failure;
  /** A line for each write that did not reach the medium. */
  readonly lost: readonly string[];
}

/** What a violation of a crash cell is made of. */
export function crashStory(
  session: Session,
  crasher: Crasher,
  { invariant, schedule }: Violation,
): CrashStory {
  const { trace, k, steps } = stateAt(session, schedule);
  const failure = crasher.examine(k)[invariant as CrashInvariantId];
  if (failure === null) throw new Error(`power failure after ${schedule} does not break ${invariant}`);
  return { trace, failure, lost: lostWrites(trace, steps, failure.medium) };
}

/** Follows a schedule, and gives the state at its end for looking at. */
export function stateAt(
  session: Session,
  schedule: string,
): { readonly trace: Trace; readonly k: Kernel; readonly steps: number } {
  const lanes = session.specs.map(({ name }) => name);
  const tasks = parseSchedule(schedule, lanes);
  const { trace } = runSession(session, tasks);
  const steps = tasks.length;
  const state = steps === 0 ? trace.start : trace.steps[steps - 1]!.after;
  return { trace, k: flatKernel(session, state).k, steps };
}

/** A line for each write that is missing on a medium: block, who wrote it, why. */
export function lostWrites(trace: Trace, steps: number, medium: Failure['medium']): string[] {
  const submits = trace.steps
    .slice(0, steps)
    .flatMap(({ lane, effects }) =>
      effects.flatMap((effect) => (effect.type === 'submit' ? [{ ...effect, lane }] : [])),
    );
  const lines = medium.losses.map(({ block, torn, lost }) => {
    const writes = submits.filter((each) => each.block === block).slice(-lost);
    const who = writes.map(({ lane, why }) => `${lane}: ${why}`).join('; ');
    const what = torn === null ? 'lost' : `torn: sector ${torn.sector} alone is ${torn.is}`;
    return `block ${block} ${what} (${who === '' ? 'setup' : who})`;
  });
  const { transactions } = medium;
  if (transactions > 0)
    lines.push(
      `the last ${transactions === 1 ? 'transaction' : `${transactions} transactions`} of the log lost`,
    );
  return lines;
}
