/** What each design is, in its own words, and how it did. */
import { designById } from '../../designs/index.ts';
import { type Meaning, POWER_MEANINGS, STEP_MEANINGS } from '../meaning.ts';
import { unpackCell } from '../report.ts';
import { formatRoute, MATRIX, type Route } from '../route.ts';
import type { Frame, View } from './app.ts';
import { fill, h } from './dom.ts';

export function designsView(frame: Frame, route: Route, host: HTMLElement): View {
  const { report } = frame.lab;
  const wanted = (route as Extract<Route, { view: 'designs' }>).design;
  const sections = report.designs.flatMap((id) => {
    const design = designById(id) ?? report.foreign.find((each) => each.id === id);
    if (design === undefined) return [];
    const at = report.designs.indexOf(id);
    const count = (letter: string, cells = report.cells): number =>
      Object.values(cells)
        .flatMap((row) => Object.values(row))
        .filter((row) => row[at]?.v === letter).length;
    const only = formatRoute({
      ...MATRIX,
      designs: id === 'mkwrite-convert' ? [id] : ['mkwrite-convert', id],
    });
    const broken = brokenBy(frame, at);
    const splats = report.lockdep.find((each) => each.design === id)?.splats ?? [];
    return [
      h(
        'section',
        { id: `design-${id}`, class: 'card', 'aria-labelledby': `head-${id}` },
        h('h2', { id: `head-${id}` }, id),
        h('p', {}, design.summary),
        h(
          'dl',
          { class: 'facts' },
          fact('source', design.source),
          fact('promises', design.promises.join(', ') || 'nothing'),
          fact('locks beyond the kernel’s', design.locks.join(', ') || 'none'),
          design.unmodelled.length === 0 ? null : fact('not modelled', design.unmodelled.join('; ')),
          h('dt', {}, 'verdicts'),
          h(
            'dd',
            {},
            h('a', { href: only }, `${count('X')} cells break something, ${count('H')} hold`),
            broken.length === 0 ? null : `: ${broken.map(([name, times]) => `${name} ${times}`).join(', ')}`,
          ),
          splats.length === 0
            ? null
            : fact('lockdep', `${splats.length} ${splats.length === 1 ? 'report' : 'reports'}`),
        ),
        splats.map(({ summary, text }) =>
          h(
            'details',
            {},
            h('summary', {}, summary),
            h('pre', { tabindex: 0, 'aria-label': 'report' }, text),
          ),
        ),
      ),
    ];
  });
  const others = report.designs.map((id) =>
    h('a', { href: formatRoute({ view: 'designs', design: id }) }, id),
  );
  fill(
    host,
    h('h1', {}, 'The designs, and what must hold'),
    h(
      'p',
      {},
      'A design says what it does differently from the current kernel (mkwrite-convert) and inherits the rest. What is not ' +
        'modelled of a proposal stands with it.',
    ),
    h(
      'p',
      { class: 'jump' },
      others.flatMap((link, index) => (index === 0 ? [link] : [' · ', link])),
    ),
    sections,
    h('h2', { class: 'part', id: 'must-hold' }, 'What must hold'),
    h('p', {}, 'After every step of every schedule:'),
    meanings(STEP_MEANINGS),
    h('p', {}, 'When power fails, after every step:'),
    meanings(POWER_MEANINGS),
  );
  const focus = (): void => {
    const heading =
      wanted === null ? host.querySelector('h1') : host.querySelector(`#${CSS.escape(`head-${wanted}`)}`);
    if (!(heading instanceof HTMLElement)) return;
    heading.setAttribute('tabindex', '-1');
    heading.focus({ preventScroll: true });
    heading.scrollIntoView({ block: wanted === null ? 'nearest' : 'start' });
  };
  return { title: wanted ?? 'designs', focus };
}

const fact = (name: string, text: string): HTMLElement[] => [h('dt', {}, name), h('dd', {}, text)];

const meanings = (list: readonly Meaning[]): HTMLElement =>
  h(
    'dl',
    { class: 'facts meanings' },
    list.map(({ id, summary, why }) => [
      h('dt', {}, id),
      h('dd', {}, summary, h('span', { class: 'quiet' }, ` (${why})`)),
    ]),
  );

/** Invariants a design breaks, by how many cells. */
function brokenBy({ lab }: Frame, at: number): [string, number][] {
  const counts = new Map<string, number>();
  for (const row of Object.values(lab.report.cells).flatMap((each) => Object.values(each))) {
    const packed = row[at];
    if (packed === null || packed === undefined) continue;
    for (const { invariant } of unpackCell(packed).violations)
      counts.set(invariant, (counts.get(invariant) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]);
}
