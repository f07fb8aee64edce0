/**
 * Buffers of system calls that are mappings of the same task: what reading and writing them takes.
 *
 *   write(2)   fault_in_iov_iter_readable before write_begin, under i_rwsem; then the copy with page faults disabled, which
 *              stops where a page is gone again
 *   read(2)    the copy faults where it stands, with no lock of the file held
 *   O_DIRECT   pin_user_pages under i_rwsem: found writable for a read, and made dirty past page_mkwrite
 *   ptrace     get_user_pages_remote under mmap_lock: a fault that may not give the lock back
 *
 * Not modelled: a page that is cut off the file and read in again while it is pinned is the same page here; pins of a
 * private mapping for a read go by the page table.
 */
import { Bytes } from '../bytes/bytes.ts';
import { err, type Result } from '../errno.ts';
import { readpageInline } from '../inline/ops.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { lock, mmapLock, unlock } from '../locks/lock.ts';
import { faultHeld, handleFault, loadNow, storeInFolio, storeNow, vpnOf } from '../pagecache/fault.ts';
import type { CopyOut } from '../pagecache/filemap.ts';
import { folioData, lockIfPresent, unlockFolio } from '../pagecache/folio.ts';
import type { Op } from '../task.ts';
import { AGAIN, call, loop, step } from '../task.ts';

/** A buffer inside a mapping of the task. */
export interface MappedBuffer {
  readonly slot: number;
  /** First page of the mapping, as `vma.pgoff`. */
  readonly pgoff: number;
  /** Byte of the mapped file at which the buffer begins. */
  readonly pos: number;
  /** Bytes. */
  readonly length: number;
}

/** What write(2) is given: bytes that are there, or a mapping. */
export type UserBuffer = Bytes | MappedBuffer;

/** Part of a buffer. */
export function bufferSlice<T extends UserBuffer>(buffer: T, from: number, to: number): T {
  if (buffer instanceof Bytes) return buffer.slice(from, to) as T;
  return { ...buffer, pos: buffer.pos + from, length: to - from } as T;
}

/** The page of the mapping and the place in it of byte `done` of the buffer. */
function placeOf({ pos, pgoff }: MappedBuffer, done: number): { page: number; at: number } {
  const byte = pos + done;
  return { page: Math.floor(byte / PAGE_SIZE) - pgoff, at: byte % PAGE_SIZE };
}

/**
 * Brings the pages of a source in, for reading.
 * @returns bytes from the start that can be read now; they may be gone again before they are
 * @locks   mmap_lock shared ▸ what a read fault takes
 * @source  mm/gup.c fault_in_readable
 */
export function* faultInReadable(k: Kernel, source: MappedBuffer): Op<number> {
  const { slot, length } = source;
  for (let done = 0; done < length; ) {
    const { page, at } = placeOf(source, done);
    const there = yield* step(k, 'get_user', () => {
      const { present } = k.pte(k.mm, vpnOf(slot, page));
      if (!present) k.reach('fault_in_readable');
      return present;
    });
    if (there) {
      done += PAGE_SIZE - at;
      continue;
    }
    const fault = yield* call(k, 'handle_mm_fault', () => handleFault(k, slot, page, false, readpageInline));
    if (fault === 'sigbus') return done;
  }
  return length;
}

/** Inside a step: as many bytes as can be read without a fault. @source lib/iov_iter.c copy_folio_from_iter_atomic */
export function copyAtomic(k: Kernel, source: MappedBuffer): Bytes {
  const parts: Bytes[] = [];
  for (let done = 0; done < source.length; ) {
    const { page, at } = placeOf(source, done);
    const take = Math.min(source.length - done, PAGE_SIZE - at);
    const part = loadNow(k, source.slot, page, at, take);
    if (part === null) break;
    parts.push(part);
    done += take;
  }
  return Bytes.concat(parts);
}

/** The target of a read(2) that is a mapping. @source lib/iov_iter.c copy_folio_to_iter */
export function copyOutTo(k: Kernel, target: MappedBuffer): CopyOut {
  const { slot } = target;
  return {
    room: (done) => PAGE_SIZE - placeOf(target, done).at,
    put(done, bytes) {
      const { page, at } = placeOf(target, done);
      const put = storeNow(k, slot, page, at, bytes);
      if (!put) k.reach('copy_folio_to_iter.fault');
      return put;
    },
    *fault(done) {
      const { page } = placeOf(target, done);
      const shared = yield* step(k, 'vma shared?', () => k.vma(k.mm, slot).shared);
      const fault = yield* loop(k, 'handle_mm_fault', function* () {
        const fault = yield* handleFault(k, slot, page, shared, readpageInline);
        return fault === 'retry' ? AGAIN : fault;
      });
      return fault !== 'sigbus';
    },
  };
}

/** One pinned page: a folio, or the private copy that stands in its place. */
export interface Pin {
  readonly ino: number;
  readonly index: number;
  readonly page: number;
  readonly anon: Bytes | null;
}

/**
 * Inside a step: the page as get_user_pages finds it, or the fault that it needs. A private mapping is given its own copy
 * where it is to be written to.
 * @source mm/gup.c follow_page_pte
 */
