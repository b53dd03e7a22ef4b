import { z } from 'zod';
import { fromServerJson } from '../../src/model/json.ts';
import { runPython } from './run-python.ts';
import { type Snapshot, snapshotSchema } from './snapshot.ts';
import type { MlflowVersion } from './versions.ts';

/** A server or an `mlruns` directory, with the MLflow to look at it with. */
export interface MlflowPlace {
  readonly url: string;
  readonly version: MlflowVersion;
  readonly username?: string;
  readonly password?: string;
  /** More variables for MLflow. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs a script of test/python with the place's own MLflow. */
async function runScript(place: MlflowPlace, script: string, args: readonly string[]): Promise<unknown> {
  const { url, version, username, password, environment } = place;
  const output = await runPython(version, new URL(`../python/${script}`, import.meta.url), [url, ...args], {
    ...environment,
    ...(username === undefined ? {} : { MLFLOW_TRACKING_USERNAME: username }),
    ...(password === undefined ? {} : { MLFLOW_TRACKING_PASSWORD: password }),
  });
  return fromServerJson(output);
}

const workspace = z.object({ runs: z.record(z.string(), z.string()) });

/**
 * Fills an empty server with everything that is hard to copy; returns the run ids by name. Workspaces that come
 * together in one database need different seeds.
 */
export async function makeWorkspace(
  server: MlflowPlace,
  size: 'full' | 'small',
  seed = 1,
): Promise<Readonly<Record<string, string>>> {
  const args = ['--size', size, '--seed', String(seed)];
  return workspace.parse(await runScript(server, 'make_workspace.py', args)).runs;
}

/** All that MLflow's own client sees there: deleted experiments and runs too, whole histories, hashes of all files. */
export async function takeSnapshot(place: MlflowPlace): Promise<Snapshot> {
  return snapshotSchema.parse(await runScript(place, 'snapshot.py', []));
}

/** Logs models of several flavors and states at a place of MLflow 3; `size`: bytes of a file of one of them. */
export async function logModels(place: MlflowPlace, size = 3000): Promise<void> {
  await runScript(place, 'log_models.py', [String(size)]);
}

const modelView = z.object({
  models: z.array(
    z.looseObject({
      name: z.string(),
      status: z.string(),
      files: z.record(z.string(), z.string()),
      predictions: z.record(z.string(), z.array(z.number())),
    }),
  ),
  runs: z.array(
    z.looseObject({ name: z.string(), inputs: z.array(z.string()), outputs: z.array(z.string()) }),
  ),
});

/** What MLflow's own client sees of the logged models there, ids replaced by names (test/python/model_view.py). */
export async function viewModels(place: MlflowPlace): Promise<z.infer<typeof modelView>> {
  return modelView.parse(await runScript(place, 'model_view.py', ['predict']));
}

/** Registers the models of {@link logModels} at the same place, and prompts. */
export async function registerModels(place: MlflowPlace): Promise<void> {
  await runScript(place, 'register_models.py', []);
}

const registryView = z.object({
  models: z.array(z.looseObject({ name: z.string(), aliases: z.record(z.string(), z.string()) })),
  versions: z.array(
    z.looseObject({
      name: z.string(),
      version: z.int(),
      predictions: z.array(z.number()),
      stage: z.string(),
    }),
  ),
});

/** What MLflow's own client sees of the model registry there, ids replaced by names (test/python/registry_view.py). */
export async function viewRegistry(place: MlflowPlace): Promise<z.infer<typeof registryView>> {
  return registryView.parse(await runScript(place, 'registry_view.py', []));
}

const evaluationView = z.object({
  scorers: z.array(z.tuple([z.string(), z.string(), z.int(), z.string()])),
  datasets: z.array(z.looseObject({ name: z.string(), records: z.array(z.string()) })),
});

/** Makes scorers and evaluation datasets at a server of MLflow 3.4 or newer. */
export async function makeEvaluation(place: MlflowPlace): Promise<void> {
  await runScript(place, 'evaluation.py', ['make']);
}

/** What MLflow's own client sees of the scorers and evaluation datasets there, ids replaced by names. */
export async function viewEvaluation(place: MlflowPlace): Promise<z.infer<typeof evaluationView>> {
  return evaluationView.parse(await runScript(place, 'evaluation.py', ['show']));
}

/** Logs traces of many kinds at a place of MLflow 3. */
export async function logTraces(place: MlflowPlace): Promise<void> {
  await runScript(place, 'log_traces.py', []);
}

/** Logs traces at a place of MLflow 2.14 to 3.2. */
export async function logOlderTraces(place: MlflowPlace): Promise<void> {
  await runScript(place, 'log_older_traces.py', []);
}

const traceView = z.object({
  traces: z.array(
    z.looseObject({
      trace_id: z.string(),
      experiment: z.string(),
      state: z.string(),
      in_store: z.boolean(),
      spans: z.array(z.looseObject({ name: z.string() })),
      assessments: z.array(z.looseObject({ assessment_name: z.string(), valid: z.boolean().optional() })),
    }),
  ),
  linked: z.array(z.tuple([z.string(), z.string()])),
  /** Traces that a search by their prompt finds. */
  prompted: z.array(z.string()),
});

/** What MLflow's own client sees of the traces there, ids of runs replaced by names (test/python/trace_view.py). */
export async function viewTraces(place: MlflowPlace): Promise<z.infer<typeof traceView>> {
  return traceView.parse(await runScript(place, 'trace_view.py', []));
}

/** Logs and registers models at a place of MLflow 2; `size`: bytes of a file of one of them. */
export async function logOlderModels(place: MlflowPlace, size = 3000): Promise<void> {
  await runScript(place, 'log_older_models.py', [String(size)]);
}

const loadedModels = z.record(
  z.string(),
  z.object({ predictions: z.array(z.number()), run: z.string(), path: z.string().nullable() }),
);

/** What models predict there, loaded by MLflow's own client by every URI that names them (test/python/predictions.py). */
export async function loadModels(place: MlflowPlace): Promise<z.infer<typeof loadedModels>> {
  return loadedModels.parse(await runScript(place, 'predictions.py', []));
}

/** Makes webhooks and what the AI gateway is set up with, all with this secret (test/python/make_anew.py). */
export async function makeAnew(place: MlflowPlace, secret: string): Promise<void> {
  await runScript(place, 'make_anew.py', [secret]);
}
