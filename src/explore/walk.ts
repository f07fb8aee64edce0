/**
 * A state of the search: the words of the world and one node per task. Steps are taken in place; a step is taken
 * back with the world's undo log and the node that the task left.
 *
 * The closure of a step runs once per footprint (`footprint.ts`): the next time the tables that it touched are the
 * same, its writes are laid down again without running it. What a closure says to `k.reach` is said once.
 *
 * Lock steps are done here on the words of the lock's record, with the same rules as `locks/lock.ts` and
 * `sched/execute.ts`; the tests hold the two against each other step by step.
 */
import type { Kernel } from '../kernel.ts';
import { waitForCycle } from '../sched/deadlock.ts';
import type { Effect, LockEffect } from '../state/effects.ts';
import { type FlatWorld, hex64, wordOf } from '../state/flat.ts';
import { forgotten, type Tracker } from '../task.ts';
import {
  ACT_STEP,
  ACT_TRYLOCK,
  ACT_UNLOCK,
  Automaton,
  GATE_FINISHED,
  GATE_OPEN,
  GATE_QUEUE,
  GATE_SHARED,
  GATE_WAIT,
  LOCK_OWNER,
  LOCK_READERS,
  LOCK_WAITERS,
  type Node,
} from './automaton.ts';
import type { Futures } from './futures.ts';
import { formatSchedule } from './schedule.ts';
import type { Subject } from './subject.ts';

/** A step threw: a mistake in ext4lab or in a design. Says which step, and the schedule that leads there. */
export class StepError extends Error {
  override readonly name = 'StepError';
  readonly schedule: string;

  /** @param label  of the step that threw; null before the first */
  constructor(names: readonly string[], schedule: readonly number[], label: string | null, cause: unknown) {
    const task = schedule.at(-1);
    const where =
      task === undefined || label === null ? 'before the first step' : `${names[task]} at '${label}'`;
    const text = formatSchedule(schedule);
    super(`${cause instanceof Error ? cause.message : String(cause)} (${where}; schedule ${text})`, {
      cause,
    });
    this.schedule = text;
  }
}

/** Outcomes of one step that are kept. A step with more is one that hardly ever meets the same again. */
const OUTCOMES_MAX = 1 << 14;

export class Walk {
  readonly subject: Subject;
  readonly world: FlatWorld;
  readonly automaton: Automaton;
  readonly tasks: number;
  readonly #tracker: Tracker;
  readonly #haltedAt: number;
  /** Tasks that wait for all others. */
  readonly #last: number;

