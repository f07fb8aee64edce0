/**
 * atomic-switch: folio-lock-convert, and every switch to blocks writes a block off-tree first and then destroys and maps
 * in one handle.
 *
 * Source: ours, after Ted Ts'o, 2025-07-11.
 * Promise: no crash shows a file between its two forms; a failed conversion loses nothing.
 * Locks: handle ▸ folio 0 ▸ xattr_sem ▸ i_data_sem, also in writepages. The block is written and waited for under the
 *   folio lock and with a handle open; the end of that I/O needs neither.
 * A fault still enters the pending state, so `strict` is broken by design; `folio-lock-switch` has no such state.
 */

import { nondaSwitch } from '../balloc/balloc.ts';
import type { Result } from '../errno.ts';
import { isErr } from '../errno.ts';
import type { InlineVerdict } from '../hooks.ts';
import { convertUnderFolio, pendingAtFault } from '../inline/convert.ts';
import type { Kernel } from '../kernel.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { pageMkwrite } from '../vfs/aops.ts';
import { type Design, defineDesign } from './design.ts';
import { folioLockConvert } from './folio-lock-convert.ts';
import { growBy } from './page-cache-convert.ts';

/** INLINE or PENDING → BLOCK, with a block that has the bytes before anything refers to it. */
export function* switchNow(k: Kernel, ino: number): Op<Result<void>> {
  return yield* call(k, 'switch in one handle', () => convertUnderFolio(k, ino, 'write'));
}

/** INLINE → PENDING where blocks can be promised, else the switch. */
export function* pendingOrSwitch(k: Kernel, ino: number): Op<Result<void>> {
  const delalloc = yield* step(k, 'delalloc?', () => k.mount.delalloc && !nondaSwitch(k));
  return yield* delalloc ? pendingAtFault(k, ino) : switchNow(k, ino);
}

/** The inline branch of writepages: the pending state ends here, in the handle that maps. */
export function* switchAtWriteback(k: Kernel, ino: number): Op<InlineVerdict> {
  const ret = yield* switchNow(k, ino);
  return isErr(ret) ? { errno: ret.errno } : 'blocks';
}

export const atomicSwitch: Design = defineDesign(folioLockConvert, {
  id: 'atomic-switch',
  summary: 'folio-lock-convert, with the block written off-tree and the switch in one handle',
  source: "ours, after Ted Ts'o, linux-ext4, 2025-07-11",
  promises: ['settled', 'pending', 'bug-on', 'handle-balance', 'durability', 'model'],
  locks: ['folio'],
  unmodelled: [],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* pageMkwrite(k, vma, index, pendingOrSwitch);
    },
    *setattrSize(k, ino, size) {
      return yield* growBy(k, ino, size, switchNow);
    },
    *convert(k, ino) {
      return yield* switchNow(k, ino);
    },
    *convertForWrite(k, ino) {
      return yield* switchNow(k, ino);
    },
    *writepagesInline(k, ino) {
      return yield* switchAtWriteback(k, ino);
    },
  },
});
