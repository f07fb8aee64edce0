/**
 * The race: every design on one scenario, each verdict computed by a search, each failure with its shortest schedule.
 *
 * A cell's verdict is `violates` when any invariant is broken by any schedule seen. `strict` broken while `settled`
 * holds means: broken only by the pending state of delayed allocation; the cell says so.
 */
import type { Design } from '../designs/design.ts';
import { type Exploration, type ExploreOptions, explore, type Strategy } from '../explore/explore.ts';
import type { Cut, Part } from '../explore/part.ts';
import { formatSchedule } from '../explore/schedule.ts';
import { INVARIANTS } from '../invariants/index.ts';
import type { Invariant } from '../invariants/invariant.ts';
import type { LockOrderData } from '../locks/lockdep.ts';
import type { MountOption } from '../scenario/image.ts';
import { type Expectation, expectationOf, mountLabel, type Scenario } from '../scenario/schema.ts';
import { type Session, startSession } from '../scenario/session.ts';
import type { Image } from '../volume/image.ts';

export interface Violation {
  readonly invariant: string;
  readonly message: string;
  /** Text of the shortest schedule. */
  readonly schedule: string;
  readonly preemptions: number;
  /** Steps of the schedule; the invariant is broken after the last. */
  readonly steps: number;
}

export interface Reach {
  readonly strategy: Strategy;
  readonly preemptions: number | null;
  /** A number, or its decimal text when it is too large for one. */
  readonly schedules: number | string | null;
  readonly states: number;
  readonly transitions: number;
  readonly complete: boolean;
  /** Interleavings that cannot matter were left out; `schedules` says how many were not. */
  readonly reduced: boolean;
  /** Searched in so many parts: `states` and `transitions` are sums, and what several parts came to is counted in each. */
  readonly parts?: number;
  /** Who goes round for ever, and where. */
  readonly endless?: string;
}

export interface Cell {
  readonly scenario: string;
  readonly mount: string;
  readonly design: string;
  readonly verdict: 'holds' | 'violates' | 'inconclusive' | 'not-applicable';
  /** Invariants broken, in the order of the list; `no-deadlock` last. */
  readonly violates: readonly string[];
  readonly violations: readonly Violation[];
  /** `strict` is broken, and only by the pending state of delayed allocation. */
  readonly pendingOnly: boolean;
  readonly reach: Reach;
  /** Digests of the end states, sorted. */
  readonly endStates: readonly string[];
  /** Shortest schedule of the first violation, and the token that replays it. */
  readonly schedule?: string;
  readonly token?: string;
  /** Names of the scenario's `reaches` that no schedule came to. */
  readonly unreached: readonly string[];
}

export interface RaceOptions {
  /** Most transitions of a search. */
  readonly budget?: number;
  readonly preemptions?: number | null;
  readonly strategy?: Strategy;
  readonly seed?: number;
  /** For sampling: how many are tried, and the depth of pct. */
  readonly schedules?: number;
  readonly depth?: number;
  /** See `ExploreOptions`. */
  readonly reduce?: boolean | 'auto';
  readonly paranoid?: number;
  /** See `ExploreOptions`. */
  readonly part?: Part;
  /** Fold the locks of what was seen into one graph. */
  readonly lockdep?: boolean;
  readonly onProgress?: (states: number) => void;
  readonly stop?: () => boolean;
}

export const DEFAULT_BUDGET = 20_000_000;

/** `scenario:design@mount:schedule`: everything that a replay needs, in one word. */
export function tokenOf(scenario: string, design: string, mount: string, schedule: string): string {
  return `${scenario}:${design}@${mount}:${schedule}`;
}

/** Races one design on one scenario under one mount. */
export function raceCell(
  scenario: Scenario,
  image: Image,
  design: Design,
  mount: readonly MountOption[],
  options: RaceOptions = {},
): { cell: Cell; session: Session; lockOrder: LockOrderData | null; cut: Cut | null } {
  const session = startSession(scenario, image, design, mount);
  session.k.reached.clear();
  const result = explore(
    { k: session.k, world: session.world, specs: session.specs, invariants: INVARIANTS },
    { ...exploreOptions(scenario, options), lockdep: options.lockdep ?? false },
  );
  return {
    cell: cellOf(scenario, design, mountLabel(mount), result, session.k.reached, INVARIANTS),
    session,
    lockOrder: result.lockOrder,
    cut: result.cut,
  };
}

