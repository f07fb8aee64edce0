/**
 * Mounting, unmounting, dropping caches, and power failure.
 *
 * After every mount the medium is compared with the plain model: what the file system gives back must be what
 * programs were told it holds. After an unmount that is everything; after a crash only what was promised.
 */
import { countFreeBlocks } from '../balloc/balloc.ts';
import { countFreeInodes, initCounters, isAllocated } from '../balloc/ialloc.ts';
import { dropBuffers, inodeBlock } from '../device/buffer.ts';
import { checkpoint, dropTransactions, replay } from '../device/journal.ts';
import { flushDevice } from '../device/medium.ts';
import { err, isErr, type Result } from '../errno.ts';
import { isDir, isLnk, isReg, RESERVED_INO } from '../inode/layout.ts';
import { loadOrphans, orphanForgetAll } from '../inode/orphan.ts';
import { fileOrphans } from '../inode/orphanFile.ts';
import { forget, hasFlag } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { folioLock, lock, sUmount, unlock } from '../locks/lock.ts';
import { modelPromise, modelSnapshotAll } from '../model.ts';
import { removeFolio } from '../pagecache/folio.ts';
import { forgetReadahead } from '../pagecache/readahead.ts';
import { clearPte, folioMapping, unmapFolio } from '../pagecache/rmap.ts';
import { FROZEN } from '../state/tables.ts';
import type { Op, Request } from '../task.ts';
import { call, step } from '../task.ts';
import { syncFilesystem, syncFs } from '../writeback/sync.ts';
import { evict, inUse } from './evict.ts';
import { thawAtOnce } from './freeze.ts';
import { mediumMismatch, modelRecover } from './mediumFile.ts';
import { igetInode } from './namei.ts';
import { isClean } from './reclaim.ts';
import { truncate } from './truncate.ts';
import { unmountedComplaint } from './unmounted.ts';

/**
 * Counters from the bitmaps, then the orphan list is worked off. Inside a step; also how a world is prepared.
 * @param recovered  a journal was replayed: what working off the list left is committed and written home at once
 * @source fs/ext4/super.c ext4_fill_super, ext4_mark_recovery_complete
 */
export function mountVolume(k: Kernel, recovered = false): void {
  const { sb } = k;
  sb.mounted = true;
  sb.bdevListed = false;
  sb.freeBlocks = countFreeBlocks(k);
  sb.dirtyBlocks = 0;
  sb.freeInodes = countFreeInodes(k);
  initCounters(k);
  loadOrphans(k);
  if (sb.orphans === null && fileOrphans(k).length === 0) return;
  runInside(k, orphanCleanup(k));
  if (recovered) runInside(k, flushJournal(k));
}

/** @source fs/jbd2/journal.c jbd2_journal_flush */
function* flushJournal(k: Kernel): Op<void> {
  yield* call(k, 'jbd2_journal_flush', () => syncFs(k));
  yield* checkpoint(k);
}

/**
 * Runs an op to its end inside the step that is under way: nobody sees the volume before it is mounted. Locks mean
 * nothing here; those that tasks held when the power failed are of no kernel that still runs.
 */
function runInside<T>(k: Kernel, op: Op<T>): T {
  let sent: unknown;
  for (;;) {
    const { done, value } = op.next(sent);
    if (done) return value as T;
    const { kind, fn, make } = value as Request<unknown>;
    if (kind === 'call') sent = runInside(k, make!());
    else if (kind === 'trylock') sent = true;
    else sent = kind === 'step' || kind === 'wait' ? fn?.() : undefined;
  }
}

/**
 * Deletes what has no names, cuts what has to its size. A list that makes no sense is forgotten.
 * @source fs/ext4/orphan.c ext4_orphan_cleanup, ext4_process_orphan
 */
function* orphanCleanup(k: Kernel): Op<void> {
  for (;;) {
    const ino = yield* step(k, 'ext4_orphan_get', () => orphanGet(k));
    if (ino === 0) break;
    const cut = yield* call(k, 'ext4_process_orphan', () => processOrphan(k, ino));
    if (isErr(cut)) yield* step(k, 's_last_orphan = 0', () => orphanForgetAll(k));
  }
  const inFile = yield* step(k, 'oi->of_binfo', () => fileOrphans(k));
  for (const { ino, slot } of inFile) {
    const known = yield* step(k, 'ext4_orphan_get', () => {
      if (!isOrphan(k, ino)) return false;
      k.inode(ino).orphanSlot = slot;
      return true;
    });
    if (known) yield* call(k, 'ext4_process_orphan', () => processOrphan(k, ino));
  }
}

/** @returns what a truncation answers */
function* processOrphan(k: Kernel, ino: number): Op<Result<void>> {
  const deleted = yield* step(k, 'i_nlink?', () => {
    const inode = k.inode(ino);
    inode.unlinked = inode.freeing = inode.nlink === 0;
    return inode.unlinked;
  });
  if (deleted) {
    yield* call(k, 'ext4_evict_inode', () => evict(k, ino));
    return;
  }
  const cut = yield* call(k, 'ext4_truncate', () => truncate(k, ino));
  yield* step(k, 'iput', () => forget(k, ino));
  return cut;
}

