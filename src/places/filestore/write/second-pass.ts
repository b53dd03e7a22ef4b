import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DIGEST_TAG } from '../../../model/canonical.ts';
import { toInt64 } from '../../../model/int64.ts';
import { syncDirectory } from '../../../util/sync-directory.ts';
import type { SecondPass } from '../../place.ts';
import { createKeySpace, listKeyFiles } from '../layout/key-paths.ts';
import { listRunDirs, META_FILE, TRASH } from '../layout/layout.ts';
import { experimentMetaFields, runMetaFields } from '../layout/meta-fields.ts';
import { toExperimentMeta, toRunMeta } from '../layout/meta-records.ts';
import { formatMetaYaml, readMetaYaml } from '../layout/meta-yaml.ts';
import type { StoreContext } from './run-context.ts';
import { type ExperimentState, isInTrash, type TargetExperiments } from './target-experiments.ts';
import { readTag } from './target-runs.ts';

/** The second pass: tags that needed all runs, deleted runs, and deleted experiments last. A done store is left as it is. */
export async function secondPass(
  context: StoreContext,
  experiments: TargetExperiments,
  pass: SecondPass,
): Promise<void> {
  for (const { experiment_id, run_id, tags } of pass.tags) {
    await setTags(context, join(experiments.get(experiment_id).directory, run_id), run_id, tags);
  }
  for (const { experiment_id, run_id, deleted_time } of pass.deleted_runs) {
    const runDir = join(experiments.get(experiment_id).directory, run_id);
    await deleteRun(context, runDir, deleted_time ?? Date.now());
  }
  for (const id of pass.deleted_experiments) await deleteExperiment(context, experiments.get(id));
}

async function setTags(
  { staging, findings }: StoreContext,
  runDir: string,
  run_id: string,
  tags: Readonly<Record<string, string | null>>,
): Promise<void> {
  const present = (await listKeyFiles(join(runDir, 'tags'))).map(({ key }) => key);
  const problemOf = createKeySpace(join(runDir, 'tags'), present);
  // The digest says that the run is complete, so it comes last.
  const ordered = Object.entries(tags).sort(
    ([a], [b]) => Number(a === DIGEST_TAG) - Number(b === DIGEST_TAG),
  );
  for (const [key, value] of ordered) {
    if (value === null) {
      await rm(join(runDir, 'tags', ...key.split('/')), { force: true });
      continue;
    }
    const problem = value.isWellFormed() ? problemOf(key) : 'its value holds half a character';
    if (problem !== undefined) {
      findings.loss({
        code: 'KEY_NOT_ALLOWED',
        run_id,
        key,
        detail: `a store cannot hold the tag: ${problem}`,
      });
    } else if ((await readTag(runDir, key)) !== value)
      await staging.replaceFile(join(runDir, 'tags', key), value);
  }
}

async function deleteRun({ staging }: StoreContext, runDir: string, time: number | string): Promise<void> {
  const path = join(runDir, META_FILE);
  const meta = toRunMeta(await readMetaYaml(path), path);
  if (meta.lifecycle_stage === 'deleted') return;
  const deleted_time = toInt64(time) ?? Date.now();
  await staging.replaceFile(
    path,
    formatMetaYaml(runMetaFields({ ...meta, lifecycle_stage: 'deleted', deleted_time })),
  );
}

/** As MLflow does it: every active run is marked, then the experiment, which moves to the trash. */
async function deleteExperiment(context: StoreContext, experiment: ExperimentState): Promise<void> {
  const { root, staging, runs } = context;
  const { directory, source } = experiment;
  const now = Date.now();
  for (const name of await listRunDirs(directory)) await deleteRun(context, join(directory, name), now);
  if (isInTrash(directory)) return;
  const path = join(directory, META_FILE);
  const meta = toExperimentMeta(await readMetaYaml(path), path);
  const { creation_time } = meta;
  const last_update_time = source.lifecycle_stage === 'deleted' ? source.last_update_time : now;
  const fields = experimentMetaFields({
    experiment_id: meta.experiment_id,
    name: meta.name,
    artifact_location: meta.artifact_location,
    lifecycle_stage: 'deleted',
    ...(creation_time === undefined ? {} : { creation_time }),
    ...(last_update_time === undefined ? {} : { last_update_time }),
  });
  await staging.replaceFile(path, formatMetaYaml(fields));
  const trashed = join(root, TRASH, meta.experiment_id);
  await mkdir(join(root, TRASH), { recursive: true });
  await rename(directory, trashed);
  await syncDirectory(root);
  runs.moved(directory, trashed);
  experiment.directory = trashed;
}
