/** Columns of text, aligned. */

export interface TableOptions {
  /** Columns to align right, by number. */
  readonly right?: readonly number[];
  /** Columns the line may take; the last column is wrapped at blanks to fit. Default: no limit. */
  readonly width?: number;
  readonly indent?: number;
}

/** Rows as lines, two blanks between columns, no blanks at line ends. */
export function table(rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const { right = [], width = Number.POSITIVE_INFINITY, indent = 0 } = options;
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(0, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const last = count - 1;
  const start = widths.slice(0, last).reduce((sum, each) => sum + each + 2, indent);
  const lines: string[] = [];
  for (const row of rows) {
    const cells = widths.map((wide, column) => {
      const cell = row[column] ?? '';
      return right.includes(column) ? cell.padStart(wide) : cell.padEnd(wide);
    });
    const [first, ...rest] = wrap(row[last] ?? '', Math.max(20, width - start));
    if (last >= 0 && !right.includes(last)) cells[last] = first ?? '';
    lines.push(`${' '.repeat(indent)}${cells.join('  ')}`.trimEnd());
    for (const more of rest) lines.push(`${' '.repeat(start)}${more}`);
  }
  return lines.join('\n');
}

/** Text cut at blanks into lines of at most `width`; a longer word has a line of its own. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split('\n')) {
    let line = '';
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else {
        line = line === '' ? word : `${line} ${word}`;
      }
    }
    lines.push(line);
  }
  return lines;
}
