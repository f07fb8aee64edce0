/**
 * Lock classes, lock references, and acquire/release as steps.
 *
 * A lock is a record of the `lock` table: an exclusive owner, a mask of shared holders, and a mask of tasks that
 * queue for exclusive. Kinds:
 *
 *   rwsem      writer-fair: while a writer is queued behind readers, new readers wait (a step of its own puts the
 *              writer in the queue; that is what makes recursive readers deadlock, as in the kernel)
 *   percpu     percpu_rw_semaphore and freeze levels: same rules
 *   spinlock   exclusive; no step may sleep while one is held
 *   bit        wait bits and completions: folio lock, writeback, I_SYNC; exclusive, not tracked by the kernel's lockdep
 *   map        what lockdep is told of and nobody takes: a lockdep_map without a lock
 *
 * Not verified here: order and context (that is `lockdep.ts`); weak memory (there is none: a step is atomic).
 */
import type { Effect, LockEffect } from '../state/effects.ts';
import { type LockMode, Request, type Tracked, WouldBlock } from '../task.ts';

export type LockKind = 'rwsem' | 'percpu' | 'spinlock' | 'bit' | 'map';

export interface LockClass {
  /** Position in `LOCK_CLASSES`; the table key is made of it. */
  readonly number: number;
  /** Short name: `xattr_sem`. */
  readonly id: string;
  /** As lockdep prints it: `&ei->xattr_sem`. */
  readonly name: string;
  readonly kind: LockKind;
  /** Place in the documented order, outermost first. */
  readonly rank: number;
  readonly take: { readonly shared: string; readonly exclusive: string; readonly unlock: string };
}

const rwsem = { shared: 'down_read', exclusive: 'down_write', unlock: 'up' };
const bit = (get: string, put: string) => ({ shared: get, exclusive: get, unlock: put });

const define = <T extends Record<string, Omit<LockClass, 'number' | 'id'>>>(classes: T) =>
  Object.fromEntries(
    Object.entries(classes).map(([id, c], number) => [id, Object.freeze({ ...c, id, number })]),
  ) as { readonly [N in keyof T]: LockClass };

/** Every lock the model knows; `rank` orders them, the place in this list only numbers them. */
export const LOCK = define({
  s_umount: { name: '&type->s_umount_key', kind: 'rwsem', rank: 1, take: rwsem },
  sb_writers: { name: 'sb_writers', kind: 'percpu', rank: 2, take: bit('sb_start_write', 'sb_end_write') },
  s_vfs_rename_mutex: {
    name: '&type->s_vfs_rename_key',
    kind: 'rwsem',
    rank: 2.5,
    take: bit('mutex_lock', 'mutex_unlock'),
  },
  i_rwsem: {
    name: '&sb->s_type->i_mutex_key',
    kind: 'rwsem',
    rank: 3,
    take: bit('inode_lock', 'inode_unlock'),
  },
  mmap_lock: { name: '&mm->mmap_lock', kind: 'rwsem', rank: 4, take: bit('mmap_lock', 'mmap_unlock') },
  sb_pagefaults: {
    name: 'sb_pagefaults',
    kind: 'percpu',
    rank: 5,
    take: bit('sb_start_pagefault', 'sb_end_pagefault'),
  },
  invalidate_lock: {
    name: 'mapping.invalidate_lock',
    kind: 'rwsem',
    rank: 6,
    take: bit('filemap_invalidate_lock', 'filemap_invalidate_unlock'),
  },
  i_sync: { name: 'I_SYNC', kind: 'bit', rank: 6.5, take: bit('inode_set_sync', 'inode_sync_complete') },
  s_writepages_rwsem: { name: '&sbi->s_writepages_rwsem', kind: 'percpu', rank: 7, take: rwsem },
  sb_internal: {
    name: 'sb_internal',
    kind: 'percpu',
    rank: 8,
    take: bit('sb_start_intwrite', 'sb_end_intwrite'),
  },
  jbd2_handle: {
    name: 'jbd2_handle',
    kind: 'map',
    rank: 9,
    take: bit('jbd2_journal_start', 'jbd2_journal_stop'),
  },
  folio: { name: 'folio lock', kind: 'bit', rank: 10, take: bit('folio_lock', 'folio_unlock') },
  xattr_sem: { name: '&ei->xattr_sem', kind: 'rwsem', rank: 11, take: rwsem },
  i_data_sem: { name: '&ei->i_data_sem', kind: 'rwsem', rank: 12, take: rwsem },
  i_lock: {
    name: '&sb->s_type->i_lock_key',
    kind: 'spinlock',
    rank: 14,
    take: bit('spin_lock', 'spin_unlock'),
  },
  fs_reclaim: {
    name: 'fs_reclaim',
    kind: 'map',
    rank: 7.5,
    take: bit('fs_reclaim_acquire', 'fs_reclaim_release'),
  },
  writeback: {
    name: 'folio writeback',
    kind: 'bit',
    rank: 13,
    take: bit('folio_wait_writeback', 'folio_end_writeback'),
  },
  commit: { name: 'jbd2 commit', kind: 'bit', rank: 6.7, take: bit('jbd2_log_wait_commit', 'journal_done') },
});

