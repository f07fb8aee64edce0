/**
 * The writepages worker: walks the tagged folios of a file, gives delayed blocks a place, submits, ends the I/O.
 *
 *   DIRTY tag ─ (TOWRITE) ─▶ folio lock ─▶ map blocks ─▶ clear_dirty_for_io ─▶ sample i_size ─▶ writeback ─▶ end_io
 *                                           handle       write-protects PTEs    tail zeroed      medium
 *
 * Locking: s_writepages_rwsem shared ▸ handle ▸ folio lock ▸ i_data_sem. No inode lock: i_size and MAY_INLINE_DATA
 * may change at any step.
 *
 * One handle maps one run of blocks that follow one another, over as many folios as it covers; all of them are locked
 * until they are submitted.
 *
 * Not modelled: nr_to_write; I/O completes right after submission, by the task that submitted; I/O errors.
 */
import { shouldRetryAlloc } from '../balloc/balloc.ts';
import { mapBlocks, removeDelayed } from '../balloc/mapBlocks.ts';
import {
  type FileData,
  journalCommit,
  journalStart,
  journalStop,
  tryJournalStart,
} from '../device/journal.ts';
import { writeMedium } from '../device/medium.ts';
import { err, isErr, type Result } from '../errno.ts';
import type { WritebackControl } from '../hooks.ts';
import { shouldJournalData } from '../inode/journalMode.ts';
import { markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import {
  folioLock,
  folioWriteback,
  iDataSem,
  jbd2Handle,
  journalDone,
  lock,
  lockEffect,
  locked,
  sWritepagesRwsem,
  unlock,
} from '../locks/lock.ts';
import { invalidateBuffers } from '../pagecache/buffers.ts';
import { blocksOfPage, folioData, setFolioDirty, unlockFolio, zeroFolio } from '../pagecache/folio.ts';
import { journalledBlocks, refileJournalled, switchJournalled } from '../pagecache/journalled.ts';
import { clearMark } from '../pagecache/readahead.ts';
import { clearDirtyForIo } from '../pagecache/rmap.ts';
import { BH, TX_COMMITTING, TX_NONE, TX_RUNNING } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, step, waitFor } from '../task.ts';

export const WHOLE_FILE = Number.MAX_SAFE_INTEGER;
export const SYNC_ALL: WritebackControl = { syncMode: 'all', start: 0, end: WHOLE_FILE, mayMap: true };
export const SYNC_NONE: WritebackControl = { syncMode: 'none', start: 0, end: WHOLE_FILE, mayMap: true };
/** jbd2 commit: only what is mapped already. */
const MAPPED_ONLY: WritebackControl = { syncMode: 'all', start: 0, end: WHOLE_FILE, mayMap: false };

/**
 * @locks   s_writepages_rwsem shared
 * @source  fs/ext4/inode.c ext4_writepages
 */
export function* writepages(k: Kernel, ino: number, wbc: WritebackControl): Op<Result<void>> {
  const down = yield* step(k, 'ext4_forced_shutdown?', () => k.sb.shutdown);
  if (down) return err('EIO');
  yield* lock(k, sWritepagesRwsem, 'shared');
  const ret = yield* call(k, 'ext4_do_writepages', () => doWritepages(k, ino, wbc));
  yield* unlock(k, sWritepagesRwsem);
  return ret;
}

