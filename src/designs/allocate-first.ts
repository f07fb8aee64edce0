/**
 * allocate-first: a block off-tree is written and waited for, then one handle clears i_block and maps it.
 *
 * Source: Ted Ts'o, linux-ext4, 2025-07-11.
 * Promise: a failed conversion leaves the inode as it was: no restore, no wrong checksum, no window on the medium.
 * Locks: handle ▸ xattr_sem; the folio lock only to read the folio in. The switch can still come between write_begin
 *   and write_end.
 */
import type { Result } from '../errno.ts';
import { allocateFirst as convertOffTree } from '../inline/convert.ts';
import type { Kernel } from '../kernel.ts';
import type { Op } from '../task.ts';
import { pageMkwrite } from '../vfs/aops.ts';
import { filemapFlush } from '../writeback/writepages.ts';
import { type Design, defineDesign } from './design.ts';
import { mkwriteConvert, stdError } from './mkwrite-convert.ts';
import { growBy } from './page-cache-convert.ts';

function* convert(k: Kernel, ino: number): Op<Result<void>> {
  return yield* convertOffTree(k, ino, (i) => filemapFlush(k, i));
}

export const allocateFirst: Design = defineDesign(mkwriteConvert, {
  id: 'allocate-first',
  summary: 'write a block off-tree first, then switch the inode over in one handle',
  source: "Ted Ts'o, linux-ext4, 2025-07-11",
  promises: ['settled', 'bug-on', 'durability'],
  locks: [],
  unmodelled: ['the split of ext4_map_blocks it needs'],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* pageMkwrite(k, vma, index, convert);
    },
    *setattrSize(k, ino, size) {
      return yield* stdError(k, yield* growBy(k, ino, size, convert));
    },
    *convert(k, ino) {
      return yield* convert(k, ino);
    },
  },
});
