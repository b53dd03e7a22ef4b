import { z } from 'zod';
import { TRACE_NAME_TAG } from '../../../model/mlflow/tags.ts';
import type { StringMap } from '../../../model/string-map.ts';
import { pythonNumber } from '../../../model/typed-json.ts';
import { nullableText, optionalInteger } from './cells.ts';

const cost = z
  .number()
  .nullable()
  .transform((value) => value ?? undefined);

/** Columns of `trace_info` in which MLflow 3.17 keeps what was metadata and a tag before (revision 75868b020152). */
export const PROMOTED = {
  trace_name: nullableText,
  session_id: nullableText,
  input_tokens: optionalInteger,
  output_tokens: optionalInteger,
  total_tokens: optionalInteger,
  cache_read_input_tokens: optionalInteger,
  cache_creation_input_tokens: optionalInteger,
  cache_creation_input_tokens_above_1hr: optionalInteger,
  input_cost: cost,
  output_cost: cost,
  total_cost: cost,
};

export const TOKENS = [
  'input_tokens',
  'output_tokens',
  'total_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
  'cache_creation_input_tokens_above_1hr',
] as const;
export const COSTS = ['input_cost', 'output_cost', 'total_cost'] as const;

export const SESSION = 'mlflow.trace.session';
export const TOKEN_USAGE = 'mlflow.trace.tokenUsage';
export const COST = 'mlflow.trace.cost';

type Promoted = z.infer<z.ZodObject<typeof PROMOTED>>;

/** The same as metadata and tags, as MLflow tells them (mlflow/store/tracking/utils/trace_analytics.py). */
export function promotedMaps(row: Promoted): {
  readonly trace_metadata: StringMap;
  readonly tags: StringMap;
} {
  const object = (key: string, fields: ReadonlyArray<readonly [string, string | undefined]>) => {
    const given = fields.flatMap(([name, value]) => (value === undefined ? [] : [`"${name}": ${value}`]));
    return given.length === 0 ? {} : { [key]: `{${given.join(', ')}}` };
  };
  const tokens = TOKENS.map((name) => [name, row[name]?.toString()] as const);
  const costs = COSTS.map((name) => {
    const value = row[name];
    return [name, value === undefined ? undefined : pythonNumber(value)] as const;
  });
  return {
    trace_metadata: {
      ...(row.session_id === undefined ? {} : { [SESSION]: row.session_id }),
      ...object(TOKEN_USAGE, tokens),
      ...object(COST, costs),
    },
    tags: row.trace_name === undefined ? {} : { [TRACE_NAME_TAG]: row.trace_name },
  };
}