export type LockId = keyof typeof LOCK;
export const LOCK_CLASSES: readonly LockClass[] = Object.values(LOCK);

/** Tasks fit the masks of a lock; the bit above is nobody's. */
export const MAX_TASKS = 30;

/** Instances per class: inode numbers and mm numbers stay below this. */
export const LOCK_SPAN = 65536;

export interface LockRef {
  readonly class: LockClass;
  /** Inode, mm, or 0 for a lock of the whole file system. */
  readonly instance: number;
  /** Page index of a folio lock, else 0. */
  readonly index: number;
  /** lockdep's class, as it prints it: the name of the class, or of its key for directories, and the subclass. */
  readonly key: string;
}

/** @throws TypeError for what is no number: types are not checked when a design's file is run */
function ref(c: LockClass, instance: number, index = 0, key: string = c.name): LockRef {
  if (!Number.isInteger(instance) || !Number.isInteger(index))
    throw new TypeError(`${c.id}: a number of an inode, an mm or a page is no ${typeof instance}`);
  return { class: c, instance, index, key };
}

/** The references of a class; those of small instances are made once. */
const refs = (c: LockClass, key: string = c.name): ((instance: number) => LockRef) => {
  const made = Array.from({ length: 256 }, (_, instance) => ref(c, instance, 0, key));
  return (instance) => made[instance] ?? ref(c, instance, 0, key);
};

/** The inode lock of a file. */
export const iRwsem: (ino: number) => LockRef = refs(LOCK.i_rwsem);
/** i_rwsem of the second of two files, in inode order. @source fs/inode.c lock_two_nondirectories (I_MUTEX_NONDIR2) */
export const iRwsemSecond: (ino: number) => LockRef = refs(LOCK.i_rwsem, `${LOCK.i_rwsem.name}/4`);
/** The key that directories get instead. @source fs/inode.c lockdep_annotate_inode_mutex_key */
const DIR_KEY = '&type->i_mutex_dir_key';
/** i_rwsem of a directory: looked through, or removed or moved itself. */
export const dirRwsem: (ino: number) => LockRef = refs(LOCK.i_rwsem, DIR_KEY);
/** i_rwsem of a directory in which a name is made, removed or moved (I_MUTEX_PARENT), and of the second one (I_MUTEX_PARENT2). */
export const parentRwsem: (ino: number) => LockRef = refs(LOCK.i_rwsem, `${DIR_KEY}/1`);
export const secondParentRwsem: (ino: number) => LockRef = refs(LOCK.i_rwsem, `${DIR_KEY}/5`);
/** i_rwsem of a directory that moves under its parents' (I_MUTEX_CHILD). */
export const childRwsem: (ino: number) => LockRef = refs(LOCK.i_rwsem, `${DIR_KEY}/2`);
/** mmap_lock of an address space. */
export const mmapLock: (mm: number) => LockRef = refs(LOCK.mmap_lock);
/** mmap_lock of a process that is being made, under its parent's. @source kernel/fork.c dup_mmap (SINGLE_DEPTH_NESTING) */
export const mmapLockChild: (mm: number) => LockRef = refs(LOCK.mmap_lock, `${LOCK.mmap_lock.name}/1`);
/** invalidate_lock of a file's mapping. */
export const invalidateLock: (ino: number) => LockRef = refs(LOCK.invalidate_lock);
export const iSync: (ino: number) => LockRef = refs(LOCK.i_sync);
const firstFolioLock: (ino: number) => LockRef = refs(LOCK.folio);
/** The lock of a folio: file and page index. */
export const folioLock = (ino: number, index: number): LockRef =>
  index === 0 ? firstFolioLock(ino) : ref(LOCK.folio, ino, index);
