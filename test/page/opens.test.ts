/** The page opens from file://, asks nobody for anything, and complains of nothing. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pageBundle } from '../../src/cli/pageFile.ts';
import { pageHtml } from '../../src/viewer/html.ts';
import { inChromium, launch, openHtml } from './support/browser.ts';

inChromium('the page', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());

  it('opens', async () => {
    const html = pageHtml('a <title>', { text: '</script><!--' }, await pageBundle());
    const { page, errors, requests, close } = await openHtml(browser, html);
    expect(await page.title()).toBe('a <title>');
    expect(errors).toEqual([]);
    expect(requests.filter((url) => !url.startsWith('file:'))).toEqual([]);
    await close();
  });
});
