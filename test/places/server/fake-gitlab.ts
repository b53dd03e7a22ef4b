import { z } from 'zod';
import { type Answer, type FakeServer, startFake, status } from './fake-server.ts';

interface Experiment {
  readonly experiment_id: string;
  readonly name: string;
  readonly tags: Map<string, string>;
}

interface Run {
  readonly run_id: string;
  readonly experiment_id: string;
  readonly run_name: string;
  readonly start_time: number;
  status: string;
  end_time: number | undefined;
  readonly tags: Map<string, string>;
  readonly params: Map<string, string>;
  readonly metrics: Array<{ key: string; value: unknown; timestamp: number; step: number }>;
}

const pairs = z.array(z.object({ key: z.string(), value: z.string() })).default([]);
const bodySchema = z.looseObject({
  name: z.string().default(''),
  experiment_id: z.coerce.string().default(''),
  experiment_ids: z.array(z.coerce.string()).default([]),
  run_id: z.string().default(''),
  run_name: z.string().default(''),
  start_time: z.number().default(0),
  end_time: z.number().optional(),
  status: z.string().optional(),
  key: z.string().default(''),
  value: z.string().default(''),
  tags: pairs,
  params: pairs,
  metrics: z
    .array(
      z.object({ key: z.string(), value: z.unknown(), timestamp: z.number(), step: z.number().default(0) }),
    )
    .default([]),
  max_results: z.number().default(200),
  page_token: z.string().optional(),
});
type Body = z.infer<typeof bodySchema>;

const API = '/api/v4/projects/7/ml/mlflow/api/2.0/mlflow/';
const gone = () => status(404, '{"error_code":"RESOURCE_DOES_NOT_EXIST","message":""}');
const noRoute = () => status(404, '{"error":"404 Not Found"}');
const asPairs = (map: ReadonlyMap<string, string>) => [...map].map(([key, value]) => ({ key, value }));

/**
 * GitLab's experiment tracking, as far as its public source and documentation tell (15.11 and newer): a part of the routes, a
 * search that looks at the first experiment only and ignores filter and view, deletion for good, no artifacts.
 */
export async function startFakeGitlab(): Promise<{ url: string; fake: FakeServer; runs: Map<string, Run> }> {
  const experiments = new Map<string, Experiment>();
  const runs = new Map<string, Run>();
  let count = 0;

  const experimentJson = ({ experiment_id, name, tags }: Experiment) => ({
    experiment_id,
    name,
    lifecycle_stage: 'active',
    artifact_location: 'not_implemented',
    tags: asPairs(tags),
  });
  const runJson = ({ tags, params, metrics, ...run }: Run) => {
    const info = { ...run, run_uuid: run.run_id, lifecycle_stage: 'active', user_id: '1' };
    const artifact_uri = `http://gitlab.example/api/v4/projects/7/packages/ml_models/${run.run_id}/`;
    const latest = new Map(metrics.map((metric) => [metric.key, metric]));
    const data = { metrics: [...latest.values()], params: asPairs(params), tags: asPairs(tags) };
    return { info: { ...info, artifact_uri }, data };
  };
  const page = <T>(
    all: readonly T[],
    { max_results, page_token = '0' }: Pick<Body, 'max_results' | 'page_token'>,
  ) => {
    const end = Number(page_token) + Math.min(max_results, 1000);
    return {
      items: all.slice(Number(page_token), end),
      ...(end < all.length ? { next_page_token: String(end) } : {}),
    };
  };

  const answer = (method: string, path: string, query: URLSearchParams, body: Body): Answer => {
    const experiment = experiments.get(body.experiment_id || (query.get('experiment_id') ?? ''));
    const run = runs.get(body.run_id || (query.get('run_id') ?? ''));
    switch (`${method} ${path}`) {
      case 'POST experiments/create': {
        if ([...experiments.values()].some(({ name }) => name === body.name))
          return status(400, '{"error_code":"RESOURCE_ALREADY_EXISTS","message":""}');
        count += 1;
        const experiment_id = String(count);
        const tags = new Map(body.tags.map(({ key, value }) => [key, value]));
        experiments.set(experiment_id, { experiment_id, name: body.name, tags });
        return { json: { experiment_id } };
      }
      case 'GET experiments/get':
        return experiment === undefined ? gone() : { json: { experiment: experimentJson(experiment) } };
      case 'GET experiments/get-by-name': {
        const found = [...experiments.values()].find(({ name }) => name === query.get('experiment_name'));
        return found === undefined ? gone() : { json: { experiment: experimentJson(found) } };
      }
      case 'GET experiments/search':
      case 'POST experiments/search': {
        const { items, ...token } = page([...experiments.values()].map(experimentJson), body);
        return { json: { experiments: items, ...token } };
      }
      case 'POST experiments/set-experiment-tag':
        experiment?.tags.set(body.key, body.value);
        return experiment === undefined ? gone() : { json: {} };
      case 'POST experiments/delete':
        experiments.delete(body.experiment_id);
        return { json: {} };
      case 'POST runs/create': {
        if (experiment === undefined) return gone();
        count += 1;
        const run_id = `00000000-0000-4000-8000-${String(count).padStart(12, '0')}`;
        const made: Run = {
          ...{
            run_id,
            experiment_id: body.experiment_id,
            run_name: body.run_name,
            start_time: body.start_time,
          },
          ...{ status: 'RUNNING', end_time: undefined, metrics: [], params: new Map() },
          tags: new Map(body.tags.map(({ key, value }) => [key, value])),
        };
        runs.set(run_id, made);
        return { json: { run: runJson(made) } };
      }
      case 'GET runs/get':
        return run === undefined ? gone() : { json: { run: runJson(run) } };
      case 'POST runs/search': {
        const [first] = body.experiment_ids;
        const { items, ...token } = page(
          [...runs.values()].filter((each) => each.experiment_id === first),
          body,
        );
        return { json: { runs: items.map(runJson), ...token } };
      }
      case 'POST runs/update':
        if (run === undefined) return gone();
        run.status = body.status ?? run.status;
        run.end_time = body.end_time ?? run.end_time;
        return { json: { run_info: runJson(run).info } };
      case 'POST runs/delete':
        return runs.delete(body.run_id) ? { json: {} } : gone();
      case 'POST runs/log-batch':
        if (run === undefined) return gone();
        for (const { key, value } of body.tags) run.tags.set(key, value);
        for (const { key, value } of body.params) run.params.set(key, value);
        run.metrics.push(...body.metrics);
        return { json: {} };
      case 'GET metrics/get-history':
        if (run === undefined) return gone();
        return { json: { metrics: run.metrics.filter(({ key }) => key === query.get('metric_key')) } };
      default:
        return noRoute();
    }
  };

  const fake = await startFake(({ method, path, query, body }) => {
    if (!path.startsWith(API)) return noRoute();
    const asked = bodySchema.parse(body === '' ? {} : JSON.parse(body));
    return answer(method, path.slice(API.length), query, asked);
  });
  return { url: `${fake.url.origin}/api/v4/projects/7/ml/mlflow`, fake, runs };
}
