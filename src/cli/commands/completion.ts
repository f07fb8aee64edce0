import { GLOBAL_OPTIONS } from '../args.ts';
import { defineCommand, type Options } from '../command.ts';
import { type CompletedCommand, SHELLS, script } from '../completion.ts';
import { EXIT, UsageError } from '../errors.ts';

export default defineCommand({
  about: 'Prints a completion script, generated from the tables the parser reads.',
  operands: [SHELLS.join('|')],
  options: {},
  examples: ['completion bash >> ~/.bashrc', 'completion fish > ~/.config/fish/completions/ext4lab.fish'],
  async run(ctx) {
    const shell = SHELLS.find((name) => name === ctx.operands[0]);
    if (shell === undefined) throw new UsageError(`no completion for ${ctx.operands[0]}`, SHELLS.join(', '));
    const { COMMANDS } = await import('./index.ts');
    const commands: CompletedCommand[] = [];
    for (const { name, summary, load } of COMMANDS) {
      const command = (await load()).default;
      const options: Options = { ...command.options, ...GLOBAL_OPTIONS };
      commands.push({ name, summary, options });
    }
    ctx.verbatim(script(shell, commands));
    return EXIT.ok;
  },
});
