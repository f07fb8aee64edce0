/**
 * mmap-convert-write and mmap-convert: convert in ->mmap under the inode lock; none in page_mkwrite.
 *
 * Source: Baokun Li, linux-ext4, 2023-05-29 (v1, VM_WRITE) and 2023-05-30 (v2, VM_MAYWRITE); Cascardo, 2025-05-26.
 * Promise: no fault ever meets an inline file, so no flip happens between write_begin and write_end.
 * Locks: mmap_lock exclusive ▸ i_rwsem: the reverse of write(2), which may fault on its source buffer under i_rwsem.
 * v1 looks at VM_WRITE only: a mapping made read-only and made writable later by mprotect(2) is missed.
 */
import type { Result } from '../errno.ts';
import type { VmaView } from '../hooks.ts';
import type { Kernel } from '../kernel.ts';
import { iRwsem, lock, unlock } from '../locks/lock.ts';
import type { Op } from '../task.ts';
import { convert, pageMkwrite } from '../vfs/aops.ts';
import { type Design, defineDesign } from './design.ts';
import { mkwriteConvert } from './mkwrite-convert.ts';

/** Nothing is left to do at the fault. */
export function* nothing(): Op<void> {}

/** Conversion under the inode lock. */
export function* convertLocked(k: Kernel, ino: number): Op<Result<void>> {
  yield* lock(k, iRwsem(ino));
  const ret = yield* convert(k, ino);
  yield* unlock(k, iRwsem(ino));
  return ret;
}

const common = {
  promises: ['settled', 'bug-on'],
  locks: ['i_rwsem'] as const,
  source: 'Baokun Li, linux-ext4, 2023-05-29 and 2023-05-30; Cascardo, 2025-05-26',
  unmodelled: ['errors of ->mmap other than those of the conversion'],
};

const faultDoesNothing = {
  *pageMkwrite(k: Kernel, vma: VmaView, index: number) {
    return yield* pageMkwrite(k, vma, index, nothing);
  },
};

/** mmap-convert-write: the first version of the patch, which converts only what may be written through now. */
export const mmapConvertWrite: Design = defineDesign(mkwriteConvert, {
  ...common,
  id: 'mmap-convert-write',
  summary: 'convert in ->mmap under the inode lock when the mapping is writable (v1)',
  hooks: {
    ...faultDoesNothing,
    *mmap(k, vma) {
      if (vma.shared && vma.write) return yield* convertLocked(k, vma.ino);
    },
  },
});

export const mmapConvert: Design = defineDesign(mkwriteConvert, {
  ...common,
  id: 'mmap-convert',
  summary: 'convert in ->mmap under the inode lock when the mapping may become writable (v2)',
  hooks: {
    ...faultDoesNothing,
    *mmap(k, vma) {
      if (vma.shared && vma.mayWrite) return yield* convertLocked(k, vma.ino);
    },
  },
});
