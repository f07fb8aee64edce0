import { DESIGNS } from '../../designs/index.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../errors.ts';

export default defineCommand({
  about: 'Every design: what it does, where it comes from, what it promises, what of it is not modelled.',
  operands: [],
  options: { json: { type: 'flag', summary: 'one JSON object on stdout' } },
  run(ctx) {
    const designs = DESIGNS.map(({ id, summary, source, promises, locks, unmodelled }) => ({
      id,
      summary,
      source,
      promises,
      locks,
      unmodelled,
    }));
    if (ctx.options.json) ctx.json({ schemaVersion: 1, designs });
    else {
      for (const { id, summary, source, unmodelled } of designs) {
        ctx.out(`${ctx.style.bold(id)}\n  ${summary}\n  from: ${source}`);
        if (unmodelled.length > 0) ctx.out(`  not modelled: ${unmodelled.join('; ')}`);
      }
    }
    return EXIT.ok;
  },
});
