/** Bad input, with its place. `file` and `lane` are missing where text did not come from a file or a lane. */

/** Where a scenario line stands: `lane` is a lane name, `setup` or `after`; `line` counts from 1. */
export interface Place {
  readonly file?: string | undefined;
  readonly lane: string;
  readonly line: number;
}

export interface ErrorPlace {
  readonly file?: string | undefined;
  readonly lane?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
}

/**
 * A scenario, or a line of one, that cannot be read. The message is one sentence to show to the user, place first:
 *
 *     fixtures/x.json: lane CPU0, line 3, column 8: unknown option -s for pwrite (did you mean -S?)
 *     fixtures/x.json:12:5: image.mkfs: unknown key "blocksize" (did you mean "blockSize"?)
 *
 * With a lane, `line` and `column` count in the lane and in its line; without, in the file. Both from 1.
 */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
  readonly file: string | undefined;
  readonly lane: string | undefined;
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** What is wrong, without its place; for whoever knows a better one. */
  readonly problem: string;
  readonly hint: string | undefined;

  constructor(problem: string, place: ErrorPlace, hint?: string) {
    const where = placeText(place);
    super(`${where === '' ? '' : `${where}: `}${problem}${hint === undefined ? '' : ` (${hint})`}`);
    this.file = place.file;
    this.lane = place.lane;
    this.line = place.line;
    this.column = place.column;
    this.problem = problem;
    this.hint = hint;
  }
}

function placeText({ file, lane, line, column }: ErrorPlace): string {
  if (lane === undefined) return [file ?? '', line, column].filter((part) => part !== undefined).join(':');
  const parts = [laneLabel(lane)];
  if (line !== undefined) parts.push(`line ${line}`);
  if (column !== undefined) parts.push(`column ${column}`);
  return `${file === undefined ? '' : `${file}: `}${parts.join(', ')}`;
}

function laneLabel(lane: string): string {
  return lane === 'setup' || lane === 'after' || lane === 'script' ? lane : `lane ${lane}`;
}
