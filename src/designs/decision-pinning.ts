/**
 * decision-pinning: what write_begin decided, write_end obeys; when the inode was converted meanwhile, write_end repairs.
 *
 * Source: ours. The conversion stays where the current kernel has it, through the page cache.
 * Promise: no BUG_ON, no leaked handle; a write that met a conversion ends as a block write.
 * Locks: as page-cache-convert; write_begin asks again for MAY_INLINE_DATA under xattr_sem.
 * The repair may meet ENOSPC after the bytes were copied: the write is then reported as failed.
 */

import { journalStop, stopHandle } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import type { WriteBegin } from '../hooks.ts';
import { shouldJournalData } from '../inode/journalMode.ts';
import { hasInlineData, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { lock, unlock, xattrSem } from '../locks/lock.ts';
import { blockCommitWrite, blockWriteBegin, daGetBlockPrep, getBlockCreate } from '../pagecache/buffers.ts';
import { markFolioDirty, unlockFolio } from '../pagecache/folio.ts';
import { journalledCommitWrite } from '../pagecache/journalled.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { inlineEnd, updateInodeSize } from '../vfs/aops.ts';
import { type Design, defineDesign } from './design.ts';
import { pageCacheConvert } from './page-cache-convert.ts';

/** write_end for a write that began inline. */
function* endInline(k: Kernel, ino: number, pos: number, len: number, copied: number): Op<Result<number>> {
  yield* lock(k, xattrSem(ino));
  const still = yield* step(k, 'still inline?', () => hasInlineData(k, ino) && k.inode(ino).mayInline);
  yield* unlock(k, xattrSem(ino));
  // The folio lock is held: a conversion through the page cache waits for it, so the answer stays true.
  if (still) return yield* inlineEnd(k, ino, pos, len, copied);
  const getBlock = k.mount.delalloc ? daGetBlockPrep : getBlockCreate;
  const ready = yield* call(k, 'repair: ext4_block_write_begin', () =>
    blockWriteBegin(k, ino, 0, pos, pos + copied, getBlock, false),
  );
  if (isErr(ready)) {
    yield* unlockFolio(k, ino, 0);
    yield* journalStop(k);
    return err(ready.errno);
  }
  yield* step(k, 'repair: block_write_end', () => {
    if (shouldJournalData(k, ino)) journalledCommitWrite(k, ino, 0, pos, pos + copied);
    else blockCommitWrite(k, ino, 0, pos, pos + copied);
    markFolioDirty(k, ino, 0);
    updateInodeSize(k, ino, pos + copied);
  });
  yield* unlockFolio(k, ino, 0);
  yield* step(k, 'ext4_mark_inode_dirty; jbd2_journal_stop', () => {
    markInodeDirty(k, ino);
    stopHandle(k);
  });
  return copied;
}

export const decisionPinning: Design = defineDesign(pageCacheConvert, {
  id: 'decision-pinning',
  summary: 'write_end obeys what write_begin decided, and repairs when the file was converted meanwhile',
  source: 'ours',
  promises: ['bug-on', 'handle-balance'],
  locks: ['folio'],
  unmodelled: [],
  hooks: {
    stillInline(k, ino) {
      return k.inode(ino).mayInline;
    },
    *writeEnd(k, ino, pos, len, copied, begin: WriteBegin) {
      if (begin.inline) return yield* endInline(k, ino, pos, len, copied);
      // A write that began on blocks ends on blocks, whatever a failed conversion has put back.
      return yield* pageCacheConvert.hooks.writeEnd(k, ino, pos, len, copied, begin);
    },
  },
});
