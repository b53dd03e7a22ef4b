import { z } from 'zod';
import { canonicalExperiment, canonicalRun } from '../model/canonical.ts';
import { toJson } from '../model/json.ts';
import { type LeftBehind, leftBehind } from '../model/left-behind.ts';
import { type MetricsRecord, metricsLine } from '../model/metrics-line.ts';
import { areRecordable, listPoints, pointsOf } from '../model/points.ts';
import {
  type ArtifactRecord,
  artifact,
  experiment,
  MAX_POINTS,
  metrics,
  run,
  sha256,
} from '../model/records.ts';
import { mapOf, sortKeys } from '../model/string-map.ts';
import type { ObjectKind, ObjectRecord } from './kind.ts';
import { FIRST_WITH_LEFT_BEHIND, FORMAT_VERSION, FURTHER_KINDS } from './kinds.ts';

/** What kind of place: any name, so that files from places that this version does not know can be read. */
const placeKind = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/);

/** First line of every archive and stream: what it is and where it came from. No clock time, so that the same source gives the same bytes. */
export const header = z.strictObject({
  kind: z.literal('header'),
  format: z.literal('mlferry'),
  version: z.int().positive(),
  tool_version: z.string(),
  source: z.strictObject({
    kind: placeKind,
    location: z.string(),
    fingerprint: z.string(),
    server_version: z.string().optional(),
  }),
  selection: z.strictObject({
    experiments: z.array(z.string()),
    runs: z.array(z.string()),
    exclude_experiments: z.array(z.string()).exactOptional(),
    view: z.enum(['active', 'deleted', 'all']),
    filter: z.string().exactOptional(),
    experiment_filter: z.string().exactOptional(),
    registered_models: z.array(z.string()).exactOptional(),
    with_model_version: z.boolean().exactOptional(),
    model_filter: z.string().exactOptional(),
    registered_model_filter: z.string().exactOptional(),
    model_version_filter: z.string().exactOptional(),
    trace_filter: z.string().exactOptional(),
    order_by: z.array(z.string()).exactOptional(),
    max_runs: z.int().positive().exactOptional(),
  }),
});
export type Header = z.infer<typeof header>;

/** Last line: how many records of each kind came before, and the hash of all their bytes (line ends included). */
export const end = z.strictObject({
  kind: z.literal('end'),
  experiments: z.int().nonnegative(),
  runs: z.int().nonnegative(),
  points: z.int().nonnegative(),
  artifacts: z.int().nonnegative(),
  /** Of each further kind, by the key of its counts; from format version 2. */
  objects: mapOf(z.int().nonnegative()).optional(),
  bytes: z.int().nonnegative(),
  sha256,
});
export type End = z.infer<typeof end>;

/** A file of an object of a further kind, under its line. Without `sha256` the bytes are not carried, only known to exist. */
export const objectArtifact = z.strictObject({
  kind: z.literal('object_artifact'),
  object_kind: z.string().min(1),
  object_id: z.string().min(1),
  path: z.string().min(1),
  size: z.int().nonnegative(),
  sha256: sha256.optional(),
});
export type ObjectArtifactRecord = z.infer<typeof objectArtifact>;

/** A line of a file, whatever owns it. */
export type FileRecord = ArtifactRecord | ObjectArtifactRecord;

/** The lines that every format version has. */
export const fixedRecord = z.discriminatedUnion('kind', [header, experiment, run, metrics, artifact, end]);

type FixedRecord = z.infer<typeof fixedRecord>;

/** A line of a further kind: in memory it stands beside its kind, in files it is the record alone. */
export interface ObjectLine {
  readonly kind: 'object';
  readonly of: ObjectKind;
  readonly record: ObjectRecord;
}

/** Every line an archive or stream can hold, as it is in memory. */
export type WireRecord =
  | Exclude<FixedRecord, { kind: 'metrics' }>
  | MetricsRecord
  | ObjectArtifactRecord
  | LeftBehind
  | ObjectLine;

