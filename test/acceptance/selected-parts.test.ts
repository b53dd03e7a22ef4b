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

/** Registers another model under a name that the source has, too. */
async function registerOther({ url }: TestServer) {
  for (const [route, body] of [
    ['registered-models/create', { name: 'second' }],
    ['model-versions/create', { name: 'second', source: 's3://elsewhere/model' }],
  ] as const) {
    const response = await fetch(`${url}/api/2.0/mlflow/${route}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(200);
  }
}
