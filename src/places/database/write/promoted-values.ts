import { toInt64 } from '../../../model/int64.ts';
import { TRACE_NAME_TAG } from '../../../model/mlflow/tags.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import { isMap, isNumber, parseTypedJson, type TypedJson } from '../../../model/typed-json.ts';
import { COST, COSTS, SESSION, TOKEN_USAGE, TOKENS } from '../read/trace-columns.ts';
import type { Cells } from './rows.ts';

/** The fields of a JSON object of MLflow's metadata or attributes; of anything else none. */
export function jsonFields(json: string | undefined): ReadonlyMap<string, TypedJson> {
  try {
    const value = json === undefined ? null : parseTypedJson(json);
    return value !== null && typeof value === 'object' && isMap(value) ? value : new Map();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return new Map();
  }
}

/** A finite number among fields. */
export function finiteField(fields: ReadonlyMap<string, TypedJson>, name: string): number | undefined {
  const value = fields.get(name);
  const number = isNumber(value) ? Number(value.number) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

/** Tokens that a trace used, as MLflow counts them: whole numbers of 64 bits. */
export function tokenCells(trace_metadata: StringMap): Cells {
  const fields = jsonFields(ownValue(trace_metadata, TOKEN_USAGE));
  return TOKENS.map((name) => {
    const value = fields.get(name);
    const digits = isNumber(value) ? /^(-?\d+)(?:\.0+)?$/.exec(value.number)?.[1] : undefined;
    return [name, digits === undefined ? null : (toInt64(digits) ?? null)] as const;
  });
}

/** What MLflow 3.17 keeps of metadata and tags in columns of `trace_info` (mlflow/store/tracking/utils/trace_analytics.py). */
export function promotedCells({
  trace_metadata,
  tags,
}: {
  trace_metadata: StringMap;
  tags: StringMap;
}): Cells {
  const costs = jsonFields(ownValue(trace_metadata, COST));
  return [
    ['trace_name', ownValue(tags, TRACE_NAME_TAG) ?? null],
    ['session_id', ownValue(trace_metadata, SESSION) ?? null],
    ...tokenCells(trace_metadata),
    ...COSTS.map((name) => [name, finiteField(costs, name) ?? null] as const),
  ];
}
