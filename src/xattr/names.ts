/**
 * Xattr names: the text a user types, and the (index, name) pair on disk.
 *
 * | index | prefix                    | rest                                             |
 * |-------|---------------------------|--------------------------------------------------|
 * | 1     | `user.`                   | any                                              |
 * | 2, 3  | `system.posix_acl_access`, `system.posix_acl_default` | empty                |
 * | 4     | `trusted.`                | any                                              |
 * | 6     | `security.`               | any                                              |
 * | 7     | (no handler) `system.`    | `data` is inline data: neither get, set nor list |
 * | 10    | `gnu.`                    | any                                              |
 *
 * On disk and in this package a name is a byte string: one char per byte. `resolveXattrName` encodes text as UTF-8.
 *
 * Not here: who may (xattr_permission: user. on files and directories only, trusted. for CAP_SYS_ADMIN), and the
 * on-disk form of ACLs, which differs from the value that user space passes.
 */
import { err, type Result } from '../errno.ts';

/** @source fs/ext4/xattr.h EXT4_XATTR_INDEX_* */
export const XATTR_INDEX = {
  user: 1,
  posixAclAccess: 2,
  posixAclDefault: 3,
  trusted: 4,
  lustre: 5,
  security: 6,
  system: 7,
  richacl: 8,
  encryption: 9,
  hurd: 10,
} as const;

/** @source include/uapi/linux/limits.h XATTR_NAME_MAX, XATTR_SIZE_MAX */
export const XATTR_NAME_MAX = 255;
export const XATTR_VALUE_MAX = 65536;

export interface XattrName {
  readonly nameIndex: number;
  /** One char per byte, without the prefix. */
  readonly name: string;
}

/** Handlers with a prefix and a rest that must not be empty. */
const prefixes: readonly (readonly [prefix: string, nameIndex: number])[] = [
  ['user.', XATTR_INDEX.user],
  ['trusted.', XATTR_INDEX.trusted],
  ['security.', XATTR_INDEX.security],
  ['gnu.', XATTR_INDEX.hurd],
];

/** Handlers whose whole name is fixed. */
const wholeNames: readonly (readonly [name: string, nameIndex: number])[] = [
  ['system.posix_acl_access', XATTR_INDEX.posixAclAccess],
  ['system.posix_acl_default', XATTR_INDEX.posixAclDefault],
];

/**
 * What a name that a system call got stands for.
 * @param text  as typed, Unicode
 * @returns     ERANGE when empty or longer than 255 bytes; EINVAL for a bare prefix; EOPNOTSUPP when nobody handles
 *              it (`system.data`, `foo`)
 * @source      fs/xattr.c import_xattr_name, xattr_resolve_name; fs/ext4/xattr.c ext4_xattr_handlers
 */
export function resolveXattrName(text: string): Result<XattrName> {
  const bytes = toByteString(text);
  if (bytes.length === 0 || bytes.length > XATTR_NAME_MAX) return err('ERANGE');
  for (const [name, nameIndex] of wholeNames) if (bytes === name) return { nameIndex, name: '' };
  for (const [prefix, nameIndex] of prefixes) {
    if (!bytes.startsWith(prefix)) continue;
    return bytes.length === prefix.length ? err('EINVAL') : { nameIndex, name: bytes.slice(prefix.length) };
  }
  return err('EOPNOTSUPP');
}

/**
 * What listxattr(2) prints, undefined for what it leaves out: every index without a handler, system.data among them.
 * `trusted.` is listed for CAP_SYS_ADMIN only.
 * @source fs/ext4/xattr.c ext4_xattr_prefix
 */
export function listedXattrName(nameIndex: number, name: string): string | undefined {
  for (const [whole, index] of wholeNames) if (index === nameIndex) return fromByteString(whole + name);
  for (const [prefix, index] of prefixes) if (index === nameIndex) return fromByteString(prefix + name);
  return undefined;
}

/** A name for people, whatever the index: as listed, or what e2fsprogs would print, or `7:rest` when unknown. */
export function xattrLabel(nameIndex: number, name: string): string {
  const listed = listedXattrName(nameIndex, name);
  if (listed !== undefined) return listed;
  const text = fromByteString(name);
  switch (nameIndex) {
    case XATTR_INDEX.system:
      return `system.${text}`;
    case XATTR_INDEX.lustre:
      return `lustre.${text}`;
    case XATTR_INDEX.richacl:
      return `system.richacl${text}`;
    default:
      return `${nameIndex}:${text}`;
  }
}

/** Text to byte string: UTF-8, one char per byte. */
export function toByteString(text: string): string {
  let bytes = '';
  for (const byte of new TextEncoder().encode(text)) bytes += String.fromCharCode(byte);
  return bytes;
}

/** Byte string to text; bytes that are not UTF-8 become U+FFFD. */
export function fromByteString(bytes: string): string {
  return new TextDecoder().decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
}
