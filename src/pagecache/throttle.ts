/**
 * Waiting for the flusher: dirty throttling, and low space. Only in a run that has a flusher lane (`Kernel.flusher`).
 *
 *   a task over the limit ── WB_QUEUED ─▶ the flusher takes it: WB_RUNNING ─▶ nothing of either: who waited looks again
 *
 * Not modelled: how much is written (the flusher goes through everything), pauses, the limits of a cgroup or a device.
 */
import type { Kernel } from '../kernel.ts';
import { sUmount, tryLock, unlock } from '../locks/lock.ts';
import { WB_QUEUED } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { step, waitFor } from '../task.ts';

/** NR_FILE_DIRTY + NR_WRITEBACK. Inside a step. */
function dirtyPages(k: Kernel): number {
  let count = 0;
  for (const ino of k.inodesInCore()) {
    for (const index of k.folioIndexes(ino)) {
      const { dirty, writeback } = k.folio(ino, index);
      if (dirty || writeback) count++;
    }
  }
  return count;
}

/** Is this a task that dirties pages while there is a flusher? The ones before and after the lanes are not held up. */
export const isThrottled = (k: Kernel): boolean => k.flusher?.lanes.includes(k.task) ?? false;

/**
 * Waits while more pages are dirty than the limit allows.
 * @locks   none of its own; i_rwsem in a write(2), mmap_lock in a fault that may not give it back
 * @source  mm/page-writeback.c balance_dirty_pages
 */
export function* balanceDirtyPages(k: Kernel): Op<void> {
  const limit = k.flusher?.dirtyLimit ?? Number.POSITIVE_INFINITY;
  for (;;) {
    const over = yield* step(k, 'more dirty pages than allowed? wb_start_background_writeback', () => {
      if (dirtyPages(k) <= limit) return false;
      k.reach('balance_dirty_pages');
      k.sb.writebackWork |= WB_QUEUED;
      return true;
    });
    if (!over) return;
    yield* waitFor(k, 'io_schedule_timeout', () => dirtyPages(k) <= limit || k.sb.writebackWork === 0);
  }
}

/**
 * Has the flusher write everything, and waits until it has.
 * @locks   s_umount shared, tried
 * @source  fs/fs-writeback.c try_to_writeback_inodes_sb
 */
export function* tryToWritebackInodesSb(k: Kernel): Op<void> {
  if (!(yield* tryLock(k, sUmount, 'shared'))) return;
  yield* step(k, 'wb_queue_work', () => {
    k.reach('try_to_writeback_inodes_sb');
    k.sb.writebackWork |= WB_QUEUED;
  });
  yield* waitFor(k, 'wb_wait_for_completion', () => k.sb.writebackWork === 0);
  yield* unlock(k, sUmount);
}
