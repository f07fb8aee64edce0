/**
 * Sampling, for spaces too big to search: whole schedules, one after another, by a policy and a seed.
 *
 *   random        every step a runnable task at random: finds races that many schedules have
 *   pct           priorities with d−1 changes at random steps: finds bugs of depth d with a known probability
 *                 (Burckhardt et al., A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs)
 *   round-robin   every task in turn, a few steps each; schedule i has its own number of steps and first task
 *
 * Random and PCT miss different bugs: run both. The states met are numbered, and invariants are asked of new ones
 * only. The same seed gives the same schedules on every machine.
 */
import type { Found, Progress } from './exhaustive.ts';
import { checkClosure, checkStep } from './paranoid.ts';
import { Rng } from './rng.ts';
import { MAX_STEPS, NO_DEADLOCK, type Subject } from './subject.ts';
import { StateSet, Visited } from './visited.ts';
import { StepError, Walk } from './walk.ts';
import { Watch } from './watch.ts';

export type SampleStrategy = 'random' | 'pct' | 'round-robin';

export interface SampleOptions {
  readonly strategy: SampleStrategy;
  readonly seed?: number;
  /** How many schedules to run. */
  readonly schedules: number;
  /** pct: the depth of the bugs looked for; 1 changes no priority. Default 3. */
  readonly depth?: number;
  /** Most transitions to take in all. */
  readonly budget?: number;
  readonly stopAtFirst?: boolean;
  readonly paranoid?: number;
  readonly onProgress?: (progress: Progress) => void;
  readonly stop?: () => boolean;
}

export interface Sampled {
  /** Every schedule asked for was run. */
  readonly complete: boolean;
  /** Schedules that were run to their end. */
  readonly schedules: number;
  /** Steps taken in all. */
  readonly transitions: number;
  /** Different states met. */
  readonly states: number;
  readonly endStates: readonly string[];
  /** Schedules that ended so. */
  readonly halted: number;
  readonly deadlocks: number;
  /** A step that was taken again and again until a schedule was given up; null when every one had an end. */
  readonly endless: string | null;
  readonly found: readonly Found[];
  /** Steps of the longest schedule. */
  readonly depth: number;
}

export function sample(subject: Subject, options: SampleOptions, walk: Walk = new Walk(subject)): Sampled {
  return walk.search((restart) => new Sampler(walk, options).run(restart));
}

/** Chooses among the tasks of a mask. */
interface Policy {
  /** Before schedule `index`; `longest` is the longest so far. */
  begin(index: number, longest: number): void;
  choose(can: number, step: number): number;
}

const lowest = (mask: number): number => 31 - Math.clz32(mask & -mask);

class RandomPolicy implements Policy {
  readonly #rng: Rng;
  constructor(rng: Rng) {
    this.#rng = rng;
  }
  begin(): void {}
  choose(can: number): number {
    let count = 0;
    for (let rest = can; rest !== 0; rest &= rest - 1) count++;
    let rest = can;
    for (let skip = this.#rng.below(count); skip > 0; skip--) rest &= rest - 1;
    return lowest(rest);
  }
}

class PctPolicy implements Policy {
  readonly #rng: Rng;
  readonly #depth: number;
  /** Higher runs first. Changed priorities are below all first ones. */
  readonly #priority: number[];
  #changes: number[] = [];

  constructor(rng: Rng, tasks: number, depth: number) {
    this.#rng = rng;
    this.#depth = depth;
    this.#priority = Array.from({ length: tasks }, (_, task) => task);
  }

  begin(_index: number, longest: number): void {
    const tasks = this.#priority.length;
    for (let task = 0; task < tasks; task++) this.#priority[task] = this.#depth + task;
    this.#rng.shuffle(this.#priority);
    this.#changes = Array.from({ length: this.#depth - 1 }, () => this.#rng.below(Math.max(longest, 1)));
  }

  choose(can: number, step: number): number {
    let best = -1;
    for (let rest = can; rest !== 0; rest &= rest - 1) {
      const task = lowest(rest);
      if (best < 0 || this.#priority[task]! > this.#priority[best]!) best = task;
    }
    // The change takes effect after the step it falls on.
    this.#changes.forEach((at, i) => {
      if (at === step) this.#priority[best] = this.#depth - 2 - i;
    });
    return best;
  }
}

class RoundRobin implements Policy {
  readonly #tasks: number;
  #quantum = 1;
  #first = 0;
  #last = 0;
  #left = 0;

  constructor(tasks: number) {
    this.#tasks = tasks;
  }

  begin(index: number): void {
    this.#first = index % this.#tasks;
    this.#quantum = 1 + Math.floor(index / this.#tasks);
    this.#last = this.#first;
    this.#left = this.#quantum;
  }

