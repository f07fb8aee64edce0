/**
 * The trace as a grid: a row a step, a column a design with its lanes, lock bars and folio chips. Only the rows in the
 * window are elements; each stands at its place, so that a trace of any length scrolls and steps alike.
 */
import { laneLetter } from '../../explore/schedule.ts';
import { CHIPS, chipsOf } from '../chips.ts';
import type { Comparison, DesignRun } from '../comparison.ts';
import { holdersOf, type LockColumn, lockColumns } from '../held.ts';
import { type Cell, type Item, linesOf } from '../rows.ts';
import { el, unseen } from './compareDom.ts';

/** Height of a line of text; `compare.css` has the same. */
const LINE = 18;
/** Room around the text of a row. */
const PAD = 3;
/** Width of the row numbers, and least width of a design's lanes. */
const NUMBER = 52;
const LANES_MIN = 300;
/** Rows kept beyond the window, in pixels. */
const BEYOND = 400;
/** Rows that are printed, at most: around the current one. */
const PRINTED = 2000;

export interface GridOptions {
  readonly onChoose: (item: number) => void;
  readonly onOpen: (item: number) => void;
}

export interface Grid {
  readonly root: HTMLElement;
  /** New rows: folded or not. */
  setItems(items: readonly Item[]): void;
  setCurrent(item: number): void;
  /** Locks that have a column. */
  setLocks(shown: (column: LockColumn) => boolean): void;
  /** The folio whose chips are shown. */
  setFolio(ino: number, index: number): void;
  /** Every row becomes an element, for paper. */
  print(on: boolean): void;
}

