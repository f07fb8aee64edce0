/**
 * Reclaim of memory: the pages of a file, and its dentry and inode. By kswapd, or by whoever allocates.
 *
 *   allocation ── __GFP_FS ──▶ shrink_folio_list ─▶ shrink_slab ── last iput ──▶ kept on the LRU, or (I_DONTCACHE)
 *              └─ NOFS ──────▶ shrink_folio_list                                 write_inode_now ─▶ writepages
 *
 * Locks: fs_reclaim, which lockdep is told of in the frames named here. An allocation inside a handle is NOFS.
 *
 * Not modelled: which pages and inodes are old; pages under writeback are not waited for; ext4_write_inode, which
 * commits nothing in reclaim; whoever opens a file that is being written for the last time does not wait, and then it stays.
 * An inode without names is evicted by who lets go of it last, which is never a shrinker (that takes highmem).
 */
import { isDir, RESERVED_INO } from '../inode/layout.ts';
import { forget } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { folioLock, iSync, sUmount, tryLock, unlock } from '../locks/lock.ts';
import { mappingTagged, removeFolio } from '../pagecache/folio.ts';
import { folioMapping, unmapFolio } from '../pagecache/rmap.ts';
import type { Op } from '../task.ts';
import { call, step, waitFor } from '../task.ts';
import { writebackSingleInode } from '../writeback/sync.ts';
import { SYNC_ALL } from '../writeback/writepages.ts';
import { inUse } from './evict.ts';

/**
 * Every folio of a file: unmap, which moves PTE dirt to the folio, and drop what is clean. Dirty folios stay for the
 * flusher: ext4 has no ->writepage.
 * @locks   folio lock, tried
 * @source  mm/vmscan.c shrink_folio_list
 */
export function* shrinkFolios(k: Kernel, ino: number): Op<void> {
  const indexes = yield* step(k, 'isolate_lru_folios', () => k.folioIndexes(ino).join(','));
  for (const index of indexes === '' ? [] : indexes.split(',').map(Number)) {
    const got = yield* tryLock(k, folioLock(ino, index));
    if (!got) continue;
    yield* step(k, 'try_to_unmap; __remove_mapping', () => {
      const folio = k.folio(ino, index);
      if (!folio.present || folio.writeback) return;
      unmapFolio(k, ino, index);
      if (!folio.dirty && k.hooks.releaseFolio(k, ino, index)) removeFolio(k, ino, index);
    });
    yield* unlock(k, folioLock(ino, index));
  }
}

/**
 * The dentry of a file goes, and with it the last reference. The inode is kept until it has no pages and nothing to
 * write; one that may not be cached is written at once, and goes.
 * @locks   s_umount shared, tried ▸ I_SYNC ▸ s_writepages_rwsem ▸ …
 * @source  fs/super.c super_cache_scan; fs/inode.c iput_final, inode_lru_isolate
 */
export function* shrinkInode(k: Kernel, ino: number): Op<void> {
  if (!(yield* tryLock(k, sUmount, 'shared'))) return;
  const last = yield* step(k, 'prune_dcache_sb: iput_final', () => {
    if (!mayGo(k, ino)) return '';
    k.reach('iput_final');
    return k.inode(ino).dontCache ? 'write' : 'lru';
  });
  if (last === 'write') {
    yield* call(k, 'write_inode_now', () => writebackSingleInode(k, ino, SYNC_ALL));
    yield* call(k, 'evict', () => evictCached(k, ino));
  } else if (last === 'lru') {
    yield* step(k, 'prune_icache_sb: inode_lru_isolate', () => {
      if (mayGo(k, ino) && isClean(k, ino) && k.folioIndexes(ino).length === 0) forget(k, ino);
    });
  }
  yield* unlock(k, sUmount);
}

/** Is nobody left who refers to this file by anything but its name? Inside a step. */
function mayGo(k: Kernel, ino: number): boolean {
  const { inCore, mode, unlinked } = k.inode(ino);
  return inCore && !unlinked && ino !== RESERVED_INO.root && !isDir(mode) && !inUse(k, ino);
}

/** Has writeback nothing left to do for an inode? Inside a step. @source fs/inode.c inode_lru_isolate */
export function isClean(k: Kernel, ino: number): boolean {
  const { dirtyPages, dirtyInode, inlineDirty, reserved } = k.inode(ino);
  return !dirtyPages && !dirtyInode && !inlineDirty && reserved === 0 && !mappingTagged(k, ino, 'tagDirty');
}

/** A file that keeps its names leaves memory, with its clean pages. @source fs/inode.c evict */
function* evictCached(k: Kernel, ino: number): Op<void> {
  yield* waitFor(
    k,
    'inode_wait_for_writeback; truncate_inode_pages_final',
    () =>
      k.lockRecord(iSync(ino)).owner === 0 &&
      k.folioIndexes(ino).every((index) => {
        return k.lockRecord(folioLock(ino, index)).owner === 0 && !k.folio(ino, index).writeback;
      }),
    () => {
      if (!mayGo(k, ino) || !isClean(k, ino)) return;
      k.reach('evict-in-reclaim');
      for (const index of k.folioIndexes(ino)) {
        if (folioMapping(k, ino, index).mapped) unmapFolio(k, ino, index);
        removeFolio(k, ino, index);
      }
      forget(k, ino);
    },
  );
}

/**
 * Whoever allocates reclaims: the file that `@direct-reclaim` named.
 * @source mm/page_alloc.c __alloc_pages_direct_reclaim; include/linux/sched/mm.h memalloc_nofs_save
 */
export function* directReclaim(k: Kernel): Op<void> {
  const { ino, mayEnterFs } = yield* step(k, '__GFP_FS?', () => {
    const { reclaimIno, handle } = k.taskRecord(k.task);
    k.reach(handle === 0 ? 'direct-reclaim' : 'direct-reclaim-nofs');
    return { ino: reclaimIno, mayEnterFs: handle === 0 };
  });
  yield* call(k, 'shrink_folio_list', () => shrinkFolios(k, ino));
  if (mayEnterFs) yield* call(k, 'shrink_slab', () => shrinkInode(k, ino));
}

/** Inside a step: at its last iput the inode is not kept. @source fs/dcache.c d_mark_dontcache; fs/ext4/ioctl.c ext4_dax_dontcache */
export function markDontCache(k: Kernel, ino: number): void {
  k.inode(ino).dontCache = true;
}
