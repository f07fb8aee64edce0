/** Who holds which lock at a state: the bars of the compare view. Read from the lock records, not from what was told. */
import { LOCK, LOCK_CLASSES, LOCK_SPAN, type LockId } from '../locks/lock.ts';
import type { FieldValue } from '../state/schema.ts';
import type { Snapshot } from '../state/world.ts';
import type { DesignRun } from './comparison.ts';

/** A lock of a run: a column. */
export interface LockColumn {
  readonly id: LockId;
  /** Of the `lock` table; for jbd2_handle, which nobody takes, its own name. */
  readonly key: string;
  /** `xattr_sem`, and the instance where the run has several of the class. */
  readonly name: string;
  /** As lockdep prints it. */
  readonly title: string;
}

/** How a task has a lock. */
export interface Holder {
  readonly task: number;
  readonly how: 'exclusive' | 'shared' | 'queued';
}

/** Locks that somebody held at the end of some step, outermost first. */
export function lockColumns({ steps, session }: DesignRun): LockColumn[] {
  const keys = new Set<string>();
  for (const { changes } of steps) {
    for (const { table, key, field } of changes) {
      if (table === 'lock') keys.add(key);
      else if (table === 'task' && field === 'handle') keys.add(LOCK.jbd2_handle.id);
    }
  }
  const found = [...keys].map((key) => {
    const [first = '', index = '0'] = key.split(',');
    const number = Number(first);
    const lock = Number.isNaN(number) ? LOCK.jbd2_handle : LOCK_CLASSES[Math.floor(number / LOCK_SPAN)]!;
    const instance = Number.isNaN(number) ? 0 : number % LOCK_SPAN;
    return { lock, key, instance, index: Number(index) };
  });
  const several = (id: string): boolean => found.filter(({ lock }) => lock.id === id).length > 1;
  return found
    .sort((a, b) => a.lock.rank - b.lock.rank || a.instance - b.instance || a.index - b.index)
    .map(({ lock, key, instance, index }) => {
      const what =
        lock.id === 'mmap_lock'
          ? `mm ${session.specs.find(({ mm }) => mm === instance)?.name ?? instance}`
          : `ino ${instance}${index > 0 || lock.id === 'folio' ? ` index ${index}` : ''}`;
      const short = lock.id === 'folio' ? `${instance}:${index}` : `${instance}`;
      return {
        id: lock.id as LockId,
        key,
        name: several(lock.id) ? `${lock.id} ${short}` : lock.id,
        title: instance === 0 && lock.id !== 'mmap_lock' ? lock.name : `${lock.name} of ${what}`,
      };
    });
}

/** Who has the lock of a column at a state. */
export function holdersOf(state: Snapshot, column: LockColumn): Holder[] {
  if (column.id === 'jbd2_handle') {
    return Object.entries(state.task ?? {}).flatMap(([task, { handle }]) =>
      (handle as number) > 0 ? [{ task: Number(task), how: 'shared' as const }] : [],
    );
  }
  const record = state.lock?.[column.key];
  if (record === undefined) return [];
  const owner = number(record.owner);
  const queued = members(number(record.waiters)).map((task) => ({ task, how: 'queued' as const }));
  const shared = members(number(record.readers)).map((task) => ({ task, how: 'shared' as const }));
  return [...(owner > 0 ? [{ task: owner - 1, how: 'exclusive' as const }] : []), ...shared, ...queued];
}

/** Since when a task has a lock as it has it after `step`: the step that began it; null: since before the first. */
export function heldSince(
  { steps }: Pick<DesignRun, 'steps'>,
  column: LockColumn,
  step: number,
  { task, how }: Holder,
): number | null {
  const isHeld = (state: Snapshot): boolean =>
    holdersOf(state, column).some((each) => each.task === task && each.how === how);
  for (let at = step; at >= 0; at--) {
    const { before, task: who } = steps[at]!;
    // Nobody but a task itself takes a lock for it.
    if (who === task && !isHeld(before)) return at;
  }
  return null;
}

const number = (value: FieldValue | undefined): number => (typeof value === 'number' ? value : 0);

const members = (mask: number): number[] => {
  const out: number[] = [];
  for (let task = 0; mask !== 0; task++, mask >>>= 1) if (mask & 1) out.push(task);
  return out;
};
