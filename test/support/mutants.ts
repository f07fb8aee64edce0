/**
 * Mutants: the same lanes with one thing left out of the code that they run.
 *
 *   drop LOCK       in FUNCTION   the lock is not taken there, and not given back where it is not held
 *   open 'SECTION'  in FUNCTION   the section runs without waiting for its lock
 *   'QUESTION' = b  in FUNCTION   what is asked again is not looked at: the answer is always b
 *   swap A, B       in FUNCTION   B is done before A: two steps, or a step and a lock beside it, that follow each other
 *
 * A mutant is made of requests: the op runs as it is, and what it asks for is changed on the way to the engine. So
 * every lock and every question of every design is a site, without a word about mutants in the code. Questions are
 * steps with a label that ends in a question mark and that gave both true and false in some schedule of some scenario;
 * where only one was ever seen, the constant is the code. A lock is a site where some scenario has another task that
 * holds the same lock over several steps, one of the two exclusively; elsewhere nobody could notice.
 *
 * Only what gives nothing back can come second: A is a lock, an unlock, or a step without an answer.
 *
 * Not mutated: what a step does inside; `trylock`; questions whose answers are not just yes or no.
 */
import type { Design } from '../../src/designs/design.ts';
import { type Exhausted, exhaustive } from '../../src/explore/exhaustive.ts';
import { livelock } from '../../src/explore/livelock.ts';
import { lockOrderOf } from '../../src/explore/lockOrder.ts';
import { NO_DEADLOCK } from '../../src/explore/subject.ts';
import { Walk } from '../../src/explore/walk.ts';
import { INVARIANTS } from '../../src/invariants/index.ts';
import type { Kernel } from '../../src/kernel.ts';
import { LockOrder, type LockOrderData, RETURN_TO_USER } from '../../src/locks/lockdep.ts';
import { isLockdep, lockdepSplats } from '../../src/report/lockdep.ts';
import { startSession } from '../../src/scenario/session.ts';
import type { TaskSpec } from '../../src/sched/machine.ts';
import { type Op, Request, step } from '../../src/task.ts';
import type { Case } from './scenarios.ts';

export interface Mutation {
  readonly kind: 'lock' | 'section' | 'question' | 'swap';
  /** The kernel function in whose frame it is. */
  readonly frame: string;
  /** Name of the lock's class; the label of the section or of the question; of a swap the name of the pair. */
  readonly what: string;
  /** Of a question: what it always answers. */
  readonly answer: boolean | null;
}

const WORDS: Readonly<Record<Mutation['kind'], (what: string, answer: boolean | null) => string>> = {
  lock: (what) => `drop ${what}`,
  section: (what) => `open '${what}'`,
  question: (what, answer) => `'${what}' = ${answer}`,
  swap: (what) => `swap ${what}`,
};

export const mutationText = ({ kind, frame, what, answer }: Mutation): string =>
  `${WORDS[kind](what, answer)} in ${frame}`;

/** A request in the name of a pair: locks by their class. */
const part = ({ kind, lock, label }: Request<unknown>): string =>
  kind === 'lock' || kind === 'unlock' ? `${kind} ${lock!.class.name}` : `'${label}'`;

const pairOf = (a: Request<unknown>, b: Request<unknown>): string => `${part(a)}, ${part(b)}`;

/** May stand in a pair. */
const isPlain = ({ kind }: Request<unknown>): boolean =>
  kind === 'step' || kind === 'lock' || kind === 'unlock';

/** Goes between an op and the engine. `through` may answer with another request; `heard` gets every result. */
interface Between {
  through(k: Kernel, request: Request<unknown>, frame: string): Request<unknown>;
  heard(request: Request<unknown>, frame: string, value: unknown): void;
  /** A pair of requests of one function, one after the other, of which the first gave nothing back. */
  pair?(a: Request<unknown>, b: Request<unknown>, frame: string): void;
  /** The pair to be done the other way round. */
  readonly swap?: { readonly frame: string; readonly pair: string };
}

