import { execFile } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { MlferryError } from '../util/errors.ts';
import { contentType } from './content-type.ts';
import { absent } from './refusal.ts';
import type { PageReply } from './reply.ts';

/** Where the pages stand in the package of MLflow. */
const BUILD = join('server/js/build');

/** The pages of an installed MLflow, served from its own files. */
export interface MlflowPages {
  readonly directory: string;
  /** The first page (an empty path), or a file below `static-files/`. Throws a Refusal for anything else. */
  file(path: string): PageReply;
}

/** Types of what pages are made of, beside those of content-type.ts. */
const PAGE_TYPES: ReadonlyArray<readonly [RegExp, string]> = [
  [/\.html$/, 'text/html; charset=utf-8'],
  [/\.js$/, 'text/javascript; charset=utf-8'],
  [/\.css$/, 'text/css; charset=utf-8'],
  [/\.wasm$/, 'application/wasm'],
  [/\.ico$/, 'image/x-icon'],
  [/\.woff2$/, 'font/woff2'],
];

/** What MLflow's pages need to run; they reach nothing but this server. */
const POLICY =
  "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; " +
  "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; " +
  "frame-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'self'; form-action 'self'";

/**
 * The pages of MLflow: of the package or environment at `given`, else of the active environment, else of `python3`. `undefined` where there
 * is none; throws LOCATION where `given` has none.
 */
export async function findMlflowPages(
  given: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<MlflowPages | undefined> {
  const places = given === undefined ? await installed(environment) : await below(given);
  for (const place of places) {
    const directory = join(place, BUILD);
    const files = await filesOf(directory);
    if (files.has('index.html')) return pagesOf(directory, files);
  }
  if (given === undefined) return undefined;
  throw new MlferryError('LOCATION', `${given} has no pages of MLflow`, {
    hint: 'Name an environment of Python with MLflow, or the directory of its package.',
  });
}

function pagesOf(directory: string, files: ReadonlyMap<string, number>): MlflowPages {
  return {
    directory,
    file(path) {
      const name = path === '' ? 'index.html' : path.replace(/^static-files\//, '');
      const size = path === '' || path.startsWith('static-files/') ? files.get(name) : undefined;
      if (size === undefined) throw absent(`The page ${path}`);
      return {
        name,
        size,
        type: PAGE_TYPES.find(([end]) => end.test(name))?.[1] ?? contentType(name),
        policy: POLICY,
        open: async () => createReadStream(join(directory, name)),
      };
    },
  };
}

/** The files below a directory with their sizes: nothing else of it is ever opened. */
async function filesOf(directory: string): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    found.set(relative(directory, path).split(sep).join('/'), (await stat(path)).size);
  }
  return found;
}

/** Directories of the package below an environment, or the package itself. */
async function below(place: string): Promise<string[]> {
  const versions = await readdir(join(place, 'lib')).catch(() => []);
  return [place, ...versions.map((version) => join(place, 'lib', version, 'site-packages', 'mlflow'))];
}

/** Where Python says the package is, without importing it. */
const ASK =
  'import importlib.util as u; s = u.find_spec("mlflow"); print(list(s.submodule_search_locations)[0] if s else "")';

async function installed({
  VIRTUAL_ENV,
  PATH,
}: Readonly<Record<string, string | undefined>>): Promise<string[]> {
  const active = VIRTUAL_ENV === undefined ? [] : await below(VIRTUAL_ENV);
  try {
    const { stdout } = await promisify(execFile)('python3', ['-I', '-c', ASK], {
      env: { PATH },
      timeout: 10_000,
    });
    return [...active, stdout.trim()].filter((place) => place !== '');
  } catch {
    return active;
  }
}
