/**
 * What a scenario line means once parsed: one `Command` per line, in the words of xfs_io, the shell and our `@`
 * actors. Offsets and lengths are bytes; data is hex text so that a Command is plain JSON.
 */

export type Command =
  // --- files, as xfs_io has them: every lane has a list of open files and one of them is current
  | {
      verb: 'open';
      path: string;
      create: boolean;
      truncate: boolean;
      readonly: boolean;
      append: boolean;
      direct: boolean;
      sync: boolean;
      exclusive: boolean;
      nofollow: boolean;
      directory: boolean;
      tmpfile: boolean;
      /** Permissions of a new file, before the umask of 022. */
      mode: number;
    }
  | { verb: 'close' }
  | { verb: 'file'; index: number }
  /**
   * `fill` repeated, unless `-x HEX` gave literal data. Issued as write(2) calls of at most `block` bytes. With `from` the
   * source is the current mapping, from that byte of its file on, and `data` is empty.
   */
  | {
      verb: 'pwrite';
      offset: number;
      length: number;
      data: string;
      block: number;
      from?: number;
      dsync?: true;
    }
  /** With `into` the target is the current mapping, from that byte of its file on. */
  | { verb: 'pread'; offset: number; length: number; block: number; into?: number }
  // --- mappings: every lane has a list of mappings and one of them is current
  | {
      verb: 'mmap';
      offset: number;
      length: number;
      read: boolean;
      write: boolean;
      exec: boolean;
      shared: boolean;
    }
  | { verb: 'munmap' }
  | { verb: 'mapping'; index: number }
  /** Offsets of mwrite, mread and msync are file offsets, as in xfs_io. */
  | { verb: 'mwrite'; offset: number; length: number; data: string }
  | { verb: 'mread'; offset: number; length: number }
  | { verb: 'msync'; sync: boolean; offset: number; length: number | null }
  /** Without MREMAP_MAYMOVE it does not grow. */
  | { verb: 'mremap'; length: number; mayMove: boolean }
  /** MADV_DONTNEED; null: advice that changes nothing. */
  | { verb: 'madvise'; range: { offset: number; length: number } | 'mapping' | null }
  | { verb: 'mprotect'; read: boolean; write: boolean }
  // --- size, space, durability
  | { verb: 'truncate'; length: number }
  | { verb: 'falloc'; offset: number; length: number; keepSize: boolean }
  | { verb: 'fpunch'; offset: number; length: number }
  | { verb: 'fzero'; offset: number; length: number; keepSize: boolean }
  | { verb: 'fcollapse'; offset: number; length: number }
  | { verb: 'finsert'; offset: number; length: number }
  /** chattr +j and -j on the current file: EXT4_JOURNAL_DATA_FL. */
  | { verb: 'chattr'; journalData: boolean }
  /** sync_file_range(2); a length of 0 reaches to the end. */
  | { verb: 'sync_range'; offset: number; length: number; before: boolean; write: boolean; after: boolean }
  /** copy_file_range(2) into the current file, from a path or from an open file; `length` null: all there is. */
  | { verb: 'copy_range'; path: string | null; file: number; from: number; to: number; length: number | null }
  | { verb: 'fsync' }
  | { verb: 'fdatasync' }
  | { verb: 'sync' }
  | { verb: 'syncfs' }
  // --- questions
  | { verb: 'stat' }
  /** `attribute`: FIEMAP_FLAG_XATTR. */
  | { verb: 'fiemap'; attribute?: true }
  | { verb: 'seek'; whence: 'data' | 'hole'; offset: number }
  // --- names and attributes, as the shell has them
  | { verb: 'mkdir'; path: string; mode: number }
  | { verb: 'rmdir'; path: string }
  | { verb: 'rm'; path: string }
  | { verb: 'mv'; from: string; to: string; noreplace: boolean; exchange: boolean; whiteout: boolean }
  | { verb: 'ln'; from: string; to: string; symbolic: boolean }
  /** linkat(2) of the current file with AT_EMPTY_PATH. */
  | { verb: 'flink'; path: string }
  | { verb: 'readlink'; path: string }
  /** `mode` with the type; the device is 0:0 for a fifo. */
  | { verb: 'mknod'; path: string; mode: number; major: number; minor: number }
  | { verb: 'chmod'; path: string; mode: number }
  /** null: stays. */
  | { verb: 'chown'; path: string; uid: number | null; gid: number | null }
  /** Of the current file. */
  | { verb: 'utimes'; atime: Time; mtime: Time }
  | { verb: 'ls'; path: string }
  /** `only`: XATTR_CREATE or XATTR_REPLACE. */
  | { verb: 'setfattr'; path: string; name: string; value: string; only: 'create' | 'replace' | null }
  | { verb: 'getfattr'; path: string; name: string }
  | { verb: 'rmfattr'; path: string; name: string }
  // --- actors: what no user types
  | { verb: '@writepages'; path: string }
  | { verb: '@flush' }
  | { verb: '@commit' }
  | { verb: '@reclaim'; path: string }
  | { verb: '@drop_caches' }
  | { verb: '@remount' }
  /** Power failure; `flush`: after a shutdown that still writes the log (EXT4_GOING_FLAGS_LOGFLUSH). */
  | { verb: '@crash'; flush: boolean }
  | { verb: '@verity'; path: string }
  | { verb: '@freeze' }
  | { verb: '@thaw' }
  | { verb: '@swapon'; path: string }
  /** The flusher as a lane of its own, for as long as the other lanes run. */
  | { verb: '@flusher' }
  /** The `nth` allocation of memory of the next line fails. */
  | { verb: '@fail-alloc'; nth: number }
  /** As `@fail-alloc`, of starts of handles. */
  | { verb: '@fail-handle'; nth: number }
  /** The dentry of a file goes, and its inode with it where it may. */
  | { verb: '@shrink'; path: string }
  | { verb: '@dontcache'; path: string }
  /** The `nth` allocation of memory of the next line reclaims pages and inode of a file. */
  | { verb: '@direct-reclaim'; nth: number; path: string }
  /** Makes the process of a lane, which waits for it; `task` is its number, once the lanes are known. */
  | { verb: '@fork'; lane: string; task?: number }
  /** A store into the current mapping by get_user_pages that may not retry, as ptrace does it; `data` is hex. */
  | { verb: '@gup'; offset: number; length: number; data: string };

