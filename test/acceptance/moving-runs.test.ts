import { existsSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runKilled } from '../faults/kill.ts';
import { startFaultProxy } from '../faults/proxy.ts';
import { makeSmallWorkspace } from '../faults/small-workspace.ts';
import { workspace } from '../manage/workspace.ts';
import { differences } from '../servers/compare-snapshots.ts';
import {
  logModels,
  logTraces,
  registerModels,
  takeSnapshot,
  viewModels,
  viewRegistry,
  viewTraces,
} from '../servers/mlflow-client.ts';
import { sharedServer } from '../servers/shared-server.ts';
import type { Snapshot } from '../servers/snapshot.ts';
import { NEWEST_MLFLOW } from '../servers/versions.ts';
import { runMlferry } from './run-mlferry.ts';

const SAMPLES = fileURLToPath(new URL('../../samples/mlruns', import.meta.url));
const PRELOAD = new URL('kill-at-change.ts', import.meta.url).href;
const LONG = process.env.MLFERRY_TEST_LONG === '1';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-moving-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const reportSchema = z.looseObject({
  total: z.int(),
  changed: z.int(),
  unchanged: z.int(),
  failed: z.int(),
  descendants: z.int(),
  undo_file: z.string().optional(),
  failures: z.array(z.looseObject({ code: z.string(), message: z.string() })),
  exit_status: z.int(),
});

async function runs(...args: string[]) {
  const { status, stdout, stderr } = await runMlferry(['runs', ...args, '--yes', '--json'], {
    environment: { XDG_STATE_HOME: join(directory, 'state') },
  });
  expect(stderr).not.toContain('error ');
  const report = reportSchema.parse(JSON.parse(stdout));
  expect(report.exit_status).toBe(status);
  return report;
}

