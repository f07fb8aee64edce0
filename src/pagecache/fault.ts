/**
 * Page tables: faults, loads and stores, munmap. A store or load is one step; a fault before it is many.
 *
 *   load    PTE present ─────────────────────────▶ bytes of the folio
 *           absent ─▶ filemap_fault ─▶ PTE read-only
 *   store   PTE writable ────────────────────────▶ bytes of the folio, PTE dirty
 *           absent or read-only ─▶ (filemap_fault) ─▶ page_mkwrite ─▶ folio dirty, PTE writable and dirty
 *
 * Locks: mmap_lock shared around a fault ▸ invalidate_lock shared ▸ folio lock. The store itself holds nothing: it
 * may come after a truncate or a write-protect, and then it faults again.
 *
 * Not modelled: per-VMA locks (they behave as mmap_lock shared here), pages mapped around a read fault, huge pages, swap; a
 * thread that unmaps what another thread of its process has mapped: each has mappings of its own.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { isErr } from '../errno.ts';
import type { VmaView } from '../hooks.ts';
import { hasInlineData } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { folioLock, invalidateLock, lock, mmapLock, unlock } from '../locks/lock.ts';
import { modelCheck, modelStore } from '../model.ts';
import type { Op } from '../task.ts';
import { AGAIN, call, step } from '../task.ts';
import { type ReadInlineFolio, readBlocks, readFolio } from './filemap.ts';
import { folioData, getFolioLocked, markFolioDirty, setFolioData, unlockFolio } from './folio.ts';
import { asyncReadahead, mmapReadAround } from './readahead.ts';
import { clearPte } from './rmap.ts';
import { balanceDirtyPages, isThrottled } from './throttle.ts';

/** What a fault came to. `retry`: look at the PTE again. `…-released`: mmap_lock is given back already. */
export type FaultResult = 'done' | 'retry' | 'sigbus' | `${'done' | 'retry' | 'sigbus'}-released`;

/** Pages of address space between two mappings. */
const VMA_SPAN = 0x10000;

/** Virtual page number of a page of mapping `slot`. */
export const vpnOf = (slot: number, page: number): number => slot * VMA_SPAN + page;

/** Inside a step. */
export function vmaView(k: Kernel, slot: number, allowRetry = true): VmaView {
  const { ino, write, mayWrite, shared } = k.vma(k.mm, slot);
  return { slot, ino, write, mayWrite, shared, allowRetry };
}

/**
 * Brings the folio in, uptodate and locked.
 * @returns 'sigbus' past i_size
 * @locks   invalidate_lock shared while it is read; folio lock held for 'done'
 * @source  mm/filemap.c filemap_fault
 */
function* filemapFault(
  k: Kernel,
  ino: number,
  index: number,
  file: number,
  inline: ReadInlineFolio,
): Op<FaultResult> {
  for (;;) {
    const state = yield* step(k, 'page inside i_size? cached?', () => {
      if (index >= Math.ceil(k.inode(ino).size / PAGE_SIZE)) return 'sigbus';
      const folio = k.folio(ino, index);
      if (folio.present && folio.readahead !== 0) asyncReadahead(k, ino, file, index, readBlocks);
      return folio.present && folio.uptodate ? 'ready' : folio.present ? 'stale' : 'absent';
    });
    if (state === 'sigbus') return 'sigbus';
    if (state !== 'ready') {
      yield* lock(k, invalidateLock(ino), 'shared');
      const got = yield* call(k, '__filemap_get_folio', () => getFolioLocked(k, ino, index));
      if (isErr(got)) {
        // VM_FAULT_OOM: the program runs into the fault again.
        yield* unlock(k, invalidateLock(ino));
        return 'retry';
      }
      const uptodate = yield* step(k, 'folio_test_uptodate?', () => {
        const { uptodate, buffers } = k.folio(ino, index);
        if (!uptodate && state === 'absent' && !buffers && !hasInlineData(k, ino))
          mmapReadAround(k, ino, file, index, readBlocks);
        return uptodate;
      });
      if (!uptodate) {
        const read = yield* call(k, 'ext4_read_folio', () => readFolio(k, ino, index, inline));
        yield* unlock(k, invalidateLock(ino));
        if (isErr(read)) return 'sigbus';
        continue;
      }
      yield* unlock(k, invalidateLock(ino));
    } else {
      yield* lock(k, folioLock(ino, index));
    }
    const final = yield* step(k, 'still ours, uptodate, inside i_size?', () => {
      const folio = k.folio(ino, index);
      if (!folio.present || !folio.uptodate) return 'again';
      return index >= Math.ceil(k.inode(ino).size / PAGE_SIZE) ? 'sigbus' : 'done';
    });
    if (final === 'done') return 'done';
    yield* unlockFolio(k, ino, index);
    if (final === 'sigbus') return 'sigbus';
  }
}

