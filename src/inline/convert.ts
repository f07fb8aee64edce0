/**
 * Conversions that the current kernel does not do: what the proposed designs put in the place of
 * `ext4_convert_inline_data`. Each is one function that a design hands to the hooks.
 *
 *   throughPageCache   folio 0 is the source and the target: buffers, dirty, written back like any other page
 *   pendingAtFault     the pending state of write(2), entered from a fault: a delayed block, nothing allocated
 *   allocateFirst      a block off-tree is written and waited for, then one handle switches the inode over
 *   convertUnderFolio  the same, or through the page cache, under the lock of folio 0 from the look to the switch
 *
 * Order: handle ▸ folio lock ▸ xattr_sem ▸ i_data_sem.
 */
import { isDelayed, removeDelayed } from '../balloc/mapBlocks.ts';
import { freeBlocks, newBlock } from '../balloc/mballoc.ts';
import { cleanBdevAlias } from '../device/buffer.ts';
import { addOrderedInode, journalStart, journalStop, updateFsyncTrans } from '../device/journal.ts';
import { writeMedium } from '../device/medium.ts';
import { isErr, type Result } from '../errno.ts';
import { shouldJournalData, shouldOrderData } from '../inode/journalMode.ts';
import { hasInlineData, iData, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { iDataSem, lock, locked, unlock, xattrSem } from '../locks/lock.ts';
import { blockWriteBegin, daGetBlockPrep } from '../pagecache/buffers.ts';
import {
  blockDirtyFolio,
  createEmptyBuffers,
  folioData,
  getFolioLocked,
  markFolioDirty,
  unlockFolio,
} from '../pagecache/folio.ts';
import { journalledCommitWrite } from '../pagecache/journalled.ts';
import { folioMkclean } from '../pagecache/rmap.ts';
import { BH } from '../state/tables.ts';
import type { Op, Request } from '../task.ts';
import { call, step } from '../task.ts';
import { insert } from '../volume/extent.ts';
import { assertXattrSem, convertInlineDataToExtent, destroyInlineData, readInlineFolio } from './ops.ts';

export type Flush = (ino: number) => Op<void>;

/** What the inode is now; a file without inline data loses MAY_INLINE_DATA on the way, as everywhere. */
function* stateOf(k: Kernel, ino: number): Op<'blocks' | 'inline' | 'pending'> {
  return yield* step(k, 'ext4_has_inline_data?', () => {
    const inode = k.inode(ino);
    if (!hasInlineData(k, ino)) {
      inode.mayInline = false;
      return 'blocks';
    }
    return inode.mayInline ? 'inline' : 'pending';
  });
}

/** Block files stay what they are: no lock is needed to know one. */
function isBlockFile(k: Kernel, ino: number): Request<boolean> {
  return step(k, 'inline data, or may it come?', () => !hasInlineData(k, ino) && !k.inode(ino).mayInline);
}

/**
 * Converts through folio 0, as write(2) does without delayed allocation.
 * @returns ENOSPC
 * @locks   handle ▸ folio 0 ▸ xattr_sem exclusive ▸ i_data_sem
 */
export function* throughPageCache(k: Kernel, ino: number, flush: Flush): Op<Result<void>> {
  const state = yield* stateOf(k, ino);
  if (state === 'blocks') return;
  if (state === 'pending') {
    yield* call(k, 'filemap_flush', () => flush(ino));
    const still = yield* step(k, 'still inline?', () => hasInlineData(k, ino));
    if (!still) return;
  }
  return yield* call(k, 'ext4_convert_inline_data_to_extent', () => convertInlineDataToExtent(k, ino));
}

/**
 * INLINE → PENDING from a fault or a growing truncate: a delayed block under folio 0, decided under the folio lock and
 * xattr_sem exclusive. MAYBE → BLOCK under the same locks.
 * @returns ENOSPC when no block can be promised, ENOMEM
 * @locks   folio 0 ▸ xattr_sem exclusive ▸ i_data_sem
 */
export function* pendingAtFault(k: Kernel, ino: number): Op<Result<void>> {
  if (yield* isBlockFile(k, ino)) return;
  const got = yield* call(k, '__filemap_get_folio', () => getFolioLocked(k, ino, 0));
  if (isErr(got)) return got;
  yield* lock(k, xattrSem(ino));
  const size = yield* step(k, 'inline under the folio lock?', () => {
    const inode = k.inode(ino);
    if (!hasInlineData(k, ino)) {
      inode.mayInline = false;
      return 0;
    }
    if (!inode.mayInline) return 0;
    if (!k.folio(ino, 0).uptodate) readInlineFolio(k, ino, 0);
    return inode.inlineSize;
  });
  let ret: Result<void> = undefined;
  if (size > 0) {
    ret = yield* call(k, 'ext4_block_write_begin', () =>
      blockWriteBegin(k, ino, 0, 0, size, daGetBlockPrep, false),
    );
    if (!isErr(ret)) {
      yield* step(k, 'folio_mark_dirty; clear MAY_INLINE_DATA', () => {
        k.reach('pending');
        k.fbuf(ino, 0).state &= ~BH.new;
        markFolioDirty(k, ino, 0);
        k.inode(ino).mayInline = false;
      });
    }
  }
  yield* unlock(k, xattrSem(ino));
  yield* unlockFolio(k, ino, 0);
  return ret;
}

/**
 * A block off-tree takes the bytes and reaches the medium; then one handle destroys the inline data and maps the
 * block. A failure before the switch leaves the inode as it was. The folio lock is held only to read the folio in: a
 * write(2) may stand between begin and end when the switch comes.
 * @returns ENOSPC, ENOMEM
 * @locks   handle ▸ (folio 0) ▸ xattr_sem exclusive ▸ i_data_sem
 */
export function* allocateFirst(k: Kernel, ino: number, flush: Flush): Op<Result<void>> {
  const state = yield* stateOf(k, ino);
  if (state === 'blocks') return;
  if (state === 'pending') {
    yield* call(k, 'filemap_flush', () => flush(ino));
    const still = yield* step(k, 'still inline?', () => hasInlineData(k, ino));
    if (!still) return;
  }
  yield* journalStart(k);
  const got = yield* call(k, '__filemap_get_folio', () => getFolioLocked(k, ino, 0));
  if (isErr(got)) {
    yield* journalStop(k);
    return got;
  }
  yield* unlockFolio(k, ino, 0);
  const block = yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_mb_new_block', () =>
    newBlock(k, ino, false),
  );
  if (!isErr(block)) {
    yield* lock(k, xattrSem(ino));
    const filled = yield* step(k, 'write the block and wait', () => {
      if (!hasInlineData(k, ino)) return false;
      // The reference from above keeps reclaim away.
      k.folio(ino, 0).present = true;
      if (!k.folio(ino, 0).uptodate) readInlineFolio(k, ino, 0);
      writeOffTree(k, ino, block);
      return true;
    });
    if (filled) {
      yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_destroy_inline_data; ext4_set_blocks', () => {
        removeDelayed(k, ino, 0, 1);
        becomeBlock(k, ino, block);
      });
    } else {
      yield* locked(k, iDataSem(ino), 'exclusive', 'ext4_free_blocks', () => {
        freeBlocks(k, ino, block, 1);
        markInodeDirty(k, ino);
      });
    }
    yield* unlock(k, xattrSem(ino));
  }
  yield* journalStop(k);
  return isErr(block) ? block : undefined;
}

