import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { isErr } from '../../src/errno.ts';
import {
  direntLen,
  emptyDirBlock,
  hasDirentTail,
  insert,
  lookup,
  nameText,
  newDirBlock,
  readDirents,
  remove,
  replace,
  withDirBlockChecksum,
} from '../../src/volume/dirent.ts';
import { listDir } from '../../src/volume/file.ts';
import { Image } from '../../src/volume/image.ts';
import { mkfs, mkfsImage } from '../../src/volume/mkfs.ts';
import { inodeChecksumSeed } from '../../src/volume/rawInode.ts';
import { debugfsWrite, refereed } from '../support/referee.ts';

const shape = { blockSize: 1024, hasTail: true, filetype: true };
const rules = { hasTail: true, inodesCount: 100 };

/** `name:ino@offset+recLen` of every record; a free record has no name. */
function picture(block: Bytes, hasTail = true): string {
  const { entries, problem } = readDirents(block, { hasTail });
  const records = entries.map(
    (e) => `${e.ino === 0 ? '' : nameText(e.name)}:${e.ino}@${e.offset}+${e.recLen}`,
  );
  return records.join(' ') + (problem === undefined ? '' : ` !${problem.problem}`);
}

function added(block: Bytes, name: string, ino: number): Bytes {
  const next = insert(block, ino, name, 1, rules);
  if (!(next instanceof Bytes)) throw new Error(`${name}: ${JSON.stringify(next)}`);
  return next;
}

function removed(block: Bytes, name: string): Bytes {
  const next = remove(block, name, rules);
  if (isErr(next)) throw new Error(`${name}: ${next.errno}`);
  return next;
}

