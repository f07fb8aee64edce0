/**
 * lockdep: which class of lock was taken while which others were held, in every schedule that was looked at, and what
 * the kernel's rules say of it. A rule is violated by an order ever seen, not by a deadlock that happened.
 *
 *   held:  sb_writers ─▶ i_rwsem ─▶ mmap_lock          taking X adds an edge from the nearest lock that was not only
 *                                       └──▶ X         tried, and from the tried ones after it; more follows from these
 *
 * A class is `LockRef.key`: the lock's name, directories apart, with its subclass. An edge knows whether its first lock
 * was held shared and whether its second is a recursive read, because a chain of -(*R)-> -(S*)-> cannot deadlock. A try
 * is held like any other lock but has no edge to it.
 *
 * Waits that the kernel's lockdep does not follow (folio lock, writeback, I_SYNC, the end of a commit) are edges too,
 * in the same graph, but a cycle is lockdep's only when none of them is on it.
 *
 * What runs in another kernel thread (a commit, the end of I/O) sees nothing of what the task that stands in for it
 * holds.
 *
 * Not verified: irq contexts (nothing here runs in one), wait types beyond sleeping under a spinlock, nest_lock.
 *
 * @source kernel/locking/lockdep.c check_prevs_add, check_prev_add, check_noncircular, check_deadlock, __bfs
 */
import type { LockEffect } from '../state/effects.ts';
import { LOCK, type LockClass, type LockId } from './lock.ts';

/** The step that ends a system call: nothing may be held there. */
export const RETURN_TO_USER = 'return to user space';

/** Where a lock was taken. */
export interface LockSite {
  /** Lane, and its number from 1: comm and pid. */
  readonly task: string;
  readonly pid: number;
  /** Scenario line, then the open kernel functions, outermost first. */
  readonly stack: readonly string[];
}

/** A lock that a task holds or is about to take. */
export interface Hold extends LockSite {
  readonly lock: LockId;
  readonly key: string;
  readonly instance: string;
  /** 0 exclusive, 1 shared. The kernel's 2, a recursive read, is taken by nothing here. */
  readonly read: 0 | 1 | 2;
  readonly trylock: boolean;
}

/** One order in which two classes were taken. */
export interface LockEdge {
  readonly from: string;
  readonly to: string;
  /** Which kinds there are: bits `DEP`. */
  dep: number;
  /** All that was held when it was first seen, outermost first; the lock at `from` is among it. */
  readonly held: readonly Hold[];
  readonly next: Hold;
}

/** What is wrong without a cycle. */
export interface LockEvent {
  readonly kind: 'recursive' | 'sleep' | 'unlock' | 'user-space';
  readonly held: readonly Hold[];
  /** recursive: the lock that is taken again; unlock: what is not held; sleep: what sleeps, when it is for a lock. */
  readonly next: Hold | null;
  /** The step, in words. */
  readonly what: string;
  readonly site: LockSite;
}

/** Kinds of dependency: first lock shared or exclusive, second a recursive read or not. */
export const DEP = { SR: 1, ER: 2, SN: 4, EN: 8 } as const;

/** Levels that a frozen file system keeps, whoever thaws it: lockdep is told that nobody holds them. @source fs/super.c lockdep_sb_freeze_release */
const FREEZE: ReadonlySet<LockId> = new Set(['sb_writers', 'sb_pagefaults', 'sb_internal']);

const depOf = (prev: Hold, next: Hold): number =>
  next.read === 2 ? (prev.read === 0 ? DEP.ER : DEP.SR) : prev.read === 0 ? DEP.EN : DEP.SN;

export const lockClass = (id: LockId): LockClass => LOCK[id];
const isBit = (hold: Hold): boolean => lockClass(hold.lock).kind === 'bit';
const isSpin = (hold: Hold): boolean => lockClass(hold.lock).kind === 'spinlock';

/** Frames that stand in for another kernel thread: the end of I/O runs in ext4_end_io_rsv_work. */
const OTHER_THREAD: ReadonlySet<string> = new Set(['ext4_io_submit']);

/** Frames in which memory is reclaimed: fs_reclaim is held there. @source mm/page_alloc.c __perform_reclaim; mm/vmscan.c balance_pgdat */
const RECLAIM: ReadonlySet<string> = new Set(['shrink_folio_list', 'shrink_slab', 'prune_icache_sb']);

/** What `next` is taken under, as the thread that takes it sees it. */
function visible(held: readonly Hold[], next: LockSite): readonly Hold[] {
  // A commit is the jbd2 thread's.
  const commit = held.findLastIndex((each) => each.lock === 'commit');
  const seen = commit < 0 ? held : held.slice(commit);
  const thread = next.stack.findLastIndex((name) => OTHER_THREAD.has(name));
  const own = thread < 0 ? seen : seen.filter((each) => each.stack[thread] === next.stack[thread]);
  const reclaim = next.stack.findIndex((name) => RECLAIM.has(name));
  if (reclaim < 0) return own;
  const inside = own.findIndex((each) => each.stack[reclaim] === next.stack[reclaim]);
  const at = inside < 0 ? own.length : inside;
  return [...own.slice(0, at), reclaiming(next, reclaim), ...own.slice(at)];
}

