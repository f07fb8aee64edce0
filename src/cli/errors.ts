/**
 * Exit codes, and what a thrown error means to the user.
 *
 * Four kinds of wrong end a command early: bad usage, bad input (both exit 2, one message, no stack), an interrupt
 * (130), and a mistake in ext4lab itself (70, with the stack and what replays it). Errors of other folders are known
 * by their `name`, so that starting the command loads none of them.
 */

export const EXIT = {
  /** Verdicts are as expected. */
  ok: 0,
  /** A verdict differs, or a violation was found. */
  differs: 1,
  /** Bad usage or bad input. */
  badInput: 2,
  /** The budget ran out without a verdict. */
  budget: 3,
  /** A mistake in ext4lab itself (EX_SOFTWARE of sysexits.h). */
  internal: 70,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The command line cannot be carried out as written. `hint` says what to write instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly hint: string | undefined;

  constructor(problem: string, hint?: string) {
    super(`${problem}${hint === undefined ? '' : ` (${hint})`}`);
    this.hint = hint;
  }
}

/** Errors whose message is for the user: what was given cannot be used. */
const BAD_INPUT: ReadonlySet<string> = new Set([
  'UsageError',
  'ScenarioError',
  'BadImage',
  'RecordingError',
  'BadTrace',
  'BadToken',
  'TraceError',
  'ScheduleError',
  'ScheduleMismatch',
  'Refusal',
]);

const SYSTEM: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EISDIR: 'is a directory',
  ENOTDIR: 'not a directory',
  EEXIST: 'exists already',
  ENOSPC: 'no space left on the device',
  EROFS: 'read-only file system',
};

export interface Described {
  readonly exit: ExitCode;
  /** Lines for stderr, without a line end. */
  readonly text: string;
}

/**
 * @param thrown       anything
 * @param commandLine  the words after `ext4lab`, for the line that replays an internal error
 */
export function describeError(thrown: unknown, commandLine: readonly string[]): Described {
  if (thrown instanceof Error) {
    if (BAD_INPUT.has(thrown.name)) return { exit: EXIT.badInput, text: `ext4lab: ${thrown.message}` };
    const { code, path, syscall } = thrown as NodeJS.ErrnoException;
    const reason = code === undefined ? undefined : SYSTEM[code];
    if (reason !== undefined && path !== undefined && syscall !== undefined) {
      return { exit: EXIT.badInput, text: `ext4lab: ${path}: ${reason}` };
    }
  }
  const replay = replayOf(thrown) ?? `ext4lab ${commandLine.map(shellWord).join(' ')}`.trimEnd();
  const what =
    thrown instanceof Error ? (thrown.stack ?? `${thrown.name}: ${thrown.message}`) : String(thrown);
  const text = `ext4lab: internal error, please report; replay with\n    ${replay}\n${what}`;
  return { exit: EXIT.internal, text };
}

/** A word as a shell takes it back. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What an error of the explorer carries to be run again: a token for `ext4lab replay`. */
function replayOf(thrown: unknown): string | undefined {
  const token = typeof thrown === 'object' && thrown !== null && 'token' in thrown ? thrown.token : undefined;
  return typeof token === 'string' ? `ext4lab replay ${shellWord(token)}` : undefined;
}
