import { checkImage } from '../../volume/check.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../errors.ts';
import { readImageFile } from '../images.ts';

export default defineCommand({
  about:
    'Is this volume consistent? Stricter than e2fsck -fn, and reads only. Every complaint names structure, byte offset, ' +
    'what was expected and what was found. A note is something e2fsck and the kernel put up with.',
  operands: ['IMAGE'],
  options: { json: { type: 'flag', summary: 'one JSON object on stdout' } },
  examples: ['check fs.img'],
  run(ctx) {
    const file = ctx.operands[0]!;
    const complaints = checkImage(readImageFile(file));
    const errors = complaints.filter(({ severity }) => severity === 'error').length;
    if (ctx.options.json)
      ctx.json({ schemaVersion: 1, errors, notes: complaints.length - errors, complaints });
    else {
      for (const { severity, offset, message } of complaints) {
        ctx.out(`${severity === 'error' ? ctx.style.bad(severity) : severity}: byte ${offset}: ${message}`);
      }
      ctx.out(`${file}: ${errors} errors, ${complaints.length - errors} notes`);
    }
    return errors > 0 ? EXIT.differs : EXIT.ok;
  },
});
