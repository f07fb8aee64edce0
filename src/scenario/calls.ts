/**
 * What lines have in common: the current file and mapping, paths, answers, and the end of a process.
 */
import { type Errno, err, isErr, type Result } from '../errno.ts';
import { isDir } from '../inode/layout.ts';
import type { Kernel } from '../kernel.ts';
import type { LineOutcome } from '../state/effects.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { close, currentFile, unmapFile } from '../vfs/file.ts';
import { ownMappings } from '../vfs/mmap.ts';
import { withPath } from '../vfs/namei.ts';
import type { MappedBuffer } from '../vfs/userMemory.ts';

/** What a line does. */
export type Run = (k: Kernel) => Op<LineOutcome>;

/** munmap everything, close everything. */
export function* exit(k: Kernel): Op<void> {
  for (;;) {
    const slot = yield* step(k, 'exit_mmap', () => ownMappings(k)[0] ?? -1);
    if (slot < 0) break;
    yield* call(k, 'munmap', () => unmapFile(k, slot));
  }
  for (;;) {
    const more = yield* step(k, 'exit_files', () => currentFile(k) !== null);
    if (!more) break;
    yield* call(k, 'close', () => close(k));
  }
}

export const failed = (errno: Errno | 'SIGBUS' | 'SIGSEGV'): LineOutcome => ({ errno });
export const outcome = (ret: Result<unknown>): LineOutcome => (isErr(ret) ? failed(ret.errno) : { ret: 0 });

/** What a call says of a file that is open, but not for this. */
export interface Refused {
  /** Of one that is open for reading only; left out: nothing. */
  readonly readonly?: Errno;
  /** Of a directory; left out: nothing. */
  readonly directory?: Errno;
}

/** The current file's inode number; EBADF when there is none, and what is `refused`. */
export function* current(k: Kernel, refused: Refused): Op<Result<number>> {
  return yield* step(k, 'fdget', (): Result<number> => {
    const file = currentFile(k);
    if (file === null) return err('EBADF');
    if (file.readonly && refused.readonly !== undefined) return err(refused.readonly);
    if (refused.directory !== undefined && isDir(k.inode(file.ino).mode)) return err(refused.directory);
    return file.ino;
  });
}

/** The slot of the current mapping: the list holds live slots in order; null when there is none. */
export function* currentMapping(k: Kernel): Op<number | null> {
  const slot = yield* step(k, 'current mapping', () => {
    const live = ownMappings(k);
    return live[Math.min(k.taskRecord(k.task).mapping, live.length - 1)] ?? -1;
  });
  return slot < 0 ? null : slot;
}

/** A buffer in the current mapping, from byte `pos` of its file on; null when there is no mapping. */
export function* mappedBuffer(k: Kernel, pos: number, length: number): Op<MappedBuffer | null> {
  const slot = yield* currentMapping(k);
  if (slot === null) return null;
  const pgoff = yield* step(k, 'vma', () => k.vma(k.mm, slot).pgoff);
  return { slot, pgoff, pos, length };
}

/** Runs `body` on the current file. */
export function onFile(body: (k: Kernel, ino: number) => Op<LineOutcome>, refused: Refused = {}): Run {
  return function* (k) {
    const ino = yield* current(k, refused);
    return isErr(ino) ? failed(ino.errno) : yield* body(k, ino);
  };
}

export function onMapping(body: (k: Kernel, slot: number) => Op<LineOutcome>): Run {
  return function* (k) {
    const slot = yield* currentMapping(k);
    return slot === null ? failed('EINVAL') : yield* body(k, slot);
  };
}

/** Runs `body` on what a path names; symlinks are followed. */
export function onPath(path: string, body: (k: Kernel, ino: number) => Op<LineOutcome>): Run {
  return function* (k) {
    const ret = yield* withPath(k, path, (ino) => body(k, ino));
    return isErr(ret) ? failed(ret.errno as Errno) : ret;
  };
}

/** A body that cannot succeed, whatever the state. */
export function refuse(errno: Errno): () => Op<Result<void>> {
  return function* () {
    return err(errno);
  };
}

/** A system call that answers nothing but an error. */
export function plain(name: string, body: (k: Kernel) => Op<Result<void>>): Run {
  return function* (k) {
    return outcome(yield* call(k, name, () => body(k)));
  };
}
