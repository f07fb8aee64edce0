/**
 * The verdict matrix: scenarios down, designs across, as plain text of at most 80 columns.
 *
 * Full, where all designs fit beside each other:
 *
 *     scenario              | mkwrite-   | page-cache-
 *                           | convert    | convert
 *     ----------------------+------------+------------
 *     mmap-store-then-fsync | FAILS      | holds
 *                           | durability |
 *
 * Compact, where they do not: a letter for each design, a sign for each verdict, and under a row what is broken in
 * which design. More designs than fit even so go into a second band below.
 *
 *     a mkwrite-convert  b page-cache-convert  c …
 *
 *     scenario               a  b  c
 *     mmap-store-then-fsync  X  H  h
 *       durability: a
 *
 * Words and signs carry the meaning; colour, where a painter is given, only repeats it. A bare `holds` or `H` is said
 * of a complete search only; anything less says so, and the legend explains what the table uses.
 *
 * Not verified here: that a cell's verdict is true.
 */

export type Verdict = 'holds' | 'violates' | 'inconclusive' | 'not-applicable';

/** How far a verdict reaches; the fields of `race --json`. */
export interface Reach {
  readonly strategy: string;
  /** Most preemptions of a schedule; null is no bound. */
  readonly preemptions: number | null;
  readonly schedules: number;
  readonly states: number;
  /** Nothing within the bound was left out. */
  readonly complete: boolean;
}

export interface MatrixCell {
  readonly design: string;
  readonly verdict: Verdict;
  /** Invariants broken, worst first. */
  readonly violates?: readonly string[];
  readonly reach?: Reach;
  /** False: the scenario's recorded expectation is another. */
  readonly asExpected?: boolean;
}

export interface MatrixRow {
  readonly scenario: string;
  readonly cells: readonly MatrixCell[];
}

export interface Matrix {
  readonly designs: readonly { readonly id: string }[];
  readonly rows: readonly MatrixRow[];
}

export interface MatrixOptions {
  /** Columns the table may take, at least 40. Default 80. */
  readonly width?: number;
  /** Default `auto`: full where it fits in one band. */
  readonly layout?: 'auto' | 'full' | 'compact';
  /** Colours the verdict in a cell; must not change its visible length. */
  readonly paint?: (text: string, verdict: Verdict) => string;
}

type Paint = (text: string, verdict: Verdict) => string;

const SCENARIO_WIDTH = 24;
/** Longest piece of a name before it is cut with `~`. */
const PIECE_WIDTH = 14;
/** Most invariants named in a cell of the full table; the rest are counted. */
const NAMED_INVARIANTS = 2;

/** @returns  lines without a line end at the end */
export function renderMatrix(matrix: Matrix, options: MatrixOptions = {}): string {
  const { width = 80, layout = 'auto', paint = (text: string) => text } = options;
  if (matrix.designs.length === 0 || matrix.rows.length === 0) return 'nothing to compare';
  const full = layout === 'compact' ? null : renderFull(matrix, width, paint);
  if (full !== null && (full.bandCount === 1 || layout === 'full')) return full.text;
  return renderCompact(matrix, width, paint);
}

function renderFull(matrix: Matrix, width: number, paint: Paint): { text: string; bandCount: number } {
  const used = new Set<string>();
  const names = matrix.rows.map((row) => foldName(row.scenario, SCENARIO_WIDTH));
  const nameWidth = widest(['scenario', ...names.flat()]);
  const columns = matrix.designs.map(({ id }) => {
    const head = foldName(id, PIECE_WIDTH);
    const cells = matrix.rows.map((row) => {
      const cell = cellOf(row, id);
      return { lines: cellLines(cell, used), verdict: cell?.verdict ?? null };
    });
    return { head, cells, width: widest([...head, ...cells.flatMap((cell) => cell.lines)]) };
  });
  const bands = inBands(columns, (column) => column.width + 3, width - nameWidth);
  const texts = bands.map((band) => {
    const widths = [nameWidth, ...band.map((column) => column.width)];
    const rule = widths.map((each) => '-'.repeat(each)).join('-+-');
    const lines = [...gridRow([['scenario'], ...band.map((column) => column.head)], widths, []), rule];
    for (const [index, name] of names.entries()) {
      const cells = band.map((column) => column.cells[index]!);
      const painters = [null, ...cells.map(({ verdict }) => painter(paint, verdict))];
      lines.push(...gridRow([name, ...cells.map((cell) => cell.lines)], widths, painters));
    }
    return lines.join('\n');
  });
  return { text: [...texts, legendText(WORDS, used, width)].join('\n\n'), bandCount: bands.length };
}

