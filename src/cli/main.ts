/**
 * ext4lab: the command. Finds the command in the table, reads its words, runs it, and turns whatever happens into an
 * exit code. Commands are loaded when they are run, and nothing of the lab is loaded before.
 */
import { existsSync, realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { didYouMean } from '../scenario/suggest.ts';
import { readArgs } from './args.ts';
import type { AnyCommand, CommandEntry, Context } from './command.ts';
import { COMMANDS } from './commands/index.ts';
import { describeError, EXIT, type ExitCode, UsageError } from './errors.ts';
import { helpForAll, helpForCommand } from './help.ts';
import { createProgress } from './progress.ts';
import { createStyle, wantsColour } from './style.ts';
import { version } from './version.ts';
import { wrapLines } from './wrap.ts';

/** What the command may touch of the process: streams, environment, interrupts. */
export interface Io {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly env: NodeJS.ProcessEnv;
  /** Calls back on ^C, from the time of the first call on. */
  onInterrupt(callback: () => void): void;
  /** Threads that searches may use; none when absent. */
  readonly workers?: number;
}

export interface Sink {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Where it is a terminal. */
  readonly columns: number | undefined;
}

const DEFAULT_COLUMNS = 80;

/**
 * @param words  the command line after `ext4lab`
 * @returns      the exit code; never throws
 */
export async function main(
  commandLine: readonly string[],
  io: Io,
  entries: readonly CommandEntry[] = COMMANDS,
): Promise<ExitCode> {
  const interrupt = new AbortController();
  try {
    const words = globalsLast(commandLine);
    const [first] = words;
    const style = createStyle(!words.includes('--no-color') && wantsColour(io.env, io.stdout.isTerminal));
    if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
      return await showHelp(words, io, entries, style);
    }
    if (first === '--version' || first === '-V') {
      io.stdout.write(`${version()}\n`);
      return EXIT.ok;
    }
    const { entry, rest } = findCommand(words, entries);
    const command = (await entry.load()).default;
    const args = readArgs(entry.name, command, rest);
    if (args.help) {
      io.stdout.write(`${helpForCommand(entry, command, style)}\n`);
      return EXIT.ok;
    }
    const context = createContext(args, io, style, interrupt);
    try {
      const code = await command.run(context);
      return interrupt.signal.aborted ? EXIT.interrupted : code;
    } finally {
      context.progress.clear();
    }
  } catch (thrown) {
    if (interrupt.signal.aborted && isAbort(thrown, interrupt.signal)) return EXIT.interrupted;
    const { exit, text } = describeError(thrown, commandLine);
    io.stderr.write(`${text}\n`);
    return exit;
  }
}

/** `ext4lab --quiet race` is `ext4lab race --quiet`. */
function globalsLast(words: readonly string[]): readonly string[] {
  const start = words.findIndex((word) => !EARLY_OPTIONS.has(word));
  return start <= 0 ? words : [...words.slice(start), ...words.slice(0, start)];
}

const EARLY_OPTIONS: ReadonlySet<string> = new Set(['-q', '--quiet', '--no-color']);

/** No words is a question too, but not one that was answered: exit 2. */
async function showHelp(
  words: readonly string[],
  io: Io,
  entries: readonly CommandEntry[],
  style: ReturnType<typeof createStyle>,
): Promise<ExitCode> {
  if (words[0] === 'help' && words.length > 1) {
    const { entry } = findCommand(words.slice(1), entries);
    const command: AnyCommand = (await entry.load()).default;
    io.stdout.write(`${helpForCommand(entry, command, style)}\n`);
    return EXIT.ok;
  }
  const asked = words.length > 0;
  (asked ? io.stdout : io.stderr).write(`${helpForAll(entries, style)}\n`);
  return asked ? EXIT.ok : EXIT.badInput;
}

