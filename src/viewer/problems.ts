/** What is wrong with a scenario that is being typed: each with its place in the text, all lanes looked at. */
import { ScenarioError } from '../scenario/error.ts';
import { readJson } from '../scenario/json.ts';
import { parseLane } from '../scenario/lane.ts';
import { readScenario } from '../scenario/schema.ts';

export interface Problem {
  /** Offsets into the text. */
  readonly from: number;
  readonly to: number;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

const FILE = 'scenario';

/** @param images  names of the images that there are; null: any may be named */
export function problemsOf(text: string, images: readonly string[] | null = null): Problem[] {
  try {
    const scenario = readScenario(text, FILE);
    if (images !== null && 'file' in scenario.image) {
      const name = scenario.image.file.split('/').at(-1)!;
      if (!images.includes(name)) {
        const { line, column } = readJson(text).place(['image', 'file']);
        return [
          problemAt(
            text,
            line,
            column,
            `image.file: there is no ${name} here; there is ${images.join(', ')}`,
          ),
        ];
      }
    }
    return [];
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    if (error.lane !== undefined) return laneProblems(text);
    return error.message.split('\n').flatMap((line) => {
      const match = /^scenario:(\d+):(\d+): (.*)$/s.exec(line);
      if (match === null) return [];
      return [problemAt(text, Number(match[1]), Number(match[2]), match[3]!)];
    });
  }
}

/** The first wrong line of every lane. The JSON itself is right. */
function laneProblems(text: string): Problem[] {
  const document = readJson(text);
  const { setup, after, tasks } = document.value as {
    setup?: string[];
    after?: string[];
    tasks: Record<string, string[]>;
  };
  const lanes: [name: string, path: string[], lines: string[]][] = [
    ['setup', ['setup'], setup ?? []],
    ...Object.entries(tasks).map(([name, lines]): [string, string[], string[]] => [
      name,
      ['tasks', name],
      lines,
    ]),
    ['after', ['after'], after ?? []],
  ];
  return lanes.flatMap(([lane, path, lines]) => {
    try {
      parseLane(lines, { lane });
      return [];
    } catch (error) {
      if (!(error instanceof ScenarioError)) throw error;
      const at = error.line === undefined ? document.place(path) : document.place([...path, error.line - 1]);
      const start = offsetOf(text, at.line, at.column);
      const message = error.message.replace(/^(?:lane )?[\w.:-]+(?:, line \d+)?(?:, column \d+)?: /, '');
      const from = error.column === undefined ? start : insideString(text, start, error.column - 1);
      return [{ ...spanAt(text, from), ...lineColumn(text, from), message }];
    }
  });
}

/** The offset in the text of a character of the string literal that begins at `start`. */
function insideString(text: string, start: number, index: number): number {
  let at = start + 1;
  for (let passed = 0; passed < index && text[at] !== '"' && at < text.length; passed++) {
    if (text[at] !== '\\') at++;
    else at += text[at + 1] === 'u' ? 6 : 2;
  }
  return at;
}

function problemAt(text: string, line: number, column: number, message: string): Problem {
  const from = offsetOf(text, line, column);
  return { ...spanAt(text, from), line, column, message };
}

/** To the end of the word that begins there; at least one character where there is one. */
function spanAt(text: string, from: number): { from: number; to: number } {
  const start = Math.min(from, text.length);
  const word = /^(?:"(?:[^"\\\n]|\\.)*"?|[^\s",:[\]{}]+|.)/.exec(text.slice(start, start + 400));
  return { from: start, to: start + (word?.[0].length ?? 0) };
}

export function offsetOf(text: string, line: number, column: number): number {
  let at = 0;
  for (let each = 1; each < line; each++) {
    const end = text.indexOf('\n', at);
    if (end < 0) break;
    at = end + 1;
  }
  return Math.min(text.length, at + column - 1);
}

export function lineColumn(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at);
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') };
}
