import { z } from 'zod';
import type { ComparedMetric, ComparedRun, Comparison } from '../../compare/comparison.ts';
import type { Row } from '../../compare/rows.ts';
import { int64 } from '../../model/int64.ts';
import { toJson } from '../../model/json.ts';
import { fromDouble, metricValue } from '../../model/metric-value.ts';
import { lifecycleStage, runStatus } from '../../model/records.ts';
import { mapOf, stringMap } from '../../model/string-map.ts';
import { count } from './parts.ts';
import { schemaOf } from './schema-of.ts';

const comparedMetric = schemaOf<ComparedMetric>()(
  z.strictObject({
    last: metricValue,
    step: int64,
    min: metricValue.optional(),
    max: metricValue.optional(),
    at: mapOf(metricValue).optional(),
  }),
);

const comparedRun = schemaOf<ComparedRun>()(
  z.strictObject({
    place: count.meta({ description: 'position among the places' }),
    run_id: z.string(),
    run_name: z.string(),
    experiment_id: z.string(),
    experiment_name: z.string(),
    user_id: z.string(),
    status: runStatus,
    lifecycle_stage: lifecycleStage,
    start_time: int64.nullable(),
    end_time: int64.nullable(),
    duration: z.number().nullable().meta({ description: 'ms' }),
    source: z.string().optional(),
    commit: z.string().optional(),
    link: z.string().optional(),
    params: stringMap,
    tags: stringMap,
    metrics: mapOf(comparedMetric),
  }),
);

const cell = z.union([metricValue, z.string(), z.null()]);

/** What `mlferry compare --format json` prints. */
export const comparison = z.strictObject({
  kind: z.literal('comparison'),
  places: z.array(z.string()),
  runs: z.array(comparedRun),
  rows: z.array(
    z.strictObject({
      group: z.enum(['details', 'params', 'metrics', 'tags']),
      name: z.string(),
      differs: z.boolean(),
      values: z.array(cell).meta({ description: 'in the order of the runs; null where a run has none' }),
      best: z.array(count).meta({ description: 'positions of the runs with the best value' }),
    }),
  ),
  hidden: count.meta({ description: 'rows that --all would show' }),
});

/** A comparison as JSON: its runs, and the rows that are shown. */
export function comparisonJson({ places, runs }: Comparison, rows: readonly Row[], hidden: number): string {
  return toJson({
    kind: 'comparison',
    places,
    runs,
    rows: rows.map(({ group, name, differs, cells, best }) => ({
      group,
      name,
      differs,
      values: cells.map((value) =>
        value === undefined ? null : typeof value === 'number' ? fromDouble(value) : value,
      ),
      best,
    })),
    hidden,
  });
}
