/**
 * Reads our own sources as text: where functions begin and end, and what stands in a call's parentheses. Enough for
 * the lists in docs/, which a test holds against the sources; not a parser of TypeScript.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));
const SRC = join(ROOT, 'src');

export interface SourceFile {
  /** `inline/ops.ts`, with forward slashes. */
  readonly name: string;
  readonly text: string;
  /** The same with comments blanked out: positions and line ends stay. */
  readonly code: string;
}

/** Every file of src, by name. */
export function sourceFiles(): SourceFile[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => relative(SRC, join(SRC, name)).replaceAll('\\', '/'))
    .sort()
    .map((name) => {
      const text = readFileSync(join(SRC, name), 'utf8');
      return { name, text, code: withoutComments(text) };
    });
}

/** Ends of a string or template literal that begins at `at`. */
function endOfString(text: string, at: number): number {
  const quote = text[at]!;
  let i = at + 1;
  while (i < text.length && text[i] !== quote) {
    if (text[i] === '\\') i++;
    else if (quote === '`' && text[i] === '$' && text[i + 1] === '{') i = endOfParens(text, i + 1);
    i++;
  }
  return i;
}

const CLOSES: Readonly<Record<string, string>> = { '(': ')', '{': '}', '[': ']' };

/** Where the bracket that opens at `at` closes. */
export function endOfParens(code: string, at: number): number {
  const open: string[] = [];
  for (let i = at; i < code.length; i++) {
    const c = code[i]!;
    if (c === "'" || c === '"' || c === '`') i = endOfString(code, i);
    else if (c in CLOSES) open.push(CLOSES[c]!);
    else if (c === open.at(-1)) {
      open.pop();
      if (open.length === 0) return i;
    }
  }
  return code.length;
}

function withoutComments(text: string): string {
  const out = [...text];
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (c === "'" || c === '"' || c === '`') {
      i = endOfString(text, i);
      continue;
    }
    if (c !== '/') continue;
    const two = text.slice(i, i + 2);
    const end = two === '//' ? text.indexOf('\n', i) : two === '/*' ? text.indexOf('*/', i) + 2 : -1;
    if (end < 0) {
      // A regular expression, if that is where a value may stand.
      if (/[=(,:!&|?{};]\s*$/.test(text.slice(Math.max(0, i - 20), i))) {
        const close = /^\/(?:\\.|\[(?:\\.|[^\]])*\]|[^/\\\n])+\//.exec(text.slice(i));
        if (close !== null) i += close[0].length - 1;
      }
      continue;
    }
    for (let at = i; at < end; at++) if (out[at] !== '\n') out[at] = ' ';
    i = end - 1;
  }
  return out.join('');
}

/** The arguments of the call whose parenthesis opens at `at`. */
export function argumentsAt(code: string, at: number): string[] {
  const end = endOfParens(code, at);
  const args: string[] = [];
  let from = at + 1;
  for (let i = at + 1; i < end; i++) {
    const c = code[i]!;
    if (c === "'" || c === '"' || c === '`') i = endOfString(code, i);
    else if (c in CLOSES) i = endOfParens(code, i);
    else if (c === ',') {
      args.push(code.slice(from, i).trim());
      from = i + 1;
    }
  }
  const last = code.slice(from, end).trim();
  return last === '' ? args : [...args, last];
}

/** The string literals of an expression, joined: `datasync ? 'a' : 'b'` is `a | b`. */
export function literals(expression: string): string {
  const found: string[] = [];
  for (let i = 0; i < expression.length; i++) {
    const c = expression[i]!;
    if (c !== "'" && c !== '"' && c !== '`') continue;
    const end = endOfString(expression, i);
    found.push(
      expression
        .slice(i + 1, end)
        .replaceAll(/\$\{[^}]*\}/g, '…')
        .replaceAll('\\', ''),
    );
    i = end;
  }
  return found.length === 0 ? expression : found.join(' | ');
}

export interface FunctionPlace {
  readonly name: string;
  /** In the file: from its first character to the closing brace. */
  readonly from: number;
  readonly to: number;
  readonly line: number;
}

const STARTS = [
  /(?:^|\n)(?:export )?(?:async )?function\*? (\w+)/g,
  /(?:^|\n)(?:export )?const (\w+)(?::[^=\n]*)? = (?:function\*? ?|(?:<[^>]*> ?)?)\(/g,
  /\n {2,}\*(\w+)\(/g,
];

/** Functions with a name and a body in braces, and generator methods, in order. */
export function functionsOf({ code }: SourceFile): FunctionPlace[] {
  const places: FunctionPlace[] = [];
  for (const start of STARTS) {
    for (const match of code.matchAll(start)) {
      const from = match.index + (match[0].startsWith('\n') ? 1 : 0);
      const parens = code.indexOf('(', from + match[0].trimStart().length - 1);
      const body = bodyAfter(code, endOfParens(code, parens));
      if (body < 0) continue;
      const to = endOfParens(code, body);
      places.push({ name: match[1]!, from, to, line: code.slice(0, from).split('\n').length });
    }
  }
  return places.sort((a, b) => a.from - b.from);
}

/** The brace of the body after a parameter list, behind the type of the result; −1 for a body that is an expression. */
function bodyAfter(code: string, at: number): number {
  for (let i = at + 1; i < code.length; i++) {
    const c = code[i]!;
    if (c === ';') return -1;
    if (c === '=' && code[i + 1] === '>') {
      const next = /\S/.exec(code.slice(i + 2));
      return next?.[0] === '{' ? i + 2 + next.index : -1;
    }
    if (c === '(' || c === '[') i = endOfParens(code, i);
    else if (c === '{') {
      // A brace of the result's type stands behind one of these.
      if (!/[:|&<,]\s*$/.test(code.slice(Math.max(0, i - 20), i))) return i;
      i = endOfParens(code, i);
    }
  }
  return -1;
}

/** The doc comment or comment line that ends right before `at`, as lines without decoration; empty when there is none. */
export function commentBefore(text: string, at: number): string[] {
  const before = text.slice(0, at);
  const match = /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/|\/\/[^\n]*)\s*$/.exec(before);
  if (match === null) return [];
  return match[1]!
    .replace(/^\/\*\*|\*\/$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*(\*|\/\/) ?/, '').trimEnd());
}

/** The comment at the top of a file, as paragraphs of one line each. */
export function headerOf(text: string): string[] {
  const match = /^\/\*\*([\s\S]*?)\*\//.exec(text);
  if (match === null) return [];
  return match[1]!
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''))
    .join('\n')
    .split(/\n\s*\n/)
    .map((paragraph) =>
      paragraph
        .split('\n')
        .map((line) => line.trim())
        .join(' ')
        .trim(),
    )
    .filter((paragraph) => paragraph !== '');
}
