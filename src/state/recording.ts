/**
 * The recording world: the same facade over one frozen tree advanced by Immer. Every step gives the next tree,
 * the patches and the inverse patches: published traces, time travel and diffs between designs come from here.
 * This file holds the only Immer call of the project. It is never in the explorer's inner loop: a step costs
 * some 20 µs here and well under one in `FlatWorld`.
 */
import { enablePatches, type Patch, produceWithPatches } from 'immer';
import { Bytes } from '../bytes/bytes.ts';
import { hex64, keyOf } from './flat.ts';
import { defaultOf, type FieldSpecs, type FieldValue, mix1, mix2, saltOf, valueDigest } from './schema.ts';
import { fieldsOf, type Rec, TABLE_NAMES, TABLES, type TableName, tableIndex } from './tables.ts';
import type { Snapshot, World } from './world.ts';

enablePatches();

type Row = Record<string, FieldValue>;
type Tree = { [table: string]: { [key: string]: Row } };

interface DraftRecord {
  readonly w: RecordingWorld;
  readonly table: TableName;
  readonly key: string;
}

const makeClass = (
  fields: FieldSpecs,
): (new (
  w: RecordingWorld,
  table: TableName,
  key: string,
) => DraftRecord) => {
  class Record_ implements DraftRecord {
    readonly w: RecordingWorld;
    readonly table: TableName;
    readonly key: string;
    constructor(w: RecordingWorld, table: TableName, key: string) {
      this.w = w;
      this.table = table;
      this.key = key;
    }
  }
  for (const [name, { kind }] of Object.entries(fields)) {
    const fallback = defaultOf(kind);
    Object.defineProperty(Record_.prototype, name, {
      enumerable: true,
      get(this: DraftRecord) {
        return this.w.read(this.table, this.key, name, fallback);
      },
      set(this: DraftRecord, v: FieldValue) {
        this.w.write(this.table, this.key, name, kind === 'int' ? (v as number) | 0 : v, fields);
      },
    });
  }
  return Record_;
};

const CLASSES = TABLE_NAMES.map((name) => makeClass(fieldsOf(name)));

/** A field that a step read or wrote. */
export interface Access {
  readonly table: TableName;
  readonly key: string;
  readonly field: string;
}

/** One write of a step, for "who wrote this byte". */
export interface FieldChange extends Access {
  readonly before: FieldValue;
  readonly after: FieldValue;
}

export interface RecordedStep<T> {
  readonly value: T;
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly patches: readonly Patch[];
  readonly inverse: readonly Patch[];
  readonly reads: readonly Access[];
  readonly changes: readonly FieldChange[];
}

export class RecordingWorld implements World {
  #root: Tree;
  #draft: Tree | null = null;
  #reads = new Map<string, Access>();
  readonly #records = TABLE_NAMES.map(() => new Map<string, DraftRecord>());

