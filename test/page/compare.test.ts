/** The compare view in chromium, by keyboard: stepping, breaks, folding, bytes, copying, paper, and what axe says. */
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ext4lab } from '../support/command.ts';
import { inChromium, launch } from './support/browser.ts';
import { bundledScenario, type CompareRequest, type InPage, openCompare } from './support/compareHarness.ts';

const BUG: CompareRequest = {
  scenario: bundledScenario('small-write-beside-store'),
  designs: ['mkwrite-convert', 'defer'],
  schedule: 'A29B23A10B2',
  of: 'mkwrite-convert',
};

const text = async (page: Page, selector: string): Promise<string> =>
  (await page.locator(selector).first().textContent()) ?? '';
const current = (page: Page) => page.locator('.cmp-current');
const press = async (page: Page, ...keys: string[]): Promise<void> => {
  for (const key of keys) await page.keyboard.press(key);
};
const rowNumber = async (page: Page): Promise<number> =>
  Number(await current(page).locator('.cmp-number').textContent());

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const found = (await page.evaluate(
    `axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations.flatMap((v) => v.nodes.slice(0, 3).map((n) => v.id + ': ' + n.target.join(' ') + ' ' + (n.any[0]?.message ?? n.all[0]?.message ?? n.none[0]?.message ?? ''))))`,
  )) as string[];
  return found;
}

