/**
 * Searches in workers, which are made of the page's own script. Where the page may share memory with them (served by
 * `playground`) a stopped search tells what it has; from a file its worker is ended, and only the count of states is known.
 */
import type { CrashCell } from '../../compare/crash.ts';
import type { Cell } from '../../compare/race.ts';
import { MACHINE_ID } from '../html.ts';
import { packCell, type ReportCell, unpackCell } from '../report.ts';
import { shortScenario } from '../scenarioText.ts';
import type { SearchAnswer, SearchJob, SearchResult } from '../search.ts';

export type Asked = Omit<SearchJob, 'id' | 'stop'>;

export type Outcome =
  | { readonly type: 'done'; readonly result: SearchResult }
  /** Ended from outside before it could say anything but how far it was. */
  | { readonly type: 'stopped'; readonly states: number }
  | { readonly type: 'failed'; readonly message: string };

/** The scenario counts, not how it is laid out. */
const keyOf = (text: string, mount: string, design: string, power: boolean): string =>
  JSON.stringify([shortScenario(text), mount, design, power]);

interface Waiting {
  readonly asked: Asked;
  readonly onStates: (states: number) => void;
  readonly settle: (outcome: Outcome) => void;
}

const MOST_WORKERS = 8;
/** How long a search that was told to stop may take to answer, before its worker is ended. */
const PATIENCE_MS = 2000;

export class Searches {
  readonly #queue: Waiting[] = [];
  readonly #busy = new Map<Worker, { readonly job: Waiting; readonly id: number; states: number }>();
  readonly #idle: Worker[] = [];
  #stop: Int32Array | null = null;
  #ids = 0;
  readonly #known = new Map<string, ReportCell>();
  #code: string | null = null;

  /** Searches that are under way or wait. */
  get pending(): number {
    return this.#queue.length + this.#busy.size;
  }

  /** What was found here, for who opens it. */
  remember(asked: Asked, cell: Cell | CrashCell): void {
    this.#known.set(
      keyOf(asked.text, asked.mount, asked.design, asked.power),
      unpackCell(packCell(cell, null)),
    );
  }

  known(text: string, mount: string, design: string, power: boolean): ReportCell | null {
    return this.#known.get(keyOf(text, mount, design, power)) ?? null;
  }

  /** @param onStates  told now and then */
  run(asked: Asked, onStates: (states: number) => void = () => {}): Promise<Outcome> {
    return new Promise((settle) => {
      if (this.pending === 0)
        this.#stop =
          typeof SharedArrayBuffer === 'undefined' ? null : new Int32Array(new SharedArrayBuffer(4));
      this.#queue.push({ asked, onStates, settle });
      this.#next();
    });
  }

  /** Ends everything: what waits is not begun. */
  stop(): void {
    for (const { settle } of this.#queue.splice(0)) settle({ type: 'stopped', states: 0 });
    if (this.#stop !== null) {
      Atomics.store(this.#stop, 0, 1);
      const running = [...this.#busy.values()];
      setTimeout(() => {
        for (const [worker, each] of this.#busy) if (running.includes(each)) this.#end(worker);
      }, PATIENCE_MS);
      return;
    }
    for (const worker of [...this.#busy.keys()]) this.#end(worker);
  }

  #next(): void {
    const most = Math.min(MOST_WORKERS, Math.max(1, navigator.hardwareConcurrency ?? 1));
    while (this.#queue.length > 0 && (this.#idle.length > 0 || this.#busy.size < most)) {
      const job = this.#queue.shift()!;
      const worker = this.#idle.pop() ?? this.#worker();
      const id = ++this.#ids;
      this.#busy.set(worker, { job, id, states: 0 });
      worker.postMessage({ ...job.asked, id, stop: this.#stop } satisfies SearchJob);
    }
  }

  #worker(): Worker {
    this.#code ??= URL.createObjectURL(
      new Blob([document.getElementById(MACHINE_ID)?.textContent ?? ''], { type: 'text/javascript' }),
    );
    const worker = new Worker(this.#code);
    worker.addEventListener('message', ({ data }: MessageEvent<SearchAnswer>) => this.#hear(worker, data));
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      const busy = this.#busy.get(worker);
      this.#busy.delete(worker);
      worker.terminate();
      busy?.job.settle({ type: 'failed', message: event.message || 'the worker did not start' });
      this.#next();
    });
    return worker;
  }

  #hear(worker: Worker, answer: SearchAnswer): void {
    const busy = this.#busy.get(worker);
    if (busy === undefined || busy.id !== answer.id) return;
    if ('states' in answer) {
      busy.states = answer.states;
      busy.job.onStates(answer.states);
      return;
    }
    this.#busy.delete(worker);
    this.#idle.push(worker);
    busy.job.settle(
      'error' in answer
        ? { type: 'failed', message: answer.error.message }
        : { type: 'done', result: answer.result },
    );
    this.#next();
  }

  #end(worker: Worker): void {
    const busy = this.#busy.get(worker);
    this.#busy.delete(worker);
    worker.terminate();
    busy?.job.settle({ type: 'stopped', states: busy.states });
  }
}
