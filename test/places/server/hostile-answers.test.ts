import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import type { Run } from '../../../src/model/records.ts';
import { splitJsonList } from '../../../src/model/split-json.ts';
import { openReader } from '../../../src/places/open.ts';
import { bytesOf } from '../../../src/places/server/connect/body.ts';
import { countRuns, searchExperiments, searchRuns } from '../../../src/places/server/read/searches.ts';
import { MlferryError } from '../../../src/util/errors.ts';
import { connectTo } from './connect-to.ts';
import { type Answer, type SeenRequest, startFake, status } from './fake-server.ts';
import { placeOptions } from './place-options.ts';

const PATH = '/api/2.0/mlflow/thing';
const SECRET = 'canary-token-0123456789';
const schema = z.looseObject({});
const ask = { method: 'GET' as const, path: PATH, schema, class: 'read' as const, changes: false };
const file = { ...ask, path: '/file', class: 'bytes' as const };
const bearer = { MLFLOW_TRACKING_TOKEN: SECRET };

const errorOf = async (promise: Promise<unknown>): Promise<MlferryError> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof MlferryError)) throw new Error(`not an MlferryError: ${inspect(error)}`);
  expect(error.message).not.toMatch(/[\n\r]/);
  expect(error.message.length).toBeLessThan(2500);
  return error;
};

