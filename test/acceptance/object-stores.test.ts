import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startFaultProxy } from '../faults/proxy.ts';
import { logModels, registerModels } from '../servers/mlflow-client.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { sharedMoto } from '../servers/start-moto.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { startMlferry } from './background-mlferry.ts';
import { writeLargeFile } from './large-content.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';
import { startWatchedProxy } from './watched-proxy.ts';

/** Servers whose artifact roots are in S3 and not served, as most that are run by somebody themselves. */

const MIB = 2 ** 20;
const PART = 8 * MIB;
/** Pages of a list have a thousand. */
const MANY = process.env.MLFERRY_TEST_LONG === '1' ? 10_000 : 1_050;

const moto = sharedMoto('first', 'second');
const proxied = sharedServer();
let dir: string;
/** Roots in two buckets of one store. */
const servers: TestServer[] = [];
const [FIRST, SECOND] = [0, 1];
const url = (server: number) => servers[server]?.url ?? '';
let environment: Readonly<Record<string, string>>;
/** Of no use: then the server is the way. */
const NOBODY = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '', AWS_SESSION_TOKEN: '' };

const id = (number: number) => number.toString(16).padStart(32, '0');

/** A store with a run for each of these; the files of a run are by path. */
async function writeStore(
  name: string,
  runs: readonly Readonly<Record<string, string | Buffer>>[],
  root?: string,
) {
  const experiment = join(dir, name, '1');
  await mkdir(experiment, { recursive: true });
  await writeFile(
    join(experiment, 'meta.yaml'),
    `artifact_location: ''\nexperiment_id: '1'\nlifecycle_stage: active\nname: ${name}\n`,
  );
  for (const [number, files] of runs.entries()) {
    const run = join(experiment, id(number));
    for (const part of ['metrics', 'params', 'tags', 'artifacts'])
      await mkdir(join(run, part), { recursive: true });
    await writeFile(
      join(run, 'meta.yaml'),
      `artifact_uri: '${root === undefined ? '' : `${root}/1/${id(number)}/artifacts`}'\nend_time: 1700000009000\nexperiment_id: '1'\nlifecycle_stage: active\nrun_id: ${id(number)}\nrun_name: run ${number}\nstart_time: ${1_700_000_000_000 + number}\nstatus: 3\ntags: []\nuser_id: tester\n`,
    );
    for (const [path, content] of Object.entries(files)) {
      const file = join(run, 'artifacts', path);
      await mkdir(join(file, '..'), { recursive: true });
      await writeFile(file, content);
    }
  }
  return join(dir, name);
}

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');

