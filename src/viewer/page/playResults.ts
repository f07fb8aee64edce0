/** The verdicts of a run as a small matrix; a cell opens like one of the report. */
import { besideOf } from '../cellChoice.ts';
import { cellWords } from '../matrix.ts';
import { formatRoute } from '../route.ts';
import { download, fill, h } from './dom.ts';
import { gridKeys } from './gridKeys.ts';
import { progressText, type Run, type Slot, slotSentence } from './playRun.ts';
import { verdictClass } from './signs.ts';

/** @param isOld  the scenario in the editor is another by now */
export function drawResults(results: HTMLElement, shown: Run, isOld: boolean): void {
  const focused =
    document.activeElement instanceof HTMLElement ? document.activeElement.dataset.slot : undefined;
  const mounts = [...new Set(shown.slots.map(({ mount }) => mount))];
  const ids = [...new Set(shown.slots.map(({ design }) => design))];
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
