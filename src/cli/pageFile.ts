/** The page's bundle: built beside the compiled files, or from the sources on the spot. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { PageBundle } from '../viewer/html.ts';

let bundle: Promise<PageBundle> | undefined;

/** Made once per process: from the sources it takes a second or two. */
export function pageBundle(): Promise<PageBundle> {
  bundle ??= makeBundle();
  return bundle;
}

async function makeBundle(): Promise<PageBundle> {
  const built = fileURLToPath(new URL('../viewer/page.js', import.meta.url));
  if (existsSync(built)) {
    return { script: readFileSync(built, 'utf8'), style: readFileSync(built.replace(/js$/, 'css'), 'utf8') };
  }
  // Named by a value: the scripts are no part of the compiled package.
  const source = new URL('../../scripts/page/bundle.ts', import.meta.url).href;
  const { bundlePage } = (await import(/* @vite-ignore */ source)) as {
    bundlePage(): Promise<PageBundle>;
  };
  return bundlePage();
}