function renderCompact(matrix: Matrix, width: number, paint: Paint): string {
  const used = new Set<string>();
  const designs = matrix.designs.map(({ id }, index) => ({ id, letter: columnLetter(index) }));
  const names = matrix.rows.map((row) =>
    cut(row.scenario, Math.max(SCENARIO_WIDTH, width - 3 * designs.length - 1)),
  );
  const nameWidth = widest(['scenario', ...names]);
  const cellWidth = Math.max(2, widest(designs.map((each) => each.letter)));
  const bands = inBands(designs, () => cellWidth + 1, width - nameWidth - 1);
  const texts = bands.map((band) => {
    const head = band.map(({ letter }) => letter.padEnd(cellWidth)).join(' ');
    const lines = [`${'scenario'.padEnd(nameWidth)}  ${head}`.trimEnd()];
    for (const [index, row] of matrix.rows.entries()) {
      const broken = new Map<string, string[]>();
      const cells = band.map(({ id, letter }) => {
        const cell = cellOf(row, id);
        for (const invariant of cell?.violates ?? []) {
          broken.set(invariant, [...(broken.get(invariant) ?? []), letter]);
        }
        const { sign } = verdictWord(cell);
        used.add(sign);
        const mark = cell?.asExpected === false ? '!' : '';
        if (mark !== '') used.add(mark);
        const text = `${sign}${mark}`;
        const painted = cell === undefined ? text : paint(text, cell.verdict);
        return `${painted}${' '.repeat(cellWidth - text.length)}`;
      });
      lines.push(`${names[index]!.padEnd(nameWidth)}  ${cells.join(' ')}`.trimEnd());
      const notes = [...broken].map(([invariant, letters]) => `${invariant}: ${letters.join(' ')}`);
      lines.push(...joinFolded(notes, '; ', width, 2));
    }
    return lines.join('\n');
  });
  const key = inColumns(
    designs.map(({ id, letter }) => `${letter.padEnd(cellWidth - 1)} ${cut(id, width - 4)}`),
    width,
  );
  return [key, ...texts, legendText(SIGNS, used, width)].join('\n\n');
}

/** How far a verdict reaches, in words: `exhaustive, 1,050 states, 96 schedules`. */
export function reachText(reach: Reach): string {
  const { strategy, preemptions, schedules, states, complete } = reach;
  const bound = preemptions === null ? '' : `≤${preemptions} preemption${preemptions === 1 ? '' : 's'}`;
  const counts = [states > 0 ? plural(states, 'state') : '', plural(schedules, 'schedule')];
  if (!complete)
    return [`stopped after ${counts.filter((text) => text !== '').join(', ')}`, strategy, bound]
      .filter((text) => text !== '')
      .join(', ');
  return [bound === '' ? strategy : bound, ...counts].filter((text) => text !== '').join(', ');
}

function cellLines(cell: MatrixCell | undefined, used: Set<string>): string[] {
  const { word, entry } = verdictWord(cell);
  used.add(entry);
  const differs = cell?.asExpected === false;
  if (differs) used.add('!');
  const broken = cell?.violates ?? [];
  const shown = broken.slice(0, NAMED_INVARIANTS).flatMap((id) => foldName(id, PIECE_WIDTH));
  if (broken.length > NAMED_INVARIANTS) shown.push(`+${broken.length - NAMED_INVARIANTS} more`);
  return [`${word}${differs ? ' !' : ''}`, ...shown];
}

/** What a cell says: as a word, the entry of the legend that explains it, and as a sign. */
function verdictWord(cell: MatrixCell | undefined): { word: string; entry: string; sign: string } {
  if (cell === undefined) return { word: '.', entry: '.', sign: '.' };
  const { verdict, reach } = cell;
  if (verdict === 'violates') return { word: 'FAILS', entry: 'FAILS', sign: 'X' };
  if (verdict === 'not-applicable') return { word: 'n/a', entry: 'n/a', sign: '-' };
  if (verdict === 'inconclusive') return { word: 'unsure', entry: 'unsure', sign: '?' };
  if (reach === undefined) return { word: 'holds?', entry: 'holds?', sign: 'h' };
  if (!reach.complete || reach.strategy !== 'exhaustive') {
    return { word: `none/${brief(reach.schedules)}`, entry: 'none/N', sign: 'h' };
  }
  if (reach.preemptions === null) return { word: 'holds', entry: 'holds', sign: 'H' };
  return { word: `holds ≤${reach.preemptions}`, entry: 'holds ≤N', sign: 'h' };
}

