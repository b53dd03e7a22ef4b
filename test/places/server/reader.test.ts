import { createHash } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Failure, Loss } from '../../../src/model/findings.ts';
import type { Experiment, Point, Run } from '../../../src/model/records.ts';
import { ALL_ACTIVE, type Selection } from '../../../src/model/selection.ts';
import { parseLocation } from '../../../src/places/location.ts';
import type { Reader, RunReader } from '../../../src/places/place.ts';
import { openServerReader } from '../../../src/places/server/reader.ts';
import { sharedServer } from '../../servers/shared-server.ts';
import { type ServerOptions, startServer } from '../../servers/start-server.ts';
import { MLFLOW_VERSIONS } from '../../servers/versions.ts';
import { placeOptions } from './place-options.ts';
import { rest } from './rest.ts';

const created = z.object({
  run: z.object({ info: z.object({ run_id: z.string(), artifact_uri: z.string() }) }),
});
const identified = z.object({ experiment_id: z.string() });

const FILES: ReadonlyArray<[path: string, content: string]> = [
  ['a b+c&d.txt', 'odd'],
  ['a.txt', 'first'],
  ['a/100%.txt', 'percent'],
  ['a/deep/er/x.bin', 'x'.repeat(300_000)],
  ['a/empty', ''],
  ['a/ü日本.txt', 'not ASCII'],
  ['z', 'last'],
];

async function open(
  location: string,
  environment: Record<string, string> = {},
): Promise<{ reader: Reader; losses: Loss[]; failures: Failure[] }> {
  const place = parseLocation(location);
  if (place.kind !== 'server') throw new Error('not a server');
  const { options, losses, failures } = await placeOptions(environment);
  return { reader: await openServerReader(place, options), losses, failures };
}

interface ReadRun {
  readonly run: Run;
  readonly points: Readonly<Record<string, Point[]>>;
  readonly files: ReadonlyArray<[path: string, size: number | undefined, sha256: string]>;
}

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');

/** Everything that a reader gives for a selection. */
async function readAll(
  reader: Reader,
  selection: Selection,
): Promise<Array<{ experiment: Experiment; runs: ReadRun[] }>> {
  const found: Array<{ experiment: Experiment; runs: ReadRun[] }> = [];
  for await (const experiment of reader.experiments(selection)) {
    const sources: RunReader[] = [];
    for await (const source of reader.runs(experiment, selection)) sources.push(source);
    reader.prefetch?.(sources);
    const runs: ReadRun[] = [];
    for (const source of sources) {
      const points = new Map<string, Point[]>();
      for await (const piece of source.metrics())
        points.set(piece.key, [...(points.get(piece.key) ?? []), ...piece.points]);
      const files: Array<[string, number | undefined, string]> = [];
      for await (const artifact of source.artifacts()) {
        const body = await source.open(artifact);
        files.push([
          artifact.path,
          artifact.size,
          body === undefined ? '' : sha256(Buffer.concat(await body.toArray())),
        ]);
      }
      runs.push({ run: source.run, points: Object.fromEntries(points), files });
    }
    found.push({ experiment, runs });
  }
  await reader.close();
  return found;
}

/** An experiment with a run that has everything, and a deleted one; its requests need no client of ours. */
async function fill(url: string, name: string, withFiles: boolean) {
  const { call } = rest(url);
  const tags = [{ key: '__proto__', value: 'tag' }];
  const { experiment_id } = identified.parse(await call('experiments/create', { name, tags }));
  const start_time = 1_700_000_000_123;
  const body = {
    experiment_id,
    start_time,
    run_name: 'full',
    user_id: 'somebody',
    tags: [{ key: 'note', value: 'ü\n"' }],
  };
  const { run } = created.parse(await call('runs/create', body));
  const { run_id } = run.info;
  const metrics = [
    { key: 'm/ü x', value: 'NaN', timestamp: 0, step: -3 },
    { key: 'm/ü x', value: -0.5, timestamp: 5, step: 2 },
    { key: 'big', value: 1e300, timestamp: 1_700_000_000_000, step: '9007199254740993' },
    ...Array.from({ length: 900 }, (_, step) => ({
      key: 'loss',
      value: 1 / (step + 1),
      timestamp: start_time + step,
      step,
    })),
  ];
  const params = [
    { key: 'lr', value: '0.1' },
    { key: '__proto__', value: 'param' },
  ];
  await call('runs/log-batch', { run_id, metrics, params, tags: [] });
  const dataset = {
    name: 'd',
    digest: 'abc',
    source_type: 'local',
    source: '{"uri":"x"}',
    schema: '{"a":1}',
  };
  await call('runs/log-inputs', {
    run_id,
    datasets: [{ dataset, tags: [{ key: 'mlflow.data.context', value: 'training' }] }],
  });
  if (withFiles) await putFiles(url, run.info.artifact_uri);
  await call('runs/update', { run_id, status: 'FAILED', end_time: start_time + 1000 });
  const second = created.parse(
    await call('runs/create', { experiment_id, start_time: start_time - 1, run_name: 'gone' }),
  );
  await call('runs/delete', { run_id: second.run.info.run_id });
  return {
    experiment_id,
    run_id,
    artifact_uri: run.info.artifact_uri,
    deleted_id: second.run.info.run_id,
    dataset,
  };
}

