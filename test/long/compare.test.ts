/** The recorded failures of the current kernel can be shown beside another design: marked, and every row of them. */

import { describe, expect, it } from 'vitest';
import { imageOf } from '../../src/cli/images.ts';
import { splitCrash } from '../../src/compare/crash.ts';
import { defer, mkwriteConvert } from '../../src/designs/index.ts';
import { parseSchedule } from '../../src/explore/schedule.ts';
import { expectationOf, mountLabel } from '../../src/scenario/schema.ts';
import { lockOrderOfTrace } from '../../src/trace/lockOrder.ts';
import { byteFields, fieldValue, rawAt, rawWrites } from '../../src/viewer/byteMap.ts';
import { changeTexts } from '../../src/viewer/changes.ts';
import { chipsOf, filesOf } from '../../src/viewer/chips.ts';
import { compare } from '../../src/viewer/comparison.ts';
import { copiesOf } from '../../src/viewer/copies.ts';
import { heldSince, holdersOf, lockColumns } from '../../src/viewer/held.ts';
import { invariantsAt } from '../../src/viewer/invariantsAt.ts';
import { lockGraph } from '../../src/viewer/lockGraph.ts';
import { mailTexts } from '../../src/viewer/mailText.ts';
import { itemsOf, tellRun } from '../../src/viewer/rows.ts';
import { SCENARIOS } from '../support/scenarios.ts';

/** The current kernel's failures, each scenario under the first mount that has one, schedules and power failures. */
const FAILURES = (['expect', 'crash'] as const).flatMap((part) =>
  SCENARIOS.flatMap((scenario) => {
    const found = scenario.mounts.flatMap((mount) => {
      const expected = expectationOf(scenario, mkwriteConvert.id, mount, part);
      return expected !== null && 'violates' in expected && expected.schedule !== undefined
        ? [{ label: `${scenario.name} ${mountLabel(mount)} ${part}`, scenario, mount, part, expected }]
        : [];
    });
    return found.slice(0, 1);
  }),
);

describe('a recorded failure is shown', () => {
  it.each(FAILURES)('$label', ({ scenario, mount, part, expected }) => {
    const { schedule, medium } = splitCrash(expected.schedule!);
    const comparison = compare({
      scenario,
      image: imageOf(scenario),
      mount,
      designs: [mkwriteConvert, defer],
      schedule: parseSchedule(schedule),
      of: mkwriteConvert.id,
      crash: part === 'crash' ? { medium: medium ?? 0 } : null,
    });
    const { runs, rows, markedRows } = comparison;
    const [run] = runs;
    const ids = run!.marks.map(({ id }) => id);
    if (part === 'expect') expect(ids.some((id) => expected.violates.includes(id))).toBe(true);
    const items = itemsOf(comparison, runs.map(tellRun), true);
    const shown = new Set(items.flatMap((item) => (item.kind === 'row' ? [item.row] : [])));
    for (const row of markedRows) expect(shown).toContain(row);
    expect(rows.length).toBeGreaterThanOrEqual(run!.steps.length);

    const [file] = filesOf(comparison);
    for (const each of runs) {
      for (const { text } of mailTexts(comparison, each)) expect(text).not.toContain('undefined');
      const graph = lockGraph(lockOrderOfTrace(each.result.trace));
      expect(graph.nodes.every(({ layer, place }) => layer >= 0 && place >= 0)).toBe(true);
      const columns = lockColumns(each);
      expect(new Set(columns.map(({ name }) => name)).size).toBe(columns.length);
      for (const { before, after } of rawWrites(each, file!.ino)) expect(before.equals(after)).toBe(false);
      each.steps.forEach(({ changes, after }, step) => {
        for (const { record, field } of changeTexts(changes))
          expect(`${record} ${field}`).not.toMatch(/NaN|undefined/);
        chipsOf(after, file!.ino, 0);
        for (const column of columns) {
          for (const holder of holdersOf(after, column)) {
            const since = heldSince(each, column, step, holder);
            if (since !== null) expect(each.steps[since]!.task).toBe(holder.task);
          }
        }
        if (step % 7 !== 0 && !each.marks.some((mark) => mark.step === step)) return;
        const raw = rawAt(each.at, after, file!.ino);
        const fields = byteFields(raw);
        expect(fields.length).toBe(raw.length);
        for (let at = 0; at < raw.length; at += 5) expect(fieldValue(raw, at)).toMatch(/^0x/);
        for (const from of [0, 48, 64, 4080, 4096, 65536]) copiesOf(each.at(after), file!.ino, from, 16);
      });
      for (const mark of each.marks) {
        if (mark.kind !== 'invariant') continue;
        const found = invariantsAt(each, mark.step).find(({ id }) => id === mark.id);
        expect(found).toMatchObject({ message: mark.message, first: mark.step });
      }
    }
  });
});
