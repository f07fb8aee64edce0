/**
 * Ops as an automaton. A generator is a function of the results it was given, so "this task after these results"
 * is a node of a trie, and the request it waits with is a constant of the node. Each node is found once, by
 * running a generator up to it; from then on a task's place is one pointer in the state, and tasks fork for free.
 *
 *   CPU0 ─ lock ─(undefined)─▶ step ─┬(true)──▶ call f ┄┄ f's own trie ┄┄▶ returned 'ok' ─▶ unlock ─▶ …
 *                                    └(false)─▶ …
 *
 * `call` opens a frame: what the callee's steps gave is forgotten when it returns, only the value survives, as a
 * child of the call site. One that returns AGAIN (`loop`) is at its first node once more. All ends of a task are one node.
 *
 * A request's closure runs whenever a search passes its node, long after its generator has moved on or was dropped:
 * it may capture constants only. `paranoid.ts` checks that.
 *
 * Results are primitives, `Bytes`, or plain objects and lists of these. Equal content is the same child. They are
 * frozen when they first come, because every later run shares them.
 */
import { Bytes } from '../bytes/bytes.ts';
import type { Kernel } from '../kernel.ts';
import type { LockEffect } from '../state/effects.ts';
import type { FlatWorld } from '../state/flat.ts';
import { wordOf } from '../state/flat.ts';
import { AGAIN, ForgottenYield, forgotten, type Op, type Request } from '../task.ts';
import { Footprints } from './footprint.ts';
import { MAX_TASKS, type Subject } from './subject.ts';

/** When the request of a node may run. */
export const GATE_FINISHED = 0;
export const GATE_OPEN = 1;
/** A lock, shared: `lock`, or a `wait` until it is free. */
export const GATE_SHARED = 2;
/** A lock, exclusive, without and with a queue to join. */
export const GATE_EXCLUSIVE = 3;
export const GATE_QUEUE = 4;
/** When `ready()` says so. */
export const GATE_WAIT = 5;

/** What running it does. */
export const ACT_STEP = 0;
export const ACT_LOCK = 1;
export const ACT_TRYLOCK = 2;
export const ACT_UNLOCK = 3;

/** A kernel function that was entered: the lane itself, or what a `call` opened. */
export class Frame {
  readonly name: string;
  readonly make: () => Op<unknown>;
  /** Where it was called; null for the lane. */
  readonly caller: Node | null;
  /** Where its first request stands, or that of the function it calls first: where AGAIN leads. */
  entry: Node | null = null;

  constructor(name: string, make: () => Op<unknown>, caller: Node | null) {
    this.name = name;
    this.make = make;
    this.caller = caller;
  }
}

const nothing = (): undefined => undefined;
const always = (): boolean => true;

/** What a step did: the task's next place, and the words that it wrote. */
export interface Outcome {
  readonly next: Node;
  readonly writes: Int32Array;
}

/** What one run of a step did to locks, and where the task stood afterwards. */
export interface Move {
  readonly next: Node;
  readonly effects: readonly LockEffect[];
}

/** A task after some results. Fields are cached from the request so that the search looks nowhere else. */
export class Node {
  readonly id: number;
  readonly task: number;
  /** Null: the task is finished. */
  readonly request: Request<unknown> | null;
  readonly frame: Frame;
  /** The node before, in the same frame; null for the first of a frame. */
  readonly parent: Node | null;
  /** What the parent's request gave. */
  readonly result: unknown;
  /** Digest of the place: of the results since the lane began, as far as frames remember them. */
  readonly z1: number;
  readonly z2: number;

  readonly gate: number;
  readonly act: number;
  readonly fn: () => unknown;
  readonly ready: () => boolean;
  /** Address of the lock's record; −1 when there is none. */
  readonly lockAt: number;

  /** Steps: what it did on states that look the same to it. */
  readonly footprints: Footprints = new Footprints();
  readonly outcomes: Outcome[] = [];
  /** Steps, for lockdep: what they did to locks, each way once. */
  moves: Move[] | null = null;

  /** Children: the two met first, then the others. */
  v0: unknown = undefined;
  n0: Node | null = null;
  v1: unknown = undefined;
  n1: Node | null = null;
  primitives: Map<unknown, Node> | null = null;
  bytes: Map<number, Node> | null = null;
  objects: { readonly value: unknown; readonly node: Node }[] | null = null;

