/**
 * The pictures of docs/pictures: the page's main views in chromium, from what the scenario files record.
 *
 *     npx tsx scripts/page/screenshots.ts
 */
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { makeReport, reportPage } from '../../src/cli/report.ts';
import { loadScenarios } from '../../src/cli/scenarioFiles.ts';
import { DESIGNS } from '../../src/designs/index.ts';
import { launch, openHtml } from '../../test/page/support/browser.ts';

const FOLDER = fileURLToPath(new URL('../../docs/pictures', import.meta.url));
/** Larger pictures are no help in a README. */
const MAX_BYTES = 300_000;

const BUG =
  '#/cell?scenario=small-write-beside-store&mount=delalloc&of=mkwrite-convert&broken=bug-on&with=decision-pinning';

interface Picture {
  readonly name: string;
  readonly hash: string;
  readonly dark?: boolean;
  readonly height?: number;
  readonly prepare: (page: Page) => Promise<unknown>;
}

const compared = (page: Page): Promise<void> => page.locator('.cmp').waitFor();

const PICTURES: readonly Picture[] = [
  {
    name: 'matrix',
    hash: '#/matrix?q=store',
    prepare: (page) => page.locator('[data-key="defer-store-in-large-file delalloc defer"]').focus(),
  },
  { name: 'compare', hash: BUG, height: 900, prepare: compared },
  {
    name: 'bytes',
    hash: BUG,
    prepare: async (page) => {
      await compared(page);
      await page.evaluate(`
        const heading = [...document.querySelectorAll('.cmp-section summary')].find((each) => /Bytes of/.test(each.textContent));
        scrollTo(0, heading.getBoundingClientRect().top + scrollY - 60);
      `);
    },
  },
  {
    name: 'dark',
    hash: '#/cell?scenario=mmap-store-then-fsync&mount=delalloc&of=mkwrite-convert&power=1',
    dark: true,
    prepare: compared,
  },
  {
    name: 'playground',
    hash: '#/edit?scenario=store-beside-rewrite&designs=no-conversion,mkwrite-convert,defer,decision-pinning,page-cache-convert',
    prepare: async (page) => {
      await page.locator('.cm-content').waitFor();
      await page.locator('#explore').click();
      await page.getByText('Download verdicts').waitFor();
      // How fast this machine is today belongs in no picture.
      await page.evaluate(`
        const progress = document.getElementById('progress');
        progress.textContent = progress.textContent.replace(/, [0-9]+ a second, [0-9.]+ s/, '');
        document.getElementById('status').replaceChildren();
      `);
      await page.locator('[data-slot]').nth(2).focus();
    },
  },
];

const report = makeReport({
  command: 'race --designs all',
  scenarios: loadScenarios([]),
  designs: DESIGNS,
  cells: null,
  reach: [],
  lockdep: [],
});
const html = await reportPage(report);
mkdirSync(FOLDER, { recursive: true });
const browser = await launch();
for (const { name, hash, dark = false, height = 800, prepare } of PICTURES) {
  const { page, errors, close } = await openHtml(browser, html, { hash, dark, height });
  await prepare(page);
  const file = `${FOLDER}/${name}.png`;
  await page.waitForTimeout(1000);
  await page.screenshot({ path: file });
  await close();
  const { size } = statSync(file);
  process.stdout.write(`${file}: ${size} bytes\n`);
  if (errors.length > 0) throw new Error(errors.join('\n'));
  if (size > MAX_BYTES) throw new Error(`${file} is larger than ${MAX_BYTES} bytes`);
}
await browser.close();
