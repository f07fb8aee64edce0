/**
 * chattr +j and -j: EXT4_JOURNAL_DATA_FL of one file. The journal stands still while the flag changes: a block that is in
 * the log as data, and then is not journalled any more, would be replayed over what is written to its place.
 */
import { dirtyBuffers, writeBuffer } from '../device/buffer.ts';
import { journalStart, journalStop } from '../device/journal.ts';
import { flushDevice } from '../device/medium.ts';
import { isErr, type Result } from '../errno.ts';
import { hasFlag, markInodeDirty, setFlag } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { invalidateLock, iRwsem, lock, sbWriters, sWritepagesRwsem, unlock } from '../locks/lock.ts';
import { writeJournalledHome } from '../pagecache/journalled.ts';
import type { Op } from '../task.ts';
import { call, step, waitFor } from '../task.ts';
import { commit, writeAndWait } from '../writeback/writepages.ts';

/**
 * FS_IOC_SETFLAGS with one bit changed. Without a journal nothing happens.
 * @returns EIO
 * @locks   sb_writers shared ▸ i_rwsem ▸ …
 * @source  fs/ext4/ioctl.c ext4_fileattr_set, ext4_ioctl_setflags
 */
export function* setJournalFlag(k: Kernel, ino: number, on: boolean): Op<Result<void>> {
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, iRwsem(ino));
  yield* journalStart(k);
  const changed = yield* step(k, 'ext4_mark_iloc_dirty', () => {
    markInodeDirty(k, ino);
    return k.hasJournal && hasFlag(k, ino, 'journalData') !== on;
  });
  yield* journalStop(k);
  const ret = changed
    ? yield* call(k, 'ext4_change_inode_journal_flag', () => changeJournalFlag(k, ino, on))
    : undefined;
  yield* unlock(k, iRwsem(ino));
  yield* unlock(k, sbWriters);
  return ret;
}

/**
 * @returns EIO
 * @locks   (on: invalidate_lock exclusive) ▸ s_writepages_rwsem exclusive ▸ every handle is waited for, new ones wait
 * @source  fs/ext4/inode.c ext4_change_inode_journal_flag
 */
function* changeJournalFlag(k: Kernel, ino: number, on: boolean): Op<Result<void>> {
  if (on) {
    yield* lock(k, invalidateLock(ino));
    const written = yield* call(k, 'filemap_write_and_wait', () => writeAndWait(k, ino));
    if (isErr(written)) {
      yield* unlock(k, invalidateLock(ino));
      return written;
    }
  }
  yield* lock(k, sWritepagesRwsem);
  yield* call(k, 'jbd2_journal_lock_updates', () => lockUpdates(k));
  if (!on) yield* call(k, 'jbd2_journal_flush', () => flushJournal(k));
  yield* step(k, 'ext4_set_aops; jbd2_journal_unlock_updates', () => {
    setFlag(k, ino, 'journalData', on);
    k.journal.barrier = false;
  });
  yield* unlock(k, sWritepagesRwsem);
  if (on) yield* unlock(k, invalidateLock(ino));
  yield* journalStart(k);
  yield* step(k, 'ext4_mark_inode_dirty', () => markInodeDirty(k, ino));
  yield* journalStop(k);
  // ext4_handle_sync: stopping the handle waits for its commit.
  yield* commit(k);
}

/** @source fs/jbd2/transaction.c jbd2_journal_lock_updates */
function* lockUpdates(k: Kernel): Op<void> {
  yield* waitFor(
    k,
    'j_barrier_count++',
    () => !k.journal.barrier,
    () => {
      k.journal.barrier = true;
    },
  );
  yield* waitFor(k, 'wait for t_updates to drain', () => k.journal.updates === 0);
}

/** Commits, writes all of it home, and empties the log. @source fs/jbd2/journal.c jbd2_journal_flush */
function* flushJournal(k: Kernel): Op<void> {
  yield* commit(k);
  yield* step(k, 'jbd2_log_do_checkpoint', () => {
    for (const block of dirtyBuffers(k)) writeBuffer(k, block, 'checkpoint');
    writeJournalledHome(k);
    // jbd2_cleanup_journal_tail: nothing leaves the log before it is on the medium.
    flushDevice(k);
    k.journal.log = null;
  });
}
