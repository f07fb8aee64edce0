/** mkfs beside mke2fs: the same bytes for the same options. A sample; `test/long` has every combination. */
import { expect, it } from 'vitest';
import { compareMkfs, mkfsCases } from '../../scripts/images/mkfsMatrix.ts';
import { checkImage } from '../../src/volume/check.ts';
import { mkfs } from '../../src/volume/mkfs.ts';
import { e2fsck, refereed } from '../support/referee.ts';

const cases = mkfsCases();
const sample = cases.filter((_, at) => at % 37 === 0);

it('has a matrix of hundreds', () => {
  expect(cases.length).toBeGreaterThan(500);
});

it('our check passes what it makes', () => {
  for (const { name, options } of sample)
    expect(checkImage(mkfs(options)), name).toEqual(
      expect.not.arrayContaining([expect.objectContaining({ severity: 'error' })]),
    );
});

refereed('e2fsck passes what it makes', ['e2fsck'], () => {
  for (const { name, options } of sample) expect(e2fsck(mkfs(options)).code, name).toBe(0);
});

refereed('it makes the bytes of mke2fs', ['mke2fs'], () => {
  for (const each of sample) expect(compareMkfs(each), each.name).toEqual([]);
});