/** The command of two words where there is one, else of one. */
function findCommand(
  words: readonly string[],
  entries: readonly CommandEntry[],
): { entry: CommandEntry; rest: readonly string[] } {
  const [first, second] = words as [string, string?];
  for (const [name, used] of [
    [`${first} ${second}`, 2],
    [first, 1],
  ] as const) {
    const entry = entries.find((each) => each.name === name);
    if (entry !== undefined) return { entry, rest: words.slice(used) };
  }
  const inner = entries
    .filter(({ name }) => name.startsWith(`${first} `))
    .map(({ name }) => name.split(' ')[1]!);
  if (inner.length > 0) {
    const near = second === undefined ? '' : didYouMean(second, inner);
    const problem = second === undefined ? `${first} needs one of` : `${first} ${second}: not one of`;
    throw new UsageError(`${problem} ${inner.join(', ')}${near}`);
  }
  if (first.startsWith('-'))
    throw new UsageError(`unknown option ${first}`, 'a command comes first; see ext4lab --help');
  const near = didYouMean(
    first,
    entries.map(({ name }) => name.split(' ')[0]!),
  );
  throw new UsageError(
    `unknown command ${JSON.stringify(first)}${near === '' ? ' (see ext4lab --help)' : near}`,
  );
}

function createContext(
  args: ReturnType<typeof readArgs>,
  io: Io,
  style: ReturnType<typeof createStyle>,
  interrupt: AbortController,
): Context {
  const progress = createProgress({
    write: (text) => io.stderr.write(text),
    isTerminal: io.stderr.isTerminal && !args.quiet,
    columns: io.stderr.columns ?? DEFAULT_COLUMNS,
    now: () => performance.now(),
  });
  const verbatim = (text: string): void => {
    progress.clear();
    io.stdout.write(`${text}\n`);
  };
  const { isTerminal } = io.stdout;
  const columns = isTerminal ? (io.stdout.columns ?? DEFAULT_COLUMNS) : DEFAULT_COLUMNS;
  let listening = false;
  return {
    options: args.options as Context['options'],
    operands: args.operands,
    out: (text) => verbatim(isTerminal ? wrapLines(text, columns) : text),
    verbatim,
    json: (value) => verbatim(JSON.stringify({ schemaVersion: 1, ...value })),
    say(text) {
      progress.clear();
      if (!args.quiet) io.stderr.write(`${text}\n`);
    },
    style,
    columns,
    progress,
    get signal() {
      if (!listening) io.onInterrupt(() => interrupt.abort());
      listening = true;
      return interrupt.signal;
    },
    workers: io.workers ?? 0,
    breathe: () => new Promise((resolve) => setImmediate(resolve)),
    env: io.env,
  };
}

const isAbort = (thrown: unknown, signal: AbortSignal): boolean =>
  thrown === signal.reason || (thrown instanceof Error && thrown.name === 'AbortError');

/** Runs the command line of this process. */
export async function runProcess(): Promise<void> {
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(process.exitCode ?? EXIT.ok);
  });
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  process.on('uncaughtException', (thrown) => {
    process.stderr.write(`${describeError(thrown, process.argv.slice(2)).text}\n`);
    process.exit(EXIT.internal);
  });
  process.exitCode = await main(process.argv.slice(2), {
    stdout: sink(process.stdout),
    stderr: sink(process.stderr),
    env: process.env,
    workers: availableParallelism(),
    onInterrupt(callback) {
      // The second ^C does not wait for the command.
      let asked = false;
      process.on('SIGINT', () => {
        if (asked) process.exit(EXIT.interrupted);
        asked = true;
        callback();
      });
    },
  });
}

const sink = (stream: NodeJS.WriteStream): Sink => ({
  write: (text) => stream.write(text),
  isTerminal: stream.isTTY === true,
  get columns() {
    return stream.columns;
  },
});

/** Is this file what node was started with? Not when it is imported: by bin/, a test, a worker. */
function isStarted(): boolean {
  const started = process.argv[1];
  if (!isMainThread || started === undefined || !existsSync(started)) return false;
  return realpathSync(started) === fileURLToPath(import.meta.url);
}

if (isStarted()) await runProcess();
