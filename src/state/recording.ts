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
type Rows = { [key: string]: Row };
type Tree = { [table: string]: Rows };

/** The facade of a row, and what the open step did with it. */
class Record_ {
  readonly w: RecordingWorld;
  readonly table: TableName;
  readonly key: string;
  readonly a: number;
  readonly b: number;
  /** The step that looked at it or wrote it last. */
  step = 0;
  /** By field: the step that read it last. */
  readonly seen: Int32Array;
  /** What the open step wrote, in the order of the first writes; null: nothing. */
  written: Row | null = null;

  constructor(w: RecordingWorld, table: TableName, a: number, b: number) {
    this.w = w;
    this.table = table;
    this.key = keyOf(table, a, b);
    this.a = a;
    this.b = b;
    this.seen = new Int32Array(FIELDS[tableIndex[table]]!.length);
  }
}

/** Name and default of each field, by table. */
const FIELDS: readonly (readonly (readonly [name: string, fallback: FieldValue])[])[] = TABLE_NAMES.map(
  (table) =>
    Object.entries<FieldSpecs[string]>(fieldsOf(table)).map(([name, { kind }]) => [name, defaultOf(kind)]),
);

const makeClass = (fields: FieldSpecs): typeof Record_ => {
  class Facade extends Record_ {}
  Object.entries(fields).forEach(([name, { kind }], i) => {
    const fallback = defaultOf(kind);
    Object.defineProperty(Facade.prototype, name, {
      enumerable: true,
      get(this: Record_) {
        return this.w.read(this, i, name, fallback);
      },
      set(this: Record_, v: FieldValue) {
        this.w.write(this, name, kind === 'int' ? (v as number) | 0 : v);
      },
    });
  });
  return Facade;
};

const CLASSES = TABLE_NAMES.map((name) => makeClass(fieldsOf(name)));

/** The keys of a table's rows, sorted. */
class Keys {
  readonly first: number[] = [];
  readonly second = new Map<number, number[]>();

  constructor(rows: Rows, added: readonly Record_[]) {
    const all = Object.keys(rows).map((key) => key.split(',').map(Number));
    for (const { a, b } of added) all.push([a, b]);
    for (const [a = 0, b = 0] of all) {
      const list = this.second.get(a);
      if (list !== undefined) list.push(b);
      else {
        this.second.set(a, [b]);
        this.first.push(a);
      }
    }
    this.first.sort((x, y) => x - y);
    for (const list of this.second.values()) list.sort((x, y) => x - y);
  }
}

