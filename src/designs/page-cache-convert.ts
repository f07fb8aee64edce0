/**
 * page-cache-convert: converts where the current kernel does, but through the file's page cache as write(2) does.
 *
 * Source: ours; in a patched 6.12 it cured the lost stores on all five mounts tried.
 * Promise: no byte lives in the bdev cache and in a folio at once: fsynced stores survive. A failed conversion loses the
 *   inline bytes, as that of write(2) does; the races stay what they are.
 * Locks: handle ▸ folio 0 ▸ xattr_sem, from page_mkwrite, setattr and fallocate. No i_rwsem at the fault: the flip can
 *   still come between a write(2)'s decision and its folio lock.
 */
import type { Result } from '../errno.ts';
import { throughPageCache } from '../inline/convert.ts';
import { hasInlineData } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import type { Op } from '../task.ts';
import { step } from '../task.ts';
import { pageMkwrite } from '../vfs/aops.ts';
import { filemapFlush } from '../writeback/writepages.ts';
import { type Design, defineDesign } from './design.ts';
import { mkwriteConvert, stdError } from './mkwrite-convert.ts';

/** The conversion of this design, wherever the kernel converts. */
export function* convertInCache(k: Kernel, ino: number): Op<Result<void>> {
  return yield* throughPageCache(k, ino, (i) => filemapFlush(k, i));
}

/** Growing past the inline bytes by truncate(2). */
export function* growBy(
  k: Kernel,
  ino: number,
  size: number,
  convert: (k: Kernel, ino: number) => Op<Result<void>>,
): Op<Result<void>> {
  const past = yield* step(
    k,
    'past i_inline_size?',
    () => hasInlineData(k, ino) && size > k.inode(ino).inlineSize,
  );
  if (past) return yield* convert(k, ino);
}

export const pageCacheConvert: Design = defineDesign(mkwriteConvert, {
  id: 'page-cache-convert',
  summary: 'convert where the kernel does, through the page cache as write(2) does',
  source: 'ours; a patched Linux 6.12',
  promises: ['settled', 'bug-on', 'alias'],
  locks: ['folio'],
  unmodelled: [],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* pageMkwrite(k, vma, index, convertInCache);
    },
    *setattrSize(k, ino, size) {
      return yield* stdError(k, yield* growBy(k, ino, size, convertInCache));
    },
    *convert(k, ino) {
      return yield* convertInCache(k, ino);
    },
  },
});
