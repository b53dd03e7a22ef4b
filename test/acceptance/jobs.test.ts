import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { SeenRequest } from '../faults/proxy.ts';
import { rest } from '../places/server/rest.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { startMlferry } from './background-mlferry.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';
import { startWatchedProxy, type WatchedProxy } from './watched-proxy.ts';

/** Ten runs in three experiments. */
const SOURCE = fileURLToPath(new URL('../../samples/mlruns', import.meta.url));
const RUNS = 10;
/** `MLFERRY_TEST_LONG=1`: signals at many more requests. */
const long = process.env.MLFERRY_TEST_LONG === '1';

const server = sharedServer();
let proxy: WatchedProxy;
let stateDir: string;
const stateDirs: string[] = [];
let count = 0;

beforeAll(async () => {
  proxy = await startWatchedProxy((await server()).url);
});
afterEach(async () => {
  proxy.reset();
  await Promise.all(stateDirs.splice(0).map((path) => rm(path, { recursive: true })));
});
afterAll(async () => {
  await proxy?.close();
});

/** A copy of the samples into experiments of its own on the target, and what came of it. */
async function newJob() {
  stateDir = await mkdtemp(join(tmpdir(), 'mlferry-jobs-'));
  stateDirs.push(stateDir);
  const prefix = `job ${count++}/`;
  const args = ['copy', SOURCE, proxy.url, '--rename', `*=${prefix}*`, '--state-dir', stateDir];
  return {
    args,
    /** Runs on the target: origin → stages of its copies. */
    async copies(): Promise<Map<string, string[]>> {
      const { call, run } = rest((await server()).url);
      const found = z
        .object({ experiments: z.array(z.object({ experiment_id: z.string(), name: z.string() })) })
        .parse(await call('experiments/search', { max_results: 1000, view_type: 'ALL' }));
      const ids = found.experiments.filter(({ name }) => name.startsWith(prefix));
      const { runs } = z
        .object({ runs: z.array(z.object({ info: z.object({ run_id: z.string() }) })).default([]) })
        .parse(
          await call('runs/search', {
            experiment_ids: ids.map(({ experiment_id }) => experiment_id),
            run_view_type: 'ALL',
          }),
        );
      const stages = new Map<string, string[]>();
      for (const { info } of runs) {
        const { tags, info: own } = await run(info.run_id);
        const origin = tags['mlferry.origin'] ?? '';
        stages.set(origin, [...(stages.get(origin) ?? []), own.lifecycle_stage].sort());
      }
      return stages;
    },
  };
}

const summary = z.object({
  job_id: z.string(),
  state: z.string(),
  exit_status: z.int().optional(),
  runs_done: z.int(),
  holder: z.object({ pid: z.int() }).optional(),
});

async function listJobs(): Promise<Array<z.infer<typeof summary>>> {
  const { stdout } = await runMlferry(['jobs', 'list', '--json', '--state-dir', stateDir]);
  return z.array(summary).parse(JSON.parse(stdout));
}

async function onlyJob(): Promise<z.infer<typeof summary>> {
  const [job, ...more] = await listJobs();
  if (job === undefined || more.length > 0) throw new Error(`not one job: ${more.length}`);
  return job;
}

/** Something that happens once, and can be waited for. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: () => resolve(), opened: promise };
}

const eachOnce = (copies: Map<string, string[]>) => {
  expect([...copies.values()].filter((stages) => stages.join() !== 'active')).toEqual([]);
  expect(copies.size).toBe(RUNS);
};

const isCreate = ({ route }: SeenRequest) => route === 'POST runs/create';

/** Starts a job, and holds its first `runs/create` before the server hears of it. */
async function heldAtFirstCreate(args: readonly string[]) {
  const held = gate();
  const release = gate();
  const done = gate();
  let heldNumber: number | undefined;
  proxy.watch(async (request, moment) => {
    if (isCreate(request) && moment === 'before' && heldNumber === undefined) {
      heldNumber = request.number;
      held.open();
      await release.opened;
    }
    if (request.number === heldNumber && moment === 'after') done.open();
  });
  const child = startMlferry(args);
  await held.opened;
  return {
    child,
    /** The server gets the create now; returns when it has answered. */
    async release() {
      release.open();
      await done.opened;
    },
  };
}

