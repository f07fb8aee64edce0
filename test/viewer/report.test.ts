/** Reports: packed cells, rows and filters, the page around them, the gallery. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { galleryText } from '../../scripts/page/gallery.ts';
import { imageOf } from '../../src/cli/images.ts';
import { makeReport } from '../../src/cli/report.ts';
import { loadScenarios } from '../../src/cli/scenarioFiles.ts';
import { raceCell } from '../../src/compare/race.ts';
import { DESIGNS, designById } from '../../src/designs/index.ts';
import { mountLabel } from '../../src/scenario/schema.ts';
import { besideOf, chooseSchedule } from '../../src/viewer/cellChoice.ts';
import { FINDINGS } from '../../src/viewer/findings.ts';
import { inlineJson, inlineScript, pageHtml } from '../../src/viewer/html.ts';
import { brokenWords, cellSentence, cellWords, filterRows, matrixRows } from '../../src/viewer/matrix.ts';
import { cellAt, packCell, type Report, unpackCell } from '../../src/viewer/report.ts';
import { ext4lab } from '../support/command.ts';

const folder = mkdtempSync(join(tmpdir(), 'ext4lab-report-'));
afterAll(() => rmSync(folder, { recursive: true }));

const recorded = (names: string[] = []): Report =>
  makeReport({
    command: 'playground',
    scenarios: loadScenarios(names),
    designs: DESIGNS,
    cells: null,
    reach: [],
    lockdep: [],
  });

describe('a report', () => {
  it('has every cell that is recorded, and the scenarios as they are', () => {
    const report = recorded();
    const scenarios = loadScenarios([]);
    const count = Object.values(report.cells).flatMap((row) => Object.values(row).flat()).length;
    expect(count).toBe(scenarios.reduce((sum, { mounts }) => sum + mounts.length * DESIGNS.length, 0));
    expect(report.library).toEqual([]);
    expect(recorded(['two-appends']).library).toHaveLength(scenarios.length - 1);
    for (const { json, image } of report.scenarios) {
      expect(json).not.toHaveProperty('expect');
      expect('file' in (json.image as object)).toBe(image !== undefined);
      if (image !== undefined) expect(report.images).toHaveProperty([image]);
    }
  });

  it('keeps what a search found', () => {
    const [scenario] = loadScenarios(['small-write-beside-store']);
    const mount = scenario!.mounts[0]!;
    const { cell } = raceCell(scenario!, imageOf(scenario!), designById('mkwrite-convert')!, mount);
    const unpacked = unpackCell(JSON.parse(JSON.stringify(packCell(cell, true))));
    expect(unpacked.verdict).toBe('violates');
    expect(unpacked.violations.map(({ invariant, schedule }) => [invariant, schedule])).toEqual(
      cell.violations.map(({ invariant, schedule }) => [invariant, schedule]),
    );
    expect(unpacked).toMatchObject({ pendingOnly: cell.pendingOnly, asExpected: true, unreached: [] });
    expect(unpacked.how).toMatch(/^exhaustive, [\d,]+ states/);
  });

  it('says a cell in words', () => {
    const report = recorded(['mmap-store-then-fsync', 'truncate-around-60']);
    const cell = cellAt(report, report.cells, 'mmap-store-then-fsync', 'delalloc', 'mkwrite-convert');
    expect(cellWords(cell)).toEqual({ sign: '✗', word: 'durability', more: 2 });
    expect(cellSentence('s', 'm', 'd', cell)).toBe(
      's (m) under d breaks durability, model, alias: as recorded',
    );
    expect(cellWords(null)).toEqual({ sign: '·', word: 'not run', more: 0 });
    const pending = cellAt(report, report.cells, 'mmap-store-then-fsync', 'delalloc', 'folio-lock-convert');
    expect(brokenWords(pending!)).toEqual(['strict*']);
  });

  it('is filtered by words, verdict and invariant, in the designs that are shown', () => {
    const report = recorded();
    const rows = matrixRows(report, report.cells, loadScenarios([]));
    const all = DESIGNS.map((_, at) => at);
    const none = { text: '', verdict: 'any', invariant: null } as const;
    expect(filterRows(rows, none, all)).toHaveLength(rows.length);
    const stores = filterRows(rows, { ...none, text: 'MMAP-store 7b4cc' }, all);
    expect(new Set(stores.map(({ scenario }) => scenario.name))).toEqual(new Set(['mmap-store-then-fsync']));
    const bugs = filterRows(rows, { ...none, invariant: 'bug-on' }, all);
    expect(bugs.length).toBeGreaterThan(3);
    const pinning = [DESIGNS.findIndex(({ id }) => id === 'decision-pinning')];
    expect(filterRows(rows, { ...none, invariant: 'bug-on' }, pinning)).toEqual([]);
    for (const row of filterRows(rows, { ...none, verdict: 'differs' }, [0, 1]))
      expect(row.cells[0]!.verdict).not.toBe(row.cells[1]!.verdict);
  });

  it('opens a cell that holds on the schedule that breaks the kernel', () => {
    const report = recorded(['mmap-store-then-fsync']);
    const row = DESIGNS.map(({ id }) => ({
      design: id,
      cell: cellAt(report, report.cells, 'mmap-store-then-fsync', 'delalloc', id),
    }));
    const nothing = { broken: null, schedule: null };
    const opened = chooseSchedule('decision-pinning', nothing, row);
    expect(opened).toMatchObject({ of: 'mkwrite-convert', broken: 'model' });
    expect(opened.schedule).toMatch(/^A\d+B\d+$/);
    expect(besideOf('decision-pinning', opened.of, row)).toEqual(['mkwrite-convert']);
    expect(chooseSchedule('mkwrite-convert', { broken: 'alias', schedule: null }, row)).toEqual({
      of: 'mkwrite-convert',
      broken: 'alias',
      schedule: null,
    });
    expect(chooseSchedule('defer', { broken: null, schedule: 'A3' }, row)).toMatchObject({
      of: 'defer',
      schedule: 'A3',
    });
  });
});

describe('the file', () => {
  it('is one, whatever is inside', () => {
    const evil = '</script><script>alert(1)</script><!--';
    const html = pageHtml(evil, { evil }, { script: `const a = "${evil}";`, style: '/* </style> */' });
    expect(html.match(/<\/script>/g)).toHaveLength(2);
    expect(html.match(/<\/style>/g)).toHaveLength(1);
    expect(JSON.parse(inlineJson({ evil }))).toEqual({ evil });
    expect(new Function(`return ${inlineScript(JSON.stringify(evil))}`)()).toBe(evil);
  });

  it('is refused before the search where it cannot be written, and nothing is left behind', async () => {
    const file = join(folder, 'plain');
    writeFileSync(file, '');
    for (const [path, why] of [
      [join(folder, 'nowhere', 'r.html'), 'no folder'],
      [join(file, 'r.html'), 'is not a directory'],
      [folder, 'is a directory'],
      [join(folder, 'r.json'), 'HTML'],
    ] as const) {
      const { code, out, err } = await ext4lab('race', 'two-appends', '--html', path);
      expect([path, code]).toEqual([path, 2]);
      expect(err).toContain(path);
      expect(err).toContain(why);
      expect(out).toBe('');
    }
    expect(readdirSync(folder)).toEqual(['plain']);
  });

  it('of a token is refused where the token is wrong', async () => {
    const file = join(folder, 'token.html');
    for (const [token, why] of [
      ['mmap-store-then-fsync:nope@delalloc:A48', 'unknown design nope'],
      ['mmap-store-then-fsync:defer@nope:A48', 'no mount nope'],
      ['mmap-store-then-fsync:defer@delalloc:Z4', 'no lane Z'],
      ['mmap-store-then-fsync:defer@delalloc:A9999', 'cannot run then'],
      ['mmap-store-then-fsync:mkwrite-convert@delalloc:A83!77', 'not 77'],
      ['nope:defer@delalloc:A4', 'no bundled scenario'],
      ['mmap-store-then-fsync@delalloc', 'not a token'],
    ] as const) {
      const { code, err } = await ext4lab('report', token, '--html', file);
      expect([token, code]).toEqual([token, 2]);
      expect(err).toContain(why);
    }
    expect(existsSync(file)).toBe(false);
  });

  it('is written by race, with what was found', async () => {
    const file = join(folder, 'race.html');
    const { code, err } = await ext4lab('race', 'mmap-store-then-fsync', '--stories', 'none', '--html', file);
    expect(code).toBe(0);
    expect(err).toMatch(/race\.html: \d+ KiB, opens in any browser, offline/);
    const json = /<script type="application\/json" id="report">(.*?)<\/script>/s.exec(
      readFileSync(file, 'utf8'),
    )![1]!;
    const report = JSON.parse(json) as Report;
    expect(report).toMatchObject({ from: 'race', designs: ['no-conversion', 'mkwrite-convert', 'defer'] });
    const cell = cellAt(report, report.cells, 'mmap-store-then-fsync', 'delalloc', 'mkwrite-convert')!;
    expect(cell.violations.map(({ invariant }) => invariant)).toEqual(['model', 'durability', 'alias']);
    expect(cell.violations.every(({ schedule }) => schedule !== null)).toBe(true);
    expect(cell.asExpected).toBe(true);
    expect(
      cellAt(report, report.crash, 'mmap-store-then-fsync', 'delalloc', 'mkwrite-convert')!.verdict,
    ).toBe('violates');
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

describe('the gallery', () => {
  it('is what docs/findings.md says (npx tsx scripts/page/gallery.ts)', () => {
    const made = /export const FINDINGS: readonly Finding\[\] = (.*);\n$/s.exec(galleryText())![1]!;
    expect(FINDINGS).toEqual(JSON.parse(made));
  });

  it('names cells that there are', () => {
    const report = recorded();
    for (const { links } of FINDINGS) {
      for (const { scenario, design, mount, broken, power } of links) {
        const cell = cellAt(report, power ? report.crash : report.cells, scenario, mount, design);
        expect([scenario, mount, design, cell !== null]).toEqual([scenario, mount, design, true]);
        if (broken !== null) expect(cell!.violations.map(({ invariant }) => invariant)).toContain(broken);
      }
    }
    expect(loadScenarios([]).every(({ mounts }) => mounts.every((mount) => mountLabel(mount) !== ''))).toBe(
      true,
    );
  });
});