/** Seconds since 1970 and nanoseconds. */
export interface Time {
  readonly sec: number;
  readonly nsec: number;
}

export type Verb = Command['verb'];

/** A command and where it stands, for messages and traces. */
export interface Line {
  /** Lane name, or `setup` / `after`. */
  readonly lane: string;
  /** 1-based position in the lane. */
  readonly line: number;
  readonly text: string;
  readonly command: Command;
}

/**
 * What one line answered: the result of the last system call it made. Shared by the emulator's `run --json` and
 * by kernel recordings, so that they can be compared field by field.
 *
 * `ret` is what the call returned (bytes for pwrite and pread, 0 where there is nothing to say, the offset for
 * seek). `data` is hex: bytes read by pread, mread, getfattr or readlink. `errno` is a name (`ENOSPC`); a fault that raised
 * SIGBUS is `SIGBUS`. Exactly one of `ret` and `errno` is there.
 */
export interface LineResult {
  readonly line: string;
  readonly ret?: number;
  readonly errno?: string;
  readonly data?: string;
  /** stat: size in bytes, blocks in 512-byte units as st_blocks. */
  readonly stat?: {
    readonly size: number;
    readonly blocks: number;
    readonly nlink: number;
    readonly mode: number;
  };
  /** fiemap: one row per extent; flags as the kernel gives them. */
  readonly extents?: readonly { readonly logical: number; readonly length: number; readonly flags: number }[];
  /** ls: names in the order readdir gave them. */
  readonly names?: readonly string[];
}

/** A file as it looks after a line or at the end. */
export interface FileView {
  readonly ino: number;
  readonly size: number;
  /** 512-byte units, as st_blocks. */
  readonly blocks: number;
  /** EXT4_INLINE_DATA_FL as GETFLAGS shows it. */
  readonly inline: boolean;
  /** Hex; the whole file as read(2) gives it. */
  readonly content: string;
}
