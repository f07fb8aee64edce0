/**
 * A protocol written twice: here as ops over the real tables, locks, steps and frames, and by hand in
 * `protocol.pml`. One `step`, `lock`, `unlock`, `tryLock` or `waitFor` here is one `d_step` there, and the two
 * explorers must count the same states, transitions, deadlocks and end states.
 *
 * It is the skeleton of ext4's inline-data paths (Linux 6.12, nodelalloc), with content left out: who takes which
 * lock in which order, and the flags that decide what comes next. It is not the model that verdicts come from; it
 * is there to hold the explorer against a checker that shares no code with it.
 *
 *   W  write(2) that grows the file        R  reclaim, by trylock
 *   M  store through a mapping             V  enable verity (converts)
 *   T  truncate(2) to zero                 J  jbd2 commit: new handles wait while it drains the old ones
 *   P  writepages                          U  munmap
 *
 * Plants, each a deadlock on purpose:
 *
 *   abba       the conversion takes the folio lock inside xattr_sem; write_begin takes them the other way round
 *   inverted   page_mkwrite starts its handle inside the folio lock; a commit that drains closes the circle
 *   recursive  write_begin takes xattr_sem shared twice; a writer that queued in between closes the circle
 */
import { INODE_FLAG } from '../../src/inode/layout.ts';
import type { Invariant } from '../../src/invariants/invariant.ts';
import type { Kernel } from '../../src/kernel.ts';
import {
  folioLock,
  iDataSem,
  invalidateLock,
  iRwsem,
  lock,
  locked,
  mmapLock,
  tryLock,
  unlock,
  xattrSem,
} from '../../src/locks/lock.ts';
import type { TaskSpec } from '../../src/sched/machine.ts';
import { BH } from '../../src/state/tables.ts';
import { call, type Op, step, waitFor } from '../../src/task.ts';

export type Plant = 'abba' | 'inverted' | 'recursive';
/** In the order of `protocol.pml`, which is the order of task numbers. */
export const TASKS = ['W', 'M', 'T', 'P', 'R', 'V', 'J', 'U'] as const;
export type TaskLetter = (typeof TASKS)[number];

const INO = 12;
const MM = 1;
const SIZE = 20;
const END = 100;
const MIN_INLINE = 60;

const { inlineData: INLINE, extents: EXTENTS, verity: VERITY } = INODE_FLAG;

const has = (k: Kernel, flag: number): boolean => (k.inode(INO).flags & flag) !== 0;
const may = (k: Kernel): boolean => k.inode(INO).mayInline;

/** An inline file of 20 bytes, nothing cached, and a transaction that has something to commit. */
export function prepare(k: Kernel): void {
  const inode = k.inode(INO);
  inode.flags = INLINE;
  inode.mayInline = true;
  inode.size = SIZE;
  inode.inlineSize = MIN_INLINE;
  k.journal.running = true;
}

const journalStart = (k: Kernel) =>
  waitFor(
    k,
    'jbd2_journal_start',
    () => !k.journal.locked,
    () => {
      k.journal.updates |= 1 << k.task;
    },
  );
const journalStop = (k: Kernel) =>
  step(k, 'jbd2_journal_stop', () => {
    k.journal.updates &= ~(1 << k.task);
  });

/** Inside a step. */
function dropFolio(k: Kernel): void {
  const folio = k.folio(INO, 0);
  folio.present = folio.uptodate = folio.dirty = folio.buffers = false;
  k.fbuf(INO, 0).state = 0;
}

/** Inside a step. */
function destroyInline(k: Kernel): void {
  const inode = k.inode(INO);
  if (!has(k, INLINE)) return;
  inode.flags = (inode.flags & ~INLINE) | EXTENTS;
  inode.mayInline = false;
  inode.inlineSize = 0;
}

/** Inside a step. */
function clearPte(k: Kernel): void {
  const pte = k.pte(MM, 0);
  pte.present = pte.writable = pte.dirty = false;
}

/** Present and locked. */
function* getFolio(k: Kernel): Op {
  for (;;) {
    yield* step(k, '__filemap_get_folio', () => {
      k.folio(INO, 0).present = true;
    });
    yield* lock(k, folioLock(INO, 0));
    const ours = yield* step(k, 'still in the mapping?', () => k.folio(INO, 0).present);
    if (ours) return;
    yield* unlock(k, folioLock(INO, 0));
  }
}

function* readFolio(k: Kernel): Op {
  yield* lock(k, xattrSem(INO), 'shared');
  yield* step(k, 'fill the folio', () => {
    k.folio(INO, 0).uptodate = true;
  });
  yield* unlock(k, xattrSem(INO));
}

