import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import { int64Answer } from '../../model/int64.ts';
import { latestPoints } from '../../model/mlflow/latest-points.ts';
import { RUN_NAME_TAG } from '../../model/mlflow/tags.ts';
import { type DatasetInput, lifecycleStage, type Run, runStatus } from '../../model/records.ts';
import { ownValue, stringMap } from '../../model/string-map.ts';
import { MlferryError } from '../../util/errors.ts';
import { readRegularFile } from '../../util/regular-file.ts';
import type { MetricPoints } from '../place.ts';
import type { SeriesCache } from '../reading/series-cache.ts';
import { checked, exportId, exportTags, openEnvelope, parseExportText, reasonOf } from './export-file.ts';
import { createValueFinder, type FoundValue } from './find-values.ts';
import { type PointNotes, readSeries, type Series } from './metric-history.ts';

/** The object of a run.json is read value by value: its histories may be longer than any text can be. */
const opens = (path: readonly string[]) =>
  ['', 'mlflow', 'metrics', 'mlflow/metrics'].includes(path.join('/')) &&
  path.every((key) => !key.includes('/'));
const isMetric = (path: readonly string[]) =>
  path.length > 1 && path.at(-2) === 'metrics' && opens(path.slice(0, -1));

const infoFields = z
  .object({
    run_id: z.string().min(1).optional(),
    // Until MLflow 3.
    run_uuid: z.string().min(1).optional(),
    experiment_id: exportId,
    run_name: z.string().nullish(),
    user_id: z.string().nullish(),
    status: runStatus,
    start_time: int64Answer.nullish(),
    end_time: int64Answer.nullish(),
    lifecycle_stage: lifecycleStage,
    artifact_uri: z.string().nullish(),
  })
  .transform(({ run_id, run_uuid, ...info }, context) => {
    const id = run_id ?? run_uuid;
    if (id !== undefined) return { ...info, run_id: id };
    context.addIssue({ code: 'custom', message: 'has no run_id' });
    return z.NEVER;
  });

const datasetInputs = z.array(
  z
    .object({
      dataset: z.object({
        name: z.string(),
        digest: z.string(),
        source_type: z.string(),
        source: z.string(),
        schema: z.string().nullish(),
        profile: z.string().nullish(),
      }),
      tags: exportTags,
    })
    .transform(({ dataset: { schema, profile, ...dataset }, tags }): DatasetInput => {
      const { name, digest, source_type, source } = dataset;
      return {
        dataset: {
          name,
          digest,
          source_type,
          source,
          ...(schema == null ? {} : { schema }),
          ...(profile == null ? {} : { profile }),
        },
        tags,
      };
    }),
);

/** A list of datasets from October 2023, an object with the models since October 2025. */
const inputs = z.union([
  datasetInputs.transform((dataset_inputs) => ({ dataset_inputs, model_inputs: [] })),
  z.object({
    dataset_inputs: datasetInputs.default([]),
    model_inputs: z.array(z.object({ model_id: z.string().min(1) })).default([]),
  }),
]);

const outputs = z.object({
  model_outputs: z.array(z.object({ model_id: z.string().min(1), step: int64Answer.default(0) })).default([]),
});

/** What the list of runs needs of each. */
export interface RunHead extends Pick<Run, 'run_id' | 'experiment_id' | 'lifecycle_stage' | 'start_time'> {
  readonly path: string;
  /** The server that it was exported from. */
  readonly mlflow_tracking_uri: string | undefined;
}

/** Reads the beginning of a run.json. Throws SOURCE_ITEM, a system error. */
export function readRunHead(path: string): RunHead {
  const finder = createValueFinder(opens, isMetric);
  const envelope: Record<string, unknown> = {};
  for (const piece of readRegularFile(path, 16 * 1024)) {
    for (const found of pushed(finder, piece, path)) {
      const [key] = found.path;
      if (key === 'system' || key === 'export_info') envelope[key] = parseExportText(found.text ?? '', path);
      if (!isInfo(found)) continue;
      const { mlflow_tracking_uri } = openEnvelope(envelope, path);
      const { run_id, experiment_id, lifecycle_stage, start_time } = infoOf(found, path);
      return {
        path,
        run_id,
        experiment_id,
        lifecycle_stage,
        start_time: start_time ?? null,
        mlflow_tracking_uri,
      };
    }
  }
  throw new MlferryError('SOURCE_ITEM', `${path} is not what mlflow-export-import writes: it has no info`);
}

