import type { Readable } from 'node:stream';
import { artifactPathProblem } from '../../../artifacts/artifact-path.ts';
import { openInOwnRoot } from '../../../artifacts/local/own-root.ts';
import { isInOwnRoot, parseArtifactRoot } from '../../../artifacts/root.ts';
import { sizedBody } from '../../../artifacts/sized-body.ts';
import type { ArtifactStore, StoredFile, StoredOrigin } from '../../../artifacts/store.ts';
import type { ArtifactStores } from '../../../artifacts/stores.ts';
import type { Failure, Findings, Loss } from '../../../model/findings.ts';
import { isAlteredPath } from '../../../model/mlflow/altered-paths.ts';
import { endsJob } from '../../../util/ends-job.ts';
import { errorCodes, MlferryError } from '../../../util/errors.ts';
import type { ArtifactEntry } from '../../artifact-owner.ts';
import { isMlflow } from '../connect/capabilities.ts';
import type { ServerOwner } from '../connect/owner.ts';
import { below, routes } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { listDirectory } from './artifact-pages.ts';
import { resumedBody } from './resumed-body.ts';

/** Directories that are listed ahead of the one being handed out. */
const AHEAD = 4;

interface ListedEntry {
  readonly path: string;
  readonly isDirectory: boolean;
  readonly size: number;
}

/**
 * All files of a run or model in code-unit order of their paths, one request a directory. Names that could leave its root go to
 * the findings as failures, names that MLflow's own path decoding makes unreachable as losses; neither is handed out.
 */
export async function* listArtifacts(
  client: TrackingClient,
  owner: ServerOwner,
  findings: Findings,
): AsyncGenerator<ArtifactEntry> {
  const stored = await listStored(client, owner);
  if (stored !== undefined) {
    for (const [{ path, size }, origin] of stored) {
      const problem = artifactPathProblem(path);
      if (problem === undefined) yield { path, size, stored: origin };
      else findings.failure(unusable(owner, path, 'The artifact store holds', problem));
    }
    return;
  }
  const root = await listLevel(client, owner, '').catch((error: unknown) => {
    // GitLab before 17.9, or what else lists none.
    const isAbsent = error instanceof MlferryError && error.code === 'UNSUPPORTED';
    if (isMlflow(client.server) || !isAbsent) throw error;
    const detail = 'the server does not tell which files it has: they are left out';
    findings.loss({ code: 'ARTIFACTS_UNREACHABLE', detail });
    return [];
  });
  yield* walk('', Promise.resolve(root));

  async function* walk(directory: string, level: Promise<ListedEntry[]>): AsyncGenerator<ArtifactEntry> {
    const entries = (await level).filter((entry) => isUsable(owner, directory, entry, findings));
    const directories = entries.filter((entry) => entry.isDirectory).map(({ path }) => path);
    const listings = new Map<string, Promise<ListedEntry[]>>();
    for (const { path, isDirectory, size } of entries) {
      if (!isDirectory) {
        yield { path, size };
        continue;
      }
      const at = directories.indexOf(path);
      for (const next of directories.slice(at, at + AHEAD)) {
        if (listings.has(next)) continue;
        const listing = listLevel(client, owner, next);
        // Its error is thrown when its turn comes; until then it must not count as unhandled.
        listing.catch(() => undefined);
        listings.set(next, listing);
      }
      const listing = listings.get(path);
      listings.delete(path);
      if (listing !== undefined) yield* walk(path, listing);
    }
  }
}

async function listLevel(
  client: TrackingClient,
  owner: ServerOwner,
  directory: string,
): Promise<ListedEntry[]> {
  const entries = (await proxyLevel(client, owner, directory)) ?? (await runLevel(client, owner, directory));
  const sortKey = ({ path, isDirectory }: ListedEntry) => (isDirectory ? `${path}/` : path);
  return entries.sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
}

