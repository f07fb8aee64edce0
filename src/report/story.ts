/**
 * A trace as a CPU0/CPU1 story: the steps that changed something a reader cares about, under the scenario line and
 * the innermost kernel functions they happened in, up to the step where an invariant broke.
 *
 * What a step did is read from its field changes, never from its label: `INLINE_DATA=0`, `folio 0 dirty`,
 * `block 1160 reaches the medium`. Locks that two lanes contend for are shown; the rest of the noise is left out.
 */
import { Bytes } from '../bytes/bytes.ts';
import { INODE_FLAG } from '../inode/layout.ts';
import type { FieldChange } from '../state/recording.ts';
import { BH } from '../state/tables.ts';
import type { Trace, Transaction, Wait } from '../trace/transaction.ts';
import type { Diagram, DiagramRow } from './cpuDiagram.ts';

export interface StoryOptions {
  readonly title: string;
  readonly footer: string;
  /** Last step shown; the broken invariant is said after it. */
  readonly upTo?: number;
  /** What is broken there. */
  readonly broken?: string;
  /** Kernel functions shown above a step, innermost. Default 2. */
  readonly frames?: number;
}

/** Locks that are worth a line when more than one lane runs. */
const SHOWN_LOCKS = new Set(['i_rwsem', 'xattr_sem', 'folio', 'invalidate_lock', 'mmap_lock']);

export function storyOf(trace: Trace, options: StoryOptions): Diagram {
  const { upTo = trace.steps.length - 1, frames = 2 } = options;
  const active = [...new Set(trace.steps.slice(0, upTo + 1).map((step) => step.task))].sort((a, b) => a - b);
  const column = new Map(active.map((task, index) => [task, index]));
  const waits = upTo === trace.steps.length - 1 ? (trace.deadlock?.waits ?? []) : [];
  const contended = contendedLocks(trace.steps.slice(0, upTo + 1), waits);
  const rows: DiagramRow[] = [];
  const width = Math.floor((75 - Math.max(0, active.length - 1)) / Math.max(1, active.length));
  const open = new Map<number, string[]>();
  for (const step of trace.steps.slice(0, upTo + 1)) {
    const lane = column.get(step.task)!;
    const said = tellStep(step, contended);
    const isLast = step.step === upTo;
    if (said === null && !isLast) continue;
    const stack = shownStack(step.stack, frames);
    const before = open.get(lane) ?? [];
    let same = 0;
    while (same < stack.length && same < before.length && stack[same] === before[same]) same++;
    for (let depth = same; depth < stack.length; depth++) {
      rows.push({ lane, depth, text: stack[depth]!, ...(depth === 0 ? { mark: 'result' as const } : {}) });
    }
    open.set(lane, stack);
    if (said !== null) {
      const whole = [said.label, said.facts.join(', ')].filter((part) => part !== '').join(': ');
      const fits = whole.length + 2 * stack.length <= width;
      const texts = fits ? [whole] : [said.label, ...said.facts.map((fact) => `| ${fact}`)];
      for (const text of texts) rows.push({ lane, depth: stack.length, text, mark: 'result' });
    }
    if (isLast) {
      for (const { task, label, stack: at } of waits) {
        const waiter = column.get(task);
        if (waiter === undefined) continue;
        const functions = shownStack(at, frames);
        functions.forEach((text, depth) => {
          if (open.get(waiter)?.[depth] !== text) rows.push({ lane: waiter, depth, text, mark: 'result' });
        });
        rows.push({ lane: waiter, depth: functions.length, text: label, mark: 'wait' });
      }
    }
    if (isLast && options.broken !== undefined) {
      const isBug = options.broken === 'bug-on';
      const words = [`${isBug ? '' : 'broken: '}*** ${options.broken} ***`, `*** ${options.broken} ***`];
      const text =
        words.find((each) => each.length + (isBug ? 'BUG: '.length : 0) <= width) ?? options.broken;
      rows.push({ lane, depth: 0, text, mark: isBug ? 'bug' : 'result' });
    }
  }
  return {
    lanes: active.map((task) => trace.lanes[task]!),
    rows: shortenRepeats(rows),
    title: options.title,
    footer: options.footer,
  };
}

/** Rows that come again are of so many at most. */
const LONGEST_PERIOD = 40;
/** So many times in a row are told one by one. */
const MOST_TIMES = 4;

/** The same over and over, but for its numbers, is told once, counted, and told a last time. */
function shortenRepeats(rows: readonly DiagramRow[]): DiagramRow[] {
  const shapes = rows.map(({ lane, depth, text }) => `${lane} ${depth} ${text.replace(/\d+/g, '#')}`);
  const shown: DiagramRow[] = [];
  for (let at = 0; at < rows.length; ) {
    const found = repeatAt(shapes, at);
    if (found === null) {
      shown.push(rows[at]!);
      at++;
      continue;
    }
    const { period, times } = found;
    const { lane, depth } = rows[at]!;
    const text = `... ${times - 2} times more`;
    const end = at + period * times;
    shown.push(...rows.slice(at, at + period), { lane, depth, text, mark: 'result' });
    shown.push(...rows.slice(end - period, end));
    at = end;
  }
  return shown;
}

/** The shortest run of shapes that comes more than `MOST_TIMES` times from `at` on. */
function repeatAt(shapes: readonly string[], at: number): { period: number; times: number } | null {
  for (let period = 1; period <= LONGEST_PERIOD; period++) {
    let same = 0;
    while (at + same + period < shapes.length && shapes[at + same] === shapes[at + same + period]) same++;
    const times = Math.floor(same / period) + 1;
    if (times > MOST_TIMES) return { period, times };
  }
  return null;
}

