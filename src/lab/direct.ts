import { setHandOver } from '../bytes/bytes.ts';
import type { Kernel } from '../kernel.ts';
import { type LockRef, lockEnabled, lockRelease, lockTake } from '../locks/lock.ts';
import type { Rec } from '../state/tables.ts';
import type { Direct, LockMode, Op, Request, Tracked } from '../task.ts';

export class WouldBlock extends Error {}
export class Halted extends Error {}

class Answer {
  readonly result: { done: true; value: unknown } = { done: true, value: undefined };
  [Symbol.iterator](): this {
    return this;
  }
  next(): { done: true; value: unknown } {
    return this.result;
  }
}

export class DirectEngine implements Direct {
  readonly #answer = new Answer();
  readonly #sb: Rec<'sb'>;
  constructor(sb: Rec<'sb'>) {
    this.#sb = sb;
  }
  #give<T>(value: unknown): Request<T> {
    if (this.#sb.halted) throw new Halted();
    this.#answer.result.value = value;
    return this.#answer as unknown as Request<T>;
  }
  step<T>(_k: Tracked, _label: string, fn: () => T): Request<T> {
    return this.#give(fn());
  }
  wait<T>(_k: Tracked, label: string, ready: () => boolean, fn?: () => T): Request<T> {
    if (!ready()) throw new WouldBlock(label);
    return this.#give(fn === undefined ? undefined : fn());
  }
  lock(k: Tracked, which: LockRef, mode: LockMode): Request<void> {
    const { task } = k as Kernel;
    const record = (k as Kernel).lockRecord(which);
    if (lockEnabled(record, which.class.kind, mode, task) !== 'now') throw new WouldBlock(which.class.name);
    lockTake(record, mode, task, 'now');
    return this.#give(undefined);
  }
  tryLock(k: Tracked, which: LockRef, mode: LockMode): Request<boolean> {
    const { task } = k as Kernel;
    const record = (k as Kernel).lockRecord(which);
    if (lockEnabled(record, which.class.kind, mode, task) !== 'now') return this.#give(false);
    lockTake(record, mode, task, 'now');
    return this.#give(true);
  }
  unlock(k: Tracked, which: LockRef): Request<void> {
    const held = lockRelease((k as Kernel).lockRecord(which), (k as Kernel).task);
    if (!held) (k as Kernel).warnOn('unlock-not-held', true);
    return this.#give(undefined);
  }
  locked<T>(k: Tracked, which: LockRef, mode: LockMode, label: string, fn: () => T): Request<T> {
    const record = (k as Kernel).lockRecord(which);
    if (lockEnabled(record, which.class.kind, mode, (k as Kernel).task) !== 'now')
      throw new WouldBlock(label);
    return this.#give(fn());
  }
}
export function runDirect<T>(op: Op<T>): T {
  const before = setHandOver(true);
  const { done, value } = op.next();
  setHandOver(before);
  if (!done) throw new Error('an op of a direct kernel was handed out');
  return value as T;
}