/** xattr_sem of an inode. */
export const xattrSem: (ino: number) => LockRef = refs(LOCK.xattr_sem);
/** i_data_sem of an inode. */
export const iDataSem: (ino: number) => LockRef = refs(LOCK.i_data_sem);
export const iLock: (ino: number) => LockRef = refs(LOCK.i_lock);
/** The freeze level of writers. */
export const sbWriters: LockRef = ref(LOCK.sb_writers, 0);
/** The freeze level of page faults. */
export const sbPagefaults: LockRef = ref(LOCK.sb_pagefaults, 0);
export const sbInternal: LockRef = ref(LOCK.sb_internal, 0);
export const sUmount: LockRef = ref(LOCK.s_umount, 0);
/** Held by a rename from one directory to another: no directory changes its parent meanwhile. Never shared. */
export const sVfsRenameMutex: LockRef = ref(LOCK.s_vfs_rename_mutex, 0);
export const sWritepagesRwsem: LockRef = ref(LOCK.s_writepages_rwsem, 0);
/** Held shared by an open handle, exclusive by who waits for a commit. @source fs/jbd2/journal.c jbd2_might_wait_for_commit */
export const jbd2Handle: LockRef = ref(LOCK.jbd2_handle, 0);
export const fsReclaim: LockRef = ref(LOCK.fs_reclaim, 0);
export const folioWriteback = (ino: number, index: number): LockRef => ref(LOCK.writeback, ino, index);
/** Held by the task that carries out a commit. */
export const journalDone: LockRef = ref(LOCK.commit, 0);

/** What a lock step prints: `down_write(&ei->xattr_sem)`. */
export function lockLabel(lock: LockRef, mode: LockMode | 'unlock'): string {
  const { take, name } = lock.class;
  const instance =
    lock.class.kind === 'bit' && lock.class !== LOCK.i_sync ? `${lock.instance}:${lock.index}` : name;
  const suffix = take.shared === take.exclusive && mode === 'shared' ? '_shared' : '';
  return `${take[mode]}${suffix}(${instance})`;
}

/** Takes a lock: a step that can run when the lock is free for `mode`. */
export function lock(k: Tracked, which: LockRef, mode: LockMode = 'exclusive'): Request<void> {
  const { direct } = k.tracker;
  if (direct !== undefined) return direct.answer(takeNow(k as Tracked & LockHolder, which, mode));
  return new Request<void>(k, 'lock', lockLabel(which, mode), { lock: which, mode });
}

/** Tries once; true when taken. */
export function tryLock(k: Tracked, which: LockRef, mode: LockMode = 'exclusive'): Request<boolean> {
  const { direct } = k.tracker;
  if (direct !== undefined) return direct.answer(tryNow(k as Tracked & LockHolder, which, mode));
  return new Request<boolean>(k, 'trylock', `try ${lockLabel(which, mode)}`, { lock: which, mode });
}

/** Releases what this task holds of the lock. */
export function unlock(k: Tracked, which: LockRef): Request<void> {
  const { direct } = k.tracker;
  if (direct !== undefined) return direct.answer(releaseNow(k as Tracked & LockHolder, which));
  return new Request<void>(k, 'unlock', lockLabel(which, 'unlock'), { lock: which });
}

/** The record of the `lock` table as these functions use it. */
export interface LockRecord {
  owner: number;
  readers: number;
  waiters: number;
}

export type Enabled = 'now' | 'queue' | 'blocked';

/**
 * May `task` go on with this lock request? `queue`: a writer that finds readers and is not in the queue yet may
 * take the step that puts it there.
 */
export function lockEnabled(record: LockRecord, kind: LockKind, mode: LockMode, task: number): Enabled {
  const me = 1 << task;
  if (mode === 'shared') return record.owner === 0 && (record.waiters & ~me) === 0 ? 'now' : 'blocked';
  if (record.owner === 0 && record.readers === 0) return 'now';
  const queues = kind === 'rwsem' || kind === 'percpu';
  return queues && record.readers !== 0 && (record.waiters & me) === 0 ? 'queue' : 'blocked';
}

