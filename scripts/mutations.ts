/**
 * Writes docs/mutations.md: `npx tsx scripts/mutations.ts`. It takes some minutes, so `npm run docs` leaves it alone;
 * `npm run test:long` holds it against a run.
 */
import { writeFileSync } from 'node:fs';
import { mutationsPage } from '../test/support/mutationsPage.ts';

writeFileSync(new URL('../docs/mutations.md', import.meta.url), mutationsPage());
