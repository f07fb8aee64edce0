/**
 * Invariants, asked once per new state, and only when the answer can have changed: a check is a function of what it
 * reads. When a step wrote none of the tables that it read in the state before, it says what it said there; and it
 * is run once per footprint (`footprint.ts`).
 *
 * Rows are states on the path of the search, by depth. A row keeps, per invariant, the tables read and the verdict.
 *
 * Not seen: a check that reads anything but records, or remembers. `paranoid` asks every invariant anew and says so
 * when the answers differ.
 */
import type { Invariant } from '../invariants/invariant.ts';
import type { Kernel } from '../kernel.ts';
import type { FlatWorld } from '../state/flat.ts';
import { Footprints } from './footprint.ts';
import type { Futures } from './futures.ts';

export class Watch {
  readonly always: readonly Invariant[];
  readonly end: readonly Invariant[];
  readonly #k: Kernel;
  readonly #world: FlatWorld;
  readonly #futures: Futures | null;
  readonly #count: number;
  /** By invariant: what it said, and what it read to say so. */
  readonly #answers: readonly { footprints: Footprints; broken: number[]; reads: number[] }[];
  #reads: Int32Array;
  #broken: Uint8Array;
  #rows = 64;

  constructor(k: Kernel, world: FlatWorld, invariants: readonly Invariant[], futures: Futures | null = null) {
    this.#k = k;
    this.#futures = futures;
    this.#world = world;
    this.always = invariants.filter((each) => each.when === 'always');
    this.end = invariants.filter((each) => each.when === 'end');
    this.#count = this.always.length;
    this.#answers = this.always.map(() => ({ footprints: new Footprints(), broken: [], reads: [] }));
    this.#reads = new Int32Array(this.#rows * this.#count);
    this.#broken = new Uint8Array(this.#rows * this.#count);
  }

  /** Asks everything about the state of row 0, the start. */
  start(): void {
    for (let i = 0; i < this.#count; i++) this.#ask(i, i);
  }

  #ask(i: number, at: number): void {
    const world = this.#world;
    const answers = this.#answers[i]!;
    let number = answers.footprints.find(world);
    if (number < 0) {
      world.touched = 0;
      const check = (): string | null => this.always[i]!.check(this.#k);
      const message = this.#futures === null ? check() : this.#futures.watch(world, check);
      const broken = message === null ? 0 : 1;
      const { touched } = world;
      number = answers.broken.length;
      answers.broken.push(broken);
      answers.reads.push(touched);
      answers.footprints.add(touched, world.t1, world.t2, number);
    }
    this.#reads[at] = answers.reads[number]!;
    this.#broken[at] = answers.broken[number]!;
  }

  /**
   * The state of row `to` came out of the one of row `from` by steps that wrote `written`, a mask of tables.
   * @returns true when something is broken in it
   */
  look(from: number, to: number, written: number): boolean {
    while (to >= this.#rows) this.#grow();
    const count = this.#count;
    const before = from * count;
    const after = to * count;
    let any = 0;
    for (let i = 0; i < count; i++) {
      if ((this.#reads[before + i]! & written) === 0) {
        this.#reads[after + i] = this.#reads[before + i]!;
        this.#broken[after + i] = this.#broken[before + i]!;
      } else {
        this.#ask(i, after + i);
      }
      any |= this.#broken[after + i]!;
    }
    return any !== 0;
  }

  /** Is invariant `i` of `always` broken in the state of this row? */
  broken(row: number, i: number): boolean {
    return this.#broken[row * this.#count + i] !== 0;
  }

  /** Asks everything about the current state again. @throws Error when an answer is not what the row says */
  verify(row: number): void {
    for (let i = 0; i < this.#count; i++) {
      const answer = this.always[i]!.check(this.#k);
      if ((answer !== null) === this.broken(row, i)) continue;
      throw new Error(
        `invariant ${this.always[i]!.id} said ${answer === null ? 'broken' : 'fine'} and says ` +
          `${answer ?? 'fine'} of the same state: it remembers something, or reads past the facade`,
      );
    }
  }

  #grow(): void {
    this.#rows *= 2;
    const reads = new Int32Array(this.#rows * this.#count);
    reads.set(this.#reads);
    this.#reads = reads;
    const broken = new Uint8Array(this.#rows * this.#count);
    broken.set(this.#broken);
    this.#broken = broken;
  }
}
