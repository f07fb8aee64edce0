/**
 * What a command is. One file per command under `commands/`, with a default export made by `defineCommand`, and one
 * line in `commands/index.ts` (its name and summary stand there, so that `--help` loads no command).
 *
 *     export default defineCommand({
 *       about: 'One execution: results per line, findings, final files and raw inodes.',
 *       operands: ['SCENARIO'],
 *       options: {
 *         design: { type: 'text', value: 'D', needed: true, summary: 'the design to run (see ext4lab designs)' },
 *         seed: { type: 'integer', value: 'N', min: 0, default: 1, summary: 'for pct and random' },
 *         json: { type: 'flag', summary: 'one JSON object on stdout' },
 *       },
 *       async run(ctx) {
 *         ctx.options.design;                      // string, because needed
 *         ctx.out('data');                         // stdout
 *         ctx.say('talk');                         // stderr, unless --quiet
 *         return EXIT.ok;
 *       },
 *     });
 *
 * Rules. Data on stdout, talk on stderr. `--json` prints one object through `ctx.json`. No times or random order in
 * output. A long run reads `ctx.signal` and awaits `ctx.breathe()` now and then, prints what it has when the signal
 * is aborted, and returns; the frame makes that exit 130. What the user gave wrongly is a UsageError.
 */
import type { ExitCode } from './errors.ts';
import type { Progress } from './progress.ts';
import type { Style } from './style.ts';

interface OptionCommon {
  readonly summary: string;
  /** One letter. */
  readonly short?: string;
}

export interface FlagOption extends OptionCommon {
  readonly type: 'flag';
}

export interface TextOption extends OptionCommon {
  readonly type: 'text';
  /** What stands for the value in help: `D`, `FILE`. */
  readonly value: string;
  readonly choices?: readonly string[];
  readonly needed?: true;
  /** May be given more than once. */
  readonly many?: true;
  readonly default?: string;
}

export interface IntegerOption extends OptionCommon {
  readonly type: 'integer';
  readonly value: string;
  readonly min?: number;
  readonly max?: number;
  readonly needed?: true;
  readonly default?: number;
}

export type Option = FlagOption | TextOption | IntegerOption;
export type Options = Readonly<Record<string, Option>>;

type ValueOf<O extends Option> = O extends FlagOption
  ? boolean
  : O extends IntegerOption
    ? O extends { needed: true } | { default: number }
      ? number
      : number | undefined
    : O extends { many: true }
      ? readonly ChoiceOf<O>[]
      : O extends { needed: true } | { default: string }
        ? ChoiceOf<O>
        : ChoiceOf<O> | undefined;

type ChoiceOf<O> = O extends { choices: readonly (infer C)[] } ? C : string;

/** An option that was not given and has no default is undefined; a flag is false, a list empty. */
export type Values<O extends Options> = { readonly [K in keyof O]: ValueOf<O[K]> };

export interface Context<O extends Options = Options> {
  readonly options: Values<O>;
  /** As many as `operands` of the command allows; checked before `run`. */
  readonly operands: readonly string[];
  /** A line, or several, for people: long ones are broken between words on a terminal, and nowhere else. */
  out(text: string): void;
  /** Text for a program, or to be copied: as it is. */
  verbatim(text: string): void;
  /** One object of data, `schemaVersion` first. */
  json(value: Readonly<Record<string, unknown>>): void;
  /** Talk, unless --quiet. */
  say(text: string): void;
  /** For what `out` prints. */
  readonly style: Style;
  /** Columns of the terminal; 80 where stdout is none. */
  readonly columns: number;
  readonly progress: Progress;
  /** Aborted by ^C. Reading it once means the command ends by itself; a second ^C ends the process. */
  readonly signal: AbortSignal;
  /** Threads that a search may use besides this one; 0 where there are none. */
  readonly workers: number;
  /** Lets signals and streams have their turn. */
  breathe(): Promise<void>;
  readonly env: NodeJS.ProcessEnv;
}

export interface Command<O extends Options = Options> {
  /** A sentence or more for `ext4lab NAME --help`. */
  readonly about: string;
  /** Operands in order: `NAME` one, `[NAME]` at most one, `NAME…` one or more, `[NAME…]` any number. */
  readonly operands: readonly string[];
  readonly options: O;
  /** Command lines for the help text, without `ext4lab`. */
  readonly examples?: readonly string[];
  run(context: Context<O>): ExitCode | Promise<ExitCode>;
}

/** How a command is listed. `name` may be two words: `kernel record`. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<{ readonly default: AnyCommand }>;
}

/** A command whose own option types are not known here. */
// biome-ignore lint/suspicious/noExplicitAny: run() takes exactly the values of its own options, which the frame checks
export type AnyCommand = Command<any>;

/** Keeps the literal types of the options, so that `ctx.options` has theirs. */
export function defineCommand<const O extends Options>(command: Command<O>): Command<O> {
  return command;
}
