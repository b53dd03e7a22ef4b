import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isInShard } from '../../src/job/shard.ts';
import { listExperiments, listRuns } from '../../src/manage/list-runs.ts';
import { PARENT_TAG } from '../../src/model/mlflow/tags.ts';
import { verify } from '../../src/verify/verify.ts';
import { noise, storeOf } from '../disk/sources.ts';
import { ENGINES, type ServerTestDatabase } from '../places/database/database-servers.ts';
import { makeExperiment, makeRun, type Workspace } from '../places/memory-workspace.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { startMlferry } from './background-mlferry.ts';
import { copyReport } from './run-mlferry.ts';

const SHARDS = [1, 2, 3, 4];
/** The shard that is killed. */
const KILLED = 2;
const id = (experiment: number, run: number) =>
  `${experiment}${String(run).padStart(3, '0')}`.padStart(32, 'ab');
const shardOf = (run_id: string) =>
  SHARDS.find((index) => isInShard(run_id, { index, count: SHARDS.length }));

const postgresql = ENGINES.find(({ name }) => name === 'PostgreSQL');
const server = sharedServer();

let directory: string;
let source: string;
let deleted = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-shards-'));
  const workspace = await makeWorkspace();
  deleted = workspace[0]?.runs.at(-1)?.run.run_id ?? '';
  source = await storeOf(workspace, join(directory, 'source'));
}, 60_000);
afterAll(() => rm(directory, { recursive: true, force: true }));

/** Runs in two experiments, each below the one before it, with datasets that others have, too; the last one is deleted. */
async function makeWorkspace(): Promise<Workspace> {
  const dataset = (name: string) => ({
    dataset: { name, digest: '1', source_type: 'local', source: '{"uri": "data"}' },
    tags: { 'mlflow.data.context': 'training' },
  });
  return Promise.all(
    [1, 2].map(async (experiment) => {
      const experiment_id = String(experiment);
      const name = `experiment ${experiment}`;
      const runs = await Promise.all(
        Array.from({ length: 8 }, (_, n) => {
          const names = n % 2 === 0 ? ['a', 'b', 'c'] : ['c', 'b', 'a'];
          return makeRun(
            {
              ...{ run_id: id(experiment, n), experiment_id, run_name: `run ${n}`, start_time: 1 + n },
              ...{ dataset_inputs: names.map(dataset), params: { n: String(n) } },
              tags: {
                ...(n === 0 ? {} : { [PARENT_TAG]: id(experiment, n - 1) }),
                ...(n === 5 ? { other: `runs:/${id(experiment, 6)}/model` } : {}),
              },
              ...(n === 7 ? { lifecycle_stage: 'deleted' as const, deleted_time: 5 } : {}),
            },
            [['loss', Array.from({ length: 20 }, (__, step) => [step, 1.7e12 + step, step / 3] as const)]],
            [['file.bin', noise(n > 1 && shardOf(id(experiment, n)) === KILLED ? 300_000 : 5000, n)]],
          );
        }),
      );
      return { experiment: makeExperiment({ experiment_id, name, tags: { team: 'x' } }), runs };
    }),
  );
}

// A server takes a minute; MLFERRY_TEST_LONG=1 asks it, too.
const TARGETS = process.env.MLFERRY_TEST_LONG === '1' ? ['a server', 'PostgreSQL'] : ['PostgreSQL'];

describe.each(TARGETS)('shards at once into %s', (kind) => {
  let database: ServerTestDatabase | undefined;
  afterAll(async () => {
    await database?.drop();
  });

  it('one of them killed and begun again, and the last step make what one process makes', async ({
    skip,
  }) => {
    if (kind === 'PostgreSQL') {
      if (postgresql === undefined || !(await postgresql.isThere()))
        skip('PostgreSQL is neither running nor installed');
      database = await postgresql?.make();
    }
    const target = database?.uri ?? (await server()).url;
    const root = database === undefined ? [] : ['--to-artifacts-root', directory];
    const copy = ['copy', source, target, '--view', 'all', ...root];

    // At this rate its files alone take minutes.
    const slow = startMlferry([...copy, '--shard', `${KILLED}/${SHARDS.length}`, '--bandwidth', '1k']);
    const others = await Promise.all(
      SHARDS.filter((index) => index !== KILLED).map((index) =>
        // As an array of jobs tells it.
        copyReport([...copy, '--shard', 'auto'], {
          environment: { JOB_COMPLETION_INDEX: String(index - 1), JOB_COMPLETIONS: String(SHARDS.length) },
        }),
      ),
    );
    for (const report of others) expect(report).toMatchObject({ exit_status: 0, losses: [], failures: [] });
    slow.process.kill('SIGKILL');
    expect((await slow.ended).signal).toBe('SIGKILL');

    const again = await copyReport([...copy, '--shard', `${KILLED}/${SHARDS.length}`]);
    expect(again).toMatchObject({ exit_status: 0, losses: [], failures: [] });
    const created = [...others, again].map(({ experiments }) => experiments.created);
    // Those of the workspace, and in a new database MLflow's own.
    expect(created.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(3);

    const last = await copyReport([...copy, '--finish']);
    expect(last).toMatchObject({ exit_status: 0, failures: [], runs: { read: 16, failed: 0 } });
    expect(deleted).not.toBe('');
    const options = { selection: { view: 'all' }, toArtifactsRoot: directory } as const;
    expect(await verify(source, target, options)).toMatchObject({ items: [], exit_status: 0 });
    const experiments: string[] = [];
    await listExperiments(target, {}, async ({ name }) => {
      experiments.push(name);
    });
    expect(experiments.toSorted()).toEqual(['Default', 'experiment 1', 'experiment 2']);
    const names = new Map<string, number>();
    await listRuns(target, { selection: { view: 'all', experiments: ['experiment *'] } }, async (run) => {
      const key = `${run.experiment_id} ${run.run_name}`;
      names.set(key, (names.get(key) ?? 0) + 1);
    });
    expect([names.size, new Set(names.values())]).toEqual([16, new Set([1])]);
  }, 180_000);
});

describe('what falls to a shard', () => {
  it('is everything once, in parts of about one size', () => {
    const ids = Array.from({ length: 4000 }, (_, n) => id(1, n));
    const counts = Map.groupBy(ids, shardOf);
    expect([...counts.keys()].toSorted()).toEqual(SHARDS);
    for (const own of counts.values()) expect(Math.abs(own.length - 1000)).toBeLessThan(150);
  });
});
