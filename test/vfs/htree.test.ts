/** The index of a directory on blocks in memory: what it must be after any number of names. */
import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { err, isErr, type Result } from '../../src/errno.ts';
import {
  addIndexed,
  findIndexed,
  type IndexStore,
  indexedLeaves,
  makeIndexed,
  nodeChecksum,
} from '../../src/vfs/htree.ts';
import {
  insert,
  lookup,
  nameText,
  newDirBlock,
  readDirents,
  withDirBlockChecksum,
} from '../../src/volume/dirent.ts';
import { dirHash } from '../../src/volume/dirHash.ts';
import { readHtree } from '../../src/volume/htree.ts';

const SEED = 0x1234_5678;
const HALF_MD4 = 1;
const hashing = { hashSeed: '00112233445566778899aabbccddee00', hashUnsigned: false };

/** A directory of one linear block, and how to add names to it as the kernel does. */
class Directory {
  readonly hasTail: boolean;
  readonly blocks: Bytes[];
  readonly store: IndexStore;
  indexed = false;

  readonly #largeDir: boolean;

  constructor(
    blockSize: number,
    hasTail: boolean,
    mostBlocks: number = Number.POSITIVE_INFINITY,
    largeDir = false,
  ) {
    this.hasTail = hasTail;
    this.#largeDir = largeDir;
    this.blocks = [newDirBlock(12, 2, { blockSize, hasTail, filetype: true })];
    this.store = {
      blockSize,
      hasTail,
      inodesCount: 1000,
      levels: largeDir ? 3 : 2,
      hashOf: (name, version) => dirHash(name, version, hashing)?.hash,
      read: (lblk): Result<Bytes> => this.blocks[lblk] ?? err('EUCLEAN'),
      write: (lblk, data, kind) => {
        if (!hasTail) this.blocks[lblk] = data;
        else if (kind === 'leaf') this.blocks[lblk] = withDirBlockChecksum(SEED, data);
        else {
          const { at, checksum } = nodeChecksum(SEED, data)!;
          this.blocks[lblk] = data.putU32(at, checksum);
        }
      },
      append: () => {
        if (this.blocks.length >= mostBlocks) return err('ENOSPC');
        return this.blocks.push(Bytes.zero(blockSize)) - 1;
      },
    };
  }

  add(text: string): Result<void> | 'bad' {
    const name = Bytes.fromText(text);
    const put = (block: Bytes) => insert(block, 13, name, 1, this.store);
    if (this.indexed) return addIndexed(this.store, name, put);
    const next = put(this.blocks[0]!);
    if (next !== 'full') {
      if (isErr(next)) return next;
      this.store.write(0, next, 'leaf');
      return;
    }
    return makeIndexed(this.store, HALF_MD4, name, put, () => {
      this.indexed = true;
    });
  }

  has(text: string): boolean {
    const name = Bytes.fromText(text);
    const found = findIndexed(this.store, name, (leaf) => lookup(leaf, name, this.store));
    return found !== 'bad' && !isErr(found) && found !== undefined;
  }

  /** Names in the order of the leaves. */
  leaves(): string[][] {
    const leaves = indexedLeaves(this.store);
    if (leaves === 'bad' || isErr(leaves)) throw new Error('the index cannot be read');
    return leaves.map((lblk) =>
      readDirents(this.blocks[lblk]!, this.store)
        .entries.filter(({ ino }) => ino !== 0)
        .map(({ name }) => nameText(name)),
    );
  }

