/** Broken volumes: what is made of them is a refusal, complaints or a clear error, never a crash. `test/long` has more. */
import { describe, expect, it } from 'vitest';
import { ownBases } from '../../scripts/images/bases.ts';
import { judge } from '../../scripts/images/judge.ts';
import { mutantOf } from '../../scripts/images/mutations.ts';
import { mapOf, reseal } from '../../scripts/images/sites.ts';
import { checkImage } from '../../src/volume/check.ts';
import { Image } from '../../src/volume/image.ts';
import { e2fsck, refereed } from '../support/referee.ts';

const bases = ownBases();
const maps = bases.map(({ file }) => mapOf(Image.load(file.slice())));

describe('volumes to break', () => {
  it('are sound, and making their checksums right changes nothing', () => {
    for (const [i, { name, file }] of bases.entries()) {
      expect(checkImage(file.slice()), name).toEqual([]);
      const again = file.slice();
      reseal(maps[i]!, again);
      expect(Buffer.compare(again, file), name).toBe(0);
    }
  });

  it('have one of every structure', () => {
    const layouts = new Set(maps.flatMap(({ sites }) => sites.map(({ layout }) => layout)));
    expect([...layouts].sort()).toEqual([
      'ext4_dir_entry_2',
      'ext4_extent',
      'ext4_extent_header',
      'ext4_extent_idx',
      'ext4_group_desc',
      'ext4_inode',
      'ext4_super_block',
      'ext4_xattr_entry',
      'ext4_xattr_header',
      'journal_superblock_s',
    ]);
  });

  refereed('pass e2fsck', ['e2fsck'], () => {
    for (const { name, file } of bases) expect(e2fsck(file).code, name).toBe(0);
  });
});

describe('mutants', () => {
  it('are the same for the same seed', () => {
    const [a, b] = [mutantOf(bases, maps, 7, 3), mutantOf(bases, maps, 7, 3)];
    expect(a.changes).toEqual(b.changes);
    expect(Buffer.compare(a.file, b.file)).toBe(0);
  });

  it('end in a verdict', () => {
    const verdicts = { refused: 0, errors: 0, notes: 0, clean: 0 };
    for (let index = 0; index < 120; index++) {
      const { file, changes } = mutantOf(bases, maps, 1, index);
      const run = () => judge(file, { exec: index % 8 === 0, stage() {} });
      expect(run, `${index}: ${changes.join('; ')}`).not.toThrow();
      verdicts[judge(file, { exec: false, stage() {} })]++;
    }
    expect(verdicts.refused).toBeGreaterThan(3);
    expect(verdicts.errors).toBeGreaterThan(50);
  });
});
