/**
 * A scenario line cut into words, as a shell would for the little that is allowed here: blanks separate, single
 * quotes keep everything, double quotes keep everything but `\"` and `\\`. Whatever a shell would act on (`;`, `|`,
 * `$`, `#`, …) is an error outside quotes: taken as text it would silently become part of a file name.
 */
import { type Place, ScenarioError } from './error.ts';

export interface Word {
  readonly text: string;
  /** Where the word begins, from 1. */
  readonly column: number;
}

const SHELL = /[;|&<>$`(){}*?[\]~#!\\]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const UNPRINTABLE = /[\u0000-\u0008\u000a-\u001f\u007f]|\p{Cs}/u;

/** @throws ScenarioError for an open quote, a shell character outside quotes, a control character */
export function splitWords(text: string, place: Place): Word[] {
  const fail = (at: number, problem: string, hint?: string): never => {
    throw new ScenarioError(problem, { ...place, column: at + 1 }, hint);
  };
  const odd = UNPRINTABLE.exec(text);
  if (odd !== null) {
    const code = odd[0].codePointAt(0)!.toString(16).padStart(4, '0');
    fail(odd.index, `character U+${code} in a line`, odd[0] === '\n' ? 'one command a line' : undefined);
  }
  const words: Word[] = [];
  let at = 0;
  while (at < text.length) {
    if (isBlank(text[at]!)) {
      at++;
      continue;
    }
    const start = at;
    let word = '';
    while (at < text.length && !isBlank(text[at]!)) {
      const c = text[at]!;
      if (c === '"' || c === "'") {
        const open = at++;
        while (at < text.length && text[at] !== c) {
          if (c === '"' && text[at] === '\\' && (text[at + 1] === '"' || text[at + 1] === '\\')) at++;
          word += text[at++];
        }
        if (at === text.length) fail(open, `${c} is not closed`);
        at++;
      } else if (SHELL.test(c)) {
        fail(at, `${c} outside quotes`, c === '#' ? 'a line holds one command, no comment' : shellHint(c));
      } else {
        word += c;
        at++;
      }
    }
    words.push({ text: word, column: start + 1 });
  }
  return words;
}

const isBlank = (c: string): boolean => c === ' ' || c === '\t';

function shellHint(c: string): string {
  return c === ';' || c === '|' || c === '&'
    ? 'one command a line; quote the word if it is part of a name'
    : 'quote the word if it is part of a name';
}