/** Path below its run → sha256, of all files of a bucket, as boto3 sees them. */
async function stored(bucket: string, prefix = ''): Promise<Record<string, string>> {
  const objects = await (await moto()).objects(bucket, prefix);
  return Object.fromEntries(
    objects.map(({ key, sha256: hash }) => [key.replace(/^.*?\/artifacts\//, ''), hash]),
  );
}

const runPage = z.object({
  runs: z.array(z.object({ info: z.object({ run_id: z.string(), artifact_uri: z.string() }) })),
});

/** The runs of the experiment of this name, as its server tells them. */
async function runsOf(server: string, name: string) {
  const found = await fetch(`${server}/api/2.0/mlflow/experiments/get-by-name?experiment_name=${name}`);
  const { experiment } = z
    .object({ experiment: z.object({ experiment_id: z.string() }) })
    .parse(await found.json());
  const answer = await fetch(`${server}/api/2.0/mlflow/runs/search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ experiment_ids: [experiment.experiment_id], max_results: 100 }),
  });
  return runPage.parse(await answer.json()).runs.map(({ info }) => info);
}

/** What a URI of a bucket has behind the bucket. */
const keyOf = (uri = '') => uri.replace(/^s3:\/\/[^/]+\//, '');

const FILES: Readonly<Record<string, string | Buffer>> = {
  'notes.txt': 'notes',
  'empty.bin': '',
  'model/MLmodel': 'flavors: {}\n',
  'sub dir/ü/名前+&=;.txt': 'odd',
  'plus+sign 100%.txt': 'odd',
  '😀.txt': 'beyond the plane',
  '\ufb01.txt': 'sorted otherwise by its bytes',
  'parts.bin': Buffer.alloc(2 * PART + 5, 'parts'),
  'part.bin': Buffer.alloc(PART, 'part'),
};
/** What only a store itself keeps under its name. */
const DIRECT_ONLY = { '%41.txt': 'percent', 'a#b/c#d.txt': 'hash', 'q?x': 'question' };

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-object-stores-'));
  ({ environment } = await moto());
  for (const root of ['s3://first/root', 's3://second/deep/er'])
    servers.push(await startServer({ root, environment }));
});
afterAll(async () => {
  for (const server of servers) await server.stop();
  await rm(dir, { recursive: true, force: true });
});

describe('files in S3', () => {
  it('arrive from a directory, go on to another bucket and to an archive and back, byte for byte', async () => {
    const store = await writeStore('odd', [{ ...FILES, ...DIRECT_ONLY }, { 'one.txt': '1' }]);
    const expected = Object.fromEntries(
      Object.entries({ ...FILES, ...DIRECT_ONLY, 'one.txt': '1' }).map(([path, content]) => [
        path,
        sha256(content),
      ]),
    );
    const count = Object.keys(expected).length;
    const plan = await copyReport(['copy', store, url(FIRST), '--dry-run'], { environment });
    expect(plan).toMatchObject({
      exit_status: 0,
      sent: { artifacts: count },
      artifact_ways: [{ side: 'to', store: 's3://first', way: 'direct' }],
    });
    expect(await stored('first')).toEqual({});

    const sent = await copyReport(['copy', store, url(FIRST)], { environment });
    expect(sent).toMatchObject({ exit_status: 0, losses: [], failures: [], sent: { artifacts: count } });
    expect(await stored('first')).toEqual(expected);

    const moved = await copyReport(['copy', url(FIRST), url(SECOND), '--verify'], { environment });
    expect(moved).toMatchObject({ exit_status: 0, losses: [], sent: { artifacts: count } });
    expect(await stored('second')).toEqual(expected);
    const again = await copyReport(['copy', url(FIRST), url(SECOND)], { environment });
    expect(again).toMatchObject({ exit_status: 0, runs: { unchanged: 2 }, sent: { artifacts: 0 } });

    const archive = join(dir, 'odd.tar');
    expect(await copyReport(['backup', url(SECOND), archive], { environment })).toMatchObject({
      exit_status: 0,
    });
    const restore = ['restore', archive, url(FIRST), '--rename', 'odd=restored', '--verify'];
    expect(await copyReport(restore, { environment })).toMatchObject({ exit_status: 0, losses: [] });
    const keys = (await runsOf(url(FIRST), 'restored')).map(({ artifact_uri }) => keyOf(artifact_uri));
    const restored = await Promise.all(keys.map((key) => stored('first', key)));
    expect(Object.assign({}, ...restored)).toEqual(expected);
    expect((await runMlferry(['verify', store, url(FIRST)], { environment })).status).toBe(0);
  });

  it('go to a server that serves its files, and from there into a bucket', async () => {
    const store = await writeStore('served', [FILES]);
    const { url: served } = await proxied();
    await copyReport(['copy', store, url(FIRST)], { environment });
    const from = ['copy', url(FIRST), served, '-e', 'served', '--verify'];
    expect(await copyReport(from, { environment })).toMatchObject({ exit_status: 0, losses: [] });
    const to = ['copy', served, url(SECOND), '-e', 'served', '--rename', 'served=back', '--verify'];
    expect(await copyReport(to, { environment })).toMatchObject({ exit_status: 0, losses: [] });
    const [run] = await runsOf(url(SECOND), 'back');
    const expected = Object.entries(FILES).map(([path, content]) => [path, sha256(content)]);
    expect(await stored('second', keyOf(run?.artifact_uri))).toEqual(Object.fromEntries(expected));
  });

  it('go from one bucket to another without a byte through this machine, where one store has both', async () => {
    const files = { ...FILES, ...DIRECT_ONLY };
    await copyReport(['copy', await writeStore('within', [files]), url(FIRST)], { environment });
    const proxy = await startFaultProxy((await moto()).url);
    try {
      const through = { environment: { ...environment, MLFLOW_S3_ENDPOINT_URL: proxy.url } };
      const report = await copyReport(['copy', url(FIRST), url(SECOND), '-e', 'within'], through);
      const bytes = Object.values(files).reduce((sum, content) => sum + Buffer.byteLength(content), 0);
      const count = Object.keys(files).length;
      expect(report).toMatchObject({
        exit_status: 0,
        losses: [],
        sent: { artifacts: count, artifact_bytes: bytes },
      });
      // The file of a model, in which ids may change, is the only one that comes here.
      const read = proxy.requests.filter(({ path }) => path.includes('x-id=GetObject'));
      expect(read.map(({ route }) => route.replace(/^.*artifacts/, ''))).toEqual(['/model/MLmodel']);
      const sent = proxy.requests.reduce((sum, { body }) => sum + body.length, 0);
      expect(sent).toBe('flavors: {}\n'.length);
    } finally {
      await proxy.close();
    }
    const [run] = await runsOf(url(SECOND), 'within');
    const expected = Object.entries(files).map(([path, content]) => [path, sha256(content)]);
    expect(await stored('second', keyOf(run?.artifact_uri))).toEqual(Object.fromEntries(expected));
  });

  it('are compared by content where a run is looked at again, and only what differs is sent', async () => {
    const store = await writeStore('again', [
      { 'same.txt': 'same', 'other.txt': 'one', 'parts.bin': Buffer.alloc(PART + 1) },
    ]);
    await copyReport(['copy', store, url(FIRST)], { environment });
    const [run] = await runsOf(url(FIRST), 'again');
    const key = keyOf(run?.artifact_uri);
    await (await moto()).run('put', 'first', `${key}/other.txt`, 'two');
    const verified = await runMlferry(['verify', store, url(FIRST)], { environment });
    expect(verified.status).toBe(4);
    expect(verified.stdout).toContain('other.txt');
    await writeFile(join(store, '1', id(0), 'tags', 'more'), 'changed');
    const report = await copyReport(['copy', store, url(FIRST)], { environment });
    expect(report).toMatchObject({ exit_status: 0, sent: { artifacts: 1, artifact_bytes: 3 } });
    expect((await stored('first', key))['other.txt']).toBe(sha256('one'));
  });

  it('are read from databases and directories that name them', async () => {
    const database = `sqlite:///${join(servers[FIRST]?.directory ?? '', 'mlflow.db')}`;
    const archive = join(dir, 'database.tar');
    const report = await copyReport(['backup', database, archive, '-e', 'odd'], { environment });
    expect(report).toMatchObject({ exit_status: 0, losses: [], sent: { artifacts: 13 } });
    expect((await runMlferry(['verify', database, url(FIRST), '-e', 'odd'], { environment })).status).toBe(0);

    const store = await writeStore('named', [{}], 's3://first/elsewhere');
    await (await moto()).run('put', 'first', `elsewhere/1/${id(0)}/artifacts/sub/by hand.txt`, 'by hand');
    const exported = join(dir, 'named.tar');
    const taken = await copyReport(['backup', store, exported, '--verify'], { environment });
    expect(taken).toMatchObject({ exit_status: 0, losses: [], sent: { artifacts: 1, artifact_bytes: 7 } });
    const nobody = { environment: { ...environment, ...NOBODY } };
    expect(await copyReport(['backup', store, join(dir, 'nobody-named.tar')], nobody)).toMatchObject({
      exit_status: 3,
      losses: [{ code: 'ARTIFACTS_UNREACHABLE' }],
      artifact_ways: [{ side: 'from', way: 'indirect', reason: expect.stringContaining('credentials') }],
    });
  });

  it('of models and their versions go along', async () => {
    const from = { url: url(FIRST), version: '3.17.2', environment } as const;
    await logModels(from);
    await registerModels(from);
    const report = await copyReport(['copy', url(FIRST), url(SECOND)], { environment });
    expect(report.losses.filter(({ code }) => code.startsWith('ARTIFACT'))).toEqual([]);
    expect(report.failures).toEqual([]);
    // Their ids change in the one file of a model that has ids in it.
    const seen = async (bucket: string) =>
      (await (await moto()).objects(bucket))
        .filter(({ key }) => key.includes('/models/') && !key.endsWith('/MLmodel'))
        .map(({ key, sha256: hash }) => `${hash} ${key.replace(/^.*?\/artifacts\//, '')}`)
        .toSorted();
    const files = await seen('second');
    expect(files.length).toBeGreaterThan(10);
    expect(files).toEqual(await seen('first'));
  });

  it('are listed and brought one by one: of runs, logged models and versions, from a server and from its database', async () => {
    const database = `sqlite:///${join(servers[FIRST]?.directory ?? '', 'mlflow.db')}`;
    const run = (await runsOf(url(FIRST), 'odd')).at(-1);
    const all = { ...FILES, ...DIRECT_ONLY };
    for (const [name, place] of Object.entries({ server: url(FIRST), database })) {
      const directory = join(dir, `brought-${name}`);
      const get = ['artifacts', 'get', place, run?.run_id ?? '', '-o', directory, '--json'];
      const { status, stdout, stderr } = await runMlferry(get, { environment });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(JSON.parse(stdout).artifacts).toHaveLength(Object.keys(all).length);
      for (const [path, content] of Object.entries(all))
        expect(sha256(await readFile(join(directory, path)))).toBe(sha256(content));

      const cat = (...words: string[]) => runMlferry(['artifacts', 'cat', place, ...words], { environment });
      const latest = await cat('models:/second/latest', 'MLmodel');
      expect(latest).toMatchObject({ status: 0, stderr: '' });
      const model_id = /^model_id: (m-\w+)/m.exec(latest.stdout)?.[1] ?? '';
      expect((await cat(model_id, 'MLmodel')).stdout).toBe(latest.stdout);
      expect((await cat(`models:/${model_id}`, 'MLmodel')).stdout).toBe(latest.stdout);
    }
    // Another store of this name, or none: the server is the way.
    const nobody = { environment: { ...environment, ...NOBODY } };
    const ls = ['artifacts', 'ls', url(FIRST), run?.run_id ?? '', 'sub dir', '--recursive', '--json'];
    const listed = await runMlferry(ls, nobody);
    expect(JSON.parse(listed.stdout)).toMatchObject({
      artifacts: [{ path: 'sub dir/ü/名前+&=;.txt', type: 'file', size: 3 }],
      exit_status: 0,
    });
    const unreachable = await runMlferry(['artifacts', 'ls', database, run?.run_id ?? '', '--json'], nobody);
    expect(unreachable.status).toBe(3);
    expect(JSON.parse(unreachable.stdout)).toMatchObject({
      artifacts: [],
      losses: [{ code: 'ARTIFACTS_UNREACHABLE' }],
    });
  });

  it(`are listed in pages: ${MANY} in one directory`, async () => {
    const store = await writeStore('many', [{ 'first.txt': '1' }]);
    await copyReport(['copy', store, url(FIRST)], { environment });
    const [run] = await runsOf(url(FIRST), 'many');
    await (await moto()).run('fill', 'first', `${keyOf(run?.artifact_uri)}/many/`, String(MANY));
    const report = await copyReport(['copy', url(FIRST), url(SECOND), '-e', 'many', '--dry-run'], {
      environment,
    });
    expect(report).toMatchObject({ exit_status: 0, sent: { artifacts: MANY + 1 } });
  });
});

describe('a large file', () => {
  it('goes in parts in little memory, is killed on its way, and goes on at the part', async () => {
    const size = 120 * MIB;
    const store = await writeStore('large', [{}]);
    const hash = await writeLargeFile(join(store, '1', id(0), 'artifacts', 'large.bin'), size, 'random');
    const proxy = await startWatchedProxy((await moto()).url);
    try {
      const through = { ...environment, MLFLOW_S3_ENDPOINT_URL: proxy.url };
      const parts = () => proxy.requests.filter(({ path }) => /[?&]partNumber=/.test(path)).length;
      const command = ['copy', store, url(FIRST)];
      const first = startMlferry(command, through);
      const killed = new Promise<void>((resolve) => {
        proxy.watch((_, moment) => {
          if (moment === 'after' && parts() >= 6 && first.process.kill('SIGKILL')) resolve();
        });
      });
      await killed;
      await first.ended;
      expect(await (await moto()).run('uploads', 'first')).toContain('large.bin');
      proxy.reset();

      const peak = join(dir, 'peak');
      const report = await copyReport(command, {
        environment: {
          ...through,
          NODE_OPTIONS: `--import=${new URL('./memory-peak.ts', import.meta.url).href}`,
          PEAK_MEMORY_FILE: peak,
        },
      });
      expect(report).toMatchObject({ exit_status: 0, sent: { artifacts: 1 } });
      // Of 15 parts at least 4 had arrived.
      expect(parts()).toBeLessThanOrEqual(11);
      expect(Number(await readFile(peak, 'utf8'))).toBeLessThan(256e6);
      const [run] = await runsOf(url(FIRST), 'large');
      expect(await stored('first', keyOf(run?.artifact_uri))).toEqual({ 'large.bin': hash });
      expect(await (await moto()).run('uploads', 'first')).toBe('[]\n');
    } finally {
      await proxy.close();
    }
  });

  it('that breaks off on its way here is taken up where it broke', async () => {
    const store = await writeStore('broken', [{ 'parts.bin': Buffer.alloc(3 * MIB, 'abc') }]);
    await copyReport(['copy', store, url(FIRST)], { environment });
    const proxy = await startFaultProxy((await moto()).url);
    try {
      proxy.play([{ route: 'parts.bin', action: { do: 'half body', reply: 'cut' } }]);
      const through = { ...environment, MLFLOW_S3_ENDPOINT_URL: proxy.url };
      const archive = join(dir, 'broken.tar');
      const report = await copyReport(['backup', url(FIRST), archive, '-e', 'broken'], {
        environment: through,
      });
      expect(report).toMatchObject({ exit_status: 0, sent: { artifact_bytes: 3 * MIB } });
      expect(proxy.requests.filter(({ route }) => route.includes('parts.bin'))).toHaveLength(2);
      const verified = await runMlferry(['verify', url(FIRST), archive, '-e', 'broken'], { environment });
      expect(verified.status).toBe(0);
    } finally {
      await proxy.close();
    }
  });
});

describe('without credentials', () => {
  it('the server reads the files, and takes those that it can: a dry run tells which', async () => {
    const store = await writeStore('nobody', [
      {
        'small.txt': 'small',
        'sub/deep.txt': 'deep',
        'empty.txt': '',
        'large.bin': Buffer.alloc(10 * MIB + 1),
      },
    ]);
    const nobody = { environment: { ...environment, ...NOBODY } };
    const lost = {
      exit_status: 3,
      sent: { artifacts: 2 },
      loss_counts: { ARTIFACTS_UNREACHABLE: 2 },
      losses: [{ detail: expect.stringContaining('empty.txt, large.bin') }],
      artifact_ways: [{ side: 'to', store: 's3://second', way: 'indirect' }],
    };
    expect(await copyReport(['copy', store, url(SECOND), '--dry-run'], nobody)).toMatchObject(lost);
    expect(await copyReport(['copy', store, url(SECOND)], nobody)).toMatchObject(lost);
    const [run] = await runsOf(url(SECOND), 'nobody');
    expect(await stored('second', keyOf(run?.artifact_uri))).toEqual({
      'small.txt': sha256('small'),
      'sub/deep.txt': sha256('deep'),
    });
    expect((await runMlferry(['verify', store, url(SECOND)], nobody)).status).toBe(3);
    const archive = join(dir, 'nobody.tar');
    expect(await copyReport(['backup', url(SECOND), archive, '-e', 'nobody'], nobody)).toMatchObject({
      exit_status: 0,
      sent: { artifacts: 2 },
      artifact_ways: [{ side: 'from', store: 's3://second', way: 'indirect' }],
    });
  });

  it('of a bucket of the same name in another store, the server has the last word', async () => {
    const store = await writeStore('twins', [{ 'a.txt': 'a' }]);
    const other = sharedOther;
    const elsewhere = { environment: (await other()).environment };
    expect(await copyReport(['copy', store, url(SECOND)], elsewhere)).toMatchObject({
      exit_status: 0,
      sent: { artifacts: 1 },
    });
    expect(await (await other()).objects('second')).toEqual([]);
    const archive = join(dir, 'twins.tar');
    expect(await copyReport(['backup', url(SECOND), archive, '-e', 'twins'], elsewhere)).toMatchObject({
      exit_status: 0,
      sent: { artifacts: 1 },
    });
  });

  it('of a side, those of that side count', async () => {
    const store = await writeStore('side', [{ 'a.txt': 'a' }]);
    const ofTarget = Object.fromEntries(
      Object.entries({ ...environment }).map(([name, value]) => [`MLFERRY_TO_${name}`, value]),
    );
    expect(
      await copyReport(['copy', store, url(SECOND)], { environment: { ...ofTarget, ...NOBODY } }),
    ).toMatchObject({
      exit_status: 0,
      artifact_ways: [{ side: 'to', way: 'direct' }],
    });
  });
});

const sharedOther = sharedMoto('second');