function* between<T>(k: Kernel, op: Op<T>, frame: string, what: Between): Op<T> {
  let sent: unknown;
  let last: Request<unknown> | null = null;
  let next = op.next(sent);
  for (;;) {
    const { done, value } = next;
    if (done) return value;
    if (value.kind === 'call') {
      const { label, make } = value;
      sent = yield* new Request<unknown>(k, 'call', label, { make: () => between(k, make!(), label, what) });
      last = null;
      next = op.next(sent);
      continue;
    }
    if (last !== null && isPlain(value)) what.pair?.(last, value, frame);
    last = null;
    if (what.swap?.frame === frame && isPlain(value) && what.swap.pair.startsWith(`${part(value)}, `)) {
      const after = op.next(undefined);
      if (!after.done && isPlain(after.value) && pairOf(value, after.value) === what.swap.pair) {
        sent = yield after.value;
        yield value;
        next = op.next(sent);
        continue;
      }
      // Not the pair: the answer must be the one that the op was given already.
      if ((yield value) !== undefined)
        throw new Error(`${value.label} answers, and was taken for a step that does not`);
      next = after;
      continue;
    }
    const request = what.through(k, value, frame);
    sent = request === value ? yield value : yield* request;
    what.heard(value, frame, sent);
    if (sent === undefined && isPlain(value)) last = value;
    next = op.next(sent);
  }
}

const withBetween = (specs: readonly TaskSpec[], what: Between): TaskSpec[] =>
  specs.map((spec) => ({ ...spec, program: (k) => between(k, spec.program(k), spec.name, what) }));

function mutated({ kind, frame: where, what, answer }: Mutation): Between {
  return {
    ...(kind === 'swap' ? { swap: { frame: where, pair: what } } : {}),
    through(k, request, frame) {
      const { lock, label, mode } = request;
      if (kind === 'lock' && lock?.class.name === what) {
        if (request.kind === 'lock' && frame === where) return step(k, label, () => {});
        // Given back if it is held: whoever dropped it may be another function than the one that gives it back.
        if (request.kind === 'unlock')
          return step(k, label, () => {
            const record = k.lockRecord(lock);
            if (record.owner === k.task + 1) record.owner = 0;
            else record.readers &= ~(1 << k.task);
          });
      }
      if (kind === 'swap' || frame !== where || label !== what) return request;
      const { fn } = request;
      if (kind === 'section' && request.kind === 'wait' && lock !== null)
        return step(k, `${label}${mode === 'shared' ? '' : '!'}`, fn!);
      if (kind === 'question' && request.kind === 'step')
        return step(k, label, () => {
          fn!();
          return answer;
        });
      return request;
    },
    heard() {},
  };
}

const BOTH = 3;

/** Collects the sites that a search comes by. */
class Sites implements Between {
  readonly #locks = new Map<string, { readonly mutation: Mutation; readonly keys: Set<string> }>();
  readonly #questions = new Map<string, { readonly frame: string; readonly what: string; seen: number }>();
  readonly #pairs = new Map<string, Mutation>();
  /** By lock and task: taken shared, taken exclusively; and the same where it is held over several steps. */
  readonly #takers = new Map<string, { taken: number; held: number }[]>();

  through(k: Kernel, request: Request<unknown>, frame: string): Request<unknown> {
    const { kind, lock, label, mode } = request;
    if (lock === null || (kind !== 'lock' && kind !== 'wait')) return request;
    const isHeld = kind === 'lock';
    const mutation: Mutation = isHeld
      ? { kind: 'lock', frame, what: lock.class.name, answer: null }
      : { kind: 'section', frame, what: label, answer: null };
    const key = `${lock.class.id} ${lock.instance} ${lock.index}`;
    const text = mutationText(mutation);
    const site = this.#locks.get(text) ?? { mutation, keys: new Set() };
    this.#locks.set(text, site);
    site.keys.add(key);
    const takers = this.#takers.get(key) ?? [];
    this.#takers.set(key, takers);
    const taker = (takers[k.task] ??= { taken: 0, held: 0 });
    const bit = mode === 'shared' ? 1 : 2;
    taker.taken |= bit;
    if (isHeld) taker.held |= bit;
    return request;
  }

