/** One search as tests, for `explore` and `crash`: a test per invariant. */
import type { Cell, Violation } from '../compare/race.ts';
import { reachText } from '../explore/explore.ts';
import { renderJunit, renderKtap, type TestCase, type TestSuite } from '../report/testReport.ts';
import type { Expectation } from '../scenario/schema.ts';

export const TEST_FORMAT_OPTION = {
  type: 'text',
  value: 'F',
  choices: ['text', 'ktap', 'junit'],
  default: 'text',
  summary: 'stories, or a test per invariant as KTAP or JUnit XML',
} as const;

/**
 * @param ids       every invariant that was looked at
 * @param recorded  what the scenario expects: what it knows to be broken is expected to fail
 * @param story     of a failure
 */
export function cellTests(
  format: 'ktap' | 'junit',
  cell: Cell,
  ids: readonly string[],
  recorded: Expectation | null,
  story: (violation: Violation) => string,
): string {
  const known = recorded !== null && 'violates' in recorded ? recorded.violates : [];
  const cases = ids.map((id): TestCase => {
    const violation = cell.violations.find(({ invariant }) => invariant === id);
    if (violation === undefined && !cell.violates.includes(id)) {
      const outcome = cell.verdict === 'inconclusive' ? 'cut' : 'pass';
      return {
        name: id,
        outcome,
        message: `${outcome === 'pass' ? 'holds' : 'not broken so far'} (${reachText(cell.reach)})`,
      };
    }
    const outcome = known.includes(id) ? 'expected' : 'fail';
    const message = violation?.message ?? 'broken';
    return {
      name: id,
      outcome,
      message,
      ...(violation === undefined || outcome === 'expected' ? {} : { detail: story(violation) }),
    };
  });
  const suite: TestSuite = { name: `${cell.scenario} ${cell.design} ${cell.mount}`, cases };
  return (format === 'ktap' ? renderKtap([suite]) : renderJunit([suite])).trimEnd();
}
