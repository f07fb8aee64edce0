/*
 * The scenario writer-store-writepages under mkwrite-convert@nodelalloc, written by hand: every step that the three
 * lanes can take, in the order of the kernel functions. One d_step here is one step there. `dump.ts` lists the steps
 * of the ops; when it shows other steps than these, a yield point of the model has changed, and this file with it.
 *
 *   CPU0     open /f; pwrite 100 bytes at 50; exit
 *   CPU1     open /f; mmap; mwrite 4 bytes at 0; exit
 *   kworker  writepages /f; exit
 *
 * Abstracted away:
 *   - Bytes. A folio is whose bytes it has (fw: CPU0's, fs: CPU1's); the block on the medium is which of them it had
 *     when it was submitted. The rest of the raw inode, the bitmap, the group descriptor and the counters follow from
 *     `inl` and `mapd`.
 *   - What only one lane ever sees: its file list, its mapping, its handle, i_rwsem, mmap_lock, sb_writers … A step
 *     that touches nothing else is a step all the same: STEP(skip).
 *   - What never changes here: folio 0 is present and uptodate, nobody commits, nothing fails. Where the model asks
 *     for something that cannot be, there is an assert(false).
 *
 * What a task remembers: see protocol.pml. With -DPROPERTY=… every step asserts that; -DTUPLES prints the end states.
 */

/* the inode: INLINE_DATA, MAY_INLINE_DATA, has its block (logical 0), i_size is 150, I_DIRTY_PAGES; the raw inode has
   that size, too */
bool inl = 1, may = 1, mapd, size150, dirtyPages, raw150;
/* the bdev buffer of that block, journalled with CPU1's copy of the inline data */
bool bdev;
/* folio 0: PG_dirty, tags DIRTY and TOWRITE, writeback, whose bytes; its buffer head: attached, dirty, mapped, new */
bool dirty, tagDirty, tagTowrite, writeback, fw, fs, buffers, bdirty, bmapped, bnew;
/* the PTE of CPU1 */
bool ptep, ptew, pted;
/* the block on the medium: 0 as before, else 1 + fw + 2 × fs */
byte medium;
/* open file descriptions: of CPU0, of CPU1, of the mapping; 0 for none */
byte file0, file1, vma;
byte w_folio, w_xattr, q_xattr;

byte alive = 3;

#ifndef PROPERTY
#define PROPERTY true
#endif
/* Invariants by the names that the emulator gives them. */
#define STRICT !(inl && (dirty || tagDirty))
#define SETTLED !(inl && may && (dirty || tagDirty || ptew || pted))
#define ALIAS !(buffers && dirty && bmapped && bdev)

#define ME (1 << _pid)
#define STEP(...) if :: d_step { __VA_ARGS__; assert(PROPERTY) } fi
#define ASK(...) d_step { __VA_ARGS__; assert(PROPERTY) }
#define H(h, v) h = (h << 2) | (v)

/* locks that more than one lane takes; nobody takes xattr_sem shared and keeps it */
#define LOCK_FOLIO STEP((w_folio == 0) -> w_folio = _pid + 1)
#define UNLOCK_FOLIO STEP(w_folio = 0)
#define LOCK_XATTR STEP((w_xattr == 0) -> w_xattr = _pid + 1)
#define UNLOCK_XATTR STEP(w_xattr = 0)
#define XATTR_FREE (w_xattr == 0)

/* inside a step */
#define set_folio_dirty if :: (!dirty) -> dirty = 1; tagDirty = 1; dirtyPages = 1 :: else fi
#define mark_buffer_dirty if :: (!bdirty) -> bdirty = 1; set_folio_dirty :: else fi
#define folio_mark_dirty if :: (buffers) -> bdirty = 1 :: else fi; set_folio_dirty
#define destroy_inline inl = 0; may = 0
/* ext4_map_create_blocks marks the inode dirty, whether it allocates or finds the block there */
#define map_create mapd = 1; raw150 = size150
#define create_empty_buffers if :: (!buffers) -> buffers = 1; bdirty = dirty; bmapped = 0; bnew = 0 :: else fi
#define WRITERS ((file0 != 0) + (file1 != 0 || vma != 0))
#define fresh(id) id = _pid + 1

