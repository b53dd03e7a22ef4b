import { join } from 'node:path';
import type { MlflowVersion } from './versions.ts';

/** Tells test files where the forges of this test run are. */
export const FORGES_VARIABLE = 'MLFERRY_TEST_FORGES';

/** The socket of a version's forge in their directory. */
export function forgeIn(directory: string, version: MlflowVersion): string {
  return join(directory, version);
}

/** The socket of the forge that has this version of MLflow imported; `undefined` outside of Vitest. */
export function forgeOf(version: MlflowVersion): string | undefined {
  const directory = process.env[FORGES_VARIABLE];
  return directory === undefined ? undefined : forgeIn(directory, version);
}