/** @source fs/ext4/inode.c ext4_do_writepages */
export function* doWritepages(k: Kernel, ino: number, wbc: WritebackControl): Op<Result<void>> {
  const tagged = yield* step(k, 'mapping_tagged(DIRTY)?', () => {
    if (!k.hooks.needsWritepages(k, ino)) return '';
    return shouldJournalData(k, ino) ? 'journalled' : 'plain';
  });
  if (tagged === '') return;
  const down = yield* step(k, 'ext4_forced_shutdown?', () => k.sb.shutdown);
  if (down) return err('EROFS');
  const verdict = yield* k.hooks.writepagesInline(k, ino, wbc);
  if (verdict === 'done') return;
  if (verdict !== 'blocks') return err(verdict.errno);
  const first = Math.floor(wbc.start / PAGE_SIZE);
  const last = Math.ceil(wbc.end / PAGE_SIZE);
  const journalled = tagged === 'journalled';
  const scan: Scan = {
    last,
    tag: wbc.syncMode === 'all' ? 'tagTowrite' : 'tagDirty',
    wbc: journalled ? { ...wbc, mayMap: false } : wbc,
  };
  if (journalled && wbc.syncMode === 'all')
    yield* call(k, 'ext4_fc_commit', () => completeTransaction(k, ino, true));
  if (wbc.syncMode === 'all') {
    yield* tagForWriteback(k, ino, first, last);
  }
  if (journalled) {
    // What is in the log goes home; what is still on a transaction stays dirty.
    yield* journalStart(k);
    yield* call(k, 'mpage_prepare_extent_to_map', () => writeMapped(k, ino, first, scan));
    yield* journalStop(k);
    return;
  }
  // First what needs no handle, up to the first folio that needs blocks.
  let cursor = yield* call(k, 'mpage_prepare_extent_to_map', () => writeMapped(k, ino, first, scan));
  while (cursor >= 0) {
    const from = cursor;
    const next = yield* call(k, 'mpage_map_and_submit_extent', () => writeExtent(k, ino, from, scan));
    if (!isErr(next)) {
      cursor = next;
      continue;
    }
    if (next.errno !== 'ENOSPC' || !k.hasJournal) return next;
    // jbd2_journal_force_commit_nested: what was freed can be used then.
    yield* call(k, 'jbd2_journal_force_commit_nested', () => commit(k));
  }
}

/** What the passes of one writepages have in common. */
interface Scan {
  /** Page index that ends it, exclusive. */
  readonly last: number;
  readonly tag: 'tagTowrite' | 'tagDirty';
  readonly wbc: WritebackControl;
}

/** DIRTY folios of pages [first, last) are TOWRITE as well. @source mm/page-writeback.c tag_pages_for_writeback */
function tagForWriteback(k: Kernel, ino: number, first: number, last: number) {
  return step(k, 'tag_pages_for_writeback', () => {
    for (const index of k.folioIndexes(ino)) {
      const folio = k.folio(ino, index);
      if (index >= first && index < last && folio.tagDirty) folio.tagTowrite = true;
    }
  });
}

/** The next tagged folio; -1 when there is none. */
function nextTagged(k: Kernel, ino: number, from: number, { last, tag }: Scan) {
  return step(
    k,
    'filemap_get_folios_tag',
    () => k.folioIndexes(ino).find((each) => each >= from && each < last && k.folio(ino, each)[tag]) ?? -1,
  );
}

/**
 * The pass without a handle: writes folios whose blocks are all mapped.
 * @returns the first folio that needs blocks; -1 when all are written
 * @source  fs/ext4/inode.c mpage_prepare_extent_to_map with do_map = 0
 */
function* writeMapped(k: Kernel, ino: number, first: number, scan: Scan): Op<number> {
  let cursor = first;
  for (;;) {
    const index = yield* nextTagged(k, ino, cursor, scan);
    if (index < 0) return -1;
    const verdict = yield* examine(k, ino, index, scan.wbc);
    if (verdict === 'map') {
      yield* unlockFolio(k, ino, index);
      return index;
    }
    if (verdict === 'submit') {
      const blocks = yield* step(k, 'mpage_submit_folio', () => submitFolio(k, ino, index));
      yield* unlockFolio(k, ino, index);
      yield* call(k, 'ext4_io_submit', () => ioSubmit(k, ino, [{ index, blocks }], []));
    }
    cursor = index + 1;
  }
}

/** A run of logical blocks that wait for a place. `state`: BH_Delay and BH_Unwritten of its buffers. */
interface Wanted {
  readonly lblk: number;
  readonly length: number;
  readonly state: number;
}

