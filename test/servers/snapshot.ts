import { z } from 'zod';
import { mapOf, stringMap } from '../../src/model/string-map.ts';

/** A run as MLflow's own client sees it (test/python/snapshot.py). Points are `"<step> <timestamp> <value>"`. */
const runSnapshot = z.strictObject({
  run_id: z.string(),
  experiment_id: z.string(),
  run_name: z.string().nullable(),
  user_id: z.string().nullable(),
  status: z.string(),
  start_time: z.number().nullable(),
  end_time: z.number().nullable(),
  lifecycle_stage: z.string(),
  artifact_uri: z.string(),
  params: stringMap,
  tags: stringMap,
  latest: stringMap,
  history: mapOf(z.array(z.string())),
  inputs: z.array(
    z.strictObject({
      name: z.string(),
      digest: z.string(),
      source_type: z.string(),
      source: z.string(),
      schema: z.string().nullable(),
      profile: z.string().nullable(),
      tags: stringMap,
    }),
  ),
  artifacts: mapOf(z.strictObject({ size: z.number(), read: z.number(), sha256: z.string() })),
});

/** Everything that MLflow's own client sees at a place. */
export const snapshotSchema = z.strictObject({
  mlflow: z.string(),
  experiments: z.array(
    z.strictObject({
      experiment_id: z.string(),
      name: z.string(),
      lifecycle_stage: z.string(),
      tags: stringMap,
    }),
  ),
  runs: z.array(runSnapshot),
});

export type RunSnapshot = z.infer<typeof runSnapshot>;
export type Snapshot = z.infer<typeof snapshotSchema>;
