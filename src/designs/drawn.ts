/**
 * Designs as a mail drew them, where the drawing and the kernel differ. Claims name them; they are not raced.
 */
import { iLock, iRwsem, lock, unlock } from '../locks/lock.ts';
import { defer } from './defer.ts';
import { deferInodeLock } from './defer-inode-lock.ts';
import { type Design, defineDesign } from './design.ts';

/**
 * defer-inode-lock with the lock scopes of the drawing: writeback_single_inode holds i_lock over do_writepages, and
 * whoever converts under the inode lock takes i_lock (ext4_inode_attach_jinode in ext4_begin_enable_verity). In the
 * kernel i_lock is a spinlock that wbc_attach_and_unlock_inode gives back before __writeback_single_inode.
 *
 * Source: the mail at the end of the thread of June 2023.
 */
export const deferInodeLockAsDrawn: Design = defineDesign(deferInodeLock, {
  id: 'defer-inode-lock-as-drawn',
  summary: 'defer-inode-lock with i_lock held over writepages, as a mail drew it',
  source: 'linux-ext4, June 2023',
  promises: [],
  locks: ['i_rwsem', 'i_lock'],
  unmodelled: ['that no spinlock can be held where writepages sleeps'],
  hooks: {
    *writepagesInline(k, ino, wbc) {
      yield* lock(k, iLock(ino));
      yield* lock(k, iRwsem(ino));
      const verdict = yield* defer.hooks.writepagesInline(k, ino, wbc);
      yield* unlock(k, iRwsem(ino));
      yield* unlock(k, iLock(ino));
      return verdict;
    },
    *convert(k, ino) {
      yield* lock(k, iLock(ino));
      yield* unlock(k, iLock(ino));
      return yield* defer.hooks.convert(k, ino);
    },
  },
});

/**
 * The same with the lock scopes of the kernel: wbc_attach_and_unlock_inode gives i_lock back before writepages, and
 * ext4_inode_attach_jinode takes it for a moment.
 *
 * Source: fs/fs-writeback.c writeback_single_inode; fs/ext4/inode.c ext4_inode_attach_jinode.
 */
export const deferInodeLockWithScopes: Design = defineDesign(deferInodeLockAsDrawn, {
  id: 'defer-inode-lock-with-scopes',
  summary: 'defer-inode-lock, with i_lock taken and given back where the drawing holds it',
  source: 'linux-ext4, June 2023, with the locks of Linux 6.12',
  promises: [],
  locks: ['i_rwsem'],
  unmodelled: [],
  hooks: {
    *writepagesInline(k, ino, wbc) {
      yield* lock(k, iLock(ino));
      yield* unlock(k, iLock(ino));
      return yield* deferInodeLock.hooks.writepagesInline(k, ino, wbc);
    },
  },
});

export const CLAIM_DESIGNS: readonly Design[] = [deferInodeLockAsDrawn, deferInodeLockWithScopes];
