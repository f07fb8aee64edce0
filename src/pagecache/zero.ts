/**
 * Zeroing in the page cache around a changing end of file.
 */
import { addOrderedInode, journalStart, journalStop } from '../device/journal.ts';
import { isErr, type Result } from '../errno.ts';
import { shouldJournalData, shouldOrderData } from '../inode/journalMode.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { modelZeroBeyond } from '../model.ts';
import { BH } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { getBlockLook, readBlockIntoFolio } from './buffers.ts';
import {
  createEmptyBuffers,
  getFolioLocked,
  lockIfPresent,
  markBufferDirty,
  markFolioDirty,
  offsetIn,
  pageOf,
  unlockFolio,
  zeroFolio,
} from './folio.ts';
import { dataWriteAccess, dirtyJournalledData } from './journalled.ts';
import { folioMkclean } from './rmap.ts';

/**
 * i_size grew from `from` to `to`: stores to the rest of the folio that straddles the old end fault again, and what was
 * stored there before, past the end of the file, is zeroed. Writeback would do that, but it looks at i_size.
 * @locks  folio lock, when it is cached
 * @source mm/truncate.c pagecache_isize_extended (as of 6.13)
 */
export function* pagecacheIsizeExtended(k: Kernel, ino: number, from: number, to: number): Op<void> {
  const bs = k.blockSize;
  if (from >= to || bs >= PAGE_SIZE) return;
  const rounded = Math.ceil(from / bs) * bs;
  if (to <= rounded || rounded % PAGE_SIZE === 0) return;
  const index = pageOf(from);
  yield* cleanFolioPtes(k, ino, index, () => {
    if (!k.hooks.zeroGapFirst(k) && k.folio(ino, index).dirty) zeroTail(k, ino, index, from, to);
  });
}

/** Inside a step: what was stored past the end, `from`, in its folio, as far as `to`. */
function zeroTail(k: Kernel, ino: number, index: number, from: number, to: number): void {
  const end = Math.min(PAGE_SIZE, to - index * PAGE_SIZE);
  zeroFolio(k, ino, index, offsetIn(from), end);
  modelZeroBeyond(k, ino, from, index * PAGE_SIZE + end);
}

/**
 * For designs that zero the gap between i_size, `from`, and what follows, `to`, before i_size is set.
 * @locks  i_rwsem exclusive ▸ handle ▸ folio lock
 */
export function* zeroGapBefore(k: Kernel, ino: number, from: number, to: number): Op<void> {
  yield* journalStart(k);
  yield* zeroTailBefore(k, ino, from, to);
  yield* call(k, 'ext4_zero_partial_blocks', () => zeroPartialBlocks(k, ino, from, to));
  yield* journalStop(k);
}

/** Of that, the other blocks of the page in which the file ends: for truncate(2), which zeroes its last block first. */
export function* zeroTailBefore(k: Kernel, ino: number, from: number, to: number): Op<void> {
  if (k.blockSize >= PAGE_SIZE) return;
  const index = pageOf(from);
  const cached = yield* step(k, 'filemap_lock_folio', () => k.folio(ino, index).present);
  if (!cached || !(yield* lockIfPresent(k, ino, index))) return;
  yield* step(k, 'zero past i_size', () => {
    if (k.folio(ino, index).uptodate) zeroTail(k, ino, index, from, to);
  });
  yield* unlockFolio(k, ino, index);
}

/**
 * The next store through a mapping of the folio faults; what was stored is not lost.
 * @param then  inside the same step
 * @locks folio lock, when it is cached
 */
export function* cleanFolioPtes(
  k: Kernel,
  ino: number,
  index: number,
  then: () => void = () => {},
): Op<void> {
  const cached = yield* step(k, 'filemap_lock_folio', () => k.folio(ino, index).present);
  if (!cached || !(yield* lockIfPresent(k, ino, index))) return;
  yield* step(k, 'folio_mkclean', () => {
    if (folioMkclean(k, ino, index)) markFolioDirty(k, ino, index);
    then();
  });
  yield* unlockFolio(k, ino, index);
}

/** Zeros the partial blocks at both ends of [from, to). @source fs/ext4/inode.c ext4_zero_partial_blocks */
export function* zeroPartialBlocks(k: Kernel, ino: number, from: number, to: number): Op<void> {
  const bs = k.blockSize;
  const last = to - 1;
  const start = Math.floor(from / bs);
  const end = Math.floor(last / bs);
  const wholeEnd = last % bs === bs - 1;
  if (start === end && (from % bs !== 0 || !wholeEnd)) {
    yield* call(k, 'ext4_block_zero_page_range', () => blockZeroPageRange(k, ino, from, to - from));
    return;
  }
  if (from % bs !== 0) {
    yield* call(k, 'ext4_block_zero_page_range', () => blockZeroPageRange(k, ino, from, bs - (from % bs)));
  }
  if (!wholeEnd) {
    yield* call(k, 'ext4_block_zero_page_range', () => blockZeroPageRange(k, ino, end * bs, (last % bs) + 1));
  }
}

/**
 * Zeros part of one block in the page cache; an inline file or a hole has nothing to zero. The commit writes the page.
 * @locks   folio lock
 * @source  fs/ext4/inode.c __ext4_block_zero_page_range
 */
export function* blockZeroPageRange(k: Kernel, ino: number, from: number, length: number): Op<Result<void>> {
  const index = pageOf(from);
  const lblk = Math.floor(from / k.blockSize);
  const found = yield* call(k, '__filemap_get_folio', () => getFolioLocked(k, ino, index));
  if (isErr(found)) return found;
  const mapped = yield* step(k, 'buffer_mapped?', () => {
    createEmptyBuffers(k, ino, index);
    return (k.fbuf(ino, lblk).state & BH.mapped) !== 0;
  });
  if (!mapped) {
    const got = yield* call(k, 'ext4_get_block', () => getBlockLook(k, ino, lblk));
    const still =
      isErr(got) || !(yield* step(k, 'still unmapped?', () => (k.fbuf(ino, lblk).state & BH.mapped) !== 0));
    if (still) {
      yield* unlockFolio(k, ino, index);
      return got;
    }
  }
  yield* step(k, 'folio_zero_range; mark_buffer_dirty', () => {
    const bh = k.fbuf(ino, lblk);
    if (k.folio(ino, index).uptodate) bh.state |= BH.uptodate;
    if ((bh.state & BH.uptodate) === 0) {
      if ((bh.state & (BH.delay | BH.unwritten)) === 0) readBlockIntoFolio(k, ino, index, lblk);
      bh.state |= BH.uptodate;
    }
    const at = offsetIn(from);
    const journalled = shouldJournalData(k, ino);
    if (journalled) dataWriteAccess(k, ino, index, at, at + length);
    zeroFolio(k, ino, index, at, at + length);
    modelZeroBeyond(k, ino, from, from + length);
    if (journalled) dirtyJournalledData(k, ino, lblk);
    else markBufferDirty(k, ino, lblk);
    if (shouldOrderData(k, ino)) addOrderedInode(k, ino, from, from + length - 1, true);
  });
  yield* unlockFolio(k, ino, index);
}
