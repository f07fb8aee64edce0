/**
 * The scenario file: one question, as JSON. `readScenario` gives a `Scenario` whose lines are parsed and whose
 * defaults are filled in, or one ScenarioError that names file, line and column of everything that is wrong with
 * the JSON, or of the first line that is wrong in a lane.
 *
 * Verified here: syntax, every key and option, sizes, that a lane has a file or mapping where it needs one, that
 * an expectation names a mount of this scenario.
 * Not verified here: whether a design, an invariant or a yield point of that name exists (those lists are above or
 * beside this folder), whether the image can be made or found, whether `schedule` fits the program.
 */
import { z } from 'zod';
import type { Line } from './ast.ts';
import { ScenarioError } from './error.ts';
import { type ImageSpec, imageSchema, type MountOption, mountSchema } from './image.ts';
import { type JsonDocument, type JsonPath, readJson } from './json.ts';
import { parseLane, parseLanes } from './lane.ts';
import { quote } from './numbers.ts';
import { didYouMean } from './suggest.ts';

export const MAX_LANES = 8;
export const MAX_LINES = 200;

/** The `$schema` of every fixture under `fixtures/scenarios/`. */
export const SCHEMA_PATH = '../../schema/scenario-1.json';

const LANE_NAME = /^[A-Za-z][A-Za-z0-9_.:-]{0,23}$/;
const RESERVED_LANES = ['setup', 'after', 'script'];
/** A design, or a design under one of the scenario's mounts. */
const EXPECT_KEY = /^[a-z][a-z0-9-]*(@[a-z0-9_=,]+)?$/;

const lines = (what: string) =>
  z
    .array(z.string().describe('A command: xfs_io verbs, shell words, @ actors.'))
    .max(MAX_LINES)
    .describe(what);
const id = z.string().regex(/^[A-Za-z][A-Za-z0-9_.:-]*$/, 'an identifier: letters, digits, _ . : and -');
const note = z.string().min(1).optional().describe('Why, in a sentence, by the person who reviewed it.');
const scheduleText = z.string().regex(/^\S{1,4000}$/, 'a schedule is one word');

export const expectationSchema = z.union([
  z.strictObject({
    holds: z.string().min(1).describe('How far it holds: "exhaustive", "≤3 preemptions", …'),
    note,
  }),
  z.strictObject({
    violates: z.array(id).min(1).describe('Every invariant that some schedule breaks.'),
    schedule: scheduleText
      .optional()
      .describe('A shortest schedule that breaks the first of them; run first.'),
    note,
  }),
  z.strictObject({ inconclusive: z.string().min(1).describe('What ran out.'), note }),
  z.strictObject({
    notApplicable: z.string().min(1).describe('Why the question cannot be put to this design.'),
  }),
]);

