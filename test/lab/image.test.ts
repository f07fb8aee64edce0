/** Images in and out: what mke2fs makes is worked on, and what leaves the lab is a volume that e2fsck passes. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { checkImage, createLab, type Lab, mkfs } from '../../src/index.ts';
import { debugfs, e2fsck, refereed } from '../support/referee.ts';

/** A bit of everything. */
function work({ fs, ...lab }: Lab & { fs: Lab['fs'] }): void {
  fs.writeFileSync('/inline', 'i'.repeat(40));
  fs.writeFileSync('/grown', 'g'.repeat(40));
  fs.appendFileSync('/grown', 'G'.repeat(300));
  fs.writeFileSync('/blocks', 'b'.repeat(30_000));
  fs.mkdirSync('/dir');
  for (let i = 0; i < 20; i++) fs.writeFileSync(`/dir/${'name'.repeat(5)}${i}`, `${i}`);
  fs.unlinkSync(`/dir/${'name'.repeat(5)}7`);
  fs.symlinkSync('dir/elsewhere', '/soft');
  fs.linkSync('/blocks', '/hard');
  fs.renameSync('/grown', '/dir/grown');
  fs.setxattrSync('/inline', 'user.small', 'v');
  fs.setxattrSync('/blocks', 'user.large', 'V'.repeat(900));
  const map = fs.openSync('/inline', 'r+').mmapSync({ length: 40 });
  map.store(3, new TextEncoder().encode('MAP'));
  fs.truncateSync('/blocks', 9_999);
  const kept = fs.openSync('/gone', 'w');
  kept.writeSync('x'.repeat(5000));
  fs.unlinkSync('/gone');
  void lab;
}

const SHAPES = [
  { blockSize: 4096, inodeSize: 256 },
  { blockSize: 1024, inodeSize: 256, blocks: 8192 },
  { blockSize: 2048, inodeSize: 512, blocks: 4096, features: ['64bit'] },
  { blockSize: 4096, inodeSize: 1024, features: ['^has_journal'] },
  { blockSize: 4096, inodeSize: 128, features: ['^inline_data', '^extra_isize'] },
] as const;

describe('a saved image', () => {
  for (const shape of SHAPES) {
    const name = `${shape.blockSize}-byte blocks, ${shape.inodeSize}-byte inodes${'features' in shape ? ` ${shape.features}` : ''}`;
    const make = (): Lab => createLab({ mkfs: shape, design: 'page-cache-convert' });

    it(`passes our own check and comes back the same: ${name}`, () => {
      const lab = make();
      work(lab);
      const image = lab.saveImage();
      expect(checkImage(image).filter(({ severity }) => severity === 'error')).toEqual([]);
      const again = createLab({ image });
      for (const path of ['/inline', '/dir/grown', '/blocks', '/hard']) {
        expect(again.fs.readFileSync(path)).toEqual(lab.fs.readFileSync(path));
      }
      expect(again.fs.readdirSync('/dir').sort()).toEqual(lab.fs.readdirSync('/dir').sort());
      expect(again.fs.readlinkSync('/soft')).toBe('dir/elsewhere');
      expect(again.fs.existsSync('/gone')).toBe(false);
      expect(again.fs.getxattrSync('/hard', 'user.large')).toHaveLength(900);
      expect(Buffer.compare(again.saveImage(), again.saveImage())).toBe(0);
    });

    refereed(`passes e2fsck: ${name}`, ['e2fsck'], () => {
      const lab = make();
      expect(e2fsck(lab.saveImage()).code).toBe(0);
      work(lab);
      const { code, output } = e2fsck(lab.saveImage());
      expect(code, output).toBe(0);
    });
  }

  refereed('shows debugfs the same files', ['debugfs'], () => {
    const lab = createLab();
    lab.fs.writeFileSync('/f', 'hello from the inode');
    const image = lab.saveImage();
    // It prints i_block whole, whatever the size.
    expect(debugfs(image, 'cat /f').replaceAll('\0', '')).toBe('hello from the inode');
    expect(debugfs(image, 'stat /f')).toMatch(/Flags: 0x10000000/);
  });

  it('leaves the lab as it was', () => {
    const lab = createLab();
    const file = lab.fs.openSync('/f', 'w+');
    file.writeSync('x'.repeat(300));
    const before = lab.digest();
    lab.saveImage();
    expect(lab.digest()).toBe(before);
    expect(lab.folio('/f').dirty).toBe(true);
    file.writeSync('y');
  });
});

describe('an image that comes from outside', () => {
  const fixture = (name: string): Uint8Array =>
    new Uint8Array(gunzipSync(readFileSync(`fixtures/images/${name}.img.gz`)));

  it('made by mke2fs is mounted, worked on and saved', () => {
    const lab = createLab({ image: fixture('4k-256-journal') });
    expect(lab.fs.readdirSync('/')).toEqual(['lost+found']);
    lab.fs.writeFileSync('/f', 'text');
    lab.remount();
    expect(lab.fs.readFileSync('/f', 'utf8')).toBe('text');
    expect(checkImage(lab.saveImage()).filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it('is copied: the caller may do what it likes with its bytes', () => {
    const bytes = mkfs({ features: ['has_journal'] });
    const lab = createLab({ image: bytes });
    bytes.fill(0xff);
    lab.fs.writeFileSync('/f', 'text');
    lab.remount();
    expect(lab.findings()).toEqual([]);
  });

  it('is refused when it is broken', () => {
    const bytes = mkfs();
    bytes[1024 + 0x38] = 0;
    expect(() => createLab({ image: bytes })).toThrow(/magic/);
  });
});
