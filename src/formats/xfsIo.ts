/**
 * Commands of xfs_io as lines of a lane. Checked against xfs_io 6.1.0: words are split at blanks and nothing else (it
 * knows neither quotes nor `;`), `quit` ends the list, commands go by several names, and `-c` runs most of them once for
 * every open file (`-C` and stdin once). Most lines are left as they are,
 * because a lane's lines are xfs_io's; what only prints is left out with a note; everything else that we cannot do is
 * refused by name and column.
 */
import { quote } from '../scenario/numbers.ts';
import { verbs, XFS_IO_SHORT } from '../scenario/parse.ts';
import { didYouMean } from '../scenario/suggest.ts';
import { type PathRef, type RawStep, rawStep } from './mountPath.ts';
import type { Source } from './source.ts';

/** Text of one command and where its characters stand. */
export interface CommandText {
  readonly text: string;
  readonly at: number;
  readonly origin: readonly number[];
  /** Once, on the current file; otherwise on every open file in turn. */
  readonly once?: boolean;
}

/** What one xfs_io process does to a lane. */
export interface XfsIoProcess {
  readonly steps: readonly RawStep[];
  /** What exit does: every mapping, then every file. */
  readonly exit: readonly RawStep[];
  readonly notes: readonly string[];
}

interface Token {
  readonly text: string;
  readonly at: number;
  readonly index: number;
}

/** Only print something, without asking the kernel about the file's bytes. */
const PRINTS = new Set(['print', 'p', 'help', '?', 'lsattr', 'statfs', 'statx', 'inode', 'lsproj', 'label']);

export function isXfsIoVerb(word: string): boolean {
  return (
    Object.hasOwn(XFS_IO_SHORT, word) ||
    XFS_IO.has(word) ||
    PRINTS.has(word) ||
    word === 'quit' ||
    word === 'q'
  );
}

/** Done once whatever is open: CMD_FLAG_ONESHOT of xfs_io. */
const ONE_SHOT = new Set(['open', 'close', 'file', 'mmap', 'mapping', 'flink', 'sync', '@freeze', '@thaw']);

/** Commands that ask the kernel for what another one does, with why. */
const SAME_AS: Readonly<Record<string, readonly [line: string, why: string]>> = {
  resvsp: ['falloc -k', 'the VFS answers this ioctl of XFS with fallocate'],
  unresvsp: ['fpunch', 'the VFS answers this ioctl of XFS with fallocate'],
  zero: ['fzero -k', 'the VFS answers this ioctl of XFS with fallocate'],
  freeze: ['@freeze', 'FIFREEZE'],
  thaw: ['@thaw', 'FITHAW'],
};

/** What the shell has and xfs_io has not. */
const SHELL_WORDS = new Set(
  'mkdir rmdir rm mv ln readlink mknod chmod chown ls setfattr getfattr rmfattr mapping mprotect'.split(' '),
);
const XFS_IO = new Set([
  ...verbs()
    .map(({ verb }) => verb as string)
    .filter((verb) => !SHELL_WORDS.has(verb)),
  'sendfile',
  ...Object.keys(SAME_AS),
]);

export interface XfsIoOptions {
  /** Lines of ours are let through too: @ actors, shell words. */
  readonly own?: boolean;
  /** Files outside the volume that the script has written, hex: `pwrite -i` reads them. */
  readonly data?: ReadonlyMap<string, string>;
}

/**
 * @param opened    the `open` line of each file operand
 * @param commands  what `-c` or stdin gave
 */
export function xfsIoProcess(
  source: Source,
  opened: readonly RawStep[],
  commands: readonly CommandText[],
  { own = false, data = new Map() }: XfsIoOptions = {},
): XfsIoProcess {
  const reader = new Process(source, own, data);
  for (const step of opened) reader.add(step, 'open');
  for (const command of commands) if (!reader.next(command)) break;
  return { steps: reader.steps, exit: reader.exit(), notes: reader.notes };
}

class Process {
  readonly steps: RawStep[] = [];
  readonly notes: string[] = [];
  private readonly source: Source;
  private readonly own: boolean;
  private files = 0;
  private mappings = 0;
  private sent = false;
  private readonly data: ReadonlyMap<string, string>;

  constructor(source: Source, own: boolean, data: ReadonlyMap<string, string>) {
    this.source = source;
    this.own = own;
    this.data = data;
  }

