/**
 * The flusher and the calls that make things durable: fsync, fdatasync, syncfs, sync.
 */
import { dirtyBuffers, inodeBlock, writeBuffer } from '../device/buffer.ts';
import { checkpoint, hasHandle } from '../device/journal.ts';
import { flushDevice } from '../device/medium.ts';
import { isErr, type Result } from '../errno.ts';
import type { WritebackControl } from '../hooks.ts';
import { mayJournalData } from '../inode/journalMode.ts';
import { isReg } from '../inode/layout.ts';
import type { Kernel } from '../kernel.ts';
import { iSync, lock, unlock } from '../locks/lock.ts';
import { mappingTagged } from '../pagecache/folio.ts';
import { TX_NONE } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import {
  commit,
  completeTransaction,
  SYNC_ALL,
  SYNC_NONE,
  WHOLE_FILE,
  waitWriteback,
  writeAndWait,
  writepages,
} from './writepages.ts';

/**
 * Writes one inode's pages as the flusher does.
 * @locks   I_SYNC held around do_writepages; i_lock is dropped before (taking and dropping it is one step here)
 * @source  fs/fs-writeback.c writeback_single_inode, __writeback_single_inode
 */
export function* writebackSingleInode(k: Kernel, ino: number, wbc: WritebackControl): Op<void> {
  const wanted = yield* step(k, 'i_state & I_DIRTY?', () => {
    const inode = k.inode(ino);
    const dirtyInode = inode.dirtyInode && !wbc.pagesOnly;
    return inode.inCore && (inode.dirtyPages || dirtyInode || mappingTagged(k, ino, 'tagDirty'));
  });
  if (!wanted) return;
  yield* lock(k, iSync(ino));
  yield* step(k, 'clear I_DIRTY_PAGES', () => {
    k.inode(ino).dirtyPages = false;
  });
  yield* call(k, 'ext4_writepages', () => writepages(k, ino, wbc));
  if (wbc.syncMode === 'all') yield* waitWriteback(k, ino);
  yield* step(k, 'requeue if still tagged', () => {
    if (!wbc.pagesOnly) k.inode(ino).dirtyInode = false;
    if (mappingTagged(k, ino, 'tagDirty')) k.inode(ino).dirtyPages = true;
    else k.inode(ino).beforeBdev = false;
  });
  yield* unlock(k, iSync(ino));
}

/**
 * Every dirty inode in turn.
 * @param wanted  left out: all
 * @source fs/fs-writeback.c sync_inodes_sb, writeback_sb_inodes
 */
export function* syncInodes(
  k: Kernel,
  wbc: WritebackControl = SYNC_ALL,
  wanted: (ino: number) => boolean = () => true,
): Op<void> {
  const inodes = yield* step(k, 'queue_io', () => k.inodesInCore().filter(wanted).join(','));
  for (const ino of inodes === '' ? [] : inodes.split(',').map(Number)) {
    yield* call(k, 'writeback_single_inode', () => writebackSingleInode(k, ino, wbc));
  }
}

/**
 * @param datasync  fdatasync and msync: only what is needed to read the data back
 * @param start     first byte that is written
 * @param end       past the last
 * @returns         EIO
 * @source          fs/ext4/fsync.c ext4_sync_file, ext4_fsync_journal (directories commit whatever runs), ext4_sync_parent
 */
export function* syncFile(
  k: Kernel,
  ino: number,
  datasync: boolean,
  start = 0,
  end: number = WHOLE_FILE,
): Op<Result<void>> {
  const { stop, regular } = yield* step(k, 'ASSERT(no current handle)', () => ({
    stop: k.bugOn('sync-file-with-handle', hasHandle(k)),
    regular: isReg(k.inode(ino).mode),
  }));
  if (stop) return;
  const ret = yield* call(k, 'file_write_and_wait_range', () => writeAndWait(k, ino, start, end));
  if (isErr(ret)) return ret;
  if (k.hasJournal && !regular) {
    yield* call(k, 'ext4_force_commit', () => commit(k));
    return;
  }
  if (k.hasJournal) {
    const flushes =
      k.powerFails &&
      (yield* step(k, 'jbd2_trans_will_send_data_barrier', () => {
        const { syncTx, datasyncTx } = k.inode(ino);
        return (datasync ? datasyncTx : syncTx) === TX_NONE;
      }));
    yield* call(k, 'ext4_fsync_journal', () => completeTransaction(k, ino, datasync));
    if (flushes) yield* flush(k);
    return;
  }
  yield* step(k, 'sync_mapping_buffers; write inode', () => {
    for (let here = ino; here !== 0; ) {
      for (const block of dirtyBuffers(k)) {
        if (k.buf(block).assoc === here || block === inodeBlock(k, here))
          writeBuffer(k, block, `fsync ino ${ino}`);
      }
      k.inode(here).dirtyInode = false; // sync_inode_metadata
      // ext4_sync_parent: a new name is worth nothing before its directory is written.
      const parent = k.inode(here).newEntryDir;
      k.inode(here).newEntryDir = 0;
      here = parent;
    }
  });
  yield* flush(k);
}

