/**
 * Answers that depend on a few tables only. A step of an op and the check of an invariant are functions of what they
 * read; of a hundred thousand transitions of a search some hundred differ in that. So an answer is kept under the
 * digests of the tables that were read (and written) to find it, and is the answer wherever these digests come back.
 *
 *   shape = mask of tables ─▶ (sum of their 64-bit digests) ─▶ number of the answer
 *
 * An asker has few shapes: what it reads next depends on what it read before, and a shape is what one way through it
 * touched. When all tables of a shape agree, the asker goes that same way.
 *
 * Not verified: two contents of these tables may share a digest (as for states); an asker that reads anything but
 * records gives wrong answers, which `paranoid` finds.
 */
import type { FlatWorld } from '../state/flat.ts';

const ENTRY = 3;

class Shape {
  readonly mask: number;
  readonly #tables: Int32Array;
  /** Open addressing: two words of digest and the number, −1 where free. */
  #entries: Int32Array = new Int32Array(8 * ENTRY).fill(-1);
  #size = 0;

  constructor(mask: number, tables: number) {
    this.mask = mask;
    this.#tables = Int32Array.from(
      Array.from({ length: tables }, (_, table) => table).filter((table) => (mask >>> table) & 1),
    );
  }

  find(t1: Int32Array, t2: Int32Array): number {
    const at = this.#place(t1, t2);
    return this.#entries[at + 2]!;
  }

  add(t1: Int32Array, t2: Int32Array, number: number): void {
    const at = this.#place(t1, t2);
    const entries = this.#entries;
    entries[at] = this.#k1;
    entries[at + 1] = this.#k2;
    entries[at + 2] = number;
    if (++this.#size * 2 * ENTRY > entries.length) this.#grow();
  }

  /** Key of the last `#place`. */
  #k1 = 0;
  #k2 = 0;

  #place(t1: Int32Array, t2: Int32Array): number {
    const tables = this.#tables;
    let k1 = 0;
    let k2 = 0;
    for (let i = 0; i < tables.length; i++) {
      const table = tables[i]!;
      k1 = (k1 + t1[table]!) | 0;
      k2 = (k2 + t2[table]!) | 0;
    }
    this.#k1 = k1;
    this.#k2 = k2;
    return slotOf(this.#entries, k1, k2);
  }

  #grow(): void {
    const old = this.#entries;
    const entries = new Int32Array(old.length * 2).fill(-1);
    for (let at = 0; at < old.length; at += ENTRY) {
      if (old[at + 2]! < 0) continue;
      entries.set(old.subarray(at, at + ENTRY), slotOf(entries, old[at]!, old[at + 1]!));
    }
    this.#entries = entries;
  }
}

/** Where the key is, or the free place for it. */
function slotOf(entries: Int32Array, k1: number, k2: number): number {
  const mask = entries.length / ENTRY - 1;
  let slot = (k1 ^ (k1 >>> 15) ^ k2) & mask;
  for (;;) {
    const at = slot * ENTRY;
    if (entries[at + 2]! < 0 || (entries[at] === k1 && entries[at + 1] === k2)) return at;
    slot = (slot + 1) & mask;
  }
}

/** Numbers of answers, by what they were found from. */
export class Footprints {
  readonly #shapes: Shape[] = [];

  /** Number of the answer for the current state; −1 when it is not known. */
  find(world: FlatWorld): number {
    const shapes = this.#shapes;
    for (let i = 0; i < shapes.length; i++) {
      const number = shapes[i]!.find(world.t1, world.t2);
      if (number >= 0) return number;
    }
    return -1;
  }

  /** Answer `number` was found from the tables of `mask` when their digests were these. */
  add(mask: number, t1: Int32Array, t2: Int32Array, number: number): void {
    let shape = this.#shapes.find((each) => each.mask === mask);
    if (shape === undefined) this.#shapes.push((shape = new Shape(mask, t1.length)));
    shape.add(t1, t2, number);
  }
}
