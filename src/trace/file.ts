/**
 * The trace file: a run as JSON, versioned, self-contained enough for a viewer and replayable by its header.
 *
 * A step has what changed, not the whole state: `changes` with values before and after, Bytes as hex. Reading checks
 * the version and the shape; what a newer version added is refused, not ignored.
 */
import { z } from 'zod';
import { Bytes } from '../bytes/bytes.ts';
import type { FieldValue } from '../state/schema.ts';
import type { Trace } from './transaction.ts';

export const TRACE_VERSION = 1;

const value = z.json();

const stepSchema = z.strictObject({
  task: z.int().min(0),
  kind: z.string(),
  label: z.string(),
  stack: z.array(z.string()),
  effects: z.array(z.record(z.string(), value)),
  changes: z.array(
    z.strictObject({ table: z.string(), key: z.string(), field: z.string(), before: value, after: value }),
  ),
});

const traceSchema = z.strictObject({
  traceVersion: z.literal(TRACE_VERSION),
  scenario: z.string(),
  design: z.string(),
  mount: z.array(z.string()),
  schedule: z.string(),
  lanes: z.array(z.string()),
  steps: z.array(stepSchema),
  /** Digest of the end state: a replay must come to the same. */
  digest: z.string().regex(/^[0-9a-f]{16}$/),
});

export type TraceFile = z.infer<typeof traceSchema>;

/** What a trace file says about where it comes from. */
export type TraceHeader = Pick<TraceFile, 'scenario' | 'design' | 'mount' | 'schedule'>;

/** Bytes as hex, `bool` and numbers as they are, value fields as JSON. */
function plain(v: FieldValue | undefined | object): z.infer<typeof value> {
  if (v instanceof Bytes) return v.toHex();
  if (Array.isArray(v)) return v.map(plain);
  if (v !== null && typeof v === 'object') {
    return Object.fromEntries(Object.entries(v).map(([key, each]) => [key, plain(each as FieldValue)]));
  }
  return v ?? null;
}

export function traceToFile(trace: Trace, header: TraceHeader): TraceFile {
  return {
    traceVersion: TRACE_VERSION,
    ...header,
    lanes: [...trace.lanes],
    steps: trace.steps.map(({ task, kind, label, stack, effects, changes }) => ({
      task,
      kind,
      label,
      stack: [...stack],
      effects: effects.map((effect) => plain(effect) as Record<string, z.infer<typeof value>>),
      changes: changes.map(({ table, key, field, before, after }) => ({
        table,
        key,
        field,
        before: plain(before),
        after: plain(after),
      })),
    })),
    digest: trace.digest,
  };
}

/** A file that is no trace of ours. */
export class TraceError extends Error {
  override readonly name = 'TraceError';
}

/**
 * @param name  of the file, for messages
 * @throws      TraceError naming file and place
 */
export function readTraceFile(text: string, name: string): TraceFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new TraceError(`${name}: not JSON: ${(error as Error).message}`);
  }
  const parsed = traceSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new TraceError(`${name}: ${issue.path.join('.') || 'top level'}: ${issue.message}`);
}