/** Inside a step. */
function setPte(k: Kernel, slot: number, page: number, ino: number, index: number, writable: boolean): void {
  const pte = k.pte(k.mm, vpnOf(slot, page));
  pte.present = true;
  pte.writable = pte.dirty = writable;
  pte.ino = ino;
  pte.index = index;
}

/**
 * One fault.
 * @locks   mmap_lock shared, released
 * @source  mm/memory.c handle_mm_fault, do_read_fault, do_shared_fault, do_wp_page
 */
export function* handleFault(
  k: Kernel,
  slot: number,
  page: number,
  write: boolean,
  inline: ReadInlineFolio,
): Op<FaultResult> {
  yield* lock(k, mmapLock(k.mm), 'shared');
  const result = yield* faultHeld(k, slot, page, write, inline, true);
  if (result === 'done-released') return 'done';
  if (result === 'retry-released') return 'retry';
  if (result === 'sigbus-released') return 'sigbus';
  yield* unlock(k, mmapLock(k.mm));
  return result;
}

/**
 * One fault of a caller that holds mmap_lock.
 * @param allowRetry  FAULT_FLAG_ALLOW_RETRY: a hook may give mmap_lock back
 * @locks   mmap_lock shared, held on return unless the answer says `released`
 * @source  mm/memory.c handle_mm_fault
 */
export function* faultHeld(
  k: Kernel,
  slot: number,
  page: number,
  write: boolean,
  inline: ReadInlineFolio,
  allowRetry: boolean,
): Op<FaultResult> {
  const pteState = yield* step(k, 'look at the PTE', () => {
    const { live, ino, pgoff, file } = k.vma(k.mm, slot);
    if (!live) return { state: 'gone', ino, pgoff, file } as const;
    const pte = k.pte(k.mm, vpnOf(slot, page));
    const state = !pte.present ? 'none' : !write || pte.writable ? 'fine' : 'readonly';
    return { state, ino, pgoff, file } as const;
  });
  const { ino, file } = pteState;
  const index = pteState.pgoff + page;
  let result: FaultResult = 'done';
  if (pteState.state === 'gone') result = 'sigbus';
  else if (pteState.state === 'none') {
    result = yield* call(k, 'filemap_fault', () => filemapFault(k, ino, index, file, inline));
    if (result === 'done') {
      if (!write) {
        yield* step(k, 'set PTE read-only', () => setPte(k, slot, page, ino, index, false));
        yield* unlockFolio(k, ino, index);
      } else {
        yield* unlockFolio(k, ino, index);
        result = yield* call(k, 'do_page_mkwrite', () => doPageMkwrite(k, slot, page, index, allowRetry));
      }
    }
  } else if (pteState.state === 'readonly') {
    result = yield* call(k, 'do_page_mkwrite', () => doPageMkwrite(k, slot, page, index, allowRetry));
  }
  return result;
}

/**
 * page_mkwrite, then the writable and dirty PTE, then dirty throttling, without mmap_lock where it may be given back.
 * @source mm/memory.c do_page_mkwrite, fault_dirty_shared_page
 */
function* doPageMkwrite(
  k: Kernel,
  slot: number,
  page: number,
  index: number,
  allowRetry: boolean,
): Op<FaultResult> {
  const vma = yield* step(k, 'vma', () => vmaView(k, slot, allowRetry));
  const fault = yield* call(k, 'ext4_page_mkwrite', () => k.hooks.pageMkwrite(k, vma, index));
  if (fault === 'sigbus') return 'sigbus';
  if (fault === 'sigbus-released') return fault;
  if (fault === 'retry') return 'retry-released';
  if (fault === 'nopage') return 'retry';
  if (fault !== 'locked')
    throw new TypeError(`pageMkwrite answers ${JSON.stringify(fault)}, which is no VmFault`);
  const ours = yield* step(k, 'finish_fault; fault_dirty_shared_page', () => {
    k.reach('ext4_page_mkwrite');
    if (!k.folio(vma.ino, index).present) return false;
    setPte(k, slot, page, vma.ino, index, true);
    markFolioDirty(k, vma.ino, index);
    return true;
  });
  yield* unlockFolio(k, vma.ino, index);
  if (!ours || !isThrottled(k)) return ours ? 'done' : 'retry';
  if (allowRetry) yield* unlock(k, mmapLock(k.mm));
  yield* call(k, 'balance_dirty_pages_ratelimited', () => balanceDirtyPages(k));
  return allowRetry ? 'done-released' : 'done';
}

