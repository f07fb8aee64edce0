/** The generated parts of README, ARCHITECTURE and docs/: each a function from words to markdown. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { COMMANDS } from '../../src/cli/commands/index.ts';
import { imageOf, readImageFile } from '../../src/cli/images.ts';
import { scriptOfRecording } from '../../src/cli/kernel/record.ts';
import { BUNDLED_RECORDINGS, loadRecording, recordingFiles } from '../../src/cli/kernel/recordingFiles.ts';
import { readTally } from '../../src/cli/kernel/tally.ts';
import { main } from '../../src/cli/main.ts';
import { count } from '../../src/cli/progress.ts';
import { loadScenarios } from '../../src/cli/scenarioFiles.ts';
import { storyText } from '../../src/cli/story.ts';
import { crashCell, crashStory, crashToken } from '../../src/compare/crash.ts';
import { runLinear } from '../../src/compare/emulate.ts';
import { packHex } from '../../src/compare/hexRuns.ts';
import { type Cell, raceCell, tokenOf, type Violation } from '../../src/compare/race.ts';
import { compareWithRecording } from '../../src/compare/recording.ts';
import { DESIGNS, type Design, designById, mkwriteConvert } from '../../src/designs/index.ts';
import { parseSchedule } from '../../src/explore/schedule.ts';
import { INVARIANTS } from '../../src/invariants/index.ts';
import { LOCK_CLASSES } from '../../src/locks/lock.ts';
import { runSession } from '../../src/scenario/run.ts';
import { mountLabel, type Scenario } from '../../src/scenario/schema.ts';
import type { Session } from '../../src/scenario/session.ts';
import { readFigures } from '../images/figures.ts';
import { fidelityTable, leftOutList } from './fidelity.ts';
import type { Block } from './markers.ts';
import { ROOT } from './source.ts';
import { countYields, yieldPoints } from './yieldPoints.ts';

// ---- images

interface ImageFigures {
  readonly fields?: Readonly<
    Record<'every' | 'volumes' | 'corruptions' | 'theirs' | 'missed' | 'oursOnly', number>
  > & {
    readonly e2fsprogs: string;
  };
  readonly mkfs?: { readonly combinations: number; readonly differing: number; readonly e2fsprogs: string };
  readonly mutants?: Readonly<
    Record<'count' | 'seed' | 'scripts' | 'slowestMs' | 'peakMiB' | 'failures', number>
  >;
  readonly walked?: Readonly<Record<'volumes' | 'files' | 'seed' | 'failures', number>> & {
    readonly kernel: string;
  };
}

/** What the long runs over images recorded. */
const images: Block = () => {
  const { fields, mkfs, mutants, walked } = readFigures() as ImageFigures;
  const n = (value: number) => value.toLocaleString('en-US');
  const lines = ['| what | how many | went wrong | again with |', '| --- | --- | --- | --- |'];
  const row = (...cells: string[]) => lines.push(`| ${cells.join(' | ')} |`);
  if (fields !== undefined) {
    row(
      `fields made wrong, on ${fields.volumes} kinds of volume: does check object where e2fsck ${fields.e2fsprogs} does?`,
      `${n(fields.corruptions)}, e2fsck objects to ${n(fields.theirs)}`,
      `${n(fields.missed)}; check objects to ${n(fields.oursOnly)} more`,
      `\`npx tsx scripts/e2fsprogs.ts --every ${fields.every}\``,
    );
  }
  if (mkfs !== undefined) {
    row(
      `volumes of mkfs and of mke2fs ${mkfs.e2fsprogs}: the same bytes, but for the count of kilobytes written?`,
      `${n(mkfs.combinations)} combinations of options`,
      n(mkfs.differing),
      '`npx tsx scripts/e2fsprogs.ts`',
    );
  }
  if (walked !== undefined) {
    row(
      `saved volumes, mounted and walked by Linux ${walked.kernel}: does it find what we find?`,
      `${n(walked.volumes)} with ${n(walked.files)} files`,
      n(walked.failures),
      `\`npx tsx scripts/walk.ts --count ${walked.volumes} --seed ${walked.seed}\``,
    );
  }
  if (mutants !== undefined) {
    row(
      'broken volumes through load, check, inspect and exec: crash, hang, memory?',
      `${n(mutants.count)}, ${n(mutants.scripts)} of them run a script`,
      `${n(mutants.failures)}; slowest ${n(mutants.slowestMs)} ms, ${n(mutants.peakMiB)} MiB at most`,
      `\`npx tsx scripts/mutate.ts --count ${mutants.count} --seed ${mutants.seed}\``,
    );
  }
  return lines.join('\n');
};

