/**
 * Buffer heads of file folios: getting blocks under them, reading, committing a write, invalidating.
 *
 * `GetBlock` is how a caller says what to do about a hole: reserve (delayed allocation), allocate, or only look.
 */
import { daMapBlocks, type Mapping, mapBlocks } from '../balloc/mapBlocks.ts';
import { cleanBdevAlias } from '../device/buffer.ts';
import { readMedium } from '../device/medium.ts';
import { err, isErr, type Result } from '../errno.ts';
import { shouldJournalData } from '../inode/journalMode.ts';
import { hasInlineData } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { BH, TX_COMMITTING } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { step } from '../task.ts';
import {
  blocksOfPage,
  createEmptyBuffers,
  folioData,
  lockIfPresent,
  markBufferDirty,
  markFolioDirty,
  setFolioData,
  unlockFolio,
  unmapJournalled,
  zeroFolio,
} from './folio.ts';
import { dataWriteAccess, journalledZeroNew } from './journalled.ts';

export type GetBlock = (k: Kernel, ino: number, lblk: number) => Op<Result<void>>;

/** Inside a step: what a mapping makes of a buffer head. @source include/linux/buffer_head.h map_bh */
function mapBuffer(k: Kernel, ino: number, lblk: number, found: Mapping, look = false): void {
  const bh = k.fbuf(ino, lblk);
  const keep = bh.state & (BH.uptodate | BH.dirty);
  switch (found.state) {
    case 'hole':
      return;
    case 'delayed':
      // To a look it is a hole: ext4_map_blocks gives it no block and no length.
      if (look) return;
      bh.state = keep | BH.mapped | BH.new | BH.delay;
      bh.block = 0;
      return;
    case 'unwritten':
      // A look leaves it unmapped, so that a read of it gives zeros.
      bh.state = keep | BH.unwritten | (look ? 0 : BH.mapped | BH.new);
      bh.block = found.block;
      return;
    case 'mapped':
      bh.state = keep | BH.mapped | (found.isNew ? BH.new : 0);
      bh.block = found.block;
  }
}

/** @source fs/ext4/inode.c ext4_da_get_block_prep */
export function* daGetBlockPrep(k: Kernel, ino: number, lblk: number): Op<Result<void>> {
  const found = yield* daMapBlocks(k, ino, lblk);
  if (isErr(found)) return found;
  yield* step(k, 'map_bh', () => mapBuffer(k, ino, lblk, found));
}

/**
 * Allocates. An inline inode has no blocks: ERANGE.
 * @source fs/ext4/inode.c ext4_get_block, ext4_get_block_unwritten (with dioread_nolock)
 */
export function* getBlockCreate(k: Kernel, ino: number, lblk: number): Op<Result<void>> {
  const inline = yield* step(k, '_ext4_get_block: inline?', () => hasInlineData(k, ino));
  if (inline) return err('ERANGE');
  const found = yield* mapBlocks(k, ino, lblk, { create: true, unwritten: k.mount.dioreadNolock });
  if (isErr(found)) return found;
  yield* step(k, 'map_bh', () => mapBuffer(k, ino, lblk, found));
}

/** Looks only. @source fs/ext4/inode.c ext4_get_block with create = 0 */
export function* getBlockLook(k: Kernel, ino: number, lblk: number): Op<Result<void>> {
  const inline = yield* step(k, '_ext4_get_block: inline?', () => hasInlineData(k, ino));
  if (inline) return err('ERANGE');
  const found = yield* mapBlocks(k, ino, lblk, { create: false, unwritten: false });
  if (isErr(found)) return found;
  yield* step(k, 'map_bh', () => mapBuffer(k, ino, lblk, found, true));
}

const is = (k: Kernel, ino: number, lblk: number, bits: number): boolean =>
  (k.fbuf(ino, lblk).state & bits) !== 0;

/** Inside a step: the block's bytes go from the medium into the folio. @source fs/ext4/super.c ext4_read_bh_lock */
export function readBlockIntoFolio(k: Kernel, ino: number, index: number, lblk: number): void {
  const bh = k.fbuf(ino, lblk);
  const at = (lblk - index * k.blocksPerPage) * k.blockSize;
  setFolioData(k, ino, index, folioData(k, ino, index).splice(at, readMedium(k, bh.block)));
  bh.state |= BH.uptodate;
}

/**
 * Makes ready bytes [from, to) of a locked folio: blocks under them, old content where they are partial.
 * @param atMkwrite  the generic form that page faults use: new uptodate buffers become dirty here and
 *                   lose their alias in the bdev cache
 * @returns          the error of `getBlock`; new buffers are zeroed then
 * @locks            folio lock held
 * @source           fs/ext4/inode.c ext4_block_write_begin; fs/buffer.c __block_write_begin_int
 */
