/**
 * The python helper (scripts/kernel/referee.py) as an object: jobs in, what the kernel did out, in order. One process
 * for any number of jobs; it forks for each and cannot leave a mount or a loop device behind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Run } from '../../compare/recording.ts';
import type { Line } from '../../scenario/ast.ts';
import type { MountOption } from '../../scenario/image.ts';

export interface Job {
  /** Raw or gzipped. */
  readonly image: string;
  readonly mount: readonly MountOption[];
  /** Of all lanes, in the order they are run. */
  readonly lines: readonly Line[];
  /** Paths to look at from the start, beside those that lines name. */
  readonly observe?: readonly string[];
  /** The job is killed after this long. Left out: 60. */
  readonly timeoutSeconds?: number;
  /** e2fsck before every mount but the first. Left out: yes. What it refuses is never mounted. */
  readonly fsck?: boolean;
  /** What e2fsck objects to at the end is recorded, and nothing is mounted again. Left out: no. */
  readonly objections?: boolean;
  /** Where to put the image as it is after the last line and an unmount. */
  readonly saveImage?: string;
}

/** What the kernel did, raw inodes as they are. */
export interface Answer extends Run {
  /** `6.18`. */
  readonly kernel: string;
}

/** The job cannot be run on this machine, or not safely. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  /** Index of the line that was refused, null when it was none. */
  readonly step: number | null;

  constructor(message: string, step: number | null) {
    super(message);
    this.step = step;
  }
}

const HELPER = fileURLToPath(new URL('../../../scripts/kernel/referee.py', import.meta.url));

/** Why recording is not possible here; undefined when it is. */
export function whyNoKernel(): string | undefined {
  if (process.platform !== 'linux') return 'the kernel referee needs Linux';
  if (process.getuid?.() !== 0) return 'the kernel referee needs root (it mounts loop devices)';
  if (!existsSync('/dev/loop-control')) return 'the kernel referee needs loop devices (/dev/loop-control)';
  if (!existsSync(HELPER)) return `the kernel referee's helper is not installed (${HELPER})`;
  return undefined;
}

/** The system's python, which starts faster than a version manager's. */
function python(): string {
  return existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
}

export class Referee {
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #waiting: { resolve: (text: string) => void; reject: (why: Error) => void }[] = [];
  #stderr = '';
  #dead: Error | undefined;

  constructor() {
    const why = whyNoKernel();
    if (why !== undefined) throw new Refusal(why, null);
    // Its own process group: a ^C is for the command, which closes the helper when it has printed what it has.
    this.#process = spawn(python(), [HELPER], { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#process.stderr!.on('data', (chunk) => {
      this.#stderr += String(chunk);
    });
    this.#process.stdin!.on('error', () => {}); // told by 'close'
    this.#lines = createInterface({ input: this.#process.stdout!, crlfDelay: Number.POSITIVE_INFINITY });
    this.#lines.on('line', (text) => this.#waiting.shift()?.resolve(text));
    const end = (why: string): void => {
      this.#dead ??= new Refusal(`the kernel referee ended: ${this.#stderr.trim() || why}`, null);
      for (const each of this.#waiting.splice(0)) each.reject(this.#dead);
    };
    this.#process.on('error', (problem) => end(problem.message));
    this.#process.on('close', (code) => end(`exit ${code}`));
  }

  /**
   * Runs one job after those already given.
   * @throws Refusal when it cannot be run here; what the kernel refuses is a result, not an error
   */
  async run(job: Job): Promise<Answer> {
    if (this.#dead !== undefined) throw this.#dead;
    const lines = job.lines.map(({ text, lane, command }) => ({ line: text, lane, command }));
    const text = new Promise<string>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#process.stdin!.write(`${JSON.stringify({ ...job, lines })}\n`);
    const answer = JSON.parse(await text) as Answer | { refused: string; step: number | null };
    if (!('refused' in answer)) return answer;
    const line = answer.step === null ? undefined : job.lines[answer.step];
    throw new Refusal(
      line === undefined
        ? answer.refused
        : `lane ${line.lane}, line ${line.line} (${line.text}): ${answer.refused}`,
      answer.step,
    );
  }

  /** Ends the helper once every job has been answered. */
  async close(): Promise<void> {
    if (this.#process.exitCode !== null || this.#dead !== undefined) return;
    const ended = new Promise<void>((resolve) => this.#process.once('close', () => resolve()));
    this.#process.stdin!.end();
    await ended;
  }
}
