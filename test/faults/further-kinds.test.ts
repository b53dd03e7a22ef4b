import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { copyBetween } from '../../src/copy/copy-between.ts';
import type { Report } from '../../src/copy/report.ts';
import { verify } from '../../src/verify/verify.ts';
import { rest } from '../places/server/rest.ts';
import { logTraces } from '../servers/mlflow-client.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { type Action, type Fault, type FaultProxy, startFaultProxy } from './proxy.ts';

/** `MLFERRY_TEST_LONG=1`: each fault at first and second hits; otherwise every other one, at first or second hits in turns. */
const long = process.env.MLFERRY_TEST_LONG === '1';
const QUICK = { MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR: '0.001', MLFLOW_HTTP_REQUEST_BACKOFF_JITTER: '0.001' };

const FAULTS: ReadonlyArray<[what: string, action: Action]> = [
  ['done, then cut', { do: 'commit', reply: 'reset' }],
  ['done, then 500', { do: 'commit', reply: 500 }],
  ['done, then 503', { do: 'commit', reply: 503 }],
  ['a connection cut before the server heard', { do: 'reset' }],
  ['500', { do: 'answer', status: 500 }],
  ['429', { do: 'answer', status: 429 }],
  ['half a body', { do: 'half body', reply: 'cut' }],
];
const CASES = (long ? [0, 1] : [0]).flatMap((more) =>
  FAULTS.flatMap(
    ([what, action], index): Array<[string, number, Action]> =>
      long || index % 2 === 0 ? [[what, ((index >> 1) + more) % 2, action]] : [],
  ),
);

const COUNTS = { logged_models: 2, registered_models: 2, model_versions: 4, traces: 4 };

