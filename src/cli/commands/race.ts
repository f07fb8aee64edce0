/**
 * The main job: every scenario × every design.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { CrashCell } from '../../compare/crash.ts';
import { asExpected, type Cell, expectationFor, type Violation } from '../../compare/race.ts';
import { designById, MAIN_DESIGNS } from '../../designs/index.ts';
import { reachText } from '../../explore/explore.ts';
import { LockOrder } from '../../locks/lockdep.ts';
import { renderCpuDiagram } from '../../report/cpuDiagram.ts';
import { isLockdep, lockdepSplats, type Splat } from '../../report/lockdep.ts';
import { renderMatrix, type Verdict } from '../../report/matrix.ts';
import { renderJunit, renderKtap, type TestCase, type TestSuite } from '../../report/testReport.ts';
import type { MountOption } from '../../scenario/image.ts';
import { mountLabel, type Scenario } from '../../scenario/schema.ts';
import { type Session, startSession } from '../../scenario/session.ts';
import { cellsOf, runCells } from '../cells.ts';
import { defineCommand } from '../command.ts';
import { designsOf, mountNamed } from '../designOption.ts';
import { EXIT, UsageError } from '../errors.ts';
import { imageOf } from '../images.ts';
import { crashLine, reachLine } from '../reachLine.ts';
import { loadScenarios } from '../scenarioFiles.ts';
import {
  FreshLocks,
  isOf,
  parseShard,
  type RacedCell,
  raceJson,
  type ShardCell,
  shardJson,
} from '../shard.ts';
import { storyDiagram } from '../story.ts';

const MAIN_IDS = MAIN_DESIGNS.map(({ id }) => id).join(',');

interface Raced {
  readonly scenario: Scenario;
  readonly mount: readonly MountOption[];
  readonly cell: Cell;
  /** In its start state. */
  readonly session: () => Session;
  /** null: the fixture records no expectation. */
  readonly expected: boolean | null;
  /** The same lanes when power may fail at any step; null where that was not asked. */
  readonly crash: { readonly cell: CrashCell; readonly expected: boolean | null } | null;
}