async function putFiles(url: string, artifact_uri: string): Promise<void> {
  const root = artifact_uri.replace(/^mlflow-artifacts:\/*/, '');
  for (const [path, content] of FILES) {
    const encoded = `${root}/${path}`.split('/').map(encodeURIComponent).join('/');
    const response = await fetch(`${url}/api/2.0/mlflow-artifacts/artifacts/${encoded}`, {
      method: 'PUT',
      body: content,
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  }
}

const stores: Array<[name: string, options: ServerOptions]> = [
  ...MLFLOW_VERSIONS.map((version): [string, ServerOptions] => [version, { version }]),
  ['a directory store', { store: 'filestore' }],
];

describe.each(stores)('a server with MLflow %s', (_name, options) => {
  const server = sharedServer(options);

  it('gives everything of a run as it is', async () => {
    const { url, version } = await server();
    const made = await fill(url, 'full', true);
    const { reader, losses, failures } = await open(url);
    expect(reader.info).toMatchObject({ kind: 'server', location: url, server_version: version });
    expect(reader.info.fingerprint).toMatch(/^[0-9a-f]{16}$/);
    const [found, ...others] = await readAll(reader, { ...ALL_ACTIVE, experiments: ['full'] });
    expect(others).toEqual([]);
    expect(found?.experiment).toMatchObject({
      experiment_id: made.experiment_id,
      name: 'full',
      lifecycle_stage: 'active',
    });
    expect(Object.entries(found?.experiment.tags ?? {})).toContainEqual(['__proto__', 'tag']);
    const [full, ...more] = found?.runs ?? [];
    expect(more).toEqual([]);
    expect(full?.run).toMatchObject({
      run_id: made.run_id,
      experiment_id: made.experiment_id,
      run_name: 'full',
      user_id: 'somebody',
      status: 'FAILED',
      start_time: 1_700_000_000_123,
      end_time: 1_700_000_001_123,
      artifact_uri: made.artifact_uri,
      tags: { note: 'ü\n"', 'mlflow.runName': 'full' },
      dataset_inputs: [{ dataset: made.dataset, tags: { 'mlflow.data.context': 'training' } }],
    });
    expect(Object.entries(full?.run.params ?? {}).sort()).toEqual([
      ['__proto__', 'param'],
      ['lr', '0.1'],
    ]);
    expect(full?.run.latest_metrics).toEqual({
      big: ['9007199254740993', 1_700_000_000_000, 1e300],
      loss: [899, 1_700_000_001_022, 1 / 900],
      'm/ü x': [2, 5, -0.5],
    });
    expect(full?.points).toEqual({
      big: [['9007199254740993', 1_700_000_000_000, 1e300]],
      loss: Array.from({ length: 900 }, (_, step) => [step, 1_700_000_000_123 + step, 1 / (step + 1)]),
      'm/ü x': [
        [-3, 0, 'NaN'],
        [2, 5, -0.5],
      ],
    });
    expect(full?.files).toEqual(
      FILES.map(([path, content]) => [path, Buffer.byteLength(content), sha256(content)]),
    );
    expect(losses).toEqual([]);
    expect(failures).toEqual([]);
  });

  it('gives a history of more than 25,000 points whole', async () => {
    const { url } = await server();
    const { call } = rest(url);
    const { experiment_id } = identified.parse(await call('experiments/create', { name: 'long' }));
    const { run } = created.parse(await call('runs/create', { experiment_id, start_time: 1 }));
    for (let from = 0; from < 26_000; from += 1000) {
      const metrics = Array.from({ length: 1000 }, (_, i) => ({
        key: 'k',
        value: from + i,
        timestamp: from + i,
        step: from + i,
      }));
      await call('runs/log-batch', { run_id: run.info.run_id, metrics });
    }
    const { reader } = await open(url);
    const [found] = await readAll(reader, { ...ALL_ACTIVE, experiments: ['long'] });
    expect(found?.runs[0]?.points).toEqual({ k: Array.from({ length: 26_000 }, (_, i) => [i, i, i]) });
  });

  it('gives deleted runs and experiments by view, and counts what a view leaves out', async () => {
    const { url } = await server();
    const made = await fill(url, 'partly deleted', false);
    const gone = await fill(url, 'deleted', false);
    await rest(url).call('experiments/delete', { experiment_id: gone.experiment_id });
    const named = { experiments: ['partly*', 'deleted'], runs: [] };
    const idsOf = async (view: Selection['view']) => {
      const { reader, failures } = await open(url);
      const found = await readAll(reader, { ...named, view });
      return { ids: found.map(({ runs }) => runs.map(({ run }) => run.run_id)), failures };
    };
    const active = await idsOf('active');
    expect(active.ids).toEqual([[made.run_id]]);
    expect(active.failures).toMatchObject([
      { code: 'NOT_FOUND', object: 'experiment "deleted"', hint: expect.stringContaining('--view all') },
    ]);
    expect((await idsOf('all')).ids).toEqual([
      [made.deleted_id, made.run_id],
      [gone.deleted_id, gone.run_id],
    ]);
    expect((await idsOf('deleted')).ids).toEqual([[made.deleted_id], [gone.deleted_id, gone.run_id]]);
    const { reader } = await open(url);
    const selection: Selection = { ...named, view: 'active' };
    for await (const experiment of reader.experiments(selection)) {
      expect(await reader.hiddenRuns?.(experiment, selection)).toBe(1);
      expect(await reader.hiddenRuns?.(experiment, { ...selection, view: 'all' })).toBe(0);
    }
    await reader.close();
  });

  it('gives runs by id, and reports what is not there', async () => {
    const { url } = await server();
    const made = await fill(url, 'by id', false);
    const { reader, failures } = await open(url);
    const nowhere = '0123456789abcdef0123456789abcdef';
    const found = await readAll(reader, {
      experiments: [],
      runs: [made.run_id, made.deleted_id, nowhere],
      view: 'active',
    });
    expect(found.map(({ experiment, runs }) => [experiment.name, runs.map(({ run }) => run.run_id)])).toEqual(
      [['by id', [made.run_id]]],
    );
    expect(failures.map(({ code, object }) => [code, object])).toEqual(
      expect.arrayContaining([
        ['NOT_FOUND', `run "${made.deleted_id}"`],
        ['NOT_FOUND', `run "${nowhere}"`],
      ]),
    );
    expect(failures).toHaveLength(2);
    const other = await open(url);
    expect(
      await readAll(other.reader, { experiments: ['Default', 'no such'], runs: [made.run_id], view: 'all' }),
    ).toEqual([]);
    expect(other.failures.map(({ object }) => object).sort()).toEqual([
      'experiment "no such"',
      `run "${made.run_id}"`,
    ]);
  });
});

describe('the newest server', () => {
  it('reads artifacts of a plain root, from the directory itself and through the server', async () => {
    await using server = await startServer({ artifacts: 'plain' });
    const made = await fill(server.url, 'plain', false);
    for (const [path, content] of FILES) {
      const file = join(made.artifact_uri, path);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
    }
    await writeFile(join(made.artifact_uri, 'p%41.txt'), 'unreachable by name');
    const expected = FILES.map(([path, content]) => [path, Buffer.byteLength(content), sha256(content)]);
    const here = await open(server.url);
    const [direct] = await readAll(here.reader, { ...ALL_ACTIVE, experiments: ['plain'] });
    expect(direct?.runs[0]?.files).toEqual(expected);
    expect(here.losses).toMatchObject([{ code: 'ARTIFACTS_UNREACHABLE', key: 'p%41.txt' }]);

    // A root that is not this run's own is left to the server, as one of another machine would be.
    const sqlite = join(server.directory, 'mlflow.db');
    const elsewhere = join(server.directory, 'elsewhere');
    await rename(made.artifact_uri, elsewhere);
    const database = new DatabaseSync(sqlite);
    database.prepare('UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?').run(elsewhere, made.run_id);
    database.close();
    const there = await open(server.url);
    const [through] = await readAll(there.reader, { ...ALL_ACTIVE, experiments: ['plain'] });
    expect(through?.runs[0]?.files).toEqual(expected);
  });

  it('reads one workspace', async () => {
    await using server = await startServer({ workspaces: true });
    const headers = { 'content-type': 'application/json', 'x-mlflow-workspace': 'team-a' };
    const post = async (path: string, body: unknown) => {
      const response = await fetch(`${server.url}/api/${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
      return response.json();
    };
    await fetch(`${server.url}/api/3.0/mlflow/workspaces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'team-a' }),
    });
    const { experiment_id } = identified.parse(
      await post('2.0/mlflow/experiments/create', { name: 'in team-a' }),
    );
    const { run } = created.parse(await post('2.0/mlflow/runs/create', { experiment_id, start_time: 5 }));
    await post('2.0/mlflow/runs/log-metric', {
      run_id: run.info.run_id,
      key: 'k',
      value: 1,
      timestamp: 2,
      step: 3,
    });
    const { reader } = await open(`${server.url}?workspace=team-a`);
    expect(reader.info.location).toBe(`${server.url}?workspace=team-a`);
    const root = run.info.artifact_uri.replace(/^mlflow-artifacts:\/*/, '');
    await fetch(`${server.url}/api/2.0/mlflow-artifacts/artifacts/${root}/d/f.txt`, {
      method: 'PUT',
      headers,
      body: 'hello',
    });
    const [found] = await readAll(reader, { ...ALL_ACTIVE, experiments: ['in *'] });
    expect(found?.runs).toMatchObject([
      { points: { k: [[3, 2, 1]] }, files: [['d/f.txt', 5, sha256('hello')]] },
    ]);
    const other = await open(server.url);
    expect(await readAll(other.reader, { ...ALL_ACTIVE, experiments: ['in *'] })).toEqual([]);
    expect(other.reader.info.fingerprint).not.toBe(reader.info.fingerprint);
  });

  it('reads with a password, and refuses a wrong one', async () => {
    await using server = await startServer({ auth: true });
    const environment = {
      MLFERRY_FROM_USERNAME: server.username ?? '',
      MLFERRY_FROM_PASSWORD: server.password ?? '',
    };
    const { reader } = await open(server.url, environment);
    expect((await readAll(reader, ALL_ACTIVE)).map(({ experiment }) => experiment.name)).toEqual(['Default']);
    await expect(open(server.url, { ...environment, MLFERRY_FROM_PASSWORD: 'canary' })).rejects.toMatchObject(
      { code: 'DENIED' },
    );
    await expect(open(server.url)).rejects.toMatchObject({ code: 'DENIED' });
  });

  it('reports logged models, their links, and traces as losses', async () => {
    await using server = await startServer();
    const { call } = rest(server.url);
    const { experiment_id } = identified.parse(await call('experiments/create', { name: 'models' }));
    const { run } = created.parse(await call('runs/create', { experiment_id, start_time: 1 }));
    const answer = await call('logged-models', { experiment_id, name: 'm', source_run_id: run.info.run_id });
    const { model_id } = z
      .object({ model: z.object({ info: z.object({ model_id: z.string() }) }) })
      .parse(answer).model.info;
    await call('runs/outputs', { run_id: run.info.run_id, models: [{ model_id, step: 0 }] });
    const trace_info = {
      trace_id: 'tr-1',
      trace_location: { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id } },
      request_time: '2026-01-01T00:00:00Z',
      state: 'OK',
    };
    const response = await fetch(`${server.url}/api/3.0/mlflow/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ trace: { trace_info } }),
    });
    expect(response.status).toBe(200);
    const { reader, losses } = await open(server.url);
    await readAll(reader, { ...ALL_ACTIVE, experiments: ['models'] });
    expect(losses.map(({ code, count }) => [code, count])).toEqual([
      ['LOGGED_MODELS', 1],
      ['TRACES', 1],
      ['MODEL_LINKS', 1],
    ]);
  });
});
