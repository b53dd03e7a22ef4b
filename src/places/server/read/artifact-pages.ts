import type { z } from 'zod';
import { parseArtifactRoot } from '../../../artifacts/root.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { artifactPage } from '../connect/answers.ts';
import type { ServerOwner } from '../connect/owner.ts';
import { pages } from '../connect/pages.ts';
import { routes } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';

/** Entries of one directory that are held in memory, to be sorted. */
const MOST_IN_DIRECTORY = 1_000_000;

type Page = z.infer<typeof artifactPage>;
type ArtifactFile = Page['files'][number];

/**
 * The entries of one directory of a run or model as the server lists it, each path once, over all pages. Some stores answer the
 * listing of a file with the file itself, which is left out.
 */
export async function listDirectory(
  client: TrackingClient,
  owner: ServerOwner,
  directory: string,
): Promise<ArtifactFile[]> {
  const entries = new Map<string, ArtifactFile>();
  const name = `Artifacts of ${owner.words}`;
  const ask = async (_size: number, page_token: string | undefined) => {
    const page = await onePage(client, owner, directory, page_token);
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

async function onePage(
  client: TrackingClient,
  owner: ServerOwner,
  directory: string,
  page_token: string | undefined,
): Promise<Page> {
  if (owner.list !== undefined) {
    const [route, query] = owner.list(directory, page_token);
    const page = await client.call(route, { query });
    const above = owner.inside ? `${owner.inside}/` : '';
    return { ...page, files: page.files.map((file) => ({ ...file, path: withoutPrefix(file.path, above) })) };
  }
  const root = parseArtifactRoot(owner.artifact_uri);
  if (root.kind !== 'proxied') {
    const where = root.kind === 'other' ? root.scheme : root.kind;
    throw new MlferryError('UNSUPPORTED', `The server has no route that lists files of ${where} roots`);
  }
  const path = directory === '' ? root.path : `${root.path}/${directory}`;
  const page = await client.call(routes.proxiedArtifacts, { query: { path } });
  const above = directory === '' ? '' : `${directory}/`;
  return { ...page, files: page.files.map((file) => ({ ...file, path: above + file.path })) };
}

function withoutPrefix(path: string, prefix: string): string {
  return path.startsWith(prefix) ? path.slice(prefix.length) : path;
}