export default defineCommand({
  about:
    'Runs every scenario under the main designs (or those named) and every schedule, checks the invariants after every step, and prints ' +
    'the verdicts as a matrix, the shortest story of each failure, and how far every "holds" reaches.',
  operands: ['[SCENARIO…]'],
  options: {
    designs: {
      type: 'text',
      value: 'D,…',
      summary: `designs to race, or files that export one, or all (default: ${MAIN_IDS})`,
    },
    stories: {
      type: 'text',
      value: 'WHICH',
      choices: ['distinct', 'all', 'none'],
      default: 'distinct',
      summary: 'which failures are told: the simplest of each kind, all, or none',
    },
    preemptions: {
      type: 'integer',
      value: 'N',
      min: 0,
      max: 100,
      summary: 'at most N preemptions in a schedule',
    },
    budget: { type: 'integer', value: 'N', min: 1, summary: 'most transitions of one search' },
    shard: {
      type: 'text',
      value: 'I/N',
      summary: 'with --json: every Nth cell from the Ith on; ext4lab merge joins the N parts',
    },
    'no-crash': { type: 'flag', summary: 'leave out power failures' },
    update: { type: 'flag', summary: 'write the verdicts into the scenario files, to be reviewed' },
    format: {
      type: 'text',
      value: 'F',
      choices: ['text', 'ktap', 'junit'],
      default: 'text',
      summary: 'the matrix, or a test per scenario, design and mount as KTAP or JUnit XML',
    },
    json: { type: 'flag', summary: 'one JSON object on stdout' },
  },
  examples: [
    'race',
    'race mmap-store-then-fsync --designs all',
    'race --designs mkwrite-convert,./my-design.ts',
    'race --format junit > race.xml',
  ],
  async run(ctx) {
    const designs = await designsOf(ctx.options.designs);
    const foreign = designs.find((design) => designById(design.id) !== design);
    if (ctx.options.update && foreign !== undefined)
      throw new UsageError(`--update records the designs of this project, and ${foreign.id} is none`);
    const scenarios = loadScenarios(ctx.operands);
    const shard = ctx.options.shard === undefined ? null : parseShard(ctx.options.shard);
    if (shard !== null && (!ctx.options.json || ctx.options.update))
      throw new UsageError('--shard goes with --json, and not with --update: merge joins what is printed');
    const orders = new Map(designs.map((design) => [design.id, new LockOrder()]));
    const every = cellsOf(scenarios, designs);
    const numbers = every.flatMap((_, at) => (shard === null || isOf(shard, at) ? [at] : []));
    const asked = numbers.map((at) => every[at]!);
    const parts: ShardCell[] = [];
    const fresh = new Map(designs.map((design) => [design.id, new FreshLocks()]));
    const searched = await runCells(asked, {
      workers: ctx.workers,
      signal: ctx.signal,
      options: {
        lockdep: true,
        ...(ctx.options.budget === undefined ? {} : { budget: ctx.options.budget }),
        ...(ctx.options.preemptions === undefined ? {} : { preemptions: ctx.options.preemptions }),
      },
      crash: !ctx.options['no-crash'],
      onProgress: (done, _states, name) => ctx.progress.update(`race ${name}`, done, asked.length),
      breathe: ctx.breathe,
    });
    const raced = asked.flatMap(({ scenario, design, mount: label }, i): Raced[] => {
      const found = searched[i];
      if (found === undefined) return [];
      const { cell, crash, lockOrder } = found;
      orders.get(design.id)!.add(lockOrder!);
      const mount = mountNamed(scenario, label);
      const one: Raced = {
        scenario,
        mount,
        cell,
        session: () => startSession(scenario, imageOf(scenario), design, mount),
        expected: asExpected(scenario, cell, mount),
        crash: crash && { cell: crash, expected: asExpected(scenario, crash, mount, 'crash') },
      };
      if (shard !== null) {
        const locks = fresh.get(design.id)!.add(lockOrder!);
        parts.push({ at: numbers[i]!, cell: jsonOf(one), locks });
      }
      return [one];
    });
    ctx.progress.clear();
    const lockdep = [...orders].map(([design, order]) => ({
      design,
      splats: lockdepSplats(order.data, `design ${design}`),
    }));
    if (ctx.options.update) update(raced);
    if (ctx.options.json) {
      const what = {
        designs: designs.map(({ id }) => ({ id })),
        scenarios: scenarios.map(({ name, question }) => ({ name, question })),
      };
      if (shard === null) ctx.json({ ...raceJson(what, raced.map(jsonOf), orders) });
      else ctx.json({ ...shardJson(what, shard, every.length, parts) });
    } else if (ctx.options.format !== 'text') {
      const suites = suitesOf(raced);
      ctx.out((ctx.options.format === 'ktap' ? renderKtap(suites) : renderJunit(suites)).trimEnd());
    } else {
      print(
        ctx,
        raced,
        designs.map((design) => design.id),
      );
      printLockdep(ctx, lockdep);
    }
    const all = raced.flatMap((each) => (each.crash === null ? [each] : [each, each.crash]));
    if (all.some(({ cell }) => cell.verdict === 'inconclusive')) return EXIT.budget;
    const differs = all.some(({ expected }) => expected === false) && !ctx.options.update;
    // A part does not know whether another one comes to a place.
    const isVacuous = shard === null && vacuous(raced).size > 0;
    return differs || isVacuous ? EXIT.differs : EXIT.ok;
  },
});

const jsonOf = ({ cell, expected, crash }: Raced): RacedCell => ({
  ...cell,
  asExpected: expected,
  ...(crash === null ? {} : { crash: { ...crash.cell, asExpected: crash.expected } }),
});

/** A suite per scenario; what fails comes with its worst story. */
function suitesOf(raced: readonly Raced[]): TestSuite[] {
  const suites = new Map<string, TestCase[]>();
  for (const { scenario, cell, session, expected } of raced) {
    const words = cell.verdict === 'violates' ? `violates ${cell.violates.join(', ')}` : cell.verdict;
    const test = {
      name: `${cell.design} ${cell.mount}`,
      message: `${words} (${reachText(cell.reach)})`,
    };
    const [worst] = [...cell.violations].sort((a, b) => rank(a.invariant) - rank(b.invariant));
    const isWrong = expected === false || (expected === null && cell.verdict === 'violates');
    const outcome = isWrong
      ? 'fail'
      : cell.verdict === 'violates'
        ? 'expected'
        : cell.verdict === 'inconclusive'
          ? 'cut'
          : 'pass';
    const detail =
      outcome === 'fail' && worst !== undefined
        ? { detail: renderCpuDiagram(storyDiagram(session(), cell, worst)) }
        : {};
    suites.set(scenario.name, [...(suites.get(scenario.name) ?? []), { ...test, outcome, ...detail }]);
  }
  return [...suites].map(([name, cases]) => ({ name, cases }));
}

