/** What mutants come to is what docs/mutations.md says, and nobody lives without a reason. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { mutationsPage } from '../support/mutationsPage.ts';

it('every mutant is caught or explained, as docs/mutations.md has it', () => {
  const page = mutationsPage();
  expect(page).not.toContain('UNEXPLAINED');
  expect(readFileSync(new URL('../../docs/mutations.md', import.meta.url), 'utf8')).toBe(page);
});
