import { readFileSync, writeFileSync } from 'node:fs';
import { onVolume } from '../../scenario/damage.ts';
import type { MountOption } from '../../scenario/image.ts';
import { mountSchema } from '../../scenario/image.ts';
import { parseScript } from '../../scenario/lane.ts';
import { runSession } from '../../scenario/run.ts';
import { saveImage } from '../../scenario/save.ts';
import { startSession } from '../../scenario/session.ts';
import { defineCommand } from '../command.ts';
import { designOf } from '../designOption.ts';
import { EXIT, UsageError } from '../errors.ts';
import { readImageFile } from '../images.ts';

export default defineCommand({
  about:
    'Runs a script, one command a line (xfs_io verbs, shell words, @ actors; # begins a comment), on an image, and ' +
    'writes the image that an unmount leaves. The input is not changed; nothing is written when the script cannot be read.',
  operands: ['IMAGE'],
  options: {
    script: { type: 'text', value: 'FILE', needed: true, summary: 'the commands' },
    out: { type: 'text', short: 'o', value: 'OUT', summary: 'the image after the unmount' },
    design: {
      type: 'text',
      value: 'D',
      default: 'mkwrite-convert',
      summary: 'the design (see ext4lab designs), or a file that exports one',
    },
    mount: { type: 'text', value: 'M,…', default: 'delalloc', summary: 'mount options' },
    json: { type: 'flag', summary: 'one JSON object on stdout' },
  },
  examples: ['exec fs.img --script s.txt -o after.img'],
  async run(ctx) {
    const { options } = ctx;
    const file = options.script;
    const lines = parseScript(readFileSync(file, 'utf8'), file);
    const image = readImageFile(ctx.operands[0]!);
    const mount = mountSchema.safeParse(options.mount.split(','));
    if (!mount.success) throw new UsageError(`--mount ${options.mount}: ${mount.error.issues[0]!.message}`);
    const design = await designOf(options.design);
    const { tasks, findings, final, trace, saved } = onVolume(image, ctx.operands[0], () => {
      const input = { file, setup: [], lanes: [{ name: 'script', lines }], after: [], freeBlocks: null };
      const session = startSession(input, image, design, mount.data as readonly MountOption[]);
      const result = runSession(session);
      return {
        ...result,
        saved: options.out === undefined ? undefined : saveImage(session, result.trace.end),
      };
    });
    if (options.out !== undefined) writeFileSync(options.out, saved!.toUint8Array());
    if (options.json) {
      ctx.json({
        schemaVersion: 1,
        design: design.id,
        tasks,
        findings,
        final,
        trace: { steps: trace.steps.length, digest: trace.digest },
      });
    } else {
      for (const { line, ret, errno, data } of tasks.script!)
        ctx.out(`${line} = ${errno ?? ret}${data === undefined ? '' : `  ${data}`}`);
      for (const { kind, id, message } of findings) ctx.out(ctx.style.bad(`${kind} ${id}: ${message}`));
    }
    return findings.length > 0 ? EXIT.differs : EXIT.ok;
  },
});
