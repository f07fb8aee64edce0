/** One field made wrong at a time, on every kind of volume: what e2fsck objects to, check objects to. */
import { expect } from 'vitest';
import { madeBases, ownBases } from '../../scripts/images/bases.ts';
import { breakFields } from '../../scripts/images/fields.ts';
import { refereed } from '../support/referee.ts';

refereed('no field that e2fsck objects to is passed, on any volume', ['e2fsck', 'mke2fs'], () => {
  for (const base of [...ownBases(), ...madeBases()]) {
    const missed = breakFields(base, 11).filter(({ theirs, ours }) => theirs && !ours);
    expect(missed, base.name).toEqual([]);
  }
});
