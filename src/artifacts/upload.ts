import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
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

/** The part of a tracking server's client that uploads need. */
export interface Uploader {
  /** Base URL with its path prefix. */
  readonly base: URL;
  upload(path: string, size: number, open: () => Promise<Readable>): Promise<void>;
}

const ROUTE = '/api/2.0/mlflow-artifacts/artifacts';

/**
 * The sink for the `artifact_uri` of the run `run_id`: through the tracking server for `mlflow-artifacts:` roots of that server, the
 * local disk for `file:` and plain paths that are a run's own (see {@link isOwnRoot}) and whose upper directories exist
 * here. `undefined` for any other root.
 */
export async function openArtifactSink(
  artifactUri: string,
  run_id: string,
  server: Uploader,
): Promise<ArtifactSink | undefined> {
  const root = parseArtifactRoot(artifactUri);
  if (root.kind === 'proxied') {
    return (root.host ?? server.base.host) === server.base.host ? proxiedSink(root.path, server) : undefined;
  }
  if (root.kind === 'directory')
    return isOwnRoot(root.path, run_id) && (await isReachable(root.path)) ? localSink(root.path) : undefined;
  const own = `${server.base.href.replace(/\/+$/, '')}${ROUTE}/`;
  return artifactUri.startsWith(own) ? proxiedSink(artifactUri.slice(own.length), server) : undefined;
}

function proxiedSink(root: string, server: Uploader): ArtifactSink {
  const encode = (path: string) =>
    path
      .split('/')
      .filter((segment) => segment !== '')
      .map(encodeURIComponent)
      .join('/');
  return {
    kind: 'proxied',
    keepsName: isNameKeptByProxy,
    put: (path, size, open) => server.upload(`${ROUTE}/${encode(root)}/${encode(path)}`, size, open),
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the servers alter
const ALTERED = /%[0-9a-f]{2}|#|[\u0000-\u001f\u007f]|(^|\/)\?|[?;]$/i;
/** What looks like the scheme of a URL loses its capitals. */
const SCHEME = /^[a-z+.-]*[A-Z][A-Za-z0-9+.-]*:/;

/**
 * Whether the proxied route keeps a name. Servers decode the path until it does not change any more, so `%41.txt`
 * arrives as `A.txt` and `per%cent` with a replacement character, and take it for a URL; `#` is refused, control
 * characters are refused, dropped or encoded, depending on the version (tried with 2.9.2, 2.22.5, 3.1.4, 3.17.2).
 */
function isNameKeptByProxy(path: string): boolean {
  return path.isWellFormed() && !ALTERED.test(path) && !SCHEME.test(path) && isNormalized(path);
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
