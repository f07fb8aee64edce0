/** Help, generated from the tables that the parser reads. */
import { GLOBAL_OPTIONS } from './args.ts';
import type { AnyCommand, CommandEntry, Option, Options } from './command.ts';
import { EXIT } from './errors.ts';
import type { Style } from './style.ts';
import { table, wrap } from './table.ts';

const WIDTH = 80;

const EXIT_MEANING: readonly (readonly [keyof typeof EXIT, string])[] = [
  ['ok', 'as expected'],
  ['differs', 'a verdict differs, or a violation was found'],
  ['badInput', 'bad usage or bad input'],
  ['budget', 'the budget ran out without a verdict'],
  ['internal', 'a mistake in ext4lab itself'],
  ['interrupted', 'interrupted; what there was is printed'],
];

/** `ext4lab --help` */
export function helpForAll(entries: readonly CommandEntry[], style: Style): string {
  const commands = table(
    entries.map(({ name, summary }) => [name, summary]),
    { indent: 2, width: WIDTH },
  );
  const exits = table(
    EXIT_MEANING.map(([key, meaning]) => [String(EXIT[key]), meaning]),
    { indent: 2, right: [0] },
  );
  return [
    'ext4lab: every design of the ext4 inline-data discussion, run side by side',
    '',
    `usage: ext4lab COMMAND [operands] [options]`,
    `       ext4lab COMMAND --help`,
    `       ext4lab --version`,
    '',
    style.bold('commands'),
    commands,
    '',
    style.bold('exit codes'),
    exits,
  ].join('\n');
}

/** `ext4lab NAME --help` */
export function helpForCommand(entry: CommandEntry, command: AnyCommand, style: Style): string {
  const own = Object.entries(command.options as Options);
  const parts = [`usage: ${usage(entry.name, command)}`, '', ...wrap(command.about, WIDTH)];
  if (own.length > 0) parts.push('', style.bold('options'), optionTable(command.options as Options));
  parts.push('', style.bold('options of every command'), optionTable(GLOBAL_OPTIONS));
  if (command.examples !== undefined) {
    parts.push('', style.bold('examples'), ...command.examples.map((line) => `  ext4lab ${line}`));
  }
  return parts.join('\n');
}

/** One line: needed options by name, the others as `[options]`. */
export function usage(name: string, command: AnyCommand): string {
  const own = Object.entries(command.options as Options);
  const needed = own.flatMap(([key, option]) =>
    option.type !== 'flag' && option.needed ? [`--${key} ${option.value}`] : [],
  );
  const more = own.length > needed.length ? ['[options]'] : [];
  return ['ext4lab', name, ...command.operands, ...needed, ...more].join(' ');
}

function optionTable(options: Options): string {
  const rows = Object.entries(options).map(([key, option]) => [
    optionName(key, option),
    optionSummary(option),
  ]);
  return table(rows, { indent: 2, width: WIDTH });
}

function optionName(key: string, option: Option): string {
  const short = option.short === undefined ? '    ' : `-${option.short}, `;
  return `${short}--${key}${option.type === 'flag' ? '' : ` ${option.value}`}`;
}

function optionSummary(option: Option): string {
  const notes: string[] = [];
  if (option.type === 'text' && option.choices !== undefined) notes.push(option.choices.join(' | '));
  if (option.type === 'text' && option.many) notes.push('may be repeated');
  if (option.type !== 'flag' && option.default !== undefined) notes.push(`default ${option.default}`);
  return `${option.summary}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`;
}
