/**
 * The CPU0/CPU1 diagram of commit messages and mails: one column per lane, time downwards, calls nested by indent.
 * At most 75 columns, blanks only, so that it survives a mail client.
 *
 *     CPU0 (mmap store)                     CPU1 (write)
 *     ext4_page_mkwrite
 *       down_write(&ei->xattr_sem)
 *                                           inode_lock(inode)
 *
 * Two lanes have 37 columns each, three 24, and so on; a longer line is cut with `~`. A run of lines that nothing
 * marks is shortened to `...`.
 */

/** What a line is besides a step; marked lines are never left out. */
export type DiagramMark = 'bug' | 'lock' | 'wait' | 'result';

export interface DiagramRow {
  /** Index into `lanes`. */
  readonly lane: number;
  /** Calls this line is inside of, from 0. */
  readonly depth: number;
  readonly text: string;
  readonly mark?: DiagramMark;
}

export interface Diagram {
  /** Column heads: `CPU0 (mmap store)`. */
  readonly lanes: readonly string[];
  readonly rows: readonly DiagramRow[];
  readonly title: string;
  /** Design, invariant, the line that replays it. Lines that begin with `$ ` are commands and stay usable when folded. */
  readonly footer: string;
}

export interface DiagramOptions {
  /** Columns, at least 20 a lane. Default 75. */
  readonly width?: number;
  /** Longest run of unmarked lines of one lane that is shown whole; null shows everything. Default 8. */
  readonly longestRun?: number | null;
}

const WIDTH = 75;
const LONGEST_RUN = 8;
const INDENT = 2;

/** @returns  lines without a line end at the end, none wider than `width` unless a single word is */
export function renderCpuDiagram(diagram: Diagram, options: DiagramOptions = {}): string {
  const { width = WIDTH, longestRun = LONGEST_RUN } = options;
  const { lanes, title, footer } = diagram;
  const count = Math.max(1, lanes.length);
  const column = Math.floor((width - (count - 1)) / count);
  const rows = longestRun === null ? diagram.rows : collapseRuns(diagram.rows, longestRun);

  const lines: string[] = [];
  if (title !== '') lines.push(...foldLine(title, width), '');
  lines.push(
    lanes
      .map((lane) => cut(clean(lane), column).padEnd(column))
      .join(' ')
      .trimEnd(),
  );
  for (const row of rows) {
    if (!(row.lane >= 0 && row.lane < lanes.length))
      throw new RangeError(`diagram row in lane ${row.lane} of ${lanes.length}`);
    lines.push(`${' '.repeat(row.lane * (column + 1))}${rowText(row, column)}`.trimEnd());
  }
  if (footer !== '') lines.push('', ...footer.split('\n').flatMap((line) => foldLine(line, width)));
  return lines.map((line) => line.trimEnd()).join('\n');
}

/**
 * Leaves out the middle of long runs: lines of one lane, one after another, without a mark. What is beside a mark
 * or a change of lane stays, because that is where the story is.
 */
export function collapseRuns(rows: readonly DiagramRow[], longestRun: number): DiagramRow[] {
  const result: DiagramRow[] = [];
  let start = 0;
  while (start < rows.length) {
    const first = rows[start]!;
    let end = start + 1;
    if (first.mark === undefined) {
      while (end < rows.length && rows[end]!.lane === first.lane && rows[end]!.mark === undefined) end++;
    }
    const run = rows.slice(start, end);
    if (run.length > Math.max(3, longestRun)) {
      const head = Math.ceil((Math.max(3, longestRun) - 1) / 2);
      const tail = Math.max(3, longestRun) - 1 - head;
      const hidden = run.slice(head, run.length - tail);
      const depth = Math.min(...hidden.map((row) => row.depth));
      result.push(
        ...run.slice(0, head),
        { lane: first.lane, depth, text: '...' },
        ...run.slice(run.length - tail),
      );
    } else {
      result.push(...run);
    }
    start = end;
  }
  return result;
}

/**
 * The indent gives way before the text does: deep calls are indented by no more than a third of the column. `---> LOCK` is left
 * out where it would cut the text, which names the lock; `---> waits` says more than the end of the text.
 */
function rowText({ depth, text, mark }: DiagramRow, column: number): string {
  const indent = ' '.repeat(Math.min(depth * INDENT, Math.floor(column / 3)));
  const isNamed = /^(kernel )?(BUG|WARN|DEADLOCK)/.test(text);
  const words = `${mark === 'bug' && !isNamed ? 'BUG: ' : ''}${clean(text)}`;
  const room = column - indent.length;
  const after = mark === 'lock' ? ' ---> LOCK' : mark === 'wait' ? ' ---> waits' : '';
  if (mark === 'lock' && words.length + after.length > room) return `${indent}${cut(words, room)}`;
  return cut(`${indent}${cut(words, Math.max(1, room - after.length))}${after}`, column);
}

/** Folded at blanks, following lines indented; a command is folded with backslashes. */
function foldLine(line: string, width: number): string[] {
  const text = clean(line);
  if (text.length <= width) return [text];
  const command = text.startsWith('$ ');
  const room = width - (command ? 2 : 0);
  const lines: string[] = [];
  let current = '';
  for (const word of text.split(' ')) {
    if (current.trim() !== '' && current.length + 1 + word.length > room) {
      lines.push(current);
      current = `    ${word}`;
    } else {
      current = current === '' ? word : `${current} ${word}`;
    }
  }
  lines.push(current);
  return lines.map((each, at) => (command && at < lines.length - 1 ? `${each} \\` : each));
}

/** One line, blanks only. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is taken out
const clean = (text: string): string => text.replace(/[\u0000-\u001f\u007f]+/g, ' ');

const cut = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}~`;
