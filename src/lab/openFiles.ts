/**
 * The program's open files and mappings: handles on one side, the kernel's tables on the other. The kernel keeps a
 * task's open files as a list that closes up (see vfs/file.ts), so a handle's entry is its place in the list here.
 */
import { isErr } from '../errno.ts';
import { isDir } from '../inode/layout.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { close, open } from '../vfs/file.ts';
import type { Engine } from './engine.ts';
import { FsError } from './errors.ts';
import { type Flags, NOTHING_ASKED } from './flags.ts';
import { FileHandle, type HandleMemory } from './handle.ts';
import { Mapping } from './mapping.ts';

/** Who has what open: goes with a snapshot. */
export interface OpenMemory {
  readonly files: readonly (readonly [FileHandle, HandleMemory])[];
  readonly mappings: readonly (readonly [Mapping, slot: number])[];
}

/** Numbers below this are a program's standard streams. */
const FIRST_FD = 3;

export class OpenFiles {
  readonly engine: Engine;
  /** In the order of the kernel's list. */
  #files: FileHandle[] = [];
  #mappings: Mapping[] = [];

  constructor(engine: Engine) {
    this.engine = engine;
  }

  open(path: string, flags: Flags, mode: number): FileHandle {
    const ino = this.engine.run(open(this.engine.k, path, { ...flags, mode, readonly: !flags.write }));
    if (isErr(ino)) throw new FsError(ino.errno, 'open', path);
    return this.#add(ino, flags);
  }

  #add(ino: number, flags: Flags): FileHandle {
    let fd = FIRST_FD;
    while (this.#files.some((file) => file.fd === fd)) fd++;
    const handle = new FileHandle(this, fd, ino, flags, isDir(this.engine.k.inode(ino).mode));
    this.#files.push(handle);
    return handle;
  }

  close(handle: FileHandle): void {
    const { k } = this.engine;
    const slot = this.#files.indexOf(handle);
    k.taskRecord(k.task).file = slot;
    this.engine.run(close(k));
    this.#files.splice(slot, 1);
    handle.memory = { ...handle.memory, open: false };
  }

  /** The number of the open file description behind a handle. */
  idOf(handle: FileHandle): number {
    const { k } = this.engine;
    return k.file(k.task, this.#files.indexOf(handle)).id;
  }

  addMapping(slot: number, offset: number, length: number): Mapping {
    const mapping = new Mapping(this.engine, slot, offset, length);
    this.#mappings.push(mapping);
    return mapping;
  }

  get files(): readonly FileHandle[] {
    return this.#files;
  }

  get mappings(): readonly Mapping[] {
    return this.#mappings.filter((mapping) => mapping.slot >= 0);
  }

  remember(): OpenMemory {
    return {
      files: this.#files.map((file) => [file, file.memory] as const),
      mappings: this.mappings.map((mapping) => [mapping, mapping.slot] as const),
    };
  }

  /** Everything that is open now is not any more, and what is remembered is. */
  recall(memory: OpenMemory): void {
    this.forget();
    this.#files = memory.files.map(([file]) => file);
    for (const [file, then] of memory.files) file.memory = then;
    this.#mappings = memory.mappings.map(([mapping]) => mapping);
    for (const [mapping, slot] of memory.mappings) mapping.slot = slot;
  }

  /** The power failed: nothing is open any more. */
  forget(): void {
    for (const file of this.#files) file.memory = { ...file.memory, open: false };
    for (const mapping of this.#mappings) mapping.slot = -1;
    this.#files = [];
    this.#mappings = [];
  }

  /** Handles for what the kernel's tables say is open, after a state came from elsewhere. */
  adopt(): void {
    this.forget();
    const { k } = this.engine;
    for (let slot = 0; k.file(k.task, slot).open; slot++) {
      const { ino, readonly, append, sync, direct } = k.file(k.task, slot);
      this.#add(ino, { ...NOTHING_ASKED, read: true, write: !readonly, append, sync, direct });
    }
    for (const slot of k.world.secondKeys('vma', k.mm)) {
      const vma = k.vma(k.mm, slot);
      if (vma.live) this.addMapping(slot, vma.pgoff * PAGE_SIZE, vma.length);
    }
  }
}
