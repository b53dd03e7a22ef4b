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
import { copyReport, runMlferry } from './run-mlferry.ts';

/** Bytes that a mlferry process may have resident at most. */
const MOST_MEMORY = 256_000_000;

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

test('a run with 1,000,000 points goes through an archive in 256 MB', async () => {
  const archive = join(directory, 'backup.tar');
  const experiment = 'points';
  const [source, target] = await Promise.all([sourceServer(), targetServer()]);
  const { run_id } = await createRun(source, experiment);
  addPoints(source, run_id, { loss: 700_000, a: 100_000, b: 100_000, c: 100_000 });
  const before = pointsOf(source, experiment);
  expect(before.points).toBe(1_000_000);

  const backup = await measuredCopy('backup', source.url, archive, '-e', experiment);
  expect(backup.report).toMatchObject({ exit_status: 0, sent: { points: 1_000_000 }, losses: [] });
  expect(backup.memory).toBeLessThan(MOST_MEMORY);

  const restore = await measuredCopy('restore', archive, target.url);
  expect(restore.report).toMatchObject({ exit_status: 0, sent: { points: 1_000_000 }, losses: [] });
  expect(restore.memory).toBeLessThan(MOST_MEMORY);
  expect(pointsOf(target, experiment)).toEqual(before);

  const verify = ['verify', source.url, target.url, '-e', experiment, '--json', '--temp-dir', directory];
  const { stdout, status } = await runMlferry(verify, { environment: measured() });
  expect(JSON.parse(stdout)).toMatchObject({ items: [], checked: { points: 1_000_000 }, exit_status: 0 });
  expect(status).toBe(0);
  expect(await peakOf('verify')).toBeLessThan(MOST_MEMORY);
});

test.for(['random', 'repetitive'] as const)(
  'a 2 GB artifact with %s bytes goes through an archive in 256 MB',
  async (kind) => {
    const size = 2_000_000_000;
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