/** How a scenario is searched, as it asks and as the caller does. */
export function exploreOptions(scenario: Scenario, options: RaceOptions): ExploreOptions {
  const asked = scenario.explore;
  return {
    strategy: options.strategy ?? asked.strategy,
    preemptions: options.preemptions === undefined ? asked.preemptions : options.preemptions,
    budget: options.budget ?? asked.budget ?? DEFAULT_BUDGET,
    seed: options.seed ?? asked.seed,
    ...(options.schedules === undefined ? {} : { schedules: options.schedules }),
    ...(options.depth === undefined ? {} : { depth: options.depth }),
    ...(options.reduce === undefined ? {} : { reduce: options.reduce }),
    ...(options.part === undefined ? {} : { part: options.part }),
    ...(options.paranoid === undefined ? {} : { paranoid: options.paranoid }),
    ...(options.stop === undefined ? {} : { stop: options.stop }),
    ...(options.onProgress === undefined ? {} : { onProgress: ({ states }) => options.onProgress?.(states) }),
  };
}

/** @param invariants  those that were asked, in the order of the listing */
export function cellOf(
  scenario: Scenario,
  design: Design,
  mount: string,
  result: Exploration,
  reached: ReadonlySet<string>,
  invariants: readonly Invariant[],
): Cell {
  const order = [...invariants.map((invariant) => invariant.id), 'no-deadlock'];
  const violations = result.violations
    .map(({ invariant, message, schedule, preemptions, steps }) => ({
      invariant,
      message,
      schedule: formatSchedule(schedule),
      preemptions,
      steps,
    }))
    .sort((a, b) => order.indexOf(a.invariant) - order.indexOf(b.invariant));
  const { violates, pendingOnly } = brokenIn(violations);
  const first = violations[0];
  return {
    scenario: scenario.name,
    mount,
    design: design.id,
    verdict: result.verdict,
    violates,
    violations,
    pendingOnly,
    reach: {
      strategy: result.reach.strategy,
      preemptions: result.reach.preemptions,
      schedules: result.reach.schedules,
      states: result.reach.states,
      transitions: result.reach.transitions,
      complete: result.reach.complete,
      reduced: result.reach.reduced,
      ...(result.endless === null ? {} : { endless: result.endless }),
    },
    endStates: result.endStates,
    ...(first === undefined
      ? {}
      : { schedule: first.schedule, token: tokenOf(scenario.name, design.id, mount, first.schedule) }),
    unreached: scenario.reaches.filter((name) => !reached.has(name)),
  };
}

/** What a cell says of its violations. */
export function brokenIn(violations: readonly Violation[]): Pick<Cell, 'violates' | 'pendingOnly'> {
  const violates = violations.map((violation) => violation.invariant);
  const pendingOnly =
    violates.includes('strict') && !violates.includes('settled') && !violates.includes('pending');
  return { violates, pendingOnly };
}

/** How a cell compares with what the fixture records. */
export function asExpected(
  scenario: Scenario,
  cell: Cell,
  mount: readonly MountOption[],
  part: 'expect' | 'crash' = 'expect',
): boolean | null {
  const expected = expectationOf(scenario, cell.design, mount, part);
  return expected === null
    ? null
    : JSON.stringify(normal(expected)) === JSON.stringify(normal(expectationFor(cell)));
}

/** The expectation that a cell would be recorded as. */
export function expectationFor(cell: Cell): Expectation {
  switch (cell.verdict) {
    case 'holds':
      return { holds: reachWords(cell.reach) };
    case 'violates':
      return {
        violates: [...cell.violates],
        ...(cell.schedule === undefined ? {} : { schedule: cell.schedule }),
      };
    case 'inconclusive':
      return { inconclusive: reachWords(cell.reach) };
    case 'not-applicable':
      return { notApplicable: 'the question cannot be put to this design' };
  }
}

/** What is compared: the verdict and its invariants, not the note, not the schedule. */
function normal(expected: Expectation): unknown {
  if ('holds' in expected) return ['holds', expected.holds];
  if ('violates' in expected) return ['violates', [...expected.violates].sort()];
  return Object.keys(expected)[0];
}

/** `exhaustive`, `≤3 preemptions`, `10000 pct schedules`: how far, without the counts. */
export function reachWords(reach: Reach): string {
  if (reach.strategy !== 'exhaustive') return `${reach.schedules} ${reach.strategy} schedules`;
  if (!reach.complete) return 'incomplete';
  return reach.preemptions === null ? 'exhaustive' : `≤${reach.preemptions} preemptions`;
}
