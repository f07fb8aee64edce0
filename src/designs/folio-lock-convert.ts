/**
 * folio-lock-convert: every change of INLINE_DATA and MAY_INLINE_DATA is decided under the lock of folio 0.
 *
 * Source: ours. write(2) holds folio 0's lock from write_begin to write_end, so nothing can flip in between.
 * Promise: no BUG_ON, no leaked handle, no lost bytes; a fault allocates nothing under delayed allocation; a conversion
 *   that finds no block leaves the inline bytes where they are.
 * Locks: page_mkwrite: folio 0 ▸ xattr_sem; write_begin asks again under xattr_sem and under the folio lock.
 * Beside that, what the current kernel does to a file whose conversion is pending and this one must not: a read zeroes
 *   no dirty folio, truncate leaves block 0 its reservation; and fdatasync waits for inline bytes. A write past the end
 *   zeroes the gap before it publishes i_size, not afterwards, when others may have stored there.
 * A fault enters the pending state, so `strict` is broken by design; a crash between destroy and mapping is the
 * business of `atomic-switch`.
 */

import { nondaSwitch } from '../balloc/balloc.ts';
import { removeDelayed } from '../balloc/mapBlocks.ts';
import { updateFsyncTrans } from '../device/journal.ts';
import type { Result } from '../errno.ts';
import { convertUnderFolio, pendingAtFault } from '../inline/convert.ts';
import { readInlineFolio } from '../inline/ops.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { blocksOfPage, zeroFolio } from '../pagecache/folio.ts';
import { BH } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { inlineEnd, pageMkwrite } from '../vfs/aops.ts';
import { type Design, defineDesign } from './design.ts';
import { mkwriteConvert } from './mkwrite-convert.ts';
import { growBy, pageCacheConvert } from './page-cache-convert.ts';

/** INLINE → BLOCK through the page cache; the inline bytes go only when there is a block. */
function* convertNow(k: Kernel, ino: number): Op<Result<void>> {
  return yield* call(k, 'convert under folio 0', () => convertUnderFolio(k, ino, 'dirty'));
}

function* atFault(k: Kernel, ino: number): Op<Result<void>> {
  const delalloc = yield* step(k, 'delalloc?', () => k.mount.delalloc && !nondaSwitch(k));
  return yield* delalloc ? pendingAtFault(k, ino) : convertNow(k, ino);
}

export const folioLockConvert: Design = defineDesign(pageCacheConvert, {
  id: 'folio-lock-convert',
  summary: 'delayed conversion at the fault, every decision under the lock of folio 0',
  source: 'ours',
  promises: ['settled', 'pending', 'bug-on', 'handle-balance', 'durability', 'model'],
  locks: ['folio'],
  unmodelled: [],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* pageMkwrite(k, vma, index, atFault);
    },
    *setattrSize(k, ino, size) {
      return yield* growBy(k, ino, size, convertNow);
    },
    *convert(k, ino) {
      return yield* convertNow(k, ino);
    },
    *convertForWrite(k, ino) {
      return yield* convertNow(k, ino);
    },
    zeroGapFirst() {
      return true;
    },
    stillInline(k, ino) {
      return k.inode(ino).mayInline;
    },
    *writeEnd(k, ino, pos, len, copied, begin) {
      // The kernel's end, and fdatasync knows of it.
      if (begin.inline)
        return yield* inlineEnd(k, ino, pos, len, copied, () => updateFsyncTrans(k, ino, true));
      return yield* mkwriteConvert.hooks.writeEnd(k, ino, pos, len, copied, begin);
    },
    // Past folio 0 there is nothing in the inode, but there may be dirty buffers: only the others are zero.
    fillInlineFolio(k, ino, index) {
      if (index === 0) return readInlineFolio(k, ino, 0);
      const folio = k.folio(ino, index);
      for (const lblk of blocksOfPage(k, index)) {
        if (folio.buffers && (k.fbuf(ino, lblk).state & BH.uptodate) !== 0) continue;
        const at = lblk * k.blockSize - index * PAGE_SIZE;
        zeroFolio(k, ino, index, at, at + k.blockSize);
        if (folio.buffers) k.fbuf(ino, lblk).state |= BH.uptodate;
      }
      folio.uptodate = true;
    },
    // Folio 0 stays dirty over what is left of the file: so does its delayed block.
    truncatePending(k, ino) {
      removeDelayed(k, ino, Math.ceil(k.inode(ino).size / k.blockSize), Number.POSITIVE_INFINITY);
    },
  },
});
