import picomatch from 'picomatch';
import { MODELS_FILE } from '../model/own-files.ts';
import { MlferryError } from '../util/errors.ts';

/** Which files of runs and other objects are taken along. */
export interface FileRules {
  /** Globs of which a path must fit one; none: all paths. */
  readonly include: readonly string[];
  /** Globs of which a path must fit none. */
  readonly exclude: readonly string[];
  /** Bytes; a file of unknown size is no larger. */
  readonly max_size: number | undefined;
}

/** What a caller may say of it. */
export interface FileOptions {
  /** Only files whose path, or that of a directory above them, fits one of these globs. A glob without `/` is about names alone. */
  readonly includeArtifacts?: readonly string[] | undefined;
  /** No files whose path, or that of a directory above them, fits one of these globs. It counts last. */
  readonly excludeArtifacts?: readonly string[] | undefined;
  /** No larger files (bytes). */
  readonly maxArtifactSize?: number | undefined;
}

/** What the options leave. Throws USAGE for an empty glob. */
export function fileRulesOf({
  includeArtifacts = [],
  excludeArtifacts = [],
  maxArtifactSize,
}: FileOptions): FileRules {
  if ([...includeArtifacts, ...excludeArtifacts].some((glob) => glob.replace(/\/+$/, '') === ''))
    throw new MlferryError('USAGE', 'A glob of artifacts is empty');
  return { include: includeArtifacts, exclude: excludeArtifacts, max_size: maxArtifactSize };
}

/** Whether all files are taken along. */
export function takesAllFiles({ include, exclude, max_size }: FileRules): boolean {
  return include.length + exclude.length === 0 && max_size === undefined;
}

/** Whether a file is taken along; `path` is relative to the root of its object. */
export type IsTaken = (file: { readonly path: string; readonly size?: number | undefined }) => boolean;

/** The rules as a question. What mlferry itself keeps of logged models in a file is no file of the source. */
export function fileChooser({ include, exclude, max_size }: FileRules): IsTaken {
  const [included, excluded] = [include, exclude].map(matcherOf);
  return ({ path, size = 0 }) =>
    path === MODELS_FILE ||
    ((include.length === 0 || included?.(path) === true) &&
      excluded?.(path) !== true &&
      (max_size === undefined || size <= max_size));
}

/** Whether a path, or a directory above it, fits a glob. */
function matcherOf(globs: readonly string[]): (path: string) => boolean {
  const fit = globs.map((glob) => {
    const pattern = glob.replace(/\/+$/, '').replace(/^\//, '');
    return picomatch(pattern, { dot: true, basename: !glob.replace(/\/+$/, '').includes('/') });
  });
  return (path) => {
    const ends = [...path.matchAll(/\//g)].map(({ index }) => index);
    return [...ends, path.length].some((end) => fit.some((fits) => fits(path.slice(0, end))));
  };
}
