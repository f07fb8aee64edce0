/**
 * The searching world: every field is a word (two for u53) of one Int32Array, values are interned ids, an undo log
 * takes a step back, and a 64-bit digest is kept up to date by the words that change.
 *
 * Addresses are handed out on first use and are not part of the state: the digest mixes each word with a salt
 * made of table, keys and field, and content through its own digest. So equal states have equal digests in every
 * world and on every machine.
 *
 * Not verified: two different states may share a 64-bit digest (odds n²/2^65).
 */
import { Bytes } from '../bytes/bytes.ts';
import { type FieldSpecs, type FieldValue, mix1, mix2, saltOf, valueDigest } from './schema.ts';
import { fieldsOf, type Rec, TABLE_NAMES, TABLES, type TableName, tableIndex } from './tables.ts';
import type { Snapshot, World } from './world.ts';

const wordsOf = (fields: FieldSpecs): number =>
  Object.values(fields).reduce((sum, field) => sum + (field.kind === 'u53' ? 2 : 1), 0);

interface FlatRecord {
  readonly w: FlatWorld;
  readonly base: number;
}
type RecordClass = new (w: FlatWorld, base: number) => FlatRecord;

const makeClass = (fields: FieldSpecs, table: number): RecordClass => {
  const mask = 1 << table;
  class Record_ implements FlatRecord {
    readonly w: FlatWorld;
    readonly base: number;
    constructor(w: FlatWorld, base: number) {
      this.w = w;
      this.base = base;
    }
  }
  let word = 0;
  for (const [name, { kind }] of Object.entries(fields)) {
    const off = word;
    word += kind === 'u53' ? 2 : 1;
    const accessors: Record<typeof kind, ThisType<FlatRecord> & PropertyDescriptor> = {
      int: {
        get() {
          this.w.touched |= mask;
          this.w.spy?.read(this.base + off);
          return this.w.mem[this.base + off];
        },
        set(v: number) {
          this.w.touched |= mask;
          this.w.spy?.write(this.base + off);
          this.w.setInt(this.base + off, v | 0);
        },
      },
      bool: {
        get() {
          this.w.touched |= mask;
          this.w.spy?.read(this.base + off);
          return this.w.mem[this.base + off] !== 0;
        },
        set(v: boolean) {
          this.w.touched |= mask;
          this.w.spy?.write(this.base + off);
          this.w.setInt(this.base + off, v ? 1 : 0);
        },
      },
      u53: {
        get() {
          this.w.touched |= mask;
          this.w.spy?.read(this.base + off);
          return (this.w.mem[this.base + off]! >>> 0) + this.w.mem[this.base + off + 1]! * 0x1_0000_0000;
        },
        set(v: number) {
          this.w.touched |= mask;
          this.w.spy?.write(this.base + off);
          this.w.setInt(this.base + off, v | 0);
          this.w.setInt(this.base + off + 1, Math.floor(v / 0x1_0000_0000));
        },
      },
      bytes: {
        get() {
          this.w.touched |= mask;
          this.w.spy?.read(this.base + off);
          return this.w.values[this.w.mem[this.base + off]!];
        },
        set(v: Bytes | null) {
          this.w.touched |= mask;
          this.w.spy?.write(this.base + off);
          this.w.setValue(this.base + off, v === null ? 0 : this.w.internBytes(v));
        },
      },
      value: {
        get() {
          this.w.touched |= mask;
          this.w.spy?.read(this.base + off);
          return this.w.values[this.w.mem[this.base + off]!];
        },
        set(v: unknown) {
          this.w.touched |= mask;
          this.w.spy?.write(this.base + off);
          this.w.setValue(this.base + off, v === null ? 0 : this.w.internValue(v));
        },
      },
    };
    Object.defineProperty(Record_.prototype, name, { enumerable: true, ...accessors[kind] });
  }
  return Record_;
};

