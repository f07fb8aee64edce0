/**
 * Findings: what a run can turn up besides results. They are data in the state, never exceptions. A `bug-on`
 * halts the machine, as a panic does; the others are noted and the run goes on.
 */

export type FindingKind = 'bug-on' | 'warn-on' | 'error' | 'lock';

export interface FindingSpec {
  readonly kind: FindingKind;
  readonly message: string;
  /** File and function, Linux 6.12. */
  readonly source: string;
}

const spec = (kind: FindingKind, message: string, source: string): FindingSpec => ({ kind, message, source });

export const FINDINGS = {
  'writepages-may-inline': spec(
    'bug-on',
    'BUG_ON(ext4_test_inode_state(inode, EXT4_STATE_MAY_INLINE_DATA))',
    'fs/ext4/inode.c ext4_do_writepages',
  ),
  'write-end-not-inline': spec(
    'bug-on',
    'BUG_ON(!ext4_has_inline_data(inode))',
    'fs/ext4/inline.c ext4_write_inline_data_end',
  ),
  'write-inline-no-off': spec(
    'bug-on',
    'BUG_ON(!EXT4_I(inode)->i_inline_off)',
    'fs/ext4/inline.c ext4_write_inline_data',
  ),
  'write-inline-beyond': spec(
    'bug-on',
    'BUG_ON(pos + len > EXT4_I(inode)->i_inline_size)',
    'fs/ext4/inline.c ext4_write_inline_data',
  ),
  'write-end-no-handle': spec(
    'bug-on',
    'write_end took the inline path without the handle that write_begin starts there (NULL handle in ext4_journal_stop)',
    'fs/ext4/inline.c ext4_write_inline_data_end',
  ),
  'read-inline-index': spec('bug-on', 'BUG_ON(folio->index)', 'fs/ext4/inline.c ext4_read_inline_folio'),
  'extents-no-header': spec(
    'bug-on',
    'an extent lookup found no extent header in i_block',
    'fs/ext4/extents.c ext4_find_extent',
  ),
  'sync-file-with-handle': spec(
    'bug-on',
    'ASSERT(ext4_journal_current_handle() == NULL)',
    'fs/ext4/fsync.c ext4_sync_file',
  ),
  'dirty-no-buffers': spec(
    'warn-on',
    'WARN_ON_ONCE(!folio_buffers(folio))',
    'fs/ext4/inode.c ext4_dirty_folio',
  ),
  'invalidate-committing': spec(
    'warn-on',
    'WARN_ON(__ext4_journalled_invalidate_folio(folio, offset, length) < 0)',
    'fs/ext4/inode.c ext4_journalled_invalidate_folio',
  ),
  'dirty-unlocked': spec(
    'warn-on',
    'WARN_ON_ONCE(!folio_test_locked(folio) && !folio_test_dirty(folio))',
    'fs/ext4/inode.c ext4_dirty_folio',
  ),
  'writeback-no-buffers': spec(
    'warn-on',
    'page does not have buffers attached: its dirty bit is dropped and its data lost',
    'fs/ext4/inode.c mpage_prepare_extent_to_map',
  ),
  'dirty-without-handle': spec(
    'warn-on',
    'metadata is dirtied and no handle is open: the transaction it belongs to may be in the log already',
    'fs/ext4/ext4_jbd2.c __ext4_handle_dirty_metadata',
  ),
  'start-while-frozen': spec(
    'warn-on',
    'WARN_ON(sb->s_writers.frozen == SB_FREEZE_COMPLETE)',
    'fs/ext4/ext4_jbd2.c ext4_journal_check_start',
  ),
  'delalloc-failed': spec(
    'error',
    'delayed block allocation failed: this should not happen, data will be lost',
    'fs/ext4/inode.c mpage_map_and_submit_extent',
  ),
  'reserve-underflow': spec(
    'warn-on',
    'a delayed block was allocated with no block reserved',
    'fs/ext4/inode.c ext4_da_update_reserve_space',
  ),
  'std-error': spec('error', 'EXT4-fs error: ext4_std_error', 'fs/ext4/ext4_jbd2.c __ext4_std_error'),
  'restore-failed': spec(
    'error',
    'error restoring inline_data: potential data loss',
    'fs/ext4/inline.c ext4_restore_inline_data',
  ),
  'handle-leak': spec(
    'lock',
    'a task went back to user space with an open journal handle',
    'fs/jbd2/transaction.c jbd2__journal_start',
  ),
  'unlock-not-held': spec(
    'lock',
    'a lock was released by a task that does not hold it',
    'kernel/locking/lockdep.c print_unlock_imbalance_bug',
  ),
  durability: spec(
    'error',
    'after a mount the medium does not hold what programs were told it holds',
    'ext4lab model',
  ),
  fsck: spec('error', 'our image check objects to the unmounted volume', 'ext4lab volume/check.ts'),
  'model-mismatch': spec(
    'error',
    'a read gave bytes that differ from the file as a byte array',
    'ext4lab model',
  ),
  'clean-unlocked': spec('warn-on', 'BUG_ON(!folio_test_locked(folio))', 'mm/rmap.c folio_mkclean'),
  'inline-write-unlocked': spec(
    'warn-on',
    'inline data is changed without xattr_sem: setxattr may move it meanwhile',
    'fs/ext4/inline.c ext4_write_inline_data, ext4_update_inline_data, ext4_destroy_inline_data_nolock',
  ),
} as const satisfies Record<string, FindingSpec>;

/** Name of a BUG_ON, a warning or another finding. */
export type FindingId = keyof typeof FINDINGS;
export const FINDING_IDS: readonly FindingId[] = Object.keys(FINDINGS) as FindingId[];
export const findingNumber: Readonly<Record<FindingId, number>> = Object.fromEntries(
  FINDING_IDS.map((id, number) => [id, number]),
) as Record<FindingId, number>;
