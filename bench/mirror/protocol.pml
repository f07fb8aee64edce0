/*
 * The protocol of protocol.ts, written by hand. One d_step here is one step, lock, unlock, tryLock or waitFor there.
 *
 *   tasks    -DT_W -DT_M -DT_T -DT_P -DT_R -DT_V -DT_J -DT_U, and -DNTASKS=how many
 *   plants   -DABBA, -DINVERTED, -DRECURSIVE
 *   -DTUPLES prints the data of every end state, as tupleOf() does
 *
 * What a task remembers. The explorer keeps a task's place as the results its steps gave since its frame began; a
 * frame is forgotten when its function returns, and only the value that it returned stays. So a place here is the
 * program counter and one history per open frame: h0 of the lane, h1 of what it called, and so on. The step that
 * returns clears the history of its frame. All ends of a task are one place.
 *
 * Locks. w: the exclusive owner + 1. r: mask of shared holders. q: mask of writers in the queue. An rwsem is fair to
 * writers: one that finds readers takes a step to join the queue, and new readers wait behind it. The folio lock is
 * a bit: it has neither readers nor a queue.
 *
 * Build with spin -a -o1 -o2 -o3 (no statement merging) and -DSAFETY -DNOREDUCE. SPIN counts the initial state as a
 * transition, the explorer does not.
 */

/* the inode: INLINE_DATA, EXTENTS, VERITY, MAY_INLINE_DATA, i_size, i_inline_size, i_blocks */
bool inl = 1, ext = 0, ver = 0, may = 1;
byte size = 20, isize = 60, blocks = 0;
/* folio 0 and its buffer head */
bool present, uptodate, dirty, buffers, bmapped, bdirty;
/* the PTE */
bool ptep, ptew, pted;
/* the journal: t_updates as a mask, T_LOCKED, committing, something to commit */
byte updates;
bool jlocked, committing, running = 1;
/* findings, by the task that hit them last + 1 */
byte bugWriteEnd, bugWritepages;

byte w_rwsem, r_rwsem, q_rwsem;
byte w_inval, r_inval, q_inval;
byte w_xattr, r_xattr, q_xattr;
byte w_mmap, r_mmap, q_mmap;
byte w_idata, r_idata, q_idata;
byte w_folio;

byte alive = NTASKS;

#define ME (1 << _pid)

/* one step; an if, because SPIN jumps to no label that stands before a d_step */
#define STEP(...) if :: d_step { __VA_ARGS__ } fi

/* the history of a frame: two bits a result, 1 to 3 */
#define H(h, v) h = (h << 2) | (v)

