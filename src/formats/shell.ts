/**
 * The little of sh(1) that reproducers are written in: words with quotes, variables and arithmetic, `;`, `&`, `&&`, `|`,
 * redirections, here-documents, `( … ) &`, assignments, comments, continued lines. What a shell would compute (`$(…)`,
 * globs, loops, functions) is refused by name and place: its result is not known here.
 */
import { quote } from '../scenario/numbers.ts';
import type { Source } from './source.ts';

type Part =
  | { readonly kind: 'text'; readonly text: string; readonly origin: readonly number[] }
  | { readonly kind: 'variable'; readonly name: string; readonly at: number };

export interface RawWord {
  readonly at: number;
  readonly parts: readonly Part[];
  /** Something in it was quoted: never an assignment, an option's absence, a reserved word. */
  readonly quoted: boolean;
}

/** A word with its variables filled in; those nobody has set stay as `$NAME`. */
export interface Word {
  readonly text: string;
  readonly at: number;
  /** Offset in the source of each character. */
  readonly origin: readonly number[];
  readonly unset: readonly { readonly name: string; readonly index: number }[];
}

export interface Redirection {
  readonly at: number;
  readonly op: string;
  readonly target: RawWord | null;
  /** The lines of a here-document. */
  readonly lines?: readonly { readonly text: string; readonly at: number }[];
}

export interface SimpleCommand {
  readonly at: number;
  readonly words: readonly RawWord[];
  readonly redirections: readonly Redirection[];
  /** What its output goes to. */
  readonly filters: readonly RawWord[];
}

/** One entry of a list: a command, or several in parentheses. */
export interface Entry {
  readonly commands: readonly SimpleCommand[];
  readonly background: boolean;
}

const BLANK = /[ \t]/;
const WORD_END = /[ \t\n;&|<>()]/;
const RESERVED = new Set(
  'if then else elif fi for while until do done case esac function select time in [[ { }'.split(' '),
);

/**
 * @returns  what it runs, and the names of the functions that it defines, whose bodies are not looked at
 * @throws   ScenarioError naming what a shell would do and we cannot
 */
export function readShell(source: Source): { entries: Entry[]; functions: ReadonlySet<string> } {
  const reader = new ShellReader(source);
  return { entries: reader.list(), functions: reader.functions };
}

/** @param variables  what assignments before it have set */
export function expand(word: RawWord, variables: ReadonlyMap<string, string>): Word {
  let text = '';
  const origin: number[] = [];
  const unset: { name: string; index: number }[] = [];
  for (const part of word.parts) {
    if (part.kind === 'text') {
      text += part.text;
      origin.push(...part.origin);
      continue;
    }
    const value = variables.get(part.name) ?? arithmetic(part.name, variables);
    if (value === undefined) unset.push({ name: part.name, index: text.length });
    const shown = value ?? `$${part.name}`;
    text += shown;
    for (let i = 0; i < shown.length; i++) origin.push(part.at);
  }
  return { text, at: word.at, origin, unset };
}

/** `((2 * len + 1))`, of whole numbers and variables that hold one; undefined where it is not that. */
function arithmetic(name: string, variables: ReadonlyMap<string, string>): string | undefined {
  const inner = /^\(\((.*)\)\)$/s.exec(name)?.[1];
  if (inner === undefined) return undefined;
  const words = inner.match(/0[xX][0-9a-fA-F]+|\d+|[A-Za-z_]\w*|<<|>>|\S/g) ?? [];
  let at = 0;
  const number = (text: string): bigint | null =>
    /^0[xX][0-9a-fA-F]+$|^(0|[1-9]\d*)$/.test(text)
      ? BigInt(text)
      : /^0[0-7]+$/.test(text)
        ? BigInt(`0o${text.slice(1)}`)
        : null;
  const value = (): bigint | null => {
    let word = words[at++] ?? '';
    if (word === '(') {
      const sum = level(0);
      return words[at++] === ')' ? sum : null;
    }
    if (word === '-') {
      const negated = value();
      return negated === null ? null : -negated;
    }
    if (word === '$') word = words[at++] ?? '';
    return number(variables.get(word) ?? word);
  };
  /** Operators of a level bind tighter than those of the one before. */
  const level = (depth: number): bigint | null => {
    let left = depth === OPERATORS.length - 1 ? value() : level(depth + 1);
    while (left !== null && OPERATORS[depth]!.includes(words[at] ?? '-none-')) {
      const operator = words[at++]!;
      const right = depth === OPERATORS.length - 1 ? value() : level(depth + 1);
      if (
        right === null ||
        (right === 0n && /[/%]/.test(operator)) ||
        (/<<|>>/.test(operator) && (right < 0n || right > 62n))
      )
        return null;
      left = APPLY[operator]!(left, right);
    }
    return left;
  };
  const result = level(0);
  return result === null || at < words.length ? undefined : `${BigInt.asIntN(64, result)}`;
}

