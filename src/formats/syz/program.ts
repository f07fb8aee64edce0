/**
 * syzkaller programs, by the grammar of its docs/program_syntax.md and prog/encoding.go:
 *
 * ```
 * [rN = ] call(arg, …) [(prop, …)]
 * arg = 0x… | rN[/0x…][+0x…] | <rN=>arg | &(0xADDR[/SIZE])[=[ANY=]arg] | &AUTO=arg | nil | AUTO
 *     | 'text\x00' | "hex" | "$base64" | {arg, …} | [arg, …] | @field[=arg]          texts and hex may end in /SIZE
 * prop = async | fail_nth: N | rerun: N
 * ```
 *
 * Two things are read more widely than syzkaller does, because programs come by mail: a call may be broken over lines,
 * and lines `executing program N:` may stand before it. What the arguments mean is not known here.
 */
import { quote } from '../../scenario/numbers.ts';
import type { Source } from '../source.ts';

export type Arg = { readonly at: number } & (
  | { readonly kind: 'const'; readonly value: bigint }
  | { readonly kind: 'resource'; readonly name: string; readonly div: bigint; readonly add: bigint }
  | { readonly kind: 'result'; readonly name: string; readonly arg: Arg }
  | {
      readonly kind: 'pointer';
      /** null: AUTO. */
      readonly address: bigint | null;
      /** Bytes of a memory area; null where a value is pointed at. */
      readonly area: bigint | null;
      readonly arg: Arg | null;
    }
  | {
      readonly kind: 'data';
      readonly form: 'text' | 'hex' | 'base64';
      readonly bytes: Uint8Array;
      /** Bytes of the buffer where it is larger than what is written. */
      readonly size: number;
    }
  | { readonly kind: 'struct'; readonly args: readonly Arg[] }
  | { readonly kind: 'array'; readonly args: readonly Arg[] }
  | { readonly kind: 'union'; readonly field: string; readonly arg: Arg | null }
  | { readonly kind: 'nil' }
  | { readonly kind: 'auto' }
);

export interface Call {
  /** The resource that it makes. */
  readonly result: string | null;
  /** With its variant: `syz_mount_image$ext4`. */
  readonly name: string;
  /** Without: `syz_mount_image`. */
  readonly base: string;
  readonly args: readonly Arg[];
  readonly async: boolean;
  /** The nth allocation fails; null: none does. */
  readonly failNth: number | null;
  readonly rerun: number;
  readonly at: number;
  /** Comment lines right before it. */
  readonly comments: readonly string[];
}

export interface Program {
  /** Of the header line, keys in lower case: `threaded`, `repeat`, `procs`, `collide`, … */
  readonly options: Readonly<Record<string, string>>;
  readonly calls: readonly Call[];
}

const MAX_DEPTH = 64;
const MAX_DATA_BYTES = 1 << 24;
const ADDRESS_MAX = (1n << 64n) - 1n;

/** @throws ScenarioError naming line and column */
export function readProgram(source: Source): Program {
  return new Reader(source).program();
}

class Reader {
  private readonly source: Source;
  private readonly text: string;
  private at = 0;
  private readonly known = new Set<string>();
  private comments: string[] = [];
  private options: Record<string, string> = {};

  constructor(source: Source) {
    this.source = source;
    this.text = source.text;
  }

  program(): Program {
    const calls: Call[] = [];
    let programs = 0;
    for (;;) {
      this.space();
      if (this.at >= this.text.length) break;
      const heading = /(?:\d+:\d+:\d+ )?executing program(?: \d+)?[^\n]*/y;
      heading.lastIndex = this.at;
      const found = heading.exec(this.text);
      if (found !== null) {
        if (programs++ > 0 && calls.length > 0) this.fail('a second program', 'one program a file');
        this.at += found[0].length;
        continue;
      }
      if (this.text[this.at] === '#') {
        this.comment();
        continue;
      }
      calls.push(this.call());
    }
    if (calls.length === 0)
      this.source.fail(0, 'no call', 'a line is NAME(ARGUMENTS), as syzkaller writes it');
    return { options: this.options, calls };
  }

  private fail(problem: string, hint?: string, at = this.at): never {
    return this.source.fail(at, problem, hint);
  }

