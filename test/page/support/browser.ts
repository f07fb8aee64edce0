/**
 * Debian's chromium, driven by playwright-core. Without one the tests are skipped with a reason; in CI that is a failure.
 * EXT4LAB_CHROMIUM names another executable.
 */
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { describe } from 'vitest';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

export function findChromium(): string | null {
  const named = process.env.EXT4LAB_CHROMIUM;
  if (named !== undefined) return named;
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find(isExecutable) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const executable = findChromium();
if (executable === null) {
  const reason = 'no chromium on PATH (EXT4LAB_CHROMIUM names another): the page is not looked at';
  if (process.env.CI === 'true') throw new Error(reason);
  process.stderr.write(`skipped: ${reason}\n`);
}

/** `describe`, where there is a browser. */
export const inChromium = describe.skipIf(executable === null);

export async function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: executable!,
    headless: true,
    chromiumSandbox: false,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
}

/** A page, and what went wrong in it. */
export interface Opened {
  readonly page: Page;
  /** Console errors and warnings, uncaught exceptions. Read it before the end: it must be empty. */
  readonly errors: string[];
  /** Everything that was asked for over a network, file or blob. */
  readonly requests: string[];
  close(): Promise<void>;
}

export interface OpenOptions {
  /** `#/…` */
  readonly hash?: string;
  readonly dark?: boolean;
  readonly width?: number;
  readonly height?: number;
}

/** Opens HTML as a file. */
export async function openHtml(browser: Browser, html: string, options: OpenOptions = {}): Promise<Opened> {
  const folder = mkdtempSync(join(tmpdir(), 'ext4lab-page-'));
  const file = join(folder, 'report.html');
  writeFileSync(file, html);
  const opened = await openUrl(browser, `${pathToFileURL(file).href}${options.hash ?? ''}`, options);
  return {
    ...opened,
    async close() {
      await opened.close();
      rmSync(folder, { recursive: true });
    },
  };
}

export async function openUrl(browser: Browser, url: string, options: OpenOptions = {}): Promise<Opened> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1280, height: options.height ?? 800 },
    colorScheme: options.dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const errors: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') errors.push(message.text());
  });
  page.on('pageerror', (error) => errors.push(String(error.stack ?? error)));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(url);
  return { page, errors, requests, close: () => context.close() };
}
