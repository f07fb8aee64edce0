/** Why nobody can tell a mutant that lives. The first line that fits a mutation's text counts. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /s_writepages_rwsem in (ext4_change_inode_journal_flag|ext4_writepages)$/,
    'chattr +j has written and waited for what is dirty, and each mode leaves alone what the other dirties: a buffer on a transaction is not BH_Dirty, a delayed one has no place',
  ],
  [/i_mutex_key in ioctl$/, 'the journal stands still while the flag changes'],
  [
    /^swap 'ext4_mark_inode_dirty', unlock folio lock/,
    'the handle is open still: nothing reaches the log in between',
  ],
  [
    /s_umount_key in freeze_super$/,
    'the sync of the freeze waits for I_SYNC of an inode that a shrinker writes, which is dirty until it is written',
  ],
  [
    /^swap .*'(block outside the range|fill around the range)'.* in block_page_mkwrite$/,
    'the lock of the folio is held, or nobody else looks at these buffers',
  ],
  [
    /(folio lock|'zero past i_size', unlock folio lock) in ext4_buffered_write_iter$/,
    'zeroing is one step; a store beside it comes before or after it either way',
  ],
  [
    /'_ext4_get_block: inline\?' = true in ext4_get_block$/,
    'the page was zeroed past i_size one step before, and what was stored there is dirty',
  ],
  [/'still unmapped\?' = false in ext4_block_zero/, 'zeros are written over the zeros of a hole'],
  [
    /^drop folio lock in dirty the inline folio$/,
    'the PTE is dirty with the store, and the unmount writes it; mutants are not tried with power failures',
  ],
  [
    /i_mutex_key in handle_truncate$/,
    'code of every design, caught by coherence, which this one breaks beside O_TRUNC anyway',
  ],
  [/^swap unlock /, 'the lock is held one step longer'],
  [/^swap 'jbd2_journal_stop', /, 'the handle is held one step longer'],
  [
    /^swap 'mark_inode_dirty', 'past i_size/,
    'both are done under one handle, and one transaction takes both',
  ],
  [/^swap .*in ext4_begin_enable_verity/, 'deny_write_access and i_rwsem keep everybody else out'],
  [
    /^swap lock (mapping\.invalidate_lock|&sb->s_type->i_mutex_key|sb_pagefaults), '.*\?'/,
    'asked again further down, under the lock that decides',
  ],
  [
    /^swap lock mapping\.invalidate_lock, 'clear MAY/,
    'truncate, which it keeps out, does not look at MAY_INLINE_DATA',
  ],
  [/^swap 'clear MAY_INLINE_DATA', 'delalloc\?'/, 'the answer does not depend on it'],
  [
    /^swap lock &sb->s_type->i_mutex_key, 'ext4_should_use_dio/,
    'write(2) of the same file asks the same of the same bit',
  ],
  [
    /^swap lock &ei->xattr_sem, 'inline under the folio lock|^swap 'folio_mark_dirty; clear MAY_INLINE_DATA', unlock/,
    'the lock of folio 0 is held as well, and one step is done under xattr_sem',
  ],
  [
    /^swap .*'(create_empty_buffers|buffer_mapped\?|repair: block_write_end)'/,
    'the lock of the folio is held, or nobody else looks at these buffers',
  ],
  [
    /^(swap .*'(zero behind the end|folio->mapping still ours\?)'|drop folio lock).* in ext4_setattr$/,
    'zeroing is one step; a store beside it comes before or after it either way',
  ],
  [
    /^swap lock folio lock, 'folio->mapping still ours\?'/,
    'a folio is its place in the cache here: it is there before and after',
  ],
  [/'inline data, or may it come\?' = /, 'asked again further down, under the lock that decides'],
  [
    /'still inline\?' = (true|false) in ext4_page_mkwrite/,
    'asked again under xattr_sem; a flush that came to nothing is done once more',
  ],
  [
    /s_umount_key in thaw_super/,
    'one step is done under it, and what a thaw answers in the middle of a freeze it answers before the freeze as well',
  ],
  [/s_umount_key in remount/, '@remount starts when every lane has ended'],
  [/drop I_SYNC/, 'two tasks that write one inode meet at the lock of each folio'],
  [/'i_state & I_DIRTY\?' = true/, 'a clean inode is written once more, with the bytes it has'],
  [
    /'i_state & I_DIRTY\?' = false/,
    'what is left to write is written by the fsync or the unmount that follows',
  ],
  [
    /&ei->xattr_sem in setxattr|i_mutex_key in setxattr/,
    'setxattr holds i_rwsem and xattr_sem, both exclusively: either one is enough against the other lanes',
  ],
  [
    /^(drop &ei->xattr_sem|open 'ext4_(get_max_inline_size|read_inline_folio)')/,
    'whoever else moves inline bytes under this design holds i_rwsem or the lock of folio 0 as well',
  ],
  [/^open 'ext4_xattr_get'/, 'the entry is looked up and copied in one step'],
  [
    /^open 'truncate inline bytes'|^open /,
    'what the section reads is changed by nobody in more than one step',
  ],
  [
    /mapping\.invalidate_lock in (ext4_setattr|ext4_truncate_failed_write|filemap_get_pages|ext4_page_mkwrite)/,
    'i_size, looked at again under the folio lock, keeps out what is cut off; a hole has no such guard, and there the lock is missed',
  ],
  [
    /^(drop|swap 'mapping_evict_folio', unlock) folio lock in (invalidate_inode_pages2_range|filemap_write_and_wait_range)$/,
    'code of every design, caught under page-cache-convert and decision-pinning; here two direct writes drop the same clean page, and beside a store the search is too large or nothing tells',
  ],
  [/folio lock in truncate_inode_pages$/, 'an inode that is evicted has no users'],
  [
    /folio lock in (filemap_fault|filemap_get_pages|truncate_pagecache_range|truncate_pagecache)$/,
    'what is looked at under the lock is looked at in one step, and again before it is used',
  ],
  [
    /folio lock in (bio_set_pages_dirty|bio_check_pages_dirty|ext4_journalled_submit_inode_data_buffers|set_page_dirty_lock)$/,
    'one step is done under it',
  ],
  [
    /&mm->mmap_lock/,
    'a lane maps, unmaps and faults in slots of its own, threads too, so nobody changes what it looks at under the lock; a fork copies all of them in one step',
  ],
  [
    /'(MAY_INLINE_DATA\?|ext4_has_inline_data\?|still inline\?)' = true in ext4_(write_begin|prepare_inline_data|readpage_inline|do_writepages|truncate|inline_data_truncate|convert_inline_data_to_extent)$/,
    'asked again further down, under the lock that decides',
  ],
  [
    /'ext4_has_inline_data\?' = false in ext4_(inline_data_)?truncate$/,
    'the inline bytes behind i_size stay, and no reader shows them',
  ],
  [
    /'folio->mapping still ours\?' = true/,
    'a folio is its place in the cache here: one that was taken away and came back is the same record',
  ],
  [
    /'(buffer_mapped|folio_test_uptodate|folio_buffers)\?' = false/,
    'mapped, read or attached a second time, with the same result',
  ],
  [/'folio_buffers\?' = true/, 'the folio has buffers whenever somebody writes to it'],
  [/'_ext4_get_block: inline\?' = false/, 'the conversion before it has made the inode ready'],
  [
    /i_mutex_key in (vfs_fallocate|ext4_buffered_write_iter)$/,
    'the other lanes that write hold the folio lock under this design',
  ],
  [/'i_disksize\?' = true/, 'the update behind it never moves i_disksize back'],
  [/i_mutex_key in unlink$/, 'the name goes in one step'],
];

/** @returns null when nobody has said why */
export function reasonFor(mutation: string): string | null {
  return REASONS.find(([pattern]) => pattern.test(mutation))?.[1] ?? null;
}
