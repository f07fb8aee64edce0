/**
 * fault-retry: page_mkwrite on an inline file drops mmap_lock, converts under the inode lock, and has the fault done
 * again.
 *
 * Source: Baokun Li, linux-ext4, 2024-04-15.
 * Promise: the flip happens under i_rwsem, without a lock inversion.
 * Locks: i_rwsem, with mmap_lock, sb_pagefaults and invalidate_lock given back before.
 *   A fault that may not be retried (some get_user_pages callers) gets SIGBUS.
 * Unmodelled: the pin on the file.
 */

import { isErr } from '../errno.ts';
import type { VmaView, VmFault } from '../hooks.ts';
import { hasInlineData } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { locked, mmapLock, unlock, xattrSem } from '../locks/lock.ts';
import type { Op } from '../task.ts';
import { step } from '../task.ts';
import { pageMkwrite } from '../vfs/aops.ts';
import { type Design, defineDesign } from './design.ts';
import { mkwriteConvert } from './mkwrite-convert.ts';
import { convertLocked } from './mmap-convert.ts';

/** MAYBE → BLOCK at the fault, as in the current kernel; an inline file does not come here. */
function* clearMay(k: Kernel, ino: number): Op<void> {
  yield* step(k, 'clear MAY_INLINE_DATA', () => {
    if (!hasInlineData(k, ino)) k.inode(ino).mayInline = false;
  });
}

function* retry(k: Kernel, vma: VmaView, index: number): Op<VmFault> {
  const { ino } = vma;
  const inline = yield* locked(k, xattrSem(ino), 'shared', 'inline?', () => hasInlineData(k, ino));
  if (!inline) return yield* pageMkwrite(k, vma, index, clearMay);
  if (!vma.allowRetry) return 'sigbus';
  yield* unlock(k, mmapLock(k.mm));
  const ret = yield* convertLocked(k, ino);
  return isErr(ret) ? 'sigbus-released' : 'retry';
}

export const faultRetry: Design = defineDesign(mkwriteConvert, {
  id: 'fault-retry',
  summary: 'drop mmap_lock in the fault, convert under the inode lock, fault again',
  source: 'Baokun Li, linux-ext4, 2024-04-15',
  promises: ['settled', 'bug-on'],
  locks: ['i_rwsem'],
  unmodelled: ['the pin on the file while mmap_lock is dropped'],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* retry(k, vma, index);
    },
  },
});
