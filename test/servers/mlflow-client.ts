import { z } from 'zod';
import { runPython } from './run-python.ts';
import { type Snapshot, snapshotSchema } from './snapshot.ts';
import type { MlflowVersion } from './versions.ts';

/** A server or an `mlruns` directory, with the MLflow to look at it with. */
export interface MlflowPlace {
  readonly url: string;
  readonly version: MlflowVersion;
  readonly username?: string;
  readonly password?: string;
}

/** Runs a script of test/python with the place's own MLflow. */
async function runScript(place: MlflowPlace, script: string, args: readonly string[]): Promise<unknown> {
  const { url, version, username, password } = place;
  const output = await runPython(version, new URL(`../python/${script}`, import.meta.url), [url, ...args], {
    ...(username === undefined ? {} : { MLFLOW_TRACKING_USERNAME: username }),
    ...(password === undefined ? {} : { MLFLOW_TRACKING_PASSWORD: password }),
  });
  return JSON.parse(output);
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
