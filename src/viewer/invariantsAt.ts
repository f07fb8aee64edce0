/** What holds after a step and what does not: every invariant asked of that one state. */
import { INVARIANTS } from '../invariants/index.ts';
import type { DesignRun } from './comparison.ts';

export interface InvariantState {
  readonly id: string;
  readonly summary: string;
  /** Null: it holds here. */
  readonly message: string | null;
  /** Step after which it was first broken; null: never in this run. */
  readonly first: number | null;
}

export function invariantsAt({ at, steps, marks }: DesignRun, step: number): InvariantState[] {
  const k = at(steps[step]!.after);
  const isEnd = step === steps.length - 1;
  return INVARIANTS.filter(({ when }) => when === 'always' || isEnd).map(({ id, summary, check }) => ({
    id,
    summary,
    message: check(k),
    first: marks.find((mark) => mark.kind === 'invariant' && mark.id === id)?.step ?? null,
  }));
}
