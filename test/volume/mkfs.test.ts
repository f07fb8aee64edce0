import { describe, expect, test } from 'vitest';
import { checkImage } from '../../src/volume/check.ts';
import { Image } from '../../src/volume/image.ts';
import { DEFAULT_HASH_SEED, DEFAULT_UUID, type MkfsOptions, mkfs, mkfsImage } from '../../src/volume/mkfs.ts';
import { e2fsck, mke2fs, refereed } from '../support/referee.ts';

/** One line per volume worth making: what differs from the default. */
const VOLUMES: readonly MkfsOptions[] = [
  {},
  { features: ['has_journal'] },
  { features: ['has_journal', '64bit', 'metadata_csum_seed'], journalBlocks: 1500, label: 'lab' },
  { features: ['has_journal', '^metadata_csum'] },
  { inodeSize: 128, features: ['has_journal'] },
  { inodeSize: 512, features: ['has_journal'], inodes: 100 },
  { inodeSize: 1024 },
  { inodeSize: 4096, inodes: 64 },
  { blockSize: 2048, inodeSize: 512, blocks: 4000, features: ['has_journal', '^filetype', '^dir_index'] },
  { blockSize: 1024, inodeSize: 256, blocks: 20480, features: ['has_journal'] },
  { blockSize: 1024, inodeSize: 1024, blocks: 40000, features: ['64bit', '^sparse_super'] },
  { blockSize: 1024, blocks: 400, inodes: 16 },
];

const CLEAN =
  /^Pass 1: [^\n]*\nPass 2: [^\n]*\nPass 3: [^\n]*\nPass 4: [^\n]*\nPass 5: [^\n]*\n(?:IMAGE|lab): [^\n]*\n$/;

describe('mkfs', () => {
  test('Are the same options the same bytes?', () => {
    const options = { features: ['has_journal'] };
    const first = mkfs(options);
    const second = mkfs(options);
    expect(Buffer.compare(first, second)).toBe(0);
    expect(first.length).toBe(8 * 2 ** 20);
  });

  test('Does our own check pass every volume without a word?', () => {
    for (const options of VOLUMES) expect(checkImage(mkfs(options)), JSON.stringify(options)).toEqual([]);
  });

  test('Is an impossible volume refused with the option in the message?', () => {
    const cases: [MkfsOptions, string][] = [
      [{ blockSize: 8192 }, 'mkfs: blockSize 8192 is not 1024, 2048 or 4096'],
      [{ inodeSize: 8192 }, 'inodeSize 8192 is not a power of two'],
      [{ inodeSize: 300 }, 'inodeSize 300'],
      [{ blocks: 0 }, 'blocks 0'],
      [
        { blocks: 20, inodes: 64 },
        'blocks 20 leaves 20 for group 0, which needs 8 for itself and 16 to spare',
      ],
      [{ blockSize: 1024, blocks: 8193 + 40 }, 'for group 1'],
      [{ features: ['no_such'] }, 'there is no feature no_such'],
      [{ features: ['bigalloc'] }, 'cannot make feature bigalloc'],
      [{ features: ['^extent'] }, 'needs feature extent'],
      [{ inodeSize: 128, features: ['inline_data'] }, 'inline_data needs inodes larger than 128 bytes'],
      [{ features: ['metadata_csum_seed', '^metadata_csum'] }, 'metadata_csum_seed needs metadata_csum'],
      [{ features: ['has_journal'], journalBlocks: 0 }, 'journalBlocks 0 with has_journal'],
      [{ journalBlocks: 100 }, 'journalBlocks 100'],
      [{ journalBlocks: 5000 }, 'journalBlocks 5000 does not fit'],
      [{ uuid: 'xyz' }, 'uuid "xyz" is not 32 hex digits'],
      [{ label: 'a label of more than 16 bytes' }, 'is longer than 16 bytes'],
      [{ inodes: 40000 }, 'inodes 40000'],
    ];
    for (const [options, message] of cases) expect(() => mkfs(options), message).toThrow(message);
  });

  test('Are label, uuid, time and journal where options say?', () => {
    const image = mkfsImage({ uuid: 'deadbeef-0000-1111-2222-333344445555', journalBlocks: 1024, time: 5 });
    expect(image.geometry).toMatchObject({ uuid: 'deadbeef000011112222333344445555', hasJournal: true });
    expect(image.journalBlock(0).u32be(0)).toBe(0xc03b3998);
    expect(image.inode(8).size).toBe(1024 * 4096);
    expect(mkfsImage({ features: ['none', 'extent'] }).geometry.features).toEqual({
      compat: 0,
      incompat: 0x40,
      roCompat: 0,
    });
  });

  refereed('Does e2fsck pass every volume silently?', ['e2fsck'], () => {
    for (const options of VOLUMES) {
      const { code, output } = e2fsck(mkfs(options));
      expect(output, JSON.stringify(options)).toMatch(CLEAN);
      expect(code).toBe(0);
    }
  });

  refereed('Are our bytes those of mke2fs, but for the count of kilobytes written?', ['mke2fs'], () => {
    const all = 'ext_attr,dir_index,filetype,extent,sparse_super,large_file,huge_file,dir_nlink,extra_isize';
    const cases: [MkfsOptions, string, string[]][] = [
      [
        { features: ['has_journal'] },
        `${all},inline_data,metadata_csum,has_journal`,
        ['-b', '4096', '-I', '256', '2048'],
      ],
      [
        { features: ['^metadata_csum', 'has_journal'] },
        `${all},inline_data,has_journal`,
        ['-b', '4096', '2048'],
      ],
      [
        { blockSize: 2048, inodeSize: 512, blocks: 4000, label: 'lab', features: ['^inline_data', '64bit'] },
        `${all},metadata_csum,64bit`,
        ['-b', '2048', '-I', '512', '-L', 'lab', '4000'],
      ],
      [
        { blockSize: 1024, blocks: 8000, journalBlocks: 2048, inodes: 500 },
        `${all},inline_data,metadata_csum,has_journal`,
        ['-b', '1024', '-J', 'size=2', '-N', '500', '8000'],
      ],
    ];
    for (const [options, features, args] of cases) {
      const theirs = mke2fs([
        ...['-O', `none,${features}`, '-U', DEFAULT_UUID.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')],
        ...[
          '-E',
          `lazy_itable_init=0,root_owner=0:0,hash_seed=${DEFAULT_HASH_SEED.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}`,
        ],
        ...args,
      ]);
      const ours = mkfs(options);
      expect(ours.length).toBe(theirs.length);
      expect(differing(ours, theirs), JSON.stringify(options)).toEqual([]);
    }
  });

  test('Is a volume of several groups whole after a save?', () => {
    const file = mkfs({ blockSize: 1024, blocks: 40000, features: ['has_journal'] });
    const image = Image.load(file);
    expect(image.geometry.groupCount).toBe(5);
    expect(Buffer.compare(image.toUint8Array(), file)).toBe(0);
  });
});

/** Byte offsets that differ, s_kbytes_written and the superblock's checksum apart. */
function differing(a: Uint8Array, b: Uint8Array): number[] {
  const offsets: number[] = [];
  const masked = (at: number) => (at >= 1024 + 0x178 && at < 1024 + 0x180) || (at >= 2044 && at < 2048);
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i] && !masked(i)) offsets.push(i);
  return offsets.slice(0, 20);
}
