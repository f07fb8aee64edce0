/** Small volumes for tests, made and then broken on purpose. Every helper returns a new image. */
import { Bytes } from '../../src/bytes/bytes.ts';
import { setBits, withBlockBitmap, withInodeBitmap } from '../../src/volume/bitmap.ts';
import { insert, withDirBlockChecksum } from '../../src/volume/dirent.ts';
import { blocksInGroup, groupDescLocation, inodeLocation } from '../../src/volume/geometry.ts';
import type { Image } from '../../src/volume/image.ts';
import { inodeChecksumSeed, rawInodeLayout, withRawInodeChecksum } from '../../src/volume/rawInode.ts';
import { freeBlocksCountOf, superblockLayout, withSuperblockChecksum } from '../../src/volume/superblock.ts';

/** K section 10: inode 12 of a volume with the default uuid, 100 bytes 0x01…0x64 inline. */
export const GOLDEN_INODE: Bytes = Bytes.fromHex(
  `a4810000640000000803016b0803016b0803016b000000000000010000000000
   00000010010000000102030405060708090a0b0c0d0e0f101112131415161718
   191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738
   393a3b3cee5061ab000000000000000000000000000000000000000047bc0000
   2000ea3ed8993d2cd8993d2cd8993d2c0803016bd8993d2c0000000000000000
   000002ea04073400000000002800000000000000646174610000000000000000
   0000000000000000000000000000000000000000000000003d3e3f4041424344
   45464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f6061626364`.replace(/\s/g, ''),
);

export function putBlock(image: Image, nr: number, bytes: Bytes): Image {
  return image.with(new Map([[nr, bytes]]));
}

/** Some bytes of a block replaced, checksums left alone. */
export function poke(image: Image, offset: number, bytes: readonly number[]): Image {
  const nr = Math.floor(offset / image.blockSize);
  return putBlock(image, nr, image.block(nr).splice(offset % image.blockSize, Uint8Array.from(bytes)));
}

/** The superblock with some fields replaced, checksum right. */
export function patchSuper(image: Image, values: Parameters<typeof superblockLayout.put>[1]): Image {
  const nr = image.blockSize === 1024 ? 1 : 0;
  const sb = withSuperblockChecksum(superblockLayout.put(image.superblock, values));
  return putBlock(image, nr, image.block(nr).splice(nr === 1 ? 0 : 1024, sb));
}

/** A raw inode put in place, checksum made right. */
export function putInode(image: Image, ino: number, raw: Bytes): Image {
  const at = inodeLocation(image.geometry, ino);
  const sealed = withRawInodeChecksum(image.geometry, ino, raw);
  return putBlock(image, at.block, image.block(at.block).splice(at.offset, sealed));
}

/** Some fields of an inode's first 128 bytes replaced, checksum right. */
export function patchInode(
  image: Image,
  ino: number,
  values: Parameters<typeof rawInodeLayout.put>[1],
): Image {
  return putInode(image, ino, rawInodeLayout.put(image.rawInode(ino), values));
}

/** A directory block of `ino` put in place, checksum right. */
export function putDirBlock(image: Image, ino: number, nr: number, block: Bytes): Image {
  const seed = inodeChecksumSeed(image.geometry.csumSeed, ino, image.inode(ino).generation);
  return putBlock(image, nr, image.geometry.metadataCsum ? withDirBlockChecksum(seed, block) : block);
}

/** An inode marked used in its bitmap, its descriptor and the superblock. Group 0 only. */
export function markInodeUsed(image: Image, ino: number, directory = false): Image {
  const geo = image.geometry;
  const bits = setBits(image.inodeBitmap(0), ino - 1);
  const desc = withInodeBitmap(
    geo,
    0,
    image.rawGroupDesc(0),
    bits,
    image.groupDesc(0).usedDirs + (directory ? 1 : 0),
  );
  const free = superblockLayout.get(image.superblock, 'freeInodesCount');
  return patchSuper(putDesc(putBlock(image, geo.groups[0]!.inodeBitmap, bits), desc), {
    freeInodesCount: free - 1,
  });
}

/** Blocks marked used in the bitmap, the descriptor and the superblock. Group 0 of a 2k or 4k volume only. */
export function markBlocksUsed(image: Image, nr: number, count = 1): Image {
  const geo = image.geometry;
  const bits = setBits(image.blockBitmap(0), nr, count);
  const desc = withBlockBitmap(geo, 0, image.rawGroupDesc(0), bits, blocksInGroup(geo, 0));
  const free = freeBlocksCountOf(image.superblock);
  return patchSuper(putDesc(putBlock(image, geo.groups[0]!.blockBitmap, bits), desc), {
    freeBlocksCountLo: free - count,
  });
}

function putDesc(image: Image, desc: Bytes): Image {
  const at = groupDescLocation(image.geometry, 0);
  return putBlock(image, at.block, image.block(at.block).splice(at.offset, desc));
}

/** A file in the root of a default volume: inode, name, bitmap and counts. */
export function addFile(image: Image, name: string, ino: number, raw: Bytes, fileType = 1): Image {
  const rootBlock = image.inode(2).iBlock.u32(20);
  const block = insert(image.block(rootBlock), ino, name, fileType, { hasTail: image.geometry.metadataCsum });
  if (!(block instanceof Bytes)) throw new Error(`${name} does not fit`);
  return putDirBlock(markInodeUsed(putInode(image, ino, raw), ino), 2, rootBlock, block);
}
