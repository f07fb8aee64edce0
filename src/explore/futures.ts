/**
 * What a task may still touch: the ground on which a search leaves interleavings out (`exhaustive` with `reduce`).
 *
 *   own(node)     words that the step waiting at a node, and the look whether it may run, were ever seen to touch
 *   future(node)  the same of this node and of every node after it
 *
 * A task goes alone where neither its next step matters to the futures of the others, nor theirs to it, and no
 * invariant looks at what it writes: to let the others go first leads to nothing new (a persistent set of one;
 * Godefroid, Partial-Order Methods for the Verification of Concurrent Systems). Tasks only go forward, so nobody is
 * put off for ever; where one comes round in a `loop`, the search lets the others go as well.
 *
 * Futures are learned by the search itself, and say too little at first. The search asks again when it leaves a
 * state, and runs again when something that it relied on turned out wrong. What a pass relied on to its end is true,
 * of states that it left out as well. Take the shortest schedule with a step that touches a word not in the future of
 * its node. All steps before it keep to the futures, so the search has been through them in an equivalent order; there the step
 * finds the same in every word it reads up to the first that is new, touches that one too, and was learned.
 *
 * A word is read, written, or added to: tasks that hold a lock shared change one word, and none minds the others.
 * `halted` is read by every step.
 *
 * Kept: broken invariants, deadlocks, end states, places reached, every step of every task. Not kept: counts of states
 * and schedules, and the shortest story. Not seen: a record that is made while the search runs was in no list of keys
 * that a closure went through before; the caller starts anew then.
 */
import type { FlatWorld, Spy } from '../state/flat.ts';
import { ACT_STEP, ACT_UNLOCK, LOCK_OWNER, LOCK_READERS, LOCK_WAITERS, type Node } from './automaton.ts';

/** Sets of places, one bit each. */
class Touched {
  reads: Uint32Array = new Uint32Array(8);
  writes: Uint32Array = new Uint32Array(8);
  adds: Uint32Array = new Uint32Array(8);

  room(words: number): void {
    if (words <= this.reads.length) return;
    // A power of two, whatever the length was: sets that join each other in turn must not outgrow each other.
    const length = 1 << (32 - Math.clz32(words - 1));
    for (const kind of ['reads', 'writes', 'adds'] as const) {
      const bigger = new Uint32Array(length);
      bigger.set(this[kind]);
      this[kind] = bigger;
    }
  }

  /** @returns true when something was new */
  join(other: Touched): boolean {
    this.room(other.reads.length);
    let grown = 0;
    for (let i = 0; i < other.reads.length; i++) {
      grown |= other.reads[i]! & ~this.reads[i]!;
      grown |= other.writes[i]! & ~this.writes[i]!;
      grown |= other.adds[i]! & ~this.adds[i]!;
      this.reads[i]! |= other.reads[i]!;
      this.writes[i]! |= other.writes[i]!;
      this.adds[i]! |= other.adds[i]!;
    }
    return grown !== 0;
  }
}

/** Does it matter which of the two comes first? */
function conflict(a: Touched, b: Touched): boolean {
  const words = Math.min(a.reads.length, b.reads.length);
  for (let i = 0; i < words; i++) {
    const reads = b.reads[i]!;
    const writes = b.writes[i]!;
    const adds = b.adds[i]!;
    const clash =
      (a.writes[i]! & (reads | writes | adds)) |
      (a.reads[i]! & (writes | adds)) |
      (a.adds[i]! & (reads | writes));
    if (clash !== 0) return true;
  }
  return false;
}

/** What is known of a node, and what was made of it. */
class Entry {
  readonly node: Node;
  readonly own: Touched = new Touched();
  readonly future: Touched = new Touched();
  readonly before: Entry[] = [];
  readonly after = new Set<Node>();
  /** By the id of a rival's node: CLASH, or one more than the version at which they were independent; 0 unknown. */
  rivals: Int32Array = new Int32Array(64);
  /** By the same: a state was left for good because of it. */
  relied: Uint8Array = new Uint8Array(64);

  constructor(node: Node) {
    this.node = node;
  }

  room(rival: number): void {
    if (rival < this.rivals.length) return;
    const rivals = new Int32Array(rival * 2);
    rivals.set(this.rivals);
    this.rivals = rivals;
    const relied = new Uint8Array(rival * 2);
    relied.set(this.relied);
    this.relied = relied;
  }
}

const CLASH = -1;

export class Futures implements Spy {
  /** Goes up with everything learned. */
  version = 0;
  readonly #entries: Entry[] = [];
  readonly #halted: number;
  /** What the invariants that must always hold were seen to read. */
  readonly #watched = new Touched();
  /** Number of the place of an address; the tables come first. */
  readonly #places = new Map<number, number>();
  #now: Touched = this.#watched;
  #isNew = false;

  constructor(haltedAt: number) {
    this.#halted = haltedAt;
  }

