/**
 * Reading through the page cache: filemap_read, read_folio, and cutting pages off.
 */

import { lookupBlock } from '../balloc/mapBlocks.ts';
import type { Bytes } from '../bytes/bytes.ts';
import { Bytes as BytesValue } from '../bytes/bytes.ts';
import { readMedium } from '../device/medium.ts';
import { err, isErr, type Result } from '../errno.ts';
import { hasInlineData } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { folioLock, folioWriteback, iDataSem, invalidateLock, lock, locked, unlock } from '../locks/lock.ts';
import { modelCheck } from '../model.ts';
import { BH } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, step, waitFor } from '../task.ts';
import { invalidateBuffers } from './buffers.ts';
import {
  blocksOfPage,
  folioData,
  getFolioLocked,
  lockIfPresent,
  offsetIn,
  pageOf,
  removeFolio,
  setFolioData,
  unlockFolio,
  zeroFolio,
} from './folio.ts';
import { asyncReadahead, readUpTo, syncReadahead } from './readahead.ts';
import { unmapFolio, unmapMappingRange } from './rmap.ts';

/** Fills a locked folio of an inline file: the file system's part of ->read_folio. 'not-inline' sends on to blocks. */
export type ReadInlineFolio = (k: Kernel, ino: number, index: number) => Op<Result<'done' | 'not-inline'>>;

/**
 * ->read_folio: fills a locked folio and unlocks it.
 * @source fs/ext4/inode.c ext4_read_folio; fs/ext4/readpage.c ext4_mpage_readpages; fs/buffer.c block_read_full_folio
 */
export function* readFolio(k: Kernel, ino: number, index: number, inline: ReadInlineFolio): Op<Result<void>> {
  const how = yield* call(k, 'ext4_readpage_inline', () => inline(k, ino, index));
  if (isErr(how)) {
    yield* unlockFolio(k, ino, index);
    return how;
  }
  if (how === 'not-inline') {
    const read = yield* locked(k, iDataSem(ino), 'shared', 'ext4_mpage_readpages', () =>
      readBlocks(k, ino, index),
    );
    if (isErr(read)) {
      yield* unlockFolio(k, ino, index);
      return read;
    }
  }
  yield* unlockFolio(k, ino, index);
}

/** Inside a step: every block of the folio that is not uptodate comes from the medium, or is zero. */
export function readBlocks(k: Kernel, ino: number, index: number): Result<void> {
  const folio = k.folio(ino, index);
  const lastBlock = Math.ceil(k.inode(ino).size / k.blockSize);
  for (const lblk of blocksOfPage(k, index)) {
    if (folio.buffers && (k.fbuf(ino, lblk).state & BH.uptodate) !== 0) continue;
    const at = (lblk - index * k.blocksPerPage) * k.blockSize;
    const found = lblk < lastBlock ? lookupBlock(k, ino, lblk) : null;
    if (isErr(found)) return found;
    if (found !== null && found.state === 'mapped') {
      setFolioData(k, ino, index, folioData(k, ino, index).splice(at, readMedium(k, found.block)));
    } else {
      zeroFolio(k, ino, index, at, at + k.blockSize);
    }
    if (folio.buffers) k.fbuf(ino, lblk).state |= BH.uptodate;
  }
  folio.uptodate = true;
}

/**
 * Is [pos, pos + count) of a folio that is not uptodate as a whole readable from its buffers?
 * @source mm/filemap.c filemap_range_uptodate; fs/buffer.c block_is_partially_uptodate
 */
function rangeUptodate(k: Kernel, ino: number, index: number, pos: number, count: number): boolean {
  const folio = k.folio(ino, index);
  if (folio.uptodate) return true;
  if (k.blockSize >= PAGE_SIZE || !folio.buffers) return false;
  const from = Math.max(0, pos - index * PAGE_SIZE);
  const to = Math.min(PAGE_SIZE, from + count);
  if (from < k.blockSize && to > PAGE_SIZE - k.blockSize) return false;
  return blocksOfPage(k, index).every((lblk) => {
    const start = (lblk - index * k.blocksPerPage) * k.blockSize;
    return start + k.blockSize <= from || start >= to || (k.fbuf(ino, lblk).state & BH.uptodate) !== 0;
  });
}

