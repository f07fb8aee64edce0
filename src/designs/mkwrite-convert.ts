/**
 * mkwrite-convert: the current kernel, defects included.
 *
 * Source: commit 7b4cc9787fe3 (March 2017) and everything since, as in 6.12.
 * Promise: writepages never meets a dirty folio on an inode whose data may be inline.
 * Locks: page_mkwrite converts under mmap_lock, sb_pagefaults and invalidate_lock shared, with a handle and xattr_sem;
 *   no i_rwsem and no folio lock, so MAY_INLINE_DATA and INLINE_DATA can change in the middle of a write(2).
 * The conversion goes through the bdev cache: the file's folio and the buffer are two copies of one block (docs/findings.md 1).
 */

import { removeDelayed } from '../balloc/mapBlocks.ts';
import { journalStop, tryJournalStart } from '../device/journal.ts';
import { isErr, type Result } from '../errno.ts';
import type { InlineVerdict } from '../hooks.ts';
import { convertInlineDataToExtent, destroyInline, fillInlineFolio } from '../inline/ops.ts';
import { shouldJournalData } from '../inode/journalMode.ts';
import { hasInlineData } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { folioLock } from '../locks/lock.ts';
import { blockDirtyFolio, mappingTagged } from '../pagecache/folio.ts';
import { holdsJournalled } from '../pagecache/journalled.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { convert, daWriteBegin, daWriteEnd, pageMkwrite, writeBegin, writeEnd } from '../vfs/aops.ts';
import { expandExtraIsize } from '../vfs/expand.ts';
import { type Design, defineDesign } from './design.ts';

/** The kernel's inline branch of writepages. @source fs/ext4/inode.c ext4_do_writepages */
export function* destroyAtWritepages(k: Kernel, ino: number): Op<InlineVerdict> {
  const inline = yield* step(k, 'ext4_has_inline_data?', () => hasInlineData(k, ino));
  if (!inline) return 'blocks';
  const started = yield* tryJournalStart(k);
  if (isErr(started)) return started;
  const bug = yield* step(k, 'BUG_ON(MAY_INLINE_DATA)', () =>
    k.bugOn('writepages-may-inline', k.inode(ino).mayInline),
  );
  if (!bug) yield* call(k, 'ext4_destroy_inline_data', () => destroyInline(k, ino));
  yield* journalStop(k);
  return 'blocks';
}

/** What setattr does about a conversion that failed: it logs, and with errors=remount-ro all is read-only. @source fs/ext4/inode.c ext4_setattr */
export function* stdError(k: Kernel, ret: Result<void>): Op<Result<void>> {
  if (isErr(ret)) {
    yield* step(k, 'ext4_std_error', () => {
      k.sb.errors++;
      k.warnOn('std-error', true);
    });
  }
  return ret;
}

export const mkwriteConvert: Design = defineDesign(null, {
  id: 'mkwrite-convert',
  summary: 'convert in page_mkwrite, without the inode lock: the current kernel',
  source: 'commit 7b4cc9787fe3 (2017-03), Linux 6.12',
  promises: ['settled', 'bug-on'],
  locks: [],
  unmodelled: [],
  hooks: {
    *open() {},
    *preMmap() {},
    *mmap() {},
    *pageMkwrite(k, vma, index) {
      return yield* pageMkwrite(k, vma, index, convert);
    },
    *writeBegin(k, ino, pos, len) {
      return yield* k.mount.delalloc ? daWriteBegin(k, ino, pos, len) : writeBegin(k, ino, pos, len);
    },
    *writeEnd(k, ino, pos, len, copied, begin) {
      return yield* k.mount.delalloc
        ? daWriteEnd(k, ino, pos, len, copied, begin)
        : writeEnd(k, ino, pos, len, copied, begin);
    },
    zeroGapFirst() {
      return false;
    },
    stillInline() {
      return true;
    },
    *convertForWrite(k, ino) {
      return yield* call(k, 'ext4_convert_inline_data_to_extent', () => convertInlineDataToExtent(k, ino));
    },
    needsWritepages(k, ino) {
      return mappingTagged(k, ino, 'tagDirty');
    },
    *writepagesInline(k, ino) {
      return yield* destroyAtWritepages(k, ino);
    },
    *setattrSize(k, ino, size) {
      const past = yield* step(
        k,
        'past i_inline_size?',
        () => hasInlineData(k, ino) && size > k.inode(ino).inlineSize,
      );
      if (!past) return;
      return yield* stdError(k, yield* convert(k, ino));
    },
    *convert(k, ino) {
      return yield* convert(k, ino);
    },
    fillInlineFolio(k, ino, index) {
      fillInlineFolio(k, ino, index);
    },
    truncatePending(k, ino) {
      removeDelayed(k, ino, 0, Number.POSITIVE_INFINITY);
    },
    dirtyFolio(k, ino, index) {
      const folio = k.folio(ino, index);
      const owner = k.lockRecord(folioLock(ino, index)).owner;
      k.warnOn('dirty-unlocked', owner === 0 && !folio.dirty && !shouldJournalData(k, ino));
      k.warnOn('dirty-no-buffers', !folio.buffers);
      blockDirtyFolio(k, ino, index);
    },
    releaseFolio(k, ino, index) {
      return !holdsJournalled(k, ino, index);
    },
    expandExtraIsize(k, ino) {
      expandExtraIsize(k, ino);
    },
  },
});
