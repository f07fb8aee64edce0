/**
 * Random scripts, run on the kernel there and then and on a machine of ours. What differs is asked again until the
 * kernel is steady, and then made as short as it can be.
 */
import { generateLines } from '../../compare/generate.ts';
import { compareWithRecording, DEFAULT_LANE, type Difference, type Run } from '../../compare/recording.ts';
import type { Line } from '../../scenario/ast.ts';
import { ScenarioError } from '../../scenario/error.ts';
import type { MountOption } from '../../scenario/image.ts';
import { parseLane } from '../../scenario/lane.ts';
import { type RunLinear, readImage } from './check.ts';
import { FIXTURE_IMAGES, type ImageStore } from './images.ts';
import { steadyAnswer } from './record.ts';
import { type Answer, type Referee, Refusal } from './referee.ts';

/** One kind of volume that random scripts are run on. */
export interface Ground {
  /** In fixtures/images. */
  readonly image: { readonly file: string };
  readonly mount: readonly MountOption[];
}

const MOUNTS: Readonly<Record<string, readonly (readonly MountOption[])[]>> = {
  '4k-256-journal': [['data=journal'], ['data=writeback', 'delalloc'], ['noauto_da_alloc'], ['dioread_lock']],
  '1k-256-journal': [['data=journal'], ['dioread_lock'], ['noauto_da_alloc', 'nodelalloc'], ['delalloc']],
  '1k-256-nojournal': [['dioread_lock', 'nodelalloc']],
  '4k-512-journal': [['data=journal']],
};

/** The fixture images, each under the mounts that matter. Seeds take them in turn. */
export const GROUNDS: readonly Ground[] = Object.keys(FIXTURE_IMAGES).flatMap((name) =>
  [['delalloc'] as const, ['nodelalloc'] as const, ...(MOUNTS[name] ?? [])].map((mount) => ({
    image: { file: `${name}.img.gz` },
    mount,
  })),
);

export interface RandomCheck {
  readonly referee: Referee;
  /** More of them, to run scripts beside one another. */
  readonly others?: readonly Referee[];
  readonly runLinear: RunLinear;
  readonly design: string;
  /** A file in fixtures/images: grounds are found beside it. */
  readonly besides: string;
  readonly images: ImageStore;
  /** Lines of a script, about. Left out: as the seed decides. */
  readonly lineCount?: number | undefined;
}

/** The ground and the lines of a seed. */
export function randomScript(seed: number, lineCount?: number): { ground: Ground; lines: string[] } {
  const ground = GROUNDS[seed % GROUNDS.length]!;
  const { inodeSize, blockSize, features } = FIXTURE_IMAGES[ground.image.file.replace('.img.gz', '')]!;
  const journal = !features.includes('^has_journal');
  const shape = { seed, inodeSize, blockSize, journal, machineWide: true };
  return { ground, lines: generateLines(lineCount === undefined ? shape : { ...shape, lineCount }) };
}

/** What became of one seed. */
export interface RandomOutcome {
  readonly seed: number;
  readonly ground: Ground;
  readonly script: readonly Line[];
  /** Without a patch level. */
  readonly kernel?: string;
  /** Lines that the kernel answered with an error. */
  readonly errors: number;
  /** Why kernel or machine could not run it, and nothing was compared. */
  readonly refused?: string;
  /** Empty when both do the same. */
  readonly differences: readonly Difference[];
  /** Where they differ: the lines that matter, every one of them needed. */
  readonly minimal?: readonly string[];
}

/** Scripts that are under way together. */
const BATCH = 64;

/**
 * Runs the scripts of some seeds on both, in order. Those that only touch their own volume run beside one another, one
 * on each referee; those that the whole machine feels run alone, after the others of their batch.
 * @param stop  asked before each batch
 */
export async function* checkRandom(
  seeds: readonly number[],
  check: RandomCheck,
  stop: () => boolean = () => false,
): AsyncGenerator<RandomOutcome> {
  for (let at = 0; at < seeds.length && !stop(); at += BATCH) {
    const batch = seeds.slice(at, at + BATCH);
    const [quiet, loud] = [false, true].map((wanted) =>
      batch.filter((seed) => isLoud(randomScript(seed, check.lineCount).lines) === wanted),
    );
    const outcomes = new Map<number, RandomOutcome>();
    const run = async (referee: Referee, waiting: number[]): Promise<void> => {
      for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
        outcomes.set(seed, await judged(seed, await asked(seed, referee, check), check));
      }
    };
    await Promise.all([check.referee, ...(check.others ?? [])].map((referee) => run(referee, quiet!)));
    await run(check.referee, loud!);
    for (const seed of batch) yield outcomes.get(seed)!;
  }
}

