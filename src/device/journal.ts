/**
 * The journal: handles, the running and the committing transaction, commit, checkpoint, replay.
 *
 *   handle ── journalStart ─▶ running ── T_LOCKED, updates drain ─▶ committing ── commit record ─▶ log
 *                                                                                                   │
 *   medium ◀── bdev writeback of the buffers (the log keeps them until unmount) ◀───────────────────┘
 *
 * A buffer is changed only after `getWriteAccess`, which freezes the committing transaction's copy when there is
 * one. A buffer that joins the running transaction loses BH_Dirty: its older version stays in the log until the
 * newer one has been committed, as in jbd2.
 *
 * Without a journal a handle is a nesting count, and dirty metadata is a dirty buffer.
 *
 * A metadata block that is freed is revoked: what older transactions logged of it is not replayed over what the
 * block is used for next, and it is not given out again before that transaction is committed. Blocks of directories,
 * symlinks and xattrs are, and data of chattr +j; another file block that was journalled through the bdev cache is not,
 * as in the kernel (get_default_free_blocks_flags). Under data=journal nothing is ever revoked.
 *
 * Not modelled here: credits and log space (a log that is a quarter full of what is home loses it), fast commits.
 * The task that asks for a commit carries it out; the jbd2 thread has no life of its own unless a scenario gives
 * it a lane.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { err, type Result } from '../errno.ts';
import type { Kernel } from '../kernel.ts';
import { jbd2Handle, journalDone, lockEffect } from '../locks/lock.ts';
import { FROZEN, type LoggedTransaction, TX_COMMITTING, TX_NONE, TX_RUNNING } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { type Request, step, waitFor } from '../task.ts';
import { bufferBytes, dirtyBuffers, inodeBlock, writeBuffer } from './buffer.ts';
import { flushDevice, writeMedium } from './medium.ts';

/**
 * Starts a handle, or nests in the one this task has.
 * @locks   jbd2_handle (read): waits while a commit drains the running transaction
 * @source  fs/jbd2/transaction.c jbd2__journal_start
 */
export function journalStart(k: Kernel): Request<void> {
  return waitFor(
    k,
    'jbd2_journal_start',
    () => mayStart(k),
    () => startHandle(k),
  );
}

/**
 * `journalStart` of a caller that goes on without a handle. The others are never told no: what they do then is not
 * modelled.
 * @returns ENOMEM, where `@fail-handle` chose this start; one that nests allocates nothing
 * @locks   jbd2_handle (read)
 * @source  fs/jbd2/transaction.c jbd2__journal_start (new_handle)
 */
export function tryJournalStart(k: Kernel): Request<Result<void>> {
  return waitFor(
    k,
    'jbd2_journal_start',
    () => mayStart(k),
    (): Result<void> => (newHandleFails(k) ? err('ENOMEM') : startHandle(k)),
  );
}

function newHandleFails(k: Kernel): boolean {
  const task = k.taskRecord(k.task);
  if (task.failHandle === 0 || task.handle > 0 || !k.hasJournal) return false;
  task.failHandle--;
  if (task.failHandle > 0) return false;
  k.reach('handle-failed');
  return true;
}

/** Inside a step. */
function startHandle(k: Kernel): void {
  k.warnOn('start-while-frozen', k.journal.frozen === FROZEN.complete);
  const task = k.taskRecord(k.task);
  task.handle++;
  if (task.handle > 1 || !k.hasJournal) return;
  k.journal.updates |= 1 << k.task;
  if (k.sink.listen !== null) k.emit(lockEffect('acquire', jbd2Handle, 'shared'));
}

/**
 * Stops the handle of this task, or un-nests. A synchronous handle must be committed by the caller afterwards.
 * @source  fs/jbd2/transaction.c jbd2_journal_stop
 */
export function journalStop(k: Kernel): Request<void> {
  return step(k, 'jbd2_journal_stop', () => stopHandle(k));
}

/** `journalStop` inside a step that already runs. */
export function stopHandle(k: Kernel): void {
  const task = k.taskRecord(k.task);
  if (task.handle === 0) {
    // ext4_journal_stop(NULL): the handle that write_begin should have left is not there.
    k.bugOn('write-end-no-handle', true);
    return;
  }
  task.handle--;
  if (task.handle > 0 || !k.hasJournal) return;
  k.journal.updates &= ~(1 << k.task);
  if (k.sink.listen !== null) k.emit(lockEffect('release', jbd2Handle, 'shared'));
}

