/**
 * pre-mmap: a hook that mmap(2) calls before it takes mmap_lock; it converts under the inode lock.
 *
 * Source: Ted Ts'o, linux-ext4, 2023-06-04.
 * Promise: as mmap-convert, without the lock inversion.
 * Locks: sb_writers ▸ i_rwsem ▸ handle ▸ xattr_sem; mmap_lock comes later.
 * Unmodelled: the other ways to a file mapping (exec, shmat, remap_file_pages), stacked file systems.
 */
import { lock, sbWriters, unlock } from '../locks/lock.ts';
import { pageMkwrite } from '../vfs/aops.ts';
import { type Design, defineDesign } from './design.ts';
import { mkwriteConvert } from './mkwrite-convert.ts';
import { convertLocked, nothing } from './mmap-convert.ts';

export const preMmap: Design = defineDesign(mkwriteConvert, {
  id: 'pre-mmap',
  summary: 'convert before mmap_lock is taken, under the inode lock',
  source: "Ted Ts'o, linux-ext4, 2023-06-04",
  promises: ['settled', 'bug-on'],
  locks: ['i_rwsem'],
  unmodelled: ['mappings made by exec, shmat and remap_file_pages', 'stacked file systems'],
  hooks: {
    *preMmap(k, vma) {
      if (!vma.shared || !vma.mayWrite) return;
      yield* lock(k, sbWriters, 'shared');
      const ret = yield* convertLocked(k, vma.ino);
      yield* unlock(k, sbWriters);
      return ret;
    },
    *pageMkwrite(k, vma, index) {
      return yield* pageMkwrite(k, vma, index, nothing);
    },
  },
});
