import { describe, expect, it } from 'vitest';
import { listPoints } from '../../../src/model/points.ts';
import type { Point } from '../../../src/model/records.ts';
import { ALL_ACTIVE } from '../../../src/model/selection.ts';
import type { Reader, RunReader } from '../../../src/places/place.ts';
import { openServerReader } from '../../../src/places/server/read/reader.ts';
import { mapConcurrent } from '../../../src/util/map-concurrent.ts';
import { serverAt } from '../locations.ts';
import { fakeHistories, type Histories } from './fake-histories.ts';
import { cut, status } from './fake-server.ts';
import { placeOptions } from './place-options.ts';

const series = (length: number, seed = 0): Point[] =>
  Array.from({ length }, (_, step) => [
    step,
    1_700_000_000_000 + step,
    step % 100 === 7 ? 'NaN' : step + seed / 7,
  ]);

/** `count` runs, each with these keys; the lengths of the histories are given by run and key. */
function histories(
  count: number,
  keys: readonly string[],
  length: (run: number, key: number) => number,
): Histories {
  return new Map(
    Array.from({ length: count }, (_, run) => [
      run.toString(16).padStart(32, '0'),
      new Map(keys.map((key, at) => [key, series(length(run, at), run)])),
    ]),
  );
}

async function openReader(url: URL): Promise<Reader> {
  const place = serverAt(url.href);
  return openServerReader(place, (await placeOptions({ MLFLOW_HTTP_REQUEST_MAX_RETRIES: '2' })).options);
}

async function runsOf(reader: Reader): Promise<RunReader[]> {
  const runs: RunReader[] = [];
  for await (const experiment of reader.experiments(ALL_ACTIVE)) {
    for await (const run of reader.runs(experiment, ALL_ACTIVE)) runs.push(run);
  }
  return runs;
}

/** Everything a run's metrics() gives; keys must come in order, each in one go, in pieces of at most 1000. */
async function metricsOf(run: RunReader): Promise<ReadonlyMap<string, Point[]>> {
  const found = new Map<string, Point[]>();
  let last = '';
  for await (const { key, points } of run.metrics()) {
    expect(points.length).toBeGreaterThan(0);
    expect(points.length).toBeLessThanOrEqual(1000);
    expect(key >= last).toBe(true);
    last = key;
    found.set(key, [...(found.get(key) ?? []), ...listPoints(points)]);
  }
  return found;
}

