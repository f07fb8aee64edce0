/**
 * Ops and their requests. An op is a generator that reads like the kernel function it models; every request it
 * yields is one atomic step that another task may precede. What a step returns is all an op may remember.
 *
 *   const ok = yield* step(k, 'still inline?', () => hasInlineData(k, ino));
 *   yield* lock(k, xattrSem(ino), 'exclusive');
 *   const ret = yield* call(k, 'ext4_convert_inline_data', () => convertInlineData(k, ino));
 *
 * The closure of a step is run again when the explorer passes that point, long after the generator has moved on: it
 * may capture constants only, never a variable that is assigned later (`const at = next` inside a loop). It is run
 * once per content of the tables that it touches, so it may depend on nothing but records and constants.
 *
 * A request is an object that must be run with `yield*`. The tracker counts those made and those started: one
 * that was made and not started by the next step is an error naming the line (the forgotten `yield*`).
 */
import type { LockRef } from './locks/lock.ts';

/** A function of the kernel: a generator of requests, run with `yield*` or `call`. */
export type Op<T = void> = Generator<Request<unknown>, T, unknown>;

export type LockMode = 'shared' | 'exclusive';

export type RequestKind = 'step' | 'wait' | 'lock' | 'trylock' | 'unlock' | 'call';

/** A task that has the kernel to itself met a request that only another task could grant. */
export class WouldBlock extends Error {
  override readonly name = 'WouldBlock';

  /** @param label  what the request says of itself: `down_write(&ei->xattr_sem)` */
  constructor(label: string) {
    super(`this would block: ${label}`);
  }
}

/** A BUG_ON fired under a task that has the kernel to itself. */
export class Halted extends Error {
  override readonly name = 'Halted';
}

/**
 * Direct mode, for one task that has the kernel to itself: a request is carried out where it is made, and what it
 * gave is what its `yield*` gets at once. Nothing is handed to a scheduler; an op runs from its first line to its
 * last in one `next()`. The one answer is enough, because a request is run right where it is made.
 */
export class Direct {
  /** Looked at after every step: a halted machine runs nothing any more. */
  readonly sb: { readonly halted: boolean };
  readonly #result: { done: true; value: unknown } = { done: true, value: undefined };

  constructor(sb: { readonly halted: boolean }) {
    this.sb = sb;
  }

  /** The value of a step that was carried out, as the request that `yield*` wants. */
  answer<T>(value: T): Request<T> {
    if (this.sb.halted) throw new Halted('the machine is halted');
    this.#result.value = value;
    return this as unknown as Request<T>;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorReturnResult<unknown> {
    return this.#result;
  }
}

/** Where requests are counted; the machine looks at it before every step. */
export interface Tracker {
  /** The request made last and not yet started, if any. */
  pending: Request<unknown> | null;
  /** Remember the call site of every request (slow): the explorer and tests do, the library does not. */
  sites: boolean;
  /** Set: requests are carried out at once. */
  direct?: Direct;
}

/** What the functions below need of `Kernel`. */
export interface Tracked {
  readonly tracker: Tracker;
}

const NOTHING: readonly LockRef[] = [];

export class Request<T> {
  readonly kind: RequestKind;
  /** What a trace prints: `BUG_ON(MAY_INLINE_DATA)`, `down_write(&ei->xattr_sem)`, the kernel function. */
  readonly label: string;
  readonly fn: (() => T) | null;
  /** wait: the step may run when this is true. Reads state only. */
  readonly ready: (() => boolean) | null;
  /** The lock that is taken, tried or released; wait: the one that must be free for `mode`, if it is that. */
  readonly lock: LockRef | null;
  readonly mode: LockMode;
  /** wait: what lockdep, or the graph of waits, may take it to wait for. */
  readonly awaits: readonly LockRef[];
  readonly make: (() => Op<T>) | null;
  readonly site: Error | null;
  readonly #tracker: Tracker;

