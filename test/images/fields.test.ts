/** One field made wrong: whatever e2fsck objects to, check objects to. A sample; `test/long` has the rest. */
import { expect } from 'vitest';
import { ownBases } from '../../scripts/images/bases.ts';
import { breakFields } from '../../scripts/images/fields.ts';
import { refereed } from '../support/referee.ts';

refereed('no field that e2fsck objects to is passed', ['e2fsck'], () => {
  const [plain, journal] = ownBases();
  const found = [...breakFields(plain!, 61), ...breakFields(journal!, 131, 5)];
  expect(found.length).toBeGreaterThan(125);
  expect(found.filter(({ theirs }) => theirs).length).toBeGreaterThan(50);
  expect(found.filter(({ theirs, ours }) => theirs && !ours)).toEqual([]);
});