#define DOWN_WRITE(l) \
	do \
	:: d_step { (w_##l == 0 && r_##l == 0) -> w_##l = _pid + 1; q_##l = q_##l & ~ME }; break \
	:: d_step { (w_##l == 0 && r_##l != 0 && (q_##l & ME) == 0) -> q_##l = q_##l | ME } \
	od
#define DOWN_READ(l) \
	STEP((w_##l == 0 && (q_##l & ~ME) == 0) -> r_##l = r_##l | ME; q_##l = q_##l & ~ME)
#define up_write(l) w_##l = 0
#define up_read(l) r_##l = r_##l & ~ME

#define LOCK_FOLIO STEP((w_folio == 0) -> w_folio = _pid + 1)
#define unlock_folio w_folio = 0

#define JOURNAL_START STEP((!jlocked) -> updates = updates | ME)
#define journal_stop updates = updates & ~ME

#define drop_folio present = 0; uptodate = 0; dirty = 0; buffers = 0; bmapped = 0; bdirty = 0
#define clear_pte ptep = 0; ptew = 0; pted = 0
#define destroy_inline if :: (inl) -> inl = 0; ext = 1; may = 0; isize = 0 :: else fi

#ifdef TUPLES
#define PRINT c_code { \
	if (now.alive == 0) \
		printf("end %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d %d\n", \
			now.inl, now.ext, now.ver, now.may, now.size, now.isize, now.blocks, \
			now.present, now.uptodate, now.dirty, now.buffers, now.bmapped, now.bdirty, \
			now.ptep, now.ptew, now.pted, now.running, now.bugWriteEnd, now.bugWritepages); \
}
#else
#define PRINT skip
#endif

/* in the last step of a task */
#define finish h0 = 0; alive = alive - 1; PRINT

/* ------------------------------------------------------------------ functions, h: the history of their frame */

/* present and locked */
#define GET_FOLIO(h, S) \
again##S: \
	STEP(present = 1); \
	LOCK_FOLIO; \
	if \
	:: d_step { (present) -> h = 0 }; goto got##S \
	:: d_step { (!present) -> H(h, 2) } \
	fi; \
	STEP(unlock_folio); \
	goto again##S; \
got##S:

#define READ_FOLIO(h) \
	DOWN_READ(xattr); \
	STEP(uptodate = 1); \
	STEP(up_read(xattr); h = 0)

#ifdef ABBA
#define CREATE_BUFFERS \
	LOCK_FOLIO; \
	STEP(buffers = 1); \
	STEP(unlock_folio);
#else
#define CREATE_BUFFERS
#endif

#define CONVERT(h, S) \
	if \
	:: d_step { (!inl) -> may = 0; h = 0 }; goto converted##S \
	:: d_step { (inl) -> H(h, 1) } \
	fi; \
	JOURNAL_START; \
	DOWN_WRITE(xattr); \
	STEP(if :: (inl) -> blocks = 8 :: else fi; destroy_inline); \
	CREATE_BUFFERS \
	STEP(up_write(xattr)); \
	STEP(journal_stop; h = 0); \
converted##S:

/* ------------------------------------------------------------------ tasks */

#ifdef T_W
active proctype W() {
	int h0, h1, h2;
	DOWN_WRITE(rwsem);

	/* ext4_write_begin, returns inline (1) or blocks (2) */
	if
	:: d_step { (may) -> H(h1, 1) }
	:: d_step { (!may) -> H(h1, 2) }; goto blockWrite
	fi;
	JOURNAL_START;
	DOWN_WRITE(xattr);
	STEP(if :: (!ext && isize < 100) -> isize = 100 :: else fi);
	STEP(up_write(xattr));
	GET_FOLIO(h2, Inline)
	DOWN_READ(xattr);
	if
	:: d_step { (inl) -> H(h1, 1) }
	:: d_step { (!inl) -> H(h1, 2) }; goto notInline
	fi;
#ifdef RECURSIVE
	DOWN_READ(xattr);
#endif
	STEP(uptodate = 1);
	STEP(up_read(xattr); h1 = 0; H(h0, 1));
	goto copied;
notInline:
	STEP(unlock_folio);
	STEP(up_read(xattr));
	STEP(journal_stop);
blockWrite:
	JOURNAL_START;
	GET_FOLIO(h2, Blocks)
	STEP(uptodate = 1; buffers = 1; bmapped = 1; blocks = 8; h1 = 0; H(h0, 2));
copied:
	/* ext4_write_end */
	if
	:: d_step { (may && inl) -> H(h1, 1) }
	:: d_step { !(may && inl) -> H(h1, 2) }; goto endBlocks
	fi;
	DOWN_WRITE(xattr);
	if
	:: d_step { (inl) -> dirty = 0; H(h1, 1) }
	:: d_step { (!inl) -> bugWriteEnd = _pid + 1; H(h1, 2) }
	fi;
	STEP(up_write(xattr));
	goto updateSize;
endBlocks:
	STEP(dirty = 1; bdirty = 1);
updateSize:
	if
	:: d_step { (size < 100) -> size = 100; H(h1, 1) }; 
		STEP(unlock_folio);
		STEP(running = 1)
	:: d_step { (size >= 100) -> H(h1, 2) };
		STEP(unlock_folio)
	fi;
	STEP(journal_stop; h1 = 0);

	STEP(up_write(rwsem); finish);
end:	(false)
}
#endif

#ifdef T_M
active proctype M() {
	int h0, h1, h2, h3;
attempt:
	/* handle_mm_fault */
	DOWN_READ(mmap);
	if
	:: d_step { (!ptep) -> H(h1, 1) }
	:: d_step { (ptep && !ptew) -> H(h1, 2) }; goto mkwrite
	:: d_step { (ptep && ptew) -> H(h1, 3) }; goto faulted
	fi;
	/* filemap_fault */
	DOWN_READ(inval);
	GET_FOLIO(h3, Fault)
	if
	:: d_step { (uptodate) -> H(h2, 1) }; goto fresh
	:: d_step { (!uptodate) -> H(h2, 2) }
	fi;
	READ_FOLIO(h3);
fresh:
	STEP(up_read(inval));
	STEP(unlock_folio; h2 = 0);
mkwrite:
	/* ext4_page_mkwrite, returns locked (1) or not (2) */
	DOWN_READ(inval);
	CONVERT(h3, Fault)
	LOCK_FOLIO;
	if
	:: d_step { (!present || size == 0) -> H(h2, 1) }; goto notOurs
	:: d_step { (present && size != 0 && buffers) -> H(h2, 2) }
	:: d_step { (present && size != 0 && !buffers) -> H(h2, 3) }; goto hole
	fi;
	STEP(dirty = 1);
	goto ours;
hole:
#ifdef INVERTED
	JOURNAL_START;
#else
	STEP(unlock_folio);
	JOURNAL_START;
	LOCK_FOLIO;
#endif
	if
	:: d_step { (present && size != 0) -> buffers = 1; dirty = 1; bmapped = 1; blocks = 8; H(h2, 1) };
		STEP(journal_stop);
		goto ours
	:: d_step { (!present || size == 0) -> H(h2, 2) };
		STEP(journal_stop);
		goto notOurs
	fi;
notOurs:
	STEP(unlock_folio);
	STEP(up_read(inval); h2 = 0; H(h1, 2));
	goto faulted;
ours:
	STEP(up_read(inval); h2 = 0; H(h1, 1));
	STEP(ptep = 1; ptew = 1);
	STEP(unlock_folio);
faulted:
	STEP(up_read(mmap); h1 = 0);
	if
	:: d_step { (ptew) -> pted = 1; finish }
	:: d_step { (!ptew && h0 == 0) -> H(h0, 2) }; goto attempt
	:: d_step { (!ptew && h0 != 0) -> finish }
	fi;
end:	(false)
}
#endif

#ifdef T_T
active proctype T() {
	int h0, h1;
	DOWN_WRITE(rwsem);
	DOWN_WRITE(inval);
	JOURNAL_START;
	STEP(size = 0; running = 1);
	STEP(journal_stop);
	STEP(clear_pte);
	if
	:: d_step { (present) -> H(h0, 1) }
	:: d_step { (!present) -> H(h0, 2) }; goto blocksToo
	fi;
	LOCK_FOLIO;
	STEP(clear_pte; drop_folio);
	STEP(unlock_folio);
blocksToo:
	/* ext4_truncate */
	if
	:: d_step { (inl) -> H(h1, 1) };
		JOURNAL_START;
		DOWN_WRITE(xattr);
		STEP(if :: (inl && isize > 60) -> isize = 60 :: else fi);
		STEP(up_write(xattr))
	:: d_step { (!inl) -> H(h1, 2) };
		JOURNAL_START;
		STEP((w_idata == 0 && r_idata == 0) -> blocks = 0)
	fi;
	STEP(journal_stop; h1 = 0);
	STEP(up_write(inval));
	STEP(up_write(rwsem); finish);
end:	(false)
}
#endif

#ifdef T_P
active proctype P() {
	int h0, h1;
	if
	:: d_step { (dirty) -> H(h0, 1) }
	:: d_step { (!dirty) -> finish }; goto end
	fi;
	if
	:: d_step { (inl) -> H(h0, 1) }
	:: d_step { (!inl) -> H(h0, 2) }; goto writeBlocks
	fi;
	/* ext4_destroy_inline_data */
	JOURNAL_START;
	STEP(if :: (may) -> bugWritepages = _pid + 1 :: else fi);
	DOWN_WRITE(xattr);
	STEP(destroy_inline);
	STEP(up_write(xattr));
	STEP(journal_stop; h1 = 0);
writeBlocks:
	JOURNAL_START;
	LOCK_FOLIO;
	if
	:: d_step { (dirty) -> dirty = 0; ptew = 0; pted = 0; H(h0, 1) }
	:: d_step { (!dirty) -> H(h0, 2) }; goto clean
	fi;
	DOWN_WRITE(idata);
	STEP(blocks = 8; bdirty = 0);
	STEP(up_write(idata));
clean:
	STEP(unlock_folio);
	STEP(journal_stop; finish);
end:	(false)
}
#endif

#ifdef T_R
active proctype R() {
	int h0;
	if
	:: d_step { (w_folio == 0) -> w_folio = _pid + 1; H(h0, 1) }
	:: d_step { (w_folio != 0) -> finish }; goto end
	fi;
	STEP(if :: (present && !dirty) -> if :: (pted) -> dirty = 1 :: else fi; clear_pte :: else fi);
	STEP(if :: (present && !dirty) -> drop_folio :: else fi);
	STEP(unlock_folio; finish);
end:	(false)
}
#endif

#ifdef T_V
active proctype V() {
	int h0, h1;
	DOWN_WRITE(rwsem);
	CONVERT(h1, Verity)
	JOURNAL_START;
	STEP(ver = 1; running = 1);
	STEP(journal_stop);
	STEP(up_write(rwsem); finish);
end:	(false)
}
#endif

#ifdef T_J
active proctype J() {
	int h0;
	if
	:: d_step { (!committing && running) -> committing = 1; jlocked = 1; H(h0, 1) }
	:: d_step { (!committing && !running) -> finish }; goto end
	fi;
	STEP((updates == 0) -> jlocked = 0; running = 0);
	STEP(committing = 0; finish);
end:	(false)
}
#endif

#ifdef T_U
active proctype U() {
	int h0;
	DOWN_WRITE(mmap);
	STEP(if :: (pted) -> dirty = 1 :: else fi; clear_pte);
	STEP(up_write(mmap); finish);
end:	(false)
}
#endif
