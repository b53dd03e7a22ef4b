import { basename, dirname, isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where a run's artifacts are, by its `artifact_uri`. */
export type ArtifactRoot =
  /** Served by a tracking server: `mlflow-artifacts:/…`. `host` when the URI names one. */
  | { readonly kind: 'proxied'; readonly host: string | undefined; readonly path: string }
  /** A directory, as seen from the machine that logged the run. */
  | { readonly kind: 'directory'; readonly path: string }
  /** Anything else: `s3`, `gs`, `dbfs` … */
  | { readonly kind: 'other'; readonly scheme: string };

/** Reads an `artifact_uri`. A relative path counts as `other`: it is relative to the server's working directory. */
export function parseArtifactRoot(uri: string): ArtifactRoot {
  const proxied = /^mlflow-artifacts:(?:\/\/([^/]*))?\/*(.*)$/s.exec(uri);
  if (proxied) {
    return { kind: 'proxied', host: proxied[1] || undefined, path: (proxied[2] ?? '').replace(/\/+$/, '') };
  }
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === undefined && isAbsolute(uri)) return { kind: 'directory', path: uri };
  if (scheme === 'file') {
    const path = pathOfFileUrl(uri);
    if (path !== undefined) return { kind: 'directory', path };
  }
  return { kind: 'other', scheme: scheme ?? 'relative path' };
}

/**
 * Whether a directory is the artifact root of this very run, `…/<run_id>/artifacts`: MLflow makes every root so. A server
 * that names another directory of this machine gets nothing of it and puts nothing there.
 */
export function isOwnRoot(directory: string, run_id: string): boolean {
  return basename(directory) === 'artifacts' && basename(dirname(directory)) === run_id;
}

/**
 * The same of a URI in a store: whether it is in the artifact root of what has this id. Credentials of this machine are used for
 * nothing else.
 */
export function isInOwnRoot(uri: string, id: string): boolean {
  const parts = uri.split('/');
  const at = parts.lastIndexOf(id);
  return at > 2 && parts[at + 1] === 'artifacts' && !parts.some((part) => part === '..' || part === '.');
}

function pathOfFileUrl(uri: string): string | undefined {
  try {
    return fileURLToPath(uri);
  } catch {
    return undefined;
  }
}