/** @source block/blk-flush.c blkdev_issue_flush */
function* flush(k: Kernel): Op<void> {
  if (k.powerFails) yield* step(k, 'blkdev_issue_flush', () => flushDevice(k));
}

/** ext4_sync_fs with wait, after sync_inodes_sb. @source fs/ext4/super.c ext4_sync_fs */
export function* syncFs(k: Kernel): Op<void> {
  // Nothing to commit: nothing that sends a barrier.
  const flushes = k.powerFails && (yield* step(k, 'jbd2_journal_start_commit', () => !k.journal.running));
  yield* commit(k, true);
  if (flushes) yield* flush(k);
}

/**
 * syncfs(2), and what unmount begins with. A first pass waits for nothing: the second one writes the same again, but
 * for journalled data, which the first leaves alone while it is not committed. Between the two a commit is started and
 * then the block device is written. The kernel does not wait for that commit; here it always comes first.
 * @source fs/sync.c sync_filesystem
 */
export function* syncFilesystem(k: Kernel): Op<void> {
  if (mayJournalData(k)) {
    yield* call(k, 'writeback_inodes_sb', () => syncInodes(k, SYNC_NONE));
    yield* call(k, 'ext4_sync_fs', () => syncFs(k));
    yield* checkpoint(k);
  }
  yield* call(k, 'sync_inodes_sb', () => syncInodes(k));
  yield* call(k, 'ext4_sync_fs', () => syncFs(k));
  yield* checkpoint(k);
}

/**
 * sync(2): the flusher writes what is on its list, in the order in which inodes became dirty, the block device's among
 * them; then the files, the journal, and the block devices again. In the kernel the flusher runs beside the caller: on
 * a busy machine it may come late, and then the files are first.
 * @source fs/sync.c ksys_sync; fs/fs-writeback.c wakeup_flusher_threads, move_expired_inodes
 */
export function* syncEverything(k: Kernel): Op<void> {
  yield* call(k, 'wb_check_start_all', () => syncInodes(k, SYNC_NONE, (ino) => k.inode(ino).beforeBdev));
  yield* checkpoint(k);
  yield* step(k, 'requeue_inode', () => {
    k.sb.bdevListed = false;
  });
  yield* call(k, 'sync_inodes_one_sb', () => syncInodes(k));
  yield* call(k, 'ext4_sync_fs', () => syncFs(k));
  yield* checkpoint(k);
}

/** What sync_file_range(2) is asked to do, and where; a length of 0 reaches to the end. */
export interface SyncRange {
  readonly offset: number;
  readonly length: number;
  /** SYNC_FILE_RANGE_WAIT_BEFORE, _WRITE, _WAIT_AFTER. */
  readonly before: boolean;
  readonly write: boolean;
  readonly after: boolean;
}

/**
 * Pages of a range and nothing else: neither the inode nor the journal.
 * @source fs/sync.c sync_file_range
 */
export function* syncFileRange(k: Kernel, ino: number, range: SyncRange): Op<Result<void>> {
  const { offset, length, before, write, after } = range;
  if (before) yield* waitWriteback(k, ino);
  if (write) {
    const end = length === 0 ? WHOLE_FILE : offset + length;
    const wbc: WritebackControl = { ...(before && after ? SYNC_ALL : SYNC_NONE), start: offset, end };
    const ret = yield* call(k, 'ext4_writepages', () => writepages(k, ino, wbc));
    if (isErr(ret)) return ret;
  }
  if (after) yield* waitWriteback(k, ino);
}
