import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { checkImage } from '../../src/volume/check.ts';
import { MAX_COMPLAINTS } from '../../src/volume/complaint.ts';
import { insert, newDirBlock } from '../../src/volume/dirent.ts';
import { emptyRoot, insert as insertExtent } from '../../src/volume/extent.ts';
import { inodeLocation } from '../../src/volume/geometry.ts';
import { withGroupDescChecksum } from '../../src/volume/groupDesc.ts';
import { Image } from '../../src/volume/image.ts';
import { mkfs, mkfsImage } from '../../src/volume/mkfs.ts';
import { rawInodeLayout, withRawInodeChecksum } from '../../src/volume/rawInode.ts';
import { superblockLayout } from '../../src/volume/superblock.ts';
import { debugfsWrite, e2fsck, mke2fs, refereed } from '../support/referee.ts';
import {
  addFile,
  GOLDEN_INODE,
  markBlocksUsed,
  markInodeUsed,
  patchInode,
  patchSuper,
  poke,
  putBlock,
  putDirBlock,
  putInode,
} from './build.ts';

/** /f is the golden inline file, inode 12; /g has two blocks, inode 13. */
const blocks = insertExtent(emptyRoot(), 0, 1500, 2, false) as Bytes;
const GOLDEN_BLOCKS = rawInodeLayout.put(GOLDEN_INODE, {
  flags: 0x80000,
  iBlock: blocks,
  sizeLo: 8192,
  blocksLo: 16,
});
const sound = markBlocksUsed(
  addFile(
    addFile(mkfsImage({ features: ['has_journal'] }), 'f', 12, GOLDEN_INODE),
    'g',
    13,
    GOLDEN_BLOCKS.putU32(0xa0, 0),
  ),
  1500,
  2,
);
const rootBlock = sound.inode(2).iBlock.u32(20);
const journalBlock = sound.inode(8).iBlock.u32(20);

/** `severity code` of each complaint, notes in brackets. */
function says(image: Image | Uint8Array): string[] {
  return checkImage(image).map(({ severity, code }) => (severity === 'error' ? code : `[${code}]`));
}

const atInode = (ino: number): number => {
  const where = inodeLocation(sound.geometry, ino);
  return where.block * 4096 + where.offset;
};

/** A directory of one block in place of /g. */
function withDirectory(edit: (block: Bytes) => Bytes = (block) => block): Image {
  const root = insertExtent(emptyRoot(), 0, 1500, 1, false) as Bytes;
  const raw = rawInodeLayout.put(GOLDEN_BLOCKS, {
    mode: 0o40755,
    linksCount: 2,
    sizeLo: 4096,
    blocksLo: 8,
    iBlock: root,
  });
  let image = markBlocksUsed(addFile(mkfsImage(), 'f', 12, GOLDEN_INODE), 1500);
  image = addFile(image, 'd', 13, raw.putU32(0xa0, 0), 2);
  image = patchInode(image, 2, { linksCount: 4 });
  const dirs = image.groupDesc(0).usedDirs + 1;
  image = markInodeUsed(image, 13, true);
  image = patchSuper(image, {
    freeInodesCount: superblockLayout.get(image.superblock, 'freeInodesCount') + 1,
  });
  expect(image.groupDesc(0).usedDirs).toBe(dirs);
  const block = newDirBlock(13, 2, { blockSize: 4096, hasTail: true, filetype: true });
  return putDirBlock(image, 13, 1500, edit(block));
}

