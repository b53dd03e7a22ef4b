import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Most test files start real MLflow servers: two at a time is what two cores carry.
    pool: 'forks',
    maxWorkers: 2,
    // No test passes or fails by its speed: these only end what hangs.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    reporters: ['default', './test/reporter.ts'],
  },
});