  private comment(): void {
    const end = this.text.indexOf('\n', this.at);
    const text = this.text.slice(this.at + 1, end < 0 ? undefined : end).trim();
    this.at = end < 0 ? this.text.length : end + 1;
    const header = readHeader(text);
    if (header !== null) this.options = header;
    else this.comments.push(text);
  }

  private call(): Call {
    const at = this.at;
    let name = this.ident('a call');
    let result: string | null = null;
    this.space();
    if (this.text[this.at] === '=') {
      if (!/^r\d+$/.test(name)) this.fail(`${quote(name)} is no resource`, 'r0, r1, …', at);
      result = name;
      this.at++;
      this.space();
      name = this.ident('a call');
      this.space();
    }
    if (this.text[this.at] !== '(') this.unexpected(`after ${quote(name)}, where ( should be`);
    const args = this.list('(', ')', 0);
    const props = this.props();
    if (result !== null) this.known.add(result);
    const call = { result, name, base: name.split('$')[0]!, args, ...props, at, comments: this.comments };
    this.comments = [];
    // The rest of the line is blank or a comment.
    const rest = /[ \t\r]*/y;
    rest.lastIndex = this.at;
    rest.exec(this.text);
    this.at = Math.max(this.at, rest.lastIndex);
    const c = this.text[this.at];
    if (c !== undefined && c !== '\n' && c !== '#') this.unexpected('after the call');
    return call;
  }

