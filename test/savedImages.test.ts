/** Every image that leaves the lab: `e2fsck -fn` exits 0 and says nothing but its summary; our check agrees. */
import { describe, expect, it } from 'vitest';
import { runSession } from '../src/scenario/run.ts';
import { saveImage } from '../src/scenario/save.ts';
import { startSession } from '../src/scenario/session.ts';
import { checkImage } from '../src/volume/check.ts';
import { e2fsck, haveTool } from './support/referee.ts';
import { CASES } from './support/scenarios.ts';

const have = haveTool('e2fsck');
if (!have && process.env.CI !== undefined) throw new Error('CI must have e2fsck');

describe.skipIf(!have)(`saved images pass e2fsck${have ? '' : ' (no e2fsck here)'}`, () => {
  const each = CASES.filter(({ design }) => design.id === 'mkwrite-convert');
  it.each(each)('$label', ({ scenario, image, design, mount }) => {
    const session = startSession(scenario, image, design, mount);
    const { trace, findings } = runSession(session);
    if (trace.unfinished.length > 0) return;
    const saved = saveImage(session, trace.end);
    const errors = checkImage(saved).filter(({ severity }) => severity === 'error');
    const { code, output } = e2fsck(saved.toUint8Array());
    const silent =
      code === 0 &&
      output.split('\n').every((line) => line === '' || /^(Pass \d|IMAGE: \d+\/\d+ files)/.test(line));
    expect(errors.length === 0, output).toBe(silent);
    if (!findings.some(({ id }) => id === 'fsck'))
      expect(output.split('\n').filter((line) => /Fix\?|\*\*\*/.test(line))).toEqual([]);
  });
});
