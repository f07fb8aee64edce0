/** The words after a command's name, against its table of options and operands. All complaints are UsageErrors. */
import { parseArgs } from 'node:util';
import { didYouMean } from '../scenario/suggest.ts';
import type { AnyCommand, Option, Options } from './command.ts';
import { UsageError } from './errors.ts';

/** Options that every command takes. */
export const GLOBAL_OPTIONS = {
  help: { type: 'flag', short: 'h', summary: 'this text' },
  quiet: { type: 'flag', short: 'q', summary: 'no talk on stderr' },
  'no-color': { type: 'flag', summary: 'no colour (so does NO_COLOR=1)' },
} as const satisfies Options;

export interface ReadArgs {
  readonly options: Readonly<Record<string, unknown>>;
  readonly operands: readonly string[];
  readonly help: boolean;
  readonly quiet: boolean;
  readonly noColor: boolean;
}

/** @param name  the command's name, for messages */
export function readArgs(name: string, command: AnyCommand, words: readonly string[]): ReadArgs {
  const known: Options = { ...command.options, ...GLOBAL_OPTIONS };
  const { tokens } = parseArgs({
    args: [...words],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(known).map(([key, option]) => [
        key,
        {
          type: option.type === 'flag' ? ('boolean' as const) : ('string' as const),
          ...(option.short === undefined ? {} : { short: option.short }),
        },
      ]),
    ),
  });
  const given = new Map<string, (string | true)[]>();
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(known, token.name)
      ? known[token.name]!
      : unknown(name, token.rawName, known);
    given.set(token.name, [...(given.get(token.name) ?? []), valueGiven(token, option)]);
  }
  const flag = (key: keyof typeof GLOBAL_OPTIONS): boolean => given.has(key);
  const rest = { help: flag('help'), quiet: flag('quiet'), noColor: flag('no-color') };
  // Help is given whatever else is wrong.
  if (rest.help) return { options: {}, operands, ...rest };
  const options: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(command.options as Options)) {
    options[key] = optionValue(name, key, option, given.get(key) ?? []);
  }
  checkOperands(name, command, operands);
  return { options, operands, ...rest };
}

interface OptionToken {
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function valueGiven(token: OptionToken, option: Option): string | true {
  if (option.type === 'flag') {
    if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
    return true;
  }
  // `--design --json` is a value left out, not a design called --json; `--design=--json` is what it says.
  if (token.value === undefined || (!token.inlineValue && /^--?[a-z]/.test(token.value))) {
    throw new UsageError(`${token.rawName} needs a value: ${token.rawName} ${option.value}`);
  }
  return token.value;
}

function optionValue(name: string, key: string, option: Option, given: readonly (string | true)[]): unknown {
  if (given.length > 1 && !(option.type === 'text' && option.many))
    throw new UsageError(`--${key} is given twice`);
  if (option.type === 'flag') return given.length > 0;
  if (given.length === 0) {
    if (option.needed) {
      throw new UsageError(`${name} needs --${key} ${option.value}`, option.summary);
    }
    return option.type === 'text' && option.many ? [] : option.default;
  }
  const values = (given as string[]).map((text) =>
    option.type === 'integer' ? integer(key, option, text) : choice(key, option, text),
  );
  return option.type === 'text' && option.many ? values : values[0];
}

function choice(key: string, option: Option & { type: 'text' }, text: string): string {
  const { choices } = option;
  if (choices !== undefined && !choices.includes(text)) {
    throw new UsageError(`--${key} ${text}: not one of ${choices.join(', ')}${didYouMean(text, choices)}`);
  }
  return text;
}

function integer(key: string, option: Option & { type: 'integer' }, text: string): number {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = option;
  const value = /^-?[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new UsageError(`--${key} ${text}: not a whole number`);
  if (value < min) throw new UsageError(`--${key} ${text}: at least ${min}`);
  if (value > max) throw new UsageError(`--${key} ${text}: at most ${max}`);
  return value;
}

function unknown(name: string, rawName: string, known: Options): never {
  const near = didYouMean(
    rawName,
    Object.keys(known).map((key) => `--${key}`),
  );
  throw new UsageError(
    `unknown option ${rawName} for ${name}${near === '' ? ` (see ext4lab ${name} --help)` : near}`,
  );
}

function checkOperands(name: string, command: AnyCommand, operands: readonly string[]): void {
  const needed = command.operands.filter((operand) => !operand.startsWith('['));
  const missing = needed[operands.length];
  if (missing !== undefined) throw new UsageError(`${name} needs ${missing}`, `see ext4lab ${name} --help`);
  if (command.operands.some((operand) => operand.includes('…'))) return;
  const extra = operands[command.operands.length];
  if (extra !== undefined) throw new UsageError(`${name}: unexpected ${JSON.stringify(extra)}`);
}
