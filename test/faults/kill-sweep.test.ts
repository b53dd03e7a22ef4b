import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runMlferry } from '../acceptance/run-mlferry.ts';
import { type MlflowPlace, makeWorkspace, takeSnapshot } from '../servers/mlflow-client.ts';
import { sharedServer } from '../servers/shared-server.ts';
import type { Snapshot } from '../servers/snapshot.ts';
import { differencesOfCopies } from './compare-copies.ts';
import { type KillPoint, runKilled } from './kill.ts';
import { type FaultProxy, startFaultProxy } from './proxy.ts';
import { seeded } from './seeded.ts';
import { makeSmallWorkspace } from './small-workspace.ts';

/** `MLFERRY_TEST_LONG=1`: a kill before and after every request, and 200 random ones; otherwise a few of them. */
const long = process.env.MLFERRY_TEST_LONG === '1';
const SAMPLE = 3;
const KILLS_OF_A_COPY = 3;
const RANDOM_KILLS = long ? 200 : 3;

const KINDS = ['server → server', 'archive → server', 'mlruns → server'] as const;
type Kind = (typeof KINDS)[number];

/** A source and a target server behind proxies, the source also as archive and directory. */
function places(fill: (server: MlflowPlace) => Promise<unknown>) {
  const sourceServer = sharedServer();
  const targetServer = sharedServer();
  let from: FaultProxy;
  let to: FaultProxy;
  let directory: string;
  let environment: Record<string, string>;
  let source: Snapshot;
  const everything = ['--view', 'all', '--quiet'];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mlferry-kill-'));
    environment = { HOME: directory, XDG_STATE_HOME: join(directory, 'state') };
    const server = await sourceServer();
    from = await startFaultProxy(server.url);
    to = await startFaultProxy((await targetServer()).url);
    await fill(server);
    source = await takeSnapshot(server);
    for (const args of [
      ['backup', from.url, join(directory, 'whole.tar')],
      ['copy', from.url, join(directory, 'mlruns')],
    ])
      expect(await runMlferry([...args, ...everything], { environment })).toMatchObject({ status: 0 });
  });
  afterAll(async () => {
    await from?.close();
    await to?.close();
    await rm(directory, { recursive: true, force: true });
  });

  const file = (name: string) => join(directory, name);
  return {
    file,
    hashOf: async (name: string) =>
      createHash('sha256')
        .update(await readFile(file(name)))
        .digest('hex'),
    backup: (name: string) => ['backup', from.url, file(name), ...everything],
    run: (args: readonly string[], point?: KillPoint) => runKilled(args, [from, to], point, environment),
    /** The command that copies everything to experiments of this prefix. */
    command(kind: Kind, prefix: string): string[] {
      const source = {
        'server → server': ['copy', from.url],
        'archive → server': ['restore', join(directory, 'whole.tar')],
        'mlruns → server': ['copy', join(directory, 'mlruns')],
      }[kind];
      return [...source, to.url, ...everything, '--rename', `*=${prefix}*`];
    },
    differences: async (prefixes: readonly string[]) =>
      differencesOfCopies(source, await takeSnapshot(await targetServer()), prefixes),
  };
}

/** The points to kill at, of a command that sends so many requests; `turn`: another command is killed at others. */
function pointsOf(requests: number, turn: number): KillPoint[] {
  const all = Array.from({ length: requests }, (_, number): KillPoint[] => [
    { number, moment: 'before' },
    { number, moment: 'after' },
  ]).flat();
  if (long) return all;
  const spread = Array.from({ length: SAMPLE }, (_, index) => ((index + turn / 4) * all.length) / SAMPLE + 1);
  return spread.map((place) => all[Math.floor(place)]).filter((point) => point !== undefined);
}