// ---- runs

export interface Raced {
  readonly scenario: Scenario;
  readonly cell: Cell;
  readonly session: Session;
}

const raced = new Map<string, Raced>();

/** The scenario of a bundled name or of a file below the root of the project. */
export function scenarioNamed(word: string): Scenario {
  const [scenario] = loadScenarios([word.endsWith('.json') ? join(ROOT, word) : word]);
  return scenario!;
}

function designNamed(id: string): Design {
  const design = designById(id);
  if (design === undefined) throw new Error(`a generated block names the design ${id}, which is not there`);
  return design;
}

/** One cell of the matrix, searched once. */
export function race(word: string, designId: string, mount: string): Raced {
  const key = `${word} ${designId} ${mount}`;
  let found = raced.get(key);
  if (found === undefined) {
    const scenario = scenarioNamed(word);
    const options = scenario.mounts.find((each) => mountLabel(each) === mount);
    if (options === undefined) throw new Error(`${word} has no mount ${mount}`);
    found = { scenario, ...raceCell(scenario, imageOf(scenario), designNamed(designId), options) };
    raced.set(key, found);
  }
  return found;
}

function violationOf({ cell }: Raced, invariant: string): Violation {
  const found = cell.violations.find((each) => each.invariant === invariant);
  if (found !== undefined) return found;
  const all = cell.violates.length === 0 ? cell.verdict : cell.violates.join(', ');
  throw new Error(
    `${cell.scenario} ${cell.design}@${cell.mount} does not break ${invariant} any more (it has ${all}): ` +
      'the text around this block is wrong now',
  );
}

/** What the command prints on stdout. */
export async function commandOutput(words: readonly string[]): Promise<string> {
  let out = '';
  const sink = (write: (text: string) => void) => ({ write, isTerminal: false, columns: undefined });
  await main(words, {
    stdout: sink((text) => {
      out += text;
    }),
    stderr: sink(() => {}),
    env: { NO_COLOR: '1' },
    onInterrupt() {},
  });
  return out;
}

// ---- markdown

export const fenced = (text: string, language = ''): string =>
  `\`\`\`${language}\n${text.replace(/\n+$/, '')}\n\`\`\``;
const grouped = (n: number | string): string => `${n}`.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
const cellText = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cellText).join(' | ')} |`).join('\n');

const replayCommand = (token: string): string => `npm run ext4lab -- replay '${token}'`;

// ---- recordings

export interface RecordingCount {
  readonly kernels: readonly string[];
  readonly all: number;
  readonly random: number;
  readonly same: number;
  readonly differing: readonly string[];
  /** Name → why the emulator does not run it. */
  readonly skipped: ReadonlyMap<string, string>;
}

let counted: RecordingCount | undefined;
let isThorough = false;

/**
 * The generator runs every recording; a test only looks which ones can be run, and takes them for the same: what differs
 * fails in test/compare, and makes the text another one.
 */
export function runRecordings(): void {
  isThorough = true;
}

/** Every bundled recording against the design that stands for the kernel. */
export function countRecordings(): RecordingCount {
  if (counted !== undefined) return counted;
  const random = recordingFiles([join(BUNDLED_RECORDINGS, 'random')]);
  const files = [...recordingFiles([]), ...random];
  const skipped = new Map<string, string>();
  const differing: string[] = [];
  const kernels = new Set<string>();
  for (const file of files) {
    const recording = loadRecording(file);
    kernels.add(recording.kernel);
    if (!('file' in recording.image)) throw new Error(`${recording.name} does not name an image file`);
    const image = readImageFile(join(dirname(file), recording.image.file));
    const { mount, lines } = scriptOfRecording(recording, file);
    try {
      if (isThorough) {
        const run = runLinear({ image, mount, design: mkwriteConvert, lines });
        if (compareWithRecording(recording, run).length > 0) differing.push(recording.name);
      }
    } catch (error) {
      const why = /([^:]*is not modelled[^:]*)$/.exec((error as Error).message)?.[1]?.trim();
      if (why === undefined) throw error;
      skipped.set(recording.name, why);
    }
  }
  const same = files.length - skipped.size - differing.length;
  return (counted = {
    kernels: [...kernels],
    all: files.length,
    random: random.length,
    same,
    differing,
    skipped,
  });
}

// ---- blocks

/** A command line, folded where it is longer than a page is wide. */
function folded(words: readonly string[]): string {
  const lines = [''];
  for (const word of words) {
    const last = lines.at(-1)!;
    if (last !== '' && last.length + word.length > 100) {
      lines[lines.length - 1] = `${last} \\`;
      lines.push(`    ${word}`);
    } else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines.join('\n');
}

/** `race a b --designs x,y --stories none` and what it prints. */
const cli: Block = async (...words) => {
  const shown = folded(['$', 'npm', 'run', 'ext4lab', '--', ...words]);
  return fenced(`${shown}\n\n${await commandOutput(words)}`, 'text');
};

/** The story of one violation, as race and explore print it. */
const story: Block = (scenario, design, mount, invariant) => {
  const found = race(scenario!, design!, mount!);
  return fenced(storyText(found.session, found.cell, violationOf(found, invariant!)), 'text');
};

/** What replays a violation, and what it shows. */
const token: Block = (scenario, design, mount, ...invariants) => {
  const found = race(scenario!, design!, mount!);
  return invariants
    .map((invariant) => {
      const { schedule, message } = violationOf(found, invariant);
      const command = replayCommand(tokenOf(scenario!, design!, mount!, schedule));
      return `- \`${invariant}\`: ${message.replaceAll('*', '\\*')}\n  \`\`\`sh\n  ${command}\n  \`\`\``;
    })
    .join('\n');
};

