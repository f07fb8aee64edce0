/**
 * Does the journal take the data of an inode, wait for it, or not care? A mount decides, and chattr +j for one file.
 * Inside a step.
 */
import type { Kernel } from '../kernel.ts';
import { isReg } from './layout.ts';
import { hasFlag } from './update.ts';

/**
 * data=journal, for this inode. A file with chattr +j has it too, but never beside delayed allocation.
 * @source fs/ext4/ext4_jbd2.c ext4_inode_journal_mode; fs/ext4/ext4_jbd2.h ext4_should_journal_data
 */
export function shouldJournalData(k: Kernel, ino: number): boolean {
  if (!k.hasJournal) return false;
  if (k.mount.data === 'journal' || !isReg(k.inode(ino).mode)) return true;
  return !k.mount.delalloc && hasFlag(k, ino, 'journalData');
}

/** Can any file of this mount have its data journalled? Constant for a run. */
export const mayJournalData = (k: Kernel): boolean => k.hasJournal && !k.mount.delalloc;

/** @source fs/ext4/ext4_jbd2.h ext4_should_order_data */
export function shouldOrderData(k: Kernel, ino: number): boolean {
  return k.hasJournal && k.mount.data === 'ordered' && !shouldJournalData(k, ino);
}

/** @source fs/ext4/ext4_jbd2.h ext4_should_writeback_data */
export function shouldWritebackData(k: Kernel, ino: number): boolean {
  return !k.hasJournal || (k.mount.data === 'writeback' && !shouldJournalData(k, ino));
}