/** A run of an export, and what its file did not hold. */
export interface LoadedRun {
  readonly run: Run;
  readonly notes: PointNotes;
  readonly mlflow_version: string | undefined;
  /** Fields that its generation of the format has. */
  readonly has: { readonly inputs: boolean; readonly outputs: boolean };
  metrics(keys?: readonly string[]): AsyncIterable<MetricPoints>;
}

/** Reads a run.json; the series are read once for `latest_metrics`. Throws SOURCE_ITEM, a system error. */
export async function loadRun(path: string, cache: SeriesCache): Promise<LoadedRun> {
  const values = new Map<string, FoundValue>();
  const metrics = new Map<string, FoundValue>();
  const size = await findAll(path, (found) => {
    const key = found.path.at(-1) ?? '';
    if (isMetric(found.path)) metrics.set(key, found);
    else if (found.path.length === 1 || found.path[0] === 'mlflow') values.set(key, found);
  });
  const parsed = (name: string) => {
    const text = values.get(name)?.text;
    return text === undefined ? undefined : parseExportText(text, path);
  };
  const { mlflow_version } = openEnvelope(
    { system: parsed('system'), export_info: parsed('export_info') },
    path,
  );
  const { run_name, user_id, start_time, end_time, artifact_uri, ...info } = checked(
    infoFields,
    parsed('info') ?? {},
    path,
  );
  const { dataset_inputs, model_inputs } = checked(inputs, parsed('inputs') ?? [], path);
  const { model_outputs } = checked(outputs, parsed('outputs') ?? {}, path);
  const params = checked(stringMap, parsed('params') ?? {}, path);
  const tags = checked(exportTags, parsed('tags'), path);
  const moment = end_time ?? start_time ?? 0;
  const byKey = [...metrics.values()].sort((a, b) =>
    (a.path.at(-1) ?? '') < (b.path.at(-1) ?? '') ? -1 : 1,
  );
  const series = byKey.map(
    ({ path: at, start, end }): Series => ({ key: at.at(-1) ?? '', moment, start, end }),
  );
  const notes: PointNotes = { datasets: 0, models: new Map(), withoutHistory: 0 };
  const latest_metrics = await latestPoints(cache.keep(path, readSeries(path, size, series, notes)));
  return {
    run: {
      kind: 'run',
      ...info,
      run_name: run_name || (ownValue(tags, RUN_NAME_TAG) ?? ''),
      user_id: user_id ?? '',
      start_time: start_time ?? null,
      end_time: end_time ?? null,
      artifact_uri: artifact_uri ?? '',
      params,
      tags,
      dataset_inputs,
      ...(model_inputs.length === 0 ? {} : { model_inputs }),
      ...(model_outputs.length === 0 ? {} : { model_outputs }),
      latest_metrics,
    },
    notes,
    mlflow_version,
    has: { inputs: values.has('inputs'), outputs: values.has('outputs') },
    async *metrics(keys) {
      const kept = cache.take(path);
      if (kept !== undefined) {
        for (const piece of kept) if (keys?.includes(piece.key) !== false) yield piece;
        return;
      }
      yield* readSeries(
        path,
        size,
        series.filter(({ key }) => keys?.includes(key) !== false),
      );
    },
  };
}

const isInfo = ({ path, text }: FoundValue) =>
  path.at(-1) === 'info' &&
  (path[0] === 'mlflow' ? path.length === 2 : path.length === 1 && /"run_(?:id|uuid)"/.test(text ?? ''));

const infoOf = ({ text = '' }: FoundValue, path: string) =>
  checked(infoFields, parseExportText(text, path), path);

const PIECE = 256 * 1024;
/** Pieces after which others have their turn. */
const MANY = 32;

/** Finds all values of a file; its length in bytes. */
async function findAll(path: string, onValue: (found: FoundValue) => void): Promise<number> {
  const finder = createValueFinder(opens, isMetric);
  let size = 0;
  let pieces = 0;
  for (const piece of readRegularFile(path, PIECE)) {
    size += piece.length;
    for (const found of pushed(finder, piece, path)) onValue(found);
    pieces += 1;
    if (pieces % MANY === 0) await setImmediate();
  }
  try {
    finder.end();
  } catch (error) {
    throw broken(path, error);
  }
  return size;
}

function pushed(finder: ReturnType<typeof createValueFinder>, piece: Uint8Array, path: string): FoundValue[] {
  try {
    return finder.push(piece);
  } catch (error) {
    throw broken(path, error);
  }
}

const broken = (path: string, error: unknown) =>
  error instanceof SyntaxError
    ? new MlferryError('SOURCE_ITEM', `${path} cannot be read: ${reasonOf(error)}`, { cause: error })
    : error;
