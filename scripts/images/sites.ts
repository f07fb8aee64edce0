/**
 * Where every structure of a good volume lies, and how to make its checksums right again after a field was changed:
 * without that a mutation never gets past the first checksum.
 */
import { Bytes } from '../../src/bytes/bytes.ts';
import type { Fields, Layout } from '../../src/bytes/layout.ts';
import { blockBitmapChecksum, inodeBitmapChecksum } from '../../src/volume/bitmap.ts';
import { dirBlockChecksum, direntLayout, hasDirentTail, readDirents } from '../../src/volume/dirent.ts';
import {
  extentHeaderLayout,
  extentIndexLayout,
  extentLayout,
  treeBlockChecksum,
} from '../../src/volume/extent.ts';
import { fileMap, inlineBytes } from '../../src/volume/file.ts';
import { type Geometry, groupDescLocation, inodeLocation } from '../../src/volume/geometry.ts';
import {
  groupDesc32Layout,
  groupDesc64Layout,
  putGroupDesc,
  storedBitmapCsum,
  withGroupDescChecksum,
} from '../../src/volume/groupDesc.ts';
import { htreeNodeChecksum } from '../../src/volume/htree.ts';
import type { Image } from '../../src/volume/image.ts';
import { journalSuperblockLayout } from '../../src/volume/journalSuper.ts';
import {
  fileKind,
  INODE_FLAGS,
  inodeChecksumSeed,
  rawInodeExtraLayout,
  rawInodeLayout,
  withRawInodeChecksum,
} from '../../src/volume/rawInode.ts';
import {
  ibodyOf,
  xattrBlockChecksum,
  xattrBlockOf,
  xattrEntryLayout,
  xattrHeaderLayout,
} from '../../src/volume/rawXattr.ts';
import {
  checksumSeedOf,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  superblockLayout,
  withSuperblockChecksum,
} from '../../src/volume/superblock.ts';

/** One structure: its fields are at `at` + the field's own offset. */
export interface Site {
  /** Such as `inode 12` or `extent 0 of inode 14`. */
  readonly name: string;
  /** Of the structure's kind, such as `ext4_inode`. */
  readonly layout: string;
  /** Byte in the file. */
  readonly at: number;
  readonly fields: Fields;
}

/** A checksummed structure. */
interface Seal {
  readonly kind: 'inode' | 'dir' | 'htree' | 'tree' | 'xattr' | 'blockBits' | 'inodeBits';
  /** Inode number, or group. */
  readonly owner: number;
  readonly block: number;
}

export interface Map_ {
  readonly sites: readonly Site[];
  readonly seals: readonly Seal[];
  readonly geo: Geometry;
  /** Blocks that hold metadata: where a random bit is worth flipping. */
  readonly blocks: readonly number[];
  /** Inodes in use, reserved ones included. */
  readonly inodes: readonly number[];
}

/** @param image  a sound volume */
export function mapOf(image: Image): Map_ {
  const geo = image.geometry;
  const sites: Site[] = [];
  const seals: Seal[] = [];
  const blocks = new Set<number>();
  const inodes: number[] = [];
  const site = (name: string, layout: Layout<Fields>, at: number, fields: Fields = layout.fields) => {
    sites.push({ name, layout: layout.name, at, fields });
    blocks.add(Math.floor(at / geo.blockSize));
  };
  site('superblock', superblockLayout, SUPERBLOCK_OFFSET);
  for (let group = 0; group < geo.groupCount; group++) {
    const { block, offset } = groupDescLocation(geo, group);
    const layout = geo.descSize >= 64 ? groupDesc64Layout : groupDesc32Layout;
    site(`group descriptor ${group}`, layout, block * geo.blockSize + offset);
    blocks.add(geo.groups[group]!.blockBitmap).add(geo.groups[group]!.inodeBitmap);
    seals.push({ kind: 'blockBits', owner: group, block: geo.groups[group]!.blockBitmap });
    seals.push({ kind: 'inodeBits', owner: group, block: geo.groups[group]!.inodeBitmap });
  }
  for (let ino = 1; ino <= geo.inodesCount; ino++) {
    const raw = image.rawInode(ino);
    const inode = image.inode(ino);
    if (raw.isZero() || (ino >= geo.firstIno && inode.linksCount === 0)) continue;
    inodes.push(ino);
    const where = inodeLocation(geo, ino);
    const at = where.block * geo.blockSize + where.offset;
    site(`inode ${ino}`, rawInodeLayout, at);
    if (geo.inodeSize > 128) site(`inode ${ino}`, rawInodeExtraLayout, at);
    seals.push({ kind: 'inode', owner: ino, block: where.block });
    for (const entry of ibodyOf(raw, inode.extraIsize).entries) {
      site(`xattr entry at ${entry.offset} of inode ${ino}`, xattrEntryLayout, at + entry.offset);
    }
    if (inode.fileAcl !== 0) xattrBlock(inode.fileAcl, ino);
    const kind = fileKind(inode.mode);
    if (kind !== 'file' && kind !== 'directory' && kind !== 'symlink') continue;
    const map = fileMap(image, ino, inode);
    if (inode.flags & INODE_FLAGS.EXTENTS) {
      treeSites(`inode ${ino}`, inode.iBlock, at + rawInodeLayout.fields.iBlock.at);
      for (const nr of map.treeBlocks) {
        treeSites(`tree block ${nr} of inode ${ino}`, image.block(nr), nr * geo.blockSize);
        seals.push({ kind: 'tree', owner: ino, block: nr });
      }
    } else for (const nr of map.treeBlocks) blocks.add(nr);
    if (kind === 'directory') directory(ino, at);
    if (ino === geo.journalInum) {
      site('journal superblock', journalSuperblockLayout, map.extents[0]!.pblk * geo.blockSize);
    }
  }
  return { sites, seals, geo, blocks: [...blocks].sort((a, b) => a - b), inodes };

  function xattrBlock(nr: number, ino: number): void {
    if (blocks.has(nr)) return;
    site(`xattr block ${nr}`, xattrHeaderLayout, nr * geo.blockSize);
    for (const { offset } of xattrBlockOf(image.block(nr)).entries)
      site(`xattr entry at ${offset} of block ${nr}`, xattrEntryLayout, nr * geo.blockSize + offset);
    seals.push({ kind: 'xattr', owner: ino, block: nr });
  }

  function treeSites(name: string, node: Bytes, at: number): void {
    site(`extent header of ${name}`, extentHeaderLayout, at);
    const { entries, depth } = extentHeaderLayout.decode(node);
    for (let i = 0; i < Math.min(entries, 4); i++) {
      if (depth === 0) site(`extent ${i} of ${name}`, extentLayout, at + 12 * (i + 1));
      else site(`extent index ${i} of ${name}`, extentIndexLayout, at + 12 * (i + 1));
    }
  }

  function directory(ino: number, at: number): void {
    const inode = image.inode(ino);
    const inline = inlineBytes(image, ino);
    if (inline !== undefined) {
      const { entries } = readDirents(inline.slice(4, 60));
      for (const { offset } of entries)
        site(`dirent at ${4 + offset} of inline directory ${ino}`, direntLayout, at + 0x28 + 4 + offset);
      return;
    }
    const indexed = (inode.flags & INODE_FLAGS.INDEX) !== 0;
    for (const extent of fileMap(image, ino, inode).extents) {
      for (let i = 0; i < extent.length; i++) {
        const nr = extent.pblk + i;
        const block = image.block(nr);
        const leaf =
          !indexed || (extent.lblk + i > 0 && !(block.u32(0) === 0 && block.u16(4) === block.length));
        seals.push({ kind: leaf ? 'dir' : 'htree', owner: ino, block: nr });
        const { entries } = readDirents(block, { hasTail: leaf && geo.metadataCsum && hasDirentTail(block) });
        for (const { offset } of entries.slice(0, 4))
          site(`dirent at ${offset} of directory block ${nr}`, direntLayout, nr * geo.blockSize + offset);
      }
    }
  }
}

