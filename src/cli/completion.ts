/** Completion scripts. Commands, their options, the choices of an option; files everywhere else. */
import type { Option, Options } from './command.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: Options;
}

export function script(shell: Shell, commands: readonly CompletedCommand[]): string {
  return shell === 'fish' ? fish(commands) : shell === 'zsh' ? zsh(commands) : bash(commands);
}

const choicesOf = (option: Option): readonly string[] =>
  option.type === 'text' && option.choices !== undefined ? option.choices : [];

/** First words, and the second words of the commands that have two. */
function wordsOf(commands: readonly CompletedCommand[]): { first: string[]; second: Map<string, string[]> } {
  const second = new Map<string, string[]>();
  for (const { name } of commands) {
    const [one, two] = name.split(' ') as [string, string?];
    const list = second.get(one) ?? [];
    second.set(one, list);
    if (two !== undefined) list.push(two);
  }
  return { first: [...second.keys()], second };
}

function bash(commands: readonly CompletedCommand[]): string {
  const { first, second } = wordsOf(commands);
  const choices: string[] = [];
  for (const { name, options } of commands) {
    for (const [key, option] of Object.entries(options)) {
      if (choicesOf(option).length > 0)
        choices.push(`    '${name} --${key}') words='${choicesOf(option).join(' ')}' ;;`);
    }
  }
  const options = commands.map(({ name, options }) => `    '${name}') words='${optionWords(options)}' ;;`);
  const subcommands = [...second].flatMap(([one, two]) =>
    two.length === 0 ? [] : [`    ${one}) [ "$COMP_CWORD" -eq 2 ] && words='${two.join(' ')}' ;;`],
  );
  return [
    '# bash completion of ext4lab',
    '_ext4lab() {',
    `  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words=`,
    `  local command="\${COMP_WORDS[1]}"`,
    '  COMPREPLY=()',
    '  if [ "$COMP_CWORD" -eq 1 ]; then',
    `    COMPREPLY=($(compgen -W '${first.join(' ')} --help --version' -- "$current"))`,
    '    return',
    '  fi',
    ...(subcommands.length === 0 ? [] : ['  case "$command" in', ...subcommands, '  esac']),
    '  if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$current")); return; fi',
    ...twoWordCase(second),
    ...(choices.length === 0
      ? []
      : [
          '  case "$command $previous" in',
          ...choices,
          '  esac',
          '  if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$current")); return; fi',
        ]),
    '  if [[ "$current" == -* ]]; then',
    '    case "$command" in',
    ...options.map((line) => `  ${line}`),
    '    esac',
    '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
    '  fi',
    '}',
    'complete -o default -F _ext4lab ext4lab',
  ].join('\n');
}

function twoWordCase(second: ReadonlyMap<string, readonly string[]>): string[] {
  const ones = [...second].filter(([, two]) => two.length > 0).map(([one]) => one);
  return ones.length === 0
    ? []
    : ['  case "$command" in', `    ${ones.join('|')}) command="$command \${COMP_WORDS[2]}" ;;`, '  esac'];
}

const optionWords = (options: Options): string =>
  Object.keys(options)
    .map((key) => `--${key}`)
    .join(' ');

/** zsh runs bash completions through bashcompinit. */
function zsh(commands: readonly CompletedCommand[]): string {
  return ['#compdef ext4lab', 'autoload -Uz bashcompinit && bashcompinit', bash(commands)].join('\n');
}

function fish(commands: readonly CompletedCommand[]): string {
  const { first, second } = wordsOf(commands);
  const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const summaryOf = (name: string): string =>
    commands.find((each) => each.name === name)?.summary ?? `${name} …`;
  const lines = ['# fish completion of ext4lab'];
  for (const one of first) {
    lines.push(`complete -c ext4lab -n __fish_use_subcommand -a ${one} -d ${quote(summaryOf(one))}`);
    for (const two of second.get(one)!) {
      const summary = quote(summaryOf(`${one} ${two}`));
      lines.push(`complete -c ext4lab -n '__fish_seen_subcommand_from ${one}' -a ${two} -d ${summary}`);
    }
  }
  for (const { name, options } of commands) {
    const seen = name.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
    for (const [key, option] of Object.entries(options)) {
      const parts = [`complete -c ext4lab -n '${seen.join('; and ')}' -l ${key}`];
      if (option.short !== undefined) parts.push(`-s ${option.short}`);
      if (option.type !== 'flag') parts.push('-r');
      if (choicesOf(option).length > 0) parts.push(`-f -a ${quote(choicesOf(option).join(' '))}`);
      lines.push(`${parts.join(' ')} -d ${quote(option.summary)}`);
    }
  }
  return lines.join('\n');
}
