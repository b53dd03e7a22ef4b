import { z } from 'zod';
import { deleteExperiments } from '../manage/delete-experiments.ts';
import { listExperiments } from '../manage/list-runs.ts';
import { renameExperiment } from '../manage/rename-experiment.ts';
import { restoreExperiments } from '../manage/restore-experiments.ts';
import { tagExperiments } from '../manage/tag-experiments.ts';
import { undo } from '../manage/undo.ts';
import { toJson } from '../model/json.ts';
import type { View } from '../model/selection.ts';
import { searchOf } from '../search/search-of.ts';
import { MlferryError } from '../util/errors.ts';
import { printable } from '../util/plain-text.ts';
import { endWithFailures } from './end-with-failures.ts';
import type { Io } from './io.ts';
import { placeOf, tagsOf } from './manage-values.ts';
import { runChange } from './run-change.ts';
import { formatTable } from './table.ts';
import { timeText } from './time-text.ts';

/** What the commands of `mlferry experiments` do. */

const experimentOptions = z.object({
  experiment: z.array(z.string()),
  excludeExperiment: z.array(z.string()).default([]),
  experimentFilter: z.string().optional(),
  view: z.enum(['active', 'deleted', 'all']).default('all'),
  fromUndo: z.string().optional(),
  json: z.boolean().default(false),
  ndjson: z.boolean().default(false),
});

function selectionOf(values: unknown, view: View) {
  const { experiment, excludeExperiment, experimentFilter } = experimentOptions.parse(values);
  const filter = experimentFilter === undefined ? {} : { experiment_filter: experimentFilter };
  searchOf(filter);
  const exclude = excludeExperiment.length === 0 ? {} : { exclude_experiments: excludeExperiment };
  return { experiments: experiment, ...exclude, view, ...filter };
}

/** Throws USAGE when nothing says which experiments. */
function deliberateSelection(values: unknown, view: View) {
  const selection = selectionOf(values, view);
  if (selection.experiments.length > 0 || selection.experiment_filter !== undefined) return selection;
  throw new MlferryError('USAGE', 'Nothing says which experiments', {
    hint: "Name them with --experiment or --experiment-filter; -e '*' means all.",
  });
}

/** `list`. */
export async function experimentsList(place: string, values: unknown, io: Io): Promise<void> {
  const { json, ndjson, view } = experimentOptions.parse(values);
  if (json && ndjson) throw new MlferryError('USAGE', '--json and --ndjson exclude each other');
  const rows = [['experiment_id', 'name', 'lifecycle_stage', 'creation_time', 'last_update_time']];
  const lines: string[] = [];
  const options = { ...placeOf(values, io), selection: selectionOf(values, view), stdin: io.stdin };
  const failures = await listExperiments(place, options, async (experiment) => {
    // A reader's deleted view has active experiments, too: of their deleted runs.
    if (view === 'deleted' && experiment.lifecycle_stage !== 'deleted') return;
    const { experiment_id, name, lifecycle_stage, creation_time, last_update_time } = experiment;
    const times = [creation_time, last_update_time].map((time) => (time === undefined ? '' : timeText(time)));
    rows.push([experiment_id, printable(name), lifecycle_stage, ...times]);
    lines.push(toJson(experiment));
  });
  if (json) io.stdout.write(`[${lines.length === 0 ? '' : `\n${lines.join(',\n')}\n`}]\n`);
  else if (ndjson) io.stdout.write(lines.map((line) => `${line}\n`).join(''));
  else io.stdout.write(formatTable(rows));
  endWithFailures(failures, io);
}

/** `delete`. */
export function experimentsDelete(place: string, values: unknown, io: Io): Promise<void> {
  return runChange(place, values, 'delete-experiments', io, (options) =>
    deleteExperiments(place, { ...options, selection: deliberateSelection(values, 'active') }),
  );
}

/** `restore`. */
export function experimentsRestore(place: string, values: unknown, io: Io): Promise<void> {
  const { fromUndo } = experimentOptions.parse(values);
  if (fromUndo !== undefined)
    return runChange(place, values, 'undo', io, (options) => undo(place, fromUndo, options));
  return runChange(place, values, 'restore-experiments', io, (options) =>
    restoreExperiments(place, { ...options, selection: deliberateSelection(values, 'all') }),
  );
}

/** `rename`. */
export function experimentsRename(
  place: string,
  experiment: string,
  name: string,
  values: unknown,
  io: Io,
): Promise<void> {
  const rename = (options: Parameters<typeof renameExperiment>[3]) =>
    renameExperiment(place, experiment, name, options);
  return runChange(place, values, 'rename-experiment', io, rename, false);
}

/** `tag`. */
export function experimentsTag(place: string, pairs: string[], values: unknown, io: Io): Promise<void> {
  return runChange(place, values, 'tag-experiments', io, (options) =>
    tagExperiments(place, tagsOf(pairs), { ...options, selection: deliberateSelection(values, 'active') }),
  );
}
