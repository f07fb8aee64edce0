/** Looking at states, going back to them, and telling what changed. */
import { describe, expect, it } from 'vitest';
import { createLab, type FieldDiff, type Lab, type Snapshot } from '../../src/index.ts';

const bytes = (s: string): Uint8Array => new TextEncoder().encode(s);
const lines = (diff: readonly FieldDiff[]): string[] => diff.flatMap((each) => each.text.split('\n'));

describe('snapshots', () => {
  it('are plain frozen data', () => {
    const lab = createLab();
    lab.fs.writeFileSync('/f', 'text');
    const state = lab.snapshot();
    expect(Object.isFrozen(state)).toBe(true);
    expect(Object.isFrozen(state.inode)).toBe(true);
    expect(Object.values(state.inode!).every(Object.isFrozen)).toBe(true);
    expect(JSON.stringify(state).length).toBeGreaterThan(1000);
  });

  it('do not change when the lab goes on, however often', () => {
    const lab = createLab();
    const file = lab.fs.openSync('/f', 'w+');
    file.writeSync('a'.repeat(120));
    const states: [Snapshot, string][] = [];
    for (let i = 0; i < 300; i++) {
      if (i % 37 === 0) states.push([lab.snapshot(), JSON.stringify(lab.snapshot())]);
      file.writeSync(`${i}`.padStart(5), (i * 7) % 90);
    }
    for (const [state, text] of states.reverse()) expect(JSON.stringify(state)).toBe(text);
  });

  it('restore is exact: digest, data and what comes after', () => {
    const lab = createLab();
    lab.fs.writeFileSync('/f', 'first');
    const before = lab.snapshot();
    const digest = lab.digest();
    const goOn = (): string => {
      lab.fs.writeFileSync('/f', 'x'.repeat(5000));
      lab.fs.writeFileSync('/g', 'other');
      lab.flush();
      lab.commit();
      return lab.digest();
    };
    const once = goOn();
    lab.restore(before);
    expect(lab.digest()).toBe(digest);
    expect(lab.diff(before)).toEqual([]);
    expect(lab.fs.readFileSync('/f', 'utf8')).toBe('first');
    lab.restore(before);
    expect(goOn()).toBe(once);
  });

  it('bring back what was open, and close what was not', () => {
    const lab = createLab();
    const kept = lab.fs.openSync('/kept', 'w+');
    kept.writeSync('hello');
    const map = kept.mmapSync({ length: 5 });
    map.store(0, bytes('J'));
    const before = lab.snapshot();

    kept.writeSync(' world');
    kept.closeSync();
    map.munmap();
    const later = lab.fs.openSync('/later', 'w');
    expect(later.fd).toBe(3);

    lab.restore(before);
    expect(lab.fs.openFiles).toEqual([kept]);
    expect(lab.fs.mappings).toEqual([map]);
    expect(() => later.writeSync('x')).toThrow(/EBADF/);
    expect(map.load(0, 5)).toEqual(bytes('Jello'));
    expect(kept.writeSync('!')).toBe(1);
    expect(kept.readSync(new Uint8Array(9), 0, 9, 0)).toBe(6);
    kept.closeSync();
    map.munmap();
    lab.remount();
  });

  it('of another lab are taken over with what is open in them', () => {
    const one = createLab();
    const file = one.fs.openSync('/f', 'a+');
    file.writeSync('text');
    file.mmapSync({ length: 4 });
    const two = createLab({ design: 'defer' });
    two.restore(one.snapshot());
    expect(two.digest()).toBe(one.digest());
    expect(two.fs.openFiles).toHaveLength(1);
    two.fs.openFiles[0]!.writeSync('!');
    expect(two.fs.mappings[0]!.load(0, 4)).toEqual(bytes('text'));
    two.fs.mappings[0]!.store(0, bytes('T'));
    expect(two.fs.readFileSync('/f', 'utf8')).toBe('Text!');
    expect(two.fs.openFiles[0]!.ino).toBe(file.ino);
    expect(one.fs.readFileSync('/f', 'utf8')).toBe('text');
  });
});

