/** Mappings: loads, stores, faults, and what becomes of the bytes. */
import { describe, expect, it } from 'vitest';
import { createLab, DESIGNS, FsError, type Lab } from '../../src/index.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (s: string): Uint8Array => new TextEncoder().encode(s);
const code = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    if (error instanceof FsError) return `${error.code} ${error.syscall}`;
    throw error;
  }
  return 'fine';
};
function withFile(content: string, lab: Lab = createLab()): Lab {
  lab.fs.writeFileSync('/f', content);
  return lab;
}

describe('a mapping', () => {
  it('shows the file, and what write(2) does to it', () => {
    const lab = withFile('hello');
    const file = lab.fs.openSync('/f', 'r+');
    const map = file.mmapSync({ length: 5 });
    expect(text(map.load(0, 5))).toBe('hello');
    file.writeSync('J', 0);
    expect(text(map.load(0, 5))).toBe('Jello');
    expect(lab.folio('/f')).toMatchObject({ mapped: true, pteWritable: false, dirty: false });
  });

  it.each(DESIGNS.map((design) => design.id))('a store is in the file at once: %s', (design) => {
    const lab = withFile('hello', createLab({ design }));
    const map = lab.fs.openSync('/f', 'r+').mmapSync({ length: 5 });
    map.store(1, bytes('EY'));
    expect(lab.fs.readFileSync('/f', 'utf8')).toBe('hEYlo');
    expect(text(map.load(0, 5))).toBe('hEYlo');
    expect(lab.check('model')).toEqual([]);
  });

  it('outlives its handle, and the name', () => {
    const lab = withFile('hello');
    const file = lab.fs.openSync('/f', 'r+');
    const map = file.mmapSync({ length: 5 });
    file.closeSync();
    lab.fs.unlinkSync('/f');
    map.store(0, bytes('J'));
    expect(text(map.load(0, 5))).toBe('Jello');
    const { ino } = file;
    map.munmap();
    expect(lab.inode(ino).fields.linksCount).toBe(0);
    expect(lab.inode(ino).core).toBe(null);
  });

  it('of two pages loads and stores across the border', () => {
    const lab = withFile('a'.repeat(8192));
    const map = lab.fs.openSync('/f', 'r+').mmapSync({ length: 8192 });
    map.store(4094, bytes('XXXX'));
    expect(text(map.load(4092, 8))).toBe('aaXXXXaa');
    expect(text(lab.fs.readFileSync('/f').subarray(4092, 4100))).toBe('aaXXXXaa');
  });

  it('of the second page counts from there', () => {
    const lab = withFile(`${'a'.repeat(4096)}second`);
    const map = lab.fs.openSync('/f', 'r+').mmapSync({ length: 6, offset: 4096 });
    expect(text(map.load(0, 6))).toBe('second');
    map.store(0, bytes('S'));
    expect(text(lab.fs.readFileSync('/f').subarray(4096))).toBe('Second');
  });

  it('that is private keeps its stores to itself', () => {
    const lab = withFile('hello');
    const file = lab.fs.openSync('/f', 'r');
    const map = file.mmapSync({ length: 5, prot: 'rw', flags: 'private' });
    map.store(0, bytes('J'));
    expect(text(map.load(0, 5))).toBe('Jello');
    expect(lab.fs.readFileSync('/f', 'utf8')).toBe('hello');
    expect(lab.folio('/f').dirty).toBe(false);
  });

  it('gets SIGBUS past the page that holds the end of the file', () => {
    const lab = withFile('hello');
    const file = lab.fs.openSync('/f', 'r+');
    const map = file.mmapSync({ length: 8192 });
    expect(code(() => map.load(4096, 1))).toBe('SIGBUS load');
    expect(code(() => map.store(4096, bytes('x')))).toBe('SIGBUS store');
    expect(map.load(100, 2)).toEqual(new Uint8Array(2));
    file.truncateSync(0);
    expect(code(() => map.load(0, 1))).toBe('SIGBUS load');
    file.truncateSync(5000);
    expect(map.load(4096, 1)).toEqual(new Uint8Array(1));
  });

  it('gets SIGBUS for a store that finds no space', () => {
    const lab = createLab({ mkfs: { blocks: 256, features: ['^has_journal'] }, mount: ['nodelalloc'] });
    lab.fs.writeFileSync('/f', 'inline');
    const filler = lab.fs.openSync('/fill', 'w');
    const full = (length: number): boolean => {
      try {
        filler.writeSync(new Uint8Array(length).fill(1));
        return false;
      } catch {
        return true;
      }
    };
    while (!full(4096));
    const map = lab.fs.openSync('/f', 'r+').mmapSync({ length: 6 });
    expect(code(() => map.store(0, bytes('x')))).toBe('SIGBUS store');
    expect(lab.fs.readFileSync('/f', 'utf8')).toBe('inline');
  });

  it('obeys its protection', () => {
    const lab = withFile('hello');
    const file = lab.fs.openSync('/f', 'r+');
    const map = file.mmapSync({ length: 5, prot: 'r' });
    expect(code(() => map.store(0, bytes('x')))).toBe('SIGSEGV store');
    map.mprotect('rw');
    expect(code(() => map.store(0, bytes('x')))).toBe('fine');
    const shared = lab.fs.openSync('/f', 'r').mmapSync({ length: 5 });
    expect(code(() => shared.mprotect('rw'))).toBe('EACCES mprotect');
  });

  it('is refused where the kernel refuses it', () => {
    const lab = withFile('hello');
    const reader = lab.fs.openSync('/f', 'r');
    const writer = lab.fs.openSync('/f', 'a');
    lab.fs.mkdirSync('/d');
    const dir = lab.fs.openSync('/d', 'r');
    expect(code(() => reader.mmapSync({ length: 5, prot: 'rw' }))).toBe('EACCES mmap');
    expect(code(() => writer.mmapSync({ length: 5 }))).toBe('EACCES mmap');
    expect(code(() => reader.mmapSync({ length: 0 }))).toBe('EINVAL mmap');
    expect(code(() => reader.mmapSync({ length: 5, offset: 100 }))).toBe('EINVAL mmap');
    expect(code(() => dir.mmapSync({ length: 5 }))).toBe('ENODEV mmap');
  });

  it('that is gone is refused', () => {
    const lab = withFile('hello');
    const map = lab.fs.openSync('/f', 'r+').mmapSync({ length: 5 });
    expect(() => map.load(3, 3)).toThrow(RangeError);
    expect(() => map.store(-1, bytes('x'))).toThrow(RangeError);
    map.munmap();
    expect(code(() => map.load(0, 1))).toBe('EFAULT load');
    expect(code(() => map.munmap())).toBe('EINVAL munmap');
  });
});

