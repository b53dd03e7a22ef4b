import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { rest } from '../places/server/rest.ts';
import { startServer } from '../servers/start-server.ts';
import { startMlferry } from './background-mlferry.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';
import { startWatchedProxy } from './watched-proxy.ts';

/** `MLFERRY_TEST_LONG=1`: the million. */
const long = process.env.MLFERRY_TEST_LONG === '1';
const POINTS = long ? 1_000_000 : 100_000;
const KEYS = ['a', 'b', 'c', 'd'];
const PER_KEY = POINTS / KEYS.length;

const valueAt = (step: number) => (step % 1000 === 17 ? 'NaN' : step / 8);

/** A directory with one run of so many points. */
async function makeStore(root: string): Promise<void> {
  const experiment = join(root, '1');
  const run_id = '0123456789abcdef0123456789abcdef';
  const run = join(experiment, run_id);
  for (const name of ['metrics', 'params', 'tags', 'artifacts'])
    await mkdir(join(run, name), { recursive: true });
  await writeFile(
    join(experiment, 'meta.yaml'),
    `artifact_location: ${experiment}\nexperiment_id: '1'\nlifecycle_stage: active\nname: long\n`,
  );
  await writeFile(
    join(run, 'meta.yaml'),
    [
      `artifact_uri: ${run}/artifacts`,
      ...['end_time: 1700000900000', "experiment_id: '1'", 'lifecycle_stage: active', `run_id: ${run_id}`],
      ...['run_name: long', 'start_time: 1700000000000', 'status: 3', 'user_id: user', ''],
    ].join('\n'),
  );
  for (const key of KEYS) {
    const lines = Array.from(
      { length: PER_KEY },
      (_, step) => `${1_700_000_000_000 + step} ${valueAt(step)} ${step}\n`,
    );
    await writeFile(join(run, 'metrics', key), lines.join(''));
  }
}

test('a long run that is killed twice on its way goes on where it was: no point goes over the wire again', async () => {
  await using server = await startServer();
  const proxy = await startWatchedProxy(server.url);
  const directory = await mkdtemp(join(tmpdir(), 'mlferry-long-run-'));
  try {
    const archive = join(directory, 'long.tar');
    await makeStore(join(directory, 'mlruns'));
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
