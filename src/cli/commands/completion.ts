import { basename } from 'node:path';
import { DESIGNS } from '../../designs/index.ts';
import { OUTPUTS } from '../../formats/outputs.ts';
import { MOUNT_OPTIONS } from '../../scenario/image.ts';
import { GLOBAL_OPTIONS } from '../args.ts';
import { CLAIMS_FOLDER } from '../claimFiles.ts';
import { defineCommand, type Options } from '../command.ts';
import { type CompletedCommand, type KnownWords, SHELLS, script } from '../completion.ts';
import { EXIT, UsageError } from '../errors.ts';
import { bundledFiles } from '../scenarioFiles.ts';

export default defineCommand({
  about:
    'Prints a completion script, generated from the tables the parser reads: commands, options, their values, and the ' +
    'names of designs, scenarios, claims, mounts and schemas as they are now.',
  operands: [SHELLS.join('|')],
  options: {},
  examples: [
    'completion bash >> ~/.bashrc',
    'completion zsh >> ~/.zshrc',
    'completion fish > ~/.config/fish/completions/ext4lab.fish',
  ],
  async run(ctx) {
    const shell = SHELLS.find((name) => name === ctx.operands[0]);
    if (shell === undefined) throw new UsageError(`no completion for ${ctx.operands[0]}`, SHELLS.join(', '));
    const { COMMANDS } = await import('./index.ts');
    const commands: CompletedCommand[] = [];
    for (const { name, summary, load } of COMMANDS) {
      const command = (await load()).default;
      const options: Options = { ...command.options, ...GLOBAL_OPTIONS };
      commands.push({ name, summary, options, operands: command.operands });
    }
    ctx.verbatim(script(shell, commands, knownWords()));
    return EXIT.ok;
  },
});

/** Names by what help texts call them. */
function knownWords(): KnownWords {
  const named = (folder?: string): string[] => bundledFiles(folder).map((file) => basename(file, '.json'));
  return {
    SCENARIO: named(),
    CLAIM: named(CLAIMS_FOLDER),
    D: ['all', ...DESIGNS.map(({ id }) => id)],
    M: [...MOUNT_OPTIONS.flat()],
    SCHEMA: ['scenario', ...Object.keys(OUTPUTS)],
  };
}
