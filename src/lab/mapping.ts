/**
 * A mapping of a file into the program's address space: loads and stores that fault, msync, munmap. Offsets count from
 * the start of the mapping.
 */
import { Bytes } from '../bytes/bytes.ts';
import { isErr } from '../errno.ts';
import { unmapFile } from '../vfs/file.ts';
import { load, mprotect, msync, store } from '../vfs/mmap.ts';
import type { Engine } from './engine.ts';
import { FsError, outOfRange } from './errors.ts';

/** What may be done with the memory: `r`, `w` or `rw`. */
export type Protection = 'r' | 'w' | 'rw';

/** What mmap(2) is asked for; what is left out is a shared mapping of the whole file, for reading and writing. */
export interface MmapOptions {
  /** Bytes; the last page is mapped whole. */
  readonly length: number;
  /** Where in the file, a multiple of 4096; default 0. */
  readonly offset?: number;
  /** Default: what the file was opened for. */
  readonly prot?: Protection;
  /** Default `shared`. */
  readonly flags?: 'shared' | 'private';
}

/** A mapping: loads and stores, each of which may fault. */
export class Mapping {
  readonly length: number;
  /** Where in the file it begins. */
  readonly offset: number;
  readonly #engine: Engine;
  /** Its entry in the address space; -1 when it is gone. */
  #slot: number;

  /** Made by `mmapSync`. */
  constructor(engine: Engine, slot: number, offset: number, length: number) {
    this.#engine = engine;
    this.#slot = slot;
    this.offset = offset;
    this.length = length;
  }

  /**
   * Bytes [at, at + length) as the program sees them.
   * @throws FsError SIGBUS past the page that holds the end of the file, SIGSEGV without `r`; RangeError outside
   */
  load(at: number, length: number): Uint8Array {
    const slot = this.#live('load', at, length);
    if (!this.#engine.k.vma(this.#engine.k.mm, slot).read) throw new FsError('SIGSEGV', 'load');
    const bytes = this.#engine.run(load(this.#engine.k, slot, this.offset + at, length));
    if (bytes === null) throw new FsError('SIGBUS', 'load');
    return bytes.toUint8Array();
  }

  /**
   * Stores bytes from `at` on, page by page.
   * @throws FsError SIGBUS past the page that holds the end of the file, or when the fault finds no space; SIGSEGV
   *         without `w`; RangeError outside
   */
  store(at: number, bytes: Uint8Array): void {
    const slot = this.#live('store', at, bytes.length);
    if (!this.#engine.k.vma(this.#engine.k.mm, slot).write) throw new FsError('SIGSEGV', 'store');
    const stored = this.#engine.run(store(this.#engine.k, slot, this.offset + at, Bytes.copy(bytes)));
    if (!stored) throw new FsError('SIGBUS', 'store');
  }

  /** Writes the file's dirty pages and waits; with `sync` false it does nothing, as MS_ASYNC does. */
  msync(sync = true): void {
    const slot = this.#live('msync', 0, 0);
    const ret = this.#engine.run(msync(this.#engine.k, slot, sync));
    if (isErr(ret)) throw new FsError(ret.errno, 'msync');
  }

  /** @throws FsError EACCES for `w` on a shared mapping of a file that is open for reading */
  mprotect(prot: Protection): void {
    const slot = this.#live('mprotect', 0, 0);
    const ret = this.#engine.run(mprotect(this.#engine.k, slot, prot.includes('r'), prot.includes('w')));
    if (isErr(ret)) throw new FsError(ret.errno, 'mprotect');
  }

  munmap(): void {
    const slot = this.#live('munmap', 0, 0);
    this.#engine.run(unmapFile(this.#engine.k, slot));
    this.#slot = -1;
  }

  [Symbol.dispose](): void {
    if (this.#slot >= 0) this.munmap();
  }

  /** The slot, for what touches [at, at + length). */
  #live(syscall: string, at: number, length: number): number {
    if (this.#slot < 0) throw new FsError(syscall === 'munmap' ? 'EINVAL' : 'EFAULT', syscall);
    if (
      !(
        Number.isInteger(at) &&
        Number.isInteger(length) &&
        at >= 0 &&
        length >= 0 &&
        at + length <= this.length
      )
    ) {
      throw outOfRange('at', `within the ${this.length} bytes that are mapped`, `${at} to ${at + length}`);
    }
    return this.#slot;
  }

  /** Its entry in the address space; -1 when it is gone. @internal */
  get slot(): number {
    return this.#slot;
  }

  /** The state went elsewhere: the mapping is there, or is not. @internal */
  set slot(slot: number) {
    this.#slot = slot;
  }
}
