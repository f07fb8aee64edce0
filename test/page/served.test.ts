/** `ext4lab playground`: one page on localhost, where a search that is stopped tells what it has. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inChromium, launch, openUrl } from './support/browser.ts';

inChromium('the served page', () => {
  let browser: Browser;
  let server: ChildProcess;
  let url: string;
  beforeAll(async () => {
    browser = await launch();
    server = spawn(
      process.execPath,
      ['--import', 'tsx', 'src/cli/main.ts', 'playground', 'small-write-beside-store', '--port', '0'],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let said = '';
    url = await new Promise((resolve, reject) => {
      server.stdout!.on('data', (chunk: Buffer) => {
        said += chunk;
        const found = /http:\/\/localhost:\d+\//.exec(said);
        if (found !== null) resolve(found[0]);
      });
      server.on('exit', (code) => reject(new Error(`ended with ${code}: ${said}`)));
    });
  });
  afterAll(async () => {
    await browser.close();
    const ended = new Promise((resolve) => server.on('exit', resolve));
    server.kill('SIGINT');
    expect(await ended).toBe(130);
  });

  it('is one page and nothing else', async () => {
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect((await fetch(`${url}etc/passwd`)).status).toBe(404);
    expect((await fetch(url, { method: 'POST' })).status).toBe(405);
  });

  it('keeps what a stopped search has found', async () => {
    const { page, errors, close } = await openUrl(
      browser,
      `${url}#/edit?scenario=small-write-beside-store&designs=mkwrite-convert&mount=delalloc`,
    );
    await page.locator('.cm-content').waitFor();
    const text = (await page.locator('.cm-line').allTextContents()).join('\n');
    const long = JSON.parse(text) as { tasks: Record<string, string[]> };
    long.tasks.CPU2 = ['open /f', 'pwrite -S 0x44 1 1', 'pwrite -S 0x45 2 1', 'fsync'];
    long.tasks.CPU3 = ['open /f', 'pwrite -S 0x46 3 1', 'pwrite -S 0x47 4 1', 'fsync'];
    await page.locator('.cm-content').fill(JSON.stringify(long));
    await page.getByText('✓ a scenario').waitFor();
    await page.locator('#explore').click();
    await expect.poll(() => page.locator('#progress').textContent()).toMatch(/ [1-9]\d{3,} states/);
    await page.locator('#stop').click();
    await page.locator('#explore').waitFor({ timeout: 30_000 });
    expect(await page.locator('#progress').textContent()).toContain('1 cut short');
    expect(errors).toEqual([]);
    await close();
  });
});