/** One line per design: the locks of all its schedules are one graph. */
function printLockdep(
  ctx: Pick<Print, 'out' | 'style'>,
  lockdep: readonly { readonly design: string; readonly splats: readonly Splat[] }[],
): void {
  const silent = lockdep.filter(({ splats }) => splats.length === 0).map(({ design }) => design);
  ctx.out('\nlockdep, one graph per design (ext4lab lockdep prints the reports):');
  for (const { design, splats } of lockdep) {
    for (const splat of splats) {
      const line = `  ${design}: ${splat.summary}`;
      ctx.out(isLockdep(splat) ? ctx.style.bad(line) : line);
    }
  }
  if (silent.length > 0) ctx.out(`  no complaint: ${silent.join(', ')}`);
}

type Print = {
  out(text: string): void;
  readonly columns: number;
  readonly style: {
    bold(t: string): string;
    good(t: string): string;
    bad(t: string): string;
    unsure(t: string): string;
  };
  readonly options: { readonly stories: string };
};

function print(ctx: Print, raced: readonly Raced[], designs: readonly string[]): void {
  const rows = new Map<string, Raced[]>();
  for (const each of raced) {
    const { others } = mountParts(each.mount);
    const row = [each.scenario.name, ...others].join(', ');
    rows.set(row, [...(rows.get(row) ?? []), each]);
  }
  const mounts = [...new Set(raced.map(({ mount }) => mountParts(mount).allocation))];
  const column = (design: string, allocation: string): string =>
    mounts.length > 1 ? `${design} ${allocation}` : design;
  const paint = (text: string, verdict: Verdict): string =>
    verdict === 'holds'
      ? ctx.style.good(text)
      : verdict === 'violates'
        ? ctx.style.bad(text)
        : ctx.style.unsure(text);
  const matrix = (shown: (each: Raced) => { cell: Cell; expected: boolean | null } | null): string =>
    renderMatrix(
      {
        designs: designs.flatMap((design) => mounts.map((mount) => ({ id: column(design, mount) }))),
        rows: [...rows].map(([scenario, cells]) => ({
          scenario,
          cells: cells.flatMap((each) => {
            const { cell, expected } = shown(each) ?? {};
            if (cell === undefined) return [];
            return {
              design: column(cell.design, mountParts(each.mount).allocation),
              verdict: cell.verdict,
              violates: shownViolations(cell),
              ...(expected === false ? { asExpected: false } : {}),
              reach: { ...cell.reach, schedules: Number(cell.reach.schedules ?? 0) },
            };
          }),
        })),
      },
      { width: Math.max(60, Math.min(ctx.columns, 120)), paint },
    );
  ctx.out(matrix((each) => each));
  const pending = raced.filter(({ cell }) => cell.pendingOnly);
  if (pending.length > 0) {
    ctx.out(
      `\nstrict* (${pending.length} cells): broken only by the pending state: a growing write(2) under delayed\n` +
        'allocation leaves an inline inode with a dirty folio until writeback. settled holds there:\n' +
        'no folio is dirty while the data may stay inline.',
    );
  }
  const told = new Map<string, { text: string; designs: string[]; also: string[] }>();
  for (const { cell, session, violation, also } of stories(raced, ctx.options.stories)) {
    const diagram = storyDiagram(session(), cell, violation);
    const key = JSON.stringify([violation.invariant, diagram.rows]);
    const known = told.get(key);
    if (known === undefined) told.set(key, { text: renderCpuDiagram(diagram), designs: [], also: [...also] });
    else known.designs.push(cell.design);
  }
  for (const { text, designs: others, also } of told.values()) {
    ctx.out(`\n${ctx.style.bold('─'.repeat(75))}\n${text}`);
    if (others.length > 0) ctx.out(`the same under ${others.join(', ')}`);
    if (also.length > 0) {
      const shown = also.slice(0, 6).join(', ');
      ctx.out(`also in ${shown}${also.length > 6 ? ` and ${also.length - 6} more` : ''}`);
    }
  }
  ctx.out(`\n${reachLine(raced.map(({ cell }) => cell))}`);
  const crashes = raced.flatMap(({ crash }) => (crash === null ? [] : [crash.cell]));
  if (crashes.length > 0) {
    ctx.out(`\n${ctx.style.bold('When power fails')}, at any step of any schedule:\n`);
    ctx.out(matrix(({ crash }) => crash));
    ctx.out(`\n${crashLine(crashes)}`);
  }
  for (const { scenario, mount, cell, expected, crash } of raced) {
    const differs = (what: Cell, when: string): void =>
      ctx.out(
        ctx.style.bad(
          `not as recorded: ${scenario.name} ${mountLabel(mount)} ${what.design}${when}: ${JSON.stringify(expectationFor(what))}`,
        ),
      );
    if (expected === false) differs(cell, '');
    if (crash?.expected === false) differs(crash.cell, ' when power fails');
  }
  for (const [name, never] of vacuous(raced))
    ctx.out(ctx.style.bad(`${name}: no schedule of any design reaches ${never.join(', ')}`));
}

