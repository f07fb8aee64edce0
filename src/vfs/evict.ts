/**
 * References to inodes, and what happens when the last one is gone.
 *
 * An inode is referred to by open files, by mappings, and, while a system call runs, by the paths it has walked:
 * `task.held` is the list of those. An inode without names lives on as long as anybody refers to it; whoever lets go
 * last finds it in the very step in which it lets go, marks it I_FREEING, and evicts it.
 *
 *   names ── unlink, rmdir, rename over ─▶ unlinked (on the orphan list) ── last reference ─▶ freeing ─▶ free
 */

import { freeInode } from '../balloc/ialloc.ts';
import { removeDelayed } from '../balloc/mapBlocks.ts';
import { Bytes } from '../bytes/bytes.ts';
import { rawInode, setRawInode } from '../device/buffer.ts';
import { getInodeWriteAccess, journalStart, journalStop } from '../device/journal.ts';
import { isErr } from '../errno.ts';
import { I_BLOCK_SIZE, inodeLayout, isDir, RESERVED_INO } from '../inode/layout.ts';
import { orphanDel } from '../inode/orphan.ts';
import { forget, isFastSymlink, markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { folioLock, iSync, lock, sbInternal, unlock } from '../locks/lock.ts';
import { modelDeath } from '../model.ts';
import { removeFolio } from '../pagecache/folio.ts';
import { unmapFolio } from '../pagecache/rmap.ts';
import type { Op } from '../task.ts';
import { call, step, waitFor } from '../task.ts';
import { holdsDentry } from './dentry.ts';
import { dirParent } from './directory.ts';
import { dirSource } from './entry.ts';
import { truncate } from './truncate.ts';
import { releaseXattrBlock } from './xattrSet.ts';

/** The running system call refers to this inode until `pathPut`. Inside a step. */
export function hold(k: Kernel, ino: number): void {
  const task = k.taskRecord(k.task);
  task.held = [...(task.held ?? []), ino];
}

/** Lets go of one reference of the running system call to an inode that has names. Inside a step. */
export function unhold(k: Kernel, ino: number): void {
  const task = k.taskRecord(k.task);
  const at = task.held?.lastIndexOf(ino) ?? -1;
  if (at < 0) return;
  const rest = task.held!.toSpliced(at, 1);
  task.held = rest.length === 0 ? null : rest;
}

/** Is the inode open, mapped or being looked at by anybody? Inside a step. */
export function inUse(k: Kernel, ino: number): boolean {
  for (const task of k.world.firstKeys('file')) {
    for (const slot of k.world.secondKeys('file', task)) {
      const file = k.file(task, slot);
      if (file.open && file.ino === ino) return true;
    }
  }
  for (const mm of k.world.firstKeys('vma')) {
    for (const slot of k.world.secondKeys('vma', mm)) {
      const vma = k.vma(mm, slot);
      if (vma.live && vma.ino === ino) return true;
    }
  }
  return k.world.firstKeys('task').some((task) => k.taskRecord(task).held?.includes(ino) ?? false);
}

/** The directory that a directory is in; 0 for the root and for anything else. Inside a step. */
function parentOfDir(k: Kernel, ino: number): number {
  if (!isDir(k.inode(ino).mode) || ino === RESERVED_INO.root) return 0;
  const parent = dirParent(dirSource(k, ino));
  return isErr(parent) ? 0 : parent;
}

/** A removed directory stays for what is in use and had its name there: dentries refer to their parents. */
function isPinned(k: Kernel, dir: number): boolean {
  if (holdsDentry(k, dir)) return true;
  return k.inodesInCore().some((ino) => {
    return ino !== dir && k.inode(ino).unlinked && parentOfDir(k, ino) === dir && isReferred(k, ino);
  });
}

const isReferred = (k: Kernel, ino: number): boolean =>
  inUse(k, ino) || (isDir(k.inode(ino).mode) && k.inode(ino).unlinked && isPinned(k, ino));

/**
 * A reference to the inode is gone. Was it the last one, of an inode without names? Then the caller must evict it, and
 * the removed directories that were there only for it. What to evict, in order. Inside a step.
 * @param dir  the directory of the dentry that has gone with it; 0 for none
 * @source fs/dcache.c dentry_kill; fs/inode.c iput
 */
function dyingAfter(k: Kernel, ino: number, dir = 0): number[] {
  const dying: number[] = [];
  for (const start of dir === 0 ? [ino] : [ino, dir]) {
    for (let here = start; here !== 0; ) {
      const inode = k.inode(here);
      if (!inode.inCore || !inode.unlinked || inode.freeing || isReferred(k, here)) break;
      const above = parentOfDir(k, here);
      inode.freeing = true;
      dying.push(here);
      here = above;
    }
  }
  return dying;
}

/** The running system call lets go of everything. What the caller must evict, as text. Inside a step. */
export function releaseHeld(k: Kernel): string {
  const task = k.taskRecord(k.task);
  if (task.held === null) return '';
  const held = [...new Set(task.held)];
  task.held = null;
  return held.flatMap((ino) => dyingAfter(k, ino)).join(',');
}

/** Evicts what `releaseHeld` named. */
export function* evictAll(k: Kernel, inodes: string): Op<void> {
  for (const ino of inodes === '' ? [] : inodes.split(',').map(Number)) {
    yield* call(k, 'ext4_evict_inode', () => evict(k, ino));
  }
}

/** The end of a system call that walked a path. @source fs/namei.c path_put */
export function* pathPut(k: Kernel): Op<void> {
  const dying = yield* step(k, 'path_put', () => releaseHeld(k));
  yield* evictAll(k, dying);
}

/** One reference of the running system call goes before the others do. @source fs/inode.c iput */
export function* iput(k: Kernel, ino: number): Op<void> {
  const dying = yield* step(k, 'iput', () => {
    unhold(k, ino);
    return dyingAfter(k, ino).join(',');
  });
  yield* evictAll(k, dying);
}

/**
 * A file was closed or unmapped.
 * @param dir     the directory in which it had been opened
 * @param isHeld  the running system call refers to the inode, and lets go of it
 * @source fs/inode.c iput_final
 */
export function* evictIfUnused(k: Kernel, ino: number, dir: number, isHeld = false): Op<void> {
  const dying = yield* step(k, 'iput_final?', () => {
    if (isHeld) unhold(k, ino);
    return dyingAfter(k, ino, dir).join(',');
  });
  yield* evictAll(k, dying);
}

/** Every program is gone: inodes without names go too. For a caller that has the volume to itself. */
export function* evictUnlinked(k: Kernel): Op<void> {
  const unlinked = yield* step(k, 'evict_inodes', () =>
    k
      .inodesInCore()
      .filter((ino) => k.inode(ino).unlinked)
      .join(','),
  );
  yield* evictAll(k, unlinked);
}

/**
 * An inode without links is freed, with its pages and blocks, in one handle.
 * @locks   waits for I_SYNC and folio locks; sb_internal shared ▸ handle
 * @source  fs/inode.c evict; fs/ext4/inode.c ext4_evict_inode
 */
export function* evict(k: Kernel, ino: number): Op<void> {
  yield* waitFor(
    k,
    'inode_wait_for_writeback; truncate_inode_pages_final',
    () =>
      k.lockRecord(iSync(ino)).owner === 0 &&
      k.folioIndexes(ino).every((index) => {
        return k.lockRecord(folioLock(ino, index)).owner === 0 && !k.folio(ino, index).writeback;
      }),
    () => {
      for (const index of k.folioIndexes(ino)) {
        unmapFolio(k, ino, index);
        removeFolio(k, ino, index);
      }
      k.inode(ino).dirtyPages = false;
    },
  );
  yield* lock(k, sbInternal, 'shared');
  yield* journalStart(k);
  const blocks = yield* step(k, 'i_size = 0; ext4_mark_inode_dirty', () => {
    const inode = k.inode(ino);
    if (isFastSymlink(k, ino)) inode.iData = Bytes.zero(I_BLOCK_SIZE);
    inode.size = 0;
    markInodeDirty(k, ino);
    return inode.blocks !== 0;
  });
  if (blocks) yield* call(k, 'ext4_truncate', () => truncate(k, ino));
  yield* step(k, 'ext4_free_inode', () => {
    removeDelayed(k, ino, 0, Number.POSITIVE_INFINITY);
    releaseXattrBlock(k, ino);
    orphanDel(k, ino);
    getInodeWriteAccess(k, ino);
    // ext4_fill_raw_inode: the high halves of the owner of a deleted inode are not left for old kernels to find.
    setRawInode(k, ino, inodeLayout.put(rawInode(k, ino), { dtime: k.now, uidHigh: 0, gidHigh: 0 }));
    markInodeDirty(k, ino);
    freeInode(k, ino);
    forget(k, ino);
    modelDeath(k, ino);
  });
  yield* journalStop(k);
  yield* unlock(k, sbInternal);
}
