import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ALL_ACTIVE } from '../../../src/model/selection.ts';
import type { ObjectReader } from '../../../src/places/objects.ts';
import { startServer } from '../../servers/start-server.ts';
import { created, FILES, fill, identified, openReader, readAll, sha256 } from './filled-server.ts';
import { rest } from './rest.ts';

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
    const here = await openReader(server.url);
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
    const there = await openReader(server.url);
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
    const { reader } = await openReader(`${server.url}?workspace=team-a`);
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
    const other = await openReader(server.url);
    expect(await readAll(other.reader, { ...ALL_ACTIVE, experiments: ['in *'] })).toEqual([]);
    expect(other.reader.info.fingerprint).not.toBe(reader.info.fingerprint);
  });

  it('reads with a password, and refuses a wrong one', async () => {
    await using server = await startServer({ auth: true });
    const environment = {
      MLFERRY_FROM_USERNAME: server.username ?? '',
      MLFERRY_FROM_PASSWORD: server.password ?? '',
    };
    const { reader } = await openReader(server.url, environment);
    expect((await readAll(reader, ALL_ACTIVE)).map(({ experiment }) => experiment.name)).toEqual(['Default']);
    await expect(
      openReader(server.url, { ...environment, MLFERRY_FROM_PASSWORD: 'canary' }),
    ).rejects.toMatchObject({ code: 'DENIED' });
    await expect(openReader(server.url)).rejects.toMatchObject({ code: 'DENIED' });
  });

  it('reads logged models and the links of runs to them, and traces', async () => {
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
    const { reader, losses } = await openReader(server.url);
    const [found] = await readAll(reader, { ...ALL_ACTIVE, experiments: ['models'] });
    expect(found?.runs[0]?.run.model_outputs).toEqual([{ model_id, step: 0 }]);
    const scope = {
      selection: ALL_ACTIVE,
      experiments: found === undefined ? [] : [found.experiment],
      isChosen: () => true,
      isHeld: () => false,
    };
    const again = await openReader(server.url);
    const traces: ObjectReader[] = [];
    for await (const trace of again.reader.objects?.get('trace')?.read(scope) ?? []) traces.push(trace);
    expect(traces.map(({ record }) => record)).toMatchObject([
      { trace_id: 'tr-1', experiment_id, request_time: Date.parse('2026-01-01T00:00:00Z'), state: 'OK' },
    ]);
    expect(await traces[0]?.whole?.()).toMatchObject({ spans: [] });
    await again.reader.close();
    expect([...losses, ...again.losses]).toMatchObject([{ code: 'ARTIFACT_MISSING', key: 'traces.json' }]);
  });
});
