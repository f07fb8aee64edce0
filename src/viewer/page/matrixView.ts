/** The matrix: what every design does in every scenario. The whole table is there; a filter leaves rows out. */
import { designById } from '../../designs/index.ts';
import {
  breaks,
  brokenWords,
  cellSentence,
  cellWords,
  filterRows,
  isWeak,
  type MatrixRow,
  matrixRows,
  type VerdictFilter,
} from '../matrix.ts';
import { meaningOf, POWER_MEANINGS, STEP_MEANINGS } from '../meaning.ts';
import type { ReportCell } from '../report.ts';
import { type CellRoute, formatRoute, type MatrixRoute, type Route } from '../route.ts';
import type { Frame, View } from './app.ts';
import { check, fill, h, select } from './dom.ts';
import { gridKeys } from './gridKeys.ts';
import { signSpan } from './signs.ts';

/** Designs whose cells fit in words beside each other on a common screen. */
const IN_WORDS = 8;

const VERDICT_WORDS: readonly (readonly [VerdictFilter, string])[] = [
  ['any', 'any'],
  ['violates', 'some design breaks'],
  ['holds', 'some design holds'],
  ['inconclusive', 'some design is not finished'],
  ['differs', 'designs differ'],
  ['unexpected', 'not as recorded'],
];

const TYPING_MS = 120;

/** How many invariants a cell names beside so many others. */
const roomFor = (designs: number): number => (designs <= 3 ? 4 : designs <= 5 ? 2 : 1);

/** Where the focus was when the matrix was left. */
let lastFocus: string | null = null;

