/** The tests that ask this machine's kernel: `npx vitest run --config test/kernel/vitest.config.ts`, as root. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    include: ['test/kernel/**/*.test.ts'],
    // One at a time: the helper runs one job at a time on a machine anyway.
    fileParallelism: false,
    testTimeout: 120_000,
    reporters: ['default', './scripts/closing-line.mjs'],
  },
});