/** Inside a step: folio 0 goes to a block that nothing refers to yet. */
function writeOffTree(k: Kernel, ino: number, block: number): void {
  cleanBdevAlias(k, block);
  writeMedium(k, block, folioData(k, ino, 0).slice(0, k.blockSize), `off-tree ino ${ino}`);
}

/**
 * Inside a step, under xattr_sem and i_data_sem exclusive, with a handle: inline data goes, and logical block 0 is
 * `block`, written already. Folio 0's first buffer knows.
 */
function becomeBlock(k: Kernel, ino: number, block: number): void {
  k.reach('ext4_destroy_inline_data');
  assertXattrSem(k, ino);
  destroyInlineData(k, ino);
  const root = insert(iData(k, ino), 0, block, 1, false);
  if (root === 'full') return;
  const inode = k.inode(ino);
  inode.iData = root;
  // Nothing of this block may be left for writepages to map, which is where i_disksize usually follows i_size.
  inode.disksize = Math.max(inode.disksize, Math.min(inode.size, k.blockSize));
  markInodeDirty(k, ino);
  updateFsyncTrans(k, ino, true);
  if (shouldOrderData(k, ino)) addOrderedInode(k, ino, 0, k.blockSize - 1, true);
  if (!k.folio(ino, 0).present) return;
  createEmptyBuffers(k, ino, 0);
  const bh = k.fbuf(ino, 0);
  bh.state = (bh.state & BH.dirty) | BH.mapped | BH.uptodate;
  bh.block = block;
}

