/**
 * One line on stderr, rewritten: `race  120/400 schedules  1,200/s  ETA 3s`. Written only to a terminal, at most ten
 * times a second; whatever else is said clears it first. Elsewhere every call does nothing.
 */

export interface Progress {
  /** @param total  null where it is not known: then there is a rate and no ETA */
  update(label: string, done: number, total: number | null): void;
  /** Takes the line away. */
  clear(): void;
}

export interface ProgressTarget {
  readonly write: (text: string) => void;
  readonly isTerminal: boolean;
  readonly columns: number;
  /** Milliseconds, from any origin. */
  readonly now: () => number;
}

const INTERVAL_MS = 100;
/** Before this a rate is noise. */
const SETTLE_MS = 300;

export function createProgress(target: ProgressTarget): Progress {
  if (!target.isTerminal) return { update() {}, clear() {} };
  let shown = false;
  let lastAt = Number.NEGATIVE_INFINITY;
  let kind = '';
  let startAt = 0;
  let startDone = 0;
  return {
    update(newLabel, done, total) {
      const now = target.now();
      // What is done changes its name with every scenario; what is counted does not.
      const newKind = newLabel.split(' ')[0]!;
      if (newKind !== kind || done < startDone) {
        kind = newKind;
        startAt = now;
        startDone = done;
        lastAt = Number.NEGATIVE_INFINITY;
      }
      if (now - lastAt < INTERVAL_MS && done !== total) return;
      lastAt = now;
      const elapsed = now - startAt;
      const rate = elapsed >= SETTLE_MS ? ((done - startDone) / elapsed) * 1000 : null;
      const text = progressText(newLabel, done, total, rate).slice(0, target.columns - 1);
      target.write(`\r\u001b[2K${text}`);
      shown = true;
    },
    clear() {
      if (shown) target.write('\r\u001b[2K');
      shown = false;
    },
  };
}

/** @param ratePerSecond  null while it is not known */
export function progressText(
  label: string,
  done: number,
  total: number | null,
  ratePerSecond: number | null,
): string {
  const parts = [`${label}  ${count(done)}${total === null ? '' : `/${count(total)}`}`];
  if (ratePerSecond !== null && ratePerSecond > 0) {
    parts.push(`${ratePerSecond >= 10 ? count(Math.round(ratePerSecond)) : ratePerSecond.toFixed(1)}/s`);
    if (total !== null && total > done) parts.push(`ETA ${duration((total - done) / ratePerSecond)}`);
  }
  return parts.join('  ');
}

/** 1234567 as 1,234,567, whatever the locale. */
export function count(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

function duration(seconds: number): string {
  const s = Math.ceil(seconds);
  if (s < 60) return `${s}s`;
  const m = Math.floor(s / 60);
  return m < 60
    ? `${m}m${String(s % 60).padStart(2, '0')}s`
    : `${Math.floor(m / 60)}h${String(m % 60).padStart(2, '0')}m`;
}
