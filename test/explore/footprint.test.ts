import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bytes } from '../../src/bytes/bytes.ts';
import { exhaustive } from '../../src/explore/exhaustive.ts';
import { Footprints } from '../../src/explore/footprint.ts';
import { FlatWorld, hex64 } from '../../src/state/flat.ts';
import { tableIndex } from '../../src/state/tables.ts';
import { step } from '../../src/task.ts';
import { invariant, toy } from './toy.ts';

const sum = (parts: Int32Array): number => parts.reduce((all, part) => (all + part) | 0, 0);

/** Writes to several tables, by every kind of field. */
const writes = fc.array(fc.tuple(fc.nat({ max: 4 }), fc.nat({ max: 2 }), fc.nat({ max: 3 })), {
  maxLength: 12,
});
type Writes = readonly (readonly [what: number, at: number, value: number])[];

function write(world: FlatWorld, list: Writes): void {
  for (const [what, at, value] of list) {
    if (what === 0) world.rec('inode', at, 0).nlink = value;
    else if (what === 1) world.rec('inode', at, 0).size = value * 0x1_0000_0001;
    else if (what === 2) world.rec('folio', 12, at).dirty = value > 1;
    else if (what === 3) world.rec('folio', 12, at).data = value === 0 ? null : Bytes.fill(value, 16);
    else world.rec('inode', at, 0).delayed = value === 0 ? null : [value];
  }
}

describe('the searching world', () => {
  test('its digest is the sum of its tables; writes are taken back and laid down again', () => {
    fc.assert(
      fc.property(writes, writes, (before, list) => {
        const world = new FlatWorld();
        write(world, before);
        world.logging = true;
        const start = world.digest();
        const tables = [world.t1.slice(), world.t2.slice()];
        write(world, list);
        const after = world.digest();
        const snapshot = world.snapshot();
        const tablesAfter = [world.t1.slice(), world.t2.slice()];
        expect(hex64(sum(world.t1), sum(world.t2))).toBe(after);
        const written = world.writesSince(0);
        world.undo(0);
        expect(world.digest()).toBe(start);
        expect([world.t1, world.t2]).toEqual(tables);
        world.apply(written);
        expect(world.digest()).toBe(after);
        expect(world.snapshot()).toEqual(snapshot);
        expect([world.t1, world.t2]).toEqual(tablesAfter);
        world.undo(0);
        expect(world.digest()).toBe(start);
        // The same state made another way has the same digests by table.
        const other = new FlatWorld();
        other.restore(snapshot);
        expect([other.t1, other.t2]).toEqual(tablesAfter);
        const mark = other.save();
        write(other, list);
        other.load(mark);
        expect([other.t1, other.t2]).toEqual(tablesAfter);
      }),
    );
  });

  test('knows the tables that were touched, through records kept from before too', () => {
    const world = new FlatWorld();
    const inode = world.rec('inode', 12, 0);
    const folio = world.rec('folio', 12, 0);
    const touched = (look: () => unknown): string[] => {
      world.touched = 0;
      look();
      return Object.keys(tableIndex).filter((name) => (world.touched >>> tableIndex[name as 'inode']) & 1);
    };
    expect(touched(() => undefined)).toEqual([]);
    expect(touched(() => inode.size)).toEqual(['inode']);
    expect(
      touched(() => {
        folio.dirty = inode.mayInline;
      }),
    ).toEqual(['inode', 'folio']);
    expect(touched(() => world.firstKeys('pte'))).toEqual(['pte']);
    expect(touched(() => world.secondKeys('vma', 0))).toEqual(['vma']);
    expect(touched(() => world.digest())).toEqual(Object.keys(tableIndex));
  });
});

test('an answer is found again when its tables are the same, whatever the others hold', () => {
  const world = new FlatWorld();
  const footprints = new Footprints();
  const inode = 1 << tableIndex.inode;
  const both = inode | (1 << tableIndex.folio);
  expect(footprints.find(world)).toBe(-1);
  for (let value = 1; value <= 100; value++) {
    world.rec('inode', 12, 0).nlink = value;
    footprints.add(value % 2 === 0 ? inode : both, world.t1, world.t2, value);
  }
  for (let value = 1; value <= 100; value++) {
    world.rec('inode', 12, 0).nlink = value;
    world.rec('pte', 0, value).present = true;
    expect(footprints.find(world)).toBe(value);
  }
  world.rec('folio', 12, 0).dirty = true;
  expect(footprints.find(world)).toBe(100);
  world.rec('inode', 12, 0).nlink = 99;
  expect(footprints.find(world)).toBe(-1);
  world.rec('folio', 12, 0).dirty = false;
  expect(footprints.find(world)).toBe(99);
  footprints.add(0, world.t1, world.t2, 7);
  world.rec('inode', 12, 0).nlink = 1000;
  expect(footprints.find(world)).toBe(7);
});

test('a closure and a check run once per footprint, not once per state', () => {
  let ran = 0;
  let asked = 0;
  const found = exhaustive(
    toy(
      [
        function* (k) {
          for (let i = 0; i < 20; i++) {
            const next = i;
            yield* step(k, 'size', () => {
              ran++;
              k.inode(20).size = next;
            });
          }
        },
        function* (k) {
          for (let i = 0; i < 20; i++) {
            const next = i;
            yield* step(k, 'dirty', () => {
              ran++;
              k.fbuf(21, 0).state = next;
            });
          }
        },
      ],
      {
        invariants: [
          invariant('size', 'always', (k) => {
            asked++;
            return k.inode(20).size > 100 ? 'big' : null;
          }),
        ],
      },
    ),
  );
  expect(found.states).toBe(21 * 21);
  expect(ran).toBe(40);
  expect(asked).toBe(20);
});
