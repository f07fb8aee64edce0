/**
 * An open file, in the shape of node:fs: every call of node that takes a file descriptor is a method here. Offsets and
 * lengths are bytes. A `position` that is left out is the handle's own, which moves on; O_APPEND writes at the end.
 */
import { Bytes } from '../bytes/bytes.ts';
import { isErr } from '../errno.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { fallocate } from '../vfs/fallocate.ts';
import { mmap } from '../vfs/mmap.ts';
import { pread, pwrite } from '../vfs/rw.ts';
import { ftruncate } from '../vfs/truncate.ts';
import type { Engine } from './engine.ts';
import { FsError, outOfRange } from './errors.ts';
import type { Flags } from './flags.ts';
import type { Mapping, MmapOptions } from './mapping.ts';
import type { OpenFiles } from './openFiles.ts';
import { fsyncFile, statInode } from './ops.ts';
import { Stats } from './stats.ts';

/** Where a read or a write goes; null or left out: the handle's position. */
export type Position = number | bigint | null;

/** node's second form of the arguments of `read` and `write`. */
export interface Span {
  readonly offset?: number;
  readonly length?: number;
  readonly position?: Position;
}

/** An open file, in the shape of node's `FileHandle`, without promises. */
export class FileHandle {
  /** A number as node has it: the smallest that was free when the file was opened. */
  readonly fd: number;
  readonly ino: number;
  readonly #engine: Engine;
  readonly #files: OpenFiles;
  readonly #k: Kernel;
  readonly #flags: Flags;
  readonly #directory: boolean;
  #open = true;
  #position = 0;

  /** Made by `openSync`. */
  constructor(files: OpenFiles, fd: number, ino: number, flags: Flags, directory: boolean) {
    this.#files = files;
    this.#engine = files.engine;
    this.#k = files.engine.k;
    this.fd = fd;
    this.ino = ino;
    this.#flags = flags;
    this.#directory = directory;
  }

  #live(syscall: string): void {
    if (!this.#open) throw new FsError('EBADF', syscall);
  }

