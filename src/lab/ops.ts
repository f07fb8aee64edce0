/**
 * System calls that a scenario has no line for, or has with xfs_io's habits: stat by path, the durability calls with
 * what the plain model promises. Ops like any other: they read like the kernel's entry points, and hold what they
 * looked up until they are done.
 */
import { err, isErr, type Result } from '../errno.ts';
import { isDir } from '../inode/layout.ts';
import type { Kernel } from '../kernel.ts';
import { dirRwsem, locked } from '../locks/lock.ts';
import { modelPromise, modelSnapshot } from '../model.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { pathPut } from '../vfs/evict.ts';
import { listNames, resolve, withPath } from '../vfs/namei.ts';
import { peekRaw } from '../vfs/peek.ts';
import { statOf } from '../vfs/stat.ts';
import { syncFile } from '../writeback/sync.ts';

/** Runs `body` on what a path names, the last symlink not followed. */
function* withPathNofollow<T>(k: Kernel, path: string, body: (ino: number) => Op<Result<T>>): Op<Result<T>> {
  const ino = yield* resolve(k, path, 'nofollow');
  const ret = isErr(ino) ? ino : yield* body(ino);
  yield* call(k, 'path_put', () => pathPut(k));
  return ret;
}

/** The fields of struct stat that the emulator has. Times are seconds since 1970. */
export interface RawStat {
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly blocks: number;
  readonly atime: number;
  readonly mtime: number;
  readonly ctime: number;
  readonly crtime: number;
}

/** @source fs/ext4/inode.c ext4_file_getattr */
export function* statInode(k: Kernel, ino: number): Op<RawStat> {
  return yield* step(k, 'ext4_file_getattr', () => {
    const raw = peekRaw(k, ino);
    const hasCrtime = raw.length > 128 && raw.u16(0x80) >= 0x14;
    return {
      ...statOf(k, ino),
      ino,
      uid: raw.u16(0x02) + raw.u16(0x78) * 0x1_0000,
      gid: raw.u16(0x18) + raw.u16(0x7a) * 0x1_0000,
      atime: raw.u32(0x08),
      ctime: raw.u32(0x0c),
      mtime: raw.u32(0x10),
      crtime: hasCrtime ? raw.u32(0x90) : raw.u32(0x0c),
    };
  });
}

export function* statPath(k: Kernel, path: string, follow: boolean): Op<Result<RawStat>> {
  const body = (ino: number): Op<Result<RawStat>> => statInode(k, ino);
  return yield* follow ? withPath(k, path, body) : withPathNofollow(k, path, body);
}

/** @source fs/readdir.c iterate_dir */
export function* readDirectory(k: Kernel, path: string): Op<Result<string[]>> {
  return yield* withPath<string[]>(k, path, function* (ino) {
    const directory = yield* step(k, 'S_ISDIR?', () => isDir(k.inode(ino).mode));
    if (!directory) return err('ENOTDIR');
    return yield* locked(k, dirRwsem(ino), 'shared', 'iterate_dir', () => listNames(k, ino));
  });
}

/** fsync(2) and fdatasync(2): what the model holds when the call starts is promised when it returns. */
export function* fsyncFile(k: Kernel, ino: number, datasync: boolean): Op<Result<void>> {
  const promise = yield* step(k, 'fsync begins', () => modelSnapshot(k, ino));
  const ret = yield* call(k, 'ext4_sync_file', () => syncFile(k, ino, datasync));
  if (!isErr(ret)) yield* step(k, 'fsync returns', () => modelPromise(k, promise));
  return ret;
}
