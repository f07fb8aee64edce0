import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { isErr } from '../../src/errno.ts';
import {
  type Extent,
  emptyRoot,
  entries,
  extentHeaderLayout,
  insert,
  lookup,
  markWritten,
  removeFrom,
  removeRange,
  treeBlockChecksum,
  walkTree,
} from '../../src/volume/extent.ts';
import { fileMap } from '../../src/volume/file.ts';
import { Image } from '../../src/volume/image.ts';
import { mkfs } from '../../src/volume/mkfs.ts';
import { inodeChecksumSeed } from '../../src/volume/rawInode.ts';
import { debugfs, debugfsWrite, refereed } from '../support/referee.ts';

/** `lblk:pblk+length` of every extent, `u` for unwritten. */
function picture(root: Bytes | 'full'): string {
  if (root === 'full') return 'full';
  const found = entries(root);
  if (isErr(found)) return found.errno;
  return found.map((e) => `${e.lblk}:${e.pblk}+${e.length}${e.unwritten ? 'u' : ''}`).join(' ');
}

/** A root from `lblk:pblk+length[u]`, inserted one after another. */
function tree(text: string): Bytes {
  let root = emptyRoot();
  for (const part of text.split(' ').filter((item) => item !== '')) {
    const [, lblk, pblk, length, unwritten] = /^(\d+):(\d+)\+(\d+)(u?)$/.exec(part)!;
    const next = insert(root, Number(lblk), Number(pblk), Number(length), unwritten === 'u');
    if (next === 'full') throw new Error(`full at ${part}`);
    root = next;
  }
  return root;
}

const pad = (hex: string): Bytes => Bytes.fromHex(hex.padEnd(120, '0'));

/**
 * i_block before and after one system call, as a 6.18 kernel left it on disk (no journal, delalloc, 4k blocks).
 * Trailing zeros are cut. Stale entries past the last one are part of the record.
 */
const KERNEL: readonly (readonly [op: string, from: number, count: number, before: string, after: string])[] =
  [
    ['unwritten 521', 1, 1, '0af3000004', '0af3010004000000000000000100000001800000090200'],
    [
      'unwritten 521',
      5,
      3,
      '0af3010004000000000000000800000004000000050400',
      '0af302000400000000000000050000000380000009020000080000000400000005040000',
    ],
    [
      'unwritten 1033',
      3,
      2,
      '0af30200040000000000000007000000010000000b020000080000000400000005040000',
      '0af30300040000000000000003000000028000000904000007000000010000000b020000080000000400000005040000',
    ],
    [
      'unwritten 1038',
      5,
      2,
      '0af30100040000000000000002000000038000000b04',
      '0af30100040000000000000002000000058000000b04',
    ],
    [
      'unwritten 1471',
      10,
      2,
      '0af3020004000000000000000300000002000000bc0500000900000001800000be0500',
      '0af3020004000000000000000300000002000000bc0500000900000003800000be0500',
    ],
    [
      'punch',
      0,
      5,
      '0af303000400000000000000010000000180000009020000020000000300000000040000090000000200000003040000',
      '0af3010004000000000000000900000002000000030400',
    ],
    [
      'punch',
      2,
      5,
      '0af30300040000000000000005000000018000000902000006000000020000000a020000080000000400000005040000',
      '0af30200040000000000000007000000010000000b020000080000000400000005040000',
    ],
    [
      'punch',
      8,
      5,
      '0af30200040000000000000007000000030000001d0400000b0000000500000020040000',
      '0af30200040000000000000007000000010000001d0400000d0000000300000022040000',
    ],
    [
      'punch',
      5,
      2,
      '0af302000400000000000000000000000100000009060000040000000500000004060000',
      '0af303000400000000000000000000000100000009060000040000000100000004060000070000000200000007060000',
    ],
    [
      'punch',
      7,
      4,
      '0af3010004000000000000000700000005000000620500',
      '0af3010004000000000000000b00000001000000660500',
    ],
    ['truncate', 2, 0, '0af3010004000000000000000900000002000000030400', '0af30000040000000000000009'],
    [
      'truncate',
      8,
      0,
      '0af30200040000000000000002000000048000000b04000006000000090000000f0400000c0000000300000015040000080000000380000011040000',
      '0af30200040000000000000002000000048000000b04000006000000020000000f0400000c0000000300000015040000080000000380000011040000',
    ],
    [
      'truncate',
      7,
      0,
      '0af30300040000000000000000000000050000007b0400000900000002800000800400000b00000003000000820400000c0000000200000083040000',
      '0af30100040000000000000000000000050000007b0400000900000000000000000000000b00000000000000000000000c0000000200000083040000',
    ],
    [
      'truncate',
      3,
      0,
      '0af30400040000000000000000000000040000001f06000004000000030000002e0600000a000000010000002d0600000b0000000400000027060000',
      '0af30100040000000000000000000000030000001f0600000400000000000000000000000a00000000000000000000000b',
    ],
    [
      'written',
      5,
      4,
      '0af30400040000000000000002000000018000003d04000005000000048000003e04000009000000010000003c0400000b000000028000003a040000',
      '0af30400040000000000000002000000018000003d04000005000000040000003e04000009000000010000003c0400000b000000028000003a040000',
    ],
    [
      'written',
      1,
      3,
      '0af3040004000000000000000000000002000000dd0400000200000001800000e10400000300000003000000e20400000800000002000000df040000',
      '0af3030004000000000000000000000002000000dd0400000200000004000000e10400000800000002000000df0400000800000002000000df040000',
    ],
  ];