/** Inside a step: stores bytes inside one page as its PTE lets it; false when it would fault. */
export function storeNow(k: Kernel, slot: number, page: number, at: number, data: Bytes): boolean {
  const pte = k.pte(k.mm, vpnOf(slot, page));
  const { shared } = k.vma(k.mm, slot);
  if (!pte.present) return false;
  if (!shared) {
    pte.anon = (pte.anon ?? folioData(k, pte.ino, pte.index)).splice(at, data);
    return true;
  }
  if (!pte.writable) return false;
  pte.dirty = true;
  storeInFolio(k, pte.ino, pte.index, at, data);
  return true;
}

/** Inside a step: bytes arrive in a folio through a mapping, the task's or the kernel's own. */
export function storeInFolio(k: Kernel, ino: number, index: number, at: number, data: Bytes): void {
  setFolioData(k, ino, index, folioData(k, ino, index).splice(at, data));
  modelStore(k, ino, index * PAGE_SIZE + at, data);
}

/**
 * Stores bytes inside one page; one turn of a loop.
 * @returns false for SIGBUS
 */
export function* storePage(
  k: Kernel,
  slot: number,
  page: number,
  at: number,
  data: Bytes,
  inline: ReadInlineFolio,
): Op<boolean | typeof AGAIN> {
  const stored = yield* step(k, 'store', () => (storeNow(k, slot, page, at, data) ? 'done' : 'fault'));
  if (stored === 'done') return true;
  const isShared = yield* step(k, 'vma shared?', () => k.vma(k.mm, slot).shared);
  const fault = yield* call(k, 'handle_mm_fault', () => handleFault(k, slot, page, isShared, inline));
  return fault === 'sigbus' ? false : AGAIN;
}

/** Inside a step: bytes of one page as its PTE shows them; null when it would fault. */
export function loadNow(k: Kernel, slot: number, page: number, at: number, length: number): Bytes | null {
  const pte = k.pte(k.mm, vpnOf(slot, page));
  if (!pte.present) return null;
  if (pte.anon !== null) return pte.anon.slice(at, at + length);
  const bytes = folioData(k, pte.ino, pte.index).slice(at, at + length);
  const pos = pte.index * PAGE_SIZE + at;
  const inside = Math.max(0, Math.min(length, k.ghost(pte.ino).size - pos, k.inode(pte.ino).size - pos));
  if (inside > 0) modelCheck(k, pte.ino, pos, bytes.slice(0, inside));
  return bytes;
}

/** Loads bytes inside one page; null for SIGBUS. One turn of a loop. */
export function* loadPage(
  k: Kernel,
  slot: number,
  page: number,
  at: number,
  length: number,
  inline: ReadInlineFolio,
): Op<Bytes | null | typeof AGAIN> {
  const loaded = yield* step(k, 'load', () => loadNow(k, slot, page, at, length));
  if (loaded !== null) return loaded;
  const fault = yield* call(k, 'handle_mm_fault', () => handleFault(k, slot, page, false, inline));
  return fault === 'sigbus' ? null : AGAIN;
}

/** Inside a step: pages [from, to) of a mapping fault again; PTE dirt goes to the folios, private copies are gone. */
export function zapPages(k: Kernel, slot: number, from: number, to: number): void {
  for (let page = from; page < Math.min(to, VMA_SPAN); page++) {
    if (!k.world.secondKeys('pte', k.mm).includes(vpnOf(slot, page))) continue;
    const pte = k.pte(k.mm, vpnOf(slot, page));
    if (!pte.present) continue;
    if (pte.dirty && pte.anon === null) markFolioDirty(k, pte.ino, pte.index);
    clearPte(pte);
  }
}

/**
 * Takes pages of a mapping out of the page table, moving PTE dirt to the folios.
 * @locks   mmap_lock exclusive
 * @source  mm/mmap.c do_vmi_munmap; mm/memory.c zap_pte_range
 */
export function* munmap(k: Kernel, slot: number): Op<void> {
  yield* lock(k, mmapLock(k.mm));
  yield* step(k, 'zap_pte_range', () => {
    const vma = k.vma(k.mm, slot);
    zapPages(k, slot, 0, vma.pages);
    vma.live = vma.read = vma.write = vma.mayWrite = vma.shared = false;
    vma.startPage = vma.pages = vma.ino = vma.pgoff = vma.length = vma.file = 0;
    vma.dentryDir = 0;
    vma.dentryName = null;
  });
  yield* unlock(k, mmapLock(k.mm));
}
