/**
 * A claim made on the list, as JSON: who said it, when, and what it predicts for scenarios under designs. The answer is
 * computed, never typed in:
 *
 *   confirmed   every prediction comes true
 *   refuted     none does
 *   depends     some do
 *
 * A prediction about schedules (`breaks`, `keeps`) is decided by a search of all of them, one about the order of locks
 * (`cycle`, `noCycle`) by what lockdep says of them; one about a single run (`answers`, `file`) by the run in which
 * lanes go one after another.
 *
 * Not verified here: whether the quotation is what the mail says, and whether the predictions are what its author
 * meant. A person reads that.
 */
import { z } from 'zod';
import type { Design } from '../designs/design.ts';
import { LOCK_CLASSES } from '../locks/lock.ts';
import { type LockOrderData, lockCycles } from '../locks/lockdep.ts';
import { ScenarioError } from '../scenario/error.ts';
import type { MountOption } from '../scenario/image.ts';
import { readJson } from '../scenario/json.ts';
import { runSession } from '../scenario/run.ts';
import { mountLabel, type Scenario } from '../scenario/schema.ts';
import { startSession } from '../scenario/session.ts';
import { didYouMean } from '../scenario/suggest.ts';
import type { Image } from '../volume/image.ts';
import { raceCell, reachWords, tokenOf } from './race.ts';

/** The `$schema` of every fixture under `fixtures/claims/`. */
export const CLAIM_SCHEMA_PATH = '../../schema/claim-1.json';

const id = z.string().regex(/^[a-z][a-z0-9-]*$/, 'lower-case letters, digits and -');
const sentence = z.string().min(1).max(600);

const where = {
  scenario: id.describe('A bundled scenario.'),
  design: id.describe('A design, or one that only claims use (src/designs/drawn.ts).'),
  mount: z.string().optional().describe('One of the scenario’s mounts. Left out: the first.'),
};

const lockIds = z.array(z.enum(LOCK_CLASSES.map((each) => each.id))).min(1);

const predictionSchema = z.union([
  z.strictObject({ ...where, breaks: z.array(id).min(1).describe('Some schedule breaks each of these.') }),
  z.strictObject({ ...where, keeps: z.array(id).min(1).describe('No schedule breaks any of these.') }),
  z.strictObject({
    ...where,
    cycle: lockIds.describe('lockdep reports a cycle that each of these classes is on.'),
  }),
  z.strictObject({
    ...where,
    noCycle: lockIds.describe('lockdep reports none that all of these classes are on.'),
  }),
  z.strictObject({
    ...where,
    line: z.string().describe('LANE: LINE, as a run prints it.'),
    answers: z.string().describe('Its errno, SIGBUS, or the number it returns.'),
  }),
  z.strictObject({
    ...where,
    file: z.string().describe('A path; the file when every lane has ended.'),
    inline: z.boolean().describe('It is inline then.'),
  }),
]);

const outcomeSchema = z.strictObject({
  true: z.boolean(),
  saw: z.string().describe('What was computed.'),
  token: z.string().optional().describe('Replays it, where one schedule shows it.'),
});

export const VERDICTS = ['confirmed', 'refuted', 'depends'] as const;

export const claimSchema = z.strictObject({
  $schema: z.string().optional().describe('For editors.'),
  name: id.describe('The name in tables and of the file.'),
  claim: sentence.describe('What is claimed, in one sentence of ours.'),
  by: z.string().min(1).describe('Who made it.'),
  date: z.string().regex(/^\d{4}-\d{2}(-\d{2})?$/, 'YYYY-MM-DD or YYYY-MM'),
  where: z.string().min(1).describe('List, thread or commit.'),
  quotation: sentence.optional().describe('Words of the mail, where we have them.'),
  predicts: z.array(predictionSchema).min(1).describe('What follows from the claim here.'),
  note: sentence.optional().describe('What the answer means, by the person who reviewed it.'),
  answer: z
    .strictObject({ verdict: z.enum(VERDICTS), outcomes: z.array(outcomeSchema) })
    .optional()
    .describe('Recorded by claims --update, computed again by tests.'),
});

export type Prediction = z.output<typeof predictionSchema>;
export type Answer = NonNullable<z.output<typeof claimSchema>['answer']>;
export type Outcome = Answer['outcomes'][number];
export interface Claim extends z.output<typeof claimSchema> {
  readonly path: string;
}

/** JSON Schema (draft 7) of the file, for editors. */
export function claimJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(claimSchema, { target: 'draft-7', io: 'input' }) as Record<string, unknown>;
  return { title: 'ext4lab claim', ...schema };
}

/**
 * @param text  the JSON
 * @param file  its name, for messages
 * @throws      ScenarioError with file, line and column of the first thing that is wrong
 */
export function readClaim(text: string, file: string): Claim {
  const document = readJson(text, file);
  const parsed = claimSchema.safeParse(document.value);
  if (parsed.success) return { ...parsed.data, path: file };
  const [issue] = parsed.error.issues;
  const path = issue!.path.filter((part) => typeof part !== 'symbol');
  const at = path.length === 0 ? '' : `${path.join('.')}: `;
  throw new ScenarioError(`${at}${issue!.message}`, { file, ...document.place(path) });
}

/** What a prediction names, found. */
export interface Sources {
  scenario(name: string): Scenario | undefined;
  image(scenario: Scenario): Image;
  design(id: string): Design | undefined;
}