/** A folio that was submitted: "lblk:block" of each buffer that goes out, comma separated. */
interface Submitted {
  readonly index: number;
  readonly blocks: string;
}

/** What looking at the buffers of a folio came to. */
interface Looked {
  readonly wanted: Wanted | null;
  /** Everything in the folio is mapped: submit it. */
  readonly whole: boolean;
  /** The end of the file is in this folio. */
  readonly atEnd: boolean;
  /** The next folio may go on with `wanted`. */
  readonly more: boolean;
}

/** Bytes that are written back: those inside i_size, and all while verity metadata is put behind it. Inside a step. */
function endOfData(k: Kernel, ino: number): number {
  const { size, verityInProgress } = k.inode(ino);
  return verityInProgress ? Number.POSITIVE_INFINITY : size;
}

/** Inside a step: collects the buffers of a folio from `lblk` on. @source fs/ext4/inode.c mpage_process_page_bufs */
function lookForExtent(k: Kernel, ino: number, index: number, lblk: number, before: Wanted | null): Looked {
  const endBlock = Math.ceil(endOfData(k, ino) / k.blockSize);
  const stop = (index + 1) * k.blocksPerPage;
  let wanted = before;
  let at = lblk;
  for (; at < stop; at++) {
    const next = at >= endBlock ? undefined : addToExtent(k, ino, at, wanted);
    if (next === undefined) {
      if (wanted !== null) return { wanted, whole: false, atEnd: false, more: false };
      break;
    }
    wanted = next;
  }
  const atEnd = at >= endBlock;
  return { wanted, whole: wanted === null, atEnd, more: !atEnd };
}

/** The run with one more buffer; undefined when it does not belong. @source fs/ext4/inode.c mpage_add_bh_to_extent */
function addToExtent(k: Kernel, ino: number, lblk: number, wanted: Wanted | null): Wanted | null | undefined {
  const { state } = k.fbuf(ino, lblk);
  const waits = state & (BH.delay | BH.unwritten);
  const dirtyMapped = BH.dirty | BH.mapped;
  if ((state & dirtyMapped) !== dirtyMapped || waits === 0) return wanted === null ? null : undefined;
  if (wanted === null) return { lblk, length: 1, state: waits };
  if (wanted.lblk + wanted.length !== lblk || wanted.state !== waits) return undefined;
  return { ...wanted, length: wanted.length + 1 };
}

/**
 * One handle: finds one run of blocks that need a place, over folios that follow one another, maps and submits it.
 * @returns where to go on; -1 when the file is done; ENOSPC
 * @locks   handle ▸ the folios of the run ▸ i_data_sem
 * @source  fs/ext4/inode.c ext4_do_writepages, mpage_prepare_extent_to_map, mpage_map_and_submit_extent
 */
