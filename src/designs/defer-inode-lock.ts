/**
 * defer-inode-lock: defer, with the inode lock taken in writepages.
 *
 * Source: Jan Kara and Baokun Li, linux-ext4, 2023-06-05: discussed and rejected.
 * Promise: i_size and inline-ness are stable while the folio is copied out.
 * Locks: s_writepages_rwsem ▸ i_rwsem: whoever flushes while holding i_rwsem waits for itself, or for a flusher that
 *   waits for it.
 */
import { iRwsem, lock, unlock } from '../locks/lock.ts';
import { defer } from './defer.ts';
import { type Design, defineDesign } from './design.ts';

export const deferInodeLock: Design = defineDesign(defer, {
  id: 'defer-inode-lock',
  summary: 'defer, with the inode lock taken in writepages',
  source: 'Jan Kara and Baokun Li, linux-ext4, 2023-06-05 (rejected there)',
  promises: ['a mapped store leaves the file inline'],
  locks: ['i_rwsem'],
  unmodelled: [],
  hooks: {
    *writepagesInline(k, ino, wbc) {
      yield* lock(k, iRwsem(ino));
      const verdict = yield* defer.hooks.writepagesInline(k, ino, wbc);
      yield* unlock(k, iRwsem(ino));
      return verdict;
    },
  },
});
