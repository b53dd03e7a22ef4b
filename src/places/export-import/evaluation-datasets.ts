import { z } from 'zod';
import { kindOf } from '../../kinds/kinds.ts';
import {
  type EvaluationDataset,
  type EvaluationDatasetRecord,
  evaluationDatasetRecord,
  recordFromJson,
} from '../../model/evaluation-dataset.ts';
import { compareInt64, type Int64, int64Answer } from '../../model/int64.ts';
import { isMap, parseTypedJson, type TypedJson } from '../../model/typed-json.ts';
import { MlferryError } from '../../util/errors.ts';
import { readSmallFile } from '../../util/regular-file.ts';
import { NO_FILES } from '../artifact-owner.ts';
import type { ObjectSource } from '../objects.ts';
import type { Catalogue } from './catalogue.ts';
import {
  checked,
  defined,
  exportId,
  exportTags,
  MOST_WHOLE,
  readExportFile,
  reasonOf,
  textOrNone,
} from './export-file.ts';
import type { Notes } from './notes.ts';

const time = int64Answer.nullish().transform((ms): Int64 => ms ?? 0);

const datasetFile = z.object({
  evaluation_dataset: z
    .object({
      dataset_id: z.string().min(1),
      name: z.string().nullish(),
      experiment_ids: z.array(exportId).nullish(),
      tags: exportTags,
      digest: textOrNone,
      schema: z.unknown().optional(),
      profile: z.unknown().optional(),
      created_time: time,
      last_update_time: time,
      created_by: textOrNone,
      last_updated_by: textOrNone,
    })
    .transform(
      ({ name, experiment_ids, schema, profile, ...fields }): EvaluationDataset => ({
        kind: 'evaluation_dataset',
        ...defined({ ...fields, schema: jsonText(schema), profile: jsonText(profile) }),
        name: name ?? '',
        experiment_ids: (experiment_ids ?? []).toSorted(),
      }),
    ),
});

function jsonText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** An evaluation dataset of an export. */
interface ExportedDataset {
  readonly record: EvaluationDataset;
  readonly path: string;
}

function listDatasets({ files }: Catalogue, notes: Notes): readonly ExportedDataset[] {
  const datasets = new Map<string, ExportedDataset>();
  for (const path of files.get('evaluation dataset') ?? []) {
    try {
      const record = checked(datasetFile, readExportFile(path).body, path).evaluation_dataset;
      if (!datasets.has(record.dataset_id)) datasets.set(record.dataset_id, { record, path });
    } catch (error) {
      notes.failFile(path, error);
    }
  }
  return [...datasets.values()].sort(
    (a, b) =>
      compareInt64(a.record.created_time, b.record.created_time) ||
      (a.record.dataset_id < b.record.dataset_id ? -1 : 1),
  );
}

/** The records of a dataset's file, with every number as it is spelt there. One that cannot be read goes to `fail`. */
function readRecords(
  path: string,
  fail: (number: number, error: unknown) => void,
): EvaluationDatasetRecord[] {
  const list = recordsIn(typedJson(path));
  const records: EvaluationDatasetRecord[] = [];
  const seen = new Set<string>();
  for (const [index, item] of list.entries()) {
    try {
      const record = checked(evaluationDatasetRecord, recordFromJson(item), path);
      if (!seen.has(record.input_hash)) records.push(record);
      seen.add(record.input_hash);
    } catch (error) {
      fail(index + 1, error);
    }
  }
  return records.sort((a, b) => compareInt64(a.created_time, b.created_time));
}

function typedJson(path: string): TypedJson {
  try {
    return parseTypedJson(readSmallFile(path, MOST_WHOLE).toString('utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new MlferryError('SOURCE_ITEM', `${path} is not JSON: ${reasonOf(error)}`, { cause: error });
  }
}

function recordsIn(json: TypedJson): readonly TypedJson[] {
  const field = (value: TypedJson | undefined, name: string) =>
    value !== undefined && isMap(value) ? value.get(name) : undefined;
  const records = field(field(field(json, 'mlflow'), 'evaluation_dataset'), 'records');
  return Array.isArray(records) ? records : [];
}

/** The evaluation datasets of an export, and their records. */
export function evaluationDatasets(
  catalogue: Catalogue,
  notes: Notes,
): ReadonlyArray<[string, ObjectSource]> {
  const of = kindOf('evaluation_dataset');
  const ofRecord = kindOf('evaluation_dataset_record');
  let listed: readonly ExportedDataset[] | undefined;
  const all = () => {
    listed ??= listDatasets(catalogue, notes);
    return listed;
  };
  return [
    [
      of.kind,
      {
        async *read() {
          for (const { record } of all()) yield { of, record, ...NO_FILES };
        },
      },
    ],
    [
      ofRecord.kind,
      {
        async *read({ isChosen }) {
          for (const { record: dataset, path } of all()) {
            if (!isChosen(of.kind, dataset.dataset_id)) continue;
            const fail = (number: number, error: unknown) =>
              notes.fail(`record ${number} of evaluation dataset "${dataset.name}"`, error);
            for (const record of readRecords(path, fail)) yield { of: ofRecord, record, ...NO_FILES };
          }
        },
      },
    ],
  ];
}
