/**
 * Lanes as tasks: each line of a scenario is one call into the vfs, and its answer is an effect.
 *
 * A lane is a process: when its lines are done its mappings are unmapped and its files closed, in that order, as
 * exit does; `@remount` and `@crash` do the same to their own lane first.
 */
import { Bytes } from '../bytes/bytes.ts';
import { hasHandle } from '../device/journal.ts';
import { type Errno, isErr } from '../errno.ts';
import { isDir } from '../inode/layout.ts';
import { type Kernel, PAGE_SIZE } from '../kernel.ts';
import { dirRwsem, locked } from '../locks/lock.ts';
import { RETURN_TO_USER } from '../locks/lockdep.ts';
import { modelPromise, modelSnapshot, modelSnapshotAll } from '../model.ts';
import { isThrottled } from '../pagecache/throttle.ts';
import type { TaskSpec } from '../sched/machine.ts';
import type { LineOutcome } from '../state/effects.ts';
import type { Rec } from '../state/tables.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { setJournalFlag } from '../vfs/chattr.ts';
import { copyFileRange } from '../vfs/copy.ts';
import { fallocate } from '../vfs/fallocate.ts';
import { close, currentFile, open, unmapFile } from '../vfs/file.ts';
import { awaitFork } from '../vfs/fork.ts';
import { link, linkOpenFile, mknod, readlink, symlink, unlink } from '../vfs/link.ts';
import { mkdir, rmdir } from '../vfs/mkdir.ts';
import { load, madviseDontneed, mmap, mprotect, mremap, msync, ownMappings, store } from '../vfs/mmap.ts';
import { listNames } from '../vfs/namei.ts';
import { rename } from '../vfs/rename.ts';
import { pread, pwrite } from '../vfs/rw.ts';
import { chmod, chown, utimens } from '../vfs/setattr.ts';
import { fiemap, fiemapXattr, seek, stat } from '../vfs/stat.ts';
import { ftruncate } from '../vfs/truncate.ts';
import { bufferSlice } from '../vfs/userMemory.ts';
import { getxattr, setxattr } from '../vfs/xattr.ts';
import { laneEnded } from '../writeback/flusher.ts';
import { syncEverything, syncFile, syncFileRange, syncFilesystem } from '../writeback/sync.ts';
import { writeAndWait } from '../writeback/writepages.ts';
import { prepareActor } from './actors.ts';
import type { Command, Line } from './ast.ts';
import {
  exit,
  failed,
  mappedBuffer,
  onFile,
  onMapping,
  onPath,
  outcome,
  plain,
  type Run,
  refuse,
} from './calls.ts';

/**
 * The task of a lane.
 * @param mm    its address space; lanes with the same number are threads of one process
 * @param last  starts when every other task is finished
 * @param made  starts when another lane has made it
 */
export function laneTask(
  name: string,
  lines: readonly Line[],
  mm: number,
  last = false,
  made = false,
): TaskSpec {
  const prepared = lines.map((line) => ({ line, run: prepare(line.command) }));
  return {
    name,
    mm,
    last,
    *program(k) {
      if (made) yield* awaitFork(k);
      for (const { line, run } of prepared) yield* call(k, line.text, () => runLine(k, line, run));
      yield* call(k, 'do_exit', () => exit(k));
      if (isThrottled(k)) yield* step(k, 'the lane has ended', () => laneEnded(k));
    },
  };
}

/** Lines that say what befalls the next one. */
const ARMS: ReadonlySet<Command['verb']> = new Set(['@fail-alloc', '@fail-handle', '@direct-reclaim']);

function disarm(task: Rec<'task'>): void {
  task.failAlloc = task.failHandle = 0;
  task.reclaimAlloc = task.reclaimIno = 0;
}

function* runLine(k: Kernel, line: Line, run: Run): Op<void> {
  const outcome = yield* call(k, line.command.verb, () => run(k));
  yield* step(k, RETURN_TO_USER, () => {
    k.warnOn('handle-leak', hasHandle(k));
    if (!ARMS.has(line.command.verb)) disarm(k.taskRecord(k.task));
    k.emit({ type: 'result', line: line.line, text: line.text, result: outcome });
  });
}

/** fsync and its kin: what the model holds when the call starts is promised when it returns. */
function durable(datasync: boolean): Run {
  return onFile(function* (k, ino) {
    const promise = yield* step(k, 'fsync begins', () => modelSnapshot(k, ino));
    const ret = yield* call(k, 'ext4_sync_file', () => syncFile(k, ino, datasync));
    if (!isErr(ret)) yield* step(k, 'fsync returns', () => modelPromise(k, promise));
    return outcome(ret);
  });
}

