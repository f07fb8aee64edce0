/**
 * The page's script and style, bundled from `src/viewer/page` with everything of the lab that it uses: one classic
 * script, so that it runs inline, from file:// and as the code of a worker. vite is the one that vitest brings.
 */
import { fileURLToPath } from 'node:url';
import type { PageBundle } from '../../src/viewer/html.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export async function bundlePage(): Promise<PageBundle> {
  const { build } = await import('vite');
  const built = await build({
    configFile: false,
    root: ROOT,
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      write: false,
      target: 'es2022',
      minify: true,
      reportCompressedSize: false,
      lib: { entry: 'src/viewer/page/main.ts', formats: ['iife'], name: 'ext4labPage', fileName: 'page' },
    },
  });
  const [result] = Array.isArray(built) ? built : [built];
  if (result === undefined || !('output' in result)) throw new Error('vite gave no output');
  let script = '';
  let style = '';
  for (const part of result.output) {
    if (part.type === 'chunk') script += part.code;
    else style += typeof part.source === 'string' ? part.source : new TextDecoder().decode(part.source);
  }
  return { script, style };
}
