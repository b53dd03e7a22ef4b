import { z } from 'zod';
import { fromServerJson } from '../../../src/model/json.ts';

/** Plain requests to a real server, to see what a writer left there. */
export function rest(url: string) {
  async function call(path: string, body?: unknown): Promise<unknown> {
    const init =
      body === undefined
        ? {}
        : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(`${url}/api/2.0/mlflow/${path}`, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return fromServerJson(text);
  }

  const pairs = z.array(z.object({ key: z.string(), value: z.string() })).default([]);
  const map = (list: z.infer<typeof pairs>) => Object.fromEntries(list.map(({ key, value }) => [key, value]));
  const run = z.object({
    info: z.looseObject({ run_id: z.string(), lifecycle_stage: z.string() }),
    data: z
      .object({ params: pairs, tags: pairs, metrics: z.array(z.unknown()).default([]) })
      .default({ params: [], tags: [], metrics: [] }),
    inputs: z.object({ dataset_inputs: z.array(z.unknown()).default([]) }).default({ dataset_inputs: [] }),
  });
  const point = z.object({
    step: z.union([z.number(), z.string()]).default(0),
    timestamp: z.union([z.number(), z.string()]),
    value: z.union([z.number(), z.string()]),
  });
  const files = z
    .array(
      z.object({ path: z.string(), is_dir: z.boolean().default(false), file_size: z.number().default(0) }),
    )
    .default([]);

  async function listFiles(run_id: string, directory = ''): Promise<Array<[path: string, size: number]>> {
    const query = new URLSearchParams({ run_id, ...(directory === '' ? {} : { path: directory }) });
    const found: Array<[string, number]> = [];
    for (const { path, is_dir, file_size } of z.object({ files }).parse(await call(`artifacts/list?${query}`))
      .files) {
      if (is_dir) found.push(...(await listFiles(run_id, path)));
      else found.push([path, file_size]);
    }
    return found.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  return {
    call,
    async run(run_id: string) {
      const { info, data, inputs } = z.object({ run }).parse(await call(`runs/get?run_id=${run_id}`)).run;
      return {
        info,
        params: map(data.params),
        tags: map(data.tags),
        metrics: data.metrics,
        inputs: inputs.dataset_inputs,
      };
    },
    async runs(experiment_id: string) {
      const body = { experiment_ids: [experiment_id], run_view_type: 'ALL', max_results: 1000 };
      return z.object({ runs: z.array(run).default([]) }).parse(await call('runs/search', body)).runs;
    },
    async history(run_id: string, key: string) {
      const query = new URLSearchParams({ run_id, metric_key: key, max_results: '25000' });
      const { metrics } = z
        .object({ metrics: z.array(point).default([]) })
        .parse(await call(`metrics/get-history?${query}`));
      return metrics.map(({ step, timestamp, value }) => [step, timestamp, value]);
    },
    files: listFiles,
    async file(run_id: string, path: string): Promise<string> {
      const response = await fetch(`${url}/get-artifact?${new URLSearchParams({ run_id, path })}`);
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      return response.text();
    },
    /** By id: FileStores up to 2.x find no deleted ones by name. */
    async experiment(experiment_id: string) {
      const answer = await call(`experiments/get?${new URLSearchParams({ experiment_id })}`);
      const experiment = z.object({ lifecycle_stage: z.string(), tags: pairs });
      const found = z.object({ experiment }).parse(answer).experiment;
      return { ...found, tags: map(found.tags) };
    },
  };
}
