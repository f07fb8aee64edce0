/**
 * The file system in the shape of node:fs: the synchronous calls here, the asynchronous ones in `promises`. Errors are
 * `FsError`, with node's fields and messages. Paths are absolute; there is no working directory, `f` is `/f`.
 *
 * Not here: streams, watching. The program is root; times stand still but for `utimesSync`.
 */
import { Bytes } from '../bytes/bytes.ts';
import { isErr, type Result } from '../errno.ts';
import type { Kernel } from '../kernel.ts';
import type { Op } from '../task.ts';
import { linkText } from '../vfs/directory.ts';
import { link, readlink, symlink, unlink } from '../vfs/link.ts';
import { mkdir, rmdir } from '../vfs/mkdir.ts';
import { withPath } from '../vfs/namei.ts';
import { rename } from '../vfs/rename.ts';
import { chmod, chown, type Timespec, utimens } from '../vfs/setattr.ts';
import { getxattr, setxattr } from '../vfs/xattr.ts';
import type { Engine } from './engine.ts';
import { badArgument, FsError } from './errors.ts';
import { parseFlags } from './flags.ts';
import { type FileHandle, isText, type ReadFileOptions, type TextOptions } from './handle.ts';
import type { Mapping } from './mapping.ts';
import { OpenFiles } from './openFiles.ts';
import { readDirectory, statPath } from './ops.ts';
import { FsPromises } from './promises.ts';
import { Stats } from './stats.ts';
import { xattrNames } from './views.ts';

/** Options of writing a whole file. */
export interface WriteFileOptions {
  readonly flag?: string;
  /** Permissions of a new file, before the umask. */
  readonly mode?: number;
}

function timespecOf(time: number | Date): Timespec {
  const seconds = typeof time === 'number' ? time : time.getTime() / 1000;
  if (!Number.isFinite(seconds)) throw badArgument('time', 'must be a finite number or a Date', time);
  const sec = Math.floor(seconds);
  return { sec, nsec: Math.round((seconds - sec) * 1e6) * 1000 };
}

/** `lab.fs`: the calls of `node:fs` that end in `Sync`, and a few that node does not have. */
export class LabFs {
  /** The same, asynchronously: each call runs at once and answers with a promise. */
  readonly promises: FsPromises;
  readonly #engine: Engine;
  readonly #files: OpenFiles;

  /** Made by `createLab`. */
  constructor(engine: Engine, files: OpenFiles = new OpenFiles(engine)) {
    this.#engine = engine;
    this.#files = files;
    this.promises = new FsPromises(this);
  }

