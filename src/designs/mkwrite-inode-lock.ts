/**
 * mkwrite-inode-lock: the current kernel with the inode lock taken inside page_mkwrite.
 *
 * Source: ours, to fail: a patched 6.12 shows a lockdep cycle (i_rwsem, invalidate_lock) and tasks that hang.
 * Promise: no flip between write_begin and write_end.
 * Locks: mmap_lock ▸ sb_pagefaults ▸ invalidate_lock shared ▸ i_rwsem, against i_rwsem ▸ invalidate_lock in setattr.
 */
import { pageMkwrite } from '../vfs/aops.ts';
import { type Design, defineDesign } from './design.ts';
import { mkwriteConvert } from './mkwrite-convert.ts';
import { convertLocked } from './mmap-convert.ts';

export const mkwriteInodeLock: Design = defineDesign(mkwriteConvert, {
  id: 'mkwrite-inode-lock',
  summary: 'the current kernel with the inode lock inside page_mkwrite',
  source: 'ours; a patched Linux 6.12',
  promises: [],
  locks: ['i_rwsem'],
  unmodelled: [],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* pageMkwrite(k, vma, index, convertLocked);
    },
  },
});
