/**
 * FIFREEZE and FITHAW: no write, then no page fault that dirties, then nothing of the file system's own.
 *
 *   unfrozen ─▶ WRITE ─ writers drain ─▶ PAGEFAULT ─ faults drain, sync ─▶ FS ─ own work drains, journal empty ─▶ COMPLETE
 *
 * Locks: s_umount, given back while writers drain ▸ sb_writers ▸ s_umount ▸ sb_pagefaults ▸ sb_internal. When the call
 * returns the task holds nothing, and the three levels are shut by a writer of no task in their queues, until somebody
 * thaws.
 *
 * Not modelled: who froze (freeze_holder), the needs_recovery flag of the super block.
 */
import { checkpoint } from '../device/journal.ts';
import { err, type Result } from '../errno.ts';
import type { Kernel } from '../kernel.ts';
import {
  type LockRef,
  lock,
  MAX_TASKS,
  sbInternal,
  sbPagefaults,
  sbWriters,
  sUmount,
  unlock,
} from '../locks/lock.ts';
import { FROZEN } from '../state/tables.ts';
import type { Op, Request } from '../task.ts';
import { call, step, waitFor } from '../task.ts';
import { syncFilesystem, syncFs } from '../writeback/sync.ts';

const LEVELS: readonly LockRef[] = [sbWriters, sbPagefaults, sbInternal];

/** A writer of no task in the queue of a level: readers wait behind it. */
const NOBODY = 1 << MAX_TASKS;

/** Inside a step: whatever was frozen is not. */
export function thawAtOnce(k: Kernel): void {
  k.journal.frozen = FROZEN.no;
  for (const level of LEVELS) k.lockRecord(level).waiters &= ~NOBODY;
}

function reaches(k: Kernel, level: number): Request<void> {
  return step(k, 's_writers.frozen', () => {
    k.journal.frozen = level;
  });
}

/**
 * @returns EBUSY when it is frozen already
 * @locks   see above
 * @source  fs/super.c freeze_super; fs/ext4/super.c ext4_freeze
 */
export function* freezeSuper(k: Kernel): Op<Result<void>> {
  yield* lock(k, sUmount);
  for (;;) {
    const found = yield* step(k, 's_writers.frozen?', () => {
      const { frozen } = k.journal;
      if (frozen === FROZEN.no) k.journal.frozen = FROZEN.write;
      return frozen === FROZEN.no ? 'go' : frozen === FROZEN.complete ? 'busy' : 'wait';
    });
    if (found === 'go') break;
    if (found === 'wait') {
      yield* unlock(k, sUmount);
      yield* waitFor(
        k,
        'wait_for_partially_frozen',
        () => k.journal.frozen === FROZEN.no || k.journal.frozen === FROZEN.complete,
      );
      yield* lock(k, sUmount);
      continue;
    }
    yield* unlock(k, sUmount);
    return err('EBUSY');
  }
  yield* unlock(k, sUmount);
  yield* lock(k, sbWriters);
  yield* lock(k, sUmount);
  yield* reaches(k, FROZEN.pagefault);
  yield* lock(k, sbPagefaults);
  yield* call(k, 'sync_filesystem', () => syncFilesystem(k));
  yield* reaches(k, FROZEN.fs);
  yield* lock(k, sbInternal);
  // jbd2_journal_lock_updates: everybody who could start a handle is out.
  yield* call(k, 'jbd2_journal_flush', () => syncFs(k));
  yield* checkpoint(k);
  yield* step(k, 'SB_FREEZE_COMPLETE', () => {
    k.reach('frozen');
    k.journal.frozen = FROZEN.complete;
    for (const level of LEVELS) k.lockRecord(level).waiters |= NOBODY;
  });
  for (const level of LEVELS.toReversed()) yield* unlock(k, level);
  yield* unlock(k, sUmount);
}

/**
 * @returns EINVAL when it is not frozen
 * @locks   s_umount exclusive
 * @source  fs/super.c thaw_super_locked
 */
export function* thawSuper(k: Kernel): Op<Result<void>> {
  yield* lock(k, sUmount);
  const thawed = yield* step(k, 'sb_freeze_unlock', () => {
    if (k.journal.frozen !== FROZEN.complete) return false;
    thawAtOnce(k);
    return true;
  });
  yield* unlock(k, sUmount);
  return thawed ? undefined : err('EINVAL');
}
