import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { describeImage, describeInode, inodeFlagNames, paths, resolve } from '../../src/volume/describe.ts';
import { emptyRoot, insert } from '../../src/volume/extent.ts';
import { Image } from '../../src/volume/image.ts';
import { mkfs, mkfsImage } from '../../src/volume/mkfs.ts';
import { rawInodeLayout } from '../../src/volume/rawInode.ts';
import { debugfs, debugfsWrite, refereed } from '../support/referee.ts';
import { addFile, GOLDEN_INODE, patchInode } from './build.ts';

const golden = addFile(mkfsImage({ features: ['has_journal'], label: 'lab' }), 'f', 12, GOLDEN_INODE);

describe('describe', () => {
  test('Is a volume described, ready for JSON?', () => {
    const said = describeImage(golden);
    expect(JSON.parse(JSON.stringify(said))).toMatchObject({
      superblock: {
        label: 'lab',
        uuid: '00112233-4455-6677-8899-aabbccddeeff',
        state: ['VALID'],
        blockSize: 4096,
        freeInodesCount: 2036,
        mkfsTime: 1600000000,
      },
      journal: { ino: 8, blocks: 1024, start: 0, needsRecovery: false },
      groups: [{ group: 0, inodeTable: 4, freeInodes: 2036, flags: ['INODE_ZEROED'], hasSuperblock: true }],
    });
    const { checksum } = said.superblock;
    expect(checksum?.stored).toBe(checksum?.computed);
    expect(describeImage(mkfsImage()).journal).toBeUndefined();
  });

  test('Is the golden inode described field by field?', () => {
    expect(describeInode(golden, 12)).toEqual({
      ino: 12,
      offset: 4 * 4096 + 11 * 256,
      kind: 'file',
      mode: '0100644',
      uid: 0,
      gid: 0,
      size: 100,
      links: 1,
      blocks: 0,
      flags: { value: 0x10000000, names: ['INLINE_DATA'] },
      generation: 0xab6150ee,
      dtime: 0,
      extraIsize: 32,
      times: {
        atime: '1795228424.185558646',
        ctime: '1795228424.185558646',
        mtime: '1795228424.185558646',
        crtime: '1795228424.185558646',
      },
      checksum: { stored: 0x3eeabc47, computed: 0x3eeabc47 },
      ibodyXattrs: [
        {
          name: 'system.data',
          offset: 0xa4,
          valueOffs: 0x34,
          valueSize: 40,
          hash: 0,
          value: GOLDEN_INODE.slice(0xd8).toHex(),
        },
      ],
      xattrBlock: undefined,
      inline: GOLDEN_INODE.slice(0x28, 0x64).toHex() + GOLDEN_INODE.slice(0xd8).toHex(),
      extents: [],
      treeBlocks: [],
      target: undefined,
      entries: undefined,
      raw: GOLDEN_INODE.toHex(),
    });
  });

  test('Are directories, blocks and symlinks described?', () => {
    const root = describeInode(golden, 2);
    expect(root.entries).toEqual([
      { name: '.', ino: 2, fileType: 2 },
      { name: '..', ino: 2, fileType: 2 },
      { name: 'lost+found', ino: 11, fileType: 2 },
      { name: 'f', ino: 12, fileType: 1 },
    ]);
    expect(root.extents).toEqual([{ lblk: 0, pblk: 132, length: 1, unwritten: false }]);
    const broken = patchInode(golden, 2, { iBlock: Bytes.zero(60) });
    expect(describeInode(broken, 2).entries).toBe('EUCLEAN');
    const link = patchInode(golden, 12, {
      mode: 0o120777,
      flags: 0,
      sizeLo: 4,
      iBlock: Bytes.zero(60).splice(0, Bytes.fromText('to/x')),
    });
    expect(describeInode(link, 12)).toMatchObject({ kind: 'symlink', target: 'to/x' });
    expect(inodeFlagNames(0x80081010)).toEqual(['IMMUTABLE', 'INDEX', 'EXTENTS', '0x80000000']);
    expect(() => describeInode(golden, 99999)).toThrow(RangeError);
  });

  test('Where do paths lead, and how do they fail?', () => {
    expect(
      ['/', '/f', 'f', '//f', '/./f', '/lost+found/..', '/lost+found/../f', '<12>'].map((path) =>
        resolve(golden, path),
      ),
    ).toEqual([2, 12, 12, 12, 12, 2, 12, 12]);
    expect(resolve(golden, '/nope')).toMatchObject({ errno: 'ENOENT' });
    expect(resolve(golden, '/f/x')).toMatchObject({ errno: 'ENOTDIR' });
    expect(resolve(golden, '<0>')).toMatchObject({ errno: 'ENOENT' });
    expect(resolve(golden, '<4000>')).toMatchObject({ errno: 'ENOENT' });
    const loop = patchInode(golden, 12, {
      mode: 0o120777,
      flags: 0,
      sizeLo: 1,
      iBlock: Bytes.zero(60).splice(0, Bytes.fromText('f')),
    });
    expect(resolve(loop, '/f')).toBe(12);
    expect(resolve(loop, '/f/x')).toMatchObject({ errno: 'ELOOP' });
    expect(paths(golden)).toEqual([
      ['/', 2],
      ['/lost+found', 11],
      ['/f', 12],
    ]);
  });

  test('Does a directory that contains itself end?', () => {
    const extent = insert(emptyRoot(), 0, golden.inode(2).iBlock.u32(20), 1, false) as Bytes;
    const raw = rawInodeLayout.put(GOLDEN_INODE, {
      mode: 0o40755,
      flags: 0x80000,
      sizeLo: 4096,
      iBlock: extent,
    });
    const loop = addFile(mkfsImage({ features: ['has_journal'] }), 'f', 12, raw, 2);
    expect(paths(loop).length).toBeLessThan(10);
  });

  refereed('Does debugfs see the same fields?', ['debugfs'], () => {
    const file = debugfsWrite(
      mkfs(),
      ['mkdir d', 'write x d/x', 'ea_set d/x user.a hello', 'symlink l d', 'set_inode_field d/x uid 70000'],
      { x: 'y'.repeat(80) },
    );
    const image = Image.load(file);
    const ino = resolve(image, '/l/x');
    expect(resolve(image, '/d/x')).toBe(ino);
    const said = describeInode(image, ino as number);
    const stat = debugfs(file, 'stat d/x');
    const field = (name: string) => new RegExp(`${name}: +(\\S+)`).exec(stat)?.[1];
    expect(field('Inode')).toBe(String(said.ino));
    expect(field('User')).toBe(String(said.uid));
    expect(field('Size')).toBe(String(said.size));
    expect(field('Links')).toBe(String(said.links));
    expect(field('Blockcount')).toBe(String(said.blocks));
    expect(field('Inode checksum')).toBe(`0x${said.checksum!.stored.toString(16).padStart(8, '0')}`);
    expect(Number(field('Flags'))).toBe(said.flags.value);
    expect(said.ibodyXattrs.map(({ name, valueSize }) => [name, valueSize])).toEqual([
      ['system.data', 20],
      ['user.a', 5],
    ]);
    expect(stat).toContain('user.a (5) = "hello"');
  });
});
