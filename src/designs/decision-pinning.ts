/**
 * decision-pinning: what write_begin decided, write_end obeys; when the inode was converted meanwhile, write_end repairs.
 *
 * Source: ours, over the conversion of Ted Ts'o, 2025-07-11 (`allocate-first`), which takes no folio lock at the switch.
 * Promise: no BUG_ON, no leaked handle, no lost bytes; a write that met a conversion ends as a block write.
 * Locks: write_begin asks again for MAY_INLINE_DATA under xattr_sem; write_end decides and copies in one section of it.
 * The repair cannot meet ENOSPC: whoever converted has mapped the block.
 */

import { inodeBlock } from '../device/buffer.ts';
import {
  dirtyMetadata,
  getInodeWriteAccess,
  journalStop,
  stopHandle,
  updateFsyncTrans,
} from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { findInlineDataNolock, orphanIfPast, writeInlineData } from '../inline/ops.ts';
import { shouldJournalData } from '../inode/journalMode.ts';
import { hasInlineData, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { lock, locked, unlock, xattrSem } from '../locks/lock.ts';
import { blockCommitWrite, blockWriteBegin, daGetBlockPrep, getBlockCreate } from '../pagecache/buffers.ts';
import { folioData, markFolioDirty, unlockFolio } from '../pagecache/folio.ts';
import { journalledCommitWrite } from '../pagecache/journalled.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { cutShortWrite, pageMkwrite, updateInodeSize } from '../vfs/aops.ts';
import { allocateFirst } from './allocate-first.ts';
import { type Design, defineDesign } from './design.ts';
import { folioLockConvert } from './folio-lock-convert.ts';
import { growBy } from './page-cache-convert.ts';

/** Ted's conversion; MAYBE → BLOCK is decided under xattr_sem, where write_begin creates inline data. */
function* convertPinned(k: Kernel, ino: number): Op<Result<void>> {
  const inline = yield* locked(k, xattrSem(ino), 'exclusive', 'inline? else never', () => {
    if (hasInlineData(k, ino)) return true;
    k.inode(ino).mayInline = false;
    return false;
  });
  if (inline) return yield* allocateFirst.hooks.convert(k, ino);
}

/** write_end for a write that began inline: folio 0 locked, a handle open. */
function* endInline(k: Kernel, ino: number, pos: number, len: number, copied: number): Op<Result<number>> {
  yield* lock(k, xattrSem(ino));
  const still = yield* step(k, 'still inline? copy in', () => {
    if (!hasInlineData(k, ino) || !k.inode(ino).mayInline) return copied === 0;
    findInlineDataNolock(k, ino);
    getInodeWriteAccess(k, ino);
    writeInlineData(k, ino, pos, folioData(k, ino, 0).slice(pos, pos + copied));
    dirtyMetadata(k, inodeBlock(k, ino));
    k.folio(ino, 0).uptodate = true;
    k.folio(ino, 0).dirty = false;
    updateInodeSize(k, ino, pos + copied);
    return true;
  });
  yield* unlock(k, xattrSem(ino));
  if (!still) {
    const ready = yield* call(k, 'repair: ext4_block_write_begin', () =>
      blockWriteBegin(
        k,
        ino,
        0,
        pos,
        pos + copied,
        k.mount.delalloc ? daGetBlockPrep : getBlockCreate,
        false,
      ),
    );
    if (isErr(ready)) {
      yield* unlockFolio(k, ino, 0);
      yield* journalStop(k);
      return err(ready.errno);
    }
    yield* step(k, 'repair: block_write_end', () => {
      k.reach('repair');
      if (shouldJournalData(k, ino)) journalledCommitWrite(k, ino, 0, pos, pos + copied);
      else blockCommitWrite(k, ino, 0, pos, pos + copied);
      markFolioDirty(k, ino, 0);
      updateInodeSize(k, ino, pos + copied);
    });
  }
  yield* unlockFolio(k, ino, 0);
  if (copied < len) yield* orphanIfPast(k, ino, pos + len);
  yield* step(k, 'ext4_mark_inode_dirty; jbd2_journal_stop', () => {
    markInodeDirty(k, ino);
    updateFsyncTrans(k, ino, true);
    stopHandle(k);
  });
  if (copied < len) yield* cutShortWrite(k, ino, pos + len);
  return copied;
}

export const decisionPinning: Design = defineDesign(folioLockConvert, {
  id: 'decision-pinning',
  summary: 'write_end obeys what write_begin decided, and repairs when the file was converted meanwhile',
  source: "ours, over Ted Ts'o's conversion, linux-ext4, 2025-07-11",
  promises: ['settled', 'pending', 'bug-on', 'handle-balance', 'durability', 'model'],
  locks: [],
  unmodelled: [],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* pageMkwrite(k, vma, index, convertPinned);
    },
    *setattrSize(k, ino, size) {
      return yield* growBy(k, ino, size, convertPinned);
    },
    *convert(k, ino) {
      return yield* convertPinned(k, ino);
    },
    *convertForWrite(k, ino) {
      return yield* convertPinned(k, ino);
    },
    *writeEnd(k, ino, pos, len, copied, begin) {
      // A write that began on blocks ends on blocks, whatever the inode is now.
      if (begin.inline) return yield* endInline(k, ino, pos, len, copied);
      return yield* folioLockConvert.hooks.writeEnd(k, ino, pos, len, copied, begin);
    },
  },
});