/** As `token`, when power fails: `crash SCENARIO DESIGN MOUNT INVARIANT…`. */
const crash: Block = (scenario, design, mount, ...invariants) => {
  const { cell, session, crasher } = crashed(scenario!, design!, mount!);
  return invariants
    .map((id) => {
      const violation = cell.violations.find(({ invariant }) => invariant === id);
      if (violation === undefined) throw new Error(`${scenario} ${design} ${mount} does not break ${id}`);
      const { failure } = crashStory(session, crasher, violation);
      const made = crashToken(scenario!, design!, mount!, violation.schedule, failure.medium.number);
      return `- \`${id}\`: ${violation.message}\n  \`\`\`sh\n  ${replayCommand(made)}\n  \`\`\``;
    })
    .join('\n');
};

function crashed(name: string, design: string, mount: string) {
  const scenario = scenarioNamed(name);
  const options = scenario.mounts.find((each) => mountLabel(each) === mount);
  if (options === undefined) throw new Error(`${name} has no mount ${mount}`);
  return crashCell(scenario, imageOf(scenario), designById(design)!, options);
}

/** What a design breaks in a scenario, all schedules: a line for each word `scenario:design@mount`. */
const verdict: Block = (...words) =>
  words
    .map((word) => {
      const [, scenario, design, mount] = /^(.*):([^:@]+)@(.+)$/.exec(word)!;
      const { cell } = race(scenario!, design!, mount!);
      const { states, complete } = cell.reach;
      const all = complete ? `all schedules, ${grouped(states)} states` : 'not finished';
      const breaks = cell.verdict === 'violates' ? `breaks ${cell.violates.join(', ')}` : cell.verdict;
      const command = `npm run ext4lab -- explore ${scenario} --design ${design} --mount ${mount}`;
      return `- \`${cell.scenario}\` under ${design}, ${mount}: ${breaks} (${all})\n  \`\`\`sh\n  ${command}\n  \`\`\``;
    })
    .join('\n');

/** Designs down, scenarios across: `across delalloc scenario,scenario design,design`. */
const across: Block = (mount, scenarioList, designList) => {
  const [scenarios, ids] = [scenarioList!.split(','), designList!.split(',')];
  const rows = ids.map((id) => [
    `\`${id}\``,
    ...scenarios.map((each) => {
      const { cell } = race(each, id, mount!);
      if (!cell.reach.complete) throw new Error(`${each} ${id}: not finished`);
      const shown = cell.violates.map((one) => (one === 'strict' && cell.pendingOnly ? 'strict\\*' : one));
      return cell.verdict === 'violates' ? `breaks ${shown.join(', ')}` : cell.verdict;
    }),
  ]);
  const command = `npm run ext4lab -- race ${scenarios.join(' ')} --designs ${ids.join(',')}`;
  return `${table([mount!, ...scenarios.map((each) => `\`${each}\``)], rows)}\n\n${fenced(command, 'sh')}`;
};

/** A scenario file as it is. */
const scenario: Block = (file) => fenced(readFileSync(join(ROOT, file!), 'utf8'), 'json');

/** The commands, with one example each. */
const commands: Block = async () => {
  const rows: string[][] = [];
  for (const entry of COMMANDS) {
    const { examples = [] } = (await entry.load()).default;
    const example = entry.name === 'replay' ? replayExample() : (examples[0] ?? entry.name);
    rows.push([`\`${entry.name}\``, entry.summary, `\`npm run ext4lab -- ${example}\``]);
  }
  return table(['command', 'what it does', 'example'], rows);
};

