/**
 * Runs side by side: the rows in which the same place of each run stands in one row, the order of every run kept.
 *
 *     run 0   a b c d       rows   a a
 *     run 1   a x c                b ·
 *                                  · x
 *                                  c c
 *                                  d ·
 *
 * Between two rows that are shared, rows of the first run come first. Which are shared is a longest common subsequence
 * of keys; keys of one run are all different, so it takes n·log n.
 */

/** For each run, the step that stands in the row; null: it has none. */
export type AlignedRow = readonly (number | null)[];

/** @param runs  keys of the steps, for each run */
export function align(runs: readonly (readonly string[])[]): AlignedRow[] {
  let rows: { readonly keys: string[]; readonly steps: (number | null)[] }[] = [];
  runs.forEach((keys, run) => {
    const places = new Map<string, number[]>();
    rows.forEach((row, at) => {
      // Latest first, as the search wants them.
      for (const key of new Set(row.keys)) places.set(key, [at, ...(places.get(key) ?? [])]);
    });
    const merged: typeof rows = [];
    let row = 0;
    let step = 0;
    const own = (): unknown => merged.push({ keys: [keys[step]!], steps: alone(run, runs.length, step++) });
    for (const [sharedStep, sharedRow] of commonOrder(keys, places)) {
      while (row < sharedRow) merged.push(rows[row++]!);
      while (step < sharedStep) own();
      const shared = rows[row++]!;
      shared.keys.push(keys[step]!);
      shared.steps[run] = step++;
      merged.push(shared);
    }
    while (row < rows.length) merged.push(rows[row++]!);
    while (step < keys.length) own();
    rows = merged;
  });
  return rows.map(({ steps }) => steps);
}

const alone = (run: number, runs: number, step: number): (number | null)[] =>
  Array.from({ length: runs }, (_, each) => (each === run ? step : null));

/**
 * The longest list of pairs (step, row) with one key that ascends in both (Hunt and Szymanski).
 * @param places  rows of a key, descending
 */
function commonOrder(
  keys: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
): (readonly [step: number, row: number])[] {
  interface Link {
    readonly step: number;
    readonly row: number;
    readonly before: Link | null;
  }
  /** Of the chains of each length, the one that ends at the lowest row. */
  const ends: Link[] = [];
  keys.forEach((key, step) => {
    for (const row of places.get(key) ?? []) {
      let low = 0;
      let high = ends.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (ends[middle]!.row < row) low = middle + 1;
        else high = middle;
      }
      ends[low] = { step, row, before: ends[low - 1] ?? null };
    }
  });
  const pairs: (readonly [number, number])[] = [];
  for (let link = ends.at(-1) ?? null; link !== null; link = link.before) pairs.push([link.step, link.row]);
  return pairs.reverse();
}
