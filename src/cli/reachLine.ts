/** One line that says how far every "holds" reaches. */
import type { CrashCell } from '../compare/crash.ts';
import type { Cell } from '../compare/race.ts';
import { counted } from '../explore/explore.ts';

/** Thousands separated, exact. */
export function grouped(value: number | string | bigint): string {
  return String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

export function reachLine(cells: readonly Cell[]): string {
  const holds = cells.filter((cell) => cell.verdict === 'holds');
  const exhaustive = holds.filter(
    ({ reach }) => reach.complete && reach.strategy === 'exhaustive' && reach.preemptions === null,
  );
  const states = cells.reduce((sum, { reach }) => sum + reach.states, 0);
  const schedules = cells.reduce((sum, { reach }) => sum + BigInt(reach.schedules ?? 0), 0n);
  const rest = holds.length - exhaustive.length;
  return (
    `"holds" means: ${exhaustive.length} of ${holds.length} cells by exhaustive search over all interleavings of the ` +
    `model's steps${rest > 0 ? `, ${rest} within the bound shown` : ''}; ${counted(cells.length, 'cell')}, ` +
    `${counted(states, 'state')}, standing for ${grouped(schedules)} schedule${schedules === 1n ? '' : 's'}`
  );
}

/** How many power failures the verdicts stand on, and where the story of one is told. */
export function crashLine(cells: readonly CrashCell[]): string {
  const failures = cells.reduce((sum, { crash }) => sum + crash.failures, 0);
  const media = cells.reduce((sum, { crash }) => sum + crash.media, 0);
  const some = cells.filter(({ crash }) => !crash.all).length;
  const bounded = some === 0 ? '' : ` (in ${some} cells one block at a time past the limit)`;
  return (
    `power failures: ${grouped(failures)} over every step of every schedule, every choice of the writes that no flush ` +
    `followed${bounded}; ${grouped(media)} media recovered. The story of one: ext4lab crash SCENARIO --design D`
  );
}
