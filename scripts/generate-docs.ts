/**
 * Writes what can be computed of the documentation: whole pages (`PAGES`) and the parts between
 * `<!-- generated: … -->` and `<!-- end -->` of the others. Tests compare; run this after changing a step, a layout, a
 * scenario, a line, a design or a command, and read the diff.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiPage } from './docs/api.ts';
import { fenced, BLOCKS as PLAIN_BLOCKS, runRecordings } from './docs/blocks.ts';
import { claimsPage } from './docs/claims.ts';
import { DESIGN_BLOCKS } from './docs/designs.ts';
import { fidelityPage } from './docs/fidelity.ts';
import { HOOK_BLOCKS } from './docs/hooks.ts';
import { layoutsPage } from './docs/layouts.ts';
import { linesPage } from './docs/lines.ts';
import { type Block, partsOf, regenerate } from './docs/markers.ts';
import { ROOT } from './docs/source.ts';
import { verdictsPage } from './docs/verdicts.ts';
import { libraryOutput, workedDesignTable, workedInvariantTable } from './docs/worked.ts';
import { yieldPointsPage } from './docs/yieldPoints.ts';

export const BLOCKS: Readonly<Record<string, Block>> = {
  ...PLAIN_BLOCKS,
  ...DESIGN_BLOCKS,
  ...HOOK_BLOCKS,
  'worked-design': workedDesignTable,
  'worked-invariant': workedInvariantTable,
  library: async () => fenced(await libraryOutput(), 'text'),
};

/** Pages that are generated as a whole. */
export const PAGES: Readonly<Record<string, () => string | Promise<string>>> = {
  'docs/yield-points.md': yieldPointsPage,
  'docs/layouts.md': layoutsPage,
  'docs/fidelity.md': fidelityPage,
  'docs/lines.md': linesPage,
  'docs/verdicts.md': verdictsPage,
  'docs/claims.md': claimsPage,
  'docs/api.md': apiPage,
};

/** Every markdown file of the project that people write, relative to its root. */
export function writtenPages(): string[] {
  const top = readdirSync(ROOT).filter((name) => name.endsWith('.md'));
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name).replaceAll('\\', '/'));
  return [...top, ...docs].filter((name) => !(name in PAGES)).sort();
}

async function run(): Promise<void> {
  runRecordings();
  const texts = new Map<string, string>();
  for (const [name, make] of Object.entries(PAGES)) texts.set(name, await make());
  for (const name of writtenPages()) {
    const text = readFileSync(join(ROOT, name), 'utf8');
    if (partsOf(text).length > 0) texts.set(name, await regenerate(text, BLOCKS));
  }
  for (const [name, text] of texts) {
    const file = join(ROOT, name);
    if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
    writeFileSync(file, text);
    process.stdout.write(`wrote ${relative('', file)}\n`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await run();
