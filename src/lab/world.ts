/**
 * The living world: one state, changed in place. A record is a plain object, a value is held and not interned, and
 * there is neither digest nor undo: what a program that only wants to use the file system needs, and no more.
 *
 *   FlatWorld       search: words, interned values, undo, digest
 *   RecordingWorld  publish: frozen trees, patches
 *   LiveWorld       use: this one
 *
 * `snapshot` and `restore` speak the common language, so that a state goes to either of the other two and back.
 */
import { defaultOf, type FieldSpecs, type FieldValue } from '../state/schema.ts';
import { fieldsOf, type Rec, TABLE_NAMES, type TableName, tableIndex } from '../state/tables.ts';
import type { Snapshot, World } from '../state/world.ts';
import { keyOf } from '../state/flat.ts';
import { LOCK_SPAN } from '../locks/lock.ts';
import { digestOf } from '../state/recording.ts';

type Row = Record<string, FieldValue>;
type Fields = readonly (readonly [name: string, fallback: FieldValue])[];

const FIELDS: readonly Fields[] = TABLE_NAMES.map((name) =>
  Object.entries(fieldsOf(name)).map(([field, { kind }]) => [field, defaultOf(kind)] as const),
);

/** A record is an object with the fields of its table; integers are cut to 32 bits where they are stored. */
function makeClass(fields: FieldSpecs): new () => Row {
  class Record_ {
    constructor() {
      const row = this as unknown as Row;
      for (const [name, { kind }] of Object.entries(fields))
        row[kind === 'int' ? `_${name}` : name] = defaultOf(kind);
    }
  }
  for (const [name, { kind }] of Object.entries(fields)) {
    if (kind !== 'int') continue;
    const slot = `_${name}`;
    Object.defineProperty(Record_.prototype, name, {
      get(this: Record<string, number>) {
        return this[slot];
      },
      set(this: Record<string, number>, v: number) {
        this[slot] = v | 0;
      },
    });
  }
  return Record_ as unknown as new () => Row;
}

const CLASSES = TABLE_NAMES.map((name) => makeClass(fieldsOf(name)));
const LOCK_TABLE = tableIndex.lock;

class LiveTable {
  readonly rows: Row[][] = [];
  readonly first: number[] = [];
  readonly second = new Map<number, number[]>();
}

const insertSorted = (list: number[], key: number): void => {
  let at = list.length;
  while (at > 0 && list[at - 1]! > key) at--;
  list.splice(at, 0, key);
};

const NO_KEYS: readonly number[] = [];

export class LiveWorld implements World {
  readonly #tables: readonly LiveTable[] = TABLE_NAMES.map(() => new LiveTable());

  rec<T extends TableName>(table: T, a: number, b: number): Rec<T> {
    return this.recAt(tableIndex[table], a, b) as Rec<T>;
  }

  recAt(table: number, a: number, b: number): unknown {
    const row = this.#tables[table]!.rows[a];
    if (row !== undefined) {
      const record = row[b];
      if (record !== undefined) return record;
    }
    return this.#make(table, a, b);
  }

  #make(index: number, a: number, b: number): Row {
    const table = this.#tables[index]!;
    const record = new CLASSES[index]!();
    let row = table.rows[a];
    if (row === undefined) {
      row = table.rows[a] = [];
      insertSorted(table.first, a);
      table.second.set(a, []);
    }
    row[b] = record;
    insertSorted(table.second.get(a)!, b);
    return record;
  }

  firstKeys(table: TableName): readonly number[] {
    return this.#tables[tableIndex[table]]!.first;
  }

  secondKeys(table: TableName, a: number): readonly number[] {
    return this.#tables[tableIndex[table]]!.second.get(a) ?? NO_KEYS;
  }

  digest(): string {
    return digestOf(this.snapshot());
  }

  snapshot(): Snapshot {
    const out: Record<string, Record<string, Row>> = {};
    TABLE_NAMES.forEach((name, index) => {
      const table = this.#tables[index]!;
      for (const a of table.first) {
        for (const b of table.second.get(a)!) {
          const record = table.rows[a]![b]!;
          if (FIELDS[index]!.every(([field, fallback]) => record[field] === fallback)) continue;
          const row: Row = {};
          for (const [field] of FIELDS[index]!) row[field] = record[field]!;
          (out[name] ??= {})[keyOf(name, a, b)] = row;
        }
      }
    });
    return out as Snapshot;
  }
}
