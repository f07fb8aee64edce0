import { defineConfig } from 'vitest/config';

/** Tests that take too long for `npm test`; CI runs them too. */
export default defineConfig({
  test: {
    include: ['test/long/**/*.test.ts'],
    pool: 'threads',
    maxWorkers: '100%',
    testTimeout: 1_200_000,
    reporters: ['default', './scripts/closing-line.mjs'],
  },
});
