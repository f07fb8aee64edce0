/** What a design does in the row: who, in which functions, what it did and which fields it changed. */
import { effectText } from '../../report/traceText.ts';
import { changeTexts } from '../changes.ts';
import type { Comparison } from '../comparison.ts';
import { el } from './compareDom.ts';
import { markWord } from './compareGrid.ts';
import type { Moment } from './compareMoment.ts';

/** Changed fields that are listed one by one. */
const LISTED = 40;

export function stepPanel({ runs }: Comparison, { run, first, last, step }: Moment): HTMLElement {
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
