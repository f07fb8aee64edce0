/** `npm run build` puts the bundle beside the compiled files: who installs the package has no bundler. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundlePage } from './bundle.ts';

const folder = fileURLToPath(new URL('../../dist/viewer', import.meta.url));
const { script, style } = await bundlePage();
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/page.js`, script);
writeFileSync(`${folder}/page.css`, style);