function durableAll(name: string, body: (k: Kernel) => Op<void>): Run {
  return function* (k) {
    const promises = yield* step(k, `${name} begins`, () => modelSnapshotAll(k));
    yield* call(k, name, () => body(k));
    yield* step(k, `${name} returns`, () => {
      for (const promise of promises) modelPromise(k, promise);
    });
    return { ret: 0 };
  };
}

const FALLOC_MODES = {
  falloc: 'allocate',
  fpunch: 'punch',
  fzero: 'zero',
  fcollapse: 'collapse',
  finsert: 'insert',
} as const;

/** copy_file_range(2) until there is nothing left; a path is opened for it, and closed. */
function* copyRange(
  k: Kernel,
  to: number,
  { path, file, from, to: toPos, length }: Extract<Command, { verb: 'copy_range' }>,
): Op<LineOutcome> {
  const before = yield* step(k, 'current file', () => {
    const { append, direct, sync, readonly } = currentFile(k)!;
    const slot = k.taskRecord(k.task).file;
    const source = k.file(k.task, file);
    const fromDirect = path === null && source.direct;
    return { slot, append, direct, sync, readonly, fromDirect, source: source.open ? source.ino : 0 };
  });
  const { append, direct, sync, readonly, fromDirect } = before;
  const source = path === null ? before.source : yield* call(k, 'open', () => open(k, path, READ_ONLY));
  if (isErr(source)) return failed(source.errno);
  if (source === 0) return failed('EBADF');
  const { size, fromFile } = yield* step(k, 'fstat', () => ({
    size: k.inode(source).size,
    fromFile: path === null ? k.file(k.task, file).id : currentFile(k)!.id,
  }));
  const count = length ?? Math.max(0, size - from);
  const flags = { append, direct, sync };
  let done = 0;
  let bad: Errno | null = null;
  while (done < count) {
    const at = done;
    const request = {
      ...{ from: source, fromPos: from + at, fromDirect, fromFile },
      ...{ to, toPos: toPos + at, length: count - at, toReadonly: readonly, flags },
    };
    const copied = yield* call(k, 'copy_file_range', () => copyFileRange(k, request));
    if (isErr(copied)) bad = copied.errno;
    if (isErr(copied) || copied === 0) break;
    done += copied;
  }
  if (path !== null) {
    yield* call(k, 'close', () => close(k));
    yield* step(k, 'current file', () => {
      k.taskRecord(k.task).file = before.slot;
    });
  }
  return bad === null ? { ret: done } : failed(bad);
}

const READ_ONLY = {
  create: false,
  truncate: false,
  readonly: true,
  append: false,
  direct: false,
  sync: false,
} as const;

