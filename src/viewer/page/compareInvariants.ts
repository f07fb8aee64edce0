/** Every invariant after the row's step: broken ones first, with the step that broke them. */
import type { Comparison } from '../comparison.ts';
import { invariantsAt } from '../invariantsAt.ts';
import { button, el } from './compareDom.ts';
import type { Moment } from './compareMoment.ts';

export function invariantPanel(
  { runs }: Comparison,
  { run, step }: Moment,
  jump: (run: number, step: number) => void,
): HTMLElement {
  if (step < 0) return el('div', {}, el('p.cmp-dim', { text: 'no step yet' }));
  const states = invariantsAt(runs[run]!, step);
  const broken = states.filter(({ message }) => message !== null);
  const past = states.filter(({ message, first }) => message === null && first !== null && first <= step);
  const fine = states.filter((state) => !broken.includes(state) && !past.includes(state));
  const where = (first: number | null): HTMLElement | string =>
    first === null
      ? ''
      : first === step
        ? el('b', { text: ' ◀ broken by this step' })
        : button(`row ${runs[run]!.rowOf[first]}`, () => jump(run, first), {
            title: 'the step that broke it',
          });
  return el(
    'ul.cmp-invariants',
    {},
    ...broken.map(({ id, summary, message, first }) =>
      el('li.cmp-broken', { title: summary }, el('b', { text: `✗ ${id}` }), ` ${message} `, where(first)),
    ),
    ...past.map(({ id, summary, first }) =>
      el('li', { title: summary }, `✓ ${id} holds again; broken at `, where(first)),
    ),
    el('li', { text: `✓ ${fine.map(({ id }) => id).join(', ')}` }),
  );
}