/** A token that is right today: the schedule of a recorded failure. */
function replayExample(): string {
  const { cell } = race('mmap-store-then-fsync', 'mkwrite-convert', 'delalloc');
  return `replay '${cell.token!}'`;
}

const designs: Block = () =>
  table(
    ['design', 'what it does', 'from'],
    DESIGNS.map(({ id, summary, source }) => [`\`${id}\``, summary, source]),
  );

const invariants: Block = () =>
  table(
    ['invariant', 'what must hold'],
    INVARIANTS.map(({ id, summary }) => [`\`${id}\``, summary]),
  );

/** How much of everything there is. */
const numbers: Block = () => {
  const scenarios = loadScenarios([]);
  const { all, random, kernels } = countRecordings();
  const cells = scenarios.reduce((sum, each) => sum + each.mounts.length * DESIGNS.length, 0);
  const ops = yieldPoints();
  return [
    `${scenarios.length} scenarios, each under its mounts and ${DESIGNS.length} designs: ${cells} searches.`,
    `${INVARIANTS.length} invariants and the absence of deadlock, looked at after every step.`,
    `${countYields(ops)} yield points in ${ops.length} functions, ${LOCK_CLASSES.length} lock classes.`,
    `${all} recordings of a running kernel (${kernels.join(', ')}), ${random} of them of random scripts.`,
  ]
    .map((line) => `- ${line}`)
    .join('\n');
};

const recordings: Block = () => {
  const { all, same, skipped, differing, kernels } = countRecordings();
  const why = [...new Set(skipped.values())].sort().map((each) => each.replace(/ by the emulator yet$/, ''));
  const rest = skipped.size === 0 ? '' : ` ${skipped.size} are not run: ${why.join('; ')}.`;
  const wrong = differing.length === 0 ? '' : ` ${differing.length} differ: ${differing.join(', ')}.`;
  return `${all} recordings of Linux ${kernels.join(', ')}: the emulator does the same in ${same}.${wrong}${rest}`;
};

/** What runs of random scripts on both came to: fixtures/random-runs.json, which `kernel check --tally` writes. */
const randomRuns: Block = () => {
  const { kernels, seeds, scripts, refused, differing, lines, errors, verbs, volumes } = readTally(
    join(ROOT, 'fixtures', 'random-runs.json'),
  );
  const ranges = seeds.map(([first, last]) => `${first} to ${last}`).join(', ');
  const images = new Set(Object.keys(volumes).map((name) => name.split(' ')[0]));
  const rest = refused === 0 ? '' : ` ${refused} could not be run on the kernel.`;
  return (
    `${count(scripts)} random scripts (seeds ${ranges}) on Linux ${kernels.join(', ')}: ${differing} differ.${rest} ` +
    `${count(lines)} lines, ${count(errors)} of which the kernel refused, of ${Object.keys(verbs).length} verbs, on ` +
    `${images.size} kinds of volume under ${Object.keys(volumes).length} combinations of volume and mount options.`
  );
};

/** What a recording of the kernel shows, in one line: `name` its last answer with data, `name#3` that of its third line. */
const recorded: Block = (...words) =>
  words
    .map((word) => {
      const [name, line] = word.split('#') as [string, string?];
      const file = `fixtures/kernel/${name}.json`;
      const { kernel, mount, steps, final } = loadRecording(join(ROOT, file));
      const step =
        line === undefined
          ? steps.findLast(({ result }) => result.data !== undefined)
          : steps[Number(line) - 1];
      const data = step?.result.data;
      if (step === undefined || data === undefined) throw new Error(`${file}: no such line with data`);
      const crashed = steps.some((each) => each.line === '@crash') ? ', after a crash' : '';
      if (final.fsck !== undefined)
        return `- \`${file}\` (Linux ${kernel}, ${mountLabel(mount)}): e2fsck says "${final.fsck.join('; ')}"`;
      return `- \`${file}\` (Linux ${kernel}, ${mountLabel(mount)}${crashed}): \`${step.line}\` gives \`${packHex(data)}\``;
    })
    .join('\n');