const OPERATORS: readonly (readonly string[])[] = [
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];
const APPLY: Readonly<Record<string, (left: bigint, right: bigint) => bigint>> = {
  '<<': (left, right) => left << right,
  '>>': (left, right) => left >> right,
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
};

class ShellReader {
  readonly functions = new Set<string>();
  private readonly source: Source;
  private readonly text: string;
  private at = 0;
  private waiting: { redirection: { lines?: { text: string; at: number }[] }; end: string; tabs: boolean }[] =
    [];

  constructor(source: Source) {
    this.source = source;
    this.text = source.text.replaceAll('\r\n', ' \n');
  }

  list(): Entry[] {
    const entries: Entry[] = [];
    for (;;) {
      this.blanks(true);
      if (this.at >= this.text.length) break;
      entries.push(this.entry());
    }
    if (this.waiting.length > 0) {
      this.source.fail(
        this.text.length,
        `the text ends inside the here-document of ${quote(this.waiting[0]!.end)}`,
      );
    }
    return entries;
  }

  private entry(): Entry {
    const commands: SimpleCommand[] = [];
    // A prompt that was pasted along.
    if (/^[$%] /.test(this.text.slice(this.at, this.at + 2)) && (this.text[this.at - 1] ?? '\n') === '\n')
      this.at += 2;
    if (this.text[this.at] === '(') {
      const open = this.at++;
      for (;;) {
        this.blanks(true);
        if (this.at >= this.text.length) this.source.fail(open, '( is not closed');
        if (this.text[this.at] === ')') break;
        const inner = this.entry();
        if (inner.background) this.source.fail(this.at - 1, '& inside parentheses', 'one ( … ) & per lane');
        commands.push(...inner.commands);
      }
      this.at++;
    } else {
      commands.push(this.command());
    }
    for (;;) {
      this.blanks(false);
      const c = this.text[this.at];
      if (c === undefined || c === '\n') {
        this.newline();
        return { commands, background: false };
      }
      if (c === ')') return { commands, background: false };
      if (this.text.startsWith('&&', this.at)) {
        this.at += 2;
        this.blanks(true);
        if (this.at >= this.text.length) this.source.fail(this.at, 'the text ends after &&');
        commands.push(this.command());
        continue;
      }
      if (this.text.startsWith('||', this.at)) {
        this.otherwise();
        continue;
      }
      this.at++;
      if (c === ';') return { commands, background: false };
      if (c === '&') return { commands, background: true };
      this.source.fail(this.at - 1, `unexpected ${quote(c)}`);
    }
  }

  /** `|| _fail "…"`: what ends the script, or only says something, where a command fails. */
  private otherwise(): void {
    const at = this.at;
    this.at += 2;
    this.blanks(true);
    const found = /(_fail|_notrun|exit|echo|return|true|:)(?![\w-])/y;
    found.lastIndex = this.at;
    if (!found.test(this.text))
      this.source.fail(at, '|| runs a command only where another failed', 'leave it out');
    this.command();
  }

