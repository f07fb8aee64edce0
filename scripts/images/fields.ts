/**
 * Every field of every structure, made wrong one at a time with checksums right: what e2fsck objects to, and whether
 * our check does.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkImage } from '../../src/volume/check.ts';
import { Image } from '../../src/volume/image.ts';
import type { Base } from './bases.ts';
import { getField, putField } from './mutations.ts';
import { mapOf, reseal, type Site } from './sites.ts';

export interface Corruption {
  readonly base: string;
  readonly site: string;
  readonly layout: string;
  readonly field: string;
  readonly before: number;
  readonly value: number;
  /** e2fsck -fn objects: an exit code other than 0. */
  readonly theirs: boolean;
  /** Our check has an error. */
  readonly ours: boolean;
  /** What e2fsck said beyond its summary. */
  readonly said: string;
}

/** Checksums are made right after the change, so a changed one is no change. */
const CHECKSUMS = new Set([
  'checksum',
  'checksumLo',
  'checksumHi',
  'blockBitmapCsumLo',
  'inodeBitmapCsumLo',
  'blockBitmapCsumHi',
  'inodeBitmapCsumHi',
]);

/** Wrong values for a field of so many bytes. */
function wrongValues(before: number, size: number): number[] {
  const top = 2 ** Math.min(32, 8 * size) - 1;
  const values = [
    0,
    1,
    before + 1,
    before - 1,
    before ^ 4,
    (before ^ (2 ** (8 * Math.min(size, 4) - 1))) >>> 0,
    top,
    top - 1,
  ];
  return [...new Set(values.map((value) => (value & top) >>> 0))].filter((value) => value !== before);
}

/**
 * @param sitesOf  which structures to break; left out: all
 * @param every    one of so many corruptions, so that a test can take a sample
 */
export function breakFields(
  base: Base,
  every = 1,
  offset = 0,
  sitesOf: (site: Site) => boolean = () => true,
): Corruption[] {
  const map = mapOf(Image.load(base.file.slice()));
  const dir = mkdtempSync(join(tmpdir(), 'ext4lab-'));
  const path = join(dir, 'image');
  const found: Corruption[] = [];
  let number = offset;
  try {
    for (const site of map.sites.filter(sitesOf)) {
      for (const [field, { size, kind }] of Object.entries(site.fields)) {
        if (CHECKSUMS.has(field)) continue;
        const before = getField(site, field, base.file);
        for (const value of wrongValues(before, kind === 'bytes' ? 1 : size)) {
          if (++number % every !== 0) continue;
          const file = base.file.slice();
          putField(kind === 'bytes' ? firstByteOf(site, field) : site, field, file, value);
          reseal(map, file);
          writeFileSync(path, file);
          const run = spawnSync('e2fsck', ['-fn', path], { env, encoding: 'utf8', timeout: 20_000 });
          const said = `${run.stdout}${run.stderr}`
            .split('\n')
            .filter((line) => line !== '' && !/^(Pass \d|e2fsck \d)|files \(|^Fix|^Clear/.test(line))
            .slice(0, 4)
            .join(' | ')
            .replaceAll(path, 'IMAGE');
          const ours = checkImage(file).some(({ severity }) => severity === 'error');
          const { name, layout } = site;
          found.push({
            base: base.name,
            site: name,
            layout,
            field,
            before,
            value,
            theirs: run.status !== 0,
            ours,
            said,
          });
        }
      }
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return found;
}

const env = { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' };

/** The site with a field of bytes taken as its first byte. */
function firstByteOf(site: Site, field: string): Site {
  return { ...site, fields: { ...site.fields, [field]: { ...site.fields[field]!, size: 1, kind: 'u8' } } };
}
