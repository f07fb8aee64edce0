/**
 * A lane: its lines parsed in order, and what can be known of them without running them. As in xfs_io, a lane has a
 * list of open files and a list of mappings, one of each current; a verb that needs one where no earlier line can
 * have made one is an error here, with its place, instead of an EBADF nobody meant to ask for.
 *
 * The lists, as xfs_io 6.1.0 keeps them (whoever runs a lane must do the same):
 *   - `open` and `mmap` append, and what they made becomes current; a failed call changes nothing;
 *   - `close` and `munmap` take the current one out and later ones move down by one: the one after it becomes
 *     current, or the last one where it was the last;
 *   - a mapping outlives the file it was made from.
 * `@remount` and `@crash` end every process, so the lists of a lane are empty after them. A lane that another one
 * makes with `@fork` begins with the lists that its parent has there.
 *
 * Not verified here: what depends on a call's success, such as the number that a later `file N` means when an
 * `open` before it failed.
 */
import type { Command, Line, Verb } from './ast.ts';
import { type Place, ScenarioError } from './error.ts';
import { parseLine } from './parse.ts';
import { didYouMean } from './suggest.ts';

const ON_FILE: ReadonlySet<Verb> = new Set<Verb>([
  ...(['close', 'pwrite', 'pread', 'mmap', 'truncate', 'falloc', 'fpunch', 'fzero', 'fcollapse'] as const),
  ...(['finsert', 'fsync', 'fdatasync', 'syncfs', 'stat', 'fiemap', 'seek', 'chattr'] as const),
  ...(['flink', 'utimes', 'sync_range', 'copy_range'] as const),
]);
const ON_MAPPING: ReadonlySet<Verb> = new Set<Verb>([
  ...(['munmap', 'mwrite', 'mread', 'msync', 'mprotect', 'mremap', 'madvise', '@gup'] as const),
]);

/**
 * @param texts  the lines of one lane
 * @param place  file and lane; lines are numbered from 1
 * @throws       ScenarioError at the first line that cannot be read or has nothing to work on
 */
export function parseLane(
  texts: readonly string[],
  place: Omit<Place, 'line'>,
  lane: LaneCheck = new LaneCheck(),
  onFork: (child: string, lane: LaneCheck, place: Place) => void = () => {},
): Line[] {
  return texts.map((text, index) => {
    const linePlace = { ...place, line: index + 1 };
    const line = parseLine(text, linePlace);
    lane.next(line.command, linePlace);
    if (line.command.verb === '@fork') onFork(line.command.lane, lane, linePlace);
    return line;
  });
}

/**
 * The lanes of a scenario, parents before those they make.
 * @throws ScenarioError as `parseLane`; for an `@fork` of a lane that is not there, is the lane itself or one that it
 *         comes from, or is made already
 */
export function parseLanes(
  tasks: Readonly<Record<string, readonly string[]>>,
  file?: string,
): Readonly<Record<string, Line[]>> {
  const names = Object.keys(tasks);
  const made = new Set(names.flatMap((name) => tasks[name]!.flatMap((text) => FORK.exec(text)?.[1] ?? [])));
  const parsed: Record<string, Line[]> = {};
  const parse = (name: string, start: LaneCheck): void => {
    const children: [string, LaneCheck][] = [];
    parsed[name] = parseLane(tasks[name]!, { file, lane: name }, start, (child, lane, place) => {
      const wrong = (why: string, hint?: string): ScenarioError =>
        new ScenarioError(`@fork ${child}: ${why}`, { ...place, column: 1 }, hint);
      if (!names.includes(child)) throw wrong(`no such lane${didYouMean(child, names)}`);
      if (Object.hasOwn(parsed, child))
        throw wrong(child === name ? 'a lane does not make itself' : 'it is there already');
      if (children.some(([other]) => other === child)) throw wrong('it is made once already');
      children.push([child, lane.copy()]);
    });
    for (const [child, lane] of children) parse(child, lane);
  };
  for (const name of names) if (!made.has(name)) parse(name, new LaneCheck());
  // What is left is made by nobody that runs: parsed as if it began alone, so that its own @fork is what is complained of.
  for (const name of names) if (!Object.hasOwn(parsed, name)) parse(name, new LaneCheck());
  return parsed;
}

