/**
 * Checking: a machine of ours against what the kernel did, from recordings or from random scripts run on the kernel
 * there and then. The machine comes in as a function, so that any design, world or build can stand there.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { type GenerateOptions, generateLines } from '../../compare/generate.ts';
import {
  compareWithRecording,
  DEFAULT_LANE,
  type Difference,
  type Recording,
  type Run,
} from '../../compare/recording.ts';
import type { Line } from '../../scenario/ast.ts';
import { ScenarioError } from '../../scenario/error.ts';
import type { ImageSpec, MountOption } from '../../scenario/image.ts';
import { parseLane } from '../../scenario/lane.ts';
import type { ImageStore } from './images.ts';
import { scriptOfRecording, steadyAnswer } from './record.ts';
import type { Referee } from './referee.ts';

/** What a machine is given: the volume, and lines to run one after another. */
export interface LinearInput {
  /** The image, unpacked. */
  readonly image: Uint8Array;
  readonly mount: readonly MountOption[];
  /** Id of the design. */
  readonly design: string;
  /** Of all lanes, in the order they are run; each lane has its own open files and mappings. */
  readonly lines: readonly Line[];
}

/**
 * Runs lines in order and tells what the referee would: see compare/recording.ts for when it looks.
 * @throws ScenarioError for what the machine does not model
 */
export type RunLinear = (input: LinearInput) => Run;

/** The bytes of an image file, unpacked. */
export function readImage(file: string): Uint8Array {
  const data = readFileSync(file);
  return file.endsWith('.gz') ? gunzipSync(data) : data;
}

export interface CheckOutcome {
  /** Empty when the machine does the same. */
  readonly differences: readonly Difference[];
  /** Why the machine cannot run it at all. */
  readonly notModelled?: string;
}

/** Where the machine differs from a recording. */
export function checkRecording(
  recording: Recording,
  file: string,
  design: string,
  runLinear: RunLinear,
  images: ImageStore,
): CheckOutcome {
  const { image, mount, lines } = scriptOfRecording(recording, file);
  const input = { image: readImage(images.path(image, file)), mount, design, lines };
  return ifModelled(() => ({ differences: compareWithRecording(recording, runLinear(input)) }));
}

function ifModelled(run: () => CheckOutcome): CheckOutcome {
  try {
    return run();
  } catch (problem) {
    if (problem instanceof ScenarioError) return { differences: [], notModelled: problem.message };
    throw problem;
  }
}

/** One kind of volume that random scripts are run on. */
export interface Ground {
  readonly image: ImageSpec & { readonly file: string };
  readonly mount: readonly MountOption[];
  readonly shape: Pick<GenerateOptions, 'inodeSize' | 'blockSize' | 'journal'>;
}

const ground = (name: string, mount: MountOption, inodeSize: number, blockSize: number): Ground => ({
  image: { file: `${name}.img.gz` },
  mount: [mount],
  shape: { inodeSize, blockSize, journal: !name.endsWith('-nojournal') },
});

/** The fixture images, each under the mounts that matter. Files are relative to fixtures/images. */
export const GROUNDS: readonly Ground[] = [
  ground('4k-256-journal', 'delalloc', 256, 4096),
  ground('1k-256-journal', 'delalloc', 256, 1024),
  ground('4k-256-journal', 'nodelalloc', 256, 4096),
  ground('4k-256-nojournal', 'delalloc', 256, 4096),
  ground('4k-512-journal', 'delalloc', 512, 4096),
  ground('1k-256-nojournal', 'nodelalloc', 256, 1024),
  ground('4k-256-journal', 'data=journal', 256, 4096),
  ground('1k-256-journal', 'data=journal', 256, 1024),
  ground('4k-512-journal', 'data=journal', 512, 4096),
];

/** A random script on which machine and kernel disagree, without the lines that do not matter. */
export interface Disagreement {
  readonly seed: number;
  readonly ground: Ground;
  readonly lines: readonly string[];
  readonly differences: readonly Difference[];
}

export interface RandomCheck {
  readonly referee: Referee;
  readonly runLinear: RunLinear;
  readonly design: string;
  /** A file in fixtures/images: grounds are found beside it. */
  readonly besides: string;
  readonly images: ImageStore;
  /** Lines of a script. Left out: 12. */
  readonly lineCount?: number;
}

/** The ground and the lines of a seed. */
export function randomScript(seed: number, lineCount?: number): { ground: Ground; lines: string[] } {
  const chosen = GROUNDS[seed % GROUNDS.length]!;
  const lines = generateLines({
    seed,
    ...chosen.shape,
    ...(lineCount === undefined ? {} : { lineCount }),
  });
  return { ground: chosen, lines };
}

/** Runs one random script on both. Undefined when they agree or the machine does not model it; else shrunk. */
export async function checkRandom(seed: number, check: RandomCheck): Promise<Disagreement | undefined> {
  const { ground: chosen, lines } = randomScript(seed, check.lineCount);
  const differences = await disagreement(lines, chosen, check);
  if (differences.length === 0) return undefined;
  const field = differences[0]!.field;
  const fewer = await shrink(lines, async (candidate) => {
    const found = await disagreement(candidate, chosen, check);
    return found.length > 0 && found[0]!.field === field;
  });
  return {
    seed,
    ground: chosen,
    lines: fewer,
    differences: await disagreement(fewer, chosen, check),
  };
}

async function disagreement(
  texts: readonly string[],
  { image, mount }: Ground,
  { referee, runLinear, design, besides, images }: RandomCheck,
): Promise<readonly Difference[]> {
  const lines = parseLane(texts, { lane: DEFAULT_LANE });
  const file = images.path(image, besides);
  const job = { image: file, mount, lines };
  const kernel = await referee.run(job);
  const against = (answer: Run): readonly Difference[] =>
    ifModelled(() => {
      const run = runLinear({ image: readImage(file), mount, design, lines });
      return { differences: compareWithRecording(answer, run) };
    }).differences;
  const differences = against(kernel);
  // A kernel that was disturbed is no witness: what differs is asked again until it is steady.
  return differences.length === 0 ? [] : against(await steadyAnswer(job, referee, 'random script'));
}

/**
 * Drops lines one by one, last first, for as long as what is left is legal and still `fails`. The result is minimal:
 * every line of it is needed.
 */
export async function shrink(
  lines: readonly string[],
  fails: (lines: readonly string[]) => Promise<boolean>,
): Promise<readonly string[]> {
  let kept = lines;
  for (let again = true; again; ) {
    again = false;
    for (let at = kept.length - 1; at >= 0; at--) {
      const fewer = kept.toSpliced(at, 1);
      if (!isLegal(fewer) || !(await fails(fewer))) continue;
      kept = fewer;
      again = true;
    }
  }
  return kept;
}

function isLegal(lines: readonly string[]): boolean {
  if (lines.length === 0) return false;
  try {
    parseLane(lines, { lane: DEFAULT_LANE });
    return true;
  } catch (problem) {
    if (problem instanceof ScenarioError) return false;
    throw problem;
  }
}