export function matrixView(frame: Frame, first: Route, host: HTMLElement): View {
  const { lab } = frame;
  const { report } = lab;
  let route = first as MatrixRoute;
  let rows: MatrixRow[] = [];
  const hasPower = Object.keys(report.crash).length > 0;
  const load = (): void => {
    rows = matrixRows(report, route.power ? report.crash : report.cells, lab.rows).filter((row) =>
      row.cells.some((cell) => cell !== null),
    );
  };
  load();

  const change = (more: Partial<MatrixRoute>): void => {
    const reload = more.power !== undefined && more.power !== route.power;
    route = { ...route, ...more };
    if (reload) {
      route = { ...route, invariant: null };
      load();
      controls();
    }
    frame.stay(route);
    draw();
  };

  const bar = h('form', { class: 'filters', role: 'search', 'aria-label': 'filter', onsubmit: prevent });
  const head = h('div', { class: 'intro' });
  const frameOf = h('div', { class: 'matrix-frame', role: 'region', 'aria-label': 'verdicts', tabindex: 0 });
  const detail = h('p', { class: 'detail', id: 'detail', 'aria-live': 'polite' });
  fill(
    detail,
    h(
      'span',
      { class: 'quiet' },
      'Arrows move through the cells, Enter opens one, Escape comes back, / filters.',
    ),
  );
  fill(host, head, bar, frameOf, detail);

  const designs = h('details', { class: 'menu' }, h('summary', {}, 'Designs'));
  let typing: ReturnType<typeof setTimeout> | undefined;
  const input = h('input', {
    type: 'search',
    id: 'filter',
    value: route.q,
    placeholder: 'falloc durability 7b4cc97…',
    'aria-keyshortcuts': '/',
    oninput: () => {
      // A table of thousands of cells is not laid out for every letter.
      clearTimeout(typing);
      typing = setTimeout(() => change({ q: input.value }), TYPING_MS);
    },
  });

  function controls(): void {
    const invariants = (route.power ? POWER_MEANINGS : STEP_MEANINGS).map(({ id }) => id);
    const shown = new Set(route.designs ?? report.designs);
    fill(
      designs,
      h('summary', {}, `Designs: ${shown.size === report.designs.length ? 'all' : shown.size}`),
      h(
        'div',
        { class: 'menu-body' },
        h(
          'p',
          {},
          h('button', { type: 'button', onclick: () => pick(report.designs) }, 'all'),
          ' ',
          h('button', { type: 'button', onclick: () => pick([]) }, 'none'),
        ),
        report.designs.map((id) =>
          check(id, shown.has(id), (on) =>
            pick(report.designs.filter((each) => (each === id ? on : shown.has(each)))),
          ),
        ),
      ),
    );
    fill(
      bar,
      hasPower
        ? h(
            'fieldset',
            { class: 'switch' },
            h('legend', { class: 'offscreen' }, 'what may happen'),
            radio('every schedule', !route.power, () => change({ power: false })),
            radio('power failures', route.power, () => change({ power: true })),
          )
        : null,
      h('label', { class: 'field grow' }, h('span', {}, 'Filter'), input),
      select('Verdict', VERDICT_WORDS, route.verdict, (verdict) =>
        change({ verdict: verdict as VerdictFilter }),
      ),
      select(
        'Breaks',
        [['', 'anything'], ...invariants.map((id) => [id, id] as const)],
        route.invariant ?? '',
        (id) => change({ invariant: id === '' ? null : id }),
      ),
      designs,
      check('words', inWords(), (words) => change({ words })),
    );
  }

  const pick = (ids: readonly string[]): void => {
    const open = designs.open;
    change({ designs: ids.length === report.designs.length ? null : ids });
    controls();
    designs.open = open;
  };

  const summaryOf = (id: string): string | null =>
    (designById(id) ?? report.foreign.find((each) => each.id === id))?.summary ?? null;

  const shownAt = (): number[] => {
    const wanted = route.designs;
    return report.designs.flatMap((id, at) => (wanted === null || wanted.includes(id) ? [at] : []));
  };
  const inWords = (): boolean => route.words ?? shownAt().length <= IN_WORDS;

  function draw(): void {
    const shown = shownAt();
    const filter = { text: route.q, verdict: route.verdict, invariant: route.invariant };
    const found = filterRows(rows, filter, shown);
    drawHead(found, shown);
    if (found.length === 0 || shown.length === 0) {
      const what = shown.length === 0 ? 'no design is chosen' : 'no row has all of that';
      const all = (): void => {
        input.value = '';
        change({ q: '', verdict: 'any', invariant: null, designs: null });
        controls();
      };
      fill(
        frameOf,
        h('p', { class: 'empty' }, `${what}. `, h('button', { type: 'button', onclick: all }, 'show all')),
      );
      return;
    }
    const table = h(
      'table',
      { class: `matrix ${inWords() ? 'in-words' : 'in-signs'}`, role: 'grid', 'aria-label': 'verdicts' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col', class: 'scenario' }, 'scenario'),
          h('th', { scope: 'col', class: 'mount' }, 'mount'),
          shown.map((at) => {
            const id = report.designs[at]!;
            const href = formatRoute({ view: 'designs', design: id });
            return h(
              'th',
              { scope: 'col', class: 'design' },
              h('a', { href, title: summaryOf(id), tabindex: -1 }, breakable(id)),
            );
          }),
        ),
      ),
      body(found, shown),
    );
    fill(frameOf, table);
    rove(table);
  }

  function drawHead(found: readonly MatrixRow[], shown: readonly number[]): void {
    const cells = found.flatMap((row) => shown.flatMap((at) => row.cells[at] ?? []));
    const count = (verdict: ReportCell['verdict']): number =>
      cells.filter((cell) => cell.verdict === verdict).length;
    const odd = cells.filter((cell) => cell.asExpected === false).length;
    const pending = cells.filter(isWeak).length;
    const parts = [
      `${count('violates')} break something`,
      `${count('holds')} hold`,
      ...(count('inconclusive') > 0 ? [`${count('inconclusive')} not finished`] : []),
    ];
    const how =
      report.from === 'race' ? `searched by ext4lab ${report.command}` : 'as the scenario files record them';
    fill(
      head,
      h('h1', {}, route.power ? 'What a power failure leaves' : 'What every schedule does'),
      h(
        'p',
        {},
        route.power
          ? 'A cell is one scenario under one design and one mount, with power failing after every step of every schedule. '
          : 'A cell is one scenario under one design and one mount, run in every order of the model’s steps. ',
        h('b', {}, `${cells.length} cells: ${parts.join(', ')}`),
        `, ${how}. Open one to see its schedule, step by step, under designs side by side.`,
      ),
      report.reach[route.power ? 1 : 0] === undefined
        ? null
        : h('p', { class: 'quiet' }, report.reach[route.power ? 1 : 0]!),
      odd > 0
        ? h(
            'p',
            { class: 'warning' },
            h('b', {}, `! ${odd} ${odd === 1 ? 'cell is' : 'cells are'} not as the scenario files record.`),
          )
        : null,
      h(
        'dl',
        { class: 'legend', 'aria-label': 'legend' },
        legend(
          'X',
          inWords() ? (route.power ? '✗ promise +1' : '✗ model +2') : '✗3',
          inWords() ? 'breaks this, and so many more' : 'breaks so many invariants',
        ),
        legend('H', '✓', 'holds in every schedule that was looked at'),
        cells.some(({ verdict }) => verdict === 'inconclusive')
          ? legend('I', '?', 'nothing found, not all was seen')
          : null,
        cells.length < found.length * shown.length ? legend(null, '·', 'not run') : null,
        odd > 0 ? [h('dt', {}, h('span', { class: 'odd' }, '!')), h('dd', {}, 'not as recorded')] : null,
        pending > 0
          ? [
              h('dt', {}, h('span', { class: 'sign P' }, inWords() ? '✗ strict*' : '✗*')),
              h('dd', {}, 'only the pending state of delayed allocation breaks it; settled holds'),
            ]
          : null,
      ),
    );
  }

  function body(found: readonly MatrixRow[], shown: readonly number[]): HTMLTableSectionElement {
    const element = h('tbody');
    found.forEach((row, index) => {
      const isFirst = found[index - 1]?.scenario !== row.scenario;
      const { name, question } = row.scenario;
      const span = found.filter((each) => each.scenario === row.scenario).length;
      const tr = h('tr', { class: isFirst ? 'first' : null });
      if (isFirst)
        tr.append(
          h(
            'th',
            { scope: 'rowgroup', rowspan: span, class: 'scenario', title: question },
            h('b', {}, name),
            h('span', { class: `question lines-${Math.min(span, 3)}` }, question),
          ),
        );
      tr.append(h('th', { scope: 'row', class: 'mount' }, row.mount));
      for (const at of shown) tr.append(cellOf(row, at));
      element.append(tr);
    });
    return element;
  }

  function cellOf(row: MatrixRow, at: number): HTMLTableCellElement {
    const cell = row.cells[at] ?? null;
    const design = report.designs[at]!;
    const key = `${row.scenario.name} ${row.mount} ${design}`;
    const dim = route.invariant !== null && !breaks(cell, route.invariant);
    const letter =
      cell === null
        ? 'none'
        : { holds: 'H', violates: 'X', inconclusive: 'I', 'not-applicable': 'N' }[cell.verdict];
    const { sign, word, more } = cellWords(cell, inWords() ? roomFor(shownAt().length) : 1);
    const weak = isWeak(cell);
    const text = inWords()
      ? [h('span', { class: 'mark' }, sign), ` ${word}`, more > 0 ? h('small', {}, ` +${more}`) : null]
      : [
          h('span', { class: 'mark' }, sign),
          letter === 'X' ? (weak ? '*' : String(more + 1)) : null,
          h('span', { class: 'offscreen' }, ` ${word}${more > 0 ? ` and ${more} more` : ''}`),
        ];
    const odd =
      cell?.asExpected === false ? h('span', { class: 'odd', title: 'not as recorded' }, '!') : null;
    return h(
      'td',
      { role: 'gridcell', class: `${weak ? 'P' : letter}${dim ? ' dim' : ''}` },
      h(
        'a',
        { href: cell === null ? null : formatRoute(cellRoute(row, design)), 'data-key': key, tabindex: -1 },
        text,
        odd,
      ),
    );
  }

  const cellRoute = (row: MatrixRow, of: string): CellRoute => ({
    view: 'cell',
    ref: { scenario: row.scenario.name },
    mount: row.mount,
    of,
    beside: null,
    power: route.power,
    broken: route.invariant,
    schedule: null,
    medium: null,
    row: null,
  });

  const describe = (target: EventTarget | null): void => {
    const link = target instanceof Element ? target.closest<HTMLElement>('[data-key]') : null;
    if (link === null) return;
    const [name, mount, design] = link.dataset.key!.split(' ') as [string, string, string];
    const row = rows.find((each) => each.scenario.name === name && each.mount === mount);
    if (row === undefined) return;
    const cell = row.cells[report.designs.indexOf(design)] ?? null;
    const said = cellSentence(name, mount, design, cell);
    const worst = cell === null ? undefined : brokenWords(cell)[0]?.replace('*', '');
    const meaning = worst === undefined ? null : meaningOf(worst);
    const source = row.scenario.source.length === 0 ? '' : ` Source: ${row.scenario.source.join('; ')}.`;
    fill(
      detail,
      signSpan(cell),
      ' ',
      said,
      h('br'),
      h(
        'span',
        { class: 'quiet' },
        `${meaning === null ? '' : `${worst}: ${meaning}. `}${row.scenario.question}${source}`,
      ),
    );
    link.title = said;
  };
  frameOf.addEventListener('pointerover', (event) => describe(event.target));
  frameOf.addEventListener('focusin', (event) => {
    describe(event.target);
    const link = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-key]') : null;
    if (link !== null) lastFocus = link.dataset.key!;
  });

  /** One cell is in the tab order; arrows move from there. */
  function rove(table: HTMLTableElement): void {
    const links = [...table.querySelectorAll<HTMLElement>('tbody a')];
    const entry = links.find((link) => link.dataset.key === lastFocus) ?? links[0];
    entry?.setAttribute('tabindex', '0');
    gridKeys(table);
  }

  const slash = (event: KeyboardEvent): void => {
    if (event.key !== '/' || isTyping(event.target) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    input.focus();
    input.select();
  };
  document.addEventListener('keydown', slash);

  controls();
  draw();
  return {
    title: '',
    follow(next) {
      route = next as MatrixRoute;
      input.value = route.q;
      load();
      controls();
      draw();
      return true;
    },
    focus() {
      const back = frameOf.querySelector<HTMLElement>(`[data-key="${CSS.escape(lastFocus ?? '')}"]`);
      if (back === null) return;
      back.focus({ preventScroll: true });
      back.scrollIntoView({ block: 'center', inline: 'nearest' });
    },
    destroy() {
      clearTimeout(typing);
      document.removeEventListener('keydown', slash);
    },
  };
}

const prevent = (event: Event): void => event.preventDefault();

export const isTyping = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('input, textarea, select, [contenteditable="true"]') !== null;

function radio(text: string, on: boolean, onChange: () => void): HTMLLabelElement {
  return h(
    'label',
    {},
    h('input', { type: 'radio', name: 'power', checked: on, onchange: onChange }),
    h('span', {}, text),
  );
}

function legend(letter: 'X' | 'H' | 'I' | null, sign: string, text: string): HTMLElement[] {
  return [h('dt', {}, h('span', { class: `sign ${letter ?? 'none'}` }, sign)), h('dd', {}, text)];
}

/** A name that may be broken after its hyphens. */
function breakable(id: string): (string | HTMLElement)[] {
  return id.split('-').flatMap((part, index) => (index === 0 ? [part] : ['-', h('wbr'), part]));
}