/** Does the whole machine feel this? */
const isLoud = (lines: readonly string[]): boolean =>
  lines.some((line) => line === 'sync' || line === '@drop_caches');

/** What the kernel does; a refusal is a value here. */
async function asked(seed: number, referee: Referee, check: RandomCheck): Promise<Answer | Refusal> {
  const { ground, lines } = randomScript(seed, check.lineCount);
  try {
    return await referee.run(jobOf(ground, lines, check));
  } catch (problem) {
    if (problem instanceof Refusal) return problem;
    throw problem;
  }
}

const jobOf = ({ image, mount }: Ground, texts: readonly string[], { images, besides }: RandomCheck) => ({
  image: images.path(image, besides),
  mount,
  lines: parseLane(texts, { lane: DEFAULT_LANE }),
});

async function judged(seed: number, answer: Answer | Refusal, check: RandomCheck): Promise<RandomOutcome> {
  const { ground, lines } = randomScript(seed, check.lineCount);
  const script = parseLane(lines, { lane: DEFAULT_LANE });
  const base = { seed, ground, script, errors: 0, differences: [] };
  if (answer instanceof Refusal) return { ...base, refused: answer.message };
  const asRun = {
    ...base,
    kernel: answer.kernel,
    errors: answer.steps.filter(({ result }) => result.errno !== undefined).length,
  };
  const first = against(answer, ground, lines, check);
  if (typeof first === 'string') return { ...asRun, refused: first };
  if (first.length === 0) return asRun;
  const steady = await differencesOf(lines, ground, check);
  if (typeof steady === 'string') return { ...asRun, refused: steady };
  if (steady.length === 0) return asRun;
  const kind = kindOf(steady);
  const fails = async (fewer: readonly string[]): Promise<boolean> =>
    kindOf(await differencesOf(fewer, ground, check)) === kind;
  const { step } = steady[0]!;
  const until = step === 'final' ? lines : lines.slice(0, step + 1);
  const minimal = await shrink((await fails(until)) ? until : lines, fails);
  const last = await differencesOf(minimal, ground, check);
  return { ...asRun, minimal, differences: typeof last === 'string' ? steady : last };
}

/** What is wrong, without where: shrinking must not slip from one fault to another. */
function kindOf(differences: readonly Difference[] | string): string {
  const first = typeof differences === 'string' ? undefined : differences[0];
  return first === undefined ? '' : `${first.step === 'final'} ${first.field.replace(/\d+/g, '')}`;
}

/** Where a machine differs from the answer; a text when it does not model the script. */
function against(
  answer: Run,
  { image, mount }: Ground,
  texts: readonly string[],
  { runLinear, design, images, besides }: RandomCheck,
): readonly Difference[] | string {
  const lines = parseLane(texts, { lane: DEFAULT_LANE });
  try {
    const run = runLinear({ image: readImage(images.path(image, besides)), mount, design, lines });
    return compareWithRecording(answer, run);
  } catch (problem) {
    if (problem instanceof ScenarioError) return problem.message;
    const actual = (problem as Error).message;
    return [{ step: 'final', field: 'mistake in ext4lab', expected: '(nothing)', actual }];
  }
}

/** The same with a kernel that was not disturbed; a text too when it cannot run the script, or is never steady. */
async function differencesOf(
  texts: readonly string[],
  ground: Ground,
  check: RandomCheck,
): Promise<readonly Difference[] | string> {
  const job = jobOf(ground, texts, check);
  try {
    const once = against(await check.referee.run(job), ground, texts, check);
    if (once.length === 0) return once;
    return against(await steadyAnswer(job, check.referee, 'random script'), ground, texts, check);
  } catch (problem) {
    if (problem instanceof Refusal) return problem.message;
    throw problem;
  }
}

/**
 * Drops lines, many at a time and then one by one, last first, for as long as what is left is legal and still `fails`.
 * The result is minimal: every line of it is needed.
 */
export async function shrink(
  lines: readonly string[],
  fails: (lines: readonly string[]) => Promise<boolean>,
): Promise<readonly string[]> {
  let kept = lines;
  const without = async (at: number, count: number): Promise<boolean> => {
    const fewer = kept.toSpliced(at, count);
    if (!isLegal(fewer) || !(await fails(fewer))) return false;
    kept = fewer;
    return true;
  };
  for (let count = kept.length >> 1; count > 1; count >>= 1) {
    for (let at = kept.length - count; at >= 0; at -= count) await without(at, count);
  }
  for (let again = true; again; ) {
    again = false;
    for (let at = kept.length - 1; at >= 0; at--) again = (await without(at, 1)) || again;
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
