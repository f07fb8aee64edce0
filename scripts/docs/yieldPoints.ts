/**
 * Yield points, read from the sources: in every function that models the kernel, the steps it takes in the order of
 * its text. "All schedules" means all orders of these.
 */
import * as locks from '../../src/locks/lock.ts';
import {
  argumentsAt,
  commentBefore,
  endOfParens,
  functionsOf,
  literals,
  type SourceFile,
  sourceFiles,
} from './source.ts';

/** Folders whose functions run as tasks. */
const FOLDERS = ['device', 'balloc', 'inode', 'inline', 'xattr', 'pagecache', 'writeback', 'vfs', 'designs'];

export interface YieldPoint {
  /** A yield of this function, or what it runs, whose yields are listed there. */
  readonly kind: 'step' | 'wait' | 'lock' | 'trylock' | 'unlock' | 'locked' | 'call' | 'runs' | 'hook';
  readonly label: string;
  /** call: our name of the function. */
  readonly runs?: string;
}

export interface OpPoints {
  readonly name: string;
  readonly file: string;
  /** `fs/ext4/inline.c ext4_prepare_inline_data`, as the comment says; empty where it does not. */
  readonly source: string;
  readonly points: readonly YieldPoint[];
}

const KINDS: Readonly<Record<string, YieldPoint['kind']>> = {
  step: 'step',
  waitFor: 'wait',
  lock: 'lock',
  tryLock: 'trylock',
  unlock: 'unlock',
  locked: 'locked',
  call: 'call',
};

/** `down_write(&ei->xattr_sem)`, without the instance. */
function lockText(expression: string, mode: 'shared' | 'exclusive' | 'unlock'): string {
  const name = /^\w+/.exec(expression)?.[0] ?? '';
  const found = (locks as Record<string, unknown>)[name];
  const ref = (typeof found === 'function' ? found(0, 0) : found) as locks.LockRef | undefined;
  if (ref?.class === undefined) return `${mode === 'unlock' ? 'unlock' : 'lock'} ${expression}`;
  return locks.lockLabel(ref, mode).replace(/\(0:0\)$/, '');
}

const modeOf = (argument: string | undefined): 'shared' | 'exclusive' =>
  argument?.includes('shared') === true ? 'shared' : 'exclusive';

