/** One field made wrong: whatever e2fsck objects to, check objects to. A sample; `test/long` has the rest. */
import { expect } from 'vitest';
import { ownBases } from '../../scripts/images/bases.ts';
import { breakFields } from '../../scripts/images/fields.ts';
import { refereed } from '../support/referee.ts';

refereed('no field that e2fsck objects to is passed', ['e2fsck'], () => {
  const [plain, journal] = ownBases();
  const found = [...breakFields(plain!, 31), ...breakFields(journal!, 67, 5)];
  expect(found.length).toBeGreaterThan(250);
  expect(found.filter(({ theirs }) => theirs).length).toBeGreaterThan(100);
  expect(found.filter(({ theirs, ours }) => theirs && !ours)).toEqual([]);
});
