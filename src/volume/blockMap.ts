/**
 * Indirect block maps: how inodes without the EXTENTS flag find their blocks. They are read and cut, and never grow:
 * the resize inode always has one, and so do files from ext3.
 *
 *     i_block    12 block numbers · indirect · double indirect · triple indirect        (15 × le32, 0 is a hole)
 *     map block  block size / 4 block numbers
 *
 * Every map block is entered once, so that a lying or cyclic map ends.
 */
import type { Bytes } from '../bytes/bytes.ts';
import type { Extent, ReadBlock, TreeLimits, TreeProblem, TreeWalk } from './extent.ts';

/** @source fs/ext4/ext4.h EXT4_NDIR_BLOCKS */
const DIRECT = 12;

/**
 * @param iBlock  the 60 bytes
 * @returns       runs of blocks in logical order, and the map blocks, parents first
 * @source        fs/ext4/indirect.c ext4_block_to_path, ext4_check_indirect_blockref
 */
export function walkBlockMap(
  iBlock: Bytes,
  blockSize: number,
  readBlock: ReadBlock,
  limits: TreeLimits,
): TreeWalk {
  const extents: Extent[] = [];
  const treeBlocks: number[] = [];
  const problems: TreeProblem[] = [];
  const seen = new Set<number>();
  const fanOut = blockSize / 4;
  const valid = (nr: number) => nr > limits.firstDataBlock && nr < limits.blocksCount;

  const map = (lblk: number, pblk: number) => {
    const last = extents.at(-1);
    if (last !== undefined && last.lblk + last.length === lblk && last.pblk + last.length === pblk) {
      extents[extents.length - 1] = { ...last, length: last.length + 1 };
    } else extents.push({ lblk, pblk, length: 1, unwritten: false });
  };
  const follow = (nr: number, level: number, lblk: number, block: number, offset: number): void => {
    if (nr === 0) return;
    const bad = (problem: string) => problems.push({ block, offset, problem, found: String(nr) });
    if (!valid(nr)) bad('block number outside the volume');
    else if (level === 0) map(lblk, nr);
    else if (seen.has(nr)) bad('map block is used twice');
    else if (limits.mayEnter?.(nr) === false) bad('map block belongs to something else');
    else {
      seen.add(nr);
      treeBlocks.push(nr);
      const node = readBlock(nr);
      for (let i = 0; i < fanOut; i++) {
        follow(node.u32(4 * i), level - 1, lblk + i * fanOut ** (level - 1), nr, 4 * i);
      }
    }
  };

  for (let i = 0; i < DIRECT; i++) follow(iBlock.u32(4 * i), 0, i, 0, 4 * i);
  let lblk = DIRECT;
  for (let level = 1; level <= 3; level++) {
    const at = 4 * (DIRECT + level - 1);
    follow(iBlock.u32(at), level, lblk, 0, at);
    lblk += fanOut ** level;
  }
  return { extents, treeBlocks, problems };
}

/**
 * The block that holds a logical block; 0 for a hole.
 * @source fs/ext4/indirect.c ext4_block_to_path, ext4_get_branch
 */
export function lookupBlockMap(iBlock: Bytes, lblk: number, blockSize: number, readBlock: ReadBlock): number {
  if (lblk < DIRECT) return iBlock.u32(4 * lblk);
  const fanOut = blockSize / 4;
  let rest = lblk - DIRECT;
  for (let level = 1; level <= 3; level++) {
    if (rest >= fanOut ** level) {
      rest -= fanOut ** level;
      continue;
    }
    let nr = iBlock.u32(4 * (DIRECT + level - 1));
    for (let below = level - 1; nr !== 0 && below >= 0; below--) {
      nr = readBlock(nr).u32(4 * (Math.floor(rest / fanOut ** below) % fanOut));
    }
    return nr;
  }
  return 0;
}

/** What a cut leaves and frees. */
export interface CutBlockMap {
  readonly iBlock: Bytes;
  /** Map blocks that stay and change. */
  readonly changed: readonly (readonly [nr: number, data: Bytes])[];
  readonly freedData: readonly number[];
  readonly freedMap: readonly number[];
}

/**
 * Unmaps everything from `from` on.
 * @source fs/ext4/indirect.c ext4_ind_truncate
 */
export function cutBlockMap(
  iBlock: Bytes,
  from: number,
  blockSize: number,
  readBlock: ReadBlock,
): CutBlockMap {
  const fanOut = blockSize / 4;
  const changed: [number, Bytes][] = [];
  const freedData: number[] = [];
  const freedMap: number[] = [];
  /** The number that stands for `nr` afterwards: itself, or 0. */
  const cut = (nr: number, level: number, first: number): number => {
    if (nr === 0) return 0;
    if (first + fanOut ** level <= from) return nr;
    if (level === 0) {
      freedData.push(nr);
      return 0;
    }
    const before = readBlock(nr);
    let after = before;
    for (let i = 0; i < fanOut; i++) {
      const child = before.u32(4 * i);
      const left = cut(child, level - 1, first + i * fanOut ** (level - 1));
      if (left !== child) after = after.putU32(4 * i, left);
    }
    if (first >= from) {
      freedMap.push(nr);
      return 0;
    }
    if (after !== before) changed.push([nr, after]);
    return nr;
  };
  let root = iBlock;
  const put = (slot: number, level: number, first: number) => {
    const nr = iBlock.u32(4 * slot);
    const left = cut(nr, level, first);
    if (left !== nr) root = root.putU32(4 * slot, left);
  };
  for (let i = 0; i < DIRECT; i++) put(i, 0, i);
  let first = DIRECT;
  for (let level = 1; level <= 3; level++) {
    put(DIRECT + level - 1, level, first);
    first += fanOut ** level;
  }
  return { iBlock: root, changed, freedData, freedMap };
}

/** Do all 15 numbers lie in the volume? @source fs/ext4/block_validity.c ext4_ind_check_inode */
export function isBlockMapSound(iBlock: Bytes, limits: TreeLimits): boolean {
  for (let at = 0; at < iBlock.length; at += 4) {
    const nr = iBlock.u32(at);
    if (nr !== 0 && (nr <= limits.firstDataBlock || nr >= limits.blocksCount)) return false;
  }
  return true;
}