describe('an mlruns directory', () => {
  it('gives runs to another experiment with their models, traces and registered versions; MLflow’s own client reads all', async () => {
    const url = join(directory, 'mlruns');
    const store = { url, version: NEWEST_MLFLOW };
    await logModels(store);
    await registerModels(store);
    await logTraces(store);
    const look = async () => ({
      models: await viewModels(store),
      registry: await viewRegistry(store),
      traces: new Map((await viewTraces(store)).traces.map((trace) => [trace.trace_id, trace])),
    });
    const before = await look();
    const paths = Object.keys(await contentOf(url));
    const ofRuns = new Set(
      before.models.models.flatMap(({ source_run, name }) => (source_run ? [name] : [])),
    );
    expect(ofRuns.size).toBe(3);

    const moved = await runs('move', url, '--to', 'all in one', '--create', '-e', '*');
    expect(moved).toMatchObject({ failed: 0, exit_status: 0, changed: moved.total });
    expect(moved.total).toBeGreaterThan(2);
    const after = await look();
    const there = <T extends object>(item: T) => ({ ...item, experiment: 'all in one' });
    expect(after.models).toEqual({
      ...before.models,
      models: before.models.models.map((model) => (ofRuns.has(model.name) ? there(model) : model)),
    });
    expect(after.registry).toEqual(before.registry);
    const isOfRun = (trace: object) => JSON.stringify(trace).includes('"mlflow.sourceRun"');
    const traces = [...before.traces].map(
      ([id, trace]) => [id, isOfRun(trace) ? there(trace) : trace] as const,
    );
    expect(after.traces).toEqual(new Map(traces));
    expect([...before.traces.values()].filter(isOfRun).length).toBeGreaterThan(0);
    const { stdout } = await runMlferry(['verify', url, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ items: [], exit_status: 0 });
    // Nothing names a directory that is no more.
    const roots = paths.flatMap((path) => /^(.*\/(?:m-)?[0-9a-f]{32})\/meta\.yaml$/.exec(path)?.[1] ?? []);
    const gone = roots.filter((root) => !existsSync(join(url, root)));
    expect(gone.length).toBeGreaterThan(moved.total);
    expect(await filesNaming(url, gone)).toEqual([]);

    await runs('restore', url, '--from-undo', moved.undo_file ?? '');
    const back = Object.keys(await contentOf(url));
    expect(paths.filter((path) => !back.includes(path))).toEqual([]);
  });

  it('refuses what would lose something: another dataset of the same name, a run of the same id', async () => {
    const url = join(directory, 'refused');
    await cp(SAMPLES, url, { recursive: true });
    const [wine, diabetes] = ['138509036289544675', '327069844578935833'];
    const id = 'e4163207d094499682f0ee99731c9452';
    await cp(join(url, wine, id), join(url, diabetes, id), { recursive: true });
    const taken = await runs('move', url, '--to', diabetes, '-e', wine, '--run', id);
    expect(taken).toMatchObject({ changed: 0, exit_status: 3 });
    await rm(join(url, diabetes, id), { recursive: true });
    const [dataset = ''] = await readdir(join(url, wine, 'datasets'));
    const meta = await readFile(join(url, wine, 'datasets', dataset, 'meta.yaml'), 'utf8');
    await cp(join(url, wine, 'datasets', dataset), join(url, diabetes, 'datasets', dataset), {
      recursive: true,
    });
    await writeFile(
      join(url, diabetes, 'datasets', dataset, 'meta.yaml'),
      meta.replace(/^source:.*$/m, 'source: x'),
    );
    const before = await contentOf(url);
    const refused = await runs('move', url, '--to', diabetes, '-e', wine, '--run', id);
    expect(refused).toMatchObject({ changed: 0, failed: 1, failures: [{ code: 'REFUSED' }], exit_status: 3 });
    expect(await contentOf(url)).toEqual(before);
  });

  it('killed at any change of a file, and run again: no run is lost, none is in two experiments', async () => {
    const start = async (name: string) => {
      const url = join(directory, name, 'mlruns');
      await cp(SAMPLES, url, { recursive: true });
      return url;
    };
    const args = (url: string) => [
      'move',
      url,
      '--to',
      'Team A/churn baseline',
      '-e',
      'wine*',
      '-e',
      'diab*',
    ];
    const environment = {
      NODE_OPTIONS: `--import=${PRELOAD}`,
      NODE_NO_WARNINGS: '1',
      XDG_STATE_HOME: join(directory, 'state'),
    };
    const whole = await start('whole');
    const before = await takeSnapshot({ url: whole, version: NEWEST_MLFLOW });
    const counted = join(directory, 'count');
    const unbroken = await runMlferry(['runs', ...args(whole), '--yes'], {
      environment: { ...environment, CHANGE_COUNT_FILE: counted },
    });
    expect(unbroken.status).toBe(0);
    const store = { url: whole, version: NEWEST_MLFLOW };
    const seen = await takeSnapshot(store);
    expect(seen.runs.map(inBoth).sort(byId)).toEqual(before.runs.map(inBoth).sort(byId));
    const changes = Number(await readFile(counted, 'utf8'));
    expect(changes).toBeGreaterThan(60);
    const expected = await contentOf(whole);
    const ids = await runIds(whole);

    const times = LONG ? changes : 6;
    for (let time = 0; time < times; time += 1) {
      const at = Math.floor(((time + 0.5) * changes) / times);
      const url = await start(`killed-${at}`);
      const killed = await runMlferry(['runs', ...args(url), '--yes'], {
        environment: { ...environment, KILL_AT_CHANGE: String(at) },
      });
      expect(killed.status, `killed at ${at}: ${killed.stderr}`).toBeNull();
      expect(await runIds(url), `killed at ${at}`).toEqual(ids);
      expect(await runs(...args(url)), `killed at ${at}`).toMatchObject({ failed: 0, exit_status: 0 });
      expect(await contentOf(url), `killed at ${at}`).toEqual(expected);
    }
  });
});

