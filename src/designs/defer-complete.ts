/**
 * defer-complete: the deferral of the mails with every trap of docs/findings.md 12 closed.
 *
 * Source: ours, after Matthew Wilcox and Jan Kara, 2023-06-05.
 * Promise: an mmap store leaves the file inline, and nothing is lost: stores, rewrites, truncates, conversions.
 * Locks: the commit point of every change of INLINE_DATA and MAY_INLINE_DATA is folio 0's lock and xattr_sem exclusive:
 *   fault   folio 0 ▸ xattr_sem                 dirty without blocks only while INLINE and MAY are seen there
 *   copy-out handle ▸ folio 0 ▸ xattr_sem       re-tests INLINE and MAY, clamps to i_inline_size, bumps datasync
 *   write_end copies the whole valid range, write-protects, and only then clears PG_dirty, tags included
 *   converters go through folio 0, so what was stored is what is converted; a block is there before inline data goes
 * A file whose i_size is beyond its inline bytes is converted at the fault: its copy-out could need room or a block.
 * `strict` and `settled` are broken by design: the folio is dirty between the store and writeback. `coherence` is broken
 * for a moment by get_user_pages: a pinned page changes after its writeback, as that of any file does.
 */
import { inodeBlock } from '../device/buffer.ts';
import {
  dirtyMetadata,
  getInodeWriteAccess,
  journalStart,
  journalStop,
  updateFsyncTrans,
} from '../device/journal.ts';
import { isErr } from '../errno.ts';
import type { InlineVerdict, VmaView, VmFault } from '../hooks.ts';
import { orphanIfPast, writeInlineData } from '../inline/ops.ts';
import { hasInlineData, markInodeDirty, vfsMarkInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { folioLock, invalidateLock, lock, locked, sbPagefaults, unlock, xattrSem } from '../locks/lock.ts';
import { modelGrow } from '../model.ts';
import { blockDirtyFolio, folioData, lockIfPresent, unlockFolio, zeroFolio } from '../pagecache/folio.ts';
import { clearDirtyForIo, folioMkclean } from '../pagecache/rmap.ts';
import type { Op } from '../task.ts';
import { step } from '../task.ts';
import { cutShortWrite, faultOf, type MkwritePrepare, mkwriteBlocks } from '../vfs/aops.ts';
import { atomicSwitch, pendingOrSwitch, switchAtWriteback, switchNow } from './atomic-switch.ts';
import { type Design, defineDesign } from './design.ts';
import { mkwriteConvert } from './mkwrite-convert.ts';

/** Inside a step: may this store stay inline? */
const staysInline = (k: Kernel, ino: number, index: number): boolean => {
  const inode = k.inode(ino);
  return hasInlineData(k, ino) && inode.mayInline && index === 0 && inode.size <= inode.inlineSize;
};

/**
 * Dirties folio 0 of an inline file, decided under its lock; anything else is converted and dirtied with blocks.
 * @param convert  for a file that cannot stay inline; a file without inline data loses MAY_INLINE_DATA where that is seen
 * @locks  sb_pagefaults ▸ invalidate_lock shared ▸ folio ▸ xattr_sem; the folio held for 'locked'
 */
export function* deferredMkwrite(
  k: Kernel,
  { ino }: VmaView,
  index: number,
  convert: MkwritePrepare,
): Op<VmFault> {
  yield* lock(k, sbPagefaults, 'shared');
  yield* lock(k, invalidateLock(ino), 'shared');
  let fault: VmFault = 'nopage';
  const inline = (yield* lockIfPresent(k, ino, index))
    ? yield* locked(k, xattrSem(ino), 'exclusive', 'inline and small enough?', () => {
        if (index * PAGE_SIZE >= k.inode(ino).size) return 'gone';
        if (!staysInline(k, ino, index)) return 'blocks';
        k.hooks.dirtyFolio(k, ino, index);
        return 'inline';
      })
    : 'absent';
  if (inline === 'inline') fault = 'locked';
  else {
    if (inline !== 'absent') yield* unlockFolio(k, ino, index);
    if (inline === 'blocks') {
      const ready = yield* convert(k, ino);
      fault = isErr(ready) ? faultOf(ready) : yield* mkwriteBlocks(k, ino, index);
    }
  }
  yield* unlock(k, invalidateLock(ino));
  yield* unlock(k, sbPagefaults);
  return fault;
}

/** Inside a step, under the folio lock, xattr_sem exclusive and a handle: folio 0 goes into the inode, whole. */
export function copyFolioIn(k: Kernel, ino: number, length: number): void {
  k.reach('copy-out');
  getInodeWriteAccess(k, ino);
  writeInlineData(k, ino, 0, folioData(k, ino, 0).slice(0, length));
  dirtyMetadata(k, inodeBlock(k, ino));
}

function* copyOut(k: Kernel, ino: number): Op<InlineVerdict> {
  const inline = yield* step(k, 'ext4_has_inline_data?', () => hasInlineData(k, ino));
  if (!inline) return 'blocks';
  yield* journalStart(k);
  yield* lock(k, folioLock(ino, 0));
  yield* lock(k, xattrSem(ino));
  const verdict = yield* step(k, 'inline and MAY_INLINE_DATA? copy out', () => {
    const inode = k.inode(ino);
    if (!hasInlineData(k, ino)) return 'blocks';
    if (!inode.mayInline) return 'pending';
    const folio = k.folio(ino, 0);
    if (folio.present && clearDirtyForIo(k, ino, 0)) {
      const length = Math.min(inode.size, inode.inlineSize);
      zeroFolio(k, ino, 0, length, PAGE_SIZE);
      copyFolioIn(k, ino, length);
    }
    folio.tagDirty = folio.tagTowrite = false;
    return 'done';
  });
  yield* unlock(k, xattrSem(ino));
  yield* unlock(k, folioLock(ino, 0));
  if (verdict === 'done') {
    yield* step(k, 'ext4_mark_inode_dirty', () => {
      markInodeDirty(k, ino);
      updateFsyncTrans(k, ino, true);
    });
  }
  yield* journalStop(k);
  if (verdict === 'pending') return yield* switchAtWriteback(k, ino);
  return verdict;
}

/** The inline write_end: the whole file goes into the inode, so that nothing stored beside the write is forgotten. */
function* endInline(k: Kernel, ino: number, pos: number, len: number, copied: number): Op<number> {
  if (copied > 0) {
    yield* lock(k, xattrSem(ino));
    yield* step(k, 'write-protect; copy the whole folio in; clear dirty', () => {
      const inode = k.inode(ino);
      const folio = k.folio(ino, 0);
      folioMkclean(k, ino, 0);
      const size = Math.max(inode.size, pos + copied);
      if (inode.size < pos) zeroFolio(k, ino, 0, inode.size, pos);
      const length = Math.min(size, inode.inlineSize);
      zeroFolio(k, ino, 0, Math.max(length, pos + copied), PAGE_SIZE);
      copyFolioIn(k, ino, length);
      folio.uptodate = true;
      folio.dirty = folio.tagDirty = folio.tagTowrite = false;
      inode.size = size;
      inode.disksize = Math.max(inode.disksize, size);
      modelGrow(k, ino, size);
    });
    yield* unlock(k, xattrSem(ino));
  }
  yield* unlockFolio(k, ino, 0);
  yield* step(k, 'mark_inode_dirty', () => {
    vfsMarkInodeDirty(k, ino);
    updateFsyncTrans(k, ino, true);
  });
  if (copied < len) yield* orphanIfPast(k, ino, pos + len);
  yield* journalStop(k);
  if (copied < len) yield* cutShortWrite(k, ino, pos + len);
  return copied;
}

export const deferComplete: Design = defineDesign(atomicSwitch, {
  id: 'defer-complete',
  summary: 'the deferral with every trap closed: decided under folio 0 and xattr_sem, copied whole',
  source: 'ours, after Matthew Wilcox and Jan Kara, 2023-06-05',
  promises: ['pending', 'bug-on', 'handle-balance', 'durability', 'model', 'alias'],
  locks: ['folio'],
  unmodelled: [],
  hooks: {
    *pageMkwrite(k, vma, index) {
      return yield* deferredMkwrite(k, vma, index, pendingOrSwitch);
    },
    *writepagesInline(k, ino) {
      return yield* copyOut(k, ino);
    },
    *writeEnd(k, ino, pos, len, copied, begin) {
      if (begin.inline) return yield* endInline(k, ino, pos, len, copied);
      return yield* mkwriteConvert.hooks.writeEnd(k, ino, pos, len, copied, begin);
    },
    *setattrSize(k, ino, size) {
      const way = yield* step(k, 'how far does the file grow?', () => {
        const inode = k.inode(ino);
        if (!hasInlineData(k, ino) || size <= inode.size) return 'as it is';
        return size > inode.inlineSize ? 'convert' : 'zero';
      });
      if (way === 'convert') return yield* switchNow(k, ino);
      if (way === 'zero') {
        // What was stored behind the end must not become file data.
        if (!(yield* lockIfPresent(k, ino, 0))) return;
        yield* step(k, 'zero behind the end', () => {
          if (folioMkclean(k, ino, 0)) k.hooks.dirtyFolio(k, ino, 0);
          zeroFolio(k, ino, 0, Math.min(PAGE_SIZE, k.inode(ino).size), PAGE_SIZE);
        });
        yield* unlockFolio(k, ino, 0);
      }
    },
    // A folio of an inline file has no buffers; the kernel's warning would fire on every store.
    dirtyFolio(k, ino, index) {
      blockDirtyFolio(k, ino, index);
    },
  },
});
