import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { MlferryError } from '../../../util/errors.ts';
import { bytesOf } from '../connect/body.ts';
import type { ServerOwner } from '../connect/owner.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { directoriesOf, parentOf } from './artifact-names.ts';
import type { TargetRoutes } from './target-routes.ts';

/** A file that did not arrive, and why. */
export interface FailedFile {
  readonly path: string;
  readonly error: MlferryError;
}

/** Whether a file of the target has the bytes of this one; both are read, unless the sha256 is known. */
export async function sameContent(
  client: TrackingClient,
  owner: ServerOwner,
  path: string,
  open: () => Promise<Readable>,
  sha256: string | undefined,
): Promise<boolean> {
  const { body } = await client.download(...owner.file(path));
  const there = await hashOf(body);
  return there === (sha256 ?? (await hashOf(await open())));
}

/** Whether the target has a file of this path, size and content. */
export async function holdsFile(
  { client, routes }: { client: TrackingClient; routes: TargetRoutes },
  owner: ServerOwner,
  path: string,
  size: number,
  open: () => Promise<Readable>,
): Promise<boolean> {
  const files = await listFiles(routes, owner, directoriesOf([path]));
  return files.get(path) === size && (await sameContent(client, owner, path, open, undefined));
}

async function hashOf(body: Readable): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of bytesOf(body)) hash.update(chunk);
  return hash.digest('hex');
}

/** The files in those of the wanted directories that exist: path → size. */
export async function listFiles(
  routes: TargetRoutes,
  owner: ServerOwner,
  wanted: ReadonlySet<string>,
): Promise<Map<string, number>> {
  const files = new Map<string, number>();
  const waiting = wanted.size === 0 ? [] : [''];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const { path, size } of await routes.listArtifacts(owner, directory)) {
      if (size !== undefined) files.set(path, size);
      else if (wanted.has(path)) waiting.push(path);
    }
  }
  return files;
}

/** The files that are not there with their sizes, each a MISMATCH. */
export async function notArrived(
  routes: TargetRoutes,
  owner: ServerOwner,
  written: ReadonlyMap<string, number>,
): Promise<FailedFile[]> {
  const directories = new Set([...written.keys()].map(parentOf));
  const arrived = new Map<string, number>();
  for (const directory of directories) {
    for (const { path, size } of await routes.listArtifacts(owner, directory))
      if (size !== undefined) arrived.set(path, size);
  }
  return [...written].flatMap(([path, size]) => {
    const there = arrived.get(path);
    if (there === size) return [];
    const what = there === undefined ? 'is not there' : `has ${there} bytes instead of ${size}`;
    const message = `Artifact ${JSON.stringify(path)} of ${owner.words} was accepted, but ${what}`;
    return [{ path, error: new MlferryError('MISMATCH', message) }];
  });
}