/** Does the journal take another handle, or has this task one to nest in? Inside a step. */
export function mayStart(k: Kernel): boolean {
  return hasHandle(k) || !(k.journal.locked || k.journal.barrier);
}

/** Does this task have an open handle? Inside a step. @source ext4_journal_current_handle */
export function hasHandle(k: Kernel): boolean {
  return k.taskRecord(k.task).handle > 0;
}

/** Inside a step, before a buffer is changed. @source fs/jbd2/transaction.c do_get_write_access */
export function getWriteAccess(k: Kernel, block: number): void {
  if (!k.hasJournal) return;
  const buf = k.buf(block);
  if (buf.committing && !buf.running && buf.frozen === null) buf.frozen = bufferBytes(k, block);
}

/**
 * Inside a step, after a buffer was changed: it belongs to the running transaction now.
 * @param assocIno  without a journal, the inode whose fsync writes this buffer; 0 for none
 * @source fs/ext4/ext4_jbd2.c __ext4_handle_dirty_metadata
 */
export function dirtyMetadata(k: Kernel, block: number, assocIno = 0): void {
  const buf = k.buf(block);
  if (!k.hasJournal) {
    buf.dirty = true;
    if (assocIno !== 0) buf.assoc = assocIno;
    return;
  }
  k.warnOn('dirty-without-handle', !hasHandle(k));
  buf.running = true;
  buf.dirty = false;
  buf.revoke &= ~TX_RUNNING;
  k.journal.running = true;
}

/**
 * Inside a step: a metadata block is freed. Its content is nobody's any more, here and in the log. Under data=journal
 * there is no revoke: whatever uses the block next is in the log, too.
 * @source fs/ext4/ext4_jbd2.c __ext4_forget
 */
export function forgetBuffer(k: Kernel, block: number): void {
  getWriteAccess(k, block);
  const buf = k.buf(block);
  buf.running = buf.dirty = false;
  buf.assoc = 0;
  if (k.hasJournal) {
    if (k.mount.data !== 'journal') revokeBlock(k, block);
    k.journal.running = true;
  }
  if (buf.committing) return;
  buf.cached = false;
  buf.data = null;
}

/** Inside a step: what the log has of a block is not replayed. @source fs/jbd2/revoke.c jbd2_journal_revoke */
export function revokeBlock(k: Kernel, block: number): void {
  k.buf(block).revoke |= TX_RUNNING;
  k.journal.running = true;
}

/** ext4_update_inode_fsync_trans: which transaction fsync and fdatasync of this inode must commit. */
export function updateFsyncTrans(k: Kernel, ino: number, datasync: boolean): void {
  if (!k.hasJournal) return;
  const inode = k.inode(ino);
  inode.syncTx = TX_RUNNING;
  inode.syncTxOfIget = false;
  if (datasync) inode.datasyncTx = TX_RUNNING;
}

/**
 * Inside a step: an inode is read in. What is under way may have what was changed when it was in core before, so fsync
 * of it waits for that.
 * @source fs/ext4/inode.c __ext4_iget
 */
export function waitForWhatRuns(k: Kernel, ino: number): void {
  const { running, committing } = k.journal;
  if (!k.hasJournal || !(running || committing)) return;
  const inode = k.inode(ino);
  inode.syncTx = inode.datasyncTx = running ? TX_RUNNING : TX_COMMITTING;
  inode.syncTxOfIget = true;
}

/**
 * Puts bytes [start, end] of a file on the list of ordered data: the commit waits for them, and writes them first when
 * `write` is set now or was set before while the inode was in core.
 * Journalled data is put there too, so that the commit write-protects it.
 * @source fs/ext4/ext4_jbd2.h ext4_jbd2_inode_add_write, ext4_jbd2_inode_add_wait; fs/jbd2/transaction.c jbd2_journal_file_inode
 */
export function addOrderedInode(k: Kernel, ino: number, start: number, end: number, write: boolean): void {
  if (!k.hasJournal) return;
  const inode = k.inode(ino);
  const fresh = inode.orderedEnd === 0;
  inode.orderedStart = fresh ? start : Math.min(inode.orderedStart, start);
  inode.orderedEnd = fresh ? end : Math.max(inode.orderedEnd, end);
  inode.orderedTx |= TX_RUNNING;
  if (write) inode.orderedWrite = true;
  k.journal.running = true;
}