export const scenarioSchema = z
  .strictObject({
    $schema: z.string().optional().describe('For editors.'),
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,79}$/, 'lower-case letters, digits and -')
      .describe('The name in tables, tokens and file names.'),
    question: z
      .string()
      .regex(/\S\?$/, 'a question ends with ?')
      .max(400)
      .describe('What the scenario asks, in one sentence.'),
    source: z.array(z.string().min(1)).optional().describe('Mails, commits, bug reports it comes from.'),
    image: imageSchema.describe('The volume it starts from.'),
    mount: mountSchema.optional().describe('Mount options. Left out: ["delalloc"].'),
    mounts: z.array(mountSchema).min(1).max(8).optional().describe('Run once under each list of options.'),
    freeBlocks: z
      .int()
      .min(0)
      .optional()
      .describe('Fill the volume after setup until this many blocks are free.'),
    dirtyLimit: z
      .int()
      .min(0)
      .optional()
      .describe('Tasks that dirty pages wait for the @flusher lane while more pages than this are dirty.'),
    setup: lines('Run before the tasks, by one task, to the end.').optional(),
    tasks: z
      .record(z.string().regex(LANE_NAME, 'a lane name begins with a letter'), lines('One lane.').min(1))
      .describe('Lane name to lines. Lanes run at the same time.'),
    threads: z
      .array(z.array(z.string()).min(2))
      .optional()
      .describe('Lists of lanes that are threads of one process: they share mmap_lock and the page tables.'),
    after: lines('Run when every task has ended, by one task.').optional(),
    schedule: scheduleText.optional().describe('Fixes one interleaving. Left out: all are explored.'),
    explore: z
      .strictObject({
        strategy: z.enum(['exhaustive', 'pct', 'random', 'round-robin']).default('exhaustive'),
        preemptions: z
          .int()
          .min(0)
          .max(100)
          .nullable()
          .default(null)
          .describe('Most context switches away from a task that could go on. null: no bound.'),
        budget: z
          .int()
          .min(1)
          .nullable()
          .default(null)
          .describe('Most states (exhaustive) or schedules (pct, random). null: the command’s default.'),
        seed: z.int().min(0).max(0xffff_ffff).default(1).describe('For pct and random.'),
      })
      .optional()
      .describe('How schedules are searched.'),
    reaches: z
      .array(id)
      .optional()
      .describe('Yield points or functions that some schedule must reach: no vacuous pass.'),
    expect: z
      .record(z.string().regex(EXPECT_KEY, 'a design, or design@mount'), expectationSchema)
      .optional()
      .describe('Recorded by race --update, reviewed by a person. Keyed by design or design@mount.'),
    crash: z
      .record(z.string().regex(EXPECT_KEY, 'a design, or design@mount'), expectationSchema)
      .optional()
      .describe('The same for power failure at any step.'),
  })
  .superRefine((scenario, context) => {
    const complain = (path: PropertyKey[], message: string): void =>
      context.addIssue({ code: 'custom', message, path });
    const names = Object.keys(scenario.tasks);
    if (names.length === 0) complain(['tasks'], 'no lane');
    if (names.length > MAX_LANES) complain(['tasks'], `${names.length} lanes, at most ${MAX_LANES}`);
    for (const name of names) {
      if (RESERVED_LANES.includes(name)) complain(['tasks', name], `${quote(name)} is not a lane name`);
    }
    const flusher = Object.entries(scenario.tasks).filter(([, texts]) =>
      texts.some((text) => text.trim() === '@flusher'),
    );
    for (const [name, texts] of flusher) {
      if (texts.length > 1)
        complain(['tasks', name], '@flusher is the only line of its lane: it ends with the others');
    }
    if (flusher.length > 1) complain(['tasks'], 'there is one flusher');
    for (const name of ['setup', 'after'] as const) {
      if (scenario[name]?.some((text) => text.trim() === '@flusher'))
        complain([name], '@flusher is a lane of its own');
    }
    if (scenario.dirtyLimit !== undefined && flusher.length === 0)
      complain(['dirtyLimit'], 'a limit needs a lane with @flusher, or who waits would wait for ever');
    const threads = (scenario.threads ?? []).flat();
    threads.forEach((name, index) => {
      if (!names.includes(name)) complain(['threads'], `no lane ${quote(name)}`);
      else if (threads.indexOf(name) !== index) complain(['threads'], `${quote(name)} is there twice`);
    });
    if (scenario.mount !== undefined && scenario.mounts !== undefined) {
      complain(['mounts'], 'either mount or mounts');
    }
    const labels = mountsOf(scenario).map(mountLabel);
    const twice = labels.find((label, index) => labels.indexOf(label) !== index);
    if (twice !== undefined) complain(['mounts'], `${quote(twice)} is there twice`);
    for (const part of ['expect', 'crash'] as const) {
      for (const key of Object.keys(scenario[part] ?? {})) {
        const label = key.split('@')[1];
        if (label !== undefined && !labels.includes(label)) {
          complain(
            [part, key],
            `no mount ${quote(label)} in this scenario (it has ${labels.map(quote).join(', ')})`,
          );
        }
      }
    }
  });

/** The file as written; defaults not filled in. */
export type ScenarioFile = z.input<typeof scenarioSchema>;
/** A recorded verdict: one of `holds`, `violates`, `inconclusive`, `notApplicable`. */
export type Expectation = z.output<typeof expectationSchema>;

export interface Lane {
  readonly name: string;
  readonly lines: readonly Line[];
  /** Number of the lane whose address space it runs in; left out: its own. */
  readonly mm?: number;
}

export interface Explore {
  readonly strategy: 'exhaustive' | 'pct' | 'random' | 'round-robin';
  /** Most preemptions; null is no bound. */
  readonly preemptions: number | null;
  /** Most states or schedules; null leaves it to the caller. */
  readonly budget: number | null;
  readonly seed: number;
}

/** A scenario file, read: lines parsed, defaults filled in, absent things null or empty. */
export interface Scenario {
  readonly file: string;
  readonly name: string;
  readonly question: string;
  readonly source: readonly string[];
  readonly image: ImageSpec;
  /** At least one. The scenario is run once under each. */
  readonly mounts: readonly (readonly MountOption[])[];
  /** Blocks left free after setup; null: as many as there are. */
  readonly freeBlocks: number | null;
  /** Most dirty pages before who dirties more must wait for the flusher; null: no limit. */
  readonly dirtyLimit: number | null;
  readonly setup: readonly Line[];
  readonly lanes: readonly Lane[];
  readonly after: readonly Line[];
  readonly schedule: string | null;
  readonly explore: Explore;
  readonly reaches: readonly string[];
  readonly expect: Readonly<Record<string, Expectation>>;
  /** The verdicts when power may fail at any step. */
  readonly crash: Readonly<Record<string, Expectation>>;
}

