import { z } from 'zod';
import { int64Answer } from '../../model/int64.ts';
import { type Experiment, lifecycleStage } from '../../model/records.ts';
import { checked, type ExportFile, exportId, exportTags, readExportFile } from './export-file.ts';

const experimentFile = z.object({
  experiment: z
    .object({
      experiment_id: exportId,
      name: z.string(),
      artifact_location: z.string().nullish(),
      lifecycle_stage: lifecycleStage.default('active'),
      tags: exportTags,
      creation_time: int64Answer.nullish(),
      last_update_time: int64Answer.nullish(),
    })
    .transform(
      ({ artifact_location, creation_time, last_update_time, ...experiment }): Experiment => ({
        kind: 'experiment',
        ...experiment,
        artifact_location: artifact_location ?? '',
        ...(creation_time == null ? {} : { creation_time }),
        ...(last_update_time == null ? {} : { last_update_time }),
      }),
    ),
});

/** An experiment as its file tells it. */
export interface ExportedExperiment {
  readonly experiment: Experiment;
  readonly file: ExportFile;
}

/** The experiment of a file. Throws SOURCE_ITEM, a system error. */
export function readExperiment(path: string): ExportedExperiment {
  const file = readExportFile(path);
  return { experiment: checked(experimentFile, file.body, path).experiment, file };
}

/** Whether a `manifest.json` is an experiment's: so it was called until December 2022. */
export function isExperimentFile({ body }: ExportFile): boolean {
  return typeof body === 'object' && body !== null && 'experiment' in body;
}

const named = z.object({ id: exportId, name: z.string() });
const experimentList = z.object({ experiments: z.array(z.unknown()) });

/** The experiments that a list tells by id and name: exports of traces and models have no file of them. */
export function experimentsInList({ body }: ExportFile): ReadonlyArray<{ id: string; name: string }> {
  const items = experimentList.safeParse(body).data?.experiments ?? [];
  return items.flatMap((item) => named.safeParse(item).data ?? []);
}

/** An experiment of which only the runs, or what else it holds, were exported. */
export function experimentWithoutFile(experiment_id: string, name: string): Experiment {
  return {
    kind: 'experiment',
    experiment_id,
    name,
    artifact_location: '',
    lifecycle_stage: 'active',
    tags: {},
  };
}
