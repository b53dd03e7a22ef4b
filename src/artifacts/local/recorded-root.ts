import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A recorded place, taken apart: `<root>/<experiment_id>/<run_id>/artifacts`, as MLflow makes it. */
export interface Recorded {
  /** As recorded, for people. */
  readonly root: string;
  /** The part below the root; `undefined` for a place that MLflow did not make. */
  readonly below: string | undefined;
  /** The directory, where it is a path, of this machine or of another. */
  readonly path: string | undefined;
  readonly isProxied: boolean;
}

/** Takes the `artifact_uri` of what has this id apart. */
export function recorded(uri: string, id: string): Recorded {
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
