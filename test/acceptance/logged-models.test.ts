import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { logModels, viewModels } from '../servers/mlflow-client.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

type View = Awaited<ReturnType<typeof viewModels>>;

let directory: string;
let source: TestServer;
let seen: View;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-models-'));
  source = await startServer();
  await logModels(source);
  seen = await viewModels(source);
}, 300_000);
afterAll(async () => {
  await source?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** A new server on which nothing of the source can be found by its own paths. */
const newTarget = () => startServer();

/** Of a directory MLflow's client tells the latest value of each key only. */
function latestOnly(view: View): View {
  const models = view.models.map((model) => ({
    ...model,
    metrics: z
      .array(z.string())
      .parse(model.metrics)
      .filter((metric) => !/^accuracy [12] /.test(metric)),
  }));
  return { ...view, models };
}

async function mustBeSame(from: string, to: string) {
  const { stdout, status } = await runMlferry(['verify', from, to, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ items: [], objects: { logged_models: { same: 5 } } });
  expect(status).toBe(0);
}

describe('logged models', () => {
  it('are logged as the tests take them', () => {
    expect(seen.models.map(({ name, status }) => [name, status])).toEqual([
      ['classifier', 'READY'],
      ['elsewhere', 'READY'],
      ['failed', 'FAILED'],
      ['pending', 'PENDING'],
      ['tripled', 'READY'],
    ]);
    expect(Object.keys(seen.models[0]?.predictions ?? {})).toEqual([
      'models:/<model classifier>',
      'runs:/<run train>/classifier',
    ]);
    expect(seen.models[4]?.predictions['models:/<model tripled>']).toEqual([3000, 7500]);
    expect(seen.runs.find(({ name }) => name === 'evaluate')?.inputs).toEqual(['<model classifier>']);
  });

  it.each(['server', 'archive', 'stream', 'mlruns'] as const)(
    'go to a server by way of: %s; load and predict there without the source',
    async (way) => {
      await using target = await newTarget();
      const between =
        way === 'server'
          ? source.url
          : join(directory, { archive: 'all.tar', stream: 'all.ndjson', mlruns: 'mlruns' }[way]);
      const bodies = way === 'stream' ? ['--artifacts-dir', join(directory, 'bodies')] : [];
      if (way !== 'server') {
        const there = await copyReport(['copy', source.url, between, ...bodies]);
        expect(there).toMatchObject({ exit_status: 0, losses: [], failures: [] });
        if (way !== 'stream') await mustBeSame(source.url, between);
      }
      if (way === 'mlruns')
        expect(await viewModels({ url: between, version: '3.17.2' })).toEqual(latestOnly(seen));
      const report = await copyReport(['copy', between, target.url, ...bodies]);
      expect(report).toMatchObject({ exit_status: 0, loss_counts: { MODEL_TIMES: 5 }, failures: [] });
      if (way !== 'stream') await mustBeSame(between, target.url);
      const again = await copyReport(['copy', between, target.url, ...bodies]);
      expect(again).toMatchObject({
        exit_status: 0,
        losses: [],
        objects: { logged_models: { read: 5, created: 0, updated: 0, unchanged: 5 } },
        sent: { points: 0, artifacts: 0 },
      });
      const artifacts = join(source.directory, 'artifacts');
      await rename(artifacts, `${artifacts}-away`);
      try {
        expect(await viewModels(target)).toEqual(seen);
      } finally {
        await rename(`${artifacts}-away`, artifacts);
      }
    },
  );

  it('go into the database of a server with their ids and times; load and predict there', async () => {
    await using target = await newTarget();
    const database = `sqlite:///${join(target.directory, 'mlflow.db')}`;
    const root = ['--to-artifacts-root', join(target.directory, 'artifacts')];
    // Where the files go is not known yet.
    const without = await copyReport(['copy', source.url, database]);
    expect(without).toMatchObject({
      exit_status: 3,
      failures: [],
      loss_counts: { ARTIFACTS_UNREACHABLE: 14 },
    });
    expect(without.objects).toMatchObject({ logged_models: { created: 5 } });
    const report = await copyReport(['copy', source.url, database, ...root, '--verify']);
    expect(report).toMatchObject({ exit_status: 0, losses: [], failures: [] });
    expect(report.objects).toMatchObject({ logged_models: { created: 0, updated: 3 } });
    const again = await copyReport(['copy', source.url, database, ...root]);
    expect(again).toMatchObject({ objects: { logged_models: { updated: 0, unchanged: 5 } }, losses: [] });
    expect(await viewModels(target)).toEqual(seen);
  });

  it('go along with the runs that are chosen, and no others', async () => {
    const archive = join(directory, 'chosen.tar');
    const report = await copyReport(['copy', source.url, archive, '--filter', "run_name = 'evaluate'"]);
    expect(report.objects).toMatchObject({ logged_models: { created: 2 } });
    const other = join(directory, 'none.tar');
    const none = await copyReport(['copy', source.url, other, '--filter', "run_name = 'plain'"]);
    expect(none.objects ?? {}).toEqual({});
  });

  it('show each single change of a part when they are verified', async () => {
    const store = join(directory, 'changed');
    await copyReport(['copy', source.url, store]);
    const { stdout } = await runMlferry(['verify', source.url, store, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ items: [] });
    const changes = await changedParts(store);
    const fields = async () => {
      const result = await runMlferry(['verify', source.url, store, '--json']);
      expect(result.status).toBe(4);
      const { items } = JSON.parse(result.stdout);
      return items.flatMap(({ differences }: { differences: { field: string }[] }) =>
        differences.map(({ field }) => field),
      );
    };
    for (const { path, content, field } of changes) {
      const before = await readFile(path);
      await writeFile(path, content(before.toString('latin1')), 'latin1');
      expect(await fields()).toEqual([field]);
      await writeFile(path, before);
    }
  });
});

/** One change of each part of the model `classifier` in a store, and the field that verify must name. */
async function changedParts(store: string) {
  const { globSync } = await import('node:fs');
  const [depth = ''] = globSync(join(store, '*/models/*/params/depth'));
  const model = join(depth, '../..');
  const own = (name: string) => join(model, name);
  const replaced = (from: string | RegExp, to: string) => (text: string) => {
    expect(text).toMatch(from);
    return text.replace(from, to);
  };
  return [
    { path: own('params/depth'), content: replaced('3', '4'), field: 'params.depth' },
    { path: own('tags/team'), content: replaced('a b', 'a  b'), field: 'tags.team' },
    { path: own('metrics/accuracy'), content: replaced(' 0.7 2 ', ' 0.71 2 '), field: 'metrics' },
    { path: own('meta.yaml'), content: replaced(/^status: 2$/m, 'status: 3'), field: 'status' },
    { path: own('meta.yaml'), content: replaced('name: "classifier"', 'name: "klassifier"'), field: 'name' },
    { path: own('meta.yaml'), content: replaced(/^model_type: .*$/m, 'model_type: x'), field: 'model_type' },
    {
      path: own('artifacts/conda.yaml'),
      content: replaced('channels', 'channelz'),
      field: 'artifacts conda.yaml sha256',
    },
    {
      path: own('artifacts/MLmodel'),
      content: replaced(/^run_id: ./m, 'run_id: x'),
      field: 'artifacts MLmodel sha256',
    },
  ];
}

/** `MLFERRY_TEST_LONG=1`: both. The older one tells outputs of runs in `runs/get` only; the other answers as the newest. */
const olderVersions =
  process.env.MLFERRY_TEST_LONG === '1' ? (['3.1.4', '3.6.0'] as const) : (['3.1.4'] as const);

describe.each(olderVersions)('logged models of MLflow %s', (version) => {
  it('go to the newest server, and come back', async () => {
    await using older = await startServer({ version });
    await using target = await newTarget();
    await logModels(older);
    const before = await viewModels(older);
    await copyReport(['copy', older.url, target.url]);
    await mustBeSame(older.url, target.url);
    expect(await viewModels({ url: target.url, version })).toEqual(before);
    await using back = await startServer({ version });
    await copyReport(['copy', target.url, back.url]);
    expect(await viewModels(back)).toEqual(before);
  });
});
