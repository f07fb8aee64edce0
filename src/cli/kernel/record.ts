/**
 * Recording: a scenario, or the lines of an old recording, run twice on this machine's kernel. What two runs do not
 * agree on is not recorded at all.
 */
import {
  compareWithRecording,
  DEFAULT_LANE,
  type Difference,
  formatBetween,
  maskRun,
  RECORDING_VERSION,
  type Recording,
} from '../../compare/recording.ts';
import type { Line } from '../../scenario/ast.ts';
import type { ImageSpec, MountOption } from '../../scenario/image.ts';
import { parseLine } from '../../scenario/parse.ts';
import type { Scenario } from '../../scenario/schema.ts';
import type { ImageStore } from './images.ts';
import { type Answer, type Job, type Referee, Refusal } from './referee.ts';

/** What a recording is made of. */
export interface Script {
  /** The scenario or recording it comes from: images are found beside it. */
  readonly file: string;
  readonly name: string;
  readonly question?: string | undefined;
  readonly image: ImageSpec;
  readonly mount: readonly MountOption[];
  readonly lines: readonly Line[];
  /** e2fsck objects to what is left, and that is recorded: nothing is mounted again. */
  readonly objections?: boolean;
}

/**
 * A scenario as one script: setup, the lanes one after another, after. Each keeps its own open files and mappings.
 * @param mount  index into the scenario's mounts
 */
export function scriptOfScenario(scenario: Scenario, mount = 0): Script {
  if (scenario.freeBlocks !== null) {
    throw new Refusal(
      `${scenario.file}: freeBlocks cannot be recorded: a full volume trips kernel defects`,
      null,
    );
  }
  return {
    file: scenario.file,
    name: scenario.name,
    question: scenario.question,
    image: scenario.image,
    mount: scenario.mounts[mount]!,
    lines: [...scenario.setup, ...scenario.lanes.flatMap((lane) => lane.lines), ...scenario.after],
  };
}

/** The script inside a recording, to record it again or to run it elsewhere. */
export function scriptOfRecording(recording: Recording, file: string): Script {
  const { name, question, image, mount } = recording;
  const objections = recording.final.fsck !== undefined;
  return { file, name, question, image, mount, lines: linesOf(recording, file), objections };
}

/** The lines of a recording, parsed. Numbered within their lanes. */
export function linesOf(recording: Pick<Recording, 'steps'>, file: string): Line[] {
  const counts = new Map<string, number>();
  return recording.steps.map(({ lane, line: text }) => {
    const line = (counts.get(lane) ?? 0) + 1;
    counts.set(lane, line);
    return parseLine(text, { file, lane, line });
  });
}

/** A script out of plain lines, in the default lane. */
export function scriptOfLines(
  name: string,
  texts: readonly string[],
  image: ImageSpec,
  mount: readonly MountOption[],
  file = name,
): Script {
  const lines = texts.map((text, i) => parseLine(text, { file, lane: DEFAULT_LANE, line: i + 1 }));
  return { file, name, image, mount, lines };
}

export interface RecordOptions {
  /** Runs in a row that must agree. Left out: 2. */
  readonly runs?: number;
  readonly timeoutSeconds?: number;
}

/**
 * @throws Refusal when the script cannot be run here, or when runs differ
 */
export async function recordScript(
  script: Script,
  referee: Referee,
  images: ImageStore,
  options: RecordOptions = {},
): Promise<Recording> {
  const job: Job = {
    image: images.path(script.image, script.file),
    mount: script.mount,
    lines: script.lines,
    ...(script.objections === true ? { objections: true } : {}),
    ...(options.timeoutSeconds === undefined ? {} : { timeoutSeconds: options.timeoutSeconds }),
  };
  return recordingOf(script, await steadyAnswer(job, referee, script.name, options.runs));
}

/** Times that runs may differ before the script itself is held to be unsteady. */
const TRIES = 4;

/**
 * What the kernel does when nobody disturbs it: an answer that `runs` runs in a row agree on. A sync(2) of another
 * process on the machine shows in a run, so a difference is tried again a few times.
 * @throws Refusal naming the first thing on which runs keep differing
 */
export async function steadyAnswer(job: Job, referee: Referee, name: string, runs = 2): Promise<Answer> {
  let difference: Difference | undefined;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const answers = await Promise.all(Array.from({ length: runs }, () => referee.run(job)));
    const [first, ...others] = answers;
    difference = others.map((other) => compareWithRecording(first!, other)[0]).find(Boolean);
    if (difference === undefined) return first!;
  }
  throw new Refusal(
    `${name}: runs differ, nothing is recorded\n${formatBetween(difference!, 'one run', 'another')}`,
    null,
  );
}

/** An answer as a recording: masked, named, in the order that is written. */
export function recordingOf(script: Omit<Script, 'file' | 'lines'>, answer: Answer): Recording {
  const { steps, final } = maskRun(answer);
  const { name, question, image, mount } = script;
  return {
    recordingVersion: RECORDING_VERSION,
    kernel: answer.kernel,
    name,
    ...(question === undefined ? {} : { question }),
    image,
    mount,
    steps,
    final: final as Recording['final'],
  };
}
