import { z } from 'zod';
import type { MetricValue } from '../../../src/model/metric-value.ts';
import type { Point } from '../../../src/model/records.ts';
import { runPython } from '../../servers/run-python.ts';
import type { MlflowVersion } from '../../servers/versions.ts';
import { sha256, type Workspace } from '../memory-workspace.ts';

const texts = z.custom<Record<string, string>>((value) => typeof value === 'object' && value !== null);
const lists = z.custom<Record<string, string[]>>((value) => typeof value === 'object' && value !== null);

const snapshot = z.object({
  experiments: z.array(
    z.object({ experiment_id: z.string(), name: z.string(), lifecycle_stage: z.string(), tags: texts }),
  ),
  runs: z.array(
    z.object({
      run_id: z.string(),
      experiment_id: z.string(),
      run_name: z.string().nullable(),
      user_id: z.string(),
      status: z.string(),
      start_time: z.number(),
      end_time: z.number().nullable(),
      lifecycle_stage: z.string(),
      params: texts,
      tags: texts,
      latest: texts,
      history: lists,
      inputs: z.array(
        z.object({
          name: z.string(),
          digest: z.string(),
          source_type: z.string(),
          source: z.string(),
          schema: z.string().nullable(),
          profile: z.string().nullable(),
          tags: texts,
        }),
      ),
      artifacts: z.record(z.string(), z.object({ size: z.number(), sha256: z.string() })),
    }),
  ),
});

/** What an MLflow client sees, in a comparable order. */
export type ClientView = z.infer<typeof snapshot>;

/** Everything that a version's own client sees in an mlruns directory. */
export async function clientView(version: MlflowVersion, root: string): Promise<ClientView> {
  const script = new URL('../../python/snapshot.py', import.meta.url);
  return ordered(snapshot.parse(JSON.parse(await runPython(version, script, [root]))));
}

const repr = (value: MetricValue) => {
  if (value === 'NaN') return 'nan';
  if (typeof value === 'string') return value === 'Infinity' ? 'inf' : '-inf';
  return Object.is(value, -0) ? '-0.0' : String(value);
};
/** Python's repr of a double in JavaScript's spelling. */
const spelling = (text: string) => (/^-?(?:nan|inf)$|^-0\.0$/.test(text) ? text : String(Number(text)));
const pointText = ([step, timestamp, value]: Point) => `${step} ${timestamp} ${repr(value)}`;
const respelled = (text: string) => text.replace(/\S+$/, spelling);
const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const mapValues = <T, U>(map: Record<string, T>, change: (value: T) => U) =>
  Object.fromEntries(
    Object.entries(map)
      .sort(([a], [b]) => byText(a, b))
      .map(([key, value]) => [key, change(value)]),
  );

function ordered(view: ClientView): ClientView {
  return {
    experiments: view.experiments.toSorted((a, b) => byText(a.name, b.name)),
    runs: view.runs
      .map((run) => ({
        ...run,
        latest: mapValues(run.latest, respelled),
        history: mapValues(run.history, (points) => points.map(respelled)),
        inputs: run.inputs.toSorted((a, b) => byText(a.name, b.name)),
        artifacts: mapValues(run.artifacts, ({ size, sha256 }) => ({ size, sha256 })),
      }))
      .toSorted((a, b) => byText(a.run_id, b.run_id)),
  };
}

/** What mlferry read, as an MLflow client would show it. */
export function viewOf(workspace: Workspace): ClientView {
  return ordered({
    experiments: workspace.map(({ experiment: { experiment_id, name, lifecycle_stage, tags } }) => ({
      experiment_id,
      name,
      lifecycle_stage,
      tags: { ...tags },
    })),
    runs: workspace.flatMap(({ runs }) =>
      runs.map(({ run, metrics, artifacts }) => ({
        run_id: run.run_id,
        experiment_id: run.experiment_id,
        run_name: run.run_name,
        user_id: run.user_id,
        status: run.status,
        start_time: Number(run.start_time),
        end_time: run.end_time === null ? null : Number(run.end_time),
        lifecycle_stage: run.lifecycle_stage,
        params: { ...run.params },
        tags: { ...run.tags },
        latest: mapValues(run.latest_metrics, pointText),
        history: Object.fromEntries(metrics.map(([key, points]) => [key, points.map(pointText)])),
        inputs: run.dataset_inputs.map(({ dataset, tags }) => ({
          name: dataset.name,
          digest: dataset.digest,
          source_type: dataset.source_type,
          source: dataset.source,
          schema: dataset.schema ?? null,
          profile: dataset.profile ?? null,
          tags: { ...tags },
        })),
        artifacts: Object.fromEntries(
          artifacts.map(([path, bytes]) => [path, { size: bytes.length, sha256: sha256(bytes) }]),
        ),
      })),
    ),
  });
}
