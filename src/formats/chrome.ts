/**
 * Runs as Chrome trace JSON, which Perfetto and chrome://tracing open.
 *
 *     process    one run: scenario, design, mount
 *     thread     a lane: its kernel functions as nested slices, a step in each; then every lock: who held it
 *     arrow      from the release of a lock to the task that had been standing at it
 *     counter    dirty folios, free blocks
 *     instant    a finding, a broken invariant
 *
 * There is no time in a schedule: step N is at N milliseconds and lasts 0.9. Durations mean nothing, order does.
 */
import type { LockEffect } from '../state/effects.ts';
import type { Trace, Transaction } from '../trace/transaction.ts';

/** Microseconds between steps. */
const STEP = 1000;
/** Microseconds that a step is drawn with. */
const WIDTH = 900;

export interface ChromeRun {
  /** What the process is called. */
  readonly name: string;
  readonly trace: Pick<Trace, 'lanes' | 'steps' | 'start'>;
  /** What was found, and after which step. */
  readonly findings: readonly { readonly id: string; readonly step: number; readonly message: string }[];
}

export interface ChromeEvent {
  readonly ph: 'B' | 'E' | 'M' | 'C' | 'i' | 's' | 'f';
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly name: string;
  readonly cat?: string;
  readonly id?: number;
  /** `e`: the arrow ends in the slice around it. */
  readonly bp?: 'e';
  /** `p`: an instant of one whole run. */
  readonly s?: 'p';
  readonly args?: Readonly<Record<string, string | number>>;
}

export interface ChromeTrace {
  readonly displayTimeUnit: 'ms';
  readonly metadata: Readonly<Record<string, string>>;
  readonly traceEvents: readonly ChromeEvent[];
}

/** @param runs  one process each, in this order */
export function chromeTrace(runs: readonly ChromeRun[]): ChromeTrace {
  const events: ChromeEvent[] = [];
  let arrows = 0;
  runs.forEach((run, index) => {
    const writer = new RunWriter(run, index + 1, arrows);
    events.push(...writer.events);
    arrows = writer.arrows;
  });
  return {
    displayTimeUnit: 'ms',
    metadata: {
      source: 'ext4lab: EMULATED, not a kernel trace',
      time: 'one millisecond is one step of the schedule; nothing here was measured in time',
    },
    // Stable: at one time the order of a track is the order of its calls.
    traceEvents: events.sort((a, b) => a.ts - b.ts),
  };
}

interface Held {
  readonly tid: number;
  readonly task: number;
  /** Of its slice. */
  readonly name: string;
}

interface Released {
  readonly step: number;
  readonly task: number;
}

class RunWriter {
  readonly events: ChromeEvent[] = [];
  arrows: number;
  private readonly run: ChromeRun;
  private readonly pid: number;
  /** Open functions of each task. */
  private readonly stacks: string[][];
  /** The last step of each task. */
  private readonly last: (number | null)[];
  private readonly lines: boolean[];
  /** Tracks of a lock, free or not. */
  private readonly tracks = new Map<string, number[]>();
  private readonly held = new Map<string, Held[]>();
  private readonly released = new Map<string, Released>();
  private tids: number;

  constructor(run: ChromeRun, pid: number, arrows: number) {
    this.run = run;
    this.pid = pid;
    this.arrows = arrows;
    const { lanes } = run.trace;
    this.stacks = lanes.map(() => []);
    this.last = lanes.map(() => null);
    this.lines = lanes.map(() => false);
    this.tids = lanes.length;
    this.named('process_name', 0, run.name);
    lanes.forEach((lane, task) => {
      this.named('thread_name', task + 1, lane);
    });
    this.write();
  }

  private named(name: string, tid: number, text: string): void {
    this.events.push({ ph: 'M', pid: this.pid, tid, ts: 0, name, args: { name: text } });
  }

  private add(event: Omit<ChromeEvent, 'pid'>): void {
    this.events.push({ pid: this.pid, ...event });
  }