/** What a command does, with everything that can be computed beforehand computed. */
function prepare(c: Command): Run {
  switch (c.verb) {
    case 'open':
      return function* (k) {
        const ret = yield* call(k, 'open', () => open(k, c.path, c));
        return isErr(ret) ? failed(ret.errno) : { ret: 0 };
      };
    case 'close':
      return onFile(function* (k) {
        yield* call(k, 'close', () => close(k));
        return { ret: 0 };
      });
    case 'file':
      return function* (k) {
        const ok = yield* step(k, 'file', () => {
          if (!k.file(k.task, c.index).open) return false;
          k.taskRecord(k.task).file = c.index;
          return true;
        });
        return ok ? { ret: 0 } : failed('EBADF');
      };
    case 'pwrite': {
      const data = Bytes.fromHex(c.data);
      return onFile(
        function* (k, ino) {
          const buffer = c.from === undefined ? data : yield* mappedBuffer(k, c.from, c.length);
          if (buffer === null) return failed('EFAULT');
          let done = 0;
          do {
            const pos = c.offset + done;
            const piece = bufferSlice(buffer, done, Math.min(buffer.length, done + c.block));
            const flags = yield* step(k, 'file flags', () => {
              const { append, direct, sync } = currentFile(k)!;
              return { append, direct, sync };
            });
            const how = c.dsync === true ? { ...flags, dsync: true } : flags;
            const ret = yield* call(k, 'write', () => pwrite(k, ino, pos, piece, how));
            if (isErr(ret)) return failed(ret.errno);
            done += ret;
            if (ret < piece.length) break;
          } while (done < buffer.length);
          return { ret: done };
        },
        { readonly: 'EBADF' },
      );
    }
    case 'pread':
      return onFile(
        function* (k, ino) {
          const buffer = c.into === undefined ? undefined : yield* mappedBuffer(k, c.into, c.length);
          if (buffer === null) return failed('EFAULT');
          const { direct, file } = yield* step(k, 'file flags', () => {
            const { direct, id } = currentFile(k)!;
            return { direct, file: id };
          });
          const parts: Bytes[] = [];
          let done = 0;
          while (done < c.length) {
            const pos = c.offset + done;
            const take = Math.min(c.block, c.length - done);
            const into = buffer === undefined ? undefined : bufferSlice(buffer, done, done + take);
            const part = yield* call(k, 'read', () => pread(k, ino, pos, take, direct, into, { file }));
            if (isErr(part)) return failed(part.errno);
            if (part.length === 0) break;
            parts.push(part);
            done += part.length;
            if (part.length < take) break;
          }
          return { ret: done, data: Bytes.concat(parts).toHex() };
        },
        { directory: 'EISDIR' },
      );
    case 'mmap':
      if (c.offset % PAGE_SIZE !== 0) return plain('mmap', refuse('EINVAL'));
      return onFile(function* (k, ino) {
        const { mayWrite, file, directory } = yield* step(k, 'file mode', () => ({
          mayWrite: !currentFile(k)!.readonly,
          file: currentFile(k)!.id,
          directory: isDir(k.inode(ino).mode),
        }));
        if (c.length === 0) return failed('EINVAL');
        if (c.shared && c.write && !mayWrite) return failed('EACCES');
        if (directory) return failed('ENODEV');
        const ret = yield* call(k, 'mmap', () => mmap(k, { ...c, ino, mayWrite, file }));
        if (isErr(ret)) return failed(ret.errno);
        yield* step(k, 'current mapping', () => {
          k.taskRecord(k.task).mapping = ownMappings(k).indexOf(ret);
        });
        return { ret: 0 };
      });
    case 'mapping':
      return function* (k) {
        const ok = yield* step(k, 'mapping', () => {
          if (c.index >= ownMappings(k).length) return false;
          k.taskRecord(k.task).mapping = c.index;
          return true;
        });
        return ok ? { ret: 0 } : failed('EINVAL');
      };
    case 'munmap':
      return onMapping(function* (k, slot) {
        yield* call(k, 'munmap', () => unmapFile(k, slot));
        yield* step(k, 'current mapping', () => {
          const task = k.taskRecord(k.task);
          task.mapping = Math.max(0, Math.min(task.mapping, ownMappings(k).length - 1));
        });
        return { ret: 0 };
      });
    case 'mwrite': {
      const data = Bytes.fromHex(c.data);
      return onMapping(function* (k, slot) {
        const allowed = yield* step(k, 'VM_WRITE?', () => k.vma(k.mm, slot).write);
        if (!allowed) return failed('SIGSEGV');
        const ok = yield* call(k, 'mwrite', () => store(k, slot, c.offset, data));
        return ok ? { ret: data.length } : failed('SIGBUS');
      });
    }
    case 'mread':
      return onMapping(function* (k, slot) {
        const data = yield* call(k, 'mread', () => load(k, slot, c.offset, c.length));
        return data === null ? failed('SIGBUS') : { ret: data.length, data: data.toHex() };
      });
    case 'msync':
      return onMapping(function* (k, slot) {
        const range = c.length === null ? undefined : { offset: c.offset, length: c.length };
        return outcome(yield* call(k, 'msync', () => msync(k, slot, c.sync, range)));
      });
    case 'mremap':
      return onMapping(function* (k, slot) {
        return outcome(yield* call(k, 'mremap', () => mremap(k, slot, c.length, c.mayMove)));
      });
    case 'madvise': {
      const { range } = c;
      return onMapping(function* (k, slot) {
        if (range === null) return { ret: 0 };
        return outcome(yield* call(k, 'madvise', () => madviseDontneed(k, slot, range)));
      });
    }
    case 'mprotect':
      return onMapping(function* (k, slot) {
        return outcome(yield* call(k, 'mprotect', () => mprotect(k, slot, c.read, c.write)));
      });
    case 'truncate':
      return onFile(
        function* (k, ino) {
          return outcome(yield* call(k, 'ftruncate', () => ftruncate(k, ino, c.length)));
        },
        { readonly: 'EINVAL' },
      );
    case 'falloc':
    case 'fpunch':
    case 'fzero':
    case 'fcollapse':
    case 'finsert': {
      const mode = FALLOC_MODES[c.verb];
      const keepSize = 'keepSize' in c && c.keepSize;
      return onFile(
        function* (k, ino) {
          const sync = yield* step(k, 'O_SYNC?', () => currentFile(k)!.sync);
          const request = { mode, keepSize, sync, offset: c.offset, length: c.length };
          return outcome(yield* call(k, 'vfs_fallocate', () => fallocate(k, ino, request)));
        },
        { readonly: 'EBADF' },
      );
    }
    case 'chattr':
      return onFile(function* (k, ino) {
        return outcome(yield* call(k, 'ioctl', () => setJournalFlag(k, ino, c.journalData)));
      });
    case 'sync_range':
      return onFile(function* (k, ino) {
        return outcome(yield* call(k, 'sync_file_range', () => syncFileRange(k, ino, c)));
      });
    case 'copy_range':
      return onFile((k, ino) => copyRange(k, ino, c));
    case 'fsync':
      return durable(false);
    case 'fdatasync':
      return durable(true);
    case 'sync':
      return durableAll('sync', syncEverything);
    case 'syncfs':
      return durableAll('syncfs', syncFilesystem);
    case 'stat':
      return onFile(function* (k, ino) {
        const found = yield* call(k, 'stat', () => stat(k, ino));
        return { ret: 0, stat: found };
      });
    case 'fiemap':
      return onFile(function* (k, ino) {
        // xfs_io asks with FIEMAP_FLAG_SYNC.
        yield* call(k, 'filemap_write_and_wait', () => writeAndWait(k, ino));
        const extents = yield* call(k, 'fiemap', () =>
          c.attribute === true ? fiemapXattr(k, ino) : fiemap(k, ino),
        );
        return isErr(extents) ? failed(extents.errno) : { ret: 0, extents };
      });
    case 'seek':
      return onFile(function* (k, ino) {
        const ret = yield* call(k, 'lseek', () => seek(k, ino, c.whence, c.offset));
        return isErr(ret) ? failed(ret.errno) : { ret };
      });
    case 'mkdir':
      return plain('mkdir', (k) => mkdir(k, c.path, c.mode));
    case 'rmdir':
      return plain('rmdir', (k) => rmdir(k, c.path));
    case 'rm':
      return plain('unlink', (k) => unlink(k, c.path));
    case 'mv':
      return plain('rename', (k) => rename(k, c.from, c.to, c));
    case 'ln':
      return c.symbolic
        ? plain('symlink', (k) => symlink(k, c.from, c.to))
        : plain('link', (k) => link(k, c.from, c.to));
    case 'flink':
      return onFile(function* (k, ino) {
        return outcome(yield* call(k, 'linkat', () => linkOpenFile(k, ino, c.path)));
      });
    case 'readlink':
      return function* (k) {
        const target = yield* call(k, 'readlink', () => readlink(k, c.path));
        return isErr(target) ? failed(target.errno) : { ret: target.length, data: target.toHex() };
      };
    case 'mknod':
      return plain('mknod', (k) => mknod(k, c.path, c.mode, c));
    case 'chmod':
      return onPath(c.path, function* (k, ino) {
        return outcome(yield* call(k, 'chmod', () => chmod(k, ino, c.mode)));
      });
    case 'chown':
      return onPath(c.path, function* (k, ino) {
        yield* call(k, 'chown', () => chown(k, ino, c.uid, c.gid));
        return { ret: 0 };
      });
    case 'utimes':
      return onFile(function* (k, ino) {
        yield* call(k, 'utimensat', () => utimens(k, ino, c.atime, c.mtime));
        return { ret: 0 };
      });
    case 'ls':
      return onPath(c.path, function* (k, ino) {
        const names = yield* locked(k, dirRwsem(ino), 'shared', 'iterate_dir', () => listNames(k, ino));
        return isErr(names) ? failed(names.errno) : { ret: 0, names };
      });
    case 'setfattr': {
      const value = Bytes.fromHex(c.value);
      return onPath(c.path, function* (k, ino) {
        return outcome(
          yield* call(k, 'setxattr', () => setxattr(k, ino, c.name, value, c.only ?? undefined)),
        );
      });
    }
    case 'rmfattr':
      return onPath(c.path, function* (k, ino) {
        return outcome(yield* call(k, 'removexattr', () => setxattr(k, ino, c.name, null)));
      });
    case 'getfattr':
      return onPath(c.path, function* (k, ino) {
        const value = yield* call(k, 'getxattr', () => getxattr(k, ino, c.name));
        return isErr(value) ? failed(value.errno) : { ret: value.length, data: value.toHex() };
      });
    default:
      return prepareActor(c);
  }
}
