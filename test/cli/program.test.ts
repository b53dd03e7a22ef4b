import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { mlferry as mlferryIn } from './mlferry.ts';

const SAMPLES = 'samples/mlruns';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-cli-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const mlferry = (args: readonly string[], stdin = '') => mlferryIn(args, directory, { stdin });

const report = z.looseObject({
  dry_run: z.boolean(),
  experiments: z.object({ read: z.number(), created: z.number() }),
  runs: z.record(z.string(), z.number()),
  sent: z.object({ points: z.number(), artifacts: z.number(), artifact_bytes: z.number() }),
  losses: z.array(z.looseObject({ code: z.string() })),
  failures: z.array(z.looseObject({ code: z.string(), object: z.string() })),
  exit_status: z.number(),
});

async function copyReport(...args: string[]) {
  const { out, status } = await mlferry([...args, '--json']);
  const parsed = report.parse(JSON.parse(out));
  expect(parsed.exit_status).toBe(status);
  return parsed;
}

/** Name, runs and points of the experiments that have runs. */
const inspected = async (place: string, ...args: string[]) =>
  z
    .looseObject({
      experiments: z.array(z.looseObject({ name: z.string(), runs: z.number(), points: z.number() })),
    })
    .parse(JSON.parse((await mlferry(['inspect', place, '--json', ...args])).out))
    .experiments.filter(({ runs }) => runs > 0)
    .map(({ name, runs, points }) => [name, runs, points]);

describe('copying', () => {
  it('copies a directory, says what it left out, and has nothing to do the second time', async () => {
    const target = join(directory, 'mlruns');
    const first = await copyReport('copy', SAMPLES, target);
    expect(first).toMatchObject({
      exit_status: 0,
      runs: { read: 10, created: 10, left_out: 1 },
      failures: [],
    });
    const again = await mlferry(['copy', SAMPLES, target]);
    expect(again.err).toContain('Nothing to do');
    expect(again.out).toBe('');
    expect(await inspected(target)).toEqual(await inspected(SAMPLES));
  });

  it('plans without writing, and the plan is what the copy then does', async () => {
    const target = join(directory, 'mlruns');
    const plan = await copyReport('copy', SAMPLES, target, '--dry-run', '--view', 'all');
    expect(existsSync(target)).toBe(false);
    const done = await copyReport('copy', SAMPLES, target, '--view', 'all');
    expect(plan.dry_run).toBe(true);
    for (const part of ['experiments', 'runs', 'sent', 'losses'] as const)
      expect(plan[part]).toEqual(done[part]);
  });

  it('renames by glob, and gathers runs with --into', async () => {
    const renamedTarget = join(directory, 'renamed');
    await copyReport('copy', SAMPLES, renamedTarget, '--rename', 'Team A/*=Team B/*', '-e', 'Team*');
    expect((await inspected(renamedTarget)).map(([name]) => name)).toContain('Team B/churn baseline');

    const gathered = join(directory, 'gathered');
    await copyReport('copy', SAMPLES, gathered, '--into', 'rescued');
    expect(await inspected(gathered, '-e', 'rescued')).toEqual([['rescued', 10, 310]]);
  });

  it('writes the id map', async () => {
    const map = join(directory, 'ids.ndjson');
    await copyReport('copy', SAMPLES, join(directory, 'mlruns'), '-e', 'Team*', '--id-map', map);
    const lines = (await readFile(map, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ kind }) => kind)).toEqual(['experiment', 'run']);
  });

  it('leaves metrics and artifacts out, and brings them with a later full copy', async () => {
    const target = join(directory, 'mlruns');
    const bare = await copyReport('copy', SAMPLES, target, '--no-metrics', '--no-artifacts');
    expect(bare.sent).toEqual({ points: 0, artifacts: 0, artifact_bytes: 0 });
    const full = await copyReport('copy', SAMPLES, target);
    expect(full).toMatchObject({
      exit_status: 0,
      runs: { created: 0, updated: 10 },
      sent: { points: 310, artifacts: 16 },
    });
    const bareAgain = await copyReport('copy', SAMPLES, target, '--no-metrics', '--no-artifacts');
    expect(bareAgain.runs.unchanged).toBeGreaterThan(0);
    expect(await inspected(target)).toEqual(await inspected(SAMPLES));
  });

  it('reports a parent that is left behind and mends the link when it comes', async () => {
    const out = (await mlferry(['export', SAMPLES, '-'])).out;
    const runs = out
      .split('\n')
      .filter((line) => line.startsWith('{"kind":"run"'))
      .map((line) =>
        z.object({ run_id: z.string(), tags: z.record(z.string(), z.string()) }).parse(JSON.parse(line)),
      );
    const child = runs.find(({ tags }) => tags['mlflow.parentRunId'] !== undefined);
    if (child === undefined) throw new Error('the samples have no child run');
    const parent = child.tags['mlflow.parentRunId'] ?? '';
    const target = join(directory, 'mlruns');
    const alone = await copyReport('copy', SAMPLES, target, '--run', child.run_id);
    expect(alone.losses.map(({ code }) => code)).toEqual(['PARENT_NOT_COPIED']);
    await copyReport('copy', SAMPLES, target, '--run', child.run_id, '--run', parent);
    const copied = (await mlferry(['export', target, '-'])).out
      .split('\n')
      .filter((line) => line.startsWith('{"kind":"run"'))
      .map((line) =>
        z.object({ run_id: z.string(), tags: z.record(z.string(), z.string()) }).parse(JSON.parse(line)),
      );
    const link = copied.find(({ run_id }) => run_id === child.run_id)?.tags;
    expect(link?.['mlflow.parentRunId']).toBe(parent);
    expect(link).not.toHaveProperty('mlferry.origin_parent');
  });
});