/**
 * A level as the server's artifact proxy lists it, by base names, in a third of the time: it need not look the run up.
 * `undefined` when it cannot, and when it has nothing there: then the route of the owner has the last word.
 */
async function proxyLevel(
  client: TrackingClient,
  owner: ServerOwner,
  directory: string,
): Promise<ListedEntry[] | undefined> {
  const root = proxiedRoot(client, owner);
  if (root === undefined) return undefined;
  try {
    const { files } = await client.call(routes.proxiedArtifacts, {
      query: { path: directory === '' ? root : `${root}/${directory}` },
      repeats: 0,
    });
    if (files.length === 0 || files.some(({ path }) => path.includes('/'))) return undefined;
    const prefix = directory === '' ? '' : `${directory}/`;
    return files.map(({ path, is_dir, file_size }) => ({
      path: `${prefix}${path}`,
      isDirectory: is_dir,
      size: Number(file_size ?? 0),
    }));
  } catch (error) {
    if (!(error instanceof MlferryError) || error.code === 'INTERRUPTED') throw error;
    // The other route repeats what is worth it and has the last word, also on a server that serves no artifacts (503).
    return undefined;
  }
}

async function runLevel(
  client: TrackingClient,
  owner: ServerOwner,
  directory: string,
): Promise<ListedEntry[]> {
  return (await listDirectory(client, owner, directory)).map(({ path, is_dir, file_size }) => ({
    path,
    isDirectory: is_dir,
    size: Number(file_size ?? 0),
  }));
}

function isUsable(
  owner: ServerOwner,
  directory: string,
  { path, isDirectory, size }: ListedEntry,
  findings: Findings,
): boolean {
  const inside =
    directory === '' ? path : path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : undefined;
  const problem =
    inside === undefined ? 'is not in the directory that was listed' : artifactPathProblem(path);
  if (problem !== undefined || !Number.isSafeInteger(size)) {
    findings.failure(unusable(owner, path, 'The server lists', problem ?? 'has no valid size'));
    return false;
  }
  if (!isAlteredPath(path)) return true;
  findings.loss({
    code: 'ARTIFACTS_UNREACHABLE',
    ...lossOwner(owner),
    key: path,
    detail: `The ${isDirectory ? 'directory' : 'file'} was left out: MLflow decodes its name and then looks for another one`,
  });
  return false;
}

function unusable({ words }: ServerOwner, path: string, source: string, problem: string): Failure {
  return {
    code: 'SOURCE_ITEM',
    object: `artifact ${quote(path)} of ${words}`,
    message: `${source} an artifact ${quote(path)} that ${problem}; it was left out`,
    hint: errorCodes.SOURCE_ITEM.hint,
  };
}

/**
 * All files of an owner as the store itself tells them, where it can be reached from here. Where it tells none, the server is asked
 * too: a bucket of this name may be another store's. `undefined`: the server is the way.
 */
async function listStored(
  client: TrackingClient,
  owner: ServerOwner,
): Promise<ReadonlyArray<readonly [StoredFile, StoredOrigin]> | undefined> {
  const store = await storeOf(client.stores, owner);
  if (store === undefined) return undefined;
  const files = await store.list();
  if (files.length > 0) return files.map((file) => [file, store.origin(file)] as const);
  const there = await listLevel(client, owner, '').catch((error: unknown) => {
    if (!(error instanceof MlferryError) || endsJob(error)) throw error;
    return [];
  });
  if (there.length === 0) return [];
  client.stores.distrust(
    owner.artifact_uri,
    `${store.name} as it is reached from here does not have the files that the server lists`,
  );
  return undefined;
}

async function storeOf(
  stores: ArtifactStores,
  { artifact_uri, root_id }: ServerOwner,
): Promise<ArtifactStore | undefined> {
  if (root_id === undefined || !isInOwnRoot(artifact_uri, root_id)) return undefined;
  const store = await stores.at(artifact_uri);
  return typeof store === 'string' ? undefined : store;
}

