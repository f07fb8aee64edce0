/**
 * What a reader of a foreign format makes: lanes of lines, each of which knows where it comes from, and notes on what
 * was taken differently. `finish` makes a scenario file of it, whose every line is one that `race` and `run` accept: a
 * line that is not is a complaint about the place it was read from.
 */
import { ScenarioError } from '../scenario/error.ts';
import { parseLane } from '../scenario/lane.ts';
import { MAX_LANES, MAX_LINES, type ScenarioFile } from '../scenario/schema.ts';
import type { Source } from './source.ts';

/** One line of a lane. */
export interface Step {
  readonly text: string;
  /** Where a column of `text` (from 1) stands in the source. */
  origin(column: number): number;
}

/** A line all of which comes from one place. */
export function stepAt(at: number, text: string): Step {
  return { text, origin: () => at };
}

export interface DraftLane {
  readonly name: string;
  readonly steps: readonly Step[];
}

export interface Draft {
  readonly setup: readonly Step[];
  readonly lanes: readonly DraftLane[];
  readonly after: readonly Step[];
  readonly threads?: readonly (readonly string[])[];
  readonly image?: ScenarioFile['image'];
  readonly mounts?: ScenarioFile['mounts'];
  /** Files that are read at the end, after a remount; at most `MAX_LOOKS`. */
  readonly paths: readonly string[];
  /** What was taken differently from what the source says, or left out: a sentence each. */
  readonly notes: readonly string[];
}

/** A scenario out of a foreign file. */
export interface Imported {
  readonly scenario: ScenarioFile;
  readonly notes: readonly string[];
}

const MAX_LOOKS = 4;
const DEFAULT_IMAGE: ScenarioFile['image'] = { mkfs: { features: ['has_journal'] } };

/**
 * @param name    of the scenario
 * @param format  what it was read as, for the scenario's `source`
 * @throws        ScenarioError at the place a line comes from
 */
export function finish(draft: Draft, source: Source, name: string, format: string): Imported {
  checkLane(draft.setup, 'setup', source);
  for (const lane of draft.lanes) checkLane(lane.steps, lane.name, source);
  if (draft.lanes.length === 0) source.fail(0, 'nothing here that a lane could do');
  if (draft.lanes.length > MAX_LANES) {
    const first = draft.lanes[MAX_LANES]!.steps[0];
    source.fail(first?.origin(1) ?? 0, `${draft.lanes.length} lanes, at most ${MAX_LANES}`);
  }
  const looks = [...new Set(draft.paths)].slice(0, MAX_LOOKS);
  const after = [
    ...draft.after.map(({ text }) => text),
    ...(draft.after.at(-1)?.text === '@remount' ? [] : ['@remount']),
    ...looks.flatMap((path) => [`open ${quotePath(path)}`, 'pread 0 64k', 'close']),
  ];
  checkLane(draft.after, 'after', source);
  const texts = (steps: readonly Step[]): string[] => steps.map(({ text }) => text);
  const scenario: ScenarioFile = {
    name,
    question: `Does every schedule of ${name} keep what was written?`,
    source: [`${source.file}, read as ${format}`, ...draft.notes],
    image: draft.image ?? DEFAULT_IMAGE,
    mounts: draft.mounts ?? [['delalloc'], ['nodelalloc']],
    ...(draft.setup.length === 0 ? {} : { setup: texts(draft.setup) }),
    tasks: Object.fromEntries(draft.lanes.map((lane) => [lane.name, texts(lane.steps)])),
    ...(draft.threads === undefined ? {} : { threads: draft.threads.map((list) => [...list]) }),
    after,
  };
  return { scenario, notes: draft.notes };
}

function checkLane(steps: readonly Step[], lane: string, source: Source): void {
  if (steps.length > MAX_LINES) {
    source.fail(
      steps[MAX_LINES]!.origin(1),
      `${steps.length} lines in ${lane}, at most ${MAX_LINES}`,
      'cut it to the part that matters',
    );
  }
  try {
    parseLane(
      steps.map(({ text }) => text),
      { lane },
    );
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error;
    const step = steps[(error.line ?? 1) - 1];
    source.fail(step?.origin(error.column ?? 1) ?? 0, error.problem, error.hint);
  }
}

/** A path as a word of a line. */
export function quotePath(path: string): string {
  if (/^[\w./@%+=:,-]+$/.test(path) && !path.startsWith('-')) return path;
  return path.includes("'") ? `"${path.replaceAll(/(["\\])/g, '\\$1')}"` : `'${path}'`;
}

/** A file's name as a scenario's: lower-case letters, digits and dashes. */
export function scenarioName(file: string): string {
  const base = file
    .split('/')
    .at(-1)!
    .replace(/\.[A-Za-z0-9_]+$/, '');
  const name = base
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 60);
  return name === '' ? 'imported' : name;
}
