/**
 * Operations of fsx, as it saves them in NAME.fsxops when a run fails and takes them back with `--replay-ops`:
 *
 * ```
 * ["skip "] OP 0xOFFSET 0xLENGTH [0xTO] 0xSIZE_BEFORE [" keep_size"] [" close_open"] [" unshare"] [" *"]
 * ```
 *
 * For `truncate` the second number is the new size; TO is where `copy_range` copies to. `*` marks what overlapped the bad byte and means nothing here. The
 * operations are done on one file, as fsx does them: a mapped write grows the file first, maps whole pages, stores,
 * msyncs and unmaps.
 *
 * fsx writes the number of the operation, and adds random bytes at odd offsets; those are not in the file, so here odd
 * offsets get the offset instead. What ext4 cannot do (`clone_range`, `unshare`) is refused.
 */
import type { Command } from '../scenario/ast.ts';
import { ScenarioError } from '../scenario/error.ts';
import { quote } from '../scenario/numbers.ts';
import type { Scenario } from '../scenario/schema.ts';
import { didYouMean } from '../scenario/suggest.ts';
import type { Draft, Step } from './draft.ts';
import { stepAt } from './draft.ts';
import { Source } from './source.ts';

const PAGE = 4096;
const PATH = '/f';
/** Larger than any file that fsx makes. */
const MAX_SIZE = 1 << 24;

export const FSX_OPS = [
  'read',
  'write',
  'mapread',
  'mapwrite',
  'truncate',
  'fallocate',
  'punch_hole',
  'zero_range',
  'collapse_range',
  'insert_range',
  'copy_range',
  'fsync',
] as const;
export type FsxName = (typeof FSX_OPS)[number];

const REFUSED: Readonly<Record<string, string>> = {
  clone_range: 'ext4 has no shared extents',
  dedupe_range: 'ext4 has no shared extents',
  exchange_range: 'ext4 has no exchange of extents',
  read_dontcache: 'RWF_DONTCACHE is newer than the kernel that is modelled; write it as read',
  write_dontcache: 'RWF_DONTCACHE is newer than the kernel that is modelled; write it as write',
  write_atomic: 'RWF_ATOMIC is not modelled; write it as write',
};

export interface FsxOp {
  readonly op: FsxName;
  readonly skip: boolean;
  readonly offset: number;
  /** The new size of a truncate. */
  readonly length: number;
  /** Where copy_range copies to; 0 for the others. */
  readonly to: number;
  /** Size of the file before it. */
  readonly size: number;
  readonly keepSize: boolean;
  readonly closeOpen: boolean;
  /** Where it stands in the file; 0 for one that comes from a scenario. */
  readonly at: number;
}

