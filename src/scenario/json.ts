/**
 * JSON with places. `JSON.parse` keeps the last of two equal keys and does not always say where a syntax error is;
 * a scenario that repeats a lane would silently lose the first. This reader refuses both, and remembers where every
 * value stands so that a later complaint about a value can point at it.
 */
import { ScenarioError } from './error.ts';
import { quote } from './numbers.ts';

export type JsonPath = readonly (string | number)[];

export interface JsonDocument {
  readonly value: unknown;
  /** Line and column, from 1, of the value at this path, or of its nearest ancestor that exists. */
  place(path: JsonPath): { readonly line: number; readonly column: number };
  /** Of a key rather than its value. */
  keyPlace(path: JsonPath): { readonly line: number; readonly column: number };
}

/** Deeper nesting than any scenario has; keeps the reader's own stack small. */
const MAX_DEPTH = 32;

/** @throws ScenarioError with line and column */
export function readJson(text: string, file?: string): JsonDocument {
  const reader = new Reader(text, file);
  const value = reader.document();
  const find = (table: ReadonlyMap<string, number>, path: JsonPath): { line: number; column: number } => {
    for (let length = path.length; length >= 0; length--) {
      const at = table.get(pathKey(path.slice(0, length)));
      if (at !== undefined) return lineColumn(text, at);
    }
    return { line: 1, column: 1 };
  };
  return {
    value,
    place: (path) => find(reader.values, path),
    keyPlace: (path) => find(reader.keys.has(pathKey(path)) ? reader.keys : reader.values, path),
  };
}

const pathKey = (path: JsonPath): string => JSON.stringify(path);

function lineColumn(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at);
  return { line: before.split('\n').length, column: at - before.lastIndexOf('\n') };
}

class Reader {
  readonly values = new Map<string, number>();
  readonly keys = new Map<string, number>();
  private at = 0;
  private readonly text: string;
  private readonly file: string | undefined;

  constructor(text: string, file: string | undefined) {
    this.text = text;
    this.file = file;
  }

  document(): unknown {
    if (this.text.startsWith('\ufeff')) this.at = 1;
    const value = this.value([]);
    this.blank();
    if (this.at < this.text.length) this.unexpected('after the end of the JSON value');
    return value;
  }

  private value(path: JsonPath): unknown {
    this.blank();
    if (path.length > MAX_DEPTH) this.fail(this.at, 'nested too deeply');
    this.values.set(pathKey(path), this.at);
    const c = this.text[this.at];
    if (c === '{') return this.object(path);
    if (c === '[') return this.array(path);
    if (c === '"') return this.string();
    for (const [word, value] of LITERALS) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    NUMBER.lastIndex = this.at;
    const number = NUMBER.exec(this.text);
    if (number === null) return this.unexpected('where a value should be');
    this.at += number[0].length;
    return Number(number[0]);
  }

  private object(path: JsonPath): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    const opened = this.at++;
    for (let first = true; ; first = false) {
      this.blank();
      if (this.text[this.at] === '}' && first) break;
      if (this.text[this.at] !== '"') this.unexpected(`where a key in double quotes should be`, opened);
      const keyAt = this.at;
      const key = this.string();
      if (key === '__proto__') this.fail(keyAt, 'a key may not be "__proto__"');
      if (Object.hasOwn(object, key)) this.fail(keyAt, `key ${quote(key)} is there twice`);
      this.blank();
      if (this.text[this.at] !== ':') this.unexpected(`after key ${quote(key)}, where : should be`);
      this.at++;
      const inner = [...path, key];
      this.keys.set(pathKey(inner), keyAt);
      object[key] = this.value(inner);
      if (!this.comma('}', opened)) break;
    }
    this.at++;
    return object;
  }

  private array(path: JsonPath): unknown[] {
    const array: unknown[] = [];
    const opened = this.at++;
    this.blank();
    if (this.text[this.at] !== ']') {
      do {
        array.push(this.value([...path, array.length]));
      } while (this.comma(']', opened));
    }
    this.at++;
    return array;
  }

  /** Past a comma: true. At the closing bracket: false. */
  private comma(close: string, opened: number): boolean {
    this.blank();
    if (this.text[this.at] === close) return false;
    if (this.text[this.at] !== ',') this.unexpected(`where , or ${close} should be`, opened);
    const comma = this.at++;
    this.blank();
    if (this.text[this.at] === close) this.fail(comma, `a comma before ${close}`);
    return true;
  }

  private string(): string {
    const start = this.at++;
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined || c === '\n') this.fail(start, 'string is not closed');
      if (c === '"') break;
      if (c! < ' ') this.fail(this.at, 'control character in a string', 'write it as an escape');
      if (c === '\\') {
        ESCAPE.lastIndex = this.at;
        if (!ESCAPE.test(this.text)) this.fail(this.at, 'unknown escape in a string', 'a backslash is \\\\');
        this.at = ESCAPE.lastIndex;
      } else {
        this.at++;
      }
    }
    this.at++;
    return JSON.parse(this.text.slice(start, this.at)) as string;
  }

  private blank(): void {
    while (' \t\r\n'.includes(this.text[this.at] ?? '.')) this.at++;
    if (this.text.startsWith('//', this.at) || this.text.startsWith('/*', this.at)) {
      this.fail(this.at, 'JSON has no comments', 'say it in "question" or "source"');
    }
  }

  private unexpected(where: string, opened?: number): never {
    if (this.at >= this.text.length) {
      const from =
        opened === undefined
          ? ''
          : `; ${this.text[opened]} is open since line ${lineColumn(this.text, opened).line}`;
      this.fail(this.at, `the text ends ${where}${from}`);
    }
    return this.fail(
      this.at,
      `unexpected ${quote(String.fromCodePoint(this.text.codePointAt(this.at)!))} ${where}`,
    );
  }

  private fail(at: number, problem: string, hint?: string): never {
    throw new ScenarioError(`not JSON: ${problem}`, { file: this.file, ...lineColumn(this.text, at) }, hint);
  }
}

const LITERALS: readonly (readonly [string, unknown])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
];
const NUMBER = /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const ESCAPE = /\\(["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