  /**
   * Reads into `buffer`.
   * @returns bytes read; 0 at the end of the file
   */
  readSync(
    buffer: ArrayBufferView,
    offset?: number | Span | null,
    length?: number | null,
    position?: Position,
  ): number {
    if (typeof offset === 'object' && offset !== null) ({ offset, length, position } = offset);
    const target = viewOf(buffer);
    const at = offset ?? 0;
    const count = length ?? target.length - at;
    checkSpan(target, at, count, target.length);
    if (!this.#open || !this.#flags.read) throw new FsError('EBADF', 'read');
    if (this.#directory) throw new FsError('EISDIR', 'read');
    const pos = placeOf(position);
    const got = this.#engine.run(pread(this.#k, this.ino, pos ?? this.#position, count, this.#flags.direct));
    if (isErr(got)) throw new FsError(got.errno, 'read');
    got.copyTo(target, at);
    if (pos === null) this.#position += got.length;
    return got.length;
  }

  /**
   * Writes from `buffer`, or a text as UTF-8 (then the second argument is the position, as in node).
   * @returns bytes written; fewer when the volume fills up on the way
   */
  writeSync(
    buffer: ArrayBufferView | string,
    offset?: number | Span | null,
    length?: number | string | null,
    position?: Position,
  ): number {
    if (typeof buffer === 'string') {
      position = typeof offset === 'number' ? offset : null;
      buffer = new TextEncoder().encode(buffer);
      offset = 0;
      length = buffer.byteLength;
    }
    if (typeof offset === 'object' && offset !== null) ({ offset, length, position } = offset);
    const source = viewOf(buffer);
    const at = offset ?? 0;
    const count = (length as number | null | undefined) ?? source.length - at;
    checkSpan(source, at, count, source.length - at);
    if (!this.#open || !this.#flags.write) throw new FsError('EBADF', 'write');
    const pos = placeOf(position);
    const k = this.#k;
    // Lent for the time of the call: the kernel copies what it keeps.
    const data = Bytes.adopt(count === source.length ? source : source.subarray(at, at + count));
    const ret = this.#engine.run(pwrite(k, this.ino, pos ?? this.#position, data, this.#flags));
    if (isErr(ret)) throw new FsError(ret.errno, 'write');
    if (pos === null) this.#position = this.#flags.append ? k.inode(this.ino).size : this.#position + ret;
    return ret;
  }

  /** The whole file from where the handle stands; with an encoding, as text. */
  readFileSync(options?: ReadFileOptions): Uint8Array;
  readFileSync(options: TextOptions): string;
  readFileSync(options?: ReadFileOptions | TextOptions): Uint8Array | string {
    this.#live('fstat');
    if (this.#directory) throw new FsError('EISDIR', 'read');
    const room = new Uint8Array(Math.max(0, this.#k.inode(this.ino).size - this.#position));
    const bytes = room.subarray(0, this.readSync(room));
    return isText(options) ? new TextDecoder().decode(bytes) : bytes;
  }

  /** Writes all of `data` where the handle stands. */
  writeFileSync(data: ArrayBufferView | string): void {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : viewOf(data);
    for (let done = 0; done < bytes.length; ) done += this.writeSync(bytes, done, bytes.length - done);
  }

  /**
   * A negative length is 0, as in node.
   * @throws FsError EINVAL for a handle that is not open for writing
   */
  truncateSync(length = 0): void {
    if (!Number.isSafeInteger(length)) throw outOfRange('len', 'an integer', length);
    this.#live('ftruncate');
    if (!this.#flags.write) throw new FsError('EINVAL', 'ftruncate');
    this.#check('ftruncate', this.#engine.run(ftruncate(this.#k, this.ino, Math.max(0, length))));
  }

  /** fallocate(2): blocks for [offset, offset + length), or with `punch` a hole there. Not in node. */
  fallocateSync(offset: number, length: number, mode: 'allocate' | 'keep-size' | 'punch' = 'allocate'): void {
    this.#live('fallocate');
    if (!this.#flags.write) throw new FsError('EBADF', 'fallocate');
    const request = {
      mode: mode === 'punch' ? ('punch' as const) : ('allocate' as const),
      keepSize: mode === 'keep-size',
      offset,
      length,
    };
    this.#check('fallocate', this.#engine.run(fallocate(this.#k, this.ino, request)));
  }

  statSync(): Stats {
    this.#live('fstat');
    return new Stats(this.#engine.run(statInode(this.#k, this.ino)), this.#k.blockSize);
  }

  fsyncSync(): void {
    this.#live('fsync');
    this.#check('fsync', this.#engine.run(fsyncFile(this.#k, this.ino, false)));
  }

  fdatasyncSync(): void {
    this.#live('fdatasync');
    this.#check('fdatasync', this.#engine.run(fsyncFile(this.#k, this.ino, true)));
  }

  /**
   * mmap(2). The mapping outlives the handle.
   * @throws FsError EACCES when the file is not open for what is asked, ENODEV for a directory, EINVAL
   */
  mmapSync(options: MmapOptions): Mapping {
    this.#live('mmap');
    const { read, write } = this.#flags;
    const { length, offset = 0, prot = write ? 'rw' : 'r', flags = 'shared' } = options;
    if (!(length > 0) || offset < 0 || offset % PAGE_SIZE !== 0) throw new FsError('EINVAL', 'mmap');
    const shared = flags === 'shared';
    if (!read || (prot.includes('w') && shared && !write)) throw new FsError('EACCES', 'mmap');
    if (this.#directory) throw new FsError('ENODEV', 'mmap');
    const slot = this.#engine.run(
      mmap(this.#k, {
        ...{ ino: this.ino, file: this.#files.idOf(this), offset, length, shared },
        ...{ read: prot.includes('r'), write: prot.includes('w'), mayWrite: write },
      }),
    );
    if (isErr(slot)) throw new FsError(slot.errno, 'mmap');
    return this.#files.addMapping(slot, offset, length);
  }

  closeSync(): void {
    this.#live('close');
    this.#files.close(this);
  }

  [Symbol.dispose](): void {
    if (this.#open) this.closeSync();
  }

  #check(syscall: string, ret: unknown): void {
    if (isErr(ret)) throw new FsError(ret.errno, syscall);
  }

  /** What `restore` brings back. @internal */
  get memory(): HandleMemory {
    return { open: this.#open, position: this.#position };
  }

  /** @internal */
  set memory({ open, position }: HandleMemory) {
    this.#open = open;
    this.#position = position;
  }
}

/** What of a handle is not in the kernel's state. */
export interface HandleMemory {
  readonly open: boolean;
  readonly position: number;
}

/** Bytes are given back as they are. */
export type ReadFileOptions = null | { readonly encoding?: null; readonly flag?: string };
/** Bytes are given back as text. */
export type TextOptions = 'utf8' | 'utf-8' | { readonly encoding: 'utf8' | 'utf-8'; readonly flag?: string };

export const isText = (options: ReadFileOptions | TextOptions | undefined): options is TextOptions =>
  typeof options === 'string' || (options?.encoding ?? null) !== null;

const viewOf = (buffer: ArrayBufferView): Uint8Array =>
  buffer instanceof Uint8Array ? buffer : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);

function placeOf(position: Position | undefined): number | null {
  if (position === undefined || position === null) return null;
  const pos = Number(position);
  if (pos === -1) return null;
  if (!(Number.isSafeInteger(pos) && pos >= 0))
    throw outOfRange('position', `>= -1 && <= ${Number.MAX_SAFE_INTEGER}`, position);
  return pos;
}

function checkSpan(bytes: Uint8Array, offset: number, length: number, room: number): void {
  if (!(Number.isInteger(offset) && offset >= 0 && offset <= bytes.length))
    throw outOfRange('offset', `>= 0 && <= ${bytes.length}`, offset);
  if (!(Number.isInteger(length) && length >= 0 && length <= room && offset + length <= bytes.length))
    throw outOfRange('length', `>= 0 && <= ${Math.min(room, bytes.length - offset)}`, length);
}