const reclaiming = ({ task, pid, stack }: LockSite, frame: number): Hold => ({
  task,
  pid,
  stack: stack.slice(0, frame + 1),
  lock: 'fs_reclaim',
  key: LOCK.fs_reclaim.name,
  instance: '0',
  read: 0,
  trylock: false,
});

/** A hold as an effect and a site say it. */
export function holdOf(effect: LockEffect, { task, pid, stack }: LockSite): Hold {
  return {
    task,
    pid,
    stack: effect.frames === undefined ? stack : [...stack, ...effect.frames],
    lock: effect.lock as LockId,
    key: effect.key,
    instance: effect.instance,
    read: effect.mode === 'shared' ? 1 : 0,
    trylock: effect.trylock === true,
  };
}

/** What a `LockOrder` has seen, as plain data: it can be sent elsewhere and put together there. */
export interface LockOrderData {
  readonly edges: readonly LockEdge[];
  readonly events: readonly LockEvent[];
  /** By class, how it was taken: bit 0 exclusive, bit 1 shared. */
  readonly classes: readonly { readonly key: string; readonly lock: LockId; readonly modes: number }[];
}

export class LockOrder {
  readonly #edges = new Map<string, LockEdge>();
  readonly #events = new Map<string, LockEvent>();
  readonly #classes = new Map<string, { readonly key: string; readonly lock: LockId; modes: number }>();

  /** In the order in which they were first seen. */
  get data(): LockOrderData {
    return {
      edges: [...this.#edges.values()],
      events: [...this.#events.values()],
      classes: [...this.#classes.values()],
    };
  }

  /** @returns what is held afterwards */
  acquire(held: readonly Hold[], next: Hold): readonly Hold[] {
    this.#use(next.key, next.lock, next.read === 0 ? 1 : 2);
    if (!next.trylock) {
      const seen = visible(held, next);
      this.#sleep(seen, next);
      // The commit is not taken by who stands in for the jbd2 thread: that one waits for it.
      if (next.lock !== 'commit') this.#depend(seen, next);
    }
    return [...held, next];
  }

  /** A wait for somebody who has it: as a lock that is taken and given back. */
  wait(held: readonly Hold[], next: Hold): void {
    this.#use(next.key, next.lock, next.read === 0 ? 1 : 2);
    const seen = visible(held, next);
    this.#sleep(seen, next);
    this.#depend(seen, next);
  }

  /** What was taken after the lock that goes is taken again without it, as the kernel does. @source reacquire_held_locks */
  release(held: readonly Hold[], gone: Hold): readonly Hold[] {
    const at = held.findLastIndex((each) => each.lock === gone.lock && each.instance === gone.instance);
    if (at < 0) {
      if (!FREEZE.has(gone.lock)) this.#event('unlock', held, gone, gone.key, gone);
      return held;
    }
    let rest: readonly Hold[] = held.slice(0, at);
    for (const each of held.slice(at + 1)) rest = this.acquire(rest, each);
    return rest;
  }

  /** A task may wait here for somebody: a finding when it holds a spinlock. */
  mayWait(held: readonly Hold[], what: string, site: LockSite): void {
    const seen = visible(held, site);
    if (seen.some(isSpin)) this.#event('sleep', seen, null, what, site);
  }

  /** A system call ends. @returns nothing held: the kernel forgets it too */
  leave(held: readonly Hold[], site: LockSite): readonly Hold[] {
    const locks = held.filter((each) =>
      isBit(each) ? each.lock === 'folio' : !(FREEZE.has(each.lock) && each.read === 0),
    );
    if (locks.length > 0) this.#event('user-space', locks, null, RETURN_TO_USER, site);
    return [];
  }

  /** Everything that another one saw. */
  add({ edges, events, classes }: LockOrderData): void {
    for (const edge of edges) {
      const known = this.#edges.get(`${edge.from} ${edge.to}`);
      if (known === undefined) this.#edges.set(`${edge.from} ${edge.to}`, { ...edge });
      else known.dep |= edge.dep;
    }
    for (const { kind, held, next, what, site } of events) this.#event(kind, held, next, what, site);
    for (const { key, lock, modes } of classes) this.#use(key, lock, modes);
  }

  #use(key: string, lock: LockId, modes: number): void {
    const known = this.#classes.get(key);
    if (known === undefined) this.#classes.set(key, { key, lock, modes });
    else known.modes |= modes;
  }

  #sleep(held: readonly Hold[], next: Hold): void {
    if (held.some(isSpin) && !isSpin(next)) this.#event('sleep', held, next, next.key, next);
  }

  #depend(held: readonly Hold[], next: Hold): void {
    const bit = isBit(next);
    if (!bit && held.some((each) => each.key === next.key)) {
      this.#event('recursive', held, next, next.key, next);
      return;
    }
    let waits = true;
    for (let i = held.length - 1; i >= 0; i--) {
      const prev = held[i]!;
      if (isBit(prev)) {
        if (waits && !inOrder(prev, next)) this.#edge(prev, next, held);
        waits &&= prev.trylock;
        if (bit && !waits) break;
        continue;
      }
      this.#edge(prev, next, held);
      if (!prev.trylock) break;
    }
  }

