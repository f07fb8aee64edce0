import { readFileSync } from 'node:fs';
import { explainSyz } from '../../formats/syz/explain.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../errors.ts';
import { inflate } from '../inflate.ts';
import { shownPath } from '../scenarioFiles.ts';

export default defineCommand({
  about:
    'Says in plain words what a syzkaller program does: flags by name, its image as what the superblock says, and the ' +
    'stores that no call shows, because an argument lies in a mapped file. Also where it cannot be imported. FILE - is stdin.',
  operands: ['FILE'],
  options: {},
  examples: ['explain repro.syz'],
  run(ctx) {
    const [file] = ctx.operands;
    const text = readFileSync(file === '-' ? 0 : file!, 'utf8');
    const name = file === '-' ? 'stdin' : shownPath(file!);
    for (const line of explainSyz(text, name, inflate, Math.max(40, Math.min(ctx.columns, 120))))
      ctx.out(line);
    return EXIT.ok;
  },
});