/**
 * INLINE or PENDING → BLOCK in one handle, under the lock of folio 0, so that no write(2) stands between begin and end:
 * a block is allocated, and only then inline data is destroyed and the block mapped. A failure leaves everything as it
 * was, a crash before the commit keeps the inline bytes. MAYBE → BLOCK under the same locks.
 * @param how  'write': the block has the bytes before anything refers to it. 'dirty': the folio stays dirty, and in
 *             data=ordered the commit writes it first
 * @returns    ENOSPC
 * @locks      handle ▸ folio 0 ▸ xattr_sem exclusive ▸ i_data_sem
 */
export function* convertUnderFolio(k: Kernel, ino: number, how: 'write' | 'dirty'): Op<Result<void>> {
  if (yield* isBlockFile(k, ino)) return;
  yield* journalStart(k);
  yield* call(k, '__filemap_get_folio', () => getFolioLocked(k, ino, 0));
  yield* lock(k, xattrSem(ino));
  // One step: with these locks held nobody but the medium could see between the block's write and the switch.
  const ret = yield* locked(
    k,
    iDataSem(ino),
    'exclusive',
    'inline? allocate, destroy, map',
    (): Result<void> => {
      const inode = k.inode(ino);
      if (!hasInlineData(k, ino)) {
        inode.mayInline = false;
        return;
      }
      if (!k.folio(ino, 0).uptodate) readInlineFolio(k, ino, 0);
      const block = newBlock(k, ino, isDelayed(k, ino, 0));
      if (isErr(block)) return block;
      dropDelayedZero(k, ino);
      // What was stored through mappings is in the folio; the next store faults and finds a block file.
      const stored = folioMkclean(k, ino, 0) || inode.inlineDirty;
      inode.inlineDirty = false;
      if (how === 'write') writeOffTree(k, ino, block);
      else cleanBdevAlias(k, block);
      becomeBlock(k, ino, block);
      if (how === 'write' && !stored) return;
      if (shouldJournalData(k, ino)) journalledCommitWrite(k, ino, 0, 0, k.blockSize);
      else blockDirtyFolio(k, ino, 0);
    },
  );
  yield* unlock(k, xattrSem(ino));
  yield* unlockFolio(k, ino, 0);
  yield* journalStop(k);
  return ret;
}

/** Inside a step: the reservation of block 0 was used by `newBlock`; only the extent goes. */
function dropDelayedZero(k: Kernel, ino: number): void {
  const inode = k.inode(ino);
  const rest = (inode.delayed ?? []).filter((lblk) => lblk !== 0);
  inode.delayed = rest.length === 0 ? null : rest;
}
