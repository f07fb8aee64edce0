/**
 * chmod(2), chown(2), utimensat(2) on an inode that was looked up.
 *
 *   sb_writers shared ▸ i_rwsem ▸ handle (▸ xattr_sem for the access ACL that chmod rewrites)
 *
 * Times of changes stand still elsewhere: what utimensat(2) sets stays until it sets something else.
 * Not modelled: permissions (every lane is root, and keeps set-group-ID), that chown(2) removes security.capability.
 */
import { rawInode, setRawInode } from '../device/buffer.ts';
import { getInodeWriteAccess, journalStart, journalStop } from '../device/journal.ts';
import { isErr, type Result } from '../errno.ts';
import { fitsInInode, inodeLayout, isDir, S_IFMT, S_ISGID, S_ISUID, S_IXGRP } from '../inode/layout.ts';
import { vfsMarkInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { iRwsem, lock, sbWriters, unlock, xattrSem } from '../locks/lock.ts';
import type { Op } from '../task.ts';
import { step } from '../task.ts';
import { chmodAcl } from './acl.ts';

/** A handle around one change of an inode. */
function* change(k: Kernel, ino: number, body: () => void): Op<void> {
  yield* journalStart(k);
  yield* step(k, 'ext4_setattr', () => {
    getInodeWriteAccess(k, ino);
    body();
    vfsMarkInodeDirty(k, ino);
  });
  yield* journalStop(k);
}

/**
 * @param mode  permissions, 0…07777
 * @returns ENOSPC where the access ACL needs a block
 * @source  fs/open.c chmod_common; fs/attr.c notify_change; fs/posix_acl.c posix_acl_chmod
 */
export function* chmod(k: Kernel, ino: number, mode: number): Op<Result<void>> {
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, iRwsem(ino));
  yield* change(k, ino, () => {
    const inode = k.inode(ino);
    inode.mode = (inode.mode & S_IFMT) | (mode & 0o7777);
  });
  yield* journalStart(k);
  yield* lock(k, xattrSem(ino));
  const ret = yield* step(k, 'posix_acl_chmod', () => chmodAcl(k, ino));
  yield* unlock(k, xattrSem(ino));
  yield* journalStop(k);
  yield* unlock(k, iRwsem(ino));
  yield* unlock(k, sbWriters);
  return isErr(ret) ? ret : undefined;
}

/**
 * @param uid,gid  null: stays
 * @source fs/open.c chown_common; fs/ext4/inode.c ext4_setattr
 */
export function* chown(k: Kernel, ino: number, uid: number | null, gid: number | null): Op<void> {
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, iRwsem(ino));
  yield* change(k, ino, () => {
    const inode = k.inode(ino);
    if (!isDir(inode.mode)) {
      inode.mode &= ~S_ISUID;
      if ((inode.mode & S_IXGRP) !== 0) inode.mode &= ~S_ISGID;
    }
    const owner = uid === null ? {} : { uid: uid & 0xffff, uidHigh: uid >>> 16 };
    const group = gid === null ? {} : { gid: gid & 0xffff, gidHigh: gid >>> 16 };
    setRawInode(k, ino, inodeLayout.put(rawInode(k, ino), { ...owner, ...group }));
  });
  yield* unlock(k, iRwsem(ino));
  yield* unlock(k, sbWriters);
}

/** Seconds since 1970 and nanoseconds. */
export interface Timespec {
  readonly sec: number;
  readonly nsec: number;
}

/** The low word, and what has room beside it. @source fs/ext4/ext4.h EXT4_INODE_SET_XTIME, ext4_encode_extra_time */
function encodeTime({ sec, nsec }: Timespec): { low: number; extra: number } {
  const low = sec | 0;
  const epoch = Math.floor((sec - low) / 0x1_0000_0000) & 3;
  return { low: low >>> 0, extra: (nsec * 4 + epoch) >>> 0 };
}

/**
 * @param atime,mtime  null: stays
 * @source fs/utimes.c vfs_utimes; fs/ext4/inode.c ext4_setattr
 */
export function* utimens(k: Kernel, ino: number, atime: Timespec | null, mtime: Timespec | null): Op<void> {
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, iRwsem(ino));
  yield* change(k, ino, () => {
    let raw = rawInode(k, ino);
    if (atime !== null) {
      const { low, extra } = encodeTime(atime);
      raw = inodeLayout.put(raw, { atime: low });
      if (fitsInInode(raw, 'atimeExtra')) raw = inodeLayout.put(raw, { atimeExtra: extra });
    }
    if (mtime !== null) {
      const { low, extra } = encodeTime(mtime);
      raw = inodeLayout.put(raw, { mtime: low });
      if (fitsInInode(raw, 'mtimeExtra')) raw = inodeLayout.put(raw, { mtimeExtra: extra });
    }
    setRawInode(k, ino, raw);
  });
  yield* unlock(k, iRwsem(ino));
  yield* unlock(k, sbWriters);
}
