/** Pages to look at: from what the scenario files record, so that no test waits for a race. */
import { makeReport, reportPage } from '../../../src/cli/report.ts';
import { loadScenarios } from '../../../src/cli/scenarioFiles.ts';
import { DESIGNS, designById } from '../../../src/designs/index.ts';
import type { PackedCells, Report } from '../../../src/viewer/report.ts';

export function recordedReport(names: readonly string[], designs: readonly string[] | 'all'): Report {
  return makeReport({
    command: 'playground',
    scenarios: loadScenarios(names),
    designs: designs === 'all' ? DESIGNS : designs.map((id) => designById(id)!),
    cells: null,
    reach: [],
    lockdep: [],
  });
}

export const recordedPage = async (
  names: readonly string[],
  designs: readonly string[] | 'all',
): Promise<string> => reportPage(recordedReport(names, designs));

/** As large as a race would make it: every violation with a long schedule, every cell with a long reach. */
export function asIfRaced(report: Report): Report {
  const how =
    'exhaustive, 12,345,678 states, 1.2·10⁴⁵ schedules; 123456 power failures, 1234 media recovered';
  const schedules = Object.values(report.cells)
    .flatMap((row) => Object.values(row).flat())
    .flatMap((cell) => cell?.b ?? [])
    .flatMap(([, schedule]) => (schedule === 0 ? [] : [schedule]))
    .sort((a, b) => a.length - b.length);
  const long = schedules[Math.floor(schedules.length * 0.95)]!;
  const grown = (cells: PackedCells): PackedCells =>
    JSON.parse(JSON.stringify(cells), (key, value) => {
      if (key === 'h') return how;
      if (key === 'b') return (value as [string, string | 0][]).map(([id]) => [id, long]);
      return value;
    });
  return {
    ...report,
    from: 'race',
    cells: grown(report.cells),
    crash: grown(report.crash),
    reach: [how, how],
  };
}