/** An https server with the certificate of the tests' own CA. */
async function startTls(answer: Parameters<typeof createTlsServer>[1]): Promise<string> {
  const pem = readFileSync(fileURLToPath(new URL('../../fixtures/tls/server.pem', import.meta.url)));
  const server = createTlsServer({ key: pem, cert: pem }, answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? `https://127.0.0.1:${address.port}` : '';
}

describe('a redirect', () => {
  const location = (target: string, code: number) => status(code, '', { location: target });

  it.each([301, 302, 303, 307, 308])(
    '%i to another host: bytes are fetched there without credentials',
    async (code) => {
      const other = await startFake(() => status(200, 'bytes', { 'set-cookie': `session=${SECRET}` }));
      const fake = await startFake(({ path }) =>
        path === '/file' ? location(`${other.url}there?sig=1`, code) : undefined,
      );
      const client = await connectTo(fake.url.href, bearer);
      const { body } = await client.download(file);
      expect(String(Buffer.concat(await body.toArray()))).toBe('bytes');
      expect(fake.to('/file')[0]?.headers.authorization).toBe(`Bearer ${SECRET}`);
      expect(other.seen).toHaveLength(1);
      expect(inspect(other.seen[0]?.headers)).not.toContain(SECRET);
      expect(other.seen[0]?.headers).not.toHaveProperty('x-mlflow-workspace');
    },
  );

  it.each([301, 302, 303, 307, 308])(
    '%i of anything but a download of bytes is not followed elsewhere',
    async (code) => {
      const other = await startFake(() => ({ json: {} }));
      const fake = await startFake(({ path }) =>
        path === PATH ? location(`${other.url}there?sig=${SECRET}`, code) : undefined,
      );
      const client = await connectTo(fake.url.href, bearer);
      for (const method of ['GET', 'POST'] as const) {
        const body = method === 'GET' ? {} : { body: { secret: SECRET } };
        const error = await errorOf(client.call({ ...ask, method }, body));
        expect(error.code).toBe('NOT_MLFLOW');
        expect(inspect(error, { depth: 9 })).not.toContain(SECRET);
      }
      await errorOf(client.stream(ask, {}, async () => undefined));
      expect(other.seen).toEqual([]);
    },
  );

  it.each([
    'file:///etc/passwd',
    'ftp://127.0.0.1/x',
    'javascript:1',
    'http://',
    'http://127.0.0.1:99999/',
    '//',
  ])('to %s is refused', async (target) => {
    const fake = await startFake(({ path }) => (path === '/file' ? location(target, 302) : undefined));
    const client = await connectTo(fake.url.href, bearer);
    expect((await errorOf(client.download(file))).code).toBe('NOT_MLFLOW');
  });

  it('in a circle ends', async () => {
    const fake = await startFake(({ path }) => (path === '/file' ? location('/file', 302) : undefined));
    const client = await connectTo(fake.url.href, bearer);
    expect((await errorOf(client.download(file))).code).toBe('NOT_MLFLOW');
    expect(fake.to('/file').length).toBeLessThan(10);
  });

  it('from https to http is refused, also on another host', async () => {
    const plain = await startFake(() => status(200, 'bytes'));
    const url = await startTls((request, response) => {
      if (request.url === '/file') response.writeHead(302, { location: `${plain.url}x` }).end();
      else if (request.url?.endsWith('/version')) response.end('3.17.2');
      else response.setHeader('content-type', 'application/json').end('{}');
    });
    const caFile = fileURLToPath(new URL('../../fixtures/tls/ca.pem', import.meta.url));
    const client = await connectTo(url, bearer, { tls: { caFile } });
    expect((await errorOf(client.download(file))).code).toBe('NOT_MLFLOW');
    expect(plain.seen).toEqual([]);
  });
});

describe('an answer is not trusted for size or form:', () => {
  const clientOf = async (answer: Answer) => {
    const fake = await startFake(({ path }) => (path === PATH ? answer : undefined));
    return connectTo(fake.url.href, { ...bearer, MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0' });
  };
  /** From a server that was MLflow a moment ago such an answer counts as a passing fault. */
  const NO_ANSWER = /^(NOT_MLFLOW|UNAVAILABLE)$/;
  const text = (body: string, headers: Record<string, string> = {}) =>
    status(200, body, { 'content-type': 'application/json', ...headers });
  const deep = `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`;

  it.each<[string, Answer]>([
    ['nested a million deep', text(`{"experiments":${deep}`)],
    ['nested, with a long integer', text(`{"a":12345678901234567890,"b":${deep}}`)],
    ['a number of 10 million digits', text(`{"a":${'1'.repeat(10_000_000)}`)],
    ['a string of 20 million characters beside NaN', text(`{"a":NaN,"b":"${'\\n'.repeat(10_000_000)}"`)],
    ['gzip that nobody asked for', text('\x1f\x8b\x08rest', { 'content-encoding': 'gzip' })],
    [
      'headers without end',
      text('{}', Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x-${i}`, 'y'.repeat(1000)]))),
    ],
    ['no HTTP at all', { respond: (response) => response.socket?.end('220 ftp ready\r\n') }],
  ])('%s', async (_, answer) => {
    const error = await errorOf((await clientOf(answer)).call(ask));
    expect(error.code).toMatch(NO_ANSWER);
  });

  it('a list nested deep within a history', async () => {
    const body = `{"metrics":[{"n":12345678901234567890,"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}]}`;
    const client = await clientOf(text(body));
    const read = client.stream(ask, {}, (answer) => splitJsonList(bytesOf(answer), async () => undefined));
    expect((await errorOf(read)).code).toMatch(NO_ANSWER);
  });

  it('a length that lies', async () => {
    const lie = (length: string, body: string): Answer => ({
      respond: (response) => {
        response.socket?.end(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n${body}`);
      },
    });
    const cases: Array<[string, string]> = [
      ['1000', '{}'],
      ['-1', '{}'],
      ['2, 3', '{}'],
      ['99999999999999999999', '{}'],
    ];
    for (const [length, body] of cases) {
      const error = await errorOf((await clientOf(lie(length, body))).call(ask));
      expect(['UNAVAILABLE', 'NOT_MLFLOW']).toContain(error.code);
    }
    // More than announced is no part of the answer.
    expect(await (await clientOf(lie('2', '{}{"more":1}'))).call(ask)).toEqual({});
  });

  it('an error of many lines and megabytes, with colours', async () => {
    const message = `first\n\x1b[31msecond\r\n${'x'.repeat(5_000_000)}`;
    const plain = await errorOf((await clientOf(status(400, message))).call(ask));
    const json = await errorOf(
      (
        await clientOf(
          status(400, JSON.stringify({ error_code: 'BAD_REQUEST', message: message.slice(0, 50_000) })),
        )
      ).call(ask),
    );
    for (const error of [plain, json]) {
      expect(error.code).toBe('REFUSED');
      expect(error.message).not.toContain('\x1b');
    }
  });

  it('an error that would keep a pattern busy for hours', async () => {
    for (const nasty of ['?key', 'basic ', 'http://', 'a:b', '&token', 'a'.repeat(7)]) {
      const body = nasty.repeat(Math.ceil(60_000 / nasty.length));
      expect((await errorOf((await clientOf(status(400, body))).call(ask))).code).toBe('REFUSED');
    }
  });
});

describe('credentials that a server echoes', () => {
  const password = 'pass%/wört-canary';
  it.each<[string, Record<string, string>, string[]]>([
    ['a token', bearer, [SECRET, `Bearer ${SECRET}`]],
    [
      'a password',
      { MLFLOW_TRACKING_USERNAME: 'somebody', MLFLOW_TRACKING_PASSWORD: password },
      [password, encodeURIComponent(password), Buffer.from(`somebody:${password}`).toString('base64')],
    ],
  ])('are nowhere in the error: %s', async (_, environment, forms) => {
    for (const code of [400, 401, 403, 404, 409, 500, 503, 302]) {
      for (const form of forms) {
        const fake = await startFake(({ path }) =>
          path === PATH
            ? status(
                code,
                JSON.stringify({ error_code: 'X', message: `no: ${form}, <${form}> https://u:${form}@h/` }),
                {
                  location: `http://somebody:${form}@127.0.0.1:1/${code === 302 ? '' : form}`,
                },
              )
            : undefined,
        );
        const client = await connectTo(fake.url.href, {
          ...environment,
          MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0',
        });
        const error = await errorOf(client.call(ask));
        const shown = `${inspect(error, { depth: 9, showHidden: true })}${JSON.stringify(error)}${error.stack}`;
        for (const secret of forms) expect(shown).not.toContain(secret);
      }
    }
  });
});

describe('a list without end', () => {
  const info = (run_id: string) => ({
    info: { run_id, experiment_id: '1', status: 'FINISHED', lifecycle_stage: 'active' },
  });
  const experiment = { experiment_id: '1', name: 'e', lifecycle_stage: 'active' };
  const paged = async (page: (number: number) => object) =>
    connectTo(
      (
        await startFake(({ path }, number) =>
          path.endsWith('/search') && !path.includes('logged')
            ? { json: { ...page(number), next_page_token: `token ${number}` } }
            : undefined,
        )
      ).url.href,
    );
  const drain = async (items: AsyncIterable<unknown>) => {
    let count = 0;
    for await (const _ of items) count += 1;
    return count;
  };

  it.each<[string, (number: number) => object]>([
    ['of the same runs', () => ({ runs: [info('a'), info('b')] })],
    ['of nothing', () => ({})],
  ])('%s ends with SERVER_ERROR', async (_, page) => {
    const client = await paged(page);
    expect(
      (await errorOf(drain(searchRuns(client, { experiment_ids: ['1'], run_view_type: 'ALL' })))).code,
    ).toBe('SERVER_ERROR');
    if (Object.keys(page(0)).length === 0)
      expect((await errorOf(countRuns(client, '1', 'ALL', 1e6))).code).toBe('SERVER_ERROR');
  });

  it('of the same experiments ends with SERVER_ERROR', async () => {
    const client = await paged(() => ({ experiments: [experiment] }));
    expect((await errorOf(drain(searchExperiments(client, 'ALL')))).code).toBe('SERVER_ERROR');
  });

  it('of empty pages of points, or of the same files, is a failure of the run', async () => {
    const route = ({ path, query }: SeenRequest, number: number): Answer | undefined => {
      if (path.endsWith('/experiments/search')) return { json: { experiments: [experiment] } };
      const metric = { key: 'm', value: 1, timestamp: 1, step: 1 };
      if (path.endsWith('/runs/search'))
        return { json: { runs: [{ ...info('a'), data: { metrics: [metric], params: [], tags: [] } }] } };
      if (path.endsWith('/get-history')) return { json: { next_page_token: `t${number}` } };
      if (path.endsWith('/artifacts/list'))
        return {
          json: { files: [{ path: 'f', is_dir: false }], next_page_token: `t${number}${query.get('x')}` },
        };
      return undefined;
    };
    const fake = await startFake(route);
    const { options } = await placeOptions();
    const reader = await openReader(fake.url.href, options);
    const selection = { experiments: [], runs: [], view: 'all' } as const;
    for await (const found of reader.experiments(selection)) {
      for await (const run of reader.runs(found, selection)) {
        expect((await errorOf(drain(run.metrics()))).code).toBe('SERVER_ERROR');
        expect((await errorOf(drain(run.artifacts()))).code).toBe('SERVER_ERROR');
      }
    }
    await reader.close();
  });

  it('of directories within directories ends where no path can be longer', async () => {
    const fake = await startFake(({ path, query }) => {
      if (path.endsWith('/experiments/search')) return { json: { experiments: [experiment] } };
      if (path.endsWith('/runs/search')) return { json: { runs: [info('a')] } };
      const directory = query.get('path') ?? '';
      const inner = `${directory}${directory === '' ? '' : '/'}${'d'.repeat(100)}`;
      return path.endsWith('/artifacts/list')
        ? { json: { files: [{ path: inner, is_dir: true }] } }
        : undefined;
    });
    const { options, failures } = await placeOptions();
    const reader = await openReader(fake.url.href, options);
    const selection = { experiments: [], runs: [], view: 'all' } as const;
    const runs: Run[] = [];
    for await (const found of reader.experiments(selection)) {
      for await (const run of reader.runs(found, selection)) {
        runs.push(run.run);
        expect(await drain(run.artifacts())).toBe(0);
      }
    }
    await reader.close();
    expect(runs).toHaveLength(1);
    expect(failures).toMatchObject([
      { code: 'SOURCE_ITEM', message: expect.stringContaining('longer than 4096 bytes') },
    ]);
  });
});
