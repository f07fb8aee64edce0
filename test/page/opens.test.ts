/** The page opens from file://, asks nobody for anything, and complains of nothing, whatever text is in it. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pageBundle } from '../../src/cli/pageFile.ts';
import { pageHtml } from '../../src/viewer/html.ts';
import { inChromium, launch, openHtml } from './support/browser.ts';
import { recordedReport } from './support/reports.ts';

const EVIL = '</script><script>document.title = "owned"</script><!--<img src=x onerror=alert(1)>';

inChromium('the page', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());

  it('opens, and takes no text for HTML', async () => {
    const report = recordedReport(['two-appends'], ['mkwrite-convert', 'defer']);
    const [only] = report.scenarios;
    const scenarios = [{ ...only!, json: { ...only!.json, question: `${EVIL}?`, source: [EVIL] } }];
    const html = pageHtml('a <title>', { ...report, scenarios, reach: [EVIL] }, await pageBundle());
    const { page, errors, requests, close } = await openHtml(browser, html);
    expect(await page.title()).toBe('ext4lab');
    expect(await page.locator('.question').textContent()).toBe(`${EVIL}?`);
    expect(await page.locator('.intro').textContent()).toContain(EVIL);
    await page.locator('td a').first().press('Enter');
    await page.locator('.cmp').waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(errors).toEqual([]);
    expect(requests.filter((url) => !/^(file|blob):/.test(url))).toEqual([]);
    await close();
  });
});
