import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { deleteRuns } from '../../src/manage/delete-runs.ts';
import { restoreRuns } from '../../src/manage/restore-runs.ts';
import { moveRuns } from '../../src/move/move-runs.ts';
import { type Answer, type SeenRequest, startFake, status } from '../places/server/fake-server.ts';

/** A run of the fake; `deleted`: ms since the epoch. */
interface FakeRun {
  readonly run_id: string;
  readonly start: number;
  readonly parent?: string;
  deleted?: number;
}

const bodyOf = ({ body }: SeenRequest) => z.record(z.string(), z.unknown()).parse(JSON.parse(body || '{}'));
const idOf = (index: number) => index.toString(16).padStart(32, '0');
const NOW = Date.UTC(2025, 5, 1);

/**
 * A fake by the contract of Databricks' REST API: delete-runs and restore-runs with their cap of 10,000, and the plain
 * MLflow routes. `first` may answer before it.
 */
async function databricks(
  runs: FakeRun[],
  first: (request: SeenRequest, number: number) => Answer | undefined = () => undefined,
  created = (run: FakeRun) => run.start,
) {
  const bulk = (request: SeenRequest, field: string, pick: (run: FakeRun, time: number) => boolean) => {
    const { experiment_id, max_runs = 10_000, ...times } = bodyOf(request);
    if (experiment_id !== '77') return { json: { [field]: 0 } };
    const most = z.int().min(1).max(10_000).parse(max_runs);
    const time = z.int().parse(Object.values(times)[0]);
    const chosen = runs.filter((run) => pick(run, time)).slice(0, most);
    for (const run of chosen) {
      if (field === 'runs_deleted') run.deleted = NOW;
      else delete run.deleted;
    }
    return { json: { [field]: chosen.length } };
  };
  const runJson = ({ run_id, start, parent, deleted }: FakeRun) => ({
    info: {
      run_id,
      run_name: `run ${Number.parseInt(run_id, 16)}`,
      experiment_id: '77',
      status: 'FINISHED',
      start_time: String(start),
      lifecycle_stage: deleted === undefined ? 'active' : 'deleted',
    },
    data: {
      tags: [
        { key: 'mlflow.runName', value: `run ${Number.parseInt(run_id, 16)}` },
        ...(parent === undefined ? [] : [{ key: 'mlflow.parentRunId', value: parent }]),
      ],
    },
  });
  const experiment = { experiment_id: '77', name: '/Shared/churn', lifecycle_stage: 'active' };
  const fake = await startFake((request, number) => {
    const answer = first(request, number);
    if (answer !== undefined) return answer;
    const { path } = request;
    const body = () => bodyOf(request);
    const one = () => runs.find(({ run_id }) => run_id === (body().run_id ?? request.query.get('run_id')));
    if (path.endsWith('/experiments/search')) return { json: { experiments: [experiment] } };
    if (path.endsWith('/experiments/get')) return { json: { experiment } };
    if (path.endsWith('/databricks/runs/delete-runs'))
      return bulk(request, 'runs_deleted', (run, time) => run.deleted === undefined && created(run) <= time);
    if (path.endsWith('/databricks/runs/restore-runs'))
      return bulk(request, 'runs_restored', (run, time) => run.deleted !== undefined && run.deleted >= time);
    if (path.endsWith('/runs/search')) return { json: search(runs, body()) };
    if (path.endsWith('/runs/get')) return { json: { run: runJson(one() ?? { run_id: '', start: 0 }) } };
    if (path.endsWith('/runs/delete')) {
      const run = one();
      if (run !== undefined) run.deleted = NOW;
      return { json: {} };
    }
    if (path.endsWith('/runs/log-batch')) return { json: {} };
    return undefined;
  });

  /** The dialect of the tests: a stage, one comparison of start_time or of the parent, offsets as tokens. */
  function search(all: readonly FakeRun[], body: Record<string, unknown>) {
    const filter = z.string().default('').parse(body.filter);
    const until = /start_time` <= (\d+)|start_time <= (\d+)/.exec(filter);
    const time = until === null ? undefined : Number(until[1] ?? until[2]);
    const children = filter.includes('parentRunId');
    const found = all.filter(
      ({ start, parent, deleted }) =>
        (body.run_view_type === 'ALL' ||
          (body.run_view_type === 'DELETED_ONLY') === (deleted !== undefined)) &&
        (time === undefined || start <= time) &&
        (!children || (parent !== undefined && (filter.includes("!= ''") || filter.includes(parent)))),
    );
    const offset = Number(body.page_token ?? 0);
    const size = z.int().parse(body.max_results);
    const page = found.slice(offset, offset + size).map(runJson);
    return page.length < size ? { runs: page } : { runs: page, next_page_token: String(offset + size) };
  }

  const environment = {
    DATABRICKS_HOST: fake.url.href,
    DATABRICKS_TOKEN: 'dapi-1',
    MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR: '0.001',
    MLFLOW_HTTP_REQUEST_BACKOFF_JITTER: '0.001',
  };
  return { fake, environment };
}

const many = (count: number): FakeRun[] =>
  Array.from({ length: count }, (_, index) => ({ run_id: idOf(index + 1), start: 1000 + index }));
const selection = { experiments: ['/Shared/churn'] };

describe('Databricks’ bulk routes', () => {
  it('delete by time of creation, again and again beyond 10,000, and restore by time of deletion', async () => {
    const runs = many(10_400);
    runs[0] = { run_id: idOf(1), start: 1000, deleted: NOW - 1000 };
    const { fake, environment } = await databricks(runs);
    const report = await deleteRuns('databricks', { selection, environment, createdBefore: 1000 + 10_250 });
    expect(report).toMatchObject({ bulk: true, total: 10_250, changed: 10_250, failed: 0, exit_status: 0 });
    expect(fake.to('/delete-runs').map(bodyOf)).toEqual(
      Array(2).fill({ experiment_id: '77', max_timestamp_millis: 11_250, max_runs: 10_000 }),
    );
    expect(fake.to('/runs/delete')).toEqual([]);
    expect(runs.filter(({ deleted }) => deleted === undefined)).toHaveLength(149);

    const restored = await restoreRuns('databricks', { selection, environment, deletedAfter: NOW });
    expect(restored).toMatchObject({ bulk: true, changed: 10_250, failed: 0 });
    expect(restored.notes.join()).toContain('Databricks alone knows');
    expect(fake.to('/restore-runs').map(bodyOf)).toEqual(
      Array(2).fill({ experiment_id: '77', min_timestamp_millis: NOW, max_runs: 10_000 }),
    );
    expect(runs.filter(({ deleted }) => deleted !== undefined).map(({ run_id }) => run_id)).toEqual([
      idOf(1),
    ]);
  });

  it('wait as long as 429 asks for', async () => {
    const runs = many(3);
    const { fake, environment } = await databricks(runs, ({ path }, number) =>
      path.endsWith('/delete-runs') && number < 2
        ? status(429, JSON.stringify({ error_code: 'REQUEST_LIMIT_EXCEEDED' }), { 'retry-after': '0' })
        : undefined,
    );
    const report = await deleteRuns('databricks', { selection, environment, createdBefore: 2000 });
    expect(report).toMatchObject({ bulk: true, changed: 3, failed: 0 });
    expect(fake.to('/delete-runs')).toHaveLength(3);
  });

  it.each([
    ['a filter', { selection: { ...selection, filter: "attributes.run_name != 'x'" } }],
    ['run ids', { selection: { ...selection, runs: [idOf(1), idOf(2)] } }],
    ['a number that cuts', { selection: { ...selection, max_runs: 1 } }],
  ])('are not used with %s', async (_, options) => {
    const runs = many(3);
    const { fake, environment } = await databricks(runs);
    const report = await deleteRuns('databricks', { ...options, environment, createdBefore: 2000 });
    expect(report).toMatchObject({ bulk: false, failed: 0 });
    expect(report.changed).toBeGreaterThan(0);
    expect(fake.to('/delete-runs')).toEqual([]);
    expect(fake.to('/runs/delete')).toHaveLength(report.changed);
  });

  it('are not used when runs below the chosen ones go along, and are with --no-cascade', async () => {
    const tree = () => [...many(2), { run_id: idOf(9), start: 5000, parent: idOf(1) }];
    const cascaded = tree();
    const one = await databricks(cascaded);
    const report = await deleteRuns('databricks', {
      selection,
      environment: one.environment,
      createdBefore: 2000,
    });
    expect(report).toMatchObject({ bulk: false, descendants: 1, changed: 3 });
    const two = await databricks(tree());
    const options = { selection, environment: two.environment, createdBefore: 2000, cascade: false };
    expect(await deleteRuns('databricks', options)).toMatchObject({ bulk: true, changed: 2 });
  });

  it('are not trusted: planned runs that were not deleted are deleted one by one', async () => {
    const runs = many(4);
    // As if "created" were the server's own clock.
    const { fake, environment } = await databricks(runs, undefined, (run) =>
      run.start > 1001 ? NOW : run.start,
    );
    const report = await deleteRuns('databricks', { selection, environment, createdBefore: 2000 });
    expect(report).toMatchObject({ bulk: true, total: 4, changed: 4, failed: 0, exit_status: 0 });
    expect(fake.to('/runs/delete')).toHaveLength(2);
  });

  it('are not trusted: runs deleted beyond the plan are a failure that says how many', async () => {
    const runs = many(4);
    const { environment } = await databricks(runs, undefined, () => 0);
    const report = await deleteRuns('databricks', { selection, environment, createdBefore: 1001 });
    expect(report).toMatchObject({ total: 2, changed: 2, failed: 2, exit_status: 3 });
    expect(report.failures[0]).toMatchObject({
      code: 'MISMATCH',
      message: expect.stringContaining('deleted 2 runs more'),
    });
  });

  it('name no more than 100 experiments in one search', async () => {
    const experiments = Array.from({ length: 250 }, (_, index) => ({
      experiment_id: String(index + 1),
      name: `/Shared/${index + 1}`,
      lifecycle_stage: 'active',
    }));
    const { fake, environment } = await databricks(many(2), ({ path }) =>
      path.endsWith('/experiments/search') ? { json: { experiments } } : undefined,
    );
    await deleteRuns('databricks', {
      selection: { experiments: ['77'] },
      environment,
      createdBefore: 2000,
      dryRun: true,
    });
    const sizes = fake
      .to('/runs/search')
      .map((request) => z.array(z.string()).parse(bodyOf(request).experiment_ids).length);
    expect(Math.max(...sizes)).toBe(100);
  });
});

it('of Databricks: a run is not moved, because its copy would lack something of it, and nothing is sent', async () => {
  const { fake, environment } = await databricks(many(2));
  const options = { selection, environment, to: '/Shared/elsewhere', create: true };
  await expect(moveRuns('databricks', options)).rejects.toMatchObject({
    code: 'UNSUPPORTED',
    message: expect.stringContaining('Databricks'),
  });
  const changes = /\/(create|delete|log-batch|update|set-tag)$/;
  expect(fake.seen.filter(({ path }) => changes.test(path))).toEqual([]);
});