/** Makes every checksum of a changed volume right, as far as there is one. Structures are where they were before. */
export function reseal(map: Map_, file: Uint8Array): void {
  const bytes = (at: number, length: number) => Bytes.copy(file, at, at + length);
  if (file.length < SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE) return;
  const sb = bytes(SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE);
  const { uuid } = superblockLayout.decode(sb);
  const geo: Geometry = { ...map.geo, csumSeed: checksumSeedOf(sb), uuid: uuid.toHex() };
  const { blockSize } = geo;
  const put = (at: number, content: Bytes) => content.copyTo(file, at);
  const has = (nr: number) => (nr + 1) * blockSize <= file.length;
  if (geo.metadataCsum) {
    for (const { kind, owner, block } of map.seals) {
      if (kind === 'inode' || kind === 'blockBits' || kind === 'inodeBits' || !has(block)) continue;
      const at = block * blockSize;
      const content = bytes(at, blockSize);
      if (kind === 'xattr') {
        put(
          at,
          xattrHeaderLayout.put(content, { checksum: xattrBlockChecksum(geo.csumSeed, block, content) }),
        );
        continue;
      }
      const where = inodeLocation(geo, owner);
      if (!has(where.block)) continue;
      const raw = bytes(where.block * blockSize + where.offset, geo.inodeSize);
      const seed = inodeChecksumSeed(geo.csumSeed, owner, rawInodeLayout.get(raw, 'generation'));
      if (kind === 'dir') put(at, content.putU32(blockSize - 4, dirBlockChecksum(seed, content)));
      else if (kind === 'tree') {
        const tail = 12 * (1 + extentHeaderLayout.get(content, 'max'));
        if (tail + 4 <= blockSize) put(at, content.putU32(tail, treeBlockChecksum(seed, content)));
      } else {
        const entries = content.u16(4) === blockSize ? 8 : 32;
        const limit = content.u16(entries);
        const count = content.u16(entries + 2);
        const tail = entries + 8 * limit;
        if (tail + 8 <= blockSize && count <= limit)
          put(at, content.putU32(tail + 4, htreeNodeChecksum(seed, content, entries, count, limit)));
      }
    }
    for (const { kind, owner, block } of map.seals) {
      if (kind !== 'inode' || !has(block)) continue;
      const at = block * blockSize + inodeLocation(geo, owner).offset;
      put(at, withRawInodeChecksum(geo, owner, bytes(at, geo.inodeSize)));
    }
  }
  for (const { kind, owner, block } of map.seals) {
    if (kind !== 'blockBits' && kind !== 'inodeBits') continue;
    const where = groupDescLocation(geo, owner);
    if (!has(block) || !has(where.block)) continue;
    const at = where.block * blockSize + where.offset;
    let desc = bytes(at, geo.descSize);
    if (geo.metadataCsum) {
      const bits = bytes(block * blockSize, blockSize);
      desc =
        kind === 'blockBits'
          ? putGroupDesc(desc, {
              blockBitmapCsum: storedBitmapCsum('block', geo.descSize, blockBitmapChecksum(geo, bits)),
            })
          : putGroupDesc(desc, {
              inodeBitmapCsum: storedBitmapCsum('inode', geo.descSize, inodeBitmapChecksum(geo, bits)),
            });
    }
    put(at, withGroupDescChecksum(geo, owner, desc));
  }
  put(SUPERBLOCK_OFFSET, withSuperblockChecksum(sb));
}
