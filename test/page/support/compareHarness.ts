/** The compare view alone in a page. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { bundle } from '../../../scripts/page/bundle.ts';
import type { MountOption } from '../../../src/scenario/image.ts';
import { pageHtml } from '../../../src/viewer/html.ts';
import { type Opened, type OpenOptions, openHtml } from './browser.ts';

export interface CompareRequest {
  /** Text of a scenario file. */
  readonly scenario: string;
  readonly designs: readonly string[];
  readonly schedule: string | null;
  readonly of: string;
  readonly crash?: { readonly medium: number };
  readonly row?: number;
  readonly mount?: readonly MountOption[];
}

/** What `inPage/compare.ts` puts into the page. */
export interface InPage {
  openCompare(request: CompareRequest): { rows: number; compareMs: number; mountMs: number };
  view: { goTo(row: number): void; readonly rows: number; destroy(): void };
  /** Rows that the view told of, in order. */
  rowsSeen: number[];
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export const bundledScenario = (name: string): string =>
  readFileSync(`${ROOT}/fixtures/scenarios/${name}.json`, 'utf8');

let html: Promise<string> | undefined;

async function page(): Promise<string> {
  const { script, style } = await bundle(
    'test/page/inPage/compare.ts',
    'compare',
    process.env.NOMIN === undefined,
  );
  const ground = 'body{background:#fff}@media(prefers-color-scheme:dark){body{background:#16181a}}';
  return pageHtml('compare', {}, { script, style: style + ground });
}

/** Opens the page; the bundle is made once. */
export async function openComparePage(browser: Browser, options: OpenOptions = {}): Promise<Opened> {
  html ??= page();
  return openHtml(browser, await html, options);
}

/** The same, with a comparison in it. */
export async function openCompare(
  browser: Browser,
  request: CompareRequest,
  options: OpenOptions = {},
): Promise<Opened> {
  const opened = await openComparePage(browser, options);
  await opened.page.evaluate((asked) => (globalThis as unknown as InPage).openCompare(asked), request);
  return opened;
}