export function makeGrid({ lanes, runs, rows }: Comparison, options: GridOptions): Grid {
  const stateOf = runs.map((run, at) => statesOf(run, rows, at));
  const allLocks = runs.map(lockColumns);
  let shown: (column: LockColumn) => boolean = () => true;
  let folio = { ino: 0, index: 0 };
  let items: readonly Item[] = [];
  let tops: number[] = [0];
  let current = -1;
  let printing = false;
  const elements = new Map<number, HTMLElement>();

  const head = el('div.cmp-head-rows', { role: 'rowgroup' });
  const body = el('div.cmp-body', { role: 'rowgroup' });
  const root = el(
    'div.cmp-grid',
    {
      role: 'grid',
      tabindex: 0,
      'aria-label': `steps of ${runs.map(({ design }) => design.id).join(', ')}, side by side`,
      'aria-readonly': 'true',
    },
    head,
    body,
  );
  root.addEventListener('scroll', () => draw(), { passive: true });
  body.addEventListener('click', (event) => {
    const row = (event.target as Element).closest<HTMLElement>('[data-item]');
    if (row === null) return;
    const item = Number(row.dataset.item);
    if (items[item]?.kind === 'fold') options.onOpen(item);
    else options.onChoose(item);
  });
  const observer = new ResizeObserver(() => draw());
  observer.observe(root);

  const locksOf = (run: number): LockColumn[] => allLocks[run]!.filter((column) => shown(column));

  function drawHead(): void {
    const widths = runs.map((_, run) => [LANES_MIN, Math.max(1, locksOf(run).length) * 17 + 6, 86] as const);
    const columns = widths.map(([text, locks, chips]) => `minmax(${text}px, 1fr) ${locks}px ${chips}px`);
    const least = widths.flat().reduce((sum, each) => sum + each, NUMBER);
    root.style.setProperty('--cmp-columns', `${NUMBER}px ${columns.join(' ')}`);
    root.style.setProperty('--cmp-min', `${least}px`);
    head.replaceChildren(
      el(
        'div.cmp-row.cmp-designs',
        { role: 'row' },
        el('div.cmp-number', { role: 'columnheader', text: 'row' }),
        ...runs.map(({ design, marks }) =>
          el(
            'div.cmp-design',
            { role: 'columnheader', 'aria-colspan': 3, title: design.summary },
            el('strong', { text: design.id }),
            el('span', { text: marks.length === 0 ? ' ✓ nothing breaks here' : ' ✗ breaks here' }),
          ),
        ),
      ),
      el(
        'div.cmp-row.cmp-lane-names',
        { role: 'row' },
        el('div.cmp-number', { role: 'columnheader' }, unseen('number')),
        ...runs.flatMap((_, run) => [
          el(
            'div.cmp-lanes',
            { role: 'columnheader', style: laneColumns(lanes.length) },
            ...lanes.map((lane, task) =>
              el(
                'span',
                { class: `cmp-lane-name cmp-lane-${task % 6}`, style: `grid-column:${task + 1}` },
                el('b', { text: laneLetter(task) }),
                ` ${lane}`,
              ),
            ),
          ),
          el(
            'div.cmp-locks',
            { role: 'columnheader', 'aria-label': 'locks held' },
            ...locksOf(run).map(({ name, title }) => el('span.cmp-lock-name', { text: name, title })),
          ),
          el(
            'div.cmp-chips',
            { role: 'columnheader', 'aria-label': `folio ${folio.index} of inode ${folio.ino}` },
            el('span.cmp-chip-name', { text: `folio ${folio.ino}:${folio.index}` }),
          ),
        ]),
      ),
    );
  }

  function draw(): void {
    const height = Math.max(root.clientHeight, 200);
    const from = printing ? 0 : root.scrollTop - BEYOND;
    const to = printing ? Number.POSITIVE_INFINITY : root.scrollTop + height + BEYOND;
    let first = printing ? Math.max(0, current - PRINTED / 2) : itemAt(from);
    let last = first;
    while (last < items.length && tops[last]! < to && last - first < PRINTED) last++;
    if (printing) first = Math.max(0, last - PRINTED);
    for (const [item, element] of elements) {
      if (item >= first && item < last) continue;
      if (item === current && !printing) continue;
      element.remove();
      elements.delete(item);
    }
    const fresh: HTMLElement[] = [];
    for (let item = first; item < last; item++) if (!elements.has(item)) fresh.push(makeRow(item));
    if (current >= 0 && current < items.length && !elements.has(current)) fresh.push(makeRow(current));
    body.append(...fresh);
    if (printing) {
      const inOrder = [...elements].sort(([a], [b]) => a - b).map(([, element]) => element);
      body.replaceChildren(...inOrder);
    }
  }

  /** The last item that begins at or above a height. */
  function itemAt(top: number): number {
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (tops[middle + 1]! <= top) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  function makeRow(at: number): HTMLElement {
    const item = items[at]!;
    const element =
      item.kind === 'fold'
        ? foldRow(item)
        : el(
            'div.cmp-row',
            {
              role: 'row',
              class: item.cells.some((cell) => cell !== null && cell.marks.length > 0) ? 'cmp-marked' : '',
            },
            el('div.cmp-number', { role: 'rowheader', text: `${item.row}` }),
            ...runs.flatMap((run, index) => [
              laneCell(item, index),
              lockCell(run, index, item.row),
              chipCell(run, index, item.row),
            ]),
          );
    element.id = `cmp-item-${at}`;
    element.dataset.item = `${at}`;
    element.setAttribute('aria-rowindex', `${at + 3}`);
    element.style.top = `${tops[at]}px`;
    element.style.height = `${tops[at + 1]! - tops[at]!}px`;
    mark(element, at === current);
    elements.set(at, element);
    return element;
  }

  function foldRow({ from, to }: Extract<Item, { kind: 'fold' }>): HTMLElement {
    return el(
      'div.cmp-row.cmp-fold',
      { role: 'row', title: 'show them' },
      el('div.cmp-number', { role: 'rowheader', text: `${from}` }),
      ...runs.flatMap((run, index) => {
        const here = rows.slice(from, to + 1).filter((row) => row[index] !== null);
        const who = [...new Set(here.map(laneOf))].map((task) => lanes[task]).join(' and ');
        const text =
          here.length === 0 ? '' : `⋯ ${here.length} quiet step${here.length === 1 ? '' : 's'} of ${who}`;
        return [
          el(
            'div.cmp-lanes',
            { role: 'gridcell', class: here.length === 0 ? 'cmp-gap' : '' },
            el('span.cmp-fold-text', { text }),
          ),
          lockCell(run, index, to),
          chipCell(run, index, to),
        ];
      }),
    );
  }

  const laneOf = (row: readonly (number | null)[]): number => {
    const run = row.findIndex((step) => step !== null);
    return runs[run]!.steps[row[run]!]!.task;
  };

  function laneCell(item: Extract<Item, { kind: 'row' }>, run: number): HTMLElement {
    const cell = item.cells[run] ?? null;
    const { steps, result, crash } = runs[run]!;
    const isOver = stateOf[run]![item.row]! >= steps.length - 1;
    if (cell === null) {
      const ended = isOver && rows[item.row - 1]?.[run] === steps.length - 1;
      const stopped = result.trace.unfinished.length > 0 ? 'it stopped here' : 'it has ended';
      const why = crash === null ? stopped : 'power fails here';
      return el(
        'div.cmp-lanes.cmp-gap',
        { role: 'gridcell', class: isOver ? 'cmp-over' : '' },
        ended ? el('span.cmp-over-text', { text: why }) : unseen(isOver ? why : 'no such step'),
      );
    }
    const column = `grid-column:${cell.task + 1} / -1`;
    const { parts } = item;
    const lines: (HTMLElement | null)[] = [];
    let row = 1;
    const line = (kind: string, text: string, indent: number, title = text): unknown =>
      lines.push(
        el('span', {
          class: `cmp-text cmp-${kind}`,
          style: `${column};grid-row:${row};padding-left:${indent}px`,
          text,
          title,
        }),
      );
    // Depth gives way before the text does.
    const indent = (depth: number): number => Math.min(depth, 9) * 9;
    if (cell.line !== null) line('line', cell.line, 0);
    if (parts.line) row++;
    if (cell.calls.length > 0)
      line('calls', `${cell.calls.join(' › ')} ›`, indent(Math.max(1, cell.depth - cell.calls.length)));
    if (parts.calls) row++;
    line('label', cell.label, indent(Math.max(1, cell.depth)));
    row++;
    if (cell.facts.length > 0) line('facts', `│ ${cell.facts.join(', ')}`, indent(Math.max(1, cell.depth)));
    if (parts.facts) row++;
    for (const mark of cell.marks) {
      lines.push(
        el(
          'span.cmp-text.cmp-mark',
          { style: `grid-column:1 / -1;grid-row:${row}`, title: mark.message },
          el('b', { text: `✗ ${markWord(mark)}` }),
          ` ${mark.message}`,
        ),
      );
      row++;
    }
    return el(
      'div.cmp-lanes',
      {
        role: 'gridcell',
        class: `cmp-lane-${cell.task % 6}`,
        style: laneColumns(lanes.length),
      },
      el('span.cmp-rule', { style: `grid-column:${cell.task + 1};grid-row:1 / -1` }),
      unseen(`${lanes[cell.task]}: `),
      ...lines,
    );
  }

  function lockCell({ steps, result }: DesignRun, run: number, row: number): HTMLElement {
    const step = stateOf[run]![row]!;
    const state = step < 0 ? result.trace.start : steps[step]!.after;
    const words: string[] = [];
    const bars = locksOf(run).map((column) => {
      const holders = holdersOf(state, column);
      if (holders.length === 0) return el('i.cmp-hold');
      const letters = holders.map(({ task, how }) => {
        const letter = laneLetter(task);
        return how === 'exclusive' ? letter : how === 'shared' ? letter.toLowerCase() : `${letter}?`;
      });
      const text = holders.map(({ task, how }) => `${lanes[task] ?? `task ${task}`} ${how}`).join(', ');
      words.push(`${column.name} ${text}`);
      const [{ task, how }] = holders as [{ task: number; how: string }];
      return el('i.cmp-hold', {
        class: `cmp-held cmp-${how} cmp-lane-${task % 6}`,
        text: letters.join(''),
        title: `${column.title}: ${text}`,
      });
    });
    return el(
      'div.cmp-locks',
      { role: 'gridcell' },
      unseen(words.length === 0 ? 'no lock held' : `held: ${words.join('; ')}`),
      ...bars.map((bar) => {
        bar.setAttribute('aria-hidden', 'true');
        return bar;
      }),
    );
  }

  function chipCell({ steps, result }: DesignRun, run: number, row: number): HTMLElement {
    const step = stateOf[run]![row]!;
    const state = step < 0 ? result.trace.start : steps[step]!.after;
    const before = step < 0 || rows[row]![run] === null ? state : steps[step]!.before;
    const chips = chipsOf(state, folio.ino, folio.index);
    const old = before === state ? chips : chipsOf(before, folio.ino, folio.index);
    const on = CHIPS.filter((_, at) => chips?.[at] === true).map(([, word]) => word);
    return el(
      'div.cmp-chips',
      { role: 'gridcell' },
      unseen(chips === null ? 'folio not cached' : `folio: ${on.join(', ') || 'nothing set'}`),
      ...CHIPS.map(([letter, word], at) => {
        const isOn = chips?.[at] === true;
        return el('i', {
          class: `cmp-chip${isOn ? ' cmp-on' : ''}${(old?.[at] === true) === isOn ? '' : ' cmp-changed'}`,
          'aria-hidden': 'true',
          title: `${word}: ${isOn ? 'yes' : 'no'}`,
          text: isOn ? letter : '·',
        });
      }),
    );
  }

  function mark(element: HTMLElement, isCurrent: boolean): void {
    element.classList.toggle('cmp-current', isCurrent);
    element.setAttribute('aria-selected', `${isCurrent}`);
  }

  function redraw(): void {
    for (const element of elements.values()) element.remove();
    elements.clear();
    draw();
  }

  return {
    root,
    setItems(next) {
      items = next;
      tops = [0];
      for (const item of items) tops.push(tops.at(-1)! + linesOf(item) * LINE + PAD);
      body.style.height = `${tops.at(-1)}px`;
      root.setAttribute('aria-rowcount', `${items.length + 2}`);
      current = -1;
      redraw();
    },
    setCurrent(item) {
      const old = elements.get(current);
      if (old !== undefined) mark(old, false);
      current = item;
      const top = tops[item]!;
      const bottom = tops[item + 1]!;
      const height = Math.max(80, root.clientHeight - head.offsetHeight);
      const slack = Math.min(3 * LINE, height / 4);
      const scroll = root.scrollTop;
      if (top - slack < scroll) root.scrollTop = Math.max(0, top - slack);
      else if (bottom + slack > scroll + height) root.scrollTop = bottom + slack - height;
      draw();
      mark(elements.get(item)!, true);
      root.setAttribute('aria-activedescendant', `cmp-item-${item}`);
    },
    setLocks(next) {
      shown = next;
      drawHead();
      redraw();
    },
    setFolio(ino, index) {
      folio = { ino, index };
      drawHead();
      redraw();
    },
    print(on) {
      printing = on;
      root.classList.toggle('cmp-printing', on);
      redraw();
    },
  };
}

/** For each row, the last step of a run at or before it; -1: none yet. */
export function statesOf(run: DesignRun, rows: Comparison['rows'], at: number): number[] {
  let step = -1;
  return rows.map((row) => {
    step = row[at] ?? step;
    return Math.min(step, run.steps.length - 1);
  });
}

/** Only one lane of a design has text in a row: it may run over those behind it, and the last gets more room. */
const laneColumns = (lanes: number): string =>
  `grid-template-columns:${'minmax(0,1fr) '.repeat(lanes - 1)}minmax(0,1.8fr)`;

export function markWord({ kind, id }: Cell['marks'][number]): string {
  if (kind === 'bug-on') return `BUG ${id}`;
  if (kind === 'warn-on') return `WARN ${id}`;
  if (kind === 'invariant') return `broken: ${id}`;
  if (kind === 'crash') return `power fails: ${id}`;
  return id;
}