describe('extent root', () => {
  test('Is an empty root the bytes the kernel writes?', () => {
    expect(emptyRoot().toHex()).toBe(`0af30000040000000000000${'0'.repeat(97)}`);
    expect(picture(emptyRoot())).toBe('');
    expect(lookup(emptyRoot(), 5)).toEqual({ kind: 'hole', length: 0xffffffff - 5 });
  });

  test('Are the bytes after each operation the ones a kernel left, stale entries included?', () => {
    for (const [op, from, count, before, after] of KERNEL) {
      const root = pad(before);
      const [verb, pblk] = op.split(' ');
      const apply = (): Bytes | 'full' => {
        if (verb === 'unwritten') return insert(root, from, Number(pblk), count, true);
        if (verb === 'written') return markWritten(root, from, count);
        if (verb === 'truncate') return removeFrom(root, from).root;
        const removed = removeRange(root, from, from + count);
        return removed === 'full' ? 'full' : removed.root;
      };
      const got = apply();
      expect(got === 'full' ? got : got.toHex(), `${op} ${from} ${count}: ${picture(root)}`).toBe(
        pad(after).toHex(),
      );
    }
  });

  test('Does insert merge left, right and both, and only equals?', () => {
    expect(picture(tree('0:100+2 2:102+3'))).toBe('0:100+5');
    expect(picture(tree('2:102+3 0:100+2'))).toBe('0:100+5');
    expect(picture(tree('0:100+2 4:104+2 2:102+2'))).toBe('0:100+6');
    expect(picture(tree('0:100+2 2:102+2u'))).toBe('0:100+2 2:102+2u');
    expect(picture(tree('0:100+2 2:103+2'))).toBe('0:100+2 2:103+2');
    expect(picture(tree('0:100+32768 32768:32868+1'))).toBe('0:100+32768 32768:32868+1');
    expect(picture(tree('0:100+32767u 32767:32867+1u'))).toBe('0:100+32767u 32767:32867+1u');
    expect(picture(tree('9:10+1 5:20+1 7:30+1 1:40+1'))).toBe('1:40+1 5:20+1 7:30+1 9:10+1');
    expect(picture(tree('0:4294967296+1 1:4294967297+1'))).toBe('0:4294967296+2');
  });

  test('Is the fifth extent refused as full, and a mapped block as a mistake?', () => {
    const four = tree('0:10+1 2:20+1 4:30+1 6:40+1');
    expect(insert(four, 8, 50, 1, false)).toBe('full');
    expect(picture(insert(four, 1, 11, 1, false))).toBe('0:10+2 2:20+1 4:30+1 6:40+1');
    expect(() => insert(four, 4, 99, 1, false)).toThrow('logical block 4 is mapped already');
    expect(() => insert(four, 8, 50, 0, false)).toThrow(RangeError);
    expect(() => insert(four, 8, 50, 32768, true)).toThrow(RangeError);
    expect(() => insert(Bytes.zero(60), 0, 5, 1, false)).toThrow('not an extent root');
    expect(insert(extentHeaderLayout.put(four, { depth: 1 }), 8, 50, 1, false)).toBe('full');
  });

  test('What does lookup say inside, between and around extents?', () => {
    const root = tree('2:100+3 10:200+4u');
    expect(lookup(root, 0)).toEqual({ kind: 'hole', length: 2 });
    expect(lookup(root, 3)).toEqual({ kind: 'mapped', pblk: 101, length: 2, unwritten: false });
    expect(lookup(root, 5)).toEqual({ kind: 'hole', length: 5 });
    expect(lookup(root, 13)).toEqual({ kind: 'mapped', pblk: 203, length: 1, unwritten: true });
    expect(lookup(root, 14)).toMatchObject({ kind: 'hole' });
  });

  test('Which blocks does truncation free, and in which order?', () => {
    const { root, freed } = removeFrom(tree('0:100+4 6:200+3 20:300+2u'), 2);
    expect(picture(root)).toBe('0:100+2');
    expect(freed).toEqual([
      [300, 2],
      [200, 3],
      [102, 2],
    ]);
    expect(removeFrom(tree('0:100+4'), 9)).toMatchObject({ freed: [] });
    expect(picture(removeFrom(tree('0:100+4'), 0).root)).toBe('');
  });

  test('Does punching split, and say full when it cannot?', () => {
    const punched = removeRange(tree('0:100+10'), 3, 5);
    expect(punched).toMatchObject({ freed: [[103, 2]] });
    expect(picture(punched === 'full' ? 'full' : punched.root)).toBe('0:100+3 5:105+5');
    expect(removeRange(tree('0:10+5 10:20+1 20:30+1 30:40+1'), 1, 2)).toBe('full');
  });

  test('Does marking written split in up to three, merge, and leave the rest?', () => {
    expect(picture(markWritten(tree('0:100+10u'), 3, 2))).toBe('0:100+3u 3:103+2 5:105+5u');
    expect(picture(markWritten(tree('0:100+2 2:102+4u'), 2, 2))).toBe('0:100+4 4:104+2u');
    expect(picture(markWritten(tree('0:100+4u 4:104+2'), 2, 2))).toBe('0:100+2u 2:102+4');
    expect(picture(markWritten(tree('0:100+2u 5:200+2u'), 0, 100))).toBe('0:100+2 5:200+2');
    expect(picture(markWritten(tree('0:100+2 8:200+1'), 0, 100))).toBe('0:100+2 8:200+1');
    expect(markWritten(tree('0:100+10u 20:1+1 30:2+1 40:3+1'), 3, 2)).toBe('full');
  });

  test('Do random operations agree with a map of blocks, and keep the tree sound?', () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    let root = emptyRoot();
    let model = new Map<number, { pblk: number; unwritten: boolean }>();
    let full = 0;
    for (let step = 0; step < 3000; step++) {
      const from = random(30);
      const count = 1 + random(8);
      const next = new Map(model);
      const verb = random(4);
      let result: Bytes | 'full';
      if (verb === 0) {
        if (Array.from({ length: count }, (_, i) => model.has(from + i)).includes(true)) continue;
        const unwritten = random(2) === 1;
        const pblk = 1000 + from;
        result = insert(root, from, pblk, count, unwritten);
        for (let i = 0; i < count; i++) next.set(from + i, { pblk: pblk + i, unwritten });
      } else if (verb === 1) {
        result = markWritten(root, from, count);
        for (let i = from; i < from + count; i++)
          if (next.has(i)) next.set(i, { ...next.get(i)!, unwritten: false });
      } else {
        const removed = verb === 2 ? removeFrom(root, from) : removeRange(root, from, from + count);
        result = removed === 'full' ? 'full' : removed.root;
        for (const block of model.keys())
          if (block >= from && (verb === 2 || block < from + count)) next.delete(block);
        const freed = removed === 'full' ? 0 : removed.freed.reduce((sum, [, length]) => sum + length, 0);
        if (removed !== 'full') expect(freed).toBe(model.size - next.size);
      }
      if (result === 'full') {
        full++;
        continue;
      }
      root = result;
      model = next;
      expect(walkTree(root).problems).toEqual([]);
      for (let block = 0; block < 40; block++) {
        const found = lookup(root, block);
        const wanted = model.get(block);
        if (isErr(found)) throw new Error(found.errno);
        if (found.kind === 'hole') expect(wanted).toBeUndefined();
        else expect({ pblk: found.pblk, unwritten: found.unwritten }).toEqual(wanted);
      }
    }
    expect(full).toBeGreaterThan(50);
  });
});