describe.each(['3.17.2', '2.22.5'] as const)('a server of MLflow %s', (version) => {
  const server = sharedServer({ version });
  let before: Snapshot;
  beforeAll(async () => {
    const { url } = await server();
    await makeSmallWorkspace(url, 300);
    before = await takeSnapshot(await server());
  });

  /** What differs between the runs as they were and those in an experiment, and which others are active. */
  async function compare(name: string) {
    const now = await takeSnapshot(await server());
    const active = before.runs.filter((run) => run.lifecycle_stage === 'active');
    const source = { ...inExperiment(before, 'main'), runs: active };
    const moved = inExperiment(now, name);
    return {
      moved: moved.runs,
      different: differences(source, moved, {
        renamed: () => name,
        tolerate: ({ object }) => object.startsWith('experiment '),
      }),
      active: inExperiment(now, 'main').runs.filter((run) => run.lifecycle_stage === 'active'),
    };
  }

  it('gives runs to another experiment by copies that were compared, and takes it back', async () => {
    const { url } = await server();
    const args = ['move', url, '--to', 'other', '--create', '-e', 'main'];
    const planned = await runs(...args, '--dry-run');
    expect(planned).toMatchObject({ total: 2, changed: 0, target: { name: 'other' } });
    expect((await compare('other')).moved).toEqual([]);
    const moved = await runs(...args);
    expect(moved).toMatchObject({ total: 2, changed: 2, failures: [], exit_status: 0 });
    expect(await compare('other')).toMatchObject({ different: [], active: [], moved: [{}, {}] });
    expect(await runs(...args)).toMatchObject({ total: 0, exit_status: 0 });

    const undone = await runs('restore', url, '--from-undo', moved.undo_file ?? '');
    expect(undone).toMatchObject({ changed: 4, failed: 0 });
    const back = await compare('other');
    expect(back.active.map(({ run_id }) => run_id).sort()).toEqual(activeIn(before));
    expect(back.moved.map(({ lifecycle_stage }) => lifecycle_stage)).toEqual(['deleted', 'deleted']);
    expect(await runs(...args)).toMatchObject({ total: 2, changed: 2, failures: [], exit_status: 0 });
    expect(await compare('other')).toMatchObject({ different: [], active: [], moved: [{}, {}] });
    await runs('restore', url, '--from-undo', moved.undo_file ?? '');
  });

  it('leaves a run where it is that a registered version was made of, and those above it', async () => {
    const { url } = await server();
    const at = workspace(url);
    const [child] = before.runs.filter((run) => run.run_name === 'child');
    const run_id = child?.run_id ?? '';
    await at.call('registered-models/create', { name: 'scorer' });
    await at.call('model-versions/create', { name: 'scorer', source: `runs:/${run_id}/model`, run_id });
    const left = await runs('move', url, '--to', 'refused', '--create', '-e', 'main');
    expect(left).toMatchObject({ total: 0, changed: 0, failed: 2, exit_status: 3 });
    expect(left.failures.map(({ code, message }) => `${code} ${message}`).sort()).toEqual([
      'INCOMPLETE Left as it is, because a run below it failed',
      'REFUSED model version scorer/1 was made of it, and no server lets that name another run',
    ]);
    await fetch(`${url}/api/2.0/mlflow/model-versions/delete`, {
      method: 'DELETE',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'scorer', version: '1' }),
    });
    // A parent that stays is still that of its child.
    const alone = await runs('move', url, '--to', 'alone', '--create', '--run', run_id);
    expect(alone).toMatchObject({ total: 1, changed: 1, failures: [] });
    const [copy] = (await compare('alone')).moved;
    expect(copy?.tags['mlflow.parentRunId']).toBe(child?.tags['mlflow.parentRunId']);
    await runs('restore', url, '--from-undo', alone.undo_file ?? '');
  });

  it('leaves a run whose earlier copy has another value since', async () => {
    const { url } = await server();
    const at = workspace(url);
    const { experiment_id } = z
      .object({ experiment_id: z.string() })
      .parse(await at.call('experiments/create', { name: 'forked' }));
    const { run } = z
      .object({ run: z.object({ info: z.object({ run_id: z.string() }) }) })
      .parse(await at.call('runs/create', { experiment_id, start_time: 1 }));
    const { run_id } = run.info;
    await at.call('runs/update', { run_id, status: 'FINISHED', end_time: 2 });
    const { stdout } = await runMlferry(['copy', url, url, '--run', run_id, '--into', 'fork', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ runs: { created: 1 } });
    const listed = await runMlferry(['runs', 'list', url, '-e', 'fork', '--json']);
    const [copy] = z.array(z.object({ run_id: z.string() })).parse(JSON.parse(listed.stdout));
    await at.call('runs/log-parameter', { run_id, key: 'p', value: '1' });
    await at.call('runs/log-parameter', { run_id: copy?.run_id, key: 'p', value: '2' });
    const moved = await runs('move', url, '--to', 'fork', '--run', run_id);
    expect(moved).toMatchObject({ changed: 0, failures: [{ code: 'MISMATCH' }], exit_status: 3 });
    const still = await runMlferry(['runs', 'list', url, '--run', run_id, '--json']);
    expect(JSON.parse(still.stdout)).toMatchObject([{ run_id, lifecycle_stage: 'active' }]);
  });

  it('tells what copies have other than the runs, and takes up one deleted copy of a run', async () => {
    const { url } = await server();
    const at = workspace(url);
    const created = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
    const experiment = z.object({ experiment_id: z.string() });
    const idOf = async (name: string) =>
      experiment.parse(await at.call('experiments/create', { name })).experiment_id;
    const from = await idOf('long tags');
    const to = await idOf('shorter tags');
    const create = async (experiment_id: string, tags: object[]) => {
      const { run } = created.parse(await at.call('runs/create', { experiment_id, start_time: 1, tags }));
      await at.call('runs/update', { run_id: run.info.run_id, status: 'FINISHED', end_time: 2 });
      return run.info.run_id;
    };
    // A create takes a tag of any length.
    const run_id = await create(from, [{ key: 'long', value: 'x'.repeat(9000) }]);
    const args = ['move', url, '--to', 'shorter tags', '--run', run_id];
    const moved = await runs(...args);
    const losses = [{ code: 'TAG_TOO_LONG', run_id, key: 'long' }];
    expect(moved).toMatchObject({ changed: 1, failures: [], losses, exit_status: 0 });
    const copies = async () => {
      const { stdout } = await runMlferry(['runs', 'list', url, '-e', 'shorter tags', '--json']);
      return z
        .array(z.object({ run_id: z.string(), tags: z.record(z.string(), z.string()) }))
        .parse(JSON.parse(stdout));
    };
    const [copy] = await copies();
    await runs('restore', url, '--from-undo', moved.undo_file ?? '');
    const origin = { key: 'mlferry.origin', value: copy?.tags['mlferry.origin'] };
    for (const tags of [[origin, { key: 'mlferry.twin_of', value: 'x' }], [origin]])
      await at.call('runs/delete', { run_id: await create(to, tags) });
    expect(await runs(...args)).toMatchObject({ changed: 1, failures: [], losses, exit_status: 0 });
    expect((await copies()).map((run) => run.run_id)).toEqual([copy?.run_id]);
  });

  // The steps are the same on all servers.
  if (LONG || version === NEWEST_MLFLOW)
    it('killed again and again, loses nothing and doubles nothing', async () => {
      const proxy = await startFaultProxy((await server()).url);
      const environment = { HOME: directory, XDG_STATE_HOME: join(directory, `killed-${version}`) };
      const args = ['runs', 'move', proxy.url, '--to', 'killed', '--create', '-e', 'main', '--yes'];
      const killedAt: string[] = [];
      try {
        for (let number = 8; ; number += LONG ? 1 : 14) {
          const moment = killedAt.length % 2 === 0 ? 'after' : 'before';
          const { at, status, stderr } = await runKilled(args, [proxy], { number, moment }, environment);
          if (at === undefined) {
            expect([status, stderr]).toEqual([0, stderr]);
            break;
          }
          killedAt.push(at);
          const { active, moved } = await compare('killed');
          expect(new Set([...active, ...moved].map(({ run_name }) => run_name)).size, at).toBe(2);
        }
      } finally {
        await proxy.close();
      }
      expect(killedAt.length).toBeGreaterThan(3);
      expect(await compare('killed'), killedAt.join()).toMatchObject({
        different: [],
        active: [],
        moved: [{}, {}],
      });
    });
});

