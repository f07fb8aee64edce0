import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import {
  ibodyOf,
  isSorted,
  xattrBlockChecksum,
  xattrBlockHash,
  xattrBlockOf,
  xattrEntryHash,
  xattrEntryLayout,
  xattrHeaderLayout,
  xattrName,
} from '../../src/volume/rawXattr.ts';
import { GOLDEN_INODE } from './build.ts';

/** K section 10: user.big, 200 × 'Z', and trusted.t, 100 × 'y', in block 1288 of a 4k volume. */
function goldenBlock(): Bytes {
  const big = Bytes.fill(0x5a, 200);
  const t = Bytes.fill(0x79, 100);
  return Bytes.zero(4096).edit((target) => {
    xattrHeaderLayout.write(target, {
      magic: 0xea020000,
      refcount: 1,
      blocks: 1,
      hash: 0xfc4a7978,
      checksum: 0x18015398,
    });
    xattrEntryLayout.write(
      target,
      { nameLen: 3, nameIndex: 1, valueOffs: 3896, valueSize: 200, hash: 0x00018547 },
      32,
    );
    Bytes.fromText('big').copyTo(target, 48);
    xattrEntryLayout.write(
      target,
      { nameLen: 1, nameIndex: 4, valueOffs: 3796, valueSize: 100, hash: 0x790d7979 },
      52,
    );
    Bytes.fromText('t').copyTo(target, 68);
    big.copyTo(target, 3896);
    t.copyTo(target, 3796);
  });
}

describe('raw xattrs', () => {
  test('Are the golden hashes and the golden block checksum right?', () => {
    expect(xattrEntryHash(Bytes.fromText('big'), Bytes.fill(0x5a, 200))).toBe(0x00018547);
    expect(xattrEntryHash(Bytes.fromText('t'), Bytes.fill(0x79, 100))).toBe(0x790d7979);
    const area = xattrBlockOf(goldenBlock());
    expect(area.problems).toEqual([]);
    expect(area.entries.map(xattrName)).toEqual(['user.big', 'trusted.t']);
    expect(xattrBlockHash(area.entries)).toBe(0xfc4a7978);
    expect(xattrBlockChecksum(0xb720167d, 1288, goldenBlock())).toBe(0x18015398);
    expect(isSorted(area.entries)).toBe(true);
    expect(isSorted([...area.entries].reverse())).toBe(false);
  });

  test('Is system.data of the golden inode found where it lies?', () => {
    const area = ibodyOf(GOLDEN_INODE, 32);
    expect(area).toMatchObject({ present: true, first: 0xa4, end: 256, problems: [] });
    expect(area.entries.length).toBe(1);
    const entry = area.entries[0]!;
    expect(entry).toMatchObject({ offset: 0xa4, nameIndex: 7, valueOffs: 0x34, valueSize: 40, hash: 0 });
    expect(entry.value?.equals(GOLDEN_INODE.slice(0xd8))).toBe(true);
  });

  test('When is there no area in the inode?', () => {
    for (const extraIsize of [0, 3, 120, 124, 128, 65535])
      expect(ibodyOf(GOLDEN_INODE, extraIsize).present).toBe(false);
    expect(ibodyOf(GOLDEN_INODE.putU32(0xa0, 0), 32).present).toBe(false);
    expect(ibodyOf(GOLDEN_INODE.slice(0, 128), 0).present).toBe(false);
  });

  test('Is every broken entry named?', () => {
    const at = 0xa4;
    const problems = (raw: Bytes) => ibodyOf(raw, 32).problems.map((p) => p.problem);
    const ibody = GOLDEN_INODE;
    expect(problems(ibody.putU8(at, 200))).toEqual(['e_name out of bounds']);
    expect(problems(ibody.putU16(at + 2, 0x10))).toEqual(['value of system.data outside the value area']);
    expect(problems(ibody.putU16(at + 2, 60))).toEqual(['value of system.data outside the value area']);
    expect(problems(ibody.putU32(at + 8, 0xffffffff))).toEqual([
      'value of system.data outside the value area',
    ]);
    expect(problems(ibody.putU32(at + 4, 99))).toEqual(['value of system.data in an inode without ea_inode']);
    expect(problems(ibody.putU32(at + 12, 5))).toEqual(['wrong hash of system.data']);
    expect(problems(ibody.putU8(at + 17, 0))).toEqual(['bad e_name length: system.d\\x00ta has a NUL']);
    const two = ibody.splice(at + 20, ibody.slice(at, at + 20));
    expect(problems(two)).toEqual([
      'values of system.data and system.data share bytes',
      'system.data is there twice',
    ]);
    expect(ibodyOf(ibody.putU32(at + 8, 0xffffffff), 32).entries[0]?.value).toBeUndefined();
  });

  test('Is every broken block named?', () => {
    const problems = (block: Bytes) => xattrBlockOf(block).problems.map((p) => p.problem);
    const block = goldenBlock();
    expect(problems(block.putU32(0, 1))).toEqual(['invalid header magic']);
    expect(problems(block.putU32(8, 2))).toEqual(['invalid header blocks']);
    expect(problems(block.putU32(12, 2))).toEqual(['wrong block hash']);
    expect(problems(block.putU8(4000, 0))).toEqual(['wrong hash of user.big']);
    expect(problems(block.putU16(52 + 2, 3800))).toContain('values of trusted.t and user.big share bytes');
    expect(problems(Bytes.fill(0xff, 4096).splice(0, block.slice(0, 32)))).toEqual(['e_name out of bounds']);
  });

  test('Is a hash over signed name bytes, as old kernels wrote it, told from a wrong one?', () => {
    const name = Bytes.of([0xc3, 0xa9]);
    const value = Bytes.fromText('v');
    expect(xattrEntryHash(name, value, true)).not.toBe(xattrEntryHash(name, value));
    const entry = { nameLen: 2, nameIndex: 1, valueOffs: 4092, valueSize: 1 };
    const block = (hash: number) =>
      xattrBlockOf(
        Bytes.zero(4096).edit((target) => {
          xattrHeaderLayout.write(target, { magic: 0xea020000, refcount: 1, blocks: 1, hash });
          xattrEntryLayout.write(target, { ...entry, hash }, 32);
          name.copyTo(target, 48);
          value.copyTo(target, 4092);
        }),
      ).problems;
    expect(block(xattrEntryHash(name, value))).toEqual([]);
    expect(block(xattrEntryHash(name, value, true))).toEqual([]);
    expect(block(12345).length).toBe(1);
  });
});