  add(step: RawStep, verb: string): void {
    this.steps.push(step);
    if (verb === 'open') this.files++;
    else if (verb === 'close') this.files--;
    else if (verb === 'mmap') this.mappings++;
    else if (verb === 'munmap') this.mappings--;
    else if (verb === '@remount' || verb === '@crash') this.files = this.mappings = 0;
  }

  exit(): RawStep[] {
    const at = this.steps.at(-1)?.at ?? 0;
    return [
      ...Array.from({ length: Math.max(0, this.mappings) }, () => rawStep(at, 'munmap')),
      ...Array.from({ length: Math.max(0, this.files) }, () => rawStep(at, 'close')),
    ];
  }

  /** @returns false after `quit` */
  next(command: CommandText): boolean {
    const [first] = tokens(command);
    const verb = first === undefined ? '' : longName(first.text);
    const count = this.files;
    if (command.once || count < 2 || ONE_SHOT.has(verb) || !XFS_IO.has(verb)) return this.one(command);
    this.note(first!, `-c does ${verb} on each of the ${count} open files, as xfs_io does; -C does it once`);
    const { sent } = this;
    for (let index = 0; index < count; index++) {
      if (verb === 'munmap' && this.mappings === 0) break;
      this.sent = sent;
      this.steps.push(rawStep(command.at, `file ${index}`));
      this.one(command);
    }
    return true;
  }

  private one(command: CommandText): boolean {
    const words = tokens(command);
    const [first, ...rest] = words;
    if (first === undefined) return true;
    const odd = this.own ? null : ODD.exec(command.text);
    const verb = longName(first.text);
    if (odd === null || odd.index >= first.index + first.text.length) this.known(first, verb);
    if (odd !== null) {
      this.source.fail(
        command.origin[odd.index] ?? command.at,
        `${odd[0]} in an xfs_io command`,
        odd[0] === ';' ? 'one command to a -c' : 'xfs_io takes it as part of a word',
      );
    }
    if (verb === 'quit' || verb === 'q') return false;
    if (PRINTS.has(verb)) return this.left(first, 'prints, and changes nothing');
    if (Object.hasOwn(SAME_AS, verb)) {
      const [line, why] = SAME_AS[verb]!;
      this.note(first, `${first.text} is ${line}: ${why}`);
      this.add(verbatim(command, first, line), line);
      return true;
    }
    const operands = rest.filter(({ text }) => !/^-./.test(text));
    if ((verb === 'open' || verb === 'file' || verb === 'mmap') && rest.length === 0)
      return this.left(first, 'without operands prints a list');
    if (verb === 'sendfile') return this.sendfile(first, rest);
    if (verb === 'open') return this.open(command, first, rest);
    if (verb === 'mmap' && operands.length === 1 && rest.length === 1) {
      this.add(rawStep(first.at, `mapping ${rest[0]!.text}`), 'mapping');
      return true;
    }
    if (verb === 'copy_range' && operands.length > 0 && !rest.some(({ text }) => text === '-f')) {
      const source = operands.at(-1)!;
      this.add(withPath(command, verb, rest, source), verb);
      return true;
    }
    if (verb === 'flink' && rest.length === 1) {
      this.add(withPath(command, verb, rest, rest[0]!), verb);
      return true;
    }
    const input = rest.findIndex(({ text }) => text === '-i');
    if (verb === 'pwrite' && input >= 0) return this.fromFile(first, rest, input);
    if (verb === 'fiemap') return this.fiemap(first, rest);
    if (verb === 'pwrite' || verb === 'mwrite') return this.write(first, verb, rest);
    this.add(verbatim(command, first, verb), verb);
    return true;
  }

  private known(first: Token, verb: string): void {
    const isPrint = PRINTS.has(verb) || verb === 'quit' || verb === 'q';
    if (isPrint || XFS_IO.has(verb) || (this.own && SHELL_WORDS.has(verb))) return;
    const why = isKnownElsewhere(verb)
      ? 'xfs_io has it, ext4lab does not'
      : didYouMean(verb, XFS_IO).replace(/^ \(|\)$/g, '') || 'not a command of xfs_io';
    this.source.fail(first.at, `unsupported command ${quote(first.text)}`, why);
  }

  /** fiemap of a range: the map is that of the whole file here. */
  private fiemap(verb: Token, rest: readonly Token[]): true {
    const kept = rest.filter(({ text }) => /^-[av]+$/.test(text));
    if (kept.length < rest.length)
      this.note(verb, 'fiemap shows the whole file here: its range and the other options are left out');
    this.add(rawStep(verb.at, ['fiemap', ...kept.map(({ text }) => text)].join(' ')), 'fiemap');
    return true;
  }

