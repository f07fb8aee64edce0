/** Figures of the long runs over images, kept so that the documentation can show them: seeds, counts, tool versions. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('./figures.json', import.meta.url);

export type Figures = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

export function readFigures(): Figures {
  return existsSync(FILE) ? (JSON.parse(readFileSync(FILE, 'utf8')) as Figures) : {};
}

export function recordFigures(name: string, figures: Readonly<Record<string, unknown>>): void {
  const all = { ...readFigures(), [name]: figures };
  const sorted = Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(FILE, `${JSON.stringify(sorted, null, 2)}\n`);
}
