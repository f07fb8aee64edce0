/** The fields that a step changed, in words: `inode 12 · i_disksize: 4 → 40`. */
import { Bytes } from '../bytes/bytes.ts';
import { inodeFlagNames } from '../inode/layout.ts';
import { LOCK_CLASSES, LOCK_SPAN } from '../locks/lock.ts';
import { runOf } from '../report/story.ts';
import { FINDING_IDS } from '../state/findings.ts';
import type { FieldChange } from '../state/recording.ts';
import { canonical } from '../state/schema.ts';
import { BH, type LoggedTransaction, TABLES, type TableName } from '../state/tables.ts';

export interface ChangeText {
  /** `inode 12`. */
  readonly record: string;
  readonly field: string;
  readonly before: string;
  readonly after: string;
}

/** In the order of the tables: the file first, then what is around it, the plain model last. */
export function changeTexts(changes: readonly FieldChange[]): ChangeText[] {
  return [...changes]
    .sort((a, b) => rank(a.table) - rank(b.table))
    .map((change) => {
      const { table, key, field, before, after } = change;
      const record = recordName(table, key);
      if (before instanceof Bytes || after instanceof Bytes) {
        const [old, now] = [before as Bytes | null, after as Bytes | null];
        return {
          record,
          field,
          before: sizeOf(old),
          after: old === null && now !== null ? firstOf(now) : runOf(old, now),
        };
      }
      return { record, field, before: text(change, before), after: text(change, after) };
    });
}

const ORDER: readonly TableName[] = [
  'inode',
  'folio',
  'pte',
  'fbuf',
  'raw',
  'buf',
  'medium',
  'journal',
  'sb',
];
const rank = (table: TableName): number => {
  const at = ORDER.indexOf(table);
  return at >= 0 ? at : table.startsWith('ghost') ? 99 : 50;
};

const NAMES: Partial<Record<TableName, string>> = {
  sb: 'super block',
  raw: 'raw inode',
  fbuf: 'buffer head',
  buf: 'bdev block',
  medium: 'medium block',
  pte: 'PTE',
  ghost: 'model: file',
  ghostPage: 'model: page',
  ghostDir: 'model: directory',
};

function recordName(table: TableName, key: string): string {
  const name = NAMES[table] ?? table;
  const [first = '0', second] = key.split(',');
  switch (table) {
    case 'sb':
    case 'journal':
      return name;
    case 'lock': {
      const number = Number(first);
      const lock = LOCK_CLASSES[Math.floor(number / LOCK_SPAN)]!;
      const instance = `${number % LOCK_SPAN}${lock.id === 'folio' ? `:${second}` : ''}`;
      return `${lock.id} ${instance}`;
    }
    case 'finding':
      return `finding ${FINDING_IDS[Number(first)]}`;
    case 'pte':
      return `${name} mm ${first} page 0x${Number(second).toString(16)}`;
    default:
      return `${name} ${TABLES[table].keys.length === 2 ? `${first}:${second}` : first}`;
  }
}

/** Bit masks by their bits, the rest as it is. */
function text({ table, field }: FieldChange, value: FieldChange['before']): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  if (value === null) return 'none';
  if (table === 'journal' && field === 'log') return logText(value as readonly LoggedTransaction[]);
  if (typeof value !== 'number') return shortened(canonical(value));
  if (table === 'inode' && field === 'flags')
    return `0x${value.toString(16)} (${inodeFlagNames(value).join(', ') || 'none'})`;
  if (table === 'inode' && field === 'mode') return `0${value.toString(8)}`;
  if (table === 'fbuf' && field === 'state') {
    const bits = Object.entries(BH).flatMap(([name, bit]) => ((value & bit) !== 0 ? [name] : []));
    return bits.length === 0 ? 'none' : bits.join(' ');
  }
  return `${value}`;
}

/** Blocks of each transaction, oldest first. */
const logText = (log: readonly LoggedTransaction[]): string =>
  shortened(log.map(({ blocks }) => `(blocks ${blocks.map(([block]) => block).join(' ')})`).join(' '));

const sizeOf = (bytes: Bytes | null): string => (bytes === null ? 'none' : `${bytes.length} bytes`);
const firstOf = (bytes: Bytes): string =>
  bytes.isZero() ? `${bytes.length} zeros` : `${bytes.slice(0, Math.min(8, bytes.length)).toHex()}…`;
const shortened = (value: string): string => (value.length > 60 ? `${value.slice(0, 59)}…` : value);
