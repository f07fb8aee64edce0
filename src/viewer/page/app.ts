/** The frame: head, one view at a time, the address. A view is made anew when the route becomes another view. */
import { formatRoute, MATRIX, parseRoute, type Route } from '../route.ts';
import { cellView } from './cellView.ts';
import { designsView } from './designsView.ts';
import { fill, h } from './dom.ts';
import { editView } from './editView.ts';
import { findingsView } from './findingsView.ts';
import type { PageLab } from './lab.ts';
import { matrixView } from './matrixView.ts';
import { Searches } from './searches.ts';

/** What a view may do to the frame. */
export interface Frame {
  readonly lab: PageLab;
  readonly searches: Searches;
  /** Goes somewhere: back comes back here. */
  go(route: Route): void;
  /** The same place, said more exactly: no entry in the history, no new view. */
  stay(route: Route): void;
  /** Where the matrix was left. */
  readonly lastMatrix: string;
  /** Where a cell was opened from. */
  readonly back: string;
}

export interface View {
  readonly title: string;
  /** Follows a route without being made anew; false: it cannot. */
  follow?(route: Route): boolean;
  /** Puts the focus where a reader begins. Default: the heading. */
  focus?(): void;
  destroy?(): void;
}

export type MakeView = (frame: Frame, route: Route, host: HTMLElement) => View;

const VIEWS: Readonly<Record<Route['view'], MakeView>> = {
  matrix: matrixView,
  cell: cellView,
  edit: editView,
  designs: designsView,
  findings: findingsView,
};

const TABS: readonly (readonly [Route['view'], string])[] = [
  ['matrix', 'Verdicts'],
  ['findings', 'Findings'],
  ['designs', 'Designs'],
  ['edit', 'Playground'],
];

export function startApp(lab: PageLab, root: HTMLElement): void {
  const host = h('main', { id: 'view' });
  const tabs = h('nav', { 'aria-label': 'views' });
  fill(
    root,
    h('a', { class: 'skip', href: '#view', onclick: skip }, 'to the content'),
    h(
      'header',
      { class: 'head' },
      h('p', { class: 'brand' }, 'ext4lab', h('small', {}, ` ${lab.report.lab}`)),
      tabs,
    ),
    host,
    h('p', { id: 'status', role: 'status', 'aria-live': 'polite' }),
  );
  function skip(event: Event): void {
    event.preventDefault();
    focusHeading();
  }
  const focusHeading = (): void => {
    const heading = host.querySelector<HTMLElement>('h1');
    heading?.setAttribute('tabindex', '-1');
    heading?.focus({ preventScroll: true });
  };
  let current: { readonly view: View; readonly name: Route['view'] } | null = null;
  let lastMatrix = formatRoute(MATRIX);
  let back = lastMatrix;
  let shown = '';
  const frame: Frame = {
    lab,
    searches: new Searches(),
    go(route) {
      location.hash = formatRoute(route);
    },
    stay(route) {
      // The address has moved on already; who still speaks is about to be taken away.
      if (location.hash !== shown) return;
      shown = formatRoute(route);
      if (route.view === 'matrix') lastMatrix = shown;
      if (route.view !== 'cell') back = shown;
      history.replaceState(null, '', shown);
      showTabs(route.view);
    },
    get lastMatrix() {
      return lastMatrix;
    },
    get back() {
      return back;
    },
  };
  const showTabs = (view: Route['view']): void => {
    fill(
      tabs,
      TABS.map(([name, text]) =>
        h(
          'a',
          {
            href: name === 'matrix' ? lastMatrix : `#/${name}`,
            'aria-current': name === view || (name === 'matrix' && view === 'cell') ? 'page' : null,
          },
          text,
        ),
      ),
    );
  };
  const show = (): void => {
    if (location.hash === shown && current !== null) return;
    shown = location.hash;
    const route = parseRoute(shown);
    if (route.view === 'matrix') lastMatrix = shown || lastMatrix;
    if (route.view !== 'cell') back = shown || lastMatrix;
    showTabs(route.view);
    if (current !== null && current.name === route.view && current.view.follow?.(route) === true) return;
    const isFirst = current === null;
    current?.view.destroy?.();
    fill(host);
    const view = VIEWS[route.view](frame, route, host);
    current = { view, name: route.view };
    document.title = view.title === '' ? 'ext4lab' : `${view.title} – ext4lab`;
    document.body.dataset.view = route.view;
    window.scrollTo(0, 0);
    if (view.focus !== undefined) view.focus();
    else if (!isFirst) focusHeading();
  };
  window.addEventListener('hashchange', show);
  if (location.hash === '' && lab.report.open !== '') history.replaceState(null, '', lab.report.open);
  show();
}
