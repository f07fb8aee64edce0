/**
 * From a scenario to something that runs: a kernel over a world, the mounted volume, setup done, tasks ready.
 *
 *   image ─▶ FlatWorld ─ mount ─ setup (one task, to the end) ─▶ start state ─▶ explore     (searching world)
 *                                                                     └───────▶ record      (recording world)
 */
import { freeRuns, reservedBlocks, takeRun } from '../balloc/balloc.ts';
import { discardAllPreallocations } from '../balloc/mballoc.ts';
import type { Design } from '../designs/design.ts';
import { journalStart, journalStop } from '../device/journal.ts';
import { isErr } from '../errno.ts';
import { iData, markInodeDirty } from '../inode/update.ts';
import { type FlusherSetup, Kernel, type KernelSetup, type MountOptions } from '../kernel.ts';
import { modelDeath } from '../model.ts';
import { type Atomic, Machine, type TaskSpec } from '../sched/machine.ts';
import { FlatWorld } from '../state/flat.ts';
import { RecordingWorld } from '../state/recording.ts';
import type { Snapshot, World } from '../state/world.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { adoptTree } from '../vfs/mediumFile.ts';
import { mountVolume } from '../vfs/mount.ts';
import { openPath } from '../vfs/namei.ts';
import { directReclaim } from '../vfs/reclaim.ts';
import * as extent from '../volume/extent.ts';
import type { Image } from '../volume/image.ts';
import { replayJournal } from '../volume/journalReplay.ts';
import { syncEverything } from '../writeback/sync.ts';
import type { Line } from './ast.ts';
import { ScenarioError } from './error.ts';
import type { MountOption } from './image.ts';
import { laneTask } from './program.ts';
import type { Lane, Scenario } from './schema.ts';
import { didYouMean } from './suggest.ts';

/** Every timestamp: 2020-09-13, so that no run depends on a clock. */
export const NOW = 1_600_000_000;
/** i_generation of every new inode. */
export const GENERATION = 0x1e4f_1ab5;

/** Mount options with the kernel's defaults filled in. */
export function mountOptions(options: readonly MountOption[], hasJournal: boolean): MountOptions {
  const data = options.find((option) => option.startsWith('data='))?.slice(5) as
    | MountOptions['data']
    | undefined;
  const delalloc = !options.includes('nodelalloc') && data !== 'journal';
  return {
    delalloc,
    data: data ?? (hasJournal ? 'ordered' : 'writeback'),
    dioreadNolock: delalloc && !options.includes('dioread_lock'),
    barrier: !options.includes('nobarrier'),
    autoDaAlloc: !options.includes('noauto_da_alloc'),
  };
}

export function makeKernel(
  world: World,
  image: Image,
  mount: MountOptions,
  design: Design,
  more: Pick<KernelSetup, 'powerFails' | 'flusher'> = {},
): Kernel {
  return new Kernel({
    ...(more.powerFails === undefined ? {} : { powerFails: more.powerFails }),
    ...(more.flusher === undefined ? {} : { flusher: more.flusher }),
    directReclaim,
    world,
    geo: image.geometry,
    image,
    baseBlock: (block) => image.block(block),
    mount,
    hooks: design.hooks,
    now: NOW,
    generation: GENERATION,
  });
}

/** What a run starts from. The world holds the state after mount and setup. */
export interface Session {
  readonly image: Image;
  readonly mount: MountOptions;
  readonly design: Design;
  /** Power may fail at any step: `crash/` looks at what is left. */
  readonly powerFails: boolean;
  readonly world: FlatWorld;
  readonly k: Kernel;
  readonly specs: readonly TaskSpec[];
  /** There is a lane that is the flusher. */
  readonly flusher?: FlusherSetup;
}

/** What a session is made from; a scenario has all of it, a script has one lane. */
export interface SessionInput {
  readonly file?: string;
  readonly setup: readonly Line[];
  readonly lanes: readonly Lane[];
  readonly after: readonly Line[];
  readonly freeBlocks: number | null;
  readonly dirtyLimit?: number | null;
}

/**
 * Mounts, which replays the log that a crash left, runs setup, prepares the lanes.
 * @throws ScenarioError for a read-only volume, or setup that does not run to its end
 */
