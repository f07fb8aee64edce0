/**
 * The view that a cell of the matrix opens: designs side by side on one schedule, and everything about the row that is
 * chosen. Everything can be reached by keyboard; a live region says the row.
 */
import './compare.css';
import type { LockOrderData } from '../../locks/lockdep.ts';
import { lockOrderOfTrace } from '../../trace/lockOrder.ts';
import { type FileChoice, filesOf } from '../chips.ts';
import type { Comparison, Mark } from '../comparison.ts';
import { lockColumns } from '../held.ts';
import { mailTextAt } from '../mailText.ts';
import { type Item, itemsOf, tellRun } from '../rows.ts';
import { makeBytes } from './compareBytes.ts';
import { COPY_BYTES, makeCopies } from './compareCopies.ts';
import { button, el } from './compareDom.ts';
import { makeGrid, markWord, statesOf } from './compareGrid.ts';
import { makeHelp, signs } from './compareHelp.ts';
import { invariantPanel } from './compareInvariants.ts';
import { lockGraphPicture } from './compareLockGraph.ts';
import { copyText, makeMail } from './compareMail.ts';
import { momentsAt } from './compareMoment.ts';
import { powerPanel } from './comparePower.ts';
import { stepPanel } from './compareStep.ts';

export interface CompareOptions {
  /** Row to begin at; left out: where the schedule's design breaks, or its power fails. */
  readonly row?: number;
  readonly onRow?: (row: number) => void;
  /** The lock order of a design over all schedules; null or left out: that of this run. */
  readonly lockOrder?: (design: string) => Promise<LockOrderData | null> | LockOrderData | null;
}

export interface CompareView {
  goTo(row: number): void;
  readonly rows: number;
  destroy(): void;
}

/** Locks that have a bar at first: those that races are made of. */
const FIRST_LOCKS: ReadonlySet<string> = new Set([
  'i_rwsem',
  'mmap_lock',
  'invalidate_lock',
  'folio',
  'xattr_sem',
  'i_data_sem',
  'jbd2_handle',
]);
/** Traces with more rows begin folded. */
const FOLD_FROM = 60;

