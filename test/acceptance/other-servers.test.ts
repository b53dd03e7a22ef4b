import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFakeGitlab } from '../places/server/fake-gitlab.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { startFasttrackml } from '../servers/start-fasttrackml.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';
import { startWatchedProxy, type WatchedProxy } from './watched-proxy.ts';

const SAMPLES = fileURLToPath(new URL('../../samples/mlruns', import.meta.url));

let dir: string;
let server: Awaited<ReturnType<typeof startFasttrackml>>;
let proxy: WatchedProxy;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-other-servers-'));
  server = await startFasttrackml();
  proxy = await startWatchedProxy(server.url);
});
afterAll(async () => {
  await proxy?.close();
  await server?.stop();
  await rm(dir, { recursive: true, force: true });
});

/** How often each route was asked since the last look. */
function asked(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { route } of proxy.requests) counts[route] = (counts[route] ?? 0) + 1;
  proxy.reset();
  return counts;
}

describe('FastTrackML, which has no dataset inputs, no proxied artifacts and a version of its own', () => {
  it('takes runs of every stage with points, files and tags; what it has no room for is told', async () => {
    proxy.reset();
    const report = await copyReport(['copy', SAMPLES, proxy.url, '--view', 'all']);
    expect(report).toMatchObject({
      exit_status: 3,
      failures: [],
      runs: { created: 11 },
      loss_counts: { INPUTS_NOT_HELD: 8, DELETED_TIME: 1 },
    });
    const requests = asked();
    // Known to be missing after the first time.
    expect(requests['POST runs/log-inputs']).toBe(1);
    expect(requests['POST runs/create']).toBe(11);

    const verified = await runMlferry(['verify', SAMPLES, server.url, '--view', 'all', '--json']);
    expect(JSON.parse(verified.stdout)).toMatchObject({
      exit_status: 3,
      items: [],
      runs: { same: 11 },
      loss_counts: { INPUTS_NOT_HELD: 8, DELETED_TIME: 1 },
    });
    const accepted = ['--accept-loss', 'INPUTS_NOT_HELD'];
    expect((await runMlferry(['verify', SAMPLES, server.url, '--view', 'all', ...accepted])).status).toBe(0);

    proxy.reset();
    expect(await copyReport(['copy', SAMPLES, proxy.url, '--view', 'all', ...accepted])).toMatchObject({
      exit_status: 0,
      runs: { created: 0, updated: 0, unchanged: 11 },
      sent: { points: 0, artifacts: 0 },
    });
  });

  it('is backed up and restored, and what it holds is the same everywhere', async () => {
    const archive = join(dir, 'fasttrackml.tar');
    proxy.reset();
    expect(await copyReport(['backup', proxy.url, archive, '--view', 'all'])).toMatchObject({
      exit_status: 0,
      runs: { created: 11 },
      losses: [],
    });
    expect(Object.keys(asked()).filter((route) => !/^(GET .*|POST .*\/search)$/.test(route))).toEqual([]);
    expect((await runMlferry(['verify', server.url, archive, '--view', 'all'])).status).toBe(0);
    const back = join(dir, 'back', 'mlruns');
    expect(await copyReport(['restore', archive, back, '--view', 'all', '--verify'])).toMatchObject({
      exit_status: 0,
      runs: { created: 11 },
    });
  });
});

describe('the number of requests', () => {
  const plain = sharedServer();

  /** Requests of a copy of the samples to a server, of the same again, and of a backup of it; `seen`: how many it has had. */
  async function requestsOf(url: string, seen: () => number) {
    const count = async (...args: string[]) => {
      const before = seen();
      const { failures } = await copyReport([...args, '--view', 'all']);
      expect(failures).toEqual([]);
      return seen() - before;
    };
    return {
      to: await count('copy', SAMPLES, url),
      again: await count('copy', SAMPLES, url),
      from: await count('backup', url, join(dir, `${new URL(url).port}.tar`)),
    };
  }

  async function throughProxy(upstream: string) {
    const own = await startWatchedProxy(upstream);
    try {
      return await requestsOf(own.url, () => own.requests.length);
    } finally {
      await own.close();
    }
  }

  it('is near that of a plain MLflow server with the same runs', async () => {
    const other = await startFasttrackml();
    const { url, fake } = await startFakeGitlab();
    try {
      const mlflow = await throughProxy((await plain()).url);
      const others = [await throughProxy(other.url), await requestsOf(url, () => fake.seen.length)];
      // Figures stand in docs/compatibility.md. A server that cannot be asked for all copies at once is asked by experiment, and what a
      // GitLab cannot hold of a run is looked at again.
      for (const { to, again, from } of others) {
        expect(to, 'to').toBeLessThanOrEqual(mlflow.to);
        expect(from, 'from').toBeLessThanOrEqual(mlflow.from);
        expect(again, 'again').toBeLessThanOrEqual(11 * 3 + mlflow.again);
      }
      expect(mlflow.to).toBeLessThan(100);
      expect(mlflow.again).toBeLessThan(15);
    } finally {
      await other.stop();
    }
  });
});