export function startSession(
  input: SessionInput | Scenario,
  image: Image,
  design: Design,
  options: readonly MountOption[],
  powerFails = false,
): Session {
  const { file } = input;
  const upTo = (lines: readonly Line[]): readonly Line[] => (powerFails ? beforeCrash(lines) : lines);
  const lanes = input.lanes.map((lane) => ({ ...lane, lines: upTo(lane.lines) }));
  const after = input.lanes.some(({ lines }) => upTo(lines).length < lines.length) ? [] : upTo(input.after);
  checkAlone(input.lanes, file);
  const { readOnlyReason, hasJournal, blockSize } = image.geometry;
  if (readOnlyReason !== undefined)
    throw new ScenarioError(`the image may only be read: ${readOnlyReason}`, { file });
  if (blockSize > 4096)
    throw new ScenarioError(`blocks of ${blockSize} bytes are larger than a page`, { file });
  const mount = mountOptions(options, hasJournal);
  const world = new FlatWorld();
  const recovered = replayJournal(image).image;
  const k = makeKernel(world, recovered, mount, design, { powerFails });
  mountVolume(k, recovered !== image);
  if (powerFails) adoptTree(k, recovered);
  runToEnd(k, [laneTask('setup', input.setup, 0)], file);
  if (input.freeBlocks !== null) fillVolume(k, input.freeBlocks, file);
  if (powerFails) settleMedium(k);
  const specs = forkedLanes(lanes, file).map((lane, number) =>
    laneTask(lane.name, lane.lines, lane.mm ?? number, false, lane.made),
  );
  if (after.length > 0) specs.push(laneTask('after', after, specs.length, true));
  const session = { image: recovered, mount, design, powerFails, world, k, specs };
  const flusher = flusherOf(lanes, input.dirtyLimit ?? null);
  if (flusher === undefined) return session;
  return { ...session, k: makeKernel(world, recovered, mount, design, { powerFails, flusher }), flusher };
}

/**
 * Lanes with the numbers of those that they make, and who is made.
 * @param first  the task of the first lane
 * @throws ScenarioError for a lane that is not there, is made twice, or shares an address space
 */
export function forkedLanes(
  lanes: readonly Lane[],
  file: string | undefined,
  first = 0,
): (Lane & { readonly made: boolean })[] {
  const made = new Set<number>();
  const numbered = lanes.map((lane, parent) => ({
    ...lane,
    lines: lane.lines.map((line): Line => {
      const { command } = line;
      if (command.verb !== '@fork') return line;
      const wrong = (why: string): ScenarioError =>
        new ScenarioError(`@fork ${command.lane}: ${why}`, {
          file,
          lane: lane.name,
          line: line.line,
          column: 1,
        });
      const child = lanes.findIndex(({ name }) => name === command.lane);
      if (child < 0)
        throw wrong(
          `no such lane${didYouMean(
            command.lane,
            lanes.map(({ name }) => name),
          )}`,
        );
      if (child === parent) throw wrong('a lane does not make itself');
      if (made.has(child)) throw wrong('it is made once already');
      const shares = lanes.some(
        (other, at) => at !== child && (other.mm ?? at) === (lanes[child]!.mm ?? child),
      );
      if (shares) throw wrong('it is a thread of another process');
      made.add(child);
      return { ...line, command: { ...command, task: first + child } };
    }),
  }));
  return numbered.map((lane, number) => ({ ...lane, made: made.has(number) }));
}

/** The lanes that a flusher lane works for; setup and after are done without one. */
function flusherOf(lanes: readonly Lane[], dirtyLimit: number | null): FlusherSetup | undefined {
  const isFlusher = (lane: Lane): boolean => lane.lines.some(({ command }) => command.verb === '@flusher');
  if (!lanes.some(isFlusher)) return undefined;
  return { lanes: lanes.flatMap((lane, task) => (isFlusher(lane) ? [] : [task])), dirtyLimit };
}

/** Power fails after setup, not in it: what setup wrote is on the medium, whatever the mount says of barriers. */
function settleMedium(k: Kernel): void {
  for (const block of k.world.firstKeys('medium')) k.medium(block).unflushed = null;
  k.journal.unflushed = 0;
}

