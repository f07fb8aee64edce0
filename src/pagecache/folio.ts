/**
 * Folios: a file's page cache, order 0. The first of the three copies of a byte.
 *
 *   absent ── filemap_add ──▶ present ── read_folio / full write ──▶ uptodate ── store, write(2) ──▶ dirty
 *                                                                       ▲                             │
 *                                                                       └── end_io ◀── writeback ◀────┘
 *
 * The tags of i_pages (DIRTY, TOWRITE, WRITEBACK) are apart from the flags: writepages looks at tags, reclaim and
 * the user's invariant at flags, and `folio_clear_dirty` changes a flag and no tag.
 *
 * Buffer heads are `fbuf` records, by logical block. The device does not ask for stable pages: folio_wait_stable
 * waits for nothing, as on most disks.
 */
import { Bytes } from '../bytes/bytes.ts';
import { err, type Result } from '../errno.ts';
import { shouldJournalData } from '../inode/journalMode.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { folioLock, fsReclaim, lock, mightLock, unlock } from '../locks/lock.ts';
import { BH, TX_COMMITTING } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { clearMark } from './readahead.ts';

/** Index of the page that holds byte `pos`. */
export const pageOf = (pos: number): number => Math.floor(pos / PAGE_SIZE);
/** Offset of byte `pos` in its page. */
export const offsetIn = (pos: number): number => pos % PAGE_SIZE;

const zeroPage = Bytes.zero(PAGE_SIZE);

/** The content of a folio, PAGE_SIZE bytes. */
export function folioData(k: Kernel, ino: number, index: number): Bytes {
  return k.folio(ino, index).data ?? zeroPage;
}

/** Inside a step. Content that is all zero is kept as null, so that equal folios are equal states. */
export function setFolioData(k: Kernel, ino: number, index: number, data: Bytes): void {
  k.folio(ino, index).data = data === zeroPage ? null : data;
}

/** Inside a step: zeros bytes [from, to) of a folio. */
export function zeroFolio(k: Kernel, ino: number, index: number, from: number, to: number): void {
  const data = folioData(k, ino, index);
  if (!data.isZero(from, to)) setFolioData(k, ino, index, data.fillRange(0, from, to));
}

/** The bytes of a block as the folio has them. */
export function blockData(k: Kernel, ino: number, lblk: number): Bytes {
  const index = Math.floor(lblk / k.blocksPerPage);
  const at = (lblk - index * k.blocksPerPage) * k.blockSize;
  return folioData(k, ino, index).slice(at, at + k.blockSize);
}

/** Logical blocks of a page, first to last. */
export function blocksOfPage(k: Kernel, index: number): number[] {
  return Array.from({ length: k.blocksPerPage }, (_, i) => index * k.blocksPerPage + i);
}

/**
 * Finds or adds the folio and locks it.
 * @returns ENOMEM, with no lock held
 * @locks   folio lock, held on return
 * @source  mm/filemap.c __filemap_get_folio with FGP_LOCK | FGP_CREAT; mm/page_alloc.c fs_reclaim_acquire
 */
export function* getFolioLocked(k: Kernel, ino: number, index: number): Op<Result<void>> {
  for (;;) {
    const found = yield* step(k, '__filemap_get_folio', () => {
      const folio = k.folio(ino, index);
      if (folio.present) return true;
      if (k.allocReclaims()) return 'reclaim';
      if (k.allocFails()) return false;
      folio.present = true;
      // A handle makes allocations GFP_NOFS: reclaim does not come back into the file system then.
      if (k.sink.listen !== null && k.taskRecord(k.task).handle === 0) {
        mightLock(k, fsReclaim, 'exclusive', 'filemap_alloc_folio');
      }
      return true;
    });
    if (!found) return err('ENOMEM');
    if (found === 'reclaim') {
      yield* call(k, '__alloc_pages_direct_reclaim', () => k.directReclaim());
      continue;
    }
    yield* lock(k, folioLock(ino, index));
    const still = yield* step(k, 'folio->mapping still ours?', () => k.folio(ino, index).present);
    if (still) return;
    yield* unlockFolio(k, ino, index);
  }
}

/** Locks a folio that may be gone by then: true when it is still there, and locked. */
export function* lockIfPresent(k: Kernel, ino: number, index: number): Op<boolean> {
  yield* lock(k, folioLock(ino, index));
  const still = yield* step(k, 'folio->mapping still ours?', () => k.folio(ino, index).present);
  if (!still) yield* unlockFolio(k, ino, index);
  return still;
}

