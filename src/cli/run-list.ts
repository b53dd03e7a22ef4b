import { z } from 'zod';
import { type ListedRun, listRuns } from '../manage/list-runs.ts';
import { toJson } from '../model/json.ts';
import { ownValue } from '../model/string-map.ts';
import { MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import { formatTable } from './format.ts';
import type { Io } from './io.ts';
import { oneLine } from './manage-text.ts';
import { choiceOf, placeOf } from './manage-values.ts';
import type { RunField } from './run-fields.ts';
import { timeText } from './time-text.ts';
import { warnOfCredentials } from './warn-of-credentials.ts';

type Cell = string | number | null | undefined;

const FIELDS: Readonly<Record<RunField, (run: ListedRun) => Cell>> = {
  run_id: ({ run_id }) => run_id,
  run_name: ({ run_name }) => run_name,
  experiment_id: ({ experiment_id }) => experiment_id,
  experiment_name: ({ experiment_name }) => experiment_name,
  user_id: ({ user_id }) => user_id,
  status: ({ status }) => status,
  lifecycle_stage: ({ lifecycle_stage }) => lifecycle_stage,
  start_time: ({ start_time }) => start_time,
  end_time: ({ end_time }) => end_time,
  deleted_time: ({ deleted_time }) => deleted_time,
  artifact_uri: ({ artifact_uri }) => artifact_uri,
};
const DEFAULT_COLUMNS = ['run_id', 'run_name', 'experiment_name', 'status', 'start_time', 'end_time'];

const listOptions = z.object({
  columns: z.string().optional(),
  view: z.string(),
  json: z.boolean().default(false),
  ndjson: z.boolean().default(false),
});

/** What `mlferry runs list` does. */
export async function runList(place: string, values: unknown, io: Io): Promise<void> {
  const { columns: list, json, ndjson, view } = listOptions.parse(values);
  if (json && ndjson) throw new MlferryError('USAGE', '--json and --ndjson exclude each other');
  warnOfCredentials([place], io);
  const columns = list?.split(',').map((name) => column(name.trim()));
  const options = { ...choiceOf(values), ...placeOf(values, io), stdin: io.stdin };
  const shown =
    columns ?? [...DEFAULT_COLUMNS, ...(view === 'active' ? [] : ['lifecycle_stage'])].map(column);
  const rows: string[][] = [shown.map(({ name }) => name)];
  let count = 0;
  const failures = await listRuns(place, options, async (run) => {
    count += 1;
    if (!json && !ndjson) {
      rows.push(shown.map(({ name, value }) => cellText(name, value(run))));
      return;
    }
    const object =
      columns === undefined
        ? run
        : Object.fromEntries(columns.map(({ name, value }) => [name, value(run) ?? null]));
    const start = ndjson ? '' : count === 1 ? '[\n' : ',\n';
    io.stdout.write(`${start}${toJson(object)}${ndjson ? '\n' : ''}`);
  });
  if (json) io.stdout.write(count === 0 ? '[]\n' : '\n]\n');
  else if (!ndjson) io.stdout.write(formatTable(rows));
  for (const { object, message, hint } of failures)
    io.stderr.write(`${object}: ${redact(message)}. ${hint}\n`);
  io.exit(failures.length > 0 ? 3 : 0);
}

/** A column by its name. Throws USAGE for one that is not known. */
function column(name: string): { name: string; value: (run: ListedRun) => Cell } {
  const field = ownValue(FIELDS, name);
  if (field !== undefined) return { name, value: field };
  const [, kind, key = ''] = /^(params|metrics|tags)\.(.+)$/s.exec(name) ?? [];
  if (kind === 'params') return { name, value: (run) => ownValue(run.params, key) };
  if (kind === 'tags') return { name, value: (run) => ownValue(run.tags, key) };
  if (kind === 'metrics') return { name, value: (run) => ownValue(run.latest_metrics, key)?.[2] };
  throw new MlferryError('USAGE', `There is no column "${name}"`);
}

function cellText(name: string, value: Cell): string {
  if (value === undefined || value === null) return '';
  return name.endsWith('_time') ? timeText(value) : oneLine(String(value));
}
