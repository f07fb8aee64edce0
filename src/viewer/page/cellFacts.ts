/** What a cell is opened with: the cells beside it, the medium that breaks it, a search of it, its verdict in words. */
import { startCrashSession, stateAt } from '../../compare/crash.ts';
import { Crasher, type CrashInvariantId } from '../../crash/crash.ts';
import type { Design } from '../../designs/design.ts';
import type { MountOption } from '../../scenario/image.ts';
import type { Image } from '../../volume/image.ts';
import type { Choice, RowCell } from '../cellChoice.ts';
import { brokenWords } from '../matrix.ts';
import { cellAt, type ReportCell } from '../report.ts';
import type { CellRoute } from '../route.ts';
import type { Frame } from './app.ts';
import type { Found } from './lab.ts';
import type { Asked } from './searches.ts';

/** The cells of the row: of the report, or found here. */
export function rowOf(frame: Frame, found: Found, mount: string, { power }: CellRoute): RowCell[] {
  const { report } = frame.lab;
  const ids = [...report.designs, ...frame.lab.designs.map(({ id }) => id)];
  return [...new Set(ids)].map((design) => ({
    design,
    cell:
      frame.searches.known(found.text, mount, design, power) ??
      (found.edited
        ? null
        : cellAt(report, power ? report.crash : report.cells, found.scenario.name, mount, design)),
  }));
}

/** Which of the media breaks what is shown: a schedule alone does not say. */
export function mediumOf(
  input: {
    scenario: Found['scenario'];
    image: Image;
    mount: readonly MountOption[];
    designs: readonly Design[];
  },
  { of, broken, schedule }: Choice,
  asked: number | null,
): number {
  if (asked !== null || schedule === null || broken === null) return asked ?? 0;
  const design = input.designs.find(({ id }) => id === of)!;
  const session = startCrashSession(input.scenario, input.image, design, input.mount);
  const { k } = stateAt(session, schedule);
  return new Crasher(session).examine(k)[broken as CrashInvariantId]?.medium.number ?? 0;
}

/** A search of this scenario. */
export async function askedOf(
  frame: Frame,
  found: Found,
  design: string,
  mount: string,
  more: {
    readonly power?: boolean;
    readonly lockdep?: boolean;
    readonly preemptions?: number | null;
    readonly seconds?: number | null;
  },
): Promise<Asked> {
  return {
    text: found.text,
    file: found.scenario.name,
    image: found.image === null ? null : await frame.lab.imageBytes(found.image),
    design,
    mount,
    preemptions: more.preemptions ?? null,
    seconds: more.seconds ?? null,
    power: more.power ?? false,
    lockdep: more.lockdep ?? false,
  };
}

/** `holds: …` and `breaks …` of the report, else what this one schedule showed. */
export function verdictText(cell: ReportCell | null, marks: readonly string[], found: Found): string {
  if (cell !== null) {
    if (cell.verdict === 'holds') return `holds: ${cell.how}.`;
    if (cell.verdict === 'violates') return `breaks ${brokenWords(cell).join(', ')} (${cell.how}).`;
    return `${cell.how}.`;
  }
  const what =
    marks.length === 0
      ? 'breaks nothing on this schedule'
      : `breaks ${[...new Set(marks)].join(', ')} on this schedule`;
  return `${what}${found.edited ? '' : '; the report has no verdict of it'}.`;
}
