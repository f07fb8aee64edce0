import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'examples/**/*.test.ts'],
    exclude: ['test/long/**', 'test/kernel/**', 'test/page/**'],
    pool: 'threads',
    maxWorkers: '100%',
    isolate: false,
    testTimeout: 60_000,
    reporters: ['default', './scripts/closing-line.mjs'],
  },
});
