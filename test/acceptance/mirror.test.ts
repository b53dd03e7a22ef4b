import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runKilled } from '../faults/kill.ts';
import { startFaultProxy } from '../faults/proxy.ts';
import { makeSmallWorkspace } from '../faults/small-workspace.ts';
import { workspace } from '../manage/workspace.ts';
import { logModels, registerModels } from '../servers/mlflow-client.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { NEWEST_MLFLOW } from '../servers/versions.ts';
import { runMlferry } from './run-mlferry.ts';

const LONG = process.env.MLFERRY_TEST_LONG === '1';
const DIABETES = '327069844578935833';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-mirror-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const deletion = z.looseObject({
  total: z.int(),
  changed: z.int(),
  failed: z.int(),
  notes: z.array(z.string()),
  failures: z.array(z.looseObject({ code: z.string(), message: z.string() })),
  undo_file: z.string().optional(),
  exit_status: z.int(),
});
const listed = z.array(z.object({ run_id: z.string(), run_name: z.string(), lifecycle_stage: z.string() }));

const environment = () => ({ XDG_STATE_HOME: join(directory, 'state') });
async function mlferry(...args: string[]) {
  const { status, stdout, stderr } = await runMlferry(args, { environment: environment() });
  expect(stderr).not.toContain('error BUG');
  return { status, stdout, stderr };
}
async function mirror(from: string, to: string, ...args: string[]) {
  const { stdout, stderr, status } = await mlferry('copy', from, to, '--mirror', '--yes', '--json', ...args);
  expect(stdout, stderr).not.toBe('');
  const report = z
    .looseObject({ mirror: deletion, runs: z.looseObject({ unchanged: z.int() }) })
    .parse(JSON.parse(stdout));
  return { ...report.mirror, status, report };
}
/** Names of runs of a stage. */
async function names(place: string, stage: string): Promise<string[]> {
  const { stdout } = await mlferry('runs', 'list', place, '--view', stage, '--json');
  return listed
    .parse(JSON.parse(stdout))
    .map(({ run_name }) => run_name)
    .sort();
}

describe.each(['3.17.2', '2.9.2'] as const)('mirroring to a server of MLflow %s', (version) => {
  const source = sharedServer();
  const target = sharedServer({ version });

  it('of another server: what is deleted there, back with it, and again nothing to do', async () => {
    const [{ url: from }, { url: to }] = [await source(), await target()];
    await makeSmallWorkspace(from, 300);
    await mlferry('copy', from, to);
    const before = await names(to, 'active');
    expect(before).toEqual(await names(from, 'active'));
    // Every one is as it was written, whatever its target made of it.
    await mlferry('runs', 'delete', from, '-e', 'main', '--yes');
    const done = await mirror(from, to, '--verify');
    expect(done).toMatchObject({ notes: [], failures: [], failed: 0, status: 0, total: done.changed });
    expect(done.changed).toBe(before.length);
    expect(await names(to, 'active')).toEqual([]);
    expect(await mirror(from, to)).toMatchObject({ total: 0, status: 0 });

    await mlferry('runs', 'restore', to, '--from-undo', done.undo_file ?? '', '--yes');
    expect(await names(to, 'active')).toEqual(before);
    expect(await mirror(from, to)).toMatchObject({ total: before.length, changed: before.length });
    await mlferry('runs', 'restore', from, '-e', 'main', '--yes');
    const back = await mirror(from, to, '--verify');
    expect(back).toMatchObject({ total: 0, status: 0 });
    expect(await names(to, 'active')).toEqual(await names(from, 'active'));
  });

  // The way to the server is the same; what it makes of a deletion is above.
  if (LONG || version === NEWEST_MLFLOW)
    it('killed again and again, deletes each in the end and nothing else', async () => {
      const { url } = await target();
      const store = join(directory, `killed-${version}`);
      await cp('samples/mlruns', store, { recursive: true });
      await mlferry('copy', store, url);
      const others = await names(url, 'active');
      const gone = (await readdir(join(store, DIABETES))).filter(
        (name) => /^[0-9a-f]{32}$/.test(name) && name !== 'f3f49249dc284f90a5aec7978306d03b',
      );
      // "grid search" stays: a source without any run is not believed.
      for (const id of gone) await rm(join(store, DIABETES, id), { recursive: true });
      const proxy = await startFaultProxy(url);
      const args = ['copy', store, proxy.url, '--mirror', '--yes', '-e', 'diabetes*'];
      // The copies of the address behind the proxy are those of the same source.
      const killedAt: string[] = [];
      try {
        for (let number = 12; ; number += LONG ? 1 : 9) {
          const moment = killedAt.length % 2 === 0 ? 'after' : 'before';
          const { at, status, stderr } = await runKilled(args, [proxy], { number, moment }, environment());
          if (at === undefined) {
            expect([status, stderr]).toEqual([0, stderr]);
            break;
          }
          killedAt.push(at);
        }
      } finally {
        await proxy.close();
      }
      expect(killedAt.length).toBeGreaterThan(2);
      const now = await names(url, 'active');
      expect(now.length, killedAt.join()).toBe(others.length - gone.length);
      expect(others).toEqual(expect.arrayContaining(now));
      const verified = await mlferry('verify', store, url, '--mirror', '-e', 'diabetes*');
      expect(verified, verified.stdout).toMatchObject({ status: 0 });
    });
});

describe('mirroring with models', () => {
  const target = sharedServer();

  it('keeps a run that a version was made of, and tells what MLflow deletes for good', async () => {
    const store = join(directory, 'models', 'mlruns');
    await logModels({ url: store, version: NEWEST_MLFLOW });
    await registerModels({ url: store, version: NEWEST_MLFLOW });
    const { url } = await target();
    await mlferry('copy', store, url);
    const before = await names(url, 'active');
    const at = workspace(url);
    for (const experiment of await readdir(store)) {
      if (!/^\d+$/.test(experiment)) continue;
      const own = (await readdir(join(store, experiment))).filter((name) => /^[0-9a-f]{32}$/.test(name));
      for (const id of own.slice(experiment === '0' ? 0 : 1))
        await rm(join(store, experiment, id), { recursive: true });
      await rm(join(store, experiment, 'models'), { recursive: true, force: true });
    }
    const done = await mirror(store, url);
    expect(done).toMatchObject({ failed: 0, exit_status: 0, failures: [] });
    expect(done.notes.filter((note) => note.includes('was made of it')).length).toBeGreaterThan(0);
    expect(done.notes.join('\n')).toMatch(/logged models? that this copy has not seen at the source stay/);
    const after = await names(url, 'active');
    expect(after.length).toBe(before.length - done.changed);
    const { models } = z
      .looseObject({ models: z.array(z.unknown()) })
      .parse(await at.call('logged-models/search', { experiment_ids: await experimentIds(at) }));
    expect(models.length).toBeGreaterThan(0);
  });
});

async function experimentIds({ call }: ReturnType<typeof workspace>): Promise<string[]> {
  return z
    .object({ experiments: z.array(z.object({ experiment_id: z.string() })) })
    .parse(await call('experiments/search', { max_results: 1000 }))
    .experiments.map(({ experiment_id }) => experiment_id);
}
