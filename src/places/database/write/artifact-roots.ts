import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isInside } from '../../../artifacts/local/is-inside.ts';
import { recorded } from '../../../artifacts/local/recorded-root.ts';
import { isOwnRoot } from '../../../artifacts/root.ts';
import type { Experiment } from '../../../model/records.ts';
import { relativePath } from '../read/locate-artifacts.ts';
import { DEFAULT_WORKSPACE } from '../read/workspaces.ts';

/** Where artifacts of a database go. */
export interface ArtifactRoots {
  /** The `artifact_location` of a new experiment. */
  locationOf(experiment_id: string): string;
  /** The directory of this machine that an `artifact_uri` means; `undefined` where none does. */
  directoryOf(owner: { readonly id: string; readonly artifact_uri: string }): Promise<string | undefined>;
}

/** The directory that servers put artifacts in by default, where they run. */
const SERVED = 'mlartifacts';

/**
 * The roots of a database in the directory `base` (`undefined`: it is no file). New experiments get theirs as those that are
 * there have it, `<root>/<experiment_id>`; where there are none, below `artifactsRoot`, which the user named, else in
 * `mlartifacts` beside the file, else at the server's proxy.
 */
export function artifactRoots({
  base,
  artifactsRoot,
  workspace,
  experiments,
}: {
  readonly base: string | undefined;
  readonly artifactsRoot: string | undefined;
  readonly workspace: string | undefined;
  readonly experiments: readonly Experiment[];
}): ArtifactRoots {
  const beside = base === undefined ? undefined : join(base, SERVED);
  const named = artifactsRoot ?? beside;
  const own = workspace === undefined || workspace === DEFAULT_WORKSPACE ? '' : `workspaces/${workspace}/`;
  const root = rootOf(experiments) ?? (named === undefined ? `mlflow-artifacts:/${own}` : `${named}/${own}`);
  /** Where the artifacts of a server are, as far as that can be known here. */
  const served = artifactsRoot ?? (beside !== undefined && existsSync(beside) ? beside : undefined);

  const candidates = (uri: string, id: string): string[] => {
    const { path, below, isProxied } = recorded(uri, id);
    const relative = relativePath(uri);
    if (path === undefined && relative !== undefined)
      return base === undefined ? [] : [resolve(base, relative)];
    const here = path === undefined || isProxied ? [] : [path];
    // What is neither a server's nor here may be anywhere, unless the user says where.
    const above = isProxied ? served : artifactsRoot;
    if (above === undefined || below === undefined || below.split('/').includes('..')) return here;
    const inWorkspace = isProxied && own !== '' && !below.startsWith('workspaces/') ? own : '';
    return [...here, join(above, inWorkspace, below)];
  };

  return {
    locationOf: (experiment_id) => `${root}${experiment_id}`,
    async directoryOf({ id, artifact_uri }) {
      for (const path of candidates(artifact_uri, id))
        if (isOwnRoot(path, id) && (await isReachable(path, named))) return path;
      return undefined;
    },
  };
}

/** What comes before the id in the places of the experiments that are there, with its slash: of the default one first. */
function rootOf(experiments: readonly Experiment[]): string | undefined {
  const [first] = experiments
    .filter(({ experiment_id, artifact_location }) => artifact_location.endsWith(`/${experiment_id}`))
    .toSorted((a, b) => Number(b.experiment_id === '0') - Number(a.experiment_id === '0'));
  return first?.artifact_location.slice(0, -first.experiment_id.length);
}

/** Whether the directory above the experiment's is there, or is the one that is made: of another machine's path it is not. */
async function isReachable(path: string, named: string | undefined): Promise<boolean> {
  const above = dirname(dirname(dirname(path)));
  if (named !== undefined && isInside(named, above)) return true;
  if (above === '/') return false;
  const isThere = async (each: string) => (await stat(each).catch(() => undefined))?.isDirectory() === true;
  // The root of a new database is made with the first file.
  return (await isThere(above)) || (dirname(above) !== '/' && (await isThere(dirname(above))));
}
