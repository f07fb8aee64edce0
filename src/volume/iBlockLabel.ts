/**
 * What a byte of i_block is, for hexdumps: part of an extent tree's root, of a block map, of inline bytes, of a
 * symlink's target, or of a device number.
 */
import type { Bytes } from '../bytes/bytes.ts';
import { direntLayout, readDirents } from './dirent.ts';
import { EXTENT_MAGIC, extentHeaderLayout, extentIndexLayout, extentLayout } from './extent.ts';
import { fileKind, INODE_FLAGS, rawInodeLayout } from './rawInode.ts';

const { at: I_BLOCK, size: I_BLOCK_SIZE } = rawInodeLayout.fields.iBlock;

/**
 * @param raw  the whole raw inode
 * @param at   byte of the inode
 * @returns    undefined outside i_block
 */
export function iBlockLabel(raw: Bytes, at: number): string | undefined {
  const within = at - I_BLOCK;
  if (within < 0 || within >= I_BLOCK_SIZE) return undefined;
  const flags = rawInodeLayout.get(raw, 'flags');
  const kind = fileKind(rawInodeLayout.get(raw, 'mode'));
  const iBlock = rawInodeLayout.get(raw, 'iBlock');
  if (flags & INODE_FLAGS.INLINE_DATA) {
    return kind === 'directory' ? inlineDirLabel(iBlock, within) : 'inline bytes';
  }
  if (flags & INODE_FLAGS.EXTENTS) return treeLabel(iBlock, within);
  if (kind === 'char' || kind === 'block') return within < 8 ? 'device number' : 'iBlock';
  const isFast = kind === 'symlink' && rawInodeLayout.get(raw, 'sizeLo') < I_BLOCK_SIZE;
  return isFast ? 'target' : mapLabel(Math.floor(within / 4));
}

function mapLabel(slot: number): string {
  return ['indirect', 'double indirect', 'triple indirect'][slot - 12] ?? `block ${slot}`;
}

function treeLabel(iBlock: Bytes, within: number): string {
  const { magic, entries, depth } = extentHeaderLayout.decode(iBlock);
  if (magic !== EXTENT_MAGIC) return 'iBlock (no extent header)';
  if (within < extentHeaderLayout.size) return `eh.${extentHeaderLayout.fieldAt(within)}`;
  const index = Math.floor(within / extentLayout.size) - 1;
  const field = (depth === 0 ? extentLayout : extentIndexLayout).fieldAt(within % extentLayout.size);
  const name = `${depth === 0 ? 'extent' : 'index'} ${index}.${field}`;
  return index < entries ? name : `${name} (stale)`;
}

function inlineDirLabel(iBlock: Bytes, within: number): string {
  if (within < 4) return 'parent inode';
  const { entries } = readDirents(iBlock.slice(4));
  const entry = entries.findLast(({ offset }) => offset <= within - 4);
  if (entry === undefined) return 'inline bytes';
  const offset = within - 4 - entry.offset;
  if (offset < direntLayout.size) return `dirent.${direntLayout.fieldAt(offset)}`;
  return offset < direntLayout.size + entry.name.length ? 'dirent.name' : 'dirent slack';
}
