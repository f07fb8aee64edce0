/**
 * What a page is given: scenarios, the images they start from, and a verdict per cell with the shortest schedule of each
 * broken invariant. No traces, no messages: the page has the machine and replays a schedule when a cell is opened.
 *
 * A cell is packed, since there are thousands of them: `{ v: 'X', h: 'exhaustive, …', b: [['model', 'A109B20']] }`.
 */
import type { CrashCell } from '../compare/crash.ts';
import type { Cell } from '../compare/race.ts';
import { reachText } from '../explore/explore.ts';
import type { Expectation } from '../scenario/schema.ts';

export const REPORT_VERSION = 1;

export type Verdict = Cell['verdict'];

/** A scenario as its file has it, without recorded verdicts. */
export interface ReportScenario {
  /** Name of its file. */
  readonly file: string;
  /** The command finds it by its name alone. */
  readonly bundled: boolean;
  readonly json: Readonly<Record<string, unknown>>;
  /** Its image among `images`; absent: made by mkfs. */
  readonly image?: string;
}

/** A design that is not bundled: the page knows what it says of itself, and cannot run it. */
export interface ForeignDesign {
  readonly id: string;
  readonly summary: string;
  readonly source: string;
  readonly promises: readonly string[];
  readonly locks: readonly string[];
  readonly unmodelled: readonly string[];
}

export interface ReportSplat {
  readonly summary: string;
  readonly text: string;
}

export interface ReportClaim {
  readonly name: string;
  readonly claim: string;
  readonly by: string;
  readonly date: string;
  readonly where: string;
  readonly quotation?: string | undefined;
  readonly note?: string | undefined;
  /** `confirmed`, `refuted`, `depends`; absent where no answer is recorded. */
  readonly verdict?: string;
  readonly outcomes: readonly {
    readonly of: string;
    readonly saw: string;
    readonly came: boolean;
    readonly token?: string;
  }[];
}

export interface Report {
  readonly reportVersion: typeof REPORT_VERSION;
  /** Version of ext4lab. */
  readonly lab: string;
  /** `race`: searched for this page. `record`: as the scenario files record it. */
  readonly from: 'race' | 'record';
  /** The command line that made it. */
  readonly command: string;
  /** Columns. */
  readonly designs: readonly string[];
  readonly foreign: readonly ForeignDesign[];
  /** Rows. */
  readonly scenarios: readonly ReportScenario[];
  /** Other scenarios, to begin from and for links. */
  readonly library: readonly ReportScenario[];
  /** gzip, base64. */
  readonly images: Readonly<Record<string, string>>;
  readonly cells: PackedCells;
  /** The same lanes when power may fail at any step; empty where that was not asked. */
  readonly crash: PackedCells;
  /** How far it all reaches, in a sentence each. */
  readonly reach: readonly string[];
  readonly lockdep: readonly { readonly design: string; readonly splats: readonly ReportSplat[] }[];
  readonly claims: readonly ReportClaim[];
  /** Where it opens: a hash, or nothing. */
  readonly open: string;
}

/** By scenario, then by mount, a list as long as `designs`; null: not run. */
export type PackedCells = Readonly<Record<string, Readonly<Record<string, readonly (PackedCell | null)[]>>>>;

export interface PackedCell {
  /** H holds, X violates, I inconclusive, N not applicable. */
  readonly v: 'H' | 'X' | 'I' | 'N';
  /** How far that reaches. */
  readonly h: string;
  /** Broken invariants: id, shortest schedule (0: not recorded), story where the page cannot replay it. */
  readonly b?: readonly (readonly [string, string | 0] | readonly [string, string | 0, string])[];
  /** 1 as recorded, 0 not; absent: nothing is recorded. */
  readonly e?: 0 | 1;
  /** Names of `reaches` that no schedule came to. */
  readonly u?: readonly string[];
}

export interface ReportViolation {
  readonly invariant: string;
  /** Text of the shortest schedule; null: known to exist, to be searched for. */
  readonly schedule: string | null;
  /** The story, of a design that the page cannot run. */
  readonly story: string | null;
}

/** A cell, unpacked. */
export interface ReportCell {
  readonly verdict: Verdict;
  readonly how: string;
  readonly violations: readonly ReportViolation[];
  /** `strict` is broken, and only by the pending state of delayed allocation. */
  readonly pendingOnly: boolean;
  readonly asExpected: boolean | null;
  readonly unreached: readonly string[];
}

const LETTER = { holds: 'H', violates: 'X', inconclusive: 'I', 'not-applicable': 'N' } as const;
const VERDICT = { H: 'holds', X: 'violates', I: 'inconclusive', N: 'not-applicable' } as const;

/** @param stories  by invariant, where the page cannot replay */
export function packCell(
  cell: Cell | CrashCell,
  expected: boolean | null,
  stories: ReadonlyMap<string, string> = new Map(),
): PackedCell {
  const failures =
    'crash' in cell ? `; ${cell.crash.failures} power failures, ${cell.crash.media} media recovered` : '';
  return {
    v: LETTER[cell.verdict],
    h: reachText(cell.reach) + failures,
    ...(cell.violations.length === 0
      ? {}
      : {
          b: cell.violations.map(({ invariant, schedule }) => {
            const story = stories.get(invariant);
            return story === undefined
              ? ([invariant, schedule] as const)
              : ([invariant, schedule, story] as const);
          }),
        }),
    ...(expected === null ? {} : { e: expected ? 1 : 0 }),
    ...(cell.unreached.length === 0 ? {} : { u: cell.unreached }),
  };
}

/** What a scenario file records, as a cell: the schedule of the first violation alone is known. */
export function packExpectation(expected: Expectation): PackedCell {
  if ('holds' in expected) return { v: 'H', h: expected.holds };
  if ('inconclusive' in expected) return { v: 'I', h: expected.inconclusive };
  if ('notApplicable' in expected) return { v: 'N', h: expected.notApplicable };
  return {
    v: 'X',
    h: 'as recorded',
    b: expected.violates.map((id, index) => [id, index === 0 ? (expected.schedule ?? 0) : 0] as const),
  };
}

export function unpackCell(packed: PackedCell): ReportCell {
  const broken = packed.b ?? [];
  const ids = broken.map(([id]) => id);
  return {
    verdict: VERDICT[packed.v],
    how: packed.h,
    violations: broken.map(([invariant, schedule, story]) => ({
      invariant,
      schedule: schedule === 0 ? null : schedule,
      story: story ?? null,
    })),
    pendingOnly: ids.includes('strict') && !ids.includes('settled') && !ids.includes('pending'),
    asExpected: packed.e === undefined ? null : packed.e === 1,
    unreached: packed.u ?? [],
  };
}

/** The cell of a scenario under a mount and a design; null: not run. */
export function cellAt(
  report: Pick<Report, 'designs'>,
  cells: PackedCells,
  scenario: string,
  mount: string,
  design: string,
): ReportCell | null {
  const row = Object.hasOwn(cells, scenario) ? cells[scenario]![mount] : undefined;
  const packed = row?.[report.designs.indexOf(design)];
  return packed === undefined || packed === null ? null : unpackCell(packed);
}
