/**
 * Journalled data: the buffers of a file's folios as members of transactions, which is what data=journal and chattr +j
 * make of them. The content stays in the folio; nothing goes to its place before it has been in the log.
 *
 *   write, store ─▶ running ─ commit ─▶ committing ─ in the log ─▶ BH_Dirty, PG_dirty ─ writepages, checkpoint ─▶ medium
 *                   folio dirty        frozen when changed again                                  clean
 *
 * BH_Dirty is clear while a buffer is on a transaction: writepages leaves such a buffer alone and keeps the folio dirty.
 * A folio that goes while its buffer is committing leaves the bytes in `journal.detached`.
 *
 * Inside a step. Not modelled: pages pinned for DMA (PG_checked); write access that nothing is written after.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { writeMedium } from '../device/medium.ts';
import { shouldJournalData } from '../inode/journalMode.ts';
import type { Kernel } from '../kernel.ts';
import { BH, TX_COMMITTING, TX_RUNNING } from '../state/tables.ts';
import { blockData, blocksOfPage, markBufferDirty, markFolioDirty, zeroFolio } from './folio.ts';

/** Logical blocks of a folio that have bytes in [from, to). */
function blocksWithin(k: Kernel, index: number, from: number, to: number): number[] {
  return blocksOfPage(k, index).filter((_, i) => (i + 1) * k.blockSize > from && i * k.blockSize < to);
}

/**
 * Before bytes [from, to) of a folio change: what a commit still has to log of them is put aside.
 * @source fs/ext4/inode.c do_journal_get_write_access; fs/jbd2/transaction.c do_get_write_access
 */
export function dataWriteAccess(k: Kernel, ino: number, index: number, from: number, to: number): void {
  for (const lblk of blocksWithin(k, index, from, to)) {
    const bh = k.fbuf(ino, lblk);
    if ((bh.state & BH.mapped) === 0 || bh.tx !== TX_COMMITTING || bh.frozen !== null) continue;
    bh.frozen = blockData(k, ino, lblk);
  }
}

/**
 * A block of a folio belongs to the running transaction now, and its folio is dirty.
 * @source fs/ext4/inode.c ext4_dirty_journalled_data
 */
export function dirtyJournalledData(k: Kernel, ino: number, lblk: number): void {
  markFolioDirty(k, ino, Math.floor(lblk / k.blocksPerPage));
  const bh = k.fbuf(ino, lblk);
  bh.tx |= TX_RUNNING;
  bh.state &= ~BH.dirty;
  k.journal.running = true;
  const buf = k.buf(bh.block);
  buf.revoke &= ~TX_RUNNING;
}

/** @source fs/ext4/inode.c write_end_fn */
function endWrite(k: Kernel, ino: number, lblk: number): void {
  const bh = k.fbuf(ino, lblk);
  if ((bh.state & BH.mapped) === 0) return;
  bh.state |= BH.uptodate;
  dirtyJournalledData(k, ino, lblk);
  bh.state &= ~BH.new;
}

/**
 * The written blocks join the running transaction; a folio that is uptodate as a whole becomes so.
 * @source fs/ext4/inode.c ext4_journalled_write_end
 */
export function journalledCommitWrite(k: Kernel, ino: number, index: number, from: number, to: number): void {
  const written = blocksWithin(k, index, from, to);
  for (const lblk of written) endWrite(k, ino, lblk);
  const rest = blocksOfPage(k, index).filter((lblk) => !written.includes(lblk));
  if (rest.every((lblk) => (k.fbuf(ino, lblk).state & BH.uptodate) !== 0))
    k.folio(ino, index).uptodate = true;
}

/** The buffers of a folio that is to be stored to. @source fs/ext4/inode.c ext4_journal_folio_buffers */
export function journalFolioBuffers(k: Kernel, ino: number, index: number, length: number): void {
  dataWriteAccess(k, ino, index, 0, length);
  for (const lblk of blocksWithin(k, index, 0, length)) endWrite(k, ino, lblk);
}

/** New buffers that nothing was written to become zeros. @source fs/ext4/inode.c ext4_journalled_zero_new_buffers */
export function journalledZeroNew(k: Kernel, ino: number, index: number, from: number, to: number): void {
  for (const lblk of blocksWithin(k, index, from, to)) {
    const bh = k.fbuf(ino, lblk);
    if ((bh.state & BH.new) === 0) continue;
    const start = (lblk - index * k.blocksPerPage) * k.blockSize;
    if (!k.folio(ino, index).uptodate)
      zeroFolio(k, ino, index, Math.max(from, start), Math.min(to, start + k.blockSize));
    bh.state &= ~BH.new;
    endWrite(k, ino, lblk);
  }
}

/** Inodes in core whose data may be on a transaction. */
function journalledInodes(k: Kernel): number[] {
  return k.inodesInCore().filter((ino) => shouldJournalData(k, ino));
}

/** Buffers of an inode that are on the transaction of that age. */
function buffersOn(k: Kernel, ino: number, age: number): number[] {
  return k.world.secondKeys('fbuf', ino).filter((lblk) => (k.fbuf(ino, lblk).tx & age) !== 0);
}

/** The running transaction becomes the committing one. @source fs/jbd2/commit.c jbd2_journal_commit_transaction */
export function switchJournalled(k: Kernel): void {
  for (const ino of journalledInodes(k)) {
    for (const lblk of buffersOn(k, ino, TX_RUNNING)) k.fbuf(ino, lblk).tx = TX_COMMITTING;
  }
}

/** What the committing transaction logs of file data: home block and bytes. @source fs/jbd2/journal.c jbd2_journal_write_metadata_buffer */
export function journalledBlocks(k: Kernel): (readonly [block: number, data: Bytes])[] {
  const out = [...(k.journal.detached ?? [])];
  for (const ino of journalledInodes(k)) {
    for (const lblk of buffersOn(k, ino, TX_COMMITTING)) {
      const { block, frozen } = k.fbuf(ino, lblk);
      out.push([block, frozen ?? blockData(k, ino, lblk)]);
    }
  }
  return out;
}

/** The log has it: what was not changed again has to go home. @source fs/jbd2/transaction.c __jbd2_journal_refile_buffer */
export function refileJournalled(k: Kernel): void {
  k.journal.detached = null;
  for (const ino of journalledInodes(k)) {
    for (const lblk of buffersOn(k, ino, TX_COMMITTING)) {
      const bh = k.fbuf(ino, lblk);
      bh.tx &= ~TX_COMMITTING;
      bh.frozen = null;
      if (bh.tx === 0) markBufferDirty(k, ino, lblk);
    }
  }
}

/** Checkpoint: what the log has goes home from the buffers; folios stay dirty and say so. @source fs/jbd2/checkpoint.c jbd2_log_do_checkpoint */
export function writeJournalledHome(k: Kernel): void {
  for (const ino of journalledInodes(k)) {
    for (const lblk of k.world.secondKeys('fbuf', ino)) {
      const bh = k.fbuf(ino, lblk);
      if ((bh.state & BH.dirty) === 0 || bh.tx !== 0) continue;
      bh.state &= ~BH.dirty;
      writeMedium(k, bh.block, blockData(k, ino, lblk), `checkpoint ino ${ino}`);
    }
  }
}

/** Is a buffer of the folio still on a transaction, or to be checkpointed? @source fs/jbd2/transaction.c jbd2_journal_try_to_free_buffers */
export function holdsJournalled(k: Kernel, ino: number, index: number): boolean {
  if (!k.folio(ino, index).buffers) return false;
  return blocksOfPage(k, index).some((lblk) => k.fbuf(ino, lblk).tx !== 0);
}
