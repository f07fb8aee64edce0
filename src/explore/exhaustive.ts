/**
 * Every interleaving, each state once: a depth-first search that takes steps in place and takes them back.
 *
 *   state = words of the world + one node per task         visited = its 64-bit fingerprint → its number
 *
 * With a bound on preemptions a node of the search is (state, task that ran last, preemptions so far); `states`
 * still counts states. A preemption is a switch away from a task that could have gone on.
 *
 * Counted exactly: states, transitions, complete schedules (paths to an end: finished, stuck or halted). The graph has
 * no cycle as long as tasks only go forward, which they do: a task's history grows, or a function returns. Should
 * there be one all the same, `schedules` is null. A task that can loop for ever has infinitely many states: set a
 * budget.
 *
 * A violation is noted and the search goes on. Not reduced: independent steps are tried in both orders.
 */
import { checkClosure } from './paranoid.ts';
import { Graph } from './graph.ts';
import { PathCounts } from './pathCounts.ts';
import { waitForCycle } from './deadlock.ts';
import { NO_DEADLOCK, type Subject } from './subject.ts';
import { ExactVisited, StateSet, Visited } from './visited.ts';
import { StepError, Walk } from './walk.ts';
import { Watch } from './watch.ts';

export interface Progress {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
}

export interface ExhaustiveOptions {
  /** Most transitions to take; then the answer is not complete. */
  readonly budget?: number;
  /** Most preemptions in a schedule; null or absent: any number. */
  readonly preemptions?: number | null;
  /** End at the first violation. */
  readonly stopAtFirst?: boolean;
  /** Compare whole states instead of fingerprints; for tests. */
  readonly exact?: boolean;
  /** Check every nth transition against fresh generators, and every nth state against fresh invariants. */
  readonly paranoid?: number;
  /** Keep the state graph for shortest stories; it is dropped when it outgrows memory. Default true. */
  readonly graph?: boolean;
  readonly onProgress?: (progress: Progress) => void;
  /** Polled: true ends the search. */
  readonly stop?: () => boolean;
}

/** What was broken, by whom and where first. */
export interface Found {
  readonly invariant: string;
  readonly message: string;
  /** A schedule that leads there; not the shortest. */
  readonly schedule: readonly number[];
  /** States in which it is broken. */
  readonly where: StateSet;
}

export interface Exhausted {
  /** Everything within the bound was seen. */
  readonly complete: boolean;
  /** The bound on preemptions kept some step from being tried. */
  readonly bounded: boolean;
  readonly states: number;
  readonly transitions: number;
  /** Complete schedules that the states seen stand for; null when the graph has a cycle. */
  readonly schedules: bigint | null;
  readonly depth: number;
  /** Digests of the data where every task is finished, sorted. */
  readonly endStates: readonly string[];
  /** States where a BUG_ON ended everything. */
  readonly halted: number;
  readonly deadlocks: number;
  /** In the order of the subject's invariants, the deadlock last. */
  readonly found: readonly Found[];
  readonly graph: Graph | null;
  /** Memory of the visited set and the counts. */
  readonly bytes: number;
}

const POLL = 1 << 13;
/** Words of the state graph past which it is dropped: 16 MiB. */
const GRAPH_WORDS = 1 << 22;

const grown = (old: Int32Array): Int32Array => {
  const bigger = new Int32Array(old.length * 2);
  bigger.set(old);
  return bigger;
};

export function exhaustive(subject: Subject, options: ExhaustiveOptions = {}, walk = new Walk(subject)): Exhausted {
  return walk.search(() => depthFirst(walk, options));
}

/** What has been found so far. */
class Findings {
  readonly #ids: readonly string[];
  readonly #found: (Found | undefined)[];

  constructor(ids: readonly string[]) {
    this.#ids = ids;
    this.#found = ids.map(() => undefined);
  }