/** Which word of its record a field is (the low one of a u53): for the explorer, which looks at a few words itself. */
export function wordOf(table: TableName, field: string): number {
  let word = 0;
  for (const [name, { kind }] of Object.entries(fieldsOf(table))) {
    if (name === field) return word;
    word += kind === 'u53' ? 2 : 1;
  }
  throw new Error(`table ${table} has no field ${field}`);
}

const CLASSES: readonly RecordClass[] = TABLE_NAMES.map((name, table) => makeClass(fieldsOf(name), table));
const WORDS: readonly number[] = TABLE_NAMES.map((name) => wordsOf(fieldsOf(name)));

/** Listens to what closures touch: words by their address (a u53 by its low word), tables by their number. */
export interface Spy {
  read(at: number): void;
  write(at: number): void;
}

/** Words of an entry of the undo log. */
const LOG_WORDS = 4;

class FlatTable {
  readonly rows: FlatRecord[][] = [];
  readonly first: number[] = [];
  readonly second = new Map<number, number[]>();
}

const insertSorted = (list: number[], key: number): void => {
  let at = list.length;
  while (at > 0 && list[at - 1]! > key) at--;
  list.splice(at, 0, key);
};

export class FlatWorld implements World {
  mem: Int32Array = new Int32Array(1 << 12);
  #salt: Int32Array = new Int32Array(1 << 12);
  /** Number of the table that each word belongs to. */
  #tableOf: Int32Array = new Int32Array(1 << 12);
  #used = 0;

  /**
   * Tables read or written since somebody last set this to 0, as a mask: what a step or a look at the state may have
   * depended on. It says "table", not "field", so that keeping it costs next to nothing.
   */
  touched = 0;

  /** Told of every word that a closure reads or writes, and of every list of keys it asks for. */
  spy: Spy | null = null;

  /** Interned values; index 0 is null. */
  readonly values: (Bytes | object | null)[] = [null];
  #digestLo: number[] = [0];
  #digestHi: number[] = [0];
  readonly #byIdentity = new Map<unknown, number>();
  readonly #byDigest = new Map<number, number[]>();

  /** Digest of the data: changed by every write. */
  z1 = 0;
  z2 = 0;
  /** The same by table: the digest of the data is their sum. */
  readonly t1: Int32Array = new Int32Array(TABLE_NAMES.length);
  readonly t2: Int32Array = new Int32Array(TABLE_NAMES.length);

  /** Undo log: address, old word, and what the write added to the digest. Written only while `logging`. */
  logging = false;
  #log: Int32Array = new Int32Array(1 << 12);
  logLength = 0;

  readonly #tables: readonly FlatTable[] = TABLE_NAMES.map(() => new FlatTable());

  rec<T extends TableName>(table: T, a: number, b: number): Rec<T> {
    return this.recAt(tableIndex[table], a, b) as unknown as Rec<T>;
  }

  recAt(index: number, a: number, b: number): FlatRecord {
    return this.#tables[index]!.rows[a]?.[b] ?? this.#make(index, a, b);
  }

