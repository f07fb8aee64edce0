import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { isErr, type Result } from '../../src/errno.ts';
import { createInlineData, type InlineBytes, writeInlineData } from '../../src/inline/bytes.ts';
import {
  checkDirent,
  direntLayout,
  emptyInlineDir,
  findInlineDirent,
  growInlineDir,
  inlineDirChunks,
  inlineDirEntries,
  inlineDirParent,
  inlineDirToBlock,
  insertInlineDirent,
  isEmptyInlineDir,
  readInlineDir,
  removeInlineDirent,
  resumeInlineDir,
  setInlineDirent,
  setInlineDirParent,
} from '../../src/inline/dir.ts';
import { DIRENT_TYPE, S_IFDIR } from '../../src/inode/layout.ts';
import { checkIbody, setIbodyEntry } from '../../src/xattr/ibody.ts';
import { bareInode } from '../inode/sample.ts';

const ok = <T>(result: Result<T>): T => {
  if (isErr(result)) throw new Error(result.errno);
  return result;
};
const newDir = (inodeSize = 256, parent = 2, xattr?: number): InlineBytes => {
  let raw = bareInode(inodeSize, 32, S_IFDIR | 0o755);
  if (xattr !== undefined) raw = ok(setIbodyEntry(raw, 1, 'k', Bytes.fill(1, xattr)));
  const made = ok(createInlineData(raw, 60));
  return { ...made, raw: writeInlineData(made.raw, made, 0, emptyInlineDir(parent)) };
};
const file = (name: string, ino = 14) => ({ ino, name, fileType: DIRENT_TYPE.reg });
const names = (dir: InlineBytes): string[] => ok(inlineDirEntries(dir.raw, dir)).map((entry) => entry.name);
/** Adds f00, f01, … until the directory must be converted. */
const fill = (dir: InlineBytes): { dir: InlineBytes; added: number } => {
  for (let added = 0; ; added++) {
    const next = ok(insertInlineDirent(dir.raw, dir, file(`f${String(added).padStart(2, '0')}`, 20 + added)));
    if (next.at === undefined) return { dir: next, added };
    dir = next;
  }
};

describe('golden bytes', () => {
  test('an empty directory', () => {
    expect(emptyInlineDir(2).toHex()).toBe(`02000000${'00000000'}38000000${'00'.repeat(48)}`);
  });

  test('one file "ab", inode 14', () => {
    const dir = newDir();
    const one = ok(insertInlineDirent(dir.raw, dir, file('ab')));
    expect(one.raw.slice(0x28, 0x28 + 16).toHex()).toBe('020000000e000000380002016162' + '0000');
    expect(one.at).toBe(0x2c);
  });

  test('a converted block, with its tail', () => {
    const dir = newDir();
    const one = ok(insertInlineDirent(dir.raw, dir, file('ab')));
    const block = ok(inlineDirToBlock(one.raw, one, 14, { blockSize: 4096, tail: true }));
    expect(block.slice(0, 34).toHex()).toBe(
      '0e0000000c0001022e000000' + '020000000c0002022e2e0000' + '0e000000dc0f02016162',
    );
    expect(block.slice(4084).toHex()).toBe('000000000c0000de00000000');
  });
});

describe('room', () => {
  test.each([
    [256, undefined, 9, 128],
    [256, 40, 4, 60],
    [512, undefined, 31, 384],
  ])('inode %i, user.k of %o bytes: %i names of three chars, size %i', (inodeSize, xattr, count, size) => {
    const { dir, added } = fill(newDir(inodeSize, 2, xattr));
    expect(added).toBe(count);
    expect(dir.inlineSize).toBe(size);
    expect(checkIbody(dir.raw)).toBeUndefined();
  });

  test('48 chars are the longest first name in chunk 1; 60 go to chunk 2; 61 convert, chunk grown', () => {
    const dir = newDir();
    const at = (length: number) => ok(insertInlineDirent(dir.raw, dir, file('n'.repeat(length))));
    expect(at(48)).toMatchObject({ at: 0x2c, inlineSize: 60 });
    expect(at(49)).toMatchObject({ at: 0xa4 + 0x18, inlineSize: 128 });
    expect(at(60)).toMatchObject({ at: 0xa4 + 0x18, inlineSize: 128 });
    expect(at(61)).toMatchObject({ at: undefined, inlineSize: 128 });
    expect(inlineDirChunks(at(61).raw, at(61))).toEqual([
      { at: 0x2c, size: 56 },
      { at: 0xa4 + 0x18, size: 68 },
    ]);
  });

  test('a gain of 12 bytes or less is refused', () => {
    const tight = newDir(256, 2, 36);
    expect(growInlineDir(tight.raw, tight)).toEqual({ errno: 'ENOSPC' });
    const enough = newDir(256, 2, 32);
    expect(ok(growInlineDir(enough.raw, enough)).inlineSize).toBe(60 + 16);
  });

  test('growing a value that holds entries stretches the last one', () => {
    const dir = newDir(256, 2, 20);
    const full = fill(dir).dir;
    const freed = ok(setIbodyEntry(full.raw, 1, 'k', null));
    const grown = ok(growInlineDir(freed, { inlineOff: full.inlineOff - 20, inlineSize: full.inlineSize }));
    expect(grown.inlineSize).toBe(128);
    expect(names(grown)).toEqual(names(full));
  });
});

