import { realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { leadsAway } from '../../../artifacts/local/leads-away.ts';
import { type Recorded, recorded } from '../../../artifacts/local/recorded-root.ts';
import { isOwnRoot } from '../../../artifacts/root.ts';
import type { ArtifactStore } from '../../../artifacts/store.ts';
import { type ArtifactStores, ownStore } from '../../../artifacts/stores.ts';

/** Where the files of a run, logged model or trace are: in a directory, nowhere because there are none, or why not. */
export type ArtifactHome =
  | { readonly path?: string }
  /** A symbolic link out of all that belongs to the database. */
  | { readonly away: string }
  /** In a store that this machine reaches. */
  | { readonly store: ArtifactStore }
  /** The recorded root, of which nothing is on this machine. */
  | { readonly unreachable: string };

/** Finds the files of what has this id and `artifact_uri`. */
export type ArtifactLocator = (owner: { id: string; artifact_uri: string }) => Promise<ArtifactHome>;

/** Directories in which MLflow puts artifacts beside a database, unless it is told otherwise. */
const BESIDE = ['mlruns', 'mlartifacts'];

/**
 * A locator for a database whose file is in `base` (`undefined`: it is no file). A directory is the owner's only if it is
 * `…/<id>/artifacts`. In this order: the recorded one, a relative one below `base`; the same below `artifactsRoot`, where the
 * user says that the recorded root stands now; the same below `mlruns` and `mlartifacts` beside the database, because recorded
 * paths go stale when a directory moves, and a server's `mlflow-artifacts:` tells none. Where none of these is there, a store is
 * asked.
 */
export function artifactLocator({
  base,
  artifactsRoot,
  workspace,
  stores,
}: {
  readonly base: string | undefined;
  readonly artifactsRoot: string | undefined;
  readonly workspace: string | undefined;
  readonly stores: ArtifactStores;
}): ArtifactLocator {
  const beside = base === undefined ? [] : BESIDE.map((name) => join(base, name));
  const roots = [...(artifactsRoot === undefined ? [] : [artifactsRoot]), ...beside];

  /** Directories of experiments, which many runs share: where one is not there, none of its runs is looked for in it. */
  const known = new Map<string, Promise<boolean>>();
  const isShared = (directory: string) => {
    const found = known.get(directory) ?? isDirectory(directory);
    known.set(directory, found);
    return found;
  };

  const candidates = (place: Recorded, relative: string | undefined): string[] => {
    const { path, below } = place;
    const own = path ?? (base !== undefined && relative !== undefined ? resolve(base, relative) : undefined);
    const parts = below === undefined || below.split('/').includes('..') ? [] : [below];
    if (workspace !== undefined && place.isProxied)
      parts.push(...parts.map((part) => `workspaces/${workspace}/${part}`));
    const all = [
      ...(own === undefined ? [] : [own]),
      ...roots.flatMap((root) => parts.map((part) => join(root, part))),
    ];
    return [...new Set(all)];
  };

  /** Whether a root of which no file is found is known to be here: then there are no files. */
  const isHere = async (place: Recorded, relative: string | undefined) => {
    if (artifactsRoot !== undefined) return true;
    if (place.isProxied) return (await Promise.all(beside.map(isShared))).includes(true);
    if (relative !== undefined) return base !== undefined;
    if (place.path === undefined) return false;
    if (await isShared(place.root)) return true;
    return base !== undefined && (await real(dirname(place.root))) === (await real(base));
  };

  return async ({ id, artifact_uri: uri }) => {
    const place = recorded(uri, id);
    const relative = relativePath(uri);
    for (const path of candidates(place, relative)) {
      if (!isOwnRoot(path, id)) continue;
      if (!(await isShared(dirname(dirname(path)))) || !(await isDirectory(path))) continue;
      return (await leadsAway(path, id, roots)) ? { away: path } : { path };
    }
    if (await isHere(place, relative)) return {};
    const store = await ownStore(stores, uri, id);
    if (store !== undefined && typeof store !== 'string') return { store };
    return { unreachable: place.root };
  };
}

/** A path that is relative to where MLflow ran: without a scheme, or `file:./mlruns`. */
export function relativePath(uri: string): string | undefined {
  const [, path] = /^(?:file:)?(?![a-z][a-z0-9+.-]*:)([^/\\].*)$/is.exec(uri) ?? [];
  return path;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}

async function real(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}