#ifdef TUPLES
#define PRINT c_code { \
	if (now.alive == 0) \
		printf("end %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d\n", \
			now.inl, now.may, now.mapd, now.size150, now.raw150, now.dirtyPages, now.bdev, now.dirty, now.tagDirty, \
			now.tagTowrite, now.writeback, now.fw, now.fs, now.buffers, now.bdirty, now.bmapped, now.bnew, \
			now.ptep + 2 * now.ptew + 4 * now.pted, now.medium, now.file0 + now.file1 + now.vma); \
}
#else
#define PRINT skip
#endif
#define finish h0 = 0; alive = alive - 1; PRINT

/* __filemap_get_folio: found, locked, still ours */
#define GET_FOLIO STEP(skip); LOCK_FOLIO; STEP(skip)

/* ext4_block_write_begin of the one block. h: history of its frame; mk: for a fault; last: what its last step does
   besides, where its frame ends with it. */
#define BLOCK_WRITE_BEGIN(h, mk, last, S) \
	STEP(create_empty_buffers); \
	if \
	:: ASK((bmapped) -> bnew = 0; H(h, 1)); \
		STEP(last) \
	:: ASK((!bmapped) -> bnew = 0; H(h, 2)); \
		STEP(assert(!inl)); \
		if \
		:: ASK((mapd) -> H(h, 1)); \
			STEP(bmapped = 1; bnew = 0) \
		:: ASK((!mapd) -> H(h, 2)); \
			if \
			:: ASK((mapd) -> map_create; H(h, 1)); \
				STEP(bmapped = 1; bnew = 0) \
			:: ASK((!mapd) -> map_create; H(h, 2)); \
				STEP(bmapped = 1; bnew = 1) \
			fi \
		fi; \
		STEP(if :: (bnew && mk) -> bnew = 0; mark_buffer_dirty :: else fi; last) \
	fi

/* ------------------------------------------------------------------ CPU0 */

active proctype CPU0() {
	/* h0: ext4_write_begin, then close; h1: ext4_convert_inline_data_to_extent; h2: ext4_block_write_begin */
	int h0, h1, h2;
	STEP(skip);                             /* link_path_walk */
	STEP(skip);                             /* may_open */
	STEP(fresh(file0));                     /* fd_install */
	STEP(skip);                             /* return to user space */

	STEP(skip);                             /* fdget */
	STEP(skip);                             /* file flags */
	STEP(skip);                             /* sb_start_write */
	STEP(skip);                             /* inode_lock */
	STEP(skip);                             /* file_update_time: nothing that the raw inode does not have */
	if                                      /* MAY_INLINE_DATA? */
	:: ASK((may) -> H(h0, 1))
	:: ASK((!may) -> H(h0, 2)); goto grab
	fi;
	STEP((XATTR_FREE) -> skip);             /* ext4_get_max_inline_size: too small */
	if                                      /* ext4_has_inline_data? */
	:: ASK((inl) -> H(h1, 1))
	:: ASK((!inl) -> may = 0); goto grab
	fi;
	STEP(skip);                             /* jbd2_journal_start */
	GET_FOLIO;
	LOCK_XATTR;
	if                                      /* still inline? */
	:: ASK((inl) -> H(h1, 1))
	:: ASK((!inl) -> H(h1, 2)); goto converted
	fi;
	STEP(destroy_inline);                   /* ext4_destroy_inline_data */
	BLOCK_WRITE_BEGIN(h2, false, h2 = 0, Convert);
	STEP(bnew = 0; mark_buffer_dirty);      /* block_commit_write */
converted:
	UNLOCK_FOLIO;
	UNLOCK_XATTR;
	STEP(h1 = 0);                           /* jbd2_journal_stop */
grab:
	GET_FOLIO;
	STEP(create_empty_buffers);
	UNLOCK_FOLIO;
	STEP(skip);                             /* jbd2_journal_start */
	LOCK_FOLIO;
	STEP(skip);                             /* folio->mapping still ours? */
	BLOCK_WRITE_BEGIN(h2, false, h2 = 0; h0 = 0, Write);

	STEP(fw = 1);                           /* copy_folio_from_iter_atomic */
	STEP(assert(!(inl && may)));            /* has_inline_data && MAY_INLINE_DATA? */
	STEP(mark_buffer_dirty; bnew = 0; size150 = 1);  /* block_write_end; ext4_update_inode_size */
	UNLOCK_FOLIO;
	STEP(raw150 = 1);                       /* ext4_mark_inode_dirty; jbd2_journal_stop */
	STEP(skip);                             /* inode_unlock */
	STEP(skip);                             /* sb_end_write */
	STEP(skip);                             /* return to user space */

	STEP(skip);                             /* exit_mmap */
	STEP(skip);                             /* exit_files */
	if                                      /* filp_close: the last writer? */
	:: ASK((WRITERS == 1) -> H(h0, 1))
	:: ASK((WRITERS != 1) -> H(h0, 2))
	fi;
	STEP(skip);                             /* ext4_release_file */
	STEP(skip);                             /* ext4_discard_preallocations: none of its own */
	STEP(file0 = 0);                        /* fput */
	STEP(h0 = 0);                           /* iput_final? */
	STEP(finish);                           /* exit_files */
end:	(false)
}

