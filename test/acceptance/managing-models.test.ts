import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Moment, SeenRequest } from '../faults/proxy.ts';
import { registered } from '../manage/registered.ts';
import { cleanEnvironment } from '../servers/clean-environment.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { CLI, runMlferry } from './run-mlferry.ts';
import { startWatchedProxy, type WatchedProxy } from './watched-proxy.ts';

/** `MLFERRY_TEST_LONG=1`: a kill before and after every request, and before every change of a file. */
const long = process.env.MLFERRY_TEST_LONG === '1';
const KILLS = 2;
const PRELOAD = new URL('kill-at-change.ts', import.meta.url).href;

const server = sharedServer();
const onDirectory = sharedServer({ store: 'filestore', artifacts: 'plain' });

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-models-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** A registered model with a gap in its numbers, stages, aliases and tags. */
async function fill(at: ReturnType<typeof registered>, name: string): Promise<void> {
  const tags = { size: 'small', owner: 'me' };
  await at.create(
    name,
    [{ stage: 'Archived', tags }, undefined, undefined, { stage: 'Production', aliases: ['champion'], tags }],
    { team: 'churn' },
  );
}

/** A command as a process of its own; `pid` is gone when it was killed. */
function start(args: readonly string[]) {
  const env = { ...cleanEnvironment(), HOME: '/nonexistent', XDG_STATE_HOME: join(directory, 'state') };
  return spawn(process.execPath, [CLI, ...args, '--yes', '-q'], { env, stdio: 'ignore' });
}

/** Runs a command to its end, or to its death at a request. */
async function run(
  proxy: WatchedProxy,
  args: readonly string[],
  killAt?: { readonly request: number; readonly moment: Moment },
): Promise<readonly SeenRequest[]> {
  proxy.reset();
  const child = start(args);
  const ended = once(child, 'close');
  proxy.watch(async ({ number }, moment) => {
    if (number !== killAt?.request || moment !== killAt.moment) return;
    child.kill('SIGKILL');
    await ended;
  });
  await ended;
  expect(child.exitCode).toBe(killAt === undefined ? 0 : null);
  return proxy.requests;
}

/** Some of so many, spread, or all of them. */
const spread = (count: number) =>
  Array.from({ length: long ? count : KILLS }, (_, index) =>
    long ? index : Math.floor(((index + 0.5) * count) / KILLS),
  );

describe('on a server', () => {
  it('a deletion and its undo that are killed at any request, and run again, are as if they were never killed', async () => {
    const { url } = await server();
    const proxy = await startWatchedProxy(url);
    try {
      const at = registered(url);
      const names = ['killed-a', 'killed-b'];
      for (const name of names) await fill(at, name);
      const look = async () => Promise.all(names.map((name) => at.look(name)));
      const before = await look();
      const undoFile = join(directory, 'undo.ndjson');
      const deletion = ['models', 'delete', proxy.url, '--registered-model', 'killed-*', '--permanently'];
      const undoing = ['models', 'restore', proxy.url, '--from-undo', undoFile];
      const { length: requests } = await run(proxy, [...deletion, '--undo-file', undoFile]);
      expect(await look()).toEqual([undefined, undefined]);
      const { length: toUndo } = await run(proxy, undoing);
      expect(await look()).toEqual(before);
      expect(toUndo).toBeGreaterThan(30);

      for (const [index, request] of spread(toUndo).entries()) {
        await run(proxy, deletion);
        for (const moment of long
          ? (['before', 'after'] as const)
          : ([index % 2 === 0 ? 'after' : 'before'] as const)) {
          await run(proxy, undoing, { request, moment });
          await run(proxy, undoing);
          expect(await look(), `undo killed ${moment} request ${request}`).toEqual(before);
          if (long && moment === 'before') await run(proxy, deletion);
        }
      }
      // From the first deletion on: what a killed one has not deleted, the next one does.
      for (const request of long ? spread(requests) : [requests - 4]) {
        await run(proxy, deletion, { request, moment: 'after' });
        const left = (await look()).some((model) => model !== undefined);
        if (left) await run(proxy, deletion);
        expect(await look(), `deletion killed at request ${request}`).toEqual([undefined, undefined]);
        await run(proxy, undoing);
        expect(await look(), `deletion killed at request ${request}`).toEqual(before);
      }
    } finally {
      await proxy.close();
    }
  });
});

/** The files of a registry with their content, without times of changes and quotes of YAML. */
async function contentOf(root: string): Promise<Record<string, string>> {
  const entries = await readdir(join(root, 'models'), { recursive: true, withFileTypes: true });
  const files = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry): Promise<[string, string]> => {
        const path = join(entry.parentPath, entry.name);
        const text = await readFile(path, 'utf8');
        return [
          path.slice(root.length),
          text.replace(/last_updated_timestamp: \d+/g, 'last_updated').replace(/"(\w+)"/g, '$1'),
        ];
      }),
  );
  return Object.fromEntries(files.sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe('in a directory', () => {
  const COMMANDS: readonly string[][] = [
    ['delete', '--registered-model', 'kept', '--permanently'],
    ['delete', '--registered-model', 'kept/4', '--registered-model', 'kept/1'],
    ['alias', 'set', 'champion', '--registered-model', 'kept/1'],
    ['transition', '--stage', 'Staging', '--registered-model', 'kept'],
    ['tag', 'new=tag', 'size=large', '--registered-model', 'kept/latest', '--registered-model', 'kept'],
  ];

  it.each(long ? COMMANDS : COMMANDS.slice(0, 3))(
    '%s %s %s: killed at any change of a file, undone and run again, it is as it was',
    async (...words) => {
      const { url, directory: home } = await onDirectory();
      const at = registered(url);
      if ((await at.look('kept')) === undefined) await fill(at, 'kept');
      const environment = { NODE_OPTIONS: `--import=${PRELOAD}`, NODE_NO_WARNINGS: '1' };
      const command = words[0] === 'alias' ? ['alias', words[1] ?? ''] : [words[0] ?? ''];
      const root = join(directory, `mlruns-${words.length}-${command.join('-')}`);
      const reset = async () => {
        await rm(root, { recursive: true, force: true });
        await cp(join(home, 'mlruns'), root, { recursive: true });
      };
      await reset();
      const before = await contentOf(root);
      const args = ['models', ...command, root, ...words.slice(command.length), '--yes', '-q'];
      const undoFile = `${root}.ndjson`;
      const counted = join(directory, 'count');
      const whole = await runMlferry([...args, '--undo-file', undoFile], {
        environment: { ...environment, CHANGE_COUNT_FILE: counted },
      });
      expect([whole.status, whole.stderr]).toEqual([0, '']);
      const wanted = await contentOf(root);
      expect(wanted).not.toEqual(before);
      const undoing = ['models', 'restore', root, '--from-undo', undoFile, '--yes', '-q'];
      for (const at of spread(Number(await readFile(counted, 'utf8')))) {
        await reset();
        const kill = { environment: { ...environment, KILL_AT_CHANGE: String(at) } };
        expect((await runMlferry(args, kill)).status, `killed at ${at}`).toBeNull();
        await runMlferry(args);
        expect(await contentOf(root), `killed at ${at}`).toEqual(wanted);
        await runMlferry(undoing, kill);
        expect((await runMlferry(undoing)).status, `undo killed at ${at}`).toBe(0);
        expect(await contentOf(root), `undo killed at ${at}`).toEqual(before);
      }
    },
  );
});
