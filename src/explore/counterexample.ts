/**
 * The story a person reads: of all schedules that break an invariant, one with the fewest preemptions, among these
 * with the fewest context switches, among these the shortest. A preemption is a switch away from a task that could
 * have gone on; a task that blocks or ends is left for free, but it is still a switch.
 *
 * `shortest` finds it on the state graph of a search, without running a step: Dijkstra over (node, task that ran
 * last), the cost a number whose digits are preemptions, switches, steps.
 *
 * `shrink` makes a story of any schedule, where there is no graph: it moves, joins and drops runs of steps as long as
 * that makes it cheaper. The result is minimal for these moves (no context switch can be left out), not in general.
 */
import type { Invariant } from '../invariants/invariant.ts';
import { type Exhausted, exhaustive } from './exhaustive.ts';
import type { Graph } from './graph.ts';
import { runsOf, type Schedule } from './schedule.ts';
import { NO_DEADLOCK } from './subject.ts';
import type { StateSet } from './visited.ts';
import type { Walk } from './walk.ts';

export interface Story {
  readonly invariant: string;
  /** What is broken in the last state. */
  readonly message: string;
  readonly schedule: Schedule;
  readonly preemptions: number;
  readonly switches: number;
  readonly steps: number;
}

// ---- on the graph

/** Digits of a cost: each has room for two million. */
const STEP = 1;
const SWITCH = 2 ** 21;
const PREEMPTION = 2 ** 42;

/**
 * The cheapest path to a state of `where`; of several, the one whose tasks are the lowest from the start on.
 * @returns the schedule; null when no path of the graph leads there
 */
export function shortest(graph: Graph, where: StateSet): number[] | null {
  const places = new Places(graph);
  const cost = places.costs(where);
  return cost === null ? null : places.path(cost, where);
}

