import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Difference, differences } from '../servers/compare-snapshots.ts';
import { type MlflowPlace, makeWorkspace, takeSnapshot } from '../servers/mlflow-client.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { copyReport } from './run-mlferry.ts';

async function post(server: TestServer, path: string, body: unknown): Promise<unknown> {
  const answer = await fetch(`${server.url}/api/2.0/mlflow/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

const created = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
const foundByName = z.object({ experiment: z.object({ experiment_id: z.string() }) });

const point = (key: string, value: number, step: number) => ({
  key,
  value,
  timestamp: 1_700_000_100_000 + step,
  step,
});

/** Of two values at one step and time, one of them NaN, a directory store takes the one that stands first. */
const isNanTie = ({ field }: Difference) => field === 'latest nan then latest';

describe('copying again', () => {
  let source: TestServer;
  let runs: Readonly<Record<string, string>>;
  let directory: string;

  beforeAll(async () => {
    source = await startServer();
    runs = await makeWorkspace(source, 'small');
    directory = await mkdtemp(join(tmpdir(), 'mlferry-again-'));
  });
  afterAll(async () => {
    await source.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const nothing = {
    exit_status: 0,
    failures: [],
    experiments: { created: 0 },
    runs: { created: 0, updated: 0, unchanged: 28, failed: 0 },
    sent: { points: 0, artifacts: 0, artifact_bytes: 0 },
  };

  /** What a working week adds: points to a running run, an end, tags, an artifact, a new run below an old one. */
  async function grow(number: number): Promise<void> {
    const run_id = runs.running ?? '';
    await post(source, 'runs/log-batch', {
      run_id,
      metrics: [0, 1, 2, 3].map((step) => point('loss', step / 3, 100 * number + step)),
      params: [{ key: `late ${number}`, value: 'param' }],
      tags: [{ key: 'a', value: `changed ${number}` }],
    });
    const answer = await fetch(
      `${source.url}/api/2.0/mlflow/experiments/get-by-name?experiment_name=${encodeURIComponent('/Users/a b@example.com/second')}`,
    );
    const { experiment_id } = foundByName.parse(await answer.json()).experiment;
    const { run } = created.parse(
      await post(source, 'runs/create', {
        experiment_id,
        run_name: `new ${number}`,
        start_time: 1_700_000_200_000 + number,
        tags: [{ key: 'mlflow.parentRunId', value: runs.root }],
      }),
    );
    await post(source, 'runs/log-batch', {
      run_id: run.info.run_id,
      metrics: [point('new', 1, 0), point('new', 2, 1)],
    });
    await post(source, 'runs/update', {
      run_id: run.info.run_id,
      status: 'FINISHED',
      end_time: 1_700_000_300_000,
    });
    if (number > 1) return;
    await post(source, 'runs/set-tag', { run_id: runs.failed, key: 'why', value: 'out of memory' });
  }

  const targets: Array<
    [name: string, open: () => Promise<{ place: MlflowPlace; stop: () => Promise<void> }>]
  > = [
    [
      'a server',
      async () => {
        const server = await startServer();
        return { place: server, stop: () => server.stop() };
      },
    ],
    [
      'an mlruns directory',
      async () => ({
        place: { url: join(directory, 'mlruns'), version: source.version },
        stop: () => rm(join(directory, 'mlruns'), { recursive: true, force: true }),
      }),
    ],
  ];

  test.for(targets.map(([name, open], index) => ({ name, open, index })))(
    'to $name: nothing the second time, only the growth after that',
    async ({ open, index }) => {
      const { place, stop } = await open();
      try {
        const args = ['copy', source.url, place.url, '--view', 'all'];
        const runCount = 28 + index;
        const first = await copyReport(args);
        expect(first).toMatchObject({
          exit_status: 0,
          failures: [],
          runs: { created: runCount, unchanged: 0 },
        });
        const second = await copyReport(args);
        expect(second).toMatchObject({ ...nothing, runs: { ...nothing.runs, unchanged: runCount } });

        await grow(index + 1);
        const grown = await copyReport(args);
        expect(grown).toMatchObject({
          exit_status: 0,
          failures: [],
          experiments: { created: 0 },
          runs: {
            created: 1,
            updated: index === 0 ? 2 : 1,
            unchanged: runCount - (index === 0 ? 2 : 1),
            failed: 0,
          },
          sent: { points: 4 + 2, artifacts: 0, artifact_bytes: 0 },
        });
        const found = differences(await takeSnapshot(source), await takeSnapshot(place), {
          tolerate: isNanTie,
        });
        expect(found).toEqual([]);
        const last = await copyReport(args);
        expect(last).toMatchObject({ ...nothing, runs: { ...nothing.runs, unchanged: runCount + 1 } });
      } finally {
        await stop();
      }
    },
  );
});
