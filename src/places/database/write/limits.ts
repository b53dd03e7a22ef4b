import type { TargetLimits } from '../../../model/mlflow/limits.ts';
import type { Store } from '../read/store.ts';

/** What the columns of a database hold of a run. MLflow's own checks, which are stricter, are those of its server. */
export function databaseLimits({ database, tables }: Pick<Store, 'database' | 'tables'>): TargetLimits {
  const of = tables.length;
  return {
    unchecked: true,
    colon: true,
    key: of('tags', 'key'),
    param: of('params', 'value'),
    tag: of('tags', 'value'),
    experimentTag: of('experiment_tags', 'value'),
    dataset: {
      name: of('datasets', 'name'),
      digest: of('datasets', 'digest'),
      source: of('datasets', 'dataset_source'),
      schema: of('datasets', 'dataset_schema'),
      profile: of('datasets', 'dataset_profile'),
    },
    inputTag: { key: of('input_tags', 'name'), value: of('input_tags', 'value') },
    columns: database.dialect.checksLengths
      ? {
          runName: of('runs', 'name'),
          userId: of('runs', 'user_id'),
          sourceType: of('datasets', 'dataset_source_type'),
        }
      : undefined,
  };
}
