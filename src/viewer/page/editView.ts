/** The playground: a scenario to edit, designs to explore it under, and what every schedule does. */

import type { CrashCell } from '../../compare/crash.ts';
import type { Cell } from '../../compare/race.ts';
import { mountLabel } from '../../scenario/schema.ts';
import { besideOf } from '../cellChoice.ts';
import { cellSentence, cellWords } from '../matrix.ts';
import type { Problem } from '../problems.ts';
import { packCell, type ReportCell, unpackCell } from '../report.ts';
import { type EditRoute, formatRoute, type Route, type ScenarioRef } from '../route.ts';
import { shortScenario } from '../scenarioText.ts';
import type { Frame, View } from './app.ts';
import { askedOf } from './cellView.ts';
import { deflateText } from './deflate.ts';
import { announce, check, download, fill, h, select } from './dom.ts';
import { type ScenarioEditor, scenarioEditor } from './editor.ts';
import { gridKeys } from './gridKeys.ts';
import type { Found } from './lab.ts';
import { shareLink } from './share.ts';
import { verdictClass } from './signs.ts';

const START = 'mmap-store-then-fsync';
const START_DESIGNS = ['no-conversion', 'mkwrite-convert', 'defer', 'decision-pinning'];
/** Of a search that nobody stops. */
const START_SECONDS = 60;

/** One search of a run. */
interface Slot {
  readonly design: string;
  readonly mount: string;
  state: 'waits' | 'searches' | 'done' | 'stopped' | 'failed';
  states: number;
  cell: ReportCell | null;
  /** As `race --json` has it. */
  found: Cell | CrashCell | null;
  message: string;
}

