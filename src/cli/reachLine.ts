/** One line that says how far every "holds" reaches. */
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
