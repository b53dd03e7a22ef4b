import { z } from 'zod';
import type { GitSource, RunSource } from '../../look/run-source.ts';
import { int64 } from '../../model/int64.ts';
import { loggedModel } from '../../model/logged-model.ts';
import { experiment, lifecycleStage, point, run, runStatus } from '../../model/records.ts';
import { modelVersion } from '../../model/registered-model.ts';
import type { MetricSummary } from '../../show/metric-summaries.ts';
import type { ModelOfRun } from '../../show/models-of-run.ts';
import type { FamilyRun } from '../../show/run-family.ts';
import type { ExperimentView } from '../../show/show-experiment.ts';
import type { LoggedModelView } from '../../show/show-logged-model.ts';
import type { RunView } from '../../show/show-run.ts';
import { modelList } from './lists.ts';
import { count, place } from './parts.ts';
import { schemaOf } from './schema-of.ts';

const text = z.string().optional();

const gitSource = schemaOf<GitSource>()(
  z.strictObject({
    repository: text,
    commit: text,
    branch: text,
    path: text,
    dirty: z.boolean().optional(),
    page: text,
    link: text,
  }),
);

const runSource = schemaOf<RunSource>()(
  z.strictObject({
    type: text,
    name: text,
    entry_point: text,
    backend: text,
    environment: text,
    git: gitSource.optional(),
    notebook: z.strictObject({ id: text, path: text, revision_id: text, link: text }).optional(),
    job: z.strictObject({ id: text, run_id: text, type: text, link: text }).optional(),
    cluster_id: text,
    docker: z.strictObject({ image_uri: text, image_id: text }).optional(),
    link: text.meta({ description: 'opens the code as it was' }),
  }),
);

const familyRun = schemaOf<FamilyRun>()(
  z.strictObject({
    run_id: z.string(),
    run_name: z.string(),
    status: runStatus,
    start_time: int64.nullable(),
    lifecycle_stage: lifecycleStage,
    get children(): z.ZodType<readonly FamilyRun[]> {
      return z.array(familyRun);
    },
  }),
);

const metricSummary = schemaOf<MetricSummary>()(
  z.strictObject({
    key: z.string(),
    count,
    latest: point.optional(),
    min: point.optional(),
    max: point.optional(),
    history: z.array(point).meta({ description: 'points of the history, with its extremes' }),
  }),
);

const modelOfRun = schemaOf<ModelOfRun>()(
  z.strictObject({
    model_id: z.string(),
    role: z.enum(['made', 'read']),
    name: text,
    model_type: text,
    status: text,
    step: int64.optional(),
    path: text,
  }),
);

const shownFile = z.strictObject({
  path: z.string(),
  size: count.exactOptional(),
  sha256: z.string().exactOptional(),
});
const experimentName = z.strictObject({ experiment_id: z.string(), name: z.string() });
const counts = z.record(z.string(), count);

const runView = schemaOf<RunView>()(
  z.strictObject({
    kind: z.literal('run_view'),
    place,
    experiment: experimentName,
    run,
    duration: z.number().nullable().meta({ description: 'ms' }),
    source: runSource.optional(),
    note: text.meta({ description: 'Markdown' }),
    family: z.strictObject({ parents: z.array(familyRun), children: z.array(familyRun) }),
    metrics: z.array(metricSummary),
    models: z.array(modelOfRun),
    versions: z.array(modelVersion),
    artifacts: z.array(shownFile),
  }),
);

const experimentView = schemaOf<ExperimentView>()(
  z.strictObject({
    kind: z.literal('experiment_view'),
    place,
    experiment,
    note: text,
    statuses: counts,
    runs: count,
    deleted_runs: count,
    params: counts,
    metrics: counts,
    newest: z.array(
      run.pick({ run_id: true, run_name: true, status: true, start_time: true, user_id: true }),
    ),
    logged_models: count,
  }),
);

const loggedModelView = schemaOf<LoggedModelView>()(
  z.strictObject({
    kind: z.literal('logged_model_view'),
    place,
    experiment: experimentName,
    model: loggedModel,
    versions: z.array(modelVersion),
    artifacts: z.array(shownFile),
  }),
);

/** What `mlferry show` prints: of a run, an experiment, a logged model, or the registered models of a name. */
export const view = z.union([runView, experimentView, loggedModelView, modelList]);