  constructor(
    id: number,
    task: number,
    request: Request<unknown> | null,
    frame: Frame,
    parent: Node | null,
    result: unknown,
    z: readonly [number, number],
    lockAt: number,
  ) {
    this.id = id;
    this.task = task;
    this.request = request;
    this.frame = frame;
    this.parent = parent;
    this.result = result;
    this.z1 = z[0];
    this.z2 = z[1];
    this.gate = gateOf(request);
    this.act = actOf(request);
    this.fn = request?.fn ?? nothing;
    this.ready = request?.ready ?? always;
    this.lockAt = lockAt;
  }
}

function gateOf(request: Request<unknown> | null): number {
  if (request === null) return GATE_FINISHED;
  const { kind, lock, mode } = request;
  if (kind !== 'lock' && kind !== 'wait') return GATE_OPEN;
  if (lock === null) return GATE_WAIT;
  if (mode === 'shared') return GATE_SHARED;
  const queues = lock.class.kind === 'rwsem' || lock.class.kind === 'percpu';
  return queues && kind === 'lock' ? GATE_QUEUE : GATE_EXCLUSIVE;
}

function actOf(request: Request<unknown> | null): number {
  switch (request?.kind) {
    case 'lock':
      return ACT_LOCK;
    case 'trylock':
      return ACT_TRYLOCK;
    case 'unlock':
      return ACT_UNLOCK;
    default:
      return ACT_STEP;
  }
}

/** The words of a lock's record, which the search reads itself. */
export const LOCK_OWNER: number = wordOf('lock', 'owner');
export const LOCK_READERS: number = wordOf('lock', 'readers');
export const LOCK_WAITERS: number = wordOf('lock', 'waiters');

/** What `call` was given makes no generator: a hook written as a plain function, say. */
export class NotAnOp extends Error {
  override readonly name = 'NotAnOp';
  constructor(frame: string) {
    super(`${frame} is no op: a hook that answers an Op is a generator (*name(k, …) { … })`);
  }
}

/** Op code wrote a record between two of its requests. It runs once for many states, so the others never see that. */
export class WroteOutside extends Error {
  override readonly name = 'WroteOutside';
  constructor() {
    super(
      'a record was written outside a step: state is read and written inside step(k, …, () => { … }), never between',
    );
  }
}

/** Generators that are kept alive at the tip of their frame; the others are fed again when needed. */
const LIVE_MAX = 4096;

export class Automaton {
  readonly world: FlatWorld;
  /** Each task's view of the kernel. */
  readonly kernels: readonly Kernel[];
  readonly names: readonly string[];
  readonly roots: readonly Node[];
  /** How often a generator was run again from its start. */
  rebuilt = 0;
  #count = 0;
  readonly #finished: (Node | undefined)[] = [];
  readonly #live = new Map<Frame, { readonly op: Op<unknown>; readonly at: Node }>();

  constructor(subject: Subject) {
    const { k, world, specs } = subject;
    if (specs.length > MAX_TASKS)
      throw new Error(`${specs.length} tasks: a schedule has at most ${MAX_TASKS}`);
    this.world = world;
    this.names = specs.map((spec) => spec.name);
    this.kernels = specs.map((spec, task) => k.forTask(task, spec.mm));
    this.roots = specs.map((spec, task) => {
      const kernel = this.kernels[task]!;
      return this.#enter(task, new Frame(spec.name, () => spec.program(kernel), null));
    });
  }

  /** Nodes of the trie. */
  get nodes(): number {
    return this.#count;
  }

  /** Where the task stands after `value`. The search has looked at `v0` and `v1`. */
  follow(node: Node, value: unknown): Node {
    const known = this.#known(node, value);
    if (known !== null) return known;
    freeze(value, node);
    const next = this.#grow(node, value);
    const simple = typeof value !== 'object' || value === null;
    if (node.n0 === null) {
      node.v0 = value;
      node.n0 = next;
    } else if (node.n1 === null) {
      node.v1 = value;
      node.n1 = next;
    }
    if (simple) (node.primitives ??= new Map()).set(value, next);
    else if (value instanceof Bytes) (node.bytes ??= new Map()).set(this.world.internBytes(value), next);
    else (node.objects ??= []).push({ value, node: next });
    return next;
  }