function* writeExtent(k: Kernel, ino: number, first: number, scan: Scan): Op<Result<number>> {
  const started = yield* tryJournalStart(k);
  if (isErr(started)) return started;
  const submitted: Submitted[] = [];
  /** Locked and not submitted, ascending. */
  const held: number[] = [];
  let wanted: Wanted | null = null;
  let cursor = first;
  let done = false;
  for (;;) {
    const index: number = yield* nextTagged(k, ino, cursor, scan);
    if (index < 0) {
      done = true;
      break;
    }
    if (wanted !== null && index !== held.at(-1)! + 1) break;
    const verdict = yield* examine(k, ino, index, scan.wbc);
    cursor = index + 1;
    if (verdict === 'skip') continue;
    const before: Wanted | null = wanted;
    const looked: Looked = yield* step(k, 'mpage_process_page_bufs', () =>
      lookForExtent(k, ino, index, index * k.blocksPerPage, before),
    );
    wanted = looked.wanted;
    if (looked.whole) submitted.push(yield* submitAndUnlock(k, ino, index));
    else held.push(index);
    if (looked.atEnd) done = wanted === null;
    if (!looked.more) break;
  }
  if (wanted !== null) cursor = held[0]!;
  const vectors: (readonly [lblk: number, length: number])[] = [];
  let failure: Result<void> = undefined;
  while (wanted !== null) {
    const run: Wanted = wanted;
    const mapped = yield* call(k, 'ext4_map_blocks', () =>
      mapBlocks(
        k,
        ino,
        run.lblk,
        {
          create: true,
          unwritten: k.mount.dioreadNolock,
          preIo: k.mount.dioreadNolock,
          nofail: true,
          ioSubmit: true,
        },
        run.length,
      ),
    );
    if (isErr(mapped)) {
      failure = yield* mappingFailed(k, ino, mapped, held);
      break;
    }
    if (mapped.state === 'unwritten') vectors.push([run.lblk, mapped.length]);
    const end = run.lblk + mapped.length;
    wanted = null;
    while (held.length > 0 && held[0]! * k.blocksPerPage < end) {
      const index = held[0]!;
      const looked = yield* step(k, 'mpage_process_folio', () => {
        placeBuffers(k, ino, index, run.lblk, end, mapped.block);
        const rest = (index + 1) * k.blocksPerPage;
        return end < rest ? lookForExtent(k, ino, index, end, null) : null;
      });
      if (looked === null || looked.whole) {
        submitted.push(yield* submitAndUnlock(k, ino, index));
        held.shift();
        cursor = index + 1;
        if (looked?.atEnd) done = true;
      } else wanted = looked.wanted;
      if (looked !== null) break;
    }
  }
  if (submitted.length > 0) {
    const past = cursor * PAGE_SIZE;
    const raise = yield* step(k, 'i_disksize?', () => past > k.inode(ino).disksize);
    if (raise) {
      yield* locked(k, iDataSem(ino), 'exclusive', 'update i_disksize', () => {
        const inode = k.inode(ino);
        inode.disksize = Math.max(inode.disksize, Math.min(past, inode.size));
      });
      yield* step(k, 'ext4_mark_inode_dirty', () => markInodeDirty(k, ino));
    }
  }
  yield* journalStop(k);
  for (const index of held) yield* unlockFolio(k, ino, index);
  yield* call(k, 'ext4_io_submit', () => ioSubmit(k, ino, submitted, vectors));
  if (isErr(failure)) return failure;
  // mpage_release_unused_pages: folios that the mapping did not reach are looked at again.
  return done && held.length === 0 ? -1 : cursor;
}

/** Inside a step: the buffers of a folio inside [from, to) have their place. @source fs/ext4/inode.c mpage_process_folio */
function placeBuffers(k: Kernel, ino: number, index: number, from: number, to: number, block: number): void {
  for (const lblk of blocksOfPage(k, index)) {
    if (lblk < from || lblk >= to) continue;
    const bh = k.fbuf(ino, lblk);
    if ((bh.state & BH.delay) !== 0) bh.block = block + (lblk - from);
    bh.state &= ~(BH.delay | BH.unwritten);
  }
}

function* submitAndUnlock(k: Kernel, ino: number, index: number): Op<Submitted> {
  const blocks = yield* step(k, 'mpage_submit_folio', () => submitFolio(k, ino, index));
  yield* unlockFolio(k, ino, index);
  return { index, blocks };
}

/**
 * No blocks for what was promised. With freed blocks that wait for a commit it is tried again; otherwise the data is
 * given up.
 * @source fs/ext4/inode.c mpage_map_and_submit_extent, mpage_release_unused_pages
 */
function* mappingFailed(
  k: Kernel,
  ino: number,
  why: Result<never>,
  held: readonly number[],
): Op<Result<void>> {
  return yield* step(k, 'mpage_release_unused_pages', (): Result<void> => {
    if (k.sb.freed !== null || k.sb.freedCommitting !== null) return why;
    k.warnOn('delalloc-failed', true);
    const from = held[0]! * k.blocksPerPage;
    removeDelayed(k, ino, from, (held.at(-1)! + 1) * k.blocksPerPage);
    for (const index of held) {
      clearDirtyForIo(k, ino, index);
      invalidateBuffers(k, ino, index, 0, PAGE_SIZE);
      const folio = k.folio(ino, index);
      folio.uptodate = folio.tagDirty = folio.tagTowrite = false;
    }
    return why;
  });
}