  private props(): { async: boolean; failNth: number | null; rerun: number } {
    const props = { async: false, failNth: null as number | null, rerun: 0 };
    const blank = /[ \t]*\(/y;
    blank.lastIndex = this.at;
    if (!blank.test(this.text)) return props;
    const open = blank.lastIndex - 1;
    this.at = blank.lastIndex;
    for (;;) {
      this.space();
      const at = this.at;
      if (this.at >= this.text.length) this.fail('( is not closed', undefined, open);
      const name = this.ident('a property of the call');
      this.space();
      const number = (): number => {
        if (this.text[this.at] !== ':') this.unexpected(`after ${name}, where : should be`);
        this.at++;
        this.space();
        const digits = /\d{1,6}/y;
        digits.lastIndex = this.at;
        const found = digits.exec(this.text);
        if (found === null) return this.unexpected(`where the number of ${name} should be`);
        this.at += found[0].length;
        return Number(found[0]);
      };
      if (name === 'async') props.async = true;
      else if (name === 'fail_nth') props.failNth = number();
      else if (name === 'rerun') props.rerun = number();
      else this.fail(`unknown property ${quote(name)}`, 'async, fail_nth: N, rerun: N', at);
      this.space();
      if (this.text[this.at] === ')') break;
      if (this.text[this.at] !== ',') this.unexpected('where , or ) should be');
      this.at++;
    }
    this.at++;
    return props;
  }

  private list(open: string, close: string, depth: number): Arg[] {
    const start = this.at++;
    if (open !== this.text[start]) this.unexpected(`where ${open} should be`);
    const args: Arg[] = [];
    this.space();
    if (this.text[this.at] === close) {
      this.at++;
      return args;
    }
    for (;;) {
      args.push(this.arg(depth + 1));
      this.space();
      const c = this.text[this.at];
      if (c === undefined) this.fail(`${open} is not closed`, undefined, start);
      if (c === close) break;
      if (c !== ',') this.unexpected(`where , or ${close} should be`);
      this.at++;
      this.space();
      // As syzkaller reads it: a list may end in a comma.
      if (this.text[this.at] === close) break;
    }
    this.at++;
    return args;
  }

  private arg(depth: number): Arg {
    this.space();
    const at = this.at;
    if (depth > MAX_DEPTH) this.fail('nested too deeply');
    const c = this.text[at];
    switch (c) {
      case '&':
        return this.pointer(depth);
      case '{':
        return { at, kind: 'struct', args: this.list('{', '}', depth) };
      case '[':
        return { at, kind: 'array', args: this.list('[', ']', depth) };
      case '(': {
        // Old programs have (0x1000) for the size of an area.
        const [inner, ...more] = this.list('(', ')', depth);
        if (inner === undefined || more.length > 0 || inner.kind !== 'const')
          this.fail('a number in parentheses is meant', undefined, at);
        return inner;
      }
      case '<': {
        this.at++;
        const name = this.resourceName();
        if (!this.text.startsWith('=>', this.at)) this.unexpected('where => should be');
        this.at += 2;
        const arg = this.arg(depth + 1);
        this.known.add(name);
        return { at, kind: 'result', name, arg };
      }
      case '@': {
        this.at++;
        const field = this.ident('a field');
        this.space();
        if (this.text[this.at] !== '=') return { at, kind: 'union', field, arg: null };
        this.at++;
        return { at, kind: 'union', field, arg: this.arg(depth + 1) };
      }
      case "'":
      case '"':
        return this.data();
      case 'r':
        return this.resource();
    }
    if (this.word('nil')) return { at, kind: 'nil' };
    if (this.word('AUTO')) return { at, kind: 'auto' };
    if (this.word('ANY=')) return this.arg(depth + 1);
    if (c !== undefined && /[0-9]/.test(c)) return { at, kind: 'const', value: this.number('a number') };
    return this.unexpected('where an argument should be');
  }

  private pointer(depth: number): Arg {
    const at = this.at++;
    let address: bigint | null = null;
    let area: bigint | null = null;
    if (!this.word('AUTO')) {
      if (this.text[this.at] !== '(') this.unexpected('after &, where (0x… should be');
      const open = this.at++;
      address = this.number('an address');
      const sign = this.text[this.at];
      if (sign === '+' || sign === '-') {
        this.at++;
        const by = this.number('an offset');
        address = sign === '+' ? address + by : address - by;
      }
      if (this.text[this.at] === '/') {
        this.at++;
        area = this.number('a size');
      }
      if (address < 0n || address > ADDRESS_MAX) this.fail('no address', undefined, open);
      if (this.text[this.at] !== ')') this.unexpected('where ) should be');
      this.at++;
    }
    const equals = /[ \t\r\n]*=/y;
    equals.lastIndex = this.at;
    if (!equals.test(this.text)) return { at, kind: 'pointer', address, area, arg: null };
    this.at = equals.lastIndex;
    const arg = this.arg(depth + 1);
    return { at, kind: 'pointer', address, area, arg: arg.kind === 'nil' ? null : arg };
  }

  private resource(): Arg {
    const at = this.at;
    const name = this.resourceName();
    if (!this.known.has(name)) this.fail(`${name} is used before a call makes it`, undefined, at);
    let div = 0n;
    let add = 0n;
    if (this.text[this.at] === '/') {
      this.at++;
      div = this.number('a divisor');
    }
    if (this.text[this.at] === '+') {
      this.at++;
      add = this.number('an addend');
    }
    return { at, kind: 'resource', name, div, add };
  }

  private resourceName(): string {
    const found = /r\d{1,6}(?![A-Za-z0-9_$])/y;
    found.lastIndex = this.at;
    const match = found.exec(this.text);
    if (match === null) return this.unexpected('where a resource should be');
    this.at += match[0].length;
    return match[0];
  }

  private data(): Arg {
    const at = this.at;
    const [form, bytes] = this.text[at] === "'" ? (['text', this.quoted()] as const) : this.hexOrBase64();
    let size = bytes.length;
    if (form !== 'base64' && this.text[this.at] === '/') {
      const where = ++this.at;
      const value = this.number('a size');
      if (value > MAX_DATA_BYTES) this.fail('a buffer larger than any here', undefined, where);
      size = Number(value);
    }
    const { length } = bytes;
    return { at, kind: 'data', form, bytes: size < length ? bytes.slice(0, size) : bytes, size };
  }

  private quoted(): Uint8Array {
    const start = this.at++;
    const bytes: number[] = [];
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined || c === '\n') this.fail("' is not closed", undefined, start);
      this.at++;
      if (c === "'") return Uint8Array.from(bytes);
      if (c !== '\\') {
        const code = c!.charCodeAt(0);
        if (code > 0x7e || code < 0x20) this.fail('not a printable character', 'written \\x00', this.at - 1);
        bytes.push(code);
        continue;
      }
      const escaped = this.text[this.at];
      if (escaped === 'x') {
        const hex = this.text.slice(this.at + 1, this.at + 3);
        if (!/^[0-9a-fA-F]{2}$/.test(hex))
          this.fail(`${quote(`\\x${hex}`)} is no byte`, 'two hex digits', this.at - 1);
        bytes.push(Number.parseInt(hex, 16));
        this.at += 3;
        continue;
      }
      const plain = escaped === undefined ? -1 : ESCAPES.indexOf(escaped);
      if (plain < 0) this.fail(`unknown escape ${quote(`\\${escaped ?? ''}`)}`, undefined, this.at - 1);
      bytes.push(ESCAPED[plain]!);
      this.at++;
    }
  }

  private hexOrBase64(): readonly ['hex' | 'base64', Uint8Array] {
    const start = this.at++;
    const end = this.text.indexOf('"', this.at);
    if (end < 0) this.fail('" is not closed', undefined, start);
    const body = this.text.slice(this.at, end);
    this.at = end + 1;
    if (body.startsWith('$')) {
      const base64 = body.slice(1).replaceAll(/\s/g, '');
      if (!/^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(base64)) {
        const odd = /[^A-Za-z0-9+/=\s]/.exec(body.slice(1));
        this.fail(
          odd === null ? 'base64 that is cut short' : `${quote(odd[0])} in base64`,
          odd === null ? 'the image is not whole' : undefined,
          odd === null ? start : start + 2 + odd.index,
        );
      }
      return ['base64', fromBase64(base64)];
    }
    const hex = body.replaceAll(/\s/g, '');
    const odd = /[^0-9a-fA-F]/.exec(body.replaceAll(/\s/g, '0'));
    if (odd !== null) this.fail(`${quote(odd[0])} is no hex digit`, undefined, start + 1 + odd.index);
    if (hex.length % 2 !== 0) this.fail('an odd number of hex digits', undefined, start);
    return [
      'hex',
      Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)),
    ];
  }

  private number(what: string): bigint {
    const found = /0x[0-9a-fA-F]{1,16}|\d{1,20}/y;
    found.lastIndex = this.at;
    const match = found.exec(this.text);
    if (match === null) return this.unexpected(`where ${what} should be`);
    const next = this.text[found.lastIndex];
    if (next !== undefined && /[0-9A-Za-z_$]/.test(next))
      this.fail(
        `this is not ${what}`,
        /=3D/.test(this.text) ? '=3D is = in a mail: decode its quoted-printable text first' : undefined,
      );
    this.at += match[0].length;
    return BigInt(match[0]);
  }

  private ident(what: string): string {
    const found = /[A-Za-z_][A-Za-z0-9_$]{0,120}/y;
    found.lastIndex = this.at;
    const match = found.exec(this.text);
    if (match === null) return this.unexpected(`where ${what} should be`);
    this.at += match[0].length;
    return match[0];
  }

  private word(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    if (/\w$/.test(word) && /[A-Za-z0-9_$]/.test(this.text[this.at + word.length] ?? ' ')) return false;
    this.at += word.length;
    return true;
  }

  private space(): void {
    while (/[ \t\r\n]/.test(this.text[this.at] ?? '.')) this.at++;
  }

  private unexpected(where: string): never {
    const c = this.text.codePointAt(this.at);
    return c === undefined
      ? this.fail(`the text ends ${where}`)
      : this.fail(`unexpected ${quote(String.fromCodePoint(c))} ${where}`);
  }
}

const ESCAPES = 'abfnrtv\'"\\';
const ESCAPED = [7, 8, 12, 10, 13, 9, 11, 0x27, 0x22, 0x5c];

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** `{Threaded:true Procs:6 …}` of old programs and `{"threaded":true,"procs":6,…}`; null: a comment. */
function readHeader(text: string): Record<string, string> | null {
  if (!/^\{.*\}$/.test(text)) return null;
  const options: Record<string, string> = {};
  const pairs = text.slice(1, -1).matchAll(/"?([A-Za-z_]\w*)"?:\s*("[^"]*"|\{[^}]*\}|[^\s,{}]*)/g);
  for (const [, key, value] of pairs) options[key!.toLowerCase()] = value!.replaceAll('"', '');
  return Object.keys(options).length === 0 ? null : options;
}