describe('one job, two processes', () => {
  test('the second is refused while the first works, and goes on when it is dead', async () => {
    const { args, copies } = await newJob();
    const { child, release } = await heldAtFirstCreate([...args, '-c', '1']);
    const { pid } = child.process;
    const running = await onlyJob();
    expect(running).toMatchObject({ state: 'running', holder: { pid } });

    const requests = proxy.requests.length;
    const refused = await runMlferry(args);
    expect(refused.status).toBe(8);
    expect(refused.stderr).toMatch(
      `error CONFLICT: Job ${running.job_id} is being worked on by process ${pid} on `,
    );
    expect(proxy.requests.length).toBe(requests);
    const forgotten = await runMlferry(['jobs', 'forget', running.job_id, '--state-dir', stateDir]);
    expect(forgotten.status).toBe(8);

    child.process.kill('SIGKILL');
    await child.ended;
    await release();
    expect(await onlyJob()).toMatchObject({ state: 'unfinished' });
    const again = await runMlferry(args);
    expect(again).toMatchObject({
      status: 0,
      stderr: expect.stringContaining(`Resuming job ${running.job_id} `),
    });
    eachOnce(await copies());
    expect(await onlyJob()).toMatchObject({ state: 'done', exit_status: 0 });
    const gone = await runMlferry(['jobs', 'forget', running.job_id.slice(0, 5), '--state-dir', stateDir]);
    expect(gone.status).toBe(0);
    const list = await runMlferry(['jobs', 'list', '--state-dir', stateDir]);
    expect(list.stdout).toBe('No jobs.\n');
  });

  test('another selection is another job, and a dry run is none', async () => {
    const { args, copies } = await newJob();
    const { child, release } = await heldAtFirstCreate([...args, '-e', 'wine*']);
    expect((await runMlferry([...args, '-e', 'wine*', '--dry-run'])).status).toBe(0);
    expect((await runMlferry([...args, '-e', 'diabetes*', '-e', 'Team*'])).status).toBe(0);
    await release();
    expect(await child.ended).toMatchObject({ status: 0 });
    eachOnce(await copies());
  });
});

describe('a create of a killed process that lands late', () => {
  test('before the next process creates: it is found, and used', async () => {
    const { args, copies } = await newJob();
    const { child, release } = await heldAtFirstCreate([...args, '-c', '1']);
    child.process.kill('SIGKILL');
    await child.ended;
    let first = true;
    const seen = proxy.requests.length;
    proxy.watch(async ({ route, number }, moment) => {
      if (!first || number < seen || moment !== 'after' || route !== 'POST runs/search') return;
      first = false;
      await release();
    });
    const report = await copyReport([...args, '-c', '1']);
    expect(first).toBe(false);
    expect(report).toMatchObject({ exit_status: 0, failures: [], loss_counts: {} });
    eachOnce(await copies());
  });

  test('after the next process created: the empty twin is deleted, and reported', async () => {
    const { args, copies } = await newJob();
    const { child, release } = await heldAtFirstCreate([...args, '-c', '1']);
    child.process.kill('SIGKILL');
    await child.ended;
    let first = true;
    proxy.watch(async (request, moment) => {
      if (!first || moment !== 'after' || !isCreate(request)) return;
      first = false;
      await release();
    });
    const report = await copyReport([...args, '-c', '1']);
    expect(report).toMatchObject({ exit_status: 0, failures: [], loss_counts: { TWIN_DELETED: 1 } });
    const stages = [...(await copies()).values()].map((list) => list.join()).sort();
    expect(stages).toEqual([...Array.from({ length: RUNS - 1 }, () => 'active'), 'active,deleted']);
    const again = await copyReport(args);
    expect(again).toMatchObject({
      exit_status: 0,
      loss_counts: {},
      runs: { unchanged: RUNS },
      sent: { points: 0, artifacts: 0 },
    });
  });
});