const FORK = /^\s*@fork\s+(\S+)/;

/**
 * A script: one command a line, as a file for `exec`. Blank lines and lines that begin with `#` are left out;
 * line numbers are those of the text.
 */
export function parseScript(text: string, file?: string): Line[] {
  const lane = new LaneCheck();
  const lines: Line[] = [];
  for (const [index, row] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(row)) continue;
    const place = { file, lane: 'script', line: index + 1 };
    const line = parseLine(row, place);
    lane.next(line.command, place);
    lines.push(line);
  }
  return lines;
}

interface MappedRange {
  readonly offset: number;
  readonly length: number;
}

/** What a lane has open and mapped, as far as its lines say. */
export class LaneCheck {
  private fileCount = 0;
  private mappings: MappedRange[] = [];
  private current = 0;

  /** What a child begins with. */
  copy(): LaneCheck {
    const child = new LaneCheck();
    child.fileCount = this.fileCount;
    child.mappings = [...this.mappings];
    child.current = this.current;
    return child;
  }

  next(command: Command, place: Place): void {
    const { verb } = command;
    const fail = (problem: string, hint: string): never => {
      throw new ScenarioError(problem, { ...place, column: 1 }, hint);
    };
    if (ON_FILE.has(verb) && this.fileCount === 0) {
      fail(`${verb} needs an open file`, 'open one in this lane first: open -f /f');
    }
    const buffer =
      command.verb === 'pwrite' ? command.from : command.verb === 'pread' ? command.into : undefined;
    if ((ON_MAPPING.has(verb) || buffer !== undefined) && this.mappings.length === 0) {
      fail(`${verb} needs a mapping`, 'map the file in this lane first: mmap -rw 0 4k');
    }
    switch (verb) {
      case 'open':
        this.fileCount++;
        break;
      case 'close':
        this.fileCount--;
        break;
      case 'file':
        if (command.index >= this.fileCount)
          fail(`no file ${command.index}`, counted(this.fileCount, 'open file'));
        break;
      case 'copy_range':
        if (command.path === null && command.file >= this.fileCount)
          fail(`no file ${command.file}`, counted(this.fileCount, 'open file'));
        break;
      case 'mmap':
        this.current = this.mappings.push({ offset: command.offset, length: command.length }) - 1;
        break;
      case 'mremap': {
        const { offset, length } = this.mappings[this.current]!;
        const pages = Math.ceil(length / 4096) * 4096;
        const grows = command.length > pages && !command.mayMove;
        if (command.length > 0 && !grows) this.mappings[this.current] = { offset, length: command.length };
        break;
      }
      case 'madvise':
        if (command.range !== null && command.range !== 'mapping')
          this.inside(command.range.offset, command.range.length, fail);
        break;
      case 'munmap':
        this.mappings.splice(this.current, 1);
        this.current = Math.max(0, Math.min(this.current, this.mappings.length - 1));
        break;
      case 'mapping':
        if (command.index >= this.mappings.length) {
          fail(`no mapping ${command.index}`, counted(this.mappings.length, 'mapping'));
        }
        this.current = command.index;
        break;
      case 'pwrite':
      case 'pread':
        if (buffer !== undefined) this.inside(buffer, command.length, fail);
        break;
      case 'mwrite':
      case '@gup':
      case 'mread':
        this.inside(command.offset, command.length, fail);
        break;
      case 'msync':
        if (command.length !== null) this.inside(command.offset, command.length, fail);
        break;
      case '@remount':
      case '@crash':
        this.fileCount = 0;
        this.mappings = [];
        this.current = 0;
        break;
    }
  }

  private inside(offset: number, length: number, fail: (problem: string, hint: string) => never): void {
    const mapped = this.mappings[this.current]!;
    if (offset < mapped.offset || offset + length > mapped.offset + mapped.length) {
      fail(
        `bytes ${offset} to ${offset + length} are not all in the current mapping`,
        `it maps ${mapped.offset} to ${mapped.offset + mapped.length}; offsets are those of the file`,
      );
    }
  }
}

function counted(count: number, noun: string): string {
  return count === 0 ? `this lane has no ${noun}` : `this lane has ${count}, counted from 0`;
}
