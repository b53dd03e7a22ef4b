import { artifactPathProblem } from '../artifacts/artifact-path.ts';
import { idOf, nameOf } from '../kinds/marks.ts';
import { OWN_DIRECTORY } from '../model/own-files.ts';
import type { ArtifactOwner } from './artifact-owner.ts';
import type { ObjectReader } from './objects.ts';

/** Model → its directory in the copy of its run, of models that an earlier pass has brought: what names them names that. */
export type HeldModels = ReadonlyMap<string, string>;

/**
 * The directories of a run's models: those that they have; else `<name>`, or `<name>-<model_id>` where the run has a file or another
 * model of that name.
 */
export async function modelPathsIn(
  run: ArtifactOwner,
  models: readonly ObjectReader[],
  held: HeldModels = new Map(),
): Promise<Map<string, string>> {
  const ofRun = new Set([OWN_DIRECTORY.slice(0, -1)]);
  if (models.length > 0) for await (const { path } of run.artifacts()) ofRun.add(path.split('/')[0] ?? '');
  const taken = new Set([...ofRun, ...held.values()]);
  const paths = new Map<string, string>();
  for (const model of models) {
    const id = idOf(model.of, model.record);
    const name = nameOf(model.of, model.record);
    const usual = isFolderName(name) ? name : id;
    const own = held.get(id);
    const path =
      own !== undefined && isFolderName(own) && !ofRun.has(own)
        ? own
        : [usual, `${usual}-${id}`].find((each) => isFolderName(each) && !taken.has(each));
    if (path === undefined) continue;
    taken.add(path);
    paths.set(id, path);
  }
  return paths;
}

const isFolderName = (name: string) => !name.includes('/') && artifactPathProblem(name) === undefined;
