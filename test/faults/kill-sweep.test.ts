import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runMlferry } from '../acceptance/run-mlferry.ts';
import { takeSnapshot } from '../servers/mlflow-client.ts';
import { sharedServer } from '../servers/shared-server.ts';
import type { Snapshot } from '../servers/snapshot.ts';
import { differencesOfCopies } from './compare-copies.ts';
import { type KillPoint, runKilled } from './kill.ts';
import { type FaultProxy, startFaultProxy } from './proxy.ts';
import { makeSmallWorkspace } from './small-workspace.ts';

/** `MLFERRY_TEST_LONG=1`: a kill before and after every request; otherwise a spread of them. */
const long = process.env.MLFERRY_TEST_LONG === '1';
const SAMPLE = 8;

/**
 * A command is killed at each of its requests in turn, then run again to its end. Each gets experiments of its own on
 * one target, so that MLflow's own client looks at all of them at once.
 */
describe('a command killed at any request, and run again, leaves each thing once', () => {
  const sourceServer = sharedServer();
  const targetServer = sharedServer();
  let from: FaultProxy;
  let to: FaultProxy;
  let directory: string;
  let environment: Record<string, string>;
  let source: Snapshot;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mlferry-kill-'));
    environment = { HOME: directory, XDG_STATE_HOME: join(directory, 'state') };
    const server = await sourceServer();
    from = await startFaultProxy(server.url);
    to = await startFaultProxy((await targetServer()).url);
    await makeSmallWorkspace(server.url);
    source = await takeSnapshot(server);
  });
  afterAll(async () => {
    await from?.close();
    await to?.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** The points to kill at, of a command that sends so many requests. */
  function pointsOf(requests: number): KillPoint[] {
    const all = Array.from({ length: requests }, (_, number): KillPoint[] => [
      { number, moment: 'before' },
      { number, moment: 'after' },
    ]).flat();
    const step = long ? 1 : all.length / SAMPLE;
    return Array.from(
      { length: Math.min(all.length, long ? all.length : SAMPLE) },
      (_, index) => all[Math.floor((index + 0.5) * step)],
    ).filter((point) => point !== undefined);
  }

  const run = (args: readonly string[], point?: KillPoint) => runKilled(args, [from, to], point, environment);

  async function sweep(kind: string, argsOf: (prefix: string) => string[]): Promise<string[]> {
    const whole = await run(argsOf(`${kind}-whole/`));
    expect(whole).toMatchObject({ status: 0 });
    const prefixes = [`${kind}-whole/`];
    const wrong: string[] = [];
    for (const point of pointsOf(whole.requests)) {
      const prefix = `${kind}-${point.number}-${point.moment}/`;
      prefixes.push(prefix);
      const killed = await run(argsOf(prefix), point);
      if (killed.at !== undefined && killed.status !== null) wrong.push(`${prefix}: it was not killed`);
      const again = await run(argsOf(prefix));
      if (again.status !== 0) wrong.push(`${prefix} ${killed.at}: exit ${again.status} ${again.stderr}`);
    }
    const target = await takeSnapshot(await targetServer());
    return [...wrong, ...differencesOfCopies(source, target, prefixes)];
  }

  const select = ['--view', 'all', '-e', 'main', '-e', 'gone', '--quiet'];

  test('server → server', async () => {
    const wrong = await sweep('copy', (prefix) => [
      'copy',
      from.url,
      to.url,
      ...select,
      '--rename',
      `*=${prefix}*`,
    ]);
    expect(wrong).toEqual([]);
  });

  test('archive → server', async () => {
    const archive = join(directory, 'whole.tar');
    expect(await runMlferry(['backup', from.url, archive, ...select])).toMatchObject({ status: 0 });
    const wrong = await sweep('restore', (prefix) => [
      'restore',
      archive,
      to.url,
      ...select,
      '--rename',
      `*=${prefix}*`,
    ]);
    expect(wrong).toEqual([]);
  });

  test('mlruns → server', async () => {
    const mlruns = join(directory, 'mlruns');
    expect(await runMlferry(['copy', from.url, mlruns, ...select])).toMatchObject({ status: 0 });
    const wrong = await sweep('mlruns', (prefix) => [
      'copy',
      mlruns,
      to.url,
      ...select,
      '--rename',
      `*=${prefix}*`,
    ]);
    expect(wrong).toEqual([]);
  });

  test('server → archive: the same bytes as an unbroken run', async () => {
    const hashOf = async (file: string) =>
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex');
    const unbroken = join(directory, 'unbroken.tar');
    const whole = await run(['backup', from.url, unbroken, ...select]);
    expect(whole).toMatchObject({ status: 0 });
    const expected = await hashOf(unbroken);
    for (const point of pointsOf(whole.requests)) {
      const archive = join(directory, `backup-${point.number}-${point.moment}.tar`);
      const killed = await run(['backup', from.url, archive, ...select], point);
      expect(killed.status).toBeNull();
      await expect(readFile(archive), 'a file of the final name').rejects.toMatchObject({ code: 'ENOENT' });
      expect(await run(['backup', from.url, archive, ...select])).toMatchObject({ status: 0 });
      expect(await hashOf(archive), `killed at ${killed.at}`).toBe(expected);
      await rm(archive);
    }
  });
});
