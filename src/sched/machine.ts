/**
 * The deterministic machine: tasks with live generators over any world. `runnable()` says who may take a step,
 * `resume(task)` takes one. Nothing else moves.
 *
 * A task is a stack of frames, one per kernel function that was entered with `call`. A task that has not begun,
 * or that waits for all others (`last`), is not runnable until its turn comes.
 */
import type { Kernel } from '../kernel.ts';
import { AGAIN, forgotten, type Op, type Request } from '../task.ts';
import type { Standing } from './deadlock.ts';
import { enabled, execute, STAYS } from './execute.ts';

export interface TaskSpec {
  /** Lane name: `CPU0`, `kworker`. */
  readonly name: string;
  readonly mm: number;
  readonly program: (k: Kernel) => Op<void>;
  /** Runs only when every other task is finished. */
  readonly last: boolean;
}

interface Frame {
  readonly name: string;
  readonly make: () => Op<unknown>;
  readonly op: Op<unknown>;
}

class Task {
  readonly k: Kernel;
  readonly frames: Frame[] = [];
  request: Request<unknown> | null = null;

  constructor(k: Kernel, spec: TaskSpec) {
    this.k = k;
    this.#enter(spec.name, () => spec.program(k));
    this.#advance(undefined);
  }

  #enter(name: string, make: () => Op<unknown>): void {
    this.frames.push({ name, make, op: make() });
  }

  /** Runs op code up to the next request that is a step; opens and closes frames on the way. */
  #advance(sent: unknown): void {
    for (;;) {
      const frame = this.frames.at(-1);
      if (frame === undefined) {
        this.request = null;
        return;
      }
      const { done, value } = frame.op.next(sent);
      if (this.k.tracker.pending !== null) throw forgotten(this.k.tracker.pending);
      if (done) {
        this.frames.pop();
        sent = value === AGAIN ? undefined : value;
        if (value === AGAIN) this.#enter(frame.name, frame.make);
        continue;
      }
      const request = value as Request<unknown>;
      if (request.kind === 'call') {
        this.#enter(request.label, request.make!);
        sent = undefined;
        continue;
      }
      this.request = request;
      return;
    }
  }

  send(value: unknown): void {
    this.#advance(value);
  }
}

/** What a machine tells about the step it is about to take. */
export interface StepInfo {
  readonly task: number;
  readonly request: Request<unknown>;
  /** Names of the open frames, outermost first; the lane's name is not among them. */
  readonly stack: readonly string[];
}

/** Carries out one request as an atomic section of the world. */
export type Atomic = (info: StepInfo, body: () => unknown) => unknown;

export class Machine {
  readonly k: Kernel;
  readonly specs: readonly TaskSpec[];
  readonly #tasks: Task[];
  readonly #atomic: Atomic;

  /** @param atomic  wraps each step; the recording world makes a transaction of it */
  constructor(k: Kernel, specs: readonly TaskSpec[], atomic: Atomic = (_, body) => body()) {
    this.k = k;
    this.specs = specs;
    this.#atomic = atomic;
    this.#tasks = specs.map((spec, task) => new Task(k.forTask(task, spec.mm), spec));
  }

  /** The step that `task` would take next; null when it is finished. */
  next(task: number): StepInfo | null {
    const { request, frames } = this.#tasks[task]!;
    return request === null ? null : { task, request, stack: frames.slice(1).map((frame) => frame.name) };
  }

  /** Where every task stands. */
  standing(): Standing[] {
    return this.specs.map(({ name }, task) => {
      const next = this.next(task);
      return { name, request: next?.request ?? null, stack: next?.stack ?? [] };
    });
  }

  finished(task: number): boolean {
    return this.#tasks[task]!.request === null;
  }

  get allFinished(): boolean {
    return this.#tasks.every((task) => task.request === null);
  }

  /** Numbers of the tasks that may take a step, ascending. Empty when all are finished, stuck, or halted. */
  runnable(): number[] {
    if (this.k.sb.halted) return [];
    const out: number[] = [];
    const othersDone = this.specs.every((spec, task) => spec.last || this.finished(task));
    this.#tasks.forEach((task, number) => {
      if (task.request === null || (this.specs[number]!.last && !othersDone)) return;
      if (enabled(task.k, task.request)) out.push(number);
    });
    return out;
  }

  /** Takes one step of `task`. */
  resume(task: number): void {
    const { request, k } = this.#tasks[task]!;
    if (request === null) throw new Error(`task ${this.specs[task]!.name} is finished`);
    const value = this.#atomic(this.next(task)!, () => execute(k, request));
    if (value !== STAYS) this.#tasks[task]!.send(value);
  }
}
