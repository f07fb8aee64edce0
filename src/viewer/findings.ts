/** The findings, each with the cells that show it. Made of docs/findings.md by scripts/page/gallery.ts. */

export interface FindingLink {
  readonly scenario: string;
  readonly design: string;
  readonly mount: string;
  /** The invariant; null: the cell as it is. */
  readonly broken: string | null;
  /** When power fails. */
  readonly power: boolean;
}

export interface Finding {
  readonly number: number;
  readonly title: string;
  /** Its first paragraph. */
  readonly text: string;
  readonly links: readonly FindingLink[];
}

export const FINDINGS: readonly Finding[] = [
  {
    number: 1,
    title: 'An fsynced mmap store is lost, with no race at all',
    text: "Write 50 bytes, fsync; store 4 bytes through a shared mapping, msync, fsync; unmount and mount: the store is gone. The fault converts through the block device's page cache: ext4_convert_inline_data_nolock gets the block with sb_getblk and journals the old bytes as if they were metadata. The file's own folio is dirtied over the same block and written by fsync. Then checkpoint, the device's flusher, or a replay of the journal writes the old buffer over it. Two dirty copies of one block, and the one that is written last wins: that is the invariant alias, and it breaks long before the loss.",
    links: [
      {
        scenario: 'mmap-store-then-fsync',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'alias',
        power: false,
      },
      {
        scenario: 'mmap-store-then-fsync',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'durability',
        power: false,
      },
      {
        scenario: 'mmap-store-then-fsync',
        design: 'mkwrite-convert',
        mount: 'nodelalloc',
        broken: 'durability',
        power: false,
      },
      {
        scenario: 'no-journal-store-then-fsync',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'durability',
        power: false,
      },
      {
        scenario: 'mmap-store-then-fsync',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'promise',
        power: true,
      },
    ],
  },
  {
    number: 2,
    title: 'The same after a truncate past the inline bytes',
    text: 'A growing truncate(2) converts by the same function. What is appended afterwards is there until the next mount.',
    links: [
      {
        scenario: 'truncate-up-then-append',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'durability',
        power: false,
      },
      {
        scenario: 'truncate-up-then-append',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'model',
        power: false,
      },
    ],
  },
  {
    number: 3,
    title: 'fallocate and hole punching lose as well, under most designs',
    text: "Every fallocate(2) mode, KEEP_SIZE and punching included, converts through the block device's page cache. This has nothing to do with page faults, so a design that changes only the fault inherits it:",
    links: [
      {
        scenario: 'falloc-then-write',
        design: 'no-conversion',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'falloc-then-write',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'falloc-then-write',
        design: 'defer',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'falloc-then-write',
        design: 'defer',
        mount: 'delalloc',
        broken: 'durability',
        power: false,
      },
    ],
  },
  {
    number: 4,
    title: 'A cold read after fallocate gives what the block held before',
    text: "When the file is not in the page cache, the converted bytes exist only in the journal and in the device's cache. The read goes to the medium and finds what the block held before: zeros, or the bytes of a deleted file (the last recording).",
    links: [
      {
        scenario: 'cold-falloc-then-read',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
    ],
  },
  {
    number: 5,
    title: 'A read wipes dirty pages of a pending file',
    text: 'With blocks smaller than a page and delayed allocation: a growing write leaves the file inline until writeback, with dirty folios past the first. ext4_readpage_inline zero-fills every folio but the first of an inline file, and a read with a buffer that reaches past the end asks for one that is dirty and only partly uptodate.',
    links: [
      {
        scenario: 'pending-second-page-read',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'model',
        power: false,
      },
      {
        scenario: 'pending-second-page-read',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'durability',
        power: false,
      },
    ],
  },
  {
    number: 6,
    title: 'A growing write on a full volume loses the inline bytes, with delalloc too',
    text: 'Without delayed allocation this is known: ext4_convert_inline_data_to_extent destroys the inline data, then fails to allocate, and does not put the bytes back. One would think delayed allocation is safe, because the reservation fails before anything is touched. It is not: below the watermark of free clusters ext4_nonda_switch falls back to the same path, and a full volume is always below it.',
    links: [
      {
        scenario: 'growing-write-without-space',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'durability',
        power: false,
      },
      {
        scenario: 'growing-write-without-space',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'model',
        power: false,
      },
      {
        scenario: 'growing-write-without-space',
        design: 'mkwrite-convert',
        mount: 'nodelalloc',
        broken: 'durability',
        power: false,
      },
    ],
  },
  {
    number: 7,
    title: 'A store on a full volume leaves a wrong inode checksum',
    text: 'When the conversion of a fault cannot allocate, ext4_restore_inline_data puts the bytes back after the checksum was computed and does not mark the inode dirty again. Nothing is wrong until the next mount, when the inode cannot be read.',
    links: [
      {
        scenario: 'store-without-space',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'fsck',
        power: false,
      },
      {
        scenario: 'store-without-space',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'durability',
        power: false,
      },
    ],
  },
  {
    number: 8,
    title: 'fdatasync does not keep an in-place write',
    text: 'Only i_sync_tid moves when inline bytes change and the size does not, so fdatasync(2) and msync(2) wait for nothing.',
    links: [
      {
        scenario: 'in-place-write-then-fdatasync',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
    ],
  },
  {
    number: 9,
    title: 'BUG_ON in ext4_write_inline_data_end, from one store and one write',
    text: 'Nothing else: no failing allocation, no special mount. The fault converts between write_begin and write_end, because it takes neither i_rwsem nor the lock of folio 0, which the writer holds all the while. The search found the schedule; nobody wrote it.',
    links: [
      {
        scenario: 'small-write-beside-store',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'bug-on',
        power: false,
      },
    ],
  },
  {
    number: 10,
    title: 'Inline data comes back over a block file',
    text: 'ext4_prepare_inline_data tests MAY_INLINE_DATA before it takes xattr_sem and not again after. A fault that converts in between leaves a writer that goes on to create inline data in an inode that has just become a block file. INLINE_DATA is set over a dirty folio, and the block is leaked.',
    links: [
      {
        scenario: 'small-write-beside-store',
        design: 'mkwrite-convert',
        mount: 'nodelalloc',
        broken: 'pending',
        power: false,
      },
      {
        scenario: 'small-write-beside-store',
        design: 'mkwrite-convert',
        mount: 'nodelalloc',
        broken: 'strict',
        power: false,
      },
      {
        scenario: 'small-write-beside-store',
        design: 'mkwrite-convert',
        mount: 'nodelalloc',
        broken: 'fsck',
        power: false,
      },
    ],
  },
  {
    number: 11,
    title: 'A journal handle is leaked, and the next commit waits for ever',
    text: 'The same start as 10, with delayed allocation: ext4_da_write_end finds MAY_INLINE_DATA clear and takes the block path, which knows nothing of the handle that write_begin started for the inline path. The write succeeds when the fault had time to attach buffers, and fails with EIO when it had not; either way the task goes back to user space with the handle open, and the next commit waits for t_updates to drain.',
    links: [
      {
        scenario: 'small-write-beside-store',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'handle-balance',
        power: false,
      },
      {
        scenario: 'small-write-beside-store',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'no-deadlock',
        power: false,
      },
    ],
  },
  {
    number: 12,
    title: 'What deferral keeps and breaks, trap by trap',
    text: 'The design of June 2023, exactly as the mails put it (defer): no conversion at the fault, writepages copies the folio into the inode, write(2) and truncate(2) convert when they grow the file. It keeps what the current kernel loses in finding 1, in every mode:',
    links: [
      {
        scenario: 'mmap-store-then-fsync',
        design: 'defer',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'mmap-store-then-fsync',
        design: 'defer',
        mount: 'nodelalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'defer-fault-beside-falloc',
        design: 'defer',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'writepages-beside-truncate',
        design: 'defer',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'writepages-beside-growing-write',
        design: 'defer',
        mount: 'delalloc',
        broken: 'bug-on',
        power: false,
      },
      {
        scenario: 'writepages-beside-growing-write',
        design: 'defer',
        mount: 'delalloc',
        broken: 'durability',
        power: false,
      },
      {
        scenario: 'small-write-beside-store',
        design: 'defer',
        mount: 'delalloc',
        broken: 'coherence',
        power: false,
      },
      {
        scenario: 'small-write-beside-store',
        design: 'defer',
        mount: 'delalloc',
        broken: 'durability',
        power: false,
      },
      {
        scenario: 'defer-store-in-large-file',
        design: 'defer',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'defer-falloc-after-store',
        design: 'defer',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'defer-store-past-eof-then-write',
        design: 'defer',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'defer-store-past-eof-then-truncate-up',
        design: 'defer',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'store-past-eof-then-grow',
        design: 'defer',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'defer-msync-then-crash',
        design: 'defer',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'first-write-beside-store',
        design: 'defer',
        mount: 'nodelalloc',
        broken: 'fsck',
        power: false,
      },
    ],
  },
  {
    number: 13,
    title: 'Curing the lost stores does not cure the races, nor the other way round',
    text: 'Where the bytes go and when the state flips are two questions. Converting through the page cache answers the first: the fsynced store is kept (as in the patched 6.12 of finding 1), and findings 10 and 11 are still there. Converting in ->mmap, under the inode lock, answers the second and keeps losing the store. Pinning the decision of write_begin, or taking every decision under the lock of folio 0, answers both.',
    links: [],
  },
  {
    number: 14,
    title: 'What "holds" does not say',
    text: 'Nothing was broken; not that the program got what it wanted. Without conversion and without delayed allocation a store on an inline file always ends in SIGBUS (_ext4_get_block refuses an inline inode), so there is nothing to lose, and the matrix says holds:',
    links: [],
  },
  {
    number: 15,
    title: 'A conversion that fails puts inline data back over what a write(2) has just done',
    text: 'ext4_restore_inline_data makes the inode inline again when no block was found, and sets MAY_INLINE_DATA. The lock it holds, xattr_sem, keeps nobody from writing blocks: while INLINE_DATA was gone a write(2) of another page took the last free block, as to a plain file. Its extent is overwritten, its folio is dirty on an inode that may stay inline, and writeback meets what 7b4cc9787fe3 was to make impossible:',
    links: [
      {
        scenario: 'failed-conversion-beside-write',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'settled',
        power: false,
      },
      {
        scenario: 'failed-conversion-beside-write',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'bug-on',
        power: false,
      },
    ],
  },
  {
    number: 16,
    title: '"No dirty folio on an inline inode" can be had, at a price',
    text: "It takes no lock that is not taken today, only the lock of folio 0 in more places. folio-lock-switch converts wherever the current kernel converts, at once and in one handle that allocates before it destroys, under folio 0's lock, which write(2) holds from begin to end. Nothing of it is pending, no scenario breaks anything under it, in any schedule. defer-inode-dirty keeps the sentence as well, and the file stays inline, but a PTE may be dirty where no folio is. What they cost and how they compare: designs.md.",
    links: [
      {
        scenario: 'store-beside-growing-write',
        design: 'folio-lock-switch',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'store-beside-growing-write',
        design: 'defer-inode-dirty',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'failed-conversion-beside-write',
        design: 'folio-lock-switch',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
    ],
  },
  {
    number: 17,
    title: 'Fsynced inline bytes become zeros when a commit stands between destroy and mapping',
    text: 'Writeback of a file that outgrew its inode takes the inline bytes away under one handle (ext4_destroy_inline_data) and maps the block under another. Nothing ties the two to one transaction. An fsync of any other file may commit between them; when power fails then, the inode has neither inline bytes nor a block, and reads as zeros. The bytes were fsynced long before, and nobody had asked to change them yet: the growing write was not promised.',
    links: [
      {
        scenario: 'crash-pending-beside-fsync',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'promise',
        power: true,
      },
      {
        scenario: 'crash-pending-beside-fsync',
        design: 'mkwrite-convert',
        mount: 'delalloc,dioread_lock',
        broken: 'promise',
        power: true,
      },
    ],
  },
  {
    number: 18,
    title: 'sync(2) without a journal writes metadata after its flush',
    text: "Without a journal ext4_sync_fs flushes the device's write cache, and the block device's own pages (inode table, bitmaps) are written after that, by sync(2)'s second round over the block devices and by syncfs(2)'s sync_blockdev, with no flush behind them. A file that gets its block in this very sync has its data on the medium and its inode in the cache:",
    links: [
      {
        scenario: 'crash-no-journal-sync',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'promise',
        power: true,
      },
    ],
  },
  {
    number: 19,
    title: 'What a power failure may do, and what keeps its promises',
    text: 'Which designs keep all promises when power fails: verdicts. Not promised, and shown as such: a mount with nobarrier loses the last transaction, data=writeback shows what a block held before.',
    links: [
      {
        scenario: 'crash-without-barriers',
        design: 'mkwrite-convert',
        mount: 'delalloc,nobarrier',
        broken: 'promise',
        power: true,
      },
      {
        scenario: 'crash-writeback-mode',
        design: 'mkwrite-convert',
        mount: 'nodelalloc,data=writeback',
        broken: 'foreign-bytes',
        power: true,
      },
    ],
  },
  {
    number: 20,
    title: 'What the inode lock in writepages does, objection by objection',
    text: '"We\'d need inode_lock for that but that is not easily doable in the writeback path": defer-inode-lock is the deferral with that lock, and these are the ways in which it goes wrong that were named, or that we could think of. The model and the kernel\'s own rules for lockdep; no kernel runs this design.',
    links: [
      {
        scenario: 'falloc-on-pending',
        design: 'defer-inode-lock',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'verity-beside-writepages',
        design: 'defer-inode-lock',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'chattr-beside-writepages',
        design: 'defer-inode-lock',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'throttled-write-beside-flusher',
        design: 'defer-inode-lock',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'low-space-write-beside-flusher',
        design: 'defer-inode-lock',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'write-that-waits-for-commit',
        design: 'defer-inode-lock',
        mount: 'nodelalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'write-beside-shrinker',
        design: 'defer-inode-lock',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'no-journal-fsync-beside-flusher',
        design: 'defer-inode-lock',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
    ],
  },
  {
    number: 21,
    title: 'An allocation that reclaims can drop the folio whose bytes it converts',
    text: "A conversion allocates a buffer for the inline bytes with its handle open, which forbids reclaim to enter the file system, not to drop clean pages: those of the very file may go, as nobody holds the lock of folio 0. The fault then reads the folio in again, and a write(2) that tested MAY_INLINE_DATA before all this puts inline data over the block file (finding 10), with the block still the file's.",
    links: [
      {
        scenario: 'conversion-reclaims-directly',
        design: 'mkwrite-convert',
        mount: 'delalloc',
        broken: 'fsck',
        power: false,
      },
      {
        scenario: 'conversion-reclaims-directly',
        design: 'decision-pinning',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'conversion-reclaims-directly',
        design: 'folio-lock-switch',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
    ],
  },
  {
    number: 22,
    title: 'A write that leaves a gap loses a store into it',
    text: 'A write(2) that begins past the end of the file sets i_size, unlocks the folio, and zeroes the gap afterwards (ext4_zero_partial_blocks). Who sees the new size in between and stores into the gap stores inside the file, and the store is gone. With blocks smaller than a page pagecache_isize_extended does the same to the other blocks of the page, for truncate(2) too. This has nothing to do with inline data, only with the files that have become block files:',
    links: [
      {
        scenario: 'store-past-eof-beside-append',
        design: 'pre-mmap',
        mount: 'delalloc',
        broken: 'model',
        power: false,
      },
      {
        scenario: 'store-past-eof-beside-append',
        design: 'folio-lock-switch',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'store-past-eof-beside-gap',
        design: 'folio-lock-switch',
        mount: 'nodelalloc',
        broken: null,
        power: false,
      },
      {
        scenario: 'store-past-eof-beside-truncate-up',
        design: 'decision-pinning',
        mount: 'delalloc',
        broken: null,
        power: false,
      },
    ],
  },
];
