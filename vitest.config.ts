import { defineConfig } from 'vitest/config';

// The long forms of the sweeps, with MLFERRY_TEST_LONG=1, take their time.
const most = process.env.MLFERRY_TEST_LONG === '1' ? 4 * 3_600_000 : 600_000;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Most test files start real MLflow servers: two at a time is what two cores carry.
    globalSetup: ['test/servers/forges.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // No test passes or fails by its speed: these only end what hangs.
    testTimeout: most,
    hookTimeout: most,
    reporters: ['default', './test/reporter.ts'],
  },
});
