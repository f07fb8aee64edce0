/**
 * Completion scripts. Commands, their options, the choices of an option, names of designs, scenarios, mounts and the
 * like; files everywhere else. The names are those of the moment the script is printed.
 */
import type { Option, Options } from './command.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: Options;
  readonly operands?: readonly string[];
}

/** What may stand for an operand or a value, by what the help text calls it: `SCENARIO`, `D`, `M`. */
export type KnownWords = Readonly<Record<string, readonly string[]>>;

export function script(shell: Shell, commands: readonly CompletedCommand[], known: KnownWords = {}): string {
  return shell === 'fish'
    ? fish(commands, known)
    : shell === 'zsh'
      ? zsh(commands, known)
      : bash(commands, known);
}

/** Choices, or the names that its value stands for; `D,…` is a list of `D`. */
function choicesOf(option: Option, known: KnownWords): readonly string[] {
  if (option.type !== 'text') return [];
  return option.choices ?? namesFor(option.value, known);
}

function namesFor(value: string, known: KnownWords): readonly string[] {
  const name = value.replaceAll(/[[\]…,]/g, '').split('|')[0]!;
  return Object.hasOwn(known, name) ? known[name]! : [];
}

const isList = (option: Option): boolean => option.type === 'text' && option.value.includes(',');

const operandNames = (command: CompletedCommand, known: KnownWords): readonly string[] =>
  (command.operands ?? []).flatMap((operand) =>
    operand.includes('|') && !/[A-Z]/.test(operand) ? operand.split('|') : namesFor(operand, known),
  );

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

function bash(commands: readonly CompletedCommand[], known: KnownWords): string {
  const { first, second } = wordsOf(commands);
  const choices: string[] = [];
  for (const { name, options } of commands) {
    for (const [key, option] of Object.entries(options)) {
      const words = choicesOf(option, known);
      const given = [
        `'${name} --${key}'`,
        ...(option.short === undefined ? [] : [`'${name} -${option.short}'`]),
      ];
      const list = isList(option) ? ' list=1' : '';
      if (words.length > 0) choices.push(`    ${given.join('|')}) words='${words.join(' ')}'${list} ;;`);
    }
  }
  const operands = commands.flatMap((command) => {
    const names = operandNames(command, known);
    return names.length === 0 ? [] : [`    '${command.name}') words='${names.join(' ')}' ;;`];
  });
  const options = commands.map(({ name, options }) => `    '${name}') words='${optionWords(options)}' ;;`);
  const subcommands = [...second].flatMap(([one, two]) =>
    two.length === 0 ? [] : [`    ${one}) [ "$COMP_CWORD" -eq 2 ] && words='${two.join(' ')}' ;;`],
  );
  return [
    '# bash completion of ext4lab',
    '_ext4lab() {',
    `  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words= list= before=`,
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
          '  if [ -n "$words" ]; then',
          '    # The last of a list with commas.',
          `    if [ -n "$list" ] && [[ "$current" == *,* ]]; then before="\${current%,*},"; fi`,
          `    COMPREPLY=($(compgen -P "$before" -W "$words" -- "\${current##*,}"))`,
          '    return',
          '  fi',
        ]),
    '  if [[ "$current" == -* ]]; then',
    '    case "$command" in',
    ...options.map((line) => `  ${line}`),
    '    esac',
    '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
    ...(operands.length === 0
      ? []
      : [
          '  else',
          '    case "$command" in',
          ...operands.map((line) => `  ${line}`),
          '    esac',
          '    # Files where no name fits, by -o default.',
          '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
        ]),
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

/** zsh runs bash completions through bashcompinit. In a file of fpath its first run is the first completion. */
function zsh(commands: readonly CompletedCommand[], known: KnownWords): string {
  return [
    '#compdef ext4lab',
    'autoload -Uz bashcompinit && bashcompinit',
    bash(commands, known),
    '[[ "$funcstack[1]" == _ext4lab ]] && _bash_complete -o default -F _ext4lab',
    'true',
  ].join('\n');
}

function fish(commands: readonly CompletedCommand[], known: KnownWords): string {
  const { first, second } = wordsOf(commands);
  const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const summaryOf = (name: string): string =>
    commands.find((each) => each.name === name)?.summary ?? `${name} …`;
  const lines = ['# fish completion of ext4lab'];
  for (const one of first) {
    lines.push(`complete -c ext4lab -n __fish_use_subcommand -f -a ${one} -d ${quote(summaryOf(one))}`);
    const twos = second.get(one)!;
    const open = `__fish_seen_subcommand_from ${one}; and not __fish_seen_subcommand_from ${twos.join(' ')}`;
    for (const two of twos) {
      const summary = quote(summaryOf(`${one} ${two}`));
      lines.push(`complete -c ext4lab -n '${open}' -f -a ${two} -d ${summary}`);
    }
  }
  for (const command of commands) {
    const { name, options } = command;
    const seen = name.split(' ').map((word) => `__fish_seen_subcommand_from ${word}`);
    const names = operandNames(command, known);
    // Where a command takes a name and no file, files are not offered.
    const files = (command.operands ?? []).some((operand) => /[A-Z]/.test(operand)) ? '' : ' -f';
    if (names.length > 0)
      lines.push(`complete -c ext4lab -n '${seen.join('; and ')}'${files} -a ${quote(names.join(' '))}`);
    for (const [key, option] of Object.entries(options)) {
      const parts = [`complete -c ext4lab -n '${seen.join('; and ')}' -l ${key}`];
      if (option.short !== undefined) parts.push(`-s ${option.short}`);
      if (option.type !== 'flag') parts.push('-r');
      const words = choicesOf(option, known);
      const offered = isList(option)
        ? `(__fish_complete_list , "string split ' ' '${words.join(' ')}'")`
        : words.join(' ');
      if (words.length > 0) parts.push(`-f -a ${quote(offered)}`);
      lines.push(`${parts.join(' ')} -d ${quote(option.summary)}`);
    }
  }
  return lines.join('\n');
}
