import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { CANARIES, canariesBelow, canariesIn } from '../canaries.ts';
import { archiveOf } from '../places/archive/forge.ts';
import {
  type Answer,
  type FakeServer,
  type SeenRequest,
  startFake,
  status,
} from '../places/server/fake-server.ts';
import { type Ended, runMlferry } from './run-mlferry.ts';

const { token, user, password, aws } = CANARIES;
const RUN = '1'.repeat(32);
const ENCODED = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;

/**
 * A server that gives every secret back: what it was sent in each of its refusals, and keys and signatures in the
 * addresses of its storage.
 */
function indiscreet({ path, headers, query, method }: SeenRequest): Answer | undefined {
  const sent = String(headers.authorization);
  const basic = sent.startsWith('Basic ') ? String(Buffer.from(sent.slice(6), 'base64')) : sent;
  const echo = (code: number): Answer =>
    status(
      code,
      JSON.stringify({
        error_code: 'BAD_REQUEST',
        message: `no: ${sent} = ${basic}, https://${ENCODED}@s3/x?sig=${aws}`,
      }),
      { 'set-cookie': `session=${token}`, 'www-authenticate': sent, 'content-type': 'application/json' },
    );
  const experiment = {
    experiment_id: '1',
    name: 'e',
    lifecycle_stage: 'active',
    artifact_location: `s3://${user}:${aws}@bucket/1?X-Amz-Signature=${aws}`,
  };
  const artifact_uri = `https://${ENCODED}@bucket/1/${RUN}/artifacts?sig=${aws}&X-Amz-Credential=${aws}`;
  const info = {
    run_id: RUN,
    experiment_id: '1',
    status: 'FINISHED',
    lifecycle_stage: 'active',
    artifact_uri,
  };
  if (/\/(logged-models|registered-models|model-versions|traces)(\/search)?$/.test(path)) return { json: {} };
  if (path.endsWith('/experiments/search')) return { json: { experiments: [experiment] } };
  if (path.endsWith('/runs/search') || path.endsWith('/runs/get'))
    return { json: path.endsWith('get') ? { run: { info } } : { runs: [{ info }] } };
  if (path.endsWith('/artifacts/list'))
    return {
      json: { files: ['far', 'gone', 'good'].map((name) => ({ path: name, is_dir: false, file_size: 3 })) },
    };
  if (path === '/get-artifact' && query.get('path') === 'far')
    return status(302, '', { location: `http://${ENCODED}@127.0.0.1:1/?X-Amz-Signature=${aws}` });
  if (path === '/get-artifact') return query.get('path') === 'good' ? status(200, 'yes') : echo(400);
  if (path.endsWith('/get-by-name')) return status(404, '{"error_code": "RESOURCE_DOES_NOT_EXIST"}');
  if (path.endsWith('/version')) return undefined;
  if (method === 'POST' || path.includes('/traces')) return echo(400);
  return undefined;
}

let dir: string;
let home: string;
let fake: FakeServer;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-canaries-'));
  home = await mkdtemp(join(tmpdir(), 'mlferry-home-'));
  for (const name of ['tmp', 'state', 'out']) await mkdir(join(dir, name));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
  await rm(home, { recursive: true, force: true });
});

const out = (name: string) => join(dir, 'out', name);

/** Runs a command with all its files and a log below `dir`, and looks for canaries in all of them and in what it says. */
async function clean(args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  const ended = await runMlferry([...args, '--debug', '--log-file', join(dir, 'log')], {
    environment: {
      ...environment,
      HOME: home,
      TMPDIR: join(dir, 'tmp'),
      XDG_STATE_HOME: join(dir, 'state'),
      MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0',
    },
  });
  expect(canariesIn(ended.stdout + ended.stderr)).toEqual([]);
  expect(await canariesBelow(dir)).toEqual([]);
  return ended;
}

describe('canaries', () => {
  const bytes = Buffer.from(`a line with ${token} in it\n`);
  it.each<[string, () => Promise<Uint8Array>]>([
    ['a file', async () => bytes],
    ['gzip', async () => gzipSync(bytes)],
    ['a tar within zstd', async () => zstdCompressSync(await archiveOf([], [Buffer.from('{}\n'), bytes]))],
  ])('are found in %s', async (_, pack) => {
    await writeFile(out('file'), await pack());
    expect(await canariesBelow(dir)).not.toEqual([]);
  });
});