/** Takes or queues; the caller has asked `lockEnabled`. Returns true when the lock is now held. */
export function lockTake(record: LockRecord, mode: LockMode, task: number, enabled: Enabled): boolean {
  const me = 1 << task;
  if (enabled === 'queue') {
    record.waiters |= me;
    return false;
  }
  if (mode === 'shared') record.readers |= me;
  else record.owner = task + 1;
  record.waiters &= ~me;
  return true;
}

/** Releases; false when this task does not hold the lock. */
export function lockRelease(record: LockRecord, task: number): boolean {
  const me = 1 << task;
  if (record.owner === task + 1) record.owner = 0;
  else if ((record.readers & me) !== 0) record.readers &= ~me;
  else return false;
  return true;
}

/** Inside a step: says what happens to a lock, to those who listen. */
export const lockEffect = (
  type: 'acquire' | 'release' | 'queue',
  { class: { id }, key, instance, index }: LockRef,
  mode: LockMode,
  more: { readonly trylock?: true; readonly frames?: readonly string[] } = {},
): LockEffect => ({
  type,
  lock: id,
  key,
  mode,
  instance: index === 0 ? `${instance}` : `${instance}:${index}`,
  ...more,
});

/**
 * Inside a step: a path that takes the lock and gives it back was here, whether it had to or not.
 * @param frames  the kernel functions below the step's own that would take it, outermost first
 * @source include/linux/lockdep.h might_lock, might_lock_read
 */
export function mightLock(k: LockHolder, which: LockRef, mode: LockMode, ...frames: readonly string[]): void {
  const { listen } = k.sink;
  if (listen === null) return;
  listen(lockEffect('acquire', which, mode, frames.length === 0 ? {} : { frames }));
  listen(lockEffect('release', which, mode));
}

/** Inside a step: memory of the program is touched here and may have to be brought in. @source mm/memory.c __might_fault */
export function mightFault(k: LockHolder & { readonly mm: number }, ...frames: readonly string[]): void {
  mightLock(k, mmapLock(k.mm), 'shared', ...frames);
}

/**
 * A leaf critical section in one step: runs when the lock is free, holds it while `fn` runs, and lets go. Only for
 * sections that take no other lock and touch nothing that others read without this lock.
 */
export function locked<T>(
  k: Tracked & LockHolder,
  which: LockRef,
  mode: LockMode,
  label: string,
  fn: () => T,
): Request<T> {
  const { direct } = k.tracker;
  if (direct !== undefined) {
    if (!isFree(k.lockRecord(which), mode)) throw new WouldBlock(label);
    return direct.answer(fn());
  }
  return new Request<T>(k, 'wait', label, {
    lock: which,
    mode,
    ready: () => lockEnabled(k.lockRecord(which), which.class.kind, mode, k.task) === 'now',
    fn: () => {
      const listen = k.sink.listen;
      if (listen === null) return fn();
      listen(lockEffect('acquire', which, mode));
      const value = fn();
      listen(lockEffect('release', which, mode));
      return value;
    },
  });
}

// ---- direct mode: the task has the kernel to itself, and a lock it cannot have now it can never have

const isFree = (record: LockRecord, mode: LockMode): boolean =>
  record.owner === 0 && (mode === 'shared' ? record.waiters === 0 : record.readers === 0);

function takeNow(k: LockHolder, which: LockRef, mode: LockMode): void {
  const record = k.lockRecord(which);
  if (!isFree(record, mode)) throw new WouldBlock(lockLabel(which, mode));
  if (mode === 'shared') record.readers |= 1 << k.task;
  else record.owner = k.task + 1;
}

function tryNow(k: LockHolder, which: LockRef, mode: LockMode): boolean {
  if (!isFree(k.lockRecord(which), mode)) return false;
  takeNow(k, which, mode);
  return true;
}

function releaseNow(k: LockHolder, which: LockRef): void {
  k.warnOn('unlock-not-held', !lockRelease(k.lockRecord(which), k.task));
}

/** Inside a step: does this task hold the lock exclusively? Not inside `locked`. @source include/linux/lockdep.h lockdep_assert_held_write */
export const holds = (k: LockHolder, which: LockRef): boolean => k.lockRecord(which).owner === k.task + 1;

/** What `locked` needs of `Kernel`. */
export interface LockHolder {
  readonly task: number;
  readonly sink: { listen: ((effect: Effect) => void) | null };
  lockRecord(lock: LockRef): LockRecord;
  warnOn(id: 'unlock-not-held', condition: boolean): boolean;
}