  #known(node: Node, value: unknown): Node | null {
    if (typeof value !== 'object' || value === null) return node.primitives?.get(value) ?? null;
    if (value instanceof Bytes) return node.bytes?.get(this.world.internBytes(value)) ?? null;
    if (node.objects !== null) for (const each of node.objects) if (same(each.value, value)) return each.node;
    return null;
  }

  #enter(task: number, frame: Frame): Node {
    const op = frame.make();
    if (typeof op?.next !== 'function') throw new NotAnOp(frame.name);
    const z: readonly [number, number] =
      frame.caller === null ? mixed([task, task], 'lane') : mixed([frame.caller.z1, frame.caller.z2], 'call');
    const answer = this.#resume(op, undefined, () => this.#again(frame, []));
    frame.entry = this.#place(task, frame, null, undefined, z, op, answer);
    return frame.entry;
  }

  #grow(node: Node, value: unknown): Node {
    const live = this.#live.get(node.frame);
    let op: Op<unknown>;
    if (live?.at === node) {
      this.#live.delete(node.frame);
      ({ op } = live);
    } else {
      op = this.#again(node.frame, history(node));
      this.rebuilt++;
    }
    const z = mixed([node.z1, node.z2], resultText(value));
    const answer = this.#resume(op, value, () => this.#again(node.frame, [...history(node), value]));
    return this.#place(node.task, node.frame, node, value, z, op, answer);
  }

  #place(
    task: number,
    frame: Frame,
    parent: Node | null,
    result: unknown,
    z: readonly [number, number],
    op: Op<unknown>,
    answer: IteratorResult<Request<unknown>, unknown>,
  ): Node {
    if (answer.done) {
      if (answer.value === AGAIN && frame.entry !== null) return frame.entry;
      if (frame.caller !== null) {
        const { caller } = frame;
        return this.follow(caller, answer.value);
      }
      return (this.#finished[task] ??= new Node(
        this.#count++,
        task,
        null,
        frame,
        null,
        undefined,
        mixed([task, task], 'finished'),
        -1,
      ));
    }
    const request = answer.value;
    const lockAt = request.lock === null ? -1 : this.lockAddress(task, request);
    const node = new Node(this.#count++, task, request, frame, parent, result, z, lockAt);
    this.#live.set(frame, { op, at: node });
    if (this.#live.size > LIVE_MAX) this.#live.delete(this.#live.keys().next().value!);
    return request.kind === 'call' ? this.#enter(task, new Frame(request.label, request.make!, node)) : node;
  }

  /** Address of the record of the request's lock. */
  lockAddress(task: number, request: Request<unknown>): number {
    return (this.kernels[task]!.lockRecord(request.lock!) as unknown as { readonly base: number }).base;
  }

  /** Runs op code up to its next request. On a forgotten `yield*`, `again` runs it once more with sites on. */
  #resume(op: Op<unknown>, value: unknown, again: () => void): IteratorResult<Request<unknown>, unknown> {
    const { tracker } = this.kernels[0]!;
    const { world } = this;
    const mark = world.logLength;
    try {
      const answer = op.next(value);
      if (tracker.pending !== null) throw forgotten(tracker.pending);
      if (world.logging && world.logLength !== mark) throw new WroteOutside();
      return answer;
    } catch (error) {
      if (world.logging) world.undo(mark);
      tracker.pending = null;
      if (!(error instanceof ForgottenYield) || tracker.sites) throw error;
      tracker.sites = true;
      try {
        again();
        if (tracker.pending !== null) throw forgotten(tracker.pending);
      } finally {
        tracker.sites = false;
        tracker.pending = null;
      }
      throw error;
    }
  }

  /** A fresh generator, fed with results. */
  #again(frame: Frame, results: readonly unknown[]): Op<unknown> {
    const op = frame.make();
    op.next(undefined);
    for (const result of results) op.next(result);
    return op;
  }

  /**
   * The request of a node from generators that were never used before, the lane's first: what the memoised request
   * must be equal to.
   */
  fresh(node: Node): Request<unknown> {
    let make = node.frame.make;
    if (node.frame.caller !== null) make = this.fresh(node.frame.caller).make!;
    const op = make();
    let answer = op.next(undefined);
    for (const result of history(node)) answer = op.next(result);
    if (answer.done) throw new Error(`'${node.request?.label}' is not there when the op runs again`);
    return answer.value;
  }

  /** Notes what a step at `node` said of locks. */
  heard(node: Node, next: Node, effects: readonly LockEffect[]): void {
    node.moves ??= [];
    for (const move of node.moves) if (move.next === next && same(move.effects, effects)) return;
    node.moves.push({ next, effects: [...effects] });
  }

  /** Names of the open kernel functions at a node, outermost first. */
  stack(node: Node): string[] {
    const names: string[] = [];
    for (let { frame } = node; frame.caller !== null; { frame } = frame.caller) names.unshift(frame.name);
    return names;
  }
}

