/**
 * The hooks: where shared code asks the design. Shared code calls a hook where the kernel calls it and never asks
 * a design its name. Every design is a full table of these, made by laying its own over `mkwrite-convert`.
 *
 * Types only. The folder `designs/` has the values; `pagecache/`, `writeback/` and `vfs/` call them through
 * `k.hooks`, so that they never import a design, as mm/ never imports ext4.
 */
import type { Result } from './errno.ts';
import type { Kernel } from './kernel.ts';
import type { Op } from './task.ts';

/**
 * What a page fault hook answers. `locked`: the folio is locked, map it writable. `retry` and `sigbus-released`: the
 * hook has given mmap_lock back, as VM_FAULT_RETRY means.
 */
export type VmFault = 'locked' | 'nopage' | 'retry' | 'sigbus' | 'sigbus-released';

/** The mapping that is being made or faulted. */
export interface VmaView {
  readonly slot: number;
  readonly ino: number;
  readonly write: boolean;
  readonly mayWrite: boolean;
  readonly shared: boolean;
  /** FAULT_FLAG_ALLOW_RETRY: a fault may give mmap_lock back. Some get_user_pages callers do not allow it. */
  readonly allowRetry: boolean;
}

/** What write_begin decided, handed to write_end: the folio is locked. */
export interface WriteBegin {
  readonly index: number;
  /** fsdata of the kernel: how write_end must finish. */
  readonly mode: 'plain' | 'convert' | 'nodelalloc';
  /** write_begin took the inline path: a handle is open. The kernel does not hand this on. */
  readonly inline: boolean;
}

/** Why writepages runs. */
export interface WritebackControl {
  readonly syncMode: 'none' | 'all';
  /** Byte range, end exclusive. */
  readonly start: number;
  readonly end: number;
  /** jbd2 commit may only write what is already mapped. */
  readonly mayMap: boolean;
  /** Pages alone are written; the inode stays dirty (I_DIRTY_SYNC). */
  readonly pagesOnly?: boolean;
}

/** What the inline branch of writepages tells the rest. */
export type InlineVerdict =
  /** Go on and write the dirty folios to blocks. */
  | 'blocks'
  /** Everything was copied into the inode: nothing is left to write. */
  | 'done'
  | { readonly errno: import('./errno.ts').Errno };

/** Where shared code asks a design; see the functions of the kernel that each stands for. */
export interface Hooks {
  /** ->open, before O_TRUNC takes effect, without a lock; an errno closes the file again. @source fs/ext4/file.c ext4_file_open */
  open(k: Kernel, ino: number, write: boolean): Op<Result<void>>;
  /** Before mmap_lock is taken by mmap(2). No such hook in the kernel. */
  preMmap(k: Kernel, vma: VmaView): Op<Result<void>>;
  /** ->mmap, under mmap_lock for writing. @source fs/ext4/file.c ext4_file_mmap */
  mmap(k: Kernel, vma: VmaView): Op<Result<void>>;
  /** ->page_mkwrite, under mmap_lock for reading, folio unlocked. @source fs/ext4/inode.c ext4_page_mkwrite */
  pageMkwrite(k: Kernel, vma: VmaView, index: number): Op<VmFault>;
  /** ->write_begin of an aops table. @source fs/ext4/inode.c ext4_da_write_begin, ext4_write_begin */
  writeBegin(k: Kernel, ino: number, pos: number, len: number): Op<Result<WriteBegin>>;
  /**
   * Does write_begin's decision for the inode still stand? Inside a step: asked under xattr_sem when room is made, and
   * again under the lock of folio 0. The kernel does not ask: it looked at MAY_INLINE_DATA once, before both locks.
   */
  stillInline(k: Kernel, ino: number): boolean;
  /** Conversion by a write(2) that outgrows the inode, without delayed allocation. @source ext4_convert_inline_data_to_extent */
  convertForWrite(k: Kernel, ino: number): Op<Result<void>>;
  /**
   * Is what lies behind the end zeroed before a call that makes the file longer sets i_size? Inside a step. The kernel
   * does that afterwards. @source fs/ext4/inode.c ext4_da_do_write_end, ext4_write_end; fs/ext4/extents.c ext4_alloc_file_blocks
   */
  zeroGapFirst(k: Kernel): boolean;
  /** ->write_end; returns bytes copied. @source fs/ext4/inode.c ext4_da_write_end, ext4_write_end */
  writeEnd(
    k: Kernel,
    ino: number,
    pos: number,
    len: number,
    copied: number,
    begin: WriteBegin,
  ): Op<Result<number>>;
  /** Is there anything for writepages to do? Inside a step. @source include/linux/fs.h mapping_tagged(DIRTY) */
  needsWritepages(k: Kernel, ino: number): boolean;
  /** The inline branch of writepages. @source fs/ext4/inode.c ext4_do_writepages */
  writepagesInline(k: Kernel, ino: number, wbc: WritebackControl): Op<InlineVerdict>;
  /** Growing an inline file by truncate(2), under i_rwsem; an errno is the caller's answer. @source fs/ext4/inode.c ext4_setattr */
  setattrSize(k: Kernel, ino: number, size: number): Op<Result<void>>;
  /** Conversion for fallocate, verity and the like, under i_rwsem. @source fs/ext4/inline.c ext4_convert_inline_data */
  convert(k: Kernel, ino: number): Op<Result<void>>;
  /**
   * Fills a folio of an inline file. Inside a step, under the folio lock and xattr_sem shared.
   * @source fs/ext4/inline.c ext4_readpage_inline
   */
  fillInlineFolio(k: Kernel, ino: number, index: number): void;
  /**
   * Takes delayed blocks from a pending file that truncate(2) cut. Inside a step, under xattr_sem and i_data_sem
   * exclusive. @source fs/ext4/inline.c ext4_inline_data_truncate
   */
  truncatePending(k: Kernel, ino: number): void;
  /** ->dirty_folio, inside a step (atomic context). @source fs/ext4/inode.c ext4_dirty_folio */
  dirtyFolio(k: Kernel, ino: number, index: number): void;
  /** May a clean folio be dropped? Inside a step. @source fs/ext4/inode.c ext4_release_folio */
  releaseFolio(k: Kernel, ino: number, index: number): boolean;
  /** An inode with fewer extra fields than the volume wants is marked dirty. Inside a step. @source fs/ext4/inode.c ext4_try_to_expand_extra_isize */
  expandExtraIsize(k: Kernel, ino: number): void;
}
