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
import { Kernel, type KernelSetup } from '../kernel.ts';
import { LOCK_CLASSES, type LockRecord, type LockRef } from '../locks/lock.ts';
import { keyOf } from '../state/flat.ts';
import { digestOf } from '../state/recording.ts';
import { defaultOf, type FieldValue } from '../state/schema.ts';
import { fieldsOf, type Rec, TABLE_NAMES, type TableName, tableIndex } from '../state/tables.ts';
import type { Snapshot, World } from '../state/world.ts';

type Row = Record<string, FieldValue>;

/** A record at its defaults, per table. Through JSON, because V8 then knows how many fields a copy has room for. */
const TEMPLATES: readonly Row[] = TABLE_NAMES.map((name) =>
  JSON.parse(
    JSON.stringify(
      Object.fromEntries(Object.entries(fieldsOf(name)).map(([field, { kind }]) => [field, defaultOf(kind)])),
    ),
  ),
);

/** Keys below this are places in an array; others, few and far between, are looked up. */
const DENSE = 1 << 16;

/** Things by number. */
class ByNumber<T> {
  readonly #dense: (T | undefined)[] = [];
  readonly #sparse = new Map<number, T>();
  /** Ascending. */
  readonly keys: number[] = [];

  /** What is at places of the array; grows, never moves. */
  get dense(): readonly (T | undefined)[] {
    return this.#dense;
  }

  get(key: number): T | undefined {
    return key < DENSE ? this.#dense[key] : this.#sparse.get(key);
  }

  add(key: number, value: T): T {
    if (key < DENSE) {
      while (this.#dense.length <= key) this.#dense.push(undefined);
      this.#dense[key] = value;
    } else this.#sparse.set(key, value);
    let at = this.keys.length;
    while (at > 0 && this.keys[at - 1]! > key) at--;
    this.keys.splice(at, 0, key);
    return value;
  }
}

const NO_KEYS: readonly number[] = [];
export class LiveWorld implements World {
  readonly #tables: readonly ByNumber<ByNumber<Row>>[] = TABLE_NAMES.map(() => new ByNumber());
  readonly #singles: readonly (Row | undefined)[][] = TABLE_NAMES.map(() => []);

  rec<T extends TableName>(table: T, a: number, b: number): Rec<T> {
    return this.recAt(tableIndex[table], a, b) as Rec<T>;
  }

  recAt(table: number, a: number, b: number): unknown {
    return this.#tables[table]!.get(a)?.get(b) ?? this.#make(table, a, b);
  }

  #make(index: number, a: number, b: number): Row {
    const table = this.#tables[index]!;
    const record = { ...TEMPLATES[index]! };
    if (b === 0 && a < DENSE) {
      const list = this.#singles[index]!;
      while (list.length <= a) list.push(undefined);
      list[a] = record;
    }
    return (table.get(a) ?? table.add(a, new ByNumber())).add(b, record);
  }

  /** Records of a table with one key, by that key; one that is missing must be made with `recAt`. */
  single(table: TableName): readonly (Row | undefined)[] {
    return this.#singles[tableIndex[table]]!;
  }

  firstKeys(table: TableName): readonly number[] {
    return this.#tables[tableIndex[table]]!.keys;
  }

  secondKeys(table: TableName, a: number): readonly number[] {
    return this.#tables[tableIndex[table]]!.get(a)?.keys ?? NO_KEYS;
  }

  digest(): string {
    return digestOf(this.snapshot());
  }

  /** Goes to a state given as plain data. Records that exist stay the objects they are. */
  restore(state: Snapshot): void {
    TABLE_NAMES.forEach((name, index) => {
      const table = this.#tables[index]!;
      for (const a of table.keys) {
        const rows = table.get(a)!;
        for (const b of rows.keys) Object.assign(rows.get(b)!, TEMPLATES[index]);
      }
      for (const [key, row] of Object.entries(state[name] ?? {})) {
        const [a = 0, b = 0] = key.split(',').map(Number);
        Object.assign(this.recAt(index, a, b) as Row, row);
      }
    });
  }

