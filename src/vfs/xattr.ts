/**
 * setxattr(2), getxattr(2), removexattr(2). How xattrs are stored is in `xattrSet.ts`, what ACLs are in `acl.ts`.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { journalStop, tryJournalStart } from '../device/journal.ts';
import { err, isErr, type Result } from '../errno.ts';
import { isDir, isLnk, isReg } from '../inode/layout.ts';
import type { Kernel } from '../kernel.ts';
import { iRwsem, lock, locked, sbWriters, unlock, xattrSem } from '../locks/lock.ts';
import type { Op } from '../task.ts';
import { step } from '../task.ts';
import { retryAlloc } from '../writeback/writepages.ts';
import { aclForUser } from '../xattr/acl.ts';
import { resolveXattrName, XATTR_INDEX, XATTR_VALUE_MAX } from '../xattr/names.ts';
import { isAclIndex, setAclXattr } from './acl.ts';
import { findXattr, setXattrHandle, type XattrOnly } from './xattrSet.ts';

/** `user.` is for files and directories only. Inside a step. @source fs/xattr.c xattr_permission */
function isPermitted(k: Kernel, ino: number, index: number): boolean {
  const { mode } = k.inode(ino);
  return index !== XATTR_INDEX.user || isReg(mode) || isDir(mode);
}

/** The bare prefix `user.` is no name, but who may is asked first. @source fs/xattr.c vfs_setxattr, vfs_getxattr */
function* isBarred(k: Kernel, ino: number, fullName: string): Op<boolean> {
  if (fullName !== 'user.') return false;
  return yield* step(k, 'xattr_permission', () => !isPermitted(k, ino, XATTR_INDEX.user));
}

/**
 * @param value  null removes
 * @param only   'create': it must not be there, 'replace': it must
 * @returns      ENOSPC, ENODATA, EEXIST, EPERM, EOPNOTSUPP, ERANGE, E2BIG; of ACLs also EINVAL and EACCES
 * @locks        sb_writers shared ▸ i_rwsem ▸ handle ▸ xattr_sem exclusive
 * @source       fs/xattr.c do_setxattr; fs/ext4/xattr.c ext4_xattr_set
 */
export function* setxattr(
  k: Kernel,
  ino: number,
  fullName: string,
  value: Bytes | null,
  only?: XattrOnly,
): Op<Result<void>> {
  const name = resolveXattrName(fullName);
  if (isErr(name)) return (yield* isBarred(k, ino, fullName)) ? err('EPERM') : name;
  if (value !== null && value.length > XATTR_VALUE_MAX) return err('E2BIG');
  const { nameIndex, name: rest } = name;
  yield* lock(k, sbWriters, 'shared');
  yield* lock(k, iRwsem(ino));
  let ret: Result<void> = undefined;
  for (let retries = 1; ; retries++) {
    ret = yield* tryJournalStart(k);
    if (isErr(ret)) break;
    yield* lock(k, xattrSem(ino));
    ret = yield* step(k, 'ext4_xattr_set_handle', () => {
      if (!isPermitted(k, ino, nameIndex)) return err('EPERM');
      if (isAclIndex(nameIndex)) return setAclXattr(k, ino, nameIndex, value);
      return setXattrHandle(k, ino, nameIndex, rest, value, value === null ? 'replace' : only);
    });
    yield* unlock(k, xattrSem(ino));
    yield* journalStop(k);
    if (!(yield* retryAlloc(k, ret, retries))) break;
  }
  yield* unlock(k, iRwsem(ino));
  yield* unlock(k, sbWriters);
  return ret;
}

/**
 * @returns ENODATA, EOPNOTSUPP, ERANGE
 * @locks   xattr_sem shared
 * @source  fs/xattr.c do_getxattr; fs/ext4/xattr.c ext4_xattr_get
 */
export function* getxattr(k: Kernel, ino: number, fullName: string): Op<Result<Bytes>> {
  const name = resolveXattrName(fullName);
  if (isErr(name)) return (yield* isBarred(k, ino, fullName)) ? err('ENODATA') : name;
  return yield* locked(k, xattrSem(ino), 'shared', 'ext4_xattr_get', (): Result<Bytes> => {
    if (!isPermitted(k, ino, name.nameIndex)) return err('ENODATA');
    const isAcl = isAclIndex(name.nameIndex);
    if (isAcl && isLnk(k.inode(ino).mode)) return err('EOPNOTSUPP');
    const found = findXattr(k, ino, name.nameIndex, name.name);
    if (found === undefined) return err('ENODATA');
    return isErr(found) || !isAcl ? found : aclForUser(found);
  });
}