/* ------------------------------------------------------------------ CPU1 */

active proctype CPU1() {
	/* h0: a line's own frame, then what handle_mm_fault found; h1: ext4_page_mkwrite; h2: ext4_convert_inline_data,
	   then block_page_mkwrite; h3: ext4_convert_inline_data_nolock; h4: ext4_map_blocks */
	int h0, h1, h2, h3, h4;
	STEP(skip);                             /* link_path_walk */
	STEP(skip);                             /* may_open */
	STEP(fresh(file1));                     /* fd_install */
	STEP(skip);                             /* return to user space */

	STEP(skip);                             /* fdget */
	STEP(H(h0, file1));                     /* file mode */
	STEP(skip);                             /* get_unmapped_area */
	STEP(skip);                             /* mmap_lock */
	STEP(vma = file1);                      /* vma_link */
	STEP(skip);                             /* mmap_unlock */
	STEP(h0 = 0);                           /* current mapping */
	STEP(skip);                             /* return to user space */

	STEP(skip);                             /* current mapping */
	STEP(skip);                             /* VM_WRITE? */
	STEP(skip);                             /* vma */
store:
	if                                      /* store: again after every fault, which leaves nothing to remember */
	:: ASK((ptew) -> pted = 1; fs = 1); goto stored
	:: ASK((!ptew) -> skip)
	fi;
	STEP(skip);                             /* vma shared? */
	STEP(skip);                             /* mmap_lock, shared */
	if                                      /* look at the PTE */
	:: ASK((!ptep) -> skip)
	:: ASK((ptep && !ptew) -> H(h0, 1)); goto mkwrite
	:: ASK((ptep && ptew) -> assert(false))
	fi;
	STEP(skip);                             /* page inside i_size? cached? */
	LOCK_FOLIO;
	STEP(skip);                             /* still ours, uptodate, inside i_size? */
	UNLOCK_FOLIO;
mkwrite:
	STEP(skip);                             /* vma */
	STEP(skip);                             /* sb_start_pagefault */
	STEP(raw150 = size150);                 /* file_update_time */
	STEP(skip);                             /* filemap_invalidate_lock, shared */
	if                                      /* ext4_convert_inline_data: ext4_has_inline_data? */
	:: ASK((!inl) -> may = 0); goto prepared
	:: ASK((inl && may) -> H(h2, 1))
	:: ASK((inl && !may) -> assert(false))
	fi;
	STEP(skip);                             /* jbd2_journal_start */
	LOCK_XATTR;
	if                                      /* still inline? */
	:: ASK((inl) -> H(h2, 1))
	:: ASK((!inl) -> H(h2, 2)); goto convertedToo
	fi;
	STEP(skip);                             /* ext4_read_inline_data */
	STEP(destroy_inline);                   /* ext4_destroy_inline_data */
	if                                      /* ext4_map_query_blocks */
	:: ASK((mapd) -> H(h3, 1))
	:: ASK((!mapd) -> H(h4, 2));
		if                              /* ext4_map_create_blocks: allocated here? */
		:: ASK((mapd) -> map_create; h4 = 0; H(h3, 1))
		:: ASK((!mapd) -> map_create; h4 = 0; H(h3, 2))
		fi
	fi;
	STEP(bdev = 1; h3 = 0);                 /* sb_getblk; memcpy */
convertedToo:
	UNLOCK_XATTR;
	STEP(h2 = 0);                           /* jbd2_journal_stop */
prepared:
	STEP(skip);                             /* delalloc? */
	LOCK_FOLIO;
	if                                      /* all buffers mapped? */
	:: ASK((buffers && bmapped) -> H(h1, 1)); goto faulted
	:: ASK(!(buffers && bmapped) -> H(h1, 2))
	fi;
	UNLOCK_FOLIO;
	STEP(skip);                             /* jbd2_journal_start */
	LOCK_FOLIO;
	STEP(skip);                             /* folio->mapping still ours? */
	if                                      /* page inside i_size? */
	:: ASK((size150) -> H(h2, 1))
	:: ASK((!size150) -> H(h2, 2))
	fi;
	BLOCK_WRITE_BEGIN(h2, true, skip, Fault);
	STEP(mark_buffer_dirty; bnew = 0; folio_mark_dirty; h2 = 0);
	STEP(skip);                             /* jbd2_journal_stop */
faulted:
	STEP(skip);                             /* filemap_invalidate_unlock */
	STEP(h1 = 0);                           /* sb_end_pagefault */
	STEP(ptep = 1; ptew = 1; pted = 1; folio_mark_dirty);  /* finish_fault; fault_dirty_shared_page */
	UNLOCK_FOLIO;
	STEP(h0 = 0);                           /* mmap_unlock */
	goto store;
stored:
	STEP(skip);                             /* return to user space */

	STEP(skip);                             /* exit_mmap */
	if                                      /* find_vma: which file, the last writer? */
	:: ASK((WRITERS == 1) -> H(h0, vma); H(h0, 1))
	:: ASK((WRITERS != 1) -> H(h0, vma); H(h0, 2))
	fi;
	STEP(skip);                             /* mmap_lock */
	STEP(if :: (pted) -> folio_mark_dirty :: else fi; ptep = 0; ptew = 0; pted = 0; vma = 0);  /* zap_pte_range */
	STEP(skip);                             /* mmap_unlock */
	STEP(skip);                             /* fput: still open */
	STEP(h0 = 0);                           /* iput */
	STEP(skip);                             /* exit_mmap */
	STEP(skip);                             /* exit_files */
	if                                      /* filp_close: the last writer? */
	:: ASK((WRITERS == 1) -> H(h0, 1))
	:: ASK((WRITERS != 1) -> H(h0, 2))
	fi;
	STEP(skip);                             /* ext4_release_file */
	STEP(skip);                             /* ext4_discard_preallocations: none of its own */
	STEP(file1 = 0);                        /* fput */
	STEP(h0 = 0);                           /* iput_final? */
	STEP(finish);                           /* exit_files */
end:	(false)
}

