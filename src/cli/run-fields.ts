/** Columns that are fields of a run. */
export const RUN_FIELDS = [
  'run_id',
  'run_name',
  'experiment_id',
  'experiment_name',
  'user_id',
  'status',
  'lifecycle_stage',
  'start_time',
  'end_time',
  'deleted_time',
  'artifact_uri',
] as const;
export type RunField = (typeof RUN_FIELDS)[number];
