import { writeFileSync } from 'node:fs';
import { parseSchedule } from '../../explore/schedule.ts';
import { runSession } from '../../scenario/run.ts';
import { saveImage } from '../../scenario/save.ts';
import { startSession } from '../../scenario/session.ts';
import { defineCommand } from '../command.ts';
import { blaming } from '../designFile.ts';
import { designOf, mountNamed } from '../designOption.ts';
import { imageOf } from '../images.ts';
import { printRun } from '../runOutput.ts';
import { loadScenarios } from '../scenarioFiles.ts';

export default defineCommand({
  about:
    'One execution of a scenario: what each line answered, what was found, the files at the end. Without --schedule ' +
    'the lanes run one after another.',
  operands: ['SCENARIO'],
  options: {
    design: {
      type: 'text',
      value: 'D',
      needed: true,
      summary: 'the design (see ext4lab designs), or a file that exports one',
    },
    mount: { type: 'text', value: 'M', summary: 'one of the scenario’s mounts (default: the first)' },
    schedule: { type: 'text', value: 'S', summary: 'the interleaving, as explore prints it' },
    trace: { type: 'flag', summary: 'every step as text' },
    'save-trace': { type: 'text', value: 'FILE', summary: 'write the trace as JSON' },
    'save-image': {
      type: 'text',
      value: 'FILE',
      summary: 'write the image that an unmount at the end leaves',
    },
    json: { type: 'flag', summary: 'one JSON object on stdout' },
  },
  examples: [
    'run mmap-store-then-fsync --design mkwrite-convert',
    'run x.json --design defer --schedule A12B3A4 --trace',
  ],
  async run(ctx) {
    const { options } = ctx;
    const [scenario] = loadScenarios(ctx.operands);
    const design = await designOf(options.design);
    const mount = mountNamed(scenario!, options.mount);
    const session = startSession(scenario!, imageOf(scenario!), design, mount);
    const text = options.schedule ?? scenario!.schedule;
    const schedule =
      text === null
        ? null
        : parseSchedule(
            text,
            session.specs.map((spec) => spec.name),
          );
    const result = blaming(design, () => runSession(session, schedule));
    if (options['save-image'] !== undefined) {
      writeFileSync(options['save-image'], saveImage(session, result.trace.end).toUint8Array());
    }
    return printRun(ctx, { scenario: scenario!, design, mount, result, options });
  },
});
