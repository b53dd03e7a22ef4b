import type { z } from 'zod';
import { MlferryError } from '../../../util/errors.ts';
import { pageTokens } from '../connect/page-tokens.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { artifactPage } from './schemas.ts';

/** Entries of one directory that are held in memory, to be sorted. */
const MOST_IN_DIRECTORY = 1_000_000;

type ArtifactFile = z.infer<typeof artifactPage>['files'][number];

/**
 * The entries of one directory of a run by `artifacts/list`, each path once, over all pages. Some stores answer the
 * listing of a file with the file itself, which is left out.
 */
export async function listDirectory(
  client: TrackingClient,
  run_id: string,
  directory: string,
): Promise<ArtifactFile[]> {
  const entries = new Map<string, ArtifactFile>();
  const name = `Artifacts of run ${run_id}`;
  const follow = pageTokens(name);
  let page_token: string | undefined;
  do {
    const before = entries.size;
    const { files, next_page_token } = await client.call({
      method: 'GET',
      path: '/api/2.0/mlflow/artifacts/list',
      query: { run_id, path: directory === '' ? undefined : directory, page_token },
      schema: artifactPage,
    });
    for (const file of files) if (file.path !== directory) entries.set(file.path, file);
    if (entries.size > MOST_IN_DIRECTORY) {
      const where = directory === '' ? 'its root' : JSON.stringify(directory);
      throw new MlferryError('SERVER_ERROR', `${name}: ${where} has more than ${MOST_IN_DIRECTORY} files`);
    }
    page_token = files.length === 0 ? undefined : follow(next_page_token, entries.size > before);
  } while (page_token !== undefined);
  return [...entries.values()];
}