  private write(): void {
    const { steps, start } = this.run.trace;
    let dirty = Object.values(start.folio ?? {}).filter((row) => row.dirty === true).length;
    this.counter(0, 'dirty folios', dirty);
    const free = start.sb?.['0']?.freeBlocks;
    if (typeof free === 'number') this.counter(0, 'free blocks', free);
    for (const step of steps) {
      const ts = step.step * STEP;
      this.frames(step, ts);
      this.add({
        ph: 'B',
        tid: step.task + 1,
        ts,
        name: step.label,
        cat: step.kind,
        args: { step: step.step },
      });
      for (const effect of step.effects) {
        if (effect.type === 'acquire') this.acquired(step, effect);
        else if (effect.type === 'release') this.freed(step, effect);
        else if (effect.type === 'result') this.lines[step.task] = true;
      }
      this.add({ ph: 'E', tid: step.task + 1, ts: ts + WIDTH, name: step.label });
      for (const { table, field, before, after } of step.changes) {
        if (table === 'folio' && field === 'dirty' && before !== after) {
          dirty += after === true ? 1 : -1;
          this.counter(ts, 'dirty folios', dirty);
        } else if (table === 'sb' && field === 'freeBlocks' && typeof after === 'number')
          this.counter(ts, 'free blocks', after);
      }
      this.last[step.task] = step.step;
    }
    for (const { id, step, message } of this.run.findings)
      this.add({
        ph: 'i',
        tid: (steps[step]?.task ?? 0) + 1,
        ts: step * STEP + WIDTH,
        name: id,
        s: 'p',
        args: { message },
      });
    this.close(steps.length);
  }

  private counter(ts: number, name: string, value: number): void {
    this.add({ ph: 'C', tid: 0, ts, name, args: { value } });
  }

  /** Ends the functions that the task has left since its last step, begins those it is in now. */
  private frames({ task, stack }: Transaction, ts: number): void {
    const open = this.stacks[task]!;
    let same = 0;
    if (!this.lines[task])
      while (same < open.length && same < stack.length && open[same] === stack[same]) same++;
    this.lines[task] = false;
    this.pop(task, same);
    for (const name of stack.slice(same)) {
      open.push(name);
      this.add({ ph: 'B', tid: task + 1, ts, name, cat: open.length === 1 ? 'line' : 'function' });
    }
  }

  private pop(task: number, to: number): void {
    const open = this.stacks[task]!;
    const end = (this.last[task] ?? 0) * STEP + WIDTH;
    while (open.length > to) this.add({ ph: 'E', tid: task + 1, ts: end, name: open.pop()! });
  }

  private acquired({ step, task, lane }: Transaction, { key, instance, mode }: LockEffect): void {
    const lock = lockName(key, instance);
    const holders = this.held.get(lock) ?? [];
    const tracks = this.tracks.get(lock) ?? [];
    let tid = tracks.find((each) => holders.every((holder) => holder.tid !== each));
    if (tid === undefined) {
      tid = ++this.tids;
      this.named('thread_name', tid, tracks.length === 0 ? lock : `${lock} (${tracks.length + 1})`);
      this.tracks.set(lock, [...tracks, tid]);
    }
    const name = mode === 'shared' ? `${lane} (shared)` : lane;
    this.held.set(lock, [...holders, { tid, task, name }]);
    const ts = step * STEP;
    this.add({
      ph: 'B',
      tid,
      ts,
      name,
      cat: 'held',
      args: { step },
    });
    const released = this.released.get(lock);
    const before = this.last[task];
    if (released === undefined || released.task === task || before == null || before >= released.step) return;
    const id = ++this.arrows;
    this.add({
      ph: 's',
      tid: released.task + 1,
      ts: released.step * STEP + 1,
      name: lock,
      cat: 'handed over',
      id,
    });
    this.add({ ph: 'f', bp: 'e', tid: task + 1, ts: ts + 1, name: lock, cat: 'handed over', id });
  }

  private freed({ step, task }: Transaction, { key, instance }: LockEffect): void {
    const lock = lockName(key, instance);
    const holders = this.held.get(lock) ?? [];
    // A lock may be given back by somebody else, or have been held at the start.
    const at = Math.max(
      holders.findIndex((holder) => holder.task === task),
      holders.length > 0 ? 0 : -1,
    );
    if (at < 0) return;
    const [holder] = holders.slice(at, at + 1);
    this.held.set(lock, holders.toSpliced(at, 1));
    this.released.set(lock, { step, task });
    this.add({
      ph: 'E',
      tid: holder!.tid,
      ts: step * STEP + WIDTH,
      name: holder!.name,
    });
  }

  /** What is open at the end is drawn to the end. */
  private close(steps: number): void {
    this.stacks.forEach((_, task) => {
      this.pop(task, 0);
    });
    for (const holders of this.held.values()) {
      for (const { tid, name } of holders) this.add({ ph: 'E', tid, ts: steps * STEP, name });
    }
  }
}

const lockName = (key: string, instance: string): string => (instance === '' ? key : `${key} ${instance}`);