  /** @param tell  the message and the schedule, asked the first time */
  add(index: number, state: number, tell: () => Pick<Found, 'message' | 'schedule'>): void {
    const found = (this.#found[index] ??= { invariant: this.#ids[index]!, ...tell(), where: new StateSet() });
    found.where.add(state);
  }

  get list(): Found[] {
    return this.#found.filter((each) => each !== undefined);
  }
}

/** Spreads (last task, preemptions) over 64 bits, beside the digests of data and control. */
const mixBound = (x: number): number => {
  let h = Math.imul(x + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
};

function depthFirst(walk: Walk, options: ExhaustiveOptions): Exhausted {
  const { world, at } = walk;
  const { budget = Number.POSITIVE_INFINITY, stopAtFirst = false, paranoid = 0, stop, onProgress } = options;
  const bound = options.preemptions ?? -1;
  const isBounded = bound >= 0;

  const watch = new Watch(walk.k, world, walk.subject.invariants);
  const always = watch.always.length;
  const ids = [...watch.always, ...watch.end].map(({ id }) => id);
  const findings = new Findings([...ids, NO_DEADLOCK]);

  /** Nodes of the search, and, when they are not the same, states. */
  const nodes = new Visited();
  const states = isBounded ? new Visited() : nodes;
  const exactNodes = options.exact ? new ExactVisited() : null;
  const exactStates = options.exact && isBounded ? new ExactVisited() : exactNodes;
  const counts = new PathCounts();
  let graph = options.graph === false ? null : new Graph(walk.tasks, !isBounded);
  const endStates = new Set<string>();
  let halted = 0;
  let deadlocks = 0;
  let transitions = 0;
  let maxDepth = 0;
  let cyclic = false;
  let cut = false;
  let stopped = false;

  // The stack, by depth.
  let room = 256;
  let todo = new Int32Array(room);
  let enabled = new Int32Array(room);
  let mark = new Int32Array(room);
  let z1 = new Int32Array(room);
  let z2 = new Int32Array(room);
  let c1 = new Int32Array(room);
  let c2 = new Int32Array(room);
  let number = new Int32Array(room);
  let who = new Int32Array(room);
  let used = new Int32Array(room);
  const left = [...at];

  let depth = 0;
  const path = (last: number): number[] => [...who.subarray(0, depth), ...(last < 0 ? [] : [last])];

  // The start.
  watch.start();
  todo[0] = enabled[0] = walk.runnable();
  mark[0] = world.logLength;
  z1[0] = world.z1;
  z2[0] = world.z2;
  c1[0] = walk.c1;
  c2[0] = walk.c2;
  const first = isBounded ? mixBound(0) : 0;
  nodes.insert((world.z1 + walk.c1 + first) | 0, (world.z2 + walk.c2 + Math.imul(first, 0x85ebca6b)) | 0);
  if (states !== nodes) states.insert((world.z1 + walk.c1) | 0, (world.z2 + walk.c2) | 0);
  exactNodes?.insert(isBounded ? `0;${walk.exactKey()}` : walk.exactKey());
  if (exactStates !== exactNodes) exactStates?.insert(walk.exactKey());
  graph?.add(todo[0], 0);
  counts.enter(0, 0);
  let ended = todo[0] === 0;
  if (ended) {
    counts.addEnd(0);
    atEnd(0, -1);
  }

  let task = -1;
  try {
    while (depth >= 0) {
      const rest = todo[depth]!;
      if (rest === 0) {
        counts.leave(depth, number[depth]!);
        depth--;
        if (depth < 0) break;
        world.undo(mark[depth]!);
        world.z1 = z1[depth]!;
        world.z2 = z2[depth]!;
        at[who[depth]!] = left[depth]!;
        walk.c1 = c1[depth]!;
        walk.c2 = c2[depth]!;
        continue;
      }
      if (transitions >= budget || (stopped && stopAtFirst)) {
        cut = true;
        break;
      }
      if ((transitions & (POLL - 1)) === 0 && transitions > 0) {
        onProgress?.({ states: states.size, transitions, depth });
        if (stop?.() === true) {
          cut = true;
          break;
        }
      }
      task = 31 - Math.clz32(rest & -rest);
      todo[depth] = rest & (rest - 1);
      const before = at[task]!;
      if (paranoid > 0 && transitions % paranoid === 0)
        for (let each = 0; each < walk.tasks; each++) checkClosure(walk, each);
      transitions++;
      walk.step(task);

      // The node of the search that this is, and the state.
      let can = -1;
      let bits = 0;
      let spent = 0;
      if (isBounded) {
        can = walk.runnable();
        const switched = depth > 0 && who[depth - 1] !== task && ((enabled[depth]! >> who[depth - 1]!) & 1) === 1;
        spent = used[depth]! + (switched ? 1 : 0);
        // Who ran last only matters while it could go on.
        bits = spent * 32 + ((can >> task) & 1 ? task + 1 : 0);
      }
      const spread = isBounded ? mixBound(bits) : 0;
      const h1 = (world.z1 + walk.c1) | 0;
      const h2 = (world.z2 + walk.c2) | 0;
      const node =
        exactNodes === null
          ? nodes.insert((h1 + spread) | 0, (h2 + Math.imul(spread, 0x85ebca6b)) | 0)
          : exactNodes.insert(isBounded ? `${bits};${walk.exactKey()}` : walk.exactKey());

      if (node < 0) {
        const known = -1 - node;
        if (!counts.addState(depth, known)) cyclic = true;
        graph?.link(number[depth]!, task, known);
      } else {
        let state = node;
        let isNew = true;
        if (isBounded) {
          const found = exactStates === null ? states.insert(h1, h2) : exactStates.insert(walk.exactKey());
          isNew = found >= 0;
          state = isNew ? found : -1 - found;
        } else {
          can = walk.runnable();
        }
        if (graph !== null) {
          graph.add(can, state);
          graph.link(number[depth]!, task, node);
          if (graph.size * walk.tasks > GRAPH_WORDS) graph = null;
        }
        if (always > 0) {
          // A known state of a bounded search still needs its row: others are reached through it.
          const broken = watch.look(depth, depth + 1, world.writtenSince(mark[depth]!));
          if (broken && isNew) noteBroken(state, task);
          if (paranoid > 0 && transitions % paranoid === 0) watch.verify(depth + 1);
        }
        if (can === 0) {
          if (isNew) atEnd(state, task);
          counts.addEnd(depth);
          counts.setEnd(node);
        } else {
          left[depth] = before;
          who[depth] = task;
          depth++;
          if (depth > maxDepth) maxDepth = depth;
          if (depth === room) {
            room *= 2;
            [todo, enabled, mark, z1, z2] = [grown(todo), grown(enabled), grown(mark), grown(z1), grown(z2)];
            [c1, c2, number, who, used] = [grown(c1), grown(c2), grown(number), grown(who), grown(used)];
          }
          enabled[depth] = can;
          todo[depth] = can;
          if (isBounded && spent === bound && ((can >> task) & 1) === 1) {
            todo[depth] = 1 << task;
            if (can !== 1 << task) ended = true;
          }
          mark[depth] = world.logLength;
          z1[depth] = world.z1;
          z2[depth] = world.z2;
          c1[depth] = walk.c1;
          c2[depth] = walk.c2;
          number[depth] = node;
          used[depth] = spent;
          counts.enter(depth, node);
          continue;
        }
        if (depth + 1 > maxDepth) maxDepth = depth + 1;
      }
      // Nothing below: take the step back.
      world.undo(mark[depth]!);
      world.z1 = z1[depth]!;
      world.z2 = z2[depth]!;
      at[task] = before;
      walk.c1 = c1[depth]!;
      walk.c2 = c2[depth]!;
    }
  } catch (error) {
    throw new StepError(walk, path(task), error);
  }
  return undefined as never;
}
