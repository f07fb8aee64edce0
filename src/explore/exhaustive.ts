/**
 * Every interleaving, each state once: a depth-first search that takes steps in place and takes them back.
 *
 *   state = words of the world + one node per task         visited = its 64-bit fingerprint → its number
 *
 * With a bound on preemptions a node of the search is (state, task that ran last, preemptions so far); `states`
 * still counts states. A preemption is a switch away from a task that could have gone on.
 *
 * Counted exactly: states, transitions, complete schedules (paths to an end: finished, stuck or halted). Tasks go
 * forward, a history grows or a function returns, except where a `loop` comes round: then the graph has a cycle, and
 * `schedules` is null. A task that loops for ever in any other way has infinitely many states: set a budget.
 *
 * A violation is noted and the search goes on. Independent steps are tried in both orders, unless `reduce` is asked for:
 * then states, transitions and schedules are counts of what is left.
 */

import type { LockOrder } from '../locks/lockdep.ts';
import type { Node } from './automaton.ts';
import { Futures } from './futures.ts';
import { Graph } from './graph.ts';
import { lockOrderOf } from './lockOrder.ts';
import { checkClosure, checkStep, type Tried } from './paranoid.ts';
import { type Cut, findCut, type Level, type Part, rangeOf } from './part.ts';
import { PathCounts } from './pathCounts.ts';
import { MAX_STEPS, NO_DEADLOCK, type Subject } from './subject.ts';
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
  /** Leave out interleavings that cannot matter (`futures.ts`). A bound on preemptions goes before, and there is no graph. */
  readonly reduce?: boolean;
  /** Search only this part of the schedules (`part.ts`). */
  readonly part?: Part;
  /** reduce: the locks of its own walk are added here. */
  readonly lockOrder?: LockOrder;
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
  /** Steps of the longest schedule. */
  readonly depth: number;
  /** Digests of the data where every task is finished, sorted. */
  readonly endStates: readonly string[];
  /** States where a BUG_ON ended everything. */
  readonly halted: number;
  readonly deadlocks: number;
  /** A step that was taken again and again until the search gave up; null when every schedule had an end. */
  readonly endless: string | null;
  /** In the order of the subject's invariants, the deadlock last. */
  readonly found: readonly Found[];
  readonly graph: Graph | null;
  /** Where a part was cut off; null when all was asked for, or when the search ended before it was known. */
  readonly cut: Cut | null;
  /** Memory of the visited set and the counts. */
  readonly bytes: number;
}

const POLL = 1 << 13;
/** Transitions from which futures are learned before the first pass. */
const WARM_UP = 300_000;
/** Words of the state graph past which it is dropped: 16 MiB. */
const GRAPH_WORDS = 1 << 22;

export function exhaustive(
  subject: Subject,
  options: ExhaustiveOptions = {},
  walk: Walk = new Walk(subject),
): Exhausted {
  const { part, preemptions = null, budget = Number.POSITIVE_INFINITY } = options;
  let start = null as Exhausted | null;
  let spent = 0;
  const cut =
    part === undefined
      ? null
      : findCut(part, (limit) => {
          const first = new DepthFirst(
            walk,
            { ...options, graph: false, budget: budget - spent },
            cutAt(limit),
          );
          start = walk.search(() => first.run());
          spent += start.transitions;
          return start.complete ? first.levels : null;
        });
  if (part !== undefined && cut === null) return { ...start!, transitions: spent };
  const own = part === undefined || cut === null ? null : { ...cut, ...rangeOf(part, cut.nodes), part };
  const rest = { ...options, budget: budget - spent };
  const result =
    options.reduce && preemptions === null
      ? reduced(subject, rest, own)
      : walk.search(() => new DepthFirst(walk, rest, own).run());
  return { ...result, transitions: result.transitions + spent, cut };
}