/**
 * One folio, present and readable for [pos, pos + count): read in when it is not.
 * @locks   invalidate_lock shared while a folio is added
 * @source  mm/filemap.c filemap_get_pages, filemap_update_page, filemap_create_folio
 */
export function* filemapGetPage(
  k: Kernel,
  ino: number,
  pos: number,
  count: number,
  inline: ReadInlineFolio,
  { file = 0, splice = false }: ReadHow = {},
): Op<Result<void>> {
  const index = pageOf(pos);
  const end = Math.ceil((pos + count) / PAGE_SIZE);
  for (;;) {
    const state = yield* step(k, 'filemap_get_read_batch', () => {
      const folio = k.folio(ino, index);
      if (!folio.present) return 'absent';
      if (folio.readahead !== 0) asyncReadahead(k, ino, file, index, readBlocks, end);
      return folio.uptodate ? 'ready' : 'stale';
    });
    if (state === 'ready') return;
    yield* lock(k, invalidateLock(ino), 'shared');
    if (state === 'absent') {
      const got = yield* call(k, '__filemap_get_folio', () => getFolioLocked(k, ino, index));
      if (isErr(got)) {
        yield* unlock(k, invalidateLock(ino));
        return got;
      }
    } else {
      yield* lock(k, folioLock(ino, index));
    }
    const usable = yield* step(k, 'filemap_range_uptodate', () => {
      if (!k.folio(ino, index).present) return 'gone';
      if (k.folio(ino, index).uptodate || (!splice && rangeUptodate(k, ino, index, pos, count)))
        return 'ready';
      if (state === 'absent' && !k.folio(ino, index).buffers && !hasInlineData(k, ino))
        syncReadahead(k, ino, file, index, end - index, readBlocks);
      return 'read';
    });
    if (usable !== 'read') {
      yield* unlockFolio(k, ino, index);
      yield* unlock(k, invalidateLock(ino));
      if (usable === 'ready') return;
      continue;
    }
    const read = yield* call(k, 'ext4_read_folio', () => readFolio(k, ino, index, inline));
    yield* unlock(k, invalidateLock(ino));
    return read;
  }
}

/** Where read(2) puts its bytes when that is memory which may fault. `done`: bytes put there before. */
export interface CopyOut {
  /** Most bytes that one `put` takes. */
  room(done: number): number;
  /** Inside a step: false when it would fault. */
  put(done: number, bytes: Bytes): boolean;
  /** False: there is no memory. */
  fault(done: number): Op<boolean>;
}

/** How pages are read; all of it may be left out. */
export interface ReadHow {
  /** Where the bytes go; left out: memory that is there. */
  readonly to?: CopyOut | undefined;
  /** The open file description that remembers what was read; 0 for none. */
  readonly file?: number;
  /** Into a pipe, which cannot hold a folio that is uptodate in part. @source mm/filemap.c filemap_splice_read */
  readonly splice?: boolean;
}

/**
 * Reads at most `length` bytes. Takes no inode lock: size and bytes are looked at when they are copied.
 * @returns   bytes read, EIO, EFAULT
 * @locks     while bytes are copied: none, so that a fault of `to` may take what it wants
 * @source    mm/filemap.c filemap_read
 */
