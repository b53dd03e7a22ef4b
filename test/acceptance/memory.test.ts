import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sharedServer } from '../servers/shared-server.ts';
import {
  addPoints,
  artifactsDirectory,
  createRun,
  pointsOf,
  sha256Of,
  writeLargeFile,
} from './large-content.ts';
import { writeLongRunStore } from './long-run-store.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

/** Bytes that a mlferry process may have resident at most. */
const MOST_MEMORY = 256_000_000;

/**
 * `MLFERRY_TEST_LONG=1`: a million points go through servers too, which take minutes to tell and to store them, and files
 * have 2 GB, one of bytes that pack well. Otherwise a tenth and a quarter, and one file.
 */
const long = process.env.MLFERRY_TEST_LONG === '1';
const SERVER_POINTS = long ? 1_000_000 : 100_000;
const FILE_SIZE = long ? 2_000_000_000 : 512_000_000;

const sourceServer = sharedServer();
const targetServer = sharedServer();

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-memory-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Variables that have a process tell the most memory it had resident, in bytes, and what it told. */
const measured = () => ({
  NODE_OPTIONS: `--import=${new URL('./memory-peak.ts', import.meta.url).href}`,
  PEAK_MEMORY_FILE: join(directory, 'peak'),
});

async function peakOf(command: string | undefined): Promise<number> {
  const memory = Number(await readFile(measured().PEAK_MEMORY_FILE, 'utf8'));
  console.log(`${command}: at most ${(memory / 1e6).toFixed(0)} MB resident`);
  return memory;
}

/** Runs a copy; its report and its memory. */
async function measuredCopy(...args: string[]) {
  const report = await copyReport([...args, '--temp-dir', directory], { environment: measured() });
  return { report, memory: await peakOf(args[0]) };
}

/** A long series and some shorter ones. */
const sizes = (points: number) => ({
  loss: points * 0.7,
  a: points * 0.1,
  b: points * 0.1,
  c: points * 0.1,
});

test('a run with 1,000,000 points goes from directory to archive to directory in 256 MB', async () => {
  const [store, archive, back] = [
    join(directory, 'mlruns'),
    join(directory, 'a.tar'),
    join(directory, 'back'),
  ];
  await writeLongRunStore(store, sizes(1_000_000), (step) => Math.sin(step) / 3);
  const whole = { exit_status: 0, sent: { points: 1_000_000 }, losses: [] };
  for (const args of [
    ['backup', store, archive],
    ['restore', archive, back],
  ]) {
    const { report, memory } = await measuredCopy(...args);
    expect(report).toMatchObject(whole);
    expect(memory).toBeLessThan(MOST_MEMORY);
  }
  const verify = ['verify', store, back, '--json', '--temp-dir', directory];
  const { stdout, status } = await runMlferry(verify, { environment: measured() });
  expect(JSON.parse(stdout)).toMatchObject({ items: [], checked: { points: 1_000_000 } });
  expect(status).toBe(0);
  expect(await peakOf('verify')).toBeLessThan(MOST_MEMORY);
});

test(`a run with ${SERVER_POINTS} points goes from server to archive to server in 256 MB`, async () => {
  const archive = join(directory, 'backup.tar');
  const experiment = 'points';
  const [source, target] = await Promise.all([sourceServer(), targetServer()]);
  const { run_id } = await createRun(source, experiment);
  addPoints(source, run_id, sizes(SERVER_POINTS));
  const before = pointsOf(source, experiment);
  expect(before.points).toBe(SERVER_POINTS);

  const backup = await measuredCopy('backup', source.url, archive, '-e', experiment);
  expect(backup.report).toMatchObject({ exit_status: 0, sent: { points: SERVER_POINTS }, losses: [] });
  expect(backup.memory).toBeLessThan(MOST_MEMORY);

  const restore = await measuredCopy('restore', archive, target.url);
  expect(restore.report).toMatchObject({ exit_status: 0, sent: { points: SERVER_POINTS }, losses: [] });
  expect(restore.memory).toBeLessThan(MOST_MEMORY);
  expect(pointsOf(target, experiment)).toEqual(before);

  const verify = ['verify', source.url, target.url, '-e', experiment, '--json', '--temp-dir', directory];
  const { stdout, status } = await runMlferry(verify, { environment: measured() });
  expect(JSON.parse(stdout)).toMatchObject({ items: [], checked: { points: SERVER_POINTS }, exit_status: 0 });
  expect(status).toBe(0);
  expect(await peakOf('verify')).toBeLessThan(MOST_MEMORY);
});

test.for(long ? (['random', 'repetitive'] as const) : (['random'] as const))(
  'an artifact of twice 256 MB and more with %s bytes goes through an archive in 256 MB',
  async (kind) => {
    const size = FILE_SIZE;
    const archive = join(directory, 'backup.tar');
    const [source, target] = await Promise.all([sourceServer(), targetServer()]);
    const { experiment_id, run_id } = await createRun(source, kind);
    const file = join(artifactsDirectory(source), experiment_id, run_id, 'artifacts', 'model', `${kind}.bin`);
    const sha256 = await writeLargeFile(file, size, kind);

    const backup = await measuredCopy('backup', source.url, archive, '-e', kind);
    expect(backup.report).toMatchObject({ exit_status: 0, sent: { artifacts: 1, artifact_bytes: size } });
    expect(backup.memory).toBeLessThan(MOST_MEMORY);
    await rm(file);

    const restore = await measuredCopy('restore', archive, target.url);
    expect(restore.report).toMatchObject({ exit_status: 0, sent: { artifacts: 1, artifact_bytes: size } });
    expect(restore.memory).toBeLessThan(MOST_MEMORY);
    const files = await readdir(artifactsDirectory(target), { recursive: true });
    const copied = files.filter((path) => path.endsWith(`/artifacts/model/${kind}.bin`));
    expect(copied).toHaveLength(1);
    expect(await sha256Of(join(artifactsDirectory(target), copied[0] ?? ''))).toBe(sha256);
  },
);
