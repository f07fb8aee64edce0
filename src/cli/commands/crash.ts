import { writeFileSync } from 'node:fs';
import {
  type CrashCell,
  type CrashStory,
  crashCell,
  crashStory,
  crashToken,
  stateAt,
} from '../../compare/crash.ts';
import type { Violation } from '../../compare/race.ts';
import { crashImage } from '../../crash/image.ts';
import { reachText } from '../../explore/explore.ts';
import { crashDiagram } from '../../report/crashText.ts';
import { expectationOf, mountLabel } from '../../scenario/schema.ts';
import type { Session } from '../../scenario/session.ts';
import { cellTests, TEST_FORMAT_OPTION } from '../cellTests.ts';
import { defineCommand } from '../command.ts';
import { blaming } from '../designFile.ts';
import { designOf, mountNamed } from '../designOption.ts';
import { UsageError } from '../errors.ts';
import { imageOf } from '../images.ts';
import { grouped } from '../reachLine.ts';
import { loadScenarios } from '../scenarioFiles.ts';
import { askedOf, exitOfSearch } from '../searchShard.ts';
import { parseShard } from '../shard.ts';

export default defineCommand({
  about:
    'Lets power fail after every step of every schedule, with every choice of the writes that no flush has followed, recovers each ' +
    'medium as a mount would, and holds it against what the programs were promised: the first broken promise with the ' +
    'writes that were lost, or how many power failures were tried.',
  operands: ['SCENARIO'],
  options: {
    design: {
      type: 'text',
      value: 'D',
      needed: true,
      summary: 'the design (see ext4lab designs), or a file that exports one',
    },
    mount: { type: 'text', value: 'M', summary: 'one of the scenario’s mounts (default: the first)' },
    schedules: {
      type: 'text',
      value: 'WHICH',
      choices: ['one', 'all'],
      default: 'all',
      summary: 'all schedules, or the one in which the first lane that can run goes on',
    },
    preemptions: {
      type: 'integer',
      value: 'N',
      min: 0,
      max: 100,
      summary: 'at most N preemptions in a schedule',
    },
    budget: { type: 'integer', value: 'N', min: 1, summary: 'most transitions' },
    media: {
      type: 'integer',
      value: 'N',
      min: 1,
      default: 1024,
      summary: 'most media tried whole per state; past it, one block at a time',
    },
    'no-torn': { type: 'flag', summary: 'blocks are written whole: no torn sectors' },
    'save-image': {
      type: 'text',
      value: 'FILE',
      summary: 'the volume as the first failure leaves it, before recovery, its log for e2fsck or a mount',
    },
    shard: {
      type: 'text',
      value: 'I/N',
      summary: 'with --json: the Ith of N parts of the schedules; ext4lab merge joins them',
    },
    format: TEST_FORMAT_OPTION,
    json: { type: 'flag', summary: 'one JSON object on stdout' },
  },
  examples: [
    'crash mmap-store-then-fsync --design mkwrite-convert',
    'crash mmap-store-then-fsync --design page-cache-convert --json',
  ],
  async run(ctx) {
    const [scenario] = loadScenarios(ctx.operands);
    const { options } = ctx;
    const mount = mountNamed(scenario!, options.mount);
    const design = await designOf(options.design);
    const shard = options.shard === undefined ? null : parseShard(options.shard);
    if (shard !== null && (!options.json || options.schedules === 'one'))
      throw new UsageError(
        '--shard goes with --json, and not with --schedules one: merge joins what is printed',
      );
    const { cell, session, crasher, cut } = blaming(design, () =>
      crashCell(scenario!, imageOf(scenario!), design, mount, {
        which: options.schedules === 'one' ? 'one' : 'all',
        limit: options.media,
        torn: !options['no-torn'],
        ...(options.preemptions === undefined ? {} : { preemptions: options.preemptions }),
        ...(options.budget === undefined ? {} : { budget: options.budget }),
        ...(shard === null ? {} : { part: shard }),
        stop: () => ctx.signal.aborted,
        onProgress: (states) => ctx.progress.update(`crash ${scenario!.name}`, states, null),
      }),
    );
    ctx.progress.clear();
    const told = cell.violations.map((violation) => ({
      violation,
      story: crashStory(session, crasher, violation),
    }));
    const file = options['save-image'];
    if (file !== undefined) saveFirst(file, session, cell, told[0]?.story);
    if (options.json) {
      const printed = {
        ...cell,
        violations: told.map(({ violation, story: { failure, lost } }) => ({
          ...violation,
          lost,
          token: crashToken(
            cell.scenario,
            cell.design,
            mountLabel(mount),
            violation.schedule,
            failure.medium.number,
          ),
        })),
      };
      if (shard === null) ctx.json({ schemaVersion: 1, ...printed });
      else {
        const { preemptions, media, 'no-torn': whole } = options;
        const asked = askedOf('crash', scenario!, design.id, mount, {
          ...(preemptions === undefined ? {} : { preemptions }),
          media,
          whole,
        });
        ctx.json({ schemaVersion: 1, shard, asked, cut, cell: printed, locks: null });
      }
    } else if (options.format !== 'text') {
      const ids = crasher.invariants.map(({ id }) => id);
      const recorded = expectationOf(scenario!, design.id, mount, 'crash');
      const story = (violation: Violation): string =>
        crashDiagram(cell, violation, told.find((each) => each.violation === violation)!.story);
      ctx.verbatim(cellTests(options.format, cell, ids, recorded, story));
    } else {
      for (const { violation, story } of told) ctx.out(`${crashDiagram(cell, violation, story)}\n`);
      const words = cell.verdict === 'violates' ? `violates ${cell.violates.join(', ')}` : cell.verdict;
      ctx.out(`${scenario!.name} ${cell.design} (${cell.mount}): ${words} (${crashReach(cell)})`);
    }
    return exitOfSearch(cell, []);
  },
});

/** @throws UsageError when nothing failed, or its log is larger than the journal of the volume */
function saveFirst(file: string, session: Session, cell: CrashCell, story: CrashStory | undefined): void {
  if (story === undefined)
    throw new UsageError(`--save-image ${file}: no power failure breaks anything here`);
  const { k } = stateAt(session, cell.violations[0]!.schedule);
  try {
    writeFileSync(file, crashImage(k, session.image, story.failure.medium).toUint8Array());
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`--save-image ${file}: ${error.message}`);
  }
}

/** `exhaustive, 162 states, 1 schedule; 15 power failures, 3 media`. */
function crashReach(cell: CrashCell): string {
  const { failures, media, all } = cell.crash;
  const some = all ? '' : ', some with one block at a time';
  return `${reachText(cell.reach)}; ${grouped(failures)} power failures, ${grouped(media)} media${some}`;
}
