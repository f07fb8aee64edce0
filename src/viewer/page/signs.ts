/** The verdict as a sign with a name, for a line of text. */
import { cellWords, isWeak } from '../matrix.ts';
import type { ReportCell } from '../report.ts';
import { h } from './dom.ts';

const CLASS = { holds: 'H', violates: 'X', inconclusive: 'I', 'not-applicable': 'N' } as const;

export function signSpan(cell: ReportCell | null): HTMLElement {
  return h('span', { class: `sign ${verdictClass(cell)}`, 'aria-hidden': 'true' }, cellWords(cell).sign);
}

export const verdictClass = (cell: ReportCell | null): string =>
  cell === null ? 'none' : isWeak(cell) ? 'P' : CLASS[cell.verdict];