type Verdict = 'skip' | 'map' | 'submit';

/** Locks the folio and says what to do with it; 'skip' has unlocked it. */
function* examine(k: Kernel, ino: number, index: number, wbc: WritebackControl): Op<Verdict> {
  yield* lock(k, folioLock(ino, index));
  const wait = yield* step(k, 'folio dirty? mapped? under writeback?', (): Verdict | 'wait' => {
    const folio = k.folio(ino, index);
    if (!folio.present || (folio.writeback && wbc.syncMode === 'none')) return 'skip';
    if (folio.dirty && folio.writeback) return 'wait';
    return look(k, ino, index, wbc);
  });
  let verdict: Verdict = wait === 'wait' ? 'skip' : wait;
  if (wait === 'wait') {
    verdict = yield* waitFor(
      k,
      'folio_wait_writeback',
      () => !k.folio(ino, index).writeback,
      () => look(k, ino, index, wbc),
      folioWriteback(ino, index),
    );
  }
  if (verdict === 'skip') yield* unlockFolio(k, ino, index);
  return verdict;
}

/** Inside a step, folio locked and not under writeback unless clean. */
function look(k: Kernel, ino: number, index: number, wbc: WritebackControl): Verdict {
  const folio = k.folio(ino, index);
  if (!folio.dirty) {
    // Cycle it through writeback to drop stale tags.
    if (!folio.writeback) folio.tagDirty = folio.tagTowrite = false;
    return 'skip';
  }
  if (k.warnOn('writeback-no-buffers', !folio.buffers)) {
    folio.dirty = false;
    return 'skip';
  }
  if (!wbc.mayMap) return 'submit';
  const end = Math.ceil(endOfData(k, ino) / k.blockSize);
  const needs = blocksOfPage(k, index).some((lblk) => {
    const { state } = k.fbuf(ino, lblk);
    return (
      lblk < end &&
      (state & BH.dirty) !== 0 &&
      (state & BH.mapped) !== 0 &&
      (state & (BH.delay | BH.unwritten)) !== 0
    );
  });
  return needs ? 'map' : 'submit';
}

/**
 * Inside a step, folio locked: write-protects, samples i_size, zeros the tail, marks the buffers that go out.
 * @returns "lblk:block" of each buffer to write, comma separated
 * @source  fs/ext4/inode.c mpage_submit_folio; fs/ext4/page-io.c ext4_bio_write_folio
 */
function submitFolio(k: Kernel, ino: number, index: number): string {
  clearDirtyForIo(k, ino, index);
  const size = endOfData(k, ino);
  const length = (index + 1) * PAGE_SIZE > size ? Math.max(0, size - index * PAGE_SIZE) : PAGE_SIZE;
  if (length < PAGE_SIZE) zeroFolio(k, ino, index, length, PAGE_SIZE);
  const folio = k.folio(ino, index);
  const out: string[] = [];
  let keepTowrite = false;
  for (const lblk of blocksOfPage(k, index)) {
    const bh = k.fbuf(ino, lblk);
    if ((lblk - index * k.blocksPerPage) * k.blockSize >= length) {
      bh.state = (bh.state & ~BH.dirty) | BH.uptodate;
      continue;
    }
    const writable = (bh.state & BH.mapped) !== 0 && (bh.state & (BH.delay | BH.unwritten)) === 0;
    if ((bh.state & BH.dirty) === 0 || !writable) {
      if ((bh.state & BH.mapped) === 0) bh.state &= ~BH.dirty;
      if ((bh.state & BH.dirty) !== 0 || bh.tx !== 0) {
        setFolioDirty(k, ino, index);
        keepTowrite = true;
      }
      continue;
    }
    bh.state &= ~(BH.new | BH.dirty);
    out.push(`${lblk}:${bh.block}`);
  }
  if (!folio.dirty) folio.tagDirty = false;
  if (!keepTowrite) folio.tagTowrite = false;
  if (out.length > 0) {
    folio.writeback = folio.tagWriteback = true;
    if (k.sink.listen !== null) k.emit(lockEffect('acquire', folioWriteback(ino, index), 'exclusive'));
  }
  return out.join(',');
}

