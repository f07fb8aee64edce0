/** The worked examples of CONTRIBUTING.md, run as they stand there. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { imageOf } from '../../src/cli/images.ts';
import { raceCell } from '../../src/compare/race.ts';
import { type Design, mkwriteConvert, noConversion } from '../../src/designs/index.ts';
import { explore } from '../../src/explore/explore.ts';
import type { Invariant } from '../../src/invariants/index.ts';
import { mountLabel, readScenario, type Scenario } from '../../src/scenario/schema.ts';
import { startSession } from '../../src/scenario/session.ts';
import { scenarioNamed } from './blocks.ts';
import { codeBlocks } from './markers.ts';
import { ROOT } from './source.ts';

/** The code of the one block of that language under a heading of a page. */
export function workedCode(heading: string, language: string, page = 'CONTRIBUTING.md'): string {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const found = codeBlocks(text).filter((each) => each.heading === heading && each.language === language);
  if (found.length !== 1) throw new Error(`${page}: ${found.length} ${language} blocks under ${heading}`);
  return found[0]!.code;
}

/**
 * Imports code as if it stood in a folder of src.
 * @param folder  `designs`: what `./` means
 */
export async function importWorked(code: string, folder: string): Promise<Record<string, unknown>> {
  const here = join(ROOT, 'src', folder);
  const absolute = code
    .replaceAll("from 'ext4lab'", `from '${join(ROOT, 'src/index.ts').replaceAll('\\', '/')}'`)
    .replaceAll(/from '(\.[^']*)'/g, (_, path: string) => `from '${join(here, path).replaceAll('\\', '/')}'`);
  mkdirSync(join(ROOT, 'tmp'), { recursive: true });
  const dir = mkdtempSync(join(ROOT, 'tmp', 'worked-'));
  try {
    const file = join(dir, 'worked.ts');
    writeFileSync(file, absolute);
    return (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Record<string, unknown>;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

export async function workedDesign(): Promise<Design> {
  const module = await importWorked(workedCode('Add a design', 'ts'), 'designs');
  return Object.values(module)[0] as Design;
}

export async function workedInvariant(): Promise<Invariant> {
  const module = await importWorked(workedCode('Add an invariant', 'ts'), 'invariants');
  return Object.values(module)[0] as Invariant;
}

export function workedScenario(): Scenario {
  const file = join(ROOT, 'fixtures/scenarios/worked.json');
  return readScenario(workedCode('Add a scenario', 'json'), file);
}

const verdictOf = (violates: readonly string[]): string =>
  violates.length === 0 ? 'holds' : `breaks ${violates.join(', ')}`;

/** The worked design beside the current kernel: what each breaks. */
export async function workedDesignTable(): Promise<string> {
  const design = await workedDesign();
  const scenarios = [scenarioNamed('small-write-beside-store'), workedScenario()];
  const lines = ['| scenario | mkwrite-convert | invalidate-lock-pins |', '| --- | --- | --- |'];
  for (const scenario of scenarios) {
    const cells = [mkwriteConvert, design].map(
      (each) => raceCell(scenario, imageOf(scenario), each, scenario.mounts[0]!).cell,
    );
    if (cells.some(({ reach }) => !reach.complete)) throw new Error(`${scenario.name}: not finished`);
    const [before, after] = cells.map(({ violates }) => verdictOf(violates));
    lines.push(`| \`${scenario.name}\` (${mountLabel(scenario.mounts[0]!)}) | ${before} | ${after} |`);
  }
  return lines.join('\n');
}

/** Where the worked invariant is broken, and where it holds. */
export async function workedInvariantTable(): Promise<string> {
  const invariant = await workedInvariant();
  const scenario = scenarioNamed('store-without-space');
  const lines = [`| \`${scenario.name}\` | \`${invariant.id}\` |`, '| --- | --- |'];
  for (const design of [mkwriteConvert, noConversion]) {
    const { k, world, specs } = startSession(scenario, imageOf(scenario), design, scenario.mounts[0]!);
    const { violations, reach } = explore({ k, world, specs, invariants: [invariant] });
    if (!reach.complete) throw new Error(`${scenario.name}: not finished`);
    const found = violations.find((each) => each.invariant === invariant.id);
    lines.push(`| ${design.id} | ${found === undefined ? 'holds' : `broken: ${found.message}`} |`);
  }
  return lines.join('\n');
}

/** The library example of the README: what it prints. */
export async function libraryOutput(): Promise<string> {
  const code = workedCode('The library', 'ts', 'README.md').replaceAll('console.log(', 'out.push([');
  const closed = code.replaceAll(/(out\.push\(\[.*)\);/g, '$1]);');
  const module = await importWorked(`export const out: unknown[][] = [];\n${closed}`, '.');
  return (module.out as unknown[][])
    .map((line) => line.map((each) => (typeof each === 'string' ? each : JSON.stringify(each))).join(' '))
    .join('\n');
}
