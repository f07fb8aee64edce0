import { verbs } from '../../scenario/parse.ts';
import { mountLabel } from '../../scenario/schema.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../errors.ts';
import { loadScenarios } from '../scenarioFiles.ts';
import { table } from '../table.ts';

export default defineCommand({
  about:
    'Lists scenarios and the question each asks: the bundled ones, or those of the files and folders given. ' +
    'Every file is read and checked on the way.',
  operands: ['[SCENARIO…]'],
  options: {
    json: { type: 'flag', summary: 'one JSON object on stdout' },
    names: { type: 'flag', summary: 'names only, one a line' },
    lines: { type: 'flag', summary: 'what a line of a scenario may say' },
  },
  examples: ['scenarios', 'scenarios --lines', 'scenarios my/folder --json'],
  run(ctx) {
    if (ctx.options.lines) {
      const known = verbs();
      if (ctx.options.json) ctx.json({ schemaVersion: 1, lines: known });
      else for (const { usage, about } of known) ctx.out(about === '' ? usage : `${usage}\n    ${about}`);
      return EXIT.ok;
    }
    const scenarios = loadScenarios(ctx.operands);
    if (ctx.options.json) {
      ctx.json({
        schemaVersion: 1,
        scenarios: scenarios.map(({ name, question, file, source, lanes, mounts }) => ({
          name,
          question,
          file,
          source,
          lanes: lanes.map((lane) => lane.name),
          mounts: mounts.map(mountLabel),
        })),
      });
    } else if (ctx.options.names) {
      for (const { name } of scenarios) ctx.out(name);
    } else if (scenarios.length === 0) {
      ctx.say('no scenarios are bundled');
    } else {
      ctx.out(
        table(
          scenarios.map(({ name, question }) => [name, question]),
          { width: ctx.columns },
        ),
      );
    }
    return EXIT.ok;
  },
});