const NO_ROWS: Rows = {};

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
  readonly #records = TABLE_NAMES.map(() => new Map<number, Map<number, Record_>>());
  /** Of the rows of published states. */
  readonly #keys = new WeakMap<Rows, Keys>();
  readonly #digests: KnownDigests = new WeakMap();
  #watch: Set<TableName> | null = null;

  /** The open step, or the one before; steps are numbered from 1. */
  #step = 0;
  #isOpen = false;
  #reads: Access[] = [];
  /** Records and tables in the order in which the open step came to them first. */
  #near: (Record_ | TableName)[] = [];
  /** Records that it wrote, in the order of the first writes; those among them that are no rows yet. */
  #written: Record_[] = [];
  #added: Record_[] = [];

  constructor(start: Snapshot = {}) {
    // Freezes the start as well: a write past a step then throws at the culprit's line.
    [this.#root] = produceWithPatches(start as Tree, () => {});
    deepFreeze(this.#root);
  }

  /** The current tree, frozen. */
  get root(): Snapshot {
    return this.#root as Snapshot;
  }

  /**
   * Runs `body` as one atomic step and commits what it wrote. Only then is there a draft: a look at a record through one
   * would make drafts of it and of its table.
   */
  step<T>(body: () => T): RecordedStep<T> {
    if (this.#isOpen) throw new Error('a step was opened inside a step');
    const before = this.#root;
    this.#isOpen = true;
    this.#step++;
    this.#reads = [];
    try {
      const value = body();
      const [after, patches, inverse] =
        this.#written.length === 0
          ? [before, [], []]
          : produceWithPatches(before, (draft) => this.#lay(draft));
      this.#root = after;
      this.#keepKeys(before, after);
      return {
        value,
        before: before as Snapshot,
        after: after as Snapshot,
        patches,
        inverse,
        reads: this.#reads,
        changes: changesOf(before, after, patches),
      };
    } finally {
      this.#isOpen = false;
      for (const record of this.#written) record.written = null;
      this.#near = [];
      this.#written = [];
      this.#added = [];
    }
  }

  /** Lays down what the step wrote. Patches come in the order in which drafts are made: that of the step. */
  #lay(draft: Tree): void {
    const tables = new Set<TableName>(this.#written.map(({ table }) => table));
    for (const near of this.#near) {
      if (typeof near === 'string') {
        if (tables.has(near)) void draft[near];
      } else if (tables.has(near.table)) {
        const rows = draft[near.table];
        if (near.written !== null) void rows?.[near.key];
      }
    }
    for (const { table, key, written } of this.#written) {
      const rows = (draft[table] ??= {});
      const row = rows[key];
      if (row === undefined) rows[key] = { ...Object.fromEntries(FIELDS[tableIndex[table]]!), ...written };
      else Object.assign(row, written);
    }
  }

  /** A table that got no row has the keys that it had. */
  #keepKeys(before: Tree, after: Tree): void {
    for (const { table } of this.#written) {
      const keys = this.#keys.get(before[table] ?? NO_ROWS);
      if (keys !== undefined && !this.#added.some((each) => each.table === table))
        this.#keys.set(after[table]!, keys);
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

  rec<T extends TableName>(table: T, a: number, b: number): Rec<T> {
    return this.recAt(tableIndex[table], a, b) as Rec<T>;
  }

  recAt(table: number, a: number, b: number): unknown {
    const rows = this.#records[table]!;
    let row = rows.get(a);
    if (row === undefined) rows.set(a, (row = new Map()));
    let record = row.get(b);
    if (record === undefined) row.set(b, (record = new CLASSES[table]!(this, TABLE_NAMES[table]!, a, b)));
    return record;
  }

  #touch(record: Record_): void {
    if (record.step === this.#step) return;
    record.step = this.#step;
    this.#near.push(record);
  }

  /** For the facade. @param at  which field it is */
  read(record: Record_, at: number, field: string, fallback: FieldValue): FieldValue {
    const { table, key, seen } = record;
    if (this.#isOpen) {
      this.#touch(record);
      if (seen[at] !== this.#step) {
        seen[at] = this.#step;
        this.#reads.push({ table, key, field });
      }
    }
    this.#watch?.add(table);
    const written = record.written?.[field];
    if (written !== undefined) return written;
    const found = this.#root[table]?.[key]?.[field];
    return found === undefined ? fallback : found;
  }

  /** For the facade. */
  write(record: Record_, field: string, v: FieldValue): void {
    const { table, key } = record;
    if (!this.#isOpen) throw new Error(`${table} ${key}: ${field} was written outside a step`);
    if (v instanceof Uint8Array) throw new Error(`${table} ${key}: ${field} must be a Bytes value`);
    this.#touch(record);
    const row = this.#root[table]?.[key];
    if (row !== undefined && record.written?.[field] === undefined && Object.is(row[field], v)) return;
    if (record.written === null) {
      record.written = {};
      this.#written.push(record);
      if (row === undefined) this.#added.push(record);
    }
    record.written[field] = deepFreeze(v);
  }

  #keysOf(table: TableName): Keys {
    this.#watch?.add(table);
    if (this.#isOpen) this.#near.push(table);
    const rows = this.#root[table] ?? NO_ROWS;
    const added = this.#added.filter((record) => record.table === table);
    if (added.length > 0) return new Keys(rows, added);
    let keys = this.#keys.get(rows);
    if (keys === undefined) this.#keys.set(rows, (keys = new Keys(rows, [])));
    return keys;
  }

  firstKeys(table: TableName): readonly number[] {
    return this.#keysOf(table).first;
  }

  secondKeys(table: TableName, a: number): readonly number[] {
    return this.#keysOf(table).second.get(a) ?? [];
  }

  digest(): string {
    return digestOf(this.#root as Snapshot, this.#digests);
  }
}

/** Two 32-bit halves of a digest. */
type Halves = readonly [number, number];

const NO_DIGEST: Halves = [0, 0];

/** Digests of frozen tables and rows, and whose they are: an object may stand in two places. */
type KnownDigests = WeakMap<object, { readonly of: string; readonly halves: Halves }>;

/**
 * The digest of a snapshot: what `FlatWorld` keeps up to date word by word.
 * @param known  for states that share their tables and rows, which are frozen
 */
export function digestOf(state: Snapshot, known?: KnownDigests): string {
  const all = sum(TABLE_NAMES, (table) => {
    const rows = state[table];
    if (rows === undefined) return NO_DIGEST;
    return remembered(known, rows, table, () =>
      sum(Object.entries(rows), ([key, row]) =>
        remembered(known, row, `${table} ${key}`, () => rowDigest(table, key, row)),
      ),
    );
  });
  return hex64(...all);
}

function sum<T>(parts: readonly T[], digest: (part: T) => Halves): Halves {
  let z1 = 0;
  let z2 = 0;
  for (const part of parts) {
    const [d1, d2] = digest(part);
    z1 = (z1 + d1) | 0;
    z2 = (z2 + d2) | 0;
  }
  return [z1, z2];
}

function remembered(known: KnownDigests | undefined, what: object, of: string, digest: () => Halves): Halves {
  const found = known?.get(what);
  if (found?.of === of) return found.halves;
  const halves = digest();
  known?.set(what, { of, halves });
  return halves;
}

function rowDigest(table: TableName, key: string, row: Readonly<Record<string, FieldValue>>): Halves {
  const index = tableIndex[table];
  const [a = 0, b = 0] = key.split(',').map(Number);
  let z1 = 0;
  let z2 = 0;
  let word = 0;
  const add = (lo: number, hi: number): void => {
    const salt = saltOf(index, a, b, word++);
    z1 = (z1 + mix1(salt, lo)) | 0;
    z2 = (z2 + mix2(salt, hi)) | 0;
  };
  for (const [field, { kind }] of Object.entries<FieldSpecs[string]>(fieldsOf(table))) {
    const v = row[field] ?? defaultOf(kind);
    if (kind === 'u53') {
      add((v as number) | 0, (v as number) | 0);
      const high = Math.floor((v as number) / 0x1_0000_0000);
      add(high, high);
    } else if (v === null) add(0, 0);
    else if (v instanceof Bytes) add(v.lo || 1, v.hi || 1);
    else if (typeof v === 'object') add(...valueDigest(v));
    else add(Number(v), Number(v));
  }
  return [z1, z2];
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
    const [old, now] = [before[table]?.[key], after[table]?.[key]];
    for (const [field, fallback] of FIELDS[tableIndex[table]]!) {
      const [was, is] = [old?.[field] ?? fallback, now?.[field] ?? fallback];
      if (was !== is) changes.push({ table, key, field, before: was, after: is });
    }
  }
  return changes;
}

function deepFreeze<T>(v: T): T {
  if (v === null || typeof v !== 'object' || v instanceof Bytes || Object.isFrozen(v)) return v;
  for (const each of Object.values(v)) deepFreeze(each);
  return Object.freeze(v);
}
