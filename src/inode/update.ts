/**
 * The in-memory inode and its raw bytes: reading one in (iget) and writing one back (mark_inode_dirty).
 *
 * The raw inode in the bdev cache is the truth for inline data and xattrs; the in-memory fields stand beside it
 * and may be stale where the kernel's are. `fillRawInode` writes i_disksize, not i_size, and leaves i_block alone
 * while the inode is inline.
 *
 * All functions run inside a step. Timestamps stand still: every change writes `k.now`.
 */
import { Bytes } from '../bytes/bytes.ts';
import { inodeBlock, rawInode, setRawInode } from '../device/buffer.ts';
import {
  dirtyMetadata,
  getInodeWriteAccess,
  hasHandle,
  mayStart,
  updateFsyncTrans,
  waitForWhatRuns,
} from '../device/journal.ts';
import { err, type Result } from '../errno.ts';
import type { Kernel } from '../kernel.ts';
import { jbd2Handle, mightLock } from '../locks/lock.ts';
import type { Rec } from '../state/tables.ts';
import { type Request, waitFor } from '../task.ts';
import { isBlockMapSound } from '../volume/blockMap.ts';
import { isRootSound } from '../volume/extent.ts';
import { inodeChecksumOk, sealInode } from './checksum.ts';
import {
  checkExtraIsize,
  DIRENT_TYPE,
  direntTypeOf,
  extraIsizeOf,
  I_BLOCK_AT,
  I_BLOCK_SIZE,
  INODE_FLAG,
  isDir,
  isLnk,
  isReg,
  rawSize,
} from './layout.ts';

/** ext4_test_inode_flag. */
export function hasFlag(k: Kernel, ino: number, flag: keyof typeof INODE_FLAG): boolean {
  return (k.inode(ino).flags & INODE_FLAG[flag]) !== 0;
}

export function setFlag(k: Kernel, ino: number, flag: keyof typeof INODE_FLAG, on: boolean): void {
  const inode = k.inode(ino);
  inode.flags = on ? inode.flags | INODE_FLAG[flag] : inode.flags & ~INODE_FLAG[flag];
}

/** The flag and a place: both are needed. @source fs/ext4/ext4.h ext4_has_inline_data */
export function hasInlineData(k: Kernel, ino: number): boolean {
  const inode = k.inode(ino);
  return (inode.flags & INODE_FLAG.inlineData) !== 0 && inode.inlineOff !== 0;
}

/**
 * Writes the in-memory fields into the raw inode and stores its checksum.
 * @source fs/ext4/inode.c ext4_fill_raw_inode
 */
export function fillRawInode(k: Kernel, ino: number): void {
  const inode = k.inode(ino);
  const raw = rawInode(k, ino);
  let next = raw;
  if (!isFilled(k, ino, raw)) {
    next = raw.edit((u8) => fill(k, ino, inode, u8), 0, FILLED_END);
    if (raw.length > 128) next = next.putU16(0x80, inode.extraIsize);
  }
  setRawInode(k, ino, k.geo.metadataCsum ? seal(k, ino, next) : next);
}

/** Past the last field that `fill` fills in; behind it are the checksum, and extraIsize between its halves. */
const FILLED_END = 0x70;

function fill(k: Kernel, ino: number, inode: Rec<'inode'>, u8: Uint8Array): void {
  put16(u8, 0x00, inode.mode);
  put32(u8, 0x04, inode.disksize);
  put16(u8, 0x1a, inode.nlink);
  put32(u8, 0x1c, inode.blocks);
  put32(u8, 0x20, inode.flags);
  if (inode.iData !== null && !hasInlineData(k, ino)) inode.iData.copyTo(u8, I_BLOCK_AT);
  put32(u8, 0x68, inode.fileAcl);
  put32(u8, 0x6c, Math.floor(inode.disksize / 0x1_0000_0000));
}

function put16(u8: Uint8Array, at: number, v: number): void {
  u8[at] = v;
  u8[at + 1] = v >>> 8;
}

function put32(u8: Uint8Array, at: number, v: number): void {
  put16(u8, at, v);
  put16(u8, at + 2, v >>> 16);
}

const get16 = (u8: Uint8Array, at: number): number => u8[at]! | (u8[at + 1]! << 8);
const get32 = (u8: Uint8Array, at: number): number => (get16(u8, at) | (get16(u8, at + 2) << 16)) >>> 0;

