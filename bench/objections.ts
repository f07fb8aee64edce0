/**
 * Every objection ever raised against a design: the scenario that convicts it, found with the default options, and how
 * long that takes.
 */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { raceCell } from '../src/compare/race.ts';
import { exhaustive } from '../src/explore/exhaustive.ts';
import { INVARIANTS } from '../src/invariants/index.ts';
import { mountLabel } from '../src/scenario/schema.ts';
import { cpuSeconds } from './measure.ts';
import type { Row } from './rows.ts';
import { imageOf, scenarioSession, subjectOfSession } from './scenarios.ts';

const common = {
  objection: z.string().min(1),
  /** The design. */
  against: z.string(),
  scenario: z.string(),
  mount: z.string(),
};

const objectionSchema = z.union([
  /** It holds: some schedule breaks this. */
  z.strictObject({ ...common, breaks: z.string() }),
  /** It does not: no schedule breaks any of these. */
  z.strictObject({ ...common, holds: z.array(z.string()).min(1) }),
  /** It holds of the order of locks: lockdep reports a cycle with these on it; no schedule breaks what `holds` names. */
  z.strictObject({ ...common, cycle: z.array(z.string()).min(1), holds: z.array(z.string()).min(1) }),
]);

export type Objection = z.output<typeof objectionSchema>;

export const OBJECTIONS: readonly Objection[] = z
  .array(objectionSchema)
  .parse(JSON.parse(readFileSync(new URL('../fixtures/objections.json', import.meta.url), 'utf8')));

export const nameOf = ({ scenario, against, mount }: Objection): string => `${scenario}:${against}@${mount}`;

/** All schedules of an objection's cell. */
export function searched({ scenario: name, against, mount }: Objection) {
  const { scenario, session } = scenarioSession(name, against, mount);
  const options = scenario.mounts.find((each) => mountLabel(each) === mount)!;
  const { cell, lockOrder } = raceCell(scenario, imageOf(scenario), session.design, options, {
    lockdep: true,
  });
  return { ...cell, lockOrder: lockOrder! };
}

/** A row for each, and the slowest. Time to the first violation of the invariant, mount and setup included. */
export function objections(): Row[] {
  const rows: Row[] = [];
  let slowest = { name: '', seconds: 0 };
  for (const objection of OBJECTIONS) {
    const seconds = cpuSeconds();
    const { session } = scenarioSession(objection.scenario, objection.against, objection.mount);
    const only = 'breaks' in objection && objection.breaks !== 'no-deadlock' ? [objection.breaks] : null;
    const invariants = INVARIANTS.filter(({ id }) => only === null || only.includes(id));
    const { states } = exhaustive(subjectOfSession(session, invariants), {
      stopAtFirst: 'breaks' in objection,
    });
    const took = seconds();
    if (took > slowest.seconds) slowest = { name: nameOf(objection), seconds: took };
    const end = 'breaks' in objection ? `until ${objection.breaks}` : 'all schedules: does not hold';
    rows.push({
      what: `  ${objection.objection}`,
      measured: took,
      unit: 's',
      goal: null,
      note: `${nameOf(objection)}: ${states} states, ${end}`,
    });
  }
  const what = `${OBJECTIONS.length} objections: time to the answer, slowest`;
  const goal = { better: 'lower', floor: 1, target: 0.2 } as const;
  return [{ what, measured: slowest.seconds, unit: 's', goal, note: slowest.name }, ...rows];
}
