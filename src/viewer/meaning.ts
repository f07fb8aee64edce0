/** What the names in a cell mean, for a reader who has met none of them. */
import { CRASH_INVARIANTS } from '../crash/crash.ts';
import { NO_DEADLOCK } from '../explore/subject.ts';
import { INVARIANTS } from '../invariants/index.ts';

export interface Meaning {
  readonly id: string;
  /** What must hold. */
  readonly summary: string;
  readonly why: string;
}

/** Looked at after every step of every schedule. */
export const STEP_MEANINGS: readonly Meaning[] = [
  ...INVARIANTS,
  {
    id: NO_DEADLOCK,
    summary: 'some task can always go on until all have finished',
    why: 'tasks that wait for each other hang for ever, with what they hold',
  },
];

/** Looked at when power fails. */
export const POWER_MEANINGS: readonly Meaning[] = CRASH_INVARIANTS;

/** What must hold; null for a name that is none. */
export function meaningOf(id: string): string | null {
  return [...STEP_MEANINGS, ...POWER_MEANINGS].find((each) => each.id === id)?.summary ?? null;
}
