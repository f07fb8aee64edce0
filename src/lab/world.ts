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
const { sb: SB, journal: JOURNAL, inode: INODE, raw: RAW, folio: FOLIO, ghost: GHOST, ghostPage: GHOST_PAGE, lock: LOCK, task: TASK, buf: BUF } = tableIndex;

export class LiveKernel extends Kernel {
  readonly #live: LiveWorld;
  readonly #sb: Rec<'sb'>;
  readonly #journal: Rec<'journal'>;
  constructor(setup: KernelSetup & { world: LiveWorld }, task = 0, mm = task, shared?: Kernel) {
    super(setup, task, mm, shared);
    this.#live = setup.world;
    this.#sb = setup.world.rec('sb', 0, 0);
    this.#journal = setup.world.rec('journal', 0, 0);
  }
  override get sb(): Rec<'sb'> {
    return this.#sb;
  }
  override get journal(): Rec<'journal'> {
    return this.#journal;
  }
  override inode(ino: number): Rec<'inode'> {
    return this.#live.single(INODE, ino) as Rec<'inode'>;
  }
  override raw(ino: number): Rec<'raw'> {
    return this.#live.single(RAW, ino) as Rec<'raw'>;
  }
  override ghost(ino: number): Rec<'ghost'> {
    return this.#live.single(GHOST, ino) as Rec<'ghost'>;
  }
  override buf(block: number): Rec<'buf'> {
    return this.#live.single(BUF, block) as Rec<'buf'>;
  }
  override taskRecord(task: number): Rec<'task'> {
    return this.#live.single(TASK, task) as Rec<'task'>;
  }
}

export class LiveWorld implements World {
  readonly #tables: readonly ByNumber<ByNumber<Row>>[] = TABLE_NAMES.map(() => new ByNumber());

  rec<T extends TableName>(table: T, a: number, b: number): Rec<T> {
    return this.recAt(tableIndex[table], a, b) as Rec<T>;
  }

  recAt(table: number, a: number, b: number): unknown {
    return this.#tables[table]!.get(a)?.get(b) ?? this.#make(table, a, b);
  }

  single(table: number, a: number): Row {
    const row = this.#singles[table]![a];
    if (row !== undefined) return row;
    const made = this.recAt(table, a, 0) as Row;
    if (a < DENSE) { const list = this.#singles[table]!; while (list.length <= a) list.push(undefined); list[a] = made; }
    return made;
  }
  #singles: (Row | undefined)[][] = TABLE_NAMES.map(() => []);

  #make(index: number, a: number, b: number): Row {
    const table = this.#tables[index]!;
    return (table.get(a) ?? table.add(a, new ByNumber())).add(b, { ...TEMPLATES[index]! });
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
          (out[name] ??= {})[keyOf(name, a, b)] = { ...record };
        }
      }
    });
    return out as Snapshot;
  }
}
