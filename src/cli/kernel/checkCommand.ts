/** `ext4lab kernel check`, given the machine that is checked. */
import { join } from 'node:path';
import { type Difference, formatDifference } from '../../compare/recording.ts';
import { mountLabel } from '../../scenario/schema.ts';
import { type Command, defineCommand } from '../command.ts';
import { EXIT } from '../errors.ts';
import { checkRecording, type RunLinear } from './check.ts';
import { ImageStore } from './images.ts';
import { checkRandom, type RandomOutcome } from './random.ts';
import { FIXTURE_IMAGES_FOLDER, loadRecording, recordingFiles } from './recordingFiles.ts';
import { Referee } from './referee.ts';
import { emptyTally, readTally, tallyOutcome, writeTally } from './tally.ts';

const options = {
  design: {
    type: 'text',
    value: 'D',
    default: 'mkwrite-convert',
    summary: 'the design that stands for the kernel',
  },
  all: { type: 'flag', summary: 'every difference, not only the first of each recording' },
  random: {
    type: 'integer',
    value: 'N',
    min: 1,
    summary: 'N random scripts on both, instead of recordings (root, loop devices)',
  },
  seed: { type: 'integer', value: 'N', min: 0, default: 1, summary: 'of the first random script' },
  lines: {
    type: 'integer',
    value: 'N',
    min: 1,
    max: 100,
    summary: 'of a random script, about; left out: 6 to 35',
  },
  allow: {
    type: 'integer',
    value: 'N',
    min: 0,
    default: 0,
    summary: 'so many random scripts may differ: told, and no failure',
  },
  tally: {
    type: 'text',
    value: 'FILE',
    summary: 'adds the counts of the random scripts to a file',
  },
  json: { type: 'flag', summary: 'one JSON object on stdout' },
} as const;

/** Scripts on the kernel at a time. Most of a script's time is spent waiting in mount and unmount. */
const REFEREES = 4;

/** @param runLinear  the emulator's runner of one lane after another */
export function kernelCheckCommand(runLinear: RunLinear): Command<typeof options> {
  return defineCommand({
    about:
      'Compares a design with what the real kernel did: results of every line, sizes, blocks, dirty pages, every ' +
      'byte of every inode, and what is durable. Recordings need no root; without operands every bundled one is ' +
      'checked. With --random the kernel of this machine is asked, and what differs is shrunk.',
    operands: ['[RECORDING…]'],
    options,
    examples: [
      'kernel check',
      'kernel check mmap-store-then-fsync --all',
      'kernel check --random 200 --seed 7',
    ],
    async run(ctx) {
      const { design, all, json, random, seed, lines, allow, tally: tallyFile } = ctx.options;
      const images = new ImageStore();
      const shown = (differences: readonly Difference[]): string[] => {
        const some = all ? differences : differences.slice(0, 1);
        const more = differences.length - some.length;
        const rows = some.map((each) => `        ${formatDifference(each)}`);
        return more === 0 ? rows : [...rows, `        and ${more} more`];
      };
      try {
        if (random !== undefined) {
          const [referee, ...others] = Array.from({ length: REFEREES }, () => new Referee());
          const tally = tallyFile === undefined ? emptyTally() : readTally(tallyFile);
          const found: RandomOutcome[] = [];
          let done = 0;
          let refused = 0;
          try {
            const besides = join(FIXTURE_IMAGES_FOLDER, 'any');
            const check = { referee: referee!, others, runLinear, design, besides, images, lineCount: lines };
            const seeds = Array.from({ length: random }, (_, i) => seed + i);
            for await (const outcome of checkRandom(seeds, check, () => ctx.signal.aborted)) {
              ctx.progress.update('check', ++done, random);
              tallyOutcome(tally, outcome);
              if (outcome.refused !== undefined) {
                refused++;
                ctx.say(`refused seed ${outcome.seed}: ${outcome.refused}`);
              }
              if (outcome.differences.length === 0) continue;
              found.push(outcome);
              if (!json) for (const row of told(outcome, lines)) ctx.out(row);
              if (!json) for (const row of shown(outcome.differences)) ctx.out(row);
            }
          } finally {
            await Promise.all([referee!, ...others].map((each) => each.close()));
          }
          if (tallyFile !== undefined) writeTally(tallyFile, tally);
          if (json) {
            ctx.json({
              design,
              scripts: done,
              tally,
              disagreements: found.map(({ seed: each, ground, minimal, differences }) => ({
                seed: each,
                image: ground.image.file,
                mount: ground.mount,
                lines: minimal,
                differences,
              })),
            });
          } else {
            const next = done < random ? `; go on with --seed ${seed + done}` : '';
            const ran = done - refused;
            const notRun = refused === 0 ? '' : `, ${refused} could not be run`;
            ctx.say(`${ran - found.length} of ${ran} random scripts agree${notRun}${next}`);
          }
          return found.length > allow ? EXIT.differs : EXIT.ok;
        }
        const rows = [];
        const files = recordingFiles(ctx.operands);
        for (const [index, file] of files.entries()) {
          if (ctx.signal.aborted) break;
          ctx.progress.update('check', index, files.length);
          const recording = loadRecording(file);
          const { name, kernel } = recording;
          const outcome = checkRecording(recording, file, design, runLinear, images);
          rows.push({ name, kernel, ...outcome });
          if (!json) {
            const { notModelled, differences } = outcome;
            const word =
              notModelled !== undefined ? 'skipped' : differences.length === 0 ? 'same' : 'differs';
            ctx.out(`${word.padEnd(8)}${name}`);
            for (const row of notModelled === undefined ? shown(differences) : [`        ${notModelled}`]) {
              ctx.out(row);
            }
          }
          await ctx.breathe();
        }
        const checked = rows.filter(({ notModelled }) => notModelled === undefined);
        const same = checked.filter(({ differences }) => differences.length === 0).length;
        if (json) ctx.json({ design, recordings: rows });
        else {
          const skipped = rows.length - checked.length;
          const rest = skipped === 0 ? '' : `, ${skipped} are not modelled`;
          ctx.say(`${same} of ${checked.length} recordings agree${rest}`);
        }
        return same === checked.length ? EXIT.ok : EXIT.differs;
      } finally {
        images.close();
      }
    },
  });
}

/** A difference as CI prints it: the seed, how to repeat it, and the lines that matter. */
function told({ seed, ground, minimal }: RandomOutcome, lines: number | undefined): string[] {
  const count = lines === undefined ? '' : ` --lines ${lines}`;
  return [
    `differs seed ${seed}  ${ground.image.file}  ${mountLabel(ground.mount)}`,
    `        ext4lab kernel check --random 1 --seed ${seed}${count}`,
    ...(minimal ?? []).map((line) => `        ${line}`),
  ];
}
