import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isAlteredPath } from '../model/mlflow/altered-paths.ts';
import { asMlferryError, MlferryError, systemCode } from '../util/errors.ts';
import { isOwnRoot, parseArtifactRoot } from './root.ts';

/** Where the files of one run are written to. Paths are relative to the run's artifact root, with `/`. */
export interface ArtifactSink {
  readonly kind: 'proxied' | 'local';
  /** Whether a file of this path arrives under this very path. */
  keepsName(path: string): boolean;
  /** Writes a file of `size` bytes, replacing one that is there. `open` gives a fresh stream for each try. */
  put(path: string, size: number, open: () => Promise<Readable>): Promise<void>;
  /** Only local: removes a file. */
  remove?(path: string): Promise<void>;
}

/** The artifact proxy of a tracking server. */
export interface ArtifactProxy {
  /** The `host[:port]` of the server: roots that name another one are not its own. */
  readonly host: string;
  /** URL of the proxy's root, without a slash at its end. */
  readonly url: string;
  /** Writes a file below the proxy's root; the path is encoded on its way. */
  put(path: string, size: number, open: () => Promise<Readable>): Promise<void>;
}

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

function proxiedSink(root: string, proxy: ArtifactProxy): ArtifactSink {
  const whole = (path: string) =>
    `${root}/${path}`
      .split('/')
      .filter((segment) => segment !== '')
      .join('/');
  return {
    kind: 'proxied',
    keepsName: isNameKeptByProxy,
    put: (path, size, open) => proxy.put(whole(path), size, open),
  };
}

/** Whether the proxied route keeps a name: a segment that begins with `?` gets lost on the way there only. */
function isNameKeptByProxy(path: string): boolean {
  return path.isWellFormed() && !isAlteredPath(path) && !/(^|\/)\?/.test(path) && isNormalized(path);
}

function isNormalized(path: string): boolean {
  return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
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

function localSink(root: string): ArtifactSink {
  return {
    kind: 'local',
    keepsName: (path) => path.isWellFormed() && !path.includes('\0') && isNormalized(path),
    remove: (path) => rm(join(root, path), { force: true }),
    async put(path, size, open) {
      const file = join(root, path);
      const partial = `${file}.mlferry-partial`;
      try {
        await mkdir(dirname(file), { recursive: true });
        await pipeline(await open(), createWriteStream(partial));
        const written = (await stat(partial)).size;
        if (written !== size)
          throw new MlferryError('SHORT_BODY', `${path}: ${written} bytes came instead of ${size}`);
        await rename(partial, file);
      } catch (error) {
        await rm(partial, { force: true });
        throw asMlferryError(
          error,
          'REFUSED',
          `${file} cannot be written (${systemCode(error) ?? 'no system code'})`,
        );
      }
    },
  };
}
