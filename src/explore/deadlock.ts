/**
 * Deadlocks: unfinished tasks and none can run. The report is the wait-for cycle, from the lock records and the
 * requests that wait.
 *
 * A wait that is not for a lock (a bit, a drained transaction) has no holder that can be known: it is reported as
 * it stands, and ends a chain.
 */
import { lockLabel } from '../locks/lock.ts';
import type { Walk } from './walk.ts';

interface Waiting {
  readonly task: number;
  /** What it waits for, in words. */
  readonly text: string;
  /** Tasks that must move first. */
  readonly holders: readonly number[];
}

/** One sentence per task that waits: the cycle when there is one, else everybody. */
export function waitForCycle(walk: Walk): string {
  const waiting = walk.at.flatMap((node, task) => (node.request === null ? [] : [waitingOf(walk, task)]));
  const cycle = findCycle(waiting);
  const names = walk.automaton.names;
  const told = cycle ?? waiting;
  const lines = told.map(({ task, text }) => `${names[task]} waits for ${text}`);
  return `${cycle === null ? 'nobody can run' : 'deadlock'}: ${lines.join('; ')}`;
}

function waitingOf(walk: Walk, task: number): Waiting {
  const request = walk.at[task]!.request!;
  const { names } = walk.automaton;
  if (request.lock === null) return { task, text: `'${request.label}'`, holders: [] };
  const { lock, mode } = request;
  const record = walk.k.lockRecord(lock);
  const members = (mask: number): number[] => names.flatMap((_, each) => ((mask >>> each) & 1 ? [each] : []));
  const list = (tasks: readonly number[]): string => tasks.map((each) => names[each]).join(' and ');
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
  return { task, text: [`${label}${instance}`, ...reasons].join(', '), holders };
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