function pointOf(word: string, args: readonly string[]): YieldPoint {
  const kind = KINDS[word]!;
  switch (kind) {
    case 'lock':
    case 'trylock':
      return { kind, label: lockText(args[1]!, modeOf(args[2])) };
    case 'unlock':
      return { kind, label: lockText(args[1]!, 'unlock') };
    case 'locked':
      return { kind, label: `${literals(args[3]!)}, under ${lockText(args[1]!, modeOf(args[2]))}` };
    case 'call': {
      // What runs in the frame, where it is one function.
      const made = /=>\s*(?:k\.hooks\.)?(\w+)\(/.exec(args[2] ?? '')?.[1];
      return { kind, label: literals(args[1]!), ...(made === undefined ? {} : { runs: made }) };
    }
    default:
      return { kind, label: literals(args[1]!) };
  }
}

/** All functions of src that have a yield point, by file. */
export function yieldPoints(): OpPoints[] {
  const files = sourceFiles().filter(({ name }) => FOLDERS.includes(name.split('/')[0]!));
  let ops: OpPoints[] = [];
  // Once more for those whose only yields are those of what they run, until nothing new is found.
  for (let known = -1; known !== ops.length; ) {
    known = ops.length;
    const names = new Set(ops.map(({ name }) => name));
    ops = files.flatMap((file) => opsOf(file, names)).filter(({ points }) => points.length > 0);
  }
  return ops;
}

interface Hit {
  readonly from: number;
  readonly to: number;
  readonly point: YieldPoint;
}

function opsOf(file: SourceFile, known: ReadonlySet<string>): OpPoints[] {
  const { code } = file;
  const places = functionsOf(file);
  const hits: Hit[] = [];
  for (const match of code.matchAll(
    /(?<![.\w])(step|waitFor|lock|tryLock|unlock|locked|call)(?:<[^>()]*>)?\(\s*\w+,/g,
  )) {
    const parens = match.index + match[0].indexOf('(');
    const point = pointOf(match[1]!, argumentsAt(code, parens));
    hits.push({ from: match.index, to: endOfParens(code, parens), point });
  }
  for (const match of code.matchAll(/(?<![.\w])(k\.hooks\.)?(\w+)(?=\((?:k|task)\b(?!:))/g)) {
    const [, hooks, name] = match;
    const isHook = hooks !== undefined && !['dirtyFolio', 'releaseFolio'].includes(name!);
    if (!isHook && (hooks !== undefined || !known.has(name!) || KINDS[name!] !== undefined)) continue;
    if (/function\* $/.test(code.slice(0, match.index)) || /\n\s*\*$/.test(code.slice(0, match.index)))
      continue;
    hits.push({
      from: match.index,
      to: match.index,
      point: { kind: isHook ? 'hook' : 'runs', label: name! },
    });
  }
  const outer = hits.filter(({ from, to }) => !hits.some((other) => other.from < from && to <= other.to));
  outer.sort((a, b) => a.from - b.from);
  return places.map((place) => ({
    name: place.name,
    file: file.name,
    source: sourceOf(file.text, place.from),
    points: outer
      .filter(({ from }) => places.findLast((each) => each.from <= from && from <= each.to) === place)
      .map(({ point }) => point),
  }));
}

function sourceOf(text: string, at: number): string {
  const comment = commentBefore(text, at).join(' ');
  return /@source\s+([^@]*)/.exec(comment)?.[1]?.trim() ?? '';
}

const WORDS: Readonly<Record<YieldPoint['kind'], string>> = {
  step: '',
  wait: 'wait: ',
  lock: 'lock: ',
  trylock: 'try: ',
  unlock: 'unlock: ',
  locked: 'section: ',
  call: 'call: ',
  runs: 'runs: ',
  hook: 'hook: ',
};

/** How many steps a scheduler may choose between are in the list. */
export function countYields(ops: readonly OpPoints[]): number {
  return ops.flatMap(({ points }) => points).filter(({ kind }) => !['call', 'runs', 'hook'].includes(kind))
    .length;
}

export function yieldPointsPage(): string {
  const ops = yieldPoints();
  const lines = [
    '# Yield points',
    '',
    'Generated from the sources by `npx tsx scripts/generate-docs.ts`; a test holds it against them.',
    '',
    'A task runs alone from one yield point to the next. Before every line below another task may take any number of',
    'steps; inside one it may not. Between yields execution is sequentially consistent. So this list is what "all',
    'schedules" means, and adding or removing a line changes every verdict: it belongs in a review.',
    '',
    '- a plain line is one step; `section` is a leaf critical section taken, run and left in one step; `wait` is a step',
    '  that can run only when its condition holds; `lock`, `try`, `unlock` are steps of their own',
    '- `call` opens a frame: when the function returns, its locals are forgotten. `runs` does the same without a frame.',
    '  `hook` asks the design. None of the three is a step.',
    '',
    `${countYields(ops)} yield points in ${ops.length} functions.`,
  ];
  let file = '';
  for (const op of ops) {
    if (op.file !== file) lines.push('', `## src/${(file = op.file)}`);
    lines.push('', `**${op.name}**${op.source === '' ? '' : ` — ${op.source}`}`, '');
    for (const [at, { kind, label, runs }] of op.points.entries())
      lines.push(`${at + 1}. ${WORDS[kind]}${code(label)}${runs === undefined ? '' : ` (${runs})`}`);
  }
  return `${lines.join('\n')}\n`;
}

const code = (text: string): string => (text.includes('`') ? text : `\`${text}\``);
