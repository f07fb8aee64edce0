/**
 * drop-bug-on: no conversion at the fault; writepages clears MAY_INLINE_DATA where it asserted it clear, and destroys.
 *
 * Source: Cascardo, linux-ext4, 2025-05-19 (v1). Ted Ts'o: "you are replacing BUG_ON … with silent data corruption";
 *   Jan Kara: clearing MAY_INLINE_DATA there needs i_rwsem.
 * Promise: no BUG_ON.
 * Locks: those of no-conversion.
 */
import { journalStart, journalStop } from '../device/journal.ts';
import type { InlineVerdict } from '../hooks.ts';
import { destroyInline } from '../inline/ops.ts';
import { hasInlineData } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { type Design, defineDesign } from './design.ts';
import { noConversion } from './no-conversion.ts';

function* clearAndDestroy(k: Kernel, ino: number): Op<InlineVerdict> {
  const inline = yield* step(k, 'ext4_has_inline_data?', () => hasInlineData(k, ino));
  if (!inline) return 'blocks';
  yield* journalStart(k);
  yield* step(k, 'clear MAY_INLINE_DATA', () => {
    k.inode(ino).mayInline = false;
  });
  yield* call(k, 'ext4_destroy_inline_data', () => destroyInline(k, ino));
  yield* journalStop(k);
  return 'blocks';
}

export const dropBugOn: Design = defineDesign(noConversion, {
  id: 'drop-bug-on',
  summary: 'no conversion; writepages clears MAY_INLINE_DATA instead of asserting it, and destroys',
  source: 'Cascardo, linux-ext4, 2025-05-19',
  promises: ['bug-on'],
  locks: [],
  unmodelled: [],
  hooks: {
    *writepagesInline(k, ino) {
      return yield* clearAndDestroy(k, ino);
    },
  },
});
