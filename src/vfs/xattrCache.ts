/**
 * The cache by which inodes with the same xattrs share one external block: hash of the block's entries → block.
 *
 * A block is in it from the time somebody has written it, or read an xattr from it, to the time its content changes
 * or its last user drops it; unmount and drop_caches empty it. Newest first, which is the order of search.
 *
 * All functions run inside a step. The words of the kernel: mb cache, mb_cache_entry.
 */

import type { Bytes } from '../bytes/bytes.ts';
import { readBuffer } from '../device/buffer.ts';
import type { Kernel } from '../kernel.ts';
import { isSharableXattrBlock, sameXattrs, xattrHeaderLayout } from '../xattr/block.ts';

const hashOf = (block: Bytes): number => xattrHeaderLayout.decode(block).hash;

/** @source fs/ext4/xattr.c ext4_xattr_block_cache_insert; fs/mbcache.c mb_cache_entry_create */
export function cacheXattrBlock(k: Kernel, block: number): void {
  const hash = hashOf(readBuffer(k, block));
  const known = k.sb.xattrCache ?? [];
  if (!known.some((entry) => entry[0] === hash && entry[1] === block))
    k.sb.xattrCache = [[hash, block], ...known];
}

/** The block is about to change, or goes away. @source fs/mbcache.c mb_cache_entry_delete_or_get */
export function uncacheXattrBlock(k: Kernel, block: number): void {
  const hash = hashOf(readBuffer(k, block));
  const left = (k.sb.xattrCache ?? []).filter((entry) => entry[0] !== hash || entry[1] !== block);
  k.sb.xattrCache = left.length === 0 ? null : left;
}

/** A block that holds exactly these xattrs and takes one more user; 0 for none. @source fs/ext4/xattr.c ext4_xattr_block_cache_find */
export function findXattrBlock(k: Kernel, content: Bytes): number {
  const hash = hashOf(content);
  if (hash === 0) return 0;
  for (const [key, block] of k.sb.xattrCache ?? []) {
    if (key !== hash) continue;
    const bytes = readBuffer(k, block);
    if (isSharableXattrBlock(bytes) && sameXattrs(content, bytes)) return block;
  }
  return 0;
}