/** The head of the list, in core; 0 when there is none. Inside a step. @source fs/ext4/ialloc.c ext4_orphan_get */
function orphanGet(k: Kernel): number {
  const ino = k.sb.orphans?.[0] ?? 0;
  if (ino === 0 || isOrphan(k, ino)) return ino;
  orphanForgetAll(k);
  return 0;
}

/** May this be an orphan? Then it is in core. */
function isOrphan(k: Kernel, ino: number): boolean {
  const known = ino >= k.geo.firstIno && ino <= k.geo.inodesCount && isAllocated(k, ino);
  if (!known || isErr(igetInode(k, ino))) return false;
  const { mode, nlink } = k.inode(ino);
  return nlink === 0 || isReg(mode) || isDir(mode) || (isLnk(mode) && hasFlag(k, ino, 'extents'));
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
  thawAtOnce(k);
  k.sb.mounted = false;
  k.sb.freeBlocks = k.sb.dirtyBlocks = k.sb.freeInodes = 0;
  k.sb.shownFreeInodes = k.sb.shownFreeBlocks = k.sb.shownDirs = 0;
  k.sb.orphans = k.sb.groupPrealloc = k.sb.freed = k.sb.freedCommitting = k.sb.xattrCache = null;
  k.sb.lastGroup = 0;
}

/**
 * Unmounts and mounts again.
 * @returns EBUSY while a file is open or mapped, or the volume is frozen
 * @locks   s_umount exclusive
 * @source  fs/super.c generic_shutdown_super; fs/ext4/super.c ext4_put_super
 */
export function* remount(k: Kernel): Op<Result<void>> {
  const busy = yield* step(
    k,
    'busy?',
    () =>
      k.journal.frozen !== FROZEN.no || k.inodesInCore().some((ino) => k.inode(ino).freeing || inUse(k, ino)),
  );
  if (busy) return err('EBUSY');
  yield* lock(k, sUmount);
  yield* call(k, 'sync_filesystem', () => syncFilesystem(k));
  yield* step(k, 'ext4_put_super', () => {
    flushDevice(k);
    k.journal.log = null;
    k.journal.unflushed = 0;
    const complaint = unmountedComplaint(k);
    if (k.warnOn('fsck', complaint !== null)) k.emit({ type: 'note', text: complaint! });
    forgetMemory(k);
  });
  yield* step(k, 'ext4_fill_super', () => {
    mountVolume(k);
    k.warnOn('durability', mediumMismatch(k, 'all') !== null);
    if (k.powerFails) for (const promise of modelSnapshotAll(k)) modelPromise(k, promise);
  });
  yield* unlock(k, sUmount);
}

/** Power failure, recovery and mount: open files and mappings are gone. Inside one step, whatever the others do. */
export function* crash(k: Kernel): Op<void> {
  yield* step(k, 'power failure; jbd2_journal_recover; ext4_fill_super', () => {
    for (const task of k.world.firstKeys('file')) {
      for (const slot of k.world.secondKeys('file', task)) closeRecord(k, task, slot);
    }
    for (const file of k.world.firstKeys('readahead')) forgetReadahead(k, file);
    for (const mm of k.world.firstKeys('vma')) {
      for (const slot of k.world.secondKeys('vma', mm)) {
        const vma = k.vma(mm, slot);
        vma.live = vma.read = vma.write = vma.mayWrite = vma.shared = false;
        vma.startPage = vma.pages = vma.ino = vma.pgoff = vma.length = vma.file = 0;
        vma.dentryDir = 0;
        vma.dentryName = null;
      }
    }
    for (const mm of k.world.firstKeys('pte')) {
      for (const vpn of k.world.secondKeys('pte', mm)) clearPte(k.pte(mm, vpn));
    }
    for (const task of k.world.firstKeys('task')) k.taskRecord(task).held = null;
    forgetMemory(k);
    replay(k);
    mountVolume(k, true);
    k.warnOn('durability', mediumMismatch(k, 'promised') !== null);
    modelRecover(k);
  });
}

/** Inside a step: forgets one entry of a task's file list. */
export function closeRecord(k: Kernel, task: number, slot: number): void {
  const file = k.file(task, slot);
  file.open = file.readonly = file.append = file.direct = file.sync = false;
  file.ino = file.id = file.dentryDir = 0;
  file.dentryName = null;
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
      const clean = isClean(k, ino) && k.folioIndexes(ino).length === 0;
      if (clean && ino !== RESERVED_INO.root && !inUse(k, ino) && !k.inode(ino).unlinked) forget(k, ino);
    }
    k.sb.xattrCache = null;
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
