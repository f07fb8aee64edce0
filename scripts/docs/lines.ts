/** docs/lines.md: every line that a scenario or a script may hold. */
import { verbs } from '../../src/scenario/parse.ts';

export function linesPage(): string {
  const row = (usage: string, about: string): string => `| \`${usage.replaceAll('|', '\\|')}\` | ${about} |`;
  const [plain, actors] = [false, true].map((actor) =>
    verbs()
      .filter(({ verb }) => verb.startsWith('@') === actor)
      .map(({ usage, about }) => row(usage, about.replaceAll('|', '\\|'))),
  );
  return `# Lines

What a line of a scenario, or of a script for \`exec\`, may say. Generated from \`src/scenario/parse.ts\`; \`ext4lab scenarios
--lines\` prints it.

A number may end in \`k\`, \`m\`, \`g\`; \`0x\` begins hexadecimal, \`0\` octal, as in xfs_io. Every lane has a list of open files and
a list of mappings, one of each current. Lanes are processes; those named together in \`threads\` are threads of one.

## Commands of xfs_io and words of the shell

Without a note they do what they do there, one system call a line.

| line | note |
| --- | --- |
${plain!.join('\n')}

## Actors

What no user types.

| line | what it does |
| --- | --- |
${actors!.join('\n')}
`;
}