describe('entries', () => {
  test('find, and what is not there', () => {
    const { dir, added } = fill(newDir());
    for (let i = 0; i < added; i++) {
      const name = `f0${i}`;
      expect(ok(findInlineDirent(dir.raw, dir, name))).toMatchObject({ name, ino: 20 + i, fileType: 1 });
    }
    expect(findInlineDirent(dir.raw, dir, 'f')).toBeUndefined();
    expect(findInlineDirent(dir.raw, dir, '.')).toBeUndefined();
    expect(findInlineDirent(dir.raw, dir, '..')).toBeUndefined();
  });

  test('the same name again is EEXIST', () => {
    const dir = newDir();
    const one = ok(insertInlineDirent(dir.raw, dir, file('ab')));
    expect(insertInlineDirent(one.raw, one, file('ab'))).toEqual({ errno: 'EEXIST' });
  });

  test('removing joins the record before and wipes; the first keeps its length', () => {
    let dir: InlineBytes = newDir();
    for (const name of ['aaa', 'bbb', 'ccc']) dir = ok(insertInlineDirent(dir.raw, dir, file(name)));
    const b = ok(findInlineDirent(dir.raw, dir, 'bbb'))!;
    let raw = ok(removeInlineDirent(dir.raw, dir, b.at));
    expect(direntLayout.get(raw, 'recLen', 0x2c)).toBe(24);
    expect(raw.isZero(b.at, b.at + 12)).toBe(true);
    raw = ok(removeInlineDirent(raw, dir, 0x2c));
    expect(direntLayout.decode(raw, 0x2c)).toEqual({ inode: 0, recLen: 24, nameLen: 0, fileType: 0 });
    expect(names({ ...dir, raw })).toEqual(['ccc']);
    expect(removeInlineDirent(raw, dir, b.at)).toEqual({ errno: 'ENOENT' });
  });

  test('".." and entries can be pointed elsewhere', () => {
    const dir = newDir();
    const one = ok(insertInlineDirent(dir.raw, dir, file('ab')));
    const moved = setInlineDirParent(one.raw, 77);
    expect(inlineDirParent(moved)).toBe(77);
    const renamed = setInlineDirent(moved, one.at!, 99, DIRENT_TYPE.dir);
    expect(ok(findInlineDirent(renamed, one, 'ab'))).toMatchObject({ ino: 99, fileType: DIRENT_TYPE.dir });
    expect(ok(findInlineDirent(setInlineDirent(moved, one.at!, 5), one, 'ab'))).toMatchObject({
      fileType: 1,
    });
  });

  test('empty means no entry and a parent', () => {
    const dir = newDir();
    expect(isEmptyInlineDir(dir.raw, dir)).toBe(true);
    expect(isEmptyInlineDir(setInlineDirParent(dir.raw, 0), dir)).toBe(false);
    const { dir: full } = fill(dir);
    expect(isEmptyInlineDir(full.raw, full)).toBe(false);
    const grown = ok(growInlineDir(dir.raw, dir));
    expect(isEmptyInlineDir(grown.raw, grown)).toBe(true);
  });
});

describe('readdir without dir_index', () => {
  test('offsets are those of the block directory it would be', () => {
    let dir: InlineBytes = newDir();
    for (const name of ['aaa', 'b', 'ccccc']) dir = ok(insertInlineDirent(dir.raw, dir, file(name)));
    const lines = readInlineDir(dir.raw, dir, 13);
    expect(lines.map(({ pos, next, ino, name }) => [pos, next, ino, name])).toEqual([
      [0, 12, 13, '.'],
      [12, 24, 2, '..'],
      [24, 36, 14, 'aaa'],
      [36, 48, 14, 'b'],
      [48, 80, 14, 'ccccc'],
    ]);
    expect(readInlineDir(dir.raw, dir, 13, 36).map((line) => line.name)).toEqual(['b', 'ccccc']);
    const block = ok(inlineDirToBlock(dir.raw, dir, 13, { blockSize: 1024, tail: false }));
    for (const { pos, ino } of lines) expect(block.u32(pos)).toBe(ino);
  });

  test('getdents64 on 6.18.44: inode, d_off, name', () => {
    let dir = newDir();
    for (const [i, name] of ['aaa', 'b', 'ccccc', 'dd', 'eeeeeeeeeeeee'].entries()) {
      dir = ok(insertInlineDirent(dir.raw, dir, file(name, 13 + i)));
    }
    const gone = ok(findInlineDirent(dir.raw, dir, 'dd'))!;
    const raw = ok(removeInlineDirent(dir.raw, dir, gone.at));
    expect(readInlineDir(raw, dir, 12).map(({ ino, next, name }) => [ino, next, name])).toEqual([
      [12, 12, '.'],
      [2, 24, '..'],
      [13, 36, 'aaa'],
      [14, 48, 'b'],
      [15, 80, 'ccccc'],
      [17, 148, 'eeeeeeeeeeeee'],
    ]);
  });

  test('after a change it goes on at the next record', () => {
    let dir: InlineBytes = newDir();
    for (const name of ['aaa', 'bbb', 'ccc']) dir = ok(insertInlineDirent(dir.raw, dir, file(name)));
    const b = ok(findInlineDirent(dir.raw, dir, 'bbb'))!;
    const raw = ok(removeInlineDirent(dir.raw, dir, b.at));
    expect([0, 5, 12, 20, 24, 36, 48, 80].map((pos) => resumeInlineDir(raw, dir, pos))).toEqual([
      0, 12, 12, 24, 24, 48, 48, 80,
    ]);
    expect(readInlineDir(raw, dir, 13, 5)).toEqual([]);
  });
});

