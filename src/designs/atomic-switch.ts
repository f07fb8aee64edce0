/**
 * atomic-switch: folio-lock-convert, and every switch to blocks writes a block off-tree first and then destroys and maps
 * in one handle.
 *
 * Source: ours, after Ted Ts'o, 2025-07-11.
 * Promise: no crash shows a file between its two forms; a failed conversion loses nothing.
 * Locks: handle ▸ folio 0 ▸ xattr_sem ▸ i_data_sem, also in writepages.
 */

import { nondaSwitch } from '../balloc/balloc.ts';
import type { Result } from '../errno.ts';
import { isErr } from '../errno.ts';
import type { InlineVerdict } from '../hooks.ts';
import { allocateFirst, pendingAtFault, switchAtWriteback } from '../inline/convert.ts';
import { hasInlineData } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { pageMkwrite } from '../vfs/aops.ts';
import { filemapFlush } from '../writeback/writepages.ts';
import { type Design, defineDesign } from './design.ts';
import { folioLockConvert } from './folio-lock-convert.ts';
import { growBy } from './page-cache-convert.ts';

function* switchNow(k: Kernel, ino: number): Op<Result<void>> {
  return yield* allocateFirst(k, ino, true, (i) => filemapFlush(k, i));
}

function* atFault(k: Kernel, ino: number): Op<Result<void>> {
  const delalloc = yield* step(k, 'delalloc?', () => k.mount.delalloc && !nondaSwitch(k));
  return yield* delalloc ? pendingAtFault(k, ino) : switchNow(k, ino);
}

function* atWriteback(k: Kernel, ino: number): Op<InlineVerdict> {
  const inline = yield* step(k, 'ext4_has_inline_data?', () => hasInlineData(k, ino));
  if (!inline) return 'blocks';
  const ret = yield* call(k, 'switch in one handle', () => switchAtWriteback(k, ino));
  return isErr(ret) ? { errno: ret.errno } : 'blocks';
}

export const atomicSwitch: Design = defineDesign(folioLockConvert, {
  id: 'atomic-switch',
  summary: 'folio-lock-convert, with the block written off-tree and the switch in one handle',
  source: "ours, after Ted Ts'o, 2025-07-11",
  promises: ['bug-on', 'handle-balance', 'durability', 'pending'],
  locks: ['folio'],
  unmodelled: [],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* pageMkwrite(k, vma, index, atFault);
    },
    *setattrSize(k, ino, size) {
      return yield* growBy(k, ino, size, switchNow);
    },
    *convert(k, ino) {
      return yield* switchNow(k, ino);
    },
    *convertForWrite(k, ino) {
      return yield* call(k, 'switch in one handle', () => switchNow(k, ino));
    },
    *writepagesInline(k, ino) {
      return yield* atWriteback(k, ino);
    },
  },
});
