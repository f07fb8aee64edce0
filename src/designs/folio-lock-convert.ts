/**
 * folio-lock-convert: every change of INLINE_DATA and MAY_INLINE_DATA is decided under the lock of folio 0.
 *
 * Source: ours. write(2) holds folio 0's lock from write_begin to write_end, so nothing can flip in between.
 * Promise: no BUG_ON, no leaked handle, no lost bytes; a fault allocates nothing under delayed allocation.
 * Locks: page_mkwrite: folio 0 ▸ xattr_sem; write_begin asks again under xattr_sem and under the folio lock.
 * A fault enters the pending state, so `strict` is broken by design; a crash between destroy and mapping is the
 * business of `atomic-switch`.
 */

import { nondaSwitch } from '../balloc/balloc.ts';
import type { Result } from '../errno.ts';
import { pendingAtFault } from '../inline/convert.ts';
import type { Kernel } from '../kernel.ts';
import type { Op } from '../task.ts';
import { step } from '../task.ts';
import { pageMkwrite } from '../vfs/aops.ts';
import { type Design, defineDesign } from './design.ts';
import { convertInCache, pageCacheConvert } from './page-cache-convert.ts';

function* atFault(k: Kernel, ino: number): Op<Result<void>> {
  const delalloc = yield* step(k, 'delalloc?', () => k.mount.delalloc && !nondaSwitch(k));
  return yield* delalloc ? pendingAtFault(k, ino) : convertInCache(k, ino);
}

export const folioLockConvert: Design = defineDesign(pageCacheConvert, {
  id: 'folio-lock-convert',
  summary: 'delayed conversion at the fault, every decision under the lock of folio 0',
  source: 'ours',
  promises: ['bug-on', 'handle-balance', 'durability', 'pending'],
  locks: ['folio'],
  unmodelled: [],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* pageMkwrite(k, vma, index, atFault);
    },
    stillInline(k, ino) {
      return k.inode(ino).mayInline;
    },
  },
});
