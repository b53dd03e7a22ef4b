import { globSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runKilled } from '../faults/kill.ts';
import { startFaultProxy } from '../faults/proxy.ts';
import { loadModels, logModels, registerModels, viewRegistry } from '../servers/mlflow-client.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { readBothWays } from './database-lines.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

let directory: string;
let source: TestServer;
let seen: Awaited<ReturnType<typeof viewRegistry>>;
/** What models predict by every URI that names them. */
let loaded: Awaited<ReturnType<typeof loadModels>>;
/** `MLFERRY_TEST_LONG=1`: a model with a file of 300 MB, by way of a stream too, one version more. */
const long = process.env.MLFERRY_TEST_LONG === '1';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-registry-'));
  source = await startServer();
  await logModels(source, long ? 300_000_000 : 3000);
  await registerModels(source);
  seen = await viewRegistry(source);
  loaded = await loadModels(source);
});
afterAll(async () => {
  await source?.stop();
  await rm(directory, { recursive: true, force: true });
});

const numbersOf = (view: typeof seen, name: string) =>
  view.versions.filter((version) => version.name === name).map(({ version }) => version);

const versionTimes = z.object({
  model_versions: z.array(
    z.object({
      ...{ name: z.string(), version: z.string(), status: z.string(), user_id: z.string().optional() },
      ...{
        creation_timestamp: z.union([z.string(), z.number()]),
        last_updated_timestamp: z.union([z.string(), z.number()]),
      },
    }),
  ),
});

async function mustBeSame(from: string, to: string, ...options: string[]) {
  const { stdout } = await runMlferry(['verify', from, to, '--json', ...options]);
  expect(JSON.parse(stdout)).toMatchObject({
    items: [],
    objects: { registered_models: { same: 4 }, model_versions: { same: 13 } },
    exit_status: 0,
  });
}

