/**
 * POSIX ACLs: the form in which user space passes them (`system.posix_acl_access`, `system.posix_acl_default`), the
 * shorter one in which ext4 stores them, and how they and the permission bits of a mode follow each other.
 *
 * ```
 * user space   version 2 u32 │ tag u16, perm u16, id u32 │ …            id is −1 where the tag needs none
 * on disk      version 1 u32 │ tag u16, perm u16         │ …, and id u32 behind USER and GROUP only
 * ```
 *
 * Entries stand in the order USER_OBJ, USER…, GROUP_OBJ, GROUP…, MASK, OTHER; MASK is there when a USER or GROUP is.
 */
import { Bytes } from '../bytes/bytes.ts';
import { err, isErr, type Result } from '../errno.ts';

/** @source include/uapi/linux/posix_acl.h ACL_USER_OBJ, … */
const TAG = { userObj: 0x01, user: 0x02, groupObj: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const;
const NO_ID = 0xffff_ffff;
/** @source include/uapi/linux/posix_acl_xattr.h POSIX_ACL_XATTR_VERSION */
const XATTR_VERSION = 2;
/** @source fs/ext4/acl.h EXT4_ACL_VERSION */
const DISK_VERSION = 1;
const HEADER = 4;
const SHORT = 4;
const LONG = 8;

export interface AclEntry {
  readonly tag: number;
  /** 0…7. */
  readonly perm: number;
  /** Of USER and GROUP; −1 as unsigned for the others. */
  readonly id: number;
}
export type Acl = readonly AclEntry[];

const hasId = (tag: number): boolean => tag === TAG.user || tag === TAG.group;
const isTag = (tag: number): boolean => (Object.values(TAG) as number[]).includes(tag);

/**
 * What setxattr(2) got.
 * @returns null for an ACL without entries; EOPNOTSUPP for another version, EINVAL for what makes no sense
 * @source  fs/posix_acl.c posix_acl_from_xattr, posix_acl_valid
 */
export function aclFromXattr(value: Bytes): Result<Acl | null> {
  if (value.length === 0) return null;
  if (value.length < HEADER) return err('EINVAL');
  if (value.u32(0) !== XATTR_VERSION) return err('EOPNOTSUPP');
  if ((value.length - HEADER) % LONG !== 0) return err('EINVAL');
  if (value.length === HEADER) return null;
  const acl: AclEntry[] = [];
  for (let at = HEADER; at < value.length; at += LONG) {
    const [tag, perm, id] = [value.u16(at), value.u16(at + 2), value.u32(at + 4)];
    if (!isTag(tag)) return err('EINVAL');
    acl.push({ tag, perm, id: hasId(tag) ? id : NO_ID });
  }
  return acl;
}

/** Are entries, order and mask as they must be? @source fs/posix_acl.c posix_acl_valid */
export function isValidAcl(acl: Acl): boolean {
  const rank = (tag: number): number => Math.log2(tag);
  const count = (tag: number): number => acl.filter((entry) => entry.tag === tag).length;
  for (const [i, { tag, perm, id }] of acl.entries()) {
    if (perm > 7 || (hasId(tag) && id === NO_ID)) return false;
    if (i > 0 && rank(tag) < rank(acl[i - 1]!.tag)) return false;
  }
  const masks = count(TAG.mask);
  const needsMask = count(TAG.user) + count(TAG.group) > 0;
  const once = count(TAG.userObj) === 1 && count(TAG.groupObj) === 1 && count(TAG.other) === 1;
  return once && masks <= 1 && (masks === 1 || !needsMask);
}

/** What getxattr(2) gives. @source fs/posix_acl.c posix_acl_to_xattr */
export function aclToXattr(acl: Acl): Bytes {
  let value = Bytes.zero(HEADER + LONG * acl.length).putU32(0, XATTR_VERSION);
  for (const [i, { tag, perm, id }] of acl.entries()) {
    const at = HEADER + LONG * i;
    value = value
      .putU16(at, tag)
      .putU16(at + 2, perm)
      .putU32(at + 4, id);
  }
  return value;
}

/** The value as it is stored. @source fs/ext4/acl.c ext4_acl_to_disk */
export function aclToDisk(acl: Acl): Bytes {
  const size = acl.reduce((sum, { tag }) => sum + (hasId(tag) ? LONG : SHORT), HEADER);
  let value = Bytes.zero(size).putU32(0, DISK_VERSION);
  let at = HEADER;
  for (const { tag, perm, id } of acl) {
    value = value.putU16(at, tag).putU16(at + 2, perm);
    if (hasId(tag)) value = value.putU32(at + 4, id);
    at += hasId(tag) ? LONG : SHORT;
  }
  return value;
}

/**
 * A stored value.
 * @returns null for one without entries; EINVAL for what makes no sense
 * @source  fs/ext4/acl.c ext4_acl_from_disk
 */
export function aclFromDisk(value: Bytes): Result<Acl | null> {
  if (value.length < HEADER || value.u32(0) !== DISK_VERSION) return err('EINVAL');
  const acl: AclEntry[] = [];
  for (let at = HEADER; at < value.length; ) {
    if (at + SHORT > value.length) return err('EINVAL');
    const [tag, perm] = [value.u16(at), value.u16(at + 2)];
    if (!isTag(tag) || (hasId(tag) && at + LONG > value.length)) return err('EINVAL');
    acl.push({ tag, perm, id: hasId(tag) ? value.u32(at + 4) : NO_ID });
    at += hasId(tag) ? LONG : SHORT;
  }
  return acl.length === 0 ? null : acl;
}

/** A stored value as getxattr(2) gives it; as it is when it makes no sense. */
export function aclForUser(stored: Bytes): Bytes {
  const acl = aclFromDisk(stored);
  return acl === null || isErr(acl) ? stored : aclToXattr(acl);
}

/**
 * The mode that an access ACL brings.
 * @returns `equivalent`: the mode says it all, and no ACL is stored
 * @source  fs/posix_acl.c posix_acl_equiv_mode
 */
export function modeOfAcl(acl: Acl, mode: number): { mode: number; equivalent: boolean } {
  let bits = 0;
  for (const { tag, perm } of acl) {
    if (tag === TAG.userObj) bits |= perm << 6;
    else if (tag === TAG.groupObj) bits |= perm << 3;
    else if (tag === TAG.other) bits |= perm;
    else if (tag === TAG.mask) bits = (bits & ~0o070) | (perm << 3);
  }
  return { mode: (mode & ~0o777) | bits, equivalent: !acl.some(({ tag }) => hasId(tag) || tag === TAG.mask) };
}

/** An ACL after chmod(2). @source fs/posix_acl.c __posix_acl_chmod_masq */
export function aclAfterChmod(acl: Acl, mode: number): Acl {
  const group = acl.some(({ tag }) => tag === TAG.mask) ? TAG.mask : TAG.groupObj;
  return acl.map((entry) => {
    if (entry.tag === TAG.userObj) return { ...entry, perm: (mode >> 6) & 7 };
    if (entry.tag === group) return { ...entry, perm: (mode >> 3) & 7 };
    return entry.tag === TAG.other ? { ...entry, perm: mode & 7 } : entry;
  });
}

/**
 * What a new inode gets of its directory's default ACL: each permission that both ACL and mode grant.
 * @returns `access`: null when the mode says it all
 * @source  fs/posix_acl.c posix_acl_create_masq
 */
export function aclOfNew(defaults: Acl, wanted: number): { mode: number; access: Acl | null } {
  const group = defaults.some(({ tag }) => tag === TAG.mask) ? TAG.mask : TAG.groupObj;
  const shift = new Map<number, number>([
    [TAG.userObj, 6],
    [group, 3],
    [TAG.other, 0],
  ]);
  let mode = wanted;
  const access = defaults.map((entry) => {
    const by = shift.get(entry.tag);
    if (by === undefined) return entry;
    const perm = entry.perm & (wanted >> by) & 7;
    mode = (mode & ~(7 << by)) | (perm << by);
    return { ...entry, perm };
  });
  return { mode, access: modeOfAcl(defaults, 0).equivalent ? null : access };
}
