/**
 * Paths of a program that ran under some mount point, as paths of the volume. The mount point is what was said, or an
 * unset variable at the front (`$SCRATCH_MNT/f`), or the directory that all paths have in common; `/mnt/f` is `/f`.
 */
import { quote } from '../scenario/numbers.ts';
import { quotePath, type Step } from './draft.ts';
import type { Source } from './source.ts';

/** A path as it was written, and where. */
export interface PathRef {
  readonly path: string;
  readonly at: number;
}

/** A line whose paths are not mapped yet. */
export interface RawStep {
  readonly pieces: readonly (string | PathRef)[];
  readonly at: number;
  /** Offset in the source of each character of the pieces that are text; left out: all at `at`. */
  readonly origin?: readonly number[];
}

export function rawStep(at: number, ...pieces: (string | PathRef)[]): RawStep {
  return { pieces, at };
}

export class MountPoint {
  readonly prefix: string;
  private readonly source: Source;

  /**
   * @param refs   every path of the program
   * @param given  the mount point, where it is known
   */
  constructor(source: Source, refs: readonly PathRef[], given?: string) {
    this.source = source;
    this.prefix = trimmed(given ?? commonFolder(source, refs));
  }

  /** @throws ScenarioError for a path that is not under the mount point */
  map({ path, at }: PathRef): string {
    const bad = this.source;
    if (path === '') bad.fail(at, 'empty path');
    if (!isWhole(path)) {
      if (/(^|\/)\.\.(\/|$)/.test(path)) bad.fail(at, `${quote(path)}: what .. is depends on where it ran`);
      return `/${path.replace(/^(\.\/)+/, '')}`;
    }
    if (path === this.prefix || path === `${this.prefix}/`) return '/';
    if (!path.startsWith(`${this.prefix}/`)) {
      bad.fail(
        at,
        `${quote(path)} is not under the mount point ${quote(this.prefix === '' ? '/' : this.prefix)}`,
        'name the mount point with --mount-point',
      );
    }
    return path.slice(this.prefix.length).replace(/^\/+/, '/');
  }

  step({ pieces, at, origin }: RawStep): Step {
    const columns: number[] = [];
    let text = '';
    let read = 0;
    for (const piece of pieces) {
      const shown = typeof piece === 'string' ? piece : quotePath(this.map(piece));
      for (let i = 0; i < shown.length; i++) {
        columns.push(typeof piece === 'string' ? (origin?.[read] ?? at) : piece.at);
        if (typeof piece === 'string') read++;
      }
      text += shown;
    }
    return { text, origin: (column) => columns[column - 1] ?? at };
  }
}

/** From the root, or from a variable that nobody has set. */
const isWhole = (path: string): boolean => /^(\/|\$[A-Za-z_])/.test(path);

const trimmed = (path: string): string => path.replace(/\/+$/, '');

function commonFolder(source: Source, refs: readonly PathRef[]): string {
  const whole = refs.filter(({ path }) => isWhole(path));
  const variable = whole.find(({ path }) => !path.startsWith('/'));
  if (variable !== undefined) return /^\$\w+/.exec(variable.path)![0];
  if (whole.length === 0) return '';
  const folders = whole.map(({ path }) => path.split('/').slice(0, -1));
  const common: string[] = [];
  for (let i = 0; folders.every((parts) => parts.length > i && parts[i] === folders[0]![i]); i++)
    common.push(folders[0]![i]!);
  const prefix = common.join('/');
  const far = whole.find(({ path }) => path.split('/').length > 2);
  if (prefix === '' && far !== undefined) {
    source.fail(
      far.at,
      `the paths have no directory in common besides /`,
      'name the mount point with --mount-point',
    );
  }
  return prefix;
}