function* convert(k: Kernel, plant: Plant | null): Op {
  const inline = yield* step(k, 'ext4_has_inline_data?', () => {
    if (has(k, INLINE)) return true;
    k.inode(INO).mayInline = false;
    return false;
  });
  if (!inline) return;
  yield* journalStart(k);
  yield* lock(k, xattrSem(INO));
  yield* step(k, 'ext4_convert_inline_data_nolock', () => {
    if (has(k, INLINE)) k.inode(INO).blocks = 8;
    destroyInline(k);
  });
  if (plant === 'abba') {
    yield* lock(k, folioLock(INO, 0));
    yield* step(k, 'create_empty_buffers', () => {
      k.folio(INO, 0).buffers = true;
    });
    yield* unlock(k, folioLock(INO, 0));
  }
  yield* unlock(k, xattrSem(INO));
  yield* journalStop(k);
}

function* writeBegin(k: Kernel, plant: Plant | null): Op<'inline' | 'blocks'> {
  const mayInline = yield* step(k, 'MAY_INLINE_DATA?', () => may(k));
  if (mayInline) {
    yield* journalStart(k);
    yield* lock(k, xattrSem(INO));
    yield* step(k, 'ext4_prepare_inline_data', () => {
      const inode = k.inode(INO);
      if (!has(k, EXTENTS) && inode.inlineSize < END) inode.inlineSize = END;
    });
    yield* unlock(k, xattrSem(INO));
    yield* call(k, '__filemap_get_folio', () => getFolio(k));
    yield* lock(k, xattrSem(INO), 'shared');
    const still = yield* step(k, 'ext4_has_inline_data?', () => has(k, INLINE));
    if (still) {
      // A mask knows a reader once: the one unlock below lets go of both.
      if (plant === 'recursive') yield* lock(k, xattrSem(INO), 'shared');
      yield* step(k, 'ext4_read_inline_folio', () => {
        k.folio(INO, 0).uptodate = true;
      });
      yield* unlock(k, xattrSem(INO));
      return 'inline';
    }
    yield* unlock(k, folioLock(INO, 0));
    yield* unlock(k, xattrSem(INO));
    yield* journalStop(k);
  }
  yield* journalStart(k);
  yield* call(k, '__filemap_get_folio', () => getFolio(k));
  yield* step(k, '__block_write_begin', () => {
    const folio = k.folio(INO, 0);
    folio.uptodate = folio.buffers = true;
    k.fbuf(INO, 0).state |= BH.mapped;
    k.inode(INO).blocks = 8;
  });
  return 'blocks';
}

function* writeEnd(k: Kernel): Op {
  const inline = yield* step(k, 'MAY_INLINE_DATA and inline?', () => may(k) && has(k, INLINE));
  if (inline) {
    yield* lock(k, xattrSem(INO));
    yield* step(k, 'ext4_write_inline_data', () => {
      if (k.warnOn('write-end-not-inline', !has(k, INLINE))) return false;
      k.folio(INO, 0).dirty = false;
      return true;
    });
    yield* unlock(k, xattrSem(INO));
  } else {
    yield* step(k, 'block_write_end', () => {
      k.folio(INO, 0).dirty = true;
      k.fbuf(INO, 0).state |= BH.dirty;
    });
  }
  const grown = yield* step(k, 'i_size_write', () => {
    const inode = k.inode(INO);
    if (inode.size >= END) return false;
    inode.size = END;
    return true;
  });
  yield* unlock(k, folioLock(INO, 0));
  if (grown) {
    yield* step(k, 'ext4_mark_inode_dirty', () => {
      k.journal.running = true;
    });
  }
  yield* journalStop(k);
}

function* write(k: Kernel, plant: Plant | null): Op {
  yield* lock(k, iRwsem(INO));
  yield* call(k, 'ext4_write_begin', () => writeBegin(k, plant));
  yield* call(k, 'ext4_write_end', () => writeEnd(k));
  yield* unlock(k, iRwsem(INO));
}

function* filemapFault(k: Kernel): Op {
  yield* lock(k, invalidateLock(INO), 'shared');
  yield* call(k, '__filemap_get_folio', () => getFolio(k));
  const uptodate = yield* step(k, 'folio_test_uptodate?', () => k.folio(INO, 0).uptodate);
  if (!uptodate) yield* call(k, 'ext4_read_folio', () => readFolio(k));
  yield* unlock(k, invalidateLock(INO));
  yield* unlock(k, folioLock(INO, 0));
}

