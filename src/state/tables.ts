/**
 * Every record that survives a step. A field that is not here does not exist for the explorer: ops may carry
 * locals only in what their steps returned.
 *
 * Three copies of a byte, kept apart as in the kernel: the file's folio (`folio.data`), the bdev cache
 * (`buf.data`, and `raw.data` for the inode-table blocks, one piece per inode), the medium (`medium.data`); and
 * the journal (`journal.log`). Null content means "as the layer below has it": medium null is the loaded image.
 *
 * Nothing counts up: transactions are named by their age (RUNNING, COMMITTING), times stand still.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { bool, bytes, type FieldSpecs, int, type RecordOf, table, u53, value } from './schema.ts';

/** Which transaction something waits for, by age. */
export const TX_NONE = 0;
export const TX_COMMITTING = 1;
export const TX_RUNNING = 2;

/** Work of the flusher: `sb.writebackWork`. */
export const WB_QUEUED = 1;
export const WB_RUNNING = 2;

/** How far a freeze has come: `journal.frozen`. @source include/linux/fs.h SB_FREEZE_WRITE */
export const FROZEN = { no: 0, write: 1, pagefault: 2, fs: 3, complete: 4 } as const;

/** Buffer-head bits of a file block (`fbuf.state`). */
export const BH = {
  uptodate: 1,
  dirty: 2,
  mapped: 4,
  delay: 8,
  unwritten: 16,
  new: 32,
} as const;

/** One committed transaction in the log: home block numbers and the bytes that were logged for them. */
export interface LoggedTransaction {
  readonly blocks: readonly (readonly [block: number, data: Bytes])[];
  /** Blocks that were metadata and are not any more: replay leaves out what this and earlier transactions have of them. */
  readonly revoked?: readonly number[];
}

/** A run of blocks kept for a file in memory: where in the file, where on the volume, and how many are unused. */
export interface InodePrealloc {
  readonly lblk: number;
  readonly pblk: number;
  readonly length: number;
  readonly free: number;
}

/** A run of blocks kept for small files in memory: all of it is unused. */
export interface GroupPrealloc {
  readonly pblk: number;
  readonly length: number;
}

/** What a page or a size was before, oldest first, and the first of them that a crash may still give back. */
export interface PastPage {
  readonly index: number;
  /** The last is what it held in the end. */
  readonly versions: readonly (Bytes | null)[];
  readonly floor: number;
}

/** A file whose inode was freed. */
export interface FormerFile {
  readonly births: number;
  readonly promised: boolean;
  readonly sizes: readonly number[];
  readonly floorSize: number;
  readonly pages: readonly PastPage[];
}

/** A name of a directory: the files that it meant, as `ino.births`, null for none; the last is what it means now. */
export interface GhostName {
  readonly name: string;
  readonly meant: readonly (string | null)[];
  /** The first of `meant` that a crash may still give back. */
  readonly floor: number;
}

