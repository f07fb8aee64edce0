/** A report and its page, from what a race found or from what the scenario files record. */
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { CrashCell } from '../compare/crash.ts';
import type { Cell } from '../compare/race.ts';
import type { Design } from '../designs/design.ts';
import { designById } from '../designs/index.ts';
import { expectationOf, mountLabel, type Scenario } from '../scenario/schema.ts';
import { pageHtml } from '../viewer/html.ts';
import {
  type PackedCell,
  type PackedCells,
  packCell,
  packExpectation,
  REPORT_VERSION,
  type Report,
  type ReportClaim,
  type ReportScenario,
} from '../viewer/report.ts';
import { loadClaims } from './claimFiles.ts';
import { UsageError } from './errors.ts';
import { pageBundle } from './pageFile.ts';
import { bundledFiles, loadScenario } from './scenarioFiles.ts';
import { version } from './version.ts';

/** A cell that was searched. */
export interface ReportedCell {
  readonly scenario: Scenario;
  readonly cell: Cell;
  readonly expected: boolean | null;
  readonly crash: { readonly cell: CrashCell; readonly expected: boolean | null } | null;
  /** By invariant: the stories of a design that the page cannot run. */
  readonly stories?: ReadonlyMap<string, string>;
}

export interface ReportInput {
  /** After `ext4lab`. */
  readonly command: string;
  readonly scenarios: readonly Scenario[];
  readonly designs: readonly Design[];
  /** Null: what the scenario files record. */
  readonly cells: readonly ReportedCell[] | null;
  readonly reach: readonly string[];
  readonly lockdep: Report['lockdep'];
  /** Where the page opens; default: the matrix. */
  readonly open?: string;
}

export function makeReport(input: ReportInput): Report {
  const { scenarios, designs } = input;
  const images = new ImageStore();
  const raced = scenarios.map((scenario) => reportScenario(scenario, images));
  const names = new Set(scenarios.map(({ name }) => name));
  const library = bundledFiles()
    .map(loadScenario)
    .filter(({ name }) => !names.has(name))
    .map((scenario) => reportScenario(scenario, images));
  const { cells, crash } = input.cells === null ? recorded(scenarios, designs) : searched(input.cells, input);
  return {
    reportVersion: REPORT_VERSION,
    lab: version(),
    from: input.cells === null ? 'record' : 'race',
    command: input.command,
    designs: designs.map(({ id }) => id),
    foreign: designs
      .filter((design) => designById(design.id) !== design)
      .map(({ id, summary, source, promises, locks, unmodelled }) => ({
        id,
        summary,
        source,
        promises,
        locks,
        unmodelled,
      })),
    scenarios: raced,
    library,
    images: images.packed,
    cells,
    crash,
    reach: input.reach,
    lockdep: input.lockdep,
    claims: loadClaims([]).map(reportClaim),
    open: input.open ?? '',
  };
}

/** The page of a report, to be written or served. */
export async function reportPage(report: Report): Promise<string> {
  const [only] = report.scenarios;
  const title = report.scenarios.length === 1 ? `${only!.json.name} – ext4lab` : 'ext4lab';
  return pageHtml(title, report, await pageBundle());
}

type Mutable = Record<string, Record<string, (PackedCell | null)[]>>;

function table(): { cells: Mutable; put(cell: Place, at: number, of: number, packed: PackedCell): void } {
  const cells: Mutable = {};
  return {
    cells,
    put({ scenario, mount }, at, of, packed) {
      cells[scenario] ??= {};
      cells[scenario][mount] ??= Array.from({ length: of }, () => null);
      cells[scenario][mount][at] = packed;
    },
  };
}

interface Place {
  readonly scenario: string;
  readonly mount: string;
}

function searched(
  found: readonly ReportedCell[],
  { designs }: ReportInput,
): { cells: PackedCells; crash: PackedCells } {
  const [cells, crash] = [table(), table()];
  for (const each of found) {
    const at = designs.findIndex(({ id }) => id === each.cell.design);
    cells.put(each.cell, at, designs.length, packCell(each.cell, each.expected, each.stories));
    if (each.crash !== null)
      crash.put(each.crash.cell, at, designs.length, packCell(each.crash.cell, each.crash.expected));
  }
  return { cells: cells.cells, crash: crash.cells };
}

