/** One cell, opened: its schedule replayed here and now, under designs side by side. */
import { crashToken } from '../../compare/crash.ts';
import { tokenOf } from '../../compare/race.ts';
import { parseSchedule } from '../../explore/schedule.ts';
import type { LockOrderData } from '../../locks/lockdep.ts';
import { mountLabel } from '../../scenario/schema.ts';
import { besideOf, type Choice, chooseSchedule, type RowCell } from '../cellChoice.ts';
import { type Comparison, compare } from '../comparison.ts';
import { brokenWords, cellWords } from '../matrix.ts';
import { meaningOf } from '../meaning.ts';
import { cellAt, type ReportCell } from '../report.ts';
import { type CellRoute, EDIT, formatRoute, type Route } from '../route.ts';
import { anyDesign } from '../search.ts';
import type { Frame, View } from './app.ts';
import { askedOf, mediumOf, rowOf, verdictText } from './cellFacts.ts';
import { type CompareView, mountCompareView } from './compareView.ts';
import { check, copyText, download, fill, h, select } from './dom.ts';
import type { Found } from './lab.ts';
import { isTyping } from './matrixView.ts';
import { shareLink } from './share.ts';
import { signSpan, verdictClass } from './signs.ts';

const OURS: ReadonlySet<string> = new Set(['invariant', 'deadlock', 'crash']);

