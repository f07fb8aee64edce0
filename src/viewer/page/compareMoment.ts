/** Where each design stands at a row. */
import type { Snapshot } from '../../state/world.ts';
import type { Comparison } from '../comparison.ts';
import type { Item } from '../rows.ts';

export interface Moment {
  readonly run: number;
  /** Steps of this design in the row, or in the rows that are folded; null: it has none there. */
  readonly first: number | null;
  readonly last: number | null;
  /** The last step that it has taken; -1: none. */
  readonly step: number;
  readonly before: Snapshot;
  readonly state: Snapshot;
}

/** @param states  for each run and row, the last step at or before it */
export function momentsAt(
  { runs, rows }: Comparison,
  states: readonly (readonly number[])[],
  item: Item,
): Moment[] {
  const [from, to] = item.kind === 'fold' ? [item.from, item.to] : [item.row, item.row];
  return runs.map(({ steps, result }, run) => {
    let first: number | null = null;
    let last: number | null = null;
    for (let row = from; row <= to; row++) {
      const step = rows[row]![run] ?? null;
      if (step === null) continue;
      first ??= step;
      last = step;
    }
    const step = states[run]![to]!;
    const state = step < 0 ? result.trace.start : steps[step]!.after;
    return { run, first, last, step, before: first === null ? state : steps[first]!.before, state };
  });
}
