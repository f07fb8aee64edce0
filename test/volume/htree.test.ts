import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { checkImage } from '../../src/volume/check.ts';
import { dirHash } from '../../src/volume/dirHash.ts';
import { readHtree } from '../../src/volume/htree.ts';
import { mkfs } from '../../src/volume/mkfs.ts';
import { debugfsWrite, e2fsck, refereed } from '../support/referee.ts';

const SIZE = 1024;
const LIMIT = (SIZE - 32) / 8;

/** A root over the given leaves; `hash` of the first is not stored. */
function root(entries: readonly (readonly [hash: number, lblk: number])[]): Bytes {
  return Bytes.zero(SIZE).edit((target) => {
    const view = new DataView(target.buffer, target.byteOffset);
    view.setUint16(4, 12, true);
    view.setUint16(16, SIZE - 12, true);
    target[28] = 1;
    target[29] = 8;
    for (const [i, [hash, lblk]] of entries.entries()) {
      view.setUint32(32 + 8 * i, hash, true);
      view.setUint32(36 + 8 * i, lblk, true);
    }
    view.setUint16(32, LIMIT, true);
    view.setUint16(34, entries.length, true);
  });
}

const tree = (block0: Bytes, count = 4) =>
  readHtree((lblk) => (lblk === 0 ? block0 : lblk < count ? Bytes.zero(SIZE) : undefined), undefined);

describe('htree', () => {
  test('Which hashes does each leaf hold?', () => {
    const { leaves, problems, nodes, hashVersion } = tree(
      root([
        [0, 1],
        [0x1000, 3],
        [0x2001, 2],
      ]),
    );
    expect(problems).toEqual([]);
    expect(hashVersion).toBe(1);
    expect([...nodes]).toEqual([0]);
    expect(leaves).toEqual([
      { lblk: 1, min: 0, max: 0xffe },
      { lblk: 3, min: 0x1000, max: 0x2000 },
      { lblk: 2, min: 0x2000, max: 0xfffffffe },
    ]);
  });

  test('Is every broken index named?', () => {
    const good = root([
      [0, 1],
      [0x1000, 2],
    ]);
    const problem = (block0: Bytes) => tree(block0).problems.map((p) => p.problem);
    expect(problem(good.putU8(28, 9))).toEqual(['unknown hash version']);
    expect(problem(good.putU8(29, 7))).toEqual(['wrong length of htree root info']);
    expect(problem(good.putU8(30, 2))).toEqual(['too many htree levels']);
    expect(problem(good.putU32(24, 1))).toEqual(['reserved word of the htree root is not zero']);
    expect(problem(good.putU16(32, 5))).toEqual(['wrong htree limit']);
    expect(problem(good.putU16(34, 0))).toEqual(['bad htree count']);
    expect(
      problem(
        root([
          [0, 1],
          [0x1000, 2],
          [0x800, 3],
        ]),
      ),
    ).toEqual(['htree hashes out of order']);
    expect(
      problem(
        root([
          [0, 1],
          [0x1000, 1],
        ]),
      ),
    ).toEqual(['htree leads twice to one block']);
    expect(
      problem(
        root([
          [0, 1],
          [0x1000, 0],
        ]),
      ),
    ).toEqual(['htree leads twice to one block']);
    expect(
      problem(
        root([
          [0, 1],
          [0x1000, 9],
        ]),
      ),
    ).toEqual(['htree leads outside the directory']);
    expect(problem(good.putU8(30, 1))).toEqual(['not an htree node', 'not an htree node']);
    expect(readHtree(() => undefined, undefined).problems.length).toBe(1);
  });

  refereed(
    'Do we pass the index that e2fsck builds, and see a name in the wrong leaf?',
    ['debugfs', 'e2fsck'],
    () => {
      const names = Array.from({ length: 90 }, (_, i) => `a-rather-long-name-of-a-file-${i * 37}`);
      const made = debugfsWrite(
        mkfs({ blockSize: 1024, blocks: 1500, inodes: 200 }),
        ['mkdir d', 'cd d', 'expand_dir .', ...names.map((name) => `write x ${name}`)],
        { x: 'x' },
      );
      const indexed = e2fsckOptimised(made);
      expect(checkImage(indexed).map((complaint) => complaint.message)).toEqual([]);
      const hash = dirHash(Bytes.fromText(names[0]!), 1, {
        hashSeed: '00112233445566778899aabbccddee00',
        hashUnsigned: false,
      });
      expect(hash).toBeDefined();
      const at = Buffer.from(indexed).indexOf(names[0]!);
      const renamed = indexed.slice();
      renamed[at + 5] = 0x5a;
      const codes = checkImage(renamed).map((complaint) => complaint.code);
      expect(codes).toContain('dir-index');
    },
  );
});

/** The image after `e2fsck -fyD`, which indexes directories. */
function e2fsckOptimised(file: Uint8Array): Uint8Array {
  const { image } = e2fsck(file, ['-fyD']);
  return image;
}