export function mountCompareView(
  host: HTMLElement,
  comparison: Comparison,
  options: CompareOptions = {},
): CompareView {
  const { runs, rows, markedRows } = comparison;
  const told = runs.map(tellRun);
  const locksOf = runs.map(lockColumns);
  const states = runs.map((run, at) => statesOf(run, rows, at));
  const files = filesOf(comparison);
  let file: FileChoice = files[0] ?? { ino: 2, path: '/', folios: [0] };
  let folio = 0;
  let from = firstByte(comparison, file.ino);
  let fold = rows.length > FOLD_FROM;
  const open = new Set<number>();
  let items: Item[] = [];
  let itemOf: number[] = [];
  let current = 0;

  // ---- parts

  const grid = makeGrid(comparison, {
    onChoose: (item) => choose(item),
    onOpen: (item) => {
      unfold(item);
      grid.root.focus();
    },
  });
  const jump = (run: number, step: number): void => {
    goTo(runs[run]!.rowOf[step]!);
    grid.root.focus();
  };
  const bytes = makeBytes(comparison, jump);
  const mail = makeMail(comparison, (text) => void copy(text, 'text'));
  const help = makeHelp();
  const said = el('div.cmp-said', { role: 'status', 'aria-live': 'polite' });
  const toast = el('div.cmp-toast', { hidden: true });

  const rowInput = el('input', {
    type: 'number',
    min: 0,
    max: Math.max(0, rows.length - 1),
    'aria-label': 'row number',
  });
  rowInput.addEventListener('change', () => goTo(Number(rowInput.value)));
  rowInput.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter') return;
    goTo(Number(rowInput.value));
    grid.root.focus();
  });
  const breaks = [
    button('◀ ✗ Break before', () => toBreak(-1), { title: 'key p' }),
    button('Next break ✗ ▶', () => toBreak(1), { title: 'key n' }),
  ];
  const foldButton = button('', () => setFold(!fold), { title: 'key f' });
  const locks = lockFilter();
  const bar = el(
    'div.cmp-bar',
    { role: 'toolbar', 'aria-label': 'steps' },
    button('|◀', () => choose(0), { 'aria-label': 'first row', title: 'Home' }),
    button('◀ Back', () => choose(current - 1), { title: 'key k or ↑' }),
    el('label', {}, 'row ', rowInput, ` of ${rows.length - 1}`),
    button('Step ▶', () => choose(current + 1), { title: 'key j or ↓' }),
    button('▶|', () => choose(items.length - 1), { 'aria-label': 'last row', title: 'End' }),
    ...(markedRows.length > 0 ? breaks : []),
    foldButton,
    locks.root,
    button('Copy as mail text', () => void copyStory(), { title: 'key c' }),
    button('All texts', () => openMail(), { title: 'key m' }),
    button('Keys ?', () => help.showModal(), { title: 'key ?' }),
  );

  const fileSelect = el(
    'select',
    { 'aria-label': 'file' },
    ...files.map(({ ino, path }) =>
      el('option', { text: path === null ? `inode ${ino}` : `${path} (inode ${ino})` }),
    ),
  );
  fileSelect.addEventListener('change', () => {
    file = files[fileSelect.selectedIndex]!;
    folio = 0;
    from = firstByte(comparison, file.ino);
    showFile();
  });
  const folioSelect = el('select', { 'aria-label': 'folio' });
  folioSelect.addEventListener('change', () => {
    folio = file.folios[folioSelect.selectedIndex] ?? 0;
    from = folio * 4096;
    showFile();
  });
  const fromInput = el('input', { type: 'number', min: 0, step: COPY_BYTES, 'aria-label': 'first byte' });
  fromInput.addEventListener('change', () => {
    const wanted = Math.max(0, Math.min(2 ** 40, Math.trunc(Number(fromInput.value)) || 0));
    from = wanted - (wanted % COPY_BYTES);
    fromInput.value = `${from}`;
    drawCopies();
  });

  const columns = (): HTMLElement[] =>
    runs.map(({ design }) => el('div', { role: 'group', 'aria-label': design.id }));
  const stepColumns = columns();
  const invariantColumns = columns();
  const copies = runs.map((_, run) => makeCopies(comparison, run));
  const copyColumns = columns();
  copies.forEach((table, run) => {
    copyColumns[run]!.append(table.root);
  });
  const lockColumns_ = columns();
  const section = (title: string, hint: string, ...children: (HTMLElement | null)[]): HTMLElement =>
    el(
      'details.cmp-section',
      { open: true },
      el('summary', {}, el('h2', { text: title }), el('span.cmp-dim', { text: hint })),
      ...children,
    );
  const lockSection = section(
    'Lock order',
    'an arrow: the lower lock is taken while the upper is held; pale: other arrows imply it; a cycle is red and dashed',
    el('div.cmp-columns', {}, ...lockColumns_),
  );
  const powerSection =
    runs[0]?.crash == null
      ? null
      : section(
          'Power fails',
          'when the schedule is used up: what the medium lost, and what recovery gives back',
          el('div.cmp-columns', {}, ...runs.map(powerPanel)),
        );
  const details = el(
    'div.cmp-details',
    {},
    powerSection,
    section(
      'This row',
      'what each design does in it, and who holds which lock after it',
      el('div.cmp-columns', {}, ...stepColumns),
    ),
    section('Invariants after it', 'asked of this one state', el('div.cmp-columns', {}, ...invariantColumns)),
    section(
      'Bytes of the inode',
      'in the bdev cache; outlined: changed in this row; underlined: differs from the first design',
      el(
        'p.cmp-controls',
        {},
        el('label', {}, 'file ', fileSelect),
        ' ',
        el('label', {}, 'folio ', folioSelect),
      ),
      bytes.root,
    ),
    section(
      'Copies of the file’s bytes',
      'the page cache, the bdev cache, the log, the medium; ≠: not what the program wrote',
      el('p.cmp-controls', {}, el('label', {}, 'from byte ', fromInput)),
      el('div.cmp-columns', {}, ...copyColumns),
    ),
    lockSection,
  );

  const root = el(
    'div.cmp',
    {},
    heading(comparison, jump),
    el('div.cmp-stuck', {}, bar, said),
    grid.root,
    details,
    toast,
    mail.root,
    help,
  );

  // ---- moving

  function choose(item: number): void {
    current = Math.max(0, Math.min(items.length - 1, item));
    const at = items[current];
    if (at === undefined) return;
    grid.setCurrent(current);
    const row = rowOf(at);
    if (document.activeElement !== rowInput) rowInput.value = `${at.kind === 'fold' ? at.from : row}`;
    drawDetails(at);
    said.textContent = spoken(at);
    options.onRow?.(row);
  }

  const rowOf = (item: Item): number => (item.kind === 'fold' ? item.to : item.row);

  function goTo(row: number): void {
    const wanted = Math.max(0, Math.min(rows.length - 1, Number.isFinite(row) ? Math.trunc(row) : 0));
    const item = itemOf[wanted];
    if (item === undefined) return;
    if (items[item]?.kind === 'fold') unfold(item);
    choose(itemOf[wanted]!);
  }

  function toBreak(direction: 1 | -1): void {
    const at = items[current];
    if (at === undefined) return;
    const [low, high] = at.kind === 'fold' ? [at.from, at.to] : [at.row, at.row];
    const next =
      direction === 1 ? markedRows.find((row) => row > high) : markedRows.findLast((row) => row < low);
    if (next === undefined)
      say(direction === 1 ? 'nothing breaks after this row' : 'nothing breaks before this row');
    else goTo(next);
  }

  function unfold(item: number): void {
    const at = items[item];
    if (at?.kind !== 'fold') return;
    for (let row = at.from; row <= at.to; row++) open.add(row);
    lay();
    choose(itemOf[at.from]!);
  }

  function setFold(on: boolean): void {
    const at = items[current];
    const row = at === undefined ? 0 : rowOf(at);
    fold = on;
    open.clear();
    lay();
    choose(itemOf[row] ?? 0);
  }

  function lay(): void {
    items = itemsOf(comparison, told, fold, open);
    itemOf = [];
    items.forEach((item, at) => {
      if (item.kind === 'row') itemOf[item.row] = at;
      else for (let row = item.from; row <= item.to; row++) itemOf[row] = at;
    });
    foldButton.textContent = fold ? 'Show quiet steps' : 'Fold quiet steps';
    foldButton.setAttribute('aria-pressed', `${fold}`);
    grid.setItems(items);
  }

  // ---- showing

  function drawDetails(item: Item): void {
    const moments = momentsAt(comparison, states, item);
    moments.forEach((moment, run) => {
      stepColumns[run]!.replaceChildren(stepPanel(comparison, moment, locksOf[run]!, jump));
      invariantColumns[run]!.replaceChildren(invariantPanel(comparison, moment, jump));
    });
    bytes.show(moments);
    drawCopies();
  }

  function drawCopies(): void {
    const item = items[current];
    if (item === undefined) return;
    momentsAt(comparison, states, item).forEach((moment, run) => {
      copies[run]!.show(moment, file.ino, from);
    });
  }

  function showFile(): void {
    folioSelect.replaceChildren(...file.folios.map((index) => el('option', { text: `${index}` })));
    folioSelect.selectedIndex = file.folios.indexOf(folio);
    fromInput.value = `${from}`;
    grid.setFolio(file.ino, folio);
    bytes.setFile(file.ino);
    if (items.length > 0) choose(current);
  }

  async function showLockOrder(): Promise<void> {
    await Promise.all(
      runs.map(async ({ design, result }, run) => {
        const all = (await options.lockOrder?.(design.id)) ?? null;
        const order = all ?? lockOrderOfTrace(result.trace);
        const title = `lock order of ${design.id}, ${all === null ? 'this run' : 'all schedules seen'}`;
        lockColumns_[run]!.replaceChildren(
          el('p.cmp-dim', { text: all === null ? 'of this run alone' : 'of every schedule that was seen' }),
          lockGraphPicture(order, title),
        );
      }),
    );
  }

  function spoken(item: Item): string {
    if (item.kind === 'fold') return `rows ${item.from} to ${item.to}: quiet steps, folded`;
    const parts = item.cells.map((cell, run) => {
      const { design, steps } = runs[run]!;
      if (cell === null) return `${design.id}: no such step`;
      const broken = cell.marks.map(markWord).join(', ');
      return `${design.id}: ${steps[cell.step]!.lane} ${cell.label}${broken === '' ? '' : `, ${broken}`}`;
    });
    return `row ${item.row}. ${[...new Set(parts)].join('. ')}`;
  }

  function say(text: string): void {
    said.textContent = text;
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => {
      toast.hidden = true;
    }, 2500);
  }
  let toastTimer: ReturnType<typeof setTimeout> | undefined;

  // ---- copying

  /** The design that the row is about: the one that breaks in it, else that of the schedule. */
  function subject(): { run: number; step: number } {
    const at = items[current];
    const base = Math.max(
      0,
      runs.findIndex(({ design }) => design.id === comparison.of),
    );
    const marked =
      at?.kind === 'row' ? at.cells.findIndex((cell) => cell !== null && cell.marks.length > 0) : -1;
    const run = marked >= 0 ? marked : base;
    return { run, step: at === undefined ? 0 : states[run]![at.kind === 'fold' ? at.from : at.row]! };
  }

  async function copyStory(): Promise<void> {
    const { run, step } = subject();
    const { text, title } = mailTextAt(comparison, runs[run]!, step);
    await copy(text, `${runs[run]!.design.id}: ${title}`);
  }

  async function copy(text: string, what: string): Promise<void> {
    say((await copyText(text)) ? `Copied: ${what}` : 'The browser does not let this page copy.');
  }

  function openMail(): void {
    const { run, step } = subject();
    mail.open(run, mailTextAt(comparison, runs[run]!, step).title);
  }

  // ---- keys

  const PAGE = 10;
  const keys: Record<string, () => void> = {
    ArrowDown: () => choose(current + 1),
    j: () => choose(current + 1),
    ArrowUp: () => choose(current - 1),
    k: () => choose(current - 1),
    PageDown: () => choose(current + PAGE),
    PageUp: () => choose(current - PAGE),
    Home: () => choose(0),
    End: () => choose(items.length - 1),
    n: () => toBreak(1),
    p: () => toBreak(-1),
    g: () => rowInput.select(),
    f: () => setFold(!fold),
    l: () => locks.open(),
    b: () => root.querySelector<HTMLElement>('.cmp-bytes [tabindex="0"]')?.focus(),
    c: () => void copyStory(),
    m: () => openMail(),
    '?': () => help.showModal(),
    Escape: () => grid.root.focus(),
  };
  /** Keys that mean something else where one types, or that a page scrolls by. */
  const onlyInGrid = new Set(['ArrowDown', 'ArrowUp', 'PageDown', 'PageUp', 'Home', 'End']);
  function onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const target = event.target as HTMLElement;
    if (document.querySelector('dialog[open]') !== null) return;
    if (target !== document.body && !root.contains(target)) return;
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) || target.isContentEditable;
    if (isTyping && event.key !== 'Escape') return;
    if (onlyInGrid.has(event.key) && !grid.root.contains(target)) return;
    if (event.key === 'Enter' && target === grid.root) {
      unfold(current);
      event.preventDefault();
      return;
    }
    // Where there is nothing to come back from, Escape is the page's.
    if (event.key === 'Escape' && target === grid.root) return;
    const does = keys[event.key];
    if (does === undefined) return;
    event.preventDefault();
    does();
  }
  document.addEventListener('keydown', onKey);

  function lockFilter(): { readonly root: HTMLElement; open(): void } {
    const classes = new Map<string, number>();
    for (const columns of locksOf) for (const { id } of columns) classes.set(id, (classes.get(id) ?? 0) + 1);
    const shown = new Set([...classes.keys()].filter((id) => FIRST_LOCKS.has(id)));
    const apply = (): void => grid.setLocks(({ id }) => shown.has(id));
    const boxes = [...classes.keys()].map((id) => {
      const box = el('input', { type: 'checkbox', checked: shown.has(id) });
      box.addEventListener('change', () => {
        if (box.checked) shown.add(id);
        else shown.delete(id);
        apply();
        choose(current);
      });
      return el('label', {}, box, ` ${id}`);
    });
    const summary = el('summary', { text: 'Locks', title: 'key l' });
    const menu = el('details.cmp-menu', {}, summary, el('div', {}, ...boxes));
    menu.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      menu.open = false;
      summary.focus();
      event.stopPropagation();
    });
    return {
      root: menu,
      open() {
        apply();
        menu.open = true;
        (boxes[0]?.firstChild as HTMLElement | undefined)?.focus();
      },
    };
  }

  // ---- beginning and end

  const beforePrint = (): void => grid.print(true);
  const afterPrint = (): void => grid.print(false);
  window.addEventListener('beforeprint', beforePrint);
  window.addEventListener('afterprint', afterPrint);
  host.replaceChildren(root);
  grid.setLocks(({ id }) => FIRST_LOCKS.has(id));
  lay();
  showFile();
  goTo(options.row ?? firstRow(comparison));
  void showLockOrder();

  return {
    goTo,
    rows: rows.length,
    destroy() {
      document.removeEventListener('keydown', onKey);
      window.removeEventListener('beforeprint', beforePrint);
      window.removeEventListener('afterprint', afterPrint);
      clearTimeout(toastTimer);
      root.remove();
    },
  };
}

