/**
 * The table of the benchmark: what was measured beside the floors and targets of the project.
 */
import { table } from '../src/cli/table.ts';

/** Which way is better, and how good is wanted. */
export interface Goal {
  readonly better: 'higher' | 'lower';
  readonly floor: number;
  readonly target: number;
}

export interface Row {
  readonly what: string;
  /** Null: not measured, `note` says why. */
  readonly measured: number | null;
  readonly unit: string;
  /** Null: told for its own sake. */
  readonly goal: Goal | null;
  /** How it was measured, or why it was not. */
  readonly note: string;
}

export type Mark = 'target met' | 'ok' | 'below' | 'skipped' | '';

/** `ok`: the floor is met, the target is not. */
export function markOf({ measured, goal }: Row): Mark {
  if (measured === null) return 'skipped';
  if (goal === null) return '';
  const meets = (wanted: number): boolean =>
    goal.better === 'higher' ? measured >= wanted : measured <= wanted;
  return meets(goal.target) ? 'target met' : meets(goal.floor) ? 'ok' : 'below';
}

export function rowsAsText(rows: readonly Row[], width: number): string {
  const sign = ({ goal }: Row): string => (goal?.better === 'higher' ? '≥ ' : '≤ ');
  const lines = rows.map((row) => [
    row.what,
    row.measured === null ? '–' : withUnit(row.measured, row.unit),
    row.goal === null ? '' : `${sign(row)}${withUnit(row.goal.floor, row.unit)}`,
    row.goal === null ? '' : `${sign(row)}${withUnit(row.goal.target, row.unit)}`,
    markOf(row),
    row.note,
  ]);
  return table([['what', 'measured', 'floor', 'target', '', ''], ...lines], { right: [1, 2, 3], width });
}

export function rowsAsJson(rows: readonly Row[]): string {
  return JSON.stringify(
    rows.map((row) => ({ ...row, mark: markOf(row) })),
    null,
    2,
  );
}

const withUnit = (value: number, unit: string): string => `${figures(value)}${unit === '' ? '' : ` ${unit}`}`;

/** Three figures, thousands apart. */
export function figures(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Math.abs(value) >= 100) return `${Math.round(value)}`.replace(/\B(?=(\d{3})+$)/g, ',');
  return `${Number(value.toPrecision(3))}`;
}
