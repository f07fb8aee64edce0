/**
 * The living world and direct mode against the machine: the same lines give the same answers, and the same state to the
 * last field, whether every step is a request that a scheduler grants or a line of code that just runs.
 */
import { describe, expect, it } from 'vitest';
import { generateLines } from '../../src/compare/generate.ts';
import { designById } from '../../src/designs/index.ts';
import { createLab } from '../../src/index.ts';
import { Engine } from '../../src/lab/engine.ts';
import { LiveWorld } from '../../src/lab/world.ts';
import type { Line, LineResult } from '../../src/scenario/ast.ts';
import { parseLane } from '../../src/scenario/lane.ts';
import { laneTask } from '../../src/scenario/program.ts';
import { makeKernel, startSession } from '../../src/scenario/session.ts';
import { Machine } from '../../src/sched/machine.ts';
import { FlatWorld } from '../../src/state/flat.ts';
import { normalize } from '../../src/state/recording.ts';
import { mkfsImage } from '../../src/volume/mkfs.ts';
import { CASES } from '../support/scenarios.ts';

/** The same lines, by the machine over a flat world, as task 1 beside an idle program. */
function byMachine(engine: Engine, lines: readonly Line[]): { results: LineResult[]; world: FlatWorld } {
  const world = new FlatWorld();
  world.restore(engine.world.snapshot());
  const k = makeKernel(world, engine.image, engine.mount, engine.design);
  const results: LineResult[] = [];
  k.sink.listen = (effect) => {
    if (effect.type === 'result') results.push({ line: effect.text, ...effect.result } as LineResult);
  };
  const idle = { name: 'idle', mm: 0, last: false, *program() {} };
  const machine = new Machine(k, [idle, laneTask('lab', lines, 1)]);
  while (machine.runnable().length > 0) machine.resume(1);
  return { results, world };
}

function agree(engine: Engine, lines: readonly Line[]): void {
  const { results, world } = byMachine(engine, lines);
  expect(engine.exec(lines)).toEqual(results);
  expect(normalize(engine.world.snapshot())).toEqual(normalize(world.snapshot()));
  expect(engine.world.digest()).toBe(world.digest());
}

/** One program at a time: nobody to make another one of. */
const makesNone = ({ scenario }: (typeof CASES)[number]): boolean =>
  scenario.lanes.every(({ lines }) => lines.every(({ command }) => command.verb !== '@fork'));

describe('direct mode', () => {
  it.each(CASES.filter(makesNone))(
    'does what the machine does: $label',
    ({ scenario, image, design, mount }) => {
      const session = startSession({ ...scenario, setup: [], lanes: [], after: [] }, image, design, mount);
      const engine = new Engine(image, design, mount);
      if (scenario.freeBlocks !== null) engine.restore(session.world.snapshot());
      for (const lines of [scenario.setup, ...scenario.lanes.map((lane) => lane.lines), scenario.after]) {
        if (byMachine(engine, lines).world.rec('sb', 0, 0).halted) {
          expect(() => engine.exec(lines)).toThrow(/BUG_ON|NULL handle|ASSERT|no extent header/);
          return;
        }
        agree(engine, lines);
      }
    },
  );

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('does what the machine does: random lines %i', (seed) => {
    const shape = { inodeSize: 256, blockSize: seed % 2 === 0 ? 4096 : 1024, journal: seed % 3 !== 0 };
    const image = mkfsImage({ ...shape, blocks: 8192, features: shape.journal ? ['has_journal'] : [] });
    const engine = new Engine(image, designById('mkwrite-convert')!, [
      seed % 4 < 2 ? 'delalloc' : 'nodelalloc',
    ]);
    const texts = generateLines({ seed, ...shape, lineCount: 40 });
    const lines = parseLane(texts, { lane: 'lab' });
    agree(engine, lines);
  });
});

describe('the living world', () => {
  it('has the digest of the flat world, for every state', () => {
    const lab = createLab();
    for (let i = 0; i < 20; i++) {
      lab.fs.writeFileSync(`/f${i % 3}`, `${i}`.repeat(i * 9));
      if (i % 5 === 4) lab.sync();
      const flat = new FlatWorld();
      flat.restore(lab.snapshot());
      expect(lab.digest()).toBe(flat.digest());
    }
  });

  it('gives the same record for the same key, also after restore', () => {
    const world = new LiveWorld();
    const record = world.rec('folio', 12, 3);
    record.dirty = true;
    const state = world.snapshot();
    record.dirty = false;
    expect(world.snapshot()).toEqual({});
    world.restore(state);
    expect(world.rec('folio', 12, 3)).toBe(record);
    expect(record.dirty).toBe(true);
    world.restore({});
    expect(record.dirty).toBe(false);
  });

  it('finds keys that are far apart, in order', () => {
    const world = new LiveWorld();
    for (const key of [70_000, 3, 2 ** 31, 65_535, 65_536, 0]) world.rec('buf', key, 0).dirty = true;
    expect(world.firstKeys('buf')).toEqual([0, 3, 65_535, 65_536, 70_000, 2 ** 31]);
    world.rec('pte', 1, 65_536 * 5).present = true;
    world.rec('pte', 1, 2).present = true;
    expect(world.secondKeys('pte', 1)).toEqual([2, 65_536 * 5]);
    expect(world.secondKeys('pte', 9)).toEqual([]);
  });

  it('is deterministic: two labs, the same calls, the same bytes', () => {
    const run = (): string[] => {
      const lab = createLab({ mkfs: { inodeSize: 512 } });
      const file = lab.fs.openSync('/f', 'w+');
      const digests: string[] = [];
      for (let i = 0; i < 30; i++) {
        file.writeSync(`${i * i}`.padStart(20), i * 19);
        if (i % 7 === 3) file.fsyncSync();
        if (i % 11 === 5) lab.flush();
        digests.push(lab.digest());
      }
      return [...digests, Buffer.from(lab.saveImage()).toString('latin1')];
    };
    expect(run()).toEqual(run());
  });
});