/** By scenario: places that it says it reaches and that nobody came to. Where it holds, it holds of something else. */
function vacuous(raced: readonly Raced[]): ReadonlyMap<string, readonly string[]> {
  const out = new Map<string, readonly string[]>();
  for (const { scenario } of raced) {
    const cells = raced.filter((each) => each.scenario === scenario);
    const never = scenario.reaches.filter((name) => cells.every(({ cell }) => cell.unreached.includes(name)));
    if (never.length > 0) out.set(scenario.name, never);
  }
  return out;
}

/** A mount as the matrix has it: how blocks are allocated is the column, what else there is goes to the row. */
function mountParts(mount: readonly MountOption[]): { allocation: string; others: readonly MountOption[] } {
  const delayed = !mount.includes('nodelalloc') && !mount.includes('data=journal');
  return {
    allocation: delayed ? 'delalloc' : 'nodelalloc',
    others: mount.filter((option) => option !== 'delalloc' && option !== 'nodelalloc'),
  };
}

/** `strict` alone under delayed allocation is said as what it is. */
function shownViolations(cell: Cell): string[] {
  return cell.violates.map((id) => (id === 'strict' && cell.pendingOnly ? 'strict*' : id));
}

interface Story {
  readonly cell: Cell;
  readonly session: () => Session;
  readonly violation: Violation;
  readonly also: readonly string[];
}

/** How bad, for choosing which failure of a cell is told: data first, then BUGs. */
const WORST = ['bug-on', 'durability', 'no-deadlock', 'handle-balance', 'model', 'coherence', 'settled'];

function stories(raced: readonly Raced[], which: string): Story[] {
  if (which === 'none') return [];
  const told = new Map<string, Story & { also: string[] }>();
  for (const { cell, session } of raced) {
    const ranked = [...cell.violations].sort((a, b) => rank(a.invariant) - rank(b.invariant));
    for (const violation of which === 'all' ? ranked : ranked.slice(0, 1)) {
      const kind = which === 'all' ? `${told.size}` : `${cell.design} ${violation.invariant}`;
      const place = `${cell.scenario} (${cell.mount})`;
      const known = told.get(kind);
      if (known === undefined) told.set(kind, { cell, session, violation, also: [] });
      else if (simpler(violation, known.violation)) {
        const other = `${known.cell.scenario} (${known.cell.mount})`;
        told.set(kind, { cell, session, violation, also: [other, ...known.also] });
      } else known.also.push(place);
    }
  }
  return [...told.values()];
}

/** The story to tell first: fewer preemptions, then fewer steps. */
const simpler = (a: Violation, b: Violation): boolean =>
  a.preemptions !== b.preemptions ? a.preemptions < b.preemptions : a.steps < b.steps;

const rank = (id: string): number => {
  const at = WORST.indexOf(id);
  return at < 0 ? WORST.length : at;
};

/** Writes what was computed into `expect` and `crash` of each scenario file. */
function update(raced: readonly Raced[]): void {
  const byFile = new Map<string, Raced[]>();
  for (const each of raced) byFile.set(each.scenario.file, [...(byFile.get(each.scenario.file) ?? []), each]);
  for (const [file, cells] of byFile) {
    const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    for (const part of ['expect', 'crash'] as const) {
      const recorded: Record<string, unknown> = { ...(json[part] as Record<string, unknown> | undefined) };
      for (const { scenario, mount, ...each } of cells) {
        const cell = part === 'expect' ? each.cell : each.crash?.cell;
        if (cell === undefined) continue;
        delete recorded[cell.design];
        recorded[scenario.mounts.length > 1 ? `${cell.design}@${mountLabel(mount)}` : cell.design] =
          expectationFor(cell);
      }
      if (Object.keys(recorded).length > 0) json[part] = recorded;
    }
    writeFileSync(file, `${JSON.stringify(json, null, 2)}\n`);
  }
}
