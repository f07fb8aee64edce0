/**
 * What may be typed at a place of a scenario: keys and values by its JSON Schema, and in a lane the verbs, their options
 * and the paths that other lines name. Reads text that is not finished.
 */
import { verbs } from '../scenario/parse.ts';
import { scenarioJsonSchema } from '../scenario/schema.ts';

export interface Completion {
  readonly label: string;
  readonly detail?: string;
  readonly info?: string;
  /** What stands in the place of `from … to` of the list; default: the label. */
  readonly insert?: string;
  /** Where the cursor is then, in `insert`; default: behind it. */
  readonly cursor?: number;
}

export interface Completions {
  /** What was typed of it begins here. */
  readonly typed: number;
  readonly from: number;
  readonly to: number;
  readonly options: readonly Completion[];
}

interface Container {
  readonly kind: '{' | '[';
  /** Keys that stand before the place. */
  readonly keys: string[];
  key: string | null;
  index: number;
  expects: 'key' | 'value' | 'other';
}

export interface JsonContext {
  /** Of the value, or of the object whose key it is. */
  readonly path: readonly (string | number)[];
  readonly role: 'key' | 'value';
  /** The string that is open at the place: where its quote stands, and what it says up to there. */
  readonly open: { readonly start: number; readonly text: string } | null;
  readonly keys: readonly string[];
}

/** Where a place is in the structure of a text; null: nothing can be said there. */
export function contextAt(text: string, pos: number): JsonContext | null {
  const stack: Container[] = [];
  let open: { start: number; text: string } | null = null;
  let at = 0;
  while (at < pos) {
    const c = text[at]!;
    const top = stack.at(-1);
    if (c === '"') {
      let end = at + 1;
      while (end < text.length && text[end] !== '"' && text[end] !== '\n') end += text[end] === '\\' ? 2 : 1;
      if (end >= pos) {
        open = { start: at, text: text.slice(at + 1, pos) };
        break;
      }
      if (top?.expects === 'key') {
        top.key = text.slice(at + 1, end);
        top.keys.push(top.key);
        top.expects = 'other';
      } else if (top !== undefined) top.expects = 'other';
      at = end + 1;
      continue;
    }
    if (c === '{' || c === '[') {
      if (top !== undefined) top.expects = 'other';
      stack.push({ kind: c, keys: [], key: null, index: 0, expects: c === '{' ? 'key' : 'value' });
    } else if (c === '}' || c === ']') stack.pop();
    else if (top !== undefined && c === ':') top.expects = 'value';
    else if (top !== undefined && c === ',') {
      if (top.kind === '[') top.index++;
      top.expects = top.kind === '{' ? 'key' : 'value';
    } else if (!/\s/.test(c) && top !== undefined) top.expects = 'other';
    at++;
  }
  const top = stack.at(-1);
  if (top === undefined || (open === null && top.expects === 'other')) return null;
  const role = top.kind === '{' && top.expects === 'key' ? 'key' : 'value';
  const path = stack.flatMap((each, depth): (string | number)[] => {
    if (depth === stack.length - 1 && role === 'key') return [];
    return each.kind === '[' ? [each.index] : each.key === null ? [] : [each.key];
  });
  return { path, role, open, keys: top.keys };
}

/** Draft 7, as far as ours uses it. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
}

let root: Schema | null = null;

function schemasAt(path: JsonContext['path']): Schema[] {
  root ??= scenarioJsonSchema() as Schema;
  let found: Schema[] = [root];
  for (const part of path) {
    found = found
      .flatMap((each) => [each, ...(each.anyOf ?? [])])
      .flatMap((each): Schema[] => {
        if (typeof part === 'number') return each.items === undefined ? [] : [each.items];
        const inner = each.properties?.[part];
        if (inner !== undefined) return [inner];
        return typeof each.additionalProperties === 'object' ? [each.additionalProperties] : [];
      });
  }
  return found.flatMap((each) => [each, ...(each.anyOf ?? [])]);
}

/** @returns null where nothing fits */
export function completionsAt(text: string, pos: number): Completions | null {
  const context = contextAt(text, pos);
  if (context === null) return null;
  const { open, path, role } = context;
  if (role === 'key') return keyCompletions(text, pos, context);
  const isLine =
    (path.length === 2 && (path[0] === 'setup' || path[0] === 'after')) ||
    (path.length === 3 && path[0] === 'tasks');
  if (isLine && open !== null) return lineCompletions(text, pos, open);
  const values = [
    ...new Set(
      schemasAt(path).flatMap((each) => each.enum ?? (each.const === undefined ? [] : [each.const])),
    ),
  ];
  if (path[0] === 'threads' && path.length === 3) values.push(...laneNames(text));
  if (values.length === 0) return null;
  if (open !== null) {
    const options = values.flatMap((each) => (typeof each === 'string' ? [{ label: each }] : []));
    return { typed: open.start + 1, from: open.start + 1, to: stringEnd(text, pos), options };
  }
  return { typed: pos, from: pos, to: pos, options: values.map((each) => ({ label: JSON.stringify(each) })) };
}