/**
 * @param text  the JSON
 * @param file  its name, for messages
 * @throws      ScenarioError
 */
export function readScenario(text: string, file: string): Scenario {
  const document = readJson(text, file);
  const parsed = scenarioSchema.safeParse(document.value);
  if (!parsed.success) throw complaint(parsed.error.issues, document, file);
  const scenario = parsed.data;
  const lane = (name: string, texts: readonly string[] = []): Line[] =>
    parseLane(texts, { file, lane: name });
  const setup = lane('setup', scenario.setup);
  const tasks = parseLanes(scenario.tasks, file);
  return {
    file,
    name: scenario.name,
    question: scenario.question,
    source: scenario.source ?? [],
    image: scenario.image,
    mounts: mountsOf(scenario),
    freeBlocks: scenario.freeBlocks ?? null,
    dirtyLimit: scenario.dirtyLimit ?? null,
    setup,
    lanes: Object.keys(scenario.tasks).map((name) => ({
      name,
      lines: tasks[name]!,
      ...processOf(name, scenario),
    })),
    after: lane('after', scenario.after),
    schedule: scenario.schedule ?? null,
    explore: scenario.explore ?? { strategy: 'exhaustive', preemptions: null, budget: null, seed: 1 },
    reaches: scenario.reaches ?? [],
    expect: scenario.expect ?? {},
    crash: scenario.crash ?? {},
  };
}

/** The address space of a thread: that of the first lane of its list, in the order of the lanes. */
function processOf(
  name: string,
  { tasks, threads = [] }: { tasks: Record<string, unknown>; threads?: string[][] | undefined },
): { mm?: number } {
  const list = threads.find((each) => each.includes(name));
  if (list === undefined) return {};
  return { mm: Math.min(...list.map((each) => Object.keys(tasks).indexOf(each))) };
}

/** The name of a mount in `expect` keys and tables: its options joined, `defaults` where there are none. */
export function mountLabel(mount: readonly MountOption[]): string {
  return mount.length === 0 ? 'defaults' : mount.join(',');
}

/** What is expected of a design under a mount: `design@mount` where it is recorded, else `design`, else null. */
export function expectationOf(
  scenario: Pick<Scenario, 'expect' | 'crash'>,
  design: string,
  mount: readonly MountOption[],
  part: 'expect' | 'crash' = 'expect',
): Expectation | null {
  const at = (key: string): Expectation | undefined =>
    Object.hasOwn(scenario[part], key) ? scenario[part][key] : undefined;
  return at(`${design}@${mountLabel(mount)}`) ?? at(design) ?? null;
}

/** JSON Schema (draft 7) of the file, for editors. */
export function scenarioJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(scenarioSchema, { target: 'draft-7', io: 'input' }) as Record<
    string,
    unknown
  >;
  return { title: 'ext4lab scenario', ...schema };
}

function mountsOf(scenario: {
  readonly mount?: readonly MountOption[] | undefined;
  readonly mounts?: readonly (readonly MountOption[])[] | undefined;
}): readonly (readonly MountOption[])[] {
  return scenario.mounts ?? [scenario.mount ?? ['delalloc']];
}

// --- zod's issues as sentences with places

type Issue = z.core.$ZodIssue;

const MAX_COMPLAINTS = 8;