/** Two logged models, a version of each with a gap before the second, an alias, and a prompt. */
async function makeModels(url: string): Promise<void> {
  const { call } = rest(url);
  const at = z.object({ experiment_id: z.string() });
  const { experiment_id } = at.parse(await call('experiments/create', { name: 'models' }));
  const made = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
  const { run } = made.parse(await call('runs/create', { experiment_id, run_name: 'trains', start_time: 1 }));
  const { run_id } = run.info;
  const model = z.object({
    model: z.object({ info: z.object({ model_id: z.string(), artifact_uri: z.string() }) }),
  });
  await call('registered-models/create', { name: 'forest', tags: [{ key: 'team', value: 'a' }] });
  for (const name of ['first', 'second']) {
    const body = { experiment_id, name, source_run_id: run_id, params: [{ key: 'depth', value: name }] };
    const { info } = model.parse(await call('logged-models', body)).model;
    const path = info.artifact_uri.replace(/^mlflow-artifacts:\//, '');
    for (const file of ['MLmodel', 'weights/w.bin']) {
      const to = `${url}/api/2.0/mlflow-artifacts/artifacts/${path}/${file}`;
      const text = file === 'MLmodel' ? `model_id: ${info.model_id}\nrun_id: ${run_id}\n` : 'w'.repeat(5000);
      expect((await fetch(to, { method: 'PUT', body: text })).status).toBe(200);
    }
    await fetch(`${url}/api/2.0/mlflow/logged-models/${info.model_id}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model_id: info.model_id, status: 'LOGGED_MODEL_READY' }),
    });
    await call('runs/outputs', { run_id, models: [{ model_id: info.model_id, step: 0 }] });
    const source = `models:/${info.model_id}`;
    const version = { name: 'forest', source, run_id, model_id: info.model_id };
    if (name === 'second') {
      await call('model-versions/create', version);
      await fetch(`${url}/api/2.0/mlflow/model-versions/delete`, {
        method: 'DELETE',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'forest', version: '2' }),
      });
    }
    await call('model-versions/create', { ...version, tags: [{ key: 'of', value: name }] });
  }
  await call('registered-models/alias', { name: 'forest', alias: 'best', version: '3' });
  const prompt = { key: 'mlflow.prompt.is_prompt', value: 'true' };
  await call('registered-models/create', { name: 'greeting', tags: [prompt] });
  for (const value of ['Hello', 'Hi']) {
    const tags = [prompt, { key: 'mlflow.prompt.text', value }];
    await call('model-versions/create', { name: 'greeting', source: 'dummy-source', tags });
  }
  await call('runs/update', { run_id, status: 'FINISHED', end_time: 2 });
}

describe('models, versions and traces through faults are there once', () => {
  let source: TestServer;
  let target: TestServer;
  let from: FaultProxy;
  let to: FaultProxy;
  let stateDir: string;
  let routes: { from: readonly string[]; to: readonly string[] };
  let copies = 0;

  const renamed = (prefix: string) => ({
    rename: [{ from: '*', to: `${prefix}*` }],
    renameModels: [{ from: '*', to: `${prefix}*` }],
  });
  const copy = async (prefix: string): Promise<Report> =>
    (await copyBetween(from.url, to.url, { stateDir, environment: QUICK, ...renamed(prefix) })).report;

  beforeAll(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'mlferry-further-faults-'));
    [source, target] = await Promise.all([startServer(), startServer()]);
    from = await startFaultProxy(source.url);
    to = await startFaultProxy(target.url);
    await makeModels(source.url);
    await logTraces(source);
    expect(await copy('whole-')).toMatchObject({ exit_status: 0, failures: [] });
    routes = { from: Object.keys(from.counts()), to: Object.keys(to.counts()) };
  });
  afterAll(async () => {
    await from?.close();
    await to?.close();
    await source?.stop();
    await target?.stop();
    await rm(stateDir, { recursive: true, force: true });
  });

  test.for(CASES)('%s, at every route at its hit %s', async ([what, nth, action]) => {
    const prefix = `copy-${copies++}-`;
    const at = (some: readonly string[]): Fault[] => some.map((route) => ({ route, nth, action }));
    const changing = routes.to.filter((route) => !route.startsWith('GET') && !route.endsWith('/search'));
    from.play(what.startsWith('done') ? [] : at(routes.from));
    to.play(at(what.startsWith('done') ? changing : routes.to));
    const first = await copy(prefix).catch((error: unknown) => error);
    from.play([]);
    to.play([]);
    const { exit_status, failures } = await copy(prefix);
    expect({ exit_status, failures }, JSON.stringify(first)).toEqual({ exit_status: 0, failures: [] });
    const verified = await verify(from.url, to.url, renamed(prefix));
    const same = Object.entries(COUNTS).map(([kind, count]) => [
      kind,
      expect.objectContaining({ same: count }),
    ]);
    expect(verified).toMatchObject({ objects: Object.fromEntries(same) });
    // Copies of the other cases have the same origin, and are in other experiments.
    expect(verified.items.filter(({ symbol }) => symbol !== '-')).toEqual([]);
  });

  test('nothing is there twice', async () => {
    const prefixes = ['whole-', ...Array.from({ length: copies }, (_, index) => `copy-${index}-`)];
    expect(await countsBy(target.url, prefixes)).toEqual(
      prefixes.map((prefix) => ({ prefix, models: 2, versions: ['1', '3'], traces: 4 })),
    );
  });
});

/** What each copy has, counted by MLflow's own searches. */
async function countsBy(url: string, prefixes: readonly string[]) {
  const { call } = rest(url);
  const page = z.object({ experiments: z.array(z.object({ experiment_id: z.string(), name: z.string() })) });
  const { experiments } = page.parse(await call('experiments/search', { max_results: 1000 }));
  const answer = await fetch(`${url}/api/2.0/mlflow/model-versions/search?max_results=1000`);
  const versions = z
    .object({ model_versions: z.array(z.object({ name: z.string(), version: z.string() })) })
    .parse(await answer.json()).model_versions;
  return Promise.all(
    prefixes.map(async (prefix) => {
      const ids = experiments.filter(({ name }) => name.startsWith(prefix)).map((own) => own.experiment_id);
      const models = z
        .object({ models: z.array(z.unknown()).default([]) })
        .parse(await call('logged-models/search', { experiment_ids: ids, max_results: 50 })).models;
      const locations = ids.map((experiment_id) => ({
        type: 'MLFLOW_EXPERIMENT',
        mlflow_experiment: { experiment_id },
      }));
      const found = await fetch(`${url}/api/3.0/mlflow/traces/search`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ locations, max_results: 500 }),
      });
      const traces = z.object({ traces: z.array(z.unknown()).default([]) }).parse(await found.json()).traces;
      return {
        prefix,
        models: models.length,
        versions: versions.flatMap(({ name, version }) => (name.startsWith(prefix) ? version : [])).sort(),
        traces: traces.length,
      };
    }),
  );
}