  choose(can: number): number {
    if (this.#left === 0 || ((can >>> this.#last) & 1) === 0) {
      do this.#last = (this.#last + 1) % this.#tasks;
      while (((can >>> this.#last) & 1) === 0);
      this.#left = this.#quantum;
    }
    this.#left--;
    return this.#last;
  }
}

class Sampler {
  readonly #walk: Walk;
  readonly #options: SampleOptions;
  readonly #watch: Watch;
  readonly #policy: Policy;
  readonly #visited = new Visited();
  readonly #ids: readonly string[];
  readonly #found: (Found | undefined)[];
  readonly #endStates = new Set<string>();
  #schedule: number[] = [];
  #schedules = 0;
  #transitions = 0;
  #longest = 0;
  #halted = 0;
  #deadlocks = 0;
  #any = false;
  #endless: string | null = null;

  constructor(walk: Walk, options: SampleOptions) {
    this.#walk = walk;
    this.#options = options;
    this.#watch = new Watch(walk.k, walk.world, walk.subject.invariants);
    this.#ids = [...this.#watch.always, ...this.#watch.end].map(({ id }) => id).concat(NO_DEADLOCK);
    this.#found = this.#ids.map(() => undefined);
    const rng = new Rng(options.seed ?? 0);
    this.#policy =
      options.strategy === 'random'
        ? new RandomPolicy(rng)
        : options.strategy === 'pct'
          ? new PctPolicy(rng, walk.tasks, Math.max(1, options.depth ?? 3))
          : new RoundRobin(Math.max(1, walk.tasks));
  }

  run(restart: () => void): Sampled {
    const { schedules, stopAtFirst = false } = this.#options;
    this.#watch.start();
    let complete = true;
    for (let index = 0; index < schedules && complete; index++) {
      restart();
      // PCT needs a length to spread its changes over: the first schedule only measures it.
      this.#policy.begin(index, this.#longest);
      complete = this.#one();
      if (complete) this.#schedules++;
      if (this.#any && stopAtFirst) complete = false;
    }
    return {
      complete,
      schedules: this.#schedules,
      transitions: this.#transitions,
      states: this.#visited.size,
      endStates: [...this.#endStates].sort(),
      halted: this.#halted,
      deadlocks: this.#deadlocks,
      endless: this.#endless,
      found: this.#found.filter((each) => each !== undefined),
      depth: this.#longest,
    };
  }

  /** One schedule from the start to an end. @returns false when it was cut short */
  #one(): boolean {
    const walk = this.#walk;
    const { world } = walk;
    const { budget = Number.POSITIVE_INFINITY, paranoid = 0 } = this.#options;
    const start = world.logLength;
    this.#schedule = [];
    // The row of the state that the invariants were asked of last; row 0 is the start.
    let row = 0;
    let mark = start;
    let state = this.#number();
    for (;;) {
      const can = walk.runnable();
      if (can === 0) break;
      if (this.#transitions >= budget || this.#interrupted()) return false;
      const task = this.#policy.choose(can, this.#schedule.length);
      if (this.#schedule.length >= MAX_STEPS) {
        this.#endless = walk.where(task);
        return false;
      }
      const label = walk.at[task]!.request!.label;
      this.#schedule.push(task);
      try {
        const node = walk.at[task]!;
        const tried =
          paranoid > 0 && this.#transitions % paranoid === 0 ? checkClosure(walk, task, true) : null;
        this.#transitions++;
        walk.step(task);
        if (tried !== null) checkStep(walk, task, node, tried);
        state = this.#number();
        if (state < 0) continue;
        const next = row === 1 ? 2 : 1;
        if (this.#watch.look(row, next, world.writtenSince(mark))) this.#broken(next, state);
        row = next;
        mark = world.logLength;
      } catch (error) {
        throw new StepError(walk.automaton.names, this.#schedule, label, error);
      }
    }
    this.#longest = Math.max(this.#longest, this.#schedule.length);
    this.#end(state);
    return true;
  }

  #number(): number {
    const { world, c1, c2 } = this.#walk;
    return this.#visited.insert((world.z1 + c1) | 0, (world.z2 + c2) | 0);
  }

  #broken(row: number, state: number): void {
    this.#watch.always.forEach(({ check }, i) => {
      if (this.#watch.broken(row, i)) this.#note(i, state, () => check(this.#walk.k) ?? '');
    });
  }

  #end(number: number): void {
    const walk = this.#walk;
    const state = number < 0 ? -1 - number : number;
    if (walk.halted) {
      this.#halted++;
    } else if (walk.alive !== 0) {
      this.#deadlocks++;
      this.#note(this.#ids.length - 1, state, () => walk.waitForCycle());
    } else {
      this.#endStates.add(walk.digest());
      if (number < 0) return;
      this.#watch.end.forEach(({ check }, i) => {
        const message = check(walk.k);
        if (message !== null) this.#note(this.#watch.always.length + i, state, () => message);
      });
    }
  }

  #note(index: number, state: number, message: () => string): void {
    this.#any = true;
    this.#found[index] ??= {
      invariant: this.#ids[index]!,
      message: message(),
      schedule: [...this.#schedule],
      where: new StateSet(),
    };
    this.#found[index].where.add(state);
  }

  #interrupted(): boolean {
    if ((this.#transitions & 0x1fff) !== 0x1fff) return false;
    const { onProgress, stop } = this.#options;
    const depth = this.#schedule.length;
    onProgress?.({ states: this.#visited.size, transitions: this.#transitions, depth });
    return stop?.() === true;
  }
}
