/**
 * The fewest requests that read an experiment whole: pages of runs, one bulk history per key and 100 runs, one list
 * per artifact directory and one GET per file; the raw answers go to a file.
 * `node bench/floor-export.ts URL EXPERIMENT FILE`
 */
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import pLimit from 'p-limit';
import { z } from 'zod';
import { bareClient, CONCURRENCY } from './bare-client.ts';
import { artifactRoute } from './floor-import.ts';

/** The server's own limits of a bulk history. */
const RUNS_PER_HISTORY = 100;
const MOST_POINTS = 25_000;

const experimentAnswer = z.object({ experiment: z.object({ experiment_id: z.string() }) });
const runsAnswer = z.object({
  runs: z.array(
    z.object({
      info: z.object({ run_id: z.string(), artifact_uri: z.string() }),
      data: z.object({ metrics: z.array(z.object({ key: z.string() })).default([]) }),
    }),
  ),
  next_page_token: z.string().optional(),
});
const filesAnswer = z.object({
  files: z.array(z.object({ path: z.string(), is_dir: z.boolean() })).default([]),
});

async function floorExport(url: string, experiment: string, file: string): Promise<void> {
  const client = bareClient(url);
  const limit = pLimit(CONCURRENCY);
  const output = createWriteStream(file);
  const get = async (path: string) => {
    const answer = await limit(() => client.send('GET', path));
    output.write(answer);
    return answer;
  };
  const name = encodeURIComponent(experiment);
  const { experiment_id } = experimentAnswer.parse(
    JSON.parse((await get(`/api/2.0/mlflow/experiments/get-by-name?experiment_name=${name}`)).toString()),
  ).experiment;
  const all: z.infer<typeof runsAnswer>['runs'] = [];
  for (let token: string | undefined, more = true; more; more = token !== undefined) {
    const query = { experiment_ids: [experiment_id], max_results: 1000, page_token: token };
    const answer = await client.send('POST', '/api/2.0/mlflow/runs/search', JSON.stringify(query));
    output.write(answer);
    const page = runsAnswer.parse(JSON.parse(answer.toString()));
    all.push(...page.runs);
    token = page.next_page_token;
  }
  const histories: string[] = [];
  for (let first = 0; first < all.length; first += RUNS_PER_HISTORY) {
    const runs = all.slice(first, first + RUNS_PER_HISTORY);
    const ids = runs.map((run) => `run_id=${run.info.run_id}`).join('&');
    for (const key of new Set(runs.flatMap((run) => run.data.metrics.map((metric) => metric.key)))) {
      histories.push(`metric_key=${encodeURIComponent(key)}&max_results=${MOST_POINTS}&${ids}`);
    }
  }
  const readDirectory = async (root: string, directory: string): Promise<void> => {
    const path = encodeURIComponent(`${root}${directory}`);
    const answer = await get(`/api/2.0/mlflow-artifacts/artifacts?path=${path}`);
    const { files } = filesAnswer.parse(JSON.parse(answer.toString()));
    await Promise.all(
      files.map((entry) =>
        entry.is_dir
          ? readDirectory(root, `${directory}/${entry.path}`)
          : get(artifactRoute(`mlflow-artifacts:/${root}${directory}/${entry.path}`)),
      ),
    );
  };
  await Promise.all([
    ...histories.map((query) => get(`/ajax-api/2.0/mlflow/metrics/get-history-bulk?${query}`)),
    ...all.map((run) => readDirectory(run.info.artifact_uri.replace(/^mlflow-artifacts:\//, ''), '')),
  ]);
  output.end();
  await finished(output);
  await client.close();
}

const [url = '', experiment = '', file = ''] = process.argv.slice(2);
await floorExport(url, experiment, file);
