/**
 * The states that were seen, numbered 0, 1, 2 … in the order they came.
 *
 * `Visited` keeps a 64-bit fingerprint and the number, three words in an open-addressing table of Int32:
 *
 *   slot = floor(h1 / 2^32 × capacity), then linear probing        load ≤ 0.72, growth × 1.5: 17–25 bytes a state
 *
 * Not verified: two states may share a fingerprint (odds n²/2^65: 3·10⁻⁶ for ten million); the second is then taken
 * for the first. `ExactVisited` keeps whole states, for tests and for doubters.
 */

const WORDS = 3;
const LOAD = 0.72;
const START_CAPACITY = 1 << 10;

export class Visited {
  #table: Int32Array = new Int32Array(START_CAPACITY * WORDS).fill(-1);
  #capacity = START_CAPACITY;
  #limit = Math.floor(START_CAPACITY * LOAD);
  /** How many states there are; also the number that the next one gets. */
  size = 0;

  /** @returns the number of a new state, or −1−number of one that was seen before */
  insert(h1: number, h2: number): number {
    const table = this.#table;
    const end = this.#capacity * WORDS;
    let at = Math.floor((h1 >>> 0) * this.#capacity * 2 ** -32) * WORDS;
    for (;;) {
      const number = table[at + 2]!;
      if (number < 0) break;
      if (table[at] === h1 && table[at + 1] === h2) return -1 - number;
      at += WORDS;
      if (at === end) at = 0;
    }
    const number = this.size++;
    table[at] = h1;
    table[at + 1] = h2;
    table[at + 2] = number;
    if (this.size > this.#limit) this.#grow();
    return number;
  }

  #grow(): void {
    const old = this.#table;
    const capacity = Math.ceil(this.#capacity * 1.5);
    const table = new Int32Array(capacity * WORDS).fill(-1);
    const end = capacity * WORDS;
    for (let from = 0; from < old.length; from += WORDS) {
      if (old[from + 2]! < 0) continue;
      let at = Math.floor((old[from]! >>> 0) * capacity * 2 ** -32) * WORDS;
      while (table[at + 2]! >= 0) {
        at += WORDS;
        if (at === end) at = 0;
      }
      table[at] = old[from]!;
      table[at + 1] = old[from + 1]!;
      table[at + 2] = old[from + 2]!;
    }
    this.#table = table;
    this.#capacity = capacity;
    this.#limit = Math.floor(capacity * LOAD);
  }

  /** Bytes the table takes. */
  get bytes(): number {
    return this.#table.byteLength;
  }
}

/** The same, keyed by whole states: slow, and never wrong. */
export class ExactVisited {
  readonly #numbers = new Map<string, number>();

  /** @param key  everything that makes the state, as text */
  insert(key: string): number {
    const number = this.#numbers.get(key);
    if (number !== undefined) return -1 - number;
    this.#numbers.set(key, this.#numbers.size);
    return this.#numbers.size - 1;
  }

  get size(): number {
    return this.#numbers.size;
  }

  get bytes(): number {
    let sum = 0;
    for (const key of this.#numbers.keys()) sum += key.length;
    return sum;
  }
}

/** A set of state numbers, one bit each. */
export class StateSet {
  #bits: Uint8Array = new Uint8Array(64);
  size = 0;

  add(state: number): void {
    const at = state >>> 3;
    if (at >= this.#bits.length) {
      const bigger = new Uint8Array(Math.max(at + 1, this.#bits.length * 2));
      bigger.set(this.#bits);
      this.#bits = bigger;
    }
    const bit = 1 << (state & 7);
    if ((this.#bits[at]! & bit) !== 0) return;
    this.#bits[at]! |= bit;
    this.size++;
  }

  has(state: number): boolean {
    return ((this.#bits[state >>> 3] ?? 0) & (1 << (state & 7))) !== 0;
  }
}
