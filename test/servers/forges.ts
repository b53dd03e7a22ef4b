import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanEnvironment } from './clean-environment.ts';
import { FORGES_VARIABLE, forgeIn } from './forge-of.ts';
import { databasesDirectory, MLFLOW_VERSIONS, pythonOf } from './versions.ts';

const SCRIPT = fileURLToPath(new URL('../python/forge.py', import.meta.url));

/**
 * Vitest's global setup: a forge for each version of MLflow, which all test files share. It imports MLflow when it is
 * first asked for something. They end with this process, however it ends.
 */
export default async function startForges(): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-forges-'));
  mkdirSync(databasesDirectory, { recursive: true });
  const forges = await Promise.all(
    MLFLOW_VERSIONS.map(async (version) => {
      const kept = join(databasesDirectory, `mlflow-${version}-empty.db`);
      const forge = spawn(pythonOf(version), [SCRIPT, forgeIn(directory, version), kept], {
        env: cleanEnvironment(),
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      await once(forge.stdout, 'data');
      return forge;
    }),
  );
  process.env[FORGES_VARIABLE] = directory;
  return async () => {
    for (const forge of forges) forge.stdin.end();
    await rm(directory, { recursive: true, force: true });
  };
}
