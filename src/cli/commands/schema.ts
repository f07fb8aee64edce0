import { OUTPUTS, type OutputName, outputJsonSchema } from '../../formats/outputs.ts';
import { scenarioJsonSchema } from '../../scenario/schema.ts';
import { didYouMean } from '../../scenario/suggest.ts';
import { defineCommand } from '../command.ts';
import { EXIT, UsageError } from '../errors.ts';

const NAMES = ['scenario', ...Object.keys(OUTPUTS)];

export default defineCommand({
  about:
    'Prints the JSON Schema (draft 7) of a scenario file, for editors that complete and check, or of what a command ' +
    `prints with --json: ${Object.keys(OUTPUTS).join(', ')}. All of them are files under schema/.`,
  operands: ['[SCHEMA]'],
  options: {},
  examples: ['schema > scenario-1.json', 'schema race'],
  run(ctx) {
    const [name = 'scenario'] = ctx.operands;
    if (!NAMES.includes(name))
      throw new UsageError(
        `no schema ${JSON.stringify(name)}${didYouMean(name, NAMES)}`,
        `one of ${NAMES.join(', ')}`,
      );
    const schema = name === 'scenario' ? scenarioJsonSchema() : outputJsonSchema(name as OutputName);
    ctx.verbatim(JSON.stringify(schema, null, 2));
    return EXIT.ok;
  },
});
