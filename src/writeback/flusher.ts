/**
 * The flusher as a lane of its own: it sleeps until somebody asks, writes every dirty inode, and sleeps again.
 */
import type { Kernel } from '../kernel.ts';
import { sUmount, tryLock, unlock } from '../locks/lock.ts';
import { WB_RUNNING } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, step, waitFor } from '../task.ts';
import { syncInodes } from './sync.ts';
import { SYNC_NONE } from './writepages.ts';

/**
 * What is asked for while it is at work is done in another round. Ends when every lane that could ask has ended.
 * @locks   s_umount shared, tried: a volume that is being frozen is left alone; who asked and waits holds it already
 * @source  fs/fs-writeback.c wb_workfn, wb_do_writeback, __writeback_inodes_wb
 */
export function* flusher(k: Kernel): Op<void> {
  const lanes = k.flusher?.lanes ?? [];
  for (;;) {
    const asked = yield* waitFor(
      k,
      'wb_workfn: anything to do?',
      () => k.sb.writebackWork !== 0 || lanes.every((task) => k.taskRecord(task).exited),
      () => {
        if (k.sb.writebackWork === 0) return false;
        k.sb.writebackWork = WB_RUNNING;
        return true;
      },
    );
    if (!asked) return;
    if (yield* tryLock(k, sUmount, 'shared')) {
      yield* call(k, 'wb_writeback', () => syncInodes(k, SYNC_NONE));
      yield* unlock(k, sUmount);
    }
    yield* step(k, 'finish_writeback_work', () => {
      k.sb.writebackWork &= ~WB_RUNNING;
    });
  }
}

/** Inside a step: a lane has ended, which the flusher may wait for. */
export function laneEnded(k: Kernel): void {
  k.taskRecord(k.task).exited = true;
}
