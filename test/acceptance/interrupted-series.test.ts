import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { rest } from '../places/server/rest.ts';
import { startServer } from '../servers/start-server.ts';
import { startMlferry } from './background-mlferry.ts';
import { writeLongRunStore } from './long-run-store.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';
import { startWatchedProxy } from './watched-proxy.ts';

/** `MLFERRY_TEST_LONG=1`: the million. */
const long = process.env.MLFERRY_TEST_LONG === '1';
const POINTS = long ? 1_000_000 : 40_000;
const KEYS = ['a', 'b', 'c', 'd'];
const PER_KEY = POINTS / KEYS.length;

const valueAt = (step: number) => (step % 1000 === 17 ? 'NaN' : step / 8);

test('a long run that is killed twice on its way goes on where it was: no point goes over the wire again', async () => {
  await using server = await startServer();
  const proxy = await startWatchedProxy(server.url);
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-long-run-'));
  try {
    const archive = join(directory, 'long.tar');
    await writeLongRunStore(
      join(directory, 'mlruns'),
      Object.fromEntries(KEYS.map((key) => [key, PER_KEY])),
      valueAt,
    );
    expect(await runMlferry(['backup', join(directory, 'mlruns'), archive])).toMatchObject({ status: 0 });
    const args = ['restore', archive, proxy.url];
    const posted = () => proxy.requests.reduce((sum, { points }) => sum + points, 0);

    for (const part of [0.37, 0.71]) {
      const child = startMlferry(args);
      proxy.watch(async (_request, moment) => {
        if (moment !== 'after' || posted() < POINTS * part) return;
        child.process.kill('SIGKILL');
        await child.ended;
      });
      expect(await child.ended).toMatchObject({ signal: 'SIGKILL' });
    }
    proxy.watch(() => undefined);
    expect(posted()).toBeGreaterThan(POINTS * 0.7);
    expect(posted()).toBeLessThan(POINTS);
    const report = await copyReport(args);
    expect(report).toMatchObject({ exit_status: 0, failures: [], losses: [], runs: { updated: 1 } });
    expect(posted()).toBe(POINTS);
    expect(await copyReport(args)).toMatchObject({ runs: { unchanged: 1 }, sent: { points: 0 } });
    expect(posted()).toBe(POINTS);

    const { call } = rest(server.url);
    const { runs } = z
      .object({ runs: z.array(z.object({ info: z.object({ run_id: z.string() }) })) })
      .parse(await call('runs/search', { experiment_ids: ['1'] }));
    expect(runs).toHaveLength(1);
    const run_id = runs[0]?.info.run_id ?? '';
    const page = z.object({
      metrics: z.array(z.object({ step: z.coerce.number(), value: z.union([z.number(), z.string()]) })),
      next_page_token: z.string().optional(),
    });
    for (const metric_key of KEYS) {
      const there: Array<number | string> = [];
      let count = 0;
      let page_token = '';
      do {
        const query = new URLSearchParams({ run_id, metric_key, max_results: '25000', page_token });
        const { metrics, next_page_token = '' } = page.parse(await call(`metrics/get-history?${query}`));
        for (const { step, value } of metrics) there[step] = value;
        count += metrics.length;
        page_token = next_page_token;
      } while (page_token !== '');
      expect(count).toBe(PER_KEY);
      expect(there.findIndex((value, step) => value !== valueAt(step))).toBe(-1);
    }
  } finally {
    await proxy.close();
    await rm(directory, { recursive: true, force: true });
  }
});