type Slot = [
  name: string,
  sent: string,
  environment: Record<string, string>,
  userinfo?: string,
  file?: string,
];
const basic = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
const slots: Slot[] = [
  ['MLFERRY_FROM_TOKEN', `Bearer ${token}`, { MLFERRY_FROM_TOKEN: token, MLFERRY_TO_TOKEN: token }],
  [
    'MLFERRY_FROM_USERNAME and _PASSWORD',
    basic,
    {
      MLFERRY_FROM_USERNAME: user,
      MLFERRY_FROM_PASSWORD: password,
      MLFERRY_TO_USERNAME: user,
      MLFERRY_TO_PASSWORD: password,
    },
  ],
  ['the URL', basic, {}, `${ENCODED}@`],
  ['MLFLOW_TRACKING_TOKEN', `Bearer ${token}`, { MLFLOW_TRACKING_TOKEN: token }],
  [
    'MLFLOW_TRACKING_USERNAME and _PASSWORD',
    basic,
    { MLFLOW_TRACKING_USERNAME: user, MLFLOW_TRACKING_PASSWORD: password },
  ],
  [
    '~/.mlflow/credentials',
    basic,
    {},
    '',
    `[mlflow]\nmlflow_tracking_username = ${user}\nmlflow_tracking_password = ${password.replaceAll('%', '%%')}\n`,
  ],
];

describe.each(slots)(
  'secrets in %s are in no produced byte',
  (_, sent, environment, userinfo = '', file = '') => {
    let url: string;
    beforeEach(async () => {
      fake = await startFake(indiscreet);
      url = fake.url.href.replace('://', `://${userinfo}`);
      if (file !== '')
        await mkdir(join(home, '.mlflow')).then(() => writeFile(join(home, '.mlflow', 'credentials'), file));
    });

    test('of a backup and its restore', async () => {
      const ended = await clean(
        ['backup', url, out('a.tar'), '--no-artifacts', '--json', '--temp-dir', join(dir, 'tmp')],
        environment,
      );
      expect(ended).toMatchObject({ status: 0 });
      expect(fake.seen.at(-1)?.headers.authorization).toBe(sent);
      expect((await readdir(join(dir, 'out'))).sort()).toEqual(['a.tar']);
      const refused = await clean(['restore', out('a.tar'), url, '--json'], environment);
      expect(refused.status).not.toBe(0);
      expect(refused.stdout + refused.stderr).toMatch(/no: (Basic|Bearer) \*\*\*/);
    });
  },
);

describe('secrets of a server without manners are in no produced byte', () => {
  const environment = { MLFERRY_FROM_TOKEN: token, MLFERRY_TO_TOKEN: token };
  beforeEach(async () => {
    fake = await startFake(indiscreet);
  });

  test.for<[name: string, args: () => string[], status: number]>([
    ['copy', () => ['copy', fake.url.href, out('mlruns'), '--no-artifacts', '--id-map', out('ids')], 0],
    ['copy with files that cannot be had', () => ['copy', fake.url.href, out('mlruns'), '--json'], 7],
    ['a dry run', () => ['copy', fake.url.href, fake.url.href, '--dry-run', '--json'], 0],
    ['export', () => ['export', fake.url.href, out('a.ndjson.gz'), '--no-artifacts'], 0],
    ['export to a pipe', () => ['export', fake.url.href, '-', '--no-artifacts', '--json'], 0],
    [
      'export with bytes',
      () => ['export', fake.url.href, out('a.ndjson'), '--artifacts-dir', out('bytes')],
      7,
    ],
    ['inspect', () => ['inspect', fake.url.href], 0],
    ['inspect, JSON', () => ['inspect', fake.url.href, '--json', '-e', 'none'], 3],
    ['a mistyped scheme', () => ['copy', `ftp://${ENCODED}@host/`, out('x.tar')], 2],
    ['a scheme without slashes', () => ['copy', `${user}:${token}@host:5000`, out('x.tar')], 2],
    ['a database that nobody has', () => ['copy', `postgresql://${ENCODED}@127.0.0.1:1/db`, out('x.tar')], 7],
    ['another database', () => ['copy', `mssql://${ENCODED}@host/db`, out('x.tar')], 2],
    ['a server as the archive', () => ['restore', `http://${ENCODED}@host/`, out('x')], 2],
    [
      'an address that nobody has',
      () => ['copy', `http://${ENCODED}@127.0.0.1:1/?token=${token}`, out('x.tar')],
      7,
    ],
    ['half a pair', () => ['inspect', fake.url.href], 2],
  ])('%s', async ([name, args, status_], { expect: check }) => {
    const half = { MLFERRY_FROM_PASSWORD: password };
    const ended = await clean(args(), name === 'half a pair' ? half : environment);
    check(ended.status, ended.stderr).toBe(status_);
  });
});
