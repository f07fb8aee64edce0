/**
 * The same schedule under another design. Designs take different steps, so what is followed is not the number of steps
 * but the places where lanes were switched: a lane goes on until it has taken the step after which the other run
 * switched, or stands before one that comes later there.
 *
 *     other run   A A A A │ B B B │ A …       switched after A's 4th step, which is `down_write` in `pwrite`
 *     this run    A A A A A │ B B │ A …       one step more to the same place; B has no third step, and is left before the next
 *
 * Where the design does not come to the place at all, the lane is switched at the last step before it that both have:
 * a trial shows which those are. A lane that cannot go on is left where it waits. When the switches are used up the
 * lowest lane that can run goes on.
 */

import { flatKernel, type Session } from '../scenario/session.ts';
import { Machine, type StepInfo } from '../sched/machine.ts';
import type { Choose } from '../trace/transaction.ts';
import { Places, placesOf, type Step } from './place.ts';

/** Where a run could not be led as the other one went. */
export interface Divergence {
  /** Steps that were taken before. */
  readonly step: number;
  readonly task: number;
  readonly text: string;
}

export interface Follower {
  readonly choose: Choose;
  /** In the order in which they were noticed. */
  readonly divergences: readonly Divergence[];
}

interface Trial extends Follower {
  /** Places that the run came to. */
  readonly came: ReadonlySet<string>;
}

/** A run of one lane, up to a switch. */
interface Segment {
  readonly task: number;
  /** The step after which the lane is left: among the steps of the lane in the other run, from 0. */
  readonly target: number;
  /** The line that it belongs to. */
  readonly line: number;
  readonly last: Step;
  /** The step after which the other run switched, when this design does not come to it. */
  readonly missing: Step | null;
}

interface Plan {
  readonly segments: readonly Segment[];
  /** Of each lane, where among its steps in the other run a place stands. */
  readonly order: readonly ReadonlyMap<string, number>[];
}

/** Trials of a run: each may come to other places than the one before. */
const TRIALS = 3;

/**
 * @param session  of the design that follows, in its start state
 * @param base     steps of the run to follow, up to where its schedule ends
 * @param stops    nobody goes on when the switches are used up
 */
export function follow(session: Session, base: readonly Step[], stops = false): Follower {
  let plan = planOf(base, session.specs.length, null);
  for (let trial = 0; trial < TRIALS; trial++) {
    const { came, divergences } = tried(session, follower(session, plan, stops));
    if (divergences.length === 0) break;
    const next = planOf(base, session.specs.length, came);
    const same = next.segments.every(({ target }, at) => target === plan.segments[at]!.target);
    plan = next;
    // Another trial would go the same way.
    if (same) break;
  }
  return follower(session, plan, stops);
}

/** A run that nobody records. */
function tried(session: Session, leader: Trial): Trial {
  const machine = new Machine(flatKernel(session).k, session.specs);
  const next = (task: number): StepInfo | null => machine.next(task);
  for (let step = 0; ; step++) {
    const runnable = machine.runnable();
    const task = runnable.length === 0 ? null : leader.choose(runnable, step, next);
    if (task === null) return leader;
    machine.resume(task);
  }
}

function follower({ specs }: Session, { order, segments }: Plan, stops: boolean): Trial {
  const lanes = specs.map(({ name }) => name);
  const places = new Places();
  const reached = lanes.map(() => -1);
  const divergences: Divergence[] = [];
  let at = 0;

  const came = new Set<string>();
  const choose: Choose = (runnable, step, next) => {
    const go = (task: number, to: Step): number => {
      const { key } = places.take(to);
      came.add(key);
      reached[task] = Math.max(reached[task]!, order[task]!.get(key) ?? -1);
      return task;
    };
    for (; at < segments.length; at++) {
      const { task, target, line, last, missing } = segments[at]!;
      const lane = lanes[task]!;
      const leave = (text: string): unknown => divergences.push({ step, task, text: `${lane} ${text}` });
      if (reached[task]! >= target) {
        if (missing !== null)
          leave(`does not come to ${nameOf(missing)} here: it is left after ${nameOf(last)}`);
        continue;
      }
      const info = next(task);
      if (info === null) {
        leave(`has ended without ${nameOf(missing ?? last)}`);
        continue;
      }
      const pending = stepOf(info);
      const place = places.next(pending);
      if ((order[task]!.get(place.key) ?? -1) > target || place.line > line) {
        leave(`has no ${nameOf(missing ?? last)} here: it is left before ${nameOf(pending)}`);
        continue;
      }
      if (!runnable.includes(task)) {
        leave(`waits at ${nameOf(pending)}, before ${nameOf(missing ?? last)}`);
        continue;
      }
      return go(task, pending);
    }
    const [lowest] = runnable as [number];
    return stops ? null : go(lowest, stepOf(next(lowest)!));
  };
  return { choose, divergences, came };
}

/** @param known  places that this design comes to; null: as far as is known, all */
function planOf(base: readonly Step[], lanes: number, known: ReadonlySet<string> | null): Plan {
  const order = Array.from({ length: lanes }, () => new Map<string, number>());
  /** By lane, the last step that the design comes to as well. */
  const shared: (Segment | undefined)[] = [];
  const segments: Segment[] = [];
  placesOf(base).forEach(({ task, line, key }, step) => {
    const own = order[task]!;
    const here: Segment = { task, target: own.size, line, last: base[step]!, missing: null };
    own.set(key, own.size);
    if (known === null || known.has(key)) shared[task] = here;
    const found = shared[task];
    const segment: Segment =
      found === here
        ? here
        : found === undefined
          ? { ...here, target: -1 }
          : { ...found, missing: here.last };
    if (segments.at(-1)?.task === task) segments[segments.length - 1] = segment;
    else segments.push(segment);
  });
  return { order, segments };
}

const stepOf = ({ task, request, stack }: StepInfo): Step => ({ task, label: request.label, stack });

const nameOf = ({ label, stack }: Step): string =>
  stack.length > 1 && stack.at(-1) !== label ? `'${label}' in ${stack.at(-1)}` : `'${label}'`;