function keyCompletions(text: string, pos: number, { open, path, keys }: JsonContext): Completions | null {
  const known = new Map<string, Schema>();
  for (const each of schemasAt(path)) {
    for (const [key, schema] of Object.entries(each.properties ?? {})) known.set(key, schema);
  }
  if (known.size === 0) return null;
  const from = open?.start ?? pos;
  const end = open === null ? pos : stringEnd(text, pos);
  const to = open !== null && text[end] === '"' ? end + 1 : end;
  const hasColon = /^\s*:/.test(text.slice(to));
  const options = [...known]
    .filter(([key]) => !keys.includes(key))
    .map(([key, schema]) => {
      const value = hasColon ? '' : (EMPTY[schema.type ?? ''] ?? '');
      const insert = `${JSON.stringify(key)}${hasColon ? '' : ': '}${value}`;
      return {
        label: open === null ? JSON.stringify(key) : key,
        ...(schema.description === undefined ? {} : { info: schema.description }),
        insert,
        cursor: insert.length - value.length / 2,
      };
    });
  return { typed: open === null ? pos : open.start + 1, from, to, options };
}

const EMPTY: Readonly<Record<string, string>> = { array: '[]', object: '{}', string: '""' };

function lineCompletions(
  text: string,
  pos: number,
  { start, text: typed }: { start: number; text: string },
): Completions | null {
  const to = stringEnd(text, pos);
  const [verb = '', ...rest] = typed.split(' ');
  if (rest.length === 0) {
    const options = verbs().map(({ verb: label, usage, about }) => ({
      label,
      detail: usage.slice(label.length).trim(),
      ...(about === '' ? {} : { info: about }),
    }));
    return { typed: start + 1, from: start + 1, to: Math.min(to, pos + wordRest(text, pos)), options };
  }
  const known = verbs().find((each) => each.verb === verb);
  if (known === undefined) return null;
  const word = rest.at(-1)!;
  const from = pos - word.length;
  const options: Completion[] = [];
  for (const [, flag, value] of known.usage.matchAll(/\[(-\w)(?: ([^\]]+))?\]/g))
    options.push({ label: flag!, ...(value === undefined ? {} : { detail: value }), info: known.usage });
  if (/PATH|OLD|NEW|FILE|\bDIR\b/.test(known.usage))
    for (const path of pathsIn(text))
      if (path !== word) options.push({ label: path, detail: 'named elsewhere' });
  if (options.length === 0) return null;
  return { typed: from, from, to: Math.min(to, pos + wordRest(text, pos)), options };
}

const wordRest = (text: string, pos: number): number =>
  /^[^\s"]*/.exec(text.slice(pos, pos + 200))![0].length;

/** The closing quote of the string that is open at `pos`, or the end of its line. */
function stringEnd(text: string, pos: number): number {
  let end = pos;
  while (end < text.length && text[end] !== '"' && text[end] !== '\n') end++;
  return end;
}

const pathsIn = (text: string): string[] =>
  [...new Set(text.match(/\/[\w./-]+(?=[\s"])/g) ?? [])].filter(
    (path) => !path.includes('..') && !path.endsWith('.gz') && !path.endsWith('.json'),
  );

function laneNames(text: string): string[] {
  try {
    return Object.keys((JSON.parse(text) as { tasks?: object }).tasks ?? {});
  } catch {
    return [];
  }
}
