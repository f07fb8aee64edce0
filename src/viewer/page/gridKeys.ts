/**
 * Arrows, Home, End and pages through the links of a table, heads of columns included; one link is in the tab order, the
 * one that had the focus last.
 */

const PAGE = 10;
const LINKS = 'td > a, thead th > a';

export function gridKeys(table: HTMLTableElement): void {
  const linkAt = (row: Element | undefined, column: number): HTMLElement | null => {
    const cells = row?.querySelectorAll<HTMLElement>(LINKS) ?? [];
    return cells[Math.max(0, Math.min(column, cells.length - 1))] ?? null;
  };
  table.addEventListener('focusin', (event) => {
    if (!(event.target instanceof HTMLElement) || !event.target.matches(LINKS)) return;
    for (const each of table.querySelectorAll('a[tabindex="0"]')) each.setAttribute('tabindex', '-1');
    event.target.setAttribute('tabindex', '0');
  });
  table.addEventListener('keydown', (event) => {
    const link = event.target instanceof Element ? event.target.closest(LINKS) : null;
    const tr = link?.closest('tr');
    if (link === null || tr === null || tr === undefined || event.altKey || event.metaKey) return;
    const rows = [...table.rows].filter((row) => row.querySelector(LINKS) !== null);
    const at = rows.indexOf(tr);
    const column = [...tr.querySelectorAll(LINKS)].indexOf(link);
    const last = rows.length - 1;
    const far = event.ctrlKey;
    const first = table.tHead?.querySelector(LINKS) == null ? 0 : 1;
    const [row, to] = ((): [number, number] => {
      switch (event.key) {
        case 'ArrowUp':
          return [Math.max(0, at - 1), column];
        case 'ArrowDown':
          return [Math.min(last, at + 1), column];
        case 'ArrowLeft':
          return [at, column - 1];
        case 'ArrowRight':
          return [at, column + 1];
        case 'Home':
          return [far ? first : at, 0];
        case 'End':
          return [far ? last : at, Number.MAX_SAFE_INTEGER];
        case 'PageUp':
          return [Math.max(0, at - PAGE), column];
        case 'PageDown':
          return [Math.min(last, at + PAGE), column];
        default:
          return [-1, 0];
      }
    })();
    if (row < 0) return;
    event.preventDefault();
    const next = linkAt(rows[row], to);
    next?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  });
}
