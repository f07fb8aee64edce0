/**
 * One mounted volume that a program works on: a kernel over a living world, and calls into it that run to their end.
 *
 * There is one program, task 0, and it has the kernel to itself: no call can wait for another task. A call that would
 * wait throws `WouldBlock`, a BUG_ON throws `KernelBug`; the machine is stuck then, half-way in a kernel function with
 * its locks held, and every later call throws the same error.
 *
 * Actors (writeback, reclaim, sync by another process) are scenario lines run by task 1, a process that comes and
 * goes: it leaves no open file and no mapping behind.
 */
import { setHandOver } from '../bytes/bytes.ts';
import type { Design } from '../designs/design.ts';
import type { Kernel, MountOptions } from '../kernel.ts';
import type { Command, Line, LineResult } from '../scenario/ast.ts';
import type { MountOption } from '../scenario/image.ts';
import { laneTask } from '../scenario/program.ts';
import { makeKernel, startSession } from '../scenario/session.ts';
import type { LineOutcome } from '../state/effects.ts';
import { FINDING_IDS, FINDINGS, type FindingId } from '../state/findings.ts';
import type { Snapshot } from '../state/world.ts';
import { Direct, Halted, type Op } from '../task.ts';
import type { Image } from '../volume/image.ts';
import { KernelBug } from './errors.ts';
import { LiveKernel, LiveWorld } from './world.ts';

/** The program, and the process that actors run in. */
const PROGRAM = 0;
const ACTOR = 1;

export class Engine {
  readonly image: Image;
  readonly mount: MountOptions;
  readonly options: readonly MountOption[];
  readonly design: Design;
  readonly world = new LiveWorld();
  /** The kernel as the program sees it. */
  readonly k: LiveKernel;
  readonly #actor: Kernel;
  #stuck: Error | null = null;

  /** @throws ScenarioError for a volume that cannot be mounted for writing */
  constructor(image: Image, design: Design, options: readonly MountOption[]) {
    const session = startSession(
      { setup: [], lanes: [], after: [], freeBlocks: null },
      image,
      design,
      options,
    );
    this.image = session.image;
    this.mount = session.mount;
    this.options = options;
    this.design = design;
    this.world.restore(session.world.snapshot());
    const { setup } = makeKernel(this.world, session.image, session.mount, design);
    this.k = new LiveKernel(setup, this.world, PROGRAM);
    this.k.tracker.direct = new Direct(this.k.sb);
    this.#actor = this.k.forTask(ACTOR);
  }

  /** Runs one call of the program to its end. */
  run<T>(op: Op<T>): T {
    if (this.#stuck !== null) throw this.#stuck;
    const before = setHandOver(true);
    try {
      const { done, value } = op.next();
      if (done !== true) throw new Error(`a request was handed out: ${value.label}`);
      return value;
    } catch (error) {
      this.#stuck = error instanceof Halted ? this.#bug() : (error as Error);
      throw this.#stuck;
    } finally {
      setHandOver(before);
    }
  }

  #bug(): KernelBug {
    const hit = FINDING_IDS.find((id) => FINDINGS[id].kind === 'bug-on' && this.k.finding(id).hit);
    return new KernelBug(hit as FindingId, this.design.id);
  }

  /** Runs scenario lines in a process of their own. */
  exec(lines: readonly Line[]): LineResult[] {
    const results: LineResult[] = [];
    const { sink } = this.k;
    const before = sink.listen;
    sink.listen = (effect) => {
      before?.(effect);
      if (effect.type === 'result') results.push({ line: effect.text, ...effect.result } as LineResult);
    };
    try {
      this.run(laneTask('lab', lines, ACTOR).program(this.#actor));
    } finally {
      sink.listen = before;
    }
    return results;
  }

  /** One command of an actor. @returns what it answered */
  actor(command: Command): LineOutcome {
    return this.exec([{ lane: 'lab', line: 1, text: command.verb, command }])[0]!;
  }

  /** Throws what the machine is stuck with; otherwise no call is under way. */
  checkIdle(): void {
    if (this.#stuck !== null) throw this.#stuck;
  }

  restore(state: Snapshot): void {
    this.world.restore(state);
    this.#stuck = null;
  }

  /** Takes a stuck machine out of the call it is in: what held its locks is gone. The power fails next. */
  reset(): void {
    this.#stuck = null;
    this.k.sb.halted = false;
    for (const key of this.world.firstKeys('lock')) {
      for (const index of this.world.secondKeys('lock', key)) {
        const lock = this.world.rec('lock', key, index);
        lock.owner = lock.readers = lock.waiters = 0;
      }
    }
    for (const task of this.world.firstKeys('task')) {
      const record = this.k.taskRecord(task);
      record.handle = 0;
      record.handleSync = false;
    }
  }

  /** Ends the engine for good. */
  end(): void {
    this.#stuck = new Error('the lab was disposed of');
  }
}
