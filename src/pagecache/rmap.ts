/**
 * Reverse mappings: which page-table entries map a folio. Inside a step, as under the page-table lock.
 */
import type { Kernel } from '../kernel.ts';
import { folioLock, holds } from '../locks/lock.ts';
import { markFolioDirty } from './folio.ts';

/** Calls `visit` for every present PTE of the folio. */
function eachPte(
  k: Kernel,
  ino: number,
  index: number,
  visit: (pte: ReturnType<Kernel['pte']>) => void,
): void {
  for (const mm of k.world.firstKeys('pte')) {
    for (const vpn of k.world.secondKeys('pte', mm)) {
      const pte = k.pte(mm, vpn);
      if (pte.present && pte.ino === ino && pte.index === index && pte.anon === null) visit(pte);
    }
  }
}

/** Write-protects and cleans every PTE of the folio; true when one was writable or dirty. @source mm/rmap.c folio_mkclean */
export function folioMkclean(k: Kernel, ino: number, index: number): boolean {
  k.warnOn('clean-unlocked', !holds(k, folioLock(ino, index)));
  let cleaned = false;
  eachPte(k, ino, index, (pte) => {
    if (!pte.writable && !pte.dirty) return;
    pte.writable = pte.dirty = false;
    cleaned = true;
  });
  return cleaned;
}

/** Removes every PTE of the folio, moving PTE dirt to it. @source mm/rmap.c try_to_unmap; mm/memory.c unmap_mapping_folio */
export function unmapFolio(k: Kernel, ino: number, index: number): void {
  eachPte(k, ino, index, (pte) => {
    if (pte.dirty) markFolioDirty(k, ino, index);
    clearPte(pte);
  });
}

/**
 * Removes the PTEs of pages [from, to) of a file, moving PTE dirt to the folios.
 * @param evenCows  private copies go, too
 * @source mm/memory.c unmap_mapping_range
 */
export function unmapMappingRange(k: Kernel, ino: number, from: number, to: number, evenCows: boolean): void {
  for (const mm of k.world.firstKeys('pte')) {
    for (const vpn of k.world.secondKeys('pte', mm)) {
      const pte = k.pte(mm, vpn);
      if (!pte.present || pte.ino !== ino || pte.index < from || pte.index >= to) continue;
      if (pte.anon !== null && !evenCows) continue;
      if (pte.dirty && pte.anon === null) markFolioDirty(k, ino, pte.index);
      clearPte(pte);
    }
  }
}

export function clearPte(pte: ReturnType<Kernel['pte']>): void {
  pte.present = pte.writable = pte.dirty = false;
  pte.ino = pte.index = 0;
  pte.anon = null;
}

/** Is the folio mapped anywhere, writable anywhere, dirty in a PTE? */
export function folioMapping(
  k: Kernel,
  ino: number,
  index: number,
): { mapped: boolean; writable: boolean; dirty: boolean } {
  const seen = { mapped: false, writable: false, dirty: false };
  eachPte(k, ino, index, (pte) => {
    seen.mapped = true;
    seen.writable ||= pte.writable;
    seen.dirty ||= pte.dirty;
  });
  return seen;
}

/**
 * PG_dirty off and PTEs write-protected; true when the folio was dirty afterwards. A PTE's dirt goes to the folio
 * first, so that it is not lost. Tags stay: writeback clears them.
 * @source mm/page-writeback.c folio_clear_dirty_for_io
 */
export function clearDirtyForIo(k: Kernel, ino: number, index: number): boolean {
  if (folioMkclean(k, ino, index)) markFolioDirty(k, ino, index);
  const folio = k.folio(ino, index);
  const was = folio.dirty;
  folio.dirty = false;
  return was;
}
