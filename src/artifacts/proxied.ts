import type { Readable } from 'node:stream';
import { isAlteredPath } from '../model/mlflow/altered-paths.ts';
import { isNormalized } from './artifact-path.ts';
import type { ArtifactSink } from './sink.ts';

/** The artifact proxy of a tracking server. */
export interface ArtifactProxy {
  /** The `host[:port]` of the server: roots that name another one are not its own. */
  readonly host: string;
  /** URL of the proxy's root, without a slash at its end. */
  readonly url: string;
  /** Writes a file below the proxy's root; the path is encoded on its way. */
  put(path: string, size: number, open: () => Promise<Readable>): Promise<void>;
}

/** The sink for a root at a server's artifact proxy. */
export function proxiedSink(root: string, proxy: ArtifactProxy): ArtifactSink {
  const whole = (path: string) =>
    `${root}/${path}`
      .split('/')
      .filter((segment) => segment !== '')
      .join('/');
  return {
    kind: 'proxied',
    // A segment that begins with `?` gets lost on the way there only.
    keepsName: (path) =>
      path.isWellFormed() && !isAlteredPath(path) && !/(^|\/)\?/.test(path) && isNormalized(path),
    async put(path, size, open) {
      await proxy.put(whole(path), size, open);
      return { etag: undefined };
    },
  };
}
