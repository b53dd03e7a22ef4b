import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { localSink } from './local/sink.ts';
import { type ArtifactProxy, proxiedSink } from './proxied.ts';
import { isOwnRoot, parseArtifactRoot } from './root.ts';
import type { ArtifactSink } from './sink.ts';

/**
 * The sink for the `artifact_uri` of the run `run_id`: through the tracking server for `mlflow-artifacts:` roots of that server, the
 * local disk for `file:` and plain paths that are a run's own (see {@link isOwnRoot}) and whose upper directories exist
 * here. `undefined` for any other root.
 */
export async function openArtifactSink(
  artifactUri: string,
  run_id: string,
  proxy: ArtifactProxy,
): Promise<ArtifactSink | undefined> {
  const root = parseArtifactRoot(artifactUri);
  if (root.kind === 'proxied') {
    return (root.host ?? proxy.host) === proxy.host ? proxiedSink(root.path, proxy) : undefined;
  }
  if (root.kind === 'directory')
    return isOwnRoot(root.path, run_id) && (await isReachable(root.path)) ? localSink(root.path) : undefined;
  const own = `${proxy.url}/`;
  return artifactUri.startsWith(own) ? proxiedSink(artifactUri.slice(own.length), proxy) : undefined;
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