interface Run {
  readonly ref: ScenarioRef;
  readonly found: Found;
  readonly power: boolean;
  readonly slots: readonly Slot[];
  readonly startedAt: number;
  /** Milliseconds; null while it runs. */
  took: number | null;
}

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
    drawResults();
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
    if (valid === null || editor === null || designs.length === 0) return;
    if (run !== null && run.took === null) return;
    const found = valid;
    const labels = found.scenario.mounts.map(mountLabel);
    const mounts = labels.includes(route.mount) ? [route.mount] : labels;
    const slots = mounts.flatMap((mount) =>
      designs.map(
        (design): Slot => ({
          design,
          mount,
          state: 'waits',
          states: 0,
          cell: null,
          found: null,
          message: '',
        }),
      ),
    );
    const mine: Run = {
      ref: await refOf(found.text),
      found,
      power: route.power,
      slots,
      startedAt: performance.now(),
      took: null,
    };
    run = mine;
    last = mine;
    drawHow();
    drawResults();
    tick();
    await Promise.all(
      slots.map(async (slot) => {
        const asked = await askedOf(frame, found, slot.design, slot.mount, {
          power: mine.power,
          preemptions: route.preemptions,
          seconds: route.seconds ?? START_SECONDS,
        });
        const outcome = await searches.run(asked, (states) => {
          slot.state = 'searches';
          slot.states = states;
        });
        if (outcome.type === 'done') {
          const { cell } = outcome.result;
          slot.state = 'done';
          slot.found = cell;
          slot.states = cell.reach.states;
          slot.cell = unpackCell(packCell(cell, null));
          searches.remember(asked, cell);
        } else if (outcome.type === 'failed') {
          slot.state = 'failed';
          slot.message = outcome.message;
        } else {
          slot.state = 'stopped';
          slot.states = outcome.states;
        }
      }),
    );
    mine.took = performance.now() - mine.startedAt;
    clearInterval(ticking);
    if (gone) return;
    drawHow();
    drawResults();
    announce(progressText(mine));
  }

  function tick(): void {
    clearInterval(ticking);
    ticking = setInterval(() => {
      drawResults();
      if (run?.took !== null) {
        clearInterval(ticking);
        drawHow();
      }
    }, 200);
  }

  function drawResults(): void {
    if (gone) return;
    if (run === null) {
      fill(results, h('p', { class: 'quiet' }, 'Nothing explored yet.'));
      return;
    }
    const shown = run;
    const focused =
      document.activeElement instanceof HTMLElement ? document.activeElement.dataset.slot : undefined;
    const mounts = [...new Set(shown.slots.map(({ mount }) => mount))];
    const ids = [...new Set(shown.slots.map(({ design }) => design))];
    const isOld = editor !== null && shortScenario(editor.text) !== shortScenario(shown.found.text);
    const failed = [...new Set(shown.slots.flatMap(({ message }) => (message === '' ? [] : [message])))];
    const detail = h('p', { class: 'detail', 'aria-live': 'polite' });
    const table = h(
      'table',
      { class: 'matrix in-words', role: 'grid', 'aria-label': 'results' },
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          h('th', { scope: 'col' }, 'design'),
          mounts.map((mount) => h('th', { scope: 'col' }, mount)),
        ),
      ),
      h(
        'tbody',
        {},
        ids.map((design) =>
          h(
            'tr',
            {},
            h('th', { scope: 'row' }, design),
            mounts.map((mount) =>
              slotCell(shown, shown.slots.find((each) => each.design === design && each.mount === mount)!),
            ),
          ),
        ),
      ),
    );
    const say = (target: EventTarget | null): void => {
      const key =
        target instanceof Element ? target.closest<HTMLElement>('[data-slot]')?.dataset.slot : undefined;
      const slot = shown.slots.find((each) => `${each.design} ${each.mount}` === key);
      if (slot === undefined) return;
      const ends = slot.found?.endStates ?? [];
      fill(
        detail,
        slotSentence(shown, slot),
        ends.length === 0
          ? null
          : h(
              'span',
              { class: 'quiet' },
              ` End states: ${ends.length}, ${ends.slice(0, 3).join(' ')}${ends.length > 3 ? ' …' : ''}`,
            ),
      );
    };
    table.addEventListener('focusin', (event) => say(event.target));
    table.addEventListener('pointerover', (event) => say(event.target));
    table.querySelector('tbody a')?.setAttribute('tabindex', '0');
    gridKeys(table);
    fill(
      results,
      h('p', { id: 'progress' }, progressText(shown)),
      isOld
        ? h('p', { class: 'note' }, 'The scenario was changed since: these are the verdicts of what it was.')
        : null,
      failed.map((message) => h('p', { class: 'warning', role: 'alert' }, message)),
      h('div', { class: 'results-frame' }, table),
      detail,
      shown.took === null
        ? null
        : h(
            'p',
            {},
            h(
              'button',
              {
                type: 'button',
                onclick: () =>
                  download(
                    `${shown.found.scenario.name}-verdicts.json`,
                    `${JSON.stringify({ schemaVersion: 1, cells: shown.slots.flatMap((slot) => slot.found ?? []) }, null, 1)}\n`,
                  ),
              },
              'Download verdicts',
            ),
          ),
    );
    if (focused !== undefined)
      results.querySelector<HTMLElement>(`[data-slot="${CSS.escape(focused)}"]`)?.focus();
  }

  function slotCell(shown: Run, slot: Slot): HTMLTableCellElement {
    const { cell, design, mount } = slot;
    const key = `${design} ${mount}`;
    if (cell === null) {
      const word = {
        waits: 'waits',
        searches: `${slot.states} states`,
        done: '',
        stopped: 'stopped',
        failed: 'failed',
      }[slot.state];
      return h(
        'td',
        { role: 'gridcell', class: 'none' },
        h('a', { 'data-slot': key, tabindex: -1 }, `· ${word}`),
      );
    }
    const row = shown.slots
      .filter((each) => each.mount === mount)
      .map((each) => ({ design: each.design, cell: each.cell }));
    const href = formatRoute({
      view: 'cell',
      ref: shown.ref,
      mount,
      of: design,
      beside: cell.violations.length > 0 ? besideOf(design, design, row) : null,
      power: shown.power,
      broken: null,
      schedule: null,
      medium: null,
      row: null,
    });
    const { sign, word, more } = cellWords(cell);
    return h(
      'td',
      { role: 'gridcell', class: verdictClass(cell) },
      h(
        'a',
        { href, 'data-slot': key, 'data-verdict': cell.verdict, tabindex: -1 },
        h('span', { class: 'mark' }, sign),
        ` ${word}`,
        more > 0 ? h('small', {}, ` +${more}`) : null,
      ),
    );
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

function slotSentence(run: Run, { design, mount, cell, state, states, message }: Slot): string {
  const { name } = run.found.scenario;
  if (cell !== null) return `${cellSentence(name, mount, design, cell)}.`;
  const where = `${name} (${mount}) under ${design}`;
  switch (state) {
    case 'stopped':
      return `${where}: stopped after ${states} states; nothing is said of it.`;
    case 'failed':
      return `${where}: ${message}`;
    default:
      return `${where}: ${states} states so far.`;
  }
}

/** How far a run is, with its rate. */
function progressText(run: Run): string {
  const { slots, took, startedAt } = run;
  const done = slots.filter(({ state }) => state !== 'waits' && state !== 'searches').length;
  const states = slots.reduce((sum, slot) => sum + slot.states, 0);
  const ms = took ?? performance.now() - startedAt;
  const rate = Math.round(states / Math.max(0.001, ms / 1000));
  const stopped = slots.filter(({ state }) => state === 'stopped').length;
  const cut = slots.filter(({ cell }) => cell?.how.includes('cut short')).length;
  const parts = [
    `${done} of ${slots.length} searches`,
    `${states} states`,
    `${rate} a second`,
    `${(ms / 1000).toFixed(1)} s`,
    ...(stopped > 0 ? [`${stopped} stopped before they could say anything`] : []),
    ...(cut > 0 ? [`${cut} cut short: what they found is so, what they did not find may be there`] : []),
  ];
  return parts.join(', ');
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
