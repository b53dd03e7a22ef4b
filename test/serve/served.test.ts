import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Served, servePlace } from './serve-place.ts';

const SAMPLES = fileURLToPath(new URL('../../samples/mlruns', import.meta.url));
const EXPERIMENTS = ['991550957354312416', '138509036289544675', '327069844578935833'];
const FIRST = EXPERIMENTS[0];

let served: Served;
beforeAll(async () => {
  served = await servePlace(SAMPLES);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
});

/** A request as it is written, which `fetch` would mend. */
async function raw(path: string, headers: Record<string, string> = {}, method = 'GET', body = '') {
  const { port } = new URL(served.url);
  const length = { 'content-length': String(Buffer.byteLength(body)) };
  const asked = httpRequest({ host: '127.0.0.1', port, path, headers: { ...headers, ...length }, method });
  asked.end(body);
  const [answer] = await once(asked, 'response');
  return { status: answer.statusCode, headers: answer.headers, text: await text(answer) };
}

const page = z.looseObject({
  runs: z.array(z.object({ info: z.object({ run_id: z.string() }) })).default([]),
  next_page_token: z.string().optional(),
});

const listing = z.object({
  root_uri: z.string(),
  files: z.array(z.object({ path: z.string(), is_dir: z.boolean(), file_size: z.number().optional() })),
});

async function search(wanted: object) {
  const answer = await fetch(`${served.url}/api/2.0/mlflow/runs/search`, {
    method: 'POST',
    body: JSON.stringify({ experiment_ids: EXPERIMENTS, ...wanted }),
  });
  return { status: answer.status, body: page.parse(await answer.json()) };
}
const idsOf = ({ body }: Awaited<ReturnType<typeof search>>) => body.runs.map(({ info }) => info.run_id);

describe('what is served', () => {
  it('has pages, orders, filters and views as MLflow does', async () => {
    const all = idsOf(await search({ run_view_type: 'ALL', order_by: ['attributes.start_time ASC'] }));
    expect(all.length).toBeGreaterThan(3);
    const paged: string[] = [];
    let page_token: string | undefined;
    do {
      const found = await search({
        run_view_type: 'ALL',
        order_by: ['attributes.start_time ASC'],
        max_results: 2,
        page_token,
      });
      paged.push(...idsOf(found));
      page_token = found.body.next_page_token;
    } while (page_token !== undefined);
    expect(paged).toEqual(all);
    const deleted = idsOf(await search({ run_view_type: 'DELETED_ONLY' }));
    const active = idsOf(await search({}));
    expect([...active, ...deleted].toSorted()).toEqual(all.toSorted());
    expect(deleted).toHaveLength(1);
    const failed = idsOf(await search({ filter: "attributes.status = 'FAILED'", run_view_type: 'ALL' }));
    expect(failed.length).toBeLessThan(all.length);
  });

  it('answers expressions that ask for histories', async () => {
    const answer = await search({ filter: 'COUNT(metrics.rmse) >= 1' });
    expect(answer.status).toBe(200);
    expect(idsOf(answer).length).toBeGreaterThan(0);
  });

  it('says what is wrong with an expression, with the place', async () => {
    expect(await search({ filter: 'metrics.auc >> 1' })).toMatchObject({
      status: 400,
      body: {
        error_code: 'INVALID_PARAMETER_VALUE',
        message: expect.stringMatching(/column 13.*\n.*\n *\^/),
      },
    });
  });

  it('gives files whole and in ranges, by each route, and lists directories', async () => {
    const [run_id = ''] = idsOf(await search({ filter: 'metrics.rmse > 0' }));
    const list = await fetch(`${served.url}/api/2.0/mlflow/artifacts/list?run_id=${run_id}`);
    const { files, root_uri } = listing.parse(await list.json());
    expect(root_uri).toMatch(new RegExp(`^mlflow-artifacts:/\\d+/${run_id}/artifacts$`));
    const file = files.find(({ is_dir }) => !is_dir);
    if (file === undefined) throw new Error('The run has no file at its root');
    const get = (headers: Record<string, string> = {}) =>
      raw(`/get-artifact?run_id=${run_id}&path=${encodeURIComponent(file.path)}`, headers);
    const whole = await get();
    expect(whole.text.length).toBe(file.file_size);
    expect(whole.headers).toMatchObject({ 'content-disposition': expect.stringContaining('attachment') });
    const proxied = await raw(
      `/api/2.0/${root_uri.replace('mlflow-artifacts:', 'mlflow-artifacts/artifacts')}/${encodeURIComponent(file.path)}`,
    );
    expect(proxied.text).toBe(whole.text);
    expect(await get({ range: 'bytes=2-5' })).toMatchObject({ status: 206, text: whole.text.slice(2, 6) });
    expect(await get({ range: 'bytes=-3' })).toMatchObject({ status: 206, text: whole.text.slice(-3) });
    expect(await get({ range: 'bytes=999999999-' })).toMatchObject({ status: 416 });
  });

  it('refuses every change, and says why', async () => {
    for (const [method, path] of [
      ['POST', '/api/2.0/mlflow/runs/create'],
      ['POST', '/ajax-api/2.0/mlflow/runs/log-batch'],
      ['PATCH', '/api/2.0/mlflow/registered-models/update'],
      ['DELETE', '/api/2.0/mlflow/registered-models/delete'],
      ['PUT', `/api/2.0/mlflow-artifacts/artifacts/${FIRST}/a`],
      ['POST', '/api/9.0/mlflow/whatever'],
    ] as const) {
      const answer = await raw(path, {}, method, '{}');
      expect([path, answer.status]).toEqual([path, 405]);
      expect(answer.text).toContain('to be read');
    }
    expect(await raw('/api/2.0/mlflow/nothing')).toMatchObject({ status: 404 });
  });
});

