#!/usr/bin/env node
// The built command, or in a clone that is not built the sources through tsx.
import { existsSync } from 'node:fs';

const built = new URL('../dist/cli/main.js', import.meta.url);
const source = new URL('../src/cli/main.ts', import.meta.url);

async function load() {
  if (existsSync(built)) return import(built.href);
  try {
    (await import('tsx/esm/api')).register();
  } catch {
    process.stderr.write('ext4lab: not built: run npm ci && npm run build\n');
    process.exit(2);
  }
  return import(source.href);
}

await (await load()).runProcess();
