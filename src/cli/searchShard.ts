/**
 * One search in parts: `explore` and `crash` with `--shard I/N --json` search one part (`explore/part.ts`), and `merge`
 * joins what they print to what one search prints.
 *
 *   verdict, what is broken, end states, reaches   as of one search
 *   schedules                                      as of one search, unless interleavings were left out: no two parts have one
 *   stories of an exhaustive search                the cheapest of all parts: as of one search, unless a part had too many
 *                                                  states to keep their graph
 *   stories of sampled schedules                   of the first schedule that breaks it: as of one search
 *   lockdep                                        what the schedules of the parts take; one search also puts together what
 *                                                  lanes do in schedules that are in different parts
 *   states, transitions, failures, media           sums: what several parts came to is counted in each, and `reach.parts`
 *                                                  says so
 */
import { z } from 'zod';
import { type CrashReach, crashToken } from '../compare/crash.ts';
import { scenarioFile } from '../compare/minimal.ts';
import { brokenIn, type Cell, type Reach, tokenOf, type Violation } from '../compare/race.ts';
import { CRASH_INVARIANTS } from '../crash/crash.ts';
import type { Cut } from '../explore/part.ts';
import { INVARIANTS } from '../invariants/index.ts';
import { LockOrder, type LockOrderData } from '../locks/lockdep.ts';
import { isLockdep, lockdepSplats, type Splat } from '../report/lockdep.ts';
import type { MountOption } from '../scenario/image.ts';
import { readJson } from '../scenario/json.ts';
import { mountLabel, type Scenario, type ScenarioFile } from '../scenario/schema.ts';
import { EXIT, type ExitCode, UsageError } from './errors.ts';
import { type Shard, wrongPart } from './shard.ts';

