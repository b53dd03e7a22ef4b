/**
 * Remakes the samples: `node samples/make.ts`, after `npm run build` and `node test/servers/install.ts`. `mlruns` is
 * written by real MLflow, the archive and the stream by mlferry from it.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { cleanEnvironment } from '../test/servers/clean-environment.ts';
import { NEWEST_MLFLOW, pythonOf } from '../test/servers/versions.ts';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const options = {
  cwd: checkout,
  env: { ...cleanEnvironment(), HOME: '/nonexistent' },
  stdio: 'inherit',
} as const;
const mlferry = (...args: string[]) => execFileSync(process.execPath, ['bin/mlferry.js', ...args], options);

execFileSync(pythonOf(NEWEST_MLFLOW), ['samples/make_mlruns.py', 'samples/mlruns'], options);
mlferry('backup', 'samples/mlruns', 'samples/backup.tar', '--view', 'all', '--overwrite');
mlferry('export', 'samples/mlruns', 'samples/runs.ndjson', '--view', 'all', '--overwrite');
