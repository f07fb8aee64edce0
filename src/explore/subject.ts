/**
 * What is explored: a kernel over a flat world in its start state, the tasks, and what must hold.
 *
 * The explorer leaves the world as it found it. It takes the kernel's effects off while it searches: nobody listens
 * to the millions of steps that no one will ever read.
 */
import type { Invariant } from '../invariants/invariant.ts';
import type { Kernel } from '../kernel.ts';
import type { TaskSpec } from '../sched/machine.ts';
import type { FlatWorld } from '../state/flat.ts';

export interface Subject {
  /** Over `world`. */
  readonly k: Kernel;
  /** In its start state. */
  readonly world: FlatWorld;
  readonly specs: readonly TaskSpec[];
  readonly invariants: readonly Invariant[];
}

export { MAX_TASKS } from '../locks/lock.ts';

/** The violation that needs no invariant: unfinished tasks and none can run. */
export const NO_DEADLOCK = 'no-deadlock';

/** Steps of a schedule past which a task is taken to go on for ever: it spins, trying a lock that nobody gives back. */
export const MAX_STEPS = 200_000;
