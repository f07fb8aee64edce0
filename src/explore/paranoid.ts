/**
 * The check of the rules that memoised requests need: a closure captures constants only, and depends on nothing but
 * records. The request of a node is
 * held against one from generators that were never used before: same kind, label, lock, readiness, and, by running
 * both on the same state, the same result and the same state after it.
 */
import { enabled, execute, STAYS } from '../sched/execute.ts';
import { hex64 } from '../state/flat.ts';
import type { Request } from '../task.ts';
import { type Node, same } from './automaton.ts';
import type { Walk } from './walk.ts';

/** A closure gave one thing when its node was found and another now. */
export class StaleClosure extends Error {
  override readonly name = 'StaleClosure';
}

/**
 * Checks the request with which `task` waits now. Leaves the state as it is.
 * @param runs  the task may take the step here: both closures are run
 */
export function checkClosure(walk: Walk, task: number, runs: boolean): Tried | null {
  const node = walk.at[task]!;
  const kept = node.request;
  if (kept === null) return null;
  const fresh = walk.automaton.fresh(node);
  const name = `${walk.automaton.names[task]}: '${kept.label}'`;
  const fail = (what: string): never => {
    throw new StaleClosure(
      `${name} ${what}. The usual cause: its closure captures a variable that is assigned later; ` +
        'capture constants only (const at = next; inside the loop)',
    );
  };
  const differs = (what: string, was: unknown, is: unknown): void => {
    if (was !== is) fail(`run again differs from a fresh one in its ${what}: ${was}, fresh ${is}`);
  };
  differs('kind', kept.kind, fresh.kind);
  differs('label', kept.label, fresh.label);
  differs('mode', kept.mode, fresh.mode);
  differs('lock', lockName(kept), lockName(fresh));
  const k = walk.automaton.kernels[task]!;
  const ready = enabled(k, kept);
  differs('readiness', ready, enabled(k, fresh));
  if (!ready || !runs) return null;
  const first = tried(walk, task, kept);
  const second = tried(walk, task, fresh);
  if (!same(first.value, second.value)) {
    fail(`run again gives ${show(first.value)}, a fresh one gives ${show(second.value)}`);
  }
  differs('effect on the state, by digest', first.digest, second.digest);
  return second;
}

/**
 * After the search has taken a step of `task` from `node`: it must have done what the closure did when it was run.
 */
export function checkStep(walk: Walk, task: number, node: Node, tried: Tried): void {
  const next = tried.value === STAYS ? node : walk.automaton.follow(node, tried.value);
  if (walk.digest() === tried.digest && walk.at[task] === next) return;
  throw new StaleClosure(
    `${walk.automaton.names[task]}: '${node.request?.label}' did one thing on a state and does another on one ` +
      'that agrees with it on every table that it touched: it reads something that is not in the state',
  );
}

/** What a step gave, and the digest of the state after it. */
export interface Tried {
  readonly value: unknown;
  readonly digest: string;
}

/** Runs a request and takes it back. */
function tried(walk: Walk, task: number, request: Request<unknown>): Tried {
  const { world } = walk;
  const { logLength } = world;
  try {
    const value = execute(walk.automaton.kernels[task]!, request);
    return { value, digest: hex64(world.z1, world.z2) };
  } finally {
    world.undo(logLength);
  }
}

const lockName = ({ lock }: Request<unknown>): string =>
  lock === null ? 'none' : `${lock.class.id} ${lock.instance} ${lock.index}`;

const show = (value: unknown): string =>
  value === STAYS ? 'a place in the queue' : (JSON.stringify(value) ?? String(value));
