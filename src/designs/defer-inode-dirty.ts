/**
 * defer-inode-dirty: the deferral in which PG_dirty is *never* set on an inline inode: the inode carries the dirt.
 *
 * Source: ours. The first invariant, literally: no dirty folio ever exists on an inline inode.
 * Promise: `strict` against faults; a store marks the inode, writepages harvests the PTEs and copies folio 0 out.
 * Locks: as defer-complete.
 * What keeps it sound: ->dirty_folio sets a bit of the inode instead of PG_dirty, also from munmap and reclaim;
 *   ->release_folio refuses while the bit is set; writepages is called although no tag is there; growing write(2)s
 *   convert through blocks at once instead of entering the pending state, so that no folio is dirty while inline.
 */

import { inodeBlock } from '../device/buffer.ts';
import {
  dirtyMetadata,
  getInodeWriteAccess,
  journalStart,
  journalStop,
  updateFsyncTrans,
} from '../device/journal.ts';
import type { InlineVerdict } from '../hooks.ts';
import { writeInlineData } from '../inline/ops.ts';
import { hasInlineData, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { folioLock, lock, unlock, xattrSem } from '../locks/lock.ts';
import { blockDirtyFolio, folioData, mappingTagged, zeroFolio } from '../pagecache/folio.ts';
import { folioMkclean } from '../pagecache/rmap.ts';
import type { Op } from '../task.ts';
import { step } from '../task.ts';
import { switchNow } from './atomic-switch.ts';
import { deferComplete, deferredMkwrite } from './defer-complete.ts';
import { type Design, defineDesign } from './design.ts';
import { beginWithoutPending } from './folio-lock-switch.ts';

function* copyOut(k: Kernel, ino: number): Op<InlineVerdict> {
  const inline = yield* step(k, 'ext4_has_inline_data?', () => hasInlineData(k, ino));
  if (!inline) return 'blocks';
  yield* journalStart(k);
  yield* lock(k, folioLock(ino, 0));
  yield* lock(k, xattrSem(ino));
  const verdict = yield* step(k, 'inline? harvest PTEs, copy out', () => {
    const inode = k.inode(ino);
    if (!hasInlineData(k, ino)) return 'blocks';
    const harvested = folioMkclean(k, ino, 0);
    if (k.folio(ino, 0).present && (harvested || inode.inlineDirty)) {
      const length = Math.min(inode.size, inode.inlineSize);
      zeroFolio(k, ino, 0, length, PAGE_SIZE);
      k.reach('copy-out');
      getInodeWriteAccess(k, ino);
      writeInlineData(k, ino, 0, folioData(k, ino, 0).slice(0, length));
      dirtyMetadata(k, inodeBlock(k, ino));
      markInodeDirty(k, ino);
      updateFsyncTrans(k, ino, true);
    }
    inode.inlineDirty = false;
    return 'done';
  });
  yield* unlock(k, xattrSem(ino));
  yield* unlock(k, folioLock(ino, 0));
  yield* journalStop(k);
  return verdict === 'done' ? 'done' : 'blocks';
}

export const deferInodeDirty: Design = defineDesign(deferComplete, {
  id: 'defer-inode-dirty',
  summary: 'the deferral in which PG_dirty is never set on an inline inode: the inode carries the dirt',
  source: 'ours',
  promises: ['strict', 'bug-on', 'handle-balance', 'durability', 'model'],
  locks: ['folio'],
  unmodelled: ['the cost of converting growing writes at once'],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* deferredMkwrite(k, vma, index, switchNow);
    },
    writeBegin: beginWithoutPending,
    *writepagesInline(k, ino) {
      return yield* copyOut(k, ino);
    },
    needsWritepages(k, ino) {
      return mappingTagged(k, ino, 'tagDirty') || k.inode(ino).inlineDirty;
    },
    dirtyFolio(k, ino, index) {
      if (!hasInlineData(k, ino)) return blockDirtyFolio(k, ino, index);
      const inode = k.inode(ino);
      inode.inlineDirty = true;
      inode.dirtyPages = true;
    },
    releaseFolio(k, ino, index) {
      return deferComplete.hooks.releaseFolio(k, ino, index) && (index !== 0 || !k.inode(ino).inlineDirty);
    },
  },
});