function recorded(
  scenarios: readonly Scenario[],
  designs: readonly Design[],
): { cells: PackedCells; crash: PackedCells } {
  const out = { expect: table(), crash: table() };
  for (const part of ['expect', 'crash'] as const) {
    for (const scenario of scenarios) {
      for (const mount of scenario.mounts) {
        const place = { scenario: scenario.name, mount: mountLabel(mount) };
        for (const [at, { id }] of designs.entries()) {
          const expected = expectationOf(scenario, id, mount, part);
          if (expected !== null) out[part].put(place, at, designs.length, packExpectation(expected));
        }
      }
    }
  }
  return { cells: out.expect.cells, crash: out.crash.cells };
}

/** Image files as they go into a page, each once. */
class ImageStore {
  readonly packed: Record<string, string> = {};
  readonly #names = new Map<string, string>();

  /** @returns the name it has there */
  add(file: string): string {
    const path = resolve(file);
    const known = this.#names.get(path);
    if (known !== undefined) return known;
    const bytes = readFileSync(path);
    const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
    const taken = Object.hasOwn(this.packed, basename(path));
    const name = taken ? `${this.#names.size}-${basename(path)}` : basename(path);
    this.#names.set(path, name);
    this.packed[name] = (isPacked ? bytes : gzipSync(bytes)).toString('base64');
    return name;
  }
}

function reportScenario(scenario: Scenario, images: ImageStore): ReportScenario {
  const { $schema, expect, crash, ...json } = JSON.parse(readFileSync(scenario.file, 'utf8')) as Record<
    string,
    unknown
  >;
  const file = basename(scenario.file);
  const bundled = bundledFiles().includes(resolve(scenario.file));
  if (!('file' in scenario.image)) return { file, bundled, json };
  const image = images.add(join(dirname(scenario.file), scenario.image.file));
  return { file, bundled, json, image };
}

function reportClaim(claim: ReturnType<typeof loadClaims>[number]): ReportClaim {
  const { name, by, date, where, quotation, note, predicts, answer } = claim;
  return {
    name,
    claim: claim.claim,
    by,
    date,
    where,
    quotation,
    note,
    ...(answer === undefined ? {} : { verdict: answer.verdict }),
    outcomes: (answer?.outcomes ?? []).map((outcome, index) => {
      const { scenario, design, mount } = predicts[index]!;
      return {
        of: `${scenario} under ${design}${mount === undefined ? '' : ` (${mount})`}`,
        saw: outcome.saw,
        came: outcome.true,
        ...(outcome.token === undefined ? {} : { token: outcome.token }),
      };
    }),
  };
}

/**
 * Asked before a search that takes a minute: can a page be written there?
 * @throws UsageError, or the error of looking at the folder
 */
export function checkWritable(file: string): void {
  if (extname(file) === '.json')
    throw new UsageError(`--html ${file}: that would be a page of HTML`, '--json prints JSON');
  if (existsSync(file) && statSync(file).isDirectory()) throw new UsageError(`${file}: is a directory`);
  const folder = dirname(file);
  if (!existsSync(folder)) throw new UsageError(`${file}: no folder ${folder}`);
  if (!statSync(folder).isDirectory()) throw new UsageError(`${file}: ${folder} is not a directory`);
  accessSync(folder, constants.W_OK);
  if (existsSync(file)) accessSync(file, constants.W_OK);
}

/** Writes the page whole or not at all. @returns bytes */
export function writePage(file: string, html: string): number {
  const part = join(dirname(file), `.${basename(file)}.${randomBytes(4).toString('hex')}`);
  try {
    writeFileSync(part, html);
    renameSync(part, file);
  } finally {
    rmSync(part, { force: true });
  }
  return Buffer.byteLength(html);
}
