/**
 * One execution of a scenario under one design and one schedule, recorded: what each line answered, what was found,
 * the files and raw inodes at the end, and the trace.
 */

import { isErr } from '../errno.ts';
import { INVARIANTS } from '../invariants/index.ts';
import type { Kernel } from '../kernel.ts';
import { FINDINGS, type FindingId, findingNumber } from '../state/findings.ts';
import type { TableName } from '../state/tables.ts';
import type { Snapshot } from '../state/world.ts';
import { type Choose, record, type Trace } from '../trace/transaction.ts';
import { igetInode } from '../vfs/namei.ts';
import { peekBytes, peekFile, peekRaw, peekRoot } from '../vfs/peek.ts';
import type { FileView, LineResult } from './ast.ts';
import { FILLER, flatKernel, recordingKernel, type Session } from './session.ts';

/** Something that was found: a BUG_ON, a warning, a broken invariant. */
export interface FoundThing {
  /** `bug-on`, `warn-on`, `error`, `lock` for what the kernel says; `invariant` for ours. */
  readonly kind: string;
  readonly id: string;
  /** Step after which it was there, 0-based. */
  readonly step: number;
  readonly message: string;
}

export interface RunResult {
  /** Lane name to what each of its lines answered, in order. */
  readonly tasks: Readonly<Record<string, readonly LineResult[]>>;
  readonly findings: readonly FoundThing[];
  readonly final: {
    readonly files: Readonly<Record<string, FileView>>;
    /** Inode number to the raw inode in the bdev cache, hex. */
    readonly inodes: Readonly<Record<string, string>>;
  };
  readonly trace: Trace;
  /** The schedule that was taken, as task numbers. */
  readonly schedule: readonly number[];
  /** Places that were reached, by name. */
  readonly reached: readonly string[];
}

/** A schedule that names a task which cannot run. */
export class ScheduleMismatch extends Error {
  override readonly name = 'ScheduleMismatch';
}

/** Steps that no scenario takes: whoever goes on then goes round for ever. */
const MOST_STEPS = 50_000;

/**
 * Runs the session's lanes in the recording world.
 * @param schedule  task numbers, or who says them; when it is used up, or null, the lowest task that can run goes on
 * @param stops     nobody goes on when it is used up; after MOST_STEPS more nobody does in any case
 * @throws          ScheduleMismatch naming the step, and who could have run
 */
export function runSession(
  session: Session,
  schedule: readonly number[] | Choose | null = null,
  stops = false,
): RunResult {
  const { world, k } = recordingKernel(session);
  const findings: FoundThing[] = [];
  const seen = new Set<string>();
  /** The tables that each invariant looked at when it held, as they were then. */
  const held = new Map<string, readonly (readonly [TableName, Snapshot[TableName]])[]>();
  const look = (step: number): void => {
    const state = world.root;
    for (const invariant of INVARIANTS) {
      if (invariant.when !== 'always' || seen.has(invariant.id)) continue;
      // Most steps change nothing that it looks at: a table that did not change is the same value.
      if (held.get(invariant.id)?.every(([table, rows]) => state[table] === rows)) continue;
      const { value: message, tables } = world.watching(() => invariant.check(k));
      held.set(
        invariant.id,
        [...tables].map((table) => [table, state[table]] as const),
      );
      if (message === null) continue;
      seen.add(invariant.id);
      findings.push({ kind: 'invariant', id: invariant.id, step, message });
    }
  };
  const taken: number[] = [];
  const trace = record(world, k, session.specs, (runnable, step, next) => {
    if (step > 0) look(step - 1);
    if (typeof schedule === 'function') {
      const chosen = schedule(runnable, step, next);
      if (chosen !== null) taken.push(chosen);
      return chosen;
    }
    const wanted = schedule?.[step];
    if (wanted === undefined && (stops || step >= (schedule?.length ?? 0) + MOST_STEPS)) return null;
    if (wanted !== undefined && !runnable.includes(wanted)) {
      const who = runnable.map((task) => session.specs[task]!.name).join(', ');
      const name = session.specs[wanted]?.name ?? `task ${wanted}`;
      throw new ScheduleMismatch(
        `the schedule gives step ${step + 1} to ${name}, which cannot run then (${who} can): ` +
          'it was made for another scenario, design, mount or version',
      );
    }
    const task = wanted ?? runnable[0]!;
    taken.push(task);
    return task;
  });
  look(trace.steps.length - 1);
  const tasks: Record<string, LineResult[]> = Object.fromEntries(
    session.specs.map((spec) => [spec.name, []]),
  );
  const reached = new Set<string>();
  for (const { lane, effects, step } of trace.steps) {
    for (const effect of effects) {
      if (effect.type === 'result') tasks[lane]!.push({ line: effect.text, ...effect.result });
      else if (effect.type === 'reach') reached.add(effect.name);
      else if (effect.type === 'finding' && !seen.has(`finding ${effect.id}`)) {
        seen.add(`finding ${effect.id}`);
        findings.push(kernelFinding(effect.id, step));
      }
    }
  }
  findings.sort((a, b) => a.step - b.step || findingRank(a) - findingRank(b));
  return {
    tasks,
    findings,
    final: finalView(session, trace),
    trace,
    schedule: taken,
    reached: [...reached].sort(),
  };
}

function kernelFinding(id: FindingId, step: number): FoundThing {
  const { kind, message, source } = FINDINGS[id];
  return { kind, id, step, message: `${message} (${source})` };
}

const findingRank = ({ kind, id }: FoundThing): number =>
  kind === 'invariant' ? 100 : findingNumber[id as FindingId];

/** Files larger than this are shown by their first bytes only. */
const CONTENT_MAX_BYTES = 1 << 20;

/** The root's files as stat and read(2) would show them, and every inode in core. */
export function finalView(session: Session, trace: Pick<Trace, 'end'>): RunResult['final'] {
  const { k } = flatKernel(session, trace.end);
  return viewOf(k);
}

export function viewOf(k: Kernel): RunResult['final'] {
  const files: Record<string, FileView> = {};
  const inodes: Record<string, string> = {};
  for (const [name, ino] of peekRoot(k)) {
    if (`/${name}` === FILLER || isErr(igetInode(k, ino))) continue;
    const { size, blocks, inline } = peekFile(k, ino);
    const content = peekBytes(k, ino, 0, Math.min(size, CONTENT_MAX_BYTES)).toHex();
    files[`/${name}`] = { ino, size, blocks, inline, content };
    inodes[ino] = peekRaw(k, ino).toHex();
  }
  return { files, inodes };
}