/** What was asked, the same for all parts of a search. */
export interface SearchAsked {
  readonly command: 'explore' | 'crash';
  /** Without its verdicts. */
  readonly scenario: ScenarioFile;
  readonly design: string;
  readonly mount: string;
  /** How it is searched, but for how long. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** `crash --json` adds what was lost, and a token with the medium. */
type ToldViolation = Violation & { readonly lost?: readonly string[]; readonly token?: string };
export type SearchCell = Omit<Cell, 'violations'> & {
  readonly violations: readonly ToldViolation[];
  readonly crash?: CrashReach;
};

/** What `explore --shard` and `crash --shard` print. */
export interface SearchShardJson {
  readonly schemaVersion: 1;
  readonly shard: Shard;
  readonly asked: SearchAsked;
  /** null: sampled, or cut short before it was known. */
  readonly cut: Cut | null;
  readonly cell: SearchCell;
  /** null for power failures. */
  readonly locks: LockOrderData | null;
}

/** @param given  the options of the command; what is left out is as the scenario says */
export function askedOf(
  command: SearchAsked['command'],
  scenario: Scenario,
  design: string,
  mount: readonly MountOption[],
  given: Readonly<Record<string, unknown>>,
): SearchAsked {
  const { budget: _, ...said } = scenario.explore;
  const file = scenarioFile(scenario, mount);
  return { command, scenario: file, design, mount: mountLabel(mount), options: { ...said, ...given } };
}

const searchSchema = z.looseObject({
  schemaVersion: z.literal(1),
  shard: z.object({ index: z.int().min(1), count: z.int().min(1) }),
  asked: z.looseObject({
    command: z.enum(['explore', 'crash']),
    scenario: z.looseObject({ name: z.string() }),
    design: z.string(),
    mount: z.string(),
    options: z.looseObject({}),
  }),
  cut: z.object({ depth: z.int(), nodes: z.int(), digest: z.string() }).nullable(),
  cell: z.looseObject({
    scenario: z.string(),
    verdict: z.string(),
    violations: z.array(
      z.looseObject({
        invariant: z.string(),
        schedule: z.string(),
        preemptions: z.int().min(0),
        steps: z.int().min(0),
      }),
    ),
    reach: z.looseObject({
      strategy: z.string(),
      schedules: z.union([z.int().min(0), z.string().regex(/^\d+$/), z.null()]),
      states: z.int().min(0),
      transitions: z.int().min(0),
      complete: z.boolean(),
    }),
    endStates: z.array(z.string()),
    unreached: z.array(z.string()),
    crash: z.object({ failures: z.int().min(0), media: z.int().min(0), all: z.boolean() }).optional(),
  }),
  locks: z
    .looseObject({ edges: z.array(z.any()), events: z.array(z.any()), classes: z.array(z.any()) })
    .nullable(),
});

/** Was this printed by `explore` or `crash`, whole or in parts? @throws ScenarioError for what is no JSON */
export function isSearchShard(text: string, file: string): boolean {
  const { value } = readJson(text, file);
  return typeof value === 'object' && value !== null && ('asked' in value || 'verdict' in value);
}

/** @throws UsageError for what is no part of a search, with file and place; ScenarioError for what is no JSON */
export function readSearchShard(text: string, file: string): SearchShardJson {
  const document = readJson(text, file);
  const parsed = searchSchema.safeParse(document.value);
  if (parsed.success) return document.value as SearchShardJson;
  if (typeof document.value === 'object' && document.value !== null && 'verdict' in document.value)
    throw new UsageError(`${file}: this is a whole search, not a part of one (explore --shard I/N --json)`);
  throw wrongPart(document, parsed.error, file, 'no part of a search');
}

/** What `merge` prints of a search. */
export type MergedSearch = { readonly schemaVersion: 1 } & SearchCell & {
    readonly lockdep?: readonly Splat[];
  };

/**
 * The whole search.
 * @param parts  with their files' names, in any order
 * @throws UsageError when they are not the parts of one search, or not all of them
 */
export function mergeSearch(
  given: readonly { readonly file: string; readonly part: SearchShardJson }[],
): MergedSearch {
  const parts = given.toSorted((a, b) => a.part.shard.index - b.part.shard.index);
  const [first] = parts;
  if (first === undefined) throw new UsageError('merge: no part given');
  checkParts(parts);
  const { command, scenario, design, mount } = first.part.asked;
  const cells = parts.map(({ part }) => part.cell);
  const reach = mergedReach(cells);
  const violations = mergedViolations(cells, command);
  const { violates, pendingOnly } = brokenIn(violations);
  const isHeld = cells.every(({ verdict }) => verdict === 'holds');
  const token = command === 'crash' ? crashToken : tokenOf;
  const cell: SearchCell = {
    scenario: scenario.name,
    mount,
    design,
    verdict: violations.length > 0 ? 'violates' : isHeld ? 'holds' : 'inconclusive',
    violates,
    violations,
    pendingOnly,
    reach,
    endStates: [...new Set(cells.flatMap(({ endStates }) => endStates))].sort(),
    ...(violations.length === 0
      ? {}
      : {
          schedule: violations[0]!.schedule,
          token: token(scenario.name, design, mount, violations[0]!.schedule),
        }),
    unreached: cells[0]!.unreached.filter((name) => cells.every(({ unreached }) => unreached.includes(name))),
  };
  if (command === 'crash') {
    const sum = (count: (each: CrashReach) => number): number =>
      cells.reduce((total, { crash }) => total + count(crash!), 0);
    const all = cells.every(({ crash }) => crash!.all);
    const crash = { failures: sum(({ failures }) => failures), media: sum(({ media }) => media), all };
    return { schemaVersion: 1, ...cell, crash };
  }
  const order = new LockOrder();
  for (const { part } of parts) order.add(part.locks!);
  return {
    schemaVersion: 1,
    ...cell,
    lockdep: lockdepSplats(order.data, `design ${design}, scenario ${scenario.name}`),
  };
}

/** @throws UsageError */
function checkParts(parts: readonly { readonly file: string; readonly part: SearchShardJson }[]): void {
  const [first] = parts;
  const { count } = first!.part.shard;
  const names = (['command', 'scenario', 'design', 'mount', 'options'] as const).map(
    (name) => [name, (part: SearchShardJson): unknown => part.asked[name]] as const,
  );
  const byIndex = new Map<number, string>();
  let known: Cut | null = null;
  for (const { file, part } of parts) {
    const { index } = part.shard;
    const which = `part ${index}/${part.shard.count}`;
    const another = (what: string): UsageError =>
      new UsageError(`${file}: ${which} of another search than ${first!.file}: ${what} differs`);
    if (part.shard.count !== count || index > count) throw another('the number of parts');
    for (const [name, of] of names)
      if (JSON.stringify(of(part)) !== JSON.stringify(of(first!.part))) throw another(name);
    const other = byIndex.get(index);
    if (other !== undefined) throw new UsageError(`${file}: ${which}, as ${other} is`);
    byIndex.set(index, file);
    const { command } = part.asked;
    if (
      (command === 'crash') !== (part.cell.crash !== undefined) ||
      (command === 'explore') !== (part.locks !== null)
    )
      throw new UsageError(`${file}: no part of a search: it is not what ${command} prints`);
    // One that was interrupted early does not know where it is cut.
    const { cut } = part;
    if (cut !== null && JSON.stringify(cut) !== JSON.stringify(known ?? cut))
      throw another('the tree of schedules');
    known ??= cut;
  }
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter((index) => !byIndex.has(index));
  if (missing.length > 0) throw new UsageError(`merge: missing of ${count} parts: ${missing.join(', ')}`);
}

function mergedReach(cells: readonly SearchCell[]): Reach {
  const reaches = cells.map(({ reach }) => reach);
  const sum = (of: (reach: Reach) => number): number => reaches.reduce((total, each) => total + of(each), 0);
  const schedules = reaches.some((each) => each.schedules === null)
    ? null
    : reaches.reduce((total, each) => total + BigInt(each.schedules!), 0n);
  const isNumber = schedules !== null && schedules <= BigInt(Number.MAX_SAFE_INTEGER);
  return {
    strategy: reaches[0]!.strategy,
    preemptions: reaches.find(({ preemptions }) => preemptions !== null)?.preemptions ?? null,
    schedules: isNumber ? Number(schedules) : schedules === null ? null : `${schedules}`,
    states: sum(({ states }) => states),
    transitions: sum(({ transitions }) => transitions),
    complete: reaches.every(({ complete }) => complete),
    reduced: reaches.some(({ reduced }) => reduced),
    parts: cells.length,
  };
}

/** Of each invariant one: of exhaustive searches the cheapest, as `counterexample.ts` has it, else the first part's. */
function mergedViolations(cells: readonly SearchCell[], command: SearchAsked['command']): ToldViolation[] {
  const isExhaustive = cells[0]!.reach.strategy === 'exhaustive';
  const best = new Map<string, ToldViolation>();
  for (const violation of cells.flatMap(({ violations }) => violations)) {
    const known = best.get(violation.invariant);
    if (known === undefined || (isExhaustive && cheaper(violation, known)))
      best.set(violation.invariant, violation);
  }
  const invariants = command === 'crash' ? CRASH_INVARIANTS : INVARIANTS;
  return [...invariants.map(({ id }) => id), 'no-deadlock'].flatMap((id) => best.get(id) ?? []);
}

/** Fewer preemptions, then fewer context switches, then shorter, then the lanes that are lower from the start on. */
function cheaper(a: Violation, b: Violation): boolean {
  const switches = ({ schedule }: Violation): number => schedule.replace(/\d+/g, '').length;
  if (a.preemptions !== b.preemptions) return a.preemptions < b.preemptions;
  if (switches(a) !== switches(b)) return switches(a) < switches(b);
  if (a.steps !== b.steps) return a.steps < b.steps;
  return steps(a.schedule) < steps(b.schedule);
}

/** A letter for each step. */
const steps = (schedule: string): string =>
  schedule.replace(/([A-Za-z])(\d+)/g, (_, lane: string, count: string) => lane.repeat(Number(count)));

/** What a search that came to this ends with. @param splats  none for power failures */
export function exitOfSearch(
  { verdict, unreached, reach, crash }: Pick<SearchCell, 'verdict' | 'unreached' | 'reach' | 'crash'>,
  splats: readonly Splat[],
): ExitCode {
  if (crash !== undefined && verdict === 'inconclusive') return reach.complete ? EXIT.ok : EXIT.budget;
  const isLocked = splats.some(isLockdep);
  if (verdict === 'inconclusive' && !isLocked) return EXIT.budget;
  const isVacuous = crash === undefined && unreached.length > 0;
  return verdict === 'violates' || isVacuous || isLocked ? EXIT.differs : EXIT.ok;
}