/** The words of the full table, in the order of its legend. */
const WORDS: Readonly<Record<string, string>> = {
  holds: 'in every schedule',
  'holds ≤N': 'in every schedule of at most N preemptions',
  'none/N': 'no violation in N schedules, which are not all',
  'holds?': 'no violation found; how far was searched is not known',
  FAILS: 'a schedule breaks the invariants named below the word',
  unsure: 'the budget ran out, or a task goes round for ever',
  'n/a': 'the question cannot be put to this design',
  '.': 'not run',
  '!': 'not the verdict that the scenario records',
};

/** The signs of the compact table. */
const SIGNS: Readonly<Record<string, string>> = {
  H: 'holds in every schedule',
  h: 'no violation in the schedules searched, which are not all',
  X: 'FAILS: a schedule breaks the invariants named below the row',
  '?': 'the budget ran out, or a task goes round for ever',
  '-': 'the question cannot be put to this design',
  '.': 'not run',
  '!': 'not the verdict that the scenario records',
};

function legendText(
  legend: Readonly<Record<string, string>>,
  used: ReadonlySet<string>,
  width: number,
): string {
  const words = Object.keys(legend).filter((word) => used.has(word));
  const wide = widest(words);
  return words.map((word) => cut(`${word.padEnd(wide)}  ${legend[word]}`, width)).join('\n');
}

const cellOf = (row: MatrixRow, design: string): MatrixCell | undefined =>
  row.cells.find((cell) => cell.design === design);

const painter = (paint: Paint, verdict: Verdict | null): ((text: string) => string) | null =>
  verdict === null ? null : (text) => paint(text, verdict);

/** Things side by side while there is room, then a new band. */
function inBands<T>(things: readonly T[], widthOf: (thing: T) => number, width: number): T[][] {
  const bands: T[][] = [];
  let room = 0;
  for (const thing of things) {
    const needed = widthOf(thing);
    if (bands.length === 0 || needed > room) {
      bands.push([]);
      room = width;
    }
    bands.at(-1)!.push(thing);
    room -= needed;
  }
  return bands;
}

/** Entries in as many columns as fit, read downwards. */
function inColumns(entries: readonly string[], width: number): string {
  const wide = widest(entries) + 2;
  const columnCount = Math.max(1, Math.floor((width + 2) / wide));
  const height = Math.ceil(entries.length / columnCount);
  return Array.from({ length: height }, (_, row) =>
    entries
      .filter((_, index) => index % height === row)
      .map((entry) => entry.padEnd(wide))
      .join('')
      .trimEnd(),
  ).join('\n');
}

/** Notes joined, folded between notes and, where one is too long, at blanks. */
function joinFolded(notes: readonly string[], joint: string, width: number, indent: number): string[] {
  const words = notes.flatMap((note, index) =>
    `${note}${index < notes.length - 1 ? joint.trimEnd() : ''}`.split(' '),
  );
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(line);
      line = `  ${word}`;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  if (line !== '') lines.push(line);
  return lines.map((each) => `${' '.repeat(indent)}${each}`);
}

/** a … z, aa, ab, … */
function columnLetter(index: number): string {
  const last = String.fromCharCode(97 + (index % 26));
  return index < 26 ? last : `${columnLetter(Math.floor(index / 26) - 1)}${last}`;
}

const widest = (texts: readonly string[]): number =>
  texts.reduce((most, text) => Math.max(most, text.length), 0);

function gridRow(
  cells: readonly (readonly string[])[],
  widths: readonly number[],
  firstLinePainters: readonly (((text: string) => string) | null)[],
): string[] {
  const height = Math.max(...cells.map((lines) => lines.length));
  return Array.from({ length: height }, (_, at) =>
    cells
      .map((lines, column) => {
        const text = lines[at] ?? '';
        const padding = ' '.repeat(widths[column]! - text.length);
        const painter = at === 0 ? firstLinePainters[column] : null;
        return `${painter && text !== '' ? painter(text) : text}${padding}`;
      })
      .join(' | ')
      .trimEnd(),
  );
}

/** A name as lines of at most `width`, broken after `-`, `.` and `@`; a longer piece is cut with `~`. */
function foldName(name: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const piece of name.split(/(?<=[-.@])/)) {
    if (line !== '' && line.length + piece.length > width) {
      lines.push(line);
      line = '';
    }
    line += cut(piece, width);
  }
  return [...lines, line];
}

const cut = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, width - 1)}~`;

function plural(n: number, noun: string): string {
  return `${String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ',')} ${noun}${n === 1 ? '' : 's'}`;
}

/** 41022 as 41k: for a cell. */
function brief(n: number): string {
  if (n < 1000) return String(n);
  return n < 1_000_000 ? `${Math.floor(n / 1000)}k` : `${Math.floor(n / 1_000_000)}M`;
}