describe('the model registry', () => {
  it('are the same in the database and by its server', async () => {
    expect(await readBothWays(source)).toMatchObject({ onlyServer: [], onlyDatabase: [] });
  });

  it('is as the tests take it', () => {
    expect(numbersOf(seen, 'first of all')).toEqual([2, 3, 4, 6, 7, 8, 9, 10, 11, 12]);
    expect(seen.models.map(({ name }) => name)).toEqual([
      'first of all',
      'greeting',
      'second',
      'without versions',
    ]);
  });

  it.each(['server', 'archive', 'mlruns', ...(long ? (['stream'] as const) : [])] as const)(
    'goes to a server by way of: %s; its models load there without the source',
    async (way) => {
      await using target = await startServer();
      const between =
        way === 'server'
          ? source.url
          : join(directory, { archive: 'all.tar', mlruns: 'mlruns', stream: 'all.ndjson' }[way]);
      const bodies = way === 'stream' ? ['--artifacts-dir', join(directory, 'bodies')] : [];
      if (way !== 'server') {
        expect(await copyReport(['copy', source.url, between, ...bodies])).toMatchObject({
          exit_status: 0,
          losses: [],
        });
        await mustBeSame(source.url, between, ...bodies);
      }
      const report = await copyReport(['copy', between, target.url, ...bodies]);
      expect(report).toMatchObject({ exit_status: 0, failures: [], loss_counts: { MODEL_TIMES: 22 } });
      await mustBeSame(between, target.url, ...bodies);
      expect(await viewRegistry(target)).toEqual(seen);
      const again = await copyReport(['copy', between, target.url, ...bodies]);
      expect(again).toMatchObject({
        losses: [],
        objects: {
          registered_models: { created: 0, updated: 0, unchanged: 4 },
          model_versions: { created: 0, updated: 0, unchanged: 13 },
        },
      });
      const artifacts = join(source.directory, 'artifacts');
      await rename(artifacts, `${artifacts}-away`);
      try {
        expect(await loadModels(target)).toEqual(loaded);
      } finally {
        await rename(`${artifacts}-away`, artifacts);
      }
      if (way !== 'mlruns') return;
      // A copy of a copy is brought up to date under its own marks.
      await writeFile(join(between, 'models/second/tags/later'), 'x');
      for (const updated of [1, 0]) {
        const grown = await copyReport(['copy', between, target.url]);
        expect(grown.objects).toMatchObject({ registered_models: { updated, unchanged: 4 - updated } });
        await mustBeSame(between, target.url);
      }
    },
  );

  it('goes into the database of a running server, with its times; MLflow sees the very same, loads the models and goes on', async () => {
    await using target = await startServer();
    const database = `sqlite:///${join(target.directory, 'mlflow.db')}`;
    const options = ['--to-artifacts-root', join(target.directory, 'artifacts')];
    const report = await copyReport(['copy', source.url, database, ...options]);
    expect(report).toMatchObject({
      ...{ exit_status: 0, failures: [], losses: [] },
      objects: { registered_models: { created: 4 }, model_versions: { created: 13 } },
    });
    await mustBeSame(source.url, database, ...options);
    expect(await viewRegistry(target)).toEqual(seen);
    expect(await readBothWays(target)).toMatchObject({ onlyServer: [], onlyDatabase: [] });
    const timesOf = async ({ url }: TestServer) => {
      const found = await fetch(`${url}/api/2.0/mlflow/model-versions/search?max_results=1000`);
      return versionTimes.parse(await found.json()).model_versions;
    };
    expect(await timesOf(target)).toEqual(await timesOf(source));
    expect(await copyReport(['copy', source.url, database, ...options])).toMatchObject({
      ...{ exit_status: 0, losses: [] },
      objects: { registered_models: { unchanged: 4 }, model_versions: { unchanged: 13 } },
    });
    const artifacts = join(source.directory, 'artifacts');
    await rename(artifacts, `${artifacts}-away`);
    try {
      expect(await loadModels(target)).toEqual(loaded);
    } finally {
      await rename(`${artifacts}-away`, artifacts);
    }
    const next = await fetch(`${target.url}/api/2.0/mlflow/model-versions/create`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'first of all', source: 's3://somewhere/else' }),
    });
    expect(await next.json()).toMatchObject({ model_version: { version: '13' } });
  });

  it('keeps all numbers and doubles nothing when copies are killed again and again', async () => {
    await using target = await startServer();
    const proxy = await startFaultProxy(target.url);
    const archive = join(directory, 'kill.tar');
    await copyReport(['copy', source.url, archive]);
    const environment = { HOME: directory, XDG_STATE_HOME: join(directory, 'state') };
    const killedAt: string[] = [];
    try {
      for (let number = 6; ; number += 1) {
        const moment = number % 2 === 0 ? 'before' : 'after';
        const point = { number, moment, route: 'model-versions/' } as const;
        const { at, status, stderr } = await runKilled(
          ['copy', archive, proxy.url],
          [proxy],
          point,
          environment,
        );
        if (at === undefined) {
          expect([status, status === 0 ? '' : stderr]).toEqual([0, '']);
          break;
        }
        killedAt.push(at);
      }
    } finally {
      await proxy.close();
    }
    expect(killedAt.filter((at) => at.includes('model-versions')).length).toBeGreaterThan(4);
    await mustBeSame(archive, target.url);
    expect(await viewRegistry(target)).toEqual(seen);
  });

  it('overwrites nothing of a name that is there already', async () => {
    await using target = await startServer();
    const post = (path: string, body: object) =>
      fetch(`${target.url}/api/2.0/mlflow/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    await post('registered-models/create', { name: 'second', description: 'mine' });
    await post('model-versions/create', { name: 'second', source: 's3://somewhere/else' });
    const report = await copyReport(['copy', source.url, target.url]);
    expect(report.exit_status).toBe(3);
    expect(report.failures).toMatchObject([
      { code: 'REFUSED', message: expect.stringContaining('another version of this number') },
    ]);
    const found = await fetch(`${target.url}/api/2.0/mlflow/model-versions/search`);
    expect(await found.text()).toContain('s3://somewhere/else');
  });

  it('has an alias go with its version', async () => {
    await using target = await startServer();
    await copyReport(['copy', source.url, target.url]);
    const point = (version: string) =>
      fetch(`${source.url}/api/2.0/mlflow/registered-models/alias`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'first of all', alias: 'champion', version }),
      });
    expect((await point('11')).status).toBe(200);
    try {
      expect(await copyReport(['copy', source.url, target.url])).toMatchObject({
        exit_status: 0,
        objects: { model_versions: { updated: 2, unchanged: 11 } },
      });
      expect((await viewRegistry(target)).models[0]?.aliases).toMatchObject({ champion: '11' });
      await mustBeSame(source.url, target.url);
    } finally {
      await point('12');
    }
  });

  it('goes along with the runs that its versions were made from, and no others', async () => {
    const chosen = join(directory, 'chosen.tar');
    await copyReport(['copy', source.url, chosen, '-e', 'other models']);
    const { stdout } = await runMlferry(['inspect', chosen, '--json']);
    expect(JSON.parse(stdout).objects).toEqual({ logged_models: expect.objectContaining({ count: 1 }) });
    const train = join(directory, 'train.tar');
    await copyReport(['copy', source.url, train, '--filter', "run_name = 'train'"]);
    const inspected = await runMlferry(['inspect', train, '--json']);
    expect(JSON.parse(inspected.stdout).objects).toMatchObject({
      registered_models: { count: 2 },
      model_versions: { count: 11 },
    });
  });
});

describe('on a server of MLflow 2', () => {
  it('models are directories of their runs: they load and predict; each change is named; a second pass sends nothing', async () => {
    await using target = await startServer({ version: '2.22.5' });
    const report = await copyReport(['copy', source.url, target.url]);
    expect(report).toMatchObject({
      exit_status: 3,
      failures: [],
      objects: { logged_models: { read: 5, created: 3, not_held: 2 }, model_versions: { created: 13 } },
      // One that failed has no files; a run has read one.
      loss_counts: { MODEL_IN_RUN: 4, KIND_NOT_HELD: 2 },
    });
    expect(report.losses.filter(({ code }) => code === 'MODEL_LINKS')).toEqual([]);
    const accept = ['--accept-loss', 'KIND_NOT_HELD'];
    const verified = await runMlferry(['verify', source.url, target.url, '--json', ...accept]);
    expect(JSON.parse(verified.stdout)).toMatchObject({ items: [], objects: { logged_models: { same: 3 } } });
    expect(verified.status).toBe(0);
    expect(await copyReport(['copy', source.url, target.url, ...accept])).toMatchObject({
      exit_status: 0,
      sent: { points: 0, artifacts: 0 },
      runs: { created: 0, updated: 0, unchanged: 3 },
      objects: { logged_models: { unchanged: 3 }, model_versions: { unchanged: 13 } },
    });
    const here = Object.entries(loaded).filter(([uri]) => !uri.startsWith('models:/<'));
    expect(here.length).toBe(9);
    const after = await loadModels(target);
    expect(after).toEqual(
      Object.fromEntries(
        here.map(([uri, { predictions, run }]) => [uri, { predictions, run, path: expect.any(String) }]),
      ),
    );
    expect(after['runs:/<run train>/tripled']?.path).toBe('tripled');

    const [file = ''] = globSync(join(target.directory, 'artifacts/**/classifier/MLmodel'));
    const fileOf = (path: string) => join(dirname(file), '..', path);
    const changes = [
      { path: 'tripled/artifacts/weights.bin', from: /^./s, to: 'x' },
      { path: 'classifier/MLmodel', from: /^artifact_path: ./m, to: 'artifact_path: x' },
      { path: 'mlferry/logged_models.json', from: 'depth', to: 'deeph' },
    ];
    for (const { path, from, to } of changes) {
      const content = await readFile(fileOf(path), 'latin1');
      await writeFile(fileOf(path), content.replace(from, to), 'latin1');
      const { stdout, status } = await runMlferry(['verify', source.url, target.url, '--json', ...accept]);
      expect([status, JSON.parse(stdout).items]).toMatchObject([
        4,
        [{ name: 'train', differences: [{ field: expect.stringContaining(path) }] }],
      ]);
      const models = await runMlferry(['verify', source.url, target.url, '--json', '--only', 'models']);
      expect([models.status, JSON.parse(models.stdout).items]).toMatchObject([
        4,
        [{ name: 'train', differences: [{ field: expect.stringContaining(path) }] }],
      ]);
      await writeFile(fileOf(path), content, 'latin1');
    }
    const whole = await runMlferry([
      'verify',
      source.url,
      target.url,
      '--json',
      '--only',
      'models',
      ...accept,
    ]);
    expect([whole.status, JSON.parse(whole.stdout).items]).toEqual([0, []]);
  });

  it('a model stays in its directory, whichever others of its name come along', async () => {
    await using own = await startServer();
    await using target = await startServer({ version: '2.22.5' });
    const created = z.object({
      run: z.object({ info: z.object({ run_id: z.string() }) }).optional(),
      model: z.object({ info: z.object({ model_id: z.string() }) }).optional(),
    });
    const post = async (path: string, body: object) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${own.url}/api/2.0/mlflow/${path}`, {
        ...{ method: 'POST', headers, body: JSON.stringify(body) },
      });
      expect([path, answer.status]).toEqual([path, 200]);
      return created.parse(await answer.json());
    };
    const { run } = await post('runs/create', { experiment_id: '0', run_name: 'train', start_time: 1 });
    const run_id = run?.info.run_id ?? '';
    await post('runs/update', { run_id, status: 'FINISHED', end_time: 2 });
    const log = async (number: number) => {
      const { model } = await post('logged-models', {
        ...{ experiment_id: '0', name: 'model', source_run_id: run_id },
        params: [{ key: 'number', value: String(number) }],
      });
      const model_id = model?.info.model_id ?? '';
      const root = `${own.url}/api/2.0/mlflow-artifacts/artifacts/0/models/${model_id}/artifacts`;
      for (const [name = '', body = ''] of [
        ['MLmodel', `flavors: {}\nmodel_id: ${model_id}\n`],
        ['weights.txt', `weights of ${number}`],
      ])
        expect((await fetch(`${root}/${name}`, { method: 'PUT', body })).status).toBe(200);
      await fetch(`${own.url}/api/2.0/mlflow/logged-models/${model_id}`, {
        ...{ method: 'PATCH', headers: { 'content-type': 'application/json' } },
        body: JSON.stringify({ model_id, status: 'LOGGED_MODEL_READY' }),
      });
      return model_id;
    };
    const [first, second] = [await log(1), await log(2)];
    await post('registered-models/create', { name: 'registered' });
    await post('model-versions/create', {
      ...{ name: 'registered', source: `models:/${second}`, model_id: second },
    });
    const weights = async () =>
      Object.fromEntries(
        await Promise.all(
          globSync(join(target.directory, 'artifacts/**/weights.txt')).map(async (path) => [
            basename(dirname(path)),
            await readFile(path, 'utf8'),
          ]),
        ),
      );
    const copy = (...options: string[]) => copyReport(['copy', own.url, target.url, ...options]);
    expect(await copy('--model-filter', "params.number = '2'")).toMatchObject({ failures: [] });
    expect(await weights()).toEqual({ model: 'weights of 2' });
    expect(await copy()).toMatchObject({ failures: [], exit_status: 0 });
    const there = { model: 'weights of 2', [`model-${first}`]: 'weights of 1' };
    expect(await weights()).toEqual(there);
    const verified = await runMlferry(['verify', own.url, target.url, '--json']);
    expect([verified.status, JSON.parse(verified.stdout).items]).toEqual([0, []]);

    await fetch(`${own.url}/api/2.0/mlflow/logged-models/${second}`, { method: 'DELETE' });
    const third = await log(3);
    expect(await copy()).toMatchObject({ failures: [] });
    expect(await weights()).toEqual({ ...there, [`model-${third}`]: 'weights of 3' });
    expect(await copy()).toMatchObject({ sent: { artifacts: 0 }, runs: { unchanged: 1 } });
    const version = `${target.url}/api/2.0/mlflow/model-versions/get?name=registered&version=1`;
    expect(await (await fetch(version)).json()).toMatchObject({
      model_version: { source: expect.stringMatching(/\/artifacts\/model$/) },
    });
  });

  it('kills on the way double and lose nothing', async () => {
    await using target = await startServer({ version: '2.22.5' });
    const proxy = await startFaultProxy(target.url);
    const archive = join(directory, 'to-mlflow-2.tar');
    await copyReport(['copy', source.url, archive]);
    const environment = { HOME: directory, XDG_STATE_HOME: join(directory, 'state-2') };
    const accept = ['--accept-loss', 'KIND_NOT_HELD'];
    try {
      for (const point of [
        { route: 'mlflow-artifacts', number: 2, moment: 'after' },
        { route: 'mlflow-artifacts', number: 9, moment: 'before' },
        { route: 'log-batch', number: 1, moment: 'after' },
      ] as const) {
        const args = ['copy', archive, proxy.url, ...accept];
        expect((await runKilled(args, [proxy], point, environment)).at).toContain(point.route);
      }
      const last = await runKilled(['copy', archive, proxy.url, ...accept], [proxy], undefined, environment);
      expect(last.status).toBe(0);
    } finally {
      await proxy.close();
    }
    const { stdout } = await runMlferry(['verify', archive, target.url, '--json', ...accept]);
    expect(JSON.parse(stdout)).toMatchObject({ items: [], runs: { same: 3 }, exit_status: 0 });
  });
});

it.each(long ? (['3.1.4', '3.6.0'] as const) : (['3.6.0'] as const))(
  'a registry of MLflow %s goes to the newest server, and its models load there',
  async (version) => {
    await using older = await startServer({ version });
    await using target = await startServer();
    await logModels(older);
    await registerModels(older);
    const before = await viewRegistry(older);
    expect(await copyReport(['copy', older.url, target.url])).toMatchObject({ exit_status: 0, failures: [] });
    expect(await viewRegistry({ url: target.url, version })).toEqual(before);
    expect(await loadModels(target)).toEqual(await loadModels(older));
  },
);
