import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logModels, registerModels, viewRegistry } from '../servers/mlflow-client.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

let directory: string;
let source: TestServer;
let seen: Awaited<ReturnType<typeof viewRegistry>>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-parts-'));
  source = await startServer();
  await logModels(source);
  await registerModels(source);
  seen = await viewRegistry(source);
}, 300_000);
afterAll(async () => {
  await source?.stop();
  await rm(directory, { recursive: true, force: true });
});

const MODELS = 5;
const VERSIONS = 11;

async function verified(from: string, to: string, args: readonly string[] = []) {
  const { stdout } = await runMlferry(['verify', from, to, '--json', ...args]);
  return JSON.parse(stdout);
}

describe('--only and --without', () => {
  it.each(['server', 'mlruns'] as const)('--only registry, by way of: %s', async (way) => {
    await using target = await startServer();
    const only = ['--only', 'registry'];
    const between = way === 'server' ? source.url : join(directory, 'only-mlruns');
    if (way !== 'server') {
      const report = await copyReport(['copy', source.url, between, ...only]);
      expect(report).toMatchObject({ exit_status: 0, failures: [], sent: { points: 0 } });
    }
    const report = await copyReport(['copy', between, target.url, ...only, '--verify']);
    expect(report.failures).toEqual([]);
    expect(report).toMatchObject({
      exit_status: 0,
      sent: { points: 0 },
      objects: {
        registered_models: { read: 3, created: 3 },
        model_versions: { read: VERSIONS, created: VERSIONS },
      },
      verification: { items: [], exit_status: 0 },
    });
    if (way === 'server')
      expect(report.objects).toMatchObject({
        logged_models: { read: 0, created: 0, left_out: MODELS },
        registered_models: { left_out: 1 },
        model_versions: { left_out: 2 },
      });
    // What the versions were made of is there with them, although neither runs nor models brought it.
    const there = await viewRegistry(target);
    const predictions = ({ versions }: typeof seen) =>
      versions.flatMap(({ name, version, predictions: found }) =>
        found.length === 0 ? [] : [[name, version, found]],
      );
    expect(predictions(there).length).toBeGreaterThan(2);
    expect(predictions(there)).toEqual(predictions(seen));
    expect((await verified(between, target.url, only)).items).toEqual([]);
    // Nothing of it counts as complete for a copy of everything.
    if (way !== 'server') return;
    const whole = await copyReport(['copy', source.url, target.url, '--verify']);
    expect(whole.failures).toEqual([]);
    expect(whole).toMatchObject({
      exit_status: 0,
      objects: { logged_models: { created: MODELS }, registered_models: { created: 1, unchanged: 3 } },
      verification: { items: [] },
    });
    expect(whole.sent.points).toBeGreaterThan(0);
  });

  it('--without models leaves no links, and a later copy makes them', async () => {
    await using target = await startServer();
    const without = ['--without', 'models'];
    const plan = await copyReport(['copy', source.url, target.url, ...without, '--dry-run']);
    expect(plan.objects).toMatchObject({ logged_models: { read: 0, left_out: MODELS } });
    const report = await copyReport(['copy', source.url, target.url, ...without, '--verify']);
    expect(report).toMatchObject({
      exit_status: 0,
      failures: [],
      objects: { logged_models: { read: 0, left_out: MODELS }, registered_models: { created: 4 } },
      verification: { items: [], exit_status: 0, objects: { logged_models: { left_out: MODELS } } },
    });
    expect(report.loss_counts).not.toHaveProperty('MODEL_LINKS');
    const again = await copyReport(['copy', source.url, target.url, ...without]);
    expect(again).toMatchObject({ runs: { updated: 0, created: 0 }, sent: { points: 0, artifacts: 0 } });
    const whole = await copyReport(['copy', source.url, target.url, '--verify']);
    expect(whole).toMatchObject({
      exit_status: 0,
      failures: [],
      objects: { logged_models: { created: MODELS } },
      verification: { items: [] },
    });
  });

  it('make archives of a part, which inspect and verify know', async () => {
    const archive = join(directory, 'part.tar');
    const report = await copyReport(['backup', source.url, archive, '--only', 'models', '--only', 'metrics']);
    expect(report).toMatchObject({
      exit_status: 0,
      losses: [],
      objects: { logged_models: { created: MODELS }, registered_models: { read: 0, left_out: 4 } },
    });
    expect(report.sent.points).toBeGreaterThan(0);
    const inspected = JSON.parse((await runMlferry(['inspect', archive, '--json'])).stdout);
    expect(inspected.objects).toEqual({
      logged_models: expect.objectContaining({ count: MODELS }),
    });
    expect((await verified(source.url, archive, ['--only', 'models,metrics'])).exit_status).toBe(0);
    expect((await verified(source.url, archive)).exit_status).toBe(4);
    const { stdout } = await runMlferry(['inspect', source.url, '--without', 'registry']);
    expect(stdout).toMatch(/registered models +1 +3 left out/);
  });

  it('refuse what is no part', async () => {
    const { status, stderr } = await runMlferry(['inspect', source.url, '--only', 'model']);
    expect(status).toBe(2);
    expect(stderr).toContain('Did you mean models?');
  });
});

