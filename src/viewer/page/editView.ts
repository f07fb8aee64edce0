/** The playground: a scenario to edit, designs to explore it under, and what every schedule does. */

import { mountLabel } from '../../scenario/schema.ts';
import type { Problem } from '../problems.ts';
import { type EditRoute, formatRoute, type Route, type ScenarioRef } from '../route.ts';
import { shortScenario } from '../scenarioText.ts';
import type { Frame, View } from './app.ts';
import { deflateText } from './deflate.ts';
import { announce, check, download, fill, h, select } from './dom.ts';
import { type ScenarioEditor, scenarioEditor } from './editor.ts';
import type { Found } from './lab.ts';
import { drawResults } from './playResults.ts';
import { carryOut, newRun, progressText, type Run, START_SECONDS } from './playRun.ts';
import { shareLink } from './share.ts';

const START = 'mmap-store-then-fsync';
const START_DESIGNS = ['no-conversion', 'mkwrite-convert', 'defer', 'decision-pinning'];
/** The last run: coming back from a cell shows it again. */
let last: Run | null = null;

export function editView(frame: Frame, first: Route, host: HTMLElement): View {
  const { lab, searches } = frame;
  let route = first as EditRoute;
  let editor: ScenarioEditor | null = null;
  let problems: readonly Problem[] = [];
  let valid: Found | null = null;
  let run: Run | null = null;
  let gone = false;
  let designs = [...(route.designs ?? START_DESIGNS)];
  let ticking: ReturnType<typeof setInterval> | undefined;

  const editorHost = h('div', { class: 'editor' });
  const errors = h('div', { class: 'problems', 'aria-live': 'polite' });
  const side = h('form', { class: 'how', 'aria-label': 'how to explore', onsubmit: submit });
  const results = h('section', { class: 'results', 'aria-label': 'results' });
  const title = h('h1', {}, 'Playground');
  fill(
    host,
    title,
    h(
      'p',
      {},
      'Change the scenario and explore it here: every order of its steps, in a worker of this browser. Nothing is sent anywhere.',
    ),
    h(
      'div',
      { class: 'playground' },
      h('div', { class: 'left' }, editorHost, errors),
      h('div', { class: 'right' }, side, results),
    ),
  );

  function submit(event: Event): void {
    event.preventDefault();
    void explore();
  }

  void open().catch((error: unknown) => {
    fill(
      editorHost,
      h('p', { class: 'warning', role: 'alert' }, error instanceof Error ? error.message : String(error)),
    );
  });

  async function open(): Promise<void> {
    const ref = route.ref ?? { scenario: lab.find(START) === null ? lab.names.raced[0]! : START };
    let text: string;
    try {
      text = (await lab.resolve(ref)).text;
    } catch (error) {
      // A draft with errors is a draft still.
      const draft = 'z' in ref ? await lab.draft(ref.z) : null;
      if (draft === null) throw error;
      text = draft;
    }
    if (gone) return;
    editor = scenarioEditor(editorHost, {
      text,
      images: Object.keys(lab.report.images),
      onChange(now, found) {
        problems = found;
        changed(now);
      },
    });
    if (last !== null && shortScenario(last.found.text) === shortScenario(text)) {
      run = last;
      if (run.took === null) tick();
    }
    showResults();
  }

  let saving: ReturnType<typeof setTimeout> | undefined;
  function changed(text: string): void {
    valid = null;
    if (problems.length === 0) {
      try {
        valid = lab.edited(text);
      } catch (error) {
        problems = [{ from: 0, to: 0, line: 1, column: 1, message: (error as Error).message }];
      }
    }
    drawProblems();
    drawHow();
    clearTimeout(saving);
    saving = setTimeout(() => void save(), 300);
  }

  /** The address says what is in the editor. */
  async function save(): Promise<void> {
    const text = editor?.text;
    if (text === undefined || gone) return;
    const ref = await refOf(text);
    if (gone || editor?.text !== text) return;
    route = { ...route, ref, designs };
    frame.stay(route);
  }

  async function refOf(text: string): Promise<ScenarioRef> {
    const short = shortScenario(text);
    const name = valid?.scenario.name;
    const known = name === undefined ? null : lab.find(name);
    return known !== null && shortScenario(known.text) === short
      ? { scenario: name! }
      : { z: await deflateText(short) };
  }

  function drawProblems(): void {
    fill(
      errors,
      problems.length === 0
        ? h('p', { class: 'good' }, '✓ a scenario')
        : h(
            'ul',
            { 'aria-label': 'errors' },
            problems.map(({ from, line, column, message }) =>
              h(
                'li',
                {},
                h(
                  'button',
                  { type: 'button', onclick: () => editor?.goTo(from) },
                  `line ${line}, column ${column}`,
                ),
                ` ${message}`,
              ),
            ),
          ),
    );
  }

  const stay = (more: Partial<EditRoute>): void => {
    route = { ...route, ...more };
    void save();
  };

  let drawn = '';
  function drawHow(): void {
    const labels = valid?.scenario.mounts.map(mountLabel) ?? [];
    const running = run !== null && run.took === null;
    const key = JSON.stringify([labels, designs, running, valid === null, route.mount]);
    if (key === drawn) return;
    drawn = key;
    const names = lab.names;
    const current = valid?.scenario.name ?? '';
    const pick = (name: string): void => {
      const found = lab.find(name);
      if (found !== null && editor !== null) editor.text = found.text;
    };
    const group = (label: string, list: readonly string[]): HTMLElement | null =>
      list.length === 0
        ? null
        : h(
            'optgroup',
            { label },
            list.map((name) => h('option', { value: name, selected: name === current }, name)),
          );
    const begin = h(
      'select',
      { onchange: () => pick(begin.value) },
      h('option', { value: '', selected: true }, 'choose one…'),
      group('in this report', names.raced),
      group('other bundled ones', names.others),
    );
    const focused = document.activeElement?.id ?? '';
    fill(
      side,
      h('label', { class: 'field' }, h('span', {}, 'Begin with'), begin),
      h(
        'fieldset',
        { class: 'designs' },
        h('legend', {}, 'Designs'),
        lab.designs.map(({ id, summary }) => {
          const box = check(id, designs.includes(id), (on) => {
            designs = lab.designs
              .map((each) => each.id)
              .filter((each) => (each === id ? on : designs.includes(each)));
            stay({ designs });
            drawHow();
          });
          box.title = summary;
          box.querySelector('input')!.id = `design-${id}`;
          return box;
        }),
        h(
          'p',
          {},
          h('button', { type: 'button', onclick: () => choose(lab.designs.map(({ id }) => id)) }, 'all'),
          ' ',
          h('button', { type: 'button', onclick: () => choose([]) }, 'none'),
        ),
      ),
      h(
        'div',
        { class: 'filters' },
        labels.length > 1
          ? select(
              'Mount',
              [['', 'each of them'], ...labels.map((label) => [label, label] as const)],
              labels.includes(route.mount) ? route.mount : '',
              (mount) => stay({ mount }),
            )
          : null,
        number('Preemptions ≤', route.preemptions, 'any', (preemptions) => stay({ preemptions })),
        number('Seconds a search ≤', route.seconds, String(START_SECONDS), (seconds) => stay({ seconds })),
        check('power failures', route.power, (power) => stay({ power })),
      ),
      h(
        'div',
        { class: 'actions' },
        running
          ? h('button', { type: 'button', id: 'stop', onclick: () => searches.stop() }, 'Stop')
          : h(
              'button',
              {
                type: 'submit',
                id: 'explore',
                class: 'primary',
                disabled: valid === null || designs.length === 0,
              },
              'Explore',
            ),
        h('button', { type: 'button', onclick: () => void share() }, 'Copy link'),
        h(
          'button',
          {
            type: 'button',
            onclick: () => download(`${valid?.scenario.name ?? 'scenario'}.json`, editor?.text ?? ''),
          },
          'Download scenario',
        ),
      ),
    );
    if (focused !== '') {
      const next =
        focused === 'explore' && running ? 'stop' : focused === 'stop' && !running ? 'explore' : focused;
      side.querySelector<HTMLElement>(`#${CSS.escape(next)}`)?.focus();
    }
  }

  const choose = (ids: readonly string[]): void => {
    designs = [...ids];
    stay({ designs });
    drawHow();
  };

  async function share(): Promise<void> {
    const text = editor?.text ?? '';
    await shareLink(formatRoute({ ...route, ref: await refOf(text), designs }), {
      name: `${valid?.scenario.name ?? 'scenario'}.json`,
      text,
    });
  }

  async function explore(): Promise<void> {
    if (valid === null || designs.length === 0 || (run !== null && run.took === null)) return;
    const found = valid;
    const mine = newRun(found, await refOf(found.text), designs, route);
    run = mine;
    last = mine;
    drawHow();
    showResults();
    tick();
    await carryOut(frame, mine, route);
    clearInterval(ticking);
    if (gone) return;
    drawHow();
    showResults();
    announce(progressText(mine));
  }

  function tick(): void {
    clearInterval(ticking);
    ticking = setInterval(() => {
      showResults();
      if (run?.took !== null) {
        clearInterval(ticking);
        drawHow();
      }
    }, 200);
  }

  function showResults(): void {
    if (gone) return;
    if (run === null) fill(results, h('p', { class: 'quiet' }, 'Nothing explored yet.'));
    else drawResults(results, run, shortScenario(editor?.text ?? '') !== shortScenario(run.found.text));
  }

  return {
    title: 'playground',
    destroy() {
      gone = true;
      clearInterval(ticking);
      clearTimeout(saving);
      editor?.destroy();
    },
  };
}

function number(
  label: string,
  value: number | null,
  empty: string,
  onChange: (value: number | null) => void,
): HTMLLabelElement {
  const input = h('input', {
    type: 'number',
    min: 0,
    max: 100000,
    class: 'small',
    placeholder: empty,
    value,
    oninput: () => onChange(input.value === '' ? null : Math.max(0, Math.trunc(Number(input.value)))),
  });
  return h('label', { class: 'field' }, h('span', {}, label), input);
}