  constructor(
    k: Tracked,
    kind: RequestKind,
    label: string,
    what: {
      fn?: () => T;
      ready?: () => boolean;
      lock?: LockRef;
      mode?: LockMode;
      awaits?: readonly LockRef[];
      make?: () => Op<T>;
    },
  ) {
    this.kind = kind;
    this.label = label;
    this.fn = what.fn ?? null;
    this.ready = what.ready ?? null;
    this.lock = what.lock ?? null;
    this.mode = what.mode ?? 'exclusive';
    this.awaits = what.awaits ?? NOTHING;
    this.make = what.make ?? null;
    this.#tracker = k.tracker;
    this.site = k.tracker.sites ? new Error(label) : null;
    if (k.tracker.pending !== null) throw forgotten(k.tracker.pending);
    k.tracker.pending = this as Request<unknown>;
  }

  [Symbol.iterator](): Iterator<Request<unknown>, T, unknown> {
    if (this.#tracker.pending === this) this.#tracker.pending = null;
    return new Once<T>(this);
  }
}

/** Yields the request once; what the machine sends back is the value of the `yield*`. */
class Once<T> implements Iterator<Request<unknown>, T, unknown> {
  #request: Request<T> | null;
  constructor(request: Request<T>) {
    this.#request = request;
  }
  next(sent: unknown): IteratorResult<Request<unknown>, T> {
    const request = this.#request;
    if (request === null) return { done: true, value: sent as T };
    this.#request = null;
    return { done: false, value: request as Request<unknown> };
  }
}

/** A mistake in ext4lab itself or in a design: says which line forgot what. */
export class ForgottenYield extends Error {
  override readonly name = 'ForgottenYield';
}

const MAKERS = /\/(task|locks\/lock|device\/journal)\.(ts|js):/;

/** The error for a request that was made and never run. */
export function forgotten(request: Request<unknown>): ForgottenYield {
  const frames = request.site?.stack?.split('\n').slice(1) ?? [];
  // Whoever made it by `lock`, `journalStart` and their like is the one to be told.
  const line = frames.find((frame) => !MAKERS.test(frame) && /[\w)]:\d+:\d+/.test(frame));
  const where = line?.trim().replace(/^at /, '') ?? 'run again with sites on to see the line';
  return new ForgottenYield(`'${request.label}' was made and never run: did you forget yield* at ${where}?`);
}

/** One atomic step: `fn` reads and writes state through `k` and returns what the op may remember. */
export function step<T>(k: Tracked, label: string, fn: () => T): Request<T> {
  const { direct } = k.tracker;
  return direct === undefined ? new Request<T>(k, 'step', label, { fn }) : direct.answer(fn());
}

/**
 * One atomic step that can run only while `ready()` is true: a wait bit, a completion, a drained transaction.
 * @param awaits  who must let go of it, for lockdep and the graph of waits
 */
export function waitFor<T = void>(
  k: Tracked,
  label: string,
  ready: () => boolean,
  fn?: () => T,
  ...awaits: readonly LockRef[]
): Request<T> {
  const { direct } = k.tracker;
  if (direct !== undefined) {
    if (!ready()) throw new WouldBlock(label);
    return direct.answer((fn === undefined ? undefined : fn()) as T);
  }
  return new Request<T>(k, 'wait', label, fn === undefined ? { ready, awaits } : { ready, fn, awaits });
}

/** A kernel function in a frame of its own: when it returns, its locals are forgotten. */
export function call<T>(k: Tracked, name: string, make: () => Op<T>): Request<T> {
  // The op itself is what `yield*` runs: no frame is needed where nothing is suspended.
  if (k.tracker.direct !== undefined) return make() as unknown as Request<T>;
  return new Request<T>(k, 'call', name, { make });
}

/** What an op under `loop` returns to be entered once more. */
export const AGAIN: unique symbol = Symbol('AGAIN');

/**
 * `call` of a function that may return AGAIN: it begins anew and remembers nothing of the turn before, as a fault that
 * is done again does. Whoever comes round to the same state is where it was, so a search of tasks that spin ends.
 */
export function loop<T>(k: Tracked, name: string, make: () => Op<T | typeof AGAIN>): Request<T> {
  if (k.tracker.direct !== undefined) return turns(make) as unknown as Request<T>;
  return new Request<T>(k, 'call', name, { make: make as () => Op<T> });
}

function* turns<T>(make: () => Op<T | typeof AGAIN>): Op<T> {
  for (;;) {
    const value = yield* make();
    if (value !== AGAIN) return value;
  }
}
