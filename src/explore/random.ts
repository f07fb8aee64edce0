/**
 * Sampling, for spaces too big to search: whole schedules, one after another, by a policy and a seed.
 *
 *   random        every step a runnable task at random: finds races that many schedules have
 *   pct           priorities with d−1 changes at random steps: finds bugs of depth d with a known probability
 *                 (Burckhardt et al., A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs)
 *   round-robin   every task in turn, a few steps each; schedule i has its own number of steps and first task
 *
 * Random and PCT miss different bugs: run both. The states met are numbered, and invariants are asked of new ones
 * only. The same seed gives the same schedules on every machine, and a schedule does not depend on those before it (but
 * for the length of the first, over which PCT spreads its changes): a part of them is run alone.
 */
import type { Found, Progress } from './exhaustive.ts';
import { checkClosure, checkStep } from './paranoid.ts';
import { type Part, rangeOf } from './part.ts';
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
  /** Run only this part of them. */
  readonly part?: Part;
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
  /** Every schedule asked for, or of the part, was run. */
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
  /** Before schedule `index`; `length` is that of schedule 0, and 0 before it. */
  begin(index: number, length: number): void;
  choose(can: number, step: number): number;
}

const lowest = (mask: number): number => 31 - Math.clz32(mask & -mask);

/** The numbers of one schedule. */
const rngOf = (seed: number, index: number): Rng =>
  new Rng(new Rng(seed).next() ^ Math.imul(index, 0x85ebca6b));

class RandomPolicy implements Policy {
  readonly #seed: number;
  #rng: Rng;
  constructor(seed: number) {
    this.#seed = seed;
    this.#rng = new Rng(seed);
  }
  begin(index: number): void {
    this.#rng = rngOf(this.#seed, index);
  }
  choose(can: number): number {
    let count = 0;
    for (let rest = can; rest !== 0; rest &= rest - 1) count++;
    let rest = can;
    for (let skip = this.#rng.below(count); skip > 0; skip--) rest &= rest - 1;
    return lowest(rest);
  }
}

class PctPolicy implements Policy {
  readonly #seed: number;
  readonly #depth: number;
  /** Higher runs first. Changed priorities are below all first ones. */
  readonly #priority: number[];
  #changes: number[] = [];

  constructor(seed: number, tasks: number, depth: number) {
    this.#seed = seed;
    this.#depth = depth;
    this.#priority = Array.from({ length: tasks }, (_, task) => task);
  }

  begin(index: number, length: number): void {
    const rng = rngOf(this.#seed, index);
    const tasks = this.#priority.length;
    for (let task = 0; task < tasks; task++) this.#priority[task] = this.#depth + task;
    rng.shuffle(this.#priority);
    this.#changes = Array.from({ length: this.#depth - 1 }, () => rng.below(Math.max(length, 1)));
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
    const { seed = 0 } = options;
    this.#policy =
      options.strategy === 'random'
        ? new RandomPolicy(seed)
        : options.strategy === 'pct'
          ? new PctPolicy(seed, walk.tasks, Math.max(1, options.depth ?? 3))
          : new RoundRobin(Math.max(1, walk.tasks));
  }

  run(restart: () => void): Sampled {
    const { schedules, strategy, part, stopAtFirst = false } = this.#options;
    const { first, end } = part === undefined ? { first: 0, end: schedules } : rangeOf(part, schedules);
    this.#watch.start();
    let complete = true;
    // PCT needs a length to spread its changes over: the first schedule only measures it.
    let length = 0;
    const one = (index: number): void => {
      restart();
      this.#policy.begin(index, length);
      complete = this.#one();
      if (complete && index === 0) length = this.#schedule.length;
      if (complete && index >= first) this.#schedules++;
      if (this.#any && stopAtFirst) complete = false;
    };
    if (strategy === 'pct' && first > 0 && first < end) one(0);
    for (let index = first; index < end && complete; index++) one(index);
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