/** Each copy gets experiments of its own on one target, so that MLflow's own client looks at all of them at once. */
describe('a command killed at any request, and run again, leaves each thing once', () => {
  const { run, command, backup, hashOf, differences, file } = places(({ url }) => makeSmallWorkspace(url));

  test.for(KINDS)('%s', async (kind) => {
    const name = kind.split(' ')[0];
    const prefixes = [`${name}-whole/`];
    const whole = await run(command(kind, `${name}-whole/`));
    expect(whole).toMatchObject({ status: 0 });
    for (const point of pointsOf(whole.requests, KINDS.indexOf(kind))) {
      const prefix = `${name}-${point.number}-${point.moment}/`;
      prefixes.push(prefix);
      const killed = await run(command(kind, prefix), point);
      // What is sent at once may be a request fewer another time.
      if (killed.at !== undefined) expect(killed.status, killed.at).toBeNull();
      expect(await run(command(kind, prefix)), `killed at ${killed.at}`).toMatchObject({ status: 0 });
    }
    expect(await differences(prefixes)).toEqual([]);
  });

  test('server → archive: the same bytes as an unbroken run', async () => {
    const whole = await run(backup('unbroken.tar'));
    expect(whole).toMatchObject({ status: 0 });
    const expected = await hashOf('unbroken.tar');
    for (const point of pointsOf(whole.requests, KINDS.length)) {
      const archive = `backup-${point.number}-${point.moment}.tar`;
      const killed = await run(backup(archive), point);
      if (killed.at !== undefined) {
        expect(killed.status, killed.at).toBeNull();
        await expect(hashOf(archive), 'a file of the final name').rejects.toMatchObject({ code: 'ENOENT' });
        expect(await run(backup(archive)), `killed at ${killed.at}`).toMatchObject({ status: 0 });
      }
      expect(await hashOf(archive), `killed at ${killed.at}`).toBe(expected);
      await rm(file(archive));
    }
  });
});

describe('a larger copy killed again and again at random requests ends with everything once', () => {
  const { run, command, backup, hashOf, differences, file } = places((server) =>
    makeWorkspace(server, 'small'),
  );
  /** Short ones and long ones; the first requests of each pass only look at the servers. */
  const randomPoint = (random: () => number): KillPoint => ({
    number: 8 + Math.floor(random() ** 2 * 120),
    moment: random() < 0.5 ? 'before' : 'after',
  });

  test.for(long ? KINDS : KINDS.slice(0, 1))('%s', async (kind) => {
    const name = kind.split(' ')[0];
    const random = seeded(KINDS.indexOf(kind) + 1);
    const prefixes: string[] = [];
    for (let kills = 0; kills < RANDOM_KILLS; ) {
      const prefix = `${name}-random-${prefixes.length}/`;
      prefixes.push(prefix);
      for (let pass = 0; pass < KILLS_OF_A_COPY; pass++) {
        const { at, status, stderr } = await run(command(kind, prefix), randomPoint(random));
        expect([null, 0], stderr).toContain(status);
        if (at !== undefined) kills++;
      }
      expect(await run(command(kind, prefix))).toMatchObject({ status: 0 });
    }
    expect(await differences(prefixes)).toEqual([]);
  });

  test('server → archive: the same bytes as an unbroken run', async () => {
    expect(await run(backup('unbroken.tar'))).toMatchObject({ status: 0 });
    const expected = await hashOf('unbroken.tar');
    const random = seeded(KINDS.length + 1);
    for (let kills = 0; kills < RANDOM_KILLS; ) {
      const archive = `backup-${kills}.tar`;
      let status: number | null = null;
      for (let pass = 0; pass < KILLS_OF_A_COPY && status === null; pass++) {
        const killed = await run(backup(archive), randomPoint(random));
        status = killed.status;
        expect([null, 0], killed.stderr).toContain(status);
        if (killed.at !== undefined) kills++;
      }
      if (status === null) expect(await run(backup(archive))).toMatchObject({ status: 0 });
      expect(await hashOf(archive), `after ${kills} kills`).toBe(expected);
      await rm(file(archive));
    }
  });
});
