/**
 * folio-lock-switch: no pending state at all. Whoever needs blocks gets one at once, under the lock of folio 0, and one
 * handle switches the file over: faults, growing writes, truncate, fallocate.
 *
 * Source: ours, after Ted Ts'o, 2025-07-11.
 * Promise: everything that is checked here. No dirty folio ever exists on an inline inode, at any step: the switch comes
 *   before the folio is dirtied, and nothing but write(2), which copies into the inode before it lets go of the folio,
 *   changes the folio of an inline file.
 * Locks: handle ▸ folio 0 ▸ xattr_sem ▸ i_data_sem, from page_mkwrite as well; no i_rwsem outside write(2) and friends.
 * Cost: the first block of a file that outgrows its inode is allocated by the write or the store and written before it
 *   goes on, instead of delayed; a store into a full volume is SIGBUS, as today.
 */

import type { Result } from '../errno.ts';
import { isErr } from '../errno.ts';
import type { Hooks, WriteBegin } from '../hooks.ts';
import { tryToWriteInlineData } from '../inline/ops.ts';
import type { Kernel } from '../kernel.ts';
import type { Op } from '../task.ts';
import { step } from '../task.ts';
import { beginInline, pageMkwrite } from '../vfs/aops.ts';
import { atomicSwitch, switchNow } from './atomic-switch.ts';
import { type Design, defineDesign } from './design.ts';
import { mkwriteConvert } from './mkwrite-convert.ts';

/**
 * write_begin without the pending state: what does not fit the inode is converted at once, by `convertForWrite`; then
 * come blocks, delayed as usual.
 */
export const beginWithoutPending: Hooks['writeBegin'] = function* (
  k: Kernel,
  ino: number,
  pos: number,
  len: number,
): Op<Result<WriteBegin>> {
  const may = yield* step(k, 'MAY_INLINE_DATA?', () => k.inode(ino).mayInline);
  if (may) {
    const begun = yield* beginInline(k, ino, 'ext4_try_to_write_inline_data', () =>
      tryToWriteInlineData(k, ino, pos + len),
    );
    if (isErr(begun)) return begun;
    if (begun === 'inline') return { index: 0, mode: 'plain', inline: true };
  }
  return yield* mkwriteConvert.hooks.writeBegin(k, ino, pos, len);
};

export const folioLockSwitch: Design = defineDesign(atomicSwitch, {
  id: 'folio-lock-switch',
  summary:
    'no pending state: a block and the switch in one handle, under the lock of folio 0, wherever the kernel converts',
  source: "ours, after Ted Ts'o, linux-ext4, 2025-07-11",
  promises: [
    'strict',
    'settled',
    'pending',
    'bug-on',
    'handle-balance',
    'durability',
    'model',
    'coherence',
    'alias',
  ],
  locks: ['folio'],
  unmodelled: [],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* pageMkwrite(k, vma, index, switchNow);
    },
    writeBegin: beginWithoutPending,
    // The kernel's assertion stays: writepages never meets an inline file with a dirty folio.
    *writepagesInline(k, ino, wbc) {
      return yield* mkwriteConvert.hooks.writepagesInline(k, ino, wbc);
    },
  },
});
