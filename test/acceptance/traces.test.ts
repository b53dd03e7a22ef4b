import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Span } from '../../src/model/trace.ts';
import { exportRequests } from '../../src/places/server/write/otlp.ts';
import { runKilled } from '../faults/kill.ts';
import { startFaultProxy } from '../faults/proxy.ts';
import { logTraces, viewTraces } from '../servers/mlflow-client.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { readBothWays } from './database-lines.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

/** `MLFERRY_TEST_LONG=1`: more of the same. */
const LONG = process.env.MLFERRY_TEST_LONG === '1';

let directory: string;
let source: TestServer;
let seen: Awaited<ReturnType<typeof viewTraces>>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-traces-'));
  source = await startServer();
  await logTraces(source);
  seen = await viewTraces(source);
}, 300_000);
afterAll(async () => {
  await source?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function mustBeSame(from: string, to: string, ...options: string[]) {
  const { stdout, status } = await runMlferry(['verify', from, to, '--json', ...options]);
  expect(JSON.parse(stdout)).toMatchObject({ items: [], objects: { traces: { same: 4 } } });
  expect(status).toBe(0);
}

describe('traces', () => {
  it('are the same in the database and by its server', async () => {
    expect(await readBothWays(source)).toMatchObject({ onlyServer: [], onlyDatabase: [] });
  });

  it('are as the tests take them', () => {
    expect(seen.traces.map(({ state, in_store, spans }) => [state, in_store, spans.length])).toEqual([
      ['OK', true, 5],
      ['OK', true, 4],
      ['OK', false, 4],
      ['ERROR', true, 1],
    ]);
    const valid = seen.traces.flatMap(({ assessments }) =>
      assessments.map(({ assessment_name, valid }) => [assessment_name, valid]),
    );
    expect(valid).toContainEqual(['good', false]);
    expect(seen.linked).toHaveLength(2);
    expect(seen.prompted).toHaveLength(1);
  });

  it.each(['server', 'archive', 'stream'] as const)(
    'go to a server by way of: %s, with their ids, spans to the nanosecond and assessments',
    async (way) => {
      await using target = await startServer();
      const between =
        way === 'server' ? source.url : join(directory, { archive: 'all.tar', stream: 'all.ndjson' }[way]);
      if (way !== 'server') {
        const there = await copyReport(['copy', source.url, between]);
        expect(there).toMatchObject({ exit_status: 0, losses: [], objects: { traces: { created: 4 } } });
        await mustBeSame(source.url, between);
      }
      const dry = await copyReport(['copy', between, target.url, '--dry-run']);
      expect(dry.objects).toMatchObject({ traces: { read: 4, created: 4 } });
      expect((await viewTraces(target)).traces).toEqual([]);
      const report = await copyReport(['copy', between, target.url]);
      expect(report).toMatchObject({ exit_status: 0, losses: [], failures: [] });
      await mustBeSame(between, target.url);
      expect(await viewTraces(target)).toEqual(seen);
      const again = await copyReport(['copy', between, target.url]);
      expect(again.objects).toMatchObject({ traces: { created: 0, updated: 0, unchanged: 4 } });
    },
  );

  it('go into the database of a running server: MLflow sees the very same, searches and goes on', async () => {
    await using target = await startServer();
    const database = `sqlite:///${join(target.directory, 'mlflow.db')}`;
    const options = ['--to-artifacts-root', join(target.directory, 'artifacts')];
    const copy = () => copyReport(['copy', source.url, database, ...options]);
    expect(await copy()).toMatchObject({
      ...{ exit_status: 0, losses: [], failures: [] },
      objects: { traces: { created: 4 } },
    });
    await mustBeSame(source.url, database, ...options);
    expect(await viewTraces(target)).toEqual(seen);
    expect(await readBothWays(target)).toMatchObject({ onlyServer: [], onlyDatabase: [] });
    expect((await copy()).objects).toMatchObject({ traces: { created: 0, updated: 0, unchanged: 4 } });
    // What the server logs further on stands beside the copies, and on them.
    const [first] = (await viewTraces(target)).traces;
    const post = async (path: string, body: object) => {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${target.url}/api/3.0/mlflow/traces${path}`, {
        ...{ method: 'POST', headers, body: JSON.stringify(body) },
      });
      expect([path, answer.status]).toEqual([path, 200]);
    };
    const experiment_id = '1';
    const location = { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id } };
    const trace_info = {
      ...{ trace_id: `tr-${'9'.repeat(32)}`, trace_location: location, request_time: '2026-01-01T00:00:00Z' },
      ...{ state: 'OK', trace_metadata: {}, tags: {} },
    };
    await post('', { trace: { trace_info } });
    const source_of = { source_type: 'HUMAN', source_id: 'me' };
    await post(`/${first?.trace_id}/assessments`, {
      assessment: { assessment_name: 'later', source: source_of, feedback: { value: true } },
    });
    expect((await fetch(`${target.url}/api/3.0/mlflow/traces/${trace_info.trace_id}`)).status).toBe(200);
    const [judged] = (await viewTraces(target)).traces;
    expect(judged?.assessments.map(({ assessment_name }) => assessment_name)).toContain('later');
    expect(await copy()).toMatchObject({ failures: [], objects: { traces: { unchanged: 4 } } });
  });

  it('go to a directory and from there to a server; MLflow’s own client reads both', async () => {
    await using target = await startServer();
    const mlruns = join(directory, 'mlruns');
    for (const created of [4, 0]) {
      const there = await copyReport(['copy', source.url, mlruns]);
      // A directory has no place for the run that a trace was linked to afterwards.
      expect(there.loss_counts).toEqual(created === 0 ? {} : { TRACE_FIELDS: 1 });
      expect(there).toMatchObject({ failures: [], objects: { traces: { created, unchanged: 4 - created } } });
    }
    const verified = await runMlferry(['verify', source.url, mlruns, '--json']);
    expect(JSON.parse(verified.stdout)).toMatchObject({ items: [], objects: { traces: { same: 4 } } });
    const inFiles = {
      traces: seen.traces.map((found) => ({ ...found, in_store: false })),
      linked: [],
      prompted: [],
    };
    expect(await viewTraces({ url: mlruns, version: '3.17.2' })).toEqual(inFiles);
    expect(await copyReport(['copy', mlruns, target.url])).toMatchObject({ losses: [], failures: [] });
    await mustBeSame(mlruns, target.url);
    const { traces } = await viewTraces(target);
    expect(traces).toEqual(inFiles.traces);
    // What is changed there is brought along, and what is half there is completed.
    const [experiment] = (await readdir(mlruns)).filter((name) => /^[1-9]/.test(name));
    const trace = join(mlruns, experiment ?? '', 'traces', traces[0]?.trace_id ?? '');
    await writeFile(join(trace, 'tags', 'later'), 'x');
    const grown = await copyReport(['copy', mlruns, target.url]);
    expect(grown.objects).toMatchObject({ traces: { updated: 1, unchanged: 3 } });
    await mustBeSame(mlruns, target.url);
    await rm(join(trace, 'tags', 'mlferry.digest'));
    await rm(join(trace, 'artifacts', 'traces.json'));
    await rm(join(trace, 'tags', 'later'));
    // Without its spans no copy of it is complete: it is not taken for the same once they are there.
    const archive = join(directory, 'without-spans.tar');
    const lacking = await copyReport(['copy', mlruns, archive]);
    expect(lacking.loss_counts).toEqual({ ARTIFACT_MISSING: 1 });
    await using other = await startServer();
    for (const outcome of [{ created: 4 }, { unchanged: 4 }])
      expect(await copyReport(['copy', archive, other.url])).toMatchObject({ objects: { traces: outcome } });
    const mended = await copyReport(['copy', source.url, mlruns]);
    expect(mended.objects).toMatchObject({ traces: { updated: 1, unchanged: 3 } });
    const completed = await copyReport(['copy', mlruns, other.url]);
    expect(completed).toMatchObject({ losses: [], objects: { traces: { updated: 1, unchanged: 3 } } });
    await mustBeSame(mlruns, other.url);
    expect(await viewTraces({ url: mlruns, version: '3.17.2' })).toEqual(inFiles);
  });

  it('are brought up to date: new assessments, overrides and tags; spans are not sent again', async () => {
    await using own = await startServer();
    await using target = await startServer();
    await copyReport(['copy', source.url, own.url]);
    await copyReport(['copy', own.url, target.url]);
    const [first] = seen.traces.filter(({ assessments }) => assessments.length > 4);
    const plain = first?.assessments.find(({ assessment_name }) => assessment_name === 'of a span');
    const ours = `${own.url}/api/3.0/mlflow/traces/${first?.trace_id}`;
    const assessment = {
      assessment_name: 'of a span',
      trace_id: first?.trace_id,
      source: { source_type: 'HUMAN', source_id: 'bo' },
      create_time: '2026-01-01T00:00:00Z',
      last_update_time: '2026-01-01T00:00:00Z',
      feedback: { value: false },
      overrides: plain?.assessment_id,
    };
    for (const [path, method, body] of [
      ['/assessments', 'POST', { assessment }],
      ['/tags', 'PATCH', { key: 'later', value: 'x' }],
    ] as const) {
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(`${ours}${path}`, { method, headers, body: JSON.stringify(body) });
      expect(answer.status).toBe(200);
    }
    const proxy = await startFaultProxy(target.url);
    try {
      const routes: string[] = [];
      proxy.play([], async ({ route }) => {
        routes.push(route);
        return true;
      });
      const grown = await copyReport(['copy', own.url, proxy.url]);
      expect(grown.objects).toMatchObject({ traces: { created: 0, updated: 1, unchanged: 3 } });
      expect(routes.filter((route) => route.includes('v1/traces'))).toEqual([]);
    } finally {
      await proxy.close();
    }
    await mustBeSame(own.url, target.url);
    const now = await viewTraces(target);
    expect(now).toEqual(await viewTraces(own));
    const [grown] = now.traces.filter(({ trace_id }) => trace_id === first?.trace_id);
    expect(
      grown?.assessments.find(({ assessment_id }) => assessment_id === plain?.assessment_id),
    ).toMatchObject({
      valid: false,
    });
  });

  it('that the target has already in another experiment get other ids, and are found again', async () => {
    await using target = await startServer();
    await copyReport(['copy', source.url, target.url]);
    const apart = ['copy', target.url, target.url, '--experiment', 'traced', '--rename', 'traced=again'];
    for (const created of [4, 0]) {
      const report = await copyReport(apart);
      expect(report).toMatchObject({
        exit_status: 0,
        objects: { traces: { created, unchanged: 4 - created } },
      });
      expect(report.loss_counts.TRACE_ID_TAKEN ?? 0).toBe(created);
    }
    const { traces } = await viewTraces(target);
    expect(traces.filter(({ experiment }) => experiment === 'traced')).toEqual(seen.traces);
    const shown = (name: string) =>
      traces
        .filter(({ experiment }) => experiment === name)
        .map(({ spans }) => spans.map(({ times }) => times))
        .sort();
    expect(shown('again')).toEqual(shown('traced'));
  });

  it('are there once and whole when copies are killed again and again', async () => {
    await using target = await startServer();
    const proxy = await startFaultProxy(target.url);
    const archive = join(directory, 'kill.tar');
    await copyReport(['copy', source.url, archive]);
    const environment = { HOME: directory, XDG_STATE_HOME: join(directory, 'state') };
    const killedAt: string[] = [];
    try {
      for (let number = 1; ; number += 1) {
        const moment = number % 2 === 0 ? 'before' : 'after';
        const point = { number, moment, route: 'traces' } as const;
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
    expect(killedAt.length).toBeGreaterThan(4);
    await mustBeSame(archive, target.url);
    expect(await viewTraces(target)).toEqual(seen);
  });

  it('whose copies were changed are told by verify, down to one attribute of a span', async () => {
    await using target = await startServer();
    await copyReport(['copy', source.url, target.url]);
    const database = new DatabaseSync(join(target.directory, 'mlflow.db'));
    const changes: Readonly<Record<string, string>> = {
      "UPDATE spans SET content = replace(content, '1e-07', '1e-08')": 'attributes.tiny',
      "UPDATE assessments SET rationale = 'because' WHERE rationale = 'why'": 'rationale',
      "UPDATE trace_tags SET value = 'even' WHERE key = 'kind'": 'tags.kind',
      'UPDATE trace_info SET execution_time_ms = execution_time_ms + 1': 'execution_duration',
      "UPDATE trace_request_metadata SET value = 'bo' WHERE key = 'mlflow.trace.user'":
        'trace_metadata.mlflow.trace.user',
    };
    for (const change of Object.keys(changes)) database.exec(change);
    database.close();
    const { stdout, status } = await runMlferry(['verify', source.url, target.url, '--json']);
    const { items } = z
      .object({ items: z.array(z.object({ differences: z.array(z.object({ field: z.string() })) })) })
      .parse(JSON.parse(stdout));
    const fields = items.flatMap(({ differences }) => differences.map(({ field }) => field));
    for (const field of Object.values(changes))
      expect(fields.some((found) => found.endsWith(field))).toBe(true);
    expect(new Set(fields.map((field) => Object.values(changes).find((end) => field.endsWith(end))))).toEqual(
      new Set(Object.values(changes)),
    );
    expect(status).toBe(4);
  });

  it('bring the files along that their spans name', async () => {
    await using from = await startServer();
    await using target = await startServer();
    const id = '0f8fad5b-d9cb-469f-a165-70867728950e';
    await fill(from.url, 1, 1, {
      picture: JSON.stringify(`mlflow-attachment://${id}?content_type=image%2Fpng`),
    });
    const path = `traces/tr-${'1'.padStart(32, '0')}/artifacts/attachments/${id}`;
    const file = (url: string) => `${url}/api/2.0/mlflow-artifacts/artifacts/0/${path}`;
    expect((await fetch(file(from.url), { method: 'PUT', body: 'a picture' })).status).toBe(200);
    const archive = join(directory, 'attached.tar');
    expect(await copyReport(['copy', from.url, archive])).toMatchObject({ losses: [], failures: [] });
    // A stream that only names it comes first: without it no copy is complete.
    const stream = join(directory, 'attached.ndjson');
    const mlruns = join(directory, 'attached', 'mlruns');
    await copyReport(['copy', from.url, stream]);
    for (const outcome of ['created', 'unchanged'])
      expect(await copyReport(['copy', stream, target.url])).toMatchObject({
        ...{ exit_status: 3, loss_counts: { ARTIFACTS_NOT_CARRIED: 1 } },
        objects: { traces: { [outcome]: 1 } },
      });
    for (const outcome of ['created', 'updated'])
      expect(await copyReport(['copy', stream, mlruns])).toMatchObject({
        ...{ exit_status: 3, objects: { traces: { [outcome]: 1 } } },
      });
    for (const to of [target.url, mlruns]) {
      const report = await copyReport(['copy', archive, to]);
      expect(report).toMatchObject({ losses: [], failures: [], sent: { artifacts: 1, artifact_bytes: 9 } });
      expect(report.objects).toMatchObject({ traces: { updated: 1 } });
      const again = await copyReport(['copy', from.url, to]);
      expect(again).toMatchObject({ exit_status: 0, objects: { traces: { unchanged: 1 } } });
    }
    expect(await (await fetch(file(target.url))).text()).toBe('a picture');
    const verified = async () => (await runMlferry(['verify', archive, target.url])).status;
    expect(await verified()).toBe(0);
    await fetch(file(target.url), { method: 'PUT', body: 'A picture' });
    expect(await verified()).toBe(4);
  });

  it('are copied many at once, and found again by pages', async () => {
    const [count, spans] = LONG ? [1000, 20] : [60, 3];
    await using from = await startServer();
    await using target = await startServer();
    await fill(from.url, count, spans);
    const proxy = await startFaultProxy(from.url);
    try {
      const report = await copyReport(['copy', proxy.url, target.url]);
      expect(report).toMatchObject({ losses: [], failures: [], objects: { traces: { created: count } } });
      const routes = proxy.requests.map(({ route }) => route);
      const batches = routes.filter((route) => route.includes('batchGet'));
      expect(batches.length).toBeGreaterThan(0);
      expect(batches.length).toBeLessThanOrEqual(Math.ceil(count / 25) + Math.ceil(count / 500));
      proxy.play([]);
      const again = await copyReport(['copy', proxy.url, target.url]);
      expect(again.objects).toMatchObject({ traces: { created: 0, unchanged: count } });
      expect(proxy.requests.filter(({ route }) => /batchGet|get-trace-artifact/.test(route))).toEqual([]);
      const { stdout } = await runMlferry(['verify', proxy.url, target.url, '--json']);
      expect(JSON.parse(stdout)).toMatchObject({ items: [], objects: { traces: { same: count } } });
    } finally {
      await proxy.close();
    }
  });
});

/** So many traces with so many spans, in the store of a server. */
async function fill(url: string, count: number, spans: number, more: Readonly<Record<string, string>> = {}) {
  const post = async (path: string, body: Uint8Array | string, headers: Readonly<Record<string, string>>) => {
    const answer = await fetch(`${url}${path}`, { method: 'POST', body: Buffer.from(body), headers });
    expect(answer.status).toBe(200);
  };
  for (let number = 1; number <= count; number += 1) {
    const trace_id = `tr-${number.toString(16).padStart(32, '0')}`;
    const all = Array.from(
      { length: spans },
      (_, at): Span => ({
        span_id: (at + 1).toString(16).padStart(16, '0'),
        ...(at === 0 ? {} : { parent_span_id: '0000000000000001' }),
        name: `step ${at}`,
        start_time_unix_nano: String(1_700_000_000_000_000_001n + BigInt(at)),
        end_time_unix_nano: String(1_700_000_000_000_001_003n + BigInt(at)),
        status_code: 'OK',
        attributes: { number: String(number), text: JSON.stringify('x'.repeat(100)), ...more },
        events: [],
        links: [],
      }),
    );
    for (const request of exportRequests(all, trace_id))
      await post('/v1/traces', request, {
        'content-type': 'application/x-protobuf',
        'x-mlflow-experiment-id': '0',
      });
  }
}
