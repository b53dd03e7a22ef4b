import { z } from 'zod';
import { MlferryError } from '../../../util/errors.ts';
import type { Capabilities } from './capabilities.ts';
import type { TrackingClient } from './tracking-client.ts';

/** Repeats of the first requests: a mistyped address should be noticed soon. */
const FEW = 2;
const serverInfo = z.object({
  store_type: z.string().optional(),
  workspaces_enabled: z.boolean().optional(),
});

/** What {@link probeServer} needs of the client that is being made. */
interface Probe extends Pick<TrackingClient, 'call' | 'location' | 'workspace'> {
  readonly databricks: boolean;
  text(path: string, repeats: number): Promise<string>;
}

/**
 * Asks a server what it is: `/version` (MLflow 2.1 and newer), `server-info` (3.10 and newer), and one search, which
 * shows that it is MLflow and lets us in. Databricks is asked the search only. Throws NOT_MLFLOW, DENIED, UNAVAILABLE, and UNSUPPORTED for a workspace on a
 * server without workspaces.
 */
export async function probeServer(probe: Probe): Promise<Capabilities> {
  const { call, text, location, workspace, databricks } = probe;
  const version = databricks ? undefined : (await unlessAbsent(text('/version', FEW)))?.trim();
  const info = databricks
    ? undefined
    : await unlessAbsent(
        call({ method: 'GET', path: '/api/3.0/mlflow/server-info', schema: serverInfo, repeats: FEW }),
      );
  if (workspace !== undefined && info?.workspaces_enabled !== true) {
    throw new MlferryError('UNSUPPORTED', `${location}: the server has no workspaces`, {
      hint: 'Leave ?workspace= out, or enable workspaces on the server (MLflow 3.10 or newer).',
    });
  }
  await mustBeTracking(location, () =>
    call({
      method: 'GET',
      path: '/api/2.0/mlflow/experiments/search',
      query: { max_results: 1 },
      schema: z.looseObject({}),
      repeats: FEW,
    }),
  );
  return {
    version: version !== undefined && /^\d+\.\d+[\w.+-]{0,40}$/.test(version) ? version : undefined,
    store_type: info?.store_type,
    workspaces: info?.workspaces_enabled ?? false,
    databricks,
  };
}

const ABSENT = ['UNSUPPORTED', 'NOT_FOUND', 'NOT_MLFLOW'];

async function unlessAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof MlferryError && ABSENT.includes(error.code)) return undefined;
    throw error;
  }
}

async function mustBeTracking(location: string, search: () => Promise<unknown>): Promise<void> {
  try {
    await search();
  } catch (error) {
    if (!(error instanceof MlferryError) || error.code !== 'UNSUPPORTED') throw error;
    throw new MlferryError('NOT_MLFLOW', `${location}: no MLflow tracking server answers here`, {
      cause: error,
    });
  }
}
