import { compareInt64 } from '../model/int64.ts';
import { toDouble } from '../model/metric-value.ts';
import type { DatasetInput, Point, Run } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import type { PointRules } from '../places/representation.ts';
import { type Difference, differenceOf, mapDifferences } from './difference.ts';
import { comparedValue } from './point-balance.ts';

/** Fields that every copy has; ids and roots only where the record keeps them. */
const FIELDS = [
  'run_name',
  'status',
  'start_time',
  'end_time',
  'user_id',
  'lifecycle_stage',
  'deleted_time',
] as const;
const PLACE_FIELDS = ['run_id', 'experiment_id', 'artifact_uri'] as const;

/** The fields in which a run's record is not the expected one, but for its metrics. `kept`: its ids and root count, too. */
export function recordDifferences(expected: Run, present: Run, kept: boolean): Difference[] {
  const fields = kept ? [...FIELDS, ...PLACE_FIELDS] : FIELDS;
  return [
    ...fields.flatMap((field) => differenceOf(field, expected[field], present[field])),
    ...mapDifferences('params.', expected.params, present.params),
    ...mapDifferences('tags.', expected.tags, present.tags),
    ...inputDifferences(expected.dataset_inputs, present.dataset_inputs),
    ...mapDifferences('model_inputs.', inputsOf(expected), inputsOf(present)),
    ...mapDifferences('model_outputs.', outputsOf(expected), outputsOf(present)),
  ];
}

const inputsOf = ({ model_inputs = [] }: Run) =>
  Object.fromEntries(model_inputs.map(({ model_id }) => [model_id, 'linked']));
const outputsOf = ({ model_outputs = [] }: Run) =>
  Object.fromEntries(model_outputs.map(({ model_id, step }) => [model_id, `step ${step}`]));

/** Inputs belong together by name and digest; those left over on both sides in their order, so that a changed name shows. */
function inputDifferences(expected: readonly DatasetInput[], present: readonly DatasetInput[]): Difference[] {
  const byKey = (inputs: readonly DatasetInput[]) =>
    Map.groupBy(
      inputs.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
      keyOf,
    );
  const left = byKey(expected);
  const right = byKey(present);
  const pairs: Array<[DatasetInput | undefined, DatasetInput | undefined]> = [];
  const alone: DatasetInput[] = [];
  for (const [key, inputs] of left) {
    const others = right.get(key) ?? [];
    for (const input of inputs) {
      const other = others.shift();
      if (other === undefined) alone.push(input);
      else pairs.push([input, other]);
    }
  }
  const others = [...right.values()].flat();
  const longer = Math.max(alone.length, others.length);
  for (let index = 0; index < longer; index++) pairs.push([alone[index], others[index]]);
  return pairs.flatMap(([a, b]) => pairDifferences(a, b));
}

function pairDifferences(a: DatasetInput | undefined, b: DatasetInput | undefined): Difference[] {
  const prefix = `dataset_inputs.${(a ?? b)?.dataset.name ?? ''}`;
  if (a === undefined || b === undefined) return differenceOf(prefix, a?.dataset.digest, b?.dataset.digest);
  // An empty schema or profile and none are the same to a server.
  const texts = ({ dataset: { name, digest, source_type, source, schema, profile } }: DatasetInput) =>
    Object.fromEntries(
      Object.entries({ name, digest, source_type, source, schema, profile }).flatMap(([key, value]) =>
        value === undefined || value === '' ? [] : [[key, value]],
      ),
    );
  return [
    ...mapDifferences(`${prefix}.`, texts(a), texts(b)),
    ...mapDifferences(`${prefix}.tags.`, a.tags, b.tags),
  ];
}

function keyOf({ dataset }: DatasetInput): string {
  return JSON.stringify([dataset.name, dataset.digest]);
}

/** The metrics whose latest point is not the same. Of two at one moment, one of them NaN, MLflow versions choose differently. */
export function latestDifferences(
  source: Run['latest_metrics'],
  target: Run['latest_metrics'],
  rules: PointRules,
): Difference[] {
  const keys = [...new Set([...Object.keys(source), ...Object.keys(target)])].sort();
  return keys.flatMap((key) => {
    const a = ownValue(source, key);
    const b = ownValue(target, key);
    if (a !== undefined && rules.problemOf(key) !== undefined && b === undefined) return [];
    // The latest point of a series without its early ones is not known here.
    if (a !== undefined && !rules.negativeTimestamps && compareInt64(a[1], 0) < 0) return [];
    if (a !== undefined && b !== undefined && isSameLatest(a, b, rules.exact)) return [];
    return differenceOf(`latest_metrics.${key}`, pointText(a), pointText(b));
  });
}

function isSameLatest(a: Point, b: Point, exact: boolean): boolean {
  if (a[0] !== b[0] || a[1] !== b[1]) return false;
  const tie = (a[2] === 'NaN') !== (b[2] === 'NaN');
  return tie || Object.is(comparedValue(toDouble(a[2]), exact), comparedValue(toDouble(b[2]), exact));
}

function pointText(point: Point | undefined): string | undefined {
  if (point === undefined) return undefined;
  const [step, timestamp, value] = point;
  return `step ${step} timestamp ${timestamp} value ${Object.is(value, -0) ? '-0' : value}`;
}
