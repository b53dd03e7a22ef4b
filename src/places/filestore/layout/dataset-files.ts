import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import type { DatasetInput } from '../../../model/records.ts';
import { isAbsent, MlferryError } from '../../../util/errors.ts';
import { listDirectories, META_FILE } from './layout.ts';
import { type MetaValue, MOST_OF_DATASET, readMetaYaml } from './meta-yaml.ts';
import { strictly, type Tolerate } from './tolerate.ts';

/**
 * Datasets stand once per experiment (`datasets/<id>/meta.yaml`), and a run's reading of one in
 * `<run>/inputs/<id>/meta.yaml` (MLflow 2.4). An input's `destination_id` is not read: MLflow writes the source's id there.
 */

const text = z.string().nullish();

const datasetFields = z.looseObject({
  name: z.string(),
  digest: z.string(),
  source_type: text,
  source: text,
  schema: text,
  profile: text,
});

const inputFields = z.looseObject({
  source_type: z.string(),
  source_id: z.string(),
  tags: z.custom<Readonly<Record<string, string | null>>>(isTextMap, 'not a map of texts').nullish(),
});

function isTextMap(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((item) => typeof item === 'string' || item === null);
}

const md5 = (...parts: string[]) => {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/** Directory name of a dataset, as MLflow computes it. */
export function datasetId(dataset: DatasetInput['dataset']): string {
  return md5(dataset.name, dataset.digest);
}

/** Directory name of a run's input, as MLflow computes it. */
export function inputId(dataset: string, runId: string): string {
  return md5(dataset, runId);
}

async function readFields<T>(schema: z.ZodType<T>, path: string): Promise<T> {
  const result = schema.safeParse(await readMetaYaml(path, MOST_OF_DATASET));
  if (!result.success) throw new MlferryError('SOURCE_ITEM', `${path} is not what MLflow writes`);
  return result.data;
}

/** The dataset of a `datasets/<id>` directory. Throws SOURCE_ITEM, or the system error when it is not there. */
export async function readDataset(directory: string): Promise<DatasetInput['dataset']> {
  const fields = await readFields(datasetFields, join(directory, META_FILE));
  return {
    name: fields.name,
    digest: fields.digest,
    source_type: fields.source_type ?? '',
    source: fields.source ?? '',
    ...(fields.schema === undefined || fields.schema === null ? {} : { schema: fields.schema }),
    ...(fields.profile === undefined || fields.profile === null ? {} : { profile: fields.profile }),
  };
}

/** What a run has as inputs: datasets, and the ids of logged models. */
export interface RunInputs {
  readonly datasets: DatasetInput[];
  readonly models: readonly string[];
  /** Directories of datasets that inputs name but that are not there. */
  readonly missing: string[];
}

/** Reads the inputs of a run. What `tolerate` does not take of one that is damaged is thrown: SOURCE_ITEM, or a system error. */
export async function readInputs(
  experimentDir: string,
  runDir: string,
  tolerate: Tolerate = strictly,
): Promise<RunInputs> {
  const datasets: DatasetInput[] = [];
  const missing: string[] = [];
  const models: string[] = [];
  for (const name of await listDirectories(join(runDir, 'inputs'))) {
    const path = join(runDir, 'inputs', name, META_FILE);
    const input = await tolerate(path, () => readFields(inputFields, path));
    if (input === undefined) continue;
    if (input.source_type !== 'DATASET') {
      models.push(input.source_id);
      continue;
    }
    const directory = join(experimentDir, 'datasets', input.source_id);
    const tags = Object.entries(input.tags ?? {}).map(([key, value]) => [key, value ?? ''] as const);
    const dataset = await tolerate(directory, () => readDataset(directory).catch(absent));
    if (dataset === 'absent') missing.push(directory);
    else if (dataset !== undefined) datasets.push({ dataset, tags: Object.fromEntries(tags) });
  }
  return { datasets, models, missing };
}

function absent(error: unknown): 'absent' {
  if (isAbsent(error)) return 'absent';
  throw error;
}

/** Directory names of the datasets that a run read; inputs that are damaged name none. */
export async function datasetsOf(runDir: string): Promise<string[]> {
  const ids: string[] = [];
  for (const name of await listDirectories(join(runDir, 'inputs'))) {
    try {
      const input = await readFields(inputFields, join(runDir, 'inputs', name, META_FILE));
      if (input.source_type === 'DATASET') ids.push(input.source_id);
    } catch (error) {
      if (!(error instanceof MlferryError) && !isAbsent(error)) throw error;
    }
  }
  return ids;
}

/** `meta.yaml` of a dataset. */
export function datasetMeta(dataset: DatasetInput['dataset']): { [key: string]: MetaValue } {
  const { name, digest, source_type, source, schema, profile } = dataset;
  return { name, digest, source_type, source, schema: schema ?? null, profile: profile ?? null };
}

/** `meta.yaml` of an input. `destination_id` is what MLflow itself writes. */
export function inputMeta(id: string, tags: DatasetInput['tags']): { [key: string]: MetaValue } {
  return { source_type: 'DATASET', source_id: id, destination_type: 'RUN', destination_id: id, tags };
}
