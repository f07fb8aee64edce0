/** Every invariant, the user's own first. */
import { alias, coherence, disksize, durability, format, fsck, model, reservation } from './data.ts';
import { bugOn, pending, settled, strict } from './inline.ts';
import type { Invariant } from './invariant.ts';
import { fsError, handleBalance, warnOn } from './kernel.ts';

/** All of them, the user's own first; the order is that of every listing. */
export const INVARIANTS: readonly Invariant[] = [
  strict,
  settled,
  pending,
  bugOn,
  coherence,
  model,
  durability,
  fsck,
  alias,
  format,
  disksize,
  reservation,
  handleBalance,
  warnOn,
  fsError,
];

/** The invariant of that name; undefined for an unknown one. */
export function invariantById(id: string): Invariant | undefined {
  return INVARIANTS.find((invariant) => invariant.id === id);
}

export type { Invariant } from './invariant.ts';
