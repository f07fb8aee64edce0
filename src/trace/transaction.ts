/**
 * Transactions and traces: what the recording world publishes.
 *
 * A Transaction is one atomic step: who, in which kernel functions, what it read and wrote, what it emitted, the
 * state before and after. A Trace is the list of them from a start state. States share structure; a trace of 200
 * steps over an 8 MiB volume is some hundred kilobytes.
 */
import type { Patch } from 'immer';
import type { Kernel } from '../kernel.ts';
import { lockEffect } from '../locks/lock.ts';
import { type Standing, waitForCycle } from '../sched/deadlock.ts';
import { Machine, type StepInfo, type TaskSpec } from '../sched/machine.ts';
import type { Effect, LockEffect } from '../state/effects.ts';
import type { Access, FieldChange, RecordingWorld } from '../state/recording.ts';
import type { Snapshot } from '../state/world.ts';
import { ForgottenYield } from '../task.ts';

export interface Transaction {
  /** 0-based position in the trace. */
  readonly step: number;
  /** Task number, and its lane's name. */
  readonly task: number;
  readonly lane: string;
  /** `step`, `lock`, `unlock`, … */
  readonly kind: string;
  readonly label: string;
  /** Open kernel functions, outermost first: the scenario line, then the functions. */
  readonly stack: readonly string[];
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly effects: readonly Effect[];
  readonly reads: readonly Access[];
  readonly changes: readonly FieldChange[];
  readonly patches: readonly Patch[];
  readonly inverse: readonly Patch[];
}

export interface Trace {
  readonly lanes: readonly string[];
  readonly start: Snapshot;
  readonly steps: readonly Transaction[];
  readonly end: Snapshot;
  /** Digest of the end state, 16 hex digits. */
  readonly digest: string;
  /** Tasks that did not finish: a deadlock or a halted machine. */
  readonly unfinished: readonly number[];
  /** Tasks are unfinished, nobody can run and no BUG_ON has ended it; else null. */
  readonly deadlock: Deadlock | null;
}

export interface Deadlock {
  /** Who waits for whom, in one sentence a task. */
  readonly text: string;
  readonly waits: readonly Wait[];
}

/** A step that a task will never take. */
export interface Wait {
  readonly task: number;
  readonly label: string;
  readonly stack: readonly string[];
  /** The lock that it is for, as effects name it; null for something else. */
  readonly lock: Pick<LockEffect, 'lock' | 'instance'> | null;
}

/** Says who goes next, given who may; null stops the run. `next` tells the step that a task would take. */
export type Choose = (
  runnable: readonly number[],
  step: number,
  next: (task: number) => StepInfo | null,
) => number | null;

/**
 * Runs tasks over a recording world, one transaction a step.
 * @param choose  the schedule
 * @throws        ForgottenYield naming the line: the steps are run again to find it
 */
export function record(world: RecordingWorld, k: Kernel, specs: readonly TaskSpec[], choose: Choose): Trace {
  const start = world.root;
  const taken: number[] = [];
  try {
    return recorded(world, k, specs, (runnable, step, next) => {
      const task = choose(runnable, step, next);
      if (task !== null) taken.push(task);
      return task;
    });
  } catch (error) {
    k.tracker.pending = null;
    if (!(error instanceof ForgottenYield)) throw error;
    world.jump(start);
    k.tracker.sites = true;
    try {
      recorded(world, k, specs, (_, step) => taken[step] ?? null);
    } finally {
      k.tracker.sites = false;
      k.tracker.pending = null;
    }
    throw error;
  } finally {
    k.sink.listen = null;
  }
}

function recorded(world: RecordingWorld, k: Kernel, specs: readonly TaskSpec[], choose: Choose): Trace {
  const start = world.root;
  const steps: Transaction[] = [];
  let effects: Effect[] = [];
  k.sink.listen = (effect) => effects.push(effect);
  const machine = new Machine(k, specs, ({ task, request, stack }, body) => {
    effects = [];
    const { value, before, after, reads, changes, patches, inverse } = world.step(body);
    steps.push({
      step: steps.length,
      task,
      lane: specs[task]!.name,
      kind: request.kind,
      label: request.label,
      stack,
      before,
      after,
      effects,
      reads,
      changes,
      patches,
      inverse,
    });
    return value;
  });
  const next = (task: number): StepInfo | null => machine.next(task);
  for (;;) {
    const runnable = machine.runnable();
    if (runnable.length === 0) break;
    const task = choose(runnable, steps.length, next);
    if (task === null) break;
    machine.resume(task);
  }
  const unfinished = specs.flatMap((_, task) => (machine.finished(task) ? [] : [task]));
  const isStuck = unfinished.length > 0 && !k.sb.halted && machine.runnable().length === 0;
  return {
    lanes: specs.map((spec) => spec.name),
    start,
    steps,
    end: world.root,
    digest: world.digest(),
    unfinished,
    deadlock: isStuck ? deadlockOf(k, machine.standing()) : null,
  };
}

function deadlockOf(k: Kernel, tasks: readonly Standing[]): Deadlock {
  return {
    text: waitForCycle(k, tasks),
    waits: tasks.flatMap(({ request, stack }, task) => {
      if (request === null) return [];
      const lock = request.lock === null ? null : lockEffect('queue', request.lock, request.mode);
      return [{ task, label: request.label, stack, lock }];
    }),
  };
}