  /** Runs a call that names a path. */
  #call<T>(syscall: string, path: string, op: (k: Kernel) => Op<Result<T>>): T {
    const ret = this.#engine.run(op(this.#engine.k));
    if (isErr(ret)) throw new FsError(ret.errno, syscall, path);
    return ret;
  }

  /** Runs a call that names two. */
  #call2(syscall: string, path: string, dest: string, op: (k: Kernel) => Op<Result<void>>): void {
    const ret = this.#engine.run(op(this.#engine.k));
    if (isErr(ret)) throw new FsError(ret.errno, syscall, path, dest);
  }

  // ---- files

  /**
   * @param flags  as node has them: `r`, `r+`, `w`, `wx`, `a+`, `rs+`, …, or O_ bits (O_NOFOLLOW, O_TMPFILE, …)
   * @param mode   permissions of a new file, before the umask of 022
   */
  openSync(path: string, flags: string | number = 'r', mode = 0o666): FileHandle {
    return this.#files.open(path, parseFlags(flags), mode);
  }

  /** What is open, in the order in which it was opened. */
  get openFiles(): readonly FileHandle[] {
    return this.#files.files;
  }

  /** What is mapped. */
  get mappings(): readonly Mapping[] {
    return this.#files.mappings;
  }

  readFileSync(path: string, options?: ReadFileOptions): Uint8Array;
  readFileSync(path: string, options: TextOptions): string;
  readFileSync(path: string, options?: ReadFileOptions | TextOptions): Uint8Array | string {
    const flag = typeof options === 'object' ? options?.flag : undefined;
    return this.#with(path, flag ?? 'r', undefined, (handle) =>
      isText(options) ? handle.readFileSync(options) : handle.readFileSync(),
    );
  }

  writeFileSync(path: string, data: ArrayBufferView | string, options: WriteFileOptions = {}): void {
    this.#with(path, options.flag ?? 'w', options.mode, (handle) => handle.writeFileSync(data));
  }

  appendFileSync(path: string, data: ArrayBufferView | string): void {
    this.writeFileSync(path, data, { flag: 'a' });
  }

  truncateSync(path: string, length = 0): void {
    this.#with(path, 'r+', undefined, (handle) => handle.truncateSync(length));
  }

  #with<T>(path: string, flags: string, mode: number | undefined, body: (handle: FileHandle) => T): T {
    const handle = this.openSync(path, flags, mode);
    try {
      return body(handle);
    } finally {
      if (handle.memory.open) handle.closeSync();
    }
  }

  // ---- names

  existsSync(path: string): boolean {
    return !isErr(this.#engine.run(statPath(this.#engine.k, path, true)));
  }

  accessSync(path: string): void {
    this.#call('access', path, (k) => statPath(k, path, true));
  }

  statSync(path: string): Stats {
    const raw = this.#call('stat', path, (k) => statPath(k, path, true));
    return new Stats(raw, this.#engine.k.blockSize);
  }

  lstatSync(path: string): Stats {
    const raw = this.#call('lstat', path, (k) => statPath(k, path, false));
    return new Stats(raw, this.#engine.k.blockSize);
  }

  /** Names without `.` and `..`, in the order in which the directory has them. */
  readdirSync(path: string): string[] {
    return this.#call('scandir', path, (k) => readDirectory(k, path));
  }

  /** @param mode  permissions, before the umask */
  mkdirSync(path: string, mode: number | { readonly mode?: number } = {}): void {
    const wanted = typeof mode === 'number' ? mode : mode.mode;
    this.#call('mkdir', path, (k) => mkdir(k, path, wanted));
  }

  rmdirSync(path: string): void {
    this.#call('rmdir', path, (k) => rmdir(k, path));
  }

  unlinkSync(path: string): void {
    this.#call('unlink', path, (k) => unlink(k, path));
  }

  renameSync(path: string, dest: string): void {
    this.#call2('rename', path, dest, (k) => rename(k, path, dest));
  }

  linkSync(path: string, dest: string): void {
    this.#call2('link', path, dest, (k) => link(k, path, dest));
  }

  symlinkSync(target: string, path: string): void {
    this.#call2('symlink', target, path, (k) => symlink(k, target, path));
  }

  readlinkSync(path: string): string {
    return linkText(this.#call('readlink', path, (k) => readlink(k, path)));
  }

  // ---- owners, permissions, times

  /** @param mode  permissions, 0 to 0o7777 */
  chmodSync(path: string, mode: number): void {
    this.#call('chmod', path, (k) => withPath(k, path, (ino) => chmod(k, ino, mode)));
  }

  /** @param uid,gid  −1: stays */
  chownSync(path: string, uid: number, gid: number): void {
    const id = (asked: number): number | null => (asked === -1 ? null : asked);
    this.#call('chown', path, (k) => withPath(k, path, (ino) => chown(k, ino, id(uid), id(gid))));
  }

  /** @param atime,mtime  seconds since 1970, with fractions, or a Date */
  utimesSync(path: string, atime: number | Date, mtime: number | Date): void {
    const [read, written] = [timespecOf(atime), timespecOf(mtime)];
    this.#call('utime', path, (k) => withPath(k, path, (ino) => utimens(k, ino, read, written)));
  }

  // ---- attributes; node has none, these are named after the system calls

  setxattrSync(path: string, name: string, value: Uint8Array | string): void {
    const bytes = typeof value === 'string' ? Bytes.fromText(value) : Bytes.copy(value);
    this.#call('setxattr', path, (k) => withPath(k, path, (ino) => setxattr(k, ino, name, bytes)));
  }

  getxattrSync(path: string, name: string): Uint8Array {
    return this.#call('getxattr', path, (k) =>
      withPath(k, path, (ino) => getxattr(k, ino, name)),
    ).toUint8Array();
  }

  removexattrSync(path: string, name: string): void {
    this.#call('removexattr', path, (k) => withPath(k, path, (ino) => setxattr(k, ino, name, null)));
  }

  listxattrSync(path: string): string[] {
    return this.#call('listxattr', path, (k) => withPath(k, path, (ino) => xattrNames(k, ino)));
  }
}