/* ------------------------------------------------------------------ kworker */

active proctype kworker() {
	/* h0: ext4_do_writepages */
	int h0;
	STEP(skip);                             /* link_path_walk */
	STEP(skip);                             /* ext4_forced_shutdown? */
	STEP(skip);                             /* down_read s_writepages_rwsem */
	if                                      /* mapping_tagged(DIRTY)? */
	:: ASK((tagDirty) -> H(h0, 1))
	:: ASK((!tagDirty) -> skip); goto done
	fi;
	STEP(skip);                             /* ext4_forced_shutdown? */
	STEP(assert(!inl));                     /* ext4_has_inline_data? */
	STEP(tagTowrite = tagDirty);            /* tag_pages_for_writeback */
	STEP(assert(tagTowrite));               /* filemap_get_folios_tag */
	LOCK_FOLIO;
	STEP(assert(dirty && !writeback));      /* folio dirty? mapped? under writeback? */
	STEP(                                   /* mpage_submit_folio: folio_clear_dirty_for_io, buffers */
		if :: (ptew || pted) -> ptew = 0; pted = 0; folio_mark_dirty :: else fi;
		dirty = 0;
		assert(bdirty && bmapped);
		bnew = 0; bdirty = 0;
		tagDirty = 0; tagTowrite = 0; writeback = 1
	);
	UNLOCK_FOLIO;
	STEP(medium = 1 + fw + 2 * fs);         /* submit_bio */
	STEP(writeback = 0);                    /* folio_end_writeback */
	STEP(assert(!tagTowrite); h0 = 0);      /* filemap_get_folios_tag: no more */
done:
	STEP(skip);                             /* up_read s_writepages_rwsem */
	STEP((!writeback) -> skip);             /* filemap_fdatawait */
	STEP(skip);                             /* path_put */
	STEP(skip);                             /* return to user space */
	STEP(skip);                             /* exit_mmap */
	STEP(finish);                           /* exit_files */
end:	(false)
}
