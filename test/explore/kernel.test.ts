/** The explorer over the real ops: what it says of them is checked against the machine. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Design } from '../../src/designs/design.ts';
import { DESIGNS } from '../../src/designs/index.ts';
import { exhaustive } from '../../src/explore/exhaustive.ts';
import { explore } from '../../src/explore/explore.ts';
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

test.each(DESIGNS.map((design) => [design.id, design] as const))(
  '%s: closures capture constants, stories replay on live generators and break there what they say',
  (_, design) => {
    const subject = subjectOf(design);
    const { k, world, specs } = subject;
    const start = world.save();
    const found = explore(subject, { paranoid: 19 });
    expect(found.reach.complete).toBe(true);
    for (const { invariant, message, schedule } of found.violations) {
      world.load(start);
      const machine = new Machine(k, specs);
      for (const task of schedule) {
        expect(machine.runnable()).toContain(task);
        machine.resume(task);
      }
      const check = INVARIANTS.find(({ id }) => id === invariant)?.check;
      if (check === undefined) expect(machine.runnable()).toEqual([]);
      else expect(check(k)).toBe(message);
    }
    for (const schedule of [...found.violations.map((each) => each.schedule), [0, 0, 0, 1], [1, 1, 0]]) {
      world.load(start);
      const machine = new Machine(k, specs);
      replay(machine, schedule);
      if (machine.allFinished) expect(found.endStates).toContain(world.digest());
      else expect(k.sb.halted ? found.halted : found.deadlocks).toBeGreaterThan(0);
    }
  },
);

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
