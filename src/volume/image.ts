/**
 * Image: a volume as an immutable store of blocks.
 *
 *     base      the file as loaded, never written; its blocks become `Bytes` when first asked for, and stay
 *     overlay   blocks changed by `with`, in chunks of 64 so that a change copies one chunk, not the volume
 *
 * Invariants: `block(nr)` returns the identical value every time until `with` replaces that block, across images
 * of one descent; a load holds the file once; an all-zero block is the shared `Bytes.zero`.
 *
 * Verified at load: the file is as long as it claims, superblock and descriptors are sane and their checksums
 * right, every incompat feature is known. Not verified: anything else; that is `check`.
 */
import { Bytes } from '../bytes/bytes.ts';
import { isErr } from '../errno.ts';
import { BadImage } from './badImage.ts';
import { withBitmapEnd } from './bitmap.ts';
import { isBlockMapSound, lookupBlockMap } from './blockMap.ts';
import { lookup } from './extent.ts';
import {
  baseMetaBlocks,
  blocksInGroup,
  type Geometry,
  groupDescLocation,
  groupFirstBlock,
  inodeLocation,
  readGeometry,
} from './geometry.ts';
import { BG_FLAGS, type GroupDesc, readGroupDesc } from './groupDesc.ts';
import { INODE_FLAGS, type RawInode, readRawInode } from './rawInode.ts';
import { hasFeature, SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE } from './superblock.ts';

export { BadImage } from './badImage.ts';

const CHUNK = 64;
type Chunk = readonly (Bytes | undefined)[];

/** The file and the blocks already made from it; shared by every image that descends from one load. */
interface Base {
  readonly file: Uint8Array;
  readonly blocks: Map<number, Bytes>;
}

export class Image {
  readonly #base: Base;
  readonly #blockSize: number;
  readonly #blocksCount: number;
  readonly #overlay: readonly (Chunk | undefined)[];
  #geometry: Geometry | undefined;

  private constructor(
    base: Base,
    overlay: readonly (Chunk | undefined)[],
    shape: { blockSize: number; blocksCount: number },
    geometry: Geometry | undefined,
  ) {
    this.#base = base;
    this.#overlay = overlay;
    this.#blockSize = shape.blockSize;
    this.#blocksCount = shape.blocksCount;
    this.#geometry = geometry;
  }

  /**
   * Takes ownership of `file`: it is not copied, and the caller must not write to it afterwards.
   * @throws BadImage naming structure, byte offset, expected and found
   */
  static load(file: Uint8Array): Image {
    const read = (offset: number, length: number) => Bytes.copy(file, offset, offset + length);
    const geometry = readGeometry(read, file.length);
    return new Image({ file, blocks: new Map() }, [], geometry, geometry);
  }

  /** Of the superblock as it is now; read again after a change to it. @throws BadImage when that change broke it */
  get geometry(): Geometry {
    if (this.#geometry === undefined) {
      const read = (offset: number, length: number) => this.read(offset, length);
      this.#geometry = readGeometry(read, this.#base.file.length);
    }
    return this.#geometry;
  }

  /** Bytes of one block, and of every argument of `with`. */
  get blockSize(): number {
    return this.#blockSize;
  }

  get blocksCount(): number {
    return this.#blocksCount;
  }

