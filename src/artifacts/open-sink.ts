import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { localSink } from './local/sink.ts';
import { type ArtifactProxy, proxiedSink } from './proxied.ts';
import { isInOwnRoot, isOwnRoot, parseArtifactRoot } from './root.ts';
import type { ArtifactSink } from './sink.ts';
import type { ArtifactStore } from './store.ts';
import type { ArtifactStores } from './stores.ts';

/** By what the files of a run can be reached. */
export interface ArtifactWays {
  readonly proxy: ArtifactProxy;
  readonly stores: ArtifactStores;
}

/**
 * The sink for the `artifact_uri` of the run `run_id`: through the tracking server for `mlflow-artifacts:` roots of that server, the
 * local disk for `file:` and plain paths that are a run's own (see {@link isOwnRoot}) and whose upper directories exist
 * here, an object store that can be reached from here, where the root is a run's own as well. `undefined` for any other root.
 */
export async function openArtifactSink(
  artifactUri: string,
  run_id: string,
  { proxy, stores }: ArtifactWays,
): Promise<ArtifactSink | undefined> {
  const root = parseArtifactRoot(artifactUri);
  if (root.kind === 'proxied') {
    return (root.host ?? proxy.host) === proxy.host ? proxiedSink(root.path, proxy) : undefined;
  }
  if (root.kind === 'directory')
    return isOwnRoot(root.path, run_id) && (await isReachable(root.path)) ? localSink(root.path) : undefined;
  const own = `${proxy.url}/`;
  if (artifactUri.startsWith(own)) return proxiedSink(artifactUri.slice(own.length), proxy);
  const store = isInOwnRoot(artifactUri, run_id) ? await stores.at(artifactUri) : undefined;
  return store === undefined || typeof store === 'string' ? undefined : storeSink(store);
}

function storeSink(store: ArtifactStore): ArtifactSink {
  return {
    kind: 'store',
    store,
    keepsName: (path) => store.pathProblem(path) === undefined,
    put: store.put,
    remove: store.remove,
  };
}

/** Whether the directory above the experiment's root exists: the lower ones are made with the first file. */
async function isReachable(root: string): Promise<boolean> {
  const above = dirname(dirname(dirname(root)));
  try {
    return above !== '/' && (await stat(above)).isDirectory();
  } catch {
    return false;
  }
}
