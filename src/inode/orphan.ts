/**
 * The orphan list: inodes that a crash must not leave as they are. Deleted ones that are still in use, and those that
 * are being cut shorter.
 *
 *   superblock s_last_orphan ─▶ inode, dtime ─▶ inode, dtime ─▶ … ─▶ 0          `sb.orphans` = the same, head first
 *
 * While an inode is on the list its dtime is the number of the next one. Without a journal there is no list: nothing
 * is added, and a list that the image came with is still worked off at mount.
 *
 * Locking: s_orphan_lock is a leaf around each change; a step is one. All functions run inside a step with a handle.
 *
 * With the feature orphan_file they are in a file instead, while it has room: `orphanFile.ts`.
 */
import { rawInode, setRawInode, superblockBlock } from '../device/buffer.ts';
import { dirtyMetadata, getInodeWriteAccess, getWriteAccess } from '../device/journal.ts';
import { readMedium } from '../device/medium.ts';
import type { Kernel } from '../kernel.ts';
import { SUPERBLOCK_OFFSET, superblockLayout } from '../volume/superblock.ts';
import { inodeLayout } from './layout.ts';
import { orphanFileAdd, orphanFileDel } from './orphanFile.ts';
import { markInodeDirty } from './update.ts';

function setNext(k: Kernel, ino: number, next: number): void {
  getInodeWriteAccess(k, ino);
  setRawInode(k, ino, inodeLayout.put(rawInode(k, ino), { dtime: next }));
  markInodeDirty(k, ino);
}

function setList(k: Kernel, orphans: readonly number[]): void {
  const block = superblockBlock(k.geo);
  const before = k.sb.orphans?.[0] ?? 0;
  if (before !== (orphans[0] ?? 0)) {
    getWriteAccess(k, block);
    k.sb.orphans = orphans.length === 0 ? null : orphans;
    dirtyMetadata(k, block);
  } else k.sb.orphans = orphans.length === 0 ? null : orphans;
}

/** At the head, unless it is there already. @source fs/ext4/orphan.c ext4_orphan_add */
export function orphanAdd(k: Kernel, ino: number): void {
  if (!k.hasJournal) return;
  const list = k.sb.orphans ?? [];
  if (list.includes(ino) || k.inode(ino).orphanSlot !== 0) return;
  if (orphanFileAdd(k, ino)) return;
  setList(k, [ino, ...list]);
  setNext(k, ino, list[0] ?? 0);
}

/** Off the list, when it is there: dtime is 0 then. @source fs/ext4/orphan.c ext4_orphan_del */
export function orphanDel(k: Kernel, ino: number): void {
  if (k.inode(ino).orphanSlot !== 0) {
    orphanFileDel(k, ino);
    return;
  }
  const list = k.sb.orphans ?? [];
  const at = list.indexOf(ino);
  if (at < 0) return;
  setList(k, list.toSpliced(at, 1));
  if (at > 0) setNext(k, list[at - 1]!, list[at + 1] ?? 0);
  setNext(k, ino, 0);
}

/** Forgets a list that makes no sense: s_last_orphan = 0. @source fs/ext4/orphan.c ext4_orphan_cleanup */
export function orphanForgetAll(k: Kernel): void {
  setList(k, []);
}

/** The list as the volume has it: at mount, after replay. Ends at the first number that cannot be an inode's. */
export function loadOrphans(k: Kernel): void {
  const sb = readMedium(k, superblockBlock(k.geo));
  const list: number[] = [];
  let ino = sb.u32((SUPERBLOCK_OFFSET % k.blockSize) + superblockLayout.fields.lastOrphan.at);
  while (ino !== 0 && !list.includes(ino)) {
    list.push(ino);
    if (ino < k.geo.firstIno || ino > k.geo.inodesCount) break;
    ino = inodeLayout.get(rawInode(k, ino), 'dtime');
  }
  k.sb.orphans = list.length === 0 ? null : list;
}
