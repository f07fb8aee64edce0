/**
 * The page of one question: a scenario with its verdicts, or a token opened at its violation.
 */
import { splitCrash } from '../../compare/crash.ts';
import { asExpected } from '../../compare/race.ts';
import type { Design } from '../../designs/design.ts';
import { DESIGNS, designById } from '../../designs/index.ts';
import { parseSchedule } from '../../explore/schedule.ts';
import { LockOrder } from '../../locks/lockdep.ts';
import { lockdepSplats } from '../../report/lockdep.ts';
import type { Scenario } from '../../scenario/schema.ts';
import { compare } from '../../viewer/comparison.ts';
import { formatRoute, tokenRoute } from '../../viewer/route.ts';
import { cellsOf, runCells } from '../cells.ts';
import { type Context, defineCommand } from '../command.ts';
import { designNamed, designsOf, mountNamed } from '../designOption.ts';
import { EXIT, UsageError } from '../errors.ts';
import { imageOf } from '../images.ts';
import { crashLine, reachLine } from '../reachLine.ts';
import { checkWritable, makeReport, type ReportInput, reportPage, writePage } from '../report.ts';
import { loadScenarios } from '../scenarioFiles.ts';

type Ctx = Pick<Context, 'signal' | 'workers' | 'progress' | 'breathe'>;

export default defineCommand({
  about:
    'Writes the page of one scenario: every design on it, searched, with every story. A token as race, explore and crash ' +
    'print it is opened where it breaks; the verdicts beside it are those that the scenario file records.',
  operands: ['SCENARIO|TOKEN'],
  options: {
    html: { type: 'text', value: 'FILE', needed: true, summary: 'the page' },
    designs: { type: 'text', value: 'D,…', summary: 'designs to race (default: all)' },
    'no-crash': { type: 'flag', summary: 'leave out power failures' },
  },
  examples: [
    'report mmap-store-then-fsync --html report.html',
    "report 'gup-store:mkwrite-convert@delalloc:A101B40' --html r.html",
  ],
  async run(ctx) {
    const [word] = ctx.operands as [string];
    const file = ctx.options.html;
    const route = tokenRoute(word);
    if (route === null && word.includes('@'))
      throw new UsageError(
        `not a token: ${word}`,
        'a token is SCENARIO:DESIGN@MOUNT:SCHEDULE, as race prints it',
      );
    const name = route === null ? word : (route.ref as { scenario: string }).scenario;
    const [scenario, other] = loadScenarios([name]);
    if (other !== undefined)
      throw new UsageError(`${word} holds several scenarios`, 'race --html makes a page of many');
    const designs = await designsOf(ctx.options.designs ?? 'all');
    if (route !== null) checkToken(word, scenario!, route);
    checkWritable(file);
    const input =
      route === null
        ? await searched(ctx, scenario!, designs, !ctx.options['no-crash'])
        : {
            command: `report '${word}'`,
            scenarios: [scenario!],
            designs: ctx.options.designs === undefined ? DESIGNS : designs,
            cells: null,
            reach: [],
            lockdep: [],
            open: formatRoute(route),
          };
    const bytes = writePage(file, await reportPage(makeReport(input)));
    ctx.say(`${file}: ${Math.ceil(bytes / 1024)} KiB, opens in any browser, offline`);
    return EXIT.ok;
  },
});

/**
 * Replays it as the page will: a page that cannot show what it was made for is not made.
 * @throws UsageError, ScheduleError or ScheduleMismatch
 */
function checkToken(
  token: string,
  scenario: Scenario,
  route: NonNullable<ReturnType<typeof tokenRoute>>,
): void {
  const design = designNamed(route.of);
  const mount = mountNamed(scenario, route.mount);
  const { schedule: text, medium } = splitCrash(token.slice(token.lastIndexOf(':') + 1));
  const lanes = scenario.lanes.map((lane) => lane.name);
  const schedule = parseSchedule(text, scenario.after.length > 0 ? [...lanes, 'after'] : lanes);
  const crash = medium === null ? null : { medium };
  try {
    compare({ scenario, image: imageOf(scenario), mount, designs: [design], schedule, of: design.id, crash });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`token ${token}: ${error.message}`);
  }
}

async function searched(
  ctx: Ctx,
  scenario: Scenario,
  designs: readonly Design[],
  withCrash: boolean,
): Promise<ReportInput> {
  const foreign = designs.find((design) => designById(design.id) !== design);
  if (foreign !== undefined)
    throw new UsageError(`${foreign.id} comes from a file`, 'race --html takes designs of files');
  const asked = cellsOf([scenario], designs);
  const found = await runCells(asked, {
    workers: ctx.workers,
    signal: ctx.signal,
    options: { lockdep: true },
    crash: withCrash,
    onProgress: (done) => ctx.progress.update(`report ${scenario.name}`, done, asked.length),
    breathe: ctx.breathe,
  });
  ctx.progress.clear();
  const orders = new Map(designs.map(({ id }) => [id, new LockOrder()]));
  const cells = found.flatMap((each, index) => {
    if (each === undefined) return [];
    const { cell, crash, lockOrder } = each;
    if (lockOrder !== null) orders.get(cell.design)!.add(lockOrder);
    const mount = mountNamed(scenario, asked[index]!.mount);
    return [
      {
        scenario,
        cell,
        expected: asExpected(scenario, cell, mount),
        crash: crash && { cell: crash, expected: asExpected(scenario, crash, mount, 'crash') },
      },
    ];
  });
  const crashes = cells.flatMap(({ crash }) => (crash === null ? [] : [crash.cell]));
  return {
    command: `report ${scenario.name}`,
    scenarios: [scenario],
    designs,
    cells,
    reach: [reachLine(cells.map(({ cell }) => cell)), ...(crashes.length > 0 ? [crashLine(crashes)] : [])],
    lockdep: [...orders].map(([design, order]) => ({
      design,
      splats: lockdepSplats(order.data, `design ${design}`).map(({ summary, text }) => ({ summary, text })),
    })),
  };
}
