/**
 * Colour, only where it is wanted: FORCE_COLOR beats NO_COLOR as in node, both beat the terminal. Colour is never the
 * only sign: without it every word is still there.
 */
import { styleText } from 'node:util';

export type Paint = (text: string) => string;

export interface Style {
  readonly coloured: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly good: Paint;
  readonly bad: Paint;
  readonly unsure: Paint;
}

type Format = Parameters<typeof styleText>[0];

export function createStyle(coloured: boolean): Style {
  const paint = (format: Format): Paint =>
    coloured ? (text) => styleText(format, text, { validateStream: false }) : (text) => text;
  return {
    coloured,
    bold: paint('bold'),
    dim: paint('dim'),
    good: paint('green'),
    bad: paint(['bold', 'red']),
    unsure: paint('yellow'),
  };
}

/** @param isTerminal  of the stream that will be written to */
export function wantsColour(env: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  const forced = env.FORCE_COLOR;
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  return isTerminal && env.TERM !== 'dumb';
}
