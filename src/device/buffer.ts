/**
 * The bdev cache: the page cache of the block device, where metadata buffers live. It is the second of the three
 * copies of a byte: a file's folio is another, the medium the third.
 *
 * Inode-table blocks are kept as one piece per inode (`raw` records), so that a change of one inode is a change
 * of its bytes and not of a whole block; `bufferBytes` puts them together when the block goes to the journal or
 * to the medium. The superblock's head of the orphan list is put in in the same way, from `sb.orphans`.
 *
 * All functions run inside a step.
 */
import { Bytes } from '../bytes/bytes.ts';
import type { Kernel } from '../kernel.ts';
import type { Geometry } from '../volume/geometry.ts';
import { inodeLocation } from '../volume/geometry.ts';
import {
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockLayout,
  withSuperblockChecksum,
} from '../volume/superblock.ts';
import { readMedium, writeMedium } from './medium.ts';

/** First inode and inode count of an inode-table block; null for any other block. */
export function inodeTableBlock(geo: Geometry, block: number): { first: number; count: number } | null {
  const perBlock = geo.blockSize / geo.inodeSize;
  const tableBlocks = Math.ceil(geo.inodesPerGroup / perBlock);
  for (let group = 0; group < geo.groups.length; group++) {
    const start = geo.groups[group]!.inodeTable;
    if (block >= start && block < start + tableBlocks) {
      return { first: group * geo.inodesPerGroup + (block - start) * perBlock + 1, count: perBlock };
    }
  }
  return null;
}

/** sb_bread: the buffer is cached and uptodate afterwards. */
export function readBuffer(k: Kernel, block: number): Bytes {
  const buf = k.buf(block);
  if (!buf.cached) {
    buf.cached = true;
    buf.data = readMedium(k, block);
  }
  return buf.data!;
}

/** The block that holds the superblock. */
export function superblockBlock(geo: Geometry): number {
  return Math.floor(SUPERBLOCK_OFFSET / geo.blockSize);
}

/** The block with s_last_orphan as `sb.orphans` has it. */
function withLastOrphan(k: Kernel, data: Bytes): Bytes {
  const at = SUPERBLOCK_OFFSET % k.blockSize;
  const lastOrphan = k.sb.orphans?.[0] ?? 0;
  if (data.u32(at + superblockLayout.fields.lastOrphan.at) === lastOrphan) return data;
  const sb = superblockLayout.put(data.slice(at, at + SUPERBLOCK_SIZE), { lastOrphan });
  return data.splice(at, withSuperblockChecksum(sb));
}

/** The bytes of a buffer as the bdev cache has them, inode-table blocks put together. */
export function bufferBytes(k: Kernel, block: number): Bytes {
  if (block === superblockBlock(k.geo)) {
    return withLastOrphan(k, k.buf(block).data ?? readMedium(k, block));
  }
  const table = inodeTableBlock(k.geo, block);
  if (table === null) return k.buf(block).data ?? readMedium(k, block);
  const base = readMedium(k, block);
  return base.edit((scratch) => {
    for (let i = 0; i < table.count; i++) k.raw(table.first + i).data?.copyTo(scratch, i * k.geo.inodeSize);
  });
}

/** The raw inode: `inodeSize` bytes of the inode-table block in the bdev cache. @source ext4_get_inode_loc */
export function rawInode(k: Kernel, ino: number): Bytes {
  const record = k.raw(ino);
  if (record.data === null) {
    const { block, offset } = inodeLocation(k.geo, ino);
    record.data = readMedium(k, block).slice(offset, offset + k.geo.inodeSize);
    k.buf(block).cached = true;
  }
  return record.data;
}

/** Changes the raw inode. The caller has write access to its block (`getWriteAccess`). */
export function setRawInode(k: Kernel, ino: number, data: Bytes): void {
  k.raw(ino).data = data;
}

/** The block that holds an inode. */
export function inodeBlock(k: Kernel, ino: number): number {
  if (ino !== asked.ino || k.geo !== asked.geo) {
    asked = { geo: k.geo, ino, block: inodeLocation(k.geo, ino).block };
  }
  return asked.block;
}

/** The last answer of `inodeBlock`: a write asks for the block of its inode four times. */
let asked: { geo: Geometry | null; ino: number; block: number } = { geo: null, ino: 0, block: 0 };

/** Changes the content of a buffer that is not an inode-table block. The caller has write access. */
export function setBuffer(k: Kernel, block: number, data: Bytes): void {
  const buf = k.buf(block);
  buf.cached = true;
  buf.data = data;
}

/** Writes one dirty buffer home. */
export function writeBuffer(k: Kernel, block: number, why: string): void {
  const buf = k.buf(block);
  buf.dirty = false;
  writeMedium(k, block, bufferBytes(k, block), why);
}

/** Blocks whose buffer is dirty, ascending. */
export function dirtyBuffers(k: Kernel): number[] {
  return k.world.firstKeys('buf').filter((block) => k.buf(block).dirty);
}

/** Forgets every buffer: unmount, or power failure. Dirty content is lost. */
export function dropBuffers(k: Kernel): void {
  for (const block of k.world.firstKeys('buf')) {
    const buf = k.buf(block);
    buf.cached = buf.dirty = buf.running = buf.committing = false;
    buf.data = buf.frozen = null;
    buf.assoc = buf.revoke = 0;
  }
  for (const ino of k.world.firstKeys('raw')) k.raw(ino).data = null;
}

/** clean_bdev_aliases: a stale buffer of a block that became file data must not be written any more. */
export function cleanBdevAlias(k: Kernel, block: number): void {
  const buf = k.buf(block);
  buf.dirty = false;
  buf.assoc = 0;
}

/** A block of zeros. */
export function zeroBlock(k: Kernel): Bytes {
  return Bytes.zero(k.blockSize);
}
