/** Every invariant, the user's own first. */
import { alias, coherence, disksize, durability, format, fsck, model, reservation } from './data.ts';
import { bugOn, pending, settled, strict } from './inline.ts';
import type { Invariant } from './invariant.ts';
import { fsError, handleBalance, warnOn } from './kernel.ts';

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

export function invariantById(id: string): Invariant | undefined {
  return INVARIANTS.find((invariant) => invariant.id === id);
}

export type { Invariant } from './invariant.ts';