  /** A write with what xfs_io does beside it: `-w` and `-W` sync at its end, `-V 1` is one vector, `-S` takes a byte. */
  private write(verb: Token, name: string, rest: readonly Token[]): true {
    const pieces: Token[] = [];
    let sync = '';
    for (let i = 0; i < rest.length; i++) {
      const word = rest[i]!;
      const found = /^-([a-zA-Z]*?)(?:([SbxmisfVZ])(.*))?$/.exec(word.text);
      if (found === null || word.text === '-') {
        pieces.push(word);
        continue;
      }
      const [, letters = '', valued, joined = ''] = found;
      if (name === 'pwrite') for (const letter of letters) if (/[wW]/.test(letter)) sync = letter;
      const plain = name === 'pwrite' ? letters.replaceAll(/[wW]/g, '') : letters;
      if (plain !== '') pieces.push({ ...word, text: `-${plain}` });
      if (valued === undefined) continue;
      const value = joined === '' ? rest[++i] : { ...word, text: joined, at: word.at + letters.length + 2 };
      if (value === undefined) this.source.fail(word.at, `-${valued} needs a value`);
      if (valued === 'V' && value.text === '1') {
        this.note(word, '-V 1, a vector of one piece, is left out');
        continue;
      }
      pieces.push({ ...word, text: `-${valued}`, at: value.at - 1 });
      pieces.push(valued === 'S' ? this.lowByte(value) : value);
    }
    this.add(lineOf(verb, name, pieces), name);
    if (sync !== '') this.add(rawStep(verb.at, sync === 'w' ? 'fdatasync' : 'fsync'), 'fsync');
    return true;
  }

  /** xfs_io fills with the low 8 bits of a number. */
  private lowByte(value: Token): Token {
    if (!/^0[xX][0-9a-fA-F]{3,8}$|^[1-9]\d{2,9}$/.test(value.text) || Number(value.text) <= 0xff)
      return value;
    const text = `0x${(Number(value.text) & 0xff).toString(16)}`;
    this.note(value, `-S ${value.text} fills with its low byte, ${text}`);
    return { ...value, text };
  }

  /** `pwrite -i FILE`: the bytes that the script put into FILE. */
  private fromFile(verb: Token, rest: readonly Token[], at: number): true {
    const name = rest[at + 1];
    const hex = name === undefined ? undefined : this.data.get(name.text);
    if (name === undefined || hex === undefined || hex === '') {
      return this.source.fail(
        (name ?? rest[at]!).at,
        `what ${name?.text ?? 'the file'} holds is not known`,
        "printf '\\x41…' > FILE before it says it",
      );
    }
    const others = rest.filter((_, index) => index !== at && index !== at + 1).map(({ text }) => text);
    this.add(rawStep(verb.at, `pwrite -x ${hex} ${others.join(' ')}`), 'pwrite');
    return true;
  }

  private left(word: Token, why: string): true {
    this.note(word, `${word.text} ${why}: left out`);
    return true;
  }

  private note(word: Token, text: string): void {
    const { line, column } = this.source.place(word.at);
    this.notes.push(`${line}:${column}: ${text}`);
  }

  private open(command: CommandText, verb: Token, rest: readonly Token[]): true {
    const kept: Token[] = [];
    let path: Token | undefined;
    for (let i = 0; i < rest.length; i++) {
      const word = rest[i]!;
      if (/^-./.test(word.text)) {
        const letters = word.text.slice(1).replaceAll('x', '');
        if (letters !== word.text.slice(1)) this.note(word, '-x (expert mode) means nothing here: left out');
        if (letters !== '') kept.push({ ...word, text: `-${letters}` });
        if (letters.endsWith('m') && rest[i + 1] !== undefined) kept.push(rest[++i]!);
      } else if (path === undefined) path = word;
      else this.source.fail(word.at, `unexpected ${quote(word.text)} after the path of open`);
    }
    if (path === undefined) this.source.fail(verb.at, 'open without a path', 'usage: open [-options] path');
    this.add(withPath(command, 'open', [...kept, path], path), 'open');
    return true;
  }

