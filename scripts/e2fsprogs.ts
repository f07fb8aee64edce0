/**
 * Our check beside e2fsck, our mkfs beside mke2fs.
 *
 *   npx tsx scripts/e2fsprogs.ts --every 5      one of five corruptions of every field; all of mkfs
 *
 * --record keeps the figures in scripts/images/figures.json. Needs e2fsprogs.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { madeBases, ownBases } from './images/bases.ts';
import { breakFields } from './images/fields.ts';
import { recordFigures } from './images/figures.ts';
import { compareMkfs, mkfsCases } from './images/mkfsMatrix.ts';

function version(): string {
  const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  return /e2fsck (\S+)/.exec(spawnSync('e2fsck', ['-V'], { env, encoding: 'utf8' }).stderr)?.[1] ?? 'unknown';
}

function main(): number {
  const { values } = parseArgs({
    options: { every: { type: 'string', default: '5' }, record: { type: 'boolean', default: false } },
  });
  const every = Number(values.every);
  const totals = { volumes: 0, corruptions: 0, theirs: 0, missed: 0, oursOnly: 0 };
  for (const base of [...ownBases(), ...madeBases()]) {
    const found = breakFields(base, every, totals.volumes);
    const missed = found.filter(({ theirs, ours }) => theirs && !ours);
    totals.volumes++;
    totals.corruptions += found.length;
    totals.theirs += found.filter(({ theirs }) => theirs).length;
    totals.missed += missed.length;
    totals.oursOnly += found.filter(({ theirs, ours }) => ours && !theirs).length;
    console.log(`${base.name}: ${found.length} corruptions, ${missed.length} that only e2fsck objects to`);
    for (const { site, field, before, value, said } of missed.slice(0, 10))
      console.log(`  ${site}.${field} ${before} -> ${value}: ${said}`);
  }
  console.log(JSON.stringify(totals));
  const differing = mkfsCases().filter((each) => {
    const bytes = compareMkfs(each);
    if (bytes.length > 0) console.log(`${each.name}: ${bytes.join('; ')}`);
    return bytes.length > 0;
  });
  console.log(`mkfs: ${mkfsCases().length} combinations, ${differing.length} differ from mke2fs`);
  if (values.record) {
    recordFigures('fields', { every, ...totals, e2fsprogs: version() });
    recordFigures('mkfs', {
      combinations: mkfsCases().length,
      differing: differing.length,
      e2fsprogs: version(),
    });
  }
  return totals.missed + differing.length > 0 ? 1 : 0;
}

process.exitCode = main();
