import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { workspace } from '../manage/workspace.ts';
import { cleanEnvironment } from '../servers/clean-environment.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { CLI, runMlferry } from './run-mlferry.ts';

/** `MLFERRY_TEST_LONG=1`: the two thousand. */
const long = process.env.MLFERRY_TEST_LONG === '1';
const OLD = long ? 2000 : 100;
/** Of the interrupted commands. */
const MANY = long ? 400 : 120;
const server = sharedServer();

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-managing-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

const reportSchema = z.looseObject({
  total: z.int(),
  changed: z.int(),
  unchanged: z.int(),
  failed: z.int(),
  unknown_times: z.int(),
  undo_file: z.string().optional(),
  exit_status: z.int(),
});

async function manage(...args: string[]) {
  const { status, stdout, stderr } = await runMlferry([...args, '--yes', '--json'], {
    environment: { XDG_STATE_HOME: join(directory, 'state') },
  });
  expect(stderr).not.toContain('error ');
  const report = reportSchema.parse(JSON.parse(stdout));
  expect(report.exit_status).toBe(status);
  return report;
}

/** The stages of the others, and how many of the old runs are active. */
function split(stages: Readonly<Record<string, string>>) {
  const isOld = (name: string) => name.startsWith('old ');
  const entries = Object.entries(stages);
  return {
    others: Object.fromEntries(entries.filter(([name]) => !isOld(name))),
    oldActive: entries.filter(([name, stage]) => isOld(name) && stage === 'active').length,
  };
}

/** Two experiments with this many old runs and some others, of which 20 are deleted. */
async function filled(old: number) {
  const { url } = await server();
  const at = workspace(url);
  const experiments = [await at.createExperiment('bulk'), await at.createExperiment('bulk')];
  const [one = '', two = ''] = experiments;
  const named = (prefix: string, count: number, group: string) =>
    Array.from({ length: count }, (_, index) => ({ name: `${prefix} ${index}`, tags: { group } }));
  await at.createRuns(one, [...named('old a', old / 2, 'old'), ...named('new', 40, 'new')]);
  await at.createRuns(two, [...named('old b', old / 2, 'old'), ...named('kept', 20, "it's")]);
  for (let index = 0; index < 20; index += 1) await at.deleteRun(`new ${index}`);
  const stages = async () => split(await at.stages(...experiments));
  const { others } = await stages();
  expect(Object.values(others).filter((stage) => stage === 'deleted')).toHaveLength(20);
  const selection = experiments.flatMap((id) => ['-e', id]);
  return { url, at, others, stages, selection };
}

describe('runs on a real server', () => {
  it('are deleted by expression, restored by the time of deletion from elsewhere, and by the undo file', async () => {
    const { url, at, others, stages, selection } = await filled(OLD);
    const filter = ['-f', "tags.group = 'old'"];
    const time = Date.now();
    const deleted = await manage('runs', 'delete', url, ...selection, ...filter);
    expect(deleted).toMatchObject({ total: OLD, changed: OLD, failed: 0, exit_status: 0 });
    expect(await stages()).toEqual({ others, oldActive: 0 });

    const restored = await manage('runs', 'restore', url, ...selection, '--deleted-after', String(time));
    expect(restored).toMatchObject({ total: OLD, changed: OLD, failed: 0, unknown_times: 20 });
    expect(await stages()).toEqual({ others, oldActive: OLD });
    expect(await at.tagsOf('old a 7')).not.toHaveProperty('mlferry.deleted_time');

    const again = await manage('runs', 'delete', url, ...selection, ...filter);
    expect(again).toMatchObject({ changed: OLD, failed: 0 });
    const undone = await manage('runs', 'restore', url, '--from-undo', again.undo_file ?? '');
    expect(undone).toMatchObject({ total: OLD, changed: OLD, failed: 0 });
    expect(await stages()).toEqual({ others, oldActive: OLD });
    expect(await manage('runs', 'restore', url, '--from-undo', again.undo_file ?? '')).toMatchObject({
      total: 0,
      unchanged: OLD,
    });
  });

  it.each(['SIGINT', 'SIGKILL'] as const)('%s in the middle, and the same command again', async (signal) => {
    const { url, others, stages, selection } = await filled(MANY);
    const state = join(directory, signal);
    const args = ['runs', 'delete', url, ...selection, '-f', "tags.group = 'old'", '--yes', '--json'];
    const child = spawn(process.execPath, [CLI, ...args], {
      env: { ...cleanEnvironment(), HOME: '/nonexistent', XDG_STATE_HOME: state },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    // Gone on until a part is deleted.
    await expect
      .poll(async () => (await stages()).oldActive, { timeout: 300_000, interval: 20 })
      .toBeLessThan(MANY - 20);
    child.kill(signal);
    const [stdout] = await output;
    const { oldActive: left, ...rest } = await stages();
    expect(rest).toEqual({ others });
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(MANY);
    if (signal === 'SIGINT') {
      expect(child.exitCode).toBe(130);
      expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'INTERRUPTED' }, total: MANY });
    }

    const finished = await manage(...args.slice(0, -2));
    expect(finished).toMatchObject({ changed: finished.total, failed: 0, exit_status: 0 });
    // The server may have been at work on a few when the process ended.
    expect(finished.total).toBeLessThanOrEqual(left);
    expect(await stages()).toEqual({ others, oldActive: 0 });

    // The undo file of the command that was interrupted holds all that it was about to do.
    const undo = join(state, 'mlferry', 'undo');
    const [file = ''] = await readdir(undo);
    expect(await manage('runs', 'restore', url, '--from-undo', join(undo, file))).toMatchObject({
      changed: MANY,
      failed: 0,
    });
    expect(await stages()).toEqual({ others, oldActive: MANY });
  });

  it('refuses to go on without a terminal and without --yes, before it reads anything', async () => {
    const ended = await runMlferry(['runs', 'delete', 'http://127.0.0.1:1', '-e', '*']);
    expect(ended).toMatchObject({ status: 2, stdout: '' });
    expect(ended.stderr).toMatch(/^error USAGE: There is no terminal to ask on\. Add --yes /);
  });
});
