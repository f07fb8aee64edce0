/** What the compare view knows of a comparison: rows, marks, power failures, and the text for a mail. */
import { describe, expect, it } from 'vitest';
import { imageOf } from '../../src/cli/images.ts';
import { loadScenarios } from '../../src/cli/scenarioFiles.ts';
import { storyText } from '../../src/cli/story.ts';
import { raceCell } from '../../src/compare/race.ts';
import { mkwriteConvert } from '../../src/designs/index.ts';
import { parseSchedule } from '../../src/explore/schedule.ts';
import { invariantsAt } from '../../src/viewer/invariantsAt.ts';
import { mailTextAt, mailTexts } from '../../src/viewer/mailText.ts';
import { ext4lab } from '../support/command.ts';
import { bug, compared } from './compared.ts';

describe('a comparison', () => {
  it('marks the step that breaks, in its row', () => {
    const { runs, rows, markedRows } = bug();
    const [base] = runs;
    expect(base!.marks.map(({ kind, id, step }) => `${kind} ${id} ${step}`)).toEqual([
      'bug-on write-end-not-inline 63',
      'invariant bug-on 63',
    ]);
    expect(rows[base!.rowOf[63]!]![0]).toBe(63);
    expect(markedRows).toContain(base!.rowOf[63]);
    expect(runs[2]!.marks).toEqual([]);
  });

  it('has one lane in a row, and every step in one', () => {
    const { runs, rows } = bug();
    for (const row of rows) {
      const tasks = row.flatMap((step, run) => (step === null ? [] : [runs[run]!.steps[step]!.task]));
      expect(new Set(tasks).size).toBe(1);
    }
    runs.forEach(({ steps, rowOf }, run) => {
      expect(rowOf.length).toBe(steps.length);
      rowOf.forEach((row, step) => {
        expect(rows[row]![run]).toBe(step);
      });
    });
  });

  it('has marked what the invariants say of every state, and where they said it first', () => {
    for (const run of bug().runs) {
      const first = new Map<string, number>();
      run.steps.forEach((_, step) => {
        for (const { id, message } of invariantsAt(run, step))
          if (message !== null && !first.has(id)) first.set(id, step);
      });
      const marked = run.marks.filter(({ kind }) => kind === 'invariant');
      expect(marked.map(({ id, step }) => [id, step])).toEqual(
        expect.arrayContaining([...first].map(([id, step]) => [id, step])),
      );
      expect(marked.length).toBe(first.size);
    }
  });

  it('asks the invariants of a state, not of what was found before', () => {
    const [base] = bug().runs;
    const broken = (step: number) =>
      invariantsAt(base!, step).flatMap(({ id, message }) => (message === null ? [] : [id]));
    expect(broken(62)).toEqual([]);
    expect(broken(63)).toEqual(['bug-on']);
    const defer = bug().runs[1]!;
    const strict = defer.marks.find(({ id }) => id === 'strict')!;
    expect(invariantsAt(defer, strict.step).find(({ id }) => id === 'strict')).toMatchObject({
      first: strict.step,
      message: expect.stringMatching(/dirty/),
    });
    // Broken once, it may hold again later: it is the state that is asked.
    expect(invariantsAt(defer, defer.steps.length - 1).find(({ id }) => id === 'strict')!.message).toBeNull();
  });
});

describe('text for a mail', () => {
  it('is what replay prints', async () => {
    for (const run of bug().runs.slice(0, 2)) {
      const { out, code } = await ext4lab('replay', run.token);
      expect(mailTexts(bug(), run).at(-1)!.text).toBe(out.trimEnd());
      expect(code).toBe(1);
    }
  });

  it('is the story that race prints', () => {
    const [scenario] = loadScenarios(['mmap-store-then-fsync']);
    const image = imageOf(scenario!);
    const mount = scenario!.mounts[0]!;
    const { cell, session } = raceCell(scenario!, image, mkwriteConvert, mount);
    expect(cell.violations.length).toBeGreaterThan(0);
    for (const violation of cell.violations) {
      const comparison = compared({
        scenario: scenario!.name,
        designs: ['mkwrite-convert', 'defer'],
        schedule: violation.schedule,
      });
      const [run] = comparison.runs;
      const texts = mailTexts(comparison, run!);
      const own = texts.find(({ title }) => title === `story of ${violation.invariant}`);
      expect(own?.text).toBe(storyText(session, cell, violation));
      expect(texts).toContainEqual(mailTextAt(comparison, run!, violation.steps - 1));
    }
  });

  it('tells of a deadlock as race does', () => {
    const [scenario] = loadScenarios(['read-into-mapping']);
    const [name, recorded] = Object.entries(scenario!.expect ?? {}).find(
      ([, each]) => 'violates' in each && each.violates.includes('no-deadlock'),
    )!;
    const [design] = name.split('@');
    const comparison = compared({
      scenario: scenario!.name,
      designs: [design!],
      schedule: (recorded as { schedule: string }).schedule,
    });
    const [run] = comparison.runs;
    const mark = run!.marks.find(({ id }) => id === 'no-deadlock')!;
    expect(mark.step).toBe(run!.steps.length - 1);
    expect(mailTexts(comparison, run!).map(({ title }) => title)).toContain('story of no-deadlock');
  });
});

describe('a power failure', () => {
  const crash = () =>
    compared({
      scenario: 'crash-pending-beside-fsync',
      designs: ['mkwrite-convert', 'defer'],
      schedule: 'A55B46',
      medium: 0,
    });

  it('ends the run, and is told as replay tells it', async () => {
    const comparison = crash();
    const [run, other] = comparison.runs;
    expect(run!.steps.length).toBe(parseSchedule('A55B46').length);
    expect(run!.token).toBe('crash-pending-beside-fsync:mkwrite-convert@delalloc:A55B46!');
    expect(run!.marks.map(({ kind, id }) => `${kind} ${id}`)).toContain('crash promise');
    const { out } = await ext4lab('replay', run!.token);
    expect(mailTextAt(comparison, run!, 0).text).toBe(out.trimEnd());
    // Under the other design power fails at the same place, and its own token says so.
    const again = await ext4lab('replay', other!.token);
    expect(mailTextAt(comparison, other!, 0).text).toBe(again.out.trimEnd());
  });

  it('names a medium that is not there', () => {
    expect(() =>
      compared({
        scenario: 'crash-pending-beside-fsync',
        designs: ['mkwrite-convert'],
        schedule: 'A55B46',
        medium: 5000,
      }),
    ).toThrow(/leaves \d+ media, 0 to \d+, not 5000/);
  });
});