describe('msync', () => {
  it('makes a store durable, where the design keeps its promise', () => {
    const lab = withFile('x'.repeat(50), createLab({ design: 'page-cache-convert' }));
    lab.sync();
    const map = lab.fs.openSync('/f', 'r+').mmapSync({ length: 50 });
    map.store(0, bytes('stored'));
    map.msync();
    lab.crash();
    expect(text(lab.fs.readFileSync('/f').subarray(0, 8))).toBe('storedxx');
    expect(lab.findings()).toEqual([]);
  });

  it('does nothing asynchronously', () => {
    const lab = withFile('x'.repeat(5000));
    lab.sync();
    const map = lab.fs.openSync('/f', 'r+').mmapSync({ length: 5000 });
    map.store(0, bytes('y'));
    const before = lab.digest();
    map.msync(false);
    expect(lab.digest()).toBe(before);
    map.msync();
    expect(lab.folio('/f').dirty).toBe(false);
  });

  it('shows the lost store of the current kernel', () => {
    const lab = withFile('A'.repeat(50));
    const file = lab.fs.openSync('/f', 'r+');
    file.fsyncSync();
    const map = file.mmapSync({ length: 4096 });
    map.store(0, bytes('BBBB'));
    map.msync();
    file.fsyncSync();
    lab.sync();
    map.munmap();
    file.closeSync();
    lab.remount();
    expect(lab.fs.readFileSync('/f', 'utf8')).toBe('A'.repeat(50));
    expect(lab.check().map(({ invariant }) => invariant)).toContain('durability');
  });
});
