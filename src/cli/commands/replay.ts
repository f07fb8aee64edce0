import { splitCrash } from '../../compare/crash.ts';
import { parseSchedule } from '../../explore/schedule.ts';
import { runSession } from '../../scenario/run.ts';
import { startSession } from '../../scenario/session.ts';
import { defineCommand } from '../command.ts';
import { replayCrash } from '../crashStory.ts';
import { designNamed, designOf, mountNamed } from '../designOption.ts';
import { UsageError } from '../errors.ts';
import { imageOf } from '../images.ts';
import { FORMAT_OPTION, printRun } from '../runOutput.ts';
import { loadScenarios } from '../scenarioFiles.ts';

const TOKEN = /^([^:]+):([^:@]+)@([^:]+):([^:]+)$/;

export default defineCommand({
  about:
    'Replays one schedule: the token that race and explore print has scenario, design, mount and schedule in one word. ' +
    'After the schedule the lowest lane that can run goes on.',
  operands: ['TOKEN'],
  options: {
    design: {
      type: 'text',
      value: 'FILE',
      summary: 'the file of the token’s design, when it is not a bundled one',
    },
    trace: { type: 'flag', summary: 'every step as text' },
    'save-trace': { type: 'text', value: 'FILE', summary: 'write the trace as JSON' },
    format: FORMAT_OPTION,
    json: { type: 'flag', summary: 'one JSON object on stdout' },
  },
  examples: ["replay 'mmap-store-then-fsync:mkwrite-convert@delalloc:A47'"],
  async run(ctx) {
    const token = ctx.operands[0]!;
    const match = TOKEN.exec(token);
    if (match === null) {
      throw new UsageError(
        `not a token: ${token}`,
        'a token is SCENARIO:DESIGN@MOUNT:SCHEDULE, as race prints it',
      );
    }
    const [, name, designId, label, text] = match as unknown as [string, string, string, string, string];
    const [scenario] = loadScenarios([name]);
    const own = ctx.options.design === undefined ? undefined : await designOf(ctx.options.design);
    if (own !== undefined && own.id !== designId)
      throw new UsageError(`the token is of ${designId}, --design gives ${own.id}`);
    const design = own ?? designNamed(designId);
    const mount = mountNamed(scenario!, label);
    const { schedule, medium } = splitCrash(text);
    const session = startSession(scenario!, imageOf(scenario!), design, mount, medium !== null);
    if (medium !== null && ctx.options.format === 'chrome')
      throw new UsageError(
        '--format chrome: a power failure has no track; leave the ! and what follows out of the token',
      );
    if (medium !== null)
      return replayCrash(ctx, { scenario: scenario!.name, session, schedule, medium, token });
    const result = runSession(
      session,
      parseSchedule(
        text,
        session.specs.map((spec) => spec.name),
      ),
    );
    return printRun(ctx, { scenario: scenario!, design, mount, result, options: ctx.options });
  },
});
