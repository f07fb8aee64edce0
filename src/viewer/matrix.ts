/**
 * The matrix as rows that can be filtered, and a cell in words: sign, verdict, what is broken. Colour repeats it.
 */
import { mountLabel, type Scenario } from '../scenario/schema.ts';
import { cellAt, type PackedCells, type Report, type ReportCell } from './report.ts';

export interface MatrixRow {
  readonly scenario: Scenario;
  readonly mount: string;
  /** By design, as `Report.designs`. */
  readonly cells: readonly (ReportCell | null)[];
  /** What a text filter looks into, in lower case. */
  readonly text: string;
}

/** What a row must have in one of the shown designs; `differs`: two shown designs differ. */
export const VERDICT_FILTERS = ['any', 'violates', 'holds', 'inconclusive', 'differs', 'unexpected'] as const;
export type VerdictFilter = (typeof VERDICT_FILTERS)[number];

export interface MatrixFilter {
  /** Every word must be there: name, question, source, mount, lines, invariants. */
  readonly text: string;
  readonly verdict: VerdictFilter;
  /** Broken in one of the shown designs; null: any. */
  readonly invariant: string | null;
}

export function matrixRows(
  report: Pick<Report, 'designs'>,
  cells: PackedCells,
  scenarios: readonly Scenario[],
): MatrixRow[] {
  return scenarios.flatMap((scenario) =>
    scenario.mounts.map(mountLabel).map((mount) => {
      const row = report.designs.map((design) => cellAt(report, cells, scenario.name, mount, design));
      const broken = row.flatMap((cell) => cell?.violations.map(({ invariant }) => invariant) ?? []);
      const lines = [...scenario.setup, ...scenario.lanes.flatMap((lane) => lane.lines), ...scenario.after];
      const text = [
        scenario.name,
        scenario.question,
        ...scenario.source,
        mount,
        ...lines.map((line) => line.text),
        ...new Set(broken),
      ];
      return { scenario, mount, cells: row, text: text.join('\n').toLowerCase() };
    }),
  );
}

/** @param shown  positions of the designs that are shown */
export function filterRows(
  rows: readonly MatrixRow[],
  { text, verdict, invariant }: MatrixFilter,
  shown: readonly number[],
): MatrixRow[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  return rows.filter((row) => {
    if (!words.every((word) => row.text.includes(word))) return false;
    const cells = shown.map((at) => row.cells[at] ?? null);
    if (invariant !== null && !cells.some((cell) => breaks(cell, invariant))) return false;
    switch (verdict) {
      case 'any':
        return true;
      case 'differs':
        return new Set(cells.flatMap((cell) => (cell === null ? [] : [cell.verdict]))).size > 1;
      case 'unexpected':
        return cells.some((cell) => cell?.asExpected === false);
      default:
        return cells.some((cell) => cell?.verdict === verdict);
    }
  });
}

export const breaks = (cell: ReportCell | null, invariant: string): boolean =>
  cell?.violations.some((each) => each.invariant === invariant) ?? false;

/** Nothing but `strict` is broken, and by the pending state alone. */
export const isWeak = (cell: ReportCell | null): boolean =>
  cell?.pendingOnly === true && cell.violations.length === 1;

export interface CellWords {
  /** One character, also without colour. */
  readonly sign: string;
  /** `holds`, `model`, `not run`. */
  readonly word: string;
  /** How many more invariants are broken than `word` says. */
  readonly more: number;
}

/** How bad, for the one invariant that a cell has room for: data first, then BUGs. */
const WORST: readonly string[] = [
  'durability',
  'promise',
  'foreign-bytes',
  'bug-on',
  'model',
  'no-deadlock',
  'recovery',
  'fsck',
  'handle-balance',
  'coherence',
  'alias',
  'settled',
];

const rank = (id: string): number => {
  const at = WORST.indexOf(id);
  return at < 0 ? WORST.length : at;
};

/** The invariants of a cell, worst first; `strict*` where the pending state alone breaks it. */
export function brokenWords(cell: ReportCell): string[] {
  return cell.violations
    .map(({ invariant }) => invariant)
    .sort((a, b) => rank(a) - rank(b))
    .map((id) => (id === 'strict' && cell.pendingOnly ? 'strict*' : id));
}

/** @param room  invariants that may be named */
export function cellWords(cell: ReportCell | null, room = 1): CellWords {
  if (cell === null) return { sign: '·', word: 'not run', more: 0 };
  switch (cell.verdict) {
    case 'holds':
      return { sign: '✓', word: 'holds', more: 0 };
    case 'violates': {
      const words = brokenWords(cell);
      return { sign: '✗', word: words.slice(0, room).join(', '), more: Math.max(0, words.length - room) };
    }
    case 'inconclusive':
      return { sign: '?', word: 'not finished', more: 0 };
    case 'not-applicable':
      return { sign: '–', word: 'no question', more: 0 };
  }
}

/** The whole cell in a sentence: for the line below the matrix, and for who does not see it. */
export function cellSentence(
  scenario: string,
  mount: string,
  design: string,
  cell: ReportCell | null,
): string {
  const where = `${scenario} (${mount}) under ${design}`;
  if (cell === null) return `${where}: not run`;
  const odd = cell.asExpected === false ? '; NOT AS RECORDED' : '';
  const never = cell.unreached.length === 0 ? '' : `; no schedule reaches ${cell.unreached.join(', ')}`;
  const tail = `${odd}${never}`;
  switch (cell.verdict) {
    case 'holds':
      return `${where} holds: ${cell.how}${tail}`;
    case 'violates':
      return `${where} breaks ${brokenWords(cell).join(', ')}: ${cell.how}${tail}`;
    case 'inconclusive':
      return `${where}: no violation found, not finished: ${cell.how}${tail}`;
    case 'not-applicable':
      return `${where}: ${cell.how}${tail}`;
  }
}
