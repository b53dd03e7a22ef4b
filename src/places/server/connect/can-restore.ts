import { MlferryError } from '../../../util/errors.ts';
import { isMlflow } from './capabilities.ts';
import { routes } from './routes.ts';
import type { TrackingClient } from './tracking-client.ts';

/** Of the loss where a server deletes for good. */
export const NOT_DELETED =
  'deleted at the source, and active on the target: that server deletes for good, and then the copy would be gone';

/**
 * Whether what is deleted on the server can be restored. What is not MLflow is asked for a restore of nothing: GitLab, which
 * deletes for good, has no such route, all others refuse it.
 */
export async function canRestore(client: TrackingClient): Promise<boolean> {
  if (isMlflow(client.server)) return true;
  try {
    await client.call(routes.restoreRun, { body: { run_id: '' } });
    return true;
  } catch (error) {
    if (!(error instanceof MlferryError)) throw error;
    if (error.code === 'REFUSED' || error.code === 'NOT_FOUND' || error.code === 'SERVER_ERROR') return true;
    if (error.code === 'UNSUPPORTED') return false;
    throw error;
  }
}