export const TABLES = {
  /** The mounted file system: struct ext4_sb_info. One record, key 0. */
  sb: table('sb', ['zero'], {
    mounted: bool,
    /** A BUG_ON fired: nothing runs any more. */
    halted: bool,
    /** s_freeclusters_counter, in blocks. */
    freeBlocks: int,
    /** s_dirtyclusters_counter: delayed-allocation reservations, in blocks. */
    dirtyBlocks: int,
    freeInodes: int,
    /** Volumes of several groups: what the percpu counters show, which is by up to 32 behind; see `balloc/ialloc.ts`. */
    shownFreeInodes: int,
    shownFreeBlocks: int,
    shownDirs: int,
    /** ext4_std_error / ext4_error calls. */
    errors: int,
    /** EXT4_FLAGS_SHUTDOWN. */
    shutdown: bool,
    /** The volume was given up on purpose by @crash; the next mount replays. */
    needsRecovery: bool,
    /** The orphan list, head first: s_last_orphan is its first, each raw inode's dtime names the next. */
    orphans: value<readonly number[]>(),
    /** The locality group's preallocations, shortest first. */
    groupPrealloc: value<readonly GroupPrealloc[]>(),
    /** Runs freed in the running and in the committing transaction: free on the disk, not given out yet. */
    freed: value<readonly (readonly [start: number, count: number])[]>(),
    freedCommitting: value<readonly (readonly [start: number, count: number])[]>(),
    /** External xattr blocks by the hash of their entries, newest first. */
    xattrCache: value<readonly (readonly [hash: number, block: number])[]>(),
    /** s_mb_last_group: where the last large file got its blocks. */
    lastGroup: int,
    /** The block device's inode is on the flusher's list, behind the inodes with `beforeBdev`. Journal only. */
    bdevListed: bool,
    /** What tasks asked the flusher for, and whether it is at it: WB_QUEUED, WB_RUNNING. Only where it has a lane. */
    writebackWork: int,
  }),

  /** An inode in core: struct inode and struct ext4_inode_info. Key: inode number. */
  inode: table('inode', ['ino'], {
    inCore: bool,
    mode: int,
    nlink: int,
    /** i_size, bytes. */
    size: u53,
    /** ei->i_disksize, bytes: what fillRawInode writes. */
    disksize: u53,
    /** ei->i_flags: the on-disk flags. */
    flags: int,
    /** EXT4_STATE_MAY_INLINE_DATA. */
    mayInline: bool,
    /** EXT4_STATE_XATTR: the inode body has entries. */
    xattr: bool,
    /** EXT4_STATE_DA_ALLOC_CLOSE: flush at the last close after a truncate to zero. */
    daAllocClose: bool,
    /** EXT4_STATE_VERITY_IN_PROGRESS. */
    verityInProgress: bool,
    /** How many deny write access: i_writecount below zero. */
    denyWrite: int,
    /** ei->i_inline_off: byte offset of the system.data entry in the raw inode; 0 = none. */
    inlineOff: int,
    /** ei->i_inline_size: 60 + e_value_size, bytes. */
    inlineSize: int,
    /** ei->i_data, 60 bytes: the cached i_block; not maintained while inline. */
    iData: bytes,
    /** i_blocks, 512-byte units. */
    blocks: int,
    extraIsize: int,
    /** EXT4_STATE_NO_EXPAND: extraIsize could not grow. */
    noExpand: bool,
    fileAcl: int,
    /** ei->i_reserved_data_blocks. */
    reserved: int,
    /** Delayed extents of the extent-status tree: logical blocks, ascending. */
    delayed: value<readonly number[]>(),
    /** Extent-status tree: the hole it knows ends at this block, where a truncation cut it; the file's goes on. 0 = none. */
    holeEnd: int,
    /** Preallocated runs, in order of the file. */
    prealloc: value<readonly InodePrealloc[]>(),
    /** I_DIRTY_PAGES. */
    dirtyPages: bool,
    /** On the flusher's list since before the block device's inode was. */
    beforeBdev: bool,
    /** defer-inode-dirty: folio 0 has bytes that the inode does not; PG_dirty is not set for it. */
    inlineDirty: bool,
    /** I_DIRTY_SYNC | I_DIRTY_DATASYNC: times, size or mode were set, and no writeback of the inode has come since. */
    dirtyInode: bool,
    /** ei->i_sync_tid and ei->i_datasync_tid, by age. */
    syncTx: int,
    datasyncTx: int,
    /** On the ordered-data lists of transactions (jinode): a mask of their ages. */
    orderedTx: int,
    /** JI_WRITE_DATA, which nobody clears: a commit writes the data itself, it does not only wait. */
    orderedWrite: bool,
    /** First and last byte of the ordered data; 0 and 0 for none. */
    orderedStart: u53,
    orderedEnd: u53,
    /** Names in the directory are gone: nlink 0 while open. */
    unlinked: bool,
    /** I_FREEING: the last reference is gone, somebody is evicting it. */
    freeing: bool,
    /** I_LINKABLE: made without a name by O_TMPFILE, and may get one. */
    linkable: bool,
    /** i_orphan_idx + 1: its slot in the orphan file; 0 = in none. */
    orphanSlot: int,
    /** EXT4_STATE_NEWENTRY: the directory that fsync writes too, because its entry is new. 0 = none. No journal only. */
    newEntryDir: int,
    /** Directories of a volume of several groups: ei->i_last_alloc_group + 1; 0 = none yet. */
    lastAllocGroup: int,
    /** syncTx and datasyncTx are what was under way when the inode was read in: nothing of it has changed since. */
    syncTxOfIget: bool,
    /** I_DONTCACHE: written and forgotten at the last iput, not kept for the next open. */
    dontCache: bool,
  }),

  /** The raw inode: a piece of the inode-table block in the bdev cache. Key: inode number. */
  raw: table('raw', ['ino'], { data: bytes }),

  /** A buffer of the block device: struct buffer_head and its journal_head. Key: block number. */
  buf: table('buf', ['block'], {
    /** In the bdev cache and uptodate. */
    cached: bool,
    /** BH_Dirty: the flusher of the block device will write it. */
    dirty: bool,
    /** On the metadata list of the running / of the committing transaction. */
    running: bool,
    committing: bool,
    data: bytes,
    /** Frozen copy for the committing transaction when the running one changed the block again. */
    frozen: bytes,
    /** No journal: on this inode's list of buffers that fsync writes (mark_buffer_dirty_inode); 0 = none. */
    assoc: int,
    /** Revoked in the committing (1) or in the running (2) transaction, as a mask of their ages. */
    revoke: int,
  }),

  /** What survives: the medium, where it differs from the loaded image. Key: block number. */
  medium: table('medium', ['block'], {
    data: bytes,
    /** Power may fail: what the block held at the last flush, then what else was written over since; null is the image's. */
    unflushed: value<readonly (Bytes | null)[]>(),
  }),

  /** journal_t and its transactions, by age. One record, key 0. */
  journal: table('journal', ['zero'], {
    /** Tasks with an open handle on the running transaction (t_updates), as a mask. */
    updates: int,
    /** T_LOCKED: a commit waits for updates to drain; new handles wait. */
    locked: bool,
    /** j_barrier_count: new handles wait, whatever the transaction. */
    barrier: bool,
    /** A transaction is between T_LOCKED and its commit record. */
    committing: bool,
    /** s_writers.frozen of the super block: FROZEN; kept here because every handle that starts looks at it. */
    frozen: int,
    /** The running transaction has something to commit. */
    running: bool,
    log: value<readonly LoggedTransaction[]>(),
    /** File blocks that the committing transaction still has to log, although their folios are gone. */
    detached: value<readonly (readonly [block: number, data: Bytes])[]>(),
    /** Power may fail: transactions at the end of the log that no flush has followed (nobarrier). */
    unflushed: int,
  }),

  /** A folio of a file's page cache (order 0). Keys: inode number, page index. */
  folio: table('folio', ['ino', 'index'], {
    present: bool,
    uptodate: bool,
    /** PG_dirty. */
    dirty: bool,
    writeback: bool,
    /** PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_TOWRITE, PAGECACHE_TAG_WRITEBACK in i_pages. */
    tagDirty: bool,
    tagTowrite: bool,
    tagWriteback: bool,
    /** Buffer heads attached. */
    buffers: bool,
    /** Content, PAGE_SIZE bytes; null is all zero. */
    data: bytes,
    /** PG_readahead: the first page of the large folio that carries it, + 1; 0 when it is not set. */
    readahead: int,
  }),

  /** A buffer head of a file block. Keys: inode number, logical block. */
  fbuf: table('fbuf', ['ino', 'lblk'], {
    state: int,
    block: int,
    /** Journalled data: on the list of the running, of the committing transaction, as a mask of their ages. */
    tx: int,
    /** Journalled data: what the committing transaction logs, when the running one changes the block again. */
    frozen: bytes,
  }),

  /** Page-table entries. Keys: mm, virtual page number. */
  pte: table('pte', ['mm', 'vpn'], {
    present: bool,
    writable: bool,
    dirty: bool,
    ino: int,
    index: int,
    /** A private copy made by a store through MAP_PRIVATE; the PTE maps no folio then. */
    anon: bytes,
  }),

  /** Memory mappings. Keys: mm, slot. */
  vma: table('vma', ['mm', 'slot'], {
    live: bool,
    startPage: int,
    pages: int,
    /** Length asked for, bytes. */
    length: u53,
    ino: int,
    /** First page of the file that is mapped. */
    pgoff: int,
    read: bool,
    write: bool,
    /** VM_MAYWRITE: the file was open for writing. */
    mayWrite: bool,
    shared: bool,
    /** `file.id` of the open file description it keeps alive, and that one's dentry. */
    file: int,
    dentryDir: int,
    dentryName: bytes,
  }),

  /** Open files of a task. Keys: task, slot in its file list. */
  file: table('file', ['task', 'slot'], {
    open: bool,
    /** Names the open file description (struct file), which a mapping may keep alive; unique while it lives. */
    id: int,
    ino: int,
    readonly: bool,
    append: bool,
    direct: bool,
    sync: bool,
    /** f_path.dentry: the directory in which it was opened, and the name there. */
    dentryDir: int,
    dentryName: bytes,
  }),

  /** What a task is, besides where its ops stand. Key: task. */
  task: table('task', ['task'], {
    /** current->journal_info: nesting depth of the open handle. */
    handle: int,
    /** h_sync: somebody asked for a synchronous handle. */
    handleSync: bool,
    /** Current entry of the file list and of the mapping list. */
    file: int,
    mapping: int,
    /** Inodes that the system call under way refers to, by dentries and paths. */
    held: value<readonly number[]>(),
    /** The lane is done. Only where a flusher waits to hear it. */
    exited: bool,
    /** Allocations until one fails, that one included; 0: none does. */
    failAlloc: int,
    /** Allocations until one reclaims, that one included, and the inode that it goes for; 0: none does. */
    reclaimAlloc: int,
    reclaimIno: int,
    /** Made by fork: may run. Only of a lane that another one makes. */
    forked: bool,
    /** Starts of handles until one finds no memory, that one included; 0: none does. */
    failHandle: int,
  }),

  /** Locks. Keys: class × 65536 + instance, index within (folio locks). Owner and masks name tasks. */
  lock: table('lock', ['class', 'index'], {
    /** Task number + 1 of the exclusive holder. */
    owner: int,
    /** Mask of shared holders. */
    readers: int,
    /** Mask of tasks queued for exclusive: new readers wait behind them. */
    waiters: int,
  }),

  /** Findings that happened, by their number in `FINDINGS`. */
  finding: table('finding', ['number'], { hit: bool, task: int }),

  /** The plain model: a file is a byte array. Key: inode number. Changed in the same step as the real thing. */
  ghost: table('ghost', ['ino'], {
    live: bool,
    size: u53,
    /** Something was promised by fsync/fdatasync/msync/sync: at least this size. */
    promised: bool,
    promisedSize: u53,
    /** Power may fail: how often this inode number was freed; with it a number names one file. */
    births: int,
    /** Power may fail: sizes before this one, oldest first, and the first of them that a crash may still give back. */
    pastSizes: value<readonly number[]>(),
    floorSize: int,
    /** Power may fail: since the promise there was a moment when nothing named the file. */
    nameless: bool,
    /** Power may fail: what was the content of files that had this number before. */
    formers: value<readonly FormerFile[]>(),
    /** A call is under way that makes the file this long; not larger than `size`: none is. */
    growTo: u53,
    /** Some page has stores in `beyond`. */
    beyond: bool,
  }),

  /** Content of the model, by page. Keys: inode number, page index. */
  ghostPage: table('ghostPage', ['ino', 'index'], {
    data: bytes,
    /** Content at the last promise. */
    promised: bytes,
    /** Power may fail: contents before this one, oldest first, and the first that a crash may still give back. */
    past: value<readonly (Bytes | null)[]>(),
    floor: int,
    /** Stores past the end of the file since the call began that makes it longer: where in the page, and what. */
    beyond: value<readonly (readonly [at: number, data: Bytes])[]>(),
  }),

  /** Power may fail: the names of a directory. Key: inode number. */
  ghostDir: table('ghostDir', ['ino'], { names: value<readonly GhostName[]>() }),

  /** struct file_ra_state: the last window of an open file description, in pages. Key: `file.id`. */
  readahead: table('readahead', ['file'], {
    start: int,
    size: int,
    asyncSize: int,
    /** Of the folios of the window: log2 of their pages. */
    order: int,
    /** Page of the byte after the last that was read, + 1; 0 before anything was. */
    prevPage: int,
  }),
} as const;

export type Tables = typeof TABLES;
export type TableName = keyof Tables;
export type Rec<T extends TableName> = RecordOf<Tables[T]['fields']>;

export const TABLE_NAMES: readonly TableName[] = Object.keys(TABLES) as TableName[];
export const tableIndex: Readonly<Record<TableName, number>> = Object.fromEntries(
  TABLE_NAMES.map((name, index) => [name, index]),
) as Record<TableName, number>;

/** Fields of a table, in declaration order. */
export function fieldsOf(name: TableName): FieldSpecs {
  return TABLES[name].fields;
}
