/** Crash states a second: media that a power failure may leave, each recovered, checked and compared. */
import { Crasher } from '../src/crash/crash.ts';
import { designById } from '../src/designs/index.ts';
import { Walk } from '../src/explore/walk.ts';
import { readScenario } from '../src/scenario/schema.ts';
import { startSession } from '../src/scenario/session.ts';
import { race, timed } from './measure.ts';
import type { Row } from './rows.ts';
import { imageOf } from './scenarios.ts';

/** Files that are written and then synced together: so many blocks are in doubt at once. */
const FILES = 9;

function volume(journal: boolean) {
  const names = Array.from({ length: FILES }, (_, i) => `/f${i}`);
  const json = {
    name: 'crash-bench',
    question: 'How many crash states a second?',
    image: {
      mkfs: {
        blockSize: 4096,
        inodeSize: 256,
        blocks: 2048,
        features: [journal ? 'has_journal' : '^has_journal'],
      },
    },
    mount: ['nodelalloc'],
    setup: names.flatMap((name) => [`open -f ${name}`, 'pwrite -S 0x41 0 300', 'sync']),
    tasks: { CPU0: [...names.flatMap((name) => [`open ${name}`, 'pwrite -S 0x42 0 4096']), 'sync'] },
  };
  return readScenario(JSON.stringify(json), 'crash-bench.json');
}

/** The lane to its end, power failing after every step. */
function round(journal: boolean, torn: boolean) {
  const scenario = volume(journal);
  const session = startSession(
    scenario,
    imageOf(scenario),
    designById('page-cache-convert')!,
    ['nodelalloc'],
    true,
  );
  const { k, world, specs } = session;
  return () => {
    const crasher = new Crasher(session, { torn });
    const walk = new Walk({ k, world, specs, invariants: [] });
    return timed(() =>
      walk.search(() => {
        for (let can = walk.runnable(); can !== 0; can = walk.runnable()) {
          walk.step(31 - Math.clz32(can & -can));
          crasher.examine(walk.k);
        }
        return crasher.states;
      }),
    );
  };
}

export async function crashStates(rounds: number): Promise<Row[]> {
  const rates = await race(
    [
      { name: 'journal', round: round(true, true) },
      { name: 'without', round: round(false, true) },
    ],
    rounds,
  );
  return [
    {
      what: 'crash states/s, with a journal',
      measured: rates.journal!,
      unit: '',
      goal: { better: 'higher', floor: 2000, target: 10_000 },
      note: `${FILES} blocks in doubt; each medium replayed, mounted, checked, compared`,
    },
    {
      what: 'crash states/s, without',
      measured: rates.without!,
      unit: '',
      goal: null,
      note: 'mounted and compared: without a journal nobody promises a consistent volume',
    },
  ];
}
