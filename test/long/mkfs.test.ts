/** mkfs beside mke2fs, every combination of the matrix. */
import { expect } from 'vitest';
import { compareMkfs, mkfsCases } from '../../scripts/images/mkfsMatrix.ts';
import { refereed } from '../support/referee.ts';

refereed('mkfs makes the bytes of mke2fs, whatever the options', ['mke2fs'], () => {
  const differing = mkfsCases().flatMap((each) => compareMkfs(each).map((line) => `${each.name}: ${line}`));
  expect(differing).toEqual([]);
});
