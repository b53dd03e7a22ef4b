import { join } from 'node:path';
import { z } from 'zod';
import { kindOf } from '../../../kinds/kinds.ts';
import { int64 } from '../../../model/int64.ts';
import {
  assessmentJson,
  previewsIn,
  stateOf,
  type TraceInfo,
  timestampMs,
  traceInfo,
} from '../../../model/mlflow/trace-fields.ts';
import type { Experiment } from '../../../model/records.ts';
import { type Trace, trace } from '../../../model/trace.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectReader, ObjectSource } from '../../objects.ts';
import { readSpans, SPANS_FILE } from '../../reading/span-file.ts';
import { listDirectories } from '../layout/layout.ts';
import { readMetaYaml, TYPED } from '../layout/meta-yaml.ts';
import { ASSESSMENTS, listYamlFiles, METADATA, TRACE_FILE, TRACES } from '../layout/trace-files.ts';
import { representTrace } from '../write/fit-trace.ts';
import { type ArtifactFinder, storeArtifacts } from './artifacts.ts';
import { createDamage, type Damage } from './damage.ts';
import { type RunLoss, readTexts } from './read-run.ts';
import type { StoreFindings } from './store-findings.ts';

/** The traces of a store, by their ids: nothing but their own files tells when they began. */
export function traces(
  finder: ArtifactFinder,
  directoryOf: (experiment: Experiment) => string,
  { note, fail, damaged, strict }: StoreFindings,
): ObjectSource {
  const of = kindOf('trace');

  const reader = async (directory: string, name: string, experiment: Experiment): Promise<ObjectReader> => {
    const owner = { experiment_name: experiment.name, of: { kind: of.kind, id: name } };
    const damage = createDamage(strict);
    const { info, losses } = await loadTrace(directory, name, experiment, damage);
    note(losses, owner);
    damaged(objectOf(name, experiment), damage.told);
    const record: Trace = { ...info, spans: [] };
    const files = storeArtifacts(finder, { id: name, directory, artifact_uri: info.artifact_uri }, (loss) =>
      note([loss], owner),
    );
    return {
      of,
      record,
      async whole() {
        const spans = await readSpans(files, info.trace_id);
        if (spans === undefined && info.state !== 'IN_PROGRESS') {
          const detail = 'the source has no spans of it: its traces.json is missing';
          note([{ code: 'ARTIFACT_MISSING', key: SPANS_FILE, detail }], owner);
        }
        return { ...record, spans: [...(spans ?? [])] };
      },
      async *artifacts() {
        for await (const file of files.artifacts()) if (file.path !== SPANS_FILE) yield file;
      },
      open: files.open,
    };
  };

  return {
    represent: (wanted, present) => representTrace(trace.parse(wanted), trace.parse(present)),
    async *read({ experiments }) {
      for (const experiment of experiments) {
        const all = join(directoryOf(experiment), TRACES);
        for (const name of await listDirectories(all)) {
          if (name.startsWith('.')) continue;
          let found: ObjectReader;
          try {
            found = await reader(join(all, name), name, experiment);
          } catch (error) {
            fail(objectOf(name, experiment), error);
            continue;
          }
          yield found;
        }
      }
    },
  };
}

const objectOf = (trace_id: string, { name }: Experiment) => `trace ${trace_id} of experiment "${name}"`;

/** Longest file of a trace but its spans (bytes). */
const MOST_OF_TRACE = 4 * 2 ** 20;

const optional = z
  .union([z.string(), z.number(), z.boolean()])
  .nullish()
  .transform((value) => (value === undefined || value === null ? undefined : String(value)));

/** `trace_info.yaml` of MLflow 3.3 and newer. */
const newer = z.object({
  trace_id: z.string().min(1),
  trace_location: z.object({ mlflow_experiment: z.object({ experiment_id: z.string().min(1) }) }),
  request_time: z.string(),
  execution_duration_ms: int64.nullish(),
  state: z.string().optional(),
  client_request_id: optional,
  request_preview: optional,
  response_preview: optional,
});

/** The same of 2.14 to 3.2. */
const older = z.object({
  request_id: z.string().min(1),
  experiment_id: z.string().min(1),
  timestamp_ms: int64,
  execution_time_ms: int64.nullish(),
  status: z.string().optional(),
});

/** Reads a trace's directory but its spans. Throws SOURCE_ITEM, or a system error, for what `damage` does not take. */
export async function loadTrace(
  directory: string,
  name: string,
  { experiment_id }: Pick<Experiment, 'experiment_id'>,
  damage: Damage = createDamage(true),
): Promise<{ readonly info: TraceInfo; readonly losses: readonly RunLoss[] }> {
  const path = join(directory, TRACE_FILE);
  const losses: RunLoss[] = [];
  const [tags, metadata] = [
    Object.fromEntries(await readTexts(join(directory, 'tags'), 'tag of a trace', losses, damage)),
    Object.fromEntries(await readTexts(join(directory, METADATA), 'metadata of a trace', losses, damage)),
  ];
  const meta = toInfo(await readMetaYaml(path, MOST_OF_TRACE, TYPED), path);
  for (const [field, wanted] of [
    ['trace_id', name],
    ['experiment_id', experiment_id],
  ] as const) {
    if (meta[field] !== wanted)
      throw new MlferryError('SOURCE_ITEM', `${path} says ${field} "${meta[field]}" and not "${wanted}"`);
  }
  const assessments: Trace['assessments'] = [];
  for (const file of await listYamlFiles(join(directory, ASSESSMENTS))) {
    const assessment = await damage.tolerate(file, async () => {
      const parsed = assessmentJson.safeParse(await readMetaYaml(file, MOST_OF_TRACE, TYPED));
      if (!parsed.success) throw new MlferryError('SOURCE_ITEM', `${file} is not what MLflow writes`);
      return parsed.data;
    });
    if (assessment !== undefined) assessments.push(assessment);
  }
  const { isOlder, ...told } = meta;
  const previews = isOlder ? previewsIn(metadata) : {};
  const info = traceInfo({ ...told, ...previews, trace_metadata: metadata, tags, assessments });
  return { info, losses };
}

function toInfo(value: unknown, path: string) {
  const now = newer.safeParse(value);
  if (now.success) {
    const { trace_location, request_time, execution_duration_ms, state, ...rest } = now.data;
    const began = timestampMs(request_time);
    if (began === undefined) throw new MlferryError('SOURCE_ITEM', `${path} has no valid request_time`);
    return {
      ...rest,
      experiment_id: trace_location.mlflow_experiment.experiment_id,
      request_time: began,
      execution_duration: execution_duration_ms ?? undefined,
      state: stateOf(state),
      isOlder: false,
    };
  }
  const before = older.safeParse(value);
  if (!before.success)
    throw new MlferryError(
      'SOURCE_ITEM',
      `${path} is not what MLflow writes: ${now.error.issues[0]?.message ?? ''}`,
    );
  const { request_id, experiment_id, timestamp_ms, execution_time_ms, status } = before.data;
  return {
    trace_id: request_id,
    experiment_id,
    request_time: timestamp_ms,
    execution_duration: execution_time_ms ?? undefined,
    state: stateOf(status),
    isOlder: true,
  };
}
