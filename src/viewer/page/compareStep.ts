/** What a design does in the row: who, in which functions, what it did and which fields it changed. */
import { effectText } from '../../report/traceText.ts';
import { changeTexts } from '../changes.ts';
import type { Comparison } from '../comparison.ts';
import { heldSince, holdersOf, type LockColumn } from '../held.ts';
import { button, el } from './compareDom.ts';
import { markWord } from './compareGrid.ts';
import type { Moment } from './compareMoment.ts';

/** Changed fields that are listed one by one. */
const LISTED = 40;

export function stepPanel(
  comparison: Comparison,
  moment: Moment,
  locks: readonly LockColumn[],
  jump: (run: number, step: number) => void,
): HTMLElement {
  const root = didPanel(comparison, moment);
  root.append(...heldPanel(comparison, moment, locks, jump));
  return root;
}

/** Every lock that somebody holds or waits for after the step, and where it was taken. */
function heldPanel(
  { runs, lanes }: Comparison,
  { run, step, state }: Moment,
  locks: readonly LockColumn[],
  jump: (run: number, step: number) => void,
): HTMLElement[] {
  const { steps, rowOf } = runs[run]!;
  const held = locks.flatMap((column) =>
    holdersOf(state, column).map((holder) => ({
      column,
      holder,
      since: heldSince(runs[run]!, column, step, holder),
    })),
  );
  if (held.length === 0) return [];
  return [
    el(
      'ul.cmp-held-list',
      { 'aria-label': 'locks held after it' },
      ...held.map(({ column, holder, since }) => {
        const what = `${lanes[holder.task] ?? `task ${holder.task}`} ${holder.how} ${column.name}`;
        if (since === null) return el('li', { text: what });
        const where = steps[since]!.stack.at(-1) ?? '';
        return el(
          'li',
          {},
          `${what} since `,
          button(`row ${rowOf[since]}`, () => jump(run, since)),
          ` ${where}`,
        );
      }),
    ),
  ];
}

function didPanel({ runs }: Comparison, { run, first, last, step }: Moment): HTMLElement {
  const { steps, marks, result, crash } = runs[run]!;
  if (first === null || last === null) {
    const over = step >= steps.length - 1;
    const what = over
      ? crash !== null
        ? `Its power failed after its ${steps.length} steps.`
        : result.trace.unfinished.length > 0
          ? `It stopped after its ${steps.length} steps.`
          : `It has ended after ${steps.length} steps.`
      : `No such step here. It stands after step ${step}.`;
    return el('div', {}, el('p', { text: what }));
  }
  const here = steps.slice(first, last + 1);
  const { lane, stack, label } = steps[last]!;
  const [line = '', ...functions] = stack;
  const effects = [...new Set(here.flatMap(({ effects }) => effects.flatMap(effectText)))];
  const changes = changeTexts(here.flatMap(({ changes }) => changes)).filter(
    ({ record }) => !record.startsWith('task '),
  );
  const broken = marks.filter((mark) => mark.step >= first && mark.step <= last);
  return el(
    'div',
    {},
    el(
      'p',
      {},
      el('b', { text: first === last ? `step ${last} of ${steps.length}` : `steps ${first} to ${last}` }),
      ` · ${lane} · `,
      el('code', { text: line }),
    ),
    el(
      'p.cmp-stack',
      {},
      ...functions.flatMap((name) => [el('code', { text: name }), ' › ']),
      el('strong', {}, el('code', { text: label })),
    ),
    ...broken.map((mark) => el('p.cmp-broken', { text: `✗ ${markWord(mark)}: ${mark.message}` })),
    effects.length === 0 ? null : el('p.cmp-effects', { text: effects.join(' · ') }),
    changes.length === 0
      ? el('p.cmp-dim', { text: 'changes no field' })
      : el(
          'table.cmp-changes',
          {},
          el('caption.cmp-unseen', { text: 'fields that changed' }),
          el(
            'tbody',
            {},
            ...changes
              .slice(0, LISTED)
              .map(({ record, field, before, after }) =>
                el(
                  'tr',
                  {},
                  el('th', { scope: 'row', text: `${record} · ${field}` }),
                  el(
                    'td',
                    {},
                    el('span', { text: before }),
                    el('b', { text: ' → ' }),
                    el('span', { text: after }),
                  ),
                ),
              ),
          ),
        ),
    changes.length > LISTED ? el('p.cmp-dim', { text: `and ${changes.length - LISTED} more` }) : null,
  );
}