describe('check', () => {
  test('Is a sound volume with an inline file, a block file and a directory passed in silence?', () => {
    expect(checkImage(sound)).toEqual([]);
    expect(checkImage(sound.toUint8Array())).toEqual([]);
    expect(checkImage(withDirectory())).toEqual([]);
  });

  test('Does a complaint name structure, offset, inode, expected and found?', () => {
    const wrong = patchInode(sound, 13, { blocksLo: 24 });
    expect(checkImage(wrong)).toEqual([
      {
        code: 'i-blocks',
        severity: 'error',
        structure: 'inode 13',
        offset: atInode(13) + 0x1c,
        ino: 13,
        expected: '16',
        found: '24',
        message: 'inode 13: wrong i_blocks, expected 16, found 24',
      },
    ]);
    const cut = checkImage(sound.toUint8Array().slice(0, 5000));
    expect(cut).toMatchObject([{ code: 'bad-image', structure: 'superblock.blocksCountLo', offset: 1028 }]);
  });

  test('Is an i_size beyond the inline bytes a note, as the kernel leaves it and e2fsck passes it?', () => {
    expect(says(patchInode(sound, 12, { sizeLo: 500 }))).toEqual(['[inline-size]']);
    expect(says(patchInode(sound, 12, { sizeLo: 99 }))).toEqual(['[inline-slack]']);
  });

  test('Does every broken thing get its own code, and nothing else?', () => {
    const flip =
      (offset: number, bit = 1) =>
      (image: Image) => {
        const byte = image.block(Math.floor(offset / 4096)).u8(offset % 4096);
        return poke(image, offset, [byte ^ bit]);
      };
    const f = (values: Parameters<typeof rawInodeLayout.put>[1]) => (image: Image) =>
      patchInode(image, 12, values);
    const g = (values: Parameters<typeof rawInodeLayout.put>[1]) => (image: Image) =>
      patchInode(image, 13, values);
    const extents = (text: [number, number, number, boolean?][]) =>
      text.reduce((root, [l, p, n, u]) => insertExtent(root, l, p, n, u ?? false) as Bytes, emptyRoot());
    const cases: [string, (image: Image) => Image, string[]][] = [
      [
        'superblock counts',
        (i) => patchSuper(i, { freeBlocksCountLo: 1, freeInodesCount: 2 }),
        ['free-blocks', 'free-inodes'],
      ],
      [
        'counts of a mounted volume',
        (i) => patchSuper(i, { freeBlocksCountLo: 1, state: 0 }),
        ['[fs-state]', '[free-blocks]'],
      ],
      ['error state', (i) => patchSuper(i, { state: 3 }), ['fs-state']],
      ['orphan list to nowhere', (i) => patchSuper(i, { lastOrphan: 99999 }), ['orphan-list']],
      ['an orphan', (i) => patchInode(patchSuper(i, { lastOrphan: 12 }), 12, { dtime: 0 }), ['[orphan]']],
      [
        'an orphan loop',
        (i) => patchInode(patchSuper(i, { lastOrphan: 12 }), 12, { dtime: 12 }),
        ['[orphan]', 'orphan-list'],
      ],
      ['inode checksum', flip(atInode(12) + 0x64), ['inode-checksum']],
      ['mode', f({ mode: 0o644 }), ['inode-mode', 'dirent-type']],
      ['both flags', f({ flags: 0x10080000 }), ['inline-and-extents']],
      ['inline without data', (i) => putInode(i, 12, GOLDEN_INODE.putU32(0xa4, 0)), ['inline-no-data']],
      ['ibody value below names', (i) => putInode(i, 12, GOLDEN_INODE.putU16(0xa6, 8)), ['ibody-xattr']],
      ['extra isize', (i) => putInode(i, 13, i.rawInode(13).putU16(0x80, 30)), ['extra-isize']],
      ['INDEX on a file', g({ flags: 0x81000 }), ['inode-flags']],
      ['VERITY without verity', g({ flags: 0x180000 }), ['inode-flags']],
      ['deletion time', g({ dtime: 5 }), ['inode-dtime']],
      ['faddr', g({ obsoFaddr: 5 }), ['unused-field']],
      ['size too small', g({ sizeLo: 4095 }), ['i-size']],
      ['size one block short', g({ sizeLo: 4096 }), ['[i-size]']],
      ['size too large', g({ sizeHigh: 0x10000 }), ['i-size']],
      ['i_blocks', g({ blocksLo: 8 }), ['i-blocks']],
      [
        'extent magic',
        g({ iBlock: blocks.putU16(0, 1), blocksLo: 0 }),
        ['extent', 'block-bitmap', 'free-blocks', 'free-blocks'],
      ],
      [
        'extent on metadata',
        g({ iBlock: extents([[0, 100, 2]]) }),
        ['block-is-metadata', 'block-is-metadata', 'block-bitmap', 'free-blocks', 'free-blocks'],
      ],
      [
        'block of another file',
        g({
          iBlock: extents([
            [0, journalBlock, 1],
            [1, 1500, 2],
          ]),
          blocksLo: 24,
          sizeLo: 12288,
        }),
        ['block-claimed-twice'],
      ],
      [
        'unwritten past the end',
        g({
          iBlock: extents([
            [0, 1500, 1],
            [1, 1501, 1, true],
          ]),
          sizeLo: 4096,
        }),
        [],
      ],
      ['links', f({ linksCount: 2 }), ['links']],
      [
        'unlinked but named',
        g({ linksCount: 0, dtime: 1_700_000_000 }),
        [
          'dirent-inode',
          'block-bitmap',
          'free-blocks',
          'inode-bitmap',
          'free-inodes',
          'free-blocks',
          'free-inodes',
        ],
      ],
      ['xattr block outside', f({ fileAclLo: 0xffffff }), ['file-acl']],
      [
        'xattr block of zeros',
        (i) => markBlocksUsed(patchInode(i, 12, { fileAclLo: 1600, blocksLo: 8 }), 1600),
        ['xattr-block', 'xattr-refcount'],
      ],
      ['symlink', f({ mode: 0o120777 }), ['dirent-type']],
      ['empty symlink', f({ mode: 0o120777, sizeLo: 0 }), ['symlink', 'dirent-type']],
      ['fifo with data', f({ mode: 0o010644, sizeLo: 0 }), ['inode-flags', 'dirent-type']],
      [
        'block bitmap',
        flip(2 * 4096 + (1700 >> 3), 1 << (1700 & 7)),
        ['block-bitmap', 'block-bitmap-checksum'],
      ],
      ['block bitmap padding', flip(2 * 4096 + 300), ['block-bitmap-padding', 'block-bitmap-checksum']],
      [
        'inode bitmap',
        flip(3 * 4096 + (100 >> 3), 1 << (100 & 7)),
        ['inode-bitmap', 'inode-bitmap-checksum'],
      ],
      ['inode bitmap padding', flip(3 * 4096 + 300), ['inode-bitmap-padding']],
      ['directory tail', flip(rootBlock * 4096 + 4090), ['dir-block']],
      ['directory checksum', flip(rootBlock * 4096 + 4092), ['dir-checksum']],
      ['journal magic', flip(journalBlock * 4096), ['journal-superblock']],
      ['journal aborted', flip(journalBlock * 4096 + 0x23), ['journal-superblock']],
      ['journal with data', flip(journalBlock * 4096 + 0x1f), ['journal-superblock']],
      [
        'journal to replay',
        (i) => flip(journalBlock * 4096 + 0x1f)(patchSuper(i, { featureIncompat: 0x8046 })),
        ['[needs-recovery]'],
      ],
      [
        'journal inode',
        (i) => patchInode(i, 8, { mode: 0o40600 }),
        ['reserved-inode', 'dir-dot', 'used-dirs'],
      ],
      ['journal copy', (i) => patchSuper(i, { jnlBlocks: Bytes.fill(1, 68) }), ['[journal-backup]']],
      ['reserved inode', (i) => putInode(i, 5, i.rawInode(5).putU32(0x28, 7)), ['reserved-inode']],
      ['root', (i) => patchInode(i, 2, { mode: 0o100755 }), ['root', 'links', 'used-dirs']],
    ];
    for (const [name, breakIt, codes] of cases) {
      const found = says(breakIt(sound));
      if (name === 'journal inode') expect(found, name).toContain('journal-inode');
      else expect(found, name).toEqual(codes);
    }
  });

  test('Does every broken directory get its own code?', () => {
    const entry = (name: string, ino: number, type: number) => (block: Bytes) =>
      insert(block, ino, name, type, { hasTail: true }) as Bytes;
    const cases: [string, (block: Bytes) => Bytes, string[]][] = [
      ['.', (b) => b.putU32(0, 2), ['dir-dot']],
      ['..', (b) => b.putU32(12, 11), ['dir-dotdot']],
      ['.. type', (b) => b.putU8(19, 1), ['dirent-type']],
      ['no NUL after .', (b) => b.putU8(9, 65), ['dirent-name']],
      ['a second record that is not ..', (b) => b.putU8(20, 65), ['dir-dotdot']],
      ['rec_len', (b) => b.putU16(16, 13), ['dirent', 'dir-dot']],
      ['a name of a free inode', entry('x', 40, 1), ['dirent-inode']],
      ['a name of a reserved inode', entry('x', 8, 1), ['dirent-inode']],
      ['a wrong type', entry('x', 12, 2), ['dirent-type', 'links']],
      ['a slash', entry('a/b', 12, 1), ['dirent-name', 'links']],
      ['a second parent', entry('x', 11, 2), ['dir-two-parents', 'dir-dotdot', 'links']],
      ['itself', entry('x', 13, 2), ['dir-two-parents', 'links']],
    ];
    for (const [name, edit, codes] of cases) {
      const found = says(withDirectory(edit));
      if (name === 'a second parent' || name === 'itself') expect(found, name).toContain('dir-two-parents');
      else expect(found, name).toEqual(codes);
    }
    const twice = withDirectory((b) =>
      entry(
        'yy',
        12,
        1,
      )(entry('xx', 12, 1)(b))
        .putU8(24 + 8, 0x79)
        .putU8(24 + 9, 0x79),
    );
    expect(says(patchInode(twice, 12, { linksCount: 3 }))).toEqual(['dirent-duplicate']);
    expect(says(patchInode(withDirectory(), 13, { sizeLo: 8192 }))).toEqual(['dir-size']);
  });

  test('Are an inode without a name, a lost lost+found and a cut-off tree found?', () => {
    const nameless = markInodeUsed(
      putInode(sound, 20, withRawInodeChecksum(sound.geometry, 20, GOLDEN_INODE)),
      20,
    );
    expect(says(nameless)).toEqual(['unreachable']);
    const empty = newDirBlock(2, 2, { blockSize: 4096, hasTail: true, filetype: true });
    expect(says(putDirBlock(mkfsImage(), 2, 132, empty))).toEqual(['unreachable', 'lost-and-found', 'links']);
  });

  test('Does a volume full of nonsense end early, and in order?', () => {
    const noise = sound.with(
      new Map(
        Array.from({ length: 128 }, (_, i) => [
          4 + i,
          i % 2 === 0 ? Bytes.fill(0x41 + (i % 7), 4096) : Bytes.fill(0xff, 4096),
        ]),
      ),
    );
    const wide = poke(noise, 4096 + 0x1c, [0, 0]);
    const found = checkImage(patchDescChecksum(wide));
    expect(found.length).toBe(MAX_COMPLAINTS + 1);
    expect(found.at(-1)).toMatchObject({ code: 'too-many' });
  });

  test('Is nothing said twice about one image, and the image left alone?', () => {
    const file = sound.toUint8Array();
    const copy = file.slice();
    expect(checkImage(file)).toEqual(checkImage(file));
    expect(Buffer.compare(file, copy)).toBe(0);
  });
});