/** The scenario line, and the innermost functions. */
function shownStack(stack: readonly string[], frames: number): string[] {
  const [line, ...inner] = stack;
  const functions = inner.filter((name) =>
    /^(ext4|jbd2|block|filemap|truncate|writeback|sync|generic_perform)/.test(name),
  );
  return line === undefined ? [] : [line, ...functions.slice(-frames)];
}

/** Locks that one lane took while another had asked for it, or that two lanes took at all. */
export function contendedLocks(steps: readonly Transaction[], waits: readonly Wait[]): ReadonlySet<string> {
  const takers = new Map<string, Set<number>>();
  for (const { task, lock } of waits)
    if (lock !== null) takers.set(`${lock.lock} ${lock.instance}`, new Set([task]));
  for (const { task, effects } of steps) {
    for (const effect of effects) {
      if (effect.type !== 'acquire' && effect.type !== 'queue') continue;
      if (!SHOWN_LOCKS.has(effect.lock)) continue;
      const key = `${effect.lock} ${effect.instance}`;
      takers.set(key, (takers.get(key) ?? new Set()).add(task));
    }
  }
  return new Set([...takers].filter(([, tasks]) => tasks.size > 1).map(([key]) => key));
}

/** What to say about a step; null when it is not worth a line. */
export function tellStep(
  step: Transaction,
  contended: ReadonlySet<string>,
): { label: string; facts: string[] } | null {
  if (step.kind === 'lock' || step.kind === 'unlock' || step.kind === 'trylock') {
    const effect = step.effects.find((each) => 'lock' in each);
    if (effect === undefined || !('lock' in effect)) return null;
    return contended.has(`${effect.lock} ${effect.instance}`) ? { label: step.label, facts: [] } : null;
  }
  const facts = factsOf(step.changes);
  for (const effect of step.effects) {
    if (effect.type === 'submit') facts.push(`block ${effect.block} to the medium (${effect.why})`);
    if (effect.type === 'finding') facts.push(`finding: ${effect.id}`);
    if (effect.type === 'commit') facts.push(`commit: ${effect.blocks.length} blocks in the log`);
    if (effect.type === 'result' && effect.result.errno !== undefined) facts.push(`= ${effect.result.errno}`);
  }
  if (facts.length > 0) return { label: step.label, facts: [...new Set(facts)] };
  // A look at the bits that races are made of, even when it changed nothing.
  return /MAY_INLINE|has_inline|inline\?/.test(step.label) ? { label: step.label, facts: [] } : null;
}

/** Facts about one step's changes, in the words of the field. */
export function factsOf(changes: readonly FieldChange[]): string[] {
  const facts: string[] = [];
  for (const { table, key, field, before, after } of changes) {
    const second = key.split(',')[1];
    const path = `${table}.${field}`;
    if (path === 'inode.flags') {
      for (const [name, bit] of [
        ['INLINE_DATA', INODE_FLAG.inlineData],
        ['EXTENTS', INODE_FLAG.extents],
      ] as const) {
        const [old, now] = [((before as number) & bit) !== 0, ((after as number) & bit) !== 0];
        if (old !== now && name === 'INLINE_DATA') facts.push(`${name}=${now ? 1 : 0}`);
      }
    } else if (path === 'inode.mayInline') facts.push(`MAY_INLINE=${after ? 1 : 0}`);
    else if (path === 'inode.size') facts.push(`i_size=${after}`);
    else if (path === 'folio.dirty') facts.push(`folio ${second} ${after ? 'dirty' : 'clean'}`);
    else if (path === 'folio.present' && after === false) facts.push(`folio ${second} dropped`);
    else if (path === 'folio.data')
      facts.push(`folio ${second} ${runOf(before as Bytes | null, after as Bytes | null)}`);
    else if (path === 'pte.writable') facts.push(after ? 'PTE writable' : 'PTE write-protected');
    else if (path === 'fbuf.state') {
      const [old, now] = [before as number, after as number];
      if ((old & BH.delay) === 0 && (now & BH.delay) !== 0) facts.push(`block ${second} delayed`);
      if ((old & BH.delay) !== 0 && (now & BH.delay) === 0 && (now & BH.mapped) !== 0)
        facts.push(`block ${second} mapped`);
    } else if (path === 'sb.errors') facts.push('EXT4-fs error');
  }
  return facts;
}

/** `[0,4)=42424242`: the bytes that differ. */
export function runOf(before: Bytes | null, after: Bytes | null): string {
  const a = before ?? Bytes.zero(after?.length ?? 0);
  const b = after ?? Bytes.zero(a.length);
  let from = 0;
  let to = b.length;
  while (from < to && a.u8(from) === b.u8(from)) from++;
  while (to > from && a.u8(to - 1) === b.u8(to - 1)) to--;
  if (from === to) return 'unchanged';
  const first = b.u8(from);
  let uniform = true;
  for (let at = from; at < to; at++) uniform &&= b.u8(at) === first;
  const hex = (byte: number): string => byte.toString(16).padStart(2, '0');
  const shown =
    uniform && to - from > 4
      ? `${hex(first)}…`
      : b.slice(from, Math.min(to, from + 4)).toHex() + (to - from > 4 ? '…' : '');
  return `[${from},${to})=${shown}`;
}
