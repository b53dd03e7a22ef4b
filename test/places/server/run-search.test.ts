import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ALL_ACTIVE, type Selection } from '../../../src/model/selection.ts';
import { openReader } from '../../../src/places/open.ts';
import { DATABRICKS_EXAMPLES } from '../../search/databricks-examples.ts';
import { type Answer, type SeenRequest, startFake, status } from './fake-server.ts';
import { placeOptions } from './place-options.ts';

const asked = z.object({
  experiment_ids: z.array(z.string()),
  filter: z.string().optional(),
  max_results: z.int(),
  page_token: z.string().optional(),
});
const searchOf = ({ body }: SeenRequest) => asked.parse(JSON.parse(body));

interface FakeOptions {
  readonly databricks?: boolean;
  readonly experiments: number;
  /** Runs of each experiment. */
  readonly runs: number;
  /** Filters that contain this are refused. */
  readonly refuses?: string;
}

/** A server whose runs all have a latest loss of 2 and a least one of 1; it does not look at filters. */
async function fakeServer({ databricks = false, experiments, runs, refuses }: FakeOptions) {
  const experimentList = Array.from({ length: experiments }, (_, n) => ({
    experiment_id: String(n + 1),
    name: `e${n + 1}`,
    lifecycle_stage: 'active',
    creation_time: n,
  }));
  const runOf = (experiment_id: string, n: number) => ({
    info: {
      run_id: `${experiment_id.padStart(16, 'a')}${String(n).padStart(16, 'b')}`,
      run_name: `${experiment_id}/${n}`,
      experiment_id,
      status: 'FINISHED',
      start_time: n,
      lifecycle_stage: 'active',
    },
    data: { metrics: [{ key: 'loss', value: 2, step: 1, timestamp: 1 }] },
  });
  const search = (request: SeenRequest): Answer => {
    const { experiment_ids, filter, max_results, page_token = '0' } = searchOf(request);
    if (databricks && experiment_ids.length > 100) return refusal('Too many experiment_ids. Maximum 100');
    if (refuses !== undefined && filter?.includes(refuses)) return refusal(`Invalid clause ${refuses}`);
    const all = experiment_ids.flatMap((id) => Array.from({ length: runs }, (_, n) => runOf(id, n)));
    const from = Number(page_token);
    const page = all.slice(from, from + max_results);
    const next = from + max_results < all.length ? { next_page_token: String(from + max_results) } : {};
    return { json: { runs: page, ...next } };
  };
  const fake = await startFake((request) => {
    if (request.path.endsWith('/experiments/search')) return { json: { experiments: experimentList } };
    if (request.path.endsWith('/runs/search')) return search(request);
    if (request.path.endsWith('/server-info')) return { json: { store_type: 'SqlStore' } };
    if (request.path.endsWith('/metrics/get-history')) {
      const metrics = [1, 2].map((value, step) => ({ key: 'loss', value, step, timestamp: step }));
      return { json: { metrics } };
    }
    return undefined;
  });
  const environment = { DATABRICKS_HOST: fake.url.href, DATABRICKS_TOKEN: 'dapi-test' };
  const { options, losses, failures } = await placeOptions(environment);
  const reader = await openReader(databricks ? 'databricks' : fake.url.href, options);
  const names = async (selection: Partial<Selection>) => {
    const wanted = { ...ALL_ACTIVE, ...selection };
    const found: string[] = [];
    for await (const experiment of reader.experiments(wanted))
      for await (const { run } of reader.runs(experiment, wanted)) found.push(run.run_name);
    await reader.close();
    expect(failures).toEqual([]);
    return found;
  };
  const searches = () => fake.to('/runs/search').map(searchOf);
  return { fake, names, searches, losses };
}

const refusal = (message: string) =>
  status(400, JSON.stringify({ error_code: 'INVALID_PARAMETER_VALUE', message }), {
    'content-type': 'application/json',
  });

describe('Databricks', () => {
  it.each(DATABRICKS_EXAMPLES)('is asked %s whole, and no history is read', async (filter, pushed) => {
    const { fake, names, searches } = await fakeServer({ databricks: true, experiments: 3, runs: 2 });
    await names({ filter });
    expect(searches().map((search) => search.filter)).toEqual([pushed, pushed]);
    expect(fake.seen.filter(({ path }) => path.includes('get-history'))).toEqual([]);
  });

  it('judges aggregates by itself, and its answer stands', async () => {
    const { names } = await fakeServer({ databricks: true, experiments: 3, runs: 2 });
    // The fake lets every run through, so none is lost here.
    expect(await names({ filter: 'MIN(metrics.loss) < -5' })).toHaveLength(6);
  });

  it('is asked for at most 100 experiments at once', async () => {
    const { names, searches } = await fakeServer({ databricks: true, experiments: 250, runs: 2 });
    expect(await names({ filter: 'metrics.loss > 1' })).toHaveLength(500);
    expect(searches().map(({ experiment_ids }) => experiment_ids.length)).toEqual([1, 100, 100, 50]);
  });

  it('that knows no aggregates is asked without, and the histories are read', async () => {
    const { fake, names, losses } = await fakeServer({
      databricks: true,
      experiments: 1,
      runs: 3,
      refuses: 'MIN(',
    });
    expect(await names({ filter: 'MIN(metrics.loss) < 1.5 AND metrics.loss = 2' })).toHaveLength(3);
    expect(losses).toEqual([
      expect.objectContaining({
        code: 'FILTERED_HERE',
        detail: expect.stringContaining('MIN(metrics.loss) < 1.5'),
      }),
    ]);
    expect(fake.to('/metrics/get-history')).toHaveLength(3);
  });
});

describe('an MLflow server', () => {
  it('is searched for many experiments in one request', async () => {
    const { names, searches } = await fakeServer({ experiments: 900, runs: 1 });
    expect(await names({ filter: 'metrics.loss > 1' })).toHaveLength(900);
    expect(searches().map(({ experiment_ids }) => experiment_ids.length)).toEqual([1, 900]);
  });

  it('is searched experiment by experiment where one page does not hold what is found', async () => {
    const { names, searches } = await fakeServer({ experiments: 3, runs: 400 });
    const found = await names({ filter: 'metrics.loss > 1' });
    expect(new Set(found).size).toBe(1200);
    expect(searches().map(({ experiment_ids }) => experiment_ids.length)).toEqual([1, 3, 1, 1, 1]);
  });

  it('that refuses a filter is asked for everything, and it is said', async () => {
    const { names, searches, losses } = await fakeServer({ experiments: 2, runs: 2, refuses: 'params' });
    expect(await names({ filter: "params.a = 'x' OR metrics.loss = 2" })).toHaveLength(4);
    expect(losses).toEqual([]);
    const again = await fakeServer({ experiments: 2, runs: 2, refuses: 'metrics.loss' });
    expect(await again.names({ filter: 'metrics.loss = 2' })).toHaveLength(4);
    expect(again.losses).toMatchObject([{ code: 'FILTERED_HERE' }]);
    expect(searches().every(({ filter }) => filter === undefined)).toBe(true);
  });

  it('that refuses IS NULL is asked for the rest', async () => {
    const { names, searches } = await fakeServer({ experiments: 2, runs: 2, refuses: 'IS NULL' });
    expect(await names({ filter: 'params.a IS NULL AND metrics.loss = 2' })).toHaveLength(4);
    expect(searches().map(({ filter }) => filter)).toEqual([
      'params.a IS NULL AND metrics.loss = 2',
      'metrics.loss = 2',
      'metrics.loss = 2',
    ]);
  });
});