/** Group descriptor 0 with its checksum made right. */
function patchDescChecksum(image: Image): Image {
  const sealed = withGroupDescChecksum(sound.geometry, 0, image.block(1).slice(0, 32));
  return putBlock(image, 1, image.block(1).splice(0, sealed));
}

describe('check and e2fsck', () => {
  const rich = () =>
    debugfsWrite(
      mkfs({ blocks: 1024, inodes: 128 }),
      [
        'mkdir d',
        'mkdir d/e',
        'write small d/s',
        'write big d/b',
        'write inline d/i',
        'symlink d/l s',
        `symlink d/long ${'t'.repeat(90)}`,
        'cd d',
        'mknod pipe p',
        'cd /',
        'ea_set d/s user.alpha 12345',
        `ea_set d/b user.big ${'Z'.repeat(300)}`,
        'punch d/b 1 1',
        'link d/s hard',
        'set_inode_field d/s links_count 2',
        ...Array.from({ length: 12 }, (_, i) => `write small d/e/name${i}`),
      ],
      { small: 'x', big: new Uint8Array(13000).fill(7), inline: 'y'.repeat(100) },
    );

  refereed('Do both pass what debugfs and mke2fs make?', ['e2fsck', 'debugfs', 'mke2fs'], () => {
    const files = [
      rich(),
      mke2fs(['-t', 'ext4', '-O', 'inline_data', '8M']),
      mke2fs(['-t', 'ext4', '-b', '1024', '-I', '512', '-O', 'inline_data,sparse_super2', '20M']),
      mke2fs(['-t', 'ext3', '-b', '1024', '8M']),
      mke2fs(['-t', 'ext2', '-b', '4096', '-I', '128', '8M']),
      mke2fs([
        '-t',
        'ext4',
        '-b',
        '1024',
        '-O',
        '^metadata_csum,uninit_bg,^has_journal',
        '-E',
        'lazy_itable_init=1',
        '40M',
      ]),
      mke2fs(['-t', 'ext4', '-b', '2048', '-O', 'metadata_csum_seed,^resize_inode', '16M']),
    ];
    for (const file of files) {
      expect(e2fsck(file).output).not.toMatch(/Fix|Clear|\?/);
      expect(checkImage(file).filter(({ code }) => code !== 'read-only')).toEqual([]);
    }
  });

  refereed(
    'Do we object wherever e2fsck does, when any byte of metadata changes?',
    ['e2fsck', 'debugfs'],
    () => {
      const file = rich();
      const image = Image.load(file.slice());
      const { geometry: geo } = image;
      let seed = 42;
      const random = (below: number) => {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        return Math.floor((seed / 2 ** 32) * below);
      };
      let objected = 0;
      for (let round = 0; round < 25; round++) {
        const copy = file.slice();
        const ino = 11 + random(22);
        const where = inodeLocation(geo, ino);
        const at = where.block * geo.blockSize + where.offset;
        copy[at + random(200)] = random(3) === 0 ? 255 : random(256);
        const raw = withRawInodeChecksum(geo, ino, Bytes.of(copy.slice(at, at + geo.inodeSize)));
        raw.copyTo(copy, at);
        const theirs = e2fsck(copy);
        const ours = checkImage(copy).filter((complaint) => complaint.severity === 'error');
        if (theirs.code !== 0) expect(ours.length, `inode ${ino}\n${theirs.output}`).toBeGreaterThan(0);
        if (ours.length > 0) objected++;
      }
      expect(objected).toBeGreaterThan(4);
    },
  );
});
