import { describe, expect, it } from 'vitest';
import type { Run } from '../../../src/model/records.ts';
import type { ArtifactEntry } from '../../../src/places/artifact-owner.ts';
import { connect } from '../../../src/places/server/connect/client.ts';
import { runOwner } from '../../../src/places/server/connect/owner.ts';
import { listArtifacts, openArtifact } from '../../../src/places/server/read/artifacts.ts';
import { serverAt } from '../locations.ts';
import { type Answer, type SeenRequest, startFake, status } from './fake-server.ts';
import { placeOptions } from './place-options.ts';

const ID = '0123456789abcdef0123456789abcdef';
const run = (artifact_uri: string): Run => ({
  kind: 'run',
  run_id: ID,
  experiment_id: '1',
  run_name: '',
  user_id: '',
  status: 'FINISHED',
  start_time: 1,
  end_time: 2,
  lifecycle_stage: 'active',
  artifact_uri,
  params: {},
  tags: {},
  dataset_inputs: [],
  latest_metrics: {},
});
const proxied = run(`mlflow-artifacts:/1/${ID}/artifacts`);
const bucket = run(`s3://bucket/1/${ID}/artifacts`);

async function setUp(route: (request: SeenRequest, number: number) => Answer | undefined) {
  const fake = await startFake(route);
  const { options, losses, failures } = await placeOptions({ MLFLOW_HTTP_REQUEST_MAX_RETRIES: '1' });
  const place = serverAt(fake.url.href);
  return { fake, losses, failures, findings: options.findings, client: await connect(place, options) };
}

/** Listings of a run by directory, as artifacts/list gives them. */
const listing = (levels: Record<string, unknown>) => (request: SeenRequest) =>
  request.path.endsWith('/artifacts/list')
    ? { json: levels[request.query.get('path') ?? ''] ?? {} }
    : undefined;

describe('listArtifacts', () => {
  it('goes through all levels in code-unit order of the paths, one request a directory', async () => {
    const file = (path: string) => ({ path, is_dir: false, file_size: '7' });
    const directory = (path: string) => ({ path, is_dir: true });
    const { client, findings, fake } = await setUp(
      listing({
        '': {
          files: [
            directory('b'),
            file('a.txt'),
            directory('a'),
            file('a-'),
            directory('empty'),
            { path: 'zero', is_dir: false },
          ],
        },
        a: { files: [file('a/2'), directory('a/1')] },
        'a/1': { files: [file('a/1/x'), directory('a/1')] },
        b: { files: [file('b/y')] },
      }),
    );
    const found: ArtifactEntry[] = [];
    for await (const entry of listArtifacts(client, runOwner(bucket), findings)) found.push(entry);
    expect(found).toEqual([
      ...['a-', 'a.txt', 'a/1/x', 'a/2', 'b/y'].map((path) => ({ path, size: 7 })),
      { path: 'zero', size: 0 },
    ]);
    expect(fake.to('/artifacts/list')).toHaveLength(5);
  });

  it('leaves out names that lead out of the run, and says so', async () => {
    const bad = ['../evil', '/etc/passwd', 'a/../../b', 'nul\0', 'C:/x', 'a//b', ''];
    const { client, findings, failures } = await setUp(
      listing({ '': { files: [...bad, 'good'].map((path) => ({ path, is_dir: false })) } }),
    );
    const found: string[] = [];
    for await (const { path } of listArtifacts(client, runOwner(bucket), findings)) found.push(path);
    expect(found).toEqual(['good']);
    // The empty path is the directory that was listed: no failure.
    expect(failures).toHaveLength(bad.length - 1);
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(['SOURCE_ITEM']));
  });

  it('reads all pages, and refuses a page token that comes again', async () => {
    const page = (path: string, next_page_token?: string): Answer => ({
      json: { files: [{ path, is_dir: false }], next_page_token },
    });
    const paged = await setUp(({ path, query }) =>
      path.endsWith('/artifacts/list')
        ? query.get('page_token') === 'x'
          ? page('b')
          : page('a', 'x')
        : undefined,
    );
    const found: string[] = [];
    for await (const { path } of listArtifacts(paged.client, runOwner(bucket), paged.findings))
      found.push(path);
    expect(found).toEqual(['a', 'b']);
    const endless = await setUp(({ path }) =>
      path.endsWith('/artifacts/list') ? page('a', 'x') : undefined,
    );
    await expect(
      listArtifacts(endless.client, runOwner(bucket), endless.findings).next(),
    ).rejects.toMatchObject({
      code: 'SERVER_ERROR',
    });
  });
});