  constructor(start: Snapshot = {}) {
    // Freezes the start as well: a write past a step then throws at the culprit's line.
    [this.#root] = produceWithPatches(start as Tree, () => {});
    deepFreeze(this.#root);
  }

  /** The current tree, frozen. */
  get root(): Snapshot {
    return this.#root as Snapshot;
  }

  /** Runs `body` as one atomic step over a draft and commits it. */
  step<T>(body: () => T): RecordedStep<T> {
    if (this.#draft !== null) throw new Error('a step was opened inside a step');
    const before = this.#root;
    this.#reads = new Map();
    let result: { value: T } | undefined;
    try {
      const [after, patches, inverse] = produceWithPatches(before, (draft) => {
        this.#draft = draft;
        result = { value: body() };
      });
      this.#root = after;
      return {
        value: result!.value,
        before: before as Snapshot,
        after: after as Snapshot,
        patches,
        inverse,
        reads: [...this.#reads.values()],
        changes: changesOf(before, after, patches),
      };
    } finally {
      this.#draft = null;
    }
  }

  /** Goes back (or forward) to a state that this world published. */
  jump(state: Snapshot): void {
    this.#root = state as Tree;
  }

  /** Runs a look at the state, and tells which tables it looked at. */
  watching<T>(look: () => T): { readonly value: T; readonly tables: ReadonlySet<TableName> } {
    const tables = new Set<TableName>();
    this.#watch = tables;
    try {
      return { value: look(), tables };
    } finally {
      this.#watch = null;
    }
  }

  #watch: Set<TableName> | null = null;

  rec<T extends TableName>(table: T, a: number, b: number): Rec<T> {
    const index = tableIndex[table];
    const key = keyOf(table, a, b);
    const map = this.#records[index]!;
    let record = map.get(key);
    if (record === undefined) map.set(key, (record = new CLASSES[index]!(this, table, key)));
    return record as unknown as Rec<T>;
  }

  recAt(table: number, a: number, b: number): unknown {
    return this.rec(TABLE_NAMES[table]!, a, b);
  }

  read(table: TableName, key: string, field: string, fallback: FieldValue): FieldValue {
    if (this.#draft !== null) {
      const name = `${table}/${key}/${field}`;
      if (!this.#reads.has(name)) this.#reads.set(name, { table, key, field });
    }
    this.#watch?.add(table);
    const found = (this.#draft ?? this.#root)[table]?.[key]?.[field];
    if (found === undefined) return fallback;
    // A list in a draft would itself be a draft that dies with the step: hand out the frozen original.
    return found !== null && typeof found === 'object' && !(found instanceof Bytes)
      ? (this.#plain.get(`${table}/${key}/${field}`) ?? this.#root[table]?.[key]?.[field] ?? fallback)
      : found;
  }

  readonly #plain = new Map<string, FieldValue>();

  write(table: TableName, key: string, field: string, v: FieldValue, fields: FieldSpecs): void {
    const draft = this.#draft;
    if (draft === null) throw new Error(`${table} ${key}: ${field} was written outside a step`);
    if (v instanceof Uint8Array) throw new Error(`${table} ${key}: ${field} must be a Bytes value`);
    const rows = (draft[table] ??= {});
    let row = rows[key];
    if (row === undefined) {
      row = {};
      for (const [name, { kind }] of Object.entries(fields)) row[name] = defaultOf(kind);
      rows[key] = row;
      row = rows[key]!;
    }
    const path = `${table}/${key}/${field}`;
    if (v !== null && typeof v === 'object' && !(v instanceof Bytes)) this.#plain.set(path, deepFreeze(v));
    else this.#plain.delete(path);
    row[field] = v;
  }

  firstKeys(table: TableName): readonly number[] {
    this.#watch?.add(table);
    const keys = new Set<number>();
    for (const key of Object.keys((this.#draft ?? this.#root)[table] ?? {}))
      keys.add(Number(key.split(',')[0]));
    return [...keys].sort((x, y) => x - y);
  }

  secondKeys(table: TableName, a: number): readonly number[] {
    this.#watch?.add(table);
    const keys: number[] = [];
    for (const key of Object.keys((this.#draft ?? this.#root)[table] ?? {})) {
      const [first, second = 0] = key.split(',').map(Number);
      if (first === a) keys.push(second);
    }
    return keys.sort((x, y) => x - y);
  }

  digest(): string {
    return digestOf(this.#root as Snapshot);
  }
}

/** The digest of a snapshot: what `FlatWorld` keeps up to date word by word. */
export function digestOf(state: Snapshot): string {
  let z1 = 0;
  let z2 = 0;
  for (const table of TABLE_NAMES) {
    const index = tableIndex[table];
    for (const [key, row] of Object.entries(state[table] ?? {})) {
      const [a = 0, b = 0] = key.split(',').map(Number);
      let word = 0;
      for (const [field, { kind }] of Object.entries(fieldsOf(table))) {
        const v = row[field] ?? defaultOf(kind);
        const add = (lo: number, hi: number): void => {
          const salt = saltOf(index, a, b, word++);
          z1 = (z1 + mix1(salt, lo)) | 0;
          z2 = (z2 + mix2(salt, hi)) | 0;
        };
        if (kind === 'u53') {
          add((v as number) | 0, (v as number) | 0);
          const high = Math.floor((v as number) / 0x1_0000_0000);
          add(high, high);
        } else if (v === null) add(0, 0);
        else if (v instanceof Bytes) add(v.lo || 1, v.hi || 1);
        else if (typeof v === 'object') add(...valueDigest(v));
        else add(Number(v), Number(v));
      }
    }
  }
  return hex64(z1, z2);
}

/** Drops records at their defaults, so that a tree and a flat state compare as data. */
export function normalize(state: Snapshot): Snapshot {
  const out: Tree = {};
  for (const table of TABLE_NAMES) {
    const fields = Object.entries(TABLES[table].fields as FieldSpecs);
    for (const [key, row] of Object.entries(state[table] ?? {})) {
      if (fields.every(([name, { kind }]) => (row[name] ?? defaultOf(kind)) === defaultOf(kind))) continue;
      (out[table] ??= {})[key] = row as Row;
    }
  }
  return out as Snapshot;
}

function changesOf(before: Tree, after: Tree, patches: readonly Patch[]): FieldChange[] {
  const touched = new Map<string, readonly [TableName, string]>();
  for (const { path } of patches) {
    const [table, key] = path as [TableName, string | undefined];
    if (key !== undefined) touched.set(`${table}/${key}`, [table, key]);
    else for (const each of Object.keys(after[table] ?? {})) touched.set(`${table}/${each}`, [table, each]);
  }
  const changes: FieldChange[] = [];
  for (const [table, key] of touched.values()) {
    for (const [field, { kind }] of Object.entries(fieldsOf(table))) {
      const old = before[table]?.[key]?.[field] ?? defaultOf(kind);
      const now = after[table]?.[key]?.[field] ?? defaultOf(kind);
      if (old !== now) changes.push({ table, key, field, before: old, after: now });
    }
  }
  return changes;
}

function deepFreeze<T>(v: T): T {
  if (v === null || typeof v !== 'object' || v instanceof Bytes || Object.isFrozen(v)) return v;
  for (const each of Object.values(v)) deepFreeze(each);
  return Object.freeze(v);
}