function complaint(issues: readonly Issue[], document: JsonDocument, file: string): ScenarioError {
  const all = issues
    .flatMap((issue) => sentences(issue, [], document))
    .map((each) => ({
      ...each,
      place: { file, ...(each.atKey ? document.keyPlace(each.path) : document.place(each.path)) },
    }));
  all.sort((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
  const errors = all.map((each) => new ScenarioError(`${pathText(each.path)}${each.text}`, each.place));
  const [first, ...others] = errors;
  if (others.length > 0) {
    const shown = others.slice(0, MAX_COMPLAINTS - 1).map((error) => error.message);
    if (errors.length > MAX_COMPLAINTS) shown.push(`${file}: and ${errors.length - MAX_COMPLAINTS} more`);
    first!.message = [first!.message, ...shown].join('\n');
  }
  return first!;
}

interface Sentence {
  /** Of the value that is wrong, or of the object that should have a key. */
  readonly path: JsonPath;
  readonly atKey: boolean;
  readonly text: string;
}

function sentences(issue: Issue, base: JsonPath, document: JsonDocument): Sentence[] {
  const path = [...base, ...(issue.path as (string | number)[])];
  const one = (text: string, at: JsonPath = path, atKey = false): Sentence[] => [{ path: at, atKey, text }];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const text = `unknown key ${quote(key)}${didYouMean(key, knownKeys(path), '"')}`;
        return { path: [...path, key], atKey: true, text };
      });
    case 'invalid_type': {
      const value = valueAt(document.value, path);
      if (value === undefined && path.length > 0)
        return one(`missing key ${quote(String(path.at(-1)))}`, path.slice(0, -1));
      return one(`expected ${article(issue.expected)}, not ${kindOf(value)}`);
    }
    case 'invalid_value': {
      const value = valueAt(document.value, path);
      const known = issue.values.map(String);
      const near = typeof value === 'string' ? didYouMean(value, known, '"') : '';
      return one(`${show(value)} is none of ${issue.values.map(show).join(', ')}${near}`);
    }
    case 'invalid_key':
      return one(
        `key ${quote(String(path.at(-1)))}: ${issue.issues[0]?.message ?? 'not allowed'}`,
        path,
        true,
      );
    case 'invalid_union':
      return unionSentences(issue, path, document);
    case 'too_big':
      return one(`${sizeOf(valueAt(document.value, path))} is more than ${issue.maximum}`);
    case 'too_small':
      return one(`${sizeOf(valueAt(document.value, path))} is less than ${issue.minimum}`);
    case 'invalid_format':
      return one(`${show(valueAt(document.value, path))}: ${issue.message}`);
    default:
      return one(issue.message);
  }
}

/** The complaints of the alternative that was meant: the one whose own key is there; else which keys to choose from. */
function unionSentences(
  issue: Issue & { code: 'invalid_union' },
  path: JsonPath,
  document: JsonDocument,
): Sentence[] {
  const value = valueAt(document.value, path);
  const alternatives = alternativesAt(path);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject) return [{ path, atKey: false, text: `expected an object, not ${kindOf(value)}` }];
  const keys = alternatives.map((keysOf) => keysOf[0]!);
  const present = keys.flatMap((key, index) => (Object.hasOwn(value, key) ? [index] : []));
  if (present.length === 1) {
    return issue.errors[present[0]!]!.flatMap((inner) => sentences(inner, path, document));
  }
  const near = Object.keys(value)
    .map((key) => didYouMean(key, keys, '"'))
    .find((text) => text !== '');
  const list = keys.map(quote).join(', ');
  return [
    {
      path,
      atKey: false,
      text: `one of ${list} is needed${present.length > 1 ? ', not several' : (near ?? '')}`,
    },
  ];
}

/** The schema at a path of the scenario file. */
function schemaAt(path: JsonPath): z.core.$ZodType | null {
  let schema: z.core.$ZodType | null = scenarioSchema;
  for (const part of path) {
    schema = schema === null ? null : unwrap(schema);
    if (schema instanceof z.ZodObject)
      schema = (schema.shape as Record<string, z.core.$ZodType>)[part] ?? null;
    else if (schema instanceof z.ZodRecord) schema = schema.valueType;
    else if (schema instanceof z.ZodArray) schema = schema.element;
    else if (schema instanceof z.ZodUnion) {
      const found: z.core.$ZodType | undefined = schema.options.find(
        (option) => option instanceof z.ZodObject && Object.hasOwn(option.shape, part),
      );
      schema =
        found instanceof z.ZodObject
          ? ((found.shape as Record<string, z.core.$ZodType>)[part] ?? null)
          : null;
    } else return null;
  }
  return schema === null ? null : unwrap(schema);
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  while (
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable ||
    schema instanceof z.ZodDefault
  ) {
    schema = schema.unwrap();
  }
  return schema;
}

/** The keys of each alternative at a path: one list for an object, several for a union. */
function alternativesAt(path: JsonPath): string[][] {
  const schema = schemaAt(path);
  const options = schema instanceof z.ZodUnion ? schema.options : [schema];
  return options.map((option) => (option instanceof z.ZodObject ? Object.keys(option.shape) : []));
}

const knownKeys = (path: JsonPath): string[] => alternativesAt(path).flat();

function valueAt(value: unknown, path: JsonPath): unknown {
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

function pathText(path: JsonPath): string {
  if (path.length === 0) return '';
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${part}`)).join('');
  return `${text.replace(/^\./, '')}: `;
}

const show = (value: unknown): string =>
  typeof value === 'string' ? quote(value) : typeof value === 'number' ? String(value) : kindOf(value);

function sizeOf(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'string' ? `a text of ${value.length} characters` : String(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return value === undefined ? 'nothing' : article(typeof value);
}

function article(type: string): string {
  const word = type === 'array' ? 'list' : type === 'record' ? 'object' : type === 'int' ? 'integer' : type;
  return `${/^[aeiou]/.test(word) ? 'an' : 'a'} ${word}`;
}