describe('who asks what of it', () => {
  it.each([
    `/get-artifact?run_id=RUN&path=../../../../etc/passwd`,
    `/get-artifact?run_id=RUN&path=%2Fetc%2Fpasswd`,
    `/get-artifact?run_id=RUN&path=a%00b`,
    `/get-artifact?run_id=..%2F..&path=meta.yaml`,
    `/get-artifact?run_id=RUN&path=..%5Cmeta.yaml`,
    `/api/2.0/mlflow-artifacts/artifacts/${FIRST}/RUN/artifacts/..%2Fmeta.yaml`,
    `/api/2.0/mlflow-artifacts/artifacts/${FIRST}/RUN/artifacts/../meta.yaml`,
    `/api/2.0/mlflow-artifacts/artifacts/${FIRST}/RUN/meta.yaml`,
    `/api/2.0/mlflow-artifacts/artifacts?path=../..`,
    `/api/2.0/mlflow-artifacts/artifacts?path=${FIRST}/RUN/artifacts/../..`,
    `/api/2.0/mlflow/artifacts/list?run_id=RUN&path=../..`,
    `/api/2.0/mlflow/logged-models/..%2F..%2Fmeta.yaml`,
    '/..%2f..%2fetc/passwd',
  ])('leads out of no root: %s', async (path) => {
    const [run_id = ''] = idsOf(await search({}));
    const answer = await raw(path.replace('RUN', run_id));
    expect([400, 404]).toContain(answer.status);
    expect(answer.text).not.toMatch(/root:|artifact_location|artifact_uri/);
  });

  it('answers nobody who calls it by another name, and no other site', async () => {
    const path = '/api/2.0/mlflow/experiments/search?max_results=1';
    const { host, port } = new URL(served.url);
    expect((await raw(path, { host: 'evil.example' })).status).toBe(403);
    expect((await raw(path, { host: `evil.example:${port}` })).status).toBe(403);
    expect((await raw(path, { host: `localhost:${port}` })).status).toBe(200);
    expect((await raw(path, { host, origin: 'https://evil.example' })).status).toBe(403);
    expect((await raw(path, { host, origin: 'null' })).status).toBe(403);
    expect((await raw(path, { host, origin: served.url })).status).toBe(200);
    expect((await raw(path, { host, 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await raw(path, { host, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  });

  it('tells browsers to frame, run and share nothing', async () => {
    const { headers } = await raw('/api/2.0/mlflow/experiments/search');
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'cross-origin-resource-policy': 'same-origin',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
      'referrer-policy': 'no-referrer',
    });
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  it('reads no more of a request than it must', async () => {
    const path = '/api/2.0/mlflow/runs/search';
    expect((await raw(path, {}, 'POST', JSON.stringify({ filter: 'x'.repeat(2 ** 20) }))).status).toBe(413);
    expect((await raw(path, {}, 'POST', '[1]')).status).toBe(400);
    expect((await raw(path, {}, 'POST', '{"max_results": 1e9}')).status).toBe(400);
    expect((await raw(path, {}, 'POST', `${'['.repeat(100_000)}`)).status).toBe(400);
    expect((await raw('/api/2.0/mlflow/runs/get?run_id=%')).status).toBe(404);
    expect((await raw('/%E0%A4%A')).status).toBe(400);
  });

  it('goes on after a request that is none', async () => {
    const { port } = new URL(served.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.end('GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400/);
    expect((await raw('/health')).text).toBe('OK');
  });
});

describe('a token', () => {
  it('is asked of every request, as a bearer token or a password', async () => {
    await using guarded = await servePlace(SAMPLES, { token: 'let me in' });
    const ask = async (authorization?: string) =>
      (
        await fetch(`${guarded.url}/version`, {
          headers: authorization === undefined ? {} : { authorization },
        })
      ).status;
    const basic = (password: string) => `Basic ${Buffer.from(`anyone:${password}`).toString('base64')}`;
    expect(await ask()).toBe(401);
    expect(await ask('Bearer let me out')).toBe(401);
    expect(await ask(basic('let me'))).toBe(401);
    expect(await ask('Bearer let me in')).toBe(200);
    expect(await ask(basic('let me in'))).toBe(200);
  });
});

it('says where it cannot listen', async () => {
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { serve } = await import('../../src/serve/serve.ts');
  await expect(serve(SAMPLES, { port, environment: {} })).rejects.toMatchObject({
    code: 'LOCATION',
    message: expect.stringContaining('another program listens there'),
  });
  other.close();
});
