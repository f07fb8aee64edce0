import { INVARIANTS } from '../../invariants/index.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../errors.ts';

export default defineCommand({
  about: 'Every invariant that a run is checked against after each step, and why it should hold.',
  operands: [],
  options: { json: { type: 'flag', summary: 'one JSON object on stdout' } },
  run(ctx) {
    const invariants = INVARIANTS.map(({ id, summary, why, when }) => ({ id, summary, why, when }));
    if (ctx.options.json) ctx.json({ schemaVersion: 1, invariants });
    else
      for (const { id, summary, why } of invariants)
        ctx.out(`${ctx.style.bold(id)}\n  ${summary}\n  why: ${why}`);
    return EXIT.ok;
  },
});
