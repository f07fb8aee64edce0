/**
 * A race in parts: `race --shard I/N --json` searches every Nth cell, on as many machines as there are parts, and `merge`
 * joins what they print to what one race prints, byte for byte.
 *
 *   cells    0 1 2 3 4 5 6 7 …      part 1/3: 0 3 6 …    part 2/3: 1 4 7 …    part 3/3: 2 5 …
 *
 * The order of locks is one graph per design, in which the first to take two classes in some order is the one that is
 * told of: so a part says with each cell what that cell was the first to see there, and merge puts the cells in order.
 */
import { z } from 'zod';
import type { CrashCell } from '../compare/crash.ts';
import type { Cell } from '../compare/race.ts';
import type { Part } from '../explore/part.ts';
import { type LockEdge, LockOrder, type LockOrderData } from '../locks/lockdep.ts';
import { lockdepSplats } from '../report/lockdep.ts';
import { type JsonDocument, readJson } from '../scenario/json.ts';
import { EXIT, type ExitCode, UsageError } from './errors.ts';

/** Which part. */
export type Shard = Part;

const MAX_SHARDS = 10_000;

/** @throws UsageError */
export function parseShard(text: string): Shard {
  const [, index, count] = /^(\d{1,5})\/(\d{1,5})$/.exec(text) ?? [];
  const shard = { index: Number(index), count: Number(count) };
  if (index === undefined || shard.index < 1 || shard.index > shard.count || shard.count > MAX_SHARDS)
    throw new UsageError(`--shard ${text}: I/N, the Ith of N parts, I from 1 to N, N at most ${MAX_SHARDS}`);
  return shard;
}

export const isOf = ({ index, count }: Shard, cell: number): boolean => cell % count === index - 1;

/** A cell as `race --json` has it. */
export type RacedCell = Cell & {
  readonly asExpected: boolean | null;
  readonly crash?: CrashCell & { readonly asExpected: boolean | null };
};

/** What `race --json` prints. */
export interface RaceJson {
  readonly schemaVersion: 1;
  readonly designs: readonly { readonly id: string }[];
  readonly scenarios: readonly { readonly name: string; readonly question: string }[];
  readonly cells: readonly RacedCell[];
  readonly lockdep: readonly object[];
}

/** @param orders  by design */
export function raceJson(
  { designs, scenarios }: Pick<RaceJson, 'designs' | 'scenarios'>,
  cells: readonly RacedCell[],
  orders: ReadonlyMap<string, LockOrder>,
): RaceJson {
  return {
    schemaVersion: 1,
    designs,
    scenarios,
    cells,
    lockdep: [...orders].map(([design, order]) => ({
      design,
      splats: lockdepSplats(order.data, `design ${design}`).map(({ text: _, ...short }) => short),
    })),
  };
}

/** A cell of a part: its number in the whole race, and what it was the first of its part and design to see of locks. */
export interface ShardCell {
  readonly at: number;
  readonly cell: RacedCell;
  readonly locks: LockOrderData;
}

/** What `race --shard` prints. */
export interface ShardJson extends Pick<RaceJson, 'designs' | 'scenarios'> {
  readonly schemaVersion: 1;
  readonly shard: Shard & { readonly cells: number };
  readonly cells: readonly ShardCell[];
}

/** @param total  cells of the whole race */
export function shardJson(
  { designs, scenarios }: Pick<RaceJson, 'designs' | 'scenarios'>,
  { index, count }: Shard,
  total: number,
  cells: readonly ShardCell[],
): ShardJson {
  return { schemaVersion: 1, shard: { index, count, cells: total }, designs, scenarios, cells };
}

/** Keeps what the cells of one design have seen so far, and tells what a further one adds. */
export class FreshLocks {
  readonly #edges = new Map<string, number>();
  readonly #events = new LockOrder();
  readonly #classes = new Map<string, number>();

