/**
 * The bytes of an inode as a map: sixteen a row, each with the letter of its field, in the field's colour. The letters
 * say the same as the colours, so that nothing is lost without them.
 */
import { styleText } from 'node:util';
import type { Bytes } from '../bytes/bytes.ts';

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const COLOURS = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'red'] as const;
const ROW = 16;

/** @param label  the name of a byte; '' or undefined: nobody's */
export function byteMap(
  raw: Bytes,
  label: (at: number) => string | undefined,
  coloured: boolean,
  columns = 80,
): string[] {
  const fields: string[] = [];
  const fieldOf: number[] = [];
  for (let at = 0; at < raw.length; at++) {
    const name = label(at) ?? '';
    let index = fields.indexOf(name);
    if (index < 0) index = fields.push(name) - 1;
    fieldOf.push(index);
  }
  const letter = (index: number): string =>
    fields[index] === '' ? '.' : (LETTERS[index % LETTERS.length] ?? '.');
  const paint = (index: number, text: string): string =>
    coloured && fields[index] !== ''
      ? styleText(COLOURS[index % COLOURS.length]!, text, { validateStream: false })
      : text;
  const rows: string[] = [];
  for (let at = 0; at < raw.length; at += ROW) {
    const bytes = Array.from({ length: Math.min(ROW, raw.length - at) }, (_, i) => at + i);
    const hex = bytes
      .map((each) => paint(fieldOf[each]!, raw.u8(each).toString(16).padStart(2, '0')))
      .join(' ');
    const letters = bytes.map((each) => paint(fieldOf[each]!, letter(fieldOf[each]!))).join('');
    rows.push(`${at.toString(16).padStart(4, '0')}  ${hex}  ${letters}`);
  }
  return [...rows, '', ...legend(fields, letter, paint, columns)];
}

function legend(
  fields: readonly string[],
  letter: (index: number) => string,
  paint: (index: number, text: string) => string,
  columns: number,
): string[] {
  const lines: string[] = [];
  let width = 0;
  let line = '';
  fields.forEach((name, index) => {
    if (name === '') return;
    const text = `${letter(index)} ${name}`;
    if (width > 0 && width + 2 + text.length > columns) {
      lines.push(line);
      line = '';
      width = 0;
    }
    line += `${width === 0 ? '' : '  '}${paint(index, letter(index))} ${name}`;
    width += (width === 0 ? 0 : 2) + text.length;
  });
  return line === '' ? lines : [...lines, line];
}
