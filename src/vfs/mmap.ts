/**
 * mmap(2), mprotect(2), msync(2), mremap(2), madvise(2), and the loads and stores of a task.
 */
import { Bytes } from '../bytes/bytes.ts';
import { err, isErr, type Result } from '../errno.ts';
import type { VmaView } from '../hooks.ts';
import { readpageInline } from '../inline/ops.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { lock, mmapLock, unlock } from '../locks/lock.ts';
import { modelPromise, modelSnapshot } from '../model.ts';
import { loadPage, storePage, vpnOf, zapPages } from '../pagecache/fault.ts';
import type { Rec } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, loop, step } from '../task.ts';
import { syncFile } from '../writeback/sync.ts';

/** Slots of one thread: threads of a process keep lists of their own in the address space they share. */
const THREAD_SLOTS = 1024;

const firstSlot = (k: Kernel): number => (k.task - k.mm) * THREAD_SLOTS;

/** Slots of the mappings that this thread made, ascending. Inside a step. */
export function ownMappings(k: Kernel): number[] {
  const first = firstSlot(k);
  return k.world
    .secondKeys('vma', k.mm)
    .filter((slot) => slot >= first && slot < first + THREAD_SLOTS && k.vma(k.mm, slot).live);
}

export interface MmapRequest {
  readonly ino: number;
  readonly offset: number;
  readonly length: number;
  readonly read: boolean;
  readonly write: boolean;
  readonly mayWrite: boolean;
  readonly shared: boolean;
  /** `file.id` of the open file description that is mapped. */
  readonly file: number;
}

/**
 * @returns the slot of the new mapping, or what a design's hook answered
 * @locks   (preMmap) ▸ mmap_lock exclusive ▸ (mmap)
 * @source  mm/util.c vm_mmap_pgoff; fs/ext4/file.c ext4_file_mmap
 */
export function* mmap(k: Kernel, request: MmapRequest): Op<Result<number>> {
  const slot = yield* step(k, 'get_unmapped_area', () => {
    const own = ownMappings(k);
    // Behind the last, so that they stay in the order in which they were made.
    const next = own.length === 0 ? firstSlot(k) : own.at(-1)! + 1;
    if (next < firstSlot(k) + THREAD_SLOTS) return next;
    let free = firstSlot(k);
    while (free < next && k.vma(k.mm, free).live) free++;
    return free;
  });
  if (slot >= firstSlot(k) + THREAD_SLOTS) return err('ENOMEM');
  const { ino, write, mayWrite, shared } = request;
  const view: VmaView = { slot, ino, write, mayWrite, shared, allowRetry: true };
  const ready = yield* k.hooks.preMmap(k, view);
  if (isErr(ready)) return ready;
  yield* lock(k, mmapLock(k.mm));
  const hooked = yield* call(k, 'ext4_file_mmap', () => k.hooks.mmap(k, view));
  if (!isErr(hooked)) {
    yield* step(k, 'vma_link', () => {
      const vma = k.vma(k.mm, slot);
      vma.live = true;
      vma.startPage = vpnOf(slot, 0);
      vma.pages = Math.ceil(request.length / PAGE_SIZE);
      vma.length = request.length;
      vma.ino = ino;
      vma.pgoff = Math.floor(request.offset / PAGE_SIZE);
      vma.read = request.read;
      vma.write = write;
      vma.mayWrite = mayWrite;
      vma.shared = shared;
      vma.file = request.file;
      const opened = openFile(k, request.file);
      vma.dentryDir = opened.dentryDir;
      vma.dentryName = opened.dentryName;
    });
  }
  yield* unlock(k, mmapLock(k.mm));
  return isErr(hooked) ? hooked : slot;
}

/** The open file of this task that has the number. Inside a step. */
function openFile(k: Kernel, id: number): Rec<'file'> {
  const slot = k.world.secondKeys('file', k.task).find((each) => k.file(k.task, each).id === id);
  if (slot === undefined) throw new Error(`no open file ${id}`);
  return k.file(k.task, slot);
}

/** Stores, page by page. @returns false when a page gave SIGBUS */
export function* store(k: Kernel, slot: number, pos: number, data: Bytes): Op<boolean> {
  const pgoff = yield* step(k, 'vma', () => k.vma(k.mm, slot).pgoff);
  let done = 0;
  while (done < data.length) {
    const at = pos + done;
    const inPage = at % PAGE_SIZE;
    const piece = data.slice(done, done + Math.min(data.length - done, PAGE_SIZE - inPage));
    const page = Math.floor(at / PAGE_SIZE) - pgoff;
    const ok = yield* loop(k, 'store', () => storePage(k, slot, page, inPage, piece, readpageInline));
    if (!ok) return false;
    done += piece.length;
  }
  return true;
}