/** True: the folio is locked. */
function* pageMkwrite(k: Kernel, plant: Plant | null): Op<boolean> {
  const gone = (): boolean => !k.folio(INO, 0).present || k.inode(INO).size === 0;
  yield* lock(k, invalidateLock(INO), 'shared');
  yield* call(k, 'ext4_convert_inline_data', () => convert(k, plant));
  yield* lock(k, folioLock(INO, 0));
  const state = yield* step(k, 'mapping, size, buffers?', () =>
    gone() ? 'gone' : k.folio(INO, 0).buffers ? 'mapped' : 'hole',
  );
  let ok = state !== 'gone';
  if (state === 'mapped') {
    yield* step(k, 'folio_mark_dirty', () => {
      k.folio(INO, 0).dirty = true;
    });
  } else if (state === 'hole') {
    if (plant !== 'inverted') yield* unlock(k, folioLock(INO, 0));
    yield* journalStart(k);
    if (plant !== 'inverted') yield* lock(k, folioLock(INO, 0));
    ok = yield* step(k, 'block_page_mkwrite', () => {
      if (gone()) return false;
      const folio = k.folio(INO, 0);
      folio.buffers = folio.dirty = true;
      k.fbuf(INO, 0).state |= BH.mapped;
      k.inode(INO).blocks = 8;
      return true;
    });
    yield* journalStop(k);
  }
  if (!ok) yield* unlock(k, folioLock(INO, 0));
  yield* unlock(k, invalidateLock(INO));
  return ok;
}

function* fault(k: Kernel, plant: Plant | null): Op {
  yield* lock(k, mmapLock(MM), 'shared');
  const pte = yield* step(k, 'look at the PTE', () => {
    const { present, writable } = k.pte(MM, 0);
    return !present ? 'none' : writable ? 'writable' : 'readonly';
  });
  if (pte === 'none') yield* call(k, 'filemap_fault', () => filemapFault(k));
  if (pte !== 'writable') {
    const isLocked = yield* call(k, 'ext4_page_mkwrite', () => pageMkwrite(k, plant));
    if (isLocked) {
      yield* step(k, 'set the PTE', () => {
        const entry = k.pte(MM, 0);
        entry.present = entry.writable = true;
      });
      yield* unlock(k, folioLock(INO, 0));
    }
  }
  yield* unlock(k, mmapLock(MM));
}

/** A store that faults twice at most. */
function* store(k: Kernel, plant: Plant | null): Op {
  for (let attempt = 0; attempt < 2; attempt++) {
    yield* call(k, 'handle_mm_fault', () => fault(k, plant));
    const stored = yield* step(k, 'store', () => {
      const pte = k.pte(MM, 0);
      if (!pte.writable) return false;
      pte.dirty = true;
      return true;
    });
    if (stored) return;
  }
}

function* truncateBlocks(k: Kernel): Op {
  const inline = yield* step(k, 'ext4_has_inline_data?', () => has(k, INLINE));
  yield* journalStart(k);
  if (inline) {
    yield* lock(k, xattrSem(INO));
    yield* step(k, 'ext4_inline_data_truncate', () => {
      const inode = k.inode(INO);
      if (has(k, INLINE) && inode.inlineSize > MIN_INLINE) inode.inlineSize = MIN_INLINE;
    });
    yield* unlock(k, xattrSem(INO));
  } else {
    yield* locked(k, iDataSem(INO), 'exclusive', 'ext4_ext_truncate', () => {
      k.inode(INO).blocks = 0;
    });
  }
  yield* journalStop(k);
}

function* truncate(k: Kernel): Op {
  yield* lock(k, iRwsem(INO));
  yield* lock(k, invalidateLock(INO));
  yield* journalStart(k);
  yield* step(k, 'i_size_write', () => {
    k.inode(INO).size = 0;
    k.journal.running = true;
  });
  yield* journalStop(k);
  yield* step(k, 'unmap_mapping_range', () => clearPte(k));
  const present = yield* step(k, 'find_lock_entries', () => k.folio(INO, 0).present);
  if (present) {
    yield* lock(k, folioLock(INO, 0));
    yield* step(k, 'truncate_inode_folio', () => {
      clearPte(k);
      dropFolio(k);
    });
    yield* unlock(k, folioLock(INO, 0));
  }
  yield* call(k, 'ext4_truncate', () => truncateBlocks(k));
  yield* unlock(k, invalidateLock(INO));
  yield* unlock(k, iRwsem(INO));
}

function* destroyAtWritepages(k: Kernel): Op {
  yield* journalStart(k);
  yield* step(k, 'BUG_ON(MAY_INLINE_DATA)', () => {
    k.warnOn('writepages-may-inline', may(k));
  });
  yield* lock(k, xattrSem(INO));
  yield* step(k, 'ext4_destroy_inline_data', () => destroyInline(k));
  yield* unlock(k, xattrSem(INO));
  yield* journalStop(k);
}

