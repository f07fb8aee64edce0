/**
 * Referees: the e2fsprogs tools, run on files in a fresh temporary directory that is removed afterwards.
 *
 * A test that needs one asks `haveTool` through `refereed`; where the tool is missing the test is skipped with
 * the reason in its name, except under CI, where a missing referee is a failure.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'vitest';

const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;
const env = { ...process.env, PATH, LC_ALL: 'C', TZ: 'UTC', E2FSPROGS_FAKE_TIME: '1600000000' };

const found = new Map<string, boolean>();

/** True when the tool is on the path (or in /usr/sbin, /sbin). */
export function haveTool(name: string): boolean {
  let have = found.get(name);
  if (have === undefined) {
    have = spawnSync('sh', ['-c', `command -v ${name}`], { env }).status === 0;
    found.set(name, have);
  }
  return have;
}

/** A test that needs tools: run when they are there, skipped with a reason when not, failed when not under CI. */
export function refereed(name: string, tools: readonly string[], body: () => void | Promise<void>): void {
  const missing = tools.filter((tool) => !haveTool(tool));
  if (missing.length === 0) test(name, body);
  else if (process.env.CI === undefined) test.skip(`${name} (no ${missing.join(', ')} here)`, body);
  else {
    test(name, () => {
      throw new Error(`CI must have ${missing.join(', ')}`);
    });
  }
}

function withFile<T>(content: Uint8Array | undefined, use: (path: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'ext4lab-'));
  try {
    const path = join(dir, 'image');
    if (content !== undefined) writeFileSync(path, content);
    return use(path);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/**
 * `e2fsck -fn` by default: exit code (0 is clean), everything it printed but its version, the path replaced by
 * IMAGE, and the image it left.
 */
export function e2fsck(
  image: Uint8Array,
  args: readonly string[] = ['-fn'],
): { code: number; output: string; image: Uint8Array } {
  return withFile(image, (path) => {
    const run = spawnSync('e2fsck', [...args, path], { env, encoding: 'utf8' });
    const talk = run.stderr.replace(/^e2fsck \d[^\n]*\n/, '');
    const output = `${run.stdout}${talk}`.replaceAll(path, 'IMAGE');
    const left = args.includes('-fn') ? image : new Uint8Array(readFileSync(path));
    return { code: run.status ?? -1, output, image: left };
  });
}

/**
 * The image that `mke2fs -q -F ARGS file SIZE` makes.
 * @param args  options, and the size as last argument
 */
export function mke2fs(args: readonly string[]): Uint8Array {
  return withFile(undefined, (path) => {
    const size = args.at(-1)!;
    execFileSync('mke2fs', ['-q', '-F', ...args.slice(0, -1), path, size], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return new Uint8Array(readFileSync(path));
  });
}

/** What `debugfs -R command` prints on stdout. */
export function debugfs(image: Uint8Array, command: string): string {
  return withFile(image, (path) => {
    const run = spawnSync('debugfs', ['-R', command, path], { env, encoding: 'utf8' });
    return run.stdout.replaceAll(path, 'IMAGE');
  });
}

/**
 * The image after debugfs ran the commands on it.
 * @param files  host files the commands may `write`: name in the commands → content
 */
export function debugfsWrite(
  image: Uint8Array,
  commands: readonly string[],
  files: Readonly<Record<string, Uint8Array | string>> = {},
): Uint8Array {
  return withFile(image, (path) => {
    const dir = join(path, '..');
    for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
    const input = `${commands.join('\n')}\n`;
    const run = spawnSync('debugfs', ['-w', '-f', '-', path], { env, cwd: dir, encoding: 'utf8', input });
    if (run.status !== 0) throw new Error(`debugfs: ${run.stdout}${run.stderr}`);
    return new Uint8Array(readFileSync(path));
  });
}