export function* filemapRead(
  k: Kernel,
  ino: number,
  pos: number,
  length: number,
  inline: ReadInlineFolio,
  how: ReadHow = {},
): Op<Result<Bytes>> {
  const { to, file = 0 } = how;
  const parts: Bytes[] = [];
  const end = pos + length;
  let next = pos;
  while (next < end) {
    const at = next;
    const inside = yield* step(k, 'i_size_read', () => at < k.inode(ino).size);
    if (!inside) break;
    const got = yield* call(k, 'filemap_get_pages', () => filemapGetPage(k, ino, at, end - at, inline, how));
    if (isErr(got)) return parts.length > 0 ? BytesValue.concat(parts) : got;
    const most = to === undefined ? end : Math.min(end, at + to.room(at - pos));
    const part = yield* step(k, 'copy_folio_to_iter', () => {
      const index = pageOf(at);
      // The reader's reference keeps reclaim away: a folio that went meanwhile is read in again.
      if (!k.folio(ino, index).present && at < k.inode(ino).size) return 'gone';
      const stop = Math.min(k.inode(ino).size, most, (index + 1) * PAGE_SIZE);
      if (stop <= at) return BytesValue.zero(0);
      const bytes = folioData(k, ino, index).slice(offsetIn(at), offsetIn(at) + stop - at);
      if (to !== undefined && !to.put(at - pos, bytes)) return null;
      modelCheck(k, ino, at, bytes);
      const isLast = stop >= Math.min(end, k.inode(ino).size);
      if (isLast && !hasInlineData(k, ino)) readUpTo(k, file, stop);
      return bytes;
    });
    if (part === 'gone') continue;
    if (part === null) {
      if (yield* to!.fault(at - pos)) continue;
      return parts.length > 0 ? BytesValue.concat(parts) : err('EFAULT');
    }
    if (part.length === 0) break;
    parts.push(part);
    next += part.length;
  }
  return parts.length === 1 ? parts[0]! : BytesValue.concat(parts);
}

/**
 * Drops the folios past a new size and zeros the tail of the one that straddles it.
 * @locks   folio locks; the caller holds invalidate_lock exclusive
 * @source  mm/truncate.c truncate_pagecache
 */
export function* truncatePagecache(k: Kernel, ino: number, size: number): Op<void> {
  const firstWhole = Math.ceil(size / PAGE_SIZE);
  yield* step(k, 'unmap_mapping_range', () =>
    unmapMappingRange(k, ino, firstWhole, Number.POSITIVE_INFINITY, true),
  );
  yield* truncateInodePages(k, ino, size, Number.POSITIVE_INFINITY);
  yield* step(k, 'unmap_mapping_range', () =>
    unmapMappingRange(k, ino, firstWhole, Number.POSITIVE_INFINITY, true),
  );
}

/**
 * Drops the folios inside bytes [from, to) and zeros the parts of those that reach out of it. Private copies stay.
 * @locks   folio locks; the caller holds invalidate_lock exclusive
 * @source  mm/truncate.c truncate_pagecache_range
 */
export function* truncatePagecacheRange(k: Kernel, ino: number, from: number, to: number): Op<void> {
  const first = Math.ceil(from / PAGE_SIZE);
  const last = Math.floor(to / PAGE_SIZE);
  if (last > first) {
    yield* step(k, 'unmap_mapping_range', () => unmapMappingRange(k, ino, first, last, false));
  }
  yield* truncateInodePages(k, ino, from, to);
}

/** Bytes [from, to). @source mm/truncate.c truncate_inode_pages_range, truncate_inode_partial_folio */
export function* truncateInodePages(k: Kernel, ino: number, from: number, to: number): Op<void> {
  const indexes = yield* step(k, 'find_lock_entries', () =>
    k
      .folioIndexes(ino)
      .filter((index) => (index + 1) * PAGE_SIZE > from && index * PAGE_SIZE < to)
      .join(','),
  );
  for (const index of indexes === '' ? [] : indexes.split(',').map(Number)) {
    if (!(yield* lockIfPresent(k, ino, index))) continue;
    yield* waitFor(
      k,
      'folio_wait_writeback',
      () => !k.folio(ino, index).writeback,
      () => {
        const start = Math.max(0, from - index * PAGE_SIZE);
        const end = Math.min(PAGE_SIZE, to - index * PAGE_SIZE);
        if (start === 0 && end === PAGE_SIZE) {
          unmapFolio(k, ino, index);
          removeFolio(k, ino, index);
          return;
        }
        zeroFolio(k, ino, index, start, end);
        invalidateBuffers(k, ino, index, start, end);
      },
      folioWriteback(ino, index),
    );
    yield* unlockFolio(k, ino, index);
  }
}
