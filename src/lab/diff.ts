/**
 * Two states, field by field: which record, which field, before, after; of content the runs of bytes that differ,
 * each with the name of what lies there.
 */
import { Bytes } from '../bytes/bytes.ts';
import { diffBytes } from '../bytes/hexdump.ts';
import { inodeFlagNames } from '../inode/layout.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { LOCK_CLASSES, LOCK_SPAN } from '../locks/lock.ts';
import { FINDING_IDS } from '../state/findings.ts';
import { defaultOf, type FieldValue } from '../state/schema.ts';
import { fieldsOf, TABLE_NAMES, type TableName } from '../state/tables.ts';
import type { Snapshot } from '../state/world.ts';
import { inodeByteLabel } from '../xattr/ibody.ts';

/** A run of bytes that differ; hex. */
export interface ByteRun {
  readonly at: number;
  /** What the bytes are: a field of the inode; '' where nothing has a name. */
  readonly label: string;
  readonly before: string;
  readonly after: string;
}

/** One field of one record, or the bytes of one, before and after. */
export interface FieldDiff {
  readonly table: TableName;
  /** As the snapshot has it: `12`, `12,0`. */
  readonly key: string;
  readonly field: string;
  /** Content is a copy of its bytes; a list is as it is. */
  readonly before: number | boolean | object | null;
  readonly after: number | boolean | object | null;
  /** For content that is there on both sides. */
  readonly runs: readonly ByteRun[];
  /** One line: `inode 12 size: 0 → 50`, `raw 12 0x0028 iBlock: 0000 → 4141`. Several runs are several lines. */
  readonly text: string;
}

/** What changed from `before` to `after`, in the order of the tables, then of their keys and fields. */
export function diffStates(before: Snapshot, after: Snapshot): FieldDiff[] {
  const out: FieldDiff[] = [];
  for (const table of TABLE_NAMES) {
    const keys = new Set([...Object.keys(before[table] ?? {}), ...Object.keys(after[table] ?? {})]);
    for (const key of [...keys].sort(byNumbers)) {
      for (const [field, { kind }] of Object.entries(fieldsOf(table))) {
        const old = before[table]?.[key]?.[field] ?? defaultOf(kind);
        const now = after[table]?.[key]?.[field] ?? defaultOf(kind);
        if (!same(old, now)) out.push(difference(table, key, field, old, now));
      }
    }
  }
  return out;
}

const byNumbers = (a: string, b: string): number => {
  const [a1 = 0, a2 = 0] = a.split(',').map(Number);
  const [b1 = 0, b2 = 0] = b.split(',').map(Number);
  return a1 - b1 || a2 - b2;
};

/** Content by its bytes, lists by their parts. */
function same(a: FieldValue, b: FieldValue): boolean {
  if (a === b) return true;
  if (a instanceof Bytes && b instanceof Bytes) return a.equals(b);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const [x, y] = [Object.entries(a), Object.entries(b)];
  if (a instanceof Bytes || b instanceof Bytes || Array.isArray(a) !== Array.isArray(b)) return false;
  return (
    x.length === y.length && x.every(([key, value]) => same(value, (b as Record<string, FieldValue>)[key]!))
  );
}

function difference(
  table: TableName,
  key: string,
  field: string,
  old: FieldValue,
  now: FieldValue,
): FieldDiff {
  const [before, after] = filled(table, old, now);
  const name = `${recordName(table, key)} ${field}`;
  let runs: ByteRun[] = [];
  let lines = [`${name}: ${shown(table, field, old)} → ${shown(table, field, now)}`];
  if (before instanceof Bytes && after instanceof Bytes) {
    const label = table === 'raw' ? (at: number) => inodeByteLabel(after, at) : undefined;
    runs = diffBytes(before, after, label).map((run) => ({
      at: run.at,
      label: run.field,
      before: run.before.toHex(),
      after: run.after.toHex(),
    }));
    lines = runs.map((run) => {
      const what = run.label === '' ? '' : ` ${run.label}`;
      return `${name} 0x${run.at.toString(16).padStart(4, '0')}${what}: ${short(run.before)} → ${short(run.after)}`;
    });
  }
  return { table, key, field, before: plain(old), after: plain(now), runs, text: lines.join('\n') };
}

/** A page that is null is all zero; a null buffer is not cached. */
function filled(table: TableName, old: FieldValue, now: FieldValue): [FieldValue, FieldValue] {
  if (table !== 'folio' && table !== 'ghostPage') return [old, now];
  const content = old instanceof Bytes || now instanceof Bytes;
  const zero = content ? Bytes.zero(PAGE_SIZE) : null;
  return [old ?? zero, now ?? zero];
}

/** `inode 12`, `folio 12:0`, `xattr_sem 12`, `finding durability`. */
function recordName(table: TableName, key: string): string {
  const [a = 0, b = 0] = key.split(',').map(Number);
  if (table === 'lock') {
    const name = LOCK_CLASSES[Math.floor(a / LOCK_SPAN)]?.id ?? 'lock';
    return `${name} ${a % LOCK_SPAN}${b === 0 ? '' : `:${b}`}`;
  }
  if (table === 'finding') return `finding ${FINDING_IDS[a] ?? a}`;
  if (table === 'sb' || table === 'journal') return table;
  return `${table} ${key.replace(',', ':')}`;
}

function shown(table: TableName, field: string, value: FieldValue): string {
  if (table === 'inode' && field === 'flags') return inodeFlagNames(value as number).join('|') || '0';
  if (table === 'inode' && field === 'mode') return `0${(value as number).toString(8)}`;
  if (value instanceof Bytes) return `${value.length} bytes`;
  if (typeof value !== 'object' || value === null) return String(value);
  const text = JSON.stringify(value, (_, part) => (part instanceof Bytes ? `${part.length} bytes` : part));
  return text.length <= 120 ? text : `${text.slice(0, 120)}…`;
}

const short = (hex: string): string => {
  if (hex === '') return '–';
  return hex.length <= 64 ? hex : `${hex.slice(0, 64)}… (${hex.length / 2} bytes)`;
};

const plain = (value: FieldValue): FieldDiff['before'] =>
  value instanceof Bytes ? value.toUint8Array() : value;
