import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DIGEST_TAG } from '../../../model/canonical.ts';
import { toInt64 } from '../../../model/int64.ts';
import type { SecondPass } from '../../place.ts';
import { createKeySpace, listKeyFiles } from '../layout/key-paths.ts';
import { META_FILE } from '../layout/layout.ts';
import { toRunMeta } from '../layout/meta-records.ts';
import { readMetaYaml } from '../layout/meta-yaml.ts';
import { changeRun, deleteExperiment } from './change-stage.ts';
import { linkModels } from './link-models.ts';
import type { StoreContext } from './run-context.ts';
import { type ExperimentState, isInTrash, type TargetExperiments } from './target-experiments.ts';
import { readTag } from './target-runs.ts';

/** The second pass: links to models and tags that needed all runs, deleted runs, and deleted experiments last. A done store is left as it is. */
export async function secondPass(
  context: StoreContext,
  experiments: TargetExperiments,
  pass: SecondPass,
): Promise<void> {
  for (const { experiment_id, run_id, tags, links } of pass.runs) {
    const { directory } = experiments.get(experiment_id);
    if (links !== undefined) await linkModels(context.staging, directory, run_id, links);
    await setTags(context, join(directory, run_id), run_id, tags);
  }
  for (const { experiment_id, run_id, deleted_time } of pass.deleted_runs) {
    const runDir = join(experiments.get(experiment_id).directory, run_id);
    await deleteRun(context, runDir, deleted_time ?? Date.now());
  }
  for (const id of pass.deleted_experiments) await trash(context, experiments.get(id));
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

async function deleteRun({ staging }: StoreContext, directory: string, time: number | string): Promise<void> {
  const path = join(directory, META_FILE);
  if (toRunMeta(await readMetaYaml(path), path).lifecycle_stage === 'deleted') return;
  const deleted_time = toInt64(time) ?? Date.now();
  await changeRun(staging, directory, { lifecycle_stage: 'deleted', deleted_time });
}

async function trash({ root, staging, runs }: StoreContext, experiment: ExperimentState): Promise<void> {
  const { directory, source, record } = experiment;
  if (isInTrash(directory)) return;
  const now = Date.now();
  const updated = source.lifecycle_stage === 'deleted' ? source.last_update_time : now;
  experiment.directory = await deleteExperiment(staging, root, directory, record.experiment_id, now, updated);
  runs.moved(directory, experiment.directory);
}