  heard({ kind, label }: Request<unknown>, frame: string, value: unknown): void {
    if (kind !== 'step' || !label.endsWith('?')) return;
    const key = `${frame} ${label}`;
    const known = this.#questions.get(key) ?? { frame, what: label, seen: 0 };
    this.#questions.set(key, known);
    known.seen |= value === true ? 1 : value === false ? 2 : 4;
  }

  pair(a: Request<unknown>, b: Request<unknown>, frame: string): void {
    // Two locks given back in another order, or a step beside the end of the call: nothing to see.
    if ((a.kind === 'unlock' && b.kind === 'unlock') || b.label === RETURN_TO_USER) return;
    // What one class is taken and given back for is the section between.
    if (a.kind === 'lock' && b.kind === 'unlock' && a.lock === b.lock) return;
    const mutation: Mutation = { kind: 'swap', frame, what: pairOf(a, b), answer: null };
    this.#pairs.set(mutationText(mutation), mutation);
  }

  #isContended(key: string): boolean {
    const takers = this.#takers.get(key)!;
    return takers.some(({ held }, holder) =>
      takers.some(
        ({ taken }, other) => other !== holder && held !== 0 && taken !== 0 && ((held | taken) & 2) !== 0,
      ),
    );
  }

  get all(): Mutation[] {
    const locks = [...this.#locks.values()].filter(({ keys }) =>
      [...keys].some((key) => this.#isContended(key)),
    );
    const questions = [...this.#questions.values()].filter(({ seen }) => seen === BOTH);
    return [
      ...this.#pairs.values(),
      ...locks.map(({ mutation }) => mutation),
      ...questions.flatMap(({ frame, what }) =>
        [true, false].map((answer): Mutation => ({ kind: 'question', frame, what, answer })),
      ),
    ];
  }
}

/** What a case gives without a mutation. */
export interface Baseline {
  readonly each: Case;
  readonly mutations: ReadonlyMap<string, Mutation>;
  readonly broken: readonly string[];
  readonly endStates: string;
  readonly states: number;
  readonly lockOrder: LockOrderData;
}

interface Searched extends Exhausted {
  readonly lockOrder: LockOrderData;
  /** From some state no schedule comes to an end. */
  readonly spins: boolean;
}

function search(each: Case, what: Between, broken: readonly string[] | null, limit: number): Searched {
  const { k, world, specs } = startSession(each.scenario, each.image, each.design, each.mount);
  const invariants = INVARIANTS.filter(({ id }) => broken === null || !broken.includes(id));
  const subject = { k, world, specs: withBetween(specs, what), invariants };
  const walk = new Walk(subject);
  walk.lockdep = true;
  const stopAtFirst = broken !== null && !broken.includes(NO_DEADLOCK);
  const options = { budget: limit, stopAtFirst };
  const result = exhaustive(subject, { ...options, graph: false }, walk);
  const lockOrder = lockOrderOf(walk.automaton);
  const isLoop = result.complete && result.schedules === null;
  const { graph } = isLoop ? exhaustive(subject, { ...options, graph: true }, walk) : result;
  return { ...result, lockOrder, spins: graph !== null && livelock(walk, graph) !== null };
}

/** What lockdep reports of these, by the classes on the cycle or what else it says. */
function reports(orders: readonly LockOrderData[]): ReadonlySet<string> {
  const all = new LockOrder();
  for (const order of orders) all.add(order);
  return new Set(
    lockdepSplats(all.data, '')
      .filter(isLockdep)
      .map(({ summary }) => summary),
  );
}

/** @returns null when there are more transitions than `limit` */
export function baselineOf(each: Case, limit: number): Baseline | null {
  const sites = new Sites();
  const { complete, found, endStates, states, lockOrder } = search(each, sites, null, limit);
  if (!complete) return null;
  return {
    each,
    mutations: new Map(sites.all.map((mutation) => [mutationText(mutation), mutation])),
    broken: found.map(({ invariant }) => invariant),
    endStates: endStates.join(),
    states,
    lockOrder,
  };
}

export type Fate =
  /** An invariant that held is broken, or the machine never ends. */
  | { readonly fate: 'caught'; readonly by: string; readonly in: string }
  /** No invariant minds, but files, inodes or findings end differently. */
  | { readonly fate: 'differs'; readonly in: string }
  /** Nobody can tell. */
  | { readonly fate: 'same' };

/**
 * Runs a mutant of a design over the cases that come by its site, the smallest first, until one catches it.
 * @param orders  the locks of all schedules of the design: lockdep sees a mutant beside them
 */
export function fateOf(
  mutation: Mutation,
  baselines: readonly Baseline[],
  orders: readonly LockOrderData[] = [],
): Fate {
  let differs: string | null = null;
  const known = reports(orders);
  for (const { each, broken, endStates, states } of baselines) {
    const name = each.label.split(' ').slice(0, 2).join(' ');
    try {
      const result = search(each, mutated(mutation), broken, 40 * states + 100_000);
      const news = result.found.find(({ invariant }) => !broken.includes(invariant));
      if (news !== undefined) return { fate: 'caught', by: news.invariant, in: name };
      if (result.endless !== null || result.spins || !result.complete)
        return { fate: 'caught', by: 'never ends', in: name };
      if (mutation.kind === 'swap' && orders.length > 0) {
        const report = [...reports([...orders, result.lockOrder])].find((each) => !known.has(each));
        if (report !== undefined) return { fate: 'caught', by: 'lockdep', in: name };
      }
      if (differs === null && result.endStates.join() !== endStates) differs = name;
    } catch (error) {
      return { fate: 'caught', by: (error as Error).message.split(':')[0]!.slice(0, 60), in: name };
    }
  }
  return differs === null ? { fate: 'same' } : { fate: 'differs', in: differs };
}

export interface Mutant {
  readonly design: Design;
  readonly mutation: Mutation;
  readonly fate: Fate;
}

/** The locks of all schedules of all cases, as one order. */
export function orderOf(baselines: readonly Baseline[]): readonly LockOrderData[] {
  const all = new LockOrder();
  for (const { lockOrder } of baselines) all.add(lockOrder);
  return [all.data];
}

/** What a design and its cases come by. */
function baselinesOf(design: Design, cases: readonly Case[], limit: number): Baseline[] {
  return cases
    .filter((each) => each.design === design)
    .map((each) => baselineOf(each, limit))
    .filter((each) => each !== null)
    .sort((a, b) => a.states - b.states);
}

/** The names of all mutations of a design: where it is another one's too, that one has been tried there. */
export function sitesOf(design: Design, cases: readonly Case[], limit = LIMIT): ReadonlySet<string> {
  return new Set(baselinesOf(design, cases, limit).flatMap(({ mutations }) => [...mutations.keys()]));
}

/** Most transitions of a case that mutants are tried on. */
const LIMIT = 150_000;

/** Every mutant of a design over its cases, of those that are `wanted`. */
export function mutantsOf(
  design: Design,
  cases: readonly Case[],
  wanted: (text: string, mutation: Mutation) => boolean,
  limit: number = LIMIT,
): Mutant[] {
  const baselines = baselinesOf(design, cases, limit);
  const all = new Map(baselines.flatMap(({ mutations }) => [...mutations]));
  const orders = orderOf(baselines);
  return [...all]
    .filter(([text, mutation]) => wanted(text, mutation))
    .map(([text, mutation]) => ({
      design,
      mutation,
      fate: fateOf(
        mutation,
        baselines.filter(({ mutations }) => mutations.has(text)),
        orders,
      ),
    }));
}
