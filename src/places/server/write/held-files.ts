import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { ArtifactSink } from '../../../artifacts/sink.ts';
import type { PutFile, StoredFile } from '../../../artifacts/store.ts';
import { MlferryError } from '../../../util/errors.ts';
import { bytesOf } from '../connect/body.ts';
import type { ServerOwner } from '../connect/owner.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { directoriesOf, parentOf } from './artifact-names.ts';
import { PROBE } from './sink-of.ts';
import type { TargetRoutes } from './target-routes.ts';

/** A file that did not arrive, and why. */
export interface FailedFile {
  readonly path: string;
  readonly error: MlferryError;
}

/** Files that were written: path → what they must be. */
export type WrittenFiles = Map<string, PutFile & { readonly size: number }>;

/** What the target has of the files of a run or model: as the store itself tells it where it is reached, else as the server does. */
interface HeldFiles {
  /** The files in those of the wanted directories that exist, by path. */
  list(wanted: ReadonlySet<string>): Promise<Map<string, StoredFile>>;
  /** Whether a file of the target has these bytes; both are read, unless a hash is known. */
  sameContent(file: StoredFile, open: () => Promise<Readable>, sha256: string | undefined): Promise<boolean>;
  /** The files that are not there as they were written, each a MISMATCH. */
  notArrived(written: WrittenFiles): Promise<FailedFile[]>;
}

/** See {@link HeldFiles}. */
export function heldFiles(
  { client, routes }: { readonly client: TrackingClient; readonly routes: TargetRoutes },
  { owner, sink }: { readonly owner: ServerOwner; readonly sink: ArtifactSink | undefined },
): HeldFiles {
  const store = sink?.store;
  const list = async (wanted: ReadonlySet<string>) => {
    if (store === undefined) return listFiles(routes, owner, wanted);
    const files = new Map((await store.list()).map((file) => [file.path, file]));
    // A process that was killed while it asked has left it behind.
    if (files.delete(PROBE) && routes.changes) await store.remove(PROBE);
    return files;
  };
  return {
    list,
    async sameContent(file, open, sha256) {
      if (store !== undefined) return store.hasBytes(file, open);
      const { body } = await client.download(...owner.file(file.path));
      const there = await hashOf(body);
      return there === (sha256 ?? (await hashOf(await open())));
    },
    async notArrived(written) {
      if (written.size === 0) return [];
      const arrived =
        store === undefined ? await listParents(routes, owner, written.keys()) : await list(new Set());
      return [...written].flatMap(([path, file]) => {
        const what = differenceOf(file, arrived.get(path));
        if (what === undefined) return [];
        const message = `Artifact ${JSON.stringify(path)} of ${owner.words} was accepted, but ${what}`;
        return [{ path, error: new MlferryError('MISMATCH', message) }];
      });
    },
  };
}

/** Whether the target has a file of this path, size and content. */
export async function holdsFile(
  context: { readonly client: TrackingClient; readonly routes: TargetRoutes },
  target: { readonly owner: ServerOwner; readonly sink: ArtifactSink | undefined },
  path: string,
  size: number,
  open: () => Promise<Readable>,
): Promise<boolean> {
  const held = heldFiles(context, target);
  const file = (await held.list(directoriesOf([path]))).get(path);
  return file?.size === size && (await held.sameContent(file, open, undefined));
}

function differenceOf(
  { size, etag }: PutFile & { readonly size: number },
  there: StoredFile | undefined,
): string | undefined {
  if (there === undefined) return 'is not there';
  if (there.size !== size) return `has ${there.size} bytes instead of ${size}`;
  const isOther = etag !== undefined && there.etag !== undefined && etag !== there.etag;
  return isOther ? 'has other bytes now' : undefined;
}

async function hashOf(body: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of bytesOf(body)) hash.update(chunk);
  return hash.digest('hex');
}

async function listFiles(
  routes: TargetRoutes,
  owner: ServerOwner,
  wanted: ReadonlySet<string>,
): Promise<Map<string, StoredFile>> {
  const files = new Map<string, StoredFile>();
  const waiting = wanted.size === 0 ? [] : [''];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { path, size } of await routes.listArtifacts(owner, directory)) {
      if (size !== undefined) files.set(path, { path, size });
      else if (wanted.has(path)) waiting.push(path);
    }
  }
  return files;
}

/** The files beside those of the paths. */
async function listParents(
  routes: TargetRoutes,
  owner: ServerOwner,
  paths: Iterable<string>,
): Promise<Map<string, StoredFile>> {
  const arrived = new Map<string, StoredFile>();
  for (const directory of new Set([...paths].map(parentOf))) {
    for (const { path, size } of await routes.listArtifacts(owner, directory))
      if (size !== undefined) arrived.set(path, { path, size });
  }
  return arrived;
}
