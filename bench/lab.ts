/**
 * The library against the two things it is used instead of: memfs, and the file system of this machine through node.
 * 100 bytes at offset 0 of a file that lives in its inode, written and read again and again.
 *
 * What is measured is what is shipped: the sources are compiled as for a release, and a plain node runs them. The file
 * of this machine is made where DIR says (the temporary folder): to compare like with like, mount an ext4 volume with
 * inline_data there. On a block-based file a write is about twice as fast as on an inline one.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';

export interface Figure {
  readonly name: string;
  /** A ratio of rates: ours ÷ theirs. */
  readonly value: number;
  readonly floor: number;
  readonly target: number;
}

/** Nanoseconds per call of each contender. */
export type LabTimes = Readonly<Record<`${'lab' | 'memfs' | 'real'} ${'write' | 'read'}`, number>>;

/** The sources as a release has them; made once, gone when the process ends. */
let compiled: string | null = null;

function compile(): string {
  if (compiled !== null) return compiled;
  // Inside the project, so that what the sources import is found.
  const out = resolve('node_modules', '.cache', `ext4lab-bench-${process.pid}`);
  mkdirSync(out, { recursive: true });
  process.on('exit', () => rmSync(out, { recursive: true, force: true }));
  const options = ['--noCheck', '--declaration', 'false', '--sourceMap', 'false'];
  execFileSync(
    resolve('node_modules', '.bin', 'tsc'),
    ['-p', 'tsconfig.build.json', '--outDir', out, ...options],
    {
      stdio: 'ignore',
    },
  );
  compiled = out;
  return out;
}

/**
 * @param dir     where the file of this machine is made
 * @param rounds  turns that each contender takes; with few it is not compiled well yet
 */
export function labTimes(dir: string = process.env.DIR ?? tmpdir(), rounds = 200): LabTimes {
  const args = [resolve('bench', 'labTimes.mjs'), compile(), dir, `${rounds}`];
  const env = { ...process.env, NODE_OPTIONS: '' };
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', env })) as LabTimes;
}

export async function benchLab(): Promise<Figure[]> {
  const t = labTimes();
  const figure = (
    what: 'write' | 'read',
    whose: 'memfs' | 'real',
    floor: number,
    target: number,
  ): Figure => ({
    name: `small inline ${what} through the library ÷ ${whose === 'real' ? "this machine's file system" : 'memfs'}`,
    value: t[`${whose} ${what}`] / t[`lab ${what}`],
    floor,
    target,
  });
  // The goals of the second pair are for an inline file of a real ext4: somebody has to say where there is one.
  const real =
    process.env.DIR === undefined ? [] : [figure('write', 'real', 0.3, 1), figure('read', 'real', 0.3, 1)];
  return [figure('write', 'memfs', 0.15, 0.7), figure('read', 'memfs', 0.15, 0.7), ...real];
}