  #place(at: number): number {
    let place = this.#places.get(at);
    if (place === undefined) {
      place = this.#places.size;
      this.#places.set(at, place);
    }
    return place;
  }

  #mark(kind: 'reads' | 'writes' | 'adds', place: number): void {
    const word = place >>> 5;
    this.#now.room(word + 1);
    const bit = 1 << (place & 31);
    if ((this.#now[kind][word]! & bit) !== 0) return;
    this.#now[kind][word]! |= bit;
    this.#isNew = true;
  }

  read(at: number): void {
    this.#mark('reads', this.#place(at));
  }

  write(at: number): void {
    this.#mark('writes', this.#place(at));
  }

  #add(at: number): void {
    this.#mark('adds', this.#place(at));
  }

  #entry(node: Node): Entry {
    let entry = this.#entries[node.id];
    if (entry !== undefined) return entry;
    entry = new Entry(node);
    this.#entries[node.id] = entry;
    if (node.request === null) return entry;
    this.#now = entry.own;
    this.read(this.#halted);
    if (node.lockAt >= 0) this.#touchLock(node);
    this.#learned(entry);
    return entry;
  }

  /** The gate of a lock, or of a section under one, and the taking. What is given back is known when it happens. */
  #touchLock({ lockAt, act, request }: Node): void {
    if (act === ACT_UNLOCK) return;
    const isShared = request!.mode === 'shared';
    this.read(lockAt + LOCK_OWNER);
    if (isShared) this.read(lockAt + LOCK_WAITERS);
    else this.read(lockAt + LOCK_READERS);
    if (act === ACT_STEP) return;
    if (isShared) {
      this.#add(lockAt + LOCK_READERS);
    } else {
      this.write(lockAt + LOCK_OWNER);
      this.write(lockAt + LOCK_WAITERS);
    }
  }

  /** What `node` gave back was held exclusively, or shared. */
  gaveBack(node: Node, isExclusive: boolean): void {
    const entry = this.#entry(node);
    this.#now = entry.own;
    if (isExclusive) this.write(node.lockAt + LOCK_OWNER);
    else this.#add(node.lockAt + LOCK_READERS);
    this.#learned(entry);
  }

  #learned(entry: Entry): void {
    if (!this.#isNew) return;
    this.#isNew = false;
    this.version++;
    this.#spread(entry, entry.own);
  }

  #spread(entry: Entry, more: Touched): void {
    if (!entry.future.join(more)) return;
    for (const before of entry.before) this.#spread(before, entry.future);
  }

  /** Listens to what a closure of `node` touches. */
  listen<T>(world: FlatWorld, node: Node, closure: () => T): T {
    const entry = this.#entry(node);
    this.#now = entry.own;
    world.spy = this;
    try {
      return closure();
    } finally {
      world.spy = null;
      this.#learned(entry);
    }
  }

  /** Listens to what an invariant reads. */
  watch<T>(world: FlatWorld, check: () => T): T {
    this.#now = this.#watched;
    world.spy = this;
    try {
      return check();
    } finally {
      world.spy = null;
      if (this.#isNew) this.version++;
      this.#isNew = false;
    }
  }

  /** A step led from `node` to `next`. */
  link(node: Node, next: Node): void {
    const entry = this.#entry(node);
    if (entry.after.has(next)) return;
    entry.after.add(next);
    const after = this.#entry(next);
    after.before.push(entry);
    this.version++;
    this.#spread(entry, after.future);
  }

  /** May `task` go alone, as far as is known? @param rivals  tasks that may come before its step, as a mask */
  mayGoAlone(at: readonly Node[], task: number, rivals: number): boolean {
    const entry = this.#entry(at[task]!);
    // What the invariants read is one more rival.
    if (this.#clashes(entry, 0, this.#watched)) return false;
    for (let rest = rivals & ~(1 << task); rest !== 0; rest &= rest - 1) {
      const rival = at[31 - Math.clz32(rest & -rest)]!;
      if (this.#clashes(entry, rival.id + 1, this.#entry(rival).future)) return false;
    }
    return true;
  }

  #clashes(entry: Entry, rival: number, future: Touched): boolean {
    entry.room(rival);
    const known = entry.rivals[rival]!;
    if (known === CLASH || known === this.version + 1) return known === CLASH;
    const clash = conflict(entry.own, future);
    entry.rivals[rival] = clash ? CLASH : this.version + 1;
    return clash;
  }

  /** The search leaves a state in which only `task` went on. */
  rely(at: readonly Node[], task: number, rivals: number): void {
    const { relied } = this.#entry(at[task]!);
    relied[0] = 1;
    for (let rest = rivals & ~(1 << task); rest !== 0; rest &= rest - 1)
      relied[at[31 - Math.clz32(rest & -rest)]!.id + 1] = 1;
  }

  /** Is everything relied on true of what is known by now? If not, some state was left too early. Forgets it. */
  stillHold(): boolean {
    let hold = true;
    for (const entry of this.#entries) {
      entry?.relied.forEach((isRelied, rival) => {
        if (isRelied === 0) return;
        const future = rival === 0 ? this.#watched : this.#entries[rival - 1]!.future;
        if (this.#clashes(entry, rival, future)) hold = false;
      });
      entry?.relied.fill(0);
    }
    return hold;
  }
}
