import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { openWriter } from '../../src/places/open.ts';
import { verify } from '../../src/verify/verify.ts';
import { anyWorkspace } from '../places/arbitraries.ts';
import {
  makeExperiment,
  makeRun,
  testOptions,
  type Workspace,
  writeWorkspace,
} from '../places/memory-workspace.ts';
import { hasPostgresql } from '../servers/postgresql.ts';
import { sharedServer } from '../servers/shared-server.ts';

const selection = { view: 'all' } as const;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-losses-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Writes a workspace to an archive, which keeps everything; its location. */
async function archived(workspace: Workspace, where: string): Promise<string> {
  const archive = join(where, 'source.tar');
  const { options } = testOptions(where);
  await writeWorkspace(workspace, await openWriter(archive, options));
  return archive;
}

/** Copies and verifies: what the copy lost, the verification must expect, and it must find nothing else. */
async function copyAndVerify(archive: string, target: string) {
  const { report } = await copyBetween(archive, target, { selection });
  const verified = await verify(archive, target, { selection });
  return { report, verified };
}

test('whatever a workspace holds, a copy in a directory has its losses and no difference', async () => {
  await fc.assert(
    fc.asyncProperty(anyWorkspace, async (make) => {
      const where = await mkdtemp(join(directory, 'any-'));
      const names = new Set<string>();
      // A store has one experiment of each name, and none of half a character.
      const workspace = (await make()).filter(({ experiment: { name } }) => {
        const taken = names.has(name) || !name.isWellFormed();
        names.add(name);
        return !taken;
      });
      fc.pre(workspace.length > 0);
      const { report, verified } = await copyAndVerify(
        await archived(workspace, where),
        join(where, 'mlruns'),
      );
      expect(report.failures).toEqual([]);
      expect(verified.items).toEqual([]);
      expect([0, 3]).toContain(report.exit_status);
      expect(verified.exit_status).toBe(report.exit_status);
      expect(verified.loss_counts).toEqual(report.loss_counts);
    }),
    { numRuns: process.env.MLFERRY_TEST_LONG === '1' ? 1000 : 60 },
  );
});

const T = 1_700_000_000_000;

/** Everything that a server cannot hold as it is. */
async function beyondLimits(): Promise<Workspace> {
  const base = { experiment_id: '1', start_time: T, tags: { 'mlflow.runName': 'a run' } };
  const run = await makeRun(
    {
      ...base,
      run_id: 'a'.repeat(32),
      run_name: 'n'.repeat(300),
      user_id: 'u'.repeat(300),
      params: { long: 'x'.repeat(7000), 'bad@key': 'v', ok: '1', half: '\ud800' },
      tags: {
        'mlflow.runName': 'another name',
        long: 'ü'.repeat(8100),
        'bad@key': 'v',
        '': 'empty key',
        'mlflow.parentRunId': 'd'.repeat(32),
        'a uri': `runs:/${'e'.repeat(32)}/model`,
      },
      dataset_inputs: [
        {
          dataset: {
            name: 'n'.repeat(600),
            digest: 'd'.repeat(40),
            source_type: 't'.repeat(50),
            source: `runs:/${'e'.repeat(32)}/x`,
            schema: 's'.repeat(1_100_000),
            profile: '',
          },
          tags: { long: 'v'.repeat(600) },
        },
      ],
    },
    [
      ['bad@metric', [[0, T, 1]]],
      [
        'odd',
        [
          [0, T, 'NaN'],
          [0, T, 'NaN'],
          [1, T, 'Infinity'],
          [2, T, -0],
          [3, -1, 1],
          [4, T, 1],
          [4, T, 1],
        ],
      ],
    ],
    [
      ['%41.txt', Buffer.from('percent')],
      ['plain.txt', Buffer.from('plain')],
    ],
  );
  const unset = await makeRun({
    ...base,
    run_id: 'b'.repeat(32),
    run_name: '',
    start_time: null,
    end_time: null,
    tags: {},
  });
  const gone = await makeRun({
    ...base,
    run_id: 'c'.repeat(32),
    lifecycle_stage: 'deleted',
    deleted_time: T,
  });
  const tags = { note: 'n', 'bad@key': 'v', long: 'l'.repeat(21_000), half: '\udfff' };
  const active = makeExperiment({ name: 'beyond limits', tags });
  const deleted = makeExperiment({ experiment_id: '2', name: 'deleted', lifecycle_stage: 'deleted' });
  const within = await makeRun({
    ...base,
    experiment_id: '2',
    run_id: 'd0'.padEnd(32, '0'),
    run_name: 'a run',
  });
  return [
    { experiment: active, runs: [unset, run, gone] },
    { experiment: deleted, runs: [within] },
  ];
}

describe('what a server cannot hold is expected, and nothing else differs', async () => {
  const sqlite = sharedServer();
  const oldest = sharedServer({ version: '2.9.2' });
  const postgresql = sharedServer({ store: 'postgresql' });

  test.each([
    { name: 'SQLite', server: sqlite },
    { name: 'MLflow 2.9', server: oldest },
    ...((await hasPostgresql()) ? [{ name: 'PostgreSQL', server: postgresql }] : []),
  ])('$name', async ({ server }) => {
    const where = await mkdtemp(join(directory, 'server-'));
    const archive = await archived(await beyondLimits(), where);
    const { report, verified } = await copyAndVerify(archive, (await server()).url);
    expect(report.failures).toEqual([]);
    expect(report.loss_counts).toMatchObject({ PARAM_TOO_LONG: 1, INFINITY_CLAMPED: 1, ARTIFACT_NAME: 1 });
    expect(verified.items).toEqual([]);
    expect(verified.loss_counts).toEqual(report.loss_counts);
    expect([0, 3]).toContain(report.exit_status);
    expect(verified.exit_status).toBe(report.exit_status);
  });
});
