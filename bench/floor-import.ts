/**
 * The fewest requests that write the set to a server: per run create (with the tags), as many log-batches as the
 * points need, one PUT per file, one update. `node bench/floor-import.ts URL EXPERIMENT RUNS`
 */
import pLimit from 'p-limit';
import { z } from 'zod';
import { type BareClient, bareClient, CONCURRENCY } from './bare-client.ts';
import { type BenchRun, benchRun, range } from './dataset.ts';

/** The server refuses more entities in one log-batch. */
const MOST_ENTITIES = 1000;

const createdExperiment = z.object({ experiment_id: z.string() });
const createdRun = z.object({
  run: z.object({ info: z.object({ run_id: z.string(), artifact_uri: z.string() }) }),
});

/** Makes an experiment with that many runs of the set. */
export async function floorImport(url: string, experiment: string, runs: number): Promise<void> {
  const client = bareClient(url);
  const limit = pLimit(CONCURRENCY);
  const created = await post(client, 'experiments/create', { name: experiment });
  const { experiment_id } = createdExperiment.parse(JSON.parse(created.toString()));
  await Promise.all(
    range(runs).map((number) => limit(() => sendRun(client, experiment_id, benchRun(number)))),
  );
  await client.close();
}

async function sendRun(client: BareClient, experiment_id: string, run: BenchRun): Promise<void> {
  const created = await post(client, 'runs/create', {
    experiment_id,
    run_name: run.name,
    user_id: 'bench',
    start_time: run.startTime,
    tags: run.tags,
  });
  const { run_id, artifact_uri } = createdRun.parse(JSON.parse(created.toString())).run.info;
  let params = run.params;
  for (let sent = 0; sent < run.metrics.length; ) {
    const metrics = run.metrics.slice(sent, sent + MOST_ENTITIES - params.length);
    await post(client, 'runs/log-batch', { run_id, params, metrics });
    sent += metrics.length;
    params = [];
  }
  for (const { path, bytes } of run.files) {
    await client.send('PUT', `${artifactRoute(artifact_uri)}/${path}`, bytes);
  }
  await post(client, 'runs/update', { run_id, status: 'FINISHED', end_time: run.endTime });
}

function post(client: BareClient, route: string, body: unknown): Promise<Buffer> {
  return client.send('POST', `/api/2.0/mlflow/${route}`, JSON.stringify(body));
}

/** Path of a `mlflow-artifacts:` URI at the server. */
export function artifactRoute(uri: string): string {
  return uri.replace(/^mlflow-artifacts:/, '/api/2.0/mlflow-artifacts/artifacts');
}

if (import.meta.main) {
  const [url = '', experiment = '', runs = ''] = process.argv.slice(2);
  await floorImport(url, experiment, Number(runs));
}