describe('streams in a pipe', () => {
  it('export, edit, import: refused, then accepted with --allow-edited and said so', async () => {
    const exported = await mlferry(['export', SAMPLES, '-', '--accept-loss', 'ARTIFACTS_NOT_CARRIED']);
    expect(exported.status).toBe(0);
    const edited = exported.out.replaceAll('diabetes-elasticnet', 'diabetes');
    const target = join(directory, 'mlruns');
    const refused = await mlferry(['import', '-', target], edited);
    expect(refused.status).toBe(5);
    expect(refused.err).toMatch(/^error EDITED: .*--allow-edited/);
    expect(existsSync(target)).toBe(false);
    const accepted = await mlferry(['import', '-', target, '--allow-edited', '--json'], edited);
    expect(report.parse(JSON.parse(accepted.out)).losses.map(({ code }) => code)).toContain('NOT_VOUCHED');
    expect((await inspected(target)).map(([name]) => name)).toContain('diabetes');
  });

  it('keeps the report off stdout when the stream goes there', async () => {
    const { out, err } = await mlferry(['export', SAMPLES, '-', '--json']);
    expect(out.split('\n')[0]).toContain('"kind":"header"');
    // The bytes of the artifacts stay behind.
    expect(report.parse(JSON.parse(err.trim().split('\n').at(-1) ?? '')).exit_status).toBe(3);
  });
});

describe('the command line itself', () => {
  it.each([
    [['--bogus'], "error USAGE: unknown option '--bogus'. See mlferry --help.\n"],
    [['copy', 'a'], "error USAGE: missing required argument 'to'. See mlferry copy --help.\n"],
    [
      ['copy', 'a', 'b', '--view', 'x'],
      /^error USAGE: .*Allowed choices are active, deleted, all\.+ See mlferry copy --help\.\n$/,
    ],
    [
      ['copy', SAMPLES, 'b', '--rename', 'x'],
      /^error USAGE: --rename "x" is not of the form from=to\. .*\n$/,
    ],
    [['backup', SAMPLES, 'b.txt'], /^error LOCATION: "b.txt" is a filestore, not an archive\. .*\n$/],
    [
      ['copy', SAMPLES, 'x.tar', '--max-requests-per-second', '0'],
      /error USAGE: .*'--max-requests-per-second <number>' argument '0' is invalid. It is not a number above 0/,
    ],
    [['copy', SAMPLES, 'x.tar', '--into', 'y'], /error USAGE: --into cannot be used/],
  ])('%j exits 2 with one line', async (args, line) => {
    const { status, err, out } = await mlferry(args);
    expect({ status, out }).toEqual({ status: 2, out: '' });
    if (typeof line === 'string') expect(err).toBe(line);
    else expect(err).toMatch(line);
  });

  it('warns of credentials in a location and never shows them', async () => {
    const { err } = await mlferry(['copy', SAMPLES, 'http://user:canary@127.0.0.1:1']);
    expect(err).toContain('warning: credentials in http://***@127.0.0.1:1');
    expect(err).not.toContain('canary');
    const database = await mlferry(['copy', 'mysql+pymysql://user:canary@db/mlflow', 'x.tar']);
    expect(database.err).toContain('warning: credentials in mysql+pymysql://***@db/mlflow');
    expect(database.err).not.toContain('canary');
  });

  it('prints schemas, help with examples, and the version', async () => {
    const { out } = await mlferry(['schema', 'run']);
    expect(JSON.parse(out)).toMatchObject({ title: 'mlferry run' });
    expect((await mlferry(['copy', '--help'])).out).toContain('Examples\n  mlferry copy');
    expect((await mlferry(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
