/** The stories beside each other, until the compare view is here. */
import type { LockOrderData } from '../../locks/lockdep.ts';
import type { Comparison } from '../comparison.ts';
import { mailTextAt } from '../mailText.ts';
import { fill, h } from './dom.ts';

export function mountCompareView(
  host: HTMLElement,
  comparison: Comparison,
  _options: {
    row?: number;
    onRow?(row: number): void;
    lockOrder?(design: string): Promise<LockOrderData | null> | LockOrderData | null;
  },
): { goTo(row: number): void; rows: number; destroy(): void } {
  fill(
    host,
    comparison.runs.map((run) => [
      h('h2', {}, run.design.id),
      h(
        'pre',
        { class: 'story', tabindex: 0, 'aria-label': run.design.id },
        mailTextAt(comparison, run, 0).text,
      ),
    ]),
  );
  return { goTo() {}, rows: comparison.rows.length, destroy() {} };
}
