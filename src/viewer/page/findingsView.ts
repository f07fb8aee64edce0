/** What came out, and what was claimed on the list: each with the cells that show it. */
import { FINDINGS, type FindingLink } from '../findings.ts';
import type { ReportClaim } from '../report.ts';
import { formatRoute, type Route, tokenRoute } from '../route.ts';
import type { Frame, View } from './app.ts';
import { fill, h } from './dom.ts';

const SIGN: Readonly<Record<string, readonly [sign: string, letter: string]>> = {
  confirmed: ['✓ confirmed', 'H'],
  refuted: ['✗ refuted', 'X'],
  depends: ['± depends', 'I'],
};

export function findingsView(frame: Frame, _route: Route, host: HTMLElement): View {
  const { report } = frame.lab;
  fill(
    host,
    h('h1', {}, 'Findings and claims'),
    h(
      'p',
      {},
      'What runs of ext4lab showed. Each link opens the schedule that shows it; docs/findings.md says who confirmed what.',
    ),
    FINDINGS.map(({ number, title, text, links }) =>
      h(
        'section',
        { class: 'card' },
        h('h2', {}, `${number}. ${title}`),
        h('p', {}, text),
        links.length === 0
          ? null
          : h(
              'ul',
              { class: 'links' },
              links.map((link) => h('li', {}, linkTo(link))),
            ),
      ),
    ),
    report.claims.length === 0
      ? null
      : [
          h('h2', { class: 'part' }, 'Claims'),
          h('p', {}, 'What was said on the list, and what follows from it here.'),
          report.claims.map(claim),
        ],
  );
  return { title: 'findings' };
}

function linkTo({ scenario, design, mount, broken, power }: FindingLink): HTMLElement {
  const href = formatRoute({
    view: 'cell',
    ref: { scenario },
    mount,
    of: design,
    beside: null,
    power,
    broken,
    schedule: null,
    medium: null,
    row: null,
  });
  const what = broken === null ? '' : ` breaks ${broken}`;
  return h('a', { href }, `${scenario}: ${design} (${mount})${what}${power ? ' when power fails' : ''}`);
}

function claim(each: ReportClaim): HTMLElement {
  const [sign, letter] = SIGN[each.verdict ?? ''] ?? ['? no answer recorded', 'I'];
  return h(
    'section',
    { class: 'card' },
    h('h3', {}, h('span', { class: `sign ${letter}` }, sign), ' ', each.claim),
    h('p', { class: 'quiet' }, `${each.by}, ${each.where}, ${each.date}`),
    each.quotation === undefined ? null : h('blockquote', {}, each.quotation),
    h(
      'ul',
      { class: 'links' },
      each.outcomes.map(({ of, saw, came, token }) => {
        const route = token === undefined ? null : tokenRoute(token);
        return h(
          'li',
          {},
          came ? 'yes: ' : 'no: ',
          route === null ? of : h('a', { href: formatRoute(route) }, of),
          ` ${saw}`,
        );
      }),
    ),
    each.note === undefined ? null : h('p', {}, each.note),
  );
}