/** Passes with futures that are learned on the way, until one has relied on nothing that turned out wrong. */
function reduced(subject: Subject, options: ExhaustiveOptions, cut: OwnCut | null): Exhausted {
  const { world } = subject;
  const { budget = Number.POSITIVE_INFINITY, stopAtFirst = false } = options;
  let spent = 0;
  const pass = (
    walk: Walk,
    own: OwnCut | null,
    bounds: Pick<ExhaustiveOptions, 'preemptions' | 'budget' | 'stopAtFirst'>,
  ) => {
    const search = { ...options, graph: false, ...bounds };
    const result = walk.search(() => new DepthFirst(walk, search, own).run());
    spent += result.transitions;
    return result;
  };
  for (;;) {
    const walk = new Walk(subject);
    const { stateBytes } = world;
    const futures = new Futures(walk.haltedAt);
    walk.futures = futures;
    walk.lockdep = options.lockOrder !== undefined;
    pass(walk, null, {
      preemptions: 1,
      budget: Math.min(WARM_UP, Math.floor((budget - spent) / 4)),
      stopAtFirst: false,
    });
    // A record that was made meanwhile is in the lists of keys that closures looked at before: they are asked anew.
    while (stateBytes === world.stateBytes) {
      const result = pass(walk, cut, { budget: budget - spent });
      const isRight = futures.stillHold() && stateBytes === world.stateBytes;
      if (isRight || !result.complete || (stopAtFirst && result.found.length > 0)) {
        options.lockOrder?.add(lockOrderOf(walk.automaton));
        return { ...result, transitions: spent };
      }
    }
  }
}

/** A cut as one part of the search has it: the nodes there that it goes on from. */
interface OwnCut extends Cut {
  readonly part: Part;
  readonly first: number;
  readonly end: number;
}

/** For counting what stands above it: nobody goes on from there. */
const cutAt = (depth: number): OwnCut => ({
  depth,
  nodes: 0,
  digest: '',
  part: { index: 1, count: 1 },
  first: 0,
  end: 0,
});