function* writepages(k: Kernel): Op {
  const dirty = yield* step(k, 'DIRTY tag?', () => k.folio(INO, 0).dirty);
  if (!dirty) return;
  const inline = yield* step(k, 'ext4_has_inline_data?', () => has(k, INLINE));
  if (inline) yield* call(k, 'ext4_destroy_inline_data', () => destroyAtWritepages(k));
  yield* journalStart(k);
  yield* lock(k, folioLock(INO, 0));
  const go = yield* step(k, 'folio_clear_dirty_for_io', () => {
    const folio = k.folio(INO, 0);
    if (!folio.dirty) return false;
    folio.dirty = false;
    const pte = k.pte(MM, 0);
    pte.writable = pte.dirty = false;
    return true;
  });
  if (go) {
    yield* lock(k, iDataSem(INO));
    yield* step(k, 'ext4_bio_write_folio', () => {
      k.inode(INO).blocks = 8;
      k.fbuf(INO, 0).state &= ~BH.dirty;
    });
    yield* unlock(k, iDataSem(INO));
  }
  yield* unlock(k, folioLock(INO, 0));
  yield* journalStop(k);
}

function* reclaim(k: Kernel): Op {
  const got = yield* tryLock(k, folioLock(INO, 0));
  if (!got) return;
  yield* step(k, 'try_to_unmap', () => {
    const folio = k.folio(INO, 0);
    const pte = k.pte(MM, 0);
    if (!folio.present || folio.dirty) return;
    if (pte.dirty) folio.dirty = true;
    clearPte(k);
  });
  yield* step(k, '__remove_mapping', () => {
    const folio = k.folio(INO, 0);
    if (folio.present && !folio.dirty) dropFolio(k);
  });
  yield* unlock(k, folioLock(INO, 0));
}

function* verity(k: Kernel, plant: Plant | null): Op {
  yield* lock(k, iRwsem(INO));
  yield* call(k, 'ext4_convert_inline_data', () => convert(k, plant));
  yield* journalStart(k);
  yield* step(k, 'set VERITY', () => {
    k.inode(INO).flags |= VERITY;
    k.journal.running = true;
  });
  yield* journalStop(k);
  yield* unlock(k, iRwsem(INO));
}

function* commit(k: Kernel): Op {
  const mine = yield* waitFor(
    k,
    'jbd2_journal_commit_transaction',
    () => !k.journal.committing,
    () => {
      if (!k.journal.running) return false;
      k.journal.committing = k.journal.locked = true;
      return true;
    },
  );
  if (!mine) return;
  yield* waitFor(
    k,
    'wait for t_updates to drain',
    () => k.journal.updates === 0,
    () => {
      k.journal.locked = k.journal.running = false;
    },
  );
  yield* step(k, 'write commit record', () => {
    k.journal.committing = false;
  });
}

function* munmap(k: Kernel): Op {
  yield* lock(k, mmapLock(MM));
  yield* step(k, 'zap_pte_range', () => {
    if (k.pte(MM, 0).dirty) k.folio(INO, 0).dirty = true;
    clearPte(k);
  });
  yield* unlock(k, mmapLock(MM));
}

/** The tasks of a combination, in the order of `TASKS`. */
export function specsOf(letters: string, plant: Plant | null): TaskSpec[] {
  const programs: Record<TaskLetter, (k: Kernel) => Op> = {
    W: (k) => write(k, plant),
    M: (k) => store(k, plant),
    T: truncate,
    P: writepages,
    R: reclaim,
    V: (k) => verity(k, plant),
    J: commit,
    U: munmap,
  };
  return TASKS.filter((letter) => letters.includes(letter)).map((name, mm) => ({
    name,
    mm,
    program: programs[name],
    last: false,
  }));
}

/** The data of a state as the Promela model prints it where every task is finished. */
export function tupleOf(k: Kernel): string {
  const inode = k.inode(INO);
  const folio = k.folio(INO, 0);
  const pte = k.pte(MM, 0);
  const { state } = k.fbuf(INO, 0);
  const found = (id: 'write-end-not-inline' | 'writepages-may-inline'): number =>
    k.finding(id).hit ? k.finding(id).task + 1 : 0;
  return [
    has(k, INLINE),
    has(k, EXTENTS),
    has(k, VERITY),
    inode.mayInline,
    inode.size,
    inode.inlineSize,
    inode.blocks,
    folio.present,
    folio.uptodate,
    folio.dirty,
    folio.buffers,
    (state & BH.mapped) !== 0,
    (state & BH.dirty) !== 0,
    pte.present,
    pte.writable,
    pte.dirty,
    k.journal.running,
    found('write-end-not-inline'),
    found('writepages-may-inline'),
  ]
    .map(Number)
    .join(' ');
}

/** The data of end states, as text. */
export type Tuples = Set<string>;

/** Collects the tuples of the end states that a search comes to. */
export const tuplesInto = (tuples: Tuples, of: (k: Kernel) => string = tupleOf): Invariant => ({
  id: 'tuples',
  summary: 'collects the end states',
  why: 'to hold them against those of SPIN',
  when: 'end',
  check: (k) => {
    tuples.add(of(k));
    return null;
  },
});
