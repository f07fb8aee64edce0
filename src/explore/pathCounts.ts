/**
 * How many complete schedules a state graph stands for: paths from each state to an end, exactly, by adding up over
 * the edges in the order in which a depth-first search leaves the states. Counts of 10³² and more are common, so a
 * count is a row of 32-bit limbs, lowest first. Limbs are planes over all states; a plane is added when one
 * carries over, so small spaces pay for one. Beside the counts, the steps of the longest path to an end.
 *
 * A state that is left has a count of at least one: zero means "still on the stack".
 */

const grown = (old: Uint32Array): Uint32Array => {
  const bigger = new Uint32Array(Math.ceil(old.length * 1.5));
  bigger.set(old);
  return bigger;
};

export class PathCounts {
  /** By state. */
  readonly #planes: Uint32Array[] = [new Uint32Array(1 << 10)];
  /** By depth of the search: what the state there has summed up so far. */
  readonly #sums: Uint32Array[] = [new Uint32Array(1 << 8)];
  /** Steps of the longest path: by state, and by depth as far as known. */
  #longest: Uint32Array = new Uint32Array(1 << 10);
  #reach: Uint32Array = new Uint32Array(1 << 8);

  #room(depth: number, state: number): void {
    while (depth >= this.#reach.length) {
      for (let i = 0; i < this.#sums.length; i++) this.#sums[i] = grown(this.#sums[i]!);
      this.#reach = grown(this.#reach);
    }
    while (state >= this.#longest.length) {
      for (let i = 0; i < this.#planes.length; i++) this.#planes[i] = grown(this.#planes[i]!);
      this.#longest = grown(this.#longest);
    }
  }

  #far(depth: number, steps: number): void {
    if (steps > this.#reach[depth]!) this.#reach[depth] = steps;
  }

  /** The search goes down to a state at `depth`. */
  enter(depth: number, state: number): void {
    this.#room(depth, state);
    for (let i = 0; i < this.#sums.length; i++) this.#sums[i]![depth] = 0;
    this.#reach[depth] = 0;
  }

  #add(depth: number, from: readonly Uint32Array[], at: number): void {
    let carry = 0;
    for (let i = 0; i < this.#sums.length; i++) {
      const sum = this.#sums[i]![depth]! + from[i]![at]! + carry;
      this.#sums[i]![depth] = sum;
      carry = sum > 0xffff_ffff ? 1 : 0;
    }
    if (carry === 0) return;
    this.#sums.push(new Uint32Array(this.#sums[0]!.length));
    this.#planes.push(new Uint32Array(this.#planes[0]!.length));
    this.#sums.at(-1)![depth] = 1;
  }

  /** One more complete schedule through the state at `depth`, which ends after `steps` more: one, or none. */
  addEnd(depth: number, steps: number): void {
    this.#add(depth, ONE(this.#sums.length), 0);
    this.#far(depth, steps);
  }

  /** The step led to a state seen before. @returns false when that one is still on the stack: a cycle */
  addState(depth: number, state: number): boolean {
    let done = false;
    for (const plane of this.#planes) done ||= plane[state] !== 0;
    if (done) {
      this.#add(depth, this.#planes, state);
      this.#far(depth, this.#longest[state]! + 1);
    }
    return done;
  }

  /** The search leaves the state at `depth` for the one above it. */
  leave(depth: number, state: number): void {
    for (let i = 0; i < this.#sums.length; i++) this.#planes[i]![state] = this.#sums[i]![depth]!;
    this.#longest[state] = this.#reach[depth]!;
    if (depth > 0) this.#up(depth);
  }

  #up(depth: number): void {
    this.#add(depth - 1, this.#sums, depth);
    this.#far(depth - 1, this.#reach[depth]! + 1);
  }

  /** A state with nothing behind it. */
  setEnd(state: number): void {
    this.#room(0, state);
    this.#planes[0]![state] = 1;
  }

  /** Everything summed up along the path down to `depth`; spoils the sums. */
  total(depth: number): { readonly paths: bigint; readonly longest: number } {
    for (let at = depth; at > 0; at--) this.#up(at);
    let paths = 0n;
    for (let i = this.#sums.length - 1; i >= 0; i--) paths = (paths << 32n) | BigInt(this.#sums[i]![0]!);
    return { paths, longest: this.#reach[0]! };
  }

  get bytes(): number {
    return (this.#planes.length + 1) * this.#longest.byteLength;
  }
}

const one: Uint32Array[] = [Uint32Array.of(1)];
/** The number one, in as many limbs as asked for. */
function ONE(limbs: number): readonly Uint32Array[] {
  while (one.length < limbs) one.push(Uint32Array.of(0));
  return one;
}