describe('extent tree', () => {
  const limits = { firstDataBlock: 0, blocksCount: 2048 };

  test('Is every broken root named, as the kernel names it?', () => {
    const root = tree('2:100+3 10:200+4');
    const problem = (broken: Bytes) => walkTree(broken, undefined, limits).problems[0]?.problem;
    expect(problem(root)).toBeUndefined();
    expect(problem(root.putU16(0, 0xf30b))).toBe('invalid magic');
    expect(problem(extentHeaderLayout.put(root, { max: 0 }))).toBe('invalid eh_max');
    expect(problem(extentHeaderLayout.put(root, { max: 5 }))).toBe('invalid eh_max');
    expect(problem(extentHeaderLayout.put(root, { entries: 5 }))).toBe('invalid eh_entries');
    expect(problem(extentHeaderLayout.put(root, { depth: 6 }))).toBe('too large eh_depth');
    expect(problem(extentHeaderLayout.put(root, { depth: 1, entries: 0 }))).toBe(
      'eh_entries is 0 but eh_depth is > 0',
    );
    expect(problem(root.putU16(16, 0))).toBe('invalid extent length');
    expect(problem(root.putU32(12, 0xfffffffe))).toBe('invalid extent length');
    expect(problem(root.putU32(24, 4))).toBe('extents overlap');
    expect(problem(root.putU32(20, 2046))).toBe('extent outside the volume');
    expect(problem(root.putU32(20, 0))).toBe('extent outside the volume');
    expect(lookup(root.putU16(0, 0), 0)).toMatchObject({ errno: 'EUCLEAN' });
    expect(entries(root.putU16(0, 0))).toMatchObject({ errno: 'EUCLEAN' });
  });

  test('Does a cyclic or deep lying tree end?', () => {
    const index = extentHeaderLayout.put(Bytes.zero(60), { magic: 0xf30a, entries: 2, max: 4, depth: 2 });
    const root = index.putU32(12, 0).putU32(16, 50).putU32(24, 9).putU32(28, 50);
    const inner = extentHeaderLayout.put(Bytes.zero(1024), { magic: 0xf30a, entries: 1, max: 80, depth: 1 });
    const self = inner.putU32(12, 0).putU32(16, 50);
    const walk = walkTree(root, () => self, limits);
    expect(walk.treeBlocks).toEqual([50]);
    expect(walk.problems.map((p) => p.problem)).toEqual([
      'tree block is used twice',
      'tree block is used twice',
    ]);
    expect(lookup(root, 0, () => self, limits)).toMatchObject({ errno: 'EUCLEAN' });
    expect(() => lookup(root, 0)).toThrow('needs readBlock');
    expect(walkTree(root, () => self, { ...limits, mayEnter: () => false }).treeBlocks).toEqual([]);
  });

  refereed('Do we read a deep tree of debugfs as it does, checksums included?', ['debugfs'], () => {
    const content = new Uint8Array(80 * 1024).fill(0x61);
    const punches = Array.from({ length: 20 }, (_, i) => `punch /f ${4 * i + 1} ${4 * i + 2}`);
    const made = debugfsWrite(
      mkfs({ blockSize: 1024, blocks: 4000 }),
      ['write big f', ...punches, 'write big g', 'punch /g 10 29', 'fallocate /g 10 29'],
      { big: content },
    );
    const image = Image.load(made);
    const map = fileMap(image, 12, image.inode(12));
    expect(map.problems).toEqual([]);
    expect(map.treeBlocks.length).toBe(1);
    expect(map.extents.length).toBe(21);
    const dump = debugfs(made, 'dump_extents -l /f');
    const theirs = [...dump.matchAll(/^ +1\/ +1 +\d+\/ +\d+ +(\d+) - +\d+ +(\d+) - +\d+ +(\d+)/gm)].map(
      ([, lblk, pblk, length]): Extent => ({
        lblk: Number(lblk),
        pblk: Number(pblk),
        length: Number(length),
        unwritten: false,
      }),
    );
    expect(map.extents).toEqual(theirs);
    const inode = image.inode(12);
    const seed = inodeChecksumSeed(image.geometry.csumSeed, 12, inode.generation);
    const nr = map.treeBlocks[0]!;
    const block = image.block(nr);
    expect(block.u32(12 + 12 * block.u16(4))).toBe(treeBlockChecksum(seed, block));
    const broken = image.with(new Map([[nr, block.putU8(8, block.u8(8) ^ 1)]]));
    const read = (at: number) => broken.block(at);
    const checked = { firstDataBlock: 1, blocksCount: 4000, inodeSeed: seed };
    expect(lookup(inode.iBlock, 0, read, checked)).toMatchObject({ errno: 'EBADMSG' });
    for (const e of theirs) {
      const found = lookup(inode.iBlock, e.lblk, (at) => image.block(at), checked);
      expect(found).toEqual({ kind: 'mapped', pblk: e.pblk, length: e.length, unwritten: false });
    }
    expect(lookup(inode.iBlock, 1, (at) => image.block(at), checked)).toEqual({ kind: 'hole', length: 2 });
    expect(
      fileMap(image, 13, image.inode(13))
        .extents.filter((e) => e.unwritten)
        .reduce((sum, e) => sum + e.length, 0),
    ).toBe(20);
  });
});
