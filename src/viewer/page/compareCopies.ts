/** The copies of a file's bytes under each design; what differs from the model is marked. */
import { hex } from '../byteMap.ts';
import type { Comparison } from '../comparison.ts';
import { type Copy, copiesOf } from '../copies.ts';
import { el } from './compareDom.ts';
import type { Moment } from './compareMoment.ts';

/** File bytes in a row. */
export const COPY_BYTES = 16;

export function copiesPanel(
  { runs }: Comparison,
  { run, state }: Moment,
  ino: number,
  from: number,
): HTMLElement {
  const copies = copiesOf(runs[run]!.at(state), ino, from, COPY_BYTES);
  // Without a model of the file the copies are compared with the first that is there.
  const truth = copies.find(({ bytes }) => bytes !== null);
  return el(
    'div.cmp-scroll-x',
    {},
    el(
      'table.cmp-copies',
      {
        'aria-label': `copies of file bytes ${from} to ${from + COPY_BYTES - 1} under ${runs[run]!.design.id}`,
      },
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          el('th', { scope: 'col', text: `byte ${from}+` }),
          ...Array.from({ length: COPY_BYTES }, (_, at) => el('th', { scope: 'col', text: at.toString(16) })),
        ),
      ),
      el('tbody', {}, ...copies.map((copy) => copyRow(copy, truth))),
    ),
  );
}

function copyRow(copy: Copy, truth: Copy | undefined): HTMLElement {
  let differing = 0;
  const cells = Array.from({ length: COPY_BYTES }, (_, at) => {
    const value = byteAt(copy, at);
    const wanted = truth === undefined ? null : byteAt(truth, at);
    const differs = value !== null && wanted !== null && value !== wanted;
    if (differs) differing++;
    const kind = value === null ? 'cmp-none' : differs ? 'cmp-wrong' : value === 0 ? 'cmp-zero' : '';
    return el('td', {
      class: kind,
      text: value === null ? '··' : hex(value, 2),
      title: differs ? `${truth!.name} has ${hex(wanted!, 2)}` : null,
    });
  });
  return el(
    'tr',
    {},
    el(
      'th',
      { scope: 'row' },
      copy.name,
      differing > 0 ? el('b.cmp-broken', { text: ` ≠ ${differing}` }) : null,
      el('small', { text: copy.where }),
    ),
    ...cells,
  );
}

const byteAt = ({ bytes }: Copy, at: number): number | null =>
  bytes === null || at >= bytes.length ? null : bytes.u8(at);
