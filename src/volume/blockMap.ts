/**
 * Indirect block maps: how inodes without the EXTENTS flag find their blocks. Read only: the resize inode always
 * has one, and so do files from ext3.
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

/** Do all 15 numbers lie in the volume? @source fs/ext4/block_validity.c ext4_ind_check_inode */
export function isBlockMapSound(iBlock: Bytes, limits: TreeLimits): boolean {
  for (let at = 0; at < iBlock.length; at += 4) {
    const nr = iBlock.u32(at);
    if (nr !== 0 && (nr <= limits.firstDataBlock || nr >= limits.blocksCount)) return false;
  }
  return true;
}
