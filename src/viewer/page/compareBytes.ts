/**
 * The raw inodes of all designs as maps of bytes, 16 a row: value, field letter, tint; outlined what the step changed,
 * underlined what differs from the first design. One byte is chosen in all maps at once; under each map stands what it
 * is and who wrote it.
 */
import type { Bytes } from '../../bytes/bytes.ts';
import {
  byteFields,
  byteHistory,
  fieldValue,
  hex,
  legendOf,
  type RawWrite,
  rawAt,
  rawWrites,
} from '../byteMap.ts';
import type { Comparison } from '../comparison.ts';
import { button, el } from './compareDom.ts';
import type { Moment } from './compareMoment.ts';

const WIDTH = 16;

export interface BytesPanel {
  readonly root: HTMLElement;
  setFile(ino: number): void;
  show(moment: readonly Moment[]): void;
}

export function makeBytes(
  { runs, lanes }: Comparison,
  jump: (run: number, step: number) => void,
): BytesPanel {
  let ino = 0;
  let chosen = 0x28;
  let moment: readonly Moment[] = [];
  let writes: (readonly RawWrite[])[] = [];
  const legend = el('p.cmp-legend');
  const maps = runs.map((_, run) => makeMap(run));
  const root = el('div', {}, el('div.cmp-columns', {}, ...maps.map(({ element }) => element)), legend);

  interface Map_ {
    readonly element: HTMLElement;
    show(raw: Bytes, before: Bytes, first: Bytes): void;
    info(): void;
    focus(): void;
    size(): number;
  }

  function makeMap(run: number): Map_ {
    const { design } = runs[run]!;
    const grid = el('table.cmp-bytes', { role: 'grid', 'aria-label': `raw inode under ${design.id}` });
    const note = el('div.cmp-byte-info', { 'aria-live': 'off' });
    let cells: HTMLElement[] = [];
    let shown: { raw: Bytes; before: Bytes; first: Bytes } | null = null;

    function build(length: number): void {
      cells = Array.from({ length }, (_, at) =>
        el('td', { role: 'gridcell', 'data-at': at, tabindex: at === chosen ? 0 : -1 }, el('span')),
      );
      const head = el(
        'tr',
        { role: 'row' },
        el('td', { role: 'presentation' }),
        ...Array.from({ length: WIDTH }, (_, at) => el('th', { scope: 'col', text: at.toString(16) })),
      );
      const rows = Array.from({ length: Math.ceil(length / WIDTH) }, (_, row) =>
        el(
          'tr',
          { role: 'row' },
          el('th', { scope: 'row', text: hex(row * WIDTH, 3) }),
          ...cells.slice(row * WIDTH, (row + 1) * WIDTH),
        ),
      );
      grid.replaceChildren(el('thead', {}, head), el('tbody', {}, ...rows));
    }

    grid.addEventListener('click', (event) => {
      const cell = (event.target as Element).closest<HTMLElement>('[data-at]');
      if (cell !== null) choose(Number(cell.dataset.at), run);
    });
    grid.addEventListener('keydown', (event) => {
      const moves: Record<string, number> = {
        ArrowLeft: -1,
        ArrowRight: 1,
        ArrowUp: -WIDTH,
        ArrowDown: WIDTH,
        Home: -(chosen % WIDTH),
        End: WIDTH - 1 - (chosen % WIDTH),
      };
      const move = moves[event.key];
      if (move === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      event.stopPropagation();
      choose(Math.max(0, Math.min(cells.length - 1, chosen + move)), run);
    });

    return {
      element: el(
        'div',
        { role: 'group', 'aria-label': design.id },
        el('div.cmp-byte-map', {}, el('div.cmp-scroll-x', {}, grid), note),
      ),
      size: () => cells.length,
      focus: () => cells[chosen]?.focus(),
      show(raw, before, first) {
        if (cells.length !== raw.length) {
          build(raw.length);
          shown = null;
        }
        const fields = byteFields(raw);
        const old = shown;
        const oldFields = old === null ? null : byteFields(old.raw);
        for (let at = 0; at < raw.length; at++) {
          const value = raw.u8(at);
          const isChanged = value !== before.u8(at);
          const differs = at < first.length && value !== first.u8(at);
          const field = fields[at]!;
          if (
            old !== null &&
            old.raw.u8(at) === value &&
            (old.raw.u8(at) !== old.before.u8(at)) === isChanged &&
            (at < old.first.length && old.raw.u8(at) !== old.first.u8(at)) === differs &&
            oldFields![at]!.letter === field.letter &&
            oldFields![at]!.label === field.label
          )
            continue;
          const cell = cells[at]!;
          cell.className = `cmp-t${field.tint}${isChanged ? ' cmp-changed' : ''}${differs ? ' cmp-differs' : ''}${value === 0 ? ' cmp-zero' : ''}`;
          cell.dataset.letter = field.letter;
          (cell.firstChild as HTMLElement).textContent = hex(value, 2);
          const said = `0x${hex(at, 2)} ${field.label}: ${hex(value, 2)}`;
          const changed = isChanged ? `, was ${hex(before.u8(at), 2)}` : '';
          const label = `${said}${changed}${differs ? ', differs from the first design' : ''}`;
          cell.setAttribute('aria-label', label);
          cell.title = label;
        }
        shown = { raw, before, first };
        this.info();
      },
      info() {
        for (const cell of grid.querySelectorAll<HTMLElement>('[aria-selected="true"]')) {
          cell.setAttribute('aria-selected', 'false');
          cell.tabIndex = -1;
        }
        const cell = cells[chosen];
        if (cell === undefined || shown === null) return;
        cell.setAttribute('aria-selected', 'true');
        cell.tabIndex = 0;
        const { raw, before } = shown;
        const [now, was] = [fieldValue(raw, chosen), fieldValue(before, chosen)];
        const history = byteHistory(writes[run] ?? [], chosen);
        note.replaceChildren(
          el(
            'p',
            {},
            el('b', { text: `0x${hex(chosen, 2)} ${byteFields(raw)[chosen]!.label}` }),
            ` = ${was === now ? now : `${was} → ${now}`}`,
          ),
          history.length === 0
            ? el('p', { text: 'no step of this run writes this byte' })
            : el(
                'ul.cmp-history',
                { 'aria-label': 'who wrote this byte' },
                ...history.map((each) => {
                  const { task, stack, label } = runs[run]!.steps[each.step]!;
                  const where = stack.length > 1 && stack.at(-1) !== label ? `${stack.at(-1)}: ` : '';
                  const isHere = each.step === moment[run]?.last;
                  return el(
                    'li',
                    {},
                    button(`row ${runs[run]!.rowOf[each.step]}`, () => jump(run, each.step)),
                    ` ${hex(each.before, 2)} → ${hex(each.after, 2)} ${lanes[task]} ${where}${label}`,
                    isHere ? el('b', { text: ' ◀ here' }) : null,
                  );
                }),
              ),
        );
      },
    };
  }

  function choose(at: number, run: number): void {
    chosen = at;
    for (const map of maps) map.info();
    maps[run]!.focus();
  }

  function draw(): void {
    const raws = moment.map(({ run, state }) => rawAt(runs[run]!.at, state, ino));
    moment.forEach(({ run, before }) => {
      maps[run]!.show(raws[run]!, rawAt(runs[run]!.at, before, ino), raws[0]!);
    });
    if (chosen >= (raws[0]?.length ?? 1)) chosen = 0;
    const entries = legendOf(raws);
    const text = entries.map(({ letter, text }) => `${letter}${text}`).join();
    if (legend.dataset.text === text) return;
    legend.dataset.text = text;
    legend.replaceChildren(
      ...entries.map(({ letter, tint, text }) =>
        el('span', {}, el('b', { class: `cmp-t${tint}`, text: letter }), ` ${text}`),
      ),
    );
  }

  return {
    root,
    setFile(next) {
      ino = next;
      writes = runs.map((run) => rawWrites(run, ino));
      if (moment.length > 0) draw();
    },
    show(next) {
      moment = next;
      draw();
    },
  };
}
