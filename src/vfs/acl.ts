/**
 * POSIX ACLs of inodes: set and read as xattrs, inherited from the directory, rewritten by chmod(2).
 *
 * They are stored like any xattr, in the inode body where they fit: what is left for inline data shrinks by them.
 *
 * Not modelled: what ACLs are for. Every lane is root.
 */
import { newInode } from '../balloc/ialloc.ts';
import type { Bytes } from '../bytes/bytes.ts';
import { err, isErr, type Result } from '../errno.ts';
import { isDir, isLnk } from '../inode/layout.ts';
import { markInodeDirty } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import {
  type Acl,
  aclAfterChmod,
  aclFromDisk,
  aclFromXattr,
  aclOfNew,
  aclToDisk,
  isValidAcl,
  modeOfAcl,
} from '../xattr/acl.ts';
import { XATTR_INDEX } from '../xattr/names.ts';
import { hold } from './evict.ts';
import { findXattr, setXattrHandle } from './xattrSet.ts';

/** What every lane has. */
const UMASK = 0o022;

/** The names of ACLs by index. */
export const isAclIndex = (index: number): boolean =>
  index === XATTR_INDEX.posixAclAccess || index === XATTR_INDEX.posixAclDefault;

/** Inside a step. @returns null when there is none; EINVAL, EUCLEAN for one that makes no sense */
function aclOf(k: Kernel, ino: number, index: number): Result<Acl | null> {
  const stored = findXattr(k, ino, index, '');
  if (isErr(stored)) return stored;
  return stored === undefined ? null : aclFromDisk(stored);
}

/**
 * What setxattr(2) and removexattr(2) do with an ACL. Inside a step with a handle, under xattr_sem.
 * @param value  as user space passes it; null removes
 * @returns EOPNOTSUPP, EINVAL, EACCES for a default ACL of what is no directory, ENOSPC
 * @source  fs/posix_acl.c do_set_acl, set_posix_acl; fs/ext4/acl.c ext4_set_acl
 */
export function setAclXattr(k: Kernel, ino: number, index: number, value: Bytes | null): Result<void> {
  const acl = value === null ? null : aclFromXattr(value);
  if (isErr(acl)) return acl;
  const { mode } = k.inode(ino);
  if (isLnk(mode)) return err('EOPNOTSUPP');
  if (index === XATTR_INDEX.posixAclDefault && !isDir(mode)) return acl === null ? undefined : err('EACCES');
  if (acl !== null && !isValidAcl(acl)) return err('EINVAL');
  return setAcl(k, ino, index, acl);
}

/** @source fs/ext4/acl.c ext4_set_acl */
function setAcl(k: Kernel, ino: number, index: number, acl: Acl | null): Result<void> {
  const inode = k.inode(ino);
  const said =
    index === XATTR_INDEX.posixAclAccess && acl !== null
      ? modeOfAcl(acl, inode.mode)
      : { mode: inode.mode, equivalent: acl === null };
  const stored = said.equivalent || acl === null ? null : aclToDisk(acl);
  const set = setXattrHandle(k, ino, index, '', stored);
  if (isErr(set) && !(stored === null && set.errno === 'ENODATA')) return set;
  if (said.mode === inode.mode) return;
  inode.mode = said.mode;
  markInodeDirty(k, ino);
}

/** The access ACL after chmod(2). Inside a step with a handle, under xattr_sem. @source fs/posix_acl.c posix_acl_chmod */
export function chmodAcl(k: Kernel, ino: number): Result<void> {
  const acl = aclOf(k, ino, XATTR_INDEX.posixAclAccess);
  if (isErr(acl) || acl === null) return isErr(acl) ? acl : undefined;
  return setAcl(k, ino, XATTR_INDEX.posixAclAccess, aclAfterChmod(acl, k.inode(ino).mode));
}

/**
 * A new inode with what it gets of its directory's default ACL; without one, of the umask. Inside a step with a handle.
 * @param wanted  its mode, before the umask
 * @param name    a directory's own
 * @returns its number; ENOSPC, EINVAL for a default ACL that makes no sense
 * @source  fs/ext4/ialloc.c __ext4_new_inode; fs/ext4/acl.c ext4_init_acl; fs/posix_acl.c posix_acl_create
 */
export function newInodeIn(k: Kernel, dir: number, wanted: number, name: Bytes): Result<number> {
  if (isLnk(wanted)) return newInode(k, dir, wanted, name);
  const defaults = aclOf(k, dir, XATTR_INDEX.posixAclDefault);
  if (isErr(defaults)) return defaults;
  if (defaults === null) return newInode(k, dir, wanted & ~UMASK, name);
  const { mode, access } = aclOfNew(defaults, wanted);
  const ino = newInode(k, dir, mode, name);
  if (isErr(ino)) return ino;
  const inherited: [number, Acl][] = isDir(mode) ? [[XATTR_INDEX.posixAclDefault, defaults]] : [];
  if (access !== null) inherited.push([XATTR_INDEX.posixAclAccess, access]);
  for (const [index, acl] of inherited) {
    const set = setXattrHandle(k, ino, index, '', aclToDisk(acl));
    if (isErr(set)) {
      k.inode(ino).nlink = 0;
      k.inode(ino).unlinked = true;
      hold(k, ino);
      return set;
    }
  }
  return ino;
}