  /** The state as plain frozen data. */
  snapshot(): Snapshot {
    const out: Record<string, Record<string, Row>> = {};
    TABLE_NAMES.forEach((name, index) => {
      const template = TEMPLATES[index]!;
      const fields = Object.keys(template);
      const table = this.#tables[index]!;
      for (const a of table.keys) {
        const rows = table.get(a)!;
        for (const b of rows.keys) {
          const record = rows.get(b)!;
          if (fields.every((field) => record[field] === template[field])) continue;
          (out[name] ??= {})[keyOf(name, a, b)] = Object.freeze({ ...record });
        }
      }
      if (out[name] !== undefined) Object.freeze(out[name]);
    });
    return Object.freeze(out) as Snapshot;
  }
}

type Singles<T extends TableName> = readonly (Rec<T> | undefined)[];

/** A kernel over a living world: finds the records that every operation wants in one step. */
export class LiveKernel extends Kernel {
  readonly #live: LiveWorld;
  readonly #sb: Rec<'sb'>;
  readonly #journal: Rec<'journal'>;
  readonly #inodes: Singles<'inode'>;
  readonly #raws: Singles<'raw'>;
  readonly #bufs: Singles<'buf'>;
  readonly #ghosts: Singles<'ghost'>;
  readonly #tasks: Singles<'task'>;
  readonly #folios: Singles<'folio'>;
  readonly #ghostPages: Singles<'ghostPage'>;
  readonly #locks: (LockRecord | undefined)[][] = LOCK_CLASSES.map(() => []);

  constructor(setup: KernelSetup, world: LiveWorld, task = 0, mm: number = task, shared?: Kernel) {
    super(setup, task, mm, shared);
    this.#live = world;
    this.#sb = world.rec('sb', 0, 0);
    this.#journal = world.rec('journal', 0, 0);
    this.#inodes = world.single('inode') as Singles<'inode'>;
    this.#raws = world.single('raw') as Singles<'raw'>;
    this.#bufs = world.single('buf') as Singles<'buf'>;
    this.#ghosts = world.single('ghost') as Singles<'ghost'>;
    this.#folios = world.single('folio') as Singles<'folio'>;
    this.#ghostPages = world.single('ghostPage') as Singles<'ghostPage'>;
    this.#tasks = world.single('task') as Singles<'task'>;
  }

  override forTask(task: number, mm: number = task): LiveKernel {
    return new LiveKernel(this.setup, this.#live, task, mm, this);
  }

  override get sb(): Rec<'sb'> {
    return this.#sb;
  }
  override get journal(): Rec<'journal'> {
    return this.#journal;
  }
  override inode(ino: number): Rec<'inode'> {
    return this.#inodes[ino] ?? super.inode(ino);
  }
  override raw(ino: number): Rec<'raw'> {
    return this.#raws[ino] ?? super.raw(ino);
  }
  override buf(block: number): Rec<'buf'> {
    return this.#bufs[block] ?? super.buf(block);
  }
  override ghost(ino: number): Rec<'ghost'> {
    return this.#ghosts[ino] ?? super.ghost(ino);
  }
  override folio(ino: number, index: number): Rec<'folio'> {
    return (index === 0 ? this.#folios[ino] : undefined) ?? super.folio(ino, index);
  }
  override ghostPage(ino: number, index: number): Rec<'ghostPage'> {
    return (index === 0 ? this.#ghostPages[ino] : undefined) ?? super.ghostPage(ino, index);
  }
  override lockRecord(lock: LockRef): LockRecord {
    if (lock.index !== 0) return super.lockRecord(lock);
    const ofClass = this.#locks[lock.class.number]!;
    const known = ofClass[lock.instance];
    if (known !== undefined) return known;
    const record = super.lockRecord(lock);
    while (ofClass.length <= lock.instance) ofClass.push(undefined);
    ofClass[lock.instance] = record;
    return record;
  }
  override taskRecord(task: number): Rec<'task'> {
    return this.#tasks[task] ?? super.taskRecord(task);
  }
}
