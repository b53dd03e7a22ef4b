import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cleanEnvironment } from './clean-environment.ts';
import { forgeOf } from './forge-of.ts';
import { forkTied } from './tied-process.ts';
import type { MlflowVersion } from './versions.ts';

/** Runs a script with a version of MLflow and returns what it prints; throws with its stderr when it fails. */
export async function runPython(
  version: MlflowVersion,
  script: URL,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const forge = forgeOf(version);
  if (forge === undefined) throw new Error('No forge: scripts run in the tests only');
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-python-'));
  const [stdout, stderr] = [join(directory, 'stdout'), join(directory, 'stderr')];
  try {
    const env = { ...cleanEnvironment(), ...environment };
    const { ended } = await forkTied(forge, [fileURLToPath(script), ...args], {
      cwd: directory,
      env,
      stdout,
      stderr,
    });
    const status = await ended;
    if (status !== '0\n') throw new Error(`${script} ended with ${status}${await readFile(stderr, 'utf8')}`);
    return await readFile(stdout, 'utf8');
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
