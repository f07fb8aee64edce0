/**
 * Mounting, unmounting, dropping caches, and power failure.
 *
 * After every mount the medium is compared with the plain model: what the file system gives back must be what
 * programs were told it holds. After an unmount that is everything; after a crash only what was promised.
 */
import { countFreeBlocks } from '../balloc/balloc.ts';
import { countFreeInodes } from '../balloc/ialloc.ts';
import { dropBuffers, inodeBlock } from '../device/buffer.ts';
import { dropTransactions, replay, trimLog } from '../device/journal.ts';
import { err, type Result } from '../errno.ts';
import { RESERVED_INO } from '../inode/layout.ts';
import { forget } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { folioLock, lock, sUmount, unlock } from '../locks/lock.ts';
import { removeFolio } from '../pagecache/folio.ts';
import { folioMapping, unmapFolio } from '../pagecache/rmap.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { syncFilesystem } from '../writeback/sync.ts';
import { mediumMismatch } from './mediumFile.ts';
import { inUse } from './namei.ts';
import { unmountedComplaint } from './unmounted.ts';

/** Counters from the bitmaps. Inside a step; also how a world is prepared. @source fs/ext4/super.c ext4_fill_super */
export function mountVolume(k: Kernel): void {
  const { sb } = k;
  sb.mounted = true;
  sb.freeBlocks = countFreeBlocks(k);
  sb.dirtyBlocks = 0;
  sb.freeInodes = countFreeInodes(k);
}

/** Everything in memory is gone; the medium and the log stay. Inside a step. */
function forgetMemory(k: Kernel): void {
  for (const ino of k.inodesInCore()) {
    for (const index of k.folioIndexes(ino)) {
      unmapFolio(k, ino, index);
      removeFolio(k, ino, index);
    }
    forget(k, ino);
  }
  dropBuffers(k);
  dropTransactions(k);
  k.sb.mounted = false;
  k.sb.freeBlocks = k.sb.dirtyBlocks = k.sb.freeInodes = 0;
}

/**
 * Unmounts and mounts again.
 * @returns EBUSY while a file is open or mapped
 * @locks   s_umount exclusive
 * @source  fs/super.c generic_shutdown_super; fs/ext4/super.c ext4_put_super
 */
export function* remount(k: Kernel): Op<Result<void>> {
  const busy = yield* step(k, 'busy?', () => k.inodesInCore().some((ino) => inUse(k, ino)));
  if (busy) return err('EBUSY');
  yield* lock(k, sUmount);
  yield* call(k, 'sync_filesystem', () => syncFilesystem(k));
  yield* step(k, 'ext4_put_super', () => {
    trimLog(k);
    k.journal.log = null;
    const complaint = unmountedComplaint(k);
    if (k.warnOn('fsck', complaint !== null)) k.emit({ type: 'note', text: complaint! });
    forgetMemory(k);
  });
  yield* step(k, 'ext4_fill_super', () => {
    mountVolume(k);
    k.warnOn('durability', mediumMismatch(k, 'all') !== null);
  });
  yield* unlock(k, sUmount);
}

/** Power failure, recovery and mount: open files and mappings are gone. Inside one step, whatever the others do. */
export function* crash(k: Kernel): Op<void> {
  yield* step(k, 'power failure; jbd2_journal_recover; ext4_fill_super', () => {
    for (const task of k.world.firstKeys('file')) {
      for (const slot of k.world.secondKeys('file', task)) closeRecord(k, task, slot);
    }
    for (const mm of k.world.firstKeys('vma')) {
      for (const slot of k.world.secondKeys('vma', mm)) {
        const vma = k.vma(mm, slot);
        vma.live = vma.read = vma.write = vma.mayWrite = vma.shared = false;
        vma.startPage = vma.pages = vma.ino = vma.pgoff = vma.length = 0;
      }
    }
    forgetMemory(k);
    replay(k);
    mountVolume(k);
    k.warnOn('durability', mediumMismatch(k, 'promised') !== null);
  });
}

/** Inside a step: forgets one entry of a task's file list. */
export function closeRecord(k: Kernel, task: number, slot: number): void {
  const file = k.file(task, slot);
  file.open = file.readonly = file.append = file.direct = file.sync = false;
  file.ino = 0;
}

/**
 * echo 3 > drop_caches: clean unmapped folios, clean unused inodes, clean buffers.
 * @source fs/drop_caches.c; mm/truncate.c invalidate_mapping_pages
 */
export function* dropCaches(k: Kernel): Op<void> {
  yield* step(k, 'drop_caches', () => {
    for (const ino of k.inodesInCore()) {
      for (const index of k.folioIndexes(ino)) {
        const folio = k.folio(ino, index);
        const locked = k.lockRecord(folioLock(ino, index)).owner !== 0;
        if (locked || folio.dirty || folio.writeback || folioMapping(k, ino, index).mapped) continue;
        if (k.hooks.releaseFolio(k, ino, index)) removeFolio(k, ino, index);
      }
      const inode = k.inode(ino);
      const clean = !inode.dirtyPages && k.folioIndexes(ino).length === 0 && inode.reserved === 0;
      if (clean && ino !== RESERVED_INO.root && !inUse(k, ino) && !inode.unlinked) forget(k, ino);
    }
    for (const block of k.world.firstKeys('buf')) {
      const buf = k.buf(block);
      if (buf.dirty || buf.running || buf.committing) continue;
      buf.cached = false;
      buf.data = null;
    }
    for (const ino of k.world.firstKeys('raw')) {
      const buf = k.buf(inodeBlock(k, ino));
      if (!buf.dirty && !buf.running && !buf.committing) k.raw(ino).data = null;
    }
  });
}