/** The bytes of a file from the store itself; `undefined` where that does not give them, and the server may. */
async function openStored(
  { stores }: TrackingClient,
  owner: ServerOwner,
  { path, size }: ArtifactEntry,
): Promise<Readable | undefined> {
  const store = await storeOf(stores, owner);
  try {
    return await store?.open(path, size);
  } catch (error) {
    if (error instanceof MlferryError && (error.code === 'DENIED' || error.code === 'NOT_FOUND'))
      return undefined;
    throw error;
  }
}

/**
 * The bytes of a file, from where it is quickest: a directory or store that is reachable from here, the server's artifact proxy,
 * else its route of the owner, which reads any store that the server itself can. `undefined` with a loss when the server
 * cannot reach the store. The stream fails with SHORT_BODY.
 */
export async function openArtifact(
  client: TrackingClient,
  owner: ServerOwner,
  { path, size }: ArtifactEntry,
  findings: Findings,
): Promise<Readable | undefined> {
  const name = `Artifact ${quote(path)} of ${owner.words}`;
  const problem = artifactPathProblem(path);
  if (problem !== undefined) throw new MlferryError('SOURCE_ITEM', `${name} ${problem}`);
  const root = parseArtifactRoot(owner.artifact_uri);
  const local =
    root.kind === 'directory'
      ? await openInOwnRoot(root.path, owner.id, { path, ...(size === undefined ? {} : { size }) }, name)
      : undefined;
  const direct =
    local ?? (await openStored(client, owner, { path, ...(size === undefined ? {} : { size }) }));
  if (direct !== undefined) return direct;
  try {
    const { body, length } = await download(client, owner, path);
    if (length !== undefined && size !== undefined && length !== size) {
      body.destroy();
      throw new MlferryError(
        'SHORT_BODY',
        `${name} should have ${size} bytes, and the server announces ${length}`,
      );
    }
    // Its own route gives parts of a file where the artifact proxy gives only whole ones (2.x).
    const [route, query] = owner.file(path);
    const rest = (from: number) => client.download(route, query, undefined, from);
    const whole = resumedBody(body, rest, { name, size });
    return sizedBody(whole, size, name);
  } catch (error) {
    if (!(error instanceof MlferryError) || error.code !== 'UNSUPPORTED') throw error;
    const detail = `The server cannot give files of ${root.kind === 'other' ? root.scheme : root.kind} roots: ${error.message}`;
    findings.loss({ code: 'ARTIFACTS_UNREACHABLE', ...lossOwner(owner), key: path, detail });
    return undefined;
  }
}

async function download(client: TrackingClient, owner: ServerOwner, path: string) {
  const root = proxiedRoot(client, owner);
  // MLflow 3.5 … 3.7 answers 500 for names that are not ASCII, because of a header.
  if (root !== undefined && /^[\x20-\x7e]*$/.test(path)) {
    try {
      return await client.download(below(routes.proxiedArtifact, `${root}/${path}`), {}, 0);
    } catch (error) {
      if (!(error instanceof MlferryError) || error.code === 'INTERRUPTED') throw error;
    }
  }
  return client.download(...owner.file(path));
}

/** Path of the owner's root at this server's artifact proxy, when it has one that stands for itself, encoded or not. */
function proxiedRoot(client: TrackingClient, owner: ServerOwner): string | undefined {
  const root = parseArtifactRoot(owner.artifact_uri);
  if (root.kind !== 'proxied' || (root.host ?? client.base.host) !== client.base.host) return undefined;
  return root.path === '' || /[%?#]/.test(root.path) ? undefined : root.path;
}

/** Whose loss it is. */
function lossOwner({ kind, id }: ServerOwner): Pick<Loss, 'run_id' | 'of'> {
  return kind === 'run' ? { run_id: id } : { of: { kind, id } };
}

const quote = (text: string) => JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
