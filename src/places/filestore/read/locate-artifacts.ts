import { readdir, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isInside } from '../../../artifacts/local/is-inside.ts';
import { isOwnRoot } from '../../../artifacts/root.ts';
import { isDirectory } from '../layout/layout.ts';

/**
 * Where the artifacts of a run are. `unreachable`: the place that is recorded is not one of this machine. `away`: a
 * symbolic link leads to a directory that is neither in the store nor this run's own; it is not followed.
 */
export interface ArtifactHome {
  readonly path: string;
  readonly unreachable: boolean;
  readonly away: boolean;
}

function localPath(uri: string): string | undefined {
  if (uri.startsWith('file:')) {
    try {
      return fileURLToPath(uri);
    } catch {
      return undefined;
    }
  }
  return isAbsolute(uri) ? uri : undefined;
}

/**
 * Finds the artifacts of a run: the recorded directory when it is there and is this run's (`…/<run_id>/artifacts`),
 * else the one beside `meta.yaml`, because recorded paths go stale when a store moves. Of a server's proxied
 * artifacts (`mlflow-artifacts:`) the default directory `mlartifacts` beside the store is tried.
 */
export async function locateArtifacts(
  root: string,
  runDir: string,
  runId: string,
  uri: string,
): Promise<ArtifactHome> {
  const beside = join(runDir, 'artifacts');
  const at = async (path: string, unreachable = false) => ({
    path,
    unreachable,
    away: await leadsAway(path, root, runDir, runId),
  });
  const local = localPath(uri);
  if (local !== undefined) {
    return at(isOwnRoot(local, runId) && (await isDirectory(local)) ? local : beside);
  }
  if (!/^[a-z][a-z0-9+.-]*:/i.test(uri)) return at(beside);
  const proxied = /^mlflow-artifacts:(?:\/\/[^/]*)?\/+(.*)$/.exec(uri)?.[1];
  if (proxied !== undefined && !proxied.split('/').includes('..')) {
    const path = join(dirname(root), 'mlartifacts', proxied);
    if (await isDirectory(path)) return at(path);
  }
  const held = (await isDirectory(beside)) && (await readdir(beside)).length > 0;
  return at(beside, !held);
}

/** Whether links on the way lead to a directory that has nothing to do with this run: any of this machine's. */
async function leadsAway(path: string, root: string, runDir: string, runId: string): Promise<boolean> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined || isOwnRoot(real, runId)) return false;
  const homes = [root, runDir, dirname(root)].map((home) => realpath(home).catch(() => home));
  const [store = root, run = runDir, above = root] = await Promise.all(homes);
  return ![store, run, join(above, 'mlartifacts')].some((home) => isInside(home, real));
}