/** What the schedule was found for: what its design breaks first, the power failure at its end, else the beginning. */
function firstRow({ runs, of, markedRows }: Comparison): number {
  const base = runs.find(({ design }) => design.id === of);
  const step = base?.crash == null ? base?.marks[0]?.step : base.steps.length - 1;
  return (step === undefined ? undefined : base?.rowOf[step]) ?? markedRows[0] ?? 0;
}

/** What the kernel said of a step is left out where an invariant says it, too. */
const outcomesOf = (marks: readonly Mark[]): readonly Mark[] =>
  marks.filter(
    ({ kind, step }) =>
      kind === 'invariant' ||
      !marks.some((other) => other.kind === 'invariant' && other.step === step) ||
      kind === 'deadlock' ||
      kind === 'crash',
  );

/** Which schedule; what came of it under each design; how to read what follows. */
function heading({ of, schedule, runs }: Comparison, jump: (run: number, step: number) => void): HTMLElement {
  return el(
    'header',
    {},
    el(
      'p',
      {},
      'Schedule ',
      el('code', { text: schedule }),
      schedule === '-' ? ': the lanes run one after another.' : ` of ${of}.`,
      runs.length > 1 && schedule !== '-' ? ' The other designs are switched at the same places.' : '',
    ),
    el(
      'ul.cmp-outcomes',
      {},
      ...runs.map(({ design, marks, divergences, crash, steps }, run) =>
        el(
          'li',
          {},
          el('strong', { text: design.id }),
          marks.length === 0
            ? ` ✓ nothing breaks in its ${steps.length} steps`
            : el(
                'span',
                {},
                ' ✗ breaks ',
                ...outcomesOf(marks).flatMap((mark, at) => [
                  at > 0 ? ', ' : '',
                  button(
                    `${markWord(mark)} (row ${runs[run]!.rowOf[mark.step]})`,
                    () => jump(run, mark.step),
                    {
                      title: mark.message,
                    },
                  ),
                ]),
              ),
          crash === null ? null : ' — power fails at its end',
          divergences.length === 0
            ? null
            : el(
                'details',
                {},
                el('summary', {
                  text: `cannot follow the schedule at ${divergences.length} switch${divergences.length === 1 ? '' : 'es'}`,
                }),
                el(
                  'ul',
                  {},
                  ...divergences.map(({ step, text }) => el('li', {}, `after step ${step}: ${text}`)),
                ),
              ),
        ),
      ),
    ),
    el(
      'details.cmp-how',
      {},
      el(
        'summary',
        {},
        el('b', { text: 'How to read this. ' }),
        'Time goes down; a row is a step; the same step of each design stands in one row. Each design has its lanes, ' +
          'who holds which lock, and the state of a folio. The signs ▸',
      ),
      signs(),
    ),
  );
}

/** Where the first change of the file's page cache is, to the copies' row; 0 when there is none. */
function firstByte({ runs }: Comparison, ino: number): number {
  for (const { steps } of runs) {
    for (const { changes } of steps) {
      for (const { table, key, before, after } of changes) {
        if (table !== 'folio' || !key.startsWith(`${ino},`) || after === null) continue;
        if (typeof after !== 'object' || !('u8' in after)) continue;
        const [now, old] = [after as { u8(at: number): number; length: number }, before as typeof after];
        for (let at = 0; at < now.length; at++) {
          const was = old === null ? 0 : (old as typeof now).u8(at);
          if (was !== now.u8(at)) {
            const index = Number(key.split(',')[1]);
            return index * 4096 + at - (at % COPY_BYTES);
          }
        }
      }
    }
  }
  return 0;
}
