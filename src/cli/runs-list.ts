import type { Command } from 'commander';
import { z } from 'zod';
import { type ListedRun, listRuns } from '../manage/list-runs.ts';
import type { Int64 } from '../model/int64.ts';
import { toJson } from '../model/json.ts';
import { ownValue } from '../model/string-map.ts';
import { MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import { formatTable } from './format.ts';
import type { Io } from './io.ts';
import { addChoiceOptions, addPlaceOptions, choiceOf, placeOf } from './manage-options.ts';
import { oneLine } from './manage-text.ts';
import { parseTime } from './parse-time.ts';
import { warnOfCredentials } from './run-copy.ts';

type Cell = string | number | null | undefined;

const FIELDS: Readonly<Record<string, (run: ListedRun) => Cell>> = {
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

/** `mlferry runs list PLACE`. */
export function addRunsListCommand(runs: Command, io: Io): void {
  const command = runs
    .command('list')
    .description('list runs as a table, or as JSON')
    .argument('<place>', 'any place')
    .option(
      '--columns <list>',
      `comma-separated: ${Object.keys(FIELDS).join(', ')}, params.KEY, metrics.KEY, tags.KEY`,
    )
    .option('--json', 'print one JSON array')
    .option('--ndjson', 'print one JSON object a line')
    .action(async (place: string, values: unknown) => {
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
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry runs list http://localhost:5000 -e churn -f "metrics.auc > 0.9" --order-by "metrics.auc DESC" --max-runs 10
  mlferry runs list ./mlruns --columns run_name,params.lr,metrics.auc
  mlferry runs list backup.tar --view deleted --ndjson
`,
    );
  addChoiceOptions(command, 'active').option(
    '--deleted-after <time>',
    'only runs deleted at or after this time (with --view deleted)',
    parseTime,
  );
  addPlaceOptions(command);
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

/** ISO 8601 in UTC, to the second. */
export function timeText(time: Int64): string {
  const date = new Date(Number(time));
  return Number.isNaN(date.getTime()) ? String(time) : `${date.toISOString().slice(0, 19)}Z`;
}