describe('a signal', () => {
  /** With `-c 2` files are sent four at a time, all else two: so many requests can be on the wire when the signal comes. */
  const UNDER_WAY = 4;

  test.for([
    ['SIGINT', 130, long ? 40 : 2],
    ['SIGTERM', 143, long ? 10 : 1],
  ] as const)('%s ends the job cleanly wherever it is', async ([signal, status, times]) => {
    const whole = await newJob();
    expect(await copyReport([...whole.args, '-c', '2'])).toMatchObject({ exit_status: 0 });
    const total = proxy.requests.length;
    for (let time = 0; time < times; time++) {
      const { args, copies } = await newJob();
      const at = Math.floor((total * (time + 0.5)) / times);
      proxy.reset();
      let begunAfter = 0;
      let reached = false;
      let signalled = false;
      proxy.watch(async ({ number }, moment) => {
        if (moment !== 'before') return;
        if (signalled) begunAfter++;
        if (number !== at) return;
        reached = true;
        child.process.kill(signal);
        await child.said('Stopping');
        signalled = true;
      });
      const child = startMlferry([...args, '--json', '-c', '2']);
      const ended = await child.ended;
      // A copy may need a request fewer than another one: then its last one never comes.
      if (!reached) {
        expect(at).toBeGreaterThan(total - 5);
        expect(ended).toMatchObject({ status: 0, signal: null });
        continue;
      }
      expect(ended, `signalled at request ${at}`).toMatchObject({ status, signal: null });
      if (ended.stdout === '') {
        expect(ended.stderr, 'before the copy began').toContain('error INTERRUPTED');
        expect(proxy.requests.filter(({ route }) => route.includes('create'))).toEqual([]);
        for (const job of await listJobs())
          expect(job).toMatchObject({ state: 'unfinished', exit_status: 130, runs_done: 0 });
      } else {
        expect(JSON.parse(ended.stdout)).toMatchObject({
          exit_status: status,
          error: { code: 'INTERRUPTED' },
        });
        expect(await onlyJob()).toMatchObject({ state: 'unfinished', exit_status: 130 });
      }
      expect(begunAfter, 'were under way').toBeLessThanOrEqual(UNDER_WAY);
      proxy.reset();
      expect(await copyReport(args)).toMatchObject({ exit_status: 0, failures: [], loss_counts: {} });
      eachOnce(await copies());
    }
  });

  test('ends a job whose server does not answer any more', async () => {
    const { args, copies } = await newJob();
    const { child, release } = await heldAtFirstCreate(args);
    child.process.kill('SIGINT');
    expect(await child.ended).toMatchObject({ status: 130, signal: null });
    expect(await onlyJob()).toMatchObject({ state: 'unfinished', exit_status: 130 });
    await release();
    expect(await copyReport(args)).toMatchObject({ exit_status: 0, failures: [] });
    eachOnce(await copies());
  });

  test('a second one ends it at once', async () => {
    const { args, copies } = await newJob();
    const { child, release } = await heldAtFirstCreate(args);
    child.process.kill('SIGINT');
    await child.said('once more to stop at once');
    child.process.kill('SIGINT');
    expect(await child.ended).toMatchObject({ status: 130, signal: null });
    const job = await onlyJob();
    expect(job.state).toBe('unfinished');
    expect(job.exit_status, 'no last line was written').toBeUndefined();
    await release();
    expect(await copyReport(args)).toMatchObject({ exit_status: 0, failures: [] });
    eachOnce(await copies());
  });
});

test('a dry run and a pipe leave no journal', async () => {
  const { args } = await newJob();
  expect((await runMlferry([...args, '--dry-run'])).status).toBe(0);
  const piped = ['export', SOURCE, '-', '--accept-loss', 'ARTIFACTS_NOT_CARRIED', '--state-dir', stateDir];
  expect((await runMlferry(piped)).status).toBe(0);
  const list = await runMlferry(['jobs', 'list', '--state-dir', stateDir, '--json']);
  expect(JSON.parse(list.stdout)).toEqual([]);
});

test('a job whose target cannot be opened has ended; one whose source cannot was none', async () => {
  await newJob();
  const nobody = 'http://127.0.0.1:1';
  const failed = await runMlferry(['copy', SOURCE, nobody, '--state-dir', stateDir]);
  expect(failed.status).toBe(7);
  expect(await onlyJob()).toMatchObject({ state: 'unfinished', exit_status: 7, runs_done: 0 });
  expect((await runMlferry(['copy', nobody, proxy.url, '--state-dir', stateDir])).status).toBe(7);
  expect(await listJobs()).toHaveLength(1);
});
