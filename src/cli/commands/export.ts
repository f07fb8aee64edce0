import { writeFileSync } from 'node:fs';
import { cProgram } from '../../formats/cProgram.ts';
import { fsxOps } from '../../formats/fsx.ts';
import { xfsIoScript } from '../../formats/xfsIoOut.ts';
import type { Scenario } from '../../scenario/schema.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../errors.ts';
import { loadScenarios } from '../scenarioFiles.ts';

const WRITERS = {
  xfs_io: (scenario: Scenario, mountPoint: string) => xfsIoScript(scenario, { mountPoint }),
  fsx: (scenario: Scenario) => fsxOps(scenario),
  c: (scenario: Scenario) => cProgram(scenario),
};
const FORMATS = ['xfs_io', 'fsx', 'c'] as const;

export default defineCommand({
  about:
    'Writes a scenario in a form that runs on a real kernel: shell lines with xfs_io, operations for fsx --replay-ops, or ' +
    'a C program that prints what each line answered, as run does. Lanes beside each other only run at the same time there: ' +
    'user space cannot enforce a schedule. What has no counterpart is refused by lane and line.',
  operands: ['SCENARIO'],
  options: {
    as: { type: 'text', value: 'FORMAT', choices: FORMATS, needed: true, summary: 'what to write' },
    out: { type: 'text', short: 'o', value: 'OUT', summary: 'where to (default: stdout)' },
    'mount-point': { type: 'text', value: 'DIR', default: '/mnt', summary: 'of the xfs_io lines' },
  },
  examples: ['export mmap-store-then-fsync --as c -o repro.c', 'export x.json --as xfs_io'],
  run(ctx) {
    const { options } = ctx;
    const [scenario] = loadScenarios(ctx.operands);
    const text = WRITERS[options.as](scenario!, options['mount-point']);
    if (options.out === undefined) ctx.verbatim(text.replace(/\n$/, ''));
    else writeFileSync(options.out, text);
    return EXIT.ok;
  },
});