/** Dijkstra's table. A place is a node and the task that ran last, or none when that one cannot go on. */
class Places {
  readonly #graph: Graph;
  readonly #width: number;
  /** Of the cheapest path to a place. */
  readonly #cost: Float64Array;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#width = graph.tasks + 1;
    this.#cost = new Float64Array(graph.size * this.#width).fill(Number.POSITIVE_INFINITY);
  }

  /** The place after a step of `task`; −1 when the search did not take it. */
  #after(node: number, task: number): number {
    const next = this.#graph.next(node, task);
    if (next < 0) return -1;
    return next * this.#width + ((this.#graph.enabled(next) >>> task) & 1 ? task + 1 : 0);
  }

  #price(place: number, task: number): number {
    const last = (place % this.#width) - 1;
    if (place === 0 || task === last) return STEP;
    return last < 0 ? STEP + SWITCH : STEP + SWITCH + PREEMPTION;
  }

  /** Fills the table up to the cost of the cheapest path to a state of `where`, and gives that cost. */
  costs(where: StateSet): number | null {
    const heap = new Heap();
    const cost = this.#cost;
    let best: number | null = null;
    cost[0] = 0;
    heap.push(0, 0);
    while (heap.size > 0) {
      const paid = heap.topCost;
      if (best !== null && paid > best) break;
      const place = heap.pop();
      if (paid > cost[place]!) continue;
      const node = Math.floor(place / this.#width);
      if (where.has(this.#graph.state(node))) {
        best = paid;
        continue;
      }
      for (let can = this.#graph.enabled(node); can !== 0; can &= can - 1) {
        const task = 31 - Math.clz32(can & -can);
        const to = this.#after(node, task);
        if (to < 0) continue;
        const price = paid + this.#price(place, task);
        if (price >= cost[to]!) continue;
        cost[to] = price;
        heap.push(price, to);
      }
    }
    return best;
  }

  /** Walks the cheapest edges only, lowest task first, and turns back where they lead to no state of `where`. */
  path(best: number, where: StateSet): number[] {
    const graph = this.#graph;
    const dead = new Uint8Array(this.#cost.length);
    const places = [0];
    const tasks: number[] = [];
    const todo = [graph.enabled(0)];
    for (;;) {
      const place = places.at(-1)!;
      const node = Math.floor(place / this.#width);
      if (this.#cost[place] === best && where.has(graph.state(node))) return tasks;
      const can = todo.at(-1)!;
      if (can === 0) {
        dead[place] = 1;
        places.pop();
        todo.pop();
        tasks.pop();
        continue;
      }
      const task = 31 - Math.clz32(can & -can);
      todo[todo.length - 1] = can & (can - 1);
      const to = this.#after(node, task);
      if (to < 0 || dead[to] === 1) continue;
      if (this.#cost[place]! + this.#price(place, task) !== this.#cost[to]) continue;
      places.push(to);
      tasks.push(task);
      todo.push(graph.enabled(Math.floor(to / this.#width)));
    }
  }
}

/** A binary heap of (cost, place), the cheapest on top. */
class Heap {
  #cost: Float64Array = new Float64Array(1 << 10);
  #place: Int32Array = new Int32Array(1 << 10);
  size = 0;

  get topCost(): number {
    return this.#cost[0]!;
  }

  #before(a: number, b: number): boolean {
    return this.#cost[a]! < this.#cost[b]!;
  }

  #swap(a: number, b: number): void {
    const cost = this.#cost[a]!;
    const place = this.#place[a]!;
    this.#cost[a] = this.#cost[b]!;
    this.#place[a] = this.#place[b]!;
    this.#cost[b] = cost;
    this.#place[b] = place;
  }

  push(cost: number, place: number): void {
    if (this.size === this.#cost.length) {
      const costs = new Float64Array(this.size * 2);
      costs.set(this.#cost);
      this.#cost = costs;
      const places = new Int32Array(this.size * 2);
      places.set(this.#place);
      this.#place = places;
    }
    let at = this.size++;
    this.#cost[at] = cost;
    this.#place[at] = place;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (!this.#before(at, up)) break;
      this.#swap(at, up);
      at = up;
    }
  }

  pop(): number {
    const top = this.#place[0]!;
    this.size--;
    this.#swap(0, this.size);
    for (let at = 0; ; ) {
      let least = at;
      for (const down of [2 * at + 1, 2 * at + 2])
        if (down < this.size && this.#before(down, least)) least = down;
      if (least === at) return top;
      this.#swap(at, least);
      at = least;
    }
  }
}

// ---- by running

/** Is the goal reached in the state where `can` may run? The message if so. */
type Goal = (walk: Walk, can: number) => string | null;

function goalOf(invariants: readonly Invariant[], id: string): Goal {
  if (id === NO_DEADLOCK)
    return (walk, can) => (can === 0 && walk.alive !== 0 && !walk.halted ? walk.waitForCycle() : null);
  const invariant = invariants.find((each) => each.id === id);
  if (invariant === undefined) throw new Error(`the subject has no invariant ${id}`);
  const { check, when } = invariant;
  if (when === 'always') return (walk) => check(walk.k);
  return (walk, can) => (can === 0 && walk.alive === 0 && !walk.halted ? check(walk.k) : null);
}

type Runs = readonly (readonly [task: number, count: number])[];

/**
 * Follows runs of steps as far as they go: a run ends early when its task can do no more. After the last one the
 * task goes on, and when it cannot, the lowest that can.
 * @returns the story up to the first state that breaks the invariant; null when none does
 */
function attempt(walk: Walk, restart: () => void, runs: Runs, id: string, limit: number): Story | null {
  const goal = goalOf(walk.subject.invariants, id);
  restart();
  const schedule: number[] = [];
  let preemptions = 0;
  let switches = 0;
  let last = -1;
  let can = walk.runnable();
  let message: string | null = can === 0 ? goal(walk, can) : null;
  const take = (task: number): boolean => {
    if (last >= 0 && task !== last) {
      switches++;
      if ((can >>> last) & 1) preemptions++;
    }
    walk.step(task);
    schedule.push(task);
    last = task;
    can = walk.runnable();
    message = goal(walk, can);
    return message !== null || schedule.length >= limit;
  };
  const run = (): void => {
    for (const [task, count] of runs)
      for (let i = 0; i < count && (can >>> task) & 1; i++) if (take(task)) return;
    while (can !== 0) if (take((can >>> last) & 1 && last >= 0 ? last : 31 - Math.clz32(can & -can))) return;
  };
  run();
  if (message === null) return null;
  return { invariant: id, message, schedule, preemptions, switches, steps: schedule.length };
}

/**
 * What a schedule tells: the message and the costs, up to the first state that breaks the invariant.
 * @returns null when it breaks nothing
 */
export function tell(walk: Walk, schedule: Schedule, id: string): Story | null {
  return walk.search((restart) => attempt(walk, restart, runsOf(schedule), id, schedule.length));
}

const cheaper = (a: Story, b: Story): boolean =>
  a.preemptions !== b.preemptions
    ? a.preemptions < b.preemptions
    : a.switches !== b.switches
      ? a.switches < b.switches
      : a.steps < b.steps;

/**
 * Makes a story of a schedule that breaks an invariant: no two of its runs can be joined, and none dropped or
 * swapped with its neighbour, so that it becomes cheaper and still breaks it.
 * @throws Error when the schedule does not break it
 */
export function shrink(walk: Walk, schedule: Schedule, id: string): Story {
  return walk.search((restart) => {
    const limit = schedule.length * 2 + 1000;
    let story = attempt(walk, restart, runsOf(schedule), id, limit);
    if (story === null) throw new Error(`the schedule to shrink does not break ${id}`);
    for (let better: Story | null = story; better !== null; ) {
      story = better;
      better = null;
      for (const runs of variants(runsOf(story.schedule))) {
        const tried = attempt(walk, restart, runs, id, limit);
        if (tried === null || !cheaper(tried, story)) continue;
        better = tried;
        break;
      }
    }
    return story;
  });
}

/** Every schedule one move away. */
function* variants(runs: Runs): Generator<Runs> {
  for (const [i, [task, count]] of runs.entries()) {
    const without = runs.toSpliced(i, 1);
    yield without;
    const again = runs.findIndex(([other], j) => j > i && other === task);
    if (again >= 0) {
      const both = [task, count + runs[again]![1]] as const;
      yield runs.toSpliced(again, 1).with(i, both);
      yield runs.with(again, both).toSpliced(i, 1);
    }
    yield runs.with(i, [task, Number.POSITIVE_INFINITY]);
    if (i + 1 < runs.length) yield without.toSpliced(i + 1, 0, [task, count]);
  }
}

// ---- whichever way

/** Transitions that one bounded search for a story may take when the whole graph was too big to keep. */
const BOUNDED_BUDGET = 4_000_000;

/**
 * The stories of all invariants that a search found broken, in its order: from its graph when there is one, else from
 * the graph of the smallest bound on preemptions that finds them, else from the schedule that was found, made smaller.
 */
export function counterexamples(walk: Walk, searched: Pick<Exhausted, 'graph' | 'found'>): Story[] {
  const paths = new Map<string, number[]>();
  const look = ({ graph, found }: Pick<Exhausted, 'graph' | 'found'>): void => {
    if (graph === null) return;
    for (const { invariant, where } of found) {
      const path = paths.has(invariant) ? null : shortest(graph, where);
      if (path !== null) paths.set(invariant, path);
    }
  };
  look(searched);
  const missing = (): boolean => searched.found.some(({ invariant }) => !paths.has(invariant));
  for (let preemptions = 0; preemptions <= 2 && missing(); preemptions++) {
    const bounded = exhaustive(walk.subject, { preemptions, budget: BOUNDED_BUDGET }, walk);
    look(bounded);
    if (!bounded.complete) break;
  }
  return searched.found.map(({ invariant, schedule }) => {
    const path = paths.get(invariant);
    return (path && tell(walk, path, invariant)) ?? shrink(walk, schedule, invariant);
  });
}

/** The story of one of them. */
export function counterexample(walk: Walk, searched: Pick<Exhausted, 'graph' | 'found'>, id: string): Story {
  const found = searched.found.filter((each) => each.invariant === id);
  const [story] = counterexamples(walk, { graph: searched.graph, found });
  if (story === undefined) throw new Error(`the search found nothing wrong with ${id}`);
  return story;
}
