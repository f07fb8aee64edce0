/**
 * The orphan file (feature orphan_file): slots for inode numbers, so that orphans need no list through their inodes.
 *
 * ```
 * block ┌ inode number u32, 0: free │ … ┐            (blockSize − 8) / 4 slots
 *       └ magic 0x0B10CA04, checksum    ┘            crc32c of the file's seed, the block's number, the slots
 * ```
 *
 * A new orphan takes the first free slot, looked for from a block that depends on the CPU on: the model has CPU 0. When
 * there is none the list in the superblock takes it. All functions run inside a step with a handle.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { crc32cBytes, crc32cU32 } from '../bytes/crc32c.ts';
import { rawInode, readBuffer, setBuffer } from '../device/buffer.ts';
import { dirtyMetadata, getWriteAccess } from '../device/journal.ts';
import { isErr } from '../errno.ts';
import type { Kernel } from '../kernel.ts';
import { entries } from '../volume/extent.ts';
import { inodeSeed } from './checksum.ts';
import { I_BLOCK_AT, I_BLOCK_SIZE } from './layout.ts';

/** @source fs/ext4/ext4.h struct ext4_orphan_block_tail */
const TAIL_SIZE = 8;

const slotsPerBlock = (k: Kernel): number => (k.blockSize - TAIL_SIZE) / 4;

/** Physical blocks of the file, in order; none without the feature. */
function orphanBlocks(k: Kernel): number[] {
  if (k.geo.orphanFileInum === 0) return [];
  const iBlock = rawInode(k, k.geo.orphanFileInum).slice(I_BLOCK_AT, I_BLOCK_AT + I_BLOCK_SIZE);
  const mapped = entries(iBlock, (block) => readBuffer(k, block));
  if (isErr(mapped)) return [];
  return mapped.flatMap(({ pblk, length }) => Array.from({ length }, (_, i) => pblk + i));
}

/** @source fs/ext4/orphan.c ext4_orphan_file_block_trigger */
function sealed(k: Kernel, nr: number, block: Bytes): Bytes {
  if (!k.geo.metadataCsum) return block;
  const { orphanFileInum, csumSeed } = k.geo;
  const seed = inodeSeed(orphanFileInum, rawInode(k, orphanFileInum).u32(0x64), csumSeed);
  const ofNumber = crc32cU32(crc32cU32(seed, nr), 0);
  return block.putU32(k.blockSize - 4, crc32cBytes(ofNumber, block, 0, slotsPerBlock(k) * 4));
}

function setSlot(k: Kernel, nr: number, slot: number, ino: number): void {
  getWriteAccess(k, nr);
  setBuffer(k, nr, sealed(k, nr, readBuffer(k, nr).putU32(slot * 4, ino)));
  dirtyMetadata(k, nr);
}

/** @returns false when there is no free slot @source fs/ext4/orphan.c ext4_orphan_file_add */
export function orphanFileAdd(k: Kernel, ino: number): boolean {
  const slots = slotsPerBlock(k);
  for (const [i, nr] of orphanBlocks(k).entries()) {
    const block = readBuffer(k, nr);
    for (let slot = 0; slot < slots; slot++) {
      if (block.u32(slot * 4) !== 0) continue;
      setSlot(k, nr, slot, ino);
      k.inode(ino).orphanSlot = i * slots + slot + 1;
      return true;
    }
  }
  return false;
}

/** @source fs/ext4/orphan.c ext4_orphan_file_del */
export function orphanFileDel(k: Kernel, ino: number): void {
  const inode = k.inode(ino);
  const at = inode.orphanSlot - 1;
  const nr = orphanBlocks(k)[Math.floor(at / slotsPerBlock(k))];
  inode.orphanSlot = 0;
  if (nr !== undefined) setSlot(k, nr, at % slotsPerBlock(k), 0);
}

/** Who is in the file, and in which slot, counted from 1: at mount, after replay. */
export function fileOrphans(k: Kernel): { readonly ino: number; readonly slot: number }[] {
  const slots = slotsPerBlock(k);
  const found: { ino: number; slot: number }[] = [];
  for (const [i, nr] of orphanBlocks(k).entries()) {
    const block = readBuffer(k, nr);
    for (let slot = 0; slot < slots; slot++) {
      const ino = block.u32(slot * 4);
      if (ino !== 0) found.push({ ino, slot: i * slots + slot + 1 });
    }
  }
  return found;
}
