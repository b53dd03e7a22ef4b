import type { ArtifactEntry } from '../places/artifact-owner.ts';
import { type FoundFiles, withFilesOf } from './files-of.ts';
import type { ListOptions } from './list-runs.ts';

/** A file, or a directory with all that is in it. */
export interface ListedArtifact {
  /** Below the artifact root, with `/`. */
  readonly path: string;
  readonly type: 'file' | 'directory';
  /** Bytes, of a directory those of all its files; absent where the place does not tell them. */
  readonly size?: number;
  /** Of a directory: how many there are in it, at any depth. */
  readonly files?: number;
  /** Where the place knows it without reading the file. */
  readonly sha256?: string;
}

/** Files of one object, as they are listed. */
export interface ArtifactList extends FoundFiles {
  readonly artifacts: readonly ListedArtifact[];
}

/** Options of {@link listArtifacts}. */
export interface ListArtifactsOptions extends ListOptions {
  /** All files at any depth, and no directories. */
  readonly recursive?: boolean | undefined;
}

/**
 * Lists the files of a run, logged model or model version of any place, in code-unit order: what is in the directory `path`, or
 * that file. Throws as {@link withFilesOf}.
 */
export async function listArtifacts(
  location: string,
  name: string,
  path: string,
  { recursive = false, ...options }: ListArtifactsOptions = {},
): Promise<ArtifactList> {
  const { found, result } = await withFilesOf(location, name, path, options, async (_, entries) => entries);
  return { ...found, artifacts: recursive ? result.map(asFile) : level(result, found.path) };
}

const asFile = ({ path, size, sha256 }: ArtifactEntry): ListedArtifact => ({
  path,
  type: 'file',
  ...(size === undefined ? {} : { size }),
  ...(sha256 === undefined ? {} : { sha256 }),
});

/** Files, and directories in the place of all that is in them. */
function level(entries: readonly ArtifactEntry[], path: string): ListedArtifact[] {
  const from = path === '' ? 0 : path.length + 1;
  const shown = (entry: ArtifactEntry) => {
    const end = entry.path.indexOf('/', from);
    return end === -1 ? entry.path : entry.path.slice(0, end + 1);
  };
  return [...Map.groupBy(entries, shown)].flatMap(([key, inside]) => {
    if (!key.endsWith('/')) return inside.map(asFile);
    const sizes = inside.map(({ size }) => size);
    const total = sizes.reduce(
      (sum, size) => (sum === undefined || size === undefined ? undefined : sum + size),
      0,
    );
    return {
      path: key.slice(0, -1),
      type: 'directory' as const,
      ...(total === undefined ? {} : { size: total }),
      files: inside.length,
    };
  });
}
