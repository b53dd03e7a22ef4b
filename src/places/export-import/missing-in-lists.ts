import { basename, dirname } from 'node:path';
import { z } from 'zod';
import { MlferryError } from '../../util/errors.ts';
import type { Catalogue } from './catalogue.ts';
import { type ExportFile, exportId } from './export-file.ts';
import type { ExportPart } from './layout.ts';
import type { Notes } from './notes.ts';

const texts = z.array(z.string()).catch([]);

/** What the lists of an export tell: the objects of experiments by id, models and datasets, and what failed. */
const listFile = z.object({
  experiments: z.array(z.object({ id: exportId, logged_models: texts, traces: texts })).catch([]),
  models: texts,
  // Until December 2022.
  ok_models: texts,
  failed_models: texts,
  datasets: z.array(z.object({ dataset_id: z.string(), name: z.string().catch('') })).catch([]),
  failed_exports: z.number().catch(0),
});

const failures = z.object({ failed_models: texts, failed_logged_models: texts, failed_traces: texts }).catch({
  failed_models: [],
  failed_logged_models: [],
  failed_traces: [],
});

/** A choice of experiments: by their ids, and what lies in their directories. */
export interface ChosenExperiments {
  has(experiment_id: string): boolean;
  holds(path: string): boolean;
}

/**
 * Tells what the lists of an export name and is not there, or could not be exported. With a choice of experiments only what is
 * theirs: of a list of several, failures are told that may be of one of them.
 */
export function noteLists(
  lists: readonly ExportFile[],
  { files }: Catalogue,
  models: ReadonlySet<string>,
  chosen: ChosenExperiments | undefined,
  notes: Notes,
): void {
  const folders = (part: ExportPart) =>
    new Set((files.get(part) ?? []).map((path) => basename(dirname(path))));
  const present = { loggedModels: folders('logged model'), traces: folders('trace') };
  const datasets = folders('evaluation dataset');
  for (const { path, body, info } of lists) {
    const { data } = listFile.safeParse(body);
    if (data === undefined) continue;
    const file = notes.pathOf(path);
    const missing = (object: string) => {
      const message = `${file} lists the ${object}, which is not in the export`;
      notes.fail(object, new MlferryError('SOURCE_ITEM', message));
    };
    for (const { id, logged_models, traces } of data.experiments) {
      if (chosen?.has(id) === false) continue;
      for (const each of logged_models) if (!present.loggedModels.has(each)) missing(`logged model ${each}`);
      for (const each of traces) if (!present.traces.has(each)) missing(`trace ${each}`);
    }
    const failed = failures.parse(info);
    let count = failed.failed_logged_models.length + failed.failed_traces.length;
    if (chosen === undefined) {
      for (const name of [...data.models, ...data.ok_models])
        if (!models.has(name)) missing(`registered model "${name}"`);
      for (const { dataset_id, name } of data.datasets)
        if (![...datasets].some((folder) => folder.endsWith(dataset_id)))
          missing(`evaluation dataset "${name}" (${dataset_id})`);
      count += data.failed_exports + data.failed_models.length + failed.failed_models.length;
    } else if (!chosen.holds(path) && !data.experiments.some(({ id }) => chosen.has(id))) continue;
    if (count === 0) continue;
    const detail = `What could not be exported, as ${file} says`;
    notes.loss({ code: 'NOT_EXPORTED', left_behind: true, count, detail });
  }
}