/** Spreads (last task, preemptions), or a depth, over 32 bits, beside the digests of data and control. */
function mixBound(x: number): number {
  let h = Math.imul(x + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}

/** The path from the start to the current state, in columns by depth. */
class Stack {
  /** The task that was let go alone, or −1. */
  alone: Int32Array = new Int32Array(256);
  /** Tasks that can run there, and those not tried yet. */
  enabled: Int32Array = new Int32Array(256);
  todo: Int32Array = new Int32Array(256);
  /** How to come back: the undo log, the digest of control, the node that the task left for the next depth. */
  mark: Int32Array = new Int32Array(256);
  c1: Int32Array = new Int32Array(256);
  c2: Int32Array = new Int32Array(256);
  readonly left: Node[] = [];
  /** The task that went on to the next depth. */
  who: Int32Array = new Int32Array(256);
  /** Number of the node of the search. */
  node: Int32Array = new Int32Array(256);
  preemptions: Int32Array = new Int32Array(256);

  room(depth: number): void {
    if (depth < this.todo.length) return;
    for (const name of [
      'alone',
      'enabled',
      'todo',
      'mark',
      'c1',
      'c2',
      'who',
      'node',
      'preemptions',
    ] as const) {
      const bigger = new Int32Array(this[name].length * 2);
      bigger.set(this[name]);
      this[name] = bigger;
    }
  }
}

class DepthFirst {
  readonly #walk: Walk;
  readonly #options: ExhaustiveOptions;
  readonly #watch: Watch;
  readonly #stack = new Stack();
  #depth = 0;

  /** Most preemptions; −1: any number. */
  readonly #bound: number;
  readonly #cut: OwnCut | null;
  /** By depth, down to the cut. */
  readonly levels: Level[] = [];
  /** Nodes of the search; the states themselves unless there is a bound or a cut. */
  readonly #nodes = new Visited();
  readonly #states: Visited;
  readonly #exactNodes: ExactVisited | null;
  readonly #exactStates: ExactVisited | null;
  readonly #counts = new PathCounts();
  #graph: Graph | null;

  readonly #ids: readonly string[];
  readonly #found: (Found | undefined)[];
  readonly #endStates = new Set<string>();
  #transitions = 0;
  #halted = 0;
  #deadlocks = 0;
  #bounded = false;
  #cyclic = false;
  #any = false;
  #endless: string | null = null;

  constructor(walk: Walk, options: ExhaustiveOptions, cut: OwnCut | null = null) {
    this.#walk = walk;
    this.#options = options;
    this.#cut = cut;
    this.#watch = new Watch(walk.k, walk.world, walk.subject.invariants, walk.futures);
    this.#ids = [...this.#watch.always, ...this.#watch.end].map(({ id }) => id).concat(NO_DEADLOCK);
    this.#found = this.#ids.map(() => undefined);
    this.#bound = options.preemptions ?? -1;
    const areStates = this.#bound < 0 && cut === null;
    this.#states = areStates ? this.#nodes : new Visited();
    this.#exactNodes = options.exact ? new ExactVisited() : null;
    this.#exactStates = options.exact && !areStates ? new ExactVisited() : this.#exactNodes;
    this.#graph = options.graph === false ? null : new Graph(walk.tasks, areStates);
  }

  run(): Exhausted {
    let complete: boolean;
    let task = -1;
    try {
      this.#start();
      const { budget = Number.POSITIVE_INFINITY, stopAtFirst = false, paranoid = 0 } = this.#options;
      const stack = this.#stack;
      for (;;) {
        const depth = this.#depth;
        const rest = stack.todo[depth]!;
        if (rest === 0) {
          const alone = stack.alone[depth]!;
          if (alone >= 0 && !this.#keepAlone(alone)) continue;
          this.#counts.leave(depth, stack.node[depth]!);
          if (depth === 0) break;
          this.#depth = depth - 1;
          this.#back();
          continue;
        }
        if (this.#transitions >= budget || (this.#any && stopAtFirst)) break;
        if (depth >= MAX_STEPS) {
          this.#endless = this.#walk.where(task);
          break;
        }
        if ((this.#transitions & (POLL - 1)) === POLL - 1 && this.#interrupted()) break;
        task = 31 - Math.clz32(rest & -rest);
        stack.todo[depth] = rest & (rest - 1);
        stack.who[depth] = task;
        stack.left[depth] = this.#walk.at[task]!;
        const tried = paranoid > 0 && this.#transitions % paranoid === 0 ? this.#check(task) : null;
        this.#transitions++;
        this.#walk.step(task);
        if (tried !== null) checkStep(this.#walk, task, stack.left[depth]!, tried);
        if (!this.#arrive(task)) this.#back();
      }
      complete = stack.todo.subarray(0, this.#depth + 1).every((rest) => rest === 0);
    } catch (error) {
      const label = task < 0 ? null : (this.#stack.left[this.#depth]?.request?.label ?? null);
      throw new StepError(this.#walk.automaton.names, this.#path(task), label, error);
    }
    const { paths, longest } = this.#counts.total(this.#depth);
    return {
      complete,
      bounded: this.#bounded,
      states: this.#exactStates?.size ?? this.#states.size,
      transitions: this.#transitions,
      schedules: this.#cyclic ? null : paths,
      depth: longest,
      endStates: [...this.#endStates].sort(),
      halted: this.#halted,
      deadlocks: this.#deadlocks,
      endless: this.#endless,
      found: this.#found.filter((each) => each !== undefined),
      graph: this.#graph,
      cut: null,
      bytes: this.#nodes.bytes + (this.#states === this.#nodes ? 0 : this.#states.bytes) + this.#counts.bytes,
    };
  }

  #start(): void {
    this.#watch.start();
    this.#insertNode(0, 0);
    if (this.#states !== this.#nodes) this.#insertState();
    const can = this.#walk.runnable();
    this.#graph?.add(can, 0);
    this.#enter(0, 0, can, can, 0);
    if (can !== 0) return;
    this.#end(0, -1);
    if (this.#cut === null || this.#cut.part.index === 1) this.#counts.addEnd(0, 0);
  }

  /** Checks every task's closure, and tries the step that `task` is about to take. */
  #check(task: number): Tried | null {
    const enabled = this.#stack.enabled[this.#depth]!;
    let tried: Tried | null = null;
    for (let each = 0; each < this.#walk.tasks; each++) {
      const found = checkClosure(this.#walk, each, ((enabled >>> each) & 1) === 1);
      if (each === task) tried = found;
    }
    return tried;
  }

  /** Takes the last step of the path back. */
  #back(): void {
    const { world } = this.#walk;
    const stack = this.#stack;
    const depth = this.#depth;
    const task = stack.who[depth]!;
    world.undo(stack.mark[depth]!);
    this.#walk.c1 = stack.c1[depth]!;
    this.#walk.c2 = stack.c2[depth]!;
    this.#walk.at[task] = stack.left[depth]!;
  }

  /** Goes on from the current state at `depth`. */
  #enter(depth: number, node: number, can: number, todo: number, preemptions: number): void {
    const stack = this.#stack;
    const { world } = this.#walk;
    stack.room(depth);
    stack.enabled[depth] = can;
    stack.todo[depth] = todo;
    stack.alone[depth] = -1;
    const isShared = this.#cut !== null && depth < this.#cut.depth;
    if (this.#walk.futures !== null && this.#bound < 0 && !isShared) this.#reduce(depth, can);
    stack.mark[depth] = world.logLength;
    stack.c1[depth] = this.#walk.c1;
    stack.c2[depth] = this.#walk.c2;
    stack.node[depth] = node;
    stack.preemptions[depth] = preemptions;
    this.#counts.enter(depth, node);
    this.#depth = depth;
  }

  #rivals(): number {
    const { at } = this.#walk;
    let alive = 0;
    for (let task = 0; task < at.length; task++) if (at[task]!.request !== null) alive |= 1 << task;
    return this.#walk.rivalsOf(alive);
  }

  /** Lets one task go alone if nothing is lost by it. */
  #reduce(depth: number, can: number): void {
    if ((can & (can - 1)) === 0) return;
    const { at, futures } = this.#walk;
    const rivals = this.#rivals();
    for (let rest = can; rest !== 0; rest &= rest - 1) {
      const task = 31 - Math.clz32(rest & -rest);
      if (!futures!.mayGoAlone(at, task, rivals)) continue;
      this.#stack.alone[depth] = task;
      this.#stack.todo[depth] = 1 << task;
      return;
    }
  }

  /** On leaving a state: was it right to let one task go alone? If not, the others go too. */
  #keepAlone(alone: number): boolean {
    const { at, futures } = this.#walk;
    const rivals = this.#rivals();
    const isRight = futures!.mayGoAlone(at, alone, rivals);
    if (isRight) {
      futures!.rely(at, alone, rivals);
    } else {
      const depth = this.#depth;
      this.#stack.alone[depth] = -1;
      this.#stack.todo[depth] = this.#stack.enabled[depth]! & ~(1 << alone);
    }
    return isRight;
  }

  /**
   * Number of the current node of the search, or −1−number when it was met before.
   * @param bits  (last task, preemptions); 0 without a bound
   */
  #insertNode(bits: number, depth: number): number {
    const { world, c1, c2 } = this.#walk;
    const level = this.#cut !== null && depth <= this.#cut.depth ? depth + 1 : 0;
    let spread = bits === 0 ? 0 : mixBound(bits);
    if (level > 0) spread = mixBound(spread ^ mixBound(level));
    const z1 = (world.z1 + c1 + spread) | 0;
    const z2 = (world.z2 + c2 + Math.imul(spread, 0x85ebca6b)) | 0;
    const node =
      this.#exactNodes === null
        ? this.#nodes.insert(z1, z2)
        : this.#exactNodes.insert(`${level};${bits};${this.#walk.exactKey()}`);
    if (level > 0 && node >= 0) this.#count(depth, z1, z2);
    return node;
  }

  #count(depth: number, z1: number, z2: number): void {
    const level = (this.levels[depth] ??= { nodes: 0, z1: 0, z2: 0 });
    level.nodes++;
    level.z1 = (level.z1 + z1) | 0;
    level.z2 = (level.z2 + z2) | 0;
  }

  /** Does another part go on from the node that came last? */
  #isForeign(depth: number): boolean {
    const cut = this.#cut;
    if (cut === null || depth !== cut.depth) return false;
    const number = this.levels[depth]!.nodes - 1;
    return number < cut.first || number >= cut.end;
  }

  /** The same for the state, when nodes are more than states. */
  #insertState(): number {
    const { world, c1, c2 } = this.#walk;
    if (this.#exactStates !== null) return this.#exactStates.insert(this.#walk.exactKey());
    return this.#states.insert((world.z1 + c1) | 0, (world.z2 + c2) | 0);
  }

  /** After a step of `task`. @returns true when the search goes down into the new node */
  #arrive(task: number): boolean {
    const walk = this.#walk;
    const stack = this.#stack;
    const depth = this.#depth;
    const isBounded = this.#bound >= 0;
    let can = 0;
    let preemptions = 0;
    let bits = 0;
    if (isBounded) {
      can = walk.runnable();
      preemptions = stack.preemptions[depth]! + (this.#preempts(task) ? 1 : 0);
      // Who ran last only matters while it can go on.
      bits = preemptions * 32 + ((can >>> task) & 1 ? task + 1 : 0);
    }
    const node = this.#insertNode(bits, depth + 1);
    if (node < 0) {
      const known = -1 - node;
      if (!this.#counts.addState(depth, known)) this.#cycle(depth);
      this.#graph?.link(stack.node[depth]!, task, known);
      return false;
    }
    if (!isBounded) can = walk.runnable();
    const number = this.#states === this.#nodes ? node : this.#insertState();
    const isNew = number >= 0;
    const state = isNew ? number : -1 - number;
    this.#remember(task, node, state, can);
    if (this.#watch.always.length > 0) this.#look(task, state, isNew);
    const isForeign = this.#isForeign(depth + 1);
    if (can === 0) {
      if (isNew) this.#end(state, task);
      const isAnother =
        isForeign || (this.#cut !== null && depth + 1 < this.#cut.depth && this.#cut.part.index > 1);
      if (isAnother) this.#counts.setNone(node);
      else {
        this.#counts.addEnd(depth, 1);
        this.#counts.setEnd(node);
      }
      return false;
    }
    if (isForeign) {
      this.#counts.setNone(node);
      return false;
    }
    let todo = can;
    if (isBounded && preemptions === this.#bound && ((can >>> task) & 1) === 1) {
      todo = 1 << task;
      if (todo !== can) this.#bounded = true;
    }
    this.#enter(depth + 1, node, can, todo, preemptions);
    return true;
  }

  /** The step led back to a state on the path. Whoever went alone there must not go round while the others wait. */
  #cycle(depth: number): void {
    const stack = this.#stack;
    this.#cyclic = true;
    if (stack.alone[depth]! < 0) return;
    stack.todo[depth] = stack.enabled[depth]! & ~(1 << stack.alone[depth]!);
    stack.alone[depth] = -1;
  }

  /** Did this step take the place of a task that could have gone on? */
  #preempts(task: number): boolean {
    const depth = this.#depth;
    if (depth === 0) return false;
    const last = this.#stack.who[depth - 1]!;
    return last !== task && ((this.#stack.enabled[depth]! >>> last) & 1) === 1;
  }

  /** Adds the new node to the graph. */
  #remember(task: number, node: number, state: number, can: number): void {
    const graph = this.#graph;
    if (graph === null) return;
    graph.add(can, state);
    graph.link(this.#stack.node[this.#depth]!, task, node);
    if (graph.size * graph.tasks > GRAPH_WORDS) this.#graph = null;
  }

  /** Asks the invariants that must always hold; a known state only gets its row, which later rows build on. */
  #look(task: number, state: number, isNew: boolean): void {
    const depth = this.#depth;
    const written = this.#walk.world.writtenSince(this.#stack.mark[depth]!);
    const broken = this.#watch.look(depth, depth + 1, written);
    const { paranoid = 0 } = this.#options;
    if (paranoid > 0 && this.#transitions % paranoid === 0) this.#watch.verify(depth + 1);
    if (!broken || !isNew) return;
    for (let i = 0; i < this.#watch.always.length; i++) {
      if (!this.#watch.broken(depth + 1, i)) continue;
      const message = this.#found[i] === undefined ? this.#watch.always[i]!.check(this.#walk.k) : '';
      this.#note(i, state, message ?? '', task);
    }
  }

  /** A state where nobody can run, met for the first time. */
  #end(state: number, task: number): void {
    const walk = this.#walk;
    if (walk.halted) {
      this.#halted++;
    } else if (walk.alive !== 0) {
      this.#deadlocks++;
      const index = this.#ids.length - 1;
      this.#note(index, state, this.#found[index] === undefined ? walk.waitForCycle() : '', task);
    } else {
      this.#endStates.add(walk.digest());
      this.#watch.end.forEach(({ check }, i) => {
        const message = check(walk.k);
        if (message !== null) this.#note(this.#watch.always.length + i, state, message, task);
      });
    }
  }

  #note(index: number, state: number, message: string, task: number): void {
    this.#any = true;
    this.#found[index] ??= {
      invariant: this.#ids[index]!,
      message,
      schedule: this.#path(task),
      where: new StateSet(),
    };
    this.#found[index].where.add(state);
  }

  /** The steps to the current state, `task` having taken the last. */
  #path(task: number): number[] {
    const path = [...this.#stack.who.subarray(0, this.#depth)];
    if (task >= 0) path.push(task);
    return path;
  }

  #interrupted(): boolean {
    const { onProgress, stop } = this.#options;
    onProgress?.({ states: this.#states.size, transitions: this.#transitions, depth: this.#depth });
    return stop?.() === true;
  }
}
