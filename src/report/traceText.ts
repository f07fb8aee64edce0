/**
 * A run as text: a line per step with its task, the kernel function it is in and what it did, under a line for the
 * scenario line that a task begins.
 *
 *     -- CPU0: pwrite -S 0x42 80 4
 *     14 CPU0   ext4_prepare_inline_data  down_write(&ei->xattr_sem)  | +&ei->xattr_sem
 *
 * What it did: locks taken (+) and given back (-), facts in words, blocks that reach the medium, findings, answers, and
 * the other fields that changed by their names.
 */
import type { Effect } from '../state/effects.ts';
import type { FieldChange } from '../state/recording.ts';
import type { Trace, Transaction } from '../trace/transaction.ts';
import { factsOf } from './story.ts';

export function traceText({ steps, lanes, deadlock }: Pick<Trace, 'steps' | 'lanes' | 'deadlock'>): string[] {
  const laneWidth = Math.max(...lanes.map((lane) => lane.length));
  const numberWidth = `${steps.length}`.length;
  const lines: string[] = [];
  const current: (string | undefined)[] = [];
  for (const { step, task, lane, stack, label, changes, effects } of steps) {
    if (stack[0] !== current[task] && stack[0] !== undefined) lines.push(`-- ${lane}: ${stack[0]}`);
    current[task] = stack[0];
    const where = stack.length > 1 ? `${stack.at(-1)}  ` : '';
    const did = [...effects.flatMap(effectText), ...factsOf(changes), ...otherFields(changes)];
    const what = did.length === 0 ? '' : `  | ${[...new Set(did)].join(', ')}`;
    lines.push(
      `${`${step}`.padStart(numberWidth)} ${lane.padEnd(laneWidth)}  ${where}${label}${what}`.trimEnd(),
    );
    // A call that ended: the same line again is a new one.
    if (effects.some((effect) => effect.type === 'result')) current[task] = undefined;
  }
  if (deadlock !== null) lines.push(`-- ${deadlock.text}`);
  return lines;
}

/** What an effect says in a line of a trace; nothing for a place that was reached. */
export function effectText(effect: Effect): string[] {
  switch (effect.type) {
    case 'acquire':
      return [`+${effect.key}${effect.mode === 'shared' ? ' shared' : ''}`];
    case 'release':
      return [`-${effect.key}`];
    case 'queue':
      return [`queues for ${effect.key}`];
    case 'finding':
      return [`FINDING ${effect.id}`];
    case 'submit':
      return [`block ${effect.block} to the medium (${effect.why})`];
    case 'commit':
    case 'checkpoint':
    case 'replay':
      return [`${effect.type} of ${effect.blocks.length} block${effect.blocks.length === 1 ? '' : 's'}`];
    case 'result':
      return [`= ${effect.result.errno ?? effect.result.ret ?? 0}`];
    case 'note':
      return [effect.text];
    case 'flush':
      return ['the medium is flushed'];
    case 'reach':
      return [];
  }
}

/** Tables that the kernel does not have, and locks, which effects tell of. */
const QUIET: ReadonlySet<string> = new Set(['lock', 'ghost', 'ghostPage', 'finding']);

function otherFields(changes: Transaction['changes']): string[] {
  return changes
    .filter((change: FieldChange) => !QUIET.has(change.table) && factsOf([change]).length === 0)
    .map(({ table, key, field }) => `${table}[${key}].${field}`);
}
