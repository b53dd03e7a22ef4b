import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MlferryError, systemCode } from '../util/errors.ts';
import { redact } from '../util/redact.ts';

/** Compression of a file, by its name. */
export type Compression = 'none' | 'gzip' | 'zstd';

/** A place, by its location text. */
export type Location =
  | { readonly kind: 'server'; readonly url: URL; readonly workspace: string | undefined }
  | { readonly kind: 'databricks'; readonly profile: string | undefined }
  | { readonly kind: 'filestore'; readonly path: string }
  | { readonly kind: 'archive'; readonly path: string; readonly compression: Compression }
  | { readonly kind: 'stream'; readonly path: string | undefined; readonly compression: Compression };

const SUFFIXES: ReadonlyArray<[suffix: string, kind: 'archive' | 'stream', compression: Compression]> = [
  ['.tar', 'archive', 'none'],
  ['.tar.gz', 'archive', 'gzip'],
  ['.tgz', 'archive', 'gzip'],
  ['.tar.zst', 'archive', 'zstd'],
  ['.ndjson', 'stream', 'none'],
  ['.ndjson.gz', 'stream', 'gzip'],
  ['.ndjson.zst', 'stream', 'zstd'],
];

const NOT_YET = /^(sqlite:|postgres(ql)?[:+]|mysql[:+])/;

/**
 * Which place a location names: the scheme decides, then the file name; any other path is an `mlruns` directory.
 * Throws LOCATION when it names none.
 */
export function parseLocation(text: string): Location {
  if (text === '-') return { kind: 'stream', path: undefined, compression: 'none' };
  if (/^https?:/i.test(text)) return serverLocation(text);
  if (/^databricks(:|$)/i.test(text)) return databricksLocation(text);
  if (NOT_YET.test(text)) {
    throw new MlferryError(
      'LOCATION',
      `"${redact(text)}" is a kind of place that this version cannot read or write`,
    );
  }
  const path = filePath(text);
  const name = basename(path).toLowerCase();
  for (const [suffix, kind, compression] of SUFFIXES) {
    if (name.endsWith(suffix) && name !== suffix) return { kind, path, compression };
  }
  if (isFile(path))
    throw new MlferryError('LOCATION', `"${text}" is a file, but not an archive or stream by its name`);
  return { kind: 'filestore', path };
}

function serverLocation(text: string): Location {
  if (!URL.canParse(text)) throw new MlferryError('LOCATION', `"${redact(text)}" is not a valid URL`);
  const url = new URL(text);
  const workspace = url.searchParams.get('workspace') ?? undefined;
  if (workspace === '') throw new MlferryError('LOCATION', `"${redact(text)}": the workspace has no name`);
  url.search = '';
  url.hash = '';
  return { kind: 'server', url, workspace };
}

/** `databricks` or `databricks://PROFILE`, as MLflow writes them (mlflow/utils/uri.py). */
function databricksLocation(text: string): Location {
  if (/^databricks$/i.test(text)) return { kind: 'databricks', profile: undefined };
  const profile = /^databricks:\/\/([^/:\s]+)\/?$/i.exec(text)?.[1];
  if (profile !== undefined) return { kind: 'databricks', profile };
  throw new MlferryError('LOCATION', `"${redact(text)}" is not of the form databricks://PROFILE`);
}

function filePath(text: string): string {
  if (text === '') throw new MlferryError('LOCATION', 'An empty text names no place');
  if (!/^[a-z][a-z0-9+.-]+:/i.test(text)) return text;
  if (!text.startsWith('file:')) {
    throw new MlferryError('LOCATION', `"${redact(text)}": mlferry does not know places of this scheme`);
  }
  try {
    return fileURLToPath(text);
  } catch (error) {
    throw new MlferryError('LOCATION', `"${text}" is not a valid file URL`, { cause: error });
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return false;
    throw new MlferryError(
      'LOCATION',
      `"${path}" cannot be looked at: ${systemCode(error) ?? String(error)}`,
      { cause: error },
    );
  }
}