  #edge(prev: Hold, next: Hold, held: readonly Hold[]): void {
    const name = `${prev.key} ${next.key}`;
    const dep = depOf(prev, next);
    this.#use(prev.key, prev.lock, prev.read === 0 ? 1 : 2);
    const known = this.#edges.get(name);
    if (known === undefined) this.#edges.set(name, { from: prev.key, to: next.key, dep, held, next });
    else known.dep |= dep;
  }

  #event(
    kind: LockEvent['kind'],
    held: readonly Hold[],
    next: Hold | null,
    what: string,
    { task, pid, stack }: LockSite,
  ): void {
    const among = kind === 'sleep' ? held.filter(isSpin) : kind === 'user-space' ? held : [];
    const name = [kind, ...among.map((each) => each.key), what].join(' ');
    if (this.#events.has(name)) return;
    this.#events.set(name, { kind, held, next, what, site: { task, pid, stack } });
  }
}

/** Bits of one file are taken from the first folio to the last, and a folio's lock before its writeback. */
function inOrder(prev: Hold, next: Hold): boolean {
  if (!isBit(next)) return false;
  const [a, i = '0'] = prev.instance.split(':');
  const [b, j = '0'] = next.instance.split(':');
  return prev.lock === next.lock || (a === b && Number(i) < Number(j));
}

// ---- cycles

/** A cycle: `edge` closes the way that leads from `edge.to` back to `edge.from`. */
export interface LockCycle {
  readonly edge: LockEdge;
  /** First edge begins at `edge.to`, the last ends at `edge.from`. */
  readonly path: readonly LockEdge[];
  /** Every lock on it is one that the kernel's lockdep follows. */
  readonly lockdep: boolean;
}

/**
 * The cycles of the graph. Edges that follow the documented order come first, so that the one that is blamed is the
 * one against it; each is said once, with the shortest way back, and then left out.
 */
export function lockCycles(order: LockOrderData): LockCycle[] {
  const classes = new Map(order.classes.map(({ key, lock }) => [key, LOCK[lock]]));
  const rank = (key: string): number => classes.get(key)!.rank;
  const against = ({ from, to }: LockEdge): number => Math.max(0, rank(from) - rank(to));
  const edges = [...order.edges].sort(
    (a, b) => against(a) - against(b) || compare(`${a.from} ${a.to}`, `${b.from} ${b.to}`),
  );
  const bit = (key: string): boolean => classes.get(key)!.kind === 'bit';
  const cycles: LockCycle[] = [];
  const locks = new Map<string, LockEdge[]>();
  const all = new Map<string, LockEdge[]>();
  const put = (graph: Map<string, LockEdge[]>, edge: LockEdge): void => {
    graph.set(edge.from, [...(graph.get(edge.from) ?? []), edge]);
  };
  for (const edge of edges) {
    const isLockdep = !bit(edge.from) && !bit(edge.to);
    const path = isLockdep ? wayBack(locks, edge) : null;
    if (path !== null) {
      cycles.push({ edge, path, lockdep: true });
      continue;
    }
    if (isLockdep) put(locks, edge);
    const waits = wayBack(all, edge);
    if (waits !== null) cycles.push({ edge, path: waits, lockdep: false });
    else put(all, edge);
  }
  return cycles;
}

/**
 * The shortest strong path from `edge.to` to `edge.from`: no -(*R)-> is followed by a -(S*)->.
 * @source kernel/locking/lockdep.c __bfs, hlock_conflict
 */
function wayBack(graph: ReadonlyMap<string, readonly LockEdge[]>, edge: LockEdge): LockEdge[] | null {
  interface Place {
    readonly key: string;
    readonly by: LockEdge | null;
    readonly before: Place | null;
    readonly onlyRecursive: boolean;
  }
  const root: Place = { key: edge.to, by: null, before: null, onlyRecursive: edge.next.read === 2 };
  const seen = new Set<string>();
  const queue = [root];
  for (let place = queue.shift(); place !== undefined; place = queue.shift()) {
    if (place.by !== null) {
      const name = `${place.key} ${place.onlyRecursive}`;
      if (seen.has(name)) continue;
      seen.add(name);
      if (place.key === edge.from && ((edge.dep & (DEP.EN | DEP.ER)) !== 0 || !place.onlyRecursive)) {
        const path: LockEdge[] = [];
        for (let at: Place | null = place; at?.by != null; at = at.before) path.unshift(at.by);
        return path;
      }
    }
    for (const next of graph.get(place.key) ?? []) {
      const dep = place.onlyRecursive ? next.dep & ~(DEP.SR | DEP.SN) : next.dep;
      if (dep === 0) continue;
      queue.push({
        key: next.to,
        by: next,
        before: place,
        onlyRecursive: (dep & (DEP.SN | DEP.EN)) === 0,
      });
    }
  }
  return null;
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
