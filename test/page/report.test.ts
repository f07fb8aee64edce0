/** The report in a browser: every cell opens, keys alone are enough, an address comes back, nothing is fetched. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { reportPage } from '../../src/cli/report.ts';
import { ext4lab } from '../support/command.ts';
import { axe } from './support/axe.ts';
import { inChromium, launch, type Opened, type OpenOptions, openHtml } from './support/browser.ts';
import { asIfRaced, recordedPage, recordedReport } from './support/reports.ts';

const SCENARIOS = ['mmap-store-then-fsync', 'small-write-beside-store'];
const DESIGNS = ['no-conversion', 'mkwrite-convert', 'defer', 'decision-pinning'];

inChromium('the report', () => {
  let browser: Browser;
  let small: string;
  const opened: Opened[] = [];
  beforeAll(async () => {
    browser = await launch();
    small = await recordedPage(SCENARIOS, DESIGNS);
  });
  afterAll(() => browser.close());
  /** Whatever a test does, nobody complains and nothing is asked for. */
  afterEach(async () => {
    for (const { errors, requests, close } of opened.splice(0)) {
      expect(errors).toEqual([]);
      expect(requests.filter((url) => !/^(file|blob|data):/.test(url))).toEqual([]);
      await close();
    }
  });
  const open = async (options: OpenOptions = {}, html = small): Promise<Opened['page']> => {
    const each = await openHtml(browser, html, options);
    opened.push(each);
    return each.page;
  };

  it('opens every cell', async () => {
    const page = await open();
    for (const power of [false, true]) {
      await page.goto(`${page.url().split('#')[0]}#/matrix${power ? '?power=1' : ''}`);
      await page.locator('td a').first().waitFor();
      const links = await page
        .locator('td a[href]')
        .evaluateAll((all) => all.map((a) => a.getAttribute('href')!));
      expect(links.length).toBe(24);
      for (const link of links) {
        await page.goto(page.url().replace(/#.*/, link));
        await page.locator('.cmp').waitFor();
        expect(await page.locator('h1').textContent()).toMatch(
          /mmap-store-then-fsync|small-write-beside-store/,
        );
        expect(await page.locator('[role=alert]').count()).toBe(0);
      }
    }
  });

  it('is walked with keys alone', async () => {
    const page = await open();
    await page.keyboard.press('/');
    await page.keyboard.type('small-write');
    await expect.poll(() => page.locator('tbody tr').count()).toBe(3);
    for (let tabs = 0; tabs < 12 && (await page.locator('td a:focus').count()) === 0; tabs++)
      await page.keyboard.press('Tab');
    await page.keyboard.press('Control+Home');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    expect(await page.locator(':focus').getAttribute('data-key')).toBe(
      'small-write-beside-store nodelalloc mkwrite-convert',
    );
    expect(await page.locator('#detail').textContent()).toContain('under mkwrite-convert breaks');
    await page.keyboard.press('Enter');
    await page.locator('.cmp').waitFor();
    await expect.poll(() => page.url()).toContain('mount=nodelalloc');
    const row = page.locator('.cmp input[aria-label="row number"]');
    const start = Number(await row.inputValue());
    await page.keyboard.press('ArrowUp');
    expect(Number(await row.inputValue())).toBeLessThan(start);
    const first = await page.locator('.violations [aria-current]').textContent();
    await page.keyboard.press(']');
    await expect.poll(() => page.locator('.violations [aria-current]').textContent()).not.toBe(first);
    await page.keyboard.press('Escape');
    await page.locator('td a:focus').waitFor();
    expect(await page.locator(':focus').getAttribute('data-key')).toBe(
      'small-write-beside-store nodelalloc mkwrite-convert',
    );
    expect(await page.locator('#filter').inputValue()).toBe('small-write');
  });

  it('comes back to the same place from its address, and with back and forward', async () => {
    const page = await open();
    await page.locator('[data-key="mmap-store-then-fsync delalloc mkwrite-convert"]').click();
    await page.locator('.cmp').waitFor();
    await expect.poll(() => page.url()).toContain('row=');
    const row = page.locator('.cmp input[aria-label="row number"]');
    await row.fill('10');
    await row.press('Enter');
    await expect.poll(() => page.url()).toContain('row=10');
    const hash = page.url().replace(/^[^#]*/, '');
    expect(page.url().length).toBeLessThan(2000);
    const again = await open({ hash });
    await again.locator('.cmp').waitFor();
    expect(await again.locator('.cmp input[aria-label="row number"]').inputValue()).toBe('10');
    expect(await again.locator('.command').textContent()).toBe(await page.locator('.command').textContent());
    await page.goBack();
    await page.locator('td a').first().waitFor();
    await page.goForward();
    await page.locator('.cmp').waitFor();
    expect(await page.locator('.cmp input[aria-label="row number"]').inputValue()).toBe('10');
  });

  it('searches for a schedule that nobody recorded', async () => {
    const page = await open({
      hash: '#/cell?scenario=small-write-beside-store&mount=delalloc&of=mkwrite-convert&broken=bug-on',
    });
    await page.locator('.cmp').waitFor();
    expect(await page.locator('.command').textContent()).toBe(
      "npm run ext4lab -- replay 'small-write-beside-store:mkwrite-convert@delalloc:A29B23A10B2'",
    );
    expect(await page.locator('.message').textContent()).toContain('BUG_ON(!ext4_has_inline_data(inode))');
  });

  it('says what is wrong with an address', async () => {
    for (const [hash, words] of [
      ['#/cell?scenario=nope&of=defer', 'no scenario nope'],
      ['#/cell?scenario=two-appends&mount=nope&of=defer', 'has no mount nope'],
      ['#/cell?scenario=two-appends&of=nope', 'no design nope'],
      ['#/cell?z=AAAA&of=defer', 'the link is cut or changed'],
      ['#/cell?scenario=two-appends&of=defer&schedule=Q7', 'no lane Q'],
      ['#/cell?scenario=two-appends&of=defer&schedule=A9999', 'cannot run'],
    ] as const) {
      const page = await open({ hash });
      await page.locator('[role=alert]').waitFor();
      expect(await page.locator('[role=alert]').textContent()).toContain(words);
    }
  });

  it('passes axe in every view, light and dark', async () => {
    for (const dark of [false, true]) {
      for (const hash of [
        '#/matrix',
        '#/matrix?words=0&verdict=differs',
        '#/cell?scenario=small-write-beside-store&mount=delalloc&of=mkwrite-convert&broken=no-deadlock',
        '#/designs',
        '#/findings',
        '#/edit',
      ]) {
        const page = await open({ hash, dark });
        await page.locator('h1').first().waitFor();
        if (hash.includes('cell')) await page.locator('.cmp').waitFor();
        if (hash.includes('edit')) await page.locator('.cm-content').waitFor();
        expect([hash, dark, await axe(page)]).toEqual([hash, dark, []]);
      }
    }
  });

  it('opens every finding and every claim', async () => {
    const page = await open({ hash: '#/findings' });
    const links = await page
      .locator('main a[href^="#/cell"]')
      .evaluateAll((all) => all.map((a) => a.getAttribute('href')!));
    expect(links.length).toBeGreaterThan(40);
    for (const link of new Set(links)) {
      await page.goto(page.url().replace(/#.*/, link));
      await page.locator('.cmp, [role=alert]').first().waitFor();
      expect([link, await page.locator('[role=alert]').allTextContents()]).toEqual([link, []]);
      const broken = /broken=([a-z-]+)/.exec(link)?.[1];
      if (broken !== undefined) expect(await page.locator('.message').textContent()).toContain(`${broken}: `);
    }
  });

  it('marks a verdict that is not the recorded one', async () => {
    const report = recordedReport(['two-appends'], ['mkwrite-convert', 'defer']);
    const [first, ...others] = report.cells['two-appends']!.delalloc!;
    const cells = {
      'two-appends': { ...report.cells['two-appends'], delalloc: [{ ...first!, e: 0 as const }, ...others] },
    };
    const page = await open({}, await reportPage({ ...report, from: 'race', cells }));
    expect(await page.locator('td .odd').count()).toBe(1);
    expect(await page.locator('.warning').textContent()).toContain(
      '1 cell is not as the scenario files record',
    );
    await page.locator('td a').first().focus();
    expect(await page.locator('#detail').textContent()).toContain('NOT AS RECORDED');
  });

  it('tells the stories of a design from a file, which it cannot run', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ext4lab-foreign-'));
    const design = join(folder, 'mine.ts');
    const out = join(folder, 'report.html');
    writeFileSync(
      design,
      `import { defineDesign, mkwriteConvert } from ${JSON.stringify(resolve('src/designs/index.ts'))};
export const mine = defineDesign(mkwriteConvert, {
  id: 'mine', summary: 'the kernel under another name', source: 'a test', promises: ['bug-on'], locks: [], unmodelled: [], hooks: {},
});`,
    );
    const ran = await ext4lab('race', 'mmap-store-then-fsync', '--designs', `defer,${design}`, '--html', out);
    expect(ran.err).toContain(out);
    const page = await open({}, readFileSync(out, 'utf8'));
    await page.locator('[data-key="mmap-store-then-fsync delalloc mine"]').click();
    await page.getByText('mine comes from a file: the page cannot run it').waitFor();
    expect(await page.locator('pre.story').allTextContents()).toEqual([
      expect.stringContaining('mine (delalloc) breaks model'),
      expect.stringContaining('mine (delalloc) breaks durability'),
      expect.stringContaining('mine (delalloc) breaks alias'),
    ]);
    await page.goto(`${page.url().split('#')[0]}#/designs?design=mine`);
    await page.getByText('the kernel under another name').waitFor();
    // The bundled design of the same report opens, with the kernel beside it.
    await page.goto(
      `${page.url().split('#')[0]}#/cell?scenario=mmap-store-then-fsync&mount=delalloc&of=defer`,
    );
    await page.locator('.cmp').waitFor();
    rmSync(folder, { recursive: true });
  });

  it('of all designs and scenarios is at most 4 MB and opens within a few seconds', async () => {
    const report = recordedReport([], 'all');
    const html = await reportPage(asIfRaced(report));
    process.stdout.write(`all designs × all scenarios: ${html.length} bytes\n`);
    expect(Buffer.byteLength(html)).toBeLessThan(4_000_000);
    const page = await open({}, html);
    await page.locator('td a').first().waitFor();
    expect(await page.locator('td').count()).toBe(
      Object.values(report.cells).flatMap((row) => Object.values(row).flat()).length,
    );
  });
});
