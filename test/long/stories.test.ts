/** Every story of every recorded failure fits a mail, and says what it is about. */
import { describe, expect, it } from 'vitest';
import { storyText } from '../../src/cli/story.ts';
import { raceCell } from '../../src/compare/race.ts';
import { CASES, OTHER_CASES } from '../support/scenarios.ts';

describe('stories', () => {
  it.each([...CASES, ...OTHER_CASES])('$label', ({ scenario, image, design, mount }) => {
    const { cell, session } = raceCell(scenario, image, design, mount);
    for (const violation of cell.violations) {
      const text = storyText(session, cell, violation);
      const lines = text.split('\n');
      // A word that is longer than the line cannot be folded: only the token of the replay may be one.
      const wide = lines.filter((line) => line.length > 75 && !line.trim().startsWith("'"));
      expect(wide, text).toEqual([]);
      expect(text).toMatch(new RegExp(`(\\*\\*\\* |^ *)${violation.invariant}( \\*\\*\\*|$)`, 'm'));
      expect(lines.length, text).toBeLessThan(200);
    }
  });
});
