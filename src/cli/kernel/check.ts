/**
 * Checking: a machine of ours against what the kernel did. The machine comes in as a function, so that any design,
 * world or build can stand there.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { compareWithRecording, type Difference, type Recording, type Run } from '../../compare/recording.ts';
import type { Line } from '../../scenario/ast.ts';
import { ScenarioError } from '../../scenario/error.ts';
import type { MountOption } from '../../scenario/image.ts';
import type { ImageStore } from './images.ts';
import { scriptOfRecording } from './record.ts';

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
