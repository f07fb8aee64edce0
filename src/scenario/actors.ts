/**
 * What the `@` lines do: the kernel's own threads, and whoever else no user types.
 */
import { Bytes } from '../bytes/bytes.ts';
import { checkpoint } from '../device/journal.ts';
import { isErr, type Result } from '../errno.ts';
import type { Kernel } from '../kernel.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { fork } from '../vfs/fork.ts';
import { freezeSuper, thawSuper } from '../vfs/freeze.ts';
import { crash, dropCaches, remount } from '../vfs/mount.ts';
import { withPath } from '../vfs/namei.ts';
import { markDontCache, shrinkFolios, shrinkInode } from '../vfs/reclaim.ts';
import { swapon } from '../vfs/swapon.ts';
import { accessRemoteVm } from '../vfs/userMemory.ts';
import { enableVerity } from '../vfs/verity.ts';
import { flusher } from '../writeback/flusher.ts';
import { syncInodes } from '../writeback/sync.ts';
import { commit, SYNC_NONE, writeAndWait } from '../writeback/writepages.ts';
import type { Command } from './ast.ts';
import { exit, failed, onMapping, onPath, outcome, plain, type Run } from './calls.ts';
import { ScenarioError } from './error.ts';

/** @throws Error for a line that is no actor's */
export function prepareActor(c: Command): Run {
  switch (c.verb) {
    case '@writepages':
      return onPath(c.path, function* (k, ino) {
        return outcome(yield* call(k, 'sync_file_range', () => writeAndWait(k, ino)));
      });
    case '@gup': {
      const data = Bytes.fromHex(c.data);
      return onMapping(function* (k, slot) {
        const target = yield* step(k, 'vma', () => {
          const { pgoff, write } = k.vma(k.mm, slot);
          return write ? { slot, pgoff, pos: c.offset, length: c.length } : null;
        });
        if (target === null) return failed('EIO');
        const ret = yield* call(k, '__access_remote_vm', () => accessRemoteVm(k, target, data));
        return isErr(ret) ? failed(ret.errno) : { ret };
      });
    }
    case '@flush':
      return function* (k) {
        yield* call(k, 'wb_workfn', () => syncInodes(k, { ...SYNC_NONE, pagesOnly: true }));
        yield* checkpoint(k);
        return { ret: 0 };
      };
    case '@commit':
      return function* (k) {
        yield* commit(k);
        return { ret: 0 };
      };
    case '@reclaim':
      return onPath(c.path, function* (k, ino) {
        yield* call(k, 'shrink_folio_list', () => shrinkFolios(k, ino));
        return { ret: 0 };
      });
    case '@drop_caches':
      return function* (k) {
        yield* call(k, 'drop_caches', () => dropCaches(k));
        return { ret: 0 };
      };
    case '@remount':
      return function* (k) {
        yield* call(k, 'do_exit', () => exit(k));
        return outcome(yield* call(k, 'remount', () => remount(k)));
      };
    case '@crash':
      return function* (k) {
        // EXT4_GOING_FLAGS_LOGFLUSH: ext4_force_shutdown commits before it shuts down.
        if (c.flush) yield* call(k, 'ext4_force_commit', () => commit(k));
        yield* call(k, 'crash', () => crash(k));
        return { ret: 0 };
      };
    case '@verity':
      return onPath(c.path, function* (k, ino) {
        return outcome(yield* call(k, 'fsverity_ioctl_enable', () => enableVerity(k, ino)));
      });
    case '@freeze':
      return plain('freeze_super', freezeSuper);
    case '@thaw':
      return plain('thaw_super', thawSuper);
    case '@swapon':
      return onPath(c.path, function* (k, ino) {
        return outcome(yield* call(k, 'swapon', () => swapon(k, ino)));
      });
    case '@flusher':
      return function* (k) {
        yield* flusher(k);
        return { ret: 0 };
      };
    case '@fail-alloc':
      return function* (k) {
        yield* step(k, 'fail-nth', () => {
          k.taskRecord(k.task).failAlloc = c.nth;
        });
        return { ret: 0 };
      };
    case '@fail-handle':
      return function* (k) {
        yield* step(k, 'fail-nth', () => {
          k.taskRecord(k.task).failHandle = c.nth;
        });
        return { ret: 0 };
      };
    case '@shrink':
      return function* (k) {
        const ino = yield* call(k, 'isolate', () => lookedUp(k, c.path));
        if (isErr(ino)) return failed(ino.errno);
        yield* call(k, 'shrink_slab', () => shrinkInode(k, ino));
        return { ret: 0 };
      };
    case '@dontcache':
      return onPath(c.path, function* (k, ino) {
        yield* step(k, 'd_mark_dontcache', () => markDontCache(k, ino));
        return { ret: 0 };
      });
    case '@direct-reclaim':
      return function* (k) {
        const ino = yield* call(k, 'isolate', () => lookedUp(k, c.path));
        if (isErr(ino)) return failed(ino.errno);
        yield* step(k, 'what is old', () => {
          const task = k.taskRecord(k.task);
          task.reclaimAlloc = c.nth;
          task.reclaimIno = ino;
        });
        return { ret: 0 };
      };
    case '@fork': {
      const { task } = c;
      if (task === undefined) throw new ScenarioError(`@fork ${c.lane}: only a lane makes another lane`, {});
      return function* (k) {
        yield* call(k, 'copy_process', () => fork(k, task));
        return { ret: 0 };
      };
    }
    default:
      throw new Error(`${c.verb} is no actor`);
  }
}

/** The inode of a path, which nobody refers to afterwards. */
function* lookedUp(k: Kernel, path: string): Op<Result<number>> {
  return yield* withPath(k, path, function* (ino) {
    return ino;
  });
}