/** Computes the answer. @throws ScenarioError for a scenario, design, mount, lane or file that is not there */
export function answerClaim(claim: Claim, sources: Sources, stop: () => boolean = () => false): Answer {
  const outcomes = claim.predicts.map((prediction, index) => {
    const miss = (what: string): ScenarioError =>
      new ScenarioError(`predicts[${index}]: ${what}`, { file: claim.path });
    return outcomeOf(prediction, sources, miss, stop);
  });
  const came = outcomes.filter((outcome) => outcome.true).length;
  const verdict = came === outcomes.length ? 'confirmed' : came === 0 ? 'refuted' : 'depends';
  return { verdict, outcomes };
}

function outcomeOf(
  prediction: Prediction,
  sources: Sources,
  miss: (what: string) => ScenarioError,
  stop: () => boolean,
): Outcome {
  const scenario = sources.scenario(prediction.scenario);
  if (scenario === undefined) throw miss(`no scenario ${prediction.scenario}`);
  const design = sources.design(prediction.design);
  if (design === undefined) throw miss(`no design ${prediction.design}`);
  const labels = scenario.mounts.map(mountLabel);
  const mount =
    prediction.mount === undefined ? scenario.mounts[0]! : scenario.mounts[labels.indexOf(prediction.mount)];
  if (mount === undefined) {
    const near = didYouMean(prediction.mount!, labels);
    throw miss(`${scenario.name} has no mount ${prediction.mount}${near}; it has ${labels.join(', ')}`);
  }
  if ('breaks' in prediction || 'keeps' in prediction)
    return bySearch(prediction, scenario, sources.image(scenario), design, mount, stop);
  if ('cycle' in prediction || 'noCycle' in prediction)
    return byLockdep(prediction, scenario, sources.image(scenario), design, mount, stop);
  return byRun(prediction, scenario, sources.image(scenario), design, mount, miss);
}

function bySearch(
  prediction: Extract<Prediction, { breaks: string[] } | { keeps: string[] }>,
  scenario: Scenario,
  image: Image,
  design: Design,
  mount: readonly MountOption[],
  stop: () => boolean,
): Outcome {
  const { cell } = raceCell(scenario, image, design, mount, { stop });
  const wanted = 'breaks' in prediction ? prediction.breaks : prediction.keeps;
  const found = cell.violations.filter(({ invariant }) => wanted.includes(invariant));
  const kept = wanted.filter((each) => !cell.violates.includes(each));
  const words = [
    ...(found.length > 0 ? [`breaks ${found.map(({ invariant }) => invariant).join(', ')}`] : []),
    ...(kept.length > 0 ? [`keeps ${kept.join(', ')} (${reachWords(cell.reach)})`] : []),
  ];
  const [first] = found;
  return {
    true: 'breaks' in prediction ? kept.length === 0 : found.length === 0 && cell.reach.complete,
    saw: words.join('; '),
    ...(first === undefined
      ? {}
      : { token: tokenOf(scenario.name, design.id, mountLabel(mount), first.schedule) }),
  };
}

/**
 * The first cycle that lockdep reports with every one of these classes on it, as `a -> b -> a`; null when there is none.
 * @param locks  ids of `LOCK`
 */
export function cycleWith(order: LockOrderData, locks: readonly string[]): string | null {
  const names = locks.map((id) => LOCK_CLASSES.find((each) => each.id === id)!.name);
  for (const { edge, path, lockdep } of lockCycles(order)) {
    const classes = [edge.from, ...path.map(({ from }) => from), edge.from];
    if (lockdep && names.every((name) => classes.includes(name))) return classes.join(' -> ');
  }
  return null;
}

function byLockdep(
  prediction: Extract<Prediction, { cycle: string[] } | { noCycle: string[] }>,
  scenario: Scenario,
  image: Image,
  design: Design,
  mount: readonly MountOption[],
  stop: () => boolean,
): Outcome {
  const { cell, lockOrder } = raceCell(scenario, image, design, mount, { lockdep: true, stop });
  const locks = 'cycle' in prediction ? prediction.cycle : prediction.noCycle;
  const found = cycleWith(lockOrder!, locks);
  return {
    true: 'cycle' in prediction ? found !== null : found === null && cell.reach.complete,
    saw:
      found === null ? `no cycle with ${locks.join(' and ')} (${reachWords(cell.reach)})` : `cycle ${found}`,
  };
}

function byRun(
  prediction: Exclude<
    Prediction,
    { breaks: string[] } | { keeps: string[] } | { cycle: string[] } | { noCycle: string[] }
  >,
  scenario: Scenario,
  image: Image,
  design: Design,
  mount: readonly MountOption[],
  miss: (what: string) => ScenarioError,
): Outcome {
  const { tasks, final } = runSession(startSession(scenario, image, design, mount));
  if ('file' in prediction) {
    const file = final.files[prediction.file];
    if (file === undefined) throw miss(`no file ${prediction.file} at the end`);
    return {
      true: file.inline === prediction.inline,
      saw: `${prediction.file} is ${file.inline ? 'inline' : 'in blocks'}`,
    };
  }
  const [, lane, text] = /^([^:]+): (.*)$/.exec(prediction.line) ?? [];
  const result = tasks[lane ?? '']?.find(({ line }) => line === text);
  if (result === undefined) throw miss(`no answer to ${prediction.line}`);
  const saw = result.errno ?? `${result.ret}`;
  return { true: saw === prediction.answers, saw: `${prediction.line} = ${saw}` };
}

/** Is that what is recorded? null: nothing is. Tokens may differ: they name one of several schedules. */
export function answerAsRecorded(claim: Claim, answer: Answer): boolean | null {
  const { answer: recorded } = claim;
  if (recorded === undefined) return null;
  const normal = ({ verdict, outcomes }: Answer): string =>
    JSON.stringify([verdict, outcomes.map((each) => [each.true, each.saw])]);
  return normal(recorded) === normal(answer);
}
