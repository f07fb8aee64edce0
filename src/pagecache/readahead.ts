/**
 * Readahead: what a read or a fault that misses brings in besides. It shows where nothing is mapped: SEEK_DATA takes an
 * uptodate page of an unwritten extent for data.
 *
 *   miss ── sync ──▶ a window, one of its folios marked ── the marked one is looked at ── async ──▶ the next window
 *
 * An open file description remembers its last window and where it read last. From its second window on a file's folios
 * are large in the kernel; here they are pages that carry one mark together, and nothing else of a large folio.
 *
 * Not modelled: MADV_RANDOM, MADV_SEQUENTIAL, MADV_HUGEPAGE, mappings that may be executed, mmap_miss (a hundred misses
 * without a hit), the lock of the mapping that readahead takes for itself.
 *
 * All functions run inside a step.
 */
import { isErr, type Result } from '../errno.ts';
import { shouldJournalData } from '../inode/journalMode.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import type { Rec } from '../state/tables.ts';

/** Pages of a window: 128 KiB. @source include/linux/backing-dev-defs.h VM_READAHEAD_PAGES */
const WINDOW = 32;
/** Pages that one request to the device may have, more than a window. @source block/blk-settings.c (io_pages of a loop device) */
const IO_PAGES = 320;

/** How a page is read that readahead has added: an error leaves it out. */
export type ReadPage = (k: Kernel, ino: number, index: number) => Result<void>;

type State = Pick<Rec<'readahead'>, 'start' | 'size' | 'asyncSize' | 'order' | 'prevPage'>;

/** Of an open file description, by `file.id`; 0 for a reader without a file, which remembers nothing. */
const windowOf = (k: Kernel, file: number): State =>
  file === 0 ? { start: 0, size: 0, asyncSize: 0, order: 0, prevPage: 0 } : k.readahead(file);

/** The open file description is a new one, or gone. */
export function forgetReadahead(k: Kernel, file: number): void {
  const state = windowOf(k, file);
  state.start = state.size = state.asyncSize = state.order = state.prevPage = 0;
}

/** A read has come to byte `pos`. @source mm/filemap.c filemap_read (prev_pos) */
export function readUpTo(k: Kernel, file: number, pos: number): void {
  if (file !== 0) k.readahead(file).prevPage = Math.floor(pos / PAGE_SIZE) + 1;
}

/**
 * Page `index` was not there: it has just been added, and is read by the caller.
 * @param count  pages that are wanted, from `index` on
 * @source       mm/readahead.c page_cache_sync_ra
 */
export function syncReadahead(
  k: Kernel,
  ino: number,
  file: number,
  index: number,
  count: number,
  read: ReadPage,
): void {
  const state = windowOf(k, file);
  const max = maxPages(count);
  const previous = state.prevPage - 1;
  if (index === 0 || count > max || (previous >= 0 && (index === previous || index === previous + 1))) {
    state.start = index;
    state.size = initialSize(count, max);
    state.asyncSize = state.size > count ? state.size - count : state.size >> 1;
  } else {
    let cached = 0;
    while (cached < index && cached < max && k.folio(ino, index - 1 - cached).present) cached++;
    if (cached <= count) return addPages(k, ino, index, index, count, 0, read);
    state.start = index;
    state.size = Math.min((cached === index ? 2 * cached : cached) + count, max);
    state.asyncSize = 1;
  }
  state.order = 0;
  addFolios(k, ino, state, index, read);
}

/**
 * A page was not there at a fault, as above: the window around it. @source mm/filemap.c do_sync_mmap_readahead
 */
export function mmapReadAround(k: Kernel, ino: number, file: number, index: number, read: ReadPage): void {
  const state = windowOf(k, file);
  state.start = Math.max(0, index - WINDOW / 2);
  state.size = WINDOW;
  state.asyncSize = WINDOW / 4;
  state.order = 0;
  addFolios(k, ino, state, index, read);
}

/**
 * Page `index` is there; if it carries the mark, the window after it is read.
 * @param end  the page after the last that is wanted; left out: a window's worth, as a fault wants
 * @source mm/readahead.c page_cache_async_ra; mm/filemap.c do_async_mmap_readahead, filemap_readahead
 */
