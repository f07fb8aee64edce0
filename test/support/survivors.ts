/** Why nobody can tell a mutant that lives. The first line that fits a mutation's text counts. */
const REASONS: readonly (readonly [RegExp, string])[] = [
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
    'NOT COVERED: no bundled lane takes away the mapping that a lane of the same process stores through',
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
  [/'i_disksize\?' = false/, 'NOT COVERED: write(2) has moved i_disksize already wherever writepages could'],
  [/i_mutex_key in unlink$/, 'the name goes in one step'],
];

/** @returns null when nobody has said why */
export function reasonFor(mutation: string): string | null {
  return REASONS.find(([pattern]) => pattern.test(mutation))?.[1] ?? null;
}
