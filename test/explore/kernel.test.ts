/** The explorer over the real ops: what it says of them is checked against the machine. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Design } from '../../src/designs/design.ts';
import { DESIGNS } from '../../src/designs/index.ts';
import { exhaustive } from '../../src/explore/exhaustive.ts';
import { explore } from '../../src/explore/explore.ts';
import { sample } from '../../src/explore/random.ts';
import { replay } from '../../src/explore/schedule.ts';
import type { Subject } from '../../src/explore/subject.ts';
import { INVARIANTS } from '../../src/invariants/index.ts';
import { makeVolume } from '../../src/scenario/image.ts';
import { readScenario } from '../../src/scenario/schema.ts';
import { startSession } from '../../src/scenario/session.ts';
import { Machine } from '../../src/sched/machine.ts';

const scenarioOf = (name: string) => {
  const file = new URL(`../../fixtures/scenarios/${name}.json`, import.meta.url);
  return readScenario(readFileSync(file, 'utf8'), name);
};
const scenario = scenarioOf('small-write-beside-store');

function subjectOf(design: Design, mount = 0): Subject {
  if (!('mkfs' in scenario.image)) throw new Error('the scenario makes its own volume');
  const { k, world, specs } = startSession(
    scenario,
    makeVolume(scenario.image.mkfs),
    design,
    scenario.mounts[mount]!,
  );
  return { k, world, specs, invariants: INVARIANTS };
}

describe.each(DESIGNS.map((design) => [design.id, design] as const))('%s', (_, design) => {
  test('no closure captures what is assigned later; no invariant remembers', () => {
    const { complete } = exhaustive(subjectOf(design), { paranoid: 5 });
    expect(complete).toBe(true);
  });

  test('every story replays on live generators and breaks there what it says', () => {
    const { violations } = explore(subjectOf(design));
    for (const { invariant, message, schedule } of violations) {
      const { k, specs } = subjectOf(design);
      const machine = new Machine(k, specs);
      for (const task of schedule) {
        expect(machine.runnable()).toContain(task);
        machine.resume(task);
      }
      const check = INVARIANTS.find(({ id }) => id === invariant)?.check;
      if (check === undefined) expect(machine.runnable()).toEqual([]);
      else expect(check(k)).toBe(message);
    }
  });

  test('every end of a live run is an end state, or the run is stuck or halted', () => {
    const all = exhaustive(subjectOf(design));
    const { found } = sample(subjectOf(design), { strategy: 'random', seed: 2, schedules: 50 });
    for (const schedule of [...found.map((each) => each.schedule), [0, 0, 0, 1], [1, 1, 0]]) {
      const { k, world, specs } = subjectOf(design);
      const machine = new Machine(k, specs);
      replay(machine, schedule);
      if (machine.allFinished) expect(all.endStates).toContain(world.digest());
      else expect(k.sb.halted ? all.halted : all.deadlocks).toBeGreaterThan(0);
    }
  });
});

test('fingerprints and whole states number the same states', () => {
  const [design] = DESIGNS;
  const told = ({ states, transitions, schedules, endStates }: ReturnType<typeof exhaustive>) => ({
    states,
    transitions,
    schedules,
    endStates,
  });
  const once = told(exhaustive(subjectOf(design!)));
  expect(told(exhaustive(subjectOf(design!), { exact: true }))).toEqual(once);
  expect(told(exhaustive(subjectOf(design!)))).toEqual(once);
});
