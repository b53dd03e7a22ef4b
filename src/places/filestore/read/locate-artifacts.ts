import { readdir, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isInside } from '../../../artifacts/local/is-inside.ts';
import { isOwnRoot } from '../../../artifacts/root.ts';
import { isDirectory, listRunDirs } from '../layout/layout.ts';

/**
 * Where the artifacts of a run are. `unreachable`: the recorded root, of which nothing is on this machine. `away`: a
 * symbolic link leads to a directory that is neither in the store nor this run's own; it is not followed.
 */
export interface ArtifactHome {
  readonly path: string;
  readonly unreachable?: string;
  readonly away: boolean;
}

/** Whose files they are: a run, or a logged model. */
export interface StoreOwner {
  readonly id: string;
  /** The directory with its `meta.yaml`. */
  readonly directory: string;
  readonly artifact_uri: string;
}

/** Finds the artifacts of what stands in a store. */
export type ArtifactLocator = (owner: StoreOwner) => Promise<ArtifactHome>;

/** A recorded place, taken apart: `<root>/<experiment_id>/<run_id>/artifacts`, as MLflow makes it. */
interface Recorded {
  /** As recorded, for people. */
  readonly root: string;
  /** The part below the root; `undefined` for a place that MLflow did not make. */
  readonly below: string | undefined;
  /** The directory, where it is a path, of this machine or of another. */
  readonly path: string | undefined;
  readonly isProxied: boolean;
}

function recorded(uri: string, id: string): Recorded {
  const path = localPath(uri);
  const proxied = /^mlflow-artifacts:(?:\/\/[^/]*)?\/*/.exec(uri)?.[0];
  const text = path ?? uri;
  const end = `/${id}/artifacts`;
  const whole = text.replace(/\/+$/, '');
  const above = whole.endsWith(end) ? whole.slice(0, -end.length) : undefined;
  // The directory of a logged model or trace is one deeper.
  const experiment = above?.replace(/\/(?:models|traces)$/, '');
  const root = experiment?.slice(0, Math.max(0, experiment.lastIndexOf('/')));
  const isProxied = proxied !== undefined;
  if (isProxied) return { root: 'mlflow-artifacts:/', below: uri.slice(proxied.length), path, isProxied };
  if (root === undefined) return { root: uri, below: undefined, path, isProxied };
  return { root: root === '' ? '/' : root, below: whole.slice(root.length + 1), path, isProxied };
}

/** The path of a `file:` URI or a plain path, also one of Windows, with `/`. */
function localPath(uri: string): string | undefined {
  if (uri.startsWith('file:')) {
    try {
      return withoutDriveSlash(fileURLToPath(uri));
    } catch {
      return undefined;
    }
  }
  if (/^[a-z]:[\\/]/i.test(uri)) return uri.replaceAll('\\', '/');
  return isAbsolute(uri) ? uri : undefined;
}

const withoutDriveSlash = (path: string) => path.replace(/^\/(?=[a-z]:\/)/i, '');

/**
 * A locator for the store at `root`. In this order: the recorded directory when it is there and is the owner's
 * (`…/<id>/artifacts`); the same below `artifactsRoot`, or of a server's proxied artifacts (`mlflow-artifacts:`) below
 * `mlartifacts` beside the store; the directory beside `meta.yaml`, because recorded paths go stale when a store moves.
 * Where none has files, there are none if the recorded root is there, or is what the store was before it moved.
 */
export function artifactLocator(root: string, artifactsRoot: string | undefined): ArtifactLocator {
  const told = artifactsRoot ?? root;
  const sibling = join(dirname(root), 'mlartifacts');
  const holders = new Map<string, Promise<boolean>>();
  /** Whether any run of an experiment has its files in the store: then all have. */
  const holdsFiles = (experimentDir: string) => {
    const found = holders.get(experimentDir) ?? anyHasFiles(experimentDir);
    holders.set(experimentDir, found);
    return found;
  };

  /** Whether the recorded root is known on this machine. */
  const isRootHere = async (place: Recorded, served: string | undefined, directory: string) => {
    if (artifactsRoot !== undefined) return true;
    if (place.isProxied) return served !== undefined && (await isDirectory(served));
    if (place.path === undefined || place.below === undefined) return false;
    return (
      (await isDirectory(place.root)) ||
      basename(place.root) === basename(root) ||
      (await holdsFiles(dirname(directory)))
    );
  };

  return async ({ id, directory, artifact_uri: uri }) => {
    const beside = join(directory, 'artifacts');
    const at = async (path: string) => ({ path, away: await leadsAway(path, id, [directory, root, told]) });
    const place = recorded(uri, id);
    if (place.path !== undefined && isOwnRoot(place.path, id) && (await isDirectory(place.path)))
      return at(place.path);
    const served = artifactsRoot ?? (place.isProxied ? sibling : undefined);
    if (served !== undefined && place.below !== undefined && !place.below.split('/').includes('..')) {
      const path = join(served, place.below);
      if (place.below !== '' && (await isDirectory(path))) return at(path);
    }
    if (await hasFiles(beside)) return at(beside);
    // A relative path, or none, is that of the store itself.
    const isElsewhere = place.path !== undefined || /^[a-z][a-z0-9+.-]*:/i.test(uri);
    if (!isElsewhere || (await isRootHere(place, served, directory))) return at(beside);
    return { ...(await at(beside)), unreachable: place.root };
  };
}

async function anyHasFiles(experimentDir: string): Promise<boolean> {
  for (const name of await listRunDirs(experimentDir))
    if (await hasFiles(join(experimentDir, name, 'artifacts'))) return true;
  return false;
}

async function hasFiles(directory: string): Promise<boolean> {
  return (await isDirectory(directory)) && (await readdir(directory)).length > 0;
}

/**
 * Whether links on the way lead to a directory that has nothing to do with the owner: any of this machine's. `homes`: its
 * own, the store (with `mlartifacts` beside it) and what was told.
 */
async function leadsAway(
  path: string,
  id: string,
  homes: readonly [own: string, store: string, told: string],
): Promise<boolean> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined || isOwnRoot(real, id)) return false;
  const resolve = (home: string) => realpath(home).catch(() => home);
  const above = await resolve(dirname(homes[1]));
  const allowed = [...(await Promise.all(homes.map(resolve))), join(above, 'mlartifacts')];
  return !allowed.some((home) => isInside(home, real));
}