describe('diff', () => {
  it('names fields and runs of bytes', () => {
    const lab = createLab();
    const file = lab.fs.openSync('/f', 'w+');
    file.writeSync('a'.repeat(70));
    lab.sync();
    const before = lab.snapshot();
    file.writeSync('XY', 59);
    const diff = lab.diff(before);
    expect(lines(diff)).toEqual([
      'inode 12 dirtyInode: false → true',
      'inode 12 syncTx: 0 → 2',
      'raw 12 data 0x0063 iBlock: 61 → 58',
      expect.stringMatching(/^raw 12 data 0x007c checksumLo: /),
      expect.stringMatching(/^raw 12 data 0x0082 checksumHi: /),
      'raw 12 data 0x00f4 7:data value: 61 → 59',
      'buf 4 running: false → true',
      'journal running: false → true',
      'folio 12:0 data 0x003b: 6161 → 5859',
      'ghostPage 12:0 data 0x003b: 6161 → 5859',
    ]);
    expect(diff.find(({ table }) => table === 'raw')!.runs[0]).toEqual({
      at: 0x63,
      label: 'iBlock',
      before: '61',
      after: '58',
    });
  });

  it('between two states, in both directions', () => {
    const lab = createLab();
    lab.fs.writeFileSync('/f', 'a');
    const a = lab.snapshot();
    lab.fs.truncateSync('/f', 0);
    const b = lab.snapshot();
    lab.fs.writeFileSync('/g', 'elsewhere');
    const there = lab.diff(a, b);
    const back = lab.diff(b, a);
    expect(there.map(({ table, key, field, before, after }) => [table, key, field, after, before])).toEqual(
      back.map(({ table, key, field, before, after }) => [table, key, field, before, after]),
    );
    expect(lines(there)).toContain('inode 12 size: 1 → 0');
    expect(lab.diff(a, a)).toEqual([]);
  });

  it('shows flags by name and modes in octal', () => {
    const lab = createLab();
    const before = lab.snapshot();
    lab.fs.writeFileSync('/f', 'a');
    const said = lines(lab.diff(before));
    expect(said).toContain('inode 12 flags: 0 → inlineData');
    expect(said).toContain('inode 12 mode: 00 → 0100644');
  });
});

describe('looking', () => {
  const touched = (look: (lab: Lab) => void): string[] => {
    const lab = createLab();
    lab.fs.writeFileSync('/f', 'text');
    lab.fs.mkdirSync('/d');
    lab.fs.writeFileSync('/d/g', 'x'.repeat(5000));
    lab.fs.setxattrSync('/d/g', 'user.a', 'v');
    lab.sync();
    lab.dropCaches();
    const before = lab.snapshot();
    look(lab);
    return lines(lab.diff(before));
  };

  it('touches nothing', () => {
    expect(
      touched((lab) => {
        lab.inode('/d/g');
        lab.inode('/f');
        lab.inode(2);
        lab.folio('/f');
        lab.folio('/d/g', 1);
        lab.block(0);
        lab.findings();
        lab.check();
        lab.digest();
        lab.saveImage();
      }),
    ).toEqual([]);
  });

  it('at an inline inode', () => {
    const lab = createLab();
    lab.fs.writeFileSync('/f', 'i'.repeat(50));
    lab.fs.setxattrSync('/f', 'user.tag', 'value');
    const view = lab.inode('/f');
    expect(view).toMatchObject({
      ino: 12,
      fields: { sizeLo: 50, linksCount: 1, extraIsize: 32, mode: 0o100644 },
      xattrs: { 'user.tag': bytes('value') },
      inline: { off: 164, size: 60 },
      extents: [],
      core: { size: 50, disksize: 50, mayInline: true, inlineOff: 164, inlineSize: 60 },
    });
    expect(view.raw).toHaveLength(256);
    expect(view.inline!.bytes.subarray(0, 50)).toEqual(bytes('i'.repeat(50)));
    expect(view.fields.iBlock).toEqual(view.raw.slice(0x28, 0x64));
    view.raw.fill(0);
    expect(lab.inode('/f').fields.sizeLo).toBe(50);
  });

  it('at a file of blocks, in core and out of it', () => {
    const lab = createLab();
    lab.fs.writeFileSync('/f', 'b'.repeat(10_000));
    expect(lab.inode('/f')).toMatchObject({ extents: [], core: { reserved: 3, delayed: [0, 1, 2] } });
    lab.sync();
    const extents = [{ lblk: 0, length: 3, unwritten: false }];
    expect(lab.inode('/f')).toMatchObject({ extents, inline: null, fields: { sizeLo: 10_000 } });
    const { pblk } = lab.inode('/f').extents[0]!;
    expect(lab.block(pblk).medium.every((byte) => byte === 0x62)).toBe(true);
    lab.dropCaches();
    expect(lab.inode('/f')).toMatchObject({ extents, core: null });
    expect(lab.folio('/f')).toMatchObject({ present: false, data: null });
  });

  it('at small inodes leaves out the fields that are not there', () => {
    const lab = createLab({ mkfs: { inodeSize: 128, features: ['^inline_data', '^extra_isize'] } });
    lab.fs.writeFileSync('/f', 'x');
    const { raw, fields } = lab.inode('/f');
    expect(raw).toHaveLength(128);
    expect(fields.extraIsize).toBe(undefined);
    expect(fields.checksumLo).toBeGreaterThan(0);
  });

  it('at folios, with flags, tags and page tables apart', () => {
    const lab = createLab();
    lab.fs.writeFileSync('/f', 'x'.repeat(5000));
    expect(lab.folio('/f', 1)).toMatchObject({
      present: true,
      uptodate: true,
      dirty: true,
      writeback: false,
      locked: false,
      mapped: false,
      tags: { dirty: true, towrite: false, writeback: false },
    });
    lab.writepages('/f');
    expect(lab.folio('/f', 1)).toMatchObject({ dirty: false, tags: { dirty: false } });
    const map = lab.fs.openSync('/f', 'r+').mmapSync({ length: 5000 });
    map.store(4096, bytes('!'));
    expect(lab.folio('/f', 1)).toMatchObject({
      mapped: true,
      pteWritable: true,
      pteDirty: true,
      dirty: true,
    });
    expect(lab.folio('/f', 1).data![0]).toBe(0x21);
  });

  it('names what is not there', () => {
    const lab = createLab();
    expect(() => lab.inode('/nope')).toThrow("ENOENT: no such file or directory, stat '/nope'");
    expect(() => lab.inode(0)).toThrow(/no inode 0: the volume has 1 to/);
    expect(() => lab.block(-1)).toThrow(/no block -1: the volume has 0 to 2047/);
  });
});