/**
 * The bytes reach the medium, unwritten extents become written, the folios leave writeback.
 * @param vectors  runs of logical blocks that are unwritten until their I/O has ended
 * @source fs/ext4/page-io.c ext4_io_submit, ext4_put_io_end, ext4_end_bio
 */
function* ioSubmit(
  k: Kernel,
  ino: number,
  folios: readonly Submitted[],
  vectors: readonly (readonly [lblk: number, length: number])[],
): Op<void> {
  for (const { index, blocks } of folios) {
    if (blocks === '') continue;
    const pairs = blocks.split(',').map((pair) => pair.split(':').map(Number) as [number, number]);
    yield* step(k, 'submit_bio', () => {
      const data = folioData(k, ino, index);
      for (const [lblk, block] of pairs) {
        const at = (lblk - index * k.blocksPerPage) * k.blockSize;
        writeMedium(k, block, data.slice(at, at + k.blockSize), `writepages ino ${ino}`);
      }
    });
  }
  if (vectors.length > 0) {
    yield* call(k, 'ext4_convert_unwritten_io_end_vec', () => convertUnwritten(k, ino, vectors));
  }
  for (const { index, blocks } of folios) {
    if (blocks === '') continue;
    yield* step(k, 'folio_end_writeback', () => {
      const folio = k.folio(ino, index);
      folio.writeback = folio.tagWriteback = false;
      // PG_readahead and PG_reclaim are one bit.
      if (folio.readahead !== 0) clearMark(k, ino, index);
      if (k.sink.listen !== null) k.emit(lockEffect('release', folioWriteback(ino, index), 'exclusive'));
    });
  }
}

/**
 * @locks   a reserved handle ▸ i_data_sem exclusive
 * @source  fs/ext4/extents.c ext4_convert_unwritten_io_end_vec, ext4_convert_unwritten_extents
 */
export function* convertUnwritten(
  k: Kernel,
  ino: number,
  vectors: readonly (readonly [lblk: number, length: number])[],
): Op<void> {
  yield* journalStart(k);
  for (const [start, length] of vectors) {
    for (let done = 0; done < length; ) {
      const at = start + done;
      const left = length - done;
      const mapped = yield* call(k, 'ext4_map_blocks', () =>
        mapBlocks(k, ino, at, { create: true, unwritten: true, convert: true }, left),
      );
      yield* step(k, 'ext4_mark_inode_dirty', () => markInodeDirty(k, ino));
      if (isErr(mapped)) break;
      done += mapped.length;
    }
  }
  yield* journalStop(k);
}

/** Waits until nothing of the range is under writeback. @source mm/filemap.c filemap_fdatawait_range */
export function waitWriteback(k: Kernel, ino: number) {
  return waitFor(
    k,
    'filemap_fdatawait',
    () => k.folioIndexes(ino).every((index) => !k.folio(ino, index).writeback),
    undefined,
    folioWriteback(ino, 0),
  );
}

/** @source mm/filemap.c file_write_and_wait_range */
export function* writeAndWait(k: Kernel, ino: number, start = 0, end: number = WHOLE_FILE): Op<Result<void>> {
  const ret = yield* call(k, 'ext4_writepages', () => writepages(k, ino, { ...SYNC_ALL, start, end }));
  yield* waitWriteback(k, ino);
  return ret;
}

/** @source mm/filemap.c filemap_flush */
export function* filemapFlush(k: Kernel, ino: number): Op<void> {
  yield* call(k, 'ext4_writepages', () => writepages(k, ino, SYNC_NONE));
}

/**
 * Data of one inode, for a commit: ordered data is written, journalled data write-protected.
 * @source fs/ext4/super.c ext4_journal_submit_inode_data_buffers, ext4_normal_submit_inode_data_buffers
 */
