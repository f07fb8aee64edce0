/**
 * fork(2): another process with the same files open and the same mappings.
 *
 *   shared file mapping    the child has the mapping and an empty page table: its first touch is a fault of its own,
 *                          and its first store a page_mkwrite, also where the parent's page is writable
 *   private mapping        what was copied for the parent is the child's as well, until either of them stores
 *
 * Not modelled: threads (the child has one), the fault by which a private page is copied after a fork.
 */
import type { Kernel } from '../kernel.ts';
import { lock, mmapLock, mmapLockChild, unlock } from '../locks/lock.ts';
import { vpnOf } from '../pagecache/fault.ts';
import type { Op } from '../task.ts';
import { call, step, waitFor } from '../task.ts';

/**
 * @param child  the task, which waits in `awaitFork`; its address space has its number
 * @locks   mmap_lock exclusive ▸ the child's, exclusive
 * @source  kernel/fork.c copy_process, copy_files, dup_mmap
 */
export function* fork(k: Kernel, child: number): Op<void> {
  yield* step(k, 'copy_files', () => copyFiles(k, child));
  yield* call(k, 'dup_mmap', () => dupMmap(k, child));
  yield* step(k, 'wake_up_new_task', () => {
    k.reach('fork');
    k.taskRecord(child).forked = true;
  });
}

/** The first step of a task that another one makes. */
export function awaitFork(k: Kernel) {
  return waitFor(k, 'made by fork', () => k.taskRecord(k.task).forked);
}

function* dupMmap(k: Kernel, child: number): Op<void> {
  yield* lock(k, mmapLock(k.mm));
  yield* lock(k, mmapLockChild(child));
  yield* step(k, 'copy_page_range', () => copyMappings(k, child));
  yield* unlock(k, mmapLockChild(child));
  yield* unlock(k, mmapLock(k.mm));
}

/** Inside a step: the same open file descriptions. */
function copyFiles(k: Kernel, child: number): void {
  for (const slot of k.world.secondKeys('file', k.task)) {
    const { open, id, ino, readonly, append, direct, sync, dentryDir, dentryName } = k.file(k.task, slot);
    if (!open) continue;
    const copy = { open, id, ino, readonly, append, direct, sync, dentryDir, dentryName };
    Object.assign(k.file(child, slot), copy);
  }
  k.taskRecord(child).file = k.taskRecord(k.task).file;
}

/** Inside a step. @source mm/memory.c copy_page_range, vma_needs_copy */
function copyMappings(k: Kernel, child: number): void {
  const slots = k.world.secondKeys('vma', k.mm).filter((slot) => k.vma(k.mm, slot).live);
  slots.forEach((slot, copy) => {
    const vma = k.vma(k.mm, slot);
    const { live, pages, length, ino, pgoff, read, write, mayWrite, shared, file, dentryDir, dentryName } =
      vma;
    const fields = { live, pages, length, ino, pgoff, read, write, mayWrite, shared, file };
    Object.assign(k.vma(child, copy), { ...fields, startPage: vpnOf(copy, 0), dentryDir, dentryName });
    if (shared) return;
    // vma->anon_vma: a mapping that nobody stored through has nothing that faults cannot bring back.
    const present = k.world
      .secondKeys('pte', k.mm)
      .filter((vpn) => vpn >= vpnOf(slot, 0) && vpn < vpnOf(slot, pages) && k.pte(k.mm, vpn).present);
    if (present.every((vpn) => k.pte(k.mm, vpn).anon === null)) return;
    for (const vpn of present) {
      const { ino: from, index, anon } = k.pte(k.mm, vpn);
      const to = k.pte(child, vpnOf(copy, vpn - vpnOf(slot, 0)));
      Object.assign(to, { present: true, ino: from, index, anon });
    }
  });
  const { mapping } = k.taskRecord(k.task);
  k.taskRecord(child).mapping = Math.min(mapping, Math.max(0, slots.length - 1));
}