/**
 * What the lines of a scenario answer: when the lanes run one after another, or on the schedule that breaks an
 * invariant, played on to the end.
 */
const results: Block = (word, design, mount, invariant) => {
  const found = race(word!, design!, mount!);
  const { session } = found;
  const schedule = invariant === undefined ? null : violationOf(found, invariant).schedule;
  const lanes = session.specs.map(({ name }) => name);
  const { tasks } = runSession(session, schedule === null ? null : parseSchedule(schedule, lanes));
  const lines = Object.entries(tasks).flatMap(([lane, answers]) =>
    answers.map(({ line, errno, ret, data }) => {
      const bytes = data === undefined || data === '' ? '' : `  ${packHex(data)}`;
      return `${lane}: ${line} = ${errno ?? ret}${bytes}`;
    }),
  );
  const command =
    schedule === null
      ? `run ${word} --design ${design} --mount ${mount}`
      : `replay '${tokenOf(word!, design!, mount!, schedule)}'`;
  return fenced([`$ npm run ext4lab -- ${command}`, ...lines].join('\n'), 'text');
};

/** The Promela models that the explorer is held against. */
const promela: Block = () => {
  const models = readdirSync(join(ROOT, 'bench'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.pml'))
    .sort();
  return models.map((name) => `\`bench/${name.replaceAll('\\', '/')}\``).join(', ');
};

/** The bands of the house, as the test has them. */
const bands: Block = () => {
  const text = readFileSync(join(ROOT, 'test/architecture.test.ts'), 'utf8');
  const rows = [.../const BANDS[^=]*= \[([\s\S]*?)\n\];/.exec(text)![1]!.matchAll(/\[([^\]]*)\]/g)].map(
    ([, row]) => [...row!.matchAll(/'([^']+)'/g)].map(([, name]) => name!),
  );
  const width = `${rows.length}`.length;
  const lines = rows
    .map(
      (row, index) =>
        `${`${index + 1}`.padStart(width)}  ${row.map((each) => each.replace(/\.ts$/, '')).join('   ')}`,
    )
    .reverse();
  return fenced(lines.join('\n'), 'text');
};

/** The hooks a design may give, with the kernel function each stands for. */
const hooks: Block = () => {
  const text = readFileSync(join(ROOT, 'src/hooks.ts'), 'utf8');
  const body = text.slice(text.indexOf('export interface Hooks {'));
  const rows = [...body.matchAll(/\/\*\*\s+((?:(?!\*\/)[\s\S])*?)\s*\*\/\n {2}(\w+)\(/g)].map(
    ([, comment, name]) => {
      const [what, source = ''] = comment!
        .replaceAll(/\s*\n\s*\*\s*/g, ' ')
        .replace(/^\* /, '')
        .split('@source');
      return [`\`${name}\``, what!.trim(), source.trim()];
    },
  );
  return table(['hook', 'where it is asked', 'kernel'], rows);
};

/** The lock classes, outermost first. */
const lockOrder: Block = () =>
  table(
    ['lock', 'kind', 'taken by'],
    [...LOCK_CLASSES]
      .sort((a, b) => a.rank - b.rank)
      .map(({ name, kind, take }) => [`\`${name}\``, kind, `\`${take.exclusive}\``]),
  );

/** The pages of docs/decisions, by their titles. */
const decisions: Block = () => {
  const folder = join(ROOT, 'docs/decisions');
  return readdirSync(folder)
    .filter((name) => /^\d{4}-/.test(name))
    .sort()
    .map((name) => {
      const [, number, title] = /^# (\d{4}) (.*)$/m.exec(readFileSync(join(folder, name), 'utf8'))!;
      if (!name.startsWith(`${number}-`)) throw new Error(`docs/decisions/${name} is headed ${number}`);
      return `- [${number}](${name}) ${title}`;
    })
    .join('\n');
};

export const BLOCKS: Readonly<Record<string, Block>> = {
  cli,
  story,
  token,
  crash,
  verdict,
  across,
  decisions,
  scenario,
  commands,
  designs,
  invariants,
  numbers,
  recordings,
  'random-runs': randomRuns,
  images,
  promela,
  recorded,
  results,
  bands,
  hooks,
  'lock-order': lockOrder,
  fidelity: () => fidelityTable(),
  'left-out': () => leftOutList().join('\n'),
};