/** The part of a snapshot that is one experiment. */
function inExperiment(snapshot: Snapshot, name: string): Snapshot {
  const experiments = snapshot.experiments.filter((experiment) => experiment.name === name);
  const ids = experiments.map(({ experiment_id }) => experiment_id);
  return { ...snapshot, experiments, runs: snapshot.runs.filter((run) => ids.includes(run.experiment_id)) };
}

const activeIn = ({ runs: all }: Snapshot) =>
  all.flatMap((run) => (run.lifecycle_stage === 'active' ? [run.run_id] : [])).sort();

type SeenRun = Awaited<ReturnType<typeof takeSnapshot>>['runs'][number];

/** What a run has in the one experiment and in the other. */
const inBoth = ({ experiment_id, artifact_uri, ...run }: SeenRun) => run;
const byId = (a: { run_id: string }, b: { run_id: string }) => (a.run_id < b.run_id ? -1 : 1);

/** Every file of a store with its content. */
async function contentOf(root: string): Promise<Record<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const contents = await Promise.all(
    files
      .sort()
      .map(
        async (path): Promise<[string, string]> => [path.slice(root.length), await readFile(path, 'latin1')],
      ),
  );
  return Object.fromEntries(contents);
}

async function filesNaming(root: string, texts: readonly string[]): Promise<string[]> {
  const contents = Object.entries(await contentOf(root));
  return contents.flatMap(([path, content]) => (texts.some((text) => content.includes(text)) ? [path] : []));
}

/** The run directories of a store, each as often as it is there. */
async function runIds(root: string): Promise<string[]> {
  const experiments = (await readdir(root)).filter((name) => /^\d+$/.test(name));
  const names = await Promise.all(experiments.map((name) => readdir(join(root, name))));
  return names
    .flat()
    .filter((name) => /^[0-9a-f]{32}$/.test(name))
    .sort();
}
