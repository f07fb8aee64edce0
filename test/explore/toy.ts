/**
 * Small kernels for the explorer's tests: the real tables, facade and locks, and ops that no file system has.
 */
import { Bytes } from '../../src/bytes/bytes.ts';
import type { Subject } from '../../src/explore/subject.ts';
import type { Hooks } from '../../src/hooks.ts';
import type { Invariant } from '../../src/invariants/invariant.ts';
import { Kernel } from '../../src/kernel.ts';
import { Machine, type TaskSpec } from '../../src/sched/machine.ts';
import { FlatWorld } from '../../src/state/flat.ts';
import type { Op } from '../../src/task.ts';
import type { Geometry } from '../../src/volume/geometry.ts';

export type Program = (k: Kernel) => Op<void>;

/** A kernel over an empty flat world: tables, locks and findings work, nothing is mounted. */
export function toyKernel(): { k: Kernel; world: FlatWorld } {
  const world = new FlatWorld();
  const k = new Kernel({
    world,
    geo: { blockSize: 4096, hasJournal: false } as Geometry,
    baseBlock: (block) => Bytes.fill(block & 255, 4096),
    mount: { delalloc: true, data: 'ordered', dioreadNolock: true, autoDaAlloc: true, barrier: true },
    hooks: {} as Hooks,
    now: 0,
    generation: 0,
  });
  return { k, world };
}

export interface ToyOptions {
  readonly invariants?: readonly Invariant[];
  /** Numbers of the tasks that run when all others are finished. */
  readonly last?: readonly number[];
}

/** One task per program, named CPU0, CPU1 … */
export function toy(programs: readonly Program[], options: ToyOptions = {}): Subject {
  const { k, world } = toyKernel();
  return { k, world, specs: specsOf(programs, options.last), invariants: options.invariants ?? [] };
}

export function specsOf(programs: readonly Program[], last: readonly number[] = []): TaskSpec[] {
  return programs.map((program, task) => ({
    name: `CPU${task}`,
    mm: task,
    program,
    last: last.includes(task),
  }));
}

export function invariant(
  id: string,
  when: Invariant['when'],
  check: (k: Kernel) => string | null,
): Invariant {
  return { id, summary: id, why: 'a test says so', when, check };
}

/** What running every interleaving on live generators gives: the referee. */
export interface BruteForce {
  readonly schedules: number;
  /** Steps of the longest. */
  readonly depth: number;
  readonly endStates: readonly string[];
  readonly deadlockStates: readonly string[];
  readonly haltedSchedules: number;
  readonly broken: readonly string[];
  /** By broken invariant: fewest (preemptions, switches, steps). */
  readonly cheapest: Readonly<Record<string, readonly [number, number, number]>>;
  /** Complete schedules by number of preemptions. */
  readonly byPreemptions: ReadonlyMap<number, number>;
}

/**
 * Runs every interleaving from the start on a machine of its own, and looks at every state on the way. Nothing is
 * shared with the explorer but the ops.
 */
export function bruteForce(make: () => Subject): BruteForce {
  const endStates = new Set<string>();
  const deadlockStates = new Set<string>();
  const cheapest: Record<string, readonly [number, number, number]> = {};
  const byPreemptions = new Map<number, number>();
  let schedules = 0;
  let depth = 0;
  let haltedSchedules = 0;
  const pending: number[][] = [[]];
  while (pending.length > 0) {
    const prefix = pending.pop()!;
    const { k, world, specs, invariants } = make();
    const machine = new Machine(k, specs);
    let preemptions = 0;
    let switches = 0;
    const note = (id: string, steps: number): void => {
      const cost = [preemptions, switches, steps] as const;
      const best = cheapest[id];
      if (best === undefined || less(cost, best)) cheapest[id] = cost;
    };
    for (let at = 0, last = -1; ; at++) {
      const runnable = machine.runnable();
      if (at > 0)
        for (const { id, when, check } of invariants)
          if (when === 'always' && check(k) !== null) note(id, at);
      if (runnable.length === 0) {
        schedules++;
        depth = Math.max(depth, at);
        byPreemptions.set(preemptions, (byPreemptions.get(preemptions) ?? 0) + 1);
        if (k.sb.halted) haltedSchedules++;
        else if (machine.allFinished) {
          endStates.add(world.digest());
          for (const { id, when, check } of invariants) if (when === 'end' && check(k) !== null) note(id, at);
        } else {
          deadlockStates.add(world.digest());
          note('no-deadlock', at);
        }
        break;
      }
      if (at === prefix.length) {
        for (const other of runnable.slice(1)) pending.push([...prefix, other]);
        prefix.push(runnable[0]!);
      }
      const task = prefix[at]!;
      if (last >= 0 && task !== last) {
        switches++;
        if (runnable.includes(last)) preemptions++;
      }
      machine.resume(task);
      last = task;
    }
  }
  return {
    schedules,
    depth,
    endStates: [...endStates].sort(),
    deadlockStates: [...deadlockStates].sort(),
    haltedSchedules,
    broken: Object.keys(cheapest).sort(),
    cheapest,
    byPreemptions,
  };
}

/** Lexicographic. */
export function less(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! < b[i]!;
  return false;
}
