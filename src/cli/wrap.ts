/**
 * Long lines on a terminal: broken between words, what follows indented below what began. Colour codes have no width.
 * A single word that is longer than the line stays whole, so that it can be copied.
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
const COLOUR = /\u001b\[[0-9;]*m/g;

const widthOf = (text: string): number => [...text.replaceAll(COLOUR, '')].length;

/** @returns the text with no line wider than `columns`, but for words that are */
export function wrapLines(text: string, columns: number): string {
  return text
    .split('\n')
    .flatMap((line) => (widthOf(line) <= columns ? [line] : wrapLine(line, columns)))
    .join('\n');
}

function wrapLine(line: string, columns: number): string[] {
  const lead = /^ */.exec(line)![0];
  const indent = ' '.repeat(Math.min(lead.length + 4, Math.floor(columns / 2)));
  const lines: string[] = [];
  let current = lead;
  let isEmpty = true;
  for (const word of line.slice(lead.length).split(/(?<=\S)(?= +\S)/)) {
    if (!isEmpty && widthOf(current) + widthOf(word) > columns) {
      lines.push(current);
      current = indent;
      isEmpty = true;
    }
    current += isEmpty ? word.trimStart() : word;
    isEmpty = false;
  }
  lines.push(current);
  return lines;
}