  #make(index: number, a: number, b: number): FlatRecord {
    const table = this.#tables[index]!;
    const words = WORDS[index]!;
    while (this.#used + words > this.mem.length) {
      const grow = (old: Int32Array): Int32Array => {
        const bigger = new Int32Array(old.length * 2);
        bigger.set(old);
        return bigger;
      };
      this.mem = grow(this.mem);
      this.#salt = grow(this.#salt);
      this.#tableOf = grow(this.#tableOf);
    }
    const base = this.#used;
    this.#used += words;
    for (let word = 0; word < words; word++) this.#salt[base + word] = saltOf(index, a, b, word);
    this.#tableOf.fill(index, base, this.#used);
    const record = new CLASSES[index]!(this, base);
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
    this.touched |= 1 << tableIndex[table];
    return this.#tables[tableIndex[table]]!.first;
  }

  secondKeys(table: TableName, a: number): readonly number[] {
    this.touched |= 1 << tableIndex[table];
    return this.#tables[tableIndex[table]]!.second.get(a) ?? [];
  }

  setInt(at: number, word: number): void {
    const old = this.mem[at]!;
    if (old === word) return;
    const salt = this.#salt[at]!;
    this.#write(at, word, mix1(salt, word) - mix1(salt, old), mix2(salt, word) - mix2(salt, old));
  }

  setValue(at: number, id: number): void {
    const old = this.mem[at]!;
    if (old === id) return;
    const salt = this.#salt[at]!;
    const lo = this.#digestLo;
    const hi = this.#digestHi;
    this.#write(
      at,
      id,
      mix1(salt, lo[id]!) - mix1(salt, lo[old]!),
      mix2(salt, hi[id]!) - mix2(salt, hi[old]!),
    );
  }

  /** @param d1, d2  what the digest gains */
  #write(at: number, word: number, d1: number, d2: number): void {
    const table = this.#tableOf[at]!;
    this.z1 = (this.z1 + d1) | 0;
    this.z2 = (this.z2 + d2) | 0;
    this.t1[table]! += d1;
    this.t2[table]! += d2;
    if (this.logging) this.#push(at, this.mem[at]!, d1, d2);
    this.mem[at] = word;
  }

  #push(at: number, old: number, d1: number, d2: number): void {
    const end = this.logLength;
    if (end + LOG_WORDS > this.#log.length) {
      const bigger = new Int32Array(this.#log.length * 2);
      bigger.set(this.#log);
      this.#log = bigger;
    }
    const log = this.#log;
    log[end] = at;
    log[end + 1] = old;
    log[end + 2] = d1;
    log[end + 3] = d2;
    this.logLength = end + LOG_WORDS;
  }

  /** Takes back every write since the log had `mark` words. */
  undo(mark: number): void {
    const { mem, t1, t2 } = this;
    const log = this.#log;
    let { z1, z2 } = this;
    for (let i = this.logLength - LOG_WORDS; i >= mark; i -= LOG_WORDS) {
      const at = log[i]!;
      const table = this.#tableOf[at]!;
      mem[at] = log[i + 1]!;
      z1 = (z1 - log[i + 2]!) | 0;
      z2 = (z2 - log[i + 3]!) | 0;
      t1[table]! -= log[i + 2]!;
      t2[table]! -= log[i + 3]!;
    }
    this.z1 = z1;
    this.z2 = z2;
    this.logLength = mark;
  }

  /** The writes since the log had `mark` words, each address once, for `apply`. */
  writesSince(mark: number): Int32Array {
    const net = new Map<number, [d1: number, d2: number, before: number]>();
    for (let i = mark; i < this.logLength; i += LOG_WORDS) {
      const [at, old, d1, d2] = this.#log.subarray(i, i + LOG_WORDS) as unknown as [
        number,
        number,
        number,
        number,
      ];
      const known = net.get(at);
      if (known === undefined) net.set(at, [d1, d2, old]);
      else {
        known[0] = (known[0] + d1) | 0;
        known[1] = (known[1] + d2) | 0;
      }
    }
    const kept = [...net].filter(([at, [, , before]]) => this.mem[at] !== before);
    return Int32Array.from(kept.flatMap(([at, [d1, d2]]) => [at, this.mem[at]!, d1, d2]));
  }

  /** Writes again what was written once from a state that agreed on every table involved. */
  apply(writes: Int32Array): void {
    for (let i = 0; i < writes.length; i += LOG_WORDS)
      this.#write(writes[i]!, writes[i + 1]!, writes[i + 2]!, writes[i + 3]!);
  }

  /** Tables written since the log had `mark` words, as a mask. */
  writtenSince(mark: number): number {
    let tables = 0;
    for (let i = mark; i < this.logLength; i += LOG_WORDS) tables |= 1 << this.#tableOf[this.#log[i]!]!;
    return tables;
  }

  internBytes(v: Bytes): number {
    const known = this.#byIdentity.get(v);
    if (known !== undefined) return known;
    // Contents of one length and one 64-bit digest are taken for the same, as states are: to compare 4096 bytes at
    // every store would be a tenth of a search.
    return this.#intern(
      v,
      v.lo || 1,
      v.hi || 1,
      (other) => other instanceof Bytes && other.length === v.length,
    );
  }

  internValue(v: unknown): number {
    const known = this.#byIdentity.get(v);
    if (known !== undefined) return known;
    const [lo, hi] = valueDigest(v);
    return this.#intern(v, lo, hi, (other) => !(other instanceof Bytes));
  }

  #intern(v: unknown, lo: number, hi: number, same: (other: unknown) => boolean): number {
    const key = (lo >>> 0) * 0x20_0000 + ((hi >>> 0) & 0x1f_ffff);
    const bucket = this.#byDigest.get(key);
    if (bucket !== undefined) {
      for (const id of bucket) {
        if (this.#digestLo[id] === lo && this.#digestHi[id] === hi && same(this.values[id])) return id;
      }
    }
    const id = this.values.length;
    this.values.push(v as Bytes | object);
    this.#digestLo.push(lo);
    this.#digestHi.push(hi);
    if (bucket === undefined) this.#byDigest.set(key, [id]);
    else bucket.push(id);
    this.#byIdentity.set(v, id);
    return id;
  }

  digest(): string {
    this.touched = -1;
    return hex64(this.z1, this.z2);
  }

  /** Bytes of one stored state: the words in use. */
  get stateBytes(): number {
    return this.#used * 4;
  }

  /** A copy of the words, for `load`. Values are shared. */
  save(): FlatMark {
    const { z1, z2, t1, t2 } = this;
    return { words: this.mem.slice(0, this.#used), z1, z2, t1: t1.slice(), t2: t2.slice() };
  }

  load(mark: FlatMark): void {
    this.mem.fill(0, mark.words.length, this.#used);
    this.mem.set(mark.words);
    this.z1 = mark.z1;
    this.z2 = mark.z2;
    this.t1.set(mark.t1);
    this.t2.set(mark.t2);
    this.logLength = 0;
  }

  /** Takes over a state given as plain data; only into a fresh world. */
  restore(state: Snapshot): void {
    for (const name of TABLE_NAMES) {
      for (const [key, row] of Object.entries(state[name] ?? {})) {
        const [a = 0, b = 0] = key.split(',').map(Number);
        Object.assign(this.recAt(tableIndex[name], a, b), row);
      }
    }
    this.logLength = 0;
  }

  /** The state as plain data. */
  snapshot(): Snapshot {
    this.touched = -1;
    const out: Record<string, Record<string, Record<string, FieldValue>>> = {};
    TABLE_NAMES.forEach((name, index) => {
      const fields = Object.keys(fieldsOf(name));
      const words = WORDS[index]!;
      const table = this.#tables[index]!;
      for (const a of table.first) {
        for (const b of table.second.get(a)!) {
          const record = table.rows[a]![b]!;
          let used = false;
          for (let w = 0; w < words && !used; w++) used = this.mem[record.base + w] !== 0;
          if (!used) continue;
          const row: Record<string, FieldValue> = {};
          for (const field of fields) row[field] = (record as unknown as Record<string, FieldValue>)[field]!;
          (out[name] ??= {})[keyOf(name, a, b)] = row;
        }
      }
    });
    return out as Snapshot;
  }
}

export interface FlatMark {
  readonly words: Int32Array;
  readonly z1: number;
  readonly z2: number;
  readonly t1: Int32Array;
  readonly t2: Int32Array;
}

export function hex64(lo: number, hi: number): string {
  return (hi >>> 0).toString(16).padStart(8, '0') + (lo >>> 0).toString(16).padStart(8, '0');
}

/** The key of a record in a snapshot. */
export function keyOf(table: TableName, a: number, b: number): string {
  return TABLES[table].keys.length === 2 ? `${a},${b}` : `${a}`;
}