describe('directory block', () => {
  test('Is a new directory . and .. and a tail?', () => {
    const block = newDirBlock(12, 2, shape);
    expect(picture(block)).toBe('.:12@0+12 ..:2@12+1000');
    expect(block.slice(0, 24).toHex()).toBe('0c0000000c0001022e000000' + '02000000e80302022e2e0000');
    expect(block.slice(1012).toHex()).toBe('000000000c0000de00000000');
    expect(picture(newDirBlock(12, 2, { ...shape, hasTail: false }), false)).toBe('.:12@0+12 ..:2@12+1012');
    expect(picture(emptyDirBlock(shape))).toBe(':0@0+1012');
    expect(hasDirentTail(block)).toBe(true);
    expect(hasDirentTail(newDirBlock(12, 2, { ...shape, hasTail: false }))).toBe(false);
  });

  test('Does a name go behind the first record with slack, and into a free one?', () => {
    let block = newDirBlock(12, 2, shape);
    block = added(block, 'a', 20);
    block = added(block, 'bcdef', 21);
    block = added(block, 'g', 22);
    expect(picture(block)).toBe('.:12@0+12 ..:2@12+12 a:20@24+12 bcdef:21@36+16 g:22@52+960');
    block = removed(block, 'bcdef');
    expect(picture(block)).toBe('.:12@0+12 ..:2@12+12 a:20@24+28 g:22@52+960');
    expect(block.isZero(36, 52)).toBe(true);
    block = added(block, 'hijk', 23);
    expect(picture(block)).toBe('.:12@0+12 ..:2@12+12 a:20@24+12 hijk:23@36+16 g:22@52+960');
    expect(lookup(block, 'hijk', rules)).toMatchObject({ ino: 23, offset: 36, fileType: 1 });
    expect(lookup(block, 'nope', rules)).toBeUndefined();
  });

  test('Is the first record of a block emptied in place when it goes?', () => {
    let block = added(emptyDirBlock(shape), 'first', 30);
    block = added(block, 'second', 31);
    block = removed(block, 'first');
    expect(picture(block)).toBe(':0@0+16 second:31@16+996');
    expect(block.slice(0, 16).toHex()).toBe(`0000000010000000${'00'.repeat(8)}`);
    expect(picture(added(block, 'x', 32))).toBe('x:32@0+16 second:31@16+996');
  });

  test('Do insert and remove report what stands in the way?', () => {
    const block = added(newDirBlock(12, 2, shape), 'a', 20);
    expect(insert(block, 21, 'a', 1, rules)).toMatchObject({ errno: 'EEXIST' });
    expect(remove(block, 'b', rules)).toMatchObject({ errno: 'ENOENT' });
    expect(replace(block, 'b', 5, 1, rules)).toMatchObject({ errno: 'ENOENT' });
    expect(picture(replace(block, '..', 9, 2, rules) as Bytes)).toBe('.:12@0+12 ..:9@12+12 a:20@24+988');
    let full = block;
    let count = 0;
    for (;;) {
      const next = insert(full, 21, `name${String(count).padStart(240, '0')}`, 1, rules);
      if (!(next instanceof Bytes)) {
        expect(next).toBe('full');
        break;
      }
      full = next;
      count++;
    }
    expect(count).toBe(3);
    expect(() => insert(block, 21, '', 1)).toThrow(RangeError);
    expect(() => insert(block, 21, 'x'.repeat(256), 1)).toThrow(RangeError);
    const bad = block.putU16(12 + 4, 13);
    expect(insert(bad, 21, 'z', 1, rules)).toMatchObject({ errno: 'EUCLEAN' });
    expect(remove(bad, 'a', rules)).toMatchObject({ errno: 'EUCLEAN' });
  });

  test('Is every broken record called what the kernel calls it?', () => {
    const block = added(newDirBlock(12, 2, shape), 'abcdefgh', 20);
    const problem = (broken: Bytes) => readDirents(broken, rules).problem?.problem;
    expect(problem(block)).toBeUndefined();
    expect(problem(block.putU16(4, 0))).toBe('rec_len is smaller than minimal');
    expect(problem(block.putU16(4, 14))).toBe('rec_len % 4 != 0');
    expect(problem(block.putU16(24 + 4, 12))).toBe('rec_len is too small for name_len');
    expect(problem(block.putU16(24 + 4, 1024))).toBe('directory entry overrun');
    expect(problem(block.putU16(24 + 4, 988 - 4))).toBe('directory entry too close to block end');
    expect(problem(block.putU32(24, 101))).toBe('inode out of bounds');
    expect(problem(newDirBlock(12, 2, shape).putU16(4, 1012))).toBe(
      "'.' directory cannot be the last in data block",
    );
    expect(readDirents(Bytes.zero(1024), rules).problem?.problem).toBe('rec_len is smaller than minimal');
  });

  test('Are the chunks of an inline directory read by the same rules?', () => {
    const chunk = Bytes.fromHex('0e000000380002016162'.padEnd(112, '0'));
    expect(picture(chunk, false)).toBe('ab:14@0+56');
    expect(picture(Bytes.fromHex('0000000038000000'.padEnd(112, '0')), false)).toBe(':0@0+56');
    expect(insert(chunk, 15, 'x'.repeat(48), 1)).toBe('full');
    expect(picture(insert(chunk, 15, 'cde', 1) as Bytes, false)).toBe('ab:14@0+12 cde:15@12+44');
  });

  test('Are names text when they are UTF-8, and escaped when they are not?', () => {
    expect(nameText(Bytes.fromText('żółw'))).toBe('żółw');
    expect(nameText(Bytes.of([0x61, 0xff, 0x62]))).toBe('a\\xffb');
    expect(nameText(Bytes.of([0x61, 0x0a, 0x5c]))).toBe('a\\x0a\\x5c');
    expect([1, 4, 5, 255].map(direntLen)).toEqual([12, 12, 16, 264]);
  });

  test('Does any sequence of inserts and removes keep the block sound and the names right?', () => {
    let seed = 1;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    let block = newDirBlock(12, 2, shape);
    const model = new Map<string, number>();
    for (let i = 0; i < 2000; i++) {
      const name = 'n'.repeat(1 + random(30)) + String(random(12));
      if (model.has(name)) {
        block = removed(block, name);
        model.delete(name);
      } else {
        const next = insert(block, 1 + random(99), name, 1, rules);
        if (next === 'full') continue;
        if (isErr(next)) throw new Error(next.errno);
        block = next;
        model.set(name, (lookup(block, name, rules) as { ino: number }).ino);
      }
      const { entries, problem } = readDirents(block, rules);
      expect(problem).toBeUndefined();
      expect(entries.filter((e) => e.ino !== 0).length).toBe(model.size + 2);
    }
    for (const [name, ino] of model) expect(lookup(block, name, rules)).toMatchObject({ ino });
  });

  refereed('Does debugfs place and remove names where we do?', ['debugfs'], () => {
    const file = debugfsWrite(
      mkfs({ features: ['^inline_data'] }),
      ['write one alpha', 'write one beta', 'write one gamma', 'rm beta', 'write one d'],
      { one: 'x' },
    );
    const image = Image.load(file);
    const names = listDir(image, 2);
    if (isErr(names)) throw new Error(names.errno);
    expect(names.map((entry) => entry.name.toText())).toEqual([
      '.',
      '..',
      'lost+found',
      'alpha',
      'd',
      'gamma',
    ]);
    let block = mkfsImage({ features: ['^inline_data'] }).block(132);
    const tail = { hasTail: true };
    for (const [name, ino] of [
      ['alpha', 12],
      ['beta', 13],
      ['gamma', 14],
    ] as const) {
      block = insert(block, ino, name, 1, tail) as Bytes;
    }
    block = insert(remove(block, 'beta', tail) as Bytes, 13, 'd', 1, tail) as Bytes;
    expect(picture(image.block(132))).toBe(picture(block));
    const seed = inodeChecksumSeed(image.geometry.csumSeed, 2, 0);
    expect(withDirBlockChecksum(seed, image.block(132)).equals(image.block(132))).toBe(true);
  });
});