  /** sendfile(2) into the current file goes the way of copy_file_range(2): do_splice_direct. */
  private sendfile(verb: Token, rest: readonly Token[]): true {
    let input: Token | undefined;
    let index: Token | undefined;
    const operands: Token[] = [];
    for (let i = 0; i < rest.length; i++) {
      const word = rest[i]!;
      if (word.text === '-q' || word.text === '-w' || word.text === '-W') {
        if (word.text !== '-q')
          this.source.fail(word.at, `sendfile ${word.text} is not supported`, 'write fsync after it');
      } else if (word.text === '-i' || word.text === '-f') {
        const value = rest[++i];
        if (value === undefined) this.source.fail(word.at, `${word.text} needs a value`);
        if (word.text === '-i') input = value;
        else index = value;
      } else if (/^-./.test(word.text)) {
        this.source.fail(word.at, `unknown option ${quote(word.text)} for sendfile`);
      } else operands.push(word);
    }
    if ((input === undefined) === (index === undefined))
      this.source.fail(verb.at, 'sendfile needs one of -i infile and -f N');
    if (operands.length !== 0 && operands.length !== 2)
      this.source.fail(operands.at(-1)!.at, 'sendfile takes no operand, or off and len');
    if (this.sent) {
      this.source.fail(
        verb.at,
        'a second sendfile goes on where the first one ended, which depends on how it went',
        'write copy_range -d OFFSET',
      );
    }
    this.sent = true;
    this.note(verb, 'sendfile is copy_range to offset 0: both splice through the page cache');
    const range = operands.length === 0 ? '' : ` -s ${operands[0]!.text} -l ${operands[1]!.text}`;
    this.add(
      input === undefined
        ? rawStep(verb.at, `copy_range${range} -f ${index!.text}`)
        : rawStep(verb.at, `copy_range${range} `, pathOf(input)),
      'copy_range',
    );
    return true;
  }
}

/** What xfs_io takes as part of a word, and its user hardly means; `$NAME/…` is a path below an unset variable. */
const ODD = /['"`;\\]|(?<![ \t])\$|\$(?![A-Za-z_]\w*(?:\/|[ \t]|$))/;

function longName(word: string): string {
  return Object.hasOwn(XFS_IO_SHORT, word) ? XFS_IO_SHORT[word]! : word;
}

/** A line of words that stand where they were read. */
function lineOf(verb: Token, name: string, words: readonly Token[]): RawStep {
  const origin = Array.from(name, () => verb.at);
  for (const word of words) origin.push(word.at, ...Array.from(word.text, (_, i) => word.at + i));
  return { pieces: [[name, ...words.map(({ text }) => text)].join(' ')], at: verb.at, origin };
}

function isKnownElsewhere(verb: string): boolean {
  return OTHERS.has(verb);
}

const OTHERS = new Set(
  (
    'allocsp bmap bulkstat chproj cowextsize crc32cselftest dedupe enckey_status extsize fadvise freesp fsmap ' +
    'funshare get_encpolicy inumbers log_writes mincore readdir reflink rm_enckey scrub set_encpolicy ' +
    'add_enckey swapext repair shutdown fsuuid exchangerange startupdate commitupdate ' +
    'cancelupdate parent pmap inject resblks getrusage imap bulkstat_single fsrefcounts scrubv aginfo media_error'
  ).split(' '),
);

function tokens({ text, at, origin }: CommandText): Token[] {
  return [...text.matchAll(/[^ \t]+/g)].map((match) => ({
    text: match[0],
    at: origin[match.index] ?? at,
    index: match.index,
  }));
}

const pathOf = ({ text, at }: Token): PathRef => ({ path: text, at });

/** The command as it stands, under its long name. */
function verbatim({ text, at, origin }: CommandText, first: Token, verb: string): RawStep {
  const tail = text.slice(first.index + first.text.length).trimEnd();
  const tailOrigin = Array.from(tail, (_, i) => origin[first.index + first.text.length + i] ?? at);
  return {
    pieces: [verb + tail],
    at: first.at,
    origin: [...Array.from(verb, () => first.at), ...tailOrigin],
  };
}

/** The command with its path to be mapped. */
function withPath(_: CommandText, verb: string, words: readonly Token[], path: Token): RawStep {
  const pieces: (string | PathRef)[] = [verb];
  const origin: number[] = Array.from(verb, () => words[0]?.at ?? path.at);
  for (const word of words) {
    if (word === path) {
      pieces.push(' ', pathOf(word));
      origin.push(word.at);
    } else {
      pieces.push(` ${word.text}`);
      origin.push(word.at, ...Array.from(word.text, (_c, i) => word.at + i));
    }
  }
  return { pieces, at: path.at, origin };
}
