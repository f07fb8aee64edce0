/** The constants of calls by name, and numbers as those names. Values are those of x86-64 Linux. */

type Table = readonly (readonly [string, number])[];

export const OPEN_FLAGS: Table = [
  ['O_TMPFILE', 0x410000],
  ['O_SYNC', 0x101000],
  ['O_CREAT', 0x40],
  ['O_EXCL', 0x80],
  ['O_NOCTTY', 0x100],
  ['O_TRUNC', 0x200],
  ['O_APPEND', 0x400],
  ['O_NONBLOCK', 0x800],
  ['O_DSYNC', 0x1000],
  ['FASYNC', 0x2000],
  ['O_DIRECT', 0x4000],
  ['O_LARGEFILE', 0x8000],
  ['O_DIRECTORY', 0x10000],
  ['O_NOFOLLOW', 0x20000],
  ['O_NOATIME', 0x40000],
  ['O_CLOEXEC', 0x80000],
  ['O_PATH', 0x200000],
];

export const PROT_FLAGS: Table = [
  ['PROT_READ', 1],
  ['PROT_WRITE', 2],
  ['PROT_EXEC', 4],
  ['PROT_SEM', 8],
  ['PROT_GROWSDOWN', 0x1000000],
  ['PROT_GROWSUP', 0x2000000],
];

export const MAP_FLAGS: Table = [
  ['MAP_SHARED_VALIDATE', 3],
  ['MAP_SHARED', 1],
  ['MAP_PRIVATE', 2],
  ['MAP_FIXED', 0x10],
  ['MAP_ANONYMOUS', 0x20],
  ['MAP_32BIT', 0x40],
  ['MAP_GROWSDOWN', 0x100],
  ['MAP_DENYWRITE', 0x800],
  ['MAP_EXECUTABLE', 0x1000],
  ['MAP_LOCKED', 0x2000],
  ['MAP_NORESERVE', 0x4000],
  ['MAP_POPULATE', 0x8000],
  ['MAP_NONBLOCK', 0x10000],
  ['MAP_STACK', 0x20000],
  ['MAP_HUGETLB', 0x40000],
  ['MAP_SYNC', 0x80000],
  ['MAP_FIXED_NOREPLACE', 0x100000],
];

export const FALLOC_FLAGS: Table = [
  ['FALLOC_FL_KEEP_SIZE', 1],
  ['FALLOC_FL_PUNCH_HOLE', 2],
  ['FALLOC_FL_NO_HIDE_STALE', 4],
  ['FALLOC_FL_COLLAPSE_RANGE', 8],
  ['FALLOC_FL_ZERO_RANGE', 0x10],
  ['FALLOC_FL_INSERT_RANGE', 0x20],
  ['FALLOC_FL_UNSHARE_RANGE', 0x40],
];

export const MSYNC_FLAGS: Table = [
  ['MS_ASYNC', 1],
  ['MS_INVALIDATE', 2],
  ['MS_SYNC', 4],
];

export const SYNC_RANGE_FLAGS: Table = [
  ['SYNC_FILE_RANGE_WAIT_BEFORE', 1],
  ['SYNC_FILE_RANGE_WRITE', 2],
  ['SYNC_FILE_RANGE_WAIT_AFTER', 4],
];

export const RENAME_FLAGS: Table = [
  ['RENAME_NOREPLACE', 1],
  ['RENAME_EXCHANGE', 2],
  ['RENAME_WHITEOUT', 4],
];

export const MOUNT_FLAGS: Table = [
  ['MS_RDONLY', 1],
  ['MS_NOSUID', 2],
  ['MS_NODEV', 4],
  ['MS_NOEXEC', 8],
  ['MS_SYNCHRONOUS', 0x10],
  ['MS_REMOUNT', 0x20],
  ['MS_MANDLOCK', 0x40],
  ['MS_DIRSYNC', 0x80],
  ['MS_NOSYMFOLLOW', 0x100],
  ['MS_NOATIME', 0x400],
  ['MS_NODIRATIME', 0x800],
  ['MS_BIND', 0x1000],
  ['MS_MOVE', 0x2000],
  ['MS_REC', 0x4000],
  ['MS_SILENT', 0x8000],
  ['MS_POSIXACL', 0x10000],
  ['MS_RELATIME', 0x200000],
  ['MS_I_VERSION', 0x800000],
  ['MS_STRICTATIME', 0x1000000],
  ['MS_LAZYTIME', 0x2000000],
];

/** `A|B|0x40000000`; `zero` where no bit is set. */
export function flagNames(table: Table, value: bigint, zero = '0'): string {
  let rest = value & 0xffff_ffffn;
  const names: string[] = [];
  for (const [name, bits] of table) {
    const mask = BigInt(bits);
    if ((rest & mask) !== mask) continue;
    names.push(name);
    rest &= ~mask;
  }
  if (rest !== 0n) names.push(`0x${rest.toString(16)}`);
  return names.length === 0 ? zero : names.join('|');
}

/** The access mode and the rest of open(2)'s flags. */
export function openFlagNames(value: bigint): string {
  const access = ['O_RDONLY', 'O_WRONLY', 'O_RDWR', '3'][Number(value & 3n)]!;
  const names = flagNames(OPEN_FLAGS, value & ~3n, '');
  return names === '' ? access : `${access}|${names}`;
}
