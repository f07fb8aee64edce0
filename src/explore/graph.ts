/**
 * The state graph that a search leaves behind: per node the tasks that could run and, by task, the node their step
 * leads to. Shortest stories are found on it without running a single step again.
 */

const NONE = -1;

const grown = (old: Int32Array): Int32Array => {
  const bigger = new Int32Array(old.length * 2).fill(NONE);
  bigger.set(old);
  return bigger;
};

export class Graph {
  readonly tasks: number;
  #enabled: Int32Array = new Int32Array(1 << 8);
  #next: Int32Array;
  /** Node → state, when a node is more than a state (bounded searches keep the last task in it). */
  #state: Int32Array | null;
  size = 0;

  constructor(tasks: number, nodesAreStates: boolean) {
    this.tasks = tasks;
    this.#next = new Int32Array((1 << 8) * Math.max(tasks, 1)).fill(NONE);
    this.#state = nodesAreStates ? null : new Int32Array(1 << 8);
  }

  /** Adds node `size`. @param enabled  tasks that can run there, as a mask */
  add(enabled: number, state: number): void {
    const node = this.size++;
    if (node >= this.#enabled.length) {
      this.#enabled = grown(this.#enabled);
      this.#next = grown(this.#next);
      if (this.#state !== null) this.#state = grown(this.#state);
    }
    this.#enabled[node] = enabled;
    if (this.#state !== null) this.#state[node] = state;
  }

  link(from: number, task: number, to: number): void {
    this.#next[from * this.tasks + task] = to;
  }

  enabled(node: number): number {
    return this.#enabled[node]!;
  }

  /** The node that a step of `task` leads to; −1 when the search did not take it. */
  next(node: number, task: number): number {
    return this.#next[node * this.tasks + task]!;
  }

  state(node: number): number {
    return this.#state === null ? node : this.#state[node]!;
  }

  get bytes(): number {
    return this.#enabled.byteLength + this.#next.byteLength + (this.#state?.byteLength ?? 0);
  }
}