describe('--rename-model', () => {
  it('has registered models and prompts under other names, with all that names them', async () => {
    await using target = await startServer();
    await registerOther(target);
    const conflict = await copyReport(['copy', source.url, target.url, '--without', 'prompts']);
    expect(conflict.exit_status).toBe(3);
    expect(conflict.failures.map(({ hint }) => hint)).toContainEqual(
      expect.stringContaining('--rename-model "second='),
    );
    const names = ['--rename-model', 'second=third', '--rename-model', 'gree*=team.gree*'];
    const report = await copyReport(['copy', source.url, target.url, ...names, '--verify']);
    expect(report.failures).toEqual([]);
    expect(report).toMatchObject({
      exit_status: 0,
      objects: {
        registered_models: { created: 2, unchanged: 2 },
        model_versions: { created: 3, unchanged: VERSIONS - 1 },
      },
      verification: { items: [], exit_status: 0 },
    });
    const again = await copyReport(['copy', source.url, target.url, ...names]);
    expect(again.objects).toMatchObject({ model_versions: { created: 0, updated: 0 } });
    const there = await viewRegistry(target);
    const renamed = { second: 'third', greeting: 'team.greeting' };
    for (const [name, other] of Object.entries(renamed)) {
      const of = (view: typeof seen, wanted: string) =>
        view.versions
          .filter((version) => version.name === wanted)
          .map((version) => ({ ...version, name: '' }));
      expect(of(there, other).length).toBeGreaterThan(0);
      expect(of(there, other)).toEqual(of(seen, name));
    }
    const archive = join(directory, 'renamed.tar');
    const backup = await copyReport([
      'backup',
      source.url,
      archive,
      '--rename-model',
      'greeting=hello',
      '--verify',
    ]);
    expect(backup).toMatchObject({ exit_status: 0, verification: { items: [] } });
  });

  it.each([
    ['secnd=third', 'Did you mean "second"?'],
    ['second=greeting', 'a name of its own'],
  ])('%s is refused before anything is written', async (rule, hint) => {
    const archive = join(directory, 'refused.tar');
    const { status, stderr } = await runMlferry(['backup', source.url, archive, '--rename-model', rule]);
    expect(status).toBe(2);
    expect(stderr).toContain(hint);
  });
});

