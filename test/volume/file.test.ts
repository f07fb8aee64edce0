import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { isErr } from '../../src/errno.ts';
import { resolve } from '../../src/volume/describe.ts';
import { emptyRoot, insert } from '../../src/volume/extent.ts';
import { fileMap, inlineBytes, listDir, readFile } from '../../src/volume/file.ts';
import { Image } from '../../src/volume/image.ts';
import { mkfs, mkfsImage } from '../../src/volume/mkfs.ts';
import { rawInodeLayout } from '../../src/volume/rawInode.ts';
import { debugfsWrite, mke2fs, refereed } from '../support/referee.ts';
import { addFile, GOLDEN_INODE, patchInode, putBlock, putInode } from './build.ts';

/** A default volume with the golden inline file at /f, inode 12. */
const golden = addFile(mkfsImage(), 'f', 12, GOLDEN_INODE);

const content = (image: Image, ino: number, from?: number, to?: number): Bytes => {
  const bytes = readFile(image, ino, from, to);
  if (isErr(bytes)) throw new Error(bytes.errno);
  return bytes;
};

describe('file', () => {
  test('Is the golden inline file read whole, and by range?', () => {
    const expected = Bytes.of(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(content(golden, 12).equals(expected)).toBe(true);
    expect(content(golden, 12, 55, 65).equals(expected.slice(55, 65))).toBe(true);
    expect(content(golden, 12, 90, 500).equals(expected.slice(90))).toBe(true);
    expect(content(golden, 12, 200).length).toBe(0);
    expect(inlineBytes(golden, 12)?.length).toBe(100);
  });

  test('Is an inline file that claims more than it holds read with zeros?', () => {
    const longer = patchInode(golden, 12, { sizeLo: 500 });
    expect(content(longer, 12).length).toBe(500);
    expect(content(longer, 12).isZero(100)).toBe(true);
  });

  test('Is an inode flagged inline without system.data not inline?', () => {
    const none = putInode(golden, 12, GOLDEN_INODE.putU32(0xa4, 0));
    expect(inlineBytes(none, 12)).toBeUndefined();
  });

  test('Do holes and unwritten blocks read as zeros, and blocks as they are?', () => {
    const one = insert(emptyRoot(), 0, 300, 1, false) as Bytes;
    const root = insert(one, 2, 400, 1, true) as Bytes;
    const raw = rawInodeLayout.put(GOLDEN_INODE, {
      flags: 0x80000,
      iBlock: root,
      sizeLo: 4096 * 3 - 1,
      blocksLo: 16,
    });
    const two = new Map([
      [300, Bytes.fill(1, 4096)],
      [400, Bytes.fill(2, 4096)],
    ]);
    const image = putInode(golden, 12, raw).with(two);
    const bytes = content(image, 12);
    expect(bytes.length).toBe(3 * 4096 - 1);
    expect(bytes.slice(0, 4096).equals(Bytes.fill(1, 4096))).toBe(true);
    expect(bytes.isZero(4096)).toBe(true);
    expect(content(image, 12, 4090, 4100).toHex()).toBe('01010101010100000000');
  });

  test('Is a lying size an error, not an allocation?', () => {
    const huge = patchInode(golden, 12, { sizeHigh: 0x7fff });
    expect(readFile(huge, 12)).toMatchObject({ errno: 'EFBIG' });
    expect(content(huge, 12, 0, 10).toHex()).toBe('0102030405060708090a');
  });

  test('What is refused, and with which errno?', () => {
    expect(readFile(golden, 2)).toMatchObject({ errno: 'EISDIR' });
    expect(listDir(golden, 12)).toMatchObject({ errno: 'ENOTDIR' });
    expect(readFile(patchInode(golden, 12, { mode: 0o10644 }), 12)).toMatchObject({ errno: 'EINVAL' });
    const broken = patchInode(golden, 12, { flags: 0x80000 });
    expect(readFile(broken, 12)).toMatchObject({ errno: 'EUCLEAN' });
    expect(listDir(putBlock(golden, golden.inode(2).iBlock.u32(20), Bytes.zero(4096)), 2)).toMatchObject({
      errno: 'EUCLEAN',
    });
    expect(() => readFile(golden, 0)).toThrow(RangeError);
  });

  test('Is a directory listed in on-disk order, an inline one with the names it does not store?', () => {
    const names = listDir(golden, 2);
    if (isErr(names)) throw new Error(names.errno);
    expect(names.map((entry) => `${entry.name.toText()}:${entry.ino}`)).toEqual([
      '.:2',
      '..:2',
      'lost+found:11',
      'f:12',
    ]);
    const iBlock = Bytes.fromHex('020000000e000000380002016162'.padEnd(120, '0'));
    const value = Bytes.zero(40).splice(0, Bytes.fromHex('0f00000028000301636465'));
    const raw = rawInodeLayout.put(GOLDEN_INODE, { mode: 0o40755, iBlock }).splice(0xd8, value);
    const inline = listDir(putInode(golden, 12, raw), 12);
    if (isErr(inline)) throw new Error(inline.errno);
    expect(inline.map((entry) => `${entry.name.toText()}:${entry.ino}`)).toEqual([
      '.:12',
      '..:2',
      'ab:14',
      'cde:15',
    ]);
  });

  refereed('Do we read what debugfs wrote: inline, blocks, holes, symlinks?', ['debugfs'], () => {
    const text = (length: number) => new Uint8Array(length).map((_, i) => 33 + (i % 90));
    const files = { tiny: text(7), edge: text(60), inline: text(120), blocks: text(9000) };
    const made = debugfsWrite(
      mkfs(),
      [
        'mkdir d',
        ...Object.keys(files).map((name) => `write ${name} d/${name}`),
        'symlink /short d/tiny',
        `symlink /long ${'x'.repeat(58)}/../d/tiny`,
        'punch /d/blocks 1 1',
      ].map((command) => command.replace(/write (\w+) d\//, 'write $1 /d/')),
      files,
    );
    const image = Image.load(made);
    const at = (path: string) => {
      const ino = resolve(image, path);
      if (isErr(ino)) throw new Error(`${path}: ${ino.errno}`);
      return ino;
    };
    for (const [name, bytes] of Object.entries(files)) {
      const expected = name === 'blocks' ? Bytes.of(bytes).fillRange(0, 4096, 8192) : Bytes.of(bytes);
      expect(content(image, at(`/d/${name}`)).equals(expected), name).toBe(true);
    }
    expect(inlineBytes(image, at('/d/inline'))?.length).toBe(120);
    expect(content(image, at('/short')).toText()).toBe('d/tiny');
    expect(content(image, at('/long')).toText()).toBe(`${'x'.repeat(58)}/../d/tiny`);
  });

  refereed('Do we read block maps of three levels, and the resize inode?', ['mke2fs', 'debugfs'], () => {
    const bytes = new Uint8Array(400 * 1024).map((_, i) => i % 251);
    const args = ['-t', 'ext2', '-b', '1024', '-O', '^extent,resize_inode', '8M'];
    const image = Image.load(debugfsWrite(mke2fs(args), ['write big big'], { big: bytes }));
    expect(image.geometry.extents).toBe(false);
    expect(content(image, 12).equals(Bytes.of(bytes))).toBe(true);
    const map = fileMap(image, 12, image.inode(12));
    expect(map.treeBlocks.length).toBe(3);
    const resize = fileMap(image, 7, image.inode(7));
    expect(resize.problems).toEqual([]);
    expect(resize.extents.length + resize.treeBlocks.length).toBeGreaterThan(1);
    const cycle = patchInode(image, 12, {
      iBlock: image.inode(12).iBlock.putU32(52, image.inode(12).iBlock.u32(48)),
    });
    expect(fileMap(cycle, 12, cycle.inode(12)).problems.length).toBeGreaterThan(0);
  });
});