/** What a commit needs of file data, which is above the journal. All but `submit` are inside a step. */
export interface FileData {
  /** Writes the already mapped dirty data of an inode; of journalled data, write-protects it. */
  submit(ino: number): Op<void>;
  /** Journalled data: the running transaction becomes the committing one. */
  switch(): void;
  /** Journalled data: home blocks and bytes that the committing transaction logs. */
  blocks(): readonly (readonly [block: number, data: Bytes])[];
  /** Journalled data: the log has it. */
  refile(): void;
}

/**
 * Commits the running transaction and waits for a commit that is under way.
 * @param flushed  the flusher has just written every inode, so none is on its list
 * @locks   waits for all handles of the transaction (jbd2_handle, exclusive)
 * @source  fs/jbd2/commit.c jbd2_journal_commit_transaction
 */
export function* journalCommit(k: Kernel, files: FileData, flushed = false): Op<void> {
  if (!k.hasJournal) return;
  const mine = yield* waitFor(
    k,
    'jbd2_journal_commit_transaction',
    () => !k.journal.committing,
    () => {
      const { journal } = k;
      if (!journal.running) return false;
      journal.committing = true;
      journal.locked = true;
      if (k.sink.listen !== null) k.emit(lockEffect('acquire', journalDone, 'exclusive'));
      return true;
    },
    jbd2Handle,
    journalDone,
  );
  if (!mine) return;
  const ordered = yield* waitFor(
    k,
    'wait for t_updates to drain',
    () => k.journal.updates === 0,
    () => {
      const { journal, sb } = k;
      journal.locked = false;
      journal.running = false;
      for (const block of k.world.firstKeys('buf')) {
        const buf = k.buf(block);
        if (buf.running) {
          buf.running = false;
          buf.committing = true;
        }
        if (buf.revoke !== 0) buf.revoke = TX_COMMITTING;
      }
      files.switch();
      const inodes: number[] = [];
      for (const ino of k.inodesInCore()) {
        const inode = k.inode(ino);
        if (inode.syncTx === TX_RUNNING) inode.syncTx = TX_COMMITTING;
        if (inode.datasyncTx === TX_RUNNING) inode.datasyncTx = TX_COMMITTING;
        if (inode.orderedTx === 0) continue;
        inode.orderedTx = TX_COMMITTING;
        if (inode.orderedWrite) inodes.push(ino);
      }
      sb.freedCommitting = sb.freed;
      sb.freed = null;
      return inodes.join(',');
    },
    jbd2Handle,
  );
  for (const ino of ordered === '' ? [] : ordered.split(',').map(Number)) yield* files.submit(ino);
  yield* step(k, 'write commit record', () => {
    // REQ_PREFLUSH and REQ_FUA: what was written before is on the medium first, and the record itself when it returns.
    flushDevice(k);
    const all = k.world.firstKeys('buf');
    const blocks = all.filter((block) => k.buf(block).committing);
    const revoked = all.filter((block) => (k.buf(block).revoke & TX_COMMITTING) !== 0);
    const entry: LoggedTransaction = {
      blocks: [
        ...blocks.map((block) => [block, k.buf(block).frozen ?? bufferBytes(k, block)] as const),
        ...files.blocks(),
      ],
      ...(revoked.length === 0 ? {} : { revoked }),
    };
    for (const block of blocks) {
      const buf = k.buf(block);
      buf.committing = false;
      buf.frozen = null;
      // __jbd2_journal_unfile_buffer: the buffer becomes dirty for the bdev flusher, unless it is journalled again
      // or was freed meanwhile.
      if (!buf.running && (buf.revoke & TX_RUNNING) === 0) buf.dirty = true;
    }
    files.refile();
    listBdev(k, flushed);
    for (const block of revoked) k.buf(block).revoke &= ~TX_COMMITTING;
    for (const ino of k.inodesInCore()) {
      const inode = k.inode(ino);
      if (inode.syncTx === TX_COMMITTING) inode.syncTx = TX_NONE;
      if (inode.datasyncTx === TX_COMMITTING) inode.datasyncTx = TX_NONE;
      if (inode.syncTx === TX_NONE) inode.syncTxOfIget = false;
      inode.orderedTx &= ~TX_COMMITTING;
      if (inode.orderedTx === TX_NONE) inode.orderedStart = inode.orderedEnd = 0;
    }
    // ext4_process_freed_data: what was freed may be given out again.
    k.sb.freedCommitting = null;
    k.journal.log = [...(k.journal.log ?? []), entry];
    if (k.powerFails && !k.mount.barrier) k.journal.unflushed++;
    k.journal.committing = false;
    if (k.sink.listen === null) return;
    k.emit({ type: 'commit', blocks });
    k.emit(lockEffect('release', journalDone, 'exclusive'));
  });
}