/** Nothing to fill in: what most writes to an inline file find. Says no for every inode that is not inline. */
function isFilled(k: Kernel, ino: number, raw: Bytes): boolean {
  if (!hasInlineData(k, ino)) return false;
  const { mode, nlink, blocks, flags, fileAcl, disksize, extraIsize } = k.inode(ino);
  // None of these is the checksum, which may be owed still.
  return raw.glance(
    (u8) =>
      get32(u8, 0x04) + get32(u8, 0x6c) * 0x1_0000_0000 === disksize &&
      get32(u8, 0x20) === flags >>> 0 &&
      get16(u8, 0x00) === mode &&
      get16(u8, 0x1a) === nlink &&
      get32(u8, 0x1c) === blocks &&
      get32(u8, 0x68) === fileAcl >>> 0 &&
      get16(u8, 0x80) === extraIsize,
  );
}

/** Checksums are computed once per content: a search meets the same raw inode again and again. */
const sealed = new WeakMap<Bytes, { ino: number; seed: number; result: Bytes }>();
function seal(k: Kernel, ino: number, raw: Bytes): Bytes {
  if (k.tracker.direct !== undefined) return sealInode(raw, ino, k.geo.csumSeed);
  const known = sealed.get(raw);
  if (known !== undefined && known.ino === ino && known.seed === k.geo.csumSeed) return known.result;
  const result = sealInode(raw, ino, k.geo.csumSeed);
  sealed.set(raw, { ino, seed: k.geo.csumSeed, result });
  return result;
}

/**
 * Brings the raw inode up to date and puts it on the running transaction.
 * @source fs/ext4/inode.c __ext4_mark_inode_dirty, ext4_mark_iloc_dirty, ext4_do_update_inode
 */
export function markInodeDirty(k: Kernel, ino: number): void {
  getInodeWriteAccess(k, ino);
  if (k.inode(ino).extraIsize < k.geo.wantExtraIsize) k.hooks.expandExtraIsize(k, ino);
  const sizeChanged = rawSize(rawInode(k, ino)) !== k.inode(ino).disksize;
  fillRawInode(k, ino);
  dirtyMetadata(k, inodeBlock(k, ino));
  updateFsyncTrans(k, ino, sizeChanged);
}

/**
 * As `markInodeDirty`, and the flusher has to come to the inode before it may leave memory.
 * @source fs/fs-writeback.c __mark_inode_dirty (I_DIRTY_SYNC | I_DIRTY_DATASYNC); fs/ext4/inode.c ext4_dirty_inode
 */
export function vfsMarkInodeDirty(k: Kernel, ino: number): void {
  markInodeDirty(k, ino);
  k.inode(ino).dirtyInode = true;
}

/**
 * New times of a file that is written: the inode goes to the running transaction. Time stands still here and the
 * bytes do not change, but fsync has something to wait for. One step with a handle of its own.
 * @param then  what the caller says after it, in the same step
 * @source fs/inode.c file_modified, file_update_time; fs/ext4/inode.c ext4_dirty_inode
 */
export function fileModified(k: Kernel, ino: number): Request<void>;
export function fileModified<T>(k: Kernel, ino: number, then: () => T): Request<T>;
export function fileModified<T>(k: Kernel, ino: number, then?: () => T): Request<T | undefined> {
  return waitFor(
    k,
    'file_update_time',
    () => mayStart(k),
    () => {
      if (k.hasJournal && !hasHandle(k)) mightLock(k, jbd2Handle, 'shared', 'ext4_dirty_inode');
      // ext4_journal_start and ext4_journal_stop of ext4_dirty_inode.
      const task = k.taskRecord(k.task);
      task.handle++;
      vfsMarkInodeDirty(k, ino);
      task.handle--;
      return then?.();
    },
  );
}

/** i_block as the block map sees it: the cached i_data. */
export function iData(k: Kernel, ino: number): Bytes {
  return k.inode(ino).iData ?? Bytes.zero(I_BLOCK_SIZE);
}

/**
 * What a reader of an in-inode xattr area finds: where system.data is. Set by the inline layer, which is above.
 * @returns the place, undefined for none, 'corrupt'
 */
export type FindInline = (raw: Bytes) => { inlineOff: number; inlineSize: number } | undefined | 'corrupt';

/**
 * Reads an inode into core, unless it is there.
 * @param find  ext4_find_inline_data_nolock on the raw bytes
 * @returns     EBADMSG for a wrong checksum, EUCLEAN for an inode that makes no sense, ENOENT for a free one
 * @source      fs/ext4/inode.c __ext4_iget, ext4_iget_extra_inode
 */
