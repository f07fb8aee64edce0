/** The story of one violation: the shortest schedule replayed in the recording world, as a diagram. */
import type { Cell, Violation } from '../compare/race.ts';
import { parseSchedule } from '../explore/schedule.ts';
import { type Diagram, renderCpuDiagram } from '../report/cpuDiagram.ts';
import { violationStory } from '../report/violationStory.ts';
import { runSession } from '../scenario/run.ts';
import type { Session } from '../scenario/session.ts';

/**
 * @param session  in its start state
 * @returns        text of at most 75 columns
 */
export function storyText(session: Session, cell: Cell, violation: Violation): string {
  return renderCpuDiagram(storyDiagram(session, cell, violation));
}

/** The same before it is laid out: two designs that fail in the same way have the same rows. */
export function storyDiagram(session: Session, cell: Cell, violation: Violation): Diagram {
  const schedule = parseSchedule(
    violation.schedule,
    session.specs.map((spec) => spec.name),
  );
  return violationStory(runSession(session, schedule).trace, cell, violation);
}
