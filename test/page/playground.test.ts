/** The machine in the browser: the same verdicts, schedules and end states as here; errors where they are; links. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { imageOf } from '../../src/cli/images.ts';
import { loadScenarios } from '../../src/cli/scenarioFiles.ts';
import { type Cell, raceCell } from '../../src/compare/race.ts';
import { designById } from '../../src/designs/index.ts';
import { mountLabel, readScenario } from '../../src/scenario/schema.ts';
import { problemsOf } from '../../src/viewer/problems.ts';
import { inChromium, launch, type Opened, type OpenOptions, openHtml } from './support/browser.ts';
import { recordedPage } from './support/reports.ts';

const DESIGNS = ['no-conversion', 'mkwrite-convert', 'decision-pinning'];

inChromium('the playground', () => {
  let browser: Browser;
  let html: string;
  const opened: Opened[] = [];
  beforeAll(async () => {
    browser = await launch();
    html = await recordedPage(['mmap-store-then-fsync'], DESIGNS);
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    for (const { errors, requests, close } of opened.splice(0)) {
      expect(errors).toEqual([]);
      expect(requests.filter((url) => !/^(file|blob|data):/.test(url))).toEqual([]);
      await close();
    }
  });
  const open = async (options: OpenOptions): Promise<Page> => {
    const each = await openHtml(browser, html, options);
    opened.push(each);
    await each.page.locator('.cm-content').waitFor();
    return each.page;
  };
  const explored = async (page: Page): Promise<Cell[]> => {
    await page.locator('#explore').click();
    await page.getByText('Download verdicts').waitFor({ timeout: 60_000 });
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByText('Download verdicts').click(),
    ]);
    const chunks: Buffer[] = [];
    for await (const chunk of await file.createReadStream()) chunks.push(chunk as Buffer);
    return (JSON.parse(Buffer.concat(chunks).toString()) as { cells: Cell[] }).cells;
  };
  /** Replaces what is in the editor, as a paste does. */
  const write = async (page: Page, text: string): Promise<void> => {
    await page.locator('.cm-content').fill(text);
  };

  it('finds what Node finds: verdicts, schedules, end states', async () => {
    for (const name of ['mmap-store-then-fsync', 'store-beside-rewrite']) {
      const [scenario] = loadScenarios([name]);
      const page = await open({ hash: `#/edit?scenario=${name}&designs=${DESIGNS.join(',')}` });
      const cells = await explored(page);
      expect(cells).toHaveLength(scenario!.mounts.length * DESIGNS.length);
      for (const cell of cells) {
        const mount = scenario!.mounts.find((each) => mountLabel(each) === cell.mount)!;
        const here = raceCell(scenario!, imageOf(scenario!), designById(cell.design)!, mount).cell;
        expect(cell).toEqual(JSON.parse(JSON.stringify(here)));
      }
      expect(cells.some(({ endStates }) => endStates.length > 0)).toBe(true);
    }
  });

  it('finds the failure that 7b4cc9787fe3 was for, in a scenario that is written there', async () => {
    const page = await open({ hash: `#/edit?designs=${DESIGNS.join(',')}` });
    const text = `{
  "name": "mine", "question": "Does writeback meet a dirty inline folio?",
  "image": { "mkfs": { "features": ["has_journal"] } },
  "setup": ["open -f /f", "pwrite -S 0x41 0 50", "fsync"],
  "tasks": { "CPU0": ["open /f", "mmap -rw 0 4k", "mwrite -S 0x42 0 4", "msync -s"] }
}`;
    await write(page, text);
    await page.getByText('✓ a scenario').waitFor();
    const cells = await explored(page);
    const scenario = readScenario(text, 'mine');
    for (const cell of cells) {
      const here = raceCell(scenario, imageOf(scenario), designById(cell.design)!, scenario.mounts[0]!).cell;
      expect(cell).toEqual(JSON.parse(JSON.stringify(here)));
    }
    expect(cells.find(({ design }) => design === 'no-conversion')!.violates).toContain('bug-on');
    await page.locator('[data-slot="no-conversion delalloc"]').click();
    await page.locator('.cmp').waitFor();
    expect(await page.locator('.message').textContent()).toMatch(/BUG_ON/);
    expect(await page.locator('.command').textContent()).toMatch(
      /^npm run ext4lab -- replay 'mine\.json:no-conversion@delalloc:A\d+'$/,
    );
    // The link carries the scenario, and what is shown of it.
    await expect.poll(() => page.url()).toContain('row=');
    const hash = page.url().replace(/^[^#]*/, '');
    expect(hash).toContain('z=');
    expect(page.url().length).toBeLessThan(2000);
    const again = await openHtml(browser, html, { hash });
    opened.push(again);
    await again.page.locator('.cmp').waitFor();
    expect(await again.page.locator('h1').first().textContent()).toBe('mine');
    expect(await again.page.locator('.message').textContent()).toBe(
      await page.locator('.message').textContent(),
    );
    // Escape goes back to the editor, which still has it all.
    await page.keyboard.press('Escape');
    await page.locator('[data-slot="no-conversion delalloc"]').waitFor();
    expect(await page.locator('.cm-content').textContent()).toContain(
      'Does writeback meet a dirty inline folio?',
    );
  });

  it('says where a scenario is wrong, as the command does', async () => {
    const page = await open({ hash: '#/edit?scenario=mmap-store-then-fsync' });
    const text = `{
  "name": "mine", "question": "Is it read?", "image": { "mkfs": { "blocksize": 1024 } },
  "tasks": { "CPU0": ["open -f /f"] }
}`;
    await write(page, text);
    const first = page.locator('.problems li').first();
    await expect.poll(() => first.textContent()).toContain('blocksize');
    const [problem] = problemsOf(text);
    expect(await first.textContent()).toBe(
      `line ${problem!.line}, column ${problem!.column} ${problem!.message}`,
    );
    expect(await page.locator('#explore').isDisabled()).toBe(true);
    expect(await page.locator('.cm-lintRange-error').textContent()).toBe('"blocksize"');
    await write(page, text.replace('blocksize', 'blockSize').replace('open -f', 'open -Q'));
    await expect.poll(() => page.locator('.cm-lintRange-error').textContent()).toBe('-Q');
    await write(page, text.replace('blocksize', 'blockSize'));
    await page.getByText('✓ a scenario').waitFor();
  });

  it('completes verbs and takes typing back', async () => {
    const page = await open({ hash: '#/edit' });
    await write(page, '');
    await page.locator('.cm-content').focus();
    await page.keyboard.type('{"setup": ["@writep');
    await page.locator('.cm-tooltip-autocomplete').getByText('@writepages').waitFor();
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('.cm-content').textContent()).toContain('"@writepages"');
    await page.keyboard.press('Control+z');
    await page.keyboard.press('Control+z');
    await expect.poll(() => page.locator('.cm-content').textContent()).not.toContain('@writepages');
  });

  it('says when a link would be too long', async () => {
    const page = await open({ hash: '#/edit' });
    // A congruential generator: bytes that do not get shorter.
    let x = 1;
    const noise = Array.from({ length: 4000 }, () => {
      x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
      return (x >>> 24).toString(16).padStart(2, '0');
    });
    const lines = Array.from(
      { length: 8 },
      (_, i) => `pwrite -x ${noise.slice(i * 500, i * 500 + 500).join('')} 0`,
    );
    const text = JSON.stringify({
      name: 'long',
      question: 'Is it long?',
      image: { mkfs: {} },
      tasks: { CPU0: ['open -f /f', ...lines] },
    });
    await write(page, text);
    await page.getByText('✓ a scenario').waitFor();
    await page.getByText('Copy link').click();
    await expect
      .poll(() => page.locator('#status').textContent())
      .toMatch(/would have \d+ characters, more than the 2000/);
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByText('Download as file').click(),
    ]);
    expect(file.suggestedFilename()).toBe('long.json');
  });

  it('stops, and says what it does not know', async () => {
    const page = await open({
      hash: '#/edit?scenario=small-write-beside-store&designs=mkwrite-convert&mount=delalloc',
    });
    const text = (await page.locator('.cm-line').allTextContents()).join('\n');
    const long = JSON.parse(text) as { tasks: Record<string, string[]> };
    long.tasks.CPU2 = ['open /f', 'pwrite -S 0x44 1 1', 'pwrite -S 0x45 2 1', 'fsync'];
    long.tasks.CPU3 = ['open /f', 'pwrite -S 0x46 3 1', 'pwrite -S 0x47 4 1', 'fsync'];
    await write(page, JSON.stringify(long));
    await page.getByText('✓ a scenario').waitFor();
    await page.locator('#explore').click();
    await expect
      .poll(() => page.locator('#progress').textContent())
      .toMatch(/ [1-9]\d* states, \d+ a second/);
    await page.locator('#stop').click();
    await page.locator('#explore').waitFor();
    expect(await page.locator('#progress').textContent()).toContain(
      '1 stopped before they could say anything',
    );
    expect(await page.locator('[data-slot]').textContent()).toContain('stopped');
  });
});
