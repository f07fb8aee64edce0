/**
 * The page's script and style, bundled from `src/viewer/page` with everything of the lab that it uses: one classic
 * script, so that it runs inline, from file:// and as the code of a worker. vite is the one that vitest brings.
 */
import { fileURLToPath } from 'node:url';
import type { PageBundle } from '../../src/viewer/html.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export function bundlePage(): Promise<PageBundle> {
  return bundle('src/viewer/page/main.ts', 'ext4labPage');
}

/**
 * One classic script of an entry file and all that it imports, and the styles of these.
 * @param entry  below the project's root
 * @param name   global that gets what the entry exports
 */
export async function bundle(entry: string, name: string, minify = true): Promise<PageBundle> {
  const { build } = await import('vite');
  const built = await build({
    configFile: false,
    root: ROOT,
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      write: false,
      target: 'es2022',
      minify,
      reportCompressedSize: false,
      lib: { entry, formats: ['iife'], name, fileName: 'page' },
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
