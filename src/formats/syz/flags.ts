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

/** Of pwritev2. */
export const RWF_FLAGS: Table = [
  ['RWF_HIPRI', 1],
  ['RWF_DSYNC', 2],
  ['RWF_SYNC', 4],
  ['RWF_NOWAIT', 8],
  ['RWF_APPEND', 0x10],
  ['RWF_NOAPPEND', 0x20],
  ['RWF_ATOMIC', 0x40],
];

/** Of FS_IOC_SETFLAGS. */
export const FILE_FLAGS: Table = [
  ['FS_SECRM_FL', 1],
  ['FS_UNRM_FL', 2],
  ['FS_COMPR_FL', 4],
  ['FS_SYNC_FL', 8],
  ['FS_IMMUTABLE_FL', 0x10],
  ['FS_APPEND_FL', 0x20],
  ['FS_NODUMP_FL', 0x40],
  ['FS_NOATIME_FL', 0x80],
  ['FS_INDEX_FL', 0x1000],
  ['FS_JOURNAL_DATA_FL', 0x4000],
  ['FS_NOTAIL_FL', 0x8000],
  ['FS_DIRSYNC_FL', 0x10000],
  ['FS_TOPDIR_FL', 0x20000],
  ['FS_EXTENT_FL', 0x80000],
  ['FS_DAX_FL', 0x2000000],
  ['FS_INLINE_DATA_FL', 0x10000000],
  ['FS_PROJINHERIT_FL', 0x20000000],
  ['FS_CASEFOLD_FL', 0x40000000],
];

/** Requests of ioctl that change a file or the volume, and are not modelled. @source fs/ext4/ioctl.c __ext4_ioctl */
export const IOCTLS: ReadonlyMap<bigint, string> = new Map([
  [0x40086602n, 'FS_IOC_SETFLAGS'],
  [0x401c5820n, 'FS_IOC_FSSETXATTR'],
  [0x40087602n, 'FS_IOC_SETVERSION'],
  [0x40086604n, 'EXT4_IOC_SETVERSION'],
  [0x40086606n, 'EXT4_IOC_SETRSVSZ'],
  [0x40086607n, 'EXT4_IOC_GROUP_EXTEND'],
  [0x40286608n, 'EXT4_IOC_GROUP_ADD'],
  [0x6609n, 'EXT4_IOC_MIGRATE'],
  [0x660cn, 'EXT4_IOC_ALLOC_DA_BLKS'],
  [0xc028660fn, 'EXT4_IOC_MOVE_EXT'],
  [0x40086610n, 'EXT4_IOC_RESIZE_FS'],
  [0x6611n, 'EXT4_IOC_SWAP_BOOT'],
  [0x800c6613n, 'FS_IOC_SET_ENCRYPTION_POLICY'],
  [0x4004662bn, 'EXT4_IOC_CHECKPOINT'],
  [0x4008662cn, 'EXT4_IOC_SETFSUUID'],
  [0x4004587dn, 'FS_IOC_SHUTDOWN'],
  [0x41009432n, 'FS_IOC_SETFSLABEL'],
  [0xc0185879n, 'FITRIM'],
]);

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
