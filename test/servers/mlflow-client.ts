import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { type Snapshot, snapshotSchema } from './snapshot.ts';
import { cleanEnvironment } from './start-server.ts';

/** A server or an `mlruns` directory, with the Python that has the MLflow to look at it with. */
export interface MlflowPlace {
  readonly url: string;
  readonly python: string;
  readonly username?: string;
  readonly password?: string;
}

const execute = promisify(execFile);

/** Runs a script of test/python with the place's own MLflow; throws with its stderr when it fails. */
async function runScript(place: MlflowPlace, script: string, args: readonly string[]): Promise<unknown> {
  const path = fileURLToPath(new URL(`../python/${script}`, import.meta.url));
  const { stdout } = await execute(place.python, [path, place.url, ...args], {
    env: {
      ...cleanEnvironment(),
      ...(place.username === undefined ? {} : { MLFLOW_TRACKING_USERNAME: place.username }),
      ...(place.password === undefined ? {} : { MLFLOW_TRACKING_PASSWORD: place.password }),
    },
    maxBuffer: 2 ** 30,
  });
  return JSON.parse(stdout);
}

const workspace = z.object({ runs: z.record(z.string(), z.string()) });

/**
 * Fills an empty server with everything that is hard to copy; returns the run ids by name. Workspaces that come
 * together in one database need different seeds.
 */
export async function makeWorkspace(
  server: MlflowPlace,
  size: 'full' | 'small',
  seed = 1,
): Promise<Readonly<Record<string, string>>> {
  const args = ['--size', size, '--seed', String(seed)];
  return workspace.parse(await runScript(server, 'make_workspace.py', args)).runs;
}

/** All that MLflow's own client sees there: deleted experiments and runs too, whole histories, hashes of all files. */
export async function takeSnapshot(place: MlflowPlace): Promise<Snapshot> {
  return snapshotSchema.parse(await runScript(place, 'snapshot.py', []));
}