  private command(): SimpleCommand {
    const at = this.at;
    const words: RawWord[] = [];
    const redirections: Redirection[] = [];
    const filters: RawWord[] = [];
    let into = words;
    for (;;) {
      this.blanks(false);
      const c = this.text[this.at];
      if (c === undefined || /[\n;)]/.test(c)) break;
      if (c === '(' && this.isFunction(words)) {
        this.functions.add(partsText(words[0]!));
        this.skipFunction();
        return { at, words: [], redirections, filters };
      }
      if (c === '(') {
        this.source.fail(
          this.at,
          'unexpected "("',
          words.length === 1 ? 'functions are not followed' : undefined,
        );
      }
      const redirection = this.redirection();
      if (redirection !== null) {
        redirections.push(redirection);
        continue;
      }
      if (c === '&') break;
      if (c === '|') {
        if (this.text[this.at + 1] === '|') break;
        this.at += this.text[this.at + 1] === '&' ? 2 : 1;
        if (words.length === 0) this.source.fail(this.at - 1, 'unexpected "|"');
        this.blanks(true);
        const filter: RawWord[] = [];
        into = filter;
        const first = this.text[this.at];
        if (first === undefined || WORD_END.test(first)) this.source.fail(this.at, 'nothing after |');
        filters.push(this.word());
        continue;
      }
      const word = this.word();
      const name = word.quoted ? '' : partsText(word);
      if (into === words && words.length === 0 && RESERVED.has(name))
        this.source.fail(word.at, `${name} is not followed`, 'write out the commands that it runs');
      into.push(word);
    }
    if (words.length === 0 && redirections.length === 0) {
      const c = this.text[this.at];
      this.source.fail(
        this.at,
        c === undefined ? 'the text ends where a command should be' : `unexpected ${quote(c)}`,
      );
    }
    return { at, words, redirections, filters };
  }

  /** `name() {` and lines up to a `}` of its own. */
  private isFunction(words: readonly RawWord[]): boolean {
    return words.length === 1 && /\(\s*\)\s*\{[ \t]*(#[^\n]*)?\n/y.test(this.text.slice(this.at));
  }

  private skipFunction(): void {
    const end = /\n\}/g;
    end.lastIndex = this.at;
    if (end.exec(this.text) === null) this.source.fail(this.at, 'the function has no end');
    this.at = end.lastIndex;
  }

  private redirection(): Redirection | null {
    const found = /(?:[0-9]|&)?(?:>>|>&|>\||>|<<-|<<<|<<|<)/y;
    found.lastIndex = this.at;
    const match = found.exec(this.text);
    if (match === null) return null;
    const at = this.at;
    const op = match[0];
    this.at += op.length;
    this.blanks(false);
    const c = this.text[this.at];
    if (c === undefined || WORD_END.test(c)) this.source.fail(at, `${op} without a name`);
    if (op === '<<<') this.source.fail(at, '<<< is not followed', 'use a here-document, <<EOF');
    const target = this.word();
    if (!op.startsWith('<<')) return { at, op, target };
    const redirection: { at: number; op: string; target: null; lines?: { text: string; at: number }[] } = {
      at,
      op: '<<',
      target: null,
    };
    this.waiting.push({ redirection, end: partsText(target), tabs: op === '<<-' });
    return redirection;
  }

  private word(): RawWord {
    const at = this.at;
    const parts: Part[] = [];
    let text = '';
    let origin: number[] = [];
    let quoted = false;
    const flush = (): void => {
      if (text !== '') parts.push({ kind: 'text', text, origin });
      text = '';
      origin = [];
    };
    const take = (c: string, where: number): void => {
      text += c;
      for (let i = 0; i < c.length; i++) origin.push(where + i);
    };
    const variable = (): void => {
      flush();
      parts.push(this.variable());
    };
    while (this.at < this.text.length) {
      const c = this.text[this.at]!;
      if (WORD_END.test(c)) break;
      if (c === "'") {
        quoted = true;
        const end = this.text.indexOf("'", this.at + 1);
        if (end < 0) this.source.fail(this.at, "' is not closed");
        take(this.text.slice(this.at + 1, end), this.at + 1);
        this.at = end + 1;
      } else if (c === '"') {
        quoted = true;
        const open = this.at++;
        for (;;) {
          const inner = this.text[this.at];
          if (inner === undefined) this.source.fail(open, '" is not closed');
          if (inner === '"') break;
          if (inner === '\\' && /["\\$`\n]/.test(this.text[this.at + 1] ?? '')) {
            if (this.text[this.at + 1] !== '\n') take(this.text[this.at + 1]!, this.at + 1);
            this.at += 2;
          } else if (inner === '$' || inner === '`') variable();
          else take(inner!, this.at++);
        }
        this.at++;
      } else if (c === '\\') {
        if (this.text[this.at + 1] === undefined) this.source.fail(this.at, 'the text ends after \\');
        if (this.text[this.at + 1] !== '\n') take(this.text[this.at + 1]!, this.at + 1);
        quoted = true;
        this.at += 2;
      } else if (c === '$' || c === '`') {
        variable();
      } else {
        if (
          /[*?[{]/.test(c) &&
          !(text === '' && parts.length === 0 && WORD_END.test(this.text[this.at + 1] ?? ' '))
        )
          if (!(c === '[' && text === '' && parts.length === 0))
            this.source.fail(
              this.at,
              `${c} outside quotes`,
              'the shell would look for names; write them out',
            );
        take(c, this.at++);
      }
    }
    flush();
    return { at, parts, quoted };
  }

  private variable(): Part {
    const at = this.at;
    const found = /\$(?:([A-Za-z_][A-Za-z_0-9]*)|\{([A-Za-z_][A-Za-z_0-9]*)\}|([0-9?$!#*@-]))/y;
    found.lastIndex = at;
    const match = found.exec(this.text);
    if (match === null) {
      const end = this.text[at] === '`' ? this.text.indexOf('`', at + 1) : this.closing(at + 1);
      if (end > 0) {
        // Known to nobody: whoever uses it is told.
        this.at = end + 1;
        return { kind: 'variable', name: this.text.slice(at, end + 1).replace(/^\$/, ''), at };
      }
      const computed = this.text[at] === '`' || this.text[at + 1] === '(' || this.text[at + 1] === '{';
      return this.source.fail(
        at,
        computed ? 'the shell would compute this' : '$ outside single quotes',
        computed ? 'write the result' : 'write \\$ for the character',
      );
    }
    this.at += match[0].length;
    return { kind: 'variable', name: match[1] ?? match[2] ?? match[3]!, at };
  }

  /** Of `$(…)`; -1 where there is none on its line. */
  private closing(open: number): number {
    if (this.text[open] !== '(') return -1;
    let depth = 0;
    for (let at = open; at < this.text.length && this.text[at] !== '\n'; at++) {
      if (this.text[at] === '(') depth++;
      else if (this.text[at] === ')' && --depth === 0) return at;
    }
    return -1;
  }

  /** Blanks, comments, continued lines; with `lines` newlines and empty commands too. */
  private blanks(lines: boolean): void {
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined) return;
      if (BLANK.test(c)) this.at++;
      else if (c === '\\' && this.text[this.at + 1] === '\n') this.at += 2;
      // `# a comment inside a command`
      else if (c === '`' && /`[ \t]*#[^`\n]*`(?=[\s;&|)]|$)/y.test(this.text.slice(this.at)))
        this.at = this.text.indexOf('`', this.at + 1) + 1;
      else if (c === '#' && (this.at === 0 || /[\s;&|()]/.test(this.text[this.at - 1]!))) {
        while (this.at < this.text.length && this.text[this.at] !== '\n') this.at++;
      } else if (lines && c === '\n') this.newline();
      else return;
    }
  }

  /** Past the end of a line, and past the here-documents that begin there; a prompt on the next line is left out. */
  private newline(): void {
    this.at++;
    for (const { redirection, end, tabs } of this.waiting) {
      redirection.lines = [];
      for (;;) {
        if (this.at >= this.text.length) return;
        const stop = this.text.indexOf('\n', this.at);
        const to = stop < 0 ? this.text.length : stop;
        const row = this.text.slice(this.at, to).replace(/ $/, '');
        const cut = tabs ? row.length - row.replace(/^\t+/, '').length : 0;
        const start = this.at + cut;
        this.at = to + 1;
        if (row.slice(cut) === end) break;
        redirection.lines.push({ text: row.slice(cut), at: start });
      }
      this.waiting = this.waiting.slice(1);
    }
  }
}

function partsText(word: RawWord): string {
  return word.parts.map((part) => (part.kind === 'text' ? part.text : `$${part.name}`)).join('');
}
