/**
 * How large a file may be. `s_maxbytes` is the limit of what is mapped by extents, and of every call; files without
 * extents, inline ones among them, end at `s_bitmap_maxbytes`.
 */
import type { Kernel } from '../kernel.ts';
import { hasFlag } from './update.ts';

/** s_maxbytes: logical block numbers have 32 bits. @source fs/ext4/super.c ext4_max_size */
export function maxBytes(k: Kernel): number {
  return (2 ** 32 - 1) * k.blockSize;
}

/** s_bitmap_maxbytes: what twelve blocks and three trees hold. @source fs/ext4/super.c ext4_max_bitmap_size */
export function bitmapMaxBytes(k: Kernel): number {
  const perBlock = k.blockSize / 4;
  const blocks = 12 + perBlock * (1 + perBlock * (1 + perBlock));
  return Math.min(blocks, 2 ** 32 - 1) * k.blockSize;
}

/** The limit of this file. Inside a step. @source fs/ext4/file.c ext4_generic_write_checks */
export function fileMaxBytes(k: Kernel, ino: number): number {
  return hasFlag(k, ino, 'extents') ? maxBytes(k) : bitmapMaxBytes(k);
}
