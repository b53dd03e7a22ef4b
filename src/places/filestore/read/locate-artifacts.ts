import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { leadsAway } from '../../../artifacts/local/leads-away.ts';
import { type Recorded, recorded } from '../../../artifacts/local/recorded-root.ts';
import { isOwnRoot } from '../../../artifacts/root.ts';
import type { ArtifactStore } from '../../../artifacts/store.ts';
import { type ArtifactStores, ownStore } from '../../../artifacts/stores.ts';
import { isDirectory, listRunDirs } from '../layout/layout.ts';

/**
 * Where the artifacts of a run are. `unreachable`: the recorded root, of which nothing is on this machine. `away`: a
 * symbolic link leads to a directory that is neither in the store nor this run's own; it is not followed.
 */
export interface ArtifactHome {
  readonly path: string;
  readonly unreachable?: string;
  /** Where they are in a store that this machine reaches: then they are not at `path`. */
  readonly store?: ArtifactStore;
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

/**
 * A locator for the store at `root`. In this order: the recorded directory when it is there and is the owner's
 * (`…/<id>/artifacts`); the same below `artifactsRoot`, or of a server's proxied artifacts (`mlflow-artifacts:`) below
 * `mlartifacts` beside the store; the directory beside `meta.yaml`, because recorded paths go stale when a store moves.
 * Where none has files, a store is asked that the recorded root names; else there are none if the recorded root is there, or is what the store was before it moved.
 */
export function artifactLocator(
  root: string,
  artifactsRoot: string | undefined,
  stores: ArtifactStores,
): ArtifactLocator {
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
    const at = async (path: string) => ({
      path,
      away: await leadsAway(path, id, [directory, root, told, sibling]),
    });
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
    const store = await ownStore(stores, uri, id);
    if (store !== undefined && typeof store !== 'string') return { path: beside, away: false, store };
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