/** Where a task came from a node, whatever its request gave. */
export function following(node: Node): Node[] {
  const all = [node.n0, node.n1, ...(node.primitives?.values() ?? []), ...(node.bytes?.values() ?? [])];
  if (node.objects !== null) for (const { node: next } of node.objects) all.push(next);
  return [...new Set(all)].filter((each) => each !== null);
}

/** Results since the frame of a node began. */
function history(node: Node): unknown[] {
  const results: unknown[] = [];
  for (let at = node; at.parent !== null; at = at.parent) results.push(at.result);
  return results.reverse();
}

/** The same content? */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b);
  if (a instanceof Bytes || b instanceof Bytes) {
    if (!(a instanceof Bytes && b instanceof Bytes)) return false;
    return a.length === b.length && a.lo === b.lo && a.hi === b.hi && a.equals(b);
  }
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!(Array.isArray(a) && Array.isArray(b)) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!same(a[i], b[i])) return false;
    return true;
  }
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  for (const key of keys) {
    if (!Object.hasOwn(b, key)) return false;
    if (!same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key])) return false;
  }
  return true;
}

/** Freezes a result, and refuses what cannot be one. */
function freeze(value: unknown, node: Node): void {
  if (typeof value === 'function' || typeof value === 'symbol') throw notAResult(node, `a ${typeof value}`);
  if (typeof value !== 'object' || value === null || value instanceof Bytes) return;
  const proto: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && proto !== Object.prototype && proto !== null) {
    throw notAResult(node, `a ${(value as object).constructor?.name ?? 'object of some class'}`);
  }
  if (!Object.isFrozen(value)) Object.freeze(value);
  for (const key of Object.keys(value)) freeze((value as Record<string, unknown>)[key], node);
}

function notAResult(node: Node, what: string): Error {
  const { request, frame } = node;
  const from = request?.kind === 'call' ? `the function ${request.label}` : `the step '${request?.label}'`;
  return new Error(
    `${from} in ${frame.name} returned ${what}: an op may remember only primitives, Bytes, and plain objects of these`,
  );
}

/** One text per content: unlike `canonical`, undefined is not null. For the digest of a node. */
function resultText(value: unknown): string {
  if (value instanceof Bytes) return `#${value.length}:${value.digest()}`;
  if (Array.isArray(value)) return `[${value.map(resultText).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const fields = Object.keys(value).sort();
    return `{${fields.map((key) => `${JSON.stringify(key)}:${resultText((value as Record<string, unknown>)[key])}`).join(',')}}`;
  }
  return typeof value === 'string' ? JSON.stringify(value) : `${typeof value} ${String(value)}`;
}

/** The digest of what comes after `z` by way of `text`. */
function mixed([z1, z2]: readonly [number, number], text: string): readonly [number, number] {
  let a = z1 ^ 0x2545f491;
  let b = z2 ^ 0x6c62272e;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(b + c + 1, 0x5bd1e995);
    b ^= b >>> 13;
  }
  a = Math.imul(a ^ text.length, 0x85ebca6b);
  a = Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  b = Math.imul(b ^ (a >>> 7), 0x27d4eb2f);
  b = Math.imul(b ^ (b >>> 15), 0x165667b1);
  return [a ^ (a >>> 16), b ^ (b >>> 14)];
}