  add({ edges, events, classes }: LockOrderData): LockOrderData {
    const fresh = <T>(known: Map<string, number>, name: string, bits: number, value: T): T[] => {
      const before = known.get(name);
      known.set(name, (before ?? 0) | bits);
      return before === undefined || (before | bits) !== before ? [value] : [];
    };
    const seen = this.#events.data.events.length;
    this.#events.add({ edges: [], events, classes: [] });
    return {
      edges: edges.flatMap((edge: LockEdge) => fresh(this.#edges, `${edge.from} ${edge.to}`, edge.dep, edge)),
      events: this.#events.data.events.slice(seen),
      classes: classes.flatMap((each) => fresh(this.#classes, each.key, each.modes, each)),
    };
  }
}

const partSchema = z.looseObject({
  schemaVersion: z.literal(1),
  shard: z.object({ index: z.int().min(1), count: z.int().min(1), cells: z.int().min(0) }),
  designs: z.array(z.object({ id: z.string() })),
  scenarios: z.array(z.object({ name: z.string(), question: z.string() })),
  cells: z.array(
    z.object({
      at: z.int().min(0),
      cell: z.looseObject({
        scenario: z.string(),
        design: z.string(),
        verdict: z.string(),
        unreached: z.array(z.string()),
        asExpected: z.boolean().nullable(),
      }),
      locks: z.looseObject({ edges: z.array(z.any()), events: z.array(z.any()), classes: z.array(z.any()) }),
    }),
  ),
});

/** @throws UsageError for what is no part of a race, with file and place; ScenarioError for what is no JSON */
export function readShard(text: string, file: string): ShardJson {
  const document = readJson(text, file);
  const parsed = partSchema.safeParse(document.value);
  if (parsed.success) return document.value as ShardJson;
  const whole = typeof document.value === 'object' && document.value !== null && 'cells' in document.value;
  const isRace = whole && !('shard' in document.value);
  if (isRace)
    throw new UsageError(`${file}: this is a whole race, not a part of one (race --shard I/N --json)`);
  throw wrongPart(document, parsed.error, file, 'no part of a race');
}

/** The first thing that is wrong with a file, with its place. */
export function wrongPart(
  document: JsonDocument,
  { issues: [issue] }: z.ZodError,
  file: string,
  what: string,
): UsageError {
  const path = issue!.path.filter((part) => typeof part !== 'symbol');
  const { line, column } = document.place(path);
  const at = path.length === 0 ? '' : ` ${path.join('.')}`;
  return new UsageError(`${file}:${line}:${column}: ${what}:${at} ${issue!.message}`);
}

/**
 * The whole race.
 * @param parts  with their files' names, in any order
 * @throws UsageError when they are not the parts of one race, or not all of them
 */
export function mergeShards(parts: readonly { readonly file: string; readonly part: ShardJson }[]): RaceJson {
  const [first] = parts;
  if (first === undefined) throw new UsageError('merge: no part given');
  const asked = ({ designs, scenarios, shard }: ShardJson): string =>
    JSON.stringify([designs, scenarios, shard.cells, shard.count]);
  const byIndex = new Map<number, string>();
  for (const { file, part } of parts) {
    const { index, count } = part.shard;
    if (asked(part) !== asked(first.part))
      throw new UsageError(`${file}: part ${index}/${count} of another race than ${first.file}`);
    const other = byIndex.get(index);
    if (other !== undefined) throw new UsageError(`${file}: part ${index}/${count}, as ${other} is`);
    byIndex.set(index, file);
    const wrong = part.cells.find(({ at }) => at >= part.shard.cells || !isOf(part.shard, at));
    if (wrong !== undefined)
      throw new UsageError(`${file}: cell ${wrong.at} is none of part ${index}/${count}`);
  }
  const { count, cells: total } = first.part.shard;
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter((index) => !byIndex.has(index));
  if (missing.length > 0) throw new UsageError(`merge: missing of ${count} parts: ${missing.join(', ')}`);
  const cells = parts.flatMap(({ part }) => part.cells).sort((a, b) => a.at - b.at);
  const gap = Array.from({ length: total }, (_, at) => at).find((at) => cells[at]?.at !== at);
  if (gap !== undefined) {
    const file = byIndex.get((gap % count) + 1)!;
    throw new UsageError(`${file}: cell ${gap} is missing or there twice: was its search interrupted?`);
  }
  const orders = new Map(first.part.designs.map(({ id }) => [id, new LockOrder()]));
  for (const { cell, locks } of cells) orders.get(cell.design)?.add(locks);
  return raceJson(
    first.part,
    cells.map(({ cell }) => cell),
    orders,
  );
}

/** What a race that came to this ends with. */
export function exitOf(cells: readonly RacedCell[]): ExitCode {
  const all = cells.flatMap((cell) => (cell.crash === undefined ? [cell] : [cell, cell.crash]));
  if (all.some(({ verdict }) => verdict === 'inconclusive')) return EXIT.budget;
  if (all.some(({ asExpected }) => asExpected === false)) return EXIT.differs;
  const never = new Map<string, ReadonlySet<string>>();
  for (const { scenario, unreached } of cells) {
    const before = never.get(scenario);
    never.set(scenario, new Set(unreached.filter((name) => before === undefined || before.has(name))));
  }
  return [...never.values()].some(({ size }) => size > 0) ? EXIT.differs : EXIT.ok;
}