export function cellView(frame: Frame, first: Route, host: HTMLElement): View {
  let route = first as CellRoute;
  let mounted: CompareView | null = null;
  let gone = false;
  let saying: ReturnType<typeof setTimeout> | undefined;
  const title = 'scenario' in route.ref ? route.ref.scenario : 'edited scenario';
  const content = h('div', { class: 'cell-view' });
  fill(host, content);
  fill(content, h('h1', {}, title), h('p', { class: 'quiet' }, 'replaying…'));
  const keys: Record<string, () => void> = { Escape: () => goBack(frame) };
  const onKey = (event: KeyboardEvent): void => {
    if (document.querySelector('dialog[open]') !== null) return;
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented)
      return;
    if (event.key === 'Escape' && event.target instanceof Element) {
      const menu = event.target.closest<HTMLDetailsElement>('details[open].menu');
      if (menu !== null) {
        menu.open = false;
        menu.querySelector('summary')?.focus();
        return;
      }
    }
    const action = keys[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  };
  document.addEventListener('keydown', onKey);

  const fail = (error: unknown): void => {
    if (gone) return;
    const message = error instanceof Error ? error.message : String(error);
    fill(
      content,
      h('h1', {}, title),
      h('p', { class: 'warning', role: 'alert' }, message),
      h('p', {}, h('a', { href: frame.lastMatrix }, 'to the verdicts')),
    );
  };
  // A turn later, so that the heading is painted while a schedule is replayed.
  setTimeout(() => void open().catch(fail));

  async function open(): Promise<void> {
    const found = await frame.lab.resolve(route.ref);
    const { scenario } = found;
    const labels = scenario.mounts.map(mountLabel);
    const at = route.mount === '' ? 0 : labels.indexOf(route.mount);
    if (at < 0) throw new Error(`${scenario.name} has no mount ${route.mount}; it has ${labels.join(', ')}`);
    const mount = labels[at]!;
    route = { ...route, mount };
    const row = rowOf(frame, found, mount, route);
    const cell = row.find(({ design }) => design === route.of)?.cell ?? null;
    if (frame.lab.isForeign(route.of)) {
      foreign(found, cell);
      return;
    }
    if (anyDesign(route.of) === undefined) throw new Error(`no design ${route.of} in this page`);
    let choice = chooseSchedule(route.of, route, row);
    if (choice.broken !== null && choice.schedule === null) choice = await searchFor(found, mount, choice);
    if (gone) return;
    const image = await frame.lab.image(found);
    const beside = route.beside ?? besideOf(route.of, choice.of, row);
    const ids = [...new Set([route.of, ...beside, choice.of])].filter((id) => anyDesign(id) !== undefined);
    const input = {
      scenario,
      image,
      mount: scenario.mounts[at]!,
      designs: ids.map((id) => anyDesign(id)!),
      of: choice.of,
    };
    const lanes = [...scenario.lanes.map(({ name }) => name), 'after'];
    const schedule = choice.schedule === null ? null : parseSchedule(choice.schedule, lanes);
    const medium = route.power ? mediumOf(input, choice, route.medium) : null;
    const comparison = compare({
      ...input,
      schedule,
      ...(medium === null ? {} : { crash: { medium } }),
    });
    if (gone) return;
    // Who gets the link of an edited scenario has no verdicts of it: the link says what is shown.
    if (found.edited && choice.of === route.of)
      route = { ...route, broken: choice.broken, schedule: choice.schedule, medium };
    draw({ found, comparison, choice, cell, row, ids, medium });
  }

  async function searchFor(found: Found, mount: string, choice: Choice): Promise<Choice> {
    const said = h('p', { role: 'status' }, 'searching…');
    const stop = h('button', { type: 'button', onclick: () => frame.searches.stop() }, 'Stop');
    fill(
      content,
      h('h1', {}, title),
      h('p', {}, `No schedule is recorded for ${choice.broken}: every one is tried.`),
      said,
      stop,
    );
    const asked = await askedOf(frame, found, choice.of, mount, { power: route.power });
    const outcome = await frame.searches.run(asked, (states) => {
      said.textContent = `searching: ${states} states`;
    });
    if (outcome.type === 'failed') throw new Error(outcome.message);
    if (outcome.type === 'stopped') throw new Error(`stopped after ${outcome.states} states`);
    const { cell } = outcome.result;
    const violation = cell.violations.find(({ invariant }) => invariant === choice.broken);
    if (violation === undefined)
      throw new Error(`${choice.of} does not break ${choice.broken} in ${found.scenario.name} (${mount})`);
    frame.searches.remember(asked, cell);
    return { ...choice, schedule: violation.schedule };
  }

  function foreign(found: Found, cell: ReportCell | null): void {
    const stories = cell?.violations.filter(({ story }) => story !== null) ?? [];
    fill(
      content,
      backLink(frame),
      h('h1', {}, found.scenario.name),
      h('p', {}, found.scenario.question),
      h(
        'p',
        { class: 'note' },
        `${route.of} comes from a file: the page cannot run it. Its stories were told when the page was made.`,
      ),
      stories.length === 0 ? h('p', {}, signSpan(cell), ' ', cell?.how ?? 'not run') : null,
      stories.map(({ invariant, story }) => [
        h('h2', {}, invariant),
        h(
          'p',
          {},
          h('button', { type: 'button', onclick: () => void copyText(story!, 'story') }, 'Copy as mail text'),
        ),
        h('pre', { class: 'story', tabindex: 0, 'aria-label': `story of ${invariant}` }, story!),
      ]),
    );
  }

  interface Shown {
    readonly found: Found;
    readonly comparison: Comparison;
    readonly choice: Choice;
    readonly cell: ReportCell | null;
    readonly row: readonly RowCell[];
    readonly ids: readonly string[];
    readonly medium: number | null;
  }

  function draw(shown: Shown): void {
    const { found, comparison, choice, cell, ids, medium } = shown;
    const { scenario } = found;
    const lead = comparison.runs.find(({ design }) => design.id === choice.of)!;
    const own = comparison.runs.find(({ design }) => design.id === route.of)!;
    // The kernel's own word for it may have the same name; the invariant says what is wrong with which byte.
    const named = lead.marks.filter(({ id }) => id === choice.broken);
    const mark = named.find(({ kind }) => OURS.has(kind)) ?? named[0] ?? null;
    const fallback = lead.marks[0] ?? null;
    const target = mark ?? (choice.broken === null ? fallback : null);
    const startRow =
      target === null || target.step < 0 ? (lead.rowOf.at(-1) ?? 0) : (lead.rowOf[target.step] ?? 0);
    const view = h('div', { class: 'compare-host' });
    const schedule = choice.schedule ?? '-';
    const token = route.power
      ? crashToken(scenario.name, choice.of, route.mount, schedule, medium ?? 0)
      : tokenOf(scenario.name, choice.of, route.mount, schedule);
    // The command knows bundled scenarios by name, others by their file.
    const command = `npm run ext4lab -- replay '${found.file === null ? token : token.replace(scenario.name, found.file)}'`;
    fill(
      content,
      h('div', { class: 'cell-head' }, backLink(frame), h('h1', {}, scenario.name), bar(shown)),
      h(
        'p',
        { class: 'question' },
        scenario.question,
        scenario.source.length === 0
          ? null
          : h('span', { class: 'quiet' }, ` Source: ${scenario.source.join('; ')}.`),
      ),
      h(
        'p',
        { class: 'quiet' },
        comparison.runs.flatMap(({ design }, index) => [
          index > 0 ? '; ' : '',
          h('b', {}, design.id),
          `: ${design.summary}`,
        ]),
      ),
      violations(shown) ??
        h(
          'p',
          { class: 'verdict-line' },
          signSpan(cell),
          ' ',
          h('b', {}, `${route.of} `),
          verdictText(
            cell,
            own.marks.map(({ id }) => id),
            found,
          ),
          choice.of === route.of || choice.broken === null
            ? null
            : ` Shown on the schedule by which ${choice.of} breaks ${choice.broken}.`,
        ),
      target === null
        ? null
        : h(
            'p',
            { class: 'what-broke' },
            h('span', { class: 'message' }, `${target.id}: ${target.message}`),
            meaningOf(target.id) === null
              ? null
              : h('span', { class: 'quiet' }, ` (must hold: ${meaningOf(target.id)})`),
          ),
      h(
        'div',
        { class: 'actions' },
        h('button', { type: 'button', onclick: () => void share() }, 'Copy link'),
        h(
          'a',
          {
            class: 'button',
            href: formatRoute({
              ...EDIT,
              ref: route.ref,
              mount: route.mount,
              designs: ids,
              power: route.power,
            }),
          },
          'Edit and explore',
        ),
        h('code', { class: 'command', tabindex: 0, 'aria-label': 'replays it in a shell' }, command),
        h('button', { type: 'button', onclick: () => void copyText(command, 'command') }, 'Copy'),
        h(
          'details',
          { class: 'menu' },
          h('summary', {}, 'The scenario'),
          h(
            'div',
            { class: 'menu-body' },
            h('pre', { tabindex: 0, 'aria-label': 'scenario' }, found.text),
            h(
              'p',
              {},
              h(
                'button',
                {
                  type: 'button',
                  onclick: () => download(found.file ?? `${scenario.name}.json`, found.text),
                },
                'Download',
              ),
            ),
          ),
        ),
      ),
      h('h2', { class: 'offscreen' }, 'Designs side by side'),
      view,
    );
    mounted = mountCompareView(view, comparison, {
      row: Math.min(route.row ?? startRow, Math.max(0, comparison.rows.length - 1)),
      onRow(row) {
        route = { ...route, row };
        // Browsers refuse an address that changes with every repeat of a key.
        clearTimeout(saying);
        saying = setTimeout(() => frame.stay(route), 150);
      },
      lockOrder: (design) => lockOrder(found, design),
    });
    // Arrows step at once, unless somebody has begun to do something else.
    if (document.activeElement === document.body || content.parentElement?.contains(document.activeElement))
      view.querySelector<HTMLElement>('[role=grid]')?.focus({ preventScroll: true });

    async function share(): Promise<void> {
      await shareLink(formatRoute(route), {
        name: `${scenario.name}.json`,
        text: found.text,
      });
    }
  }

  function bar({ found, cell, row, ids }: Shown): HTMLElement {
    const { scenario } = found;
    const go = (more: Partial<CellRoute>): void =>
      frame.go({ ...route, schedule: null, broken: null, row: null, medium: null, ...more });
    const names = [...new Set([...row.map(({ design }) => design), route.of])];
    const label = (id: string): string =>
      `${cellWords(row.find(({ design }) => design === id)?.cell ?? null).sign} ${id}`;
    const menu = h(
      'details',
      { class: 'menu' },
      h('summary', {}, `Beside it: ${ids.filter((id) => id !== route.of).join(', ') || 'none'}`),
    );
    const body = h('div', { class: 'menu-body' });
    for (const id of names) {
      if (id === route.of || anyDesign(id) === undefined) continue;
      body.append(
        check(label(id), ids.includes(id), (on) => {
          const beside = ids.filter((each) => each !== route.of && each !== id);
          frame.go({ ...route, beside: on ? [...beside, id] : beside, row: null });
        }),
      );
    }
    menu.append(body);
    const hasPower =
      cellAt(frame.lab.report, frame.lab.report.crash, scenario.name, route.mount, route.of) !== null;
    return h(
      'div',
      { class: `filters ${verdictClass(cell)}` },
      select(
        'Design',
        names.map((id) => [id, label(id)] as const),
        route.of,
        (of) => go({ of, beside: null }),
      ),
      scenario.mounts.length > 1
        ? select(
            'Mount',
            scenario.mounts.map(mountLabel).map((each) => [each, each] as const),
            route.mount,
            (mount) => go({ mount }),
          )
        : null,
      menu,
      (hasPower && !found.edited) || route.power
        ? check('power fails', route.power, (power) => go({ power }))
        : null,
    );
  }

  /** The invariants that the cell breaks, each a way to its own shortest schedule. */
  function violations({ cell, choice }: Shown): HTMLElement | null {
    const known = cell === null || choice.of !== route.of ? [] : brokenWords(cell);
    if (known.length === 0) return null;
    const ids = known.map((word) => word.replace('*', ''));
    const to = (id: string): CellRoute => ({ ...route, broken: id, schedule: null, row: null, medium: null });
    const at = choice.broken === null ? -1 : ids.indexOf(choice.broken);
    const step = (by: number): void => {
      const next = ids[(Math.max(0, at) + by + ids.length) % ids.length]!;
      frame.go(to(next));
    };
    keys['['] = () => step(-1);
    keys[']'] = () => step(1);
    return h(
      'nav',
      { class: 'violations', 'aria-label': 'what it breaks' },
      h('span', {}, h('b', {}, route.of), ' breaks'),
      ids.map((id, index) =>
        h(
          'a',
          { href: formatRoute(to(id)), title: meaningOf(id), 'aria-current': index === at ? 'true' : null },
          h('span', { 'aria-hidden': 'true' }, '✗ '),
          known[index]!,
        ),
      ),
      ids.length > 1 ? h('span', { class: 'quiet' }, h('kbd', {}, '['), ' ', h('kbd', {}, ']')) : null,
      h('span', { class: 'quiet' }, `(${cell!.how})`),
    );
  }

  const orders = new Map<string, Promise<LockOrderData | null>>();
  function lockOrder(found: Found, design: string): Promise<LockOrderData | null> {
    let order = orders.get(design);
    if (order === undefined) {
      order = askedOf(frame, found, design, route.mount, { lockdep: true })
        .then((asked) => frame.searches.run(asked))
        .then((outcome) => (outcome.type === 'done' ? outcome.result.lockOrder : null));
      orders.set(design, order);
    }
    return order;
  }

  return {
    title,
    follow(next) {
      const to = next as CellRoute;
      const same = formatRoute({ ...route, row: null }) === formatRoute({ ...to, row: null });
      if (!same || mounted === null || to.row === null) return false;
      route = to;
      mounted.goTo(to.row);
      return true;
    },
    destroy() {
      gone = true;
      clearTimeout(saying);
      document.removeEventListener('keydown', onKey);
      mounted?.destroy();
    },
  };
}

function backLink(frame: Frame): HTMLElement {
  return h(
    'p',
    { class: 'back' },
    h('a', { href: frame.back }, '← back'),
    ' ',
    h('span', { class: 'quiet' }, h('kbd', {}, 'Esc')),
  );
}

function goBack(frame: Frame): void {
  location.hash = frame.back;
}
