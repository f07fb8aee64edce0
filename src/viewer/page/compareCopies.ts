/** The copies of a file's bytes under each design; what differs from the model is marked. */
import { hex } from '../byteMap.ts';
import type { Comparison } from '../comparison.ts';
import { type Copy, copiesOf } from '../copies.ts';
import { el } from './compareDom.ts';
import type { Moment } from './compareMoment.ts';

/** File bytes in a row. */
export const COPY_BYTES = 16;

export interface CopiesTable {
  readonly root: HTMLElement;
  show(moment: Moment, ino: number, from: number): void;
}

/** The table of one design: made once, its cells are written again at every row. */
export function makeCopies({ runs }: Comparison, run: number): CopiesTable {
  const { design, at } = runs[run]!;
  const corner = el('th', { scope: 'col' });
  const columns = Array.from({ length: COPY_BYTES }, (_, each) =>
    el('th', { scope: 'col', text: each.toString(16) }),
  );
  const body = el('tbody');
  const table = el('table.cmp-copies', {}, el('thead', {}, el('tr', {}, corner, ...columns)), body);
  const rows: CopyRow[] = [];
  return {
    root: el('div.cmp-scroll-x', {}, table),
    show({ state }, ino, from) {
      const copies = copiesOf(at(state), ino, from, COPY_BYTES);
      // Without a model of the file the copies are compared with the first that is there.
      const truth = copies.find(({ bytes }) => bytes !== null) ?? null;
      write(corner, `byte ${from}+`);
      table.setAttribute(
        'aria-label',
        `copies of file bytes ${from} to ${from + COPY_BYTES - 1} under ${design.id}`,
      );
      while (rows.length < copies.length) rows.push(makeRow());
      rows.forEach((row, each) => {
        const copy = copies[each];
        if (copy === undefined) row.root.remove();
        else {
          row.show(copy, truth);
          if (!row.root.isConnected || row.root.parentNode !== body) body.append(row.root);
        }
      });
    },
  };
}

interface CopyRow {
  readonly root: HTMLElement;
  show(copy: Copy, truth: Copy | null): void;
}

function makeRow(): CopyRow {
  const name = el('span');
  const differing = el('b.cmp-broken');
  const where = el('small');
  const cells = Array.from({ length: COPY_BYTES }, () => el('td'));
  return {
    root: el('tr', {}, el('th', { scope: 'row' }, name, differing, where), ...cells),
    show(copy, truth) {
      let count = 0;
      cells.forEach((cell, at) => {
        const value = byteAt(copy, at);
        const wanted = truth === null ? null : byteAt(truth, at);
        const differs = value !== null && wanted !== null && value !== wanted;
        if (differs) count++;
        const kind = value === null ? 'cmp-none' : differs ? 'cmp-wrong' : value === 0 ? 'cmp-zero' : '';
        if (cell.className !== kind) cell.className = kind;
        write(cell, value === null ? '··' : hex(value, 2));
        const title = differs ? `${truth!.name} has ${hex(wanted, 2)}` : '';
        if (cell.title !== title) cell.title = title;
      });
      write(name, copy.name);
      write(differing, count > 0 ? ` ≠ ${count}` : '');
      write(where, copy.where);
    },
  };
}

function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

const byteAt = ({ bytes }: Copy, at: number): number | null =>
  bytes === null || at >= bytes.length ? null : bytes.u8(at);