describe('records that the kernel refuses', () => {
  const dir = newDir();
  const two = ok(insertInlineDirent(dir.raw, dir, file('aaa')));
  const both = ok(insertInlineDirent(two.raw, two, file('bbb')));
  const bad: [string, Bytes][] = [
    ['rec_len is smaller than minimal', both.raw.putU16(0x30, 8)],
    ['rec_len % 4 != 0', both.raw.putU16(0x30, 14)],
    ['rec_len is too small for name_len', both.raw.putU8(0x32, 5)],
    ['directory entry overrun', both.raw.putU16(0x30, 60)],
    ['directory entry too close to block end', both.raw.putU16(0x30, 52)],
    ['inode out of bounds', both.raw.putU32(0x2c, 1000)],
  ];
  test.each(bad)('%s', (message, raw) => {
    expect(raw.reading((view) => checkDirent(view, 0x2c, 56, 0x2c, 999))).toBe(message);
    expect(inlineDirEntries(raw, both, 999)).toEqual({ errno: 'EUCLEAN' });
    expect(insertInlineDirent(raw, both, file('ccc'), 999)).toEqual({ errno: 'EUCLEAN' });
    expect(removeInlineDirent(raw, both, both.at!, 999)).toEqual({ errno: 'EUCLEAN' });
    expect(inlineDirToBlock(raw, both, 13, { blockSize: 1024, tail: true, inodesCount: 999 })).toEqual({
      errno: 'EUCLEAN',
    });
    expect(isEmptyInlineDir(raw, both, 999)).toBe(false);
  });

  test('a recLen of 0 does not loop', () => {
    expect(findInlineDirent(both.raw.putU16(0x30, 0), both, 'bbb')).toEqual({ errno: 'EUCLEAN' });
  });

  test('"." may not be the last record', () => {
    const dot = two.raw.putU8(0x32, 1).putU8(0x34, 0x2e);
    expect(dot.reading((view) => checkDirent(view, 0x2c, 56, 0x2c))).toBe(
      "'.' directory cannot be the last in data block",
    );
  });
});

test('against a map: insert, remove, convert', () => {
  const op = fc.record({
    add: fc.boolean(),
    name: fc.integer({ min: 0, max: 30 }).map((i) => `n${i}${'x'.repeat((i * 7) % 13)}`),
  });
  const shape = fc.constantFrom<[number, number | undefined]>([256, undefined], [256, 12], [512, undefined]);
  fc.assert(
    fc.property(shape, fc.array(op, { maxLength: 60 }), ([inodeSize, xattr], ops) => {
      let dir = newDir(inodeSize, 2, xattr);
      const model = new Map<string, number>();
      let ino = 100;
      for (const { add, name } of ops) {
        const there = ok(findInlineDirent(dir.raw, dir, name));
        expect(there?.ino).toBe(model.get(name));
        if (add && there === undefined) {
          const next = ok(insertInlineDirent(dir.raw, dir, file(name, ++ino)));
          if (next.at === undefined) {
            const block = ok(inlineDirToBlock(next.raw, next, 50, { blockSize: 1024, tail: true }));
            const inBlock: string[] = [];
            for (let at = 24; at < 1024 - 12; at += block.u16(at + 4)) {
              if (block.u32(at) === 0) continue;
              inBlock.push(block.slice(at + 8, at + 8 + block.u8(at + 6)).toText());
            }
            expect(inBlock).toEqual(names(next));
            break;
          }
          // Taking it out again gives the bytes before, unless a chunk was created for it.
          if (next.inlineSize === dir.inlineSize) {
            expect(ok(removeInlineDirent(next.raw, next, next.at)).equals(dir.raw)).toBe(true);
          }
          dir = next;
          model.set(name, ino);
        } else if (!add && there !== undefined) {
          dir = { ...dir, raw: ok(removeInlineDirent(dir.raw, dir, there.at)) };
          model.delete(name);
        }
        expect(names(dir).sort()).toEqual([...model.keys()].sort());
        expect(isEmptyInlineDir(dir.raw, dir)).toBe(model.size === 0);
        expect(checkIbody(dir.raw)).toBeUndefined();
      }
    }),
    { numRuns: 60 },
  );
});