  /** @throws RangeError when there is no such block */
  block(nr: number): Bytes {
    if (!(Number.isInteger(nr) && nr >= 0 && nr < this.#blocksCount)) {
      throw new RangeError(`block ${nr} is outside 0..${this.#blocksCount - 1}`);
    }
    const changed = this.#overlay[Math.floor(nr / CHUNK)]?.[nr % CHUNK];
    if (changed !== undefined) return changed;
    const { file, blocks } = this.#base;
    let block = blocks.get(nr);
    if (block === undefined) {
      const view = file.subarray(nr * this.#blockSize, (nr + 1) * this.#blockSize);
      block = isZero(view) ? Bytes.zero(this.#blockSize) : Bytes.copy(view);
      blocks.set(nr, block);
    }
    return block;
  }

  /** A copy of `length` bytes at byte `offset` of the volume. */
  read(offset: number, length: number): Bytes {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const from = (offset + at) % this.#blockSize;
      const count = Math.min(this.#blockSize - from, length - at);
      this.block(Math.floor((offset + at) / this.#blockSize)).copyTo(out, at, from, from + count);
      at += count;
    }
    return Bytes.adopt(out);
  }

  /**
   * The image with some blocks replaced; this one keeps its own.
   * @param changes  block number → exactly one block of bytes
   * @throws         RangeError for a block outside the volume or of another size
   */
  with(changes: ReadonlyMap<number, Bytes>): Image {
    const overlay = this.#overlay.slice();
    const copied = new Map<number, (Bytes | undefined)[]>();
    let geometry = this.#geometry;
    for (const [nr, bytes] of changes) {
      if (bytes.length !== this.#blockSize) {
        throw new RangeError(`block ${nr} takes ${this.#blockSize} bytes, not ${bytes.length}`);
      }
      const before = this.block(nr);
      if (before === bytes) continue;
      if (geometry !== undefined && (nr < geometry.gdtBlock || geometry.descBlocks.includes(nr)))
        geometry = undefined;
      const index = Math.floor(nr / CHUNK);
      let chunk = copied.get(index);
      if (chunk === undefined) {
        chunk = (overlay[index] ?? []).slice();
        copied.set(index, chunk);
        overlay[index] = chunk;
      }
      chunk[nr % CHUNK] = bytes;
    }
    if (copied.size === 0) return this;
    return new Image(this.#base, overlay, this, geometry);
  }

  /** The whole file in a fresh buffer, bytes past the last block included. */
  toUint8Array(): Uint8Array {
    const out = this.#base.file.slice();
    for (const [index, chunk] of this.#overlay.entries()) {
      chunk?.forEach((block, at) => {
        block?.copyTo(out, (index * CHUNK + at) * this.#blockSize);
      });
    }
    return out;
  }

  /** The 1024 bytes of the superblock. */
  get superblock(): Bytes {
    return this.read(SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE);
  }

  /** The `descSize` bytes of one group descriptor. */
  rawGroupDesc(group: number): Bytes {
    const at = groupDescLocation(this.geometry, group);
    return this.block(at.block).slice(at.offset, at.offset + this.geometry.descSize);
  }

  groupDesc(group: number): GroupDesc {
    return readGroupDesc(this.rawGroupDesc(group));
  }

  /** The `inodeSize` bytes of one inode. @throws RangeError when there is no such inode */
  rawInode(ino: number): Bytes {
    const at = inodeLocation(this.geometry, ino);
    return this.block(at.block).slice(at.offset, at.offset + this.geometry.inodeSize);
  }

  inode(ino: number): RawInode {
    return readRawInode(this.geometry, this.rawInode(ino));
  }

  /**
   * The block bitmap in force: the one on disk, or the one a group marked BLOCK_UNINIT starts with.
   * @source fs/ext4/balloc.c ext4_read_block_bitmap_nowait
   */
  blockBitmap(group: number): Bytes {
    const uninit = this.#hasGroupFlags() && this.groupDesc(group).flags & BG_FLAGS.BLOCK_UNINIT;
    return uninit
      ? initialBlockBitmap(this.geometry, group)
      : this.block(this.geometry.groups[group]!.blockBitmap);
  }

  /** The inode bitmap in force, likewise. @source fs/ext4/ialloc.c ext4_read_inode_bitmap */
  inodeBitmap(group: number): Bytes {
    const uninit = this.#hasGroupFlags() && this.groupDesc(group).flags & BG_FLAGS.INODE_UNINIT;
    return uninit ? initialInodeBitmap(this.geometry) : this.block(this.geometry.groups[group]!.inodeBitmap);
  }

  /** Group flags count only where descriptors have checksums. @source fs/ext4/ext4.h ext4_has_group_desc_csum */
  #hasGroupFlags(): boolean {
    return this.geometry.metadataCsum || this.geometry.gdtCsum;
  }

  /** Why this image may only be read; undefined when it may be written. */
  get readOnlyReason(): string | undefined {
    return this.geometry.readOnlyReason;
  }

  /**
   * True when the journal holds transactions that a mount would replay first.
   * @throws BadImage when the volume says so and its journal cannot be found
   */
  get needsRecovery(): boolean {
    if (!hasFeature(this.geometry.features, 'needs_recovery') || !this.geometry.hasJournal) return false;
    return this.journalBlock(0).u32be(JOURNAL_START) !== 0;
  }

  /** One block of the journal, by its number in the log. @throws BadImage when it cannot be found */
  journalBlock(index: number): Bytes {
    return this.block(this.journalBlockNr(index));
  }

  /** Where on the volume a block of the journal is. @throws BadImage when it cannot be found */
  journalBlockNr(index: number): number {
    const geo = this.geometry;
    const structure = 'journal inode';
    const where = geo.journalInum === 0 ? 0 : inodeLocation(geo, geo.journalInum);
    if (where === 0)
      throw new BadImage(structure, SUPERBLOCK_OFFSET + 0xe0, 'external journals are not supported');
    const offset = where.block * geo.blockSize + where.offset;
    const inode = this.inode(geo.journalInum);
    const missing = () => new BadImage(structure, offset + 0x28, `no block for journal block ${index}`);
    const read = (nr: number) => {
      if (nr >= geo.blocksCount) throw missing();
      return this.block(nr);
    };
    if ((inode.flags & INODE_FLAGS.EXTENTS) === 0) {
      if (!isBlockMapSound(inode.iBlock, geo)) throw missing();
      const nr = lookupBlockMap(inode.iBlock, index, geo.blockSize, read);
      if (nr === 0 || nr >= geo.blocksCount) throw missing();
      return nr;
    }
    const found = lookup(inode.iBlock, index, read, geo);
    if (isErr(found) || found.kind === 'hole') throw missing();
    return found.pblk;
  }
}

/** Byte of s_start in the journal superblock. @source include/linux/jbd2.h struct journal_superblock_s */
const JOURNAL_START = 0x1c;

/**
 * The block bitmap of a group that nothing was ever allocated in: its own metadata, and ones past its end.
 * @source fs/ext4/balloc.c ext4_init_block_bitmap
 */
export function initialBlockBitmap(geo: Geometry, group: number): Bytes {
  const start = groupFirstBlock(geo, group);
  const count = blocksInGroup(geo, group);
  const at = geo.groups[group]!;
  const bits = Bytes.zero(geo.blockSize).edit((target) => {
    const mark = (from: number, length: number) => {
      for (let block = Math.max(from, start); block < Math.min(from + length, start + count); block++) {
        target[(block - start) >> 3]! |= 1 << ((block - start) & 7);
      }
    };
    mark(start, baseMetaBlocks(geo, group));
    mark(at.blockBitmap, 1);
    mark(at.inodeBitmap, 1);
    mark(at.inodeTable, geo.inodeTableBlocks);
  });
  return withBitmapEnd(bits, count);
}

/** The inode bitmap of a group without inodes: zeros, and ones past its end. */
export function initialInodeBitmap(geo: Geometry): Bytes {
  return withBitmapEnd(Bytes.zero(geo.blockSize), geo.inodesPerGroup);
}

function isZero(view: Uint8Array): boolean {
  for (let i = 0; i < view.length; i++) if (view[i] !== 0) return false;
  return true;
}