/** @throws ScenarioError naming line and column */
export function readFsxOps(source: Source): FsxOp[] {
  const ops: FsxOp[] = [];
  for (const { text, at } of source.lines()) {
    if (/^\s*(#|$)/.test(text)) continue;
    ops.push(readOp(source, text, at));
  }
  if (ops.length === 0) source.fail(0, 'no fsx operation', 'a line is OP 0xOFFSET 0xLENGTH 0xSIZE');
  return ops;
}

function readOp(source: Source, text: string, start: number): FsxOp {
  const words = [...text.matchAll(/\S+/g)].map((match) => ({ text: match[0], at: start + match.index }));
  const skip = words[0]!.text === 'skip';
  if (skip) words.shift();
  const [op, ...rest] = words;
  if (op === undefined) source.fail(start + text.length, 'skip of nothing');
  if (!(FSX_OPS as readonly string[]).includes(op.text)) {
    if (Object.hasOwn(REFUSED, op.text)) source.fail(op.at, `${op.text} is not supported`, REFUSED[op.text]);
    source.fail(
      op.at,
      `unknown fsx operation ${quote(op.text)}${didYouMean(op.text, FSX_OPS)}`,
      /^(LOG|\d+[(:]?|\d+\(\d+)$/.test(op.text)
        ? 'this is what fsx prints; it saves its operations in NAME.fsxops beside the file'
        : undefined,
    );
  }
  const number = (index: number, what: string): number => {
    const word = rest[index];
    if (word === undefined) return source.fail(start + text.length, `${op.text} needs ${what}`);
    if (!/^(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,9})$/.test(word.text))
      source.fail(word.at, `${quote(word.text)} is not ${what}`, 'a number as in 0x2a');
    const value = /^0[0-7]+$/.test(word.text) ? Number.parseInt(word.text, 8) : Number(word.text);
    if (value > MAX_SIZE)
      source.fail(word.at, `${word.text} is more than a file may have here`, `at most ${MAX_SIZE}`);
    return value;
  };
  const [offset, length] = [number(0, 'an offset'), number(1, 'a length')];
  const copies = op.text === 'copy_range';
  const to = copies ? number(2, 'an offset to copy to') : 0;
  const size = number(copies ? 3 : 2, 'a size');
  let keepSize = false;
  let closeOpen = false;
  for (const word of rest.slice(copies ? 4 : 3)) {
    if (word.text === 'keep_size') {
      if (!['fallocate', 'zero_range', 'punch_hole'].includes(op.text))
        source.fail(word.at, `${op.text} takes no keep_size`);
      keepSize = true;
    } else if (word.text === 'close_open') closeOpen = true;
    else if (word.text === 'unshare' && op.text === 'fallocate')
      source.fail(word.at, 'unshare is not supported', 'ext4 has no shared extents');
    else if (word.text !== '*')
      source.fail(word.at, `unexpected ${quote(word.text)}`, 'keep_size, close_open or *');
  }
  return { op: op.text as FsxName, skip, offset, length, to, size, keepSize, closeOpen, at: op.at };
}

export function readFsx(text: string, file: string): { draft: Draft; source: Source } {
  const source = new Source(text, file);
  const ops = readFsxOps(source);
  const steps: Step[] = [stepAt(ops[0]!.at, `open -f ${PATH}`)];
  const notes: string[] = [];
  ops.forEach((op, index) => {
    if (!op.skip) for (const line of linesOf(op, index + 1, source)) steps.push(stepAt(op.at, line));
    if (op.closeOpen) steps.push(stepAt(op.at, 'close'), stepAt(op.at, `open ${PATH}`));
  });
  const skipped = ops.filter(({ skip }) => skip).length;
  if (skipped > 0) notes.push(`${skipped} skipped operations are left out`);
  if (ops.some(({ op, skip }) => !skip && /write/.test(op)))
    notes.push(
      'fsx adds random bytes at odd offsets, which its file does not have: there the offset is added',
    );
  if (ops[0]!.size > 0) {
    steps.splice(1, 0, stepAt(ops[0]!.at, `truncate ${ops[0]!.size}`));
    notes.push(
      `the file had ${ops[0]!.size} bytes before the first operation: it begins as a hole of that size`,
    );
  }
  return { draft: { setup: [], lanes: [{ name: 'fsx', steps }], after: [], paths: [PATH], notes }, source };
}

/** The lines of one operation. */
function linesOf(
  { op, offset, length, to, size, keepSize, at }: FsxOp,
  number: number,
  source: Source,
): string[] {
  const range = `${offset} ${length}`;
  const start = offset - (offset % PAGE);
  const mapped = `${start} ${offset - start + length}`;
  const keep = keepSize ? '-k ' : '';
  if (length === 0 && op !== 'truncate' && op !== 'fsync')
    source.fail(at, `${op} of 0 bytes`, 'fsx skips these');
  switch (op) {
    case 'read':
      return [`pread -b ${length} ${range}`];
    case 'write':
      return [`pwrite -b ${length} -x ${pattern(offset, length, number)} ${offset}`];
    case 'mapread':
      return [`mmap -r ${mapped}`, `mread ${range}`, 'munmap'];
    case 'mapwrite':
      return [
        ...(offset + length > size ? [`truncate ${offset + length}`] : []),
        `mmap -rw ${mapped}`,
        `mwrite -x ${pattern(offset, length, number)} ${offset}`,
        'msync -s',
        'munmap',
      ];
    case 'truncate':
      return [`truncate ${length}`];
    case 'fallocate':
      return [`falloc ${keep}${range}`];
    case 'punch_hole':
      return [`fpunch ${range}`];
    case 'zero_range':
      return [`fzero ${keep}${range}`];
    case 'collapse_range':
      return [`fcollapse ${range}`];
    case 'insert_range':
      return [`finsert ${range}`];
    case 'copy_range':
      return [`copy_range -s ${offset} -d ${to} -l ${length} ${PATH}`];
    case 'fsync':
      return ['fsync'];
  }
}

/** What fsx's gendata writes, with the offset for its random bytes. */
function pattern(offset: number, length: number, number: number): string {
  let hex = '';
  for (let i = offset; i < offset + length; i++) {
    const byte = (number + (i % 2 === 1 ? i : 0)) & 0xff;
    hex += byte.toString(16).padStart(2, '0');
  }
  return hex;
}

/**
 * A scenario with one lane on one file as operations for `fsx --replay-ops`.
 * @throws ScenarioError naming the line that fsx has no operation for
 */
export function fsxOps(scenario: Scenario): string {
  if (scenario.lanes.length !== 1)
    throw new ScenarioError(`${scenario.lanes.length} lanes: fsx has one`, { file: scenario.file });
  const writer = new Writer(scenario.file);
  for (const lines of [scenario.setup, scenario.lanes[0]!.lines]) {
    for (const [index, line] of lines.entries()) writer.next(line.command, line, lines[index + 1]?.command);
    writer.exit();
  }
  return writer.end();
}

interface Place {
  readonly lane: string;
  readonly line: number;
}

class Writer {
  private readonly rows: string[] = [];
  private readonly file: string;
  private size = 0;
  private path: string | null = null;
  private open = false;
  private exited = false;
  /** The size as it will be when a truncate that only makes room for a mapped write has been taken back. */
  private grown: { size: number; row: number } | null = null;
  private mapping: { start: number; end: number; stored: boolean } | null = null;

  constructor(file: string) {
    this.file = file;
  }

  end(): string {
    return `${this.rows.join('\n')}\n`;
  }

  /** The setup is a process of its own: what it leaves open is closed. */
  exit(): void {
    this.exited = this.open && this.rows.length > 0;
    this.open = false;
    this.mapping = null;
  }

  next(command: Command, place: Place, following: Command | undefined): void {
    const fail = (problem: string, hint?: string): never => {
      throw new ScenarioError(
        problem,
        { file: this.file, lane: place.lane, line: place.line, column: 1 },
        hint,
      );
    };
    const row = (op: FsxName, offset: number, length: number, flags = '', to?: number): void => {
      const hex = (value: number): string => `0x${value.toString(16)}`;
      const numbers = [offset, length, ...(to === undefined ? [] : [to]), this.size].map(hex);
      this.rows.push(`${op} ${numbers.join(' ')}${flags}`);
    };
    const inside = (offset: number, length: number): void => {
      if (offset + length > this.size) fail(`reads past the end of the file, which fsx skips`);
    };
    const one = (): void => {
      if (!this.open) fail(`${command.verb} on no open file`);
    };
    if (command.verb !== 'mmap' && command.verb !== 'mwrite') this.grown = null;
    switch (command.verb) {
      case 'open':
        if (this.path !== null && this.path !== command.path) fail('a second file: fsx has one');
        if (this.open) fail('the file is open already: fsx has one descriptor');
        if (command.readonly || command.append || command.direct || command.sync || command.tmpfile)
          fail('fsx opens its file for reading and writing, without other flags');
        if (command.truncate && this.rows.length > 0)
          fail('O_TRUNC is no operation of fsx', 'write truncate 0');
        if (this.exited) this.rows.push(`${this.rows.pop()!} close_open`);
        this.exited = false;
        this.path = command.path;
        this.open = true;
        return;
      case 'close': {
        one();
        if (following?.verb !== 'open' && following !== undefined)
          fail('fsx closes its file only to open it again');
        if (following !== undefined) {
          if (this.rows.length === 0) fail('fsx closes after an operation');
          this.rows.push(`${this.rows.pop()!} close_open`);
        }
        this.open = false;
        return;
      }
      case 'pwrite':
        one();
        if (command.from !== undefined || command.dsync) fail('fsx writes from its own buffer');
        if (command.block < command.length) fail('in several calls', `-b ${command.length} makes it one`);
        row('write', command.offset, command.length);
        this.size = Math.max(this.size, command.offset + command.length);
        return;
      case 'pread':
        one();
        if (command.into !== undefined) fail('fsx reads into its own buffer');
        if (command.block < command.length) fail('in several calls', `-b ${command.length} makes it one`);
        inside(command.offset, command.length);
        row('read', command.offset, command.length);
        return;
      case 'truncate':
        one();
        if (following?.verb === 'mmap') this.grown = { size: this.size, row: this.rows.length };
        row('truncate', 0, command.length);
        this.size = command.length;
        return;
      case 'falloc':
        one();
        row('fallocate', command.offset, command.length, command.keepSize ? ' keep_size' : '');
        if (!command.keepSize) this.size = Math.max(this.size, command.offset + command.length);
        return;
      case 'fpunch':
        one();
        row('punch_hole', command.offset, command.length);
        return;
      case 'fzero':
        one();
        row('zero_range', command.offset, command.length, command.keepSize ? ' keep_size' : '');
        if (!command.keepSize) this.size = Math.max(this.size, command.offset + command.length);
        return;
      case 'fcollapse':
        one();
        row('collapse_range', command.offset, command.length);
        this.size -= command.length;
        return;
      case 'finsert':
        one();
        row('insert_range', command.offset, command.length);
        this.size += command.length;
        return;
      case 'copy_range':
        one();
        if ((command.path ?? this.path) !== this.path) fail('from a second file: fsx has one');
        if (command.length === null) return fail('all there is: fsx copies a range', 'give -l');
        inside(command.from, command.length);
        row('copy_range', command.from, command.length, '', command.to);
        this.size = Math.max(this.size, command.to + command.length);
        return;
      case 'fsync':
        one();
        row('fsync', 0, 0);
        return;
      case 'mmap':
        one();
        if (!command.shared) fail('fsx maps shared');
        if (this.mapping !== null) fail('a second mapping: fsx has one at a time');
        this.mapping = { start: command.offset, end: command.offset + command.length, stored: false };
        return;
      case 'mwrite': {
        if (this.mapping === null) fail('a store without a mapping');
        const { offset, length } = command;
        if (offset + length > this.size) fail('a store past the end of the file, which fsx does not do');
        if (this.grown !== null && offset + length === this.size) {
          this.rows.length = this.grown.row;
          this.size = this.grown.size;
        }
        row('mapwrite', offset, length);
        this.size = Math.max(this.size, offset + length);
        this.mapping!.stored = true;
        return;
      }
      case 'mread':
        if (this.mapping === null) fail('a load without a mapping');
        inside(command.offset, command.length);
        row('mapread', command.offset, command.length);
        return;
      case 'msync':
        if (!command.sync) fail('fsx syncs what it stores with MS_SYNC');
        return;
      case 'munmap':
        this.mapping = null;
        return;
      default:
        fail(`fsx has no operation for ${command.verb}`);
    }
  }
}
