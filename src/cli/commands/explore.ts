import { minimalScenario, scenarioFile } from '../../compare/minimal.ts';
import { reachText } from '../../explore/explore.ts';
import { INVARIANTS } from '../../invariants/index.ts';
import { lockdepSplats } from '../../report/lockdep.ts';
import { expectationOf, mountLabel } from '../../scenario/schema.ts';
import { startSession } from '../../scenario/session.ts';
import { runCells } from '../cells.ts';
import { cellTests, TEST_FORMAT_OPTION } from '../cellTests.ts';
import { defineCommand } from '../command.ts';
import { designOf, mountNamed } from '../designOption.ts';
import { EXIT, UsageError } from '../errors.ts';
import { imageOf } from '../images.ts';
import { loadScenarios } from '../scenarioFiles.ts';
import { askedOf, exitOfSearch } from '../searchShard.ts';
import { parseShard } from '../shard.ts';
import { storyText } from '../story.ts';

export default defineCommand({
  about:
    'Searches the interleavings of one scenario under one design: every broken invariant with its shortest schedule, what lockdep says of the locks on the way, and how far "holds" reaches.',
  operands: ['SCENARIO'],
  options: {
    design: {
      type: 'text',
      value: 'D',
      needed: true,
      summary: 'the design (see ext4lab designs), or a file that exports one',
    },
    mount: { type: 'text', value: 'M', summary: 'one of the scenario’s mounts (default: the first)' },
    strategy: {
      type: 'text',
      value: 'S',
      choices: ['exhaustive', 'pct', 'random', 'round-robin'],
      summary: 'how schedules are chosen (default: what the scenario says, else exhaustive)',
    },
    preemptions: {
      type: 'integer',
      value: 'N',
      min: 0,
      max: 100,
      summary: 'at most N preemptions in a schedule',
    },
    budget: {
      type: 'integer',
      value: 'N',
      min: 1,
      summary: 'most transitions',
    },
    seconds: {
      type: 'integer',
      value: 'N',
      min: 1,
      summary: 'most seconds; then what was found so far is told',
    },
    reduce: {
      type: 'flag',
      summary:
        'leave out interleavings that cannot matter; also done when the budget is too small for all of them',
    },
    minimal: { type: 'flag', summary: 'for each failure, the scenario with the lines that it takes' },
    schedules: { type: 'integer', value: 'N', min: 1, summary: 'how many to try, for the other strategies' },
    depth: {
      type: 'integer',
      value: 'N',
      min: 1,
      max: 100,
      summary: 'pct: the depth of the bugs looked for',
    },
    seed: { type: 'integer', value: 'N', min: 0, summary: 'for pct and random' },
    shard: {
      type: 'text',
      value: 'I/N',
      summary: 'with --json: the Ith of N parts of the schedules; ext4lab merge joins them',
    },
    format: TEST_FORMAT_OPTION,
    json: { type: 'flag', summary: 'one JSON object on stdout' },
  },
  examples: ['explore store-beside-growing-write --design mkwrite-convert'],
  async run(ctx) {
    const [scenario] = loadScenarios(ctx.operands);
    const { options } = ctx;
    const mount = mountNamed(scenario!, options.mount);
    const design = await designOf(options.design);
    const shard = options.shard === undefined ? null : parseShard(options.shard);
    if (shard !== null && !options.json)
      throw new UsageError('--shard goes with --json: merge joins what is printed');
    const how = {
      ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
      ...(options.preemptions === undefined ? {} : { preemptions: options.preemptions }),
      ...(options.schedules === undefined ? {} : { schedules: options.schedules }),
      ...(options.seed === undefined ? {} : { seed: options.seed }),
      ...(options.depth === undefined ? {} : { depth: options.depth }),
      ...(options.reduce ? { reduce: true } : {}),
    };
    const [searched] = await runCells([{ scenario: scenario!, design, mount: mountLabel(mount) }], {
      workers: ctx.workers,
      signal: ctx.signal,
      options: {
        lockdep: true,
        ...how,
        ...(options.budget === undefined ? {} : { budget: options.budget }),
        ...(shard === null ? {} : { part: shard }),
      },
      ...(options.seconds === undefined ? {} : { seconds: options.seconds }),
      onProgress: (_done, states) => ctx.progress.update(`explore ${scenario!.name}`, states, null),
      breathe: ctx.breathe,
    });
    if (searched === undefined) return EXIT.interrupted;
    const { cell, cut, lockOrder } = searched;
    ctx.progress.clear();
    const minimal = (invariant: string): string => {
      const what = [imageOf(scenario!), design, mount] as const;
      const least = minimalScenario(scenario!, ...what, invariant, { stop: () => ctx.signal.aborted });
      return JSON.stringify(scenarioFile(least, mount), null, 2);
    };
    const splats = lockdepSplats(lockOrder!, `design ${design.id}, scenario ${scenario!.name}`);
    const { format } = options;
    if (shard !== null) {
      const asked = askedOf('explore', scenario!, design.id, mount, how);
      ctx.json({ schemaVersion: 1, shard, asked, cut, cell, locks: lockOrder });
    } else if (options.json) ctx.json({ schemaVersion: 1, ...cell, lockdep: splats });
    else if (format !== 'text') {
      const ids = [...INVARIANTS.map(({ id }) => id), 'no-deadlock'];
      const session = startSession(scenario!, imageOf(scenario!), design, mount);
      const recorded = expectationOf(scenario!, design.id, mount);
      ctx.verbatim(
        cellTests(format, cell, ids, recorded, (violation) => storyText(session, cell, violation)),
      );
    } else {
      const session = startSession(scenario!, imageOf(scenario!), design, mount);
      for (const violation of cell.violations) {
        ctx.out(`${storyText(session, cell, violation)}\n`);
        if (options.minimal && !ctx.signal.aborted) ctx.verbatim(`${minimal(violation.invariant)}\n`);
        await ctx.breathe();
      }
      for (const { text } of splats) ctx.out(`${text}\n`);
      const words = cell.verdict === 'violates' ? `violates ${cell.violates.join(', ')}` : cell.verdict;
      ctx.out(`${scenario!.name} ${cell.design} (${cell.mount}): ${words} (${reachText(cell.reach)})`);
    }
    const never = cell.unreached.join(', ');
    if (never !== '' && !options.json && format === 'text') ctx.out(`no schedule seen reaches ${never}`);
    // A part does not know whether another one comes to a place.
    return exitOfSearch(shard === null ? cell : { ...cell, unreached: [] }, splats);
  },
});
