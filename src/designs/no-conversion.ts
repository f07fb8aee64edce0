/**
 * no-conversion: the fault only dirties the folio.
 *
 * Source: the kernel before commit 7b4cc9787fe3 (before v4.12).
 * Promise: none that holds: writepages meets a dirty folio on an inline inode.
 * Locks: those of block_page_mkwrite.
 * Unmodelled: the copy-out that ->writepage had for data=journal.
 */
import type { Op } from '../task.ts';
import { pageMkwrite } from '../vfs/aops.ts';
import { type Design, defineDesign } from './design.ts';
import { mkwriteConvert } from './mkwrite-convert.ts';

export const noConversion: Design = defineDesign(mkwriteConvert, {
  id: 'no-conversion',
  summary: 'a write fault only dirties the folio',
  source: 'the kernel before commit 7b4cc9787fe3 (2017-03)',
  promises: [],
  locks: [],
  unmodelled: ['the copy-out of ->writepage under data=journal'],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* pageMkwrite(k, vma, index, nothing);
    },
  },
});

function* nothing(): Op<void> {}
