/** A folio's state as letters, and the files and folios that a comparison can show. */
import { LOCK, LOCK_SPAN } from '../locks/lock.ts';
import type { Snapshot } from '../state/world.ts';
import { peekFiles } from '../vfs/peek.ts';
import type { Comparison, DesignRun } from './comparison.ts';

export const CHIPS = [
  ['U', 'uptodate'],
  ['D', 'dirty'],
  ['W', 'under writeback'],
  ['L', 'locked'],
  ['M', 'mapped by a page table'],
  ['T', 'tagged in i_pages: dirty, towrite or writeback'],
] as const;

/** Which of `CHIPS` are set; null: the folio is not in the page cache. */
export function chipsOf(state: Snapshot, ino: number, index: number): readonly boolean[] | null {
  const folio = state.folio?.[`${ino},${index}`];
  if (folio === undefined || folio.present !== true) return null;
  const lock = state.lock?.[`${LOCK.folio.number * LOCK_SPAN + ino},${index}`];
  const isMapped = Object.values(state.pte ?? {}).some(
    (pte) => pte.present === true && pte.ino === ino && pte.index === index && pte.anon === null,
  );
  return [
    folio.uptodate === true,
    folio.dirty === true,
    folio.writeback === true,
    ((lock?.owner as number | undefined) ?? 0) > 0,
    isMapped,
    folio.tagDirty === true || folio.tagTowrite === true || folio.tagWriteback === true,
  ];
}

/** A file, by inode number. */
export interface FileChoice {
  readonly ino: number;
  /** A path that it has or had, or null. */
  readonly path: string | null;
  /** Pages that some run had in the page cache, ascending; 0 is always among them. */
  readonly folios: readonly number[];
}

/** Inodes whose bytes, folios or fields some run changed; the ones that changed most come first. */
export function filesOf({ runs }: Comparison): FileChoice[] {
  const found = new Map<number, { changes: number; folios: Set<number> }>();
  for (const { steps } of runs) {
    for (const { changes } of steps) {
      for (const { table, key } of changes) {
        if (table !== 'raw' && table !== 'folio' && table !== 'inode' && table !== 'fbuf') continue;
        const [ino = 0, index = 0] = key.split(',').map(Number);
        const file = found.get(ino) ?? { changes: 0, folios: new Set([0]) };
        if (table === 'folio') file.folios.add(index);
        // A folio tells more of what a race is about than an inode that is only looked up.
        file.changes += table === 'folio' ? 4 : 1;
        found.set(ino, file);
      }
    }
  }
  const paths = new Map(runs.flatMap((run) => [...pathsOf(run)]));
  return [...found]
    .filter(([ino]) => ino > 0)
    .sort(([a, x], [b, y]) => Number(paths.has(b)) - Number(paths.has(a)) || y.changes - x.changes || a - b)
    .map(([ino, { folios }]) => ({
      ino,
      path: paths.get(ino) ?? (ino === 2 ? '/' : null),
      folios: [...folios].sort((a, b) => a - b),
    }));
}

/** Inode number to path, at the start of a run and at its end. */
function pathsOf({ at, result }: DesignRun): Map<number, string> {
  const paths = new Map<number, string>();
  for (const state of [result.trace.end, result.trace.start])
    for (const [path, ino] of peekFiles(at(state))) paths.set(ino, path);
  return paths;
}