export function* blockWriteBegin(
  k: Kernel,
  ino: number,
  index: number,
  from: number,
  to: number,
  getBlock: GetBlock,
  atMkwrite: boolean,
): Op<Result<void>> {
  yield* step(k, 'create_empty_buffers', () => createEmptyBuffers(k, ino, index));
  let failure: Result<void> = undefined;
  for (const lblk of blocksOfPage(k, index)) {
    const start = (lblk - index * k.blocksPerPage) * k.blockSize;
    const end = start + k.blockSize;
    if (end <= from || start >= to) {
      yield* step(k, 'block outside the range', () => {
        if (k.folio(ino, index).uptodate) k.fbuf(ino, lblk).state |= BH.uptodate;
      });
      continue;
    }
    const mapped = yield* step(k, 'buffer_mapped?', () => {
      const bh = k.fbuf(ino, lblk);
      bh.state &= ~BH.new;
      return (bh.state & BH.mapped) !== 0;
    });
    if (!mapped) {
      failure = yield* getBlock(k, ino, lblk);
      if (isErr(failure)) break;
    }
    yield* step(k, 'fill around the range', () => {
      const bh = k.fbuf(ino, lblk);
      if (shouldJournalData(k, ino)) dataWriteAccess(k, ino, index, start, end);
      if (!mapped && (bh.state & BH.new) !== 0) {
        if (k.folio(ino, index).uptodate) {
          bh.state |= BH.uptodate;
          if (atMkwrite) {
            if ((bh.state & BH.delay) === 0) cleanBdevAlias(k, bh.block);
            bh.state &= ~BH.new;
            markBufferDirty(k, ino, lblk);
          }
        } else {
          if (end > to) zeroFolio(k, ino, index, to, end);
          if (start < from) zeroFolio(k, ino, index, start, from);
        }
        return;
      }
      if (k.folio(ino, index).uptodate) {
        bh.state |= BH.uptodate;
        return;
      }
      if (!is(k, ino, lblk, BH.uptodate | BH.delay | BH.unwritten) && (start < from || end > to)) {
        if ((bh.state & BH.mapped) !== 0) readBlockIntoFolio(k, ino, index, lblk);
      }
    });
  }
  if (isErr(failure)) {
    yield* step(k, 'folio_zero_new_buffers', () => {
      if (shouldJournalData(k, ino)) journalledZeroNew(k, ino, index, from, to);
      else zeroNewBuffers(k, ino, index, from, to);
    });
  }
  return failure;
}

/** Inside a step. @source fs/buffer.c folio_zero_new_buffers */
export function zeroNewBuffers(k: Kernel, ino: number, index: number, from: number, to: number): void {
  if (!k.folio(ino, index).buffers) return;
  for (const lblk of blocksOfPage(k, index)) {
    const bh = k.fbuf(ino, lblk);
    const start = (lblk - index * k.blocksPerPage) * k.blockSize;
    const end = start + k.blockSize;
    if ((bh.state & BH.new) === 0 || end <= from || start >= to) continue;
    if (!k.folio(ino, index).uptodate) {
      zeroFolio(k, ino, index, Math.max(from, start), Math.min(to, end));
      bh.state |= BH.uptodate;
    }
    bh.state &= ~BH.new;
    markBufferDirty(k, ino, lblk);
  }
}

/** Inside a step: the written buffers become uptodate and dirty. @source fs/buffer.c __block_commit_write */
export function blockCommitWrite(k: Kernel, ino: number, index: number, from: number, to: number): void {
  const folio = k.folio(ino, index);
  if (!folio.buffers) return;
  let partial = false;
  for (const lblk of blocksOfPage(k, index)) {
    const bh = k.fbuf(ino, lblk);
    const start = (lblk - index * k.blocksPerPage) * k.blockSize;
    const end = start + k.blockSize;
    if (end <= from || start >= to) {
      if ((bh.state & BH.uptodate) === 0) partial = true;
    } else {
      bh.state |= BH.uptodate;
      markBufferDirty(k, ino, lblk);
    }
    bh.state &= ~BH.new;
  }
  if (!partial) folio.uptodate = true;
}

/**
 * Inside a step: buffers that lie wholly in [from, to) of a folio lose everything. What a commit is still writing to the
 * log can go only with the whole folio.
 * @source fs/buffer.c block_invalidate_folio, discard_buffer; fs/jbd2/transaction.c jbd2_journal_invalidate_folio
 */
export function invalidateBuffers(k: Kernel, ino: number, index: number, from: number, to: number): void {
  if (!k.folio(ino, index).buffers) return;
  for (const lblk of blocksOfPage(k, index)) {
    const start = (lblk - index * k.blocksPerPage) * k.blockSize;
    if (start + k.blockSize > to) return;
    if (start < from) continue;
    const bh = k.fbuf(ino, lblk);
    if (k.warnOn('invalidate-committing', (bh.tx & TX_COMMITTING) !== 0)) return;
    unmapJournalled(k, ino, lblk);
    bh.state &= ~(BH.mapped | BH.new | BH.delay | BH.unwritten | BH.dirty);
    bh.block = 0;
  }
}

/**
 * page_mkwrite of file systems with buffers. On success the folio is locked and dirty.
 * @param generic  the form of fs/buffer.c, which cleans aliases of new blocks in the bdev cache. Since 6.16 ext4 has one
 *                 of its own without delayed allocation (ext4_block_page_mkwrite), which does not
 * @returns EFAULT when the page was truncated away (the fault is retried), or the error of `getBlock`
 * @source  fs/buffer.c block_page_mkwrite
 */
export function* blockPageMkwrite(
  k: Kernel,
  ino: number,
  index: number,
  getBlock: GetBlock,
  generic: boolean,
): Op<Result<void>> {
  if (!(yield* lockIfPresent(k, ino, index))) return err('EFAULT');
  const end = yield* step(k, 'page inside i_size?', () =>
    Math.min(PAGE_SIZE, k.inode(ino).size - index * PAGE_SIZE),
  );
  if (end <= 0) {
    yield* unlockFolio(k, ino, index);
    return err('EFAULT');
  }
  const begun = yield* blockWriteBegin(k, ino, index, 0, end, getBlock, generic);
  if (isErr(begun)) {
    yield* unlockFolio(k, ino, index);
    return begun;
  }
  yield* step(k, 'folio_mark_dirty', () => {
    blockCommitWrite(k, ino, index, 0, end);
    markFolioDirty(k, ino, index);
  });
}