/**
 * Inside a step: buffers of the block device have become dirty, and with the first of them its inode. Inodes that a
 * transaction touched are on the flusher's list already.
 * @source fs/fs-writeback.c __mark_inode_dirty
 */
function listBdev(k: Kernel, flushed: boolean): void {
  if (k.sb.bdevListed) return;
  k.sb.bdevListed = true;
  for (const ino of k.inodesInCore()) {
    const inode = k.inode(ino);
    inode.beforeBdev = inode.dirtyPages || (!flushed && inode.syncTx !== TX_NONE && !inode.syncTxOfIget);
  }
}

/**
 * Inside a step: makes one entry of those at the front whose blocks are all home. They stay in the log: the kernel
 * moves its tail only when that frees a quarter of the journal, so until unmount a crash replays what was committed
 * since the mount, over whatever a block is used for now.
 * @source fs/jbd2/commit.c jbd2_journal_commit_transaction (update_tail)
 */
function mergeLog(k: Kernel): void {
  const { log, unflushed } = k.journal;
  if (log === null || unflushed > 0) return;
  const home = (block: number): boolean => {
    const buf = k.buf(block);
    // A block that is freed in an uncommitted transaction still has to be found in the log.
    return !buf.dirty && !buf.running && !buf.committing && buf.revoke === 0;
  };
  let count = 0;
  while (count < log.length && log[count]!.blocks.every(([block]) => home(block))) count++;
  if (count < 2) return;
  const last = new Map(blocksToReplay(log.slice(0, count)));
  const merged: LoggedTransaction = { blocks: [...last].sort(([a], [b]) => a - b) };
  k.journal.log = [merged, ...log.slice(count)];
}

/**
 * Writes all dirty buffers of the device home: the bdev flusher, sync_blockdev, or a checkpoint.
 * @source fs/buffer.c block_write_full_folio on the bdev inode; fs/jbd2/checkpoint.c
 */
export function checkpoint(k: Kernel): Request<void> {
  return step(k, 'sync_blockdev', () => {
    const blocks = dirtyBuffers(k);
    for (const block of blocks) writeBuffer(k, block, 'bdev writeback');
    mergeLog(k);
    if (blocks.length > 0 && k.sink.listen !== null) k.emit({ type: 'checkpoint', blocks });
  });
}

/**
 * What replaying a log writes home, in order: everything but what the same or a later transaction revoked.
 * @source fs/jbd2/recovery.c do_one_pass; fs/jbd2/revoke.c jbd2_journal_test_revoke
 */
export function blocksToReplay(log: readonly LoggedTransaction[]): (readonly [block: number, data: Bytes])[] {
  const lastRevoke = new Map<number, number>();
  log.forEach(({ revoked }, age) => {
    for (const block of revoked ?? []) lastRevoke.set(block, age);
  });
  return log.flatMap(({ blocks }, age) => blocks.filter(([block]) => age > (lastRevoke.get(block) ?? -1)));
}

/** Inside a step: what mount does with a log that a crash left. @source fs/jbd2/recovery.c jbd2_journal_recover */
export function replay(k: Kernel): void {
  const log = k.journal.log;
  if (log === null) return;
  const blocks = blocksToReplay(log);
  for (const [block, data] of blocks) writeMedium(k, block, data, 'journal replay');
  if (k.sink.listen !== null) k.emit({ type: 'replay', blocks: blocks.map(([block]) => block) });
  k.journal.log = null;
}

/** Inside a step: forgets handles and transactions, as power failure or unmount does. The log stays. */
export function dropTransactions(k: Kernel): void {
  const { journal } = k;
  journal.updates = 0;
  journal.locked = journal.barrier = journal.committing = journal.running = false;
  journal.detached = null;
}

/** The inode's block gets write access. */
export function getInodeWriteAccess(k: Kernel, ino: number): void {
  getWriteAccess(k, inodeBlock(k, ino));
}