  /** Keep what steps say of locks, for `lockOrder.ts`. Set before the first step. */
  lockdep = false;
  /** Where each task stands. */
  readonly at: Node[];
  /** Digest of where the tasks stand. */
  c1 = 0;
  c2 = 0;
  /** Unfinished tasks, as `runnable` found them. */
  alive = 0;
  /** Set: told of everything that tasks do. */
  futures: Futures | null = null;
  /** Digests by table before a step that is learned. */
  readonly #t1: Int32Array;
  readonly #t2: Int32Array;
  /** What the step that is being learned says of locks; nobody hears the rest. */
  readonly #lockEffects: LockEffect[] = [];
  readonly #hear = (effect: Effect): void => {
    if ('lock' in effect) this.#lockEffects.push(effect);
  };

  constructor(subject: Subject) {
    this.subject = subject;
    this.world = subject.world;
    if (subject.k.world !== subject.world) throw new Error('the kernel of a subject is not over its world');
    this.automaton = new Automaton(subject);
    this.tasks = subject.specs.length;
    this.#tracker = subject.k.tracker;
    const { base } = subject.world.rec('sb', 0, 0) as unknown as { readonly base: number };
    this.#haltedAt = base + wordOf('sb', 'halted');
    this.#last = subject.specs.reduce((mask, spec, task) => mask | (spec.last ? 1 << task : 0), 0);
    this.at = [...this.automaton.roots];
    this.#t1 = new Int32Array(subject.world.t1.length);
    this.#t2 = new Int32Array(subject.world.t2.length);
    this.#controlDigest();
  }

  #controlDigest(): void {
    this.c1 = this.at.reduce((sum, node) => (sum + node.z1) | 0, 0);
    this.c2 = this.at.reduce((sum, node) => (sum + node.z2) | 0, 0);
  }

  get halted(): boolean {
    return this.world.mem[this.#haltedAt] !== 0;
  }

  get k(): Kernel {
    return this.subject.k;
  }

  /**
   * The tasks that may take a step, as a mask, as `Machine.runnable` has them. Sets `alive`.
   */
  runnable(): number {
    const { at, world } = this;
    const { mem } = world;
    let alive = 0;
    let can = 0;
    for (let task = 0; task < at.length; task++) {
      const node = at[task]!;
      if (node.gate === GATE_FINISHED) continue;
      const me = 1 << task;
      alive |= me;
      if (node.gate === GATE_OPEN) {
        can |= me;
        continue;
      }
      if (node.gate === GATE_WAIT) {
        if (this.futures === null ? node.ready() : this.#heard(node, node.ready)) can |= me;
        continue;
      }
      const { lockAt } = node;
      const owner = mem[lockAt + LOCK_OWNER]!;
      const readers = mem[lockAt + LOCK_READERS]!;
      const waiters = mem[lockAt + LOCK_WAITERS]!;
      if (owner !== 0) continue;
      const free =
        node.gate === GATE_SHARED
          ? (waiters & ~me) === 0
          : readers === 0 || (node.gate === GATE_QUEUE && (waiters & me) === 0);
      if (free) can |= me;
    }
    this.alive = alive;
    if (mem[this.#haltedAt] !== 0) return 0;
    if ((alive & ~this.#last) !== 0) can &= ~this.#last;
    return can;
  }

  /** Takes one step of a runnable task. */
  step(task: number): void {
    const node = this.at[task]!;
    if (node.act !== ACT_STEP) {
      this.#lockStep(node);
      return;
    }
    const known = node.footprints.find(this.world);
    if (known < 0) {
      this.#learn(node);
      return;
    }
    const { next, writes } = node.outcomes[known]!;
    this.world.apply(writes);
    this.#move(node, next);
  }

  #lockStep(node: Node): void {
    const { world } = this;
    const { mem } = world;
    const { task } = node;
    const me = 1 << task;
    const owner = node.lockAt + LOCK_OWNER;
    const readers = node.lockAt + LOCK_READERS;
    const waiters = node.lockAt + LOCK_WAITERS;
    if (node.act === ACT_UNLOCK) {
      const isExclusive = mem[owner] === task + 1;
      const isShared = (mem[readers]! & me) !== 0;
      if (isExclusive) world.setInt(owner, 0);
      else if (isShared) world.setInt(readers, mem[readers]! & ~me);
      else this.#heard(node, () => this.automaton.kernels[task]!.warnOn('unlock-not-held', true));
      if (isExclusive || isShared) this.futures?.gaveBack(node, isExclusive);
      this.#move(node, this.#after(node, undefined));
      return;
    }
    const shared = node.request!.mode === 'shared';
    const now = mem[owner] === 0 && (shared ? (mem[waiters]! & ~me) === 0 : mem[readers] === 0);
    if (now) {
      if (shared) world.setInt(readers, mem[readers]! | me);
      else world.setInt(owner, task + 1);
      world.setInt(waiters, mem[waiters]! & ~me);
    }
    if (node.act === ACT_TRYLOCK) this.#move(node, this.#after(node, now));
    else if (now) this.#move(node, this.#after(node, undefined));
    // The writer joins the queue and stays where it is.
    else world.setInt(waiters, mem[waiters]! | me);
  }

  #after(node: Node, value: unknown): Node {
    const known = value === node.v0 ? node.n0 : value === node.v1 ? node.n1 : null;
    const next = known ?? this.automaton.follow(node, value);
    this.futures?.link(node, next);
    return next;
  }

  #heard<T>(node: Node, closure: () => T): T {
    return this.futures === null ? closure() : this.futures.listen(this.world, node, closure);
  }

  #move(node: Node, next: Node): void {
    this.at[node.task] = next;
    this.c1 = (this.c1 - node.z1 + next.z1) | 0;
    this.c2 = (this.c2 - node.z2 + next.z2) | 0;
  }

  /** Tasks that may come between this state and the next step of `task`: those that wait for all others may not. */
  rivalsOf(alive: number): number {
    const others = alive & ~this.#last;
    return others === 0 ? alive : others;
  }

  /** Address of the word that says that a BUG_ON fired. */
  get haltedAt(): number {
    return this.#haltedAt;
  }

  /** Runs the closure of a step, and keeps what it did for all states that look the same to it. */
  #learn(node: Node): void {
    const { world } = this;
    const mark = world.logLength;
    this.#t1.set(world.t1);
    this.#t2.set(world.t2);
    world.touched = 0;
    const value = this.#heard(node, this.lockdep ? () => this.#listen(node) : node.fn);
    const { touched } = world;
    if (this.#tracker.pending !== null) throw forgotten(this.#tracker.pending);
    const next = this.#after(node, value);
    if (this.lockdep) this.automaton.heard(node, next, this.#lockEffects);
    // Without the undo log nobody knows what was written: outside `search` nothing is kept.
    if (world.logging && node.outcomes.length < OUTCOMES_MAX) {
      node.footprints.add(touched, this.#t1, this.#t2, node.outcomes.length);
      node.outcomes.push({ next, writes: world.writesSince(mark) });
    }
    this.#move(node, next);
  }

  /** Runs a step's closure, and keeps what it says of locks. */
  #listen(node: Node): unknown {
    const { sink } = this.subject.k;
    const { listen } = sink;
    this.#lockEffects.length = 0;
    sink.listen = this.#hear;
    try {
      return node.fn();
    } finally {
      sink.listen = listen;
    }
  }

  /** Who waits for whom, when nobody can run. */
  waitForCycle(): string {
    return waitForCycle(
      this.k,
      this.at.map((node, task) => ({
        name: this.automaton.names[task]!,
        request: node.request,
        stack: this.automaton.stack(node),
      })),
    );
  }

  /** Where a task stands, in words. */
  where(task: number): string {
    return `${this.automaton.names[task]} at '${this.at[task]!.request?.label ?? 'its end'}'`;
  }

  /** The state with its control, word for word. */
  exactKey(): string {
    const { words } = this.world.save();
    let end = words.length;
    while (end > 0 && words[end - 1] === 0) end--;
    return `${this.at.map((node) => node.id).join()};${words.subarray(0, end).join()}`;
  }

  /** Digest of the data alone, as both worlds and all machines have it. */
  digest(): string {
    return hex64(this.world.z1, this.world.z2);
  }

  /**
   * Runs `body` with the undo log on and no listener, and puts everything back as it was, whatever happens.
   * `body` gets a function that goes back to the start state.
   */
  search<T>(body: (restart: () => void) => T): T {
    const { world } = this;
    const { sink } = this.subject.k;
    const { listen } = sink;
    const { logging, logLength: mark } = world;
    const restart = (): void => {
      world.undo(mark);
      for (let task = 0; task < this.tasks; task++) this.at[task] = this.automaton.roots[task]!;
      this.#controlDigest();
    };
    sink.listen = null;
    world.logging = true;
    try {
      restart();
      return body(restart);
    } finally {
      restart();
      world.logging = logging;
      sink.listen = listen;
      this.#tracker.pending = null;
    }
  }
}
