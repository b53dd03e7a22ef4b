import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { ENTRY_POINT_TAG, SOURCE_COMMIT_TAG, SOURCE_NAME_TAG } from '../../../model/mlflow/tags.ts';
import { isAbsent, MlferryError } from '../../../util/errors.ts';
import { syncDirectory } from '../../../util/sync-directory.ts';
import { isDirectory, listRunDirs, META_FILE, TRASH } from '../layout/layout.ts';
import { experimentMetaFields, runMetaFields } from '../layout/meta-fields.ts';
import { type ExperimentMeta, type RunMeta, toExperimentMeta, toRunMeta } from '../layout/meta-records.ts';
import { formatMetaYaml, readMetaYaml } from '../layout/meta-yaml.ts';
import type { Staging } from '../layout/staging.ts';

/** Rewrites a run's `meta.yaml` with `change`; MLflow's fields before 1.0 stay. */
export async function changeRun(
  staging: Staging,
  directory: string,
  change: Partial<RunMeta>,
): Promise<void> {
  const path = join(directory, META_FILE);
  const meta = toRunMeta(await readMetaYaml(path), path);
  const legacy = new Map(meta.legacyTags);
  const { deleted_time, ...rest } = { ...meta, ...change };
  const stage = rest.lifecycle_stage === 'deleted' && deleted_time !== undefined ? { deleted_time } : {};
  const fields = {
    ...runMetaFields({ ...rest, ...stage }),
    source_name: legacy.get(SOURCE_NAME_TAG) ?? '',
    source_version: legacy.get(SOURCE_COMMIT_TAG) ?? '',
    entry_point_name: legacy.get(ENTRY_POINT_TAG) ?? '',
  };
  await staging.replaceFile(path, formatMetaYaml(fields));
}

/** A run's directory and its `meta.yaml`. */
export interface StoredRun {
  readonly directory: string;
  readonly meta: RunMeta;
}

/** The runs of an experiment; damaged ones are left alone, as MLflow leaves them. */
export async function runsIn(directory: string): Promise<StoredRun[]> {
  const found: StoredRun[] = [];
  for (const name of await listRunDirs(directory)) {
    const path = join(directory, name, META_FILE);
    try {
      found.push({ directory: join(directory, name), meta: toRunMeta(await readMetaYaml(path), path) });
    } catch (error) {
      const damaged = error instanceof MlferryError && error.code === 'SOURCE_ITEM';
      if (!damaged && !isAbsent(error)) throw error;
    }
  }
  return found;
}

/** Rewrites an experiment's `meta.yaml` with `change`. */
export async function changeExperiment(
  staging: Staging,
  directory: string,
  change: Partial<ExperimentMeta>,
): Promise<void> {
  const path = join(directory, META_FILE);
  const meta = { ...toExperimentMeta(await readMetaYaml(path), path), ...change };
  const { creation_time, last_update_time, ...rest } = meta;
  const times = {
    ...(creation_time === undefined ? {} : { creation_time }),
    ...(last_update_time === undefined ? {} : { last_update_time }),
  };
  await staging.replaceFile(path, formatMetaYaml(experimentMetaFields({ ...rest, ...times })));
}

/**
 * Soft deletion of an experiment as MLflow does it: every active run is marked, then the experiment, which moves to the
 * trash. Runs of the experiment's own time were deleted with it, and so they can be told apart; `last_update_time`: ms since
 * the epoch, `undefined` where it is not known. Gives the directory where it is now.
 */
export async function deleteExperiment(
  staging: Staging,
  root: string,
  directory: string,
  experiment_id: string,
  time: number,
  last_update_time: ExperimentMeta['last_update_time'],
): Promise<string> {
  await changeExperiment(staging, directory, { last_update_time });
  for (const { directory: own, meta } of await runsIn(directory)) {
    if (meta.lifecycle_stage === 'active')
      await changeRun(staging, own, { lifecycle_stage: 'deleted', deleted_time: time });
  }
  await changeExperiment(staging, directory, { lifecycle_stage: 'deleted' });
  const trash = join(root, TRASH);
  if (directory === join(trash, experiment_id)) return directory;
  return moveExperiment(root, directory, trash, experiment_id);
}

/** Moves an experiment's directory. Throws CONFLICT when there is one already. */
export async function moveExperiment(
  root: string,
  from: string,
  parent: string,
  experiment_id: string,
): Promise<string> {
  const to = join(parent, experiment_id);
  if (await isDirectory(to)) throw new MlferryError('CONFLICT', `${to} is there already`);
  await mkdir(parent, { recursive: true });
  await rename(from, to);
  await syncDirectory(root);
  return to;
}