describe('openArtifact', () => {
  const PROXY = `/api/2.0/mlflow-artifacts/artifacts/1/${ID}/artifacts/`;
  const read = async (source: Awaited<ReturnType<typeof setUp>>, from: Run, entry: ArtifactEntry) => {
    const body = await openArtifact(source.client, runOwner(from), entry, source.findings);
    return body === undefined ? undefined : Buffer.concat(await body.toArray()).toString();
  };

  it('takes the proxy, without Content-Length too, and encodes each segment', async () => {
    const source = await setUp(({ path }) =>
      path.startsWith(PROXY)
        ? { respond: (response) => response.write('hel', () => response.end('lo')) }
        : undefined,
    );
    expect(await read(source, proxied, { path: 'a b/c+d;e', size: 5 })).toBe('hello');
    expect(source.fake.to(`${PROXY}a%20b/c%2Bd%3Be`)).toHaveLength(1);
  });

  it.each(['a.txt', 'ü.txt'])('asks /get-artifact for %s where the proxy fails or would', async (path) => {
    const source = await setUp((request) => {
      if (request.path.startsWith(PROXY)) return status(500, 'header');
      return request.path === '/get-artifact' && request.query.get('path') === path
        ? status(200, 'hello')
        : undefined;
    });
    expect(await read(source, proxied, { path, size: 5 })).toBe('hello');
    expect(source.fake.seen.filter((request) => request.path.startsWith(PROXY))).toHaveLength(
      path === 'a.txt' ? 1 : 0,
    );
  });

  it.each<[string, string]>([
    ['fewer', 'hell'],
    ['more', 'hello!'],
  ])('fails on %s bytes than listed, with and without Content-Length', async (_name, text) => {
    const announced = await setUp(({ path }) =>
      path === '/get-artifact' ? status(200, text, { 'content-length': String(text.length) }) : undefined,
    );
    await expect(read(announced, bucket, { path: 'a', size: 5 })).rejects.toMatchObject({
      code: 'SHORT_BODY',
    });
    const chunked = await setUp(({ path }) =>
      path === '/get-artifact'
        ? { respond: (response) => response.write(text.slice(0, 2), () => response.end(text.slice(2))) }
        : undefined,
    );
    await expect(read(chunked, bucket, { path: 'a', size: 5 })).rejects.toMatchObject({ code: 'SHORT_BODY' });
  });

  /** Answers `/get-artifact` with `hello`, cut behind so many bytes at each request, and with the rest where it is asked for it. */
  const breaking = (cuts: number[], ranges: boolean, texts: string[] = []) =>
    setUp(({ path, headers }) => {
      if (path !== '/get-artifact') return undefined;
      const text = texts.shift() ?? 'hello';
      const asked = ranges ? Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0) : 0;
      const rest = text.slice(asked);
      const cut = cuts.shift() ?? rest.length;
      return {
        respond: (response) => {
          response.writeHead(asked > 0 ? 206 : 200, {
            'content-length': String(rest.length),
            ...(asked > 0 ? { 'content-range': `bytes ${asked}-${text.length - 1}/${text.length}` } : {}),
          });
          response.write(rest.slice(0, cut), () => (cut < rest.length ? response.destroy() : response.end()));
        },
      };
    });

  it.each<[string, boolean]>([
    ['with its rest', true],
    ['from its beginning', false],
  ])('goes on where the connection breaks off, %s', async (_name, ranges) => {
    const source = await breaking(ranges ? [2, 1] : [2, 4], ranges);
    expect(await read(source, bucket, { path: 'a', size: 5 })).toBe('hello');
    expect(source.fake.to('/get-artifact').map(({ headers }) => headers.range)).toEqual([
      undefined,
      'bytes=2-',
      ranges ? 'bytes=3-' : 'bytes=4-',
    ]);
  });

  it('fails with SHORT_BODY when the connection breaks off again and again, or then begins with other bytes', async () => {
    const never = await breaking([2, 2, 2, 2], false);
    await expect(read(never, bucket, { path: 'a', size: 5 })).rejects.toMatchObject({
      code: 'SHORT_BODY',
      message: expect.stringContaining('broke off after 2 bytes'),
    });
    expect(never.fake.to('/get-artifact')).toHaveLength(4);
    const other = await breaking([2], false, ['hello', 'jelly']);
    await expect(read(other, bucket, { path: 'a', size: 5 })).rejects.toMatchObject({ code: 'SHORT_BODY' });
  });

  it('is a loss where neither the proxy nor the server can reach the file', async () => {
    const source = await setUp(() => undefined);
    expect(await read(source, bucket, { path: 'a', size: 5 })).toBeUndefined();
    expect(source.losses).toMatchObject([
      { code: 'ARTIFACTS_UNREACHABLE', run_id: ID, key: 'a', detail: expect.stringContaining('s3') },
    ]);
  });

  it('never asks for a path that leads out of the run', async () => {
    const source = await setUp(() => undefined);
    const before = source.fake.seen.length;
    await expect(read(source, proxied, { path: '../x', size: 1 })).rejects.toMatchObject({
      code: 'SOURCE_ITEM',
    });
    expect(source.fake.seen).toHaveLength(before);
  });

  it('leaves artifacts of another host’s proxy to the server', async () => {
    const source = await setUp(({ path }) => (path === '/get-artifact' ? status(200, 'hello') : undefined));
    const other = run(`mlflow-artifacts://elsewhere:5000/1/${ID}/artifacts`);
    expect(await read(source, other, { path: 'a', size: 5 })).toBe('hello');
  });
});
