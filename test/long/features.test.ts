/** Every feature on a volume of mke2fs: read, written by a script, saved; e2fsck is silent, debugfs shows the same. */
import { describe, expect, it } from 'vitest';
import { filled } from '../../scripts/images/bases.ts';
import { READ, WRITTEN } from '../../scripts/images/features.ts';
import { isErr } from '../../src/errno.ts';
import { checkImage } from '../../src/volume/check.ts';
import { describeImage, paths, resolve } from '../../src/volume/describe.ts';
import { readFile } from '../../src/volume/file.ts';
import { Image } from '../../src/volume/image.ts';
import { mkfsImage } from '../../src/volume/mkfs.ts';
import { COMPAT, INCOMPAT, RO_COMPAT } from '../../src/volume/superblock.ts';
import { debugfs, debugfsWrite, e2fsck, mke2fs, refereed } from '../support/referee.ts';
import { patchSuper } from '../volume/build.ts';

const TOOLS = ['mke2fs', 'e2fsck', 'debugfs'];
const HOST = { host: `${'from the host '.repeat(400)}`, tiny: 'tiny' };

const SCRIPT = `
open -f /inline
pwrite -S 0x41 0 50
close
open -f /blocks
pwrite -S 0x42 0 9000
close
open -f /grown
pwrite -S 0x43 0 40
fsync
pwrite -S 0x44 40 3000
close
open /host
pwrite -S 0x45 100 10
truncate 3000
close
mkdir /d
mkdir /d/e
${Array.from({ length: 40 }, (_, i) => `ln /inline /d/a-name-of-some-length-${i}`).join('\n')}
mv /tiny /d/tiny
ln -s target /fast
ln -s ${'target/'.repeat(20)} /slow
open -f /gone
pwrite 0 2000
close
rm /gone
rmdir /d/e
@remount
`;

describe('volumes of mke2fs', () => {
  for (const { name, args } of WRITTEN) {
    refereed(`written: ${name}`, TOOLS, () => {
      const made = debugfsWrite(mke2fs(args), ['write host host', 'write tiny tiny', 'mkdir old'], HOST);
      expect(checkImage(made.slice()).filter(({ severity }) => severity === 'error')).toEqual([]);
      const saved = filled(Image.load(made), SCRIPT);
      expect(checkImage(saved).filter(({ severity }) => severity === 'error')).toEqual([]);
      const file = saved.toUint8Array();
      const { code, output } = e2fsck(file);
      expect(output).not.toMatch(/Fix\?|Clear\?|\*\*\*/);
      expect(code).toBe(0);
      for (const path of ['/inline', '/blocks', '/grown', '/host', '/d/tiny']) {
        const ino = resolve(saved, path) as number;
        const content = readFile(saved, ino);
        if (isErr(content)) throw new Error(`${path}: ${content.errno}`);
        // debugfs pads an inline file to 60 bytes.
        const theirs = debugfs(file, `cat ${path}`).slice(0, content.length);
        expect(theirs, path).toBe(content.toText());
      }
      const listed = debugfs(file, 'ls -p /d')
        .split('\n')
        .flatMap((line) => line.split('/')[5] || [])
        .sort();
      const ours = paths(saved).flatMap(([path]) => /^\/d\/([^/]+)$/.exec(path)?.[1] ?? []);
      expect([...ours, '.', '..'].sort()).toEqual(listed);
    });
  }

  for (const { name, args, reason } of READ) {
    refereed(`read: ${name}`, TOOLS, () => {
      const image = Image.load(mke2fs(args));
      expect(checkImage(image).filter(({ severity }) => severity === 'error')).toEqual([]);
      expect(describeImage(image).superblock.readOnlyReason).toContain(reason);
      expect(paths(image).map(([path]) => path)).toEqual(['/', '/lost+found']);
      expect(() => filled(image, 'open -f /f')).toThrow(
        `the image may only be read: ${image.readOnlyReason}`,
      );
    });
  }

  refereed('files from ext3 are read, cut and deleted', TOOLS, () => {
    const long = 'block map '.repeat(40_000);
    const made = debugfsWrite(
      mke2fs(['-t', 'ext4', '-b', '1024', '-O', 'inline_data,^extent,^64bit', '16M']),
      ['write long cut', 'write long gone', 'write long kept', 'feature extent'],
      { long },
    );
    const image = Image.load(made);
    expect(image.inode(resolve(image, '/cut') as number).flags).toBe(0);
    const saved = filled(
      image,
      'open /cut\npread 0 100\ntruncate 100000\nclose\nrm /gone\nopen /kept\npwrite -S 0x2e 5 3\nfsync',
    );
    expect(checkImage(saved).filter(({ severity }) => severity === 'error')).toEqual([]);
    const file = saved.toUint8Array();
    expect(e2fsck(file)).toMatchObject({ code: 0 });
    expect(debugfs(file, 'cat /cut')).toBe(long.slice(0, 100_000));
    expect(debugfs(file, 'cat /kept')).toBe(`block...${long.slice(8)}`);
    expect(resolve(saved, '/gone')).toEqual({ errno: 'ENOENT' });
  });
});

describe('what is not known', () => {
  it('is refused by name when it is incompatible, and read only when it is not', () => {
    const image = mkfsImage();
    const { features } = image.geometry;
    for (const name of ['compression', 'journal_dev', 'dirdata'] as const) {
      const lying = patchSuper(image, { featureIncompat: (features.incompat | INCOMPAT[name]) >>> 0 });
      expect(() => lying.geometry).toThrow(`unsupported incompat features: ${name}`);
    }
    const unnamed = patchSuper(image, { featureIncompat: (features.incompat | 0x4000_0000) >>> 0 });
    expect(() => unnamed.geometry).toThrow('unsupported incompat features: 0x40000000');
    const later = patchSuper(image, { featureRoCompat: (features.roCompat | 0x4000_0000) >>> 0 });
    expect(later.readOnlyReason).toBe('unsupported ro_compat features: 0x40000000');
    const shared = patchSuper(image, { featureRoCompat: features.roCompat | RO_COMPAT.shared_blocks });
    expect(shared.readOnlyReason).toBe('unsupported ro_compat features: shared_blocks');
    const quick = patchSuper(image, { featureCompat: features.compat | COMPAT.fast_commit });
    expect(quick.readOnlyReason).toContain('fast_commit');
  });
});