/** Where power may fail anywhere, nothing follows an `@crash`. */
function beforeCrash(lines: readonly Line[]): readonly Line[] {
  const at = lines.findIndex(({ command }) => command.verb === '@crash');
  return at < 0 ? lines : lines.slice(0, at);
}

/**
 * The volume goes away under nobody: `@remount` and `@crash` stand in a lane only when it is the only one.
 * @throws ScenarioError
 */
function checkAlone(lanes: SessionInput['lanes'], file: string | undefined): void {
  if (lanes.length < 2) return;
  for (const { command, lane, line } of lanes.flatMap((each) => each.lines)) {
    if (command.verb !== '@remount' && command.verb !== '@crash') continue;
    throw new ScenarioError(
      `${command.verb} beside other lanes, which may be inside a system call`,
      {
        file,
        lane,
        line,
        column: 1,
      },
      'put it into "after", which starts when every lane has ended',
    );
  }
}

/** Runs tasks one after another until nothing can run. */
export function runToEnd(k: Kernel, specs: readonly TaskSpec[], file?: string, atomic?: Atomic): void {
  const machine = new Machine(k, specs, atomic);
  for (;;) {
    const [task] = machine.runnable();
    if (task === undefined) break;
    machine.resume(task);
  }
  if (!machine.allFinished) {
    const why = k.sb.halted ? 'it hit a BUG_ON' : 'it waits for something that never comes';
    throw new ScenarioError(`${specs[0]?.name ?? 'a lane'} does not run to its end: ${why}`, { file });
  }
}

/** The file that holds the blocks which `freeBlocks` takes out of circulation. */
export const FILLER = '/filler';

/** Takes blocks out of circulation until `leave` can be allocated: the file /filler gets them, unwritten. */
function fillVolume(k: Kernel, leave: number, file?: string): void {
  const usable = k.sb.freeBlocks - reservedBlocks(k);
  if (leave > usable) {
    throw new ScenarioError(`freeBlocks ${leave}: the volume has only ${usable} free blocks`, { file });
  }
  const filler: TaskSpec = {
    name: 'filler',
    mm: 0,
    last: false,
    program: (task) => fill(task, leave + reservedBlocks(k)),
  };
  runToEnd(k, [filler], file);
  if (k.sb.freeBlocks !== leave + reservedBlocks(k)) {
    throw new ScenarioError(`freeBlocks ${leave}: free space is too scattered for one file to hold it`, {
      file,
    });
  }
}

function* fill(k: Kernel, leave: number): Op<void> {
  const ino = yield* openPath(k, FILLER, true);
  if (isErr(ino)) return;
  yield* journalStart(k);
  yield* step(k, 'fill the volume', () => {
    discardAllPreallocations(k);
    let spare = leave;
    let lblk = 0;
    for (let group = 0; group < k.geo.groupCount; group++) {
      for (const run of freeRuns(k, group)) {
        const keep = Math.min(spare, run.count);
        spare -= keep;
        for (let at = keep; at < run.count; ) {
          const count = Math.min(run.count - at, extent.UNWRITTEN_MAX_LEN);
          const root = extent.insert(iData(k, ino), lblk, run.start + at, count, true);
          if (root === 'full') return;
          takeRun(k, ino, run.start + at, count);
          k.inode(ino).iData = root;
          at += count;
          lblk += count;
        }
      }
    }
    markInodeDirty(k, ino);
    modelDeath(k, ino);
  });
  yield* journalStop(k);
  yield* call(k, 'sync', () => syncEverything(k));
}

/** A recording world that starts where the session stands. */
export function recordingKernel(session: Session): { world: RecordingWorld; k: Kernel } {
  const world = new RecordingWorld(session.world.snapshot());
  const { image, mount, design } = session;
  return { world, k: makeKernel(world, image, mount, design, session) };
}

/** A second searching world with the same state. */
export function flatKernel(
  session: Session,
  state: Snapshot = session.world.snapshot(),
): { world: FlatWorld; k: Kernel } {
  const world = new FlatWorld();
  world.restore(state);
  const { image, mount, design } = session;
  return { world, k: makeKernel(world, image, mount, design, session) };
}