/** Why a value is no record, in the words of its first problem. */
export interface WireProblem {
  readonly path: string;
  readonly message: string;
}

/** The format version that first has objects of further kinds. */
const FIRST_WITH_OBJECTS = 2;

/** Lines that are no objects and came with a later version. */
const LATER_LINES = [
  { kind: 'object_artifact', since: FIRST_WITH_OBJECTS, schema: objectArtifact },
  { kind: 'left_behind', since: FIRST_WITH_LEFT_BEHIND, schema: leftBehind },
];

const kindOnly = z.looseObject({ kind: z.string() });

/** A line of a file of this format version, checked by the schema of its kind. */
export function parseRecord(
  value: unknown,
  version: number,
): { record: WireRecord; problem?: undefined } | { record?: undefined; problem: WireProblem } {
  const kind = kindOnly.safeParse(value).data?.kind;
  const of = FURTHER_KINDS.find((each) => each.kind === kind && each.since <= version);
  if (of === undefined) {
    const later = LATER_LINES.find((each) => each.kind === kind && each.since <= version);
    const checked = (later?.schema ?? fixedRecord).safeParse(value);
    return checked.success ? { record: inMemory(checked.data) } : { problem: firstProblem(checked.error) };
  }
  const checked = of.schema.safeParse(value);
  return checked.success
    ? { record: { kind: 'object', of, record: checked.data } }
    : { problem: firstProblem(checked.error) };
}

function inMemory(line: FixedRecord | ObjectArtifactRecord | LeftBehind): WireRecord {
  return line.kind === 'metrics' ? { ...line, points: pointsOf(line.points) } : line;
}

/** The first problem that keeps a record from being written; none if a reader would take it back. */
export function recordProblem(record: WireRecord): WireProblem | undefined {
  if (record.kind === 'metrics') return metricsProblem(record);
  return parseRecord(record.kind === 'object' ? record.record : record, FORMAT_VERSION).problem;
}

/** Only a record that does not pass here becomes an array a point, to be told what is wrong. */
function metricsProblem(record: MetricsRecord): WireProblem | undefined {
  const { run_id, points } = record;
  if (run_id !== '' && points.length > 0 && points.length <= MAX_POINTS && areRecordable(points))
    return undefined;
  return parseRecord({ ...record, points: listPoints(points) }, FORMAT_VERSION).problem;
}

function firstProblem({ issues: [issue] }: z.ZodError): WireProblem {
  return { path: issue?.path.map(String).join('.') ?? '', message: issue?.message ?? 'unknown reason' };
}

/** The one text of a record: fixed field order, keys and inputs sorted, no line end. */
export function canonicalLine(record: WireRecord): string {
  if (record.kind === 'experiment') return toJson(canonicalExperiment(record));
  if (record.kind === 'run') return toJson(canonicalRun(record));
  if (record.kind === 'metrics') return metricsLine(record).toString().slice(0, -1);
  if (record.kind === 'object') return toJson(canonicalRecord(record.of, record.record));
  return toJson(record);
}

/** A record of a further kind in its one form: fields in the order of the schema, maps with sorted keys. */
export function canonicalRecord(
  { schema }: ObjectKind,
  record: ObjectRecord,
): Readonly<Record<string, unknown>> {
  return z.record(z.string(), z.unknown()).parse(canonicalObject(schema, record));
}

/** A value with its fields in the order of the schema, maps with sorted keys, and nothing undefined. */
function canonicalObject(schema: unknown, value: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable)
    return canonicalObject(schema.unwrap(), value);
  if (Array.isArray(value))
    return schema instanceof z.ZodArray ? value.map((item) => canonicalObject(schema.element, item)) : value;
  if (typeof value !== 'object' || value === null) return value;
  const fields = new Map(Object.entries(value));
  if (!(schema instanceof z.ZodObject)) return sortKeys(Object.fromEntries(fields));
  return Object.fromEntries(
    Object.entries(schema.shape).flatMap(([field, of]) =>
      fields.get(field) === undefined ? [] : [[field, canonicalObject(of, fields.get(field))]],
    ),
  );
}