/** Gives the lock of a folio back. @source mm/filemap.c folio_unlock */
export function unlockFolio(k: Kernel, ino: number, index: number) {
  return unlock(k, folioLock(ino, index));
}

/** Inside a step: attaches buffer heads. @source fs/buffer.c create_empty_buffers */
export function createEmptyBuffers(k: Kernel, ino: number, index: number): void {
  const folio = k.folio(ino, index);
  if (folio.buffers) return;
  folio.buffers = true;
  for (const lblk of blocksOfPage(k, index)) {
    const bh = k.fbuf(ino, lblk);
    bh.state = (folio.uptodate ? BH.uptodate : 0) | (folio.dirty ? BH.dirty : 0);
    bh.block = 0;
  }
}

/**
 * Inside a step: a buffer goes with the part of the file it holds: the running transaction lets go of it, the committing one keeps
 * the bytes.
 * @source fs/jbd2/transaction.c journal_unmap_buffer
 */
export function unmapJournalled(k: Kernel, ino: number, lblk: number): void {
  const bh = k.fbuf(ino, lblk);
  if ((bh.tx & TX_COMMITTING) !== 0) {
    const data = bh.frozen ?? blockData(k, ino, lblk);
    k.journal.detached = [...(k.journal.detached ?? []), [bh.block, data] as const];
  }
  if (bh.tx !== 0) bh.tx = 0;
  if (bh.frozen !== null) bh.frozen = null;
}

/** Inside a step: takes the buffer heads away. @source fs/buffer.c try_to_free_buffers */
export function dropBuffersOf(k: Kernel, ino: number, index: number): void {
  const folio = k.folio(ino, index);
  if (!folio.buffers) return;
  folio.buffers = false;
  for (const lblk of blocksOfPage(k, index)) {
    const bh = k.fbuf(ino, lblk);
    unmapJournalled(k, ino, lblk);
    bh.state = 0;
    bh.block = 0;
  }
}

/** Inside a step: PG_dirty, the DIRTY tag and I_DIRTY_PAGES; no buffers. @source fs/buffer.c __folio_mark_dirty */
export function setFolioDirty(k: Kernel, ino: number, index: number): void {
  const folio = k.folio(ino, index);
  if (folio.dirty) return;
  folio.dirty = true;
  folio.tagDirty = true;
  if (folio.readahead !== 0) clearMark(k, ino, index);
  k.inode(ino).dirtyPages = true;
}

/**
 * Inside a step: buffers and folio. Buffers of journalled data stay as they are: the journal says when they are dirty.
 * @source fs/buffer.c block_dirty_folio; fs/ext4/inode.c ext4_journalled_dirty_folio
 */
export function blockDirtyFolio(k: Kernel, ino: number, index: number): void {
  const folio = k.folio(ino, index);
  if (folio.buffers && !shouldJournalData(k, ino))
    for (const lblk of blocksOfPage(k, index)) k.fbuf(ino, lblk).state |= BH.dirty;
  setFolioDirty(k, ino, index);
}

/** Inside a step: folio_mark_dirty, through the design's ->dirty_folio. */
export function markFolioDirty(k: Kernel, ino: number, index: number): void {
  k.hooks.dirtyFolio(k, ino, index);
}

/** Inside a step: one buffer and its folio. @source fs/buffer.c mark_buffer_dirty */
export function markBufferDirty(k: Kernel, ino: number, lblk: number): void {
  const bh = k.fbuf(ino, lblk);
  if ((bh.state & BH.dirty) !== 0) return;
  bh.state |= BH.dirty;
  setFolioDirty(k, ino, Math.floor(lblk / k.blocksPerPage));
}

/** Inside a step: `folio_clear_dirty`: the flag only, no tag, no PTE. */
export function clearDirtyFlag(k: Kernel, ino: number, index: number): void {
  k.folio(ino, index).dirty = false;
}

/** Inside a step: removes a folio from the cache with all it has. @source mm/filemap.c __filemap_remove_folio */
export function removeFolio(k: Kernel, ino: number, index: number): void {
  dropBuffersOf(k, ino, index);
  const folio = k.folio(ino, index);
  if (folio.readahead !== 0) clearMark(k, ino, index);
  folio.present = folio.uptodate = folio.dirty = false;
  folio.tagDirty = folio.tagTowrite = folio.tagWriteback = folio.writeback = false;
  folio.data = null;
}

/** Does the mapping have the tag? @source include/linux/fs.h mapping_tagged */
export function mappingTagged(
  k: Kernel,
  ino: number,
  tag: 'tagDirty' | 'tagTowrite' | 'tagWriteback',
): boolean {
  return k.folioIndexes(ino).some((index) => k.folio(ino, index)[tag]);
}
