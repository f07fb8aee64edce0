/**
 * The writepages worker: walks the tagged folios of a file, gives delayed blocks a place, submits, ends the I/O.
 *
 *   DIRTY tag ─ (TOWRITE) ─▶ folio lock ─▶ map blocks ─▶ clear_dirty_for_io ─▶ sample i_size ─▶ writeback ─▶ end_io
 *                                           handle       write-protects PTEs    tail zeroed      medium
 *
 * Locking: s_writepages_rwsem shared ▸ handle ▸ folio lock ▸ i_data_sem. No inode lock: i_size and MAY_INLINE_DATA
 * may change at any step.
 *
 * Not modelled: one handle maps one folio's blocks (the kernel goes on over contiguous folios); nr_to_write; I/O
 * completes right after submission, by the task that submitted; I/O errors.
 */
import { lookupBlock, mapBlocks, removeDelayed } from '../balloc/mapBlocks.ts';
import { cleanBdevAlias } from '../device/buffer.ts';
import { journalCommit, journalStart, journalStop, updateFsyncTrans } from '../device/journal.ts';
import { writeMedium } from '../device/medium.ts';
import { err, isErr, type Result } from '../errno.ts';
import type { WritebackControl } from '../hooks.ts';
import { iData, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { folioLock, iDataSem, lock, locked, sWritepagesRwsem, unlock } from '../locks/lock.ts';
import { invalidateBuffers } from '../pagecache/buffers.ts';
import {
  blocksOfPage,
  folioData,
  mappingTagged,
  setFolioDirty,
  unlockFolio,
  zeroFolio,
} from '../pagecache/folio.ts';
import { clearDirtyForIo } from '../pagecache/rmap.ts';
import { BH } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, step, waitFor } from '../task.ts';
import { markWritten } from '../volume/extent.ts';

export const WHOLE_FILE = Number.MAX_SAFE_INTEGER;
export const SYNC_ALL: WritebackControl = { syncMode: 'all', start: 0, end: WHOLE_FILE, mayMap: true };
export const SYNC_NONE: WritebackControl = { syncMode: 'none', start: 0, end: WHOLE_FILE, mayMap: true };
/** jbd2 commit: only what is mapped already. */
export const MAPPED_ONLY: WritebackControl = { syncMode: 'all', start: 0, end: WHOLE_FILE, mayMap: false };

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
  const tagged = yield* step(k, 'mapping_tagged(DIRTY)?', () => mappingTagged(k, ino, 'tagDirty'));
  if (!tagged) return;
  const down = yield* step(k, 'ext4_forced_shutdown?', () => k.sb.shutdown);
  if (down) return err('EROFS');
  const verdict = yield* k.hooks.writepagesInline(k, ino, wbc);
  if (verdict === 'done') return;
  if (verdict !== 'blocks') return err(verdict.errno);
  const first = Math.floor(wbc.start / PAGE_SIZE);
  const last = Math.ceil(wbc.end / PAGE_SIZE);
  const tag = wbc.syncMode === 'all' ? 'tagTowrite' : 'tagDirty';
  if (wbc.syncMode === 'all') {
    yield* step(k, 'tag_pages_for_writeback', () => {
      for (const index of k.folioIndexes(ino)) {
        const folio = k.folio(ino, index);
        if (index >= first && index < last && folio.tagDirty) folio.tagTowrite = true;
      }
    });
  }
  let cursor = first;
  for (;;) {
    const from = cursor;
    const index = yield* step(k, 'filemap_get_folios_tag', () => {
      for (const each of k.folioIndexes(ino))
        if (each >= from && each < last && k.folio(ino, each)[tag]) return each;
      return -1;
    });
    if (index < 0) return;
    const ret = yield* call(k, 'mpage_prepare_extent_to_map', () => writeFolio(k, ino, index, wbc));
    if (isErr(ret)) return ret;
    cursor = index + 1;
  }
}

type Verdict = 'skip' | 'map' | 'submit';

/** One tagged folio. @source fs/ext4/inode.c mpage_prepare_extent_to_map, mpage_map_and_submit_extent */
function* writeFolio(k: Kernel, ino: number, index: number, wbc: WritebackControl): Op<Result<void>> {
  let verdict: Verdict = yield* examine(k, ino, index, wbc);
  if (verdict === 'skip') return;
  if (verdict === 'submit') {
    const blocks = yield* step(k, 'mpage_submit_folio', () => submitFolio(k, ino, index));
    yield* unlockFolio(k, ino, index);
    yield* call(k, 'ext4_io_submit', () => ioSubmit(k, ino, index, blocks));
    return;
  }
  // Needs blocks: the folio is let go, the handle comes first.
  yield* unlockFolio(k, ino, index);
  yield* journalStart(k);
  verdict = yield* examine(k, ino, index, wbc);
  if (verdict === 'skip') {
    yield* journalStop(k);
    return;
  }
  if (verdict === 'map') {
    const mapped = yield* call(k, 'mpage_map_and_submit_extent', () => mapFolio(k, ino, index));
    if (isErr(mapped)) {
      yield* step(k, 'mpage_release_unused_pages', () => {
        k.warnOn('delalloc-failed', true);
        const [from, ...rest] = blocksOfPage(k, index);
        removeDelayed(k, ino, from!, from! + rest.length + 1);
        clearDirtyForIo(k, ino, index);
        invalidateBuffers(k, ino, index, 0, PAGE_SIZE);
        k.folio(ino, index).uptodate = false;
      });
      yield* unlockFolio(k, ino, index);
      yield* journalStop(k);
      return mapped;
    }
  }
  const blocks = yield* step(k, 'mpage_submit_folio', () => submitFolio(k, ino, index));
  yield* locked(k, iDataSem(ino), 'exclusive', 'update i_disksize', () => {
    const inode = k.inode(ino);
    const disksize = Math.min((index + 1) * PAGE_SIZE, inode.size);
    if (disksize <= inode.disksize) return;
    inode.disksize = disksize;
    markInodeDirty(k, ino);
  });
  yield* journalStop(k);
  yield* unlockFolio(k, ino, index);
  yield* call(k, 'ext4_io_submit', () => ioSubmit(k, ino, index, blocks));
}

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
  const end = Math.ceil(k.inode(ino).size / k.blockSize);
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
 * Gives every delayed or unwritten buffer of the folio a block.
 * @locks   folio lock and handle held ▸ i_data_sem
 * @source  fs/ext4/inode.c mpage_map_one_extent, mpage_map_and_submit_buffers
 */