/** Reads all runs as the engine does: announced in groups of 100, eight at once. */
async function readAll(reader: Reader, announced = true): Promise<Histories> {
  const runs = await runsOf(reader);
  const found = new Map<string, ReadonlyMap<string, readonly Point[]>>();
  for (let from = 0; from < runs.length; from += 100) {
    const group = runs.slice(from, from + 100);
    if (announced) reader.prefetch?.(group);
    await mapConcurrent(group, 8, async (run) => {
      found.set(run.run.run_id, await metricsOf(run));
    });
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const BULK = '/metrics/get-history-bulk';
const SINGLE = '/metrics/get-history';

describe('histories of many runs', () => {
  it('come with one request a key for a hundred runs', async () => {
    const wanted = histories(200, ['a', 'b/c', 'ü'], () => 50);
    const fake = await fakeHistories(wanted);
    const reader = await openReader(fake.url);
    expect(await readAll(reader)).toEqual(wanted);
    expect(fake.to(BULK)).toHaveLength(6);
    expect(fake.to(SINGLE)).toHaveLength(0);
    await reader.close();
  });

  it('are whole though the server cuts long answers: only what is proven is taken, later keys are planned', async () => {
    const wanted = histories(100, ['a', 'b', 'c', 'd', 'e', 'f'], (run) => 900 + run);
    const fake = await fakeHistories(wanted);
    const reader = await openReader(fake.url);
    expect(await readAll(reader)).toEqual(wanted);
    // 95,000 points a key are four answers of 25,000; none is asked for run by run.
    expect(fake.to(BULK).length).toBeLessThanOrEqual(6 * 5);
    expect(fake.to(SINGLE)).toHaveLength(0);
    await reader.close();
  });

  it('are paged by themselves where one run alone fills an answer', async () => {
    const wanted = histories(5, ['a', 'b'], (run) =>
      run === 0 || run === 3 ? 30_000 : run === 1 ? 25_000 : 10,
    );
    const fake = await fakeHistories(wanted);
    const reader = await openReader(fake.url);
    expect(await readAll(reader)).toEqual(wanted);
    expect(fake.to(BULK).length).toBeLessThanOrEqual(2 * 4);
    await reader.close();
  });

  it.each<[string, Parameters<typeof fakeHistories>[1]]>([
    ['without the bulk route', { bulk: 'missing' }],
    ['from MLflow 2.9, which takes 20 runs a request', { maxRuns: 20, version: '2.9.2' }],
    ['behind gunicorn', { maxUrl: 4094 }],
    ['from a server whose long answers are not ordered by run', { bulk: 'unordered' }],
    ['from a server that cuts at fewer points than asked for', { bulk: 'silently cut' }],
  ])('are whole %s', async (_name, faults) => {
    const wanted = histories(60, ['a', 'b'.repeat(200)], (run) => 300 + 10 * run);
    const fake = await fakeHistories(wanted, faults);
    const reader = await openReader(fake.url);
    expect(await readAll(reader)).toEqual(wanted);
    await reader.close();
  });

  it('are the same when read again, and when never announced', async () => {
    const wanted = histories(3, ['a', 'b'], () => 2500);
    const fake = await fakeHistories(wanted);
    const reader = await openReader(fake.url);
    expect(await readAll(reader)).toEqual(wanted);
    expect(await readAll(reader, false)).toEqual(wanted);
    await reader.close();
  });

  it('are announced and never read: closing ends it', async () => {
    const fake = await fakeHistories(histories(100, ['a', 'b', 'c', 'd', 'e', 'f', 'g'], () => 100));
    const reader = await openReader(fake.url);
    reader.prefetch?.(await runsOf(reader));
    await reader.close();
    const requests = fake.seen.length;
    await new Promise((resolve) => setImmediate(resolve));
    expect(fake.seen).toHaveLength(requests);
  });

  it('stay within the memory budget through a spool', async () => {
    const wanted = histories(100, ['a', 'b'], () => 900);
    const fake = await fakeHistories(wanted);
    const reader = await openReader(fake.url);
    const runs = await runsOf(reader);
    reader.prefetch?.(runs);
    // The last run is read first: by then all others wait.
    const [last] = runs.slice(-1);
    if (last === undefined) throw new Error('no run');
    expect(await metricsOf(last)).toEqual(wanted.get(last.run.run_id));
    for (const run of runs) expect(await metricsOf(run)).toEqual(wanted.get(run.run.run_id));
    await reader.close();
  });
});

describe('the history of one run', () => {
  const wanted = histories(1, ['a'], () => 60_000);
  const [only] = wanted.values();

  async function read(faults: Parameters<typeof fakeHistories>[1]) {
    const fake = await fakeHistories(wanted, faults);
    const reader = await openReader(fake.url);
    const [run] = await runsOf(reader);
    if (run === undefined) throw new Error('no run');
    return { fake, reader, points: metricsOf(run).finally(() => reader.close()) };
  }

  it('comes in pages of 25,000', async () => {
    const { fake, points } = await read({});
    expect(await points).toEqual(only);
    expect(fake.to(SINGLE).map(({ query }) => query.get('max_results'))).toEqual(['25000', '25000', '25000']);
  });

  it('comes at once from MLflow up to 3.1, which knows no pages', async () => {
    const { fake, points } = await read({ wholeHistory: true, version: '2.22.5' });
    expect(await points).toEqual(only);
    expect(fake.to(SINGLE)).toHaveLength(1);
  });

  it('is read on when a page fails or breaks off', async () => {
    const broken = (_request: unknown, number: number) => {
      if (number === 1) return cut;
      if (number !== 3) return undefined;
      const half = JSON.stringify({
        metrics: series(25_000).map(([step]) => ({ key: 'a', step, timestamp: 1, value: 1 })),
      });
      return {
        respond: (response: import('node:http').ServerResponse) => {
          response.writeHead(200, { 'content-length': String(half.length) });
          response.write(half.slice(0, half.length / 2), () => response.destroy());
        },
      };
    };
    const { fake, points } = await read({ history: broken });
    expect(await points).toEqual(only);
    expect(fake.to(SINGLE)).toHaveLength(5);
  });

  it.each<[string, () => ReturnType<typeof status> | { json: unknown }, string]>([
    ['the same page token again and again', () => ({ json: { next_page_token: 'x' } }), 'SERVER_ERROR'],
    [
      'a history without its latest point',
      () => ({ json: { metrics: [{ key: 'a', step: 1, timestamp: 1, value: 1 }] } }),
      'SERVER_ERROR',
    ],
    [
      'what is no metric',
      () => ({ json: { metrics: [{ key: 'a', step: 1.5, timestamp: 1, value: 1 }] } }),
      'NOT_MLFLOW',
    ],
    ['HTML, from something in front of the server', () => status(200, '<html>'), 'UNAVAILABLE'],
    [
      'a missing run',
      () => status(404, '{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no"}'),
      'NOT_FOUND',
    ],
  ])('is refused on %s', async (_name, answer, code) => {
    const { points } = await read({ history: answer });
    await expect(points).rejects.toMatchObject({ code });
  });
});