inChromium('the compare view', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser.close());

  describe('by keyboard', () => {
    it('opens at the first break and steps both ways', async () => {
      const { page, errors, close } = await openCompare(browser, BUG);
      expect(await text(page, '.cmp-current .cmp-mark')).toContain('✗');
      await page.locator('.cmp-grid').focus();
      await press(page, 'Home');
      expect(await rowNumber(page)).toBe(0);
      // Letters mean the same wherever the page has the focus.
      await page.locator('.cmp-grid').blur();
      await press(page, 'j');
      await page.locator('.cmp-grid').focus();
      await press(page, 'ArrowDown', 'ArrowDown');
      const third = await rowNumber(page);
      expect(third).toBeGreaterThan(2);
      await press(page, 'k', 'ArrowUp', 'ArrowUp', 'ArrowUp');
      expect(await rowNumber(page)).toBe(0);
      await press(page, 'End');
      const last = (await page.evaluate('view.rows - 1')) as number;
      expect(await rowNumber(page)).toBe(last);
      expect(await page.locator('.cmp-grid').getAttribute('aria-activedescendant')).toBe(
        await current(page).getAttribute('id'),
      );
      const seen = (await page.evaluate('rowsSeen')) as number[];
      expect(seen.at(-1)).toBe(last);
      expect(errors).toEqual([]);
      await close();
    });

    it('goes from break to break, and each shows its mark', async () => {
      const { page, errors, close } = await openCompare(browser, BUG);
      await page.locator('.cmp-grid').focus();
      await press(page, 'Home');
      const marks: string[] = [];
      for (;;) {
        const before = await rowNumber(page);
        await press(page, 'n');
        if ((await rowNumber(page)) === before) break;
        await expect.poll(() => current(page).locator('.cmp-mark').count()).toBeGreaterThan(0);
        expect(await current(page).locator('.cmp-mark').first().isVisible()).toBe(true);
        marks.push(...(await current(page).locator('.cmp-mark b').allInnerTexts()));
      }
      expect(marks.sort()).toEqual([
        '✗ BUG write-end-not-inline',
        '✗ broken: bug-on',
        '✗ broken: settled',
        '✗ broken: strict',
      ]);
      const end = await rowNumber(page);
      await press(page, 'p');
      expect(await rowNumber(page)).toBeLessThan(end);
      expect(errors).toEqual([]);
      await close();
    });

    it('folds, unfolds, goes to a row that is folded, and says where it is', async () => {
      const { page, errors, close } = await openCompare(browser, BUG);
      await page.locator('.cmp-grid').focus();
      const folded = Number(await page.locator('.cmp-grid').getAttribute('aria-rowcount'));
      await press(page, 'f');
      expect(Number(await page.locator('.cmp-grid').getAttribute('aria-rowcount'))).toBe(
        ((await page.evaluate('view.rows')) as number) + 2,
      );
      await press(page, 'f');
      expect(Number(await page.locator('.cmp-grid').getAttribute('aria-rowcount'))).toBe(folded);
      await press(page, 'Home');
      expect(await current(page).textContent()).toContain('quiet steps');
      await press(page, 'Enter');
      expect(await current(page).textContent()).toContain('link_path_walk');
      await press(page, 'f', 'f', 'g');
      await page.keyboard.type('7');
      await press(page, 'Enter');
      expect(await rowNumber(page)).toBe(7);
      expect(await page.locator('[role="status"]').first().textContent()).toMatch(
        /^row 7\. mkwrite-convert: CPU0 mmap_lock/,
      );
      await press(page, 'j');
      expect(await rowNumber(page)).toBe(8);
      expect(errors).toEqual([]);
      await close();
    });

    it('walks the bytes, and jumps to who wrote one', async () => {
      const { page, errors, close } = await openCompare(browser, BUG);
      await page.locator('.cmp-grid').focus();
      const at = await rowNumber(page);
      await press(page, 'b', 'ArrowDown', 'Home', 'ArrowUp', 'ArrowRight');
      expect(await rowNumber(page)).toBe(at);
      const chosen = page.locator('.cmp-bytes').first().locator('[aria-selected="true"]');
      expect(await chosen.getAttribute('data-at')).toBe(`${0x21}`);
      expect(await text(page, '.cmp-byte-info')).toMatch(/0x21 flags = 0x00080000 \(extents\)/);
      await page.keyboard.press('Tab');
      const writer = page.locator('.cmp-history button').first();
      await page.locator('.cmp-bytes').first().locator('[data-at="40"]').click();
      const row = Number((await writer.textContent())!.replace('row ', ''));
      await writer.click();
      expect(await rowNumber(page)).toBe(row);
      expect(
        await page.locator('.cmp-bytes').first().locator('[data-at="40"]').getAttribute('class'),
      ).toContain('cmp-changed');
      expect(errors).toEqual([]);
      await close();
    });

    it('chooses which locks have a bar', async () => {
      const { page, errors, close } = await openCompare(browser, BUG);
      await page.locator('.cmp-grid').focus();
      const names = () => page.locator('.cmp-lock-name').allInnerTexts();
      expect(await names()).not.toContain('sb_pagefaults');
      await press(page, 'l');
      await page.locator('.cmp-menu label', { hasText: 'sb_pagefaults' }).locator('input').press('Space');
      expect(await names()).toContain('sb_pagefaults');
      await press(page, 'Escape');
      expect(await page.locator('.cmp-menu').getAttribute('open')).toBeNull();
      // Escape leads back to the grid once; there it is for who has the view.
      await page.evaluate(
        `addEventListener('keydown', (event) => { window.prevented = event.defaultPrevented })`,
      );
      await press(page, 'b', 'Escape');
      expect(await page.evaluate('prevented')).toBe(true);
      expect(
        await page.locator('.cmp-grid').evaluate((grid) => grid === grid.ownerDocument.activeElement),
      ).toBe(true);
      await press(page, 'Escape');
      expect(await page.evaluate('prevented')).toBe(false);
      expect(errors).toEqual([]);
      await close();
    });

    it('reaches everything with Tab, and has help', async () => {
      const { page, close } = await openCompare(browser, BUG);
      const reached = new Set<string>();
      for (let i = 0; i < 70; i++) {
        await page.keyboard.press('Tab');
        const name = (await page.evaluate(
          `document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.slice(0, 30)`,
        )) as string;
        reached.add(name);
      }
      for (const name of [
        'Step ▶',
        'row number',
        'Copy as mail text',
        'file',
        'first byte',
        'Next break ✗ ▶',
      ])
        expect([...reached]).toContain(name);
      await page.locator('.cmp-grid').focus();
      await press(page, '?');
      expect(await page.locator('dialog[open]').textContent()).toContain(
        'next row in which something breaks',
      );
      await press(page, 'Escape');
      expect(await page.locator('dialog[open]').count()).toBe(0);
      await close();
    });
  });

  describe('text for a mail', () => {
    it('is on the clipboard as the command prints it', async () => {
      const { page, errors, close } = await openCompare(browser, BUG);
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await page.locator('.cmp-grid').focus();
      await press(page, 'c');
      const told = await ext4lab(
        'explore',
        'small-write-beside-store',
        '--design',
        'mkwrite-convert',
        '--mount',
        'delalloc',
      );
      const copied = () => page.evaluate('navigator.clipboard.readText()') as Promise<string>;
      await expect.poll(copied).toContain('breaks bug-on');
      expect(told.out).toContain(`${await copied()}\n\n`);
      await press(page, 'm');
      const choice = page.locator('dialog[open] select');
      expect(await choice.inputValue()).toBe('mkwrite-convert: story of bug-on');
      await choice.selectOption('defer: whole run, as replay prints it');
      await page.locator('dialog[open] button', { hasText: 'Copy' }).click();
      await expect.poll(copied).toContain('defer (delalloc), schedule');
      const schedule = /schedule (\S+)/.exec(await copied())![1]!;
      const replayed = await ext4lab('replay', `small-write-beside-store:defer@delalloc:${schedule}`);
      expect(await copied()).toBe(replayed.out.trimEnd());
      expect(errors).toEqual([]);
      await close();
    });
  });

  it('shows a power failure, and what it loses', async () => {
    const { page, errors, close } = await openCompare(browser, {
      scenario: bundledScenario('crash-pending-beside-fsync'),
      designs: ['mkwrite-convert', 'defer'],
      schedule: 'A55B46',
      of: 'mkwrite-convert',
      crash: { medium: 0 },
    });
    expect(await text(page, '.cmp-current .cmp-mark')).toContain('power fails: promise');
    expect(await text(page, '.cmp-outcomes')).toContain('power fails at its end');
    expect(await text(page, '.cmp-details')).toMatch(
      /promise: \/f \(ino 12\): byte 0 is 0x00, promised 0x41/,
    );
    expect(errors).toEqual([]);
    await close();
  });

  it('shows inodes of 128 and of 4096 bytes', async () => {
    for (const inodeSize of [128, 4096]) {
      const scenario = JSON.parse(BUG.scenario) as { image: object };
      scenario.image = { mkfs: { blocks: 2048, inodeSize, features: ['has_journal'] } };
      const { page, errors, close } = await openCompare(browser, {
        ...BUG,
        scenario: JSON.stringify(scenario),
        schedule: null,
      });
      expect(await page.locator('.cmp-bytes').first().locator('td[data-at]').count()).toBe(inodeSize);
      await page.locator('.cmp-grid').focus();
      await press(page, 'End', 'k', 'k', 'Home');
      expect(errors).toEqual([]);
      await close();
    }
  });

  it('keeps few rows as elements, and all of them on paper', async () => {
    const { page, errors, close } = await openCompare(browser, BUG);
    await page.locator('.cmp-grid').focus();
    await press(page, 'f', 'Home');
    const rows = (await page.evaluate('view.rows')) as number;
    expect(await page.locator('.cmp-body [role="row"]').count()).toBeLessThan(rows / 2);
    await press(page, 'End');
    expect(await current(page).isVisible()).toBe(true);
    expect(await page.locator('.cmp-body [role="row"]').count()).toBeLessThan(rows / 2);
    await page.evaluate(`window.dispatchEvent(new Event('beforeprint'))`);
    expect(await page.locator('.cmp-body [role="row"]').count()).toBe(rows);
    await page.evaluate(`window.dispatchEvent(new Event('afterprint'))`);
    expect(await page.locator('.cmp-body [role="row"]').count()).toBeLessThan(rows / 2);
    expect(errors).toEqual([]);
    await close();
  });

  it.each([
    ['light', false, 1280],
    ['dark', true, 1280],
    ['narrow', false, 800],
  ])('axe finds nothing (%s)', async (_, dark, width) => {
    const { page, errors, close } = await openCompare(browser, BUG, { dark, width });
    expect(await violations(page)).toEqual([]);
    await page.locator('.cmp-grid').focus();
    await press(page, '?');
    expect(await violations(page)).toEqual([]);
    await press(page, 'Escape', 'm');
    expect(await violations(page)).toEqual([]);
    await press(page, 'Escape', 'l');
    expect(await violations(page)).toEqual([]);
    expect(errors).toEqual([]);
    await close();
  });

  it('goes where it is told, and goes away', async () => {
    const { page, errors, close } = await openCompare(browser, { ...BUG, row: 12 });
    expect(await rowNumber(page)).toBe(12);
    await page.evaluate('view.goTo(1e9)');
    expect(await rowNumber(page)).toBe(((await page.evaluate('view.rows')) as InPage['view']['rows']) - 1);
    await page.evaluate('view.destroy()');
    expect(await page.locator('.cmp').count()).toBe(0);
    expect(errors).toEqual([]);
    await close();
  });
});