export function asyncReadahead(
  k: Kernel,
  ino: number,
  file: number,
  index: number,
  read: ReadPage,
  end?: number,
): void {
  const { readahead: mark, writeback } = k.folio(ino, index);
  if (mark === 0 || writeback) return;
  const head = mark - 1;
  const pages = clearMark(k, ino, index);
  const state = windowOf(k, file);
  const count = end === undefined ? WINDOW : end - head;
  const max = maxPages(count);
  const expected = state.start + state.size - state.asyncSize;
  if (head === expected - (expected % pages)) {
    state.start += state.size;
    state.size = Math.max(state.size, nextSize(state.size, max));
  } else {
    let next = head + 1;
    while (next - head <= max && k.folio(ino, next).present) next++;
    if (next - head > max) return;
    state.start = next;
    state.size = nextSize(next - head + count, max);
  }
  state.order += 2;
  const align = 1 << Math.min(state.order, 31 - Math.clz32(max & -max));
  const stop = state.start + state.size;
  const aligned = stop - (stop % align);
  if (aligned > state.start) state.size = aligned - state.start;
  state.asyncSize = state.size;
  addFolios(k, ino, state, -1, read);
}

/** The mark goes, from all pages that carry it together: they are dirtied, or were written. @returns how many */
export function clearMark(k: Kernel, ino: number, index: number): number {
  const mark = k.folio(ino, index).readahead;
  if (mark === 0) return 0;
  let pages = 0;
  for (let at = mark - 1; k.folio(ino, at).readahead === mark; at++) {
    k.folio(ino, at).readahead = 0;
    pages++;
  }
  return pages;
}

/** @source mm/readahead.c ractl_max_pages */
const maxPages = (count: number): number => (count > WINDOW ? Math.min(count, IO_PAGES) : WINDOW);

/** @source mm/readahead.c get_init_ra_size */
function initialSize(count: number, max: number): number {
  const size = 2 ** Math.ceil(Math.log2(count));
  return size <= max / 32 ? 4 * size : size <= max / 4 ? 2 * size : max;
}

/** @source mm/readahead.c get_next_ra_size */
const nextSize = (size: number, max: number): number =>
  size < max / 16 ? 4 * size : size <= max / 2 ? 2 * size : max;

/**
 * The window of `state`, in folios of its order; page by page from the first place on that is taken.
 * @param wanted  the page that its reader has added already; -1 for none
 * @source        mm/readahead.c page_cache_ra_order, ra_alloc_folio
 */
function addFolios(k: Kernel, ino: number, state: State, wanted: number, read: ReadPage): void {
  const { start, size, asyncSize } = state;
  if (shouldJournalData(k, ino)) {
    state.order = 0;
    return addPages(k, ino, wanted, start, size, asyncSize, read);
  }
  state.order = Math.min(state.order, Math.floor(Math.log2(size)));
  const limit = Math.min(lastPage(k, ino), start + size - 1);
  const mark = start + size - asyncSize;
  for (let at = start; at <= limit; ) {
    let order = state.order;
    if (at % (1 << order) !== 0) order = 31 - Math.clz32(at & -at);
    while (order > 0 && at + (1 << order) - 1 > limit) order--;
    const pages = Array.from({ length: 1 << order }, (_, i) => at + i);
    if (pages.some((page) => page !== wanted && k.folio(ino, page).present)) {
      return addPages(k, ino, wanted, at, size - (at - start), asyncSize, read);
    }
    for (const page of pages) if (page !== wanted) addPage(k, ino, page, read);
    if (mark - (mark % pages.length) === at) {
      for (const page of pages) k.folio(ino, page).readahead = at + 1;
    }
    at += pages.length;
  }
}

/**
 * Single pages from `first` on, as far as the file goes; those that are there are passed over.
 * @param ahead  as many before the last get the mark: the first of them
 * @source       mm/readahead.c do_page_cache_ra, page_cache_ra_unbounded
 */
function addPages(
  k: Kernel,
  ino: number,
  wanted: number,
  first: number,
  count: number,
  ahead: number,
  read: ReadPage,
): void {
  const last = lastPage(k, ino);
  if (first > last) return;
  const pages = count > last - first ? last - first + 1 : count;
  for (let page = first; page < first + pages; page++) {
    const mine = page === wanted;
    if (k.folio(ino, page).present && !mine) continue;
    if (!mine) addPage(k, ino, page, read);
    if (page - first === pages - ahead) k.folio(ino, page).readahead = page + 1;
  }
}

function addPage(k: Kernel, ino: number, page: number, read: ReadPage): void {
  k.folio(ino, page).present = true;
  if (isErr(read(k, ino, page))) k.folio(ino, page).present = false;
}

/** -1 for an empty file. */
const lastPage = (k: Kernel, ino: number): number => Math.ceil(k.inode(ino).size / PAGE_SIZE) - 1;
