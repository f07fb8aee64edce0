/**
 * The file system in the shape of node:fs: the synchronous calls here, the asynchronous ones in `promises`. Errors are
 * `FsError`, with node's fields and messages. Paths are absolute; there is no working directory, `f` is `/f`.
 *
 * Not here: streams, watching, permissions (the program is root), times (they stand still).
 */
import { Bytes } from '../bytes/bytes.ts';
import { isErr, type Result } from '../errno.ts';
import type { Kernel } from '../kernel.ts';
import type { Op } from '../task.ts';
import { link, symlink, unlink } from '../vfs/link.ts';
import { mkdir, rmdir } from '../vfs/mkdir.ts';
import { withPath } from '../vfs/namei.ts';
import { rename } from '../vfs/rename.ts';
import { getxattr, setxattr } from '../vfs/xattr.ts';
import type { Engine } from './engine.ts';
import { FsError } from './errors.ts';
import { parseFlags } from './flags.ts';
import { type FileHandle, isText, type ReadFileOptions, type TextOptions } from './handle.ts';
import type { Mapping } from './mapping.ts';
import { OpenFiles } from './openFiles.ts';
import { readDirectory, readLinkAt, statPath } from './ops.ts';
import { FsPromises } from './promises.ts';
import { Stats } from './stats.ts';
import { xattrNames } from './views.ts';

/** Options of writing a whole file. */
export interface WriteFileOptions {
  readonly flag?: string;
}

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

  /** @param flags  as node has them: `r`, `r+`, `w`, `wx`, `a+`, `rs+`, …, or O_ bits */
  openSync(path: string, flags: string | number = 'r'): FileHandle {
    return this.#files.open(path, parseFlags(flags));
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
    return this.#with(path, flag ?? 'r', (handle) =>
      isText(options) ? handle.readFileSync(options) : handle.readFileSync(),
    );
  }

  writeFileSync(path: string, data: ArrayBufferView | string, options: WriteFileOptions = {}): void {
    this.#with(path, options.flag ?? 'w', (handle) => handle.writeFileSync(data));
  }

  appendFileSync(path: string, data: ArrayBufferView | string): void {
    this.writeFileSync(path, data, { flag: 'a' });
  }

  truncateSync(path: string, length = 0): void {
    this.#with(path, 'r+', (handle) => handle.truncateSync(length));
  }

  #with<T>(path: string, flags: string, body: (handle: FileHandle) => T): T {
    const handle = this.openSync(path, flags);
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

  mkdirSync(path: string): void {
    this.#call('mkdir', path, (k) => mkdir(k, path));
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
    return this.#call('readlink', path, (k) => readLinkAt(k, path));
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