  problems() {
    return readHtree((lblk) => this.blocks[lblk], this.hasTail ? SEED : undefined, this.#largeDir).problems;
  }
}

const nameOf = (i: number, length: number): string => String((i * 7919) % 100003).padStart(length, 'n');
const hashOf = (name: string): number => dirHash(Bytes.fromText(name), HALF_MD4, hashing)!.hash;

describe('an index', () => {
  test.each([
    { blockSize: 1024, hasTail: true, length: 200, count: 700, levels: 1 },
    { blockSize: 1024, hasTail: false, length: 12, count: 900, levels: 0 },
    { blockSize: 2048, hasTail: true, length: 40, count: 900, levels: 0 },
    { blockSize: 4096, hasTail: true, length: 100, count: 600, levels: 0 },
  ])(
    'of $count names of $length bytes in blocks of $blockSize: each is found, in hash order, and the tree is sound',
    ({ blockSize, hasTail, length, count, levels }) => {
      const dir = new Directory(blockSize, hasTail);
      const names = Array.from({ length: count }, (_, i) => nameOf(i, length));
      for (const name of names) expect(dir.add(name)).toBeUndefined();
      expect(dir.blocks[0]!.u8(30)).toBe(levels);
      expect(dir.problems()).toEqual([]);
      expect(names.filter((name) => !dir.has(name))).toEqual([]);
      expect(dir.has(nameOf(count + 1, length))).toBe(false);
      const leaves = dir.leaves();
      expect(leaves.flat().toSorted()).toEqual(names.toSorted());
      for (let i = 1; i < leaves.length; i++) {
        const highest = Math.max(...leaves[i - 1]!.map(hashOf));
        expect(Math.min(...leaves[i]!.map(hashOf))).toBeGreaterThanOrEqual(highest);
      }
    },
  );

  test('Does large_dir give a third level, and where does each tree end?', () => {
    for (const [largeDir, levels] of [
      [false, 1],
      [true, 2],
    ] as const) {
      const dir = new Directory(128, false, Number.POSITIVE_INFINITY, largeDir);
      const kept: string[] = [];
      let full: unknown;
      for (let i = 0; full === undefined; i++) {
        const added = dir.add(nameOf(i, 30));
        if (added === undefined) kept.push(nameOf(i, 30));
        else full = added;
      }
      expect(full).toEqual(err('ENOSPC'));
      expect(dir.blocks[0]!.u8(30)).toBe(levels);
      // Root: 12 entries; each node below it: 15. A leaf holds up to three names of 30 bytes.
      const mostLeaves = 12 * 15 ** levels;
      expect(dir.leaves().length).toBeLessThanOrEqual(mostLeaves);
      expect(dir.leaves().length).toBeGreaterThan(mostLeaves / 3);
      expect(dir.problems()).toEqual([]);
      expect(kept.filter((name) => !dir.has(name))).toEqual([]);
      expect(dir.leaves().flat().toSorted()).toEqual(kept.toSorted());
    }
  });

  test('Is a name refused that is there, and nothing lost when no block is left?', () => {
    const dir = new Directory(1024, true, 5);
    const kept: string[] = [];
    let full: unknown;
    for (let i = 0; full === undefined; i++) {
      const added = dir.add(nameOf(i, 60));
      if (added === undefined) kept.push(nameOf(i, 60));
      else full = added;
    }
    expect(full).toEqual(err('ENOSPC'));
    expect(dir.add(kept[0]!)).toEqual(err('EEXIST'));
    expect(dir.problems()).toEqual([]);
    expect(kept.filter((name) => !dir.has(name))).toEqual([]);
  });

  test('Is an index that makes no sense bad, not an exception?', () => {
    const dir = new Directory(1024, false);
    for (let i = 0; i < 100; i++) dir.add(nameOf(i, 30));
    const root = dir.blocks[0]!;
    for (const broken of [
      root.putU8(28, 9),
      root.putU8(30, 2),
      root.putU8(31, 1),
      root.putU16(32, 7),
      root.putU16(34, 0),
    ]) {
      dir.blocks[0] = broken;
      expect(indexedLeaves(dir.store)).toBe('bad');
      expect(findIndexed(dir.store, Bytes.fromText('x'), () => undefined)).toBe('bad');
    }
    // A root that leads to itself.
    dir.blocks[0] = root.putU32(36, 0);
    expect(indexedLeaves(dir.store)).toBe('bad');
  });
});
