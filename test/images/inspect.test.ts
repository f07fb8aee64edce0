/** What inspect shows is what debugfs shows, field by field; and bytes that a kernel wrote are read as what they are. */
import { describe, expect, test } from 'vitest';
import { ownBases } from '../../scripts/images/bases.ts';
import { Bytes } from '../../src/bytes/bytes.ts';
import { describeInode, paths, resolve } from '../../src/volume/describe.ts';
import { withTail } from '../../src/volume/dirent.ts';
import { listDir } from '../../src/volume/file.ts';
import { iBlockLabel } from '../../src/volume/iBlockLabel.ts';
import { Image } from '../../src/volume/image.ts';
import { mkfsImage } from '../../src/volume/mkfs.ts';
import { rawInodeLayout } from '../../src/volume/rawInode.ts';
import { debugfs, refereed } from '../support/referee.ts';
import { addFile, GOLDEN_INODE } from '../volume/build.ts';

const image = Image.load(ownBases()[1]!.file);
const file = image.toUint8Array();

describe('inspect and debugfs', () => {
  refereed('agree on every inode', ['debugfs'], () => {
    const inodes = [...new Set(paths(image).map(([, ino]) => ino)), 8];
    for (const ino of inodes) {
      const said = debugfs(file, `stat <${ino}>`);
      const number = (pattern: RegExp) => Number(pattern.exec(said)?.[1]);
      const inode = describeInode(image, ino);
      expect(inode.size, said).toBe(number(/Size: (\d+)/));
      expect(inode.links, said).toBe(number(/Links: (\d+)/));
      expect(inode.blocks, said).toBe(number(/Blockcount: (\d+)/));
      expect(inode.generation, said).toBe(number(/Generation: (\d+)/));
      expect(inode.flags.value, said).toBe(number(/Flags: (0x[0-9a-f]+)/));
      expect(inode.extraIsize, said).toBe(number(/Size of extra inode fields: (\d+)/));
      expect(inode.checksum?.stored, said).toBe(number(/Inode checksum: (0x[0-9a-f]+)/));
      expect(Number(inode.mode.slice(-4)), said).toBe(number(/Mode:\s+(\d+)/));
    }
  });

  refereed('agree on extents and tree blocks', ['debugfs'], () => {
    for (const path of ['/deep', '/blocks', '/unwritten', '/hashed']) {
      const rows = debugfs(file, `ex ${path}`).split('\n').slice(1);
      const numbers = rows.map((row) => row.match(/\d+/g)?.map(Number) ?? []).filter((row) => row.length > 0);
      const { extents, treeBlocks } = describeInode(image, resolve(image, path) as number);
      const leaves = numbers.filter((row) => row[0] === row[1]);
      expect(extents.map(({ lblk, pblk, length }) => [lblk, pblk, length])).toEqual(
        leaves.map((row) => [row[4], row[6], row[8]]),
      );
      expect(treeBlocks).toEqual(numbers.filter((row) => row[0] !== row[1]).map((row) => row[6]));
    }
  });

  refereed('agree on xattrs', ['debugfs'], () => {
    for (const path of ['/inline', '/blocks', '/deep']) {
      const { ibodyXattrs, xattrBlock } = describeInode(image, resolve(image, path) as number);
      const ours = [...ibodyXattrs, ...(xattrBlock?.xattrs ?? [])];
      const theirs = [...debugfs(file, `ea_list ${path}`).matchAll(/^\s+([\w.]+) \((\d+)\)/gm)];
      expect(ours.map(({ name, valueSize }) => `${name} ${valueSize}`).sort()).toEqual(
        theirs.map(([, name, size]) => `${name} ${size}`).sort(),
      );
    }
  });

  refereed('agree on the index of a directory', ['debugfs'], () => {
    const { htree } = describeInode(image, resolve(image, '/hashed') as number);
    const rows = [
      ...debugfs(file, 'htree /hashed').matchAll(/^Entry #\d+: Hash (0x[0-9a-f]+), block (\d+)$/gm),
    ];
    const theirs = new Map(rows.map(([, hash, block]) => [Number(block), Number(hash)]));
    expect(htree!.leaves.length).toBeGreaterThan(2);
    expect(new Map(htree!.leaves.map(({ lblk, min }) => [lblk, min]))).toEqual(theirs);
  });
});

describe('bytes of a kernel', () => {
  /** A directory with one file `ab`, inode 14, and an empty one: i_block as Linux 6.18 wrote them. */
  const ONE =
    '020000000e00000038000201616200000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000';
  const EMPTY = `0200000000000000380000${'00'.repeat(49)}`;

  test('inline directories', () => {
    const directory = (iBlock: string) =>
      rawInodeLayout.put(GOLDEN_INODE, {
        mode: 0o40755,
        sizeLo: 60,
        linksCount: 2,
        iBlock: Bytes.fromHex(iBlock),
      });
    // The value of system.data goes: an entry of size 0 is what a directory of 60 bytes has.
    const small = (raw: Bytes) => raw.putU16(0xa6, 0).putU32(0xac, 0);
    const names = (iBlock: string) => {
      const made = addFile(mkfsImage(), 'd', 12, small(directory(iBlock)), 2);
      const found = listDir(made, 12);
      return Array.isArray(found) ? found.map(({ name, ino }) => `${name.toText()} ${ino}`) : found;
    };
    expect(names(ONE)).toEqual(['. 12', '.. 2', 'ab 14']);
    expect(names(EMPTY)).toEqual(['. 12', '.. 2']);
    const raw = directory(ONE);
    expect([0x28, 0x2c, 0x30, 0x32, 0x33, 0x34, 0x36].map((at) => iBlockLabel(raw, at))).toEqual([
      ...['parent inode', 'dirent.inode', 'dirent.recLen', 'dirent.nameLen', 'dirent.fileType'],
      ...['dirent.name', 'dirent slack'],
    ]);
  });

  test('the tail of a directory block', () => {
    expect(withTail(Bytes.zero(4096)).putU32(4092, 0xfb990118).slice(4084).toHex()).toBe(
      '000000000c0000de180199fb',
    );
  });
});