describe('--registered-model and --with-model-version', () => {
  it.each([
    ['second', { second: ['1'] }, 1],
    ['first of all@champion', { 'first of all': ['12'] }, 1],
    ['f*/latest', { 'first of all': ['12'] }, 1],
    ['first of all/3', { 'first of all': ['3'] }, 1],
    ['gree*', { greeting: ['1', '2'] }, 0],
  ])('%s brings what it was made of', async (pattern, expected, runs) => {
    const archive = join(directory, 'registered.tar');
    const args = ['--registered-model', pattern];
    const report = await copyReport(['backup', source.url, archive, ...args, '--overwrite', '--verify']);
    expect(report).toMatchObject({
      exit_status: 0,
      losses: [],
      runs: { read: runs },
      verification: { items: [] },
    });
    // The run made two; a third one only names them.
    expect(report.objects?.logged_models?.created ?? 0).toBe(runs * 2);
    const view = await versionsIn(archive);
    expect(view).toEqual(expected);
  });

  it('go to a server from there, and from the server itself', async () => {
    await using target = await startServer();
    const args = ['--registered-model', 'first of all@champion', '--registered-model', 'second'];
    // A value of a model that another run measured stays behind with that run.
    args.push('--accept-loss', 'REFERENCE_MISSING');
    const report = await copyReport(['copy', source.url, target.url, ...args, '--verify']);
    expect(report).toMatchObject({
      exit_status: 0,
      failures: [],
      runs: { created: 1 },
      objects: { registered_models: { created: 2 }, model_versions: { created: 2 } },
      verification: { items: [] },
    });
    const there = await viewRegistry(target);
    expect(numbersOf(there)).toEqual({ 'first of all': [12], second: [1] });
    expect(there.versions[0]?.predictions).toEqual(
      seen.versions.find(({ name, version }) => name === 'first of all' && version === 12)?.predictions,
    );
    const inspected = JSON.parse(
      (await runMlferry(['inspect', source.url, '--with-model-version', '--json'])).stdout,
    );
    expect(inspected.total.runs).toBe(1);
    const { stdout } = await runMlferry(['runs', 'list', source.url, '--with-model-version', '--json']);
    expect(JSON.parse(stdout)).toMatchObject([{ run_name: 'train' }]);
  });

  it.each([
    ['secnd', 'did you mean "second"?'],
    ['second@nobody', '"second" has no such version'],
    ['*@nobody', 'registered models has such a version'],
  ])('%s fits nothing: exit 3, told with what there is', async (pattern, message) => {
    const args = ['inspect', source.url, '--registered-model', pattern];
    const { status, stderr } = await runMlferry(args);
    expect(status).toBe(3);
    expect(stderr).toContain(message);
  });

  it('brings a logged model without a run, and its experiment', async () => {
    const found = JSON.parse(
      (await runMlferry(['export', source.url, '-', '--only', 'models'])).stdout
        .split('\n')
        .find((line) => line.includes('"elsewhere"')) ?? '{}',
    );
    await post(source, 'registered-models/create', { name: 'outside' });
    const version = { name: 'outside', source: `models:/${found.model_id}`, model_id: found.model_id };
    await post(source, 'model-versions/create', version);
    await using target = await startServer();
    const report = await copyReport([
      'copy',
      source.url,
      target.url,
      '--registered-model',
      'outside',
      '--verify',
    ]);
    expect(report).toMatchObject({
      exit_status: 0,
      failures: [],
      experiments: { created: 1 },
      runs: { read: 0 },
      objects: { logged_models: { created: 1 }, model_versions: { created: 1 } },
      verification: { items: [] },
    });
  });
});

const numbersOf = ({ versions }: typeof seen) =>
  Object.fromEntries(
    [...Map.groupBy(versions, ({ name }) => name)].map(([name, all]) => [
      name,
      all.map(({ version }) => version),
    ]),
  );

/** The versions that an archive holds, by name. */
async function versionsIn(archive: string): Promise<Record<string, string[]>> {
  const { stdout } = await runMlferry(['export', archive, '-']);
  const records = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
  const versions = records.filter(({ kind }) => kind === 'model_version');
  return Object.fromEntries(
    [...Map.groupBy(versions, ({ name }) => name)].map(([name, all]) => [
      name,
      all.map(({ version }) => version),
    ]),
  );
}

async function post({ url }: TestServer, route: string, body: object, method = 'POST'): Promise<void> {
  const response = await fetch(`${url}/api/2.0/mlflow/${route}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect([route, response.status]).toEqual([route, 200]);
}

/** Registers another model under a name that the source has, too: what is its first version there was deleted here. */
async function registerOther(server: TestServer) {
  await post(server, 'registered-models/create', { name: 'second' });
  for (const source of ['s3://elsewhere/first', 's3://elsewhere/second'])
    await post(server, 'model-versions/create', { name: 'second', source });
  await post(server, 'model-versions/delete', { name: 'second', version: '1' }, 'DELETE');
}
