import { MlferryError } from '../../../util/errors.ts';
import type { Capabilities } from './capabilities.ts';
import { routes } from './routes.ts';
import type { TrackingClient } from './tracking-client.ts';

/** Repeats of the first requests: a mistyped address should be noticed soon. */
const FEW = 2;

/** What {@link probeServer} needs of the client that is being made. */
interface Probe extends Pick<TrackingClient, 'call' | 'location' | 'workspace'> {
  readonly databricks: boolean;
  version(repeats: number): Promise<string>;
}

/**
 * Asks a server what it is: `/version` (MLflow 2.1 and newer), `server-info` (3.10 and newer), and one search, which
 * shows that it is MLflow and lets us in. Databricks is asked the search only. Throws NOT_MLFLOW, DENIED, UNAVAILABLE, and UNSUPPORTED for a workspace on a
 * server without workspaces.
 */
export async function probeServer(probe: Probe): Promise<Capabilities> {
  const { call, location, workspace, databricks } = probe;
  const version = databricks ? undefined : (await unlessAbsent(probe.version(FEW)))?.trim();
  const info = databricks ? undefined : await unlessAbsent(call(routes.serverInfo, { repeats: FEW }));
  if (workspace !== undefined && info?.workspaces_enabled !== true) {
    throw new MlferryError('UNSUPPORTED', `${location}: the server has no workspaces`, {
      hint: 'Leave ?workspace= out, or enable workspaces on the server (MLflow 3.10 or newer).',
    });
  }
  await mustBeTracking(location, () =>
    call(routes.tryExperiments, { query: { max_results: 1 }, repeats: FEW }),
  );
  return {
    // MLflow tells its version since 2.1; a lower one is that of something else (FastTrackML: 0.6.0).
    version:
      version !== undefined && /^([2-9]|\d{2,})\.\d+[\w.+-]{0,40}$/.test(version) ? version : undefined,
    store_type: info?.store_type,
    workspaces: info?.workspaces_enabled ?? false,
    databricks,
    ...(info?.mlferry_serves === undefined ? {} : { serves: info.mlferry_serves }),
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
