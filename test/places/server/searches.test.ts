import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { connect } from '../../../src/places/server/connect/client.ts';
import { countRuns, searchExperiments, searchRuns } from '../../../src/places/server/read/searches.ts';
import { serverAt } from '../locations.ts';
import { type Answer, type SeenRequest, startFake } from './fake-server.ts';
import { placeOptions } from './place-options.ts';

const asked = z.object({
  max_results: z.int(),
  page_token: z.string().optional(),
  order_by: z.array(z.string()),
});

/** A fake with so many runs whose pages are `bytes` long for each run; pages are cut by offset, as MLflow does. */
async function fakeRuns(count: number, bytes = 0, overlap = 0) {
  const fake = await startFake((request) =>
    request.path.endsWith('/runs/search') ? page(request) : undefined,
  );
  const page = ({ body }: SeenRequest): Answer => {
    const { max_results, page_token = '0' } = asked.parse(JSON.parse(body));
    const from = Math.max(0, Number(page_token) - overlap);
    const to = Math.min(count, from + max_results);
    const runs = Array.from({ length: to - from }, (_, i) => ({
      info: {
        run_id: String(from + i).padStart(32, '0'),
        experiment_id: '1',
        status: 'FINISHED',
        lifecycle_stage: 'active',
      },
      data: { params: [{ key: 'p', value: 'x'.repeat(bytes) }] },
    }));
    // MLflow gives a token whenever the page is full.
    return { json: { runs, ...(runs.length === max_results ? { next_page_token: String(to) } : {}) } };
  };
  const place = serverAt(fake.url.href);
  return { fake, client: await connect(place, (await placeOptions()).options) };
}

async function idsOf(runs: AsyncIterable<{ run: { run_id: string } }>): Promise<number[]> {
  const ids: number[] = [];
  for await (const { run } of runs) ids.push(Number(run.run_id));
  return ids;
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

const ALL_RUNS = { experiment_ids: ['1'], run_view_type: 'ALL' } as const;

describe('searchRuns', () => {
  it.each([0, 1, 999, 1000, 2500])('reads all pages of %i runs', async (count) => {
    const { client, fake } = await fakeRuns(count);
    expect(await idsOf(searchRuns(client, ALL_RUNS))).toEqual(upTo(count));
    expect(fake.to('/runs/search')).toHaveLength(Math.floor(count / 1000) + 1);
    expect(asked.parse(JSON.parse(fake.to('/runs/search')[0]?.body ?? '')).order_by).toEqual([
      'attributes.start_time ASC',
    ]);
  });

  it('gives each run once when pages overlap because rows moved', async () => {
    const { client } = await fakeRuns(2500, 0, 3);
    expect(await idsOf(searchRuns(client, ALL_RUNS))).toEqual(upTo(2500));
  });

  it('asks for smaller pages where answers are too large', async () => {
    const { client, fake } = await fakeRuns(20, 3_000_000);
    expect(await idsOf(searchRuns(client, ALL_RUNS))).toEqual(upTo(20));
    expect(
      fake
        .to('/runs/search')
        .map(({ body }) => asked.parse(JSON.parse(body)).max_results)
        .slice(0, 4),
    ).toEqual([1000, 125, 16, 2]);
  });

  it('refuses a page token that comes again', async () => {
    const fake = await startFake(({ path }) =>
      path.endsWith('/runs/search') ? { json: { runs: [], next_page_token: 'x' } } : undefined,
    );
    const place = serverAt(fake.url.href);
    const client = await connect(place, (await placeOptions()).options);
    await expect(idsOf(searchRuns(client, ALL_RUNS))).rejects.toMatchObject({ code: 'SERVER_ERROR' });
    await expect(countRuns(client, '1', 'ALL', 10)).rejects.toMatchObject({ code: 'SERVER_ERROR' });
  });
});

describe('countRuns', () => {
  it('counts, up to a limit', async () => {
    const { client } = await fakeRuns(2500);
    expect(await countRuns(client, '1', 'DELETED_ONLY', 50_000)).toBe(2500);
    expect(await countRuns(client, '1', 'DELETED_ONLY', 1500)).toBe(1500);
  });
});

describe('searchExperiments', () => {
  it('gives each experiment once, over all pages, and int64 in either spelling', async () => {
    const experiment = (experiment_id: string, creation_time: unknown) => ({
      experiment_id,
      name: experiment_id,
      lifecycle_stage: 'active',
      creation_time,
    });
    const fake = await startFake(({ path, body }) => {
      if (!path.endsWith('/experiments/search') || body === '') return undefined;
      return body.includes('page_token')
        ? { json: { experiments: [experiment('1', '5'), experiment('2', '9007199254740993')] } }
        : { json: { experiments: [experiment('1', 5)], next_page_token: 'x' } };
    });
    const place = serverAt(fake.url.href);
    const client = await connect(place, (await placeOptions()).options);
    const found = [];
    for await (const { experiment_id, creation_time } of searchExperiments(client, 'ALL'))
      found.push([experiment_id, creation_time]);
    expect(found).toEqual([
      ['1', 5],
      ['2', '9007199254740993'],
    ]);
  });
});
