/** What is shown when a cell is opened: which violation, on whose schedule, beside which designs. */
import { MAIN_DESIGNS } from '../designs/index.ts';
import { brokenWords } from './matrix.ts';
import type { ReportCell } from './report.ts';

/** A design's cell in the row that was opened. */
export interface RowCell {
  readonly design: string;
  readonly cell: ReportCell | null;
}

export interface Choice {
  /** The design that the schedule was found under. */
  readonly of: string;
  /** The violation it leads to; null: none is known. */
  readonly broken: string | null;
  /** Text; null: to be searched for where `broken` is known, else the lowest lane first. */
  readonly schedule: string | null;
}

/** The design that stands for the kernel: what others are compared with. */
export const KERNEL = 'mkwrite-convert';

/**
 * @param asked  what the address says
 * @param row    the cells of the row, `design` among them
 */
export function chooseSchedule(
  design: string,
  asked: { readonly broken: string | null; readonly schedule: string | null },
  row: readonly RowCell[],
): Choice {
  const cell = row.find((each) => each.design === design)?.cell ?? null;
  if (asked.schedule !== null) return { of: design, broken: asked.broken, schedule: asked.schedule };
  const own = violationOf(cell, asked.broken);
  if (own !== null) return { of: design, ...own };
  // The cell is not in the report, a link says what is broken: the search will tell.
  if (cell === null && asked.broken !== null) return { of: design, broken: asked.broken, schedule: null };
  const others = [...row].sort((a, b) => Number(b.design === KERNEL) - Number(a.design === KERNEL));
  for (const other of others) {
    const theirs = violationOf(other.cell, asked.broken);
    if (theirs !== null && theirs.schedule !== null) return { of: other.design, ...theirs };
  }
  return { of: design, broken: null, schedule: null };
}

/** The violation asked for, or the worst one whose schedule is known, or the worst. */
function violationOf(
  cell: ReportCell | null,
  broken: string | null,
): { readonly broken: string; readonly schedule: string | null } | null {
  if (cell === null || cell.violations.length === 0) return null;
  const find = (id: string): { broken: string; schedule: string | null } | null => {
    const found = cell.violations.find(({ invariant }) => invariant === id);
    return found === undefined ? null : { broken: id, schedule: found.schedule };
  };
  if (broken !== null) return find(broken);
  const ranked = brokenWords(cell).flatMap((id) => find(id.replace('*', '')) ?? []);
  return ranked.find(({ schedule }) => schedule !== null) ?? ranked[0] ?? null;
}

/** The design beside the one that was opened: the kernel; beside the kernel one that does better. */
export function besideOf(design: string, of: string, row: readonly RowCell[]): string[] {
  if (of !== design) return [of];
  if (design !== KERNEL) return [KERNEL];
  const better = [...row].reverse().find(({ cell }) => cell?.verdict === 'holds');
  const main = MAIN_DESIGNS.map(({ id }) => id);
  const other = better?.design ?? main.filter((id) => id !== KERNEL).at(-1);
  return other === undefined ? [] : [other];
}
