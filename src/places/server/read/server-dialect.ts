import { type Dialect, dialectOf } from '../../../search/dialects.ts';
import { endsJob } from '../../../util/ends-job.ts';
import { MlferryError } from '../../../util/errors.ts';
import { versionNumbers } from '../connect/capabilities.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { trySearch } from './searches.ts';

/** An experiment id that no server gives. */
export const NO_EXPERIMENT = '2147483646';

/** The dialect of a server's search. One request more where the server does not tell its kind of store (before 3.10). */
export async function serverDialect(client: TrackingClient): Promise<Dialect> {
  const { databricks, version, store_type } = client.server;
  const database = databricks
    ? true
    : store_type === undefined
      ? await isDatabase(client)
      : store_type !== 'FileStore';
  const numbers = version === undefined ? undefined : versionNumbers(version);
  return dialectOf({ databricks, version: numbers, database });
}

/** SQL stores refuse an order that names a column twice (seen with 2.9 to 3.17), FileStore does not look. */
async function isDatabase(client: TrackingClient): Promise<boolean> {
  try {
    await trySearch(client, {
      experiment_ids: [NO_EXPERIMENT],
      run_view_type: 'ACTIVE_ONLY',
      order_by: ['metrics.a ASC', 'metrics.a DESC'],
    });
    return false;
  } catch (error) {
    if (!(error instanceof MlferryError) || endsJob(error)) throw error;
    return /duplicate/i.test(error.message);
  }
}
