import { scenarioJsonSchema } from '../../scenario/schema.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../errors.ts';

export default defineCommand({
  about: 'Prints the JSON Schema (draft 7) of a scenario file, for editors that complete and check.',
  operands: [],
  options: {},
  examples: ['schema > scenario-1.json'],
  run(ctx) {
    ctx.out(JSON.stringify(scenarioJsonSchema(), null, 2));
    return EXIT.ok;
  },
});
