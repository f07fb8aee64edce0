/**
 * One request, carried out: the only place where steps run and locks change hands. Both engines use it: the
 * machine with live generators and the explorer with memoised ones.
 */
import type { Kernel } from '../kernel.ts';
import { lockEffect, lockEnabled, lockRelease, lockTake, mightLock } from '../locks/lock.ts';
import { forgotten, type Request } from '../task.ts';

/** May this task take this step now? Reads state only. */
export function enabled(k: Kernel, request: Request<unknown>): boolean {
  switch (request.kind) {
    case 'lock': {
      const lock = request.lock!;
      return lockEnabled(k.lockRecord(lock), lock.class.kind, request.mode, k.task) !== 'blocked';
    }
    case 'wait':
      return request.ready!();
    default:
      return true;
  }
}

/** The step was taken but the task stays where it is: a writer joined the queue of a lock. */
export const STAYS: unique symbol = Symbol('stays');

/**
 * Takes the step, inside the world's atomic section. The caller has asked `enabled`.
 * @returns what the op's `yield*` gives, or `STAYS`
 */
export function execute(k: Kernel, request: Request<unknown>): unknown {
  if (k.tracker.pending !== null) throw forgotten(k.tracker.pending);
  switch (request.kind) {
    case 'step':
      return request.fn!();
    case 'wait':
      for (const bit of request.awaits) mightLock(k, bit, 'exclusive');
      return request.fn?.();
    case 'lock': {
      const lock = request.lock!;
      const record = k.lockRecord(lock);
      const how = lockEnabled(record, lock.class.kind, request.mode, k.task);
      const taken = lockTake(record, request.mode, k.task, how);
      if (k.sink.listen !== null) say(k, request, taken ? 'acquire' : 'queue');
      return taken ? undefined : STAYS;
    }
    case 'trylock': {
      const lock = request.lock!;
      const record = k.lockRecord(lock);
      if (lockEnabled(record, lock.class.kind, request.mode, k.task) !== 'now') return false;
      lockTake(record, request.mode, k.task, 'now');
      if (k.sink.listen !== null) k.emit(lockEffect('acquire', lock, request.mode, { trylock: true }));
      return true;
    }
    case 'unlock': {
      const held = lockRelease(k.lockRecord(request.lock!), k.task);
      k.warnOn('unlock-not-held', !held);
      if (k.sink.listen !== null) say(k, request, 'release');
      return undefined;
    }
    case 'call':
      throw new Error(`the call ${request.label} reached execute: frames are opened by the engine`);
  }
}

function say(k: Kernel, request: Request<unknown>, type: 'acquire' | 'release' | 'queue'): void {
  k.emit(lockEffect(type, request.lock!, request.mode));
}