describe('what happens beside the program', () => {
  it('writepages writes a file, the flusher all of them', () => {
    const lab = createLab();
    lab.fs.writeFileSync('/a', 'a'.repeat(200));
    lab.fs.writeFileSync('/b', 'b'.repeat(200));
    lab.writepages('/a');
    expect([lab.folio('/a').dirty, lab.folio('/b').dirty]).toEqual([false, true]);
    lab.flush();
    expect(lab.folio('/b').dirty).toBe(false);
    expect(() => lab.writepages('/c')).toThrow(/ENOENT.*sync_file_range '\/c'/);
  });

  it('a commit makes metadata survive a crash; without it nothing does', () => {
    const lab = createLab();
    lab.fs.writeFileSync('/f', 'inline');
    const before = lab.snapshot();
    lab.crash();
    expect(lab.fs.existsSync('/f')).toBe(false);
    lab.restore(before);
    lab.commit();
    lab.crash();
    expect(lab.fs.readFileSync('/f', 'utf8')).toBe('inline');
  });

  it('reclaim drops clean folios and keeps dirty ones', () => {
    const lab = createLab();
    lab.fs.writeFileSync('/f', 'x'.repeat(200));
    lab.reclaim('/f');
    expect(lab.folio('/f').present).toBe(true);
    lab.sync();
    lab.reclaim('/f');
    expect(lab.folio('/f').present).toBe(false);
  });

  it('a mount is refused while a file is open', () => {
    const lab = createLab();
    const file = lab.fs.openSync('/f', 'w');
    expect(() => lab.remount()).toThrow("EBUSY: resource busy or locked, umount '/'");
    file.closeSync();
    lab.remount();
    expect(lab.fs.existsSync('/f')).toBe(true);
  });

  it('a crash closes everything', () => {
    const lab = createLab();
    const file = lab.fs.openSync('/f', 'w+');
    file.writeSync('x');
    const map = file.mmapSync({ length: 1 });
    file.fsyncSync();
    lab.crash();
    expect(() => file.statSync()).toThrow(/EBADF/);
    expect(() => map.load(0, 1)).toThrow(/EFAULT/);
    expect(lab.fs.openFiles).toEqual([]);
    expect(lab.fs.readFileSync('/f', 'utf8')).toBe('x');
  });

  it('scenario lines run as a process that leaves nothing open', () => {
    const lab = createLab();
    const mine = lab.fs.openSync('/f', 'w+');
    mine.writeSync('mine');
    expect(
      lab.exec(['open /f', 'pread 0 4', 'pwrite -S 0x58 0 1', 'open /nope', 'fsync', 'stat']),
    ).toMatchObject([
      { line: 'open /f', ret: 0 },
      { ret: 4, data: '6d696e65' },
      { ret: 1 },
      { errno: 'ENOENT' },
      { ret: 0 },
      { stat: { size: 4, nlink: 1 } },
    ]);
    expect(lab.fs.openFiles).toEqual([mine]);
    expect(mine.readSync(new Uint8Array(4), 0, 4, 0)).toBe(4);
    expect(() => lab.exec(['pread 0 4'])).toThrow(/needs an open file/);
    expect(() => lab.exec(['frobnicate'])).toThrow(/lab.*frobnicate/s);
    mine.closeSync();
    lab.remount();
  });
});

describe('a lab that was disposed of', () => {
  it('refuses every call', () => {
    const lab = createLab();
    const file = lab.fs.openSync('/f', 'w');
    lab[Symbol.dispose]();
    expect(() => lab.fs.existsSync('/f')).toThrow('the lab was disposed of');
    expect(() => file.statSync()).toThrow(/EBADF/);
    expect(() => lab.flush()).toThrow('the lab was disposed of');
  });
});