/** Loads, page by page; null when a page gave SIGBUS. */
export function* load(k: Kernel, slot: number, pos: number, length: number): Op<Bytes | null> {
  const pgoff = yield* step(k, 'vma', () => k.vma(k.mm, slot).pgoff);
  const parts: Bytes[] = [];
  let done = 0;
  while (done < length) {
    const at = pos + done;
    const inPage = at % PAGE_SIZE;
    const take = Math.min(length - done, PAGE_SIZE - inPage);
    const page = Math.floor(at / PAGE_SIZE) - pgoff;
    const part = yield* loop(k, 'load', () => loadPage(k, slot, page, inPage, take, readpageInline));
    if (part === null) return null;
    parts.push(part);
    done += take;
  }
  return parts.length === 1 ? parts[0]! : Bytes.concat(parts);
}

/**
 * Changes the protection of a whole mapping; taking write away write-protects its PTEs.
 * @returns EACCES for write on a mapping of a file opened read-only
 * @locks   mmap_lock exclusive
 * @source  mm/mprotect.c do_mprotect_pkey
 */
export function* mprotect(k: Kernel, slot: number, read: boolean, write: boolean): Op<Result<void>> {
  yield* lock(k, mmapLock(k.mm));
  const ret = yield* step(k, 'mprotect_fixup', () => {
    const vma = k.vma(k.mm, slot);
    if (write && vma.shared && !vma.mayWrite) return false;
    vma.read = read;
    vma.write = write;
    if (!write) {
      for (let page = 0; page < vma.pages; page++) {
        if (k.world.secondKeys('pte', k.mm).includes(vpnOf(slot, page)))
          k.pte(k.mm, vpnOf(slot, page)).writable = false;
      }
    }
    return true;
  });
  yield* unlock(k, mmapLock(k.mm));
  return ret ? undefined : err('EACCES');
}

/**
 * MS_SYNC writes and waits for the pages of a shared mapping, with datasync; MS_ASYNC and a private mapping do nothing.
 * @param range    bytes of the file; left out: all that is mapped
 * @returns EINVAL when the range does not begin at a page
 * @source  mm/msync.c
 */
export function* msync(
  k: Kernel,
  slot: number,
  sync: boolean,
  range?: { readonly offset: number; readonly length: number },
): Op<Result<void>> {
  if (range !== undefined && range.offset % PAGE_SIZE !== 0) return err('EINVAL');
  if (!sync) return;
  const found = yield* step(k, 'find_vma', () => {
    const { ino, shared, mayWrite, pgoff, pages } = k.vma(k.mm, slot);
    // do_mmap takes VM_SHARED from the mapping of a file that is open for reading only.
    if (!shared || !mayWrite) return null;
    const start = range?.offset ?? pgoff * PAGE_SIZE;
    const length = range === undefined ? pages * PAGE_SIZE : Math.ceil(range.length / PAGE_SIZE) * PAGE_SIZE;
    return { ino, start, end: start + length, promise: modelSnapshot(k, ino) };
  });
  if (found === null) return;
  const { ino, start, end, promise } = found;
  const ret = yield* call(k, 'ext4_sync_file', () => syncFile(k, ino, true, start, end));
  if (!isErr(ret)) yield* step(k, 'msync returns', () => modelPromise(k, promise, start, end));
  return ret;
}

/**
 * Another length for a mapping. It grows only where it may move, since what is behind it is taken.
 * @returns EINVAL for a length of 0, ENOMEM
 * @locks   mmap_lock exclusive
 * @source  mm/mremap.c do_mremap
 */
export function* mremap(k: Kernel, slot: number, length: number, mayMove: boolean): Op<Result<void>> {
  const pages = Math.ceil(length / PAGE_SIZE);
  if (pages === 0) return err('EINVAL');
  yield* lock(k, mmapLock(k.mm));
  const ret = yield* step(k, 'do_mremap', (): Result<void> => {
    const vma = k.vma(k.mm, slot);
    if (pages > vma.pages && !mayMove) return err('ENOMEM');
    zapPages(k, slot, pages, vma.pages);
    vma.pages = pages;
    vma.length = length;
  });
  yield* unlock(k, mmapLock(k.mm));
  return ret;
}

/**
 * madvise(MADV_DONTNEED): pages fault again; what was private to the mapping is lost.
 * @param range  bytes of the file, or all of the mapping
 * @returns EINVAL when the range does not begin at a page
 * @locks   mmap_lock shared
 * @source  mm/madvise.c madvise_dontneed_single_vma
 */
export function* madviseDontneed(
  k: Kernel,
  slot: number,
  range: { readonly offset: number; readonly length: number } | 'mapping',
): Op<Result<void>> {
  if (range !== 'mapping' && range.offset % PAGE_SIZE !== 0) return err('EINVAL');
  yield* lock(k, mmapLock(k.mm), 'shared');
  yield* step(k, 'zap_page_range_single', () => {
    const { pgoff, pages } = k.vma(k.mm, slot);
    if (range === 'mapping') zapPages(k, slot, 0, pages);
    else {
      const end = Math.ceil((range.offset + range.length) / PAGE_SIZE);
      zapPages(k, slot, range.offset / PAGE_SIZE - pgoff, end - pgoff);
    }
  });
  yield* unlock(k, mmapLock(k.mm));
}
