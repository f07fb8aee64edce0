/** Every objection raised against a design is found from its scenario with the default options, or does not hold. */
import { describe, expect, it } from 'vitest';
import { nameOf, OBJECTIONS, searched } from '../../bench/objections.ts';
import { cycleWith } from '../../src/compare/claim.ts';
import { DESIGNS } from '../../src/designs/index.ts';

describe('objections', () => {
  it.each(OBJECTIONS.map((each) => [`${each.objection} (${nameOf(each)})`, each] as const))(
    '%s',
    (_, objection) => {
      const { violates, reach, lockOrder } = searched(objection);
      expect(reach.complete).toBe(true);
      if ('breaks' in objection) expect(violates).toContain(objection.breaks);
      else for (const id of objection.holds) expect(violates).not.toContain(id);
      if ('cycle' in objection) expect(cycleWith(lockOrder, objection.cycle)).not.toBeNull();
    },
  );

  it('there is one against every design of the mails, and the answer is not always the same', () => {
    const met = new Set(OBJECTIONS.map(({ against }) => against));
    const mailed = DESIGNS.filter(
      ({ source }) => /linux-ext4|commit/.test(source) && !source.startsWith('ours'),
    );
    expect(mailed.length).toBeGreaterThan(9);
    for (const { id } of mailed) expect(met, id).toContain(id);
    expect(OBJECTIONS.some((each) => 'holds' in each)).toBe(true);
  });
});
