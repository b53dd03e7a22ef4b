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

/** Tells what the lists of an export name and is not there, or could not be exported. `isSelected`: an experiment by its id. */
export function noteLists(
  lists: readonly ExportFile[],
  { files }: Catalogue,
  models: ReadonlySet<string>,
  isSelected: ((experiment_id: string) => boolean) | undefined,
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
      if (isSelected?.(id) === false) continue;
      for (const each of logged_models) if (!present.loggedModels.has(each)) missing(`logged model ${each}`);
      for (const each of traces) if (!present.traces.has(each)) missing(`trace ${each}`);
    }
    if (isSelected !== undefined) continue;
    for (const name of [...data.models, ...data.ok_models])
      if (!models.has(name)) missing(`registered model "${name}"`);
    for (const { dataset_id, name } of data.datasets)
      if (![...datasets].some((folder) => folder.endsWith(dataset_id)))
        missing(`evaluation dataset "${name}" (${dataset_id})`);
    const failed = failures.parse(info);
    const count =
      data.failed_exports +
      data.failed_models.length +
      failed.failed_models.length +
      failed.failed_logged_models.length +
      failed.failed_traces.length;
    if (count === 0) continue;
    const detail = `What could not be exported, as ${file} says`;
    notes.loss({ code: 'NOT_EXPORTED', left_behind: true, count, detail });
  }
}
