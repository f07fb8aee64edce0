/**
 * defer: no conversion at the fault; writepages copies the folio into the inode; write(2) and truncate(2) convert
 * when they grow the file. Exactly as the mails put it, with none of what they leave out.
 *
 * Source: Matthew Wilcox and Jan Kara, 5 June 2023: "we should be able to simply copy the data from the page cache
 *   into the inode and write the inode when it comes to writepages() time", "just remove the conversion from
 *   ext4_page_mkwrite() and rely on write(2) or truncate(2) doing it when growing i_size".
 * Promise: an mmap store leaves the file inline, and its bytes reach the inode with writeback.
 * Locks: page_mkwrite takes the folio lock alone; writepages takes handle ▸ folio lock ▸ xattr_sem to copy out.
 * What the mails do not say, and so is not here (docs/findings.md 12): a re-test under the folio lock in the fault or
 *   in writepages, a clamp to i_inline_size, write_end that keeps what was stored beside its own bytes, converters that read the folio, zeroing
 *   beyond the old end, fdatasync.
 */

import { inodeBlock } from '../device/buffer.ts';
import { dirtyMetadata, getInodeWriteAccess, journalStart, journalStop } from '../device/journal.ts';
import type { InlineVerdict, VmaView, VmFault } from '../hooks.ts';
import { destroyInline, writeInlineData } from '../inline/ops.ts';
import { hasInlineData, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { folioLock, invalidateLock, lock, sbPagefaults, unlock, xattrSem } from '../locks/lock.ts';
import { blockDirtyFolio, folioData, lockIfPresent, unlockFolio } from '../pagecache/folio.ts';
import { clearDirtyForIo } from '../pagecache/rmap.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { mkwriteBlocks } from '../vfs/aops.ts';
import { type Design, defineDesign } from './design.ts';
import { mkwriteConvert } from './mkwrite-convert.ts';

/** The fault on an inline file dirties folio 0, without blocks under it. */
function* dirtyInline(k: Kernel, ino: number, index: number): Op<VmFault> {
  if (!(yield* lockIfPresent(k, ino, index))) return 'nopage';
  const inside = yield* step(k, 'folio_mark_dirty', () => {
    if (index * PAGE_SIZE >= k.inode(ino).size) return false;
    k.hooks.dirtyFolio(k, ino, index);
    return true;
  });
  if (inside) return 'locked';
  yield* unlockFolio(k, ino, index);
  return 'nopage';
}

function* pageMkwrite(k: Kernel, { ino }: VmaView, index: number): Op<VmFault> {
  yield* lock(k, sbPagefaults, 'shared');
  yield* lock(k, invalidateLock(ino), 'shared');
  const inline = yield* step(k, 'ext4_has_inline_data?', () => hasInlineData(k, ino));
  const fault = inline
    ? yield* call(k, 'dirty the inline folio', () => dirtyInline(k, ino, index))
    : yield* mkwriteBlocks(k, ino, index);
  yield* unlock(k, invalidateLock(ino));
  yield* unlock(k, sbPagefaults);
  return fault;
}

/**
 * Folio 0 goes into the inode: i_size is read, then the bytes are copied. The copy-out stands where the kernel has its
 * BUG_ON: with MAY_INLINE_DATA clear a conversion by write(2) is pending and the inline data is destroyed as today.
 */
function* copyOut(k: Kernel, ino: number): Op<InlineVerdict> {
  const state = yield* step(k, 'ext4_has_inline_data? MAY_INLINE_DATA?', () => {
    if (!hasInlineData(k, ino)) return 'blocks';
    return k.inode(ino).mayInline ? 'inline' : 'pending';
  });
  if (state === 'blocks') return 'blocks';
  yield* journalStart(k);
  if (state === 'pending') {
    yield* call(k, 'ext4_destroy_inline_data', () => destroyInline(k, ino));
    yield* journalStop(k);
    return 'blocks';
  }
  yield* lock(k, folioLock(ino, 0));
  const length = yield* step(k, 'folio_clear_dirty_for_io; i_size_read', () => {
    const folio = k.folio(ino, 0);
    if (!folio.present || !clearDirtyForIo(k, ino, 0)) return -1;
    folio.tagDirty = folio.tagTowrite = false;
    return Math.min(k.inode(ino).size, PAGE_SIZE);
  });
  if (length >= 0) {
    yield* lock(k, xattrSem(ino));
    yield* step(k, 'copy the folio into the inode', () => {
      k.reach('copy-out');
      getInodeWriteAccess(k, ino);
      writeInlineData(k, ino, 0, folioData(k, ino, 0).slice(0, length));
      dirtyMetadata(k, inodeBlock(k, ino));
    });
    yield* unlock(k, xattrSem(ino));
    yield* step(k, 'ext4_mark_inode_dirty', () => {
      if (!k.sb.halted) markInodeDirty(k, ino);
    });
  }
  yield* unlock(k, folioLock(ino, 0));
  yield* journalStop(k);
  return 'done';
}

export const defer: Design = defineDesign(mkwriteConvert, {
  id: 'defer',
  summary: 'no conversion at the fault; writepages copies the folio into the inode',
  source: 'Matthew Wilcox and Jan Kara, linux-ext4, 2023-06-05',
  promises: ['a mapped store leaves the file inline'],
  locks: [],
  unmodelled: [],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* pageMkwrite(k, vma, index);
    },
    *writepagesInline(k, ino) {
      return yield* call(k, 'copy out', () => copyOut(k, ino));
    },
    // A folio without buffers is what an inline file has; the warning would fire on every store.
    dirtyFolio(k, ino, index) {
      blockDirtyFolio(k, ino, index);
    },
  },
});