export function iget(k: Kernel, ino: number, find: FindInline): Result<void> {
  const inode = k.inode(ino);
  if (inode.inCore) return;
  const raw = rawInode(k, ino);
  if (k.geo.metadataCsum && !inodeChecksumOk(raw, ino, k.geo.csumSeed)) return err('EBADMSG');
  if (checkExtraIsize(raw) !== undefined) return err('EUCLEAN');
  const nlink = raw.u16(0x1a);
  const mode = raw.u16(0x00);
  if (nlink === 0 && mode === 0) return err('ENOENT');
  const flags = raw.u32(0x20);
  if ((flags & INODE_FLAG.inlineData) !== 0 && (flags & INODE_FLAG.extents) !== 0) return err('EUCLEAN');
  inode.inCore = true;
  inode.mode = mode;
  inode.nlink = nlink;
  inode.size = inode.disksize = rawSize(raw);
  inode.flags = flags | 0;
  inode.iData = raw.slice(I_BLOCK_AT, I_BLOCK_AT + I_BLOCK_SIZE);
  inode.blocks = raw.u32(0x1c);
  inode.fileAcl = raw.u32(0x68);
  inode.extraIsize = extraIsizeOf(raw);
  inode.inlineOff = 0;
  inode.inlineSize = 0;
  inode.mayInline = false;
  const magicAt = 128 + inode.extraIsize;
  if (inode.extraIsize > 0 && magicAt + 8 <= raw.length && raw.u32(magicAt) === 0xea020000) {
    inode.xattr = true;
    const place = find(raw);
    if (place === 'corrupt') {
      forget(k, ino);
      return err('EUCLEAN');
    }
    if (place !== undefined) {
      inode.inlineOff = place.inlineOff;
      inode.inlineSize = place.inlineSize;
    }
    if (hasInlineData(k, ino)) inode.mayInline = true;
  }
  if (isSound(k, ino)) {
    waitForWhatRuns(k, ino);
    return;
  }
  forget(k, ino);
  return err('EUCLEAN');
}

/**
 * Are the block references sound, and does the mode name something?
 * @source fs/ext4/inode.c __ext4_iget
 */
function isSound(k: Kernel, ino: number): boolean {
  const { mode, flags, fileAcl } = k.inode(ino);
  const { firstDataBlock, blocksCount, metadataCsum, dirIndex } = k.geo;
  if (fileAcl !== 0 && (fileAcl <= firstDataBlock || fileAcl >= blocksCount)) return false;
  if (isDir(mode) && (flags & INODE_FLAG.index) !== 0 && metadataCsum && !dirIndex) return false;
  if (direntTypeOf(mode) === DIRENT_TYPE.unknown) return false;
  const mapped = isReg(mode) || isDir(mode) || (isLnk(mode) && !isFastSymlink(k, ino));
  if (!mapped || hasInlineData(k, ino)) return true;
  const root = iData(k, ino);
  return (flags & INODE_FLAG.extents) !== 0 ? isRootSound(root, k.geo) : isBlockMapSound(root, k.geo);
}

/** A symlink whose target is in i_block. @source fs/ext4/inode.c ext4_inode_is_fast_symlink */
export function isFastSymlink(k: Kernel, ino: number): boolean {
  const { mode, blocks, fileAcl } = k.inode(ino);
  if (!isLnk(mode) || hasInlineData(k, ino) || hasFlag(k, ino, 'extents')) return false;
  return blocks - (fileAcl === 0 ? 0 : k.blockSize / 512) === 0;
}

/** Drops an inode from core: nothing of it may be dirty. @source fs/inode.c evict */
export function forget(k: Kernel, ino: number): void {
  const inode = k.inode(ino);
  inode.inCore = false;
  inode.mode = inode.nlink = inode.flags = inode.inlineOff = inode.inlineSize = inode.blocks = 0;
  inode.extraIsize = inode.fileAcl = inode.reserved = inode.syncTx = inode.datasyncTx = inode.orderedTx = 0;
  inode.size = inode.disksize = 0;
  inode.mayInline = inode.xattr = inode.daAllocClose = inode.verityInProgress = false;
  inode.dirtyPages = inode.dirtyInode = inode.inlineDirty = inode.unlinked = inode.freeing = false;
  inode.linkable = inode.noExpand = false;
  inode.orphanSlot = 0;
  inode.newEntryDir = inode.lastAllocGroup = 0;
  inode.beforeBdev = false;
  inode.holeEnd = 0;
  inode.syncTxOfIget = inode.dontCache = false;
  inode.iData = null;
  inode.delayed = inode.prealloc = null;
  inode.orderedWrite = false;
  inode.orderedStart = inode.orderedEnd = inode.denyWrite = 0;
}
