import { z } from 'zod';
import { type ListedModel, listModels } from '../manage/list-models.ts';
import type { Failure } from '../model/findings.ts';
import { toJson } from '../model/json.ts';
import type { Selection } from '../model/selection.ts';
import { searchOf } from '../search/search-of.ts';
import { MlferryError } from '../util/errors.ts';
import { printable } from '../util/plain-text.ts';
import { redact } from '../util/redact.ts';
import { endWithFailures } from './end-with-failures.ts';
import { formatCount } from './format.ts';
import type { Io } from './io.ts';
import { placeOf } from './manage-values.ts';
import { formatTable } from './table.ts';
import { timeText } from './time-text.ts';

/** What the commands of `mlferry models` do. */

const listOptions = z.object({
  registeredModel: z.array(z.string()).default([]),
  registeredModelFilter: z.string().optional(),
  modelVersionFilter: z.string().optional(),
  json: z.boolean().default(false),
  ndjson: z.boolean().default(false),
});

/** `list`. */
export async function modelsList(place: string, values: unknown, io: Io): Promise<void> {
  const { registeredModel, registeredModelFilter, modelVersionFilter, json, ndjson } =
    listOptions.parse(values);
  if (json && ndjson) throw new MlferryError('USAGE', '--json and --ndjson exclude each other');
  const selection: Partial<Selection> = {
    ...(registeredModel.length === 0 ? {} : { registered_models: registeredModel }),
    ...(registeredModelFilter === undefined ? {} : { registered_model_filter: registeredModelFilter }),
    ...(modelVersionFilter === undefined ? {} : { model_version_filter: modelVersionFilter }),
  };
  const rows = [['name', 'is', 'versions', 'latest', 'aliases', 'stages', 'last updated', 'description']];
  const lines: string[] = [];
  const failures = await read(place, selection, values, io, (model) => {
    rows.push(rowOf(model));
    lines.push(toJson(model));
  });
  if (json) io.stdout.write(arrayOf(lines));
  else if (ndjson) io.stdout.write(lines.map((line) => `${line}\n`).join(''));
  else io.stdout.write(formatTable(rows, io.stdout.isTTY === true ? io.stdout.columns : undefined));
  endWithFailures(failures, io);
}

/** `show`. */
export async function modelsShow(place: string, name: string, values: unknown, io: Io): Promise<void> {
  const { json } = listOptions.parse(values);
  const found: ListedModel[] = [];
  const failures = await read(place, { registered_models: [name] }, values, io, (model) => found.push(model));
  io.stdout.write(json ? arrayOf(found.map((model) => toJson(model))) : found.map(modelText).join('\n'));
  endWithFailures(failures, io);
}

/** A JSON array, an element a line. */
const arrayOf = (lines: readonly string[]) => `[${lines.length === 0 ? '' : `\n${lines.join(',\n')}\n`}]\n`;

function read(
  place: string,
  selection: Partial<Selection>,
  values: unknown,
  io: Io,
  take: (model: ListedModel) => void,
): Promise<readonly Failure[]> {
  searchOf(selection);
  const options = { ...placeOf(values, io), selection, stdin: io.stdin };
  return listModels(place, options, async (model) => take(model));
}

function rowOf({
  name,
  is_prompt,
  versions,
  description = '',
  last_updated_timestamp,
}: ListedModel): string[] {
  const aliases = versions.flatMap(({ version, aliases: own }) => own.map((alias) => `${alias}=${version}`));
  const stages = versions.flatMap(({ version, current_stage }) =>
    current_stage === 'None' ? [] : [`${current_stage}=${version}`],
  );
  return [
    printable(name),
    is_prompt ? 'prompt' : 'model',
    formatCount(versions.length),
    versions.at(-1)?.version ?? '',
    printable(aliases.join(' ')),
    printable(stages.join(' ')),
    timeText(last_updated_timestamp),
    printable(description),
  ];
}

function modelText(model: ListedModel): string {
  const { name, is_prompt, description, creation_timestamp, last_updated_timestamp, tags, versions } = model;
  const fields = [
    [is_prompt ? 'prompt' : 'registered model', printable(name)],
    ...(description === undefined ? [] : [['description', printable(description)]]),
    ['created', timeText(creation_timestamp)],
    ['last updated', timeText(last_updated_timestamp)],
    ...tagRows(tags),
  ];
  const parts = versions.map((version) => {
    const { current_stage, aliases, status, source, run_id, model_id } = version;
    return formatTable([
      ['version', version.version],
      ['aliases', printable(aliases.join(', '))],
      ['stage', current_stage],
      ['status', status],
      ['source', printable(redact(source))],
      ...(run_id === undefined ? [] : [['run', run_id]]),
      ...(model_id === undefined ? [] : [['logged model', model_id]]),
      ['created', timeText(version.creation_timestamp)],
      ...(version.description === undefined ? [] : [['description', printable(version.description)]]),
      ...tagRows(version.tags),
    ]);
  });
  return [formatTable(fields), ...parts].join('\n');
}

const tagRows = (tags: ListedModel['tags']) =>
  Object.entries(tags).map(([key, value]) => [`tag ${printable(key)}`, printable(value)]);
