/**
 * What the passes of a check hand on: the volume, the complaints so far, who owns each block and what each used
 * inode is. Block ownership is one word per block of the volume, so its size is bounded by the file's.
 */
import type { Bytes } from '../bytes/bytes.ts';
import type { Complaints, Place } from './complaint.ts';
import type { TreeWalk } from './extent.ts';
import { type Geometry, inodeLocation, metadataRanges, RESIZE_INO } from './geometry.ts';
import type { Image } from './image.ts';
import type { FileKind, RawInode } from './rawInode.ts';

/** An inode that is in use. */
export interface UsedInode {
  readonly ino: number;
  readonly inode: RawInode;
  /** Undefined for a mode that names nothing. */
  readonly kind: FileKind | undefined;
  /** Bytes held in the inode; undefined when it is not (soundly) inline. */
  readonly inline: Bytes | undefined;
  readonly map: TreeWalk;
  /** Directory entries that name it, `.` and `..` not counted. */
  names: number;
  /** Directories: subdirectories named in it. */
  subdirs: number;
  /** Directories: the directory that names it first. */
  parent: number | undefined;
  /** Directories: what its `..` says, and where. */
  dotDot: { readonly ino: number; readonly place: Place } | undefined;
  /** Directories: inodes named in it. */
  readonly children: number[];
}

/** An attribute whose value lies in an inode. */
export interface EaReference {
  readonly ino: number;
  /** Bytes of the value, as the attribute has it. */
  readonly size: number;
  readonly place: Place;
  readonly name: string;
}

export interface CheckContext {
  readonly image: Image;
  readonly geo: Geometry;
  readonly complaints: Complaints;
  readonly claims: Claims;
  /** By inode number, ascending. */
  readonly used: Map<number, UsedInode>;
  /** External xattr blocks: how many inodes point at each, and the first of them. */
  readonly xattrBlocks: Map<number, { count: number; ino: number }>;
  /** Inodes on the orphan list. */
  readonly orphans: ReadonlySet<number>;
  /** Inodes that the superblock names, and no directory. */
  readonly unnamed: ReadonlySet<number>;
  /** Attribute values that lie in inodes. */
  readonly eaReferences: EaReference[];
}

/** Where an inode's field is. @param at bytes from the start of the inode */
export function inodePlace(geo: Geometry, ino: number, at = 0): Place {
  const where = inodeLocation(geo, ino);
  return { structure: `inode ${ino}`, offset: where.block * geo.blockSize + where.offset + at, ino };
}

export function blockPlace(geo: Geometry, what: string, nr: number, at = 0, ino?: number): Place {
  return { structure: `${what} ${nr}`, offset: nr * geo.blockSize + at, ino };
}

const METADATA = 0xffffffff;
/** Blocks kept for growing the descriptor table: the resize inode, and nobody else, maps them. */
const RESERVED_GDT = 0xfffffffe;

/** Who owns each block. */
export class Claims {
  readonly #owner: Uint32Array;
  /** Blocks of the group's own metadata that more than one structure claims: what `metadata-overlap` reports. */
  readonly overlaps: { block: number; what: string }[] = [];

  constructor(geo: Geometry) {
    this.#owner = new Uint32Array(geo.blocksCount);
    for (const range of metadataRanges(geo)) {
      for (let block = range.start; block < Math.min(range.start + range.count, geo.blocksCount); block++) {
        if (this.#owner[block] !== 0) this.overlaps.push({ block, what: `${range.what} ${range.group}` });
        this.#owner[block] = range.what === 'reserved descriptors' ? RESERVED_GDT : METADATA;
      }
    }
  }

  /** A block of its own that the superblock names. */
  claimMetadata(block: number, what: string): void {
    if (this.#owner[block] !== 0) this.overlaps.push({ block, what });
    this.#owner[block] = METADATA;
  }

  isUsed(block: number): boolean {
    return this.#owner[block] !== 0;
  }

  /** Is the block kept for growing the descriptor table? */
  isReserved(block: number): boolean {
    return this.#owner[block] === RESERVED_GDT;
  }

  /** A bitmap of what is used among `count` blocks from `start` on. */
  bitmap(start: number, count: number): Uint8Array {
    const bits = new Uint8Array((count + 7) >> 3);
    for (let i = 0; i < count; i++) if (this.#owner[start + i] !== 0) bits[i >> 3]! |= 1 << (i & 7);
    return bits;
  }

  /**
   * Gives a block to an inode.
   * @returns  who has it already: another inode's number, or 'metadata'; undefined when it was free
   */
  claim(block: number, ino: number): number | 'metadata' | undefined {
    const owner = this.#owner[block]!;
    if (owner === 0) {
      this.#owner[block] = ino;
      return undefined;
    }
    if (owner === RESERVED_GDT && ino === RESIZE_INO) return undefined;
    return owner === METADATA || owner === RESERVED_GDT ? 'metadata' : owner;
  }
}

/** A block that somebody claims and somebody else owns. */
export function complainOfOwner(
  ctx: CheckContext,
  place: Place,
  block: number,
  owner: number | 'metadata',
): void {
  if (owner === 'metadata') {
    ctx.complaints.error('block-is-metadata', place, `block ${block} belongs to the group's metadata`);
  } else if (owner === place.ino) {
    ctx.complaints.error('block-claimed-twice', place, `block ${block} is mapped twice`);
  } else {
    ctx.complaints.error('block-claimed-twice', place, `block ${block} belongs to inode ${owner} already`);
  }
}
