/** Every command, in the order of the help text. A command's file is loaded when it is run. */
import type { CommandEntry } from '../command.ts';

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'scenarios',
    summary: 'the bundled scenarios and what they ask',
    load: () => import('./scenarios.ts'),
  },
  { name: 'schema', summary: 'the JSON Schema of a scenario file', load: () => import('./schema.ts') },
  {
    name: 'completion',
    summary: 'a completion script for bash, zsh or fish',
    load: () => import('./completion.ts'),
  },
];
