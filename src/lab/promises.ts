/**
 * `fs.promises`: the calls of `fs.ts` and `handle.ts` in node's asynchronous shape. Each runs to its end when it is
 * made; only the answer is handed over later, so calls take effect in the order in which they are written.
 */
import type { LabFs, WriteFileOptions } from './fs.ts';
import type { FileHandle, Position, ReadFileOptions, Span, TextOptions } from './handle.ts';
import { isText } from './handle.ts';
import type { Mapping, MmapOptions } from './mapping.ts';
import type { Stats } from './stats.ts';

/** An open file whose calls answer with promises; `sync` is the same file in the synchronous shape. */
export class PromiseHandle {
  readonly handle: FileHandle;

  /** Made by `promises.open`. */
  constructor(handle: FileHandle) {
    this.handle = handle;
  }

  get fd(): number {
    return this.handle.fd;
  }

  async read<B extends ArrayBufferView>(
    buffer: B,
    offset?: number | Span | null,
    length?: number | null,
    position?: Position,
  ): Promise<{ bytesRead: number; buffer: B }> {
    return { bytesRead: this.handle.readSync(buffer, offset, length, position), buffer };
  }

  async write<B extends ArrayBufferView | string>(
    buffer: B,
    offset?: number | Span | null,
    length?: number | string | null,
    position?: Position,
  ): Promise<{ bytesWritten: number; buffer: B }> {
    return { bytesWritten: this.handle.writeSync(buffer, offset, length, position), buffer };
  }

  readFile(options?: ReadFileOptions): Promise<Uint8Array>;
  readFile(options: TextOptions): Promise<string>;
  async readFile(options?: ReadFileOptions | TextOptions): Promise<Uint8Array | string> {
    return isText(options) ? this.handle.readFileSync(options) : this.handle.readFileSync();
  }

  async writeFile(data: ArrayBufferView | string): Promise<void> {
    this.handle.writeFileSync(data);
  }

  async truncate(length?: number): Promise<void> {
    this.handle.truncateSync(length);
  }

  async stat(): Promise<Stats> {
    return this.handle.statSync();
  }

  async sync(): Promise<void> {
    this.handle.fsyncSync();
  }

  async datasync(): Promise<void> {
    this.handle.fdatasyncSync();
  }

  async mmap(options: MmapOptions): Promise<Mapping> {
    return this.handle.mmapSync(options);
  }

  async close(): Promise<void> {
    this.handle.closeSync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.handle[Symbol.dispose]();
  }
}

/** `lab.fs.promises`: the calls of `node:fs/promises`. They are carried out at once; only the answer is a promise. */
export class FsPromises {
  readonly #fs: LabFs;

  constructor(fs: LabFs) {
    this.#fs = fs;
  }

  async open(path: string, flags?: string | number, mode?: number): Promise<PromiseHandle> {
    return new PromiseHandle(this.#fs.openSync(path, flags, mode));
  }

  readFile(path: string, options?: ReadFileOptions): Promise<Uint8Array>;
  readFile(path: string, options: TextOptions): Promise<string>;
  async readFile(path: string, options?: ReadFileOptions | TextOptions): Promise<Uint8Array | string> {
    return isText(options) ? this.#fs.readFileSync(path, options) : this.#fs.readFileSync(path, options);
  }

  async writeFile(path: string, data: ArrayBufferView | string, options?: WriteFileOptions): Promise<void> {
    this.#fs.writeFileSync(path, data, options);
  }

  async appendFile(path: string, data: ArrayBufferView | string): Promise<void> {
    this.#fs.appendFileSync(path, data);
  }

  async truncate(path: string, length?: number): Promise<void> {
    this.#fs.truncateSync(path, length);
  }

  async access(path: string): Promise<void> {
    this.#fs.accessSync(path);
  }

  async stat(path: string): Promise<Stats> {
    return this.#fs.statSync(path);
  }

  async lstat(path: string): Promise<Stats> {
    return this.#fs.lstatSync(path);
  }

  async readdir(path: string): Promise<string[]> {
    return this.#fs.readdirSync(path);
  }

  async mkdir(path: string, mode?: number | { readonly mode?: number }): Promise<void> {
    this.#fs.mkdirSync(path, mode);
  }

  async rmdir(path: string): Promise<void> {
    this.#fs.rmdirSync(path);
  }

  async unlink(path: string): Promise<void> {
    this.#fs.unlinkSync(path);
  }

  async rename(path: string, dest: string): Promise<void> {
    this.#fs.renameSync(path, dest);
  }

  async link(path: string, dest: string): Promise<void> {
    this.#fs.linkSync(path, dest);
  }

  async symlink(target: string, path: string): Promise<void> {
    this.#fs.symlinkSync(target, path);
  }

  async readlink(path: string): Promise<string> {
    return this.#fs.readlinkSync(path);
  }

  async chmod(path: string, mode: number): Promise<void> {
    this.#fs.chmodSync(path, mode);
  }

  async chown(path: string, uid: number, gid: number): Promise<void> {
    this.#fs.chownSync(path, uid, gid);
  }

  async utimes(path: string, atime: number | Date, mtime: number | Date): Promise<void> {
    this.#fs.utimesSync(path, atime, mtime);
  }

  async setxattr(path: string, name: string, value: Uint8Array | string): Promise<void> {
    this.#fs.setxattrSync(path, name, value);
  }

  async getxattr(path: string, name: string): Promise<Uint8Array> {
    return this.#fs.getxattrSync(path, name);
  }

  async removexattr(path: string, name: string): Promise<void> {
    this.#fs.removexattrSync(path, name);
  }

  async listxattr(path: string): Promise<string[]> {
    return this.#fs.listxattrSync(path);
  }
}