function followPage(k: Kernel, slot: number, page: number, write: boolean): Pin | 'read' | 'write' {
  const pte = k.pte(k.mm, vpnOf(slot, page));
  const { shared } = k.vma(k.mm, slot);
  const store = write && shared;
  if (!pte.present || (store && !pte.writable)) return store ? 'write' : 'read';
  k.reach('follow_page');
  const { ino, index } = pte;
  if (write && !shared && pte.anon === null) pte.anon = folioData(k, ino, index);
  return { ino, index, page, anon: pte.anon };
}

/**
 * Pins the pages of a buffer.
 * @param write  they will be written to
 * @returns      one pin a page; EFAULT
 * @locks        mmap_lock shared ▸ what a fault takes; nothing is held on return
 * @source       mm/gup.c pin_user_pages_fast; block/bio.c bio_iov_iter_get_pages
 */
export function* pinUserPages(k: Kernel, buffer: MappedBuffer, write: boolean): Op<Result<readonly Pin[]>> {
  const { slot, length } = buffer;
  const pins: Pin[] = [];
  for (let done = 0; done < length; ) {
    const { page, at } = placeOf(buffer, done);
    const pin = yield* loop(k, '__get_user_pages', () => pinPage(k, slot, page, write));
    if (pin === null) return err('EFAULT');
    pins.push(pin);
    done += PAGE_SIZE - at;
  }
  return pins;
}

/** One page, or null for EFAULT. One turn of a loop. */
function* pinPage(k: Kernel, slot: number, page: number, write: boolean): Op<Pin | null | typeof AGAIN> {
  const pin = yield* step(k, 'follow_page_mask', () => followPage(k, slot, page, write));
  if (typeof pin !== 'string') return pin;
  const fault = yield* call(k, 'faultin_page', () =>
    handleFault(k, slot, page, pin === 'write', readpageInline),
  );
  return fault === 'sigbus' ? null : AGAIN;
}

/** Inside a step: the bytes of a pinned source. */
export function readPinned(k: Kernel, source: MappedBuffer, pins: readonly Pin[]): Bytes {
  return Bytes.concat(
    pins.map(({ ino, index, page, anon }) => {
      const from = Math.max(source.pos - (source.pgoff + page) * PAGE_SIZE, 0);
      const to = Math.min(source.pos + source.length - (source.pgoff + page) * PAGE_SIZE, PAGE_SIZE);
      return (anon ?? folioData(k, ino, index)).slice(from, to);
    }),
  );
}

/** Inside a step: bytes arrive in a pinned target. A page that is no longer of its file takes them with it. */
export function writePinned(k: Kernel, target: MappedBuffer, pins: readonly Pin[], bytes: Bytes): void {
  let done = 0;
  for (const { ino, index, page, anon } of pins) {
    const { at } = placeOf(target, done);
    const piece = bytes.slice(done, Math.min(bytes.length, done + PAGE_SIZE - at));
    if (piece.length === 0) return;
    if (anon !== null) storeNow(k, target.slot, page, at, piece);
    else if (k.folio(ino, index).present) storeInFolio(k, ino, index, at, piece);
    done += piece.length;
  }
}

/** Pinned pages become dirty, without a fault. @source block/bio.c bio_set_pages_dirty; mm/page-writeback.c folio_mark_dirty_lock */
export function* dirtyPinned(k: Kernel, pins: readonly Pin[]): Op<void> {
  for (const { ino, index, anon } of pins) {
    if (anon !== null || !(yield* lockIfPresent(k, ino, index))) continue;
    yield* step(k, 'folio_mark_dirty', () => k.hooks.dirtyFolio(k, ino, index));
    yield* unlockFolio(k, ino, index);
  }
}

/**
 * Stores into the memory of a process from outside, as PTRACE_POKEDATA and /proc/PID/mem do: mmap_lock is held
 * throughout, and a fault may not give it back.
 * @returns bytes written; EIO when there is no memory
 * @locks   mmap_lock shared ▸ what a fault takes ▸ folio lock
 * @source  mm/memory.c __access_remote_vm; mm/gup.c get_user_pages_remote without `locked`
 */
export function* accessRemoteVm(k: Kernel, target: MappedBuffer, data: Bytes): Op<Result<number>> {
  const { slot } = target;
  yield* lock(k, mmapLock(k.mm), 'shared');
  let done = 0;
  while (done < data.length) {
    const from = done;
    const { page, at } = placeOf(target, from);
    const piece = data.slice(from, Math.min(data.length, from + PAGE_SIZE - at));
    const pin = yield* step(k, 'follow_page_mask', () => followPage(k, slot, page, true));
    if (typeof pin === 'string') {
      const fault = yield* call(k, 'faultin_page', () =>
        faultHeld(k, slot, page, pin === 'write', readpageInline, false),
      );
      if (fault === 'done' || fault === 'retry') continue;
      // VM_FAULT_RETRY to a caller that cannot retry: it takes mmap_lock to be held still.
      break;
    }
    yield* step(k, 'copy_to_user_page', () =>
      writePinned(k, { ...target, pos: target.pos + from, length: piece.length }, [pin], piece),
    );
    yield* call(k, 'set_page_dirty_lock', () => dirtyPinned(k, [pin]));
    done += piece.length;
  }
  yield* unlock(k, mmapLock(k.mm));
  return done > 0 ? done : err('EIO');
}
