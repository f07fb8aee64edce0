/**
 * How many complete schedules a state graph stands for: paths from each state to an end, exactly, by adding up over
 * the edges in the order in which a depth-first search leaves the states. Beside the counts, the steps of the longest
 * path to an end. Counts of 10³² and more are common, and most are much smaller, so each state has its own length:
 *
 *   at[state] ─▶ │ steps of the longest path │ 31 bits, lowest first, and a bit "more follow" │ … │
 *
 * A state that is still on the stack has no record: `at` is 0. All states with nothing behind them share one.
 */

const LIMB = 0x7fff_ffff;
const MORE = 0x8000_0000;
/** Where the record of an end is, and that of a state whose schedules are not counted here. */
const END = 1;
const NONE = 3;

const grown = (old: Uint32Array, atLeast: number): Uint32Array => {
  const bigger = new Uint32Array(Math.max(Math.ceil(old.length * 1.25), atLeast));
  bigger.set(old);
  return bigger;
};

export class PathCounts {
  /** By state: where its record is. */
  #at: Uint32Array = new Uint32Array(1 << 10);
  #records: Uint32Array = new Uint32Array(1 << 11);
  #used = 0;

  /** By depth of the search: what the state there has summed up so far, `#width` limbs; and the longest path so far. */
  #sums: Uint32Array = new Uint32Array(1 << 8);
  #width = 1;
  #reach: Uint32Array = new Uint32Array(1 << 8);

  constructor() {
    this.#records[END] = 0;
    this.#records[END + 1] = 1;
    this.#records[NONE] = 0;
    this.#records[NONE + 1] = 0;
    this.#used = NONE + 2;
  }

  #room(depth: number, state: number): void {
    if (depth >= this.#reach.length) {
      this.#reach = grown(this.#reach, depth + 1);
      this.#sums = grown(this.#sums, this.#reach.length * this.#width);
    }
    if (state >= this.#at.length) this.#at = grown(this.#at, state + 1);
  }

  #far(depth: number, steps: number): void {
    if (steps > this.#reach[depth]!) this.#reach[depth] = steps;
  }

  /** The search goes down to a state at `depth`. */
  enter(depth: number, state: number): void {
    this.#room(depth, state);
    const width = this.#width;
    this.#sums.fill(0, depth * width, (depth + 1) * width);
    this.#reach[depth] = 0;
  }

  /** Adds a record to what the state at `depth` has. */
  #add(depth: number, record: number): void {
    const records = this.#records;
    const sums = this.#sums;
    this.#far(depth, records[record]! + 1);
    let from = record + 1;
    let to = depth * this.#width;
    let carry = 0;
    let limb: number;
    do {
      limb = records[from++]!;
      const sum = sums[to]! + (limb & LIMB) + carry;
      sums[to++] = sum & LIMB;
      carry = sum > LIMB ? 1 : 0;
    } while (limb > LIMB);
    if (carry !== 0) this.#carry(depth, to);
  }

  #carry(depth: number, to: number): void {
    for (const end = (depth + 1) * this.#width; to < end; to++) {
      if (this.#sums[to] !== LIMB) {
        this.#sums[to]! += 1;
        return;
      }
      this.#sums[to] = 0;
    }
    this.#widen();
    this.#sums[(depth + 1) * this.#width - 1] = 1;
  }

  /** One more limb for every depth. */
  #widen(): void {
    const old = this.#sums;
    const width = this.#width;
    const sums = new Uint32Array(this.#reach.length * (width + 1));
    for (let depth = 0; depth < this.#reach.length; depth++)
      for (let limb = 0; limb < width; limb++) sums[depth * (width + 1) + limb] = old[depth * width + limb]!;
    this.#sums = sums;
    this.#width = width + 1;
  }

  /** One more complete schedule through the state at `depth`, which ends after `steps` more: one, or none. */
  addEnd(depth: number, steps: number): void {
    const longest = Math.max(this.#reach[depth]!, steps);
    this.#add(depth, END);
    this.#reach[depth] = longest;
  }

  /** The step led to a state seen before. @returns false when that one is still on the stack: a cycle */
  addState(depth: number, state: number): boolean {
    const record = this.#at[state]!;
    if (record === 0) return false;
    this.#add(depth, record);
    return true;
  }

  /** The search leaves the state at `depth` for the one above it. */
  leave(depth: number, state: number): void {
    const record = this.#write(depth);
    this.#at[state] = record;
    if (depth > 0) this.#add(depth - 1, record);
  }

  /** What the state at `depth` has, as a record. */
  #write(depth: number): number {
    const record = this.#used;
    if (record + this.#width + 1 > this.#records.length)
      this.#records = grown(this.#records, record + this.#width + 1);
    const records = this.#records;
    const start = depth * this.#width;
    let end = start + this.#width;
    while (end > start + 1 && this.#sums[end - 1] === 0) end--;
    let at = record;
    records[at++] = this.#reach[depth]!;
    for (let limb = start; limb < end; limb++)
      records[at++] = this.#sums[limb]! + (limb + 1 < end ? MORE : 0);
    this.#used = at;
    return record;
  }

  /** A state with nothing behind it. */
  setEnd(state: number): void {
    this.#room(0, state);
    this.#at[state] = END;
  }

  /** A state that others go on from: no schedule of this search goes through it. */
  setNone(state: number): void {
    this.#room(0, state);
    this.#at[state] = NONE;
  }

  /** Everything summed up along the path down to `depth`; spoils the sums. */
  total(depth: number): { readonly paths: bigint; readonly longest: number } {
    for (let at = depth; at > 0; at--) this.#add(at - 1, this.#write(at));
    let paths = 0n;
    for (let limb = this.#width - 1; limb >= 0; limb--) paths = (paths << 31n) | BigInt(this.#sums[limb]!);
    return { paths, longest: this.#reach[0]! };
  }

  get bytes(): number {
    return this.#at.byteLength + this.#records.byteLength;
  }
}
