/**
 * Deadlocks: unfinished tasks and none can run. The report is the wait-for cycle, from the lock records and the
 * requests that wait: who waits for what, where, and who has it.
 *
 * A wait that is not for a lock (a bit, the end of a commit) has no holder that can be known, except for open journal
 * handles; it is reported as it stands, and ends a chain.
 */
import type { Kernel } from '../kernel.ts';
import { LOCK, lockLabel } from '../locks/lock.ts';
import type { Request } from '../task.ts';

/** Where a task stands. */
export interface Standing {
  readonly name: string;
  /** Null: it is finished. */
  readonly request: Request<unknown> | null;
  /** Open kernel functions, outermost first, the scenario line before them. */
  readonly stack: readonly string[];
}

interface Waiting {
  readonly task: number;
  /** What it waits for, in words. */
  readonly text: string;
  /** Tasks that must move first. */
  readonly holders: readonly number[];
}

/** One sentence per task that waits: the cycle when there is one, else everybody. */
export function waitForCycle(k: Kernel, tasks: readonly Standing[]): string {
  const waiting = tasks.flatMap(({ request }, task) =>
    request === null ? [] : [waitingOf(k, tasks, task, request)],
  );
  const cycle = findCycle(waiting);
  const lines = (cycle ?? waiting).map(({ task, text }) => `${tasks[task]!.name} waits for ${text}`);
  return `${cycle === null ? 'nobody can run' : 'deadlock'}: ${lines.join('; ')}`;
}

function waitingOf(k: Kernel, tasks: readonly Standing[], task: number, request: Request<unknown>): Waiting {
  const members = (mask: number): number[] => tasks.flatMap((_, each) => ((mask >>> each) & 1 ? [each] : []));
  const name = (each: number): string =>
    tasks[each]!.request === null ? `${tasks[each]!.name} (finished)` : tasks[each]!.name;
  const list = (each: readonly number[]): string => each.map(name).join(' and ');
  const where = tasks[task]!.stack.slice(2).at(-1);
  const place = where === undefined ? '' : ` in ${where}`;
  const { lock, mode } = request;
  if (lock === null) {
    const drains = request.awaits.some((each) => each.class === LOCK.jbd2_handle);
    const holders = drains ? members(k.journal.updates & ~(1 << task)) : [];
    const held = holders.length === 0 ? '' : `, handle held by ${list(holders)}`;
    return { task, text: `'${request.label}'${place}${held}`, holders };
  }
  const record = k.lockRecord(lock);
  const owner = record.owner === 0 ? [] : [record.owner - 1];
  const readers = members(record.readers);
  const queue = members(record.waiters & ~(1 << task));
  const reasons: string[] = [];
  if (owner.length > 0) reasons.push(`held by ${list(owner)}`);
  if (mode === 'exclusive' && readers.length > 0) reasons.push(`held shared by ${list(readers)}`);
  if (mode === 'shared' && queue.length > 0) reasons.push(`queued behind ${list(queue)}`);
  const holders = [...owner, ...(mode === 'exclusive' ? readers : queue)];
  const label =
    request.kind === 'lock' ? lockLabel(lock, mode) : `'${request.label}' under ${lock.class.name}`;
  const instance = lock.class.kind === 'bit' || lock.instance === 0 ? '' : ` of ${lock.instance}`;
  return { task, text: [`${label}${instance}${place}`, ...reasons].join(', '), holders };
}

/** The first cycle, from the lowest task; in the order in which one waits for the next. */
function findCycle(waiting: readonly Waiting[]): readonly Waiting[] | null {
  const byTask = new Map(waiting.map((each) => [each.task, each]));
  const dead = new Set<number>();
  for (const start of waiting) {
    const path: Waiting[] = [];
    const cycle = descend(start, path);
    if (cycle !== null) return cycle;
  }
  return null;

  function descend(at: Waiting, path: Waiting[]): readonly Waiting[] | null {
    const seen = path.indexOf(at);
    if (seen >= 0) return path.slice(seen);
    if (dead.has(at.task)) return null;
    path.push(at);
    for (const holder of at.holders) {
      const next = byTask.get(holder);
      const cycle = next === undefined ? null : descend(next, path);
      if (cycle !== null) return cycle;
    }
    path.pop();
    dead.add(at.task);
    return null;
  }
}
