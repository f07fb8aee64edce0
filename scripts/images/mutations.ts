/**
 * Broken volumes, each from a seed: a good one with bits flipped, fields that lie, blocks swapped, copied or wiped, or
 * the file cut short; in half of them checksums are made right again, so that what lies behind them is reached.
 */
import { Rng } from '../../src/explore/rng.ts';
import type { Base } from './bases.ts';
import type { Map_, Site } from './sites.ts';
import { reseal } from './sites.ts';

export const MUTATIONS = ['bits', 'field', 'swap', 'copy', 'wipe', 'truncate'] as const;
export type Mutation = (typeof MUTATIONS)[number];

/** How often each is taken, of 100. */
const WEIGHTS: Readonly<Record<Mutation, number>> = {
  bits: 30,
  field: 48,
  swap: 7,
  copy: 6,
  wipe: 5,
  truncate: 4,
};

export interface Mutant {
  readonly file: Uint8Array;
  /** What was done, in order. */
  readonly changes: readonly string[];
  readonly sealed: boolean;
}

/** @param file  of the good volume; not changed */
export function mutate(rng: Rng, map: Map_, file: Uint8Array): Mutant {
  let out = file.slice();
  const changes: string[] = [];
  const count = rng.below(3) === 0 ? 1 + rng.below(4) : 1;
  for (let i = 0; i < count; i++) {
    const kind = pick(rng);
    if (kind === 'truncate') {
      const length = rng.below(4) === 0 ? rng.below(4096) : rng.below(out.length);
      out = out.slice(0, length);
      changes.push(`cut to ${length} bytes`);
    } else changes.push(CHANGES[kind](rng, map, out));
  }
  const sealed = rng.below(2) === 0;
  if (sealed) reseal(map, out);
  return { file: out, changes, sealed };
}

/** The mutant of a number, the same every time. */
export function mutantOf(bases: readonly Base[], maps: readonly Map_[], seed: number, index: number) {
  const rng = new Rng(seed * 0x1_0000_0000 + index);
  const at = rng.below(bases.length);
  return { base: bases[at]!.name, ...mutate(rng, maps[at]!, bases[at]!.file) };
}

function pick(rng: Rng): Mutation {
  let at = rng.below(100);
  for (const kind of MUTATIONS) {
    at -= WEIGHTS[kind];
    if (at < 0) return kind;
  }
  return 'bits';
}

type Change = (rng: Rng, map: Map_, file: Uint8Array) => string;

const CHANGES: Readonly<Record<Exclude<Mutation, 'truncate'>, Change>> = {
  bits(rng, map, file) {
    const count = 1 + rng.below(rng.below(4) === 0 ? 32 : 3);
    const bytes: number[] = [];
    for (let i = 0; i < count; i++) {
      const at =
        rng.below(8) === 0
          ? rng.below(file.length)
          : map.blocks[rng.below(map.blocks.length)]! * map.geo.blockSize + rng.below(map.geo.blockSize);
      if (at >= file.length) continue;
      file[at]! ^= 1 << rng.below(8);
      bytes.push(at);
    }
    return `bits flipped in bytes ${bytes.join(' ')}`;
  },
  field(rng, map, file) {
    const site = map.sites[rng.below(map.sites.length)]!;
    const names = Object.keys(site.fields);
    const name = names[rng.below(names.length)]!;
    return `${site.name}.${name} = ${putField(site, name, file, lie(rng, map, site, name, file))}`;
  },
  swap(rng, map, file) {
    const [a, b] = [someBlock(rng, map), someBlock(rng, map)];
    const size = map.geo.blockSize;
    const kept = file.slice(a * size, (a + 1) * size);
    file.copyWithin(a * size, b * size, (b + 1) * size);
    if ((b + 1) * size <= file.length) file.set(kept.subarray(0, size), b * size);
    return `blocks ${a} and ${b} swapped`;
  },
  copy(rng, map, file) {
    const [from, to] = [someBlock(rng, map), someBlock(rng, map)];
    const size = map.geo.blockSize;
    file.copyWithin(to * size, from * size, (from + 1) * size);
    return `block ${from} copied over ${to}`;
  },
  wipe(rng, map, file) {
    const block = someBlock(rng, map);
    const byte = [0, 0xff, rng.below(256)][rng.below(3)]!;
    file.fill(byte, block * map.geo.blockSize, (block + 1) * map.geo.blockSize);
    return `block ${block} filled with 0x${byte.toString(16)}`;
  },
};

const someBlock = (rng: Rng, map: Map_): number =>
  rng.below(5) === 0 ? rng.below(map.geo.blocksCount) : map.blocks[rng.below(map.blocks.length)]!;

/** Values that lie well: edges of the width, of the volume, and of what stands there. */
function lie(rng: Rng, map: Map_, site: Site, name: string, file: Uint8Array): number {
  const before = getField(site, name, file);
  const values = [
    0, 1, 2, 3, 4, 7, 8, 11, 12, 13, 60, 61, 127, 128, 255, 256, 0x7fff, 0x8000, 0x8001, 0xffff,
  ];
  const wide = [0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe, 0x10000000, 0x80000, 0x1000];
  const volume = [map.geo.blocksCount, map.geo.blocksCount - 1, map.geo.inodesCount, map.geo.inodesCount + 1];
  const near = [
    before + 1,
    before - 1,
    before * 2,
    before >>> 1,
    before ^ (1 << rng.below(32)),
    before + 4,
    before - 4,
  ];
  const lists = [values, wide, volume, near, [rng.next()], map.blocks, map.inodes];
  const list = lists[rng.below(lists.length)]!;
  return list[rng.below(list.length)]! >>> 0;
}

/** The low 32 bits of a field, in the field's own byte order. */
export function getField(site: Site, name: string, file: Uint8Array): number {
  const { size } = site.fields[name]!;
  let value = 0;
  for (let i = 0; i < Math.min(size, 4); i++) value |= (file[place(site, name, i)] ?? 0) << (8 * i);
  return value >>> 0;
}

/** Writes the low bytes of a value into a field; wide fields keep their upper half. */
export function putField(site: Site, name: string, file: Uint8Array, value: number): number {
  const { size } = site.fields[name]!;
  for (let i = 0; i < Math.min(size, 4); i++) {
    const at = place(site, name, i);
    if (at < file.length) file[at] = value >>> (8 * i);
  }
  return value;
}

/** Where byte `i` of a field, lowest first, lies in the file. */
function place(site: Site, name: string, i: number): number {
  const { at, size, kind } = site.fields[name]!;
  return site.at + at + (kind.startsWith('be') ? size - 1 - i : i);
}
