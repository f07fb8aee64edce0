/**
 * swapon(2) of a file, and swapoff(2) at once where it succeeds: what matters here is which files are refused.
 */
import { mapBlocks } from '../balloc/mapBlocks.ts';
import { err, isErr, type Result } from '../errno.ts';
import { readpageInline } from '../inline/ops.ts';
import { isDir, isReg } from '../inode/layout.ts';
import { hasInlineData } from '../inode/update.ts';
import type { Kernel } from '../kernel.ts';
import { PAGE_SIZE } from '../kernel.ts';
import { iRwsem, lock, unlock } from '../locks/lock.ts';
import { filemapGetPage } from '../pagecache/filemap.ts';
import { folioData } from '../pagecache/folio.ts';
import type { Op } from '../task.ts';
import { call, step } from '../task.ts';
import { syncFile } from '../writeback/sync.ts';

/** Where union swap_header has its fields, and the magic at the end of the page. */
const HEADER = { version: 1024, lastPage: 1028, badPageCount: 1032, magic: PAGE_SIZE - 10 } as const;
const MAGIC = new TextEncoder().encode('SWAPSPACE2');

/**
 * @returns EISDIR; EINVAL for anything but a regular file with a swap header and no holes
 * @locks   i_rwsem ▸ what reading a page and fsync take
 * @source  mm/swapfile.c SYSCALL_DEFINE2(swapon); fs/iomap/swapfile.c iomap_swapfile_activate
 */
export function* swapon(k: Kernel, ino: number): Op<Result<void>> {
  const kind = yield* step(k, 'claim_swapfile', () => {
    const { mode } = k.inode(ino);
    return isReg(mode) ? 'file' : isDir(mode) ? 'directory' : 'other';
  });
  if (kind !== 'file') return err(kind === 'directory' ? 'EISDIR' : 'EINVAL');
  yield* lock(k, iRwsem(ino));
  const ret = yield* call(k, 'setup_swap_extents', () => activate(k, ino));
  yield* unlock(k, iRwsem(ino));
  return ret;
}

function* activate(k: Kernel, ino: number): Op<Result<void>> {
  const read = yield* call(k, 'read_mapping_folio', () => filemapGetPage(k, ino, 0, 1, readpageInline));
  if (isErr(read)) return read;
  const usable = yield* step(k, 'read_swap_header', () => {
    const page = folioData(k, ino, 0);
    if (!MAGIC.every((byte, i) => page.u8(HEADER.magic + i) === byte)) return false;
    const pages = Math.floor(k.inode(ino).size / PAGE_SIZE);
    const last = page.u32(HEADER.lastPage);
    if (page.u32(HEADER.version) !== 1 || last === 0 || page.u32(HEADER.badPageCount) !== 0) return false;
    return pages === 0 || last + 1 <= pages;
  });
  if (!usable) return err('EINVAL');
  const synced = yield* call(k, 'vfs_fsync', () => syncFile(k, ino, true));
  if (isErr(synced)) return synced;
  const end = yield* step(k, 'i_size_read', () => Math.floor(k.inode(ino).size / PAGE_SIZE) * PAGE_SIZE);
  let pages = 0;
  for (let pos = 0; pos < end; ) {
    const at = pos;
    const inline = yield* step(k, 'ext4_iomap_begin_report', () => {
      const is = hasInlineData(k, ino);
      if (is) k.reach('swapfile-is-inline');
      return is;
    });
    if (inline) return err('EINVAL');
    const lblk = at / k.blockSize;
    const found = yield* call(k, 'ext4_map_blocks', () =>
      mapBlocks(k, ino, lblk, { create: false, unwritten: false }, (end - at) / k.blockSize),
    );
    if (isErr(found)) return found;
    if (found.state === 'hole' || found.state === 'delayed') return err('EINVAL');
    // Only whole pages of the device count.
    const perPage = k.blocksPerPage;
    pages += Math.max(
      0,
      Math.floor((found.block + found.length) / perPage) - Math.ceil(found.block / perPage),
    );
    pos = at + found.length * k.blockSize;
  }
  return pages === 0 ? err('EINVAL') : undefined;
}
