import { defineConfig } from 'vitest/config';
import type { InlineConfig } from 'vitest/node';
import { LongestFirst } from './test/longest-first.ts';
import { testGroups } from './test/test-groups.ts';

// The long forms of the sweeps, with MLFERRY_TEST_LONG=1, take their time.
const most = process.env.MLFERRY_TEST_LONG === '1' ? 4 * 3_600_000 : 600_000;
const groups = testGroups();

/** Where no Python and no MLflow is: a file that needs them fails here. */
const WITHOUT_PYTHON = { env: { MLFERRY_CACHE: '/nonexistent' } };

const project = (name: string, include: string[], more: InlineConfig) => ({
  extends: true as const,
  test: { name, include, ...more },
});

export default defineConfig({
  test: {
    // Half of a test's time is its server's: three at a time is what two cores carry.
    pool: 'forks',
    // No test asks the machine that it runs on who it is.
    env: { AWS_EC2_METADATA_DISABLED: 'true', AWS_ENDPOINT_URL: 'http://127.0.0.1:9' },
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // No test passes or fails by its speed: these only end what hangs.
    testTimeout: most,
    hookTimeout: most,
    reporters: ['default', './test/reporter.ts'],
    projects: [
      // Quick files share processes: loading everything anew takes longer than most of them.
      project('quick', groups.quick, { ...WITHOUT_PYTHON, isolate: false }),
      project('quick-mocks', groups.mocked, WITHOUT_PYTHON),
      project('slow', groups.slow, WITHOUT_PYTHON),
      project('real', groups.real, { globalSetup: ['test/servers/forges.ts'] }),
    ],
  },
});
