import type { z } from 'zod';
import { MlferryError } from '../../../util/errors.ts';
import type { artifactPage } from '../connect/answers.ts';
import { pages } from '../connect/pages.ts';
import { routes } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';

/** Entries of one directory that are held in memory, to be sorted. */
const MOST_IN_DIRECTORY = 1_000_000;

type Page = z.infer<typeof artifactPage>;
type ArtifactFile = Page['files'][number];

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
  const path = directory === '' ? undefined : directory;
  const ask = async (_size: number, page_token: string | undefined) => {
    const page = await client.call(routes.artifacts, { query: { run_id, path, page_token } });
    // An empty page is the last one, whatever token it has.
    return page.files.length === 0 ? { files: [] } : page;
  };
  const isNew = ({ files }: Page) => files.some((file) => file.path !== directory && !entries.has(file.path));
  for await (const { files } of pages<Page>({ name, ask, isNew, size: 1 })) {
    for (const file of files) if (file.path !== directory) entries.set(file.path, file);
    if (entries.size > MOST_IN_DIRECTORY) {
      const where = directory === '' ? 'its root' : JSON.stringify(directory);
      throw new MlferryError('SERVER_ERROR', `${name}: ${where} has more than ${MOST_IN_DIRECTORY} files`);
    }
  }
  return [...entries.values()];
}