function* mapFolio(k: Kernel, ino: number, index: number): Op<Result<void>> {
  for (const lblk of blocksOfPage(k, index)) {
    const needs = yield* step(k, 'mpage_add_bh_to_extent', () => {
      const { state } = k.fbuf(ino, lblk);
      const dirtyMapped = BH.dirty | BH.mapped;
      const inside = lblk * k.blockSize < k.inode(ino).size;
      return inside && (state & dirtyMapped) === dirtyMapped && (state & (BH.delay | BH.unwritten)) !== 0;
    });
    if (!needs) continue;
    const found = yield* call(k, 'ext4_map_blocks', () =>
      mapBlocks(k, ino, lblk, { create: true, unwritten: k.mount.dioreadNolock, ioSubmit: true }),
    );
    if (isErr(found)) return found;
    yield* step(k, 'clear_buffer_delay', () => {
      const bh = k.fbuf(ino, lblk);
      bh.state &= ~(BH.delay | BH.unwritten);
      bh.block = found.block;
      if (found.isNew) cleanBdevAlias(k, found.block);
    });
  }
}

/**
 * Inside a step, folio locked: write-protects, samples i_size, zeros the tail, marks the buffers that go out.
 * @returns "lblk:block" of each buffer to write, comma separated
 * @source  fs/ext4/inode.c mpage_submit_folio; fs/ext4/page-io.c ext4_bio_write_folio
 */
function submitFolio(k: Kernel, ino: number, index: number): string {
  clearDirtyForIo(k, ino, index);
  const { size } = k.inode(ino);
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
      if ((bh.state & BH.dirty) !== 0) {
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
  if (out.length > 0) folio.writeback = folio.tagWriteback = true;
  return out.join(',');
}

/** The bytes reach the medium, unwritten extents become written, the folio leaves writeback. @source fs/ext4/page-io.c */
function* ioSubmit(k: Kernel, ino: number, index: number, blocks: string): Op<void> {
  if (blocks === '') return;
  const pairs = blocks.split(',').map((pair) => pair.split(':').map(Number) as [number, number]);
  const unwritten = yield* step(k, 'submit_bio', () => {
    const data = folioData(k, ino, index);
    for (const [lblk, block] of pairs) {
      const at = (lblk - index * k.blocksPerPage) * k.blockSize;
      writeMedium(k, block, data.slice(at, at + k.blockSize), `writepages ino ${ino}`);
    }
    return pairs.some(([lblk]) => {
      const found = lookupBlock(k, ino, lblk);
      return !isErr(found) && found.state === 'unwritten';
    });
  });
  if (unwritten) yield* call(k, 'ext4_convert_unwritten_extents', () => convertUnwritten(k, ino, pairs));
  yield* step(k, 'folio_end_writeback', () => {
    const folio = k.folio(ino, index);
    folio.writeback = folio.tagWriteback = false;
  });
}

/**
 * @locks   a reserved handle ▸ i_data_sem exclusive
 * @source  fs/ext4/extents.c ext4_convert_unwritten_extents
 */
function* convertUnwritten(k: Kernel, ino: number, pairs: readonly [number, number][]): Op<void> {
  yield* journalStart(k);
  yield* locked(k, iDataSem(ino), 'exclusive', 'unwritten extents become written', () => {
    const inode = k.inode(ino);
    const before = iData(k, ino);
    let root = before;
    for (const [lblk] of pairs) {
      const next = markWritten(root, lblk, 1);
      if (next !== 'full') root = next;
    }
    if (root === before) return;
    inode.iData = root;
    markInodeDirty(k, ino);
    updateFsyncTrans(k, ino, true);
  });
  yield* journalStop(k);
}

/** Waits until nothing of the range is under writeback. @source mm/filemap.c filemap_fdatawait_range */
export function waitWriteback(k: Kernel, ino: number) {
  return waitFor(k, 'filemap_fdatawait', () =>
    k.folioIndexes(ino).every((index) => !k.folio(ino, index).writeback),
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

/** Ordered data of one inode, for a commit. @source fs/ext4/super.c ext4_normal_submit_inode_data_buffers */
export function* submitInodeData(k: Kernel, ino: number): Op<void> {
  yield* call(k, 'ext4_do_writepages', () => doWritepages(k, ino, MAPPED_ONLY));
  yield* waitWriteback(k, ino);
}

/** Commits the running transaction. */
export function* commit(k: Kernel): Op<void> {
  yield* call(k, 'jbd2_journal_commit_transaction', () => journalCommit(k, (ino) => submitInodeData(k, ino)));
}
