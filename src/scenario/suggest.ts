/** Did you mean: the nearest known word, where one is near enough to be worth saying. */

/**
 * @param word   what was written
 * @param known  what could have been written
 * @returns      the nearest of `known`, or null where nothing is within a third of the word's length
 */
export function suggest(word: string, known: Iterable<string>): string | null {
  if (word.length > MAX_LENGTH) return null;
  const lower = word.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(lower, candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best ?? uniquePrefix(lower, known);
}

/** ` (did you mean X?)`, or an empty string. */
export function didYouMean(word: string, known: Iterable<string>, mark = ''): string {
  const near = suggest(word, known);
  return near === null ? '' : ` (did you mean ${mark}${near}${mark}?)`;
}

const MAX_LENGTH = 64;

function uniquePrefix(word: string, known: Iterable<string>): string | null {
  if (word.length < 2) return null;
  const starts = [...known].filter((candidate) => candidate.toLowerCase().startsWith(word));
  return starts.length === 1 ? starts[0]! : null;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > MAX_LENGTH) return MAX_LENGTH;
  let previous: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(replace, row[j]! + 1, next[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, previous[j - 2]! + 1);
      }
      next.push(best);
    }
    previous = row;
    row = next;
  }
  return row[b.length]!;
}