function* submitInodeData(k: Kernel, ino: number): Op<void> {
  const { start, end, journalled } = yield* step(k, 'jinode->i_dirty_start, i_dirty_end', () => {
    const { orderedStart, orderedEnd } = k.inode(ino);
    return Object.freeze({
      start: orderedStart,
      end: orderedEnd + 1,
      journalled: shouldJournalData(k, ino),
    });
  });
  if (journalled) {
    yield* call(k, 'ext4_journalled_submit_inode_data_buffers', () => writeProtect(k, ino, start, end));
    return;
  }
  yield* call(k, 'ext4_do_writepages', () => doWritepages(k, ino, { ...MAPPED_ONLY, start, end }));
  yield* waitWriteback(k, ino);
}

/**
 * The folios of journalled data lose PG_dirty and their writable PTEs, so that the next store joins the next
 * transaction. One that has something else to be dirty for stays dirty; its tags stay in any case.
 * @locks   folio lock
 * @source  fs/ext4/super.c ext4_journalled_submit_inode_data_buffers, ext4_journalled_writepage_callback
 */
function* writeProtect(k: Kernel, ino: number, start: number, end: number): Op<void> {
  const [first, last] = [Math.floor(start / PAGE_SIZE), Math.ceil(end / PAGE_SIZE)];
  yield* tagForWriteback(k, ino, first, last);
  for (let cursor = first; ; ) {
    const index = yield* nextTagged(k, ino, cursor, { last, tag: 'tagTowrite', wbc: MAPPED_ONLY });
    if (index < 0) return;
    cursor = index + 1;
    yield* lock(k, folioLock(ino, index));
    yield* waitFor(
      k,
      'folio_wait_writeback',
      () => !k.folio(ino, index).writeback,
      () => {
        const folio = k.folio(ino, index);
        if (!folio.present || !folio.dirty) return;
        clearDirtyForIo(k, ino, index);
        const other = blocksOfPage(k, index).some((lblk) => {
          const { state, tx } = k.fbuf(ino, lblk);
          return (state & BH.dirty) !== 0 || (tx & TX_RUNNING) !== 0;
        });
        if (other) setFolioDirty(k, ino, index);
      },
    );
    yield* unlockFolio(k, ino, index);
  }
}

/**
 * Commits the running transaction.
 * @param flushed  the flusher has just written every inode
 */
export function* commit(k: Kernel, flushed = false): Op<void> {
  const files: FileData = {
    submit: (ino) => submitInodeData(k, ino),
    switch: () => switchJournalled(k),
    blocks: () => journalledBlocks(k),
    refile: () => refileJournalled(k),
  };
  yield* call(k, 'jbd2_journal_commit_transaction', () => journalCommit(k, files, flushed));
}

/**
 * Commits what fsync of this inode waits for.
 * @source fs/ext4/fsync.c ext4_fsync_journal; fs/jbd2/journal.c jbd2_complete_transaction
 */
export function* completeTransaction(k: Kernel, ino: number, datasync: boolean): Op<void> {
  const age = yield* step(k, datasync ? 'i_datasync_tid' : 'i_sync_tid', () =>
    datasync ? k.inode(ino).datasyncTx : k.inode(ino).syncTx,
  );
  if (age === TX_NONE) return;
  if (age === TX_COMMITTING) {
    yield* waitFor(
      k,
      'jbd2_log_wait_commit',
      () => !k.journal.committing,
      undefined,
      jbd2Handle,
      journalDone,
    );
    return;
  }
  yield* commit(k);
}

/**
 * Did an allocation fail that may succeed now? Commits, when that frees blocks.
 * @param retries  how many there were, this one included
 * @source fs/ext4/balloc.c ext4_should_retry_alloc
 */
export function* retryAlloc(k: Kernel, ret: Result<unknown>, retries: number): Op<boolean> {
  return isErr(ret) && ret.errno === 'ENOSPC' && (yield* shouldRetryAlloc(k, retries, commit));
}
